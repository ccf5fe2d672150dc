"""What the client holds is handed out as records of ours, and is the same as what it would have handed out itself."""

from types import SimpleNamespace
from typing import Any

from aiokafka import TopicPartition
from aiokafka.consumer.fetcher import READ_COMMITTED, FetchError, FetchResult, PartitionRecords
from aiokafka.consumer.subscription_state import SubscriptionState
from aiokafka.record import MemoryRecords
from aiokafka.record.default_records import DefaultRecordBatchBuilder

from streams.fetched import _plain, take_plain
from streams.frame import Record

TP = TopicPartition("rapport.events", 3)
SENT = [
    Record(7, 1_700_000_000_000, b"a key", b"a value"),
    Record(8, 1_700_000_000_001, None, b"without a key", (("trace", b"1"), ("trace", b"2"))),
    Record(9, 1_700_000_000_002, b"a key", None),
]


def held() -> FetchResult:
    """What a fetch of these records left with the client."""
    batch = DefaultRecordBatchBuilder(
        magic=2,
        compression_type=0,
        is_transactional=False,
        producer_id=-1,
        producer_epoch=-1,
        base_sequence=-1,
        batch_size=4096,
    )
    for at, record in enumerate(SENT):
        batch.append(at, record.timestamp_ms, record.key, record.value, list(record.headers))
    written = bytearray(batch.build())
    written[0:8] = SENT[0].offset.to_bytes(8, "big")
    records = PartitionRecords(TP, MemoryRecords(bytes(written)), [], SENT[0].offset, None, None, True, READ_COMMITTED)  # noqa: FBT003
    state = SubscriptionState()
    state.assign_from_user([TP])
    assert state.subscription is not None
    state.subscription.assignment.state_value(TP).seek(SENT[0].offset)
    return FetchResult(TP, assignment=state.subscription.assignment, partition_records=records, backoff=0)


def client(*fetched: FetchResult | FetchError) -> Any:
    return SimpleNamespace(_fetcher=SimpleNamespace(_records=dict(enumerate(fetched))))


async def test_what_the_client_holds_is_handed_out_as_records_of_ours() -> None:
    result = held()
    take_plain(client(result))
    assert result.getall() == SENT


async def test_what_is_handed_out_is_the_same_either_way_and_however_it_is_divided() -> None:
    result = held()
    first = result.getall(1)
    take_plain(client(result, FetchError(error=ValueError(), backoff=0)))
    assert [*_plain(first), *_plain(result.getall())] == SENT == list(_plain(held().getall()))
    assert _plain([]) == ()
