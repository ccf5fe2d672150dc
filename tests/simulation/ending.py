"""The end of a history: has it settled, and is what stands what the model says?"""

from collections.abc import Iterator

from events.admission import INTAKE as OPEN_DOOR
from events.admission import EventRefused
from events.fact import FactUndecodable, decode_fact
from events.partitioning import partition_of
from events.position import Checkpoint, Stream
from outreach.decision import Decision
from profiles.codec import encode_facet
from profiles.facet import Facet
from profiles.fold import fold
from streams.folding import left_behind
from tests.simulation.kafka import EVENTS, INTAKE
from tests.simulation.model import Counted, LetterName, may
from tests.simulation.network import at_once
from tests.simulation.workers import ADMISSION
from tests.simulation.world import PARTITIONS, PROFILES, STREAMS, World


def is_settled(world: World) -> bool:
    """Everything that can be done is done."""
    server = world.server
    if any(not worker.process.alive for worker in world.workers.values() if not (world.frozen and worker.is_archivist)):
        return False
    streams = [Stream(PROFILES, topic, partition) for topic, partition in STREAMS]
    return (
        all(_is_read(world, stream) for stream in streams)
        and all(not at_once(server.profiles.outbox_length(stream)) for stream in streams)
        and all(_is_whole(world, partition) and _is_right_to_stop(world, partition) for partition in range(PARTITIONS))
        and all(_is_archived(world, partition) for partition in range(PARTITIONS))
        and all(_is_kept(world, name.identity) for name in server.holds._holds)
        and all(record.done for record in server.acts._records.values())
        and not any(due <= world.clock() for waiting in server.timers._waiting.values() for due in waiting.values())
    )


def _is_read(world: World, stream: Stream) -> bool:
    held = world.kafka.at(stream.topic, stream.partition)
    if why_stopped(world, stream) is not None:
        # Where the log keeps nothing there is no record to stop at.
        return stream.partition in world.frozen or held.first == held.end or bool(_reasons(world, stream.partition))
    return checkpoint_of(world, stream).offset == held.end


def _is_whole(world: World, partition: int) -> bool:
    """Nothing of an earlier log is left to fold."""
    found = at_once(world.server.profiles.checkpoint(Stream(PROFILES, EVENTS, partition)))
    return left_behind(found, partition=partition, log=world.identities()[EVENTS]) is None


def _is_kept(world: World, identity: str) -> bool:
    """A hold may stand on where its partition cannot go on."""
    partition = partition_of(identity.encode(), PARTITIONS)
    return why_stopped(world, Stream(PROFILES, EVENTS, partition)) is not None


def _is_archived(world: World, partition: int) -> bool:
    end = world.kafka.at(EVENTS, partition).end
    return bool(world.frozen) or world.archive.contiguous_end(world.kafka.epoch, partition) == end


def checkpoint_of(world: World, stream: Stream) -> Checkpoint:
    """Where a stream stands; at the start of the log where nothing was committed."""
    found: Checkpoint | None = at_once(world.server.profiles.checkpoint(stream))
    epoch = world.kafka.epoch if stream.topic == EVENTS else 1
    return found if found is not None and found.epoch == epoch else Checkpoint(epoch=epoch, offset=0)


def why_stopped(world: World, stream: Stream) -> str | None:
    """Why a partition has to stand still: its log is gone, or is another one. None: it has no reason to."""
    if stream.topic != EVENTS:
        return None
    if stream.partition in world.frozen:
        return "another log"
    is_gap = checkpoint_of(world, stream).offset < world.kafka.at(EVENTS, stream.partition).first
    return "a gap" if is_gap else None


def check_ending(world: World) -> None:
    """Hold what stands against the model."""
    for partition in range(PARTITIONS):
        _check_stop(world, partition)
        if why_stopped(world, Stream(PROFILES, EVENTS, partition)) is None:
            _check_partition(world, partition)
    for topic, partition in STREAMS:
        _check_letters(world, topic, partition)
    if not world.frozen:
        for name in sorted(world.found.acknowledged - world.model.on_log):
            world.wrong(f"{name[1].hex()} of {name[0]} was acknowledged and is not on the log")
        _check_intake(world)
    _check_messages(world)


def _check_stop(world: World, partition: int) -> None:
    if not _is_right_to_stop(world, partition):
        world.wrong(f"partition {partition} stands still for no reason: {_reasons(world, partition)[0]}")


def _is_right_to_stop(world: World, partition: int) -> bool:
    """Nobody stands still, or there is a reason; whoever stopped for one that is gone is about to look again."""
    return not _reasons(world, partition) or why_stopped(world, Stream(PROFILES, EVENTS, partition)) is not None


