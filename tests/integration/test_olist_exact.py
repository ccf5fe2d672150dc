"""Olist, all of it: the profiles equal an independent recount of the files, person by person."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import msgspec
import pytest

from commands.olist import read_olist
from commands.olist_events import olist_events
from events.admission import Admission, Door, EventRefused
from events.fact import decode_fact, encode_fact
from events.pseudonyms import Pseudonyms
from profiles.facet import Facet, ServiceSection
from profiles.fold import fold
from profiles.joining import join_sections
from tests.integration.recount import Figures, recount

PEOPLE = 29_158
SOURCE = "replay"
NOW_MS = 1_800_000_000_000
PSEUDONYMS = Pseudonyms(b"the key of the Olist comparison")


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


def person_section(facets: Mapping[str, Facet], person: str) -> ServiceSection:
    """The person's facts: the facet of the lasting id joined with those it is linked to from both sides."""
    mine = facets[person]
    section = mine.service
    for other, edge in mine.edges.items():
        theirs = facets[other].edges[person]
        assert edge.acts[0].key == theirs.acts[0].key
        assert edge.acts[0].value.strength == theirs.acts[0].value.strength == "verified"
        section = join_sections(section, facets[other].service)
    return section


def differences(facets: Mapping[str, Facet], expected: Mapping[str, Figures]) -> dict[str, tuple[Figures, Figures]]:
    """Each person whose figures differ, with what was found and what was expected."""
    found = {person: figures(person_section(facets, PSEUDONYMS.of(f"olist:{person}"))) for person in expected}
    return {person: (found[person], expected[person]) for person in expected if found[person] != expected[person]}


def sent(folder: Path) -> Iterator[bytes]:
    for event in olist_events(read_olist(folder)):
        yield msgspec.json.encode(event.cloud_event(source=SOURCE))


def folded(lines: Iterable[bytes]) -> dict[str, Facet]:
    """The whole way in one process: admission, the log's bytes, the fold."""
    admission = Admission(pseudonyms=PSEUDONYMS, partitions=8)
    door = Door(name=f"intake.{SOURCE}", source=SOURCE)
    facets: dict[str, Facet] = {}
    for raw in lines:
        admitted = admission.admit(raw, door=door, received_at=NOW_MS)
        assert not isinstance(admitted, EventRefused), admitted
        for each in admitted:
            fact = decode_fact(encode_fact(each.fact))
            done = fold(facets.get(fact.identity, Facet()), fact)
            assert done.fate == "applied"
            facets[fact.identity] = done.facet
    return facets


@pytest.fixture(scope="module")
def expected(olist: Path) -> dict[str, Figures]:
    return recount(olist)


def test_the_recount_finds_the_people_and_late_deliveries_the_data_is_known_for(
    expected: dict[str, Figures],
) -> None:
    assert len(expected) == PEOPLE
    assert sum(each.orders for each in expected.values()) == 29_469
    assert sum(each.reviews for each in expected.values()) == 20_795
    assert sum(each.late for each in expected.values()) == 2_297
    assert sum(each.orders > 1 for each in expected.values()) == 299


def test_profiles_folded_from_the_files_equal_the_recount_for_every_person(
    olist: Path, expected: dict[str, Figures]
) -> None:
    assert differences(folded(sent(olist)), expected) == {}
