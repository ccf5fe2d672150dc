"""Exactly once, whatever happens in which order."""

import asyncio
from collections.abc import Callable, Collection, Coroutine
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, Verbosity, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from msgspec.structs import replace

from events.keys import checkpoint_key
from events.position import Stream
from profiles.facet_cache import FacetCache, Read
from profiles.memory_store import MemoryStore
from profiles.redis_store import RedisStore
from profiles.store import Commit, Committed, Mismatch, ProfileStoreUnfit
from tests.profiles.owners import (
    PEOPLE,
    STREAM,
    MakeFacets,
    MemoryVault,
    Owner,
    Pause,
    Receiver,
    RedisVault,
    Told,
    Vault,
    assert_every_record_counted_once,
    few_facets,
)

OWNERS = st.integers(0, 2)
PAUSES: list[Pause] = ["load", "commit"]
MakeVault = Callable[[], Coroutine[Any, Any, Vault]]


class World(RuleBasedStateMachine):
    """Three who may believe to own the partition, a relay, and everything that goes wrong."""

    make_vault: MakeVault

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.Runner()
        self.vault: Vault = self.loop.run(type(self).make_vault())
        self.log: list[Told] = []
        self.receiver = Receiver()
        self.owners: list[Owner] = []
        self.snapshots: list[Any] = []
        self.least = 0

    @initialize()
    def begin(self) -> None:
        self.snapshots.append(self.loop.run(self.vault.snapshot()))
        self.owners = [self._newcomer() for _ in range(3)]

    def _newcomer(self) -> Owner:
        return self.loop.run(Owner(self.vault.store, self.log).assigned())

    @rule(identity=st.sampled_from(PEOPLE), hole=st.integers(0, 2))
    def something_happens(self, identity: str, hole: int) -> None:
        end = self.log[-1].offset + 1 if self.log else 0
        self.log.append(Told(end + hole, identity, len(self.log)))

    @rule(who=OWNERS, records=st.integers(0, 5))
    def an_owner_folds_a_frame(self, who: int, records: int) -> None:
        self.loop.run(self.owners[who].takes(records=records))

    @rule(who=OWNERS, records=st.integers(1, 5), before=st.sampled_from(PAUSES))
    def an_owner_falls_asleep_over_a_frame(self, who: int, records: int, before: Pause) -> None:
        self.loop.run(self.owners[who].takes(records=records, sleeps_before=before))

    @rule(who=OWNERS)
    def a_sleeper_wakes(self, who: int) -> None:
        self.loop.run(self.owners[who].wakes())

    @rule(who=OWNERS)
    def an_owner_crashes(self, who: int) -> None:
        self.loop.run(self.owners[who].crashes())

    @rule(who=OWNERS, records=st.integers(1, 5))
    def an_answer_is_lost_and_the_frame_handed_over_again(self, who: int, records: int) -> None:
        self.loop.run(self.owners[who].takes(records=records, loses_answer=True))

    @precondition(lambda self: len(self.snapshots) < 5)
    @rule()
    def a_backup_is_made(self) -> None:
        self.snapshots.append(self.loop.run(self.vault.snapshot()))

    @rule(which=st.integers(0, 4))
    def the_store_goes_back_in_time(self, which: int) -> None:
        self.loop.run(self.vault.restore(self.snapshots[which % len(self.snapshots)]))
        self.least = 0

    @rule()
    def a_repair_raises_the_incarnation(self) -> None:
        standing = self.loop.run(self.vault.store.checkpoint(STREAM))
        if standing is not None:
            raised = replace(standing, incarnation=standing.incarnation + 1)
            commit = Commit(stream=STREAM, expected=standing, next=raised)
            assert self.loop.run(self.vault.store.commit(commit)) == Committed()

    @rule(limit=st.integers(1, 3), crashes=st.booleans())
    def the_relay_publishes(self, limit: int, *, crashes: bool) -> None:
        waiting = self.loop.run(self.vault.store.outbox(STREAM, limit=limit))
        for name, entry in waiting:
            self.receiver.take(name, entry)
        if not crashes:
            self.loop.run(self.vault.store.drop_outbox(STREAM, [name for name, _ in waiting]))

    @invariant()
    def every_record_up_to_the_checkpoint_counted_once(self) -> None:
        offset = self.loop.run(assert_every_record_counted_once(self.vault.store, self.log, self.receiver))
        assert offset >= self.least, "the checkpoint went back by itself"
        self.least = offset

    def teardown(self) -> None:
        try:
            # Whatever happened, an owner alone gets to the end: it learns where it stands, and folds the rest.
            for owner in self.owners:
                self.loop.run(owner.crashes())
            for _ in range(2):
                self.loop.run(self.owners[0].takes(records=len(self.log)))
            self.every_record_up_to_the_checkpoint_counted_once()
            assert self.least == (self.log[-1].offset + 1 if self.log else 0)
        finally:
            if isinstance(self.vault.store, RedisStore):
                self.loop.run(self.vault.store.close())
            self.loop.close()


