"""How tests are written: on real things, and without waiting for luck."""

import ast
import re
import socket
from collections.abc import Callable

import pytest

from tests.house.tree import Source, suite
from tests.waiting import HANGS_S

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


def _is_a_short_wait(node: ast.AST) -> bool:
    """A wait for what must come, given up sooner than a hang is told from a busy machine."""
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in {"until", "eventually"}
        and any(
            word.arg == "within_s" and isinstance(word.value, ast.Constant) and float(str(word.value.value)) < HANGS_S
            for word in node.keywords
        )
    )


def _asserts_speed(node: ast.AST) -> bool:
    """An assertion that less than so much time has passed; that more has is no matter of speed."""
    return (
        isinstance(node, ast.Assert)
        and isinstance(node.test, ast.Compare)
        and isinstance(node.test.ops[0], ast.Lt | ast.LtE)
        and isinstance(node.test.left, ast.BinOp)
        and re.search(r"\b(monotonic|perf_counter|time)(_ns)?\(", ast.unparse(node.test.left)) is not None
    )


def test_no_test_fails_since_the_machine_is_busy() -> None:
    found = [
        f"{source.name}:{node.lineno}"
        for source in suite()
        for node in source.nodes
        if isinstance(node, ast.expr | ast.stmt) and (_is_a_short_wait(node) or _asserts_speed(node))
    ]
    assert not found, "Leave the deadline to tests.waiting, and assert what came, not when:\n" + "\n".join(found)


def test_no_test_reaches_another_machine() -> None:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_STREAM) as far,
        pytest.raises(RuntimeError, match="this machine only"),
    ):
        far.connect(("192.0.2.1", 9))
