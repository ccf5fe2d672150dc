"""Suggestions that are asked for at once: worked on in company, answered as if each were alone."""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass, replace

import httpx

from consent.accesses import Access
from events.body_keys import BodyKeysUnavailable
from profiles.codec import FacetUnreadable
from profiles.person import FacetSource, PersonReader
from profiles.view import Loaded
from recommender.decisions import Decision, DecisionsUnavailable, MemoryDecisions
from recommender.receipt_sealing import InstallationSealing
from tests.api.test_suggestions import PERSONAL, agreed, formula
from tests.api.world import RECEIPTS, World, problem
from tests.builders import pseudonym
from tests.waiting import HANGS_S

PEOPLE = [f"app:{number}" for number in range(6)]


class Recording:
    """Writes down when people are seen and when their answers are made; for one identity there is no key."""

    def __init__(self, *, keyless: str = "") -> None:
        self._under = InstallationSealing(b"i" * 32)
        self._keyless = keyless
        self.steps: list[str] = []

    async def ready(self, identity: str) -> None:
        if identity == self._keyless:
            raise BodyKeysUnavailable("the keys do not answer")
        self.steps.append("seen")

    def seal(self, identity: str, content: bytes) -> bytes:
        self.steps.append("answered")
        return self._under.seal(identity, content)

    def open(self, identity: str, sealed: bytes) -> bytes:
        return self._under.open(identity, sealed)


class Holding(Recording):
    """Lets nobody go on before all of them wait."""

    def __init__(self) -> None:
        super().__init__()
        self.all_wait, self.go_on = asyncio.Event(), asyncio.Event()

    async def ready(self, identity: str) -> None:
        await super().ready(identity)
        if len(self.steps) == len(PEOPLE):
            self.all_wait.set()
        await self.go_on.wait()


@dataclass(frozen=True)
class Damaged:
    """A source in which one facet cannot be read."""

    source: FacetSource
    identity: str

    async def load_many(self, identities: Collection[str]) -> dict[str, Loaded]:
        if self.identity in identities:
            raise FacetUnreadable("damaged")
        return await self.source.load_many(identities)


class Forgetful(MemoryDecisions):
    """Keeps no receipt of one identity."""

    def __init__(self, *, unkept: str) -> None:
        super().__init__()
        self._unkept = unkept

    async def keep(self, decision: Decision, *, shown: Access) -> None:
        if decision.identity == self._unkept:
            raise DecisionsUnavailable("full")
        await super().keep(decision, shown=shown)


async def personal(world: World) -> None:
    for identity in PEOPLE[::2]:
        await world.happened(agreed(*PERSONAL, "data.sensitive", identity=identity), formula(3, identity=identity))


async def refs(world: World) -> list[str]:
    return [await world.ref(identity) for identity in PEOPLE]


async def in_company(world: World, those: Collection[str]) -> list[httpx.Response]:
    return await asyncio.gather(*(world.ask("GET", f"/v1/customers/{ref}/suggestions") for ref in those))


async def test_everybody_in_company_is_seen_before_anybody_is_answered(world: World) -> None:
    sealing = Recording()
    world.with_services(receipts=replace(RECEIPTS, sealing=sealing))

    await in_company(world, await refs(world))

    assert sealing.steps == ["seen"] * len(PEOPLE) + ["answered"] * len(PEOPLE)


async def test_in_company_everybody_gets_the_bytes_they_get_alone(world: World) -> None:
    await personal(world)
    those = await refs(world)
    alone = [(await world.ask("GET", f"/v1/customers/{ref}/suggestions")) for ref in those]

    together = await in_company(world, those)

    assert [each.json()["mode"] for each in together] == ["personal", "general"] * 3
    assert [(each.content, each.headers) for each in together] == [(each.content, each.headers) for each in alone]


async def test_what_fails_for_one_fails_for_nobody_else_in_company(world: World) -> None:
    await personal(world)
    those = await refs(world)
    alone = [(await world.ask("GET", f"/v1/customers/{ref}/suggestions")) for ref in those]
    damaged, keyless, unkept = (pseudonym(identity) for identity in PEOPLE[1:4])
    persons = PersonReader(Damaged(world.services.persons.source, damaged), world.services.persons.rules)
    world.with_services(
        persons=persons,
        receipts=replace(RECEIPTS, sealing=Recording(keyless=keyless)),
        decisions=Forgetful(unkept=unkept),
    )

    together = await in_company(world, ["no-reference", *those[1:]])

    kinds = ["unknown-ref", "profile-unreadable", "store-unavailable", "store-unavailable"]
    assert [problem(each) for each in together[:4]] == kinds
    assert [each.status_code for each in together[4:]] == [200, 200]
    assert [each.content for each in together[4:]] == [each.content for each in alone[4:]]


async def test_who_goes_away_takes_nobody_of_the_company_along(world: World) -> None:
    sealing = Holding()
    world.with_services(receipts=replace(RECEIPTS, sealing=sealing))
    asking = [asyncio.create_task(world.ask("GET", f"/v1/customers/{ref}/suggestions")) for ref in await refs(world)]
    async with asyncio.timeout(HANGS_S):
        await sealing.all_wait.wait()
    for task in asking[::2]:
        task.cancel()
    sealing.go_on.set()

    answers = await asyncio.gather(*asking, return_exceptions=True)

    assert all(isinstance(answer, asyncio.CancelledError) for answer in answers[::2])
    assert [answer.status_code for answer in answers[1::2] if isinstance(answer, httpx.Response)] == [200] * 3


async def test_a_no_that_is_acknowledged_holds_for_whoever_asks_after_it_while_others_are_under_way(
    world: World,
) -> None:
    await personal(world)
    those = await refs(world)
    before = asyncio.create_task(in_company(world, those))
    await asyncio.wait([before], timeout=0)

    said = await world.ask(
        "POST", f"/v1/customers/{those[0]}/consents", json={"act": "withdrawn", "purpose": "suggest.personal"}
    )
    after = await in_company(world, those)

    assert said.status_code == 202
    assert [each.json()["mode"] for each in after] == [
        "general",
        "general",
        "personal",
        "general",
        "personal",
        "general",
    ]
    await before
