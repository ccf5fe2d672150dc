"""Olist, all of it: the profiles equal an independent recount of the files, person by person."""

import random
from pathlib import Path

import pytest

from events.pseudonyms import Pseudonyms
from tests.installation import Installation
from tests.integration.olist_world import (
    EVENTS_SENT,
    ORDERS,
    PEOPLE,
    SOURCE,
    differences,
    folded,
    none_set_aside,
    replay,
    sent,
    stored,
    wait_until_all_is_folded,
)
from tests.integration.recount import Figures


def test_the_recount_finds_the_people_and_late_deliveries_the_data_is_known_for(
    expected: dict[str, Figures],
) -> None:
    assert len(expected) == PEOPLE
    assert sum(each.orders for each in expected.values()) == ORDERS
    assert sum(each.reviews for each in expected.values()) == 20_795
    assert sum(each.late for each in expected.values()) == 2_297
    assert sum(each.orders > 1 for each in expected.values()) == 299


@pytest.mark.long
async def test_profiles_folded_in_one_process_equal_the_recount(olist: Path, expected: dict[str, Figures]) -> None:
    pseudonyms = Pseudonyms(b"the key of the Olist comparison")
    loaded = folded(sent(olist), pseudonyms=pseudonyms)
    assert len(loaded) == PEOPLE + ORDERS
    assert await differences(loaded, expected, pseudonyms=pseudonyms) == {}


@pytest.mark.servers
@pytest.mark.timeout(900)
async def test_profiles_in_the_store_equal_the_recount_and_still_do_after_a_tenth_came_again(
    olist_installation: Installation, olist: Path, expected: dict[str, Figures], tmp_path: Path
) -> None:
    chance = random.Random(5)
    tenth = tmp_path / "tenth.jsonl"
    tenth.write_bytes(b"\n".join(line for line in sent(olist) if chance.random() < 0.1))
    with olist_installation.worker():
        assert replay(olist_installation, "olist", str(olist))["sent"] == EVENTS_SENT
        wait_until_all_is_folded(olist_installation, sends=EVENTS_SENT)
        once = await stored(olist_installation, olist)
        assert await differences(once, expected, pseudonyms=olist_installation.pseudonyms) == {}

        again = replay(olist_installation, str(tenth), "--source", SOURCE)["sent"]
        assert isinstance(again, int)
        assert again > EVENTS_SENT // 11
        wait_until_all_is_folded(olist_installation, sends=EVENTS_SENT + again)
        assert await stored(olist_installation, olist) == once
        assert none_set_aside(olist_installation)
