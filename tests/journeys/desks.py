"""A service that runs with the demo world, as the people at its desks see it."""

import os
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from api.auth import Role
from commands.client import Client, client_of
from consent.purposes import SENSITIVE
from embedded.process import running
from embedded.service import Service
from recommender.suggestion import BUCKET_MS
from tests.builders import event
from tests.installation import cluster_for_up
from tests.servers import ROOT
from tests.waiting import HANGS_S, until

_RAPPORT = (sys.executable, "-c", "import cli; cli.main()")
_ENVIRONMENT = {"PATH": os.defpath, "COLUMNS": "160"}
_OUTSIDE = {name: value for name, value in os.environ.items() if not name.startswith("RAPPORT_")}

Answer = Mapping[str, Any]


@dataclass(frozen=True)
class Desk:
    """What can be asked and told at a desk. Identities are written in clear; times are ms."""

    client: Client
    data: Path

    def send(self, *events: Mapping[str, Any]) -> str:
        """Events of the source `crm`, folded when this returns; the token to read them back with.

        A token speaks of its own events alone, so a test that sends twice would else read the second without the first.
        """
        body = self.client.ask("POST", "/v1/events", role=Role.INGEST, body=[dict(each) for each in events])
        assert body["refused"] == 0, body
        token = str(body["after"])
        self.client.consents(self.client.ref(str(events[0]["subject"])), after=token)
        return token

    def say(self, identity: str, act: str, *purposes: str) -> None:
        """The person says something about purposes; what was said is folded when this returns."""
        ref = self.client.ref(identity)
        for purpose in purposes:
            form = {"form": "separate"} if act == "given" and purpose == SENSITIVE else {}
            said = self.client.act(ref, act, purpose, said=form)
            if said["after"] is not None:
                self.client.consents(ref, after=said["after"])

    def card(self, identity: str, *, after: str | None = None) -> Answer:
        return self.client.card(self.client.ref(identity), after=after)

    def next_for(
        self,
        identity: str,
        *,
        channel: str | None = "desk",
        intent: str | None = None,
        k: int = 5,
        after: str | None = None,
    ) -> dict[str, Any]:
        ref = self.client.ref(identity)
        return self.client.suggestions(ref, k=k, channel=channel, intent=intent, after=after)

    def present(self, answer: Answer, service: str, *, said: str | None = None) -> str:
        """A suggestion of the answer is told, and answered if so said; the token to read it back with."""
        route = f"/v1/suggestions/{answer['decision']}"
        noted = self.client.ask("POST", f"{route}/presented", body={"services": [service], "channel": "desk"})
        if said is not None:
            noted = self.client.ask("POST", f"{route}/answer", body={"service": service, "answer": said})
        return str(noted["after"])

    def outreach(self, identity: str) -> list[dict[str, Any]]:
        """What was decided about reaching out to the person."""
        found = self.client.ask("GET", f"/v1/customers/{self.client.ref(identity)}/outreach")
        return list(found["decisions"])

    def rapport(self, *words: str) -> subprocess.CompletedProcess[str]:
        """One command on this service's data folder, run to its end."""
        environment = {**_ENVIRONMENT, "RAPPORT_DATA": str(self.data)}
        argv = [*_RAPPORT, *words]
        return subprocess.run(argv, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)


def now() -> int:
    return time.time_ns() // 1_000_000


def until_answers_hold_for_a_minute() -> None:
    """At borders of the clock answers change: who walks across one is told another, for that reason alone."""
    until(lambda: now() % BUCKET_MS < BUCKET_MS - 60_000, within_s=90, what="a time far from a border")


def happened(event_type: str, subject: str, *, ago: int = 0, **data: Any) -> dict[str, Any]:
    """An event of so many ms ago."""
    return event(event_type, subject=subject, at=now() - ago, **data)


def services(answer: Answer) -> list[str]:
    return [each["service"] for each in answer["suggestions"]]


def reasons(answer: Answer, service: str | None = None) -> list[str]:
    """The codes of the reasons, of one service or of all."""
    return [
        reason["code"]
        for each in answer["suggestions"]
        if service in {None, each["service"]}
        for reason in each["reasons"]
    ]


def same_twice(first: Answer, second: Answer) -> bool:
    """Whether two answers to one person are one answer; across a border of the clock only what they offer counts."""
    if first["valid_until"] == second["valid_until"]:
        return first == second
    return offered(first) == offered(second)


def offered(answer: Answer) -> dict[str, Any]:
    """What an answer offers and leaves out, without whom it is for and which facts it rests on."""
    shown = [
        {**each, "reasons": [{**reason, "evidence": len(reason["evidence"])} for reason in each["reasons"]]}
        for each in answer["suggestions"]
    ]
    return {"mode": answer["mode"], "suggestions": shown, "withheld": answer["withheld"]}


@contextmanager
def service_in(folder: Path) -> Iterator[Desk]:
    """`make run` with its demo world, from ready to gone."""
    data, ready = folder / "data", folder / "ready.json"
    arguments = ["--data", str(data), "--port", "0", "--partitions", "4", "--ready-file", str(ready)]
    with cluster_for_up() as (words, variables):
        service = Service(
            name="up",
            argv=["make", "run", f"ARGS={shlex.join([*arguments, *words])}"],
            environment={**_OUTSIDE, **variables},
            folder=ROOT,
            log=folder / "up.log",
            ready=ready.exists,
            ready_timeout_s=600.0,
            stop_timeout_s=120.0,
        )
        with running(service), client_of(data=None, ready_file=ready, patience_s=HANGS_S) as client:
            yield Desk(client, data)
