"""What can happen to a log on Apache Kafka under workers that run, each with its fate."""

import json
import os
import re
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from embedded.process import Process
from streams.admin import log_bounds
from tests.installation import Installation, installation_in
from tests.integration.log_faults import add_partitions, compact, cut, make_anew, records, transact
from tests.integration.orders import archived, folded, orders
from tests.waiting import until

pytestmark = pytest.mark.servers

APPS = ("profiles", "history")


@pytest.fixture
def installation(tmp_path: Path, apache_kafka: str) -> Iterator[Installation]:
    with installation_in(tmp_path, kafka=apache_kafka) as made:
        yield made


@pytest.fixture
def workers(installation: Installation) -> Iterator[list[Process]]:
    """A worker of each app, at work: forty orders are folded and archived."""
    with ExitStack() as started:
        running = [started.enter_context(installation.worker(app)) for app in APPS]
        installation.send(orders(40))
        until(lambda: folded(installation) == 40, within_s=60, what="forty orders folded")
        until(lambda: archived(installation) >= 40, what="forty facts archived")
        yield running


def end_of(installation: Installation, topic: str) -> int:
    """The next offsets of a topic's partitions, summed."""
    return sum(bound.end for bound in log_bounds(installation.settings.brokers, [topic]).values())


def told(processes: list[Process], number: signal.Signals) -> None:
    for process in processes:
        os.kill(process.pid, number)


def checkpoint_told(reason: str) -> int:
    """Where a stopped partition says it stands."""
    found = re.search(r"the checkpoint is (\d+):", reason)
    assert found, reason
    return int(found[1])


def test_offsets_that_compaction_took_are_stepped_over_and_counted(installation: Installation) -> None:
    settings, intake = installation.settings, installation.settings.intake_topic()
    compact(settings, intake)
    installation.send(orders(300, people=3))

    def is_compacted() -> bool:
        installation.send(orders(3, first=300, people=3))  # a segment that is written to is never compacted
        return records(settings, intake) < 100

    until(is_compacted, within_s=90, what="the cleaner of the log")
    with installation.worker():
        end = end_of(installation, intake)
        until(lambda: installation.done(intake) >= end, within_s=60, what="the intake at its end")
        until(lambda: "hold no record" in installation.log_of(), what="the gaps told")
    assert 3 <= folded(installation) < 100
    assert installation.stopped() == {}


async def test_what_a_transaction_took_back_is_never_folded_and_its_markers_are_stepped_over(
    installation: Installation,
) -> None:
    intake = installation.settings.intake_topic()
    with installation.worker():
        await transact(installation, orders(10), commit=True)
        await transact(installation, orders(10, first=100), commit=False)
        await transact(installation, orders(10, first=10), commit=True)
        until(lambda: folded(installation) == 20, within_s=60, what="what was committed")
        end = end_of(installation, intake)
        until(lambda: installation.done(intake) >= end, what="the checkpoint behind the last marker")
    assert end > 30
    assert folded(installation) == 20


async def test_a_log_that_lost_what_was_not_folded_stops_that_partition_with_the_gap_and_no_other(
    installation: Installation, workers: list[Process]
) -> None:
    settings, events = installation.settings, installation.settings.events_topic
    at = installation.checkpoints()[2]
    told(workers, signal.SIGSTOP)
    await installation.append(orders(200, first=40))
    first = log_bounds(settings.brokers, [events])[events, 2].end
    cut(settings, events, partition=2, before=first)
    told(workers, signal.SIGCONT)

    # A record or two may have been on their way when the workers were stopped, so each says where it stands.
    for app in APPS:
        until(lambda: set(installation.stopped(app)) == {(events, 2)}, within_s=60, what=f"{app} says so")  # noqa: B023
    reasons = {app: installation.stopped(app)[events, 2] for app in APPS}
    for reason in reasons.values():
        offset = checkpoint_told(reason)
        assert reason == f"the log begins at {first}, the checkpoint is {offset}: {first - offset} offsets are gone"
    stands = {app: checkpoint_told(reason) for app, reason in reasons.items()}
    assert stands["profiles"] == installation.checkpoints()[2]
    assert all(at <= offset < first for offset in stands.values())
    kept = {app: 240 - (first - offset) for app, offset in stands.items()}
    until(lambda: folded(installation) == kept["profiles"], within_s=60, what="the other partitions folded")
    until(lambda: archived(installation) == kept["history"], what="the other partitions archived")
    assert [worker.exit_status for worker in workers] == [None, None]
    assert f"profiles stopped {events}[2]: {reasons['profiles']}" in installation.rapport("log", "show").stdout

    # What history holds beyond the profiles is folded from it, and is not missing.
    known = max(stands.values())
    refused = installation.rapport("log", "adopt")
    assert refused.stderr == (
        f"rapport: the log lacks {events}[2]: {known} to {first - 1}; `--accept-gap` goes on without it\n"
    )
    assert installation.rapport("log", "adopt", "--accept-gap").returncode == 0
    # The workers look again by themselves.
    until(lambda: not any(map(installation.stopped, APPS)), within_s=60, what="nothing stopped any more")
    installation.send(orders(20, first=240))
    until(lambda: folded(installation) == 260 - (first - known), within_s=60, what="the new ones folded")
    until(lambda: archived(installation) == kept["history"] + 20, within_s=60, what="the new ones archived")


