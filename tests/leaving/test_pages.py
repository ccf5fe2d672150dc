"""Every command and every file of the how-to pages on importing and leaving works as it stands there."""

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

import cli
from commands.consents_import import app
from commands.settings import make_keyring, settings_of
from tests.api.world import World
from tests.builders import DAY, NOW, consent, pseudonym
from tests.leaving.served import served
from tests.leaving.test_import_on_a_broker import Site
from tests.servers import ROOT

IMPORTING = (ROOT / "docs" / "how-to" / "import-consents.md").read_text(encoding="utf-8")
LEAVING = (ROOT / "docs" / "how-to" / "unsubscribe.md").read_text(encoding="utf-8")
STEPS = 8


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page, re.DOTALL | re.MULTILINE)


def lines(page: str) -> list[str]:
    return [line for block in blocks(page, "sh") for line in block.splitlines()]


def written(folder: Path) -> None:
    """The files of the page, as a reader saves them."""
    [rows], [mapping] = blocks(IMPORTING, "csv"), blocks(IMPORTING, "yaml")
    (folder / "crm.csv").write_text(rows)
    (folder / "crm.yaml").write_text(mapping)


def test_the_dry_run_of_the_page_refuses_the_line_it_speaks_of(tmp_path: Path) -> None:
    written(tmp_path)
    make_keyring(settings_of(data=tmp_path / "data"))
    [line] = [line for line in lines(IMPORTING) if "--dry-run" in line]
    words = [str(tmp_path / word) if word.startswith("crm.") else word for word in line.split()[2:]]

    done = CliRunner().invoke(app, [*words, "--data", str(tmp_path / "data"), "--json"])

    told = json.loads(done.stdout)
    assert done.exit_code == 1
    assert told["refused"] == {
        "no_evidence": {"count": 1, "first_lines": [4], "detail": "evidence: nothing proves this yes"}
    }
    assert sum(each["count"] for each in told["taken"]) == 3


def test_the_commands_of_the_page_import_what_they_say(kafka: str, tmp_path: Path) -> None:
    site = Site(kafka, tmp_path)
    written(tmp_path)
    imports = [line.split() for line in lines(IMPORTING)]
    assert [words[:3] for words in imports] == [["rapport", "consents", "import"]] * 3

    dry_run, first, again = (words[6:] for words in imports)
    assert site.consents_import(*dry_run).exit_code == 1
    assert (site.sent(*first), site.sent(*first), site.sent(*again)) == (3, 0, 3)
    assert len(site.values(count=3)) == 3


def test_the_message_of_the_page_has_the_headers_we_send() -> None:
    [block] = blocks(LEAVING, "json")
    golden = json.loads((ROOT / "tests" / "outreach" / "golden" / "part-runs-hot.json").read_text(encoding="utf-8"))
    [message] = golden["messages"]

    def shape(leave: object) -> str:
        return re.sub(r"https://[^/]+/v1/leave/[\w-]+", "URL", json.dumps(leave, sort_keys=True))

    assert shape(json.loads(block)) == shape(message["leave"])


async def test_every_step_of_the_page_works_in_its_order(patient: World, tmp_path: Path) -> None:
    steps = lines(LEAVING)
    assert len(steps) == STEPS
    await patient.happened(consent("given", "outreach.email", at=NOW - DAY))
    async with served(patient, tmp_path) as site, patient.folding():
        identity = pseudonym("app:42")
        links = {
            "$LEAVE": patient.services.links.leave(identity, "outreach.email", now=NOW),
            "$PREFERENCES": patient.services.links.preferences(identity, now=NOW),
        }
        for step in steps:
            for name, link in links.items():
                step = step.replace(name, link)  # noqa: PLW2901 - as a shell does
            if step.startswith("curl"):
                await site.curl(step)
            else:
                done = await site.rapport(*step.split()[1:], typed="y\n")
                assert done.exit_code == 0, done.output
        standing = await site.told("consent", "show", "app:42")
    assert standing["outreach.email"]["because"] == "withdrawn"
    assert not standing["feedback.analyse"]["allowed"]


def test_the_pages_name_no_other_command() -> None:
    for line in [*lines(IMPORTING), *lines(LEAVING)]:
        assert line.startswith(("rapport consents import ", "rapport consent ", "curl "))


@pytest.mark.parametrize("group", ["consent", "consents"])
def test_both_groups_are_mounted(group: str) -> None:
    assert CliRunner().invoke(cli.build(group), [group, "--help"]).exit_code == 0
