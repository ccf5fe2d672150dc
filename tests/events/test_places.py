"""Where things go: partitions, positions, checkpoints, keys."""

import pytest
from aiokafka.partitioner import DefaultPartitioner
from hypothesis import given
from hypothesis import strategies as st

from events.keys import FAMILIES, checkpoint_key, facet_key, global_key, outbox_key, partition_key
from events.partitioning import partition_of
from events.position import (
    Checkpoint,
    Position,
    Stream,
    decode_checkpoint,
    encode_checkpoint,
    record_fingerprint,
)
from tests.builders import pseudonym, pseudonyms


@given(st.binary(max_size=64), st.integers(1, 128))
def test_a_key_goes_where_kafkas_own_producers_send_it(key: bytes, partitions: int) -> None:
    everywhere = list(range(partitions))
    assert partition_of(key, partitions) == DefaultPartitioner()(key, everywhere, everywhere)


@pytest.mark.parametrize(("key", "partition"), [(b"", 25), (b"app:42", 22), (b"21", 12), ("ä".encode(), 21)])
def test_golden_partitions_stay_what_they_are(key: bytes, partition: int) -> None:
    assert partition_of(key, 32) == partition


@given(st.lists(st.builds(Position, st.integers(1, 1000), st.just(0), st.integers(0, 2**43))))
def test_positions_of_a_partition_sort_by_their_ordinal(positions: list[Position]) -> None:
    assert sorted(positions) == sorted(positions, key=lambda position: position.ordinal)
    assert all(position.ordinal < 2**63 for position in positions)


checkpoints = st.builds(
    Checkpoint,
    epoch=st.integers(1, 100),
    offset=st.integers(0, 2**53),
    topic_id=st.text(max_size=30),
    fingerprint=st.text(max_size=40),
    incarnation=st.integers(0, 9),
)


@given(checkpoints)
def test_a_checkpoint_is_read_back_as_it_was_written(checkpoint: Checkpoint) -> None:
    raw = encode_checkpoint(checkpoint)
    assert decode_checkpoint(raw) == checkpoint
    assert encode_checkpoint(decode_checkpoint(raw)) == raw


@given(checkpoints, checkpoints)
def test_two_checkpoints_have_the_same_bytes_only_if_they_are_the_same(one: Checkpoint, two: Checkpoint) -> None:
    assert (encode_checkpoint(one) == encode_checkpoint(two)) == (one == two)


def test_a_checkpoint_only_moves_forward() -> None:
    here = Checkpoint(epoch=1, offset=10, topic_id="t", fingerprint="f", incarnation=2)
    there = here.advanced(offset=12, fingerprint="g")
    assert there == Checkpoint(epoch=1, offset=12, topic_id="t", fingerprint="g", incarnation=2)
    assert here.advanced(offset=11, fingerprint="").fingerprint == "f"
    for offset in (9, 2**53 + 1):
        with pytest.raises(ValueError, match="forward"):
            here.advanced(offset=offset, fingerprint="")


def fingerprint(*, offset: int = 1, at: int = 2, key: bytes | None = b"k", value: bytes | None = b"v") -> str:
    return record_fingerprint(offset=offset, timestamp_ms=at, key=key, value=value)


def test_every_part_of_a_record_counts_in_its_fingerprint() -> None:
    others = {
        fingerprint(offset=2),
        fingerprint(at=3),
        fingerprint(key=b"x"),
        fingerprint(value=b"x"),
        fingerprint(key=b"kv", value=b""),
        fingerprint(key=None),
        fingerprint(value=None),
    }
    assert len(others) == 7
    assert fingerprint() not in others


STREAM = Stream("profiles", "rapport.events", 3)


def test_everything_of_one_partition_lies_in_one_slot() -> None:
    keys = [
        checkpoint_key(STREAM),
        outbox_key(STREAM),
        facet_key(3, pseudonym("app:42")),
        *(partition_key(family, 3, "part") for family in FAMILIES),
    ]
    assert all(key.startswith("rapport:{3}:") for key in keys)
    assert len(set(keys)) == len(keys)


@given(pseudonyms)
def test_a_pseudonym_is_a_good_part_of_a_key(identity: str) -> None:
    assert facet_key(0, identity).endswith(identity)
    assert partition_key("hold", 0, identity).endswith(identity)


@pytest.mark.parametrize(
    "part",
    [
        "",
        "{3}",
        "}",
        "a*",
        "a?",
        "[a]",
        "a b",
        "a\nb",
        "a\rb",
        "a\tb",
        "a\x00b",
        "a\x7fb",
        "a\\b",
        "ä",
        "\ud800",
        "\u2028",
    ],
)
def test_a_hostile_part_never_gets_into_a_key(part: str) -> None:
    with pytest.raises(ValueError, match="key part"):
        facet_key(3, part)
    with pytest.raises(ValueError, match="key part"):
        partition_key("hold", 3, "good", part)
    with pytest.raises(ValueError, match="key part"):
        global_key("decision", part)


def test_a_family_nobody_declared_has_no_keys() -> None:
    with pytest.raises(KeyError, match="FAMILIES"):
        global_key("undeclared")
