"""Olist through a broker, with kills, a store that dies and one put back from a copy: compared with the recount."""

import asyncio
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import msgspec

from commands.olist import read_olist
from commands.olist_events import olist_events
from commands.sealing import opening_of
from tests.chaos.load import Sent
from tests.chaos.plan import Fault, Step
from tests.chaos.recount import LogCount, count_log, known_events
from tests.chaos.run import Order, Report, pace
from tests.chaos.sender import Sender
from tests.chaos.site import HISTORY, site_in
from tests.chaos.storm import Storm
from tests.chaos.strikes import strike
from tests.chaos.topics import read_topics
from tests.chaos.verdict import Verdict, judge_history
from tests.installation import Installation
from tests.integration.olist_world import EVENTS_SENT, PARTITIONS, SOURCE, differences, none_set_aside, stored
from tests.integration.recount import recount

REPEATED: Final = 0.1
BACKLOG: Final = 20_000
STORE_FAULTS: Final[dict[int, Fault]] = {3: "kill store", 4: "copy store", 7: "restore older store", 9: "kill store"}
"""After how many counted kills each is done."""
MOMENTS: Final[tuple[Fault, ...]] = (
    "kill worker",
    "kill worker before a commit",
    "kill worker after a commit",
)


def load(olist: Path, *, seed: int) -> Iterator[Sent]:
    """The files as events in their order, a tenth of them sent a second time soon after."""
    chance, late = random.Random(f"olist {seed}"), list[Sent]()
    for event in olist_events(read_olist(olist)):
        said = event.cloud_event(source=SOURCE)
        sent = Sent(SOURCE, str(said["subject"]).encode(), msgspec.json.encode(said))
        yield sent
        if chance.random() < REPEATED:
            late.append(sent)
        if len(late) > 100:
            yield late.pop(chance.randrange(len(late)))
    yield from late


def run_olist(order: Order, *, folder: Path, olist: Path, tell: Callable[[str], None] = print) -> Report:
    """Send the files, strike while they are folded, compare."""
    began = time.monotonic()
    with site_in(folder, broker=order.broker, partitions=PARTITIONS) as site:
        settings = site.installation.settings
        sender = Sender(settings, load(olist, seed=order.seed), wants_more=pace(site, backlog=BACKLOG))
        storm = Storm(site, sender, chance=random.Random(f"storm {order.seed}"), tell=tell)
        sender.start()
        for number in range(order.workers):
            site.hire(f"worker-{number + 1}")
        site.hire("archiver", app=HISTORY)
        _strike(storm, order)
        storm.wait(sender.exhausted.is_set, within_s=900, what="all of the files sent")
        storm.settle()
        verdict = asyncio.run(_judge(site.installation, olist))
    return Report(
        order=order,
        hits=storm.hits,
        ended=storm.ended,
        verdict=verdict,
        seconds=time.monotonic() - began,
        told={"records": sender.acked.total()},
        cold_starts=storm.cold_starts,
    )


def _strike(storm: Storm, order: Order) -> None:
    """Hits all over the files, each once so much more is folded."""
    chance = random.Random(f"plan {order.seed}")
    todo = dict(STORE_FAULTS)
    apart = EVENTS_SENT // (order.kills + 4)
    while storm.counted < order.kills or todo:
        if storm.counted in todo:
            strike(storm, Step(todo.pop(storm.counted)))
            continue
        enough = min(storm.folded() + apart, EVENTS_SENT - apart)
        storm.wait_folded(enough)
        strike(storm, Step(chance.choice(MOMENTS)))


async def _judge(installation: Installation, olist: Path) -> Verdict:
    verdict, settings = Verdict(), installation.settings
    expected, loaded = recount(olist), await stored(installation, olist)
    for person in await differences(loaded, expected, pseudonyms=installation.pseudonyms):
        verdict.differ("figures", installation.pseudonyms.of(f"olist:{person}"))
    topics = read_topics(settings.brokers, [settings.events_topic])
    log, opens = LogCount(), opening_of(settings)
    for place, records in topics.items():
        count_log(*place, records, into=log, opens=opens)
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
