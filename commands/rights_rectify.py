"""`rapport rights rectify`: take a wrong fact about a person out, from the data folder, the store and the log."""

import asyncio
import re
import time
from typing import Annotated, Final

import typer

from commands.client import IdentityArgument
from commands.clock import now_ms
from commands.declaring import note_at_the_machine, pseudonym_of
from commands.logs import PROFILES, known_epochs
from commands.options import DataFolderOption, NotedOption, StoreOption
from commands.output import JsonOption, console, emit
from commands.rights_rectifying import NotRectified, Rectification
from commands.sealing import sealing_of
from commands.settings import Settings, keyring_of, settings_of
from events.history import History
from events.log import KafkaLog
from events.position import Position, Stream
from profiles.redis_store import RedisStore

WAIT_S: Final = 60.0
PAUSE_S: Final = 0.1


def position_of(text: str) -> Position:
    """A position as it is written, such as 1.3.42; typer.BadParameter otherwise."""
    if not re.fullmatch(r"[0-9]{1,9}\.[0-9]{1,4}\.[0-9]{1,15}", text, re.ASCII):
        raise typer.BadParameter("a position is written epoch.partition.offset, as in 1.3.42")
    return Position(*map(int, text.split(".")))


def rectify(
    identity: IdentityArgument,
    position: Annotated[str, typer.Argument(help="where the wrong fact stands, as events.json of `access` says")],
    *,
    what_for: NotedOption = "request",
    redis: StoreOption = None,
    kafka: Annotated[str | None, typer.Option(help="brokers, host:port, separated by commas")] = None,
    data: DataFolderOption = None,
    json: JsonOption = False,
) -> None:
    """Fold an identity anew without a wrong fact, while workers run. It stays out however often it is replayed."""
    settings = settings_of(redis=redis, kafka=kafka, data=data)
    wrong = position_of(position)
    who = pseudonym_of(settings, identity)
    note_at_the_machine(settings, who, what="rectification", what_for=what_for)
    place = asyncio.run(_rectified(settings, wrong, who))
    if json:
        emit({"without": str(wrong), "noted_at": str(place)})
    else:
        console.print(f"{wrong} is taken out; that it was is noted at {place}", soft_wrap=True)


async def _rectified(settings: Settings, wrong: Position, who: str) -> Position:
    store = await RedisStore.connect(settings.redis, cluster=settings.redis_cluster, partitions=settings.partitions)
    try:
        epoch = max((each.epoch for each in await known_epochs(store)), default=1)
        sealing = sealing_of(settings, keyring_of(settings))
        log = KafkaLog(brokers=settings.kafka, topic=settings.events_topic, epoch=epoch, sealing=sealing)
        await log.start()
        try:
            history = History(settings.history, sealing)

            async def passed(place: Position) -> None:
                deadline = time.monotonic() + WAIT_S
                while not await _is_behind(settings, store, history, place):
                    if time.monotonic() > deadline:
                        raise NotRectified("it is not folded and archived yet: do workers run? Then ask again")
                    await asyncio.sleep(PAUSE_S)

            return await Rectification(
                history=history,
                log=log,
                profiles=store,
                passed=passed,
                partitions=settings.partitions,
                clock=now_ms,
            ).take_out(wrong, identity=who)
        finally:
            await log.stop()
    finally:
        await store.close()


async def _is_behind(settings: Settings, store: RedisStore, history: History, place: Position) -> bool:
    """Whether profiles and history have the position behind them."""
    epoch, partition, offset = place
    found = await store.checkpoint(Stream(PROFILES, settings.events_topic, partition))
    if found is None or (found.epoch, found.offset) <= (epoch, offset):
        return False
    return await asyncio.to_thread(history.contiguous_end, epoch, partition) > offset
