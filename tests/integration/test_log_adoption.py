"""A log that was made anew is not read by accident: which log it is, what would be lost, and how to go on."""

import asyncio
import json
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from commands.logs import epochs_file
from commands.settings import settings_of
from embedded.broker import broker_service
from embedded.ports import LOOPBACK, free_port
from embedded.process import running
from streams.admin import broker_hints, ensure_topics
from tests.installation import PARTITIONS, Installation, fresh_prefix, keyring_in, named_cluster, remove_topics
from tests.integration.brokers import on_each_broker
from tests.integration.orders import archived, folded, orders
from tests.integration.resting import worked_off
from tests.servers import Valkey, embedded_store
from tests.waiting import until

pytestmark = pytest.mark.servers

MADE_ANEW = "rapport: the topic was made anew: its id is another one; `rapport log adopt` opens the next epoch on it"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Valkey]:
    with embedded_store(tmp_path / "store") as store:
        yield store


@dataclass(frozen=True)
class Place:
    """Where the logs of a test are, one after the other; embedded brokers all listen on the port."""

    cluster: str | None
    port: int
    prefix: str


@pytest.fixture
def place(broker: str | None) -> Place:
    return Place(broker or named_cluster(), free_port(), fresh_prefix())


@contextmanager
def on_a_new_log(folder: Path, store: Valkey, place: Place) -> Iterator[Installation]:
    """The installation in `folder` with topics made just now, by starting an embedded broker or by deletion."""
    with ExitStack() as started:
        if place.cluster is None:
            started.enter_context(running(broker_service(port=place.port)))
        settings = settings_of(
            kafka=place.cluster or f"{LOOPBACK}:{place.port}",
            topic_prefix=place.prefix,
            redis=store.url,
            data=folder / "data",
            partitions=PARTITIONS,
        )
        ensure_topics(settings.brokers, settings.topics, replication=1)
        if place.cluster:
            started.callback(remove_topics, settings, settings.topics)
        yield Installation(settings, keyring_in(settings), store)


def worked(made: Installation, events: Sequence[dict[str, Any]], *, total: int, keeps_history: bool = True) -> None:
    """Send events, and let workers run until so many orders are in the profiles, and in history where it is kept."""
    with ExitStack() as started:
        for app in ("profiles", *(["history"] if keeps_history else [])):
            started.enter_context(made.worker(app))
        made.send(events)
        until(lambda: folded(made) == total, within_s=60, what=f"{total} orders in the profiles")
        until(lambda: not keeps_history or archived(made) >= total, what=f"{total} facts in history")
        worked_off(made, keeps_history=keeps_history)


def refusal(made: Installation, *words: str) -> str:
    """The last line of a command that does not do what it was asked for."""
    answer = made.rapport(*words)
    assert answer.returncode == 1, answer.stdout
    assert "Traceback" not in answer.stderr
    return answer.stderr.splitlines()[-1]


def adopted(made: Installation, *words: str) -> dict[str, Any]:
    answer = made.rapport("log", "adopt", "--json", *words)
    assert answer.returncode == 0, answer.stderr
    said: dict[str, Any] = json.loads(answer.stdout)
    return said


@on_each_broker
def test_a_log_made_anew_is_read_only_once_it_is_adopted(tmp_path: Path, store: Valkey, place: Place) -> None:
    with on_a_new_log(tmp_path, store, place) as made:
        worked(made, orders(60), total=60)

    with on_a_new_log(tmp_path, store, place) as made:
        assert refusal(made, "worker", "--app", "history") == MADE_ANEW
        assert adopted(made) == {"epoch": 2, "lost": []}
        already = "rapport: this is the log followed so far; there is nothing to adopt"
        assert refusal(made, "log", "adopt") == already
        # Some of what came before, and something new about one person: most partitions see little of this log.
        worked(made, [*orders(3), *orders(1, first=60)], total=61)

    with on_a_new_log(tmp_path, store, place) as made:
        assert adopted(made) == {"epoch": 3, "lost": []}
        assert folded(made) == 61
    with on_a_new_log(tmp_path, store, place) as made:
        # Nothing at all came by way of the third log.
        assert adopted(made) == {"epoch": 4, "lost": []}