async def test_what_the_log_lost_and_history_holds_is_folded_from_history(installation: Installation) -> None:
    settings, events = installation.settings, installation.settings.events_topic
    with installation.worker("history"):
        await installation.append(orders(100))
        until(lambda: archived(installation) >= 100, within_s=60, what="a hundred facts archived")
    for (_, partition), bound in log_bounds(settings.brokers, [events]).items():
        cut(settings, events, partition=partition, before=bound.end)

    adopted = installation.rapport("log", "adopt", "--json")

    assert json.loads(adopted.stdout) == {"epoch": 1, "lost": []}, adopted.stderr
    assert folded(installation) == 100
    with installation.worker():
        installation.send(orders(10, first=100))
        until(lambda: folded(installation) == 110, within_s=60, what="what came after")


def test_an_intake_made_anew_is_read_once_a_person_gave_up_what_the_old_one_may_have_held(
    installation: Installation,
) -> None:
    settings, intake = installation.settings, installation.settings.intake_topic()
    with installation.worker() as worker:
        installation.send(orders(40))
        until(lambda: folded(installation) == 40, within_s=60, what="forty orders folded")
        make_anew(settings, intake)
        until(lambda: "made anew" in installation.log_of(), within_s=60, what="the worker says so")
        installation.send(orders(20, first=40))
        os.kill(worker.pid, signal.SIGTERM)
        until(lambda: worker.exit_status is not None, what="the end")
    assert folded(installation) == 40

    refused = installation.rapport("log", "adopt")
    assert f"{intake}[0]: another log, and what the old one held from" in refused.stderr
    assert installation.rapport("log", "adopt", "--accept-gap").returncode == 0
    with installation.worker():
        until(lambda: folded(installation) == 60, within_s=60, what="sixty orders folded")


def test_a_log_of_facts_made_anew_is_not_read_until_it_is_adopted(
    installation: Installation, workers: list[Process]
) -> None:
    make_anew(installation.settings, installation.settings.events_topic)
    for app in APPS:
        until(lambda: "made anew" in installation.log_of(app), within_s=60, what=f"{app} says so")  # noqa: B023
    installation.send(orders(10, first=40))
    told(workers, signal.SIGTERM)
    until(lambda: None not in [worker.exit_status for worker in workers], what="the end of both")
    assert folded(installation) == 40

    adopted = installation.rapport("log", "adopt", "--json")
    assert json.loads(adopted.stdout) == {"epoch": 2, "lost": []}, adopted.stderr
    with installation.worker(), installation.worker("history"):
        installation.send(orders(10, first=50))
        until(lambda: folded(installation) == 60, within_s=60, what="the orders of both logs")
        until(lambda: archived(installation) >= 60, what="the facts of both logs")


def test_adopting_a_log_of_facts_made_anew_leaves_the_intake_where_it_was(installation: Installation) -> None:
    settings, intake = installation.settings, installation.settings.intake_topic()
    with installation.worker(), installation.worker("history"):
        installation.send(orders(40))
        until(lambda: folded(installation) == 40, within_s=60, what="forty orders folded")
        until(lambda: archived(installation) >= 40, what="forty facts archived")
        until(lambda: installation.done(intake) >= 40, what="the intake at its end")
    make_anew(settings, settings.events_topic)
    assert installation.rapport("log", "adopt").returncode == 0
    with installation.worker():
        installation.send(orders(10, first=40))
        until(lambda: folded(installation) == 50, within_s=60, what="fifty orders folded")
        until(lambda: installation.done(intake) >= 50, what="the intake at its end")
    assert end_of(installation, settings.events_topic) == 10


def test_partitions_added_to_the_log_of_facts_are_refused_running_and_at_the_start(
    installation: Installation, workers: list[Process]
) -> None:
    settings = installation.settings
    add_partitions(settings, settings.events_topic, total=6)
    said = f"topic {settings.events_topic} has 6 partitions, configured are 4"
    for app in APPS:
        until(lambda: said in installation.log_of(app), within_s=90, what=f"{app} says so")  # noqa: B023
    told(workers, signal.SIGTERM)
    until(lambda: None not in [worker.exit_status for worker in workers], what="the end of both")
    again = installation.rapport("worker")
    assert again.returncode == 1
    assert again.stderr.splitlines()[-1].startswith(f"rapport: {said}")
