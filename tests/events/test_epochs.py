"""Epochs: another log is never taken for the one followed so far, and none is left before history has it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.epochs import (
    Adopted,
    AnotherLog,
    Epoch,
    EpochsUnreadable,
    First,
    LogShape,
    Missing,
    NotAdopted,
    Refused,
    Same,
    SeenLog,
    adopt,
    adopt_cut,
    decode_epochs,
    encode_epochs,
    progressed,
    recognise,
)

SHAPE = LogShape(partitions=2, key_fingerprint="1-DE-abc")
OLD = Epoch(epoch=1, topic_id="old", shape=SHAPE, first=(0, 0), end=(9, 9))
CURRENT = Epoch(epoch=2, topic_id="current", shape=SHAPE, first=(0, 0), end=(10, 20))
KNOWN = (OLD, CURRENT)


def seen(topic_id: str = "current", *, end: tuple[int | None, ...] = (10, 20), **shape: Any) -> SeenLog:
    described = {"partitions": 2, "key_fingerprint": "1-DE-abc", **shape}
    return SeenLog(topic_id=topic_id, shape=LogShape(**described), first=(0,) * len(end), end=end)


def test_the_first_log_is_the_first() -> None:
    assert recognise((), seen()) == First()


def test_the_log_followed_so_far_is_recognised_however_far_it_went_on() -> None:
    assert recognise(KNOWN, seen()) == Same(CURRENT)
    assert recognise(KNOWN, seen(end=(99, 20))) == Same(CURRENT)
    assert recognise(KNOWN, seen(end=(None, None))) == Same(CURRENT)


def test_a_topic_made_anew_is_another_log() -> None:
    verdict = recognise(KNOWN, seen("new"))
    assert isinstance(verdict, AnotherLog)
    assert "made anew" in verdict.reason


def test_a_log_that_lost_its_tail_is_another_log() -> None:
    verdict = recognise(KNOWN, seen(end=(10, 19)))
    assert isinstance(verdict, AnotherLog)
    assert "partition 1 ends at 19" in verdict.reason


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"partitions": 3, "end": (1, 1, 1)}, "rebuild"),
        ({"partitioner": "crc32"}, "crc32"),
        ({"key_fingerprint": "1-DE-def"}, "pseudonym key"),
        ({"fact_format": 2}, "format 2"),
    ],
)
@pytest.mark.parametrize("topic_id", ["current", "new"])
def test_a_log_of_another_shape_is_refused(topic_id: str, change: dict[str, Any], word: str) -> None:
    log = seen(topic_id, **change)
    verdict = recognise(KNOWN, log)
    assert isinstance(verdict, Refused)
    assert word in verdict.reason
    assert adopt(KNOWN, log, archived=(99, 99), checkpoints=(0, 0), accept_gap=True) == NotAdopted(verdict.reason)


def test_an_earlier_log_that_comes_back_is_refused() -> None:
    assert isinstance(recognise(KNOWN, seen("old")), Refused)


def test_a_log_that_shows_only_some_partitions_is_refused() -> None:
    assert isinstance(recognise((), seen(end=(1,))), Refused)


def test_the_first_epoch_opens_without_asking() -> None:
    verdict = adopt((), seen("new", end=(3, 4)), archived=(), checkpoints=())
    assert isinstance(verdict, Adopted)
    [epoch] = verdict.epochs
    assert (epoch.epoch, epoch.topic_id, epoch.first, epoch.end) == (1, "new", (0, 0), (3, 4))


def test_there_is_nothing_to_adopt_in_the_same_log() -> None:
    assert isinstance(adopt(KNOWN, seen(), archived=(10, 20), checkpoints=(10, 20)), NotAdopted)


def test_the_next_epoch_opens_when_history_reaches_the_checkpoint() -> None:
    verdict = adopt(KNOWN, seen("new", end=(0, 0)), archived=(10, 20), checkpoints=(10, 20))
    assert isinstance(verdict, Adopted)
    assert verdict.epochs[:2] == KNOWN
    assert verdict.epochs[2].epoch == 3
    assert verdict.unfolded == verdict.lost == ()


def test_the_missing_range_is_named_and_nothing_opens() -> None:
    verdict = adopt(KNOWN, seen("new"), archived=(10, 15), checkpoints=(10, 20))
    assert verdict == NotAdopted(
        "history does not reach the checkpoint, it lacks partition 1: 15 to 19", missing=(Missing(1, 15, 20),)
    )


def test_an_accepted_gap_is_named_as_lost() -> None:
    verdict = adopt(KNOWN, seen("new"), archived=(10, 15), checkpoints=(10, 20), accept_gap=True)
    assert isinstance(verdict, Adopted)
    assert verdict.lost == (Missing(1, 15, 20),)
    assert verdict.epochs[1].end == (10, 20)


def test_what_only_history_holds_is_named_to_be_folded_from_there() -> None:
    verdict = adopt(KNOWN, seen("new"), archived=(14, 20), checkpoints=(10, 20))
    assert isinstance(verdict, Adopted)
    assert verdict.unfolded == (Missing(0, 10, 14),)
    assert verdict.epochs[1].end == (14, 20)


CUT = seen(end=(10, 12))


def test_a_log_that_was_cut_is_the_next_epoch_from_where_it_agrees_with_history() -> None:
    verdict = adopt_cut(KNOWN, CUT, archived=(8, 20), checkpoints=(10, 20), agreed={1: 12})
    assert isinstance(verdict, Adopted)
    assert verdict.lost == ()
    left, opened = verdict.epochs[1:]
    assert (left.epoch, left.topic_id, left.end) == (2, "current", (8, 20))
    assert (opened.epoch, opened.topic_id, opened.first) == (3, "current", (10, 12))


def test_it_is_recognised_afterwards_and_may_be_left_for_another() -> None:
    verdict = adopt_cut(KNOWN, CUT, archived=(10, 20), checkpoints=(10, 20), agreed={1: 12})
    assert isinstance(verdict, Adopted)
    assert recognise(verdict.epochs, CUT) == Same(verdict.epochs[-1])
    assert isinstance(recognise(verdict.epochs, seen("new")), AnotherLog)
    assert isinstance(recognise(verdict.epochs, seen("old")), Refused)


def test_what_was_cut_and_history_lacks_is_lost_by_a_person_only() -> None:
    lacking = (Missing(1, 15, 20),)
    cut: dict[str, Any] = {"archived": (10, 15), "checkpoints": (10, 20), "agreed": {1: 12}}
    refused = adopt_cut(KNOWN, CUT, **cut)
    assert refused == NotAdopted("history does not reach the checkpoint, it lacks partition 1: 15 to 19", lacking)
    accepted = adopt_cut(KNOWN, CUT, **cut, accept_gap=True)
    assert isinstance(accepted, Adopted)
    assert (accepted.lost, accepted.epochs[1].end, accepted.epochs[2].first) == (lacking, (10, 20), (10, 12))


def test_what_the_log_still_holds_is_not_lost_though_history_lacks_it() -> None:
    verdict = adopt_cut(KNOWN, CUT, archived=(0, 3), checkpoints=(10, 12), agreed={1: 12})
    assert isinstance(verdict, Adopted)
    assert (verdict.lost, verdict.epochs[1].end, verdict.epochs[2].first) == ((), (0, 3), (10, 12))


def test_progress_never_goes_back() -> None:
    assert progressed(KNOWN, {0: 15})[-1].end == (15, 20)
    assert progressed(KNOWN, {0: 5, 1: 21})[-1].end == (10, 21)
    assert progressed(KNOWN, {})[0] == OLD


offsets = st.tuples(st.integers(0, 50), st.integers(0, 50))


@given(archived=offsets, checkpoints=offsets, accept_gap=st.booleans())
def test_no_fact_is_lost_without_being_named(
    *, archived: tuple[int, int], checkpoints: tuple[int, int], accept_gap: bool
) -> None:
    verdict = adopt(KNOWN, seen("new"), archived=archived, checkpoints=checkpoints, accept_gap=accept_gap)
    lacking = {
        (partition, offset) for partition in (0, 1) for offset in range(archived[partition], checkpoints[partition])
    }
    named = verdict.missing if isinstance(verdict, NotAdopted) else verdict.lost
    assert {(gap.partition, at) for gap in named for at in range(gap.start, gap.end)} == lacking
    assert isinstance(verdict, Adopted) == (accept_gap or not lacking)


@given(st.integers(1, 4), st.text(max_size=20), offsets)
def test_the_list_is_read_back_as_it_was_written(count: int, topic_id: str, end: tuple[int, int]) -> None:
    known = tuple(
        Epoch(epoch=number, topic_id=f"{topic_id}{number}", shape=SHAPE, first=(0, 0), end=end)
        for number in range(1, count + 1)
    )
    assert decode_epochs(encode_epochs(known)) == known


def test_nothing_stored_is_an_empty_list() -> None:
    assert decode_epochs(None) == decode_epochs(b"") == decode_epochs(encode_epochs(())) == ()


@pytest.mark.parametrize(
    "raw",
    [
        b"{}",
        b"[]",
        b"nonsense",
        encode_epochs(KNOWN)[:-5],
        b'{"version": 2, "epochs": []}',
        b'{"version": 1, "epochs": [], "tomorrow": 1}',
        encode_epochs(KNOWN).replace(b'"topic_id"', b'"tomorrow": 1, "topic_id"', 1),
        encode_epochs(KNOWN).replace(b'"topic_id": "', b'"topic_id": "\xff\xfe', 1),
        encode_epochs((OLD, OLD)),
    ],
)
def test_a_damaged_list_is_an_error(raw: bytes) -> None:
    with pytest.raises(EpochsUnreadable):
        decode_epochs(raw)
