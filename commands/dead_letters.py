"""`rapport dead-letters`: what was set aside and why; look at it, mend the cause, replay it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Annotated, Any, Final, get_args

import msgspec
import typer
from rich.markup import escape
from rich.table import Table

from commands.clock import now_ms
from commands.options import StoreOption
from commands.output import JsonOption, console, emit
from commands.sealing import opening_of, sealing_of
from commands.settings import keyring_of, settings_of
from consent.redis_holds import RedisHolds
from events.log import KafkaLog
from events.shape import format_time
from profiles.redis_library import Client
from profiles.redis_store import RedisStore, redis_client
from streams.admin import topic_ids
from streams.dead_letters import Contents, DeadLetter, unseal
from streams.dead_letters_replay import Outcome, Replayer, no_in
from streams.redis_dead_letters import RedisDeadLetters

app = typer.Typer(name="dead-letters", no_args_is_help=True, help="Records that could not be used, and why.")

KafkaOption = Annotated[str | None, typer.Option("--kafka", help="brokers, host:port")]


_SAID: Final[dict[Outcome, str]] = {
    "applied": "count now",
    "refused": "were set aside again and stay",
    "behind": "stay behind one of the same identity",
    "not_kept": "without what they held",
    "gone": "were gone already",
    "unknown": "were not taken up",
}


class LetterUnknown(Exception):
    """No letter of that id is kept (any more)."""


class ReplayUnfinished(Exception):
    """What became of some letters is not known; they stay."""


class NoKept(Exception):
    """A person's no is not thrown away."""


@app.command("list")
def list_letters(
    *,
    redis: StoreOption = None,
    reason: Annotated[str | None, typer.Option(help="only letters set aside for this reason")] = None,
    json: JsonOption = False,
) -> None:
    """List what was set aside in the last fourteen days: where it stood and why, never what it held."""
    letters = [letter for letter in asyncio.run(_listed(redis)) if reason in {None, letter.reason}]
    if json:
        emit([_plain(letter) for letter in letters])
        return
    table = Table("id", "set aside", "reason", "detail", title=f"{len(letters)} dead letters")
    for letter in letters:
        table.add_row(letter.id, format_time(letter.at), letter.reason, escape(letter.detail))
    console.print(table)


@app.command()
def show(
    letter_id: Annotated[str, typer.Argument(metavar="ID")],
    *,
    redis: StoreOption = None,
    reveal: Annotated[bool, typer.Option("--open", help="decrypt what it held: personal data on your screen")] = False,
    json: JsonOption = False,
) -> None:
    """Show one letter, with `--open` also what it held."""
    letter, contents = asyncio.run(_found(redis, letter_id, reveal=reveal))
    said = _plain(letter) | _revealed(contents)
    if json:
        emit(said)
        return
    for name, value in said.items():
        console.print(f"[bold]{name:10}[/] {escape(_harmless(str(value)))}", highlight=False)


@app.command()
def replay(
    letter_id: Annotated[str | None, typer.Argument(metavar="[ID]", help="one letter; else all of --reason")] = None,
    *,
    redis: StoreOption = None,
    kafka: KafkaOption = None,
    reason: Annotated[str | None, typer.Option(help="all letters set aside for this reason")] = None,
    json: JsonOption = False,
) -> None:
    """Send letters to the topic they came from while a worker runs; each is dropped once its record counts.

    Those about one identity go one after the other: where one is set aside again it stays, and so do the later ones.
    An event that counted already is known by its id and does not count again, however often this is run.
    """
    if (letter_id is None) == (reason is None):
        raise typer.BadParameter("name one letter, or a --reason")
    outcomes = asyncio.run(_replay(redis, kafka, letter_id=letter_id, reason=reason))
    counts = {outcome: sum(each == outcome for each in outcomes.values()) for outcome in get_args(Outcome)}
    if json:
        emit(counts | {"letters": outcomes})
    else:
        console.print(", ".join(f"{count} {_SAID[outcome]}" for outcome, count in counts.items() if count) or "none")
    if counts["unknown"]:
        raise ReplayUnfinished("what was sent was not taken up in time: run it again once a worker keeps up")