def _reasons(world: World, partition: int) -> list[str]:
    """Why workers do not read a partition on."""
    stopped = [worker.consumer.stopped() for worker in world.workers.values() if not worker.is_archivist]
    return [each[EVENTS, partition] for each in stopped if (EVENTS, partition) in each]


def _check_partition(world: World, partition: int) -> None:
    """Live, rebuilt from history and counted by the model are the same."""
    here = [name for name in sorted(world.model.known) if partition_of(name.encode(), PARTITIONS) == partition]
    live = at_once(world.server.profiles.load(partition, here))
    rebuilt = dict(_rebuilt(world, partition))
    for identity in here:
        facet = live.get(identity, Facet())
        if facet.recent != world.model.recent(identity, until=(world.kafka.epoch + 1, 0)):
            world.wrong(f"{identity} does not hold each event of the log once")
        if encode_facet(facet) != encode_facet(rebuilt.get(identity, Facet())):
            world.wrong(f"{identity} differs from what history rebuilds")
        if (counted := _counted(facet)) != (expected := world.model.counted(identity)):
            world.wrong(f"{identity} counts {counted}, the model {expected}")
    if extra := sorted(live.keys() - set(here)):
        world.wrong(f"facets of nobody: {extra}")


def _rebuilt(world: World, partition: int) -> Iterator[tuple[str, Facet]]:
    facets: dict[str, Facet] = {}
    for record in world.archive.records(partition):
        try:
            fact = decode_fact(record.value)
        except FactUndecodable:
            continue
        facets[fact.identity] = fold(facets.get(fact.identity, Facet()), fact).facet
    yield from facets.items()


def _counted(facet: Facet) -> Counted:
    service = facet.service
    return Counted(
        orders={name: order.placed.value.amount for name, order in service.orders.items() if order.placed},
        complaints=frozenset(name for name, case in service.cases.items() if case.complaint is not None),
        resolved=frozenset(name for name, case in service.cases.items() if case.resolved),
        escalated=frozenset(name for name, case in service.cases.items() if case.escalated),
        grants=frozenset((purpose, grant.key) for purpose, state in facet.consents.items() for grant in state.grants),
        latest_noes={
            purpose: (state.no.effective_at, state.no_received_at)
            for purpose, state in facet.consents.items()
            if state.no is not None
        },
        links={other: edge.acts[0].value.strength for other, edge in facet.edges.items()},
    )


def _check_letters(world: World, topic: str, partition: int) -> None:
    """The dead letters are exactly the poison."""
    kept = {
        LetterName(letter.topic, letter.epoch, letter.partition, letter.offset): letter.reason
        for letter in world.server.letters._letters.values()
        if letter.topic == topic and letter.partition == partition
    }
    stream = Stream(PROFILES, topic, partition)
    if why_stopped(world, stream) is not None:
        return
    poison = {
        name: reason
        for name, reason in world.model.letters.items()
        if (name.topic, name.partition) == (topic, partition)
    }
    if topic == INTAKE:
        poison = dict(_refused(world, partition))
    if kept != poison:
        world.wrong(f"dead letters of {topic}[{partition}] are {kept}, the poison is {poison}")


def _refused(world: World, partition: int) -> Iterator[tuple[LetterName, str]]:
    for (here, offset), value in world.found.intake.items():
        answer = ADMISSION.admit(value, door=OPEN_DOOR, received_at=world.clock()) if here == partition else ()
        if isinstance(answer, EventRefused):
            yield LetterName(INTAKE, 1, partition, offset), answer.code


def _check_intake(world: World) -> None:
    """Whatever the intake took and admission did not refuse is on the log."""
    for value in world.found.intake.values():
        answer = ADMISSION.admit(value, door=OPEN_DOOR, received_at=world.clock())
        for item in () if isinstance(answer, EventRefused) else answer:
            if (item.fact.identity, item.fact.event_key) not in world.model.on_log:
                world.wrong(f"{item.fact.event_key.hex()} was taken by the intake and is not on the log")


def _check_messages(world: World) -> None:
    """Every message that was decided on is published, unless the person has said no since, or its occasion passed."""
    for decision in world.server.decisions._decisions.values():
        if decision.verdict == "send" and decision.id not in world.found.messages and _is_wanted(world, decision):
            world.wrong(f"decision {decision.id} was never published")


def _is_wanted(world: World, decision: Decision) -> bool:
    model, identity, candidate = world.model, decision.identity, decision.candidate
    if decision.channel == "desk":
        return candidate is None or candidate.record not in model.counted(candidate.about).resolved
    noes = model.standing_noes(model.kin(identity))
    return may(f"outreach.{decision.channel}", grants=model.grants([identity]), noes=noes, at=world.clock())
