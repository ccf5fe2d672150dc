"""The how-to on telling other systems works as it stands there."""

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from consent.holds import hold_of
from consent.purposes import PURPOSES
from consent.telling import stopped_by, telling_id, telling_of, telling_of_erasure
from tests.builders import consent
from tests.leaving.served import served
from tests.officer.desk import Desk
from tests.servers import ROOT

PAGE = (ROOT / "docs" / "how-to" / "tell-other-systems.md").read_text(encoding="utf-8")
NO = hold_of(consent("withdrawn", "suggest.personal"))


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    desk = Desk(tmp_path)
    await desk.log.start()
    desk.with_services(timeout_s=60.0)
    yield desk
    await desk.log.stop()


def test_a_record_of_the_page_is_one_of_ours() -> None:
    block, erased = re.findall(r"^```json\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    assert NO is not None
    shown, told = json.loads(block), json.loads(telling_of(NO.name))

    assert shown.keys() == told.keys()
    assert set(shown["stops"]) <= set(stopped_by(shown["no_to"]))
    assert set(told["stops"]) <= set(PURPOSES)
    assert json.loads(erased).keys() == json.loads(telling_of_erasure("request-1", 0)).keys()


async def test_every_step_of_the_page_works_in_its_order(desk: Desk, tmp_path: Path) -> None:
    steps = [line for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines()]
    assert [step.split()[0] for step in steps] == ["curl", "rapport"]
    assert NO is not None
    await desk.happened(consent("withdrawn", "suggest.personal"))
    desk.follow()
    async with served(desk, tmp_path) as site:
        before = await site.told(*steps[1].split()[1:])
        said = steps[0].replace("$KEY", desk.keys.shown["ingest"]).replace("$API", site.url)
        await site.curl(said.replace('["ID"]', f'["{telling_id(NO.name)}"]'))
        after = await site.told(*steps[1].split()[1:])
        shown = await site.rapport(*steps[1].split()[1:])

    assert [each["recipients"]["crm"]["unconfirmed"] for each in (before, after)] == [1, 0]
    assert shown.exit_code == 0
    assert "crm" in shown.stdout
