"""An operator changes the partition count: everything follows, and what is left of the old store refuses to go on."""

import json
import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
from redis import Redis

from commands.logs import epochs_file
from events.epochs import decode_epochs
from tests.installation import Installation, installation_in, named_cluster, remove_topics
from tests.integration.orders import PEOPLE, archived, folded, orders
from tests.integration.rebuilding import killed, places
from tests.integration.resting import without_workers, worked_off
from tests.waiting import until

pytestmark = pytest.mark.servers


@contextmanager
def elsewhere(made: Installation, *, partitions: int, at: int) -> Iterator[Installation]:
    """The same installation with another store, other topics and another partition count."""
    settings = made.settings.model_copy(
        update={
            "redis": made.settings.redis.rpartition("/")[0] + f"/{at}",
            "topic_prefix": f"{made.settings.topic_prefix}-{at}",
            "partitions": partitions,
        }
    )
    try:
        yield replace(made, settings=settings)
    finally:
        if named_cluster():
            remove_topics(settings, settings.topics)


def moved(before: Installation, after: Installation, *words: str) -> CompletedProcess[str]:
    source = ["--from", before.settings.redis, "--from-topics", before.settings.topic_prefix]
    answer = after.rapport("rebuild", *source, "--json", *words)
    assert "Traceback" not in answer.stderr, answer.stderr
    return answer


def refusal(answer: CompletedProcess[str]) -> str:
    assert answer.returncode == 1, answer.stdout
    return answer.stderr.splitlines()[-1]


@contextmanager
def working(made: Installation) -> Iterator[None]:
    """Workers, until everything they were sent is done."""
    with ExitStack() as started:
        workers = [started.enter_context(made.worker(app)) for app in ("profiles", "history")]
        yield
        worked_off(made)
        for process in workers:
            os.kill(process.pid, signal.SIGTERM)
        for process in workers:
            until(lambda process=process: process.exit_status is not None, what="the worker's end")  # type: ignore[misc]
    without_workers(made)


def settled(made: Installation, events: list[dict[str, Any]], *, total: int) -> None:
    made.send(events)
    until(lambda: folded(made) == total, within_s=120, what=f"{total} orders in the profiles")
    until(lambda: archived(made) >= total, within_s=120, what=f"{total} facts in history")


def test_partitions_go_from_four_to_eight_and_back(tmp_path: Path) -> None:
    with (
        installation_in(tmp_path) as four,
        elsewhere(four, partitions=8, at=1) as eight,
        elsewhere(four, partitions=4, at=2) as again,
    ):
        with working(four):
            settled(four, orders(200), total=200)
        four.send(orders(40, first=200))
        assert "is not worked off to its end" in refusal(moved(four, eight))
        with working(four):
            settled(four, [], total=240)

        told = json.loads(moved(four, eight).stdout)
        assert (told["partitions"], told["epoch"], told["moved"]) == (8, 2, PEOPLE)
        assert folded(eight) == 240
        assert refusal(four.rapport("worker")).startswith("rapport: ")
        with working(eight):
            # The second half was sent before: an event counts once, whichever log brings it.
            settled(eight, [*orders(60, first=240), *orders(20, first=100)], total=300)
        assert eight.rapport("diff", "--against", "history").returncode == 0

        assert json.loads(moved(eight, again).stdout)["epoch"] == 3
        with working(again):
            settled(again, orders(50, first=300), total=350)
        assert again.rapport("rebuild").returncode == 0
        assert again.rapport("diff").returncode == 0
        assert again.rapport("rebuild", "--switch").returncode == 0
        assert folded(again) == 350
        epochs = decode_epochs(epochs_file(again.settings).read_bytes())
        assert [epoch.shape.partitions for epoch in epochs] == [4, 8, 4]


def test_a_move_that_is_killed_is_called_off_or_finished(tmp_path: Path) -> None:
    with installation_in(tmp_path) as four, elsewhere(four, partitions=8, at=1) as eight:
        with working(four):
            settled(four, orders(2000), total=2000)
        killed_while_moving(four, eight)
        assert refusal(four.rapport("worker")).startswith("rapport: the profiles were moved to another store")

        assert json.loads(moved(four, eight, "--abandon").stdout)["opened"] > 0
        with working(four):
            settled(four, orders(20, first=2000), total=2020)
        assert refusal(moved(four, eight)).endswith("holds what an earlier move left; empty it first")
        with Redis.from_url(eight.settings.redis) as client:
            client.flushdb()

        killed_while_moving(four, eight)
        with four.worker() as late:
            until(lambda: late.exit_status is not None, within_s=60, what="an old worker's end")
        assert json.loads(moved(four, eight).stdout)["epoch"] == 2
        assert folded(eight) == 2020
        assert "has begun" in refusal(moved(four, eight, "--abandon"))


def killed_while_moving(four: Installation, eight: Installation) -> None:
    """Start a move and kill it once something is rebuilt, before the next epoch is open."""
    source = ["--from", four.settings.redis, "--from-topics", four.settings.topic_prefix]
    killed(eight, "rebuild", *source, once=lambda: places(eight), what="something rebuilt")
    with Redis.from_url(eight.settings.redis) as client:
        assert not client.exists("rapport:epochs")
