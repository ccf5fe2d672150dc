"""What every store of rebuilt facets promises, in memory, on one server and on a cluster."""

from collections.abc import AsyncIterator

import pytest
from msgspec.structs import replace

from events.keys import checkpoint_key, facet_key, partition_key
from events.partitioning import partition_of
from events.position import Checkpoint, Position, Stream
from profiles.facet import Facet
from profiles.fold import fold
from profiles.memory_rebuild import MemoryRebuild
from profiles.memory_store import MemoryStore
from profiles.rebuild import Closed, Origin, RebuildStore
from profiles.redis_rebuild import RedisRebuild
from profiles.redis_store import RedisStore
from profiles.store import Commit, Committed, ProfileStore, ProfileStoreUnavailable, ProfileStoreUnfit
from tests.builders import pseudonym, purchased
from tests.profiles.backends import EVERY_BACKEND, PARTITIONS, Backend, backend_of
from tests.profiles.redis_format import row_of

ANNA = pseudonym("app:42")
PARTITION = partition_of(ANNA.encode(), PARTITIONS)
BEN = next(
    name
    for name in (pseudonym(f"app:ben-{number}") for number in range(1000))
    if partition_of(name.encode(), PARTITIONS) == PARTITION
)
STREAM = Stream("profiles", "rapport.events", PARTITION)
OLD = fold(Facet(), purchased("old")).facet
NEW = fold(Facet(), purchased("new")).facet
STANDS = Checkpoint(epoch=1, offset=7, topic_id="t", fingerprint="6:0:ab")
CLOSED = Closed("catching_up", STANDS)
OPENED = replace(STANDS, incarnation=1)
PLACE = Position(1, PARTITION, 7)


@pytest.fixture(params=EVERY_BACKEND)
async def backend(request: pytest.FixtureRequest) -> AsyncIterator[Backend]:
    async with backend_of(request) as made:
        yield made


@pytest.fixture
async def rebuild(backend: Backend) -> AsyncIterator[RebuildStore]:
    """Anna and Ben have a facet in use, and the checkpoint stands; nothing is rebuilt."""
    facets = {ANNA: OLD, BEN: OLD}
    commit = Commit(stream=STREAM, expected=None, next=STANDS, facets=facets)
    assert await backend.store.commit(commit) == Committed()
    yield rebuild_of(backend.store)
    strangers = [key for key in await backend.keys() if row_of(key) is None]
    assert not strangers, f"docs/reference/redis-format.md has no row for {strangers}"


def rebuild_of(store: ProfileStore) -> RebuildStore:
    if isinstance(store, MemoryStore):
        return MemoryRebuild(store)
    assert isinstance(store, RedisStore)
    return RedisRebuild(store.client)


async def listed(rebuild: RebuildStore, origin: Origin) -> set[tuple[int, str]]:
    return {each async for each in rebuild.identities(origin)}


async def test_rebuilt_facets_stand_beside_those_in_use(rebuild: RebuildStore, backend: Backend) -> None:
    assert await rebuild.add(PARTITION, expected=None, following=PLACE, facets={ANNA: NEW})

    assert await rebuild.place(PARTITION) == PLACE
    assert await rebuild.load(PARTITION, [ANNA, BEN]) == (PLACE, {ANNA: NEW})
    assert await backend.store.load(PARTITION, [ANNA]) == {ANNA: OLD}
    assert await listed(rebuild, "rebuilt") == {(PARTITION, ANNA)}
    assert await listed(rebuild, "facet") == {(PARTITION, ANNA), (PARTITION, BEN)}


async def test_facets_are_added_at_the_place_they_were_read_at_only(rebuild: RebuildStore) -> None:
    assert await rebuild.add(PARTITION, expected=None, following=Position(1, PARTITION, 3), facets={ANNA: OLD})

    for late in (None, Position(1, PARTITION, 2)):
        assert not await rebuild.add(PARTITION, expected=late, following=PLACE, facets={ANNA: NEW})

    assert await rebuild.load(PARTITION, [ANNA]) == (Position(1, PARTITION, 3), {ANNA: OLD})
    assert await rebuild.add(PARTITION, expected=Position(1, PARTITION, 3), following=PLACE, facets={})
    assert await rebuild.place(PARTITION) == PLACE


