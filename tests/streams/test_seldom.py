"""A flood of one reason is a line per interval with a count."""

import logging

import pytest

from streams.seldom import REASONS_MAX, Seldom


class Log:
    """A handler behind the filter, on a clock of its own."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.seldom = Seldom(every_s=10, clock_s=lambda: self.now_s)

    def say(self, text: str, *args: object, level: int = logging.WARNING, reason: str | None = None) -> str | None:
        record = logging.LogRecord("streams.app", level, __file__, 1, text, args, None)
        record.reason = reason
        passed = self.seldom.filter(record)
        return passed.getMessage() if isinstance(passed, logging.LogRecord) else None


@pytest.fixture
def log() -> Log:
    return Log()


def test_a_thousand_lines_of_one_reason_are_one_line_and_a_count(log: Log) -> None:
    said = [log.say("%s waits", f"facts[{number}]", reason="full") for number in range(1000)]
    assert [line for line in said if line] == ["facts[0] waits"]
    log.now_s = 10.0
    assert log.say("%s waits", "facts[7]", reason="full") == "facts[7] waits (999 more like it were left out)"
    assert log.say("%s waits", "facts[8]", reason="full") is None


def test_another_reason_is_said_at_once(log: Log) -> None:
    assert log.say("%s waits", "facts[0]", reason="full")
    assert log.say("%s waits", "facts[0]", reason="away")
    assert log.say("%s is late", "facts[0]", reason="full")


def test_errors_that_say_different_things_are_all_said(log: Log) -> None:
    assert log.say("stopped %s", "facts[0]", level=logging.ERROR)
    assert log.say("stopped %s", "facts[1]", level=logging.ERROR)
    assert log.say("stopped %s", "facts[1]", level=logging.ERROR) is None


def test_errors_of_one_reason_are_alike(log: Log) -> None:
    assert log.say("%s waits", "facts[0]", level=logging.ERROR, reason="full")
    assert log.say("%s waits", "facts[1]", level=logging.ERROR, reason="full") is None


def test_what_is_remembered_of_ever_new_reasons_is_bounded(log: Log) -> None:
    for number in range(10 * REASONS_MAX):
        log.now_s += 1
        assert log.say("new", reason=str(number))
    assert len(log.seldom._said) <= REASONS_MAX
