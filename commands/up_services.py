"""The processes of `rapport up`: what runs, in which order, when each is ready, and when it may end."""

import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from signal import SIGTERM
from typing import Final

from pydantic import SecretStr

from commands.clock import now_ms
from commands.lag_board import read_board, read_outboxes
from commands.logs import PROFILES
from commands.settings import Settings
from commands.up_drain import Drained
from embedded.broker import broker_service
from embedded.ports import free_ports, held_port
from embedded.restart import RestartPolicy
from embedded.service import Service
from embedded.store import store_service, store_url
from streams.lag import PartitionLag, too_late

PATIENT: Final = RestartPolicy(crashes_max=10, window_s=120.0)
_INHERITED: Final = ("PATH", "HOME", "LANG", "TZ", "OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")
"""What a process of ours may know of the shell it was started from."""


_OF_ONE_PROCESS: Final = ("instance_id",)
"""Settings that no two processes may share."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """One `rapport up`: its settings with every address filled in, and which servers are its own.

    `train_every` says how old a model may grow, such as 1h; None trains once, at the start.
    """

    settings: Settings
    own_store_port: int | None
    own_broker_port: int | None
    accept_gap: bool = False
    demo: bool = True
    train_every: str | None = None

    @property
    def api_url(self) -> str:
        """Where the API answers."""
        return f"http://{self.settings.host}:{self.settings.port}"


@contextmanager
def arranged(
    settings: Settings,
    *,
    kafka: str | None,
    redis: str | None,
    accept_gap: bool,
    demo: bool,
    train_every: str | None = None,
) -> Iterator[Run]:
    """The run with a free port for every server that is its own. OSError when the API's port is taken.

    The API comes last, after minutes perhaps, so its port is held for as long as the block.
    """
    broker_port, store_port, spare = free_ports(3)
    port = settings.port or spare
    addresses = {"kafka": kafka or f"127.0.0.1:{broker_port}", "redis": redis or store_url(store_port), "port": port}
    with held_port(settings.host, port):
        yield Run(
            settings=settings.model_copy(update=addresses),
            own_store_port=None if redis else store_port,
            own_broker_port=None if kafka else broker_port,
            accept_gap=accept_gap,
            demo=demo,
            train_every=train_every,
        )


def services(run: Run) -> list[Service]:
    """Everything that runs, in the order in which it starts; it ends the other way round.

    History starts before the profiles, so that it ends after them and has seen every fact they made.
    """
    logs = run.settings.data / "logs"
    adopt = ["--accept-gap"] if run.accept_gap else []
    own = _servers(run, logs)
    if run.own_broker_port is not None:
        # Its log is another one at each start. A log that is not ours to lose is adopted by a person only.
        own.append(_step(run, "log", "log", "follow", *adopt))
    # Both join their groups at once: only the second is waited for.
    history = replace(_worker(run, "history", topics=(run.settings.events_topic,)), ready=None)
    own += [history, _worker(run, PROFILES, topics=(*run.settings.topics_read, run.settings.decisions_topic))]
    own.append(_kept_going(run, "keeper", "keeper"))
    if run.demo:
        own.append(_step(run, "demo", "demo", "load", timeout_s=300))
    own.append(_step(run, "train", "train", "--json", timeout_s=600))
    own.append(_api(run))
    if run.train_every is not None:
        own.append(_kept_going(run, "trainer", "train", "--json", "--every", run.train_every))
    return own


def _servers(run: Run, logs: Path) -> list[Service]:
    servers = []
    if run.own_store_port is not None:
        folder = run.settings.data / "store"
        servers.append(store_service(port=run.own_store_port, folder=folder, log=logs / "store.log", restart=PATIENT))
    if run.own_broker_port is not None:
        servers.append(broker_service(port=run.own_broker_port, log=logs / "broker.log"))
    return servers


def _worker(run: Run, app: str, *, topics: Sequence[str]) -> Service:
    lags = partial(read_board, run.settings, app=app)
    waiting = partial(read_outboxes, run.settings, app=app, topics=topics)
    drained = Drained(lags=lags, waiting=waiting, topics=topics, partitions=run.settings.partitions)
    return Service(
        name=app,
        argv=_rapport("worker", "--app", app),
        environment=environment(run.settings),
        log=run.settings.data / "logs" / f"{app}.log",
        ready=lambda: _is_reading(lags(), run.settings, topics=topics),
        ready_timeout_s=90.0,
        restart=PATIENT,
        # Nothing is lost by leaving a log that goes on without us.
        drained=drained if run.own_broker_port is not None else None,
        drain_timeout_s=60.0,
        stop_timeout_s=15.0,
    )


def _kept_going(run: Run, name: str, *words: str) -> Service:
    """A command that goes on for as long as the run does, and that nothing waits for."""
    return Service(
        name=name,
        argv=_rapport(*words),
        environment=environment(run.settings),
        log=run.settings.data / "logs" / f"{name}.log",
        restart=PATIENT,
    )


def _api(run: Run) -> Service:
    return Service(
        name="api",
        argv=_rapport("api"),
        environment=environment(run.settings),
        log=run.settings.data / "logs" / "api.log",
        ready=partial(is_well, run.settings.host, run.settings.port),
        ready_timeout_s=60.0,
        restart=PATIENT,
        # It has worker processes of its own, which it ends itself.
        orphan_signal=SIGTERM,
    )


def _step(run: Run, name: str, *words: str, timeout_s: float = 60.0) -> Service:
    return Service(
        name=name,
        argv=_rapport(*words),
        environment=environment(run.settings),
        log=run.settings.data / "logs" / f"{name}.log",
        finishes=True,
        ready_timeout_s=timeout_s,
    )


def _rapport(*words: str) -> list[str]:
    return [sys.executable, "-c", "import cli; cli.main()", *words]


def environment(settings: Settings) -> Mapping[str, str]:
    """The settings as our other processes read them; a key from the environment is handed on, one in a file is not."""
    said = {
        f"RAPPORT_{name.upper()}": _written(value)
        for name in Settings.model_fields
        if name not in _OF_ONE_PROCESS and (value := getattr(settings, name)) is not None
    }
    return {name: os.environ[name] for name in _INHERITED if name in os.environ} | said


def _written(value: object) -> str:
    match value:
        case SecretStr():
            return value.get_secret_value()
        case Path():
            return str(value.resolve())
        case tuple():
            return json.dumps(value)
        case _:
            return str(value)


def _is_reading(lags: Sequence[PartitionLag], settings: Settings, *, topics: Sequence[str]) -> bool:
    """Whether every partition of the topics is owned, however far behind."""
    return all(
        too_late(
            [lag for lag in lags if lag.topic == topic], partitions=settings.partitions, limit=10**9, now_ms=now_ms()
        )
        is None
        for topic in topics
    )


def is_well(host: str, port: int) -> bool:
    """Whether an API listens there and says that it is well."""
    connection = HTTPConnection(host, port, timeout=2.0)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()
