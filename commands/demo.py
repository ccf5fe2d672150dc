"""`rapport demo`: load the demo world into an installation once, and list the people of its stories."""

import asyncio
import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from pydantic import ValidationError
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from commands.clock import now_ms
from commands.demo_world import World, world
from commands.demo_world_diary import SOURCE
from commands.logs import known_epochs, standing_checkpoints
from commands.output import JsonOption, console, emit
from commands.settings import Settings, settings_of
from events.history import History
from events.shape import Natural, Shape
from events.vocabulary import TWO_SIDED
from profiles.redis_store import RedisStore
from streams.producer import IntakeProducer

app = typer.Typer(
    name="demo", no_args_is_help=True, help="The demo world: some four hundred people whose truth is known."
)

SEED: Final = 7
STATE: Final = "demo.json"
_POLL_S: Final = 0.1

Reached = Mapping[str, int]
"""What was admitted, folded and archived, counted in offsets."""

SeedOption = Annotated[int, typer.Option(help="which demo world; the same seed is the same people")]


class DemoNotLoaded(Exception):
    """The demo world is not in this installation; the text says why and what to do."""


class DemoState(Shape):
    """What the data folder remembers: the seed, the moment (ms) the world is as of, and whether all of it arrived."""

    seed: int
    now: Natural
    loaded: bool


@app.command()
def load(
    *,
    seed: SeedOption = SEED,
    within_s: Annotated[float, typer.Option("--within", min=1, help="seconds until all must be folded")] = 240.0,
    json: JsonOption = False,
) -> None:
    """Send the demo world, and wait until it is in the profiles and in history. A second time does nothing."""
    settings = settings_of()
    path = settings.data / STATE
    state = _state(path) or DemoState(seed=seed, now=now_ms(), loaded=False)
    if state.seed != seed:
        raise DemoNotLoaded(
            f"the demo world of seed {state.seed} was begun here; another one needs another data folder"
        )
    made = world(seed=seed, now=state.now)
    started = time.monotonic()
    if not state.loaded:
        # The moment is remembered before the first event leaves, so that whoever repeats this repeats the same events.
        _remember(path, state)
        _load_shown(settings, made, within_s=within_s, quiet=json)
        _remember(path, state.model_copy(update={"loaded": True}))
    _say(made, state, seconds=time.monotonic() - started, as_json=json)


@app.command()
def people(*, seed: SeedOption = SEED, json: JsonOption = False) -> None:
    """List the people of the stories; as JSON everybody, with what is true of them."""
    made = world(seed=seed, now=now_ms())
    if json:
        emit([asdict(person) for person in made.people])
        return
    table = Table("story", "identities", "consent", "what to see")
    for person in made.cast:
        table.add_row(str(person.story), "\n".join(person.identities), person.consent, person.about)
    console.print(table)


def _say(made: World, state: DemoState, *, seconds: float, as_json: bool) -> None:
    said = {"seed": state.seed, "people": len(made.people), "events": len(made.events), "was_loaded": state.loaded}
    if as_json:
        emit(said | {"seconds": round(seconds, 1)})
    elif state.loaded:
        console.print(f"the demo world of seed {state.seed} is loaded already; nothing was sent")
    else:
        console.print(f"{len(made.people)} people and {len(made.events)} events loaded in {seconds:.1f} s")


def _load_shown(settings: Settings, made: World, *, within_s: float, quiet: bool) -> None:
    columns = (TextColumn("{task.description:9}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console, transient=True, disable=quiet) as progress:
        wanted = _wanted(made)
        tasks = {step: progress.add_task(step, total=total) for step, total in wanted.items()}

        def told(reached: Reached) -> None:
            for step, count in reached.items():
                progress.update(tasks[step], completed=min(count, wanted[step]))

        asyncio.run(_load(settings, made, wanted=wanted, within_s=within_s, told=told))


def _wanted(made: World) -> Reached:
    facts = len(made.events) + sum(event["type"] in TWO_SIDED for event in made.events)
    return {"admitted": len(made.events), "folded": facts, "archived": facts}


async def _load(
    settings: Settings, made: World, *, wanted: Reached, within_s: float, told: Callable[[Reached], None]
) -> None:
    store = await RedisStore.connect(settings.redis, cluster=settings.redis_cluster, partitions=settings.partitions)
    try:
        before = await _reached(settings, store)
        await asyncio.to_thread(_send, settings, made.events)
        deadline = time.monotonic() + within_s
        while missing := _missing(await _reached(settings, store), before, wanted, told):
            if time.monotonic() > deadline:
                raise DemoNotLoaded(_behind(missing, within_s))
            await asyncio.sleep(_POLL_S)
    finally:
        await store.close()


def _missing(
    reached: Reached, before: Reached, wanted: Reached, told: Callable[[Reached], None]
) -> dict[str, tuple[int, int]]:
    """What has not arrived yet: step -> how much of it has, of how much."""
    grown = {step: reached[step] - before[step] for step in wanted}
    told(grown)
    return {step: (grown[step], total) for step, total in wanted.items() if grown[step] < total}


def _behind(missing: Mapping[str, tuple[int, int]], within_s: float) -> str:
    how_far = ", ".join(f"{step} {count} of {total}" for step, (count, total) in missing.items())
    hint = "are `rapport worker --app profiles` and `--app history` running? The same command tries again"
    return f"the demo world did not arrive within {within_s:g} s ({how_far}); {hint}"


async def _reached(settings: Settings, store: RedisStore) -> Reached:
    epochs = await known_epochs(store)
    history = History(settings.history)
    ends = (history.contiguous_end(epochs[-1].epoch, each) if epochs else 0 for each in range(settings.partitions))
    return {
        "admitted": await _behind_them(settings, store, settings.intake_topic(SOURCE)),
        "folded": await _behind_them(settings, store, settings.events_topic),
        "archived": sum(ends),
    }


async def _behind_them(settings: Settings, store: RedisStore, topic: str) -> int:
    found = await standing_checkpoints(settings, store, topic=topic)
    return sum(checkpoint.offset for checkpoint in found if checkpoint is not None)


def _send(settings: Settings, events: Sequence[Mapping[str, Any]]) -> None:
    """All over the topic bound to the source, so that each identity's consents come before what they open for."""
    with IntakeProducer(brokers=settings.brokers, topic=settings.intake_topic(SOURCE)) as producer:
        for place, event in enumerate(events):
            producer.send(place=place, key=str(event["subject"]).encode(), value=json.dumps(event).encode())
        producer.flush()


def _state(path: Path) -> DemoState | None:
    try:
        return DemoState.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError):
        raise DemoNotLoaded(f"{path} cannot be read; take it away to load the demo world again") from None


def _remember(path: Path, state: DemoState) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.write_text(state.model_dump_json() + "\n")
    fresh.replace(path)
