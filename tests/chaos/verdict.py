"""The comparison at the end of a run: store, dead letters and history against what was told and what the log holds."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field

from commands.sealing import opening_of
from consent.redis_holds import RedisHolds
from consent.rules import shipped_rules
from events.epochs import FIRST_EPOCH
from events.history import History
from profiles.facet import Facet
from profiles.person import PersonReader
from profiles.redis_facets import RedisFacets
from profiles.redis_store import redis_client
from profiles.view import Loaded
from streams.redis_dead_letters import RedisDeadLetters
from tests.chaos.load import Ledger
from tests.chaos.recount import (
    LogCount,
    Place,
    consents_differ,
    count_log,
    figures,
    gated_differ,
    known_events,
    links_of,
)
from tests.chaos.topics import Read, Records, read_topics
from tests.installation import Installation
from tests.integration.olist_world import Facets

Pseudonym = Callable[[str], str]
NAMED = 5
"""Differences of each kind that are named; the others are counted."""


@dataclass
class Verdict:
    """What was compared, and each difference found: kind -> how many, and the first few by name (pseudonyms)."""

    compared: dict[str, int] = field(default_factory=dict)
    differences: Counter[str] = field(default_factory=Counter)
    named: dict[str, list[str]] = field(default_factory=dict)

    def differ(self, kind: str, what: object, *, times: int = 1) -> None:
        """Note a difference."""
        self.differences[kind] += times
        named = self.named.setdefault(kind, [])
        if len(named) < NAMED:
            named.append(str(what))

    @property
    def is_exact(self) -> bool:
        """Nothing lost, nothing double, nothing else."""
        return not self.differences

    def plain(self) -> dict[str, object]:
        """For JSON."""
        return {**asdict(self), "differences": dict(self.differences)}


async def judge(installation: Installation, ledger: Ledger) -> Verdict:
    """Compare everything; the installation must be at rest, with all that was sent folded and archived."""
    settings = installation.settings
    verdict = Verdict()
    topics = read_topics(settings.brokers, [*settings.intakes, settings.events_topic])
    log, opens = LogCount(), opening_of(settings)
    events = {place: records for place, records in topics.items() if place.topic == settings.events_topic}
    for place, records in events.items():
        count_log(*place, records, into=log, opens=opens)
    loaded = await _loaded(installation, ledger)
    of = installation.pseudonyms.of
    judge_log(verdict, ledger, of=of, log=log)
    judge_facets(verdict, ledger, of=of, log=log, loaded=loaded)
    await judge_persons(verdict, ledger, of=of, loaded=loaded)
    await _judge_letters(verdict, installation, ledger, log=log, topics=topics)
    judge_history(verdict, installation, events)
    verdict.compared |= {
        "records on the intakes": sum(map(len, topics.values())) - sum(map(len, events.values())),
        "records on the log": sum(map(len, events.values())),
        "of them repeats": log.repeats,
    }
    return verdict


async def _loaded(installation: Installation, ledger: Ledger) -> dict[str, Loaded]:
    names = [installation.pseudonyms.of(identity) for identity in ledger.tallies]
    partitions = installation.settings.partitions
    client = redis_client(installation.settings.redis, cluster=False)
    try:
        source = RedisFacets(client, RedisHolds(client, partitions=partitions), partitions=partitions)
        loaded: dict[str, Loaded] = {}
        for first in range(0, len(names), 500):
            loaded |= await source.load_many(names[first : first + 500])
        return loaded
    finally:
        await client.aclose()


def judge_log(verdict: Verdict, ledger: Ledger, *, of: Pseudonym, log: LogCount) -> None:
    """Every event told is a fact on the log, and nothing else is."""
    told = {of(identity): tally.keys for identity, tally in ledger.tallies.items()}
    for name in told.keys() | log.facts.keys():
        wanted, found = told.get(name, set()), log.facts.get(name, {}).keys()
        if lost := wanted - found:
            verdict.differ("missing on the log", name, times=len(lost))
        if foreign := found - wanted:
            verdict.differ("on the log and never told", name, times=len(foreign))


def judge_facets(
    verdict: Verdict, ledger: Ledger, *, of: Pseudonym, log: LogCount, loaded: Mapping[str, Loaded]
) -> None:
    """Every event stands once in the facet of its identity, and the facet amounts to what was told."""
    for identity, tally in ledger.tallies.items():
        name = of(identity)
        facet = loaded.get(name, Loaded()).facet
        _judge_counts(verdict, name, facet, wanted=tally.keys)
        if figures(facet.service) != +tally.figures:
            verdict.differ("figures", name)
        if consents_differ(facet, ledger, identity):
            verdict.differ("consents", name)
        if links_of(facet) != {of(other): stands for other, stands in tally.links.items()}:
            verdict.differ("links", name)
        if gated_differ(facet, log, name):
            verdict.differ("what consent lets through", name)
    verdict.compared["identities"] = len(ledger.tallies)
    verdict.compared["events told once"] = sum(len(tally.keys) for tally in ledger.tallies.values())


def _judge_counts(verdict: Verdict, name: str, facet: Facet, *, wanted: set[bytes]) -> None:
    found = known_events(facet)
    if lost := wanted - found.keys():
        verdict.differ("lost", name, times=len(lost))
    if foreign := found.keys() - wanted:
        verdict.differ("folded and never told", name, times=len(foreign))
    if double := sum(times - 1 for times in found.values()):
        verdict.differ("double", name, times=double)


async def judge_persons(verdict: Verdict, ledger: Ledger, *, of: Pseudonym, loaded: Mapping[str, Loaded]) -> None:
    """The person view of everyone: with a link that stands it is the sum over both identities."""
    reader = PersonReader(Facets(loaded), rules=shipped_rules())
    for identity, tally in ledger.tallies.items():
        wanted = Counter(tally.figures)
        for other, stands in tally.links.items():
            wanted += ledger.of(other).figures if stands else Counter()
        view = await reader.read(of(identity), now=2**42)
        if figures(view.service) != +wanted:
            verdict.differ("person views", of(identity))


async def _judge_letters(
    verdict: Verdict, installation: Installation, ledger: Ledger, *, log: LogCount, topics: Records
) -> None:
    """A dead letter for each poisoned record of the intakes and each conflict on the log, and for nothing else."""
    client = redis_client(installation.settings.redis, cluster=False)
    try:
        letters = [letter async for letter in RedisDeadLetters(client).listed()]
    finally:
        await client.aclose()
    found = {Place(letter.topic, letter.partition, letter.offset): letter.reason for letter in letters}
    wanted = dict(log.conflicts) | dict(_poisoned(topics, ledger, but=installation.settings.events_topic))
    for place in found.keys() | wanted.keys():
        if found.get(place) != wanted.get(place):
            verdict.differ("dead letters", f"{place}: {found.get(place)} instead of {wanted.get(place)}")
    if len(letters) != len(found):
        verdict.differ("dead letters", "kept twice", times=len(letters) - len(found))
    verdict.compared["dead letters"] = len(wanted)


def _poisoned(topics: Records, ledger: Ledger, *, but: str) -> Iterable[tuple[Place, str]]:
    for place, records in topics.items():
        for record in records:
            why = ledger.poison.get(record.value or b"")
            if why is not None and place.topic != but:
                yield Place(*place, record.offset), why


def judge_history(verdict: Verdict, installation: Installation, events: Records) -> None:
    """History holds every record of the log as it was written, and nothing besides."""
    history = History(installation.settings.history)
    for place, records in events.items():
        columns = ("timestamp", "key", "value")
        rows = [
            Read(*row)
            for batch in history._rows(FIRST_EPOCH, place.number, columns=columns)
            for row in zip(*(batch.column(name).to_pylist() for name in ("offset", *columns)), strict=True)
        ]
        different = set(rows) ^ set(records)
        if different or len(rows) != len(records):
            verdict.differ("history", place, times=max(1, len(different)))
        if (reached := history.contiguous_end(FIRST_EPOCH, place.number)) != (records[-1].offset + 1 if records else 0):
            verdict.differ("the end of history", f"{place} at {reached}")
    verdict.compared["records of history"] = sum(map(len, events.values()))


def archived(installation: Installation) -> int:
    """How many offsets of the log history holds without a hole, over all partitions."""
    history = History(installation.settings.history)
    return sum(history.contiguous_end(FIRST_EPOCH, at) for at in range(installation.settings.partitions))
