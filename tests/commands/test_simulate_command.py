"""`rapport simulate` on made-up people, and `rapport uplift` without an experiment."""

import json
from pathlib import Path

from typer.testing import CliRunner, Result

import cli
from commands.settings import settings_of
from commands.simulate_people import population_of
from commands.uplift import NoExperiment
from recommender.catalogue import DEFAULT_CATALOGUE
from tests.builders import NOW


def run(command: str, folder: Path, *words: str) -> Result:
    return CliRunner().invoke(cli.build(command), [command, *words, "--data", str(folder)])


def test_made_up_people_are_simulated_and_a_page_is_written(tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    words = ("--from", "demo", "--people", "60", "--by", "role", "--html", str(page))

    told = run("simulate", tmp_path, *words, "--json")

    assert told.exit_code == 0, (told.output, told.exception)
    report = json.loads(told.stdout)
    assert report["sides"][0]["people"] == 60
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert not (tmp_path / "accesses.sqlite").exists()


def test_another_catalogue_is_compared_with_the_served_one(tmp_path: Path) -> None:
    other = tmp_path / "other.yaml"
    other.write_bytes(DEFAULT_CATALOGUE.read_bytes())

    told = run("simulate", tmp_path, "--from", "demo", "--people", "40", "--against", str(other))

    assert told.exit_code == 0, (told.output, told.exception)
    assert told.stdout.count("services left per person") == 2
    assert f"{DEFAULT_CATALOGUE.name} to other.yaml: 0 people have another first suggestion" in told.stdout


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
