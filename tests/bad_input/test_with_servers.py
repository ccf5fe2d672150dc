"""The same over a broker, a store and a worker that really run, and what an operator does about it."""

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from consent.holds import hold_of
from consent.redis_holds import RedisHolds
from events.admission import Admission, EventRefused
from profiles.redis_store import redis_client
from streams.admin import log_bounds
from tests.bad_input.cases import ADMITTED, ANNA, EVENTS
from tests.builders import HOUR, NOW, TRUSTED, event, raw
from tests.installation import Installation, installation_in
from tests.servers import ROOT
from tests.waiting import until

pytestmark = pytest.mark.servers

RECORD_BYTES_MAX = 900_000
"""A broker takes no more in one record."""
LOUD = b"\x1b[31m [/bold] \x07 {"
GIVEN = event("consent.given", subject="app:1", purpose="profile.build", event_id="act-1", at=NOW - HOUR)
WITHDRAWN = event("consent.withdrawn", subject="app:1", purpose="profile.build", event_id="act-1")


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    with installation_in(tmp_path) as made:
        yield made


def letters(installation: Installation, topic: str | None = None) -> list[dict[str, Any]]:
    """The letters of a topic (None: of all)."""
    listed = installation.rapport("dead-letters", "list", "--json")
    assert listed.returncode == 0, listed.stderr
    found: list[dict[str, Any]] = json.loads(listed.stdout)
    return [letter for letter in found if topic in (None, letter["topic"])]


def test_every_bad_event_ends_as_the_table_says_and_the_worker_goes_on(installation: Installation) -> None:
    cases = [case for some in EVENTS.values() for case in some]
    fits = [case for case in cases if case.intake and case.sent and len(case.sent) < RECORD_BYTES_MAX]
    # What was a day ahead when the tests were written is not any more.
    sent = [case for case in fits if case.intake != "bad_time" or b"9999" in (case.sent or b"")]
    topic = installation.settings.intake_topic()
    with installation.worker():
        installation.send([*(case.sent or b"" for case in sent), LOUD])
        until(lambda: installation.done(topic) >= len(sent) + 1, within_s=90, what="the intake at its end")
        expected = Counter(case.intake for case in sent if case.intake != ADMITTED) + Counter(["not_json"])
        until(lambda: len(letters(installation, topic)) == expected.total(), what="the letters")
        installation.send([event("service.visited", subject="app:after", place="shop")])
        until(lambda: installation.facet("app:after").service.touch, what="the next event folded")

    found = letters(installation, topic)
    assert Counter(letter["reason"] for letter in found) == expected
    assert len({letter["id"] for letter in found}) == len(found)
    assert ANNA not in json.dumps(found) + installation.log_of()
    assert "Traceback" not in installation.log_of()
    shown = [installation.rapport("dead-letters", "show", letter["id"], "--open").stdout for letter in found[-3:]]
    assert not any("\x1b" in each for each in shown)


@pytest.mark.parametrize("word", ["show", "discard", "replay"])
def test_what_is_no_letter_is_answered_with_one_line(installation: Installation, word: str) -> None:
    answer = installation.rapport("dead-letters", word, "weight")

    assert (answer.returncode, answer.stderr) == (1, "rapport: no dead letter weight is kept\n")


@pytest.fixture
async def holds(installation: Installation) -> AsyncIterator[RedisHolds]:
    """The no was acknowledged: its hold stands."""
    partitions = installation.settings.partitions
    admission = Admission(pseudonyms=installation.pseudonyms, partitions=partitions)
    facts = admission.admit(raw(WITHDRAWN), door=TRUSTED, received_at=NOW)
    assert not isinstance(facts, EventRefused)
    hold = hold_of(facts[0].fact)
    assert hold is not None
    client = redis_client(installation.settings.redis, cluster=False)
    holds = RedisHolds(client, partitions=partitions)
    await holds.place([hold])
    yield holds
    await client.aclose()


def records(installation: Installation) -> int:
    """How far the log of facts has grown."""
    bounds = log_bounds(installation.settings.brokers, [installation.settings.events_topic])
    return sum(bound.end for bound in bounds.values())


def started(installation: Installation) -> "subprocess.Popen[bytes]":
    """A replay of every conflict, under way."""
    words = ["dead-letters", "replay", "--reason", "conflict", "--json"]
    argv = [sys.executable, "-c", "import cli; cli.main()", *words]
    return subprocess.Popen(argv, env=dict(installation.environment), cwd=ROOT, stdout=subprocess.PIPE)


async def test_a_no_in_a_conflict_is_replayed_by_commands_that_die_and_run_at_once(
    installation: Installation, holds: RedisHolds
) -> None:
    """Its hold is published again all the while, so there may be more than one letter."""
    name = installation.pseudonyms.of("app:1")
    await installation.append([GIVEN, WITHDRAWN])
    with installation.worker():
        until(lambda: letters(installation), within_s=60, what="a letter")
    before = letters(installation)
    assert {letter["reason"] for letter in before} == {"conflict"}

    refused = installation.rapport("dead-letters", "discard", before[0]["id"])
    assert (refused.returncode, refused.stderr.count("\n")) == (1, 1)
    end = records(installation)
    with started(installation) as dying:
        until(lambda: records(installation) > end, within_s=60, what="a record sent")
        os.kill(dying.pid, signal.SIGKILL)
    assert letters(installation) == before
    assert await holds.of([name]) == {name: {"profile.build"}}

    def replayed_at_once() -> bool:
        commands = [started(installation) for _ in range(2)]
        outcomes = [json.loads(command.communicate(timeout=120)[0])["letters"] for command in commands]
        assert {outcome for each in outcomes for outcome in each.values()} <= {"applied", "gone"}
        return not letters(installation)

    await installation.append([event("service.visited", subject="app:2", place="shop")])
    with installation.worker():
        # A replay waits for a worker that keeps up, not for one that starts.
        until(lambda: installation.facet("app:2").service.touch, what="a worker at work")
        until(replayed_at_once, within_s=240, what="no letter left")
    assert await holds.of([name]) == {name: frozenset()}
    assert installation.facet("app:1").consents["profile.build"].no_received_at == NOW
