"""`rapport dead-letters`: what was set aside and why; look at it, mend the cause, replay it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

import msgspec
import typer
from rich.table import Table

from commands.output import JsonOption, console, emit
from commands.settings import settings_of
from events.log import KafkaLog
from events.shape import format_time
from profiles.redis_library import Client
from profiles.redis_store import redis_client
from streams.dead_letters import Contents, DeadLetter, unseal
from streams.redis_dead_letters import RedisDeadLetters

app = typer.Typer(name="dead-letters", no_args_is_help=True, help="Records that could not be used, and why.")

RedisOption = Annotated[str | None, typer.Option("--redis", help="URL of the store")]
KafkaOption = Annotated[str | None, typer.Option("--kafka", help="brokers, host:port")]


class LetterUnknown(Exception):
    """No letter of that id is kept (any more)."""


@app.command("list")
def list_letters(
    *,
    redis: RedisOption = None,
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
        table.add_row(letter.id, format_time(letter.at), letter.reason, letter.detail)
    console.print(table)


@app.command()
def show(
    letter_id: Annotated[str, typer.Argument(metavar="ID")],
    *,
    redis: RedisOption = None,
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
        console.print(f"[bold]{name:10}[/] {value}", highlight=False)


@app.command()
def replay(
    letter_id: Annotated[str | None, typer.Argument(metavar="[ID]", help="one letter; else all of --reason")] = None,
    *,
    redis: RedisOption = None,
    kafka: KafkaOption = None,
    reason: Annotated[str | None, typer.Option(help="all letters set aside for this reason")] = None,
    json: JsonOption = False,
) -> None:
    """Send letters to the topic they came from, in their order, and drop each once it is acknowledged.

    An event that was applied after all is known by its id and does not count again; one that still cannot be used
    is set aside again.
    """
    if (letter_id is None) == (reason is None):
        raise typer.BadParameter("name one letter, or a --reason")
    sent, not_kept = asyncio.run(_replay(redis, kafka, letter_id=letter_id, reason=reason))
    if json:
        emit({"replayed": sent, "not_kept": not_kept})
        return
    console.print(f"{sent} letters replayed" + (f"; what {not_kept} held was not kept" if not_kept else ""))


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
) -> tuple[int, int]:
    settings = settings_of(kafka=kafka, redis=redis)
    log = KafkaLog(brokers=settings.kafka, topic=settings.events_topic, epoch=0)
    await log.start()
    try:
        async with _letters(redis) as letters:
            chosen = [letter async for letter in letters.listed() if letter_id == letter.id or letter.reason == reason]
            if letter_id is not None and not chosen:
                raise LetterUnknown(f"no dead letter {letter_id} is kept")
            kept = [letter for letter in chosen if letter.sealed]
            for letter in kept:
                contents = await _contents(letters, letter)
                await log.publish(
                    topic=letter.topic, key=contents.key, value=contents.value or b"", partition=letter.partition
                )
                await letters.drop(letter.id)
            return len(kept), len(chosen) - len(kept)
    finally:
        await log.stop()


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
