import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from api.auth import Role
from api.key_file import KeyFile
from commands.keys import app

run = CliRunner().invoke


@pytest.fixture
def data(tmp_path: Path) -> list[str]:
    return ["--data", str(tmp_path)]


def test_a_key_is_made_listed_and_revoked(data: list[str]) -> None:
    made = json.loads(run(app, ["add", "agent", "desk 7", "--json", *data]).stdout)

    listed = run(app, ["list", "--json", *data]).stdout

    assert [key["id"] for key in json.loads(listed)] == [made["id"]]
    assert made["key"] not in listed
    assert "sha256" not in listed
    assert run(app, ["revoke", made["id"], *data]).exit_code == 0
    assert json.loads(run(app, ["list", "--json", *data]).stdout) == []


def test_a_key_is_shown_whole_however_narrow_the_terminal(data: list[str]) -> None:
    shown = run(app, ["add", "agent", "desk 7", *data], env={"COLUMNS": "20"}).stdout.splitlines()

    assert any(line.startswith("rapport_") and len(line) > 50 for line in shown)


def test_an_ingest_key_needs_a_source(data: list[str]) -> None:
    refused = run(app, ["add", "ingest", "till", *data])
    made = run(app, ["add", "ingest", "till", "--source", "till", "--type", "transaction.*", *data])

    assert refused.exit_code == 2
    assert "bound to a source" in " ".join(refused.output.replace("│", " ").split())
    assert made.exit_code == 0
    [key] = KeyFile(Path(data[1]) / "api-keys.json").all().values()
    assert (key.source, key.types) == ("till", ("transaction.*",))


def test_a_key_that_is_not_there_cannot_be_revoked(data: list[str]) -> None:
    assert run(app, ["revoke", "00000000", *data]).exit_code == 2


def test_demo_keys_are_written_as_json(data: list[str]) -> None:
    assert set(json.loads(run(app, ["make", *data]).stdout)) == {role.value for role in Role}
