"""`rapport up`: the whole service on this machine under one supervisor, with a demo world and a first model."""

import errno
import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer
from rich.panel import Panel
from rich.table import Table

from api.auth import Role
from commands.keys import demo_keys
from commands.output import console
from commands.running import tell_running
from commands.settings import READY_FILE, RUNNING_FILE, Settings, make_keyring, settings_of
from commands.train_schedule import NEVER, seconds_of
from commands.up_services import Run, arranged, services
from embedded.process import NotReady
from embedded.supervisor import Happening, ServiceLost, Supervisor

EMBEDDED_PARTITIONS = 8
LOCK_FILE = "up.lock"
_LAST_WORDS = 4096

_WORDS = {
    "store": "store (Valkey, every write on disk)",
    "broker": "broker (Kafka protocol, in memory)",
    "log": "topics and log",
    "history": "history worker",
    "profiles": "profile worker (Faust)",
    "demo": "demo world",
    "train": "first training (LightFM)",
    "api": "API",
    "trainer": "later trainings",
}


class PortTaken(Exception):
    """The API cannot listen where it should, mostly since something else does."""


class NotStarted(Exception):
    """The service could not be started, or ended; the text says why."""


def up(
    *,
    data: Annotated[Path, typer.Option(help="folder of everything that stays")] = Path("rapport-data"),
    kafka: Annotated[str | None, typer.Option(help="brokers that run already, instead of one of our own")] = None,
    redis: Annotated[str | None, typer.Option(help="URL of a store that runs already")] = None,
    port: Annotated[int | None, typer.Option(help="where the API listens; 0 takes a free one")] = None,
    partitions: Annotated[int, typer.Option(help="partitions of every topic")] = EMBEDDED_PARTITIONS,
    demo: Annotated[bool, typer.Option(help="begin with a demo world")] = True,
    train_every: Annotated[str, typer.Option(help="how old a model may grow, such as 30m; or never")] = "1h",
    accept_gap: Annotated[bool, typer.Option("--accept-gap", help="go on although facts are lost")] = False,
    ready_file: Annotated[Path | None, typer.Option(help="where to write the addresses and keys once ready")] = None,
) -> None:
    """Start everything and stay until Ctrl-C; then drain, stop everything, and leave no process behind."""
    folder = data.resolve()
    every = None if train_every == NEVER else train_every
    if every is not None:
        seconds_of(every)
    with _alone(folder), _told_by([folder / READY_FILE, *([ready_file] if ready_file else [])], folder) as files:
        settings = settings_of(data=folder, port=port, partitions=partitions)
        make_keyring(settings)
        keys = demo_keys(settings)
        asked = arranged(settings, kafka=kafka, redis=redis, accept_gap=accept_gap, demo=demo, train_every=every)
        with _arranged(settings, asked) as run:
            _supervised(run, keys, files)
    console.print("everything is stopped; the data stays in", str(folder))


@contextmanager
def _arranged(settings: Settings, asked: AbstractContextManager[Run]) -> Iterator[Run]:
    with ExitStack() as held:
        try:
            run = held.enter_context(asked)
        except OSError as error:
            where = f"{settings.host}:{settings.port}"
            if error.errno == errno.EADDRINUSE:
                raise PortTaken(f"{where} is taken; choose another with --port") from error
            raise PortTaken(f"the API cannot listen on {where}: {error.strerror}") from error
        yield run


def _supervised(run: Run, keys: dict[Role, str], files: list[Path]) -> None:
    all_of_them = services(run)
    shown = _Shown()
    try:
        Supervisor(all_of_them, tell=shown.tell).run(when_ready=lambda: _ready(run, keys, files))
    except (NotReady, ServiceLost) as error:
        logs = {service.name: service.log for service in all_of_them}
        raise NotStarted(_last_words(logs.get(shown.last)) or str(error)) from error


def _last_words(log: Path | None) -> str | None:
    """The sentence a process of ours ended with, when it ended with one."""
    if log is None or not log.exists():
        return None
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - _LAST_WORDS))
        lines = file.read().decode(errors="replace").split("\n")
    said = next((line for line in reversed(lines) if line), "")
    return said.removeprefix("rapport: ") if said.startswith("rapport: ") else None


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Two stores on one folder would write into each other's file; the lock goes with the process."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK_FILE).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise NotStarted(f"another `rapport up` runs on {folder}; stop it, or choose another --data") from error
        yield


@contextmanager
def _told_by(files: list[Path], folder: Path) -> Iterator[list[Path]]:
    """Files that exist only while everything is ready: those left by a run that was killed go first."""
    passing = [*files, folder / RUNNING_FILE]
    for file in passing:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.unlink(missing_ok=True)
    try:
        yield files
    finally:
        for file in passing:
            file.unlink(missing_ok=True)


@dataclass
class _Shown:
    """Tells a person what happens, one line each; `last` is the service that something happened to before the end."""

    last: str = field(default="", init=False)

    def tell(self, happening: Happening) -> None:
        if happening.what not in {"stopping", "stopped", "killed"}:
            self.last = happening.service
        words = _WORDS.get(happening.service, happening.service)
        mark = {"ready": "[green]✓[/]", "crashed": "[red]✗[/]", "killed": "[red]✗[/]"}.get(happening.what, "·")
        detail = f" ({happening.detail})" if happening.detail else ""
        console.print(f"{mark} {words}: {happening.what}{detail}", highlight=False)


def _ready(run: Run, keys: dict[Role, str], files: list[Path]) -> None:
    said = {
        "api": run.api_url,
        "kafka": run.settings.kafka,
        "redis": run.settings.redis,
        "keys": {role.value: key for role, key in keys.items()},
    }
    tell_running(run.settings)
    for file in files:
        _write_private(file, json.dumps(said, indent=1))
    console.print(_addresses(run, keys))
    # Outside any frame and never wrapped, so that they can be copied as they are.
    for line in (*_lines_to_try(run, keys[Role.AGENT]), "", _NEXT):
        console.print(line, soft_wrap=True, markup=False, highlight=False)


def _write_private(file: Path, text: str) -> None:
    """Where a watcher sees the whole file or none, and nobody else can read it."""
    fresh = file.with_name(f".{file.name}.{os.getpid()}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as opened:
        opened.write(text + "\n")
    fresh.replace(file)


def _addresses(run: Run, keys: dict[Role, str]) -> Panel:
    table = Table.grid(padding=(0, 2))
    table.add_row("API", run.api_url)
    table.add_row("its OpenAPI", f"{run.api_url}/openapi.json")
    table.add_row("Kafka", run.settings.kafka)
    table.add_row("store", run.settings.redis)
    for role, key in keys.items():
        table.add_row(f"{role.value} key", key)
    return Panel(table, title="Rapport is ready", border_style="green", expand=False)


def _lines_to_try(run: Run, agent_key: str) -> list[str]:
    bearer = f'-H "Authorization: Bearer {agent_key}"'
    said = "-H 'Content-Type: application/json' -d '{\"identity\": \"app:anna\"}'"
    lookup = f"curl -s {run.api_url}/v1/customers/lookup {bearer} {said}"
    customer = f"{run.api_url}/v1/customers/$REF"
    return [
        f"REF=$({lookup} | cut -d'\"' -f4)",
        f"curl -s {customer} {bearer}",
        f"curl -s '{run.api_url}/v1/customers/'$REF'/suggestions?k=3&channel=app' {bearer}",
    ]


_NEXT = "In another terminal: `rapport tour`. Here: Ctrl-C drains and stops everything."