@on_each_broker
def test_what_only_the_lost_log_held_is_named_and_given_up_by_a_person_only(
    tmp_path: Path, store: Valkey, place: Place
) -> None:
    with on_a_new_log(tmp_path, store, place) as made:
        worked(made, orders(40), total=40, keeps_history=False)

    with on_a_new_log(tmp_path, store, place) as made:
        said = refusal(made, "log", "adopt")
        assert re.match(r"rapport: history does not reach the checkpoint, it lacks partition \d: 0 to ", said)
        assert said.endswith("; `--accept-gap` goes on without it")
        assert refusal(made, "worker") == MADE_ANEW

        answer = adopted(made, "--accept-gap")
        assert answer["epoch"] == 2
        assert sum(lost["end"] - lost["start"] for lost in answer["lost"]) == 40
        worked(made, orders(5, first=40), total=45, keeps_history=False)


def test_facts_that_only_history_has_are_folded_before_the_next_log(
    tmp_path: Path, store: Valkey, place: Place
) -> None:
    with on_a_new_log(tmp_path, store, place) as made:
        worked(made, orders(20), total=20)
        with made.worker("history"):
            asyncio.run(made.append(orders(30, first=20)))
            until(lambda: archived(made) >= 50, what="all facts in history")
        assert folded(made) == 20

    with on_a_new_log(tmp_path, store, place) as made:
        assert adopted(made) == {"epoch": 2, "lost": []}
        assert folded(made) == 50
        worked(made, [*orders(50), *orders(5, first=50)], total=55)


def test_a_store_put_back_from_before_an_adoption_does_not_use_an_epoch_twice(tmp_path: Path, place: Place) -> None:
    with embedded_store(tmp_path / "store") as store, on_a_new_log(tmp_path, store, place) as made:
        worked(made, orders(30), total=30)
    shutil.copytree(tmp_path / "store", tmp_path / "copy")
    with embedded_store(tmp_path / "store") as store, on_a_new_log(tmp_path, store, place) as made:
        assert adopted(made) == {"epoch": 2, "lost": []}
        worked(made, orders(20, first=30), total=50)

    with embedded_store(tmp_path / "copy") as store, on_a_new_log(tmp_path, store, place) as made:
        assert folded(made) == 30
        assert refusal(made, "worker") == MADE_ANEW
        assert adopted(made) == {"epoch": 3, "lost": []}
        assert folded(made) == 50


@on_each_broker
def test_an_empty_store_is_not_begun_with_where_there_was_a_fuller_one(
    tmp_path: Path, store: Valkey, place: Place
) -> None:
    with on_a_new_log(tmp_path, store, place) as made:
        worked(made, orders(20), total=20)
        told = sum(
            offset
            for (topic, _), offset in broker_hints(made.settings.brokers, group=made.settings.group("profiles")).items()
            if topic == made.settings.events_topic
        )
        store.flush()
        lost = f"rapport: the store is empty, yet the broker was told of {told} folded facts: it lost its data; "
        lost += "put it back from a copy"
        assert refusal(made, "worker") == lost

    with on_a_new_log(tmp_path, store, place) as made:
        lost = "rapport: the store is empty, yet history remembers a log: it lost its data; put it back from a copy"
        for words in (["log", "follow"], ["log", "adopt", "--accept-gap"]):
            assert refusal(made, *words) == lost


def test_a_store_and_a_history_of_two_installations_are_not_mixed(tmp_path: Path, store: Valkey, place: Place) -> None:
    with on_a_new_log(tmp_path, store, place) as made:
        assert made.rapport("log", "follow").returncode == 0
        file = epochs_file(made.settings)
        other = json.loads(file.read_text())
        other["epochs"][0]["topic_id"] = "of another installation"
        file.write_text(json.dumps(other))

        said = refusal(made, "worker")

    assert said.endswith("remember different logs: they do not belong together")
