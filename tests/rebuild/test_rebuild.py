"""An operator rebuilds facets beside a running service; whatever happens to either, they end as if folded once."""

import asyncio
from collections.abc import Collection
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from commands.rebuild_fold import RebuildRefused
from events.fact import Fact, encode_fact
from events.position import Checkpoint, Position, Stream
from profiles.codec import encode_facet
from profiles.facet import Facet
from profiles.memory_rebuild import MemoryRebuild
from profiles.rebuild import Closed, moved_from
from profiles.store import ProfileStoreUnavailable, ProfileStoreUnfit
from streams.frame import Handled, SeekTo
from tests.builders import NOW, consent, facts, pseudonym, purchased
from tests.rebuild.world import Dying, Killed, World

PEOPLE = [f"app:{number}" for number in range(12)]
STRANGER = pseudonym("app:stranger")


def bought(first: int, after: int) -> list[Fact]:
    """An order each, in turn by everybody."""
    return [
        purchased(f"order-{number}", identity=PEOPLE[number % len(PEOPLE)], at=NOW + number)
        for number in range(first, after)
    ]


async def world_with(count: int = 60) -> World:
    world = World()
    world.append(bought(0, count))
    await world.worked()
    return world


async def test_what_is_rebuilt_beside_a_running_worker_takes_the_place_of_what_it_wrote() -> None:
    world = await world_with()
    assert await world.rebuild() == [True, True]
    world.append(bought(60, 90))
    await world.worked()  # the service goes on while facets are rebuilt
    assert await world.diff() == []

    switched = await world.switch()

    assert sum(done.moved for done in switched if done) == len(PEOPLE)
    assert await world.identities("rebuilt") == set()
    world.append(bought(90, 120))
    await world.worked()
    assert {len(facet.service.orders) for facet in world.facets().values()} == {10}
    assert await world.diff(against="history") == []


async def test_a_facet_that_went_wrong_is_named_by_its_sections_and_is_right_after_the_switch() -> None:
    world = await world_with()
    name = pseudonym(PEOPLE[0])
    right = world.facets()[name]
    world.plant(name, encode_facet(Facet(recent=right.recent)))
    world.plant(STRANGER, encode_facet(Facet()))
    world.plant(pseudonym(PEOPLE[1]), None)
    await world.rebuild()

    for against in ("rebuilt", "history"):
        found = {each.identity: (each.kind, each.sections) for each in await world.diff(against=against)}
        assert found == {
            name: ("other", ("service.latest_at", "service.orders", "service.touch")),
            STRANGER: ("missing", ("all",)),
            pseudonym(PEOPLE[1]): ("surplus", ("all",)),
        }
    await world.switch()

    assert world.facets()[name] == right
    assert world.facets().keys() == {pseudonym(each) for each in PEOPLE}
    assert await world.diff(against="history") == []


async def test_nobody_commits_while_facets_are_replaced() -> None:
    world = await world_with()
    await world.rebuild()
    with pytest.raises(Killed):
        await world.switch(Dying(MemoryRebuild(world.store), at=1, after=True))
    world.append(bought(60, 72))

    for worker in (world.worker, world.another_worker()):
        with pytest.raises(ProfileStoreUnavailable, match="rebuilt facets are taking their place"):
            await world.work(worker)

    await world.switch()
    await world.worked()
    assert {len(facet.service.orders) for facet in world.facets().values()} == {6}


async def test_a_worker_that_slept_through_a_switch_drops_the_facets_it_remembers() -> None:
    world = await world_with()
    world.plant(pseudonym(PEOPLE[0]), encode_facet(Facet()))
    sleeper = world.another_worker()
    world.append(bought(60, 72))
    await world.work(sleeper)  # it remembers a facet with one order
    await world.rebuild()
    await world.switch()
    world.append(bought(72, 84))

    answers = await world.work(sleeper)

    assert {type(answer) for answer in answers.values()} == {SeekTo}
    assert {type(answer) for answer in (await world.work(sleeper)).values()} == {Handled}
    assert {len(facet.service.orders) for facet in world.facets().values()} == {7}


