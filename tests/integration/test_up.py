"""`rapport up`, from its start to its end: what is acknowledged stays, and no process is left behind."""

import json
import os
import signal
import socket
from contextlib import ExitStack
from contextlib import closing as closed
from pathlib import Path
from typing import Any

import pytest
import redis

from commands.opened_history import history_of
from commands.settings import settings_of
from embedded.ports import LOOPBACK
from tests.asking import answered
from tests.builders import event, money
from tests.installation import installation_in
from tests.integration.up_run import PARTITIONS, Caller, Up, alive, rapport, up
from tests.waiting import until

pytestmark = [pytest.mark.servers, pytest.mark.timeout(1200)]


def purchases(count: int, *, subject: str) -> list[dict[str, Any]]:
    return [
        event("transaction.purchased", subject=subject, order_id=f"{subject}-{at}", total=money(100))
        for at in range(count)
    ]


def bought(caller: Caller, count: int, *, subject: str) -> str:
    """Orders, acknowledged; the token to wait for them with."""
    batch = purchases(count, subject=subject)
    sent = answered(lambda: caller.ask("POST", "/v1/events", role="ingest", json=batch))
    assert sent.status_code == 202, sent.text
    return str(sent.json()["after"])


def orders(caller: Caller, subject: str, *, after: str | None = None) -> int:
    return int(caller.customer(subject, after=after)["traits"]["orders"]["value"])


def facets(url: str) -> dict[bytes, bytes]:
    """Every facet there is, byte by byte."""
    with redis.Redis.from_url(url) as client:
        return {key: bytes(client.get(key) or b"") for key in client.scan_iter("rapport:*:facet:*")}


def history_worker(family: set[tuple[int, str]]) -> int:
    """Its process id."""
    argv = {pid: Path(f"/proc/{pid}/cmdline").read_text().split("\0") for pid, _ in family}
    return next(pid for pid, words in argv.items() if words[-3:-1] == ["--app", "history"])


def followed(run: Up, data: Path) -> list[int]:
    """The epochs the installation knows of."""
    shown = rapport("log", "show", "--json", "--redis", run.ready()["redis"], data=data)
    return [epoch["epoch"] for epoch in json.loads(shown.stdout)]


def test_what_was_acknowledged_outlives_ctrl_c_and_a_killed_supervisor_leaves_nothing(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with up(tmp_path) as run, ExitStack() as closing:
        ready = run.ready()
        assert ready.keys() == {"api", "kafka", "redis", "keys"}
        assert run.ready_file.stat().st_mode & 0o077 == 0
        caller = closing.enter_context(closed(Caller(ready)))
        assert orders(caller, "app:settled", after=bought(caller, 50, subject="app:settled")) == 50
        before, family = facets(ready["redis"]), run.family()
        # History has not seen the last ones when Ctrl-C comes, nor when the profiles are done.
        archiver = history_worker(family)
        os.kill(archiver, signal.SIGSTOP)
        for number in range(4):
            bought(caller, 100, subject=f"app:last-{number}")
        os.kill(run.process.pid, signal.SIGINT)
        until(lambda: "profile worker (Faust): stopped" in run.said, within_s=120, what="the end of the profiles")
        os.kill(archiver, signal.SIGCONT)

        assert run.ended() == 0, run.said
        assert alive(family) == set()
        assert not run.ready_file.exists()

    archived = history_of(settings_of(data=data)).facts(epochs=[1])
    assert len({fact.event_key for _, fact in archived}) == 450

    with up(tmp_path) as run, ExitStack() as closing:
        ready = run.ready()
        caller = closing.enter_context(closed(Caller(ready)))
        found = facets(ready["redis"])
        assert {key: found[key] for key in before} == before
        assert [orders(caller, f"app:last-{number}") for number in range(4)] == [100] * 4
        assert followed(run, data) == [1, 2]

        # Nothing is archived any more, so what comes now is in the store alone.
        family = run.family()
        os.kill(history_worker(family), signal.SIGSTOP)
        assert orders(caller, "app:lost", after=bought(caller, 50, subject="app:lost")) == 50
        run.ended(signal.SIGKILL)
        until(lambda: not alive(family), what="the end of every process")

    with up(tmp_path) as run:
        assert run.ended() == 1
        *_, last = run.said.splitlines()
        assert last.startswith("rapport: history does not reach the checkpoint, it lacks partition "), run.said
        assert last.endswith("; `--accept-gap` goes on without it")
        assert not run.ready_file.exists()

    run.ready_file.write_text("left by a run that was killed")
    with up(tmp_path, "--accept-gap") as run, ExitStack() as closing:
        until(lambda: "topics and log: starting" in run.said, within_s=60, what="the start")
        assert not run.ready_file.exists()
        caller = closing.enter_context(closed(Caller(run.ready())))
        assert orders(caller, "app:lost", after=bought(caller, 1, subject="app:settled-too")) == 50
        assert followed(run, data) == [1, 2, 3]
        # And what arrives in the third log counts.
        assert orders(caller, "app:settled-too") == 1


def test_servers_that_run_already_are_used_and_left_running(tmp_path: Path) -> None:
    with installation_in(tmp_path / "servers", partitions=PARTITIONS) as made, socket.socket() as taken:
        taken.bind((LOOPBACK, 0))
        taken.listen()
        words = ("--kafka", made.settings.kafka, "--redis", made.settings.redis)
        prefix = {"RAPPORT_TOPIC_PREFIX": made.settings.topic_prefix}
        with up(tmp_path, *words, environment=prefix) as run, ExitStack() as closing:
            ready = run.ready()
            assert (ready["kafka"], ready["redis"]) == (made.settings.kafka, made.settings.redis)
            second = rapport("up", data=tmp_path / "data")
            assert (second.returncode, second.stderr.count("\n")) == (1, 1)
            assert second.stderr.startswith(f"rapport: another `rapport up` runs on {tmp_path / 'data'}")
            family = run.family()
            caller = closing.enter_context(closed(Caller(ready)))
            assert orders(caller, "app:1", after=bought(caller, 5, subject="app:1")) == 5
            assert run.ended(signal.SIGTERM) == 0, run.said
            assert alive(family) == set()
        assert len(facets(made.settings.redis)) == 1

        port = taken.getsockname()[1]
        third = rapport("up", "--port", str(port), data=tmp_path / "data")
        assert third.stderr == f"rapport: {LOOPBACK}:{port} is taken; choose another with --port\n"
        assert third.returncode == 1
