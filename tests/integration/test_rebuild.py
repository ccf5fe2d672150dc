"""An operator rebuilds the profiles of a service that runs, on real servers; also killed half way."""

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from events.keys import facet_key
from events.partitioning import partition_of
from profiles.codec import encode_facet
from profiles.facet import Facet
from tests.installation import Installation, installation_in
from tests.integration.orders import PEOPLE, archived, folded, orders
from tests.integration.rebuilding import killed, places
from tests.waiting import until

pytestmark = pytest.mark.servers

SPOILT = "app:7"
OTHERS = 5
"""So many people go on buying; the spoilt one is not among them."""


def said(answer: Any) -> dict[str, Any]:
    assert "Traceback" not in answer.stderr, answer.stderr
    told: dict[str, Any] = json.loads(answer.stdout)
    return told


def spoil(made: Installation) -> str:
    """Replace a facet behind everybody's back; its pseudonym."""
    name = made.pseudonyms.of(SPOILT)
    with Redis.from_url(made.settings.redis) as client:
        client.set(facet_key(partition_of(name.encode(), made.settings.partitions), name), encode_facet(Facet()))
    return name


def settled(made: Installation, events: Sequence[dict[str, Any]], *, total: int) -> None:
    made.send(events)
    until(lambda: folded(made) == total, within_s=120, what=f"{total} orders in the profiles")
    until(lambda: archived(made) >= total, within_s=120, what=f"{total} facts in history")


def test_profiles_are_rebuilt_compared_and_switched_beside_the_running_service(tmp_path: Path) -> None:
    with installation_in(tmp_path) as made, made.worker() as worker, made.worker("history") as archiver:
        settled(made, orders(400), total=400)
        name = spoil(made)
        assert made.rapport("diff").returncode == 1

        assert said(made.rapport("rebuild", "--json"))["folded"] == 400
        made.send(orders(200, first=400, people=OTHERS))
        compared = made.rapport("diff", "--json")
        assert (compared.returncode, said(compared)["compared"]) == (1, PEOPLE)
        [found] = said(compared)["differences"]
        assert (found["identity"], found["kind"]) == (name, "other")
        assert "service.orders" in found["sections"]

        with ThreadPoolExecutor() as sender:
            for first in range(600, 1200, 100):
                sender.submit(made.send, orders(100, first=first, people=OTHERS))
            switched = said(made.rapport("rebuild", "--switch", "--json"))
        assert (switched["moved"], switched["pruned"]) == (PEOPLE, 0)

        until(lambda: folded(made) == 1200, within_s=120, what="every order once")
        assert len(made.facet(SPOILT).service.orders) == 20
        until(lambda: archived(made) >= 1200, within_s=120, what="every fact in history")
        assert said(made.rapport("diff", "--against", "history", "--json")) == {"compared": PEOPLE, "differences": []}
        assert (worker.exit_status, archiver.exit_status) == (None, None)


def test_a_rebuild_and_a_switch_that_are_killed_go_on_where_they_were(tmp_path: Path) -> None:
    with installation_in(tmp_path) as made, made.worker(), made.worker("history"):
        settled(made, orders(6000), total=6000)
        spoil(made)

        killed(made, "rebuild", once=lambda: places(made), what="something rebuilt")
        rest = said(made.rapport("rebuild", "--json"))
        assert 0 < rest["folded"] < 6000
        assert len(places(made)) == made.settings.partitions

        every = made.settings.partitions
        killed(made, "rebuild", "--switch", once=lambda: len(places(made)) < every, what="a partition switched")
        assert places(made)
        made.send(orders(300, first=6000, people=OTHERS))
        assert said(made.rapport("rebuild", "--switch", "--json"))["switched"] >= 1

        until(lambda: folded(made) == 6300, within_s=120, what="every order once")
        until(lambda: archived(made) >= 6300, within_s=120, what="every fact in history")
        assert said(made.rapport("diff", "--against", "history", "--json")) == {"compared": PEOPLE, "differences": []}


def test_what_is_not_there_to_be_done_is_said_in_one_line(tmp_path: Path) -> None:
    with installation_in(tmp_path) as made:
        for words, line in (
            (["rebuild"], "no log was followed yet: there is nothing to rebuild"),
            (["diff"], "no log was followed yet: there is nothing to rebuild"),
        ):
            assert refused(made, *words) == f"rapport: {line}"
        with made.worker(), made.worker("history"):
            settled(made, orders(40), total=40)
        assert refused(made, "rebuild", "--switch") == "rapport: nothing is rebuilt; `rapport rebuild` comes first"
        assert refused(made, "diff").endswith("`rapport rebuild` comes first, or compare `--against history`")
        assert said(made.rapport("rebuild", "--json"))["behind"] == 0
        assert said(made.rapport("rebuild", "--abandon", "--json")) == {"dropped": PEOPLE}
        assert places(made) == []


def refused(made: Installation, *words: str) -> str:
    answer = made.rapport(*words)
    assert answer.returncode == 1, answer.stdout
    assert "Traceback" not in answer.stderr
    return answer.stderr.splitlines()[-1]
