"""Pairs of worlds in which the same occasions arise: what is decided, sent and claimed must not differ."""

import asyncio
from random import Random

import msgspec

from events.fact import Fact
from events.position import Position
from outreach.candidates import candidates
from tests.builders import HOUR, NOW, PARTITIONS, complaint
from tests.noninterference.pairs import Answers, Pair, drawn_pair
from tests.noninterference.people import People
from tests.noninterference.refusals import NEIGHBOUR, PERSON, agreed
from tests.outreach.world import EVENTS, PUSH, TOPICS, TRIGGERS, OutreachWorld, three


def drawn_message_pair(chance: Random) -> tuple[str, Answers, Answers]:
    """What both worlds of an `occasion_pair` decided, sent and were told."""
    pair = occasion_pair(chance)
    one, other = (asyncio.run(reached(people, pair)) for people in (pair.one, pair.other))
    return f"{pair.difference}, {pair.shared.refusal}, {pair.tie}", one, other


def occasion_pair(chance: Random) -> Pair:
    """The person may not be written to, the neighbour may; both bought three times, and the person complained."""
    return drawn_pair(chance, purpose=PUSH, shared_facts=[*_occasions(), *agreed(PUSH, identity=NEIGHBOUR)])


def _occasions() -> list[Fact]:
    waiting = complaint("waiting", identity=PERSON, at=NOW - 25 * HOUR)
    return [*three("grocery", identity=PERSON), waiting, *three("grocery", identity=NEIGHBOUR)]


async def reached(people: People, pair: Pair) -> Answers:
    """Decisions, messages and the answers to their claims, of the person and the neighbour."""
    world = OutreachWorld()
    world.people.facets = dict(people.facets)
    await world.people.holds.place(pair.shared.holds())
    await world.log.start()
    for place, each in enumerate(_occasions()):
        for candidate in candidates(each, Position(1, 0, place), TRIGGERS):
            await world.publish(candidate)
    await world.settle()
    found: dict[str, bytes] = {}
    for whose, identity in (("own", PERSON), ("others'", NEIGHBOUR)):
        decisions = await world.records.decisions_of([identity])
        found[f"{whose} decisions"] = msgspec.json.encode(decisions)
        found[f"{whose} messages"] = b"\n".join(_messages(world, identity))
        claimed = [await world.claims.claim(each.id, at=NOW) for each in decisions]
        found[f"{whose} claims"] = msgspec.json.encode(
            [[bool(each), getattr(each, "reason", "go"), each.receipt] for each in claimed]
        )
    found["facts written"] = b"\n".join(
        record.value or b"" for p in range(PARTITIONS) for record in world.log.records(EVENTS, p)
    )
    return found


def _messages(world: OutreachWorld, identity: str) -> list[bytes]:
    records = (record for p in range(PARTITIONS) for record in world.log.records(TOPICS.outreach, p))
    return [record.value or b"" for record in records if record.key == identity.encode()]
