"""`rapport api`: the HTTP process. Builds the adapters behind the routes and serves them until it is told to stop."""

import asyncio
import logging
import resource
import signal
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace as dataclass_replace
from functools import partial
from typing import Annotated, Any, Final

import typer
import uvloop
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.server.embed import Server
from msgspec.structs import replace

from api.app import build_api
from api.fence import Fence
from api.key_file import KeyFile
from api.refs import Refs
from api.services import Services
from api.waiting import Freshness
from commands.clock import now_ms
from commands.garbage import look_for_garbage_rarely
from commands.lag_board import LagBoard
from commands.lease import LayoutLeft, Lease, leased
from commands.logs import PROFILES, log_identities
from commands.options import DataFolderOption, StoreOption
from commands.recently import Recently
from commands.release import VERSION, code_version
from commands.rights_keys import keys_refusal
from commands.sealing import receipt_sealing_of, sealing_of
from commands.settings import HISTORY, KEYS_FILE, Keyring, Settings, keyring_of, settings_of
from consent.accesses import AccessLog
from consent.evidence_index import EvidenceIndex
from consent.recording import Recorder
from consent.redis_act_records import RedisActRecords
from consent.redis_holds import RedisHolds
from consent.rights_requests import RightsRequests
from consent.rules import Rules
from consent.telling import Confirmations
from consent.tokens import Links, Tokens
from events.admission import Admission
from events.log import KafkaLog
from events.position import Stream
from events.pseudonyms import Pseudonyms
from events.sealing import Sealing
from outreach.addressing import Addressing
from outreach.assessment import Assessment
from outreach.claiming import Claims
from outreach.redis_records import RedisRecords
from outreach.triggers import load_triggers
from profiles.person import PersonReader
from profiles.redis_facets import RedisFacets
from profiles.redis_store import RedisStore
from recommender.artifact import untrained
from recommender.catalogue import load_catalogue
from recommender.catalogue_store import CatalogueStore
from recommender.model_store import ModelStore, ServedModel
from recommender.receipts import Receipts
from recommender.redis_decisions import RedisDecisions
from recommender.uplift import load_experiment, model_only
from streams.admin import ensure_topics, topic_ids, wait_for_broker
from streams.lag import PartitionLag, too_late

_log = logging.getLogger(__name__)

HEADERS_MS: Final = 10_000
"""How long the headers of a request may take, and a connection may be idle between two of them."""
HEADERS_BYTES_MAX: Final = 64 * 1024
CONNECTIONS_MAX: Final = 4096
"""Connections that are served at a time, idle ones too; the next ones wait. `api.limits` bounds what they may send."""
FILES_BESIDE: Final = 256
"""Files and connections of our own that are open at a time, at most."""
STORE_TIMEOUT_S: Final = 2.0
LOG_TIMEOUT_S: Final = 4.0
LAG_MAX: Final = 10_000
"""Records a partition may be behind before what is read is too old to rely on."""
LAG_FRESH_MS: Final = 10_000
MODEL_EVERY_S: Final = 1.0


def api(
    *,
    kafka: Annotated[str | None, typer.Option(help="brokers, host:port")] = None,
    redis: StoreOption = None,
    data: DataFolderOption = None,
    partitions: Annotated[int | None, typer.Option(help="partitions of every topic")] = None,
    host: Annotated[str | None, typer.Option(help="where to listen")] = None,
    port: Annotated[int | None, typer.Option(help="where to listen")] = None,
) -> None:
    """Serve events, customers, suggestions and consent over HTTP, until SIGTERM."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    given = {"kafka": kafka, "redis": redis, "data": data, "partitions": partitions, "host": host, "port": port}
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(settings_of(**given)))


async def _serve(settings: Settings) -> None:
    async with serving(settings) as (services, lease):
        look_for_garbage_rarely()
        app = Fence(build_api(services), refusal=lease.refusal)
        server = http_server(app, host=settings.host, port=settings.port)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, server.stop)
        beside = [asyncio.create_task(each) for each in (_refresh(services.model), _keep(lease))]
        _log.info("listening on http://%s:%d", settings.host, settings.port)
        try:
            await server.serve()
        finally:
            for task in beside:
                task.cancel()
        _log.info("stopped")


def http_server(app: Callable[..., Any], *, host: str, port: int, headers_ms: int = HEADERS_MS) -> Server:
    """The server around an app, with what it waits for and takes on at a time; it is not started yet.

    HTTP/1 alone: one slow connection is then one request, whose headers have to arrive in time. As many files may be
    open as the system lets us have for that.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = CONNECTIONS_MAX + FILES_BESIDE
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    return Server(
        app,
        address=host,
        port=port,
        interface=Interfaces.ASGINL,
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(header_read_timeout=headers_ms, max_buffer_size=HEADERS_BYTES_MAX),
        backlog=1024,
        backpressure=CONNECTIONS_MAX,
        websockets=False,
        log_enabled=False,
    )


