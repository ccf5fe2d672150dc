"""Olist through a broker, with kills, a store that dies and one put back from a copy: compared with the recount."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tests.chaos.commits import Partition
from tests.chaos.hits import Hit
from tests.chaos.plan import Fault, Step
from tests.chaos.recount import LogCount, count_log, known_events
from tests.chaos.run import Order, Report
from tests.chaos.site import HISTORY, Site, site_in
from tests.chaos.storm import Storm
from tests.chaos.strikes import strike
from tests.chaos.topics import ends_of, read_topics
from tests.chaos.verdict import Verdict, judge_history
from tests.installation import Installation
from tests.integration.olist_world import PARTITIONS, SOURCE, differences, none_set_aside, replay, stored
from tests.integration.recount import recount

STORE_FAULTS: Final[dict[int, Fault]] = {3: "kill store", 4: "copy store", 7: "restore older store", 9: "kill store"}
"""After how many counted kills each is done."""
MOMENTS: Final[tuple[Fault, ...]] = (
    "kill worker",
    "kill worker before a commit",
    "kill worker after a commit",
)


class AllSent:
    """Everything was sent before the run began."""

    def __init__(self, acked: Counter[Partition]) -> None:
        self.acked = acked
        self.broken: BaseException | None = None

    def end(self) -> None:
        """Nothing is in hand."""


def run_olist(order: Order, *, folder: Path, olist: Path, tell: Callable[[str], None] = print) -> Report:
    """Replay the files with a tenth of the events repeated, strike while they are folded, compare."""
    began = time.monotonic()
    with site_in(folder, broker=order.broker, partitions=PARTITIONS) as site:
        summary = replay(site.installation, "olist", str(olist), "--repeat-share", "0.1")
        tell(f"sent: {summary}")
        intake = site.installation.settings.intake_topic(SOURCE)
        sent = Counter(ends_of(site.installation.settings.brokers, [intake]))
        storm = Storm(site, AllSent(sent), chance=random.Random(f"storm {order.seed}"), tell=tell)
        _hire(site, workers=order.workers)
        _strike(storm, order)
        storm.settle()
        verdict = asyncio.run(_judge(site.installation, olist))
    return Report(
        order=order,
        hits=storm.hits,
        ended=storm.ended,
        verdict=verdict,
        seconds=time.monotonic() - began,
        told={"records": sent.total()},
        cold_starts=storm.cold_starts,
    )


def _hire(site: Site, *, workers: int) -> None:
    for number in range(workers):
        site.hire(f"worker-{number + 1}")
    site.hire("archiver", app=HISTORY)


def _strike(storm: Storm, order: Order) -> list[Hit]:
    chance = random.Random(f"plan {order.seed}")
    todo = dict(STORE_FAULTS)
    while storm.counted < order.kills or todo:
        if storm.counted in todo:
            strike(storm, Step(todo.pop(storm.counted)))
        else:
            strike(storm, Step(chance.choice(MOMENTS)))
    return storm.hits


async def _judge(installation: Installation, olist: Path) -> Verdict:
    verdict, settings = Verdict(), installation.settings
    expected, loaded = recount(olist), await stored(installation, olist)
    for person in await differences(loaded, expected, pseudonyms=installation.pseudonyms):
        verdict.differ("figures", installation.pseudonyms.of(f"olist:{person}"))
    topics = read_topics(settings.brokers, [settings.events_topic])
    log = LogCount()
    for place, records in topics.items():
        count_log(*place, records, into=log)
    for name, facts in log.facts.items():
        found = known_events(loaded[name].facet)
        if found.keys() != facts.keys():
            verdict.differ("lost", name, times=len(found.keys() ^ facts.keys()))
        if double := found.total() - len(found):
            verdict.differ("double", name, times=double)
    if not none_set_aside(installation):
        verdict.differ("dead letters", "there are some")
    judge_history(verdict, installation, topics)
    verdict.compared |= {"people": len(expected), "identities": len(loaded), "of the log repeats": log.repeats}
    return verdict
