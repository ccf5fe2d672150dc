"""The demo world on real servers: loaded once, and found in the profiles and in history."""

import json
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from commands.opened_history import history_of
from tests.installation import Installation, installation_in
from tests.waiting import until

pytestmark = pytest.mark.servers


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with ExitStack() as started:
        made = started.enter_context(installation_in(tmp_path_factory.mktemp("demo")))
        for app in ("profiles", "history"):
            started.enter_context(made.worker(app))
        yield made


def facts_at_rest(installation: Installation) -> int:
    """How many facts are folded and archived, once the one that follows is among them: Ben's complaint waited a day."""
    history = history_of(installation.settings)

    def archived() -> list[str]:
        return [fact.type for _, fact in history.facts()]

    until(lambda: "service.case_escalated" in archived(), what="the breach of an SLA")
    until(lambda: len(archived()) == installation.done(), what="history that has what is folded")
    return installation.done()


def test_the_demo_world_is_loaded_once(installation: Installation) -> None:
    first = installation.rapport("demo", "load", "--json")
    assert first.returncode == 0, first.stderr
    said = json.loads(first.stdout)
    folded = facts_at_rest(installation)

    again = installation.rapport("demo", "load", "--json")

    assert (said["was_loaded"], json.loads(again.stdout)["was_loaded"]) == (False, True)
    assert folded >= said["events"]
    assert installation.done() == folded
    assert len(installation.facet("app:anna").service.orders) == 3
    assert installation.facet("app:anna").consents["data.sensitive"].grants
    assert not installation.facet("app:jon").consents


def test_a_load_that_was_broken_off_is_finished_by_the_next_one(installation: Installation) -> None:
    orders = len(installation.facet("app:emil").service.orders)
    path = installation.settings.data / "demo.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"loaded": False}))

    again = installation.rapport("demo", "load", "--json")

    assert json.loads(again.stdout)["was_loaded"] is False
    assert len(installation.facet("app:emil").service.orders) == orders
    assert json.loads(installation.rapport("dead-letters", "list", "--json").stdout) == []


def test_another_demo_world_is_not_mixed_into_the_first(installation: Installation) -> None:
    answer = installation.rapport("demo", "load", "--seed", "8")

    assert answer.returncode == 1
    assert answer.stderr == (
        "rapport: the demo world of seed 7 was begun here; another one needs another data folder\n"
    )
