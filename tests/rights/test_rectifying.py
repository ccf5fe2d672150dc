"""A wrong fact is taken out: the profile is what all others amount to, now and after every replay."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from commands.rights_rectifying import NotRectified, Rectification
from consent.purposes import PROFILE
from events.fact import Fact
from events.position import Position
from events.vocabulary import BODIES, RESERVED
from profiles.facet import Facet
from profiles.fold import fold
from profiles.refolding import refolded
from profiles.rights import refolding
from tests.api.world import EVENTS
from tests.builders import HOUR, NOW, PARTITIONS, consent, examples, fact, facts, pseudonym, purchased
from tests.rights.erasing import Installation

ME, OTHER = "app:42", "app:other"


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[Installation]:
    home = Installation(tmp_path)
    await home.world.log.start()
    await home.world.happened(
        consent("given", PROFILE, at=NOW - HOUR), purchased("o-1"), purchased("o-wrong"), purchased("o-2")
    )
    home.archive()
    yield home
    home.ledger.close()
    home.evidence.close()


def rectification(home: Installation, *, meanwhile: Sequence[Fact] = ()) -> Rectification:
    """`meanwhile`: facts that come after the facet was folded anew, one for each time it is."""
    coming = list(meanwhile)

    async def passed(_place: Position) -> None:
        await home.world.fold()
        home.archive()

    log = home.world.log

    class Slow:
        async def append(self, admitted: Sequence[object]) -> list[Position]:
            if coming:
                await home.world.happened(coming.pop(0))
            return await log.append(admitted)  # type: ignore[arg-type]

    return Rectification(
        history=home.history,
        log=Slow(),  # type: ignore[arg-type]
        profiles=home.world.store,
        passed=passed,
        partitions=PARTITIONS,
        clock=home.world.clock,
    )


def place_of(home: Installation, order: str) -> Position:
    [place] = [place for place, some in home.history.facts() if getattr(some.body, "order_id", None) == order]
    return place


def orders(facet: Facet) -> set[str]:
    return set(facet.service.orders)


def replayed(home: Installation) -> Facet:
    facet = Facet()
    for _, some in home.history.facts():
        facet = fold(facet, some).facet
    return facet


async def test_what_was_wrong_is_gone_and_the_rest_is_as_it_was(home: Installation) -> None:
    await rectification(home).take_out(place_of(home, "o-wrong"), identity=pseudonym(ME))

    facet = await home.facet(ME)
    assert orders(facet) == {"o-1", "o-2"}
    assert facet.consents == replayed(home).consents
    assert orders(replayed(home)) == {"o-1", "o-2"}
    assert "o-wrong" not in {getattr(some.body, "order_id", None) for _, some in home.history.facts()}


async def test_nothing_is_lost_that_comes_meanwhile(home: Installation) -> None:
    meanwhile = [purchased("o-3"), purchased("o-4")]

    await rectification(home, meanwhile=meanwhile).take_out(place_of(home, "o-wrong"), identity=pseudonym(ME))

    assert orders(await home.facet(ME)) == {"o-1", "o-2", "o-3", "o-4"}
    assert orders(replayed(home)) == {"o-1", "o-2", "o-3", "o-4"}


async def test_it_gives_up_where_facts_come_faster_and_changes_nothing(home: Installation) -> None:
    coming = [purchased(f"o-{number}") for number in range(3, 20)]

    with pytest.raises(NotRectified, match="faster"):
        await rectification(home, meanwhile=coming).take_out(place_of(home, "o-wrong"), identity=pseudonym(ME))

    assert "o-wrong" in orders(await home.facet(ME))
    assert place_of(home, "o-wrong")


async def test_a_second_rectification_does_not_bring_back_the_first(home: Installation) -> None:
    for order in ("o-wrong", "o-2"):
        await rectification(home).take_out(place_of(home, order), identity=pseudonym(ME))

    assert orders(await home.facet(ME)) == {"o-1"}
    assert orders(replayed(home)) == {"o-1"}


async def test_what_is_sent_again_stays_out(home: Installation) -> None:
    await rectification(home).take_out(place_of(home, "o-wrong"), identity=pseudonym(ME))

    await home.world.happened(purchased("o-wrong"))

    assert orders(await home.facet(ME)) == {"o-1", "o-2"}


@pytest.mark.parametrize(("place", "identity"), [("o-wrong", OTHER), (None, ME)])
async def test_only_a_fact_of_the_person_can_be_taken_out(home: Installation, place: str | None, identity: str) -> None:
    before = [len(home.world.log.records(EVENTS, partition)) for partition in range(PARTITIONS)]
    wrong = place_of(home, "o-wrong") if place else Position(1, place_of(home, "o-1").partition, 99)

    with pytest.raises(NotRectified):
        await rectification(home).take_out(wrong, identity=pseudonym(identity))

    assert [len(home.world.log.records(EVENTS, partition)) for partition in range(PARTITIONS)] == before


some_facts = st.lists(
    st.sampled_from(sorted(BODIES.keys() - RESERVED)).flatmap(lambda kind: facts(kind, identity=ME)), max_size=6
).map(lambda found: list({each.event_key: each for each in found}.values()))


@given(some_facts, st.data())
@examples(40)
def test_taking_out_one_after_the_other_is_folding_all_others(some: list[Fact], data: st.DataObject) -> None:
    told = [consent("given", PROFILE, at=0), purchased("o-1"), *some]
    wrong = data.draw(st.lists(st.sampled_from(told), min_size=1, max_size=3, unique_by=lambda each: each.event_key))

    said, rows = list(told), list(told)
    for number, each in enumerate(wrong):
        body = refolding(
            request_id=f"r-{number}", without=[each.event_key], facet=refolded(rows, without=[each.event_key])
        )
        note = fact("rights.refolded", identity=ME, at=NOW + number, **body.model_dump(exclude_defaults=True))
        said.append(note)
        rows = [row for row in rows if row is not each] + [note]

    expected = replace(_folded([each for each in told if each not in wrong]), recent=b"")
    assert replace(_folded(said), recent=b"") == expected
    assert replace(_folded(rows), recent=b"") == expected


def _folded(some: Sequence[Fact]) -> Facet:
    facet = Facet()
    for each in some:
        facet = fold(facet, each).facet
    return facet
