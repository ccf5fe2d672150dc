"""Who may hand over what, without a broker."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from streams.frame import Answer, Frame, Handled, OneBefore, Record, SeekTo, Stopped
from streams.lag import measure, too_late
from streams.ownership import Handed, Ownership, gap_reason

KEY = ("facts", 0)


def owning(start: int = 100) -> Ownership:
    ownership = Ownership()
    ownership.assign({KEY: start})
    return ownership


def fetched(ownership: Ownership, *, end: int, generation: int = 7) -> Handed:
    """What a fetch at the current position brings."""
    claim = ownership.claims[KEY]
    frame = Frame(topic="facts", partition=0, generation=generation, start=claim.next_offset, end=end, records=())
    return Handed(frame=frame, turn=claim.turn)


def hand_over(ownership: Ownership, handed: Handed) -> bool:
    return ownership.hand_over(KEY, turn=handed.turn, end=handed.frame.end)


def finish(ownership: Ownership, handed: Handed, answer: Answer) -> None:
    assert ownership.begin(handed, generation=handed.frame.generation)
    ownership.settle(handed, answer)
    ownership.end()


def test_a_handled_frame_moves_the_checkpoint_to_its_end_even_when_it_is_empty() -> None:
    ownership = owning()
    handed = fetched(ownership, end=105)
    assert hand_over(ownership, handed)
    assert ownership.checkpoints() == {KEY: 100}
    finish(ownership, handed, Handled())
    assert ownership.checkpoints() == {KEY: 105}


def test_the_next_frame_starts_where_the_last_one_ended() -> None:
    ownership = owning()
    assert hand_over(ownership, fetched(ownership, end=105))
    assert fetched(ownership, end=110).frame.start == 105


def test_a_frame_of_an_older_generation_is_dropped() -> None:
    ownership = owning()
    handed = fetched(ownership, end=105, generation=7)
    assert not ownership.begin(handed, generation=8)
    assert ownership.idle


def test_what_was_fetched_or_queued_before_a_seek_is_dropped() -> None:
    ownership = owning()
    first = fetched(ownership, end=105)
    assert hand_over(ownership, first)
    queued = fetched(ownership, end=110)
    assert hand_over(ownership, queued)
    in_flight = fetched(ownership, end=115)
    finish(ownership, first, SeekTo(90))
    assert not ownership.begin(queued, generation=7)
    assert not hand_over(ownership, in_flight)
    assert fetched(ownership, end=95).frame.start == 90


def test_an_answer_that_comes_after_a_new_assignment_moves_nothing() -> None:
    ownership = owning()
    handed = fetched(ownership, end=105)
    assert ownership.begin(handed, generation=7)
    ownership.assign({KEY: 300})
    ownership.settle(handed, SeekTo(90))
    assert ownership.checkpoints() == {KEY: 300}
    assert fetched(ownership, end=305).frame.start == 300


def test_a_stopped_partition_is_neither_fetched_nor_handed_over_until_it_is_assigned_again() -> None:
    ownership = owning()
    handed = fetched(ownership, end=105)
    finish(ownership, handed, Stopped("another log"))
    assert ownership.readable(KEY) is None
    assert not hand_over(ownership, handed)
    ownership.assign({KEY: 100})
    assert ownership.readable(KEY) is not None


def test_a_closed_worker_begins_nothing_and_finishes_what_it_has_in_hand() -> None:
    ownership = owning()
    in_hand, queued = fetched(ownership, end=105), fetched(ownership, end=105)
    assert ownership.begin(in_hand, generation=7)
    ownership.close()
    busy = not ownership.idle
    assert busy
    assert not ownership.begin(queued, generation=7)
    ownership.settle(in_hand, Handled())
    ownership.end()
    assert ownership.idle
    assert ownership.checkpoints() == {KEY: 105}


def test_a_revoked_partition_is_no_longer_ours() -> None:
    ownership = owning()
    handed = fetched(ownership, end=105)
    ownership.revoke([KEY])
    assert not ownership.begin(handed, generation=7)
    assert ownership.checkpoints() == {}


@given(st.lists(st.sampled_from(["fetch", "handle", "seek", "assign"]), max_size=60))
def test_no_schedule_hands_over_a_frame_that_does_not_join_the_one_before(steps: list[str]) -> None:
    ownership = owning(0)
    queue: list[Handed] = []
    expected, durable = 0, 0
    for step in steps:
        if step == "fetch":
            handed = fetched(ownership, end=ownership.claims[KEY].next_offset + 5)
            queue += [handed] if hand_over(ownership, handed) else []
        elif step in {"handle", "seek"} and queue:
            handed = queue.pop(0)
            if ownership.begin(handed, generation=7):
                assert handed.frame.start == expected
                durable = handed.frame.end if step == "handle" else durable
                ownership.settle(handed, Handled() if step == "handle" else SeekTo(durable))
                ownership.end()
                expected = durable
        elif step == "assign":
            ownership.assign({KEY: durable})
            expected = durable
    assert ownership.checkpoints() == {KEY: durable}


def test_a_log_that_seems_short_for_a_moment_is_not_a_gap_but_one_that_stays_short_is() -> None:
    ownership = owning(100)
    claim = ownership.claims[KEY]
    for at_ms, high_watermark, short_for_ms in ((1000, 40, 0), (2000, 40, 1000), (3000, 100, 0), (4000, 40, 0)):
        ownership.saw_ends(
            KEY, high_watermark=high_watermark, last_stable_offset=high_watermark, told_at=at_ms, now_ms=at_ms
        )
        assert claim.short_for_ms == short_for_ms


def test_a_gap_is_told_with_its_size() -> None:
    assert (
        gap_reason(offset=100, first=120, end=400)
        == "the log begins at 120, the checkpoint is 100: 20 offsets are gone"
    )
    assert "460 offsets ahead" in gap_reason(offset=500, first=0, end=40)


def test_what_is_due_is_the_checkpoint_also_while_the_record_before_it_is_to_be_read_again() -> None:
    ownership = Ownership()
    ownership.assign({KEY: OneBefore(99)})
    claim = ownership.claims[KEY]
    assert (claim.next_offset, claim.due) == (99, 100)
    assert msgspec.json.encode(measure(ownership.claims, now_ms=1, clock_ms=1))  # what workers say of themselves
    assert ownership.hand_over(KEY, turn=claim.turn, end=120)
    assert claim.due == 120
    assert owning(99).claims[KEY].due == 99


def test_lag_is_last_stable_offset_minus_checkpoint_and_unknown_where_the_end_is_not_fresh() -> None:
    ownership = owning(100)
    assert [lag.lag for lag in measure(ownership.claims, now_ms=5000, clock_ms=5000)] == [None]
    ownership.saw_ends(KEY, high_watermark=150, last_stable_offset=140, told_at=5000, now_ms=5000)
    assert [lag.lag for lag in measure(ownership.claims, now_ms=6000, clock_ms=6000)] == [40]
    assert [lag.lag for lag in measure(ownership.claims, now_ms=16_000, clock_ms=16_000)] == [None]


def test_whatever_is_not_known_to_be_in_time_is_too_late() -> None:
    ownership = owning(100)
    ownership.saw_ends(KEY, high_watermark=150, last_stable_offset=140, told_at=5000, now_ms=5000)
    known = measure(ownership.claims, now_ms=5000, clock_ms=5000)
    assert too_late(known, partitions=1, limit=40, now_ms=6000) is None
    assert too_late(known, partitions=1, limit=39, now_ms=6000) == "partition 0 is 40 records behind"
    assert too_late(known, partitions=2, limit=40, now_ms=6000) == "the lag of 1 partitions is unknown"
    assert "last measured 11000 ms ago" in str(too_late(known, partitions=1, limit=40, now_ms=16_000))
    ownership.stop(KEY, reason="another log")
    stopped = measure(ownership.claims, now_ms=5000, clock_ms=5000)
    assert too_late(stopped, partitions=1, limit=40, now_ms=5000) == "partition 0 is stopped: another log"


def test_a_record_keeps_what_was_written() -> None:
    record = Record(5, 1000, b"key", None, (("id", b"1"),))
    assert (record.offset, record.timestamp_ms, record.key, record.value, record.headers[0]) == (
        5,
        1000,
        b"key",
        None,
        ("id", b"1"),
    )
