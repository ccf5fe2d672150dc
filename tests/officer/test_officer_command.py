"""`rapport officer` and the how-to: every command of it works, against the server that `rapport api` starts."""

import asyncio
import json
import shlex
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.main import get_command
from typer.testing import CliRunner, Result

import cli
from api.auth import Role
from commands.api import http_server
from consent.purposes import PROFILE
from embedded.ports import LOOPBACK, free_port
from tests.builders import DAY, NOW, consent, linked, pseudonym
from tests.officer.desk import Desk
from tests.officer.how_to import COMMANDS, ONLINE
from tests.waiting import eventually


class Served:
    """A desk behind a real server, and the command line in front of it."""

    def __init__(self, desk: Desk, ready: Path) -> None:
        self.desk = desk
        self.ready = ready

    async def runs(self, line: str) -> Result:
        words = [*shlex.split(line)[1:], "--ready-file", str(self.ready)]
        return await asyncio.to_thread(CliRunner().invoke, cli.build("officer"), words)

    async def told(self, line: str) -> Any:
        result = await self.runs(f"{line} --json")
        assert result.exit_code == 0, (result.output, result.exception)
        return json.loads(result.stdout)


@pytest.fixture
async def served(desk: Desk, tmp_path: Path) -> AsyncIterator[Served]:
    port = free_port()
    ready = tmp_path / "ready.json"
    keys = {role.value: desk.keys.shown[role.value] for role in Role}
    ready.write_text(json.dumps({"api": f"http://{LOOPBACK}:{port}", "keys": keys}))
    server = http_server(desk.app, host=LOOPBACK, port=port)
    serving = asyncio.create_task(server.serve())

    async def answers() -> bool:
        try:
            async with httpx.AsyncClient(base_url=f"http://{LOOPBACK}:{port}", timeout=5) as client:
                return (await client.get("/health")).status_code == 200
        except httpx.HTTPError:
            return False

    await eventually(answers, what="the server")
    yield Served(desk, ready)
    server.stop()  # type: ignore[no-untyped-call]
    await asyncio.wait_for(serving, 60)


async def filled(desk: Desk) -> None:
    """A person with a past, and enough people for a rate."""
    await desk.happened(
        consent("given", PROFILE, at=NOW - 90 * DAY, expires_at=NOW + 9 * DAY, channel="web"),
        *linked("app:42", "card:7", at=NOW - 80 * DAY),
        consent("withdrawn", "model.train", at=NOW - 40 * DAY, received_at=NOW - 3 * DAY),
        *(consent("given", PROFILE, identity=f"app:n{n}", at=NOW - 9 * DAY, channel="web") for n in range(11)),
    )
    desk.follow()


def test_the_how_to_shows_every_command_there_is() -> None:
    there: Any = get_command(cli.build("officer"))

    assert {line.split()[2] for line in COMMANDS} == set(there.commands["officer"].commands)


@pytest.mark.parametrize("line", ONLINE)
async def test_every_command_of_the_how_to_works(served: Served, line: str) -> None:
    await filled(served.desk)

    result = await served.runs(line)

    assert result.exit_code == 0, (result.output, result.exception)
    assert result.stdout.strip()
    assert pseudonym("app:42") not in result.stdout


async def test_the_history_is_shown_in_order(served: Served) -> None:
    await filled(served.desk)

    told = await served.told("rapport officer history app:42")
    shown = (await served.runs("rapport officer history app:42")).stdout

    assert [each["type"] for each in told["timeline"]] == [
        "consent.given",
        "identity.linked",
        "identity.linked",
        "consent.withdrawn",
    ]
    assert shown.index("consent.given") < shown.index("identity.linked") < shown.index("consent.withdrawn")
    # Whole, for `--event` asks for one of them.
    assert all(each["event"] in shown and each["effective_at"] in shown for each in told["timeline"])


async def test_hindsight_is_shown_beside_what_was_known(served: Served) -> None:
    await filled(served.desk)

    shown = (await served.runs("rapport officer permitted app:42 --at 2026-02-20T00:00:00Z")).stdout
    agreeing = (await served.runs("rapport officer permitted app:42 --at 2026-01-01T00:00:00Z")).stdout

    known, hindsight = shown.split("in hindsight of")
    assert "nobody agreed to model.train" in known
    assert "a no to model.train stands" in hindsight
    assert "hindsight changes nothing" not in shown
    assert "hindsight changes nothing" in agreeing


async def test_receipts_are_shown_of_a_person_and_of_one_decision(served: Served) -> None:
    await filled(served.desk)
    answer = (await served.desk.suggestions()).json()
    [told] = (await served.told("rapport officer receipts app:42"))["receipts"]

    of_person = (await served.runs("rapport officer receipts app:42")).stdout
    of_decision = (await served.runs(f"rapport officer receipts --decision {answer['decision']}")).stdout
    neither = await served.runs("rapport officer receipts")

    assert answer["decision"] in of_person
    assert all(word in of_person for word in (*told["services"], told["model"]))
    assert all(event in of_person for ground in told["grounds"] for event in ground["events"])
    assert answer["decision"] in of_decision
    assert "(agent) for undeclared" in of_decision
    assert neither.exit_code == 2


async def test_a_reason_in_any_script_is_noted(served: Served) -> None:
    await filled(served.desk)

    refused = await served.runs("rapport officer history app:42 --for answer")
    await served.told("rapport officer history app:42 --for answer --reason '客户在电话里要求查看记录，已核实身份'")
    told = await served.told("rapport officer accesses --broke-glass")

    assert "say why" in str(refused.exception)
    assert [each["reason"] for each in told["accesses"]] == ["客户在电话里要求查看记录，已核实身份"]


async def test_renewals_are_read_to_the_last_page(served: Served) -> None:
    await filled(served.desk)

    found = await served.told("rapport officer renewals profile.build")

    assert [(each["because"], each["identity"]["kind"]) for each in found] == [("expiring", "app")]