@pytest.mark.parametrize("after", [False, True])
async def test_killed_at_any_write_a_rebuild_and_a_switch_are_finished_by_running_them_again(*, after: bool) -> None:
    at, is_killed = 0, True
    while is_killed:
        at += 1
        world = await world_with(30)
        world.plant(pseudonym(PEOPLE[0]), encode_facet(Facet()))
        world.plant(STRANGER, encode_facet(Facet()))
        dying = Dying(MemoryRebuild(world.store), at=at, after=after)
        try:
            await world.rebuild(dying)
            world.append(bought(30, 36))
            await world.worked()
            await world.switch(dying)
            is_killed = False
        except Killed:
            await world.rebuild()
            await world.switch()
        world.append(bought(36, 60))
        await world.worked()

        appended = sum(map(len, world.past.rows.values()))
        assert sum(len(facet.service.orders) for facet in world.facets().values()) == appended, f"killed at {at}"
        assert STRANGER not in world.facets()
        assert await world.identities("rebuilt") == set()
        assert await world.diff(against="history") == []
    assert at > 8


async def test_a_switch_that_history_does_not_come_up_for_leaves_everything_as_it_was() -> None:
    world = await world_with()
    await world.rebuild()
    world.append(bought(60, 72))
    await world.worked()
    before = world.store.snapshot().values
    world.past.held_back = 3

    with pytest.raises(RebuildRefused, match="history does not reach the checkpoint"):
        await world.switch()

    assert world.facets() == {name: facet for name, facet in world.facets().items() if name in str(before)}
    world.append(bought(72, 84))
    await world.worked()
    world.past.held_back = 0
    assert await world.diff() == []


async def test_history_that_falls_behind_a_closed_checkpoint_opens_it_again() -> None:
    world = await world_with()
    await world.rebuild()
    closing = Dying(MemoryRebuild(world.store), at=1, after=True)
    with pytest.raises(Killed):
        await world.switch(closing)
    world.past.held_back = 3
    # It was at its end before; now it stands further back than what was rebuilt.
    with pytest.raises(RebuildRefused):
        await world.switch()
    world.past.held_back = 0
    await world.switch()
    world.append(bought(60, 72))
    await world.worked()
    assert {len(facet.service.orders) for facet in world.facets().values()} == {6}


async def test_an_abandoned_rebuild_leaves_nothing_behind_and_nothing_is_built_upon_it() -> None:
    world = await world_with()
    await world.rebuild()
    with pytest.raises(Killed):
        await world.switch(Dying(MemoryRebuild(world.store), at=1, after=True))

    await world.abandon()

    assert await world.identities("rebuilt") == set()
    assert await world.switch() == [None, None]
    world.append(bought(60, 72))
    await world.worked()
    await world.rebuild()
    assert await world.diff() == []


async def test_a_switch_that_has_begun_to_replace_facets_is_not_abandoned() -> None:
    world = await world_with()
    await world.rebuild()
    with pytest.raises(Killed):
        await world.switch(Dying(MemoryRebuild(world.store), at=3, after=True))

    with pytest.raises(RebuildRefused, match="half way"):
        await world.abandon()

    await world.switch()
    assert await world.diff(against="history") == []


async def test_two_rebuilds_at_once_do_not_fold_a_fact_twice() -> None:
    world = await world_with(1200)
    dying = Dying(MemoryRebuild(world.store), at=2, after=False)
    with pytest.raises(Killed):
        await world.rebuild(dying)
    one, other = world.refold(), world.refold()
    until = await world.store.checkpoint(world.stream(0))
    assert until is not None

    answers = await asyncio.gather(
        *(each.fold(0, ends=each.ends(0, until=until)) for each in (one, other)), return_exceptions=True
    )

    assert any(answer is True for answer in answers)
    await world.rebuild()
    assert await world.diff() == []


class Hurried(MemoryRebuild):
    """A store to which a worker commits just before a checkpoint is closed."""

    def __init__(self, world: World) -> None:
        super().__init__(world.store)
        self.world = world
        self.is_quiet = False

    async def change(self, stream: Stream, expected: Checkpoint | Closed | None, following: Closed) -> bool:
        if not self.is_quiet:
            self.is_quiet = True
            self.world.append(bought(60, 72))
            await self.world.worked()
        return await super().change(stream, expected, following)


async def test_what_a_worker_commits_just_before_its_checkpoint_is_closed_is_in_the_facets_that_take_its_place() -> (
    None
):
    world = await world_with()
    await world.rebuild()

    await world.switch(Hurried(world))

    assert {len(facet.service.orders) for facet in world.facets().values()} == {6}
    assert await world.diff(against="history") == []


