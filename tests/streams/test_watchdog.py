"""The watchdog's judgement is pure; what it does about a stall is tried on a process."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from streams.ownership import Claim
from streams.watchdog import EXIT_STALLED, Seen, judge, stalled

KEY = ("facts", 3)
ROOT = Path(__file__).parents[2]


def after(*looks: tuple[float, int, int], stopped: str | None = None) -> Mapping[tuple[str, int], Seen]:
    """What is remembered after looking at (time, checkpoint, end), one after the other."""
    seen: Mapping[tuple[str, int], Seen] = {}
    for now_s, checkpoint, end in looks:
        claim = Claim(next_offset=checkpoint, checkpoint=checkpoint, turn=1, stopped=stopped)
        seen = judge(seen, claims={KEY: claim}, ends={KEY: end}, now_s=now_s)
    return seen


def test_a_checkpoint_that_stands_while_the_log_grows_is_a_stall() -> None:
    seen = after((0, 10, 20), (30, 10, 25), (61, 10, 30))
    assert stalled(seen, now_s=61, patience_s=60) == ["facts[3] stands at 10 of 30 for 61 s"]


def test_a_checkpoint_that_stands_is_no_stall_before_the_patience_is_over() -> None:
    assert stalled(after((0, 10, 20), (59, 10, 25)), now_s=59, patience_s=60) == []


def test_a_worker_that_is_slow_but_moves_is_not_stalled() -> None:
    seen = after((0, 10, 1000), (50, 11, 2000), (100, 12, 3000))
    assert stalled(seen, now_s=100, patience_s=60) == []


def test_a_worker_that_has_nothing_to_do_is_not_stalled_and_owes_nothing_from_before() -> None:
    seen = after((0, 10, 10), (1000, 10, 10), (1001, 10, 11))
    assert stalled(seen, now_s=1002, patience_s=60) == []


def test_a_partition_stopped_on_purpose_is_not_judged() -> None:
    assert after((0, 10, 20), (1000, 10, 30), stopped="another log") == {}


def test_a_partition_that_waits_for_what_is_away_is_not_judged() -> None:
    claim = Claim(next_offset=10, checkpoint=10, turn=1, waits="the store is full")
    assert judge({KEY: Seen(10, 20, 0.0)}, claims={KEY: claim}, ends={KEY: 20}, now_s=1000) == {}


def test_a_partition_whose_end_is_unknown_is_not_judged() -> None:
    claim = Claim(next_offset=10, checkpoint=10, turn=1)
    assert judge({KEY: Seen(10, 20, 0.0)}, claims={KEY: claim}, ends={}, now_s=1000) == {}


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=30))
def test_whoever_moves_at_every_look_never_stalls(steps: list[tuple[int, int]]) -> None:
    looks = [(at * 50.0, at, at + behind) for at, (behind, _) in enumerate(steps)]
    assert stalled(after(*looks), now_s=looks[-1][0], patience_s=60) == []


def test_a_stalled_worker_ends_with_the_names_of_what_it_was_doing() -> None:
    program = """
from streams.admin import Bounds
from streams.ownership import Ownership
from streams.watchdog import watch
ownership = Ownership()
ownership.assign({("facts", 3): 10})
def waiting_forever(secret):
    watch(ownership, ends=lambda topics: {("facts", 3): Bounds(0, 20)}, patience_s=0.2, every_s=0.05).join()
waiting_forever("someone's data")
"""
    ended = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == EXIT_STALLED
    assert "facts[3] stands at 10 of 20" in ended.stderr
    assert "waiting_forever" in ended.stderr
    assert "someone's data" not in ended.stderr