@app.command()
def discard(
    letter_id: Annotated[str, typer.Argument(metavar="ID")], *, redis: StoreOption = None, json: JsonOption = False
) -> None:
    """Forget one letter for good, so that the later ones about the same identity can be replayed.

    A refusal or withdrawal of consent is never discarded: replay it.
    """
    asyncio.run(_discard(redis, letter_id))
    if json:
        emit({"discarded": letter_id})
        return
    console.print(f"{letter_id} is forgotten", markup=False)


@asynccontextmanager
async def _letters(redis: str | None) -> AsyncIterator[RedisDeadLetters]:
    settings = settings_of(redis=redis)
    client: Client = redis_client(settings.redis, cluster=settings.redis_cluster)
    try:
        yield RedisDeadLetters(client)
    finally:
        await client.aclose()


async def _listed(redis: str | None) -> list[DeadLetter]:
    async with _letters(redis) as letters:
        return [letter async for letter in letters.listed()]


async def _found(redis: str | None, letter_id: str, *, reveal: bool) -> tuple[DeadLetter, Contents | None]:
    async with _letters(redis) as letters:
        letter = await letters.find(letter_id)
        if letter is None:
            raise LetterUnknown(f"no dead letter {letter_id} is kept")
        return letter, await _contents(letters, letter) if reveal else None


async def _contents(letters: RedisDeadLetters, letter: DeadLetter) -> Contents:
    key = await letters.key_of(letter.day, make=False)
    if key is None:
        raise LetterUnknown(f"the key of the day of {letter.id} is gone, and what it held with it")
    return unseal(letter, {letter.day: key})


async def _replay(
    redis: str | None, kafka: str | None, *, letter_id: str | None, reason: str | None
) -> dict[str, Outcome]:
    settings = settings_of(kafka=kafka, redis=redis)
    async with AsyncExitStack() as stack:
        letters = await stack.enter_async_context(_letters(redis))
        chosen = [letter async for letter in letters.listed() if letter_id == letter.id or letter.reason == reason]
        if letter_id is not None and not chosen:
            raise LetterUnknown(f"no dead letter {letter_id} is kept")
        store = await RedisStore.connect(settings.redis, cluster=settings.redis_cluster, partitions=settings.partitions)
        stack.push_async_callback(store.close)
        log_ids = await asyncio.to_thread(topic_ids, settings.brokers, {letter.topic for letter in chosen})
        log = KafkaLog(brokers=settings.kafka, topic=settings.events_topic, epoch=0)
        await log.start()
        stack.push_async_callback(log.stop)
        replayer = Replayer(
            letters=letters,
            log=log,
            progress=store,
            holds=RedisHolds(store.client, partitions=settings.partitions),
            log_ids=log_ids,
            events_topic=settings.events_topic,
            partitions=settings.partitions,
            clock=now_ms,
            sealing=sealing_of(settings, keyring_of(settings)),
        )
        return await replayer.replay(chosen)


async def _discard(redis: str | None, letter_id: str) -> None:
    settings = settings_of(redis=redis)
    async with _letters(redis) as letters:
        letter = await letters.find(letter_id)
        if letter is None:
            raise LetterUnknown(f"no dead letter {letter_id} is kept")
        if (
            letter.sealed
            and letter.topic == settings.events_topic
            and await no_in(await _contents(letters, letter), sealing=opening_of(settings))
        ):
            raise NoKept("it holds a refusal or withdrawal of consent, which is not discarded: replay it")
        await letters.drop(letter_id)


def _plain(letter: DeadLetter) -> dict[str, Any]:
    where = {name: value for name, value in msgspec.structs.asdict(letter).items() if name not in {"sealed", "day"}}
    return {"id": letter.id, **where, "at": format_time(letter.at)}


def _revealed(contents: Contents | None) -> dict[str, str | None]:
    if contents is None:
        return {}
    return {
        "key": None if contents.key is None else contents.key.decode("utf-8", "backslashreplace"),
        "value": None if contents.value is None else contents.value.decode("utf-8", "backslashreplace"),
    }


def _harmless(text: str) -> str:
    """Text that somebody else wrote, without what a terminal would obey."""
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)
