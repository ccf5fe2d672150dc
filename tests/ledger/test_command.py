"""`rapport ledger`, and every command of the page on verifying it."""

import contextlib
import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from commands.failures import explain
from commands.ledger import app, signers_of
from commands.settings import settings_of
from consent.ledger import Ledger
from consent.ledger_follower import LedgerFollower
from events.following import Stretch
from events.position import Position
from tests.builders import consent
from tests.ledger.ledgers import entries, entry
from tests.servers import ROOT

PAGE = ROOT / "docs" / "how-to" / "verify-the-ledger.md"


class Office:
    """A data folder, and the commands typed at it."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "data"

    def run(self, *words: str, status: int = 0) -> Result:
        done = CliRunner().invoke(app, list(words), env={"RAPPORT_DATA": str(self.data), "COLUMNS": "200"})
        assert done.exit_code == status, (done.output, done.exception)
        return done

    def said(self, *words: str, status: int = 0) -> Any:
        return json.loads(self.run(*words, "--json", status=status).stdout)

    def refusal(self, *words: str) -> str:
        """The sentence a person is told."""
        done = self.run(*words, status=1)
        assert isinstance(done.exception, Exception)
        sentence = explain(done.exception)
        assert sentence is not None, done.exception
        return sentence

    def append(self, count: int, *, start: int = 0) -> None:
        ledger = Ledger(self.data / "ledger")
        ledger.append(entries(count, start=start))
        ledger.close()


@pytest.fixture
def office(tmp_path: Path) -> Office:
    made = Office(tmp_path)
    made.append(20)
    return made


def test_the_secret_key_is_the_owner_s_alone_and_never_shown(office: Office) -> None:
    public = office.run("keygen", "example.com/consent").stdout.strip()
    kept = office.data / "ledger.key"

    assert public.startswith("example.com/consent+")
    assert kept.stat().st_mode & 0o777 == 0o600
    assert kept.read_text().strip().startswith("PRIVATE+KEY+example.com/consent+")
    assert "PRIVATE" not in office.run("show").stdout
    assert office.said("show")["keys"] == [public]
    assert "--beside" in office.refusal("keygen")


def test_a_second_key_signs_beside_the_first(office: Office, tmp_path: Path) -> None:
    keys = [office.run("keygen", "example.com/consent").stdout.strip(), office.run("keygen", "--beside").stdout.strip()]
    assert "has its name" in office.refusal("keygen", "example.com/other", "--beside")
    office.run("publish", str(tmp_path / "outside"))

    assert office.said("show")["keys"] == keys
    for key in keys:
        assert office.said("verify", str(office.data / "ledger"), "--key", key)["holds"]


def test_what_was_rewritten_is_found_and_the_status_says_so(office: Office, tmp_path: Path) -> None:
    key = office.run("keygen").stdout.strip()
    office.run("publish", str(tmp_path / "outside"))
    for path in sorted((office.data / "ledger").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    ledger = Ledger(office.data / "ledger")
    ledger.append([*entries(19), entry(19, said="no")])
    ledger.close()
    office.run("publish")

    folder, outside = str(office.data / "ledger"), str(tmp_path / "outside" / "checkpoint")
    assert office.said("verify", folder, "--key", key)["holds"]
    found = office.said("verify", folder, "--key", key, "--checkpoint", outside, status=1)
    assert (found["holds"], [each["kind"] for each in found["findings"]]) == (False, ["changed"])
    told = office.run("verify", folder, "--key", key, "--checkpoint", outside, status=1).stdout
    assert "the first 20 leaves are not those of the earlier checkpoint" in told
    refused = office.said("publish", str(tmp_path / "outside"), status=1)
    assert "does not continue" in refused["published"][0]["failure"]


def test_a_proof_is_checked_without_the_ledger(office: Office, tmp_path: Path) -> None:
    key = office.run("keygen").stdout.strip()
    office.run("publish", str(tmp_path / "outside"))
    office.append(9, start=20)
    office.run("publish")
    proof, earlier = tmp_path / "proof.json", str(tmp_path / "outside" / "checkpoint")
    office.run("prove", "entry:7", "--out", str(proof), "--since", earlier)

    held = office.said("verify", str(proof), "--key", key, "--checkpoint", earlier)
    assert (held["holds"], held["leaf"], held["entry"]["id"]) == (True, 7, "entry:7")
    proof.write_text(proof.read_text().replace('"yes"', '"no"'))
    found = office.said("verify", str(proof), "--key", key, "--checkpoint", earlier, status=1)
    assert "not the one at leaf 7" in found["findings"][0]["detail"]


def test_without_an_earlier_checkpoint_it_says_what_that_leaves_open(office: Office) -> None:
    key = office.run("keygen").stdout.strip()
    office.run("publish")

    told = office.run("verify", str(office.data / "ledger"), "--key", key).stdout
    assert "whoever holds the signing key could have rewritten all of it" in told


def test_witnesses_are_demanded_of_the_checkpoint_that_is_verified(office: Office, tmp_path: Path) -> None:
    key = office.run("keygen").stdout.strip()
    office.run("publish")
    folder, secret, seen = str(office.data / "ledger"), tmp_path / "w.key", str(tmp_path / "w.note")
    public = office.run("witness-key", "auditor.example/w1", "--out", str(secret)).stdout.strip()
    other = office.run("witness-key", "press.example/w2", "--out", str(tmp_path / "other.key")).stdout.strip()
    assert secret.stat().st_mode & 0o777 == 0o600
    assert "cannot be written" in office.refusal("witness-key", "x", "--out", str(secret))
    note = office.run("witness", folder, "--key", key, "--signs-with", str(secret), "--seen", seen).stdout
    assert note.strip() == Path(seen).read_text(encoding="utf-8").strip()
    office.run("prove", "entry:7", "--out", str(tmp_path / "proof.json"))

    for path in (folder, str(tmp_path / "proof.json")):
        trusted = ("verify", path, "--key", key, "--witness", public)
        assert office.said(*trusted, "--checkpoint", seen)["holds"]
        assert office.said(*trusted, "--witness", other, "--witnesses", "1", "--checkpoint", seen)["holds"]
        for lacking in (trusted, (*trusted, "--witness", other, "--checkpoint", seen)):
            [found] = office.said(*lacking, status=1)["findings"]
            assert found["kind"] == "witnesses"
    assert "not the key of a witness" in office.refusal("verify", folder, "--key", key, "--witness", key)


def test_a_ledger_that_does_not_hold_is_not_cosigned(office: Office, tmp_path: Path) -> None:
    key = office.run("keygen").stdout.strip()
    office.run("publish")
    office.run("witness-key", "auditor.example/w1", "--out", str(tmp_path / "w.key"))
    asked = ("--key", key, "--signs-with", str(tmp_path / "w.key"), "--seen", str(tmp_path / "w.note"))
    [leaves] = (office.data / "ledger" / "leaves").iterdir()
    leaves.write_bytes(leaves.read_bytes()[:-1] + b"x")

    told = office.run("witness", str(office.data / "ledger"), *asked, status=1).stdout

    assert "the first 20 leaves are not those of the last signed checkpoint" in told
    assert not (tmp_path / "w.note").exists()


def test_every_mistake_is_one_sentence(office: Office, tmp_path: Path) -> None:
    folder = str(office.data / "ledger")
    assert "rapport ledger keygen" in office.refusal("publish")
    assert "rapport ledger keygen" in office.refusal("show")
    key = office.run("keygen").stdout.strip()
    office.run("publish")
    assert "no entry" in office.refusal("prove", "fact:1.2.3", "--out", str(tmp_path / "proof"))
    assert "cannot be read" in office.refusal("verify", str(tmp_path / "nothing"), "--key", key)
    assert "not the folder of a ledger" in office.refusal("verify", str(tmp_path), "--key", key)
    assert "a key is written" in office.refusal("verify", folder, "--key", "nonsense")
    assert "secret key" in office.refusal("verify", folder, "--key", str(office.data / "ledger.key"))
    assert "verify-the-ledger.md" in office.refusal("verify", folder, "--key", key, "--checkpoint", str(PAGE))
    assert "no proof" in office.refusal("verify", str(PAGE), "--key", key)
    (office.data / "ledger.key").write_text("PRIVATE+KEY+x+00000000+AAAA\n")
    assert "ledger.key: a key is written" in office.refusal("publish")
    office.data = tmp_path / "elsewhere"
    assert "no ledger" in office.refusal("show")


def commands_of_the_page() -> list[list[str]]:
    blocks = re.findall(r"^ *```sh\n(.*?)^ *```", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    return [shlex.split(line) for block in blocks for line in block.splitlines()]


def test_every_step_of_the_page_works_in_its_order(tmp_path: Path) -> None:
    office = Office(tmp_path)
    ledger = Ledger(office.data / "ledger")
    LedgerFollower(ledger).take(
        Stretch(epoch=1, partition=3, start=0, end=43, facts=[(Position(1, 3, 42), consent("given", "profile.build"))])
    )
    ledger.close()
    steps, answers = commands_of_the_page(), dict[str, str]()
    assert len(steps) == 10
    with contextlib.chdir(tmp_path):
        (tmp_path / "rapport-data").symlink_to(office.data)
        for program, group, *words in steps:
            assert (program, group) == ("rapport", "ledger")
            typed, into = (words[:-2], words[-1]) if ">" in words else (words, None)
            said = office.run(*typed).stdout
            answers[" ".join(typed[:2])] = said
            if into:
                (tmp_path / into).write_text(said)
    for checked in ("rapport-data/ledger", "proof.json"):
        assert "nothing was altered; continues the checkpoint of 1 entries" in answers[f"verify {checked}"]
    assert len(signers_of(settings_of(data=str(office.data)))) == 2
