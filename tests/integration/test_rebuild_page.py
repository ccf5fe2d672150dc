"""The page on rebuilding says what to type, and typed in that order it works."""

import re
import shlex
from pathlib import Path

import pytest

from tests.installation import installation_in
from tests.integration.orders import archived, folded, orders
from tests.servers import ROOT
from tests.waiting import until

pytestmark = pytest.mark.servers

PAGE = ROOT / "docs" / "how-to" / "rebuild.md"


def commands() -> list[list[str]]:
    """What stands in the page's shell blocks, word by word."""
    blocks = re.findall(r"^ *```sh\n(.*?)^ *```", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    return [shlex.split(line) for block in blocks for line in block.splitlines()]


def test_every_step_of_the_page_works_in_its_order(tmp_path: Path) -> None:
    steps = commands()
    assert len(steps) == 6
    with installation_in(tmp_path) as made, made.worker(), made.worker("history"):
        made.send(orders(100))
        until(lambda: folded(made) == 100, within_s=90, what="the orders in the profiles")
        until(lambda: archived(made) >= 100, within_s=60, what="the orders in history")
        for program, *words in steps:
            assert program == "rapport"
            answer = made.rapport(*words)
            assert answer.returncode == 0, answer.stderr
        assert folded(made) == 100
