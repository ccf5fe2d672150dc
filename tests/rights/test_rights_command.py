"""`rapport rights` and its how-to: the commands of the page in their order, against a server and what a keeper does."""

import asyncio
import json
import shlex
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.main import get_command
from typer.testing import CliRunner, Result

import cli
from api.auth import Role
from commands.api import http_server
from embedded.ports import LOOPBACK, free_port
from tests.builders import linked, pseudonym, purchased
from tests.ledger.ledgers import KEY, THIEF
from tests.rights.erasing import Installation
from tests.rights.how_to import COMMANDS, ONLINE
from tests.waiting import eventually


class Served:
    """An installation behind a real server, and the command line in front of it."""

    def __init__(self, home: Installation, ready: Path) -> None:
        self.home = home
        self.ready = ready

    async def runs(self, words: Sequence[str]) -> Result:
        asks = [] if words[0] == "verify" else ["--ready-file", str(self.ready)]
        return await asyncio.to_thread(CliRunner().invoke, cli.build("rights"), ["rights", *words, *asks])


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    home = Installation(tmp_path)
    await home.world.log.start()
    await home.world.happened(purchased("o-1"), *linked("app:42", "card:7"))
    home.archive()
    home.follow()
    port = free_port()
    keys = {role.value: home.world.keys.shown[role.value] for role in Role}
    (tmp_path / "ready.json").write_text(json.dumps({"api": f"http://{LOOPBACK}:{port}", "keys": keys}))
    server = http_server(home.world.app, host=LOOPBACK, port=port)
    serving = asyncio.create_task(server.serve())

    async def answers() -> bool:
        try:
            async with httpx.AsyncClient(base_url=f"http://{LOOPBACK}:{port}", timeout=5) as client:
                return (await client.get("/health")).status_code == 200
        except httpx.HTTPError:
            return False

    await eventually(answers, what="the server")
    yield Served(home, tmp_path / "ready.json")
    server.stop()  # type: ignore[no-untyped-call]
    await asyncio.wait_for(serving, 60)


def test_the_how_to_shows_every_command_there_is() -> None:
    there: Any = get_command(cli.build("rights"))

    assert {line.split()[2] for line in COMMANDS} == set(there.commands["rights"].commands)


async def test_the_commands_of_the_how_to_lead_from_the_plan_to_a_certificate(served: Served, tmp_path: Path) -> None:
    home = served.home
    (tmp_path / "ledger.pub").write_text(str(KEY))
    said: dict[str, str] = {}

    for line in ONLINE:
        listed = home.requests.listed()
        replaced = line.replace("REQUEST", listed[0].id if listed else "")
        for name in ("erasure.note", "ledger.pub"):
            replaced = replaced.replace(name, str(tmp_path / name))
        words = shlex.split(replaced)[2:]
        if words[0] == "certificate":
            await home.until_done()
        result = await served.runs(words)
        await home.world.fold()

        assert result.exit_code == 0, (line, result.output, result.exception)
        assert pseudonym("app:42") not in result.stdout
        said[line] = result.stdout

    assert "identities verified as the person: app, card" in said["rapport rights plan app:42"]
    assert "1 orders" in said["rapport rights plan app:42"]
    assert "restriction ended for 2 identities" in said["rapport rights restrict app:42 --end"]
    assert "under way" in said["rapport rights status REQUEST"]
    assert "signed by the owner of the key" in said["rapport rights verify erasure.note --key ledger.pub"]
    assert (await home.facet("app:42")).service.orders == {}


async def test_a_certificate_of_another_key_and_one_that_is_not_there_are_told_apart(
    served: Served, tmp_path: Path
) -> None:
    await served.runs(["erase", "app:42", "--yes"])
    request, out = served.home.requests.listed()[0].id, tmp_path / "erasure.note"

    early = await served.runs(["certificate", request, "--out", str(out)])
    await served.home.until_done()
    await served.runs(["certificate", request, "--out", str(out)])
    wrong = await served.runs(["verify", str(out), "--key", str(THIEF.verifier)])

    assert (early.exit_code, "no certificate yet" in early.stdout) == (1, True)
    assert "is not signed with the key" in str(wrong.exception)


async def test_nothing_is_asked_for_without_a_yes(served: Served) -> None:
    result = await served.runs(["erase", "app:42"])

    assert result.exit_code == 1
    assert served.home.requests.listed() == []
