"""Up to six acts and links, in every order there is, with repeats and clocks that disagree: one final state."""

from collections.abc import Sequence
from itertools import permutations
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent.purposes import PROFILE, SUGGEST
from consent.rules import shipped_rules
from consent.status import VALID
from events.fact import Fact
from profiles.facet import Facet
from profiles.fold import fold
from profiles.links import component_of
from profiles.view import Loaded, PersonView, view_of
from tests.builders import HOUR, MINUTE, NOW, Said, consent, examples, linked, pseudonym, unlinked

APP, CARD = pseudonym("app:42"), pseudonym("card:7")
LATER: Final = NOW + 24 * HOUR
MOMENTS: Final = (NOW - HOUR, NOW, NOW + HOUR, LATER)

YES = consent("given", PROFILE, at=NOW)
NO = consent("withdrawn", PROFILE, at=NOW + HOUR)
LATE_YES = consent("given", PROFILE, at=NOW + MINUTE, received_at=NOW + 3 * HOUR)
NEXT_YES = consent("renewed", PROFILE, at=NOW + 2 * HOUR)
FAST_CLOCK_NO = consent("refused", PROFILE, at=NOW + 9 * HOUR, received_at=NOW + HOUR)
OTHER_NO = consent("refused", PROFILE, identity="card:7", at=NOW + HOUR)
ASKED = consent("requested", PROFILE, at=NOW + HOUR)
REVOKED = consent("revoked", PROFILE, at=NOW + HOUR)
INVALID = consent("invalidated", PROFILE, identity="card:7", at=NOW + HOUR)
SHORT = consent("given", PROFILE, identity="card:7", at=NOW + HOUR, expires_at=NOW + 2 * HOUR)

Told = tuple[tuple[object, ...], ...]


def views(facts: Sequence[Fact]) -> list[PersonView]:
    """The person as looked up by each identity, once the facts are folded in this order."""
    facets = {APP: Facet(), CARD: Facet()}
    for each in facts:
        facets[each.identity] = fold(facets[each.identity], each).facet
    loaded = {identity: Loaded(facet) for identity, facet in facets.items()}
    graph = {identity: facet.edges for identity, facet in facets.items()}
    return [
        view_of(identity, component_of(identity, graph), loaded, read_at=LATER, rules=shipped_rules())
        for identity in facets
    ]


def told(facts: Sequence[Fact]) -> Told:
    """All that a person is answered, by either identity, at several moments."""
    return tuple(
        (
            view.members,
            view.permits(purpose, at=at, known_at=LATER),
            view.status(purpose, at=at, known_at=LATER),
        )
        for view in views(facts)
        for at in MOMENTS
        for purpose in (PROFILE, SUGGEST)
    )


@pytest.mark.parametrize(
    "facts",
    [
        [YES, NO, LATE_YES, NEXT_YES, FAST_CLOCK_NO, ASKED],
        [YES, NO, NEXT_YES, *linked("app:42", "card:7"), OTHER_NO],
        [YES, NEXT_YES, REVOKED, *linked("app:42", "card:7"), INVALID],
        [YES, SHORT, LATE_YES, *linked("app:42", "card:7"), NO],
        [YES, OTHER_NO, *linked("app:42", "card:7"), *unlinked("app:42", "card:7", at=NOW + HOUR)],
        [YES, OTHER_NO, *linked("app:42", "card:7")[:1], NO, NEXT_YES, SHORT],
    ],
    ids=["one identity", "two", "ended by others", "an end", "unlinked", "half a link"],
)
def test_every_order_of_six_ends_in_one_state(facts: list[Fact]) -> None:
    assert len(facts) == 6
    ends = {told(order) for order in permutations(facts)}
    assert len(ends) == 1


_KINDS: Final[tuple[Said, ...]] = (
    "requested",
    "deferred",
    "given",
    "renewed",
    "refused",
    "withdrawn",
    "revoked",
    "invalidated",
)
HOURS: Final = st.integers(-2, 4)
SOME_ACTS: Final = st.builds(
    lambda kind, identity, occurred, received: consent(
        kind, PROFILE, identity=identity, at=NOW + occurred * HOUR, received_at=NOW + received * HOUR
    ),
    st.sampled_from(_KINDS),
    st.sampled_from(["app:42", "card:7"]),
    HOURS,
    HOURS,
)
LINKS: Final = st.sampled_from([(), linked("app:42", "card:7"), linked("app:42", "card:7")[:1]])


@examples(40)
@given(st.lists(SOME_ACTS, min_size=1, max_size=4, unique_by=lambda fact: fact.event_key), LINKS, st.data())
def test_any_acts_in_any_order_with_repeats_and_skewed_clocks_end_in_one_state(
    acts: list[Fact], links: tuple[Fact, ...], data: st.DataObject
) -> None:
    facts = [*acts, *links]
    repeated = [*facts, *data.draw(st.lists(st.sampled_from(facts), max_size=4))]
    assert told(data.draw(st.permutations(repeated))) == told(facts)


@examples(60)
@given(st.lists(SOME_ACTS, max_size=5), HOURS, HOURS, LINKS)
def test_a_late_yes_never_resurrects_what_a_no_closed(
    acts: list[Fact], occurred: int, received: int, links: tuple[Fact, ...]
) -> None:
    #   the no takes effect, and is heard of, no earlier than the yes: the yes cannot open
    no = consent("withdrawn", PROFILE, at=NOW + 4 * HOUR, received_at=NOW + 4 * HOUR)
    late = consent("given", PROFILE, at=NOW + occurred * HOUR, received_at=NOW + received * HOUR)
    for view in views([*links, no, *acts, late])[:1]:
        assert view.status(PROFILE, at=LATER, known_at=LATER) not in VALID
        assert not view.permits(PROFILE, at=LATER, known_at=LATER)


@examples(60)
@given(st.lists(SOME_ACTS, max_size=4))
def test_a_part_that_spoke_against_is_overridden_by_a_later_verified_act_alone(acts: list[Fact]) -> None:
    no = consent("refused", PROFILE, identity="card:7", at=NOW + 4 * HOUR)
    link = linked("app:42", "card:7")
    later = consent("given", PROFILE, at=NOW + 5 * HOUR)
    [before, _] = views([*link, *acts, no])
    [after, _] = views([*link, *acts, no, later])
    [half, _] = views([*link[:1], *acts, no, consent("given", PROFILE, identity="card:7", at=NOW + 5 * HOUR)])
    assert not before.permits(PROFILE, at=LATER, known_at=LATER)
    assert after.permits(PROFILE, at=LATER, known_at=LATER)
    assert not half.permits(PROFILE, at=LATER, known_at=LATER)
