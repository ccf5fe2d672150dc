"""`rapport simulate` on made-up people, and `rapport uplift` without an experiment."""

import json
import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

import cli
from commands.settings import settings_of
from commands.simulate_people import population_of
from commands.uplift import NoExperiment
from recommender.catalogue import DEFAULT_CATALOGUE
from recommender.uplift import load_experiment
from tests.builders import NOW
from tests.servers import ROOT


def run(command: str, folder: Path, *words: str) -> Result:
    return CliRunner().invoke(cli.build(command), [command, *words, "--data", str(folder)])


@pytest.mark.thorough
def test_made_up_people_are_simulated_and_a_page_is_written(tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    words = ("--from", "demo", "--people", "60", "--by", "role", "--html", str(page))

    told = run("simulate", tmp_path, *words, "--json")

    assert told.exit_code == 0, (told.output, told.exception)
    report = json.loads(told.stdout)
    assert report["sides"][0]["people"] == 60
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert not (tmp_path / "accesses.sqlite").exists()


@pytest.mark.thorough
def test_another_catalogue_is_compared_with_the_served_one(tmp_path: Path) -> None:
    other = tmp_path / "other.yaml"
    other.write_bytes(DEFAULT_CATALOGUE.read_bytes())

    told = run("simulate", tmp_path, "--from", "demo", "--people", "40", "--against", str(other))

    assert told.exit_code == 0, (told.output, told.exception)
    assert told.stdout.count("services left per person") == 2
    assert f"{DEFAULT_CATALOGUE.name} to other.yaml: 0 people have another first suggestion" in told.stdout


@pytest.mark.thorough
def test_the_same_seed_is_the_same_made_up_people(tmp_path: Path) -> None:
    def members(seed: int) -> list[tuple[str, ...]]:
        found = population_of(settings_of(data=tmp_path), "demo", at=NOW, most=20, seed=seed)
        return [view.members for view in found.people]

    one, again = members(7), members(7)
    assert one == again
    assert len(one) == 20


def test_without_an_experiment_there_is_nothing_to_compare(tmp_path: Path) -> None:
    told = run("uplift", tmp_path)

    assert isinstance(told.exception, NoExperiment)


def page_of_the_how_to() -> str:
    return (ROOT / "docs" / "how-to" / "simulate.md").read_text(encoding="utf-8")


def commands_of_the_how_to() -> list[str]:
    blocks = re.findall(r"```sh\n(.*?)```", page_of_the_how_to(), re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line.startswith("rapport simulate")]


@pytest.mark.thorough
@pytest.mark.parametrize("line", commands_of_the_how_to())
def test_every_simulation_of_the_how_to_works(tmp_path: Path, line: str) -> None:
    (tmp_path / "catalogue.yaml").write_bytes(DEFAULT_CATALOGUE.read_bytes())
    small = re.sub(r"\b(catalogue\.yaml|report\.html)", rf"{tmp_path}/\1", line).replace("--people 400", "--people 20")
    words = shlex.split(small)[1:]

    told = run(words[0], tmp_path, *words[1:])

    assert told.exit_code == 0, (told.output, told.exception)


def test_the_experiment_of_the_how_to_is_one(tmp_path: Path) -> None:
    [text] = re.findall(r"```yaml\n(.*?)```", page_of_the_how_to(), re.DOTALL)
    file = tmp_path / "spring.yaml"
    file.write_text(text, encoding="utf-8")

    assert load_experiment(file).shares.model == 0.05
