"""The short form of `make chaos ARGS=withdrawals`, and what it takes for a late go to be seen."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.caller import Answer
from tests.chaos.leavers import Leaver, leavers
from tests.chaos.leaving import Seen, judged
from tests.servers import ROOT

MESSAGE = "1-" + "0" * 32


def seen(*, purpose: str | None = "outreach.push", acked: float = 10.0, sent: float, go: bool = True) -> Seen:
    """Somebody whose withdrawal was acknowledged then, and whose message was claimed then."""
    leaver = Leaver("x", purpose, "desk", 9.0, None, 0.0, {"id": MESSAGE})
    withdrawn = None if purpose is None else Answer(acked - 0.1, acked, 202, {})
    because = "go" if go else "held"
    claimed = Answer(sent, sent + 1.0, 200, {"go": go, "because": because})
    return Seen(leaver, withdrawn=withdrawn, acked_ms=10_000, claimed=claimed)


def test_a_go_that_was_asked_for_after_the_acknowledgement_is_late() -> None:
    [late] = judged([seen(sent=10.5)], {}).late
    assert late == "x: go 0.500 s after the acknowledgement"


def test_a_go_that_was_asked_for_before_the_acknowledgement_is_not_late() -> None:
    found = judged([seen(sent=9.5), seen(sent=8.0), seen(sent=10.5, go=False), seen(purpose=None, sent=11.0)], {})
    assert (found.go_meanwhile, found.go_before, found.claims_after, found.go_who_stayed) == (1, 1, 1, 1)
    assert (found.reasons, found.late) == ({"held": 1}, ())


@pytest.mark.parametrize(("at", "late"), [(9_999, 0), (10_001, 1)])
def test_a_go_in_the_store_whose_answer_was_lost_is_late_by_its_own_time(at: int, late: int) -> None:
    assert len(judged([seen(sent=10.5, go=False)], {MESSAGE: at}).late) == late


@pytest.mark.parametrize(
    ("purpose", "sent", "late"),
    [("suggest.personal", 10.1, 1), ("suggest.personal", 9.9, 0), ("outreach.push", 10.1, 0)],
)
def test_a_personal_answer_after_the_acknowledgement_is_late(purpose: str, sent: float, late: int) -> None:
    one = seen(purpose=purpose, sent=9.0)
    one.suggested.append(Answer(sent, sent + 0.1, 200, {"mode": "personal"}))
    assert len(judged([one], {}).late) == late


def test_the_people_of_a_seed_are_the_same_each_time_and_leave_in_every_way() -> None:
    def plain() -> list[Any]:
        return [vars(each) for each in leavers(seed=3, count=60, stay=4, span_s=15)]

    people = plain()
    assert people == plain()
    assert {each["way"] for each in people} == {"desk", "other identity", "link"}
    assert sum(each["purpose"] is None for each in people) == 4


@pytest.mark.servers
@pytest.mark.long
@pytest.mark.timeout(600)
def test_whatever_is_killed_nothing_goes_out_and_nothing_is_personal_after_a_withdrawal(tmp_path: Path) -> None:
    argv = [sys.executable, "-m", "tests.chaos", "withdrawals", "--seed", "3"]
    words = ["--leave", "20", "--span", "5", "--report", str(tmp_path / "report.json")]
    done = subprocess.run([*argv, *words], cwd=ROOT, capture_output=True, text=True, timeout=580, check=False)
    assert done.returncode == 0, f"{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
