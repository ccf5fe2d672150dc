"""Olist, all of it: the profiles equal an independent recount of the files, person by person."""

import os
import random
import signal
from functools import partial
from pathlib import Path

import pytest

from tests.installation import Installation
from tests.integration.olist_world import (
    EVENTS_SENT,
    ORDERS,
    PEOPLE,
    SOURCE,
    admitted,
    differences,
    none_set_aside,
    replay,
    sent,
    stored,
    wait_until_all_is_folded,
    works_up_to,
)
from tests.integration.recount import Figures
from tests.waiting import until

KILLS = 5


def test_the_recount_finds_the_people_and_late_deliveries_the_data_is_known_for(
    expected: dict[str, Figures],
) -> None:
    assert len(expected) == PEOPLE
    assert sum(each.orders for each in expected.values()) == ORDERS
    assert sum(each.reviews for each in expected.values()) == 20_795
    assert sum(each.late for each in expected.values()) == 2_297
    assert sum(each.orders > 1 for each in expected.values()) == 299


@pytest.mark.servers
@pytest.mark.timeout(1800)
async def test_profiles_in_the_store_equal_the_recount_after_kills_and_repeats_and_still_do_after_a_tenth_came_again(
    olist_installation: Installation, olist: Path, expected: dict[str, Figures], tmp_path: Path
) -> None:
    made = olist_installation
    summary = replay(made, "olist", str(olist), "--repeat-share", "0.1")
    sends = int(str(summary["sent"]))
    assert sends == EVENTS_SENT + int(str(summary["repeats"]))
    for kill in range(KILLS):
        enough = made.done() + 5_000
        with made.worker() as victim:
            until(partial(works_up_to, made, enough), within_s=120, what=f"work done before kill {kill}")
            os.kill(victim.pid, signal.SIGKILL)
        assert admitted(made) < sends, "nothing was left to do"
    with made.worker():
        wait_until_all_is_folded(made, sends=sends)
        once = await stored(made, olist)
        assert len(once) == PEOPLE + ORDERS
        assert await differences(once, expected, pseudonyms=made.pseudonyms) == {}

        again = replay(made, str(a_tenth_of(olist, tmp_path / "tenth.jsonl")), "--source", SOURCE)["sent"]
        assert isinstance(again, int)
        assert again > EVENTS_SENT // 11
        wait_until_all_is_folded(made, sends=sends + again)
        assert await stored(made, olist) == once
        assert none_set_aside(made)


def a_tenth_of(olist: Path, file: Path) -> Path:
    """Some of the events, as they were sent."""
    chance = random.Random(5)
    file.write_bytes(b"\n".join(line for line in sent(olist) if chance.random() < 0.1))
    return file
