"""Every command in the README, run as a newcomer would."""

import json
import os
import re
import shlex
import subprocess
from pathlib import Path

import msgspec
import pytest

from recommender.catalogue import DEFAULT_CATALOGUE
from tests.builders import event, money
from tests.journeys.desks import Desk, until_answers_hold_for_a_minute
from tests.servers import ROOT
from tests.waiting import until

pytestmark = pytest.mark.servers

_ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("RAPPORT_")}
"""The README's commands find their service by its data folder alone."""
README = (ROOT / "README.md").read_text()


def commands() -> list[str]:
    """The lines of the README's shell blocks, without their comments."""
    blocks = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    lines = [line.split("#")[0].strip() for block in blocks for line in block.splitlines()]
    return [line for line in lines if line]


@pytest.fixture
def data(desk: Desk) -> Path:
    """The data folder of a service that `make run` has made ready."""
    return desk.data


def run(line: str, data: Path) -> subprocess.CompletedProcess[str]:
    """A README line, with this service's data folder."""
    environment = {**_ENVIRONMENT, "RAPPORT_DATA": str(data)}
    return subprocess.run(
        shlex.split(line), cwd=ROOT, env=environment, capture_output=True, text=True, timeout=200, check=False
    )


def test_the_readme_names_these_commands_and_no_others() -> None:
    assert commands() == [
        "make run",
        "make test",
        ".venv/bin/rapport tour",
        ".venv/bin/rapport officer history app:jon",
        ".venv/bin/rapport officer permitted app:jon",
        ".venv/bin/rapport ledger publish DIR",
        ".venv/bin/rapport ledger verify rapport-data/ledger --key KEY --checkpoint DIR/checkpoint",
        ".venv/bin/rapport explain DECISION",
        ".venv/bin/rapport simulate --against FILE",
        ".venv/bin/rapport evaluate FILE.csv",
        ".venv/bin/rapport replay FILE.jsonl",
        ".venv/bin/rapport replay olist DIR --grant profile.build,suggest.personal",
    ]


def test_make_test_is_what_ci_runs() -> None:
    assert "exec make test" in (ROOT / ".ci" / "run").read_text()


def test_the_tour_ends_where_it_began(data: Path) -> None:
    until_answers_hold_for_a_minute()
    answer = run(".venv/bin/rapport tour", data)

    assert answer.returncode == 0, answer.stderr
    assert "to the byte" in " ".join(answer.stdout.split())


def test_the_officer_sees_what_was_agreed_to(data: Path) -> None:
    for question in ("history", "permitted"):
        answer = run(f".venv/bin/rapport officer {question} app:jon", data)
        assert answer.returncode == 0, answer.stderr
        assert answer.stdout


def test_the_ledger_is_published_and_verified(data: Path, tmp_path: Path) -> None:
    until((data / "ledger" / "checkpoint").exists, what="a signed ledger")
    key = json.loads(run(".venv/bin/rapport ledger show --json", data).stdout)["keys"][0]

    published = run(f".venv/bin/rapport ledger publish {tmp_path}", data)
    verified = run(
        f".venv/bin/rapport ledger verify {data}/ledger --key {key} --checkpoint {tmp_path}/checkpoint --json", data
    )

    assert published.returncode == 0, published.stderr
    assert (verified.returncode, json.loads(verified.stdout)["holds"]) == (0, True), verified.stderr


def test_a_decision_is_explained(data: Path) -> None:
    asked = run(".venv/bin/rapport suggest app:anna --json", data)
    assert asked.returncode == 0, asked.stderr

    answer = run(f".venv/bin/rapport explain {json.loads(asked.stdout)['decision']}", data)

    assert answer.returncode == 0, answer.stderr
    assert "the same bytes" in answer.stdout


def test_another_catalogue_is_simulated(data: Path) -> None:
    answer = run(f".venv/bin/rapport simulate --against {DEFAULT_CATALOGUE} --json", data)

    assert answer.returncode == 0, answer.stderr
    assert json.loads(answer.stdout)


def test_rankers_are_evaluated_on_a_table_of_ones_own(data: Path, tmp_path: Path) -> None:
    table = tmp_path / "taken.csv"
    rows = [f"p{person},s{(person + taken) % 5},2026-01-{1 + taken:02d}" for person in range(40) for taken in range(4)]
    table.write_text("\n".join(["person,service,date", *rows]))

    answer = run(f".venv/bin/rapport evaluate {table}", data)

    assert answer.returncode == 0, answer.stderr
    assert "served" in answer.stdout


def test_a_file_of_events_is_replayed(data: Path, tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    bought = event("transaction.purchased", subject="app:readme", source="replay", order_id="1", total=money(5))
    file.write_bytes(msgspec.json.encode(bought) + b"\n")

    answer = run(f".venv/bin/rapport replay {file} --json", data)

    assert answer.returncode == 0, answer.stderr
    assert json.loads(answer.stdout)["acknowledged"] == 1


def test_olist_is_replayed(data: Path, olist: Path) -> None:
    answer = run(
        f".venv/bin/rapport replay olist {olist} --grant profile.build,suggest.personal --limit 500 --json", data
    )

    assert answer.returncode == 0, answer.stderr
    assert json.loads(answer.stdout)["acknowledged"] == 500
