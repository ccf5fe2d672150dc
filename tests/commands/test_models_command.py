"""Models are listed, each has a card, and one that nobody is in may always be gone back to."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from commands.ledger import make_key
from commands.settings import settings_of
from commands.train_models import app
from consent.rules import shipped_rules
from recommender.artifact import untrained
from recommender.catalogue import load_catalogue
from recommender.model_store import ModelStore
from recommender.training import Trained, train
from recommender.training_record import signed
from tests.builders import NOW
from tests.recommender.worlds import CHECKERBOARD, CODE, SMALL, log_of, taken_by

run = CliRunner().invoke
EMPTY = untrained(load_catalogue(), code=CODE)


@pytest.fixture
def data(tmp_path: Path) -> list[str]:
    return ["--data", str(tmp_path)]


@pytest.fixture
def store(data: list[str]) -> ModelStore:
    return ModelStore(settings_of(data=data[1]).models)


@pytest.fixture(scope="module")
def made() -> Trained:
    facts = [some for customer in range(20) for some in taken_by(customer)]
    return train(log_of(facts), catalogue=CHECKERBOARD, at=NOW, code=CODE, plan=SMALL, rules=shipped_rules())


def test_the_card_of_the_model_that_serves_says_who_signed_its_record(
    data: list[str], store: ModelStore, made: Trained
) -> None:
    signer = make_key(settings_of(data=data[1]), "example.com/ledger")
    store.publish(made.artifact, record=signed(made.record, [signer]))

    card = run(app, ["show", "current", *data]).stdout

    assert f"# Model {made.artifact.name}" in card
    assert f"signed by {signer.verifier}" in card
    assert "| allowed by consent | 20 |" in card


def test_a_record_that_was_altered_shows_on_the_card(data: list[str], store: ModelStore, made: Trained) -> None:
    signer = make_key(settings_of(data=data[1]), "example.com/ledger")
    store.publish(made.artifact, record={**signed(made.record, [signer]), "people_refused": 99})

    assert "does not fit the record" in run(app, ["show", made.artifact.name, *data]).stdout


def test_models_are_listed_with_what_is_wrong_with_one(data: list[str], store: ModelStore, made: Trained) -> None:
    store.publish(EMPTY)
    broken = store.publish(made.artifact, record=made.record)
    (settings_of(data=data[1]).models / broken / "popularity.npy").unlink()

    listed = {each["name"]: each for each in json.loads(run(app, ["list", "--json", *data]).stdout)}

    assert listed[broken]["served"]
    assert listed[broken]["gate"] == "popularity.npy is missing"
    assert listed[EMPTY.name]["ranker"] == "popularity"
    shown = run(app, ["list", *data]).stdout
    assert broken in shown
    assert "popularity.npy" in shown


def test_a_model_that_nobody_is_in_may_be_gone_back_to(data: list[str], store: ModelStore, made: Trained) -> None:
    store.publish(EMPTY)
    store.publish(made.artifact, record=made.record)

    told = run(app, ["rollback", EMPTY.name, *data])

    assert told.exit_code == 0
    assert store.current() == EMPTY.name


def test_a_model_that_is_not_there_is_neither_shown_nor_gone_back_to(data: list[str]) -> None:
    for words in (["show", "0" * 32], ["rollback", "0" * 32]):
        assert run(app, [*words, *data]).exit_code != 0