class Overtaken(MemoryRebuild):
    """A store in which another process abandons and begins anew, while this one reads: it comes to the same place."""

    def __init__(self, world: World) -> None:
        super().__init__(world.store)
        self.world = world
        self.is_quiet = False

    async def load(self, partition: int, identities: Collection[str]) -> tuple[Position | None, dict[str, Facet]]:
        if self.is_quiet:
            return await super().load(partition, identities)
        self.is_quiet = True
        await self.world.abandon()
        found = await super().load(partition, identities)
        with pytest.raises(Killed):
            await self.world.rebuild(Dying(MemoryRebuild(self.world.store), at=1, after=True))
        return found


async def test_facets_read_while_another_process_begins_anew_are_not_built_upon() -> None:
    world = World(partitions=1)
    world.append(bought(0, 1200))
    await world.worked()
    with pytest.raises(Killed):
        await world.rebuild(Dying(MemoryRebuild(world.store), at=1, after=True))

    with pytest.raises(RebuildRefused, match="another `rapport rebuild` is at work"):
        await world.rebuild(Overtaken(world))

    await world.rebuild()
    assert await world.diff() == []


async def test_what_a_log_that_was_left_held_and_history_lacks_is_given_up_by_a_person_only() -> None:
    world = await world_with()
    world.open_epoch(world.partitions)
    world.append(bought(60, 72))
    await world.worked()
    lost = world.past.rows[1, 0].pop()

    with pytest.raises(RebuildRefused, match=f"history lacks epoch 1, partition 0: {lost.offset} to {lost.offset}; "):
        await world.rebuild()

    assert all(await world.rebuild(accept_gap=True))
    [found] = await world.diff()
    assert (found.identity.encode(), "service.orders" in found.sections) == (lost.key, True)
    await world.switch()
    assert sum(len(facet.service.orders) for facet in world.facets().values()) == 71


async def test_a_store_whose_profiles_went_elsewhere_is_neither_switched_nor_opened() -> None:
    world = await world_with()
    await world.rebuild()
    for partition in range(world.partitions):
        checkpoint = await world.store.checkpoint(world.stream(partition))
        closed = moved_from(checkpoint)
        assert await MemoryRebuild(world.store).change(world.stream(partition), checkpoint, closed)

    for deed in (world.switch, world.abandon):
        with pytest.raises(RebuildRefused, match="moved to another store"):
            await deed()
    with pytest.raises(ProfileStoreUnfit, match="moved to another store"):
        await world.work()


async def test_what_a_worker_set_aside_is_set_aside_again_and_nothing_is_published() -> None:
    world = World()
    said = purchased("order-1", identity=PEOPLE[0])
    other = purchased("order-2", identity=PEOPLE[0], event_id="once", amount=5)
    again = purchased("order-2", identity=PEOPLE[0], event_id="once", amount=7)
    misrouted = (pseudonym(PEOPLE[1]).encode(), encode_fact(said))
    world.append(
        [said, (b"key", b"no fact"), (None, None), misrouted, other, again, consent("withdrawn", "model.train")]
    )
    await world.worked()

    await world.rebuild()

    assert await world.diff() == []
    waiting = {at: await world.store.outbox_length(world.stream(at)) for at in range(world.partitions)}
    await world.switch()
    assert waiting == {at: await world.store.outbox_length(world.stream(at)) for at in range(world.partitions)}
    assert sum(waiting.values()) == 5


people = st.sampled_from(PEOPLE[:3])
deeds = st.lists(
    st.one_of(
        st.lists(people.flatmap(lambda name: facts(identity=name)), min_size=1, max_size=2),
        st.sampled_from(["work", "rebuild", "switch", "abandon", "another log", "again"]),
    ),
    max_size=14,
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(deeds=deeds, held_back=st.integers(0, 3))
async def test_whatever_happens_rebuilt_facets_are_those_in_use(deeds: list[str | list[Fact]], held_back: int) -> None:
    world = World()
    for deed in deeds:
        world.past.held_back = held_back
        match deed:
            case "work":
                await world.worked()
            case "rebuild":
                with suppress(RebuildRefused):
                    await world.rebuild()
            case "switch":
                with suppress(RebuildRefused):
                    await world.switch()
            case "abandon":
                await world.abandon()
            case "another log":
                world.past.held_back = 0
                await world.worked()
                world.open_epoch(world.partitions)
            case "again":
                world.append([(row.key, row.value) for rows in list(world.past.rows.values()) for row in rows[-2:]])
            case list():
                world.append(deed)
    world.past.held_back = 0
    await world.worked()
    expected = world.facets()

    assert await world.diff(against="history") == []
    await world.rebuild()
    assert await world.diff() == []
    await world.switch()
    assert world.facets() == expected
