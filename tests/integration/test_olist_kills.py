"""Olist again, a tenth sent twice and the worker killed five times: in a file of its own, to run on the second core."""

import os
import signal
from functools import partial
from pathlib import Path

import pytest

from tests.installation import Installation
from tests.integration.olist_world import (
    EVENTS_SENT,
    admitted,
    differences,
    none_set_aside,
    replay,
    stored,
    wait_until_all_is_folded,
    works_up_to,
)
from tests.integration.recount import Figures
from tests.waiting import until

KILLS = 5


@pytest.mark.servers
@pytest.mark.timeout(900)
async def test_profiles_equal_the_recount_after_five_kills_with_a_tenth_of_the_events_sent_twice(
    olist_installation: Installation, olist: Path, expected: dict[str, Figures]
) -> None:
    summary = replay(olist_installation, "olist", str(olist), "--repeat-share", "0.1")
    sends = summary["sent"]
    assert isinstance(sends, int)
    assert sends == EVENTS_SENT + int(str(summary["repeats"]))
    for kill in range(KILLS):
        enough = olist_installation.done() + 5_000
        with olist_installation.worker() as worker:
            until(partial(works_up_to, olist_installation, enough), within_s=120, what=f"work done before kill {kill}")
            os.kill(worker.pid, signal.SIGKILL)
        assert admitted(olist_installation) < sends, "nothing was left to do"
    with olist_installation.worker():
        wait_until_all_is_folded(olist_installation, sends=sends)
    assert (
        await differences(await stored(olist_installation, olist), expected, pseudonyms=olist_installation.pseudonyms)
        == {}
    )
    assert none_set_aside(olist_installation)
