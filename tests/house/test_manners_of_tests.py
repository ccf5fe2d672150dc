"""How tests are written: on real things, and without waiting for luck."""

import re
import socket
from collections.abc import Callable

import pytest

from tests.house.tree import Source, suite

# In two parts each, so that this file does not use them.
STAND_INS = re.compile("[Mm]" + "ock|[Mm]" + "onkeypatch", re.IGNORECASE)
SLEEPING = re.compile(r"\bsleep\(")
MAY_SLEEP = "tests/waiting.py"


def _lines(pattern: re.Pattern[str], *, but: Callable[[Source], bool] = lambda _: False) -> list[str]:
    return [
        f"{source.name}:{number} {line.strip()}"
        for source in suite()
        if not but(source)
        for number, line in enumerate(source.text.splitlines(), start=1)
        if pattern.search(line)
    ]


def test_nothing_is_replaced_behind_the_code_s_back() -> None:
    found = _lines(STAND_INS)
    assert not found, "Hand the thing in as an argument, or use the memory adapter or a real server:\n" + "\n".join(
        found
    )


def test_no_test_waits_for_time_to_pass() -> None:
    found = _lines(SLEEPING, but=lambda source: source.name == MAY_SLEEP)
    assert not found, "Wait for what you expect with tests.waiting.until or eventually:\n" + "\n".join(found)


def test_no_test_reaches_another_machine() -> None:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_STREAM) as far,
        pytest.raises(RuntimeError, match="this machine only"),
    ):
        far.connect(("192.0.2.1", 9))
