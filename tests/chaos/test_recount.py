"""The recount finds what a run could have broken: each difference is made by hand once."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import islice

import pytest
from msgspec.structs import replace

from events.admission import Admission, Door, EventRefused
from events.fact import encode_fact
from events.partitioning import partition_of
from profiles.facet import Facet
from profiles.fold import fold
from profiles.view import Loaded
from tests.builders import NOW, PARTITIONS, PSEUDONYMS, fact
from tests.chaos.load import BOUND, WAVE, Ledger, Load
from tests.chaos.recount import LogCount, count_log
from tests.chaos.topics import Read
from tests.chaos.verdict import Verdict, judge_facets, judge_log, judge_persons

pytestmark = pytest.mark.thorough

EVENTS = 9_000


@dataclass
class Folded:
    """A load folded in one process: what was told, the log, the facets, and why records were refused."""

    ledger: Ledger
    log: LogCount = field(default_factory=LogCount)
    facets: dict[str, Facet] = field(default_factory=dict)
    refused: dict[bytes, str] = field(default_factory=dict)

    def judged(self) -> dict[str, int]:
        verdict, loaded = Verdict(), {name: Loaded(facet) for name, facet in self.facets.items()}
        judge_log(verdict, self.ledger, of=PSEUDONYMS.of, log=self.log)
        judge_facets(verdict, self.ledger, of=PSEUDONYMS.of, log=self.log, loaded=loaded)
        return dict(verdict.differences)

    async def persons_differ(self) -> bool:
        verdict = Verdict()
        loaded = {name: Loaded(facet) for name, facet in self.facets.items()}
        await judge_persons(verdict, self.ledger, of=PSEUDONYMS.of, loaded=loaded)
        return not verdict.is_exact


@pytest.fixture(scope="module")
def whole() -> Folded:
    load = Load(seed=7)
    made = Folded(load.ledger)
    admission = Admission(pseudonyms=PSEUDONYMS, partitions=PARTITIONS)
    doors = {None: Door(name="open"), BOUND: Door(name="bound", source=BOUND)}
    for offset, sent in enumerate(islice(load, EVENTS)):
        admitted = admission.admit(sent.value, door=doors[sent.source], received_at=NOW + offset)
        if isinstance(admitted, EventRefused):
            made.refused[sent.value] = admitted.code
            continue
        for each in admitted:
            record = Read(offset, NOW + offset, each.fact.identity.encode(), encode_fact(each.fact))
            count_log("events", each.partition, [record], into=made.log)
            made.facets[each.fact.identity] = fold(made.facets.get(each.fact.identity, Facet()), each.fact).facet
    return made


@pytest.fixture
def folded(whole: Folded) -> Folded:
    return Folded(whole.ledger, whole.log, dict(whole.facets), whole.refused)


def change(folded: Folded, fits: Callable[[Facet], object], changed: Callable[[Facet], Facet]) -> str:
    name = next(name for name, facet in folded.facets.items() if fits(facet))
    folded.facets[name] = changed(folded.facets[name])
    return name


async def test_an_unharmed_world_has_no_differences(folded: Folded) -> None:
    assert folded.judged() == {}
    assert not await folded.persons_differ()


def test_the_load_holds_every_kind_of_trouble(folded: Folded) -> None:
    assert folded.refused == folded.ledger.poison
    assert len(set(folded.ledger.poison.values())) == 7
    assert folded.log.repeats
    assert len(folded.log.conflicts) == folded.ledger.conflicts > 0
    assert any(gated.kept for gated in folded.log.gated.values())
    assert any(not stands for tally in folded.ledger.tallies.values() for stands in tally.links.values())


def test_an_event_that_is_missing_is_lost(folded: Folded) -> None:
    change(folded, lambda facet: facet.recent, lambda facet: replace(facet, recent=facet.recent[12:]))

    assert folded.judged() == {"lost": 1}


def test_an_event_that_was_folded_twice_is_double(folded: Folded) -> None:
    change(folded, lambda facet: facet.recent, lambda facet: replace(facet, recent=facet.recent + facet.recent[:12]))

    assert folded.judged() == {"double": 1}


async def test_a_lost_order_changes_the_figures_and_the_person(folded: Folded) -> None:
    change(
        folded,
        lambda facet: facet.service.orders,
        lambda facet: replace(facet, service=replace(facet.service, orders={})),
    )

    assert folded.judged() == {"figures": 1}
    assert await folded.persons_differ()


@pytest.mark.parametrize(
    ("section", "kind"),
    [
        ("consents", "consents"),
        ("edges", "links"),
        ("build", "what consent lets through"),
        ("feedback", "what consent lets through"),
    ],
)
def test_a_lost_section_is_seen(folded: Folded, section: str, kind: str) -> None:
    empty = getattr(Facet(), section)
    change(folded, lambda facet: getattr(facet, section), lambda facet: replace(facet, **{section: empty}))

    assert folded.judged() == {kind: 1}


async def test_a_lost_link_takes_the_person_apart(folded: Folded) -> None:
    def links(facet: Facet) -> bool:
        return any(edge.acts[0].value.strength for edge in facet.edges.values()) and bool(facet.service.orders)

    change(folded, links, lambda facet: replace(facet, edges={}))

    assert await folded.persons_differ()


def test_an_event_that_never_reached_the_log_is_seen(folded: Folded) -> None:
    name, facts = next(iter(folded.log.facts.items()))
    without = dict(list(facts.items())[1:])
    folded.log = LogCount({**folded.log.facts, name: without}, folded.log.repeats, {}, folded.log.gated)

    assert folded.judged() == {"missing on the log": 1}


def test_attributes_of_other_loads_are_no_matter_of_consent_here() -> None:
    log, other = LogCount(), fact("identity.described", attributes={"city": "Berlin"})
    count_log("events", 0, [Read(0, NOW, other.identity.encode(), encode_fact(other))], into=log)

    assert (len(log.facts), log.gated) == (1, {})


def test_the_same_seed_tells_the_same(whole: Folded) -> None:
    one, other = (list(islice(Load(seed=7), 500)) for _ in range(2))

    assert one == other != list(islice(Load(seed=8), 500))
    assert {partition_of(sent.key, PARTITIONS) for sent in one} == set(range(PARTITIONS))


def test_a_soak_s_load_tells_the_same_people_again() -> None:
    load = Load(seed=7, waves=1)
    told = list(islice(load, 12_000))
    first = len(load.ledger.tallies)

    assert first <= 4 * WAVE
    assert load.ledger.repeats > 2_000
    assert told[:50] == list(islice(Load(seed=7), 50))


def test_a_report_with_differences_can_be_written() -> None:
    verdict = Verdict()
    verdict.differ("lost", "app:somebody", times=2)

    assert json.loads(json.dumps(verdict.plain()))["differences"] == {"lost": 2}
