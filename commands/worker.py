"""`rapport worker`: the event process. Builds the adapters of one app and runs it until it is told to stop."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Annotated, Final

import typer
import uvloop

from commands.clock import now_ms
from commands.garbage import look_for_garbage_rarely
from commands.lag_board import LagBoard
from commands.last_resort import end_within
from commands.lease import Lease, leased
from commands.logs import PROFILES, log_identities
from commands.options import DataFolderOption, StoreOption
from commands.sealing import sealing_of
from commands.settings import HISTORY, Keyring, Settings, keyring_of, settings_of
from commands.worker_outreach import OutreachPlant, outreach_plant
from commands.worker_topics import topics_ready
from consent.recording import Recorder
from consent.redis_act_records import RedisActRecords
from consent.redis_holds import RedisHolds
from consent.sweeper import Sweeper
from events.admission import Admission, Door
from events.history import History
from events.log import KafkaLog
from events.position import Stream
from events.pseudonyms import Pseudonyms
from events.sealing import Sealing
from outreach.deciding import Decider
from profiles.facet_cache import FacetCache
from profiles.redis_store import RedisStore
from profiles.store import ProfileStoreUnavailable
from streams.admin import TopicShape, is_embedded, log_bounds, topic_shapes
from streams.admit_work import AdmitWork
from streams.app import Companion, StreamApp, StreamSettings, build_app, serve
from streams.archive_work import ArchivedPositions, Archiver
from streams.candidate_relay import CandidateRelay
from streams.consent_relay import ConsentRelay
from streams.dead_letters import Undertaker
from streams.decide_work import DecideWork
from streams.fold_work import FoldWork
from streams.folding import LogIdentity, StoredCheckpoints, StreamFold, Work
from streams.lag import publish_lag
from streams.log_watch import watch_logs
from streams.ownership import Ownership
from streams.patience import tried
from streams.redis_checkpoints import RedisCheckpoints
from streams.redis_dead_letters import RedisDeadLetters
from streams.relay import Relay
from streams.seldom import Seldom
from streams.settling import settlers
from streams.store_watch import StoreWatch
from streams.timers import TimerWatch
from streams.watchdog import watch

_log = logging.getLogger(__name__)

STORE_DELAYS_S: Final = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0)
"""How long a store that reads its data, or is about to start, is waited for."""


class AppName(StrEnum):
    """The apps of the event process."""

    PROFILES = PROFILES
    HISTORY = HISTORY


@dataclass(frozen=True, kw_only=True)
class Plant:
    """What every app of one worker shares."""

    settings: Settings
    keyring: Keyring
    store: RedisStore
    lease: Lease
    logs: Mapping[str, LogIdentity]
    reading: StreamSettings
    stack: AsyncExitStack


def worker(
    *,
    app: Annotated[AppName, typer.Option(help="which app to run")] = AppName.PROFILES,
    kafka: Annotated[str | None, typer.Option(help="brokers, host:port")] = None,
    redis: StoreOption = None,
    data: DataFolderOption = None,
    partitions: Annotated[int | None, typer.Option(help="partitions of every topic")] = None,
    instance_id: Annotated[str | None, typer.Option(help="static membership (Apache Kafka)")] = None,
) -> None:
    """Fold events into profiles, or archive them, until SIGTERM."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    for handler in logging.getLogger().handlers:
        handler.addFilter(Seldom())
    for chatty in ("faust", "mode", "aiokafka", "kafka", "streams.transport"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    settings = settings_of(kafka=kafka, redis=redis, data=data, partitions=partitions, instance_id=instance_id)
    raise typer.Exit(run(settings, app=app))


def run(settings: Settings, *, app: AppName) -> int:
    """Run one app to its end; the exit status."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_serve(settings, app))


async def _serve(settings: Settings, app: AppName) -> int:
    async with _plant(settings, app) as plant:
        look_for_garbage_rarely()
        made = await (_profiles(plant) if app is AppName.PROFILES else _history(plant))
        ending = asyncio.create_task(_ending(made))
        try:
            return await serve(made)
        finally:
            ending.cancel()


async def _ending(app: StreamApp) -> None:
    await app.ending.wait()
    end_within()


@asynccontextmanager
async def _plant(settings: Settings, app: AppName) -> AsyncIterator[Plant]:
    keyring = keyring_of(settings)
    cluster = await topics_ready(settings)
    async with AsyncExitStack() as stack:
        connect = partial(
            RedisStore.connect, settings.redis, cluster=settings.redis_cluster, partitions=settings.partitions
        )
        store = await tried(
            connect, what="reaching the store", delays_s=STORE_DELAYS_S, only=(ProfileStoreUnavailable,)
        )
        stack.push_async_callback(store.close)
        lease = await stack.enter_async_context(leased(settings, store, name=f"worker {app}"))
        logs = await log_identities(settings, keyring=keyring, store=store)
        reading = StreamSettings(
            instance_id=settings.instance_id,
            session_timeout_s=settings.session_timeout_s,
            is_filled_late=is_embedded(cluster),
        )
        yield Plant(
            settings=settings, keyring=keyring, store=store, lease=lease, logs=logs, reading=reading, stack=stack
        )


async def _profiles(plant: Plant) -> StreamApp:
    letters = RedisDeadLetters(plant.store.client)
    sealing = sealing_of(plant.settings, plant.keyring)
    holds = RedisHolds(plant.store.client, partitions=plant.settings.partitions)
    log = KafkaLog(
        brokers=plant.settings.kafka,
        topic=plant.settings.events_topic,
        epoch=plant.logs[plant.settings.events_topic].epoch,
        sealing=sealing,
    )
    await log.start()
    plant.stack.push_async_callback(log.stop)
    outreach = outreach_plant(plant.settings, plant.keyring, store=plant.store, holds=holds, log=log)
    works = _works(plant, letters=letters, log=log, outreach=outreach, sealing=sealing)
    relay = Relay(
        store=plant.store,
        publish={
            "candidate": CandidateRelay(outreach.decider, now_ms),
            "release": ConsentRelay(log, plant.settings.consent_topic),
        },
        settle=settlers(letters=letters, holds=holds),
        owned=lambda: _owned(app.ownership),
    )
    records = RedisActRecords(plant.store.client)
    recorder = Recorder(records=records, holds=holds, log=log, partitions=plant.settings.partitions)
    app = _app(plant, works=works, relay=relay, recorder=recorder, decider=outreach.decider)
    return app


def _works(
    plant: Plant, *, letters: RedisDeadLetters, log: KafkaLog, outreach: OutreachPlant, sealing: Sealing
) -> dict[str, Work]:
    partitions = plant.settings.partitions
    pseudonyms = Pseudonyms(plant.keyring.pseudonym_key, plant.settings.region)
    admission = Admission(pseudonyms=pseudonyms, partitions=partitions)
    undertaker = Undertaker(keys=letters)
    works: dict[str, Work] = {
        topic: AdmitWork(
            admission=admission, door=Door(name=topic, source=source), log=log, undertaker=undertaker, clock=now_ms
        )
        for topic, source in plant.settings.intakes.items()
    }
    works[plant.settings.events_topic] = FoldWork(
        facets=FacetCache(plant.store),
        undertaker=undertaker,
        candidates=outreach.candidates,
        clock=now_ms,
        partitions=partitions,
        sealing=sealing,
    )
    works[plant.settings.decisions_topic] = DecideWork(decider=outreach.decider, undertaker=undertaker, clock=now_ms)
    return works


def _app(plant: Plant, *, works: Mapping[str, Work], relay: Relay, recorder: Recorder, decider: Decider) -> StreamApp:
    folds = {
        topic: StreamFold(
            app=PROFILES, topic=topic, log=plant.logs[topic], store=plant.store, work=work, on_outbox=relay.wake
        )
        for topic, work in works.items()
    }
    starts = partial(_starts, plant.settings)
    checkpoints = StoredCheckpoints(app=PROFILES, store=plant.store, starts=starts, logs=plant.logs)

    async def relaying(_ownership: Ownership) -> None:
        await relay.run()

    async def sweeping(ownership: Ownership) -> None:
        mine = partial(_partitions_of, ownership, plant.settings.events_topic)
        await Sweeper(recorder=recorder, partitions=mine, clock=now_ms).run()

    async def watching_timers(ownership: Ownership) -> None:
        mine = partial(_partitions_of, ownership, plant.settings.decisions_topic)
        await TimerWatch(decider=decider, partitions=mine, clock=now_ms).run()

    async def watching_the_store(ownership: Ownership) -> None:
        standing = RedisCheckpoints(plant.store.client)
        await StoreWatch(ownership=ownership, app=PROFILES, folds=folds, standing=standing).run()

    own: list[Companion] = [relaying, sweeping, watching_timers, watching_the_store]
    return build_app(
        plant.settings.group(PROFILES),
        brokers=plant.settings.brokers,
        routes=folds,
        checkpoints=checkpoints,
        partitions=plant.settings.partitions,
        settings=plant.reading,
        companions=[*own, *_companions(plant, PROFILES, topics=folds)],
    )


async def _history(plant: Plant) -> StreamApp:
    archive = History(plant.settings.history)
    archiver = Archiver(archive=archive, log=plant.logs[plant.settings.events_topic])
    # What is gathered and not yet written is written before the process ends: the log may not outlive it.
    plant.stack.push_async_callback(archiver.flush)

    async def flushing(_ownership: Ownership) -> None:
        await archiver.run()

    return build_app(
        plant.settings.group(HISTORY),
        brokers=plant.settings.brokers,
        routes={plant.settings.events_topic: archiver},
        checkpoints=ArchivedPositions(archive=archive, log=plant.logs[plant.settings.events_topic]),
        partitions=plant.settings.partitions,
        settings=plant.reading,
        companions=[flushing, *_companions(plant, HISTORY, topics=[plant.settings.events_topic])],
    )


def _companions(plant: Plant, name: str, *, topics: Iterable[str]) -> list[Companion]:
    board = LagBoard(plant.store.client, app=name)
    followed = {topic: TopicShape(plant.logs[topic].topic_id, plant.settings.partitions) for topic in topics}

    async def telling_the_lag(ownership: Ownership) -> None:
        await publish_lag(ownership, publish=board.publish)

    async def watched(ownership: Ownership) -> None:
        watch(ownership, ends=partial(log_bounds, plant.settings.brokers))
        await asyncio.Event().wait()

    async def watching_the_logs(ownership: Ownership) -> None:
        await watch_logs(ownership, followed=followed, look=partial(topic_shapes, plant.settings.brokers))

    return [telling_the_lag, watched, watching_the_logs, plant.lease.keep]


async def _starts(settings: Settings, topic: str) -> dict[int, int]:
    bounds = await asyncio.to_thread(log_bounds, settings.brokers, [topic])
    return {partition: bound.first for (_, partition), bound in bounds.items()}


def _owned(ownership: Ownership) -> list[Stream]:
    return [Stream(PROFILES, topic, partition) for topic, partition in list(ownership.claims)]


def _partitions_of(ownership: Ownership, topic: str) -> list[int]:
    return [partition for name, partition in list(ownership.claims) if name == topic]
