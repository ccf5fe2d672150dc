"""`rapport officer export` and `check`, as the how-to shows them, on a data folder that the keeper kept up."""

import json
import re
import shlex
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

import cli
from commands.keeper import Keeping
from commands.ledger import make_key
from commands.settings import Settings, keyring_of, make_keyring
from consent.accesses import AccessLog
from consent.ledger import Ledger
from consent.purposes import PROFILE
from events.admission import Admission, Door
from events.fact import Fact
from events.history import History
from events.pseudonyms import Pseudonyms
from tests.builders import DAY, NOW, event
from tests.officer.evidence_world import archive
from tests.officer.how_to import CONTROLLER, ON_FILES


@dataclass
class Office:
    """A data folder with a person in it, and the files of the how-to."""

    folder: Path
    settings: Settings

    def runs(self, line: str) -> Result:
        named = {path.name for path in self.folder.iterdir()} | {"dossier-42", "everybody"}
        words = [str(self.folder / word) if word in named else word for word in shlex.split(line)[1:]]
        data = ["--data", str(self.settings.data)] if words[1] == "export" else []
        return CliRunner().invoke(cli.build("officer"), [*words, *data])


def facts_of(settings: Settings) -> list[Fact]:
    """A yes, a link and a no, admitted under the keys of the installation."""
    keyring = keyring_of(settings)
    admission = Admission(pseudonyms=Pseudonyms(keyring.pseudonym_key, settings.region), partitions=settings.partitions)
    found = []
    for said in (
        event("consent.given", purpose=PROFILE, notice="profile/1", language="en"),
        event("identity.linked", other="card:8899", strength="verified", reason="tests"),
        event(
            "consent.withdrawn", purpose=PROFILE, notice="profile/1", language="en", subject="card:8899", at=NOW + DAY
        ),
        event("consent.given", purpose=PROFILE, subject="app:other-89"),
    ):
        taken = admission.admit_parsed(said, door=Door(name="tests", source="crm"), received_at=NOW + DAY)
        assert isinstance(taken, list)
        found += [each.fact for each in taken]
    return found


@pytest.fixture
def office(tmp_path: Path) -> Office:
    settings = Settings(data=tmp_path / "data", partitions=8)
    make_keyring(settings)
    key = make_key(settings, "tests.example/ledger")
    archive(History(settings.history), facts_of(settings))
    assert Keeping(settings).round()
    (tmp_path / "ledger.pub").write_text(str(key.verifier))
    with closing(Ledger(settings.ledger)) as ledger:
        (tmp_path / "pinned.note").write_text(ledger.latest() or "")
    (tmp_path / "controller.yaml").write_text(CONTROLLER)
    return Office(tmp_path, settings)


def test_every_command_of_the_how_to_works_one_after_the_other(office: Office) -> None:
    assert ON_FILES
    for line in ON_FILES:
        result = office.runs(line)
        assert result.exit_code == 0, (line, result.output, result.exception)

    told = json.loads((office.folder / "dossier-42" / "manifest.json").read_text())
    assert (told["pieces"], told["records"], told["proofs"], told["without_proof"]) == (4, 2, 4, [])
    assert told["not_stated"] == []
    assert json.loads((office.folder / "everybody" / "manifest.json").read_text())["pieces"] == 5


def test_that_it_was_exported_is_noted(office: Office) -> None:
    office.runs("rapport officer export dossier-42 --identity app:42 --for incident")

    [noted] = AccessLog(office.settings.accesses).since(0, broke_glass=False, limit=10)
    assert (noted.what, noted.key, noted.purpose) == ("export", "machine", "incident")
    assert noted.identity is not None


def test_a_dossier_that_was_altered_is_told_with_status_one(office: Office) -> None:
    office.runs("rapport officer export dossier-42 --identity app:42")
    table = office.folder / "dossier-42" / "evidence.csv"
    table.write_text(table.read_text().replace("withdrawn", "given"))

    told = office.runs("rapport officer check dossier-42 --key ledger.pub --json")

    assert told.exit_code == 1
    assert json.loads(told.stdout) == {"holds": False, "faults": ["evidence.csv was changed"], "remarks": []}


def test_no_clear_value_of_an_identity_is_in_any_file(office: Office) -> None:
    office.runs("rapport officer export everybody")

    # No pseudonym has an 8 or a 9.
    for path in (office.folder / "everybody").rglob("*"):
        if path.is_file():
            names = set(re.findall(rb"[a-z]+:[a-z0-9-]+", path.read_bytes()))
            assert not names & {b"card:8899", b"app:other-89"}
