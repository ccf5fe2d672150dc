"""Olist for the tests: sending it, folding it, reading what became of it, and comparing it with the recount."""

import json
import subprocess
import sys
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

import msgspec
from kafka import KafkaConsumer, TopicPartition

from commands.olist import read_olist
from commands.olist_events import olist_events
from consent.redis_holds import RedisHolds
from consent.rules import shipped_rules
from events.pseudonyms import Pseudonyms
from profiles.facet import ServiceSection
from profiles.person import PersonReader
from profiles.redis_facets import RedisFacets
from profiles.redis_store import redis_client
from profiles.view import Loaded
from streams.admin import log_bounds
from tests.installation import Installation
from tests.integration.recount import Figures
from tests.servers import ROOT
from tests.waiting import until

PEOPLE, ORDERS, EVENTS_SENT = 29_158, 29_469, 218_974
SOURCE = "replay"
PARTITIONS = 8
NOW_MS = 1_800_000_000_000


class Facets:
    """Facets that were read before, as a source of persons."""

    def __init__(self, loaded: Mapping[str, Loaded]) -> None:
        self._loaded = loaded

    async def load_many(self, identities: Collection[str]) -> dict[str, Loaded]:
        return {identity: self._loaded.get(identity, Loaded()) for identity in identities}


def figures(section: ServiceSection) -> Figures:
    """The recount's figures, read from a folded section."""
    orders = [order for order in section.orders.values() if order.placed]
    delivered = [order for order in orders if order.delivered]
    scores = [review.posted.value[1] for review in section.reviews.values() if review.posted]
    return Figures(
        orders=len(orders),
        revenue=sum(order.placed.value.amount for order in orders if order.placed),
        deliveries=len(delivered),
        late=sum(o.delivered.at > o.promised.value for o in delivered if o.delivered and o.promised),
        reviews=len(scores),
        score_sum=sum(scores),
    )


async def differences(
    loaded: Mapping[str, Loaded], expected: Mapping[str, Figures], *, pseudonyms: Pseudonyms
) -> dict[str, tuple[Figures, Figures]]:
    """Each person whose figures differ, with what the person view holds and what was expected."""
    reader = PersonReader(Facets(loaded), rules=shipped_rules())
    differ: dict[str, tuple[Figures, Figures]] = {}
    for person, wanted in expected.items():
        view = await reader.read(pseudonyms.of(f"olist:{person}"), now=NOW_MS)
        found = figures(view.service)
        if found != wanted:
            differ[person] = (found, wanted)
    return differ


def sent(folder: Path) -> Iterator[bytes]:
    for event in olist_events(read_olist(folder)):
        yield msgspec.json.encode(event.cloud_event(source=SOURCE))


def replay(installation: Installation, *words: str) -> dict[str, object]:
    """Run the replay to its end, in a process of its own; its summary."""
    argv = [sys.executable, "-c", "from commands.replay import app; app()", *words, "--json"]
    done = subprocess.run(
        argv,
        env=dict(installation.environment),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    summary: dict[str, object] = json.loads(done.stdout)
    return summary


def end_of(installation: Installation, topic: str) -> int:
    """The next offsets of a topic's partitions, summed; from fetches, since the embedded broker tells a lower end."""
    consumer = KafkaConsumer(bootstrap_servers=installation.settings.brokers, group_id=None, enable_auto_commit=False)
    try:
        return sum(
            _end(consumer, TopicPartition(*at), last=bounds.end - 1)
            for at, bounds in log_bounds(installation.settings.brokers, [topic]).items()
            if bounds.end > bounds.first
        )
    finally:
        consumer.close()


def _end(consumer: KafkaConsumer, partition: TopicPartition, *, last: int) -> int:
    consumer.assign([partition])
    consumer.seek(partition, last)
    until(lambda: consumer.poll(timeout_ms=500) and True, what="a fetch of the last batch")
    return int(consumer.highwater(partition))


def admitted(installation: Installation) -> int:
    """How many offsets of the intake are behind the worker."""
    return installation.done(installation.settings.intake_topic(SOURCE))


def wait_until_all_is_folded(installation: Installation, *, sends: int) -> None:
    until(lambda: admitted(installation) >= sends, within_s=400, what="the intake at its end")
    end = end_of(installation, installation.settings.events_topic)
    until(lambda: installation.done() >= end, within_s=400, what="the log at its end")
    assert installation.done() == end


def works_up_to(installation: Installation, enough: int) -> bool:
    return installation.done() > enough


async def stored(installation: Installation, olist: Path) -> dict[str, Loaded]:
    """Every facet of the store that the files speak of."""
    rows = [order.customer for order in read_olist(olist).orders]
    identities = {f"olist:{row['customer_unique_id']}" for row in rows}
    identities |= {f"olist_order:{row['customer_id']}" for row in rows}
    client = redis_client(installation.settings.redis, cluster=False)
    try:
        source = RedisFacets(client, RedisHolds(client, partitions=PARTITIONS), partitions=PARTITIONS)
        loaded: dict[str, Loaded] = {}
        names = [installation.pseudonyms.of(identity) for identity in sorted(identities)]
        for first in range(0, len(names), 500):
            loaded |= await source.load_many(names[first : first + 500])
        return loaded
    finally:
        await client.aclose()


def none_set_aside(installation: Installation) -> bool:
    return bool(json.loads(installation.rapport("dead-letters", "list", "--json").stdout) == [])
