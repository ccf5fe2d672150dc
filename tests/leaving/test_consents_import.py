"""`rapport consents import`, as far as no broker is needed: the plan of a dry run, and what cannot be imported."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from commands.consents_import import FIELD_BYTES_MAX, app
from commands.settings import make_keyring, settings_of
from tests.leaving.crm import HEAD, MAPPING, export


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    make_keyring(settings_of(data=tmp_path / "data"))
    (tmp_path / "crm.yaml").write_text(MAPPING)
    (tmp_path / "crm.csv").write_text(export())
    return tmp_path


def consents_import(folder: Path, *words: str, file: str = "crm.csv") -> Result:
    asked = ["import", str(folder / file), "--mapping", str(folder / "crm.yaml"), "--data", str(folder / "data")]
    return CliRunner().invoke(app, [*asked, *words])


def test_a_dry_run_says_what_would_happen_to_each_class_of_row(folder: Path) -> None:
    done = consents_import(folder, "--dry-run", "--json")
    told = json.loads(done.stdout)

    assert done.exit_code == 1
    assert told["rows"] == 8
    assert told["taken"] == [
        {"act": "given", "purpose": "outreach.email", "count": 1},
        {"act": "given", "purpose": "outreach.phone", "count": 1},
        {"act": "refused", "purpose": "outreach.email", "count": 1},
        {"act": "withdrawn", "purpose": "outreach.phone", "count": 1},
    ]
    assert {code: each["first_lines"] for code, each in told["refused"].items()} == {
        "bad_identity": [5],
        "bad_time": [6],
        "no_evidence": [4],
        "other_fields": [9],
        "unknown_word": [7],
    }


def test_what_is_said_repeats_nothing_of_the_file(folder: Path) -> None:
    said = consents_import(folder, "--dry-run").output

    assert "given" in said
    assert "no_evidence" in said
    for word in ("anna", "bo@", "example", "not an address", "maybe", "1234567", "7654321", "31.02"):
        assert word not in said.lower()


def test_a_file_without_faults_ends_well(folder: Path) -> None:
    (folder / "crm.csv").write_text(export("anna@example.test;yes;01.03.2024;paper;;;"))

    assert consents_import(folder, "--dry-run").exit_code == 0


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "there is no column Calls"),
        (b"E-Mail;Phone\n", "there is no column Calls"),
        ((HEAD + ";Phone\n").encode(), "named twice"),
        (HEAD.encode() + b"\n\xff\xfe;;;;;;\n", "not utf-8"),
        (HEAD.encode() + b'\n"a;b', "not CSV"),
        (HEAD.encode() + b"\n" + b"x" * (FIELD_BYTES_MAX + 1) + b";;;;;;\n", "not CSV"),
    ],
)
def test_a_file_that_is_not_what_the_mapping_says_is_refused_as_a_whole(folder: Path, content: bytes, why: str) -> None:
    (folder / "crm.csv").write_bytes(content)

    done = consents_import(folder, "--dry-run")

    assert done.exit_code == 2
    assert why in " ".join(done.stderr.split())


def test_a_line_number_is_where_the_row_begins_in_the_file(folder: Path) -> None:
    rows = ('"two\nlines";yes;01.03.2024;paper;;;', "", "x;yes;01.03.2024;paper;;;")
    (folder / "crm.csv").write_text(export(*rows))

    told = json.loads(consents_import(folder, "--dry-run", "--json").stdout)

    assert told["refused"]["bad_identity"]["first_lines"] == [2, 5]


def test_a_mark_at_the_beginning_of_the_file_is_no_part_of_a_name(folder: Path) -> None:
    (folder / "crm.csv").write_bytes(b"\xef\xbb\xbf" + export("anna@example.test;yes;01.03.2024;paper;;;").encode())

    assert consents_import(folder, "--dry-run").exit_code == 0


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("source: [", "not YAML"),
        (MAPPING.replace("source: crm", "source: nobody"), "no intake is bound to it"),
        (MAPPING.replace("act:", "deed:"), "acts.0.act"),
    ],
)
def test_a_mapping_that_cannot_be_followed_ends_the_command(folder: Path, text: str, why: str) -> None:
    (folder / "crm.yaml").write_text(text)

    done = consents_import(folder, "--dry-run")

    assert done.exit_code == 2
    assert why in " ".join(done.stderr.split())
    assert "Traceback" not in done.output


@pytest.mark.parametrize("missing", ["crm.csv", "crm.yaml"])
def test_a_file_that_is_not_there_ends_the_command(folder: Path, missing: str) -> None:
    (folder / missing).unlink()

    done = consents_import(folder, "--dry-run")

    assert done.exit_code == 2
    assert "cannot be read" in " ".join(done.stderr.split())


def test_without_the_installation_s_key_nothing_is_imported(folder: Path) -> None:
    (folder / "data" / "pseudonym.key").unlink()

    done = consents_import(folder, "--dry-run")

    assert done.exit_code == 2
    assert "RAPPORT_PSEUDONYM_KEY" in done.stderr


@pytest.mark.thorough
def test_a_broker_that_is_not_there_is_said_in_a_sentence(folder: Path) -> None:
    done = consents_import(folder, "--kafka", "127.0.0.1:1")

    assert done.exit_code == 3
    assert "Traceback" not in done.output
