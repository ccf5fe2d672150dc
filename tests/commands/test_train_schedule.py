"""`rapport train --every`: when the next model is due, and that it is made by itself."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import typer

from commands.train_schedule import again_in_s, due_in_s, latest_made_at, seconds_of
from embedded.ports import free_port
from embedded.store import store_url
from recommender.artifact import untrained
from recommender.catalogue import load_catalogue
from recommender.model_store import ModelStore
from tests.builders import NOW
from tests.servers import ROOT, embedded_store
from tests.waiting import until

HOUR_S = 3600


def test_before_the_first_model_one_is_due_at_once() -> None:
    assert due_in_s(-1, every_s=HOUR_S, now=NOW) == 0.0


def test_a_model_is_due_when_the_latest_is_as_old_as_that() -> None:
    assert due_in_s(NOW, every_s=HOUR_S, now=NOW) == HOUR_S
    assert due_in_s(NOW, every_s=HOUR_S, now=NOW + 1000 * (HOUR_S - 1)) == 1.0
    assert due_in_s(NOW, every_s=HOUR_S, now=NOW + 1000 * (HOUR_S + 1)) == 0.0


def test_a_clock_that_was_set_back_does_not_put_it_off_for_longer() -> None:
    assert due_in_s(NOW, every_s=HOUR_S, now=NOW - 1000 * 24 * HOUR_S) == HOUR_S


def test_one_that_failed_is_left_alone_for_a_minute_at_most() -> None:
    assert (again_in_s(1), again_in_s(HOUR_S)) == (1.0, 60.0)


def test_times_are_said_in_one_unit() -> None:
    assert [seconds_of(text) for text in ("30s", "5m", "1h", "1d")] == [30, 300, HOUR_S, 24 * HOUR_S]
    for text in ("", "0m", "1 h", "1w", "-1h", "99999s"):
        with pytest.raises(typer.BadParameter, match="30m, 1h or 1d"):
            seconds_of(text)


def test_an_earlier_model_that_is_served_again_is_not_trained_over_at_once(tmp_path: Path) -> None:
    models, catalogue = ModelStore(tmp_path), load_catalogue()
    earlier = models.publish(untrained(catalogue, code="earlier"), record={"snapshot": NOW})
    models.publish(untrained(catalogue, code="later"), record={"snapshot": NOW + 1})
    models.roll_back(earlier)

    assert latest_made_at(models) == NOW + 1


@pytest.mark.servers
def test_models_are_made_one_after_the_other_and_a_store_that_is_away_only_puts_them_off(tmp_path: Path) -> None:
    models, said, port = ModelStore(tmp_path / "data" / "models"), tmp_path / "said", free_port()
    with training_every_second(store_url(port), tmp_path / "data", said) as training:
        until(lambda: "rapport: no new model" in said.read_text(), what="a word that the store is away")
        with embedded_store(tmp_path / "store", port=port):
            until(lambda: latest_made_at(models) > 0, what="a first model")
            first = latest_made_at(models)
            until(lambda: latest_made_at(models) > first, what="a second model")
        assert training.poll() is None
    assert "Traceback" not in said.read_text()


@contextmanager
def training_every_second(store: str, data: Path, said: Path) -> Iterator[subprocess.Popen[bytes]]:
    words = ["train", "--json", "--every", "1s", "--data", str(data)]
    with said.open("wb") as errors:
        training = subprocess.Popen(
            [sys.executable, "-c", "import cli; cli.main()", *words],
            cwd=ROOT,
            env={"PATH": os.defpath, "RAPPORT_REDIS": store},
            stdout=subprocess.DEVNULL,
            stderr=errors,
        )
    try:
        yield training
    finally:
        training.terminate()
        training.wait(60)
