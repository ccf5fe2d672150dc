"""Who looks after an installation: starts again what died, makes the log anew, folds what only history holds."""

from collections.abc import Iterator

from events.position import Checkpoint, Stream
from profiles.facet_cache import FacetCache
from streams.dead_letters import Undertaker
from streams.fold_work import FoldWork
from streams.folding import LogIdentity, StreamFold, left_behind
from streams.frame import Frame, Handled
from tests.simulation.kafka import EVENTS
from tests.simulation.network import at_once
from tests.simulation.workers import start
from tests.simulation.world import PARTITIONS, PROFILES, SESSION_S, World


async def supervise(world: World) -> None:
    """Start again what died; call those out of the group that are not heard of; do what only a person does."""
    while True:
        await world.loop.rest(0.7)
        for name, worker in list(world.workers.items()):
            if not worker.process.alive and not (world.frozen and worker.is_archivist):
                start(world, name)
        for group in world.groups.values():
            group.expire(before=world.loop.now - SESSION_S)
        if world.wants_adoption:
            adopt_if_drained(world)
        if any("which history holds" in reason for reason in _reasons(world)):
            fold_earlier(world)


def adopt_if_drained(world: World) -> None:
    """The log is made anew once all of it is folded and archived, with nobody at work."""
    ends = [world.kafka.at(EVENTS, partition).end for partition in range(PARTITIONS)]
    folded = [world.model.folded.get(partition, (0, 0))[1] for partition in range(PARTITIONS)]
    archived = [world.archive.contiguous_end(world.kafka.epoch, partition) for partition in range(PARTITIONS)]
    if not ends == folded == archived or world.frozen or world.kafka.epoch > 1:
        return
    world.wants_adoption = False
    world.adopt()
    for worker in world.workers.values():
        if not worker.process.asleep:
            worker.process.kill()


def _reasons(world: World) -> Iterator[str]:
    for worker in world.workers.values():
        if worker.process.alive:
            yield from worker.consumer.stopped().values()


def fold_earlier(world: World) -> None:
    """As `rapport log adopt` does where a copy is older than the opening of the epoch."""
    identity = world.identities()[EVENTS]
    for partition in range(PARTITIONS):
        stream = Stream(PROFILES, EVENTS, partition)
        found: Checkpoint | None = at_once(world.server.profiles.checkpoint(stream))
        if left_behind(found, partition=partition, log=identity) is None:
            continue
        for epoch in identity.earlier:
            start_at = found.offset if found is not None and found.epoch == epoch else 0
            _fold(world, epoch=epoch, partition=partition, start_at=start_at)
        world.say(f"an operator folded what history holds of {partition}")
        world.read_checkpoint(partition)


def _fold(world: World, *, epoch: int, partition: int, start_at: int) -> None:
    end = world.archive.contiguous_end(epoch, partition)
    records = [each for each in world.archive.of(epoch, partition) if each.offset >= start_at]
    frame = Frame(topic=EVENTS, partition=partition, generation=0, start=start_at, end=end, records=records)
    work = FoldWork(
        facets=FacetCache(world.server.profiles),
        undertaker=Undertaker(keys=world.server.letters),
        candidates=lambda _fact, _position: (),
        clock=world.clock,
        partitions=PARTITIONS,
    )
    log = LogIdentity(epoch=epoch, topic_id=world.kafka.former[epoch])
    fold = StreamFold(app=PROFILES, topic=EVENTS, log=log, store=world.server.profiles, work=work)
    if (answer := at_once(fold(frame))) != Handled():
        world.wrong(f"what history holds of {partition} could not be folded: {answer}")
