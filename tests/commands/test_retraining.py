"""A model made anew beside all else: whoever asks for it is not kept waiting, and a failure is left for a while."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from commands.retraining import AGAIN_S, TRAINING_S, UNDER_WAY, Retraining
from tests.waiting import until

Make = Callable[[str], Retraining]


class Clock:
    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def training(clock: Clock) -> Iterator[Make]:
    made: list[Retraining] = []

    def make(code: str) -> Retraining:
        made.append(Retraining([sys.executable, "-c", code], {}, clock))
        return made[-1]

    yield make
    for each in made:
        each.end()


def waiting_for(path: Path) -> str:
    """Ends well once the file is there."""
    return f"import os, threading\nwhile not os.path.exists({str(path)!r}): threading.Event().wait(0.01)"


def test_whoever_asks_goes_on_while_it_is_made_and_hears_once_that_it_was(training: Make, tmp_path: Path) -> None:
    retraining, go_on = training(waiting_for(tmp_path / "go-on")), tmp_path / "go-on"
    assert [retraining.ask(), retraining.ask()] == [UNDER_WAY, UNDER_WAY]

    go_on.touch()

    until(lambda: retraining.ask() is None, what="the model")
    go_on.unlink()
    assert retraining.ask() == UNDER_WAY


def test_one_that_failed_is_left_alone_for_a_minute(training: Make, clock: Clock) -> None:
    retraining = training("raise SystemExit(3)")
    retraining.ask()
    until(lambda: "the training failed" in str(retraining.ask()), what="the failure")
    assert "within a minute" in str(retraining.ask())

    clock.seconds += AGAIN_S

    assert retraining.ask() == UNDER_WAY


def test_one_that_takes_too_long_is_ended_and_failed(training: Make, clock: Clock, tmp_path: Path) -> None:
    retraining = training(waiting_for(tmp_path / "never"))
    retraining.ask()
    clock.seconds += TRAINING_S
    assert "the training failed" in str(retraining.ask())
    assert not retraining.waited()


def test_it_can_be_waited_for(training: Make) -> None:
    retraining = training("pass")
    assert not retraining.waited()
    retraining.ask()
    assert retraining.waited()
    assert retraining.ask() is None
