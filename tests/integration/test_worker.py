"""The event process on real servers: what is sent becomes profiles and history, whatever happens to the process."""

import json
import os
import signal

import pytest

from tests.builders import event
from tests.installation import Installation
from tests.integration.brokers import on_each_broker
from tests.integration.orders import archived, folded, orders
from tests.waiting import until

pytestmark = pytest.mark.servers


@on_each_broker
def test_what_is_sent_becomes_profiles_and_history(installation: Installation) -> None:
    with installation.worker() as worker, installation.worker("history") as archiver:
        installation.send(orders(500))
        until(lambda: folded(installation) == 500, within_s=60, what="500 orders in the profiles")
        until(lambda: archived(installation) >= 500, what="500 facts in history")
        for process in (worker, archiver):
            os.kill(process.pid, signal.SIGTERM)
        until(lambda: None not in (worker.exit_status, archiver.exit_status), what="the end")
        assert (worker.exit_status, archiver.exit_status) == (0, 0)


@on_each_broker
def test_a_killed_worker_is_followed_by_one_that_counts_every_event_once(installation: Installation) -> None:
    installation.send(orders(3000))
    with installation.worker() as victim:
        until(lambda: folded(installation) > 0, what="some work done")
        os.kill(victim.pid, signal.SIGKILL)
    installation.send(orders(300))  # sent twice, under new offsets
    with installation.worker():
        until(
            lambda: installation.done(installation.settings.intake_topic()) >= 3300,
            within_s=90,
            what="the intake at its end",
        )
        until(lambda: folded(installation) == 3000, within_s=60, what="3000 orders")
        until(lambda: installation.done() >= 3300, within_s=60, what="the log at its end")
        assert folded(installation) == 3000


def test_a_bad_record_is_set_aside_shown_and_replayed(installation: Installation) -> None:
    privileged = event("consent.given", subject="app:1", source="crm", purpose="profile.build")
    with installation.worker():
        installation.send([b"{", privileged, *orders(3)])
        until(
            lambda: installation.done(installation.settings.intake_topic()) >= 5,
            within_s=60,
            what="the intake at its end",
        )
        until(lambda: len(letters(installation)) == 2, what="two dead letters")
        assert sorted(letter["reason"] for letter in letters(installation)) == ["not_json", "type_not_allowed"]

        refused = next(letter for letter in letters(installation) if letter["reason"] == "type_not_allowed")
        shown = installation.rapport("dead-letters", "show", refused["id"], "--open", "--json")
        assert json.loads(json.loads(shown.stdout)["value"]) == privileged
        assert "profile.build" not in installation.rapport("dead-letters", "list").stdout

        again = installation.rapport("dead-letters", "replay", "--reason", "type_not_allowed", "--json")
        assert json.loads(again.stdout)["letters"] == {refused["id"]: "refused"}
        until(
            lambda: installation.done(installation.settings.intake_topic()) >= 6,
            what="the replayed record handled",
        )
        until(lambda: len(letters(installation)) == 2, what="it stays where it was")


def letters(installation: Installation) -> list[dict[str, str]]:
    listed = installation.rapport("dead-letters", "list", "--json")
    assert listed.returncode == 0, listed.stderr
    found: list[dict[str, str]] = json.loads(listed.stdout)
    return found


def test_a_bound_intake_carries_consents_of_its_source(installation: Installation) -> None:
    given = event("consent.given", subject="app:1", source="crm", purpose="profile.build")
    described = event("identity.described", subject="app:1", source="crm", attributes={"hobby": "chess"})
    with installation.worker():
        installation.send([given, described], source="crm")
        until(lambda: installation.facet("app:1").build is not None, within_s=60, what="an open section")
    build = installation.facet("app:1").build
    assert build is not None
    assert list(build.attributes) == ["hobby"]


def test_an_unknown_letter_is_answered_with_one_line(installation: Installation) -> None:
    answer = installation.rapport("dead-letters", "show", "profiles/none/1.0.0")

    assert answer.returncode == 1
    assert answer.stderr == "rapport: no dead letter profiles/none/1.0.0 is kept\n"
