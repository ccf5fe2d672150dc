"""Nobody goes on in the store that the profiles left: processes that run are in the way, one that slept is told."""

import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.auth import Role
from commands.keys import demo_keys
from embedded.ports import LOOPBACK, free_port
from embedded.process import Process, running
from embedded.service import Service
from profiles.rebuild import MOVED
from tests.installation import Installation, installation_in
from tests.integration.leasing import leases
from tests.integration.orders import archived, folded, orders
from tests.integration.test_partitions import elsewhere, moved, refusal, settled, working
from tests.servers import ROOT
from tests.waiting import HANGS_S, until

pytestmark = pytest.mark.servers


class Desk:
    """An API, and an agent in front of it."""

    def __init__(self, made: Installation, process: Process, port: int) -> None:
        self.process = process
        self._keys = demo_keys(made.settings)
        self._client = httpx.Client(base_url=f"http://{LOOPBACK}:{port}", timeout=HANGS_S)

    def ask(self, method: str, path: str, *, role: Role = Role.AGENT, **rest: Any) -> httpx.Response:
        return self._client.request(method, path, headers={"Authorization": f"Bearer {self._keys[role]}"}, **rest)

    def reasons(self) -> dict[str, str]:
        """Why it is not to be relied on, as it says itself."""
        try:
            told: dict[str, str] = self._client.get("/ready").json()["reasons"]
        except httpx.TransportError:
            return {}
        return told

    def is_ready(self) -> bool:
        return self._client.get("/ready").status_code == 200

    def close(self) -> None:
        self._client.close()


@contextmanager
def desk_of(made: Installation) -> Iterator[Desk]:
    port = free_port()
    service = Service(
        name="api",
        argv=[sys.executable, "-c", "import cli; cli.main()", "api", "--port", str(port)],
        environment=made.environment,
        folder=ROOT,
        log=made.settings.data / "api.log",
    )
    with running(service) as process:
        desk = Desk(made, process, port)
        try:
            until(desk.reasons, what="the API")
            yield desk
        finally:
            desk.close()


def test_nothing_moves_under_a_process_that_works_and_one_that_slept_acknowledges_nothing(tmp_path: Path) -> None:
    withdrawal = {"act": "withdrawn", "purpose": "profile.build"}
    with installation_in(tmp_path) as four, elsewhere(four, partitions=8, at=1) as eight, desk_of(four) as desk:
        with working(four):
            settled(four, orders(40), total=40)
            until(desk.is_ready, what="readiness")
            ref = desk.ask("POST", "/v1/customers/lookup", json={"identity": "app:1"}).json()["ref"]
            consents = f"/v1/customers/{ref}/consents"
            refused = refusal(moved(four, eight))
            named = ["worker profiles (process ", "worker history (process ", f"api (process {desk.process.pid} on "]
            assert all(name in refused for name in named), refused
            assert desk.ask("POST", consents, json=withdrawal).status_code == 202
            # A hold that stands for long has its fact published once more.
            until(lambda: archived(four) >= 41, what="the withdrawal in history")
        assert [each["name"] for each in leases(four)] == ["api"]
        assert refusal(moved(four, eight)).startswith(f"rapport: api (process {desk.process.pid} on ")

        os.kill(desk.process.pid, signal.SIGSTOP)
        try:
            until(lambda: not leases(four), within_s=120, what="the end of a lease that nobody renews")
            assert json.loads(moved(four, eight).stdout)["epoch"] == 2
        finally:
            os.kill(desk.process.pid, signal.SIGCONT)

        for method, path, body in (
            ("POST", consents, withdrawal),
            ("GET", f"/v1/customers/{ref}/suggestions", None),
            ("GET", f"/v1/customers/{ref}", None),
        ):
            answer = desk.ask(method, path, json=body)
            assert (answer.status_code, answer.json()["type"]) == (503, "urn:rapport:problem:left"), answer.text
        until(lambda: desk.reasons().get("lease") == MOVED, what="the reason in its readiness")
        assert leases(four) == []
        assert desk.process.exit_status is None
        assert folded(eight) == 40