async def test_a_closed_checkpoint_lets_nobody_commit_and_says_why(rebuild: RebuildStore, backend: Backend) -> None:
    following = replace(STANDS, offset=8)

    assert await rebuild.change(STREAM, STANDS, CLOSED)

    assert await rebuild.standing(STREAM) == CLOSED
    for expected in (STANDS, None):
        with pytest.raises(ProfileStoreUnavailable, match="--switch"):
            await backend.store.commit(Commit(stream=STREAM, expected=expected, next=following, facets={ANNA: NEW}))
    with pytest.raises(ProfileStoreUnavailable, match="--switch"):
        await backend.store.checkpoint(STREAM)
    assert await backend.store.load(PARTITION, [ANNA]) == {ANNA: OLD}


async def test_only_what_stands_is_closed_or_opened(rebuild: RebuildStore) -> None:
    assert not await rebuild.change(STREAM, replace(STANDS, offset=6), CLOSED)
    assert not await rebuild.change(STREAM, None, CLOSED)
    assert not await rebuild.reopen(STREAM, CLOSED, OPENED, is_done=True)
    assert await rebuild.standing(STREAM) == STANDS

    assert await rebuild.change(STREAM, STANDS, CLOSED)
    assert not await rebuild.change(STREAM, STANDS, CLOSED)
    assert not await rebuild.reopen(STREAM, replace(CLOSED, stage="replacing"), OPENED, is_done=True)
    assert await rebuild.standing(STREAM) == CLOSED


async def test_facets_take_their_place_while_the_checkpoint_is_closed_and_at_no_other_time(
    rebuild: RebuildStore, backend: Backend
) -> None:
    await rebuild.add(PARTITION, expected=None, following=PLACE, facets={ANNA: NEW})
    for deed in (rebuild.move, rebuild.prune):
        assert await deed(STREAM, CLOSED, [ANNA, BEN]) is None
    assert await backend.store.load(PARTITION, [ANNA, BEN]) == {ANNA: OLD, BEN: OLD}
    await rebuild.change(STREAM, STANDS, CLOSED)

    assert await rebuild.prune(STREAM, CLOSED, [ANNA, BEN]) == 1
    assert await backend.store.load(PARTITION, [ANNA, BEN]) == {ANNA: OLD}
    assert await rebuild.move(STREAM, CLOSED, [ANNA, BEN]) == 1
    assert await rebuild.move(STREAM, CLOSED, [ANNA, BEN]) == 0
    assert await rebuild.reopen(STREAM, CLOSED, OPENED, is_done=True)

    assert await backend.store.load(PARTITION, [ANNA, BEN]) == {ANNA: NEW}
    assert await backend.store.checkpoint(STREAM) == OPENED
    assert await rebuild.place(PARTITION) is None
    assert await listed(rebuild, "rebuilt") == set()


async def test_a_switch_that_is_called_off_keeps_what_was_rebuilt(rebuild: RebuildStore) -> None:
    await rebuild.add(PARTITION, expected=None, following=PLACE, facets={ANNA: NEW})
    await rebuild.change(STREAM, STANDS, CLOSED)

    assert await rebuild.reopen(STREAM, CLOSED, OPENED, is_done=False)

    assert await rebuild.standing(STREAM) == OPENED
    assert await rebuild.load(PARTITION, [ANNA]) == (PLACE, {ANNA: NEW})


async def test_rebuilt_facets_are_swept_only_once_nothing_is_built_upon_them(rebuild: RebuildStore) -> None:
    await rebuild.add(PARTITION, expected=None, following=PLACE, facets={ANNA: NEW})
    assert await rebuild.sweep(PARTITION, [ANNA, BEN]) == 0
    assert await rebuild.load(PARTITION, [ANNA]) == (PLACE, {ANNA: NEW})

    await rebuild.forget(PARTITION)

    assert await rebuild.sweep(PARTITION, [ANNA, BEN]) == 1
    assert await rebuild.load(PARTITION, [ANNA]) == (None, {})


async def test_what_stands_in_place_of_a_checkpoint_or_a_place_and_is_neither_is_refused(
    rebuild: RebuildStore, backend: Backend
) -> None:
    await backend.plant(checkpoint_key(STREAM), b'["closed","dancing",[1,7]]')
    await backend.plant(partition_key("rebuilt", PARTITION), b"[1,2]")

    with pytest.raises(ProfileStoreUnfit, match="checkpoint"):
        await rebuild.standing(STREAM)
    with pytest.raises(ProfileStoreUnfit, match="--abandon"):
        await rebuild.place(PARTITION)
    assert facet_key(PARTITION, ANNA) in await backend.keys()
