"""A world in which facts are folded and candidates decided on, over memory; the clock stands where it is told to."""

import dataclasses
import json
from collections.abc import Iterable
from typing import Any, Final

from consent.purposes import PROFILE, SUGGEST
from consent.rules import shipped_rules
from consent.tokens import Links, Tokens
from events.fact import Fact, decode_fact
from events.memory_log import MemoryLog
from events.position import Position
from outreach.addressing import Addressing
from outreach.assessment import Assessment
from outreach.candidates import Candidate, candidates, decode_candidate
from outreach.claiming import Claims
from outreach.deciding import Decider, Topics
from outreach.decision import Decision
from outreach.records import MemoryRecords
from outreach.timers import MemoryTimers
from outreach.triggers import Policy, Triggers, load_triggers
from profiles.facet import Facet
from profiles.fold import fold
from profiles.person import PersonReader
from recommender.catalogue import load_catalogue
from streams.timers import TimerWatch
from tests.builders import DAY, NOW, PARTITIONS, admitted, consent, fact, money, pseudonym
from tests.profiles.world import World

CATALOGUE: Final = load_catalogue()
TRIGGERS: Final = load_triggers(CATALOGUE)
EVENTS: Final = "rapport.events"
TOPICS: Final = Topics(decisions="rapport.decisions", outreach="rapport.outreach")
KEY: Final = b"a key for tests only"
LINKS: Final = Links(tokens=Tokens(b"t" * 32), public_url="https://rapport.example")
ANNA: Final = "app:42"
PUSH: Final = "outreach.push"
EMAIL: Final = "outreach.email"


class OutreachWorld:
    """Facts go in by `hear`; `settle` lets everything that follows happen at a time."""

    def __init__(self, *, triggers: Triggers = TRIGGERS, **policy: Any) -> None:
        if policy:
            changed = Policy.model_validate({**triggers.policy.model_dump(), **policy})
            triggers = triggers.model_copy(update={"policy": changed})
        self.triggers = triggers
        self.people = World()
        self.log = MemoryLog(topic=EVENTS, partitions=PARTITIONS)
        self.records = MemoryRecords()
        self.now = NOW
        self._read: dict[tuple[str, int], int] = {}
        addressing = Addressing(PersonReader(self.people, rules=shipped_rules()), triggers)
        assessment = Assessment(triggers, CATALOGUE)
        self.decider = Decider(
            addressing=addressing,
            assessment=assessment,
            records=self.records,
            timers=MemoryTimers(),
            log=self.log,
            topics=TOPICS,
            links=LINKS,
            partitions=PARTITIONS,
            key=KEY,
        )
        self.claims = Claims(addressing=addressing, assessment=assessment, records=self.records, key=KEY)
        self.timers = TimerWatch(decider=self.decider, partitions=lambda: range(PARTITIONS), clock=lambda: self.now)

    async def hear(self, *facts: Fact) -> list[Candidate]:
        """Fold facts and publish the candidates they give."""
        await self.log.start()
        published = []
        for each in facts:
            facet = self.people.facets.get(each.identity, Facet())
            folded = fold(facet, each)
            self.people.facets[each.identity] = folded.facet
            if folded.fate == "applied":
                found = candidates(each, Position(1, admitted(each).partition, 0), self.triggers)
                published += [await self.publish(candidate) for candidate in found]
        return [candidate for several in published for candidate in several]

    async def publish(self, candidate: Candidate) -> list[Candidate]:
        """As the relay does it."""
        keyed = await self.decider.addressing.addressed(candidate, now=self.now)
        for each in keyed:
            await self.decider.publish(each)
        return keyed

    async def settle(self, at: int | None = None) -> None:
        """Let timers fire, candidates be decided and facts be folded at that time, until nothing follows any more."""
        await self.log.start()
        self.now = self.now if at is None else at
        busy = True
        while busy:
            busy = bool(await self.timers.fire())
            for value in self._unread(TOPICS.decisions):
                await self.decider.decide(decode_candidate(value), now=self.now)
                busy = True
            for value in self._unread(EVENTS):
                await self.hear(decode_fact(value))
                busy = True

    async def told(self, *facts: Fact, at: int | None = None) -> list[dict[str, Any]]:
        """Hear, settle, and answer all messages so far."""
        await self.hear(*facts)
        await self.settle(at)
        return self.messages()

    def messages(self) -> list[dict[str, Any]]:
        """All messages so far, each with the pseudonym it is for."""
        records = [each for p in range(PARTITIONS) for each in self.log.records(TOPICS.outreach, p)]
        return [{**json.loads(each.value or b""), "to": (each.key or b"").decode()} for each in records]

    async def decisions(self, *identities: str) -> list[Decision]:
        """The decisions about clear identities."""
        return await self.records.decisions_of([pseudonym(each) for each in identities])

    async def verdicts(self, *identities: str) -> list[tuple[str, str]]:
        """Verdict and reason of each decision."""
        return [(each.verdict, each.because) for each in await self.decisions(*identities)]

    def _unread(self, topic: str) -> Iterable[bytes]:
        for partition in range(PARTITIONS):
            for record in self.log.records(topic, partition)[self._read.get((topic, partition), 0) :]:
                self._read[topic, partition] = record.offset + 1
                yield record.value or b""


def agreed(*purposes: str, identity: str = "app:42", at: int = NOW - 30 * DAY) -> list[Fact]:
    """Consent to personal suggestions and to each further purpose."""
    return [consent("given", purpose, identity=identity, at=at) for purpose in (PROFILE, SUGGEST, *purposes)]


def bought(number: int, category: str = "grocery", *, identity: str = "app:42", at: int = NOW) -> Fact:
    """An order of one category."""
    line = {"item": f"item-{number}", "category": category, "amount": 100}
    return fact(
        "transaction.purchased",
        identity=identity,
        at=at,
        order_id=f"order-{number}",
        total=money(100),
        lines=[line],
    )


def alert(alert_id: str = "alert-1", *, kind: str = "hot", at: int = NOW) -> Fact:
    """A machine reports something."""
    return fact(
        "service.alert_raised", identity="machine:m-1", at=at, alert_id=alert_id, kind=kind, component="spindle"
    )


def related(identity: str, other: str, kind: str, *, ended: bool = False, at: int = NOW - 60 * DAY) -> list[Fact]:
    """Both halves of a relation."""
    said: dict[str, Any] = {"kind": kind, "ended": ended, "at": at, "event_id": f"{identity} {other} {kind} {ended}"}
    return [
        fact("identity.related", identity=identity, other=other, **said),
        fact("identity.related", identity=other, other=identity, inverse=True, **said),
    ]


def without_records(world: OutreachWorld) -> Decider:
    """The decider of a store that lost its decisions."""
    return dataclasses.replace(world.decider, records=MemoryRecords())


def three(category: str = "grocery", *, identity: str = ANNA, first: int = 1, at: int = NOW) -> list[Fact]:
    """Three orders of one category on three days, the last one `at`."""
    return [bought(first + n, category, identity=identity, at=at - n * DAY) for n in (2, 1, 0)]


def machine() -> list[Fact]:
    """A machine, the company that owns it, and the company's contact."""
    return [
        *related("company:acme", "machine:m-1", "owns"),
        *related("email:jo@acme.test", "company:acme", "contact_of"),
    ]