def explore(vault: MakeVault, *, examples: int, steps: int, facets: MakeFacets = few_facets, **rest: Any) -> None:
    class Explored(World):
        make_vault = staticmethod(vault)
        make_facets = staticmethod(facets)

    limits = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
        **rest,
    )
    run_state_machine_as_test(Explored, settings=limits)


def test_every_record_counts_once_in_memory() -> None:
    async def empty() -> Vault:
        return MemoryVault(MemoryStore())

    explore(empty, examples=80, steps=40)


def test_every_record_counts_once_on_a_server(valkey_url: str) -> None:
    async def emptied() -> Vault:
        store = await RedisStore.connect(valkey_url)
        await store.client.execute_command("FLUSHDB")
        return RedisVault(store)

    explore(emptied, examples=12, steps=40)


class LastOneWins(MemoryStore):
    """A store that does not compare."""

    async def commit(self, commit: Commit) -> Committed | Mismatch:
        return await super().commit(_expecting(commit, await self.checkpoint(commit.stream)))


class TakesAnythingWhenEmpty(MemoryStore):
    """A store that, having lost its data, takes a commit that goes on from them."""

    async def commit(self, commit: Commit) -> Committed | Mismatch:
        standing = await self.checkpoint(commit.stream)
        if standing is None:
            return await super().commit(_expecting(commit, None))
        return await super().commit(commit)


class ForgetsTheCheckpoint(MemoryStore):
    """A store that writes facets and dies before the checkpoint, every now and then."""

    async def commit(self, commit: Commit) -> Committed | Mismatch:
        name = checkpoint_key(commit.stream)
        before = self.values.get(name)
        outcome = await super().commit(commit)
        if before is not None and commit.next.offset % 5 == 0:
            self.values[name] = before
        return outcome


def _expecting(commit: Commit, standing: Any) -> Commit:
    return Commit(stream=commit.stream, expected=standing, next=commit.next, facets=commit.facets)


@pytest.mark.parametrize("faulty", [LastOneWins, TakesAnythingWhenEmpty, ForgetsTheCheckpoint])
def test_the_machine_would_notice_a_store_that_does_less(faulty: type[MemoryStore]) -> None:
    async def empty() -> Vault:
        return MemoryVault(faulty())

    with pytest.raises((AssertionError, ProfileStoreUnfit)):
        explore(empty, examples=200, steps=40, phases=[Phase.generate], verbosity=Verbosity.quiet, database=None)


class ForgetsWhatStood(FacetCache):
    """Facets whose reader does not learn at which checkpoint they were read."""

    async def load(self, stream: Stream, identities: Collection[str]) -> Read:
        return Read((await super().load(stream, identities)).facets)


async def _world_whose_store_goes_back(facets: MakeFacets) -> None:
    #   one folds 0-2 · another folds 2-5 · one reads what stands then · the store goes back to 2 · one commits 2-4
    vault = MemoryVault(MemoryStore())
    log = [Told(at, PEOPLE[0] if at < 2 else PEOPLE[1], at) for at in range(5)]
    one = await Owner(vault.store, log, facets).assigned()
    await one.takes(records=2)
    before = await vault.snapshot()
    another = await Owner(vault.store, log, facets).assigned()
    await another.takes(records=3)
    await one.takes(records=2, sleeps_before="commit")
    await vault.restore(before)
    await one.wakes()
    await assert_every_record_counted_once(vault.store, log, Receiver())


async def test_facets_of_a_lost_future_are_not_committed() -> None:
    await _world_whose_store_goes_back(few_facets)


async def test_an_owner_that_does_not_look_at_what_stood_would_commit_them() -> None:
    with pytest.raises(AssertionError):
        await _world_whose_store_goes_back(lambda store: ForgetsWhatStood(store, facets_max=2))
