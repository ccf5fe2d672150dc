"""A topic that is no longer the log it was is not read on, whoever assigns it."""

import asyncio
from collections.abc import Collection, Mapping

import pytest

from streams.admin import TopicShape
from streams.frame import Checkpoints
from streams.log_watch import changed, watch_logs
from streams.ownership import Key, Ownership
from streams.patience import Away
from streams.positions import CheckpointsUnreadError, Positions
from tests.waiting import eventually

FOLLOWED = {"facts": TopicShape("a log", 4), "intake": TopicShape("another", 4)}


def test_a_topic_made_anew_resized_or_gone_is_told_with_what_to_do() -> None:
    found = {"facts": TopicShape("a log", 8), "intake": TopicShape("made anew", 4)}
    reasons = changed(FOLLOWED, found)
    assert "topic facts has 8 partitions, configured are 4" in reasons["facts"]
    assert "rapport log adopt" in reasons["intake"]
    assert "not there" in changed(FOLLOWED, {"intake": FOLLOWED["intake"]})["facts"]
    assert changed(FOLLOWED, FOLLOWED) == {}


def test_a_refused_topic_stays_stopped_when_assigned_anew_until_it_is_itself_again() -> None:
    ownership = Ownership()
    ownership.assign({("facts", 0): 10, ("intake", 0): 5})
    ownership.refuse({"facts": "another log"})
    assert list(ownership.wanted().claims) == [("intake", 0)]
    ownership.assign({("facts", 0): 10, ("intake", 0): 5})
    assert ownership.claims["facts", 0].stopped == "another log"
    assert ownership.stopped() == {}

    ownership.refuse({})
    [(key, turn)] = ownership.stopped().items()
    ownership.look_again(key, turn=turn, start=10)
    assert ownership.wanted().claims.keys() == {("facts", 0), ("intake", 0)}


async def test_the_watch_outlives_a_broker_that_is_away_and_tells_what_changed_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    answers: list[Mapping[str, TopicShape] | Exception] = [
        FOLLOWED,
        OSError("nobody listens"),
        {"facts": FOLLOWED["facts"]},
        {"facts": FOLLOWED["facts"]},
    ]
    looks = 0

    def look(_topics: Collection[str]) -> Mapping[str, TopicShape]:
        nonlocal looks
        looks += 1
        answer = answers[min(looks, len(answers)) - 1]
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def has_looked() -> bool:
        return looks > len(answers)

    ownership = Ownership()
    ownership.assign({("facts", 0): 10, ("intake", 0): 5})
    watch = asyncio.create_task(watch_logs(ownership, followed=FOLLOWED, look=look, every_s=0.0))
    await eventually(has_looked, what="five looks")
    watch.cancel()

    assert [r.getMessage() for r in caplog.records if r.levelname == "ERROR"] == [
        "stopped: topic intake is not there any more"
    ]
    assert list(ownership.wanted().claims) == [("facts", 0)]


def test_a_stopped_partition_on_trial_counts_as_stopped_until_something_is_handled() -> None:
    ownership = Ownership()
    ownership.assign({("facts", 0): 10})
    assert ownership.stop(Key("facts", 0), reason="a gap")
    [(key, turn)] = ownership.stopped().items()
    ownership.look_again(key, turn=turn, start=10)
    assert ownership.claims[key].on_trial == "a gap"
    assert not ownership.stop(Key("facts", 0), reason="a gap")


def test_a_look_that_took_too_long_changes_nothing_of_a_later_assignment() -> None:
    ownership = Ownership()
    ownership.assign({("facts", 0): 10})
    ownership.stop(Key("facts", 0), reason="a gap")
    [(key, turn)] = ownership.stopped().items()
    ownership.assign({("facts", 0): 50})
    ownership.look_again(key, turn=turn, start=10)
    assert ownership.claims[key].next_offset == 50


class Told:
    """Checkpoints as given, or an error."""

    def __init__(self, answer: Mapping[int, int | None] | Exception) -> None:
        self.answer = answer

    async def committed(self, _topic: str, _partitions: Collection[int], /) -> Mapping[int, int | None]:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def positions(checkpoints: Checkpoints) -> Positions:
    async def firsts(keys: Collection[Key]) -> Mapping[Key, int]:
        return dict.fromkeys(keys, 7)

    return Positions(checkpoints=checkpoints, firsts=firsts, retry_delays_s=(), within_s=5)


async def test_a_partition_without_a_checkpoint_begins_where_the_log_does() -> None:
    read = await positions(Told({0: 30, 1: None})).read([Key("facts", 0), Key("facts", 1)])
    assert read.starts == {("facts", 0): 30, ("facts", 1): 7}


async def test_partitions_whose_checkpoint_is_out_of_reach_are_stopped_and_looked_at_again() -> None:
    read = await positions(Told(Away("the store is away"))).read([Key("facts", 0)])
    assert read.starts == {}
    ownership = Ownership()
    ownership.assign(read.starts, unknown=read.unknown)
    assert "the store is away" in str(ownership.claims["facts", 0].stopped)
    assert (ownership.checkpoints(), list(ownership.stopped())) == ({}, [("facts", 0)])


async def test_a_defect_in_reading_checkpoints_ends_the_worker_without_its_data() -> None:
    with pytest.raises(CheckpointsUnreadError) as raised:
        await positions(Told(ValueError("someone's data"))).read([Key("facts", 0)])
    assert "someone's data" not in str(raised.value)


def test_an_idle_partition_on_trial_is_trusted_once_the_log_is_seen_to_end_where_it_stands() -> None:
    ownership = Ownership()
    ownership.assign({("facts", 0): 10})
    ownership.saw_ends(("facts", 0), high_watermark=10, last_stable_offset=10, told_at=1, now_ms=1)
    ownership.stop(("facts", 0), reason="a gap")
    [(key, turn)] = ownership.stopped().items()
    ownership.look_again(key, turn=turn, start=10)
    ownership.saw_ends(key, high_watermark=10, last_stable_offset=10, told_at=1, now_ms=2)  # told before the try
    assert ownership.claims[key].on_trial == "a gap"
    ownership.saw_ends(key, high_watermark=10, last_stable_offset=10, told_at=3, now_ms=3)
    assert ownership.claims[key].on_trial is None
