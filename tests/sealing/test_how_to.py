"""The how-to on keys shows commands that there are, and what they say."""

import re
import shlex
from pathlib import Path
from typing import Final

from typer.testing import CliRunner

from commands.keys import app
from commands.settings import Settings
from tests.sealing.test_evidence_of_the_erased import ERASURE, Office
from tests.servers import ROOT

PAGE: Final = (ROOT / "docs" / "how-to" / "keys-and-retention.md").read_text(encoding="utf-8")
LINES: Final = [line for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines()]


def test_every_command_of_the_page_does_what_it_says(tmp_path: Path) -> None:
    office = Office(tmp_path)
    named = {"REQUEST": ERASURE.id, "KEY-OF-ONE": office.officer("Ada"), "KEY-OF-ANOTHER": office.officer("Bo")}
    said = []
    for line in LINES:
        if line.startswith("rapport keys "):
            words = [named.get(word, word) for word in shlex.split(line)[2:]]
            done = CliRunner().invoke(app, [*words, "--data", str(tmp_path)])
            assert done.exit_code == 0, done.output
            said.append(done.output)
    due, aged, asked, opened = said
    assert "no key of facts is due" in due
    assert "0 keys of facts" in aged
    assert "Ada asks for it" in asked
    assert "profile.build" in opened


def test_every_setting_of_the_page_is_one() -> None:
    named = set(re.findall(r"RAPPORT_([A-Z_]+)", PAGE)) - {"KEY"}
    assert named == {"BODY_KEYS", "PSEUDONYM_KEY", "SEALING", "RETENTION"}
    assert {name.lower() for name in named} <= set(Settings.model_fields)


def test_the_messages_of_the_page_are_ours() -> None:
    ours = " ".join(path.read_text() for path in (ROOT / "events").glob("*.py"))
    for said in (
        "the keys do not hold",
        "which sealed a fact",
        "the server of the keys did not answer",
        "cannot be used",
    ):
        assert said in PAGE
        assert said in ours


def test_a_lost_key_is_given_up_by_its_id_and_no_other_text(tmp_path: Path) -> None:
    office = Office(tmp_path)
    lost = office.sealing.maker.make().id
    given_up = CliRunner().invoke(app, ["give-up", lost, "--data", str(tmp_path)])
    assert "1 keys are given up" in given_up.output
    assert office.sealing.keys.find([lost]) == {lost: None}
    refused = CliRunner().invoke(app, ["give-up", "app:anna", "--data", str(tmp_path)])
    assert refused.exit_code == 2
