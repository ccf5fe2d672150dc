"""What people do in one history: drawn from the seed, acted out by clients of the API and of the log."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from random import Random
from typing import Any, Final

from consent.holds import ConsentStoreUnavailable
from consent.recording import ActRefused, plan_act
from events.acts import ConsentGiven, ConsentWithdrawn
from events.admission import Admitted, EventRefused
from events.fact import decode_fact
from events.log import LogError
from events.partitioning import partition_of
from outreach.records import OutreachUnavailable
from profiles.person import PersonUnavailable
from profiles.store import ProfileStoreUnavailable
from recommender.catalogue import load_catalogue
from recommender.reading import input_of
from tests.builders import DAY, HOUR, TRUSTED, event, money, pseudonym, raw
from tests.simulation.kafka import EVENTS, INTAKE
from tests.simulation.network import Process
from tests.simulation.permission import Window
from tests.simulation.workers import ADMISSION, reader_of, recorder_of
from tests.simulation.world import PARTITIONS, World

CATALOGUE: Final = load_catalogue()
PEOPLE: Final = ("app:1", "card:1", "app:2")
PURPOSES: Final = ("profile.build", "suggest.personal", "outreach.push")
TRIES: Final = 8
ACTS_S: Final = 3.0
"""Virtual seconds in which people act."""
AWAY: Final = (
    ProfileStoreUnavailable,
    ConsentStoreUnavailable,
    OutreachUnavailable,
    LogError,
    PersonUnavailable,
    ConnectionError,
)
NIGHT_MS: Final = 25 * HOUR

Act = Callable[[], Awaitable[None]]


class Story:
    """The clients. Each request is a task of the API process, asked again when that dies or answers that it cannot."""

    def __init__(self, world: World, *, seed: int) -> None:
        self._world = world
        self._chance = Random(f"{seed} story")
        self._said = 0

    def acts(self) -> Iterator[tuple[float, Act]]:
        """What happens, each with the virtual second it begins in."""
        chance = self._chance
        for person in PEOPLE:
            for purpose in PURPOSES:
                if chance.random() < (0.9 if person == "app:1" else 0.15):
                    yield chance.random(), self._consents(person, purpose, granting=True)
        for _ in range(chance.randint(3, 12)):
            yield chance.random() * ACTS_S, self._drawn()
        if chance.random() < 0.5:
            yield ACTS_S * (0.5 + chance.random() / 2), self._night

    def _drawn(self) -> Act:
        chance, person = self._chance, self._chance.choice(PEOPLE)
        kind = chance.choices(
            ("order", "repeat", "conflict", "complaint", "resolve", "consent", "link", "poison", "ask"),
            (30, 6, 3, 8, 5, 16, 8, 6, 14),
        )[0]
        match kind:
            case "consent":
                return self._consents(person, chance.choice(PURPOSES), granting=chance.random() < 0.4)
            case "link":
                return self._links()
            case "poison":
                return self._poison()
            case "ask":
                return lambda: self._asks(person)
            case "complaint":
                return self._sends(
                    self._event("feedback.complaint_filed", person, case_id=f"case-{chance.randint(1, 4)}")
                )
            case "resolve":
                return self._sends(self._event("service.case_resolved", person, case_id=f"case-{chance.randint(1, 4)}"))
            case "repeat":
                said = self._order(person, event_id="said twice")
                return self._one_after_the_other(self._sends(said), self._sends(said))
            case "conflict":
                first, other = (self._order(person, event_id="said twice") for _ in range(2))
                return self._one_after_the_other(self._sends(first), self._sends(other))
            case _:
                return self._orders(person)

    def _orders(self, person: str) -> Act:
        several = [self._sends(self._order(person)) for _ in range(self._chance.choice((1, 1, 3)))]
        return self._one_after_the_other(*several)

    def _order(self, person: str, *, event_id: str | None = None) -> dict[str, Any]:
        number = self._chance.randint(1, 12)
        amount = self._chance.randint(100, 200)
        line = {"item": f"item-{number}", "category": "grocery", "amount": amount}
        return self._event(
            "transaction.purchased",
            person,
            event_id=event_id,
            order_id=f"order-{number}",
            total=money(amount),
            lines=[line],
        )

    def _event(self, kind: str, person: str, *, event_id: str | None = None, **data: Any) -> dict[str, Any]:
        """An event that happened now, or that a sender tells late."""
        self._said += 1
        late = self._chance.choice((0, 0, 0, HOUR, 5 * HOUR, 3 * DAY))
        at = self._world.clock() - late - self._said
        return event(kind, subject=person, at=at, event_id=event_id or f"event-{self._said}", **data)

    def _sends(self, said: dict[str, Any]) -> Act:
        by_intake = self._chance.random() < 0.5

        async def act() -> None:
            if by_intake:
                self._produce(said["subject"], raw(said))
            else:
                await self._posted(raw(said))

        return act

    def _links(self) -> Act:
        is_end = self._chance.random() < 0.35
        rest = {"reason": "tests"} | ({} if is_end else {"strength": self._chance.choice(("verified", "probable"))})
        kind = "identity.unlinked" if is_end else "identity.linked"
        said = self._event(kind, "app:1", other="card:1", **rest)
        return lambda: self._posted(raw(said))

    def _poison(self) -> Act:
        """Bytes that are no event, on the intake or on the log itself."""
        rubbish = self._chance.choice((b"", b"{", b"\xff\x00", raw({"specversion": "1.0"})))
        person, onto_the_log = self._chance.choice(PEOPLE), self._chance.random() < 0.4

        async def act() -> None:
            if onto_the_log:
                key = pseudonym(person).encode()
                self._put(EVENTS, partition_of(key, PARTITIONS), key, rubbish)
            else:
                self._produce(person, rubbish)

        return act

    def _consents(self, person: str, purpose: str, *, granting: bool) -> Act:
        self._said += 1
        number = f"act-{self._said}"

        async def act() -> None:
            body = (ConsentGiven if granting else ConsentWithdrawn)(purpose=purpose, act_id=number)

            async def record(process: Process) -> None:
                await self._record(process, person, body)

            await self.asked(record)
            if not granting:
                await self._asks(person)  # they look whether it was heeded

        return act

    async def _record(self, process: Process, person: str, body: ConsentGiven | ConsentWithdrawn) -> None:
        """As `api.consents` does it."""
        world, now, restores = self._world, self._world.clock(), self._world.restores
        try:
            members = (await reader_of(world, process).read(pseudonym(person), now=now)).members
        except PersonUnavailable:
            if isinstance(body, ConsentGiven):
                raise
            members = (pseudonym(person),)
        planned = plan_act(
            body, identities=members, source="crm", occurred_at=now, received_at=now, partitions=PARTITIONS
        )
        assert not isinstance(planned, ActRefused)
        answer = await recorder_of(world, process).record(planned)
        if isinstance(answer, ActRefused):
            world.wrong(f"an act was refused: {answer.code}")
            return
        standing = world.server.acts._records.get(planned.event_key, planned)
        for fact in map(decode_fact, standing.facts):
            name = (fact.identity, fact.event_key)
            world.found.acknowledged.add(name)
            if standing.restricts:
                world.model.noes[name] = world.model.as_first_told(fact)
        if world.restores != restores:
            world.forget_what_is_lost()
        world.say(f"acknowledged: {body.event_type} {body.purpose} of {person}")

    async def _asks(self, person: str) -> None:
        """Suggestions are asked for: personal ones need a permit."""

        async def ask(process: Process) -> None:
            world, now = self._world, self._world.clock()
            window = Window(world, pseudonym(person))
            view = await reader_of(world, process).read(pseudonym(person), now=now)
            if input_of(view, catalogue=CATALOGUE, ref="ref", now=now).personal is not None:
                window.check("suggest.personal", at=now, what="a personal suggestion")

        await self.asked(ask)

    async def _posted(self, said: bytes) -> None:
        async def post(process: Process) -> None:
            world = self._world
            admitted = ADMISSION.admit(said, door=TRUSTED, received_at=world.clock())
            assert not isinstance(admitted, EventRefused)
            await world.log(process).append(admitted)
            self._acknowledge(admitted)

        await self.asked(post)

    def _acknowledge(self, admitted: Any) -> None:
        items: list[Admitted] = list(admitted)
        self._world.found.acknowledged |= {(item.fact.identity, item.fact.event_key) for item in items}

    async def asked(self, request: Callable[[Process], Awaitable[None]]) -> None:
        """Ask the API, again and again while it dies or cannot; then the client gives up."""
        for _ in range(TRIES):
            process = self._world.living_api()
            task = process.spawn(_request(request, process))
            await asyncio.wait([task])
            if not task.cancelled() and task.exception() is None:
                return
            if not task.cancelled() and not isinstance(task.exception(), AWAY):
                raise AssertionError("a request failed with what no client expects") from task.exception()
            await self._wait(0.5 + self._chance.random())

    def _produce(self, person: str, value: bytes) -> None:
        self._put(INTAKE, 0, person.encode(), value)

    def _put(self, topic: str, partition: int, key: bytes, value: bytes) -> None:
        if not self._world.kafka.away:
            self._world.kafka.write(topic, partition, key=key, value=value)

    def _one_after_the_other(self, *acts: Act) -> Act:
        pause = self._chance.random()

        async def act() -> None:
            for each in acts:
                await each()
                await self._wait(pause)

        return act

    async def _night(self) -> None:
        self._world.say("a night passes")
        self._world.skipped_ms += NIGHT_MS

    async def _wait(self, seconds: float) -> None:
        await self._world.loop.rest(seconds)


async def _request(request: Callable[[Process], Awaitable[None]], process: Process) -> None:
    await request(process)
