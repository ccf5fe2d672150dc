"""`rapport api` as a process, over a broker, a store and a worker that really run."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.auth import Role
from commands.api import log_probe
from commands.keys import demo_keys
from commands.settings import Settings, make_keyring, settings_of
from commands.up_services import environment
from embedded.ports import LOOPBACK, free_port
from embedded.process import Process, running
from embedded.service import Service
from embedded.store import store_url
from tests import servers
from tests.asking import answered
from tests.builders import event, money
from tests.waiting import HANGS_S, until

pytestmark = pytest.mark.servers

PARTITIONS = 4


class Installation:
    """One installation with its worker and its API."""

    def __init__(self, settings: Settings, api: Process, store: servers.Valkey) -> None:
        self.settings = settings
        self.api = api
        self.store = store
        self.keys = demo_keys(settings)
        self.client = httpx.Client(base_url=f"http://{settings.host}:{settings.port}", timeout=HANGS_S)

    def ask(self, method: str, path: str, **rest: Any) -> httpx.Response:
        return answered(lambda: self.ask_once(method, path, **rest))

    def ask_once(self, method: str, path: str, *, role: Role = Role.AGENT, **rest: Any) -> httpx.Response:
        return self.client.request(method, path, headers={"Authorization": f"Bearer {self.keys[role]}"}, **rest)

    def ref(self, identity: str) -> str:
        return str(self.ask("POST", "/v1/customers/lookup", json={"identity": identity}).json()["ref"])


def _service(name: str, words: list[str], settings: Settings, folder: Path, **rest: Any) -> Service:
    return Service(
        name=name,
        argv=[sys.executable, "-c", "import cli; cli.main()", name, *words],
        environment=environment(settings),
        folder=servers.ROOT,
        log=folder / f"{name}.log",
        ready_timeout_s=60.0,
        **rest,
    )


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    folder = tmp_path_factory.mktemp("api")
    with servers.embedded_store(folder) as store, servers.embedded_broker(folder) as kafka:
        settings = settings_of(
            kafka=kafka, redis=store_url(store.port), data=folder, partitions=PARTITIONS, port=free_port()
        )
        make_keyring(settings)
        url = f"http://{LOOPBACK}:{settings.port}"
        with (
            running(_service("worker", ["--app", "profiles"], settings, folder)),
            running(_service("api", [], settings, folder, ready=lambda: _alive(url))) as api,
        ):
            installation = Installation(settings, api, store)
            until(lambda: installation.client.get("/ready").json()["ready"], within_s=60, what="readiness")
            yield installation
            installation.client.close()


def _alive(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health", timeout=2).status_code == 200
    except httpx.HTTPError:
        return False


def purchase(order_id: str, *, subject: str) -> dict[str, Any]:
    return event("transaction.purchased", subject=subject, order_id=order_id, total=money(1000))


def test_what_is_sent_is_read_back_through_broker_worker_and_store(installation: Installation) -> None:
    batch = [purchase(f"order-{at}", subject="app:reader") for at in range(20)]
    sent = installation.ask("POST", "/v1/events", role=Role.INGEST, json=batch)
    assert sent.status_code == 202, sent.text

    path = f"/v1/customers/{installation.ref('app:reader')}"
    card = installation.ask("GET", path, params={"after": sent.json()["after"]})

    assert card.json()["traits"]["orders"]["value"] == 20


def test_general_then_personal_then_general_again_at_once(installation: Installation) -> None:
    ref = installation.ref("app:story-8")

    def mode(**params: str) -> str:
        answer = installation.ask("GET", f"/v1/customers/{ref}/suggestions", params=params)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["mode"])

    def say(act: str, purpose: str) -> str:
        path = f"/v1/customers/{ref}/consents"
        said = installation.ask("POST", path, json={"act": act, "purpose": purpose})
        assert said.status_code == 202, said.text
        return str(said.json()["after"])

    assert mode() == "general"
    say("given", "profile.build")
    assert mode(after=say("given", "suggest.personal")) == "personal"
    withdrawn = say("withdrawn", "suggest.personal")
    assert mode() == "general"
    assert mode(after=withdrawn) == "general"


def test_a_decision_is_remembered_and_its_outcome_counts(installation: Installation) -> None:
    ref = installation.ref("app:outcome")
    answer = installation.ask("GET", f"/v1/customers/{ref}/suggestions", params={"k": 1}).json()
    chosen = answer["suggestions"][0]["service"]

    said = installation.ask(
        "POST", f"/v1/suggestions/{answer['decision']}/answer", json={"service": chosen, "answer": "declined"}
    )
    params = {"k": 50, "after": said.json()["after"]}
    after = installation.ask("GET", f"/v1/customers/{ref}/suggestions", params=params).json()

    assert {entry["service"]: entry["because"] for entry in after["withheld"]}[chosen] == "declined lately"


def test_an_answer_of_the_running_service_is_made_again_to_the_byte(installation: Installation) -> None:
    person = installation.ref("app:explained")
    answer = installation.ask("GET", f"/v1/customers/{person}/suggestions", params={"k": 2, "channel": "desk"}).json()
    argv = [sys.executable, "-c", "import cli; cli.main()", "explain", answer["decision"], "--json"]

    done = subprocess.run(
        argv,
        env=dict(environment(installation.settings)),
        cwd=servers.ROOT,
        capture_output=True,
        text=True,
        timeout=HANGS_S,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
    told = json.loads(done.stdout)
    assert (told["verdict"], told["findings"], told["answer"]) == ("same", [], answer)


def test_the_lag_of_the_worker_can_be_watched(installation: Installation) -> None:
    def told() -> list[str]:
        text = installation.ask("GET", "/metrics", role=Role.ADMIN).text
        return [line for line in text.splitlines() if line.startswith('rapport_lag_records{app="profiles"')]

    until(lambda: sum('topic="rapport.events"' in line for line in told()) == PARTITIONS, what="all partitions")


async def test_a_topic_made_anew_is_no_log_to_rely_on(installation: Installation) -> None:
    """That the one it began with is, is what its readiness rests on."""
    reason = await log_probe(installation.settings, "the id it had")

    assert reason is not None
    assert "made anew" in reason


def test_a_store_that_stops_answering_is_told_in_time_and_comes_back_with_the_right_answers(
    installation: Installation,
) -> None:
    refs = [installation.ref(f"app:frozen-{at}") for at in range(4)]
    os.kill(installation.store.pid, signal.SIGSTOP)
    try:
        answers = [installation.ask_once("GET", f"/v1/customers/{ref}") for ref in refs]
    finally:
        os.kill(installation.store.pid, signal.SIGCONT)

    assert {answer.status_code for answer in answers} == {503}
    assert all(answer.headers["retry-after"] and answer.elapsed.total_seconds() < HANGS_S / 2 for answer in answers)
    until(lambda: installation.client.get("/ready").json()["ready"], what="readiness")
    for ref in refs:
        assert installation.ask("GET", f"/v1/customers/{ref}").json()["ref"] == ref


def test_a_request_under_way_is_answered_before_the_process_ends(installation: Installation) -> None:
    """The last test of this module: it ends the process."""
    body = json.dumps([purchase(f"last-{at}", subject=f"app:{at}") for at in range(1000)]).encode()
    settings = installation.settings
    with closing(HTTPConnection(settings.host, settings.port, timeout=HANGS_S)) as connection:
        connection.putrequest("POST", "/v1/events")
        for name, value in (
            ("Authorization", f"Bearer {installation.keys[Role.INGEST]}"),
            ("Content-Type", "application/json"),
            ("Content-Length", str(len(body))),
            ("Expect", "100-continue"),
        ):
            connection.putheader(name, value)
        connection.endheaders()
        # Whoever is told to go on with the body is being served.
        assert connection.sock.recv(4096).startswith(b"HTTP/1.1 100 ")
        installation.api._child.send_signal(signal.SIGTERM)
        until(lambda: not _listens(settings), what="a process that takes nothing new")
        connection.send(body)
        with connection.getresponse() as answer:
            assert answer.status == 202, answer.read()
    until(lambda: installation.api.exit_status is not None, what="the end of the process")
    assert installation.api.exit_status == 0


def _listens(settings: Settings) -> bool:
    try:
        socket.create_connection((settings.host, settings.port), timeout=HANGS_S).close()
    except OSError:
        return False
    return True