@asynccontextmanager
async def serving(settings: Settings) -> AsyncIterator[tuple[Services, Lease]]:
    """The services over the real adapters, connected, and let go of at the end; and the lease they rest on."""
    keyring = keyring_of(settings)
    await asyncio.to_thread(wait_for_broker, settings.brokers)
    await asyncio.to_thread(ensure_topics, settings.brokers, settings.topics, replication=settings.replication)
    async with AsyncExitStack() as stack:
        store = await RedisStore.connect(
            settings.redis,
            cluster=settings.redis_cluster,
            timeout_s=STORE_TIMEOUT_S,
            partitions=settings.partitions,
        )
        stack.push_async_callback(store.close)
        lease = await stack.enter_async_context(leased(settings, store, name="api"))
        logs = await log_identities(settings, keyring=keyring, store=store)
        sealing = sealing_of(settings, keyring)
        log = KafkaLog(
            brokers=settings.kafka,
            topic=settings.events_topic,
            epoch=logs[settings.events_topic].epoch,
            timeout_s=LOG_TIMEOUT_S,
            sealing=sealing,
        )
        await log.start()
        stack.push_async_callback(log.stop)
        services = services_of(
            settings,
            keyring=keyring,
            store=store,
            log=log,
            sealing=sealing,
            topic_id=logs[settings.events_topic].topic_id,
        )

        async def held() -> str | None:
            return lease.refusal()

        keys = Recently(partial(keys_refusal, sealing.keys, services.rights))
        yield dataclass_replace(services, probes={**services.probes, "lease": held, "keys": keys}), lease


def services_of(
    settings: Settings, *, keyring: Keyring, store: RedisStore, log: KafkaLog, sealing: Sealing, topic_id: str
) -> Services:
    """The services of the routes over a store and a log that are connected; `topic_id` is that of the facts' topic."""
    partitions = settings.partitions
    holds = RedisHolds(store.client, partitions=partitions)
    catalogue = load_catalogue(settings.catalogue)
    rules = settings.rules()
    receipts = receipts_of(settings, keyring, rules)
    CatalogueStore(settings.models).keep(catalogue)
    if receipts.experiment is not None:
        CatalogueStore(settings.models).keep(model_only(catalogue))
    triggers = load_triggers(catalogue, settings.triggers)
    persons = PersonReader(RedisFacets(store.client, holds, partitions=partitions), rules)
    outreach = RedisRecords(store.client, partitions=partitions)
    model = ServedModel(ModelStore(settings.models), fallback=untrained(catalogue, code=VERSION))
    model.refresh()
    return Services(
        admission=Admission(pseudonyms=Pseudonyms(keyring.pseudonym_key, settings.region), partitions=partitions),
        log=log,
        freshness=Freshness(store=store, app=PROFILES, topic=settings.events_topic, partitions=partitions),
        persons=persons,
        recorder=Recorder(records=RedisActRecords(store.client), holds=holds, log=log, partitions=partitions),
        receipts=receipts,
        decisions=RedisDecisions(store.client),
        outreach=outreach,
        claims=Claims(
            addressing=Addressing(persons, triggers),
            assessment=Assessment(triggers, catalogue),
            records=outreach,
            key=keyring.decision_key,
        ),
        model=model,
        catalogue=catalogue,
        keys=KeyFile(settings.data / KEYS_FILE),
        refs=Refs(keyring.ref_key),
        evidence=EvidenceIndex(settings.evidence, sealing),
        accesses=AccessLog(settings.accesses),
        rights=RightsRequests(settings.rights),
        confirmations=Confirmations(path=settings.confirmations, recipients=settings.consent_recipients),
        links=Links(tokens=Tokens(keyring.link_key), public_url=settings.people_url),
        notices=rules.notices,
        clock=now_ms,
        suppression_key=keyring.suppression_key,
        probes={
            "store": partial(_store, store, settings.events_topic),
            "log": Recently(partial(log_probe, settings, topic_id)),
            "profiles": partial(_lag, LagBoard(store.client, app=PROFILES), settings),
        },
        holding=holds.waiting_total,
        lags=partial(_lags, [(app, LagBoard(store.client, app=app)) for app in (PROFILES, HISTORY)]),
    )


def receipts_of(settings: Settings, keyring: Keyring, rules: Rules) -> Receipts:
    """What makes answers and their receipts under the keys and rules of this installation."""
    return Receipts(
        sealing=receipt_sealing_of(settings, keyring),
        policy=rules.hash,
        code=code_version(),
        key=keyring.decision_key,
        experiment=None if settings.experiment is None else load_experiment(settings.experiment),
    )


async def _store(store: RedisStore, topic: str) -> None:
    await store.checkpoint(Stream(PROFILES, topic, 0))


async def log_probe(settings: Settings, topic_id: str) -> str | None:
    """Why the log is not to be relied on; None: it answers, and its topic is still the one of that id.

    What is written to another one would be told as a position of this one, and waited for in vain or not at all.
    """
    topic = settings.events_topic
    found = await asyncio.to_thread(topic_ids, settings.brokers, [topic])
    return None if found[topic] == topic_id else f"{topic} was made anew; start this process again"


async def _lag(board: LagBoard, settings: Settings) -> str | None:
    lags = [lag for lag in await board.read() if lag.topic == settings.events_topic]
    return too_late(lags, partitions=settings.partitions, limit=LAG_MAX, now_ms=now_ms())


async def _lags(boards: Sequence[tuple[str, LagBoard]]) -> Mapping[str, Sequence[PartitionLag]]:
    """What the workers said last, by app; what was measured too long ago is not known."""
    oldest = now_ms() - LAG_FRESH_MS
    return {
        app: [lag if lag.measured_at_ms >= oldest else replace(lag, lag=None) for lag in await board.read()]
        for app, board in boards
    }


async def _keep(lease: Lease) -> None:
    """Renew the lease also after it was refused: a move that is called off leaves this process where it belongs."""
    while True:
        with suppress(LayoutLeft):
            await lease.keep()


async def _refresh(model: ServedModel) -> None:
    """Switch to a model that was trained or rolled back to; one that cannot be trusted leaves the old one in place."""
    while True:
        with suppress(OSError):
            if await asyncio.to_thread(model.refresh):
                _log.info("serving model %s", model.artifact.name)
        await asyncio.sleep(MODEL_EVERY_S)
