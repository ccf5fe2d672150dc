"""`python -m benchmarks.suggestion_stages`: where the CPU time of a suggestion goes, stage by stage.

The product's own functions over people of `benchmarks.serving_world` in a real store, in one process and without a
server: each stage is run for all of them in turn, and beside the stages the whole application as the server calls it.
Figures are CPU time of this process in microseconds per suggestion, medians of some rounds.
"""

import asyncio
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import uvloop
from rich.console import Console
from rich.table import Table
from starlette.requests import Request
from starlette.responses import Response

from api.app import build_api
from api.auth import ApiKey, Role, make_key
from api.gate import Gate
from api.limits import Limits
from api.metrics import Metrics
from api.refs import Refs
from api.services import Services
from api.suggestions import PATH
from api.waiting import Freshness
from benchmarks.serving_world import artifact_of, catalogue_of, seed_people
from commands.clock import now_ms
from commands.garbage import look_for_garbage_rarely
from consent.accesses import Access
from consent.redis_holds import RedisHolds
from consent.rules import shipped_rules
from events.pseudonyms import Pseudonyms
from profiles.codec import decode_facet, encode_facet
from profiles.person import PersonReader
from profiles.redis_facets import RedisFacets
from profiles.redis_store import RedisStore
from profiles.view import Loaded
from recommender.reading import input_of
from recommender.receipt_sealing import InstallationSealing
from recommender.receipts import Made, Question, Receipts
from recommender.redis_decisions import RedisDecisions
from recommender.suggest import suggest
from recommender.suggestion import SuggestionInput, render
from tests.servers import embedded_store

PEOPLE: Final = 2000
SERVICES: Final = 1000
PARTITIONS: Final = 8
ROUNDS: Final = 5
AT_ONCE: Final = 16
_SECRET: Final = b"a key for the stages, 32 bytes.."
_nobody: Final[Any] = None

Spent = dict[str, float]


class _Held:
    """Facets that were read before, for the reading of a person without a store."""

    def __init__(self, loaded: dict[str, Loaded]) -> None:
        self._loaded = loaded

    async def load_many(self, identities: Any) -> dict[str, Loaded]:
        return {identity: self._loaded[identity] for identity in identities}


def _services(store: RedisStore, key: ApiKey) -> Services:
    """The services that a suggestion needs; no other route is asked."""
    catalogue = catalogue_of(SERVICES)
    holds = RedisHolds(store.client, partitions=PARTITIONS)
    return Services(
        admission=_nobody,
        log=_nobody,
        freshness=Freshness(store=store, app="stages", topic="stages", partitions=PARTITIONS),
        persons=PersonReader(RedisFacets(store.client, holds, partitions=PARTITIONS), rules=shipped_rules()),
        recorder=_nobody,
        receipts=Receipts(sealing=InstallationSealing(_SECRET), policy="", code="", key=_SECRET),
        decisions=RedisDecisions(store.client),
        outreach=_nobody,
        claims=_nobody,
        model=_model(artifact_of(catalogue)),
        catalogue=catalogue,
        keys=_keys({key.id: key}),
        refs=Refs(_SECRET),
        evidence=_nobody,
        accesses=_nobody,
        confirmations=_nobody,
        links=_nobody,
        notices=_nobody,
        rights=_nobody,
        clock=now_ms,
        suppression_key=_SECRET,
        timeout_s=60.0,
    )


def _model(artifact: Any) -> Any:
    return SimpleNamespace(artifact=artifact)


def _keys(keys: dict[str, ApiKey]) -> Any:
    return SimpleNamespace(get=keys.get)


def _scope(path: str, key: str) -> dict[str, Any]:
    where, _, query = path.partition("?")
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": where,
        "raw_path": where.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(b"host", b"127.0.0.1"), (b"authorization", f"Bearer {key}".encode())],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }


async def _nothing() -> dict[str, Any]:
    return {"type": "http.request", "body": b"", "more_body": False}


async def _asked(app: Any, scope: dict[str, Any]) -> None:
    said: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        said.append(message)

    await app(dict(scope), _nothing, send)
    assert said[0]["status"] == 200, said


async def _all(works: Iterator[Awaitable[Any]]) -> None:
    """Every one of them, some at a time."""

    async def some() -> None:
        for work in works:
            await work

    await asyncio.gather(*(some() for _ in range(AT_ONCE)))


