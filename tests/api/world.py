"""The HTTP process over memory: the real routes, rooms and fold, without a server."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import httpx
from fastapi import FastAPI

from api.app import build_api
from api.auth import ApiKey, Role, make_key
from api.refs import Refs
from api.services import Services
from api.waiting import Freshness
from consent.accesses import AccessLog
from consent.act_records import MemoryActRecords
from consent.evidence_index import EvidenceIndex
from consent.memory_holds import MemoryHolds
from consent.notices import Notices
from consent.recording import Recorder
from consent.rights_requests import RightsRequests
from consent.rules import shipped_rules
from consent.telling import Confirmations
from consent.tokens import Links, Tokens
from events.fact import Fact
from events.memory_log import MemoryLog
from events.position import Stream
from events.sealing import IN_CLEAR, Seals
from outreach.addressing import Addressing
from outreach.assessment import Assessment
from outreach.claiming import Claims
from outreach.records import MemoryRecords
from outreach.triggers import load_triggers
from profiles.facet_cache import FacetCache
from profiles.memory_store import MemoryStore
from profiles.person import PersonReader, StoreFacets
from recommender.artifact import untrained
from recommender.catalogue import load_catalogue
from recommender.decisions import MemoryDecisions
from recommender.model_store import ModelStore, ServedModel
from recommender.receipt_sealing import InstallationSealing
from recommender.receipts import Receipts
from streams.dead_letters import Undertaker
from streams.fold_work import FoldWork
from streams.folding import LogIdentity, StreamFold
from streams.frame import Frame, Record
from streams.memory_dead_letters import MemoryDeadLetters
from streams.settling import decode_release
from tests.builders import ADMISSION, NOW, PARTITIONS, admitted, raw
from tests.waiting import HANGS_S

EVENTS: Final = "rapport.events"
CATALOGUE: Final = load_catalogue()
NOTICES: Final = Notices.load()
TRIGGERS: Final = load_triggers(CATALOGUE)
RECEIPTS: Final = Receipts(sealing=InstallationSealing(b"i" * 32), policy="rules of tests", code="tests", key=b"d" * 32)


@dataclass
class Keys:
    """Keys in memory, one for each role to begin with."""

    shown: dict[str, str] = field(default_factory=dict)
    kept: dict[str, ApiKey] = field(default_factory=dict)

    def add(self, role: Role, *, name: str | None = None, **bound: Any) -> str:
        new = make_key(name=name or role.value, role=role, now=NOW, **bound)
        self.kept[new.kept.id] = new.kept
        self.shown[name or role.value] = new.shown
        return new.shown

    def get(self, key_id: str) -> ApiKey | None:
        return self.kept.get(key_id)


def all_roles() -> Keys:
    keys = Keys()
    keys.add(Role.INGEST, source="crm", types=("*",))
    for role in (Role.AGENT, Role.MARKETING, Role.PRIVACY, Role.ADMIN):
        keys.add(role)
    return keys


class World:
    """Everything behind the API, and a client in front of it."""

    def __init__(self, folder: Path, *, sealing: Seals = IN_CLEAR) -> None:
        self.now = NOW
        self.keys = all_roles()
        self.store = MemoryStore(partitions=PARTITIONS)
        self.log = MemoryLog(topic=EVENTS, partitions=PARTITIONS, clock=self.clock, sealing=sealing)
        self.holds = MemoryHolds(partitions=PARTITIONS)
        self.decisions = MemoryDecisions()
        self.outreach = MemoryRecords()
        self._fold = StreamFold(
            app="profiles",
            topic=EVENTS,
            log=LogIdentity(epoch=1, topic_id="tests"),
            store=self.store,
            work=FoldWork(
                facets=FacetCache(self.store),
                undertaker=Undertaker(keys=MemoryDeadLetters()),
                candidates=lambda _fact, _position: (),
                clock=self.clock,
                partitions=PARTITIONS,
                sealing=sealing,
            ),
        )
        persons = PersonReader(StoreFacets(self.store, self.holds, PARTITIONS), rules=shipped_rules())
        self.services = Services(
            admission=ADMISSION,
            log=self.log,
            freshness=Freshness(store=self.store, app="profiles", topic=EVENTS, partitions=PARTITIONS, wait_s=0.3),
            persons=persons,
            recorder=Recorder(records=MemoryActRecords(), holds=self.holds, log=self.log, partitions=PARTITIONS),
            receipts=RECEIPTS,
            decisions=self.decisions,
            outreach=self.outreach,
            claims=Claims(
                addressing=Addressing(persons, TRIGGERS),
                assessment=Assessment(TRIGGERS, CATALOGUE),
                records=self.outreach,
                key=b"c" * 32,
            ),
            model=ServedModel(ModelStore(folder), fallback=untrained(CATALOGUE, code="tests")),
            catalogue=CATALOGUE,
            keys=self.keys,
            refs=Refs(b"r" * 32),
            evidence=EvidenceIndex(folder / "evidence.sqlite", sealing),
            accesses=AccessLog(folder / "accesses.sqlite"),
            rights=RightsRequests(folder / "rights.sqlite"),
            confirmations=Confirmations(path=folder / "confirmed.sqlite", recipients=("crm",)),
            links=Links(tokens=Tokens(b"t" * 32), public_url="https://rapport.example"),
            notices=NOTICES,
            clock=self.clock,
            suppression_key=b"s" * 32,
            timeout_s=HANGS_S,
        )

    @cached_property
    def app(self) -> FastAPI:
        """The routes, built when somebody asks: that takes longer than all else here."""
        return build_api(self.services)

    def clock(self) -> int:
        return self.now

    def with_services(self, **changed: Any) -> "World":
        """The same world with other services in some places."""
        self.services = replace(self.services, **changed)
        self.app = build_api(self.services)
        return self

    async def fold(self) -> None:
        """Fold whatever stands on the log, and let holds go that were waited for."""
        for partition in range(PARTITIONS):
            records = tuple(Record(*record) for record in self.log.records(EVENTS, partition))
            stream = Stream("profiles", EVENTS, partition)
            await self._fold(
                Frame(topic=EVENTS, partition=partition, generation=1, start=0, end=len(records), records=records)
            )
            for entry_id, entry in await self.store.outbox(stream, limit=1000):
                if entry.kind == "release":
                    await self.holds.release(decode_release(entry.payload))
                await self.store.drop_outbox(stream, [entry_id])

    async def happened(self, *facts: Fact | Iterable[Fact]) -> None:
        """Facts that were admitted some other way, folded."""
        flat = [one for some in facts for one in ([some] if isinstance(some, Fact) else some)]
        await self.log.append([admitted(one) for one in flat])
        await self.fold()

    @asynccontextmanager
    async def folding(self) -> AsyncIterator[None]:
        """A worker that folds all the while."""

        async def work() -> None:
            while True:
                await self.fold()
                await asyncio.to_thread(lambda: None)

        working = asyncio.create_task(work())
        try:
            yield
        finally:
            working.cancel()

    async def ask(self, method: str, path: str, *, key: str | None = "agent", **rest: Any) -> httpx.Response:
        """One request, with the key of that role or name (None: without a key)."""
        headers = {**rest.pop("headers", {})}
        if key is not None:
            headers["Authorization"] = f"Bearer {self.keys.shown.get(key, key)}"
        transport = httpx.ASGITransport(app=self.app, raise_app_exceptions=True)
        async with httpx.AsyncClient(transport=transport, base_url="http://rapport") as client:
            return await client.request(method, path, headers=headers, **rest)

    async def send(self, events: Any, *, key: str = "ingest") -> httpx.Response:
        """Post one event or a batch."""
        return await self.ask(
            "POST", "/v1/events", key=key, content=raw(events), headers={"Content-Type": "application/json"}
        )

    async def ref(self, identity: str = "app:42") -> str:
        found = await self.ask("POST", "/v1/customers/lookup", json={"identity": identity})
        return str(found.json()["ref"])

    async def suggestions(self, identity: str = "app:42", **params: Any) -> httpx.Response:
        return await self.ask("GET", f"/v1/customers/{await self.ref(identity)}/suggestions", params=params)

    async def card(self, identity: str = "app:42", **params: Any) -> dict[str, Any]:
        answer = await self.ask("GET", f"/v1/customers/{await self.ref(identity)}", params=params)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found


def problem(response: httpx.Response) -> str:
    """The kind of problem a response tells."""
    assert response.headers["content-type"] == "application/problem+json", response.text
    return str(response.json()["type"]).removeprefix("urn:rapport:problem:")
