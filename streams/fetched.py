"""What the fetching client holds of a partition: its state, and its records as frames of ours."""

import time
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import aiokafka
from aiokafka.structs import TopicPartition

from streams.frame import Frame, Record
from streams.ownership import Handed
from streams.unfilled import Cut, Unfilled

K = TypeVar("K", bound=tuple[str, int])


def take_plain(consumer: aiokafka.AIOKafkaConsumer) -> None:
    """Have what the client holds unread handed out as records of ours.

    Its own cost three times as much to make, and would be copied into ours. What arrives while it is waited for is not
    held yet, and comes as the client's own.
    """
    for held in consumer._fetcher._records.values():  # noqa: SLF001
        unread = getattr(held, "_partition_records", None)
        if unread is not None:
            unread._consumer_record = _plain_record  # noqa: SLF001


def state_of(consumer: aiokafka.AIOKafkaConsumer, key: tuple[str, int]) -> Any:
    """The client's state of one partition; None while it is not assigned."""
    subscription = consumer._subscription.subscription  # noqa: SLF001
    assignment = None if subscription is None else subscription.assignment
    if assignment is None or not assignment.active:
        return None
    return assignment.state_value(TopicPartition(*key))


def frames_of(
    consumer: aiokafka.AIOKafkaConsumer,
    asked: Mapping[K, tuple[int, int]],
    records: Mapping[TopicPartition, Sequence[Any]],
    *,
    unfilled: Unfilled | None,
    generation: int,
) -> dict[K, Handed]:
    """What came of each partition asked for, as `{partition: (turn, start)}`; up to an offset that is not there yet."""
    frames: dict[K, Handed] = {}
    now_s = time.monotonic()
    for tp, (turn, start) in asked.items():
        state = state_of(consumer, tp)
        if state is None or not state.has_valid_position or state.position <= start:
            continue
        found = Cut(records.get(TopicPartition(*tp), ()), state.position)
        if unfilled is not None:
            found = unfilled.cut(tp, found.records, start=start, end=found.end, now_s=now_s)
            if found.end == start:
                continue
        frame = Frame(
            topic=tp[0],
            partition=tp[1],
            generation=generation,
            start=start,
            end=found.end,
            records=_plain(found.records),
            high_watermark=state.highwater,
            last_stable_offset=state.lso,
        )
        frames[tp] = Handed(frame=frame, turn=turn)
    return frames


def _plain(records: Sequence[Any]) -> tuple[Record, ...]:
    """What was handed out as values of ours, all of a partition in the same way."""
    if records and isinstance(records[0], Record):
        return tuple(records)
    return tuple([_plain_record(None, record) for record in records])


def _plain_record(_tp: Any, record: Any) -> Record:
    headers = record.headers
    return Record(record.offset, record.timestamp, record.key, record.value, tuple(headers) if headers else ())