async def measure(url: str) -> list[Spent]:
    """CPU seconds of all people by stage, per round."""
    persons = seed_people(url, people=PEOPLE, partitions=PARTITIONS, pseudonyms=Pseudonyms(_SECRET))
    new = make_key(name="stages", role=Role.AGENT, rate=1_000_000, now=now_ms())
    store = await RedisStore.connect(url)
    services = _services(store, new.kept)
    app = build_api(services)
    refs = [services.refs.seal(each[0]) for each in persons]
    scopes = [_scope(f"/v1/customers/{ref}/suggestions?channel=desk", new.shown) for ref in refs]
    await _all(_asked(app, scope) for scope in scopes[:200])
    look_for_garbage_rarely()
    rounds = []
    for _ in range(ROUNDS):
        spent: Spent = {}
        await _waiting(spent, app, scopes, services, persons)
        everyone = [identity for each in persons for identity in each]
        _parts(spent, services, persons, await services.persons.source.load_many(everyone))
        rounds.append(spent)
    await store.close()
    return rounds


async def _waiting(
    spent: Spent, app: Any, scopes: Sequence[dict[str, Any]], services: Services, persons: Sequence[tuple[str, ...]]
) -> None:
    """All of it, and the stages that wait for the store or may be waited for."""
    gate = Gate(keys=services.keys, metrics=Metrics(), timeout_s=60.0, limits=Limits())

    async def answer(_request: Request) -> Response:
        return Response(b"", media_type="application/json")

    behind = gate.guard(answer, method="GET", path=PATH)
    begin = time.process_time()
    await _all(_asked(app, scope) for scope in scopes)
    spent["all of it"] = time.process_time() - begin
    begin = time.process_time()
    await _all(behind(Request(scope)) for scope in map(dict, scopes))
    spent["gate: key, limits, parameters, metrics"] = time.process_time() - begin
    begin = time.process_time()
    await _all(services.persons.source.load_many([each[0]]) for each in persons)
    spent["store: holds and facets, decoded"] = time.process_time() - begin
    now = now_ms()
    view = await services.persons.read(persons[0][0], now=now)
    made = _made(services, input_of(view, catalogue=services.catalogue, ref="ref", now=now), view.identity, now)
    look = Access(now, "0" * 8, Role.AGENT, "suggestions", view.identity, "answer", "", broke_glass=False)
    begin = time.process_time()
    await _all(services.decisions.keep(made.receipt, shown=look) for _ in persons)
    spent["store: receipt"] = time.process_time() - begin


def _parts(spent: Spent, services: Services, persons: Sequence[tuple[str, ...]], loaded: dict[str, Loaded]) -> None:
    """The stages that only compute."""

    def stage(name: str, work: Callable[[Any], Any], those: Sequence[Any]) -> list[Any]:
        begin = time.process_time()
        found = [work(each) for each in those]
        spent[name] = time.process_time() - begin
        return found

    now, reader = now_ms(), PersonReader(_Held(loaded), rules=shipped_rules())
    refs = [services.refs.seal(each[0]) for each in persons]
    stage("reference opened", services.refs.open, refs)
    blobs = [encode_facet(loaded[each[0]].facet) for each in persons]
    stage("of it: a facet decoded", decode_facet, blobs)
    views = stage("links followed, identities merged", lambda each: _run(reader.read(each[0], now=now)), persons)
    seen = stage("consent asked", lambda view: input_of(view, catalogue=services.catalogue, ref="ref", now=now), views)
    answers = stage("suggestions found", lambda each: suggest(each, **_how(services, now)), seen)
    stage("answer written", render, answers)
    stage("found, written, and the receipt made", lambda each: _made(services, each, persons[0][0], now), seen)


def _made(services: Services, person: SuggestionInput, identity: str, now: int) -> Made:
    return services.receipts.answer(
        person,
        Question(channel="desk", k=3, now=now),
        identity=identity,
        canonical=identity,
        artifact=services.model.artifact,
        catalogue=services.catalogue,
    )


def _how(services: Services, now: int) -> dict[str, Any]:
    return {
        "artifact": services.model.artifact,
        "catalogue": services.catalogue,
        "channel": "desk",
        "k": 3,
        "now": now,
        "key": services.receipts.key,
    }


def _run(work: Any) -> Any:
    """What a coroutine returns that waits for nothing."""
    try:
        work.send(None)
    except StopIteration as done:
        return done.value
    raise RuntimeError("it waits")


def main() -> None:
    """Measure and print the table."""
    with tempfile.TemporaryDirectory() as folder, embedded_store(Path(folder)) as store:
        rounds = uvloop.run(measure(store.url))
    shown = Table("stage", "CPU \u00b5s")
    for name in rounds[0]:
        shown.add_row(name, f"{statistics.median(each[name] for each in rounds) / PEOPLE * 1e6:.1f}")
    Console().print(shown)


if __name__ == "__main__":
    main()
