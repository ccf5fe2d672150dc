"""A withdrawal is never overlooked by a training, whichever worker is behind."""

import asyncio
from pathlib import Path

import pytest

from commands.train_input import HistoryBehind, held_beyond_history
from consent.holds import hold_of
from consent.memory_holds import MemoryHolds
from events.fact import encode_fact
from events.history import History
from events.position import Checkpoint, Stream
from profiles.memory_store import MemoryStore
from profiles.store import Commit, Committed
from streams.frame import Record
from tests.builders import NOW, PARTITIONS, admitted, consent, pseudonym

NO = consent("withdrawn", "model.train")
PARTITION = admitted(NO).partition


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path)


def archive(history: History) -> None:
    record = Record(0, NOW, NO.identity.encode(), encode_fact(NO))
    history.append(2, PARTITION, 0, 1, [record])


async def folded(*, epoch: int = 2) -> MemoryStore:
    store = MemoryStore(partitions=PARTITIONS)
    stream = Stream("profiles", "rapport.events", PARTITION)
    checkpoint = Checkpoint(epoch=epoch, offset=1, topic_id="t", fingerprint="f")
    assert isinstance(await store.commit(Commit(stream=stream, expected=None, next=checkpoint)), Committed)
    return store


async def asked(
    store: MemoryStore, history: History, holds: MemoryHolds | None = None, *, wait_s: float = 10.0
) -> dict[str, frozenset[str]]:
    return await held_beyond_history(
        store=store,
        holds=holds or MemoryHolds(partitions=PARTITIONS),
        history=history,
        topic="rapport.events",
        epoch=2,
        partitions=PARTITIONS,
        wait_s=wait_s,
    )


async def test_a_withdrawal_that_is_not_folded_is_told(history: History) -> None:
    holds = MemoryHolds(partitions=PARTITIONS)
    hold = hold_of(NO)
    assert hold is not None
    await holds.place([hold])

    assert await asked(MemoryStore(), history, holds) == {pseudonym("app:42"): frozenset({"model.train"})}


async def test_nothing_is_trained_on_a_history_that_lacks_what_is_folded(history: History) -> None:
    with pytest.raises(HistoryBehind, match=rf"\[{PARTITION}\]"):
        await asked(await folded(), history, wait_s=0.01)


async def test_a_history_that_comes_after_is_waited_for(history: History) -> None:
    asking = asyncio.create_task(asked(await folded(), history))
    await asyncio.to_thread(archive, history)

    assert await asking == {}


async def test_an_earlier_log_is_not_waited_for_since_history_gets_no_more_of_it(history: History) -> None:
    assert await asked(await folded(epoch=1), history, wait_s=0.01) == {}
