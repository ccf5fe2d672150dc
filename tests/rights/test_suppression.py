"""Whom we erased is known again by a keyed hash, and is not taken up again by a file."""

import json
from pathlib import Path

from typer.testing import CliRunner

from commands.consents_import import app
from commands.settings import make_keyring, settings_of
from consent.rights import suppression
from consent.rights_requests import Asked, RightsRequests
from events.pseudonyms import Pseudonyms
from tests.builders import NOW
from tests.leaving.crm import MAPPING, export

ANNA = "anna@example.test;yes;01.03.2024;paper;;;"


def test_an_import_takes_up_nobody_who_was_erased(tmp_path: Path) -> None:
    settings = settings_of(data=tmp_path / "data")
    keyring = make_keyring(settings)
    name = Pseudonyms(keyring.pseudonym_key, settings.region).of("email:anna@example.test")
    (tmp_path / "crm.yaml").write_text(MAPPING)
    (tmp_path / "crm.csv").write_text(export(ANNA, ANNA.replace("anna", "bert")))
    requests = RightsRequests(settings.rights)

    assert refused(tmp_path) == {}

    hashes = [suppression(name, key=keyring.suppression_key)]
    erasure = requests.open(Asked(id="r-1", identities=[name], left=[], hashes=hashes, at=NOW, by="0" * 8))
    requests.done(erasure, "store", at=NOW, found={})
    requests.certify(erasure, "certificate", at=NOW)

    assert refused(tmp_path) == {"erased": [2]}
    assert name.encode() not in settings.rights.read_bytes()


def refused(folder: Path) -> dict[str, list[int]]:
    """Code -> the lines of what a dry run would not take."""
    words = [str(folder / "crm.csv"), "--mapping", str(folder / "crm.yaml"), "--data", str(folder / "data")]
    told = json.loads(CliRunner().invoke(app, ["import", *words, "--dry-run", "--json"]).stdout)
    return {code: each["first_lines"] for code, each in told["refused"].items()}
