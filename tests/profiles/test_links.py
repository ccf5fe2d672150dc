import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.fact import Fact
from profiles.facet import Edge, Facet
from profiles.fold import fold
from profiles.links import (
    PERMANENT,
    SHARED,
    SHARED_LINKS_MAX,
    Component,
    component_of,
    edges_fingerprint,
    link_state,
    still_to_read,
)
from tests.builders import NOW, fact, linked, pseudonym, unlinked

A, B, C, D = (pseudonym(name) for name in ("crm:a", "crm:b", "crm:c", "crm:d"))


def edges_of(*facts: Fact) -> dict[str, dict[str, Edge]]:
    facets: dict[str, Facet] = {}
    for each in facts:
        facets[each.identity] = fold(facets.get(each.identity, Facet()), each).facet
        facets.setdefault(getattr(each.body, "other", each.identity), Facet())
    return {identity: facet.edges for identity, facet in facets.items()}


def person(identity: str, *facts: Fact) -> Component:
    """The person as a reader comes to know it: reading hop by hop until nothing is missing."""
    world = {identity: {}, **edges_of(*facts)}
    graph: dict[str, dict[str, Edge]] = {}
    while missing := still_to_read(identity, graph):
        graph |= {each: world.get(each, {}) for each in missing}
    return component_of(identity, graph)


def both(one: str, other: str, *facts: Fact) -> str:
    graph = edges_of(*facts)
    state = link_state(graph[one].get(other), graph[other].get(one))
    assert state == link_state(graph[other].get(one), graph[one].get(other))
    return state


def test_a_link_both_halves_know_is_whole_and_one_half_alone_is_half() -> None:
    here, there = linked(A, B)
    assert both(A, B, here, there) == "verified"
    assert both(A, B, here) == "half"
    assert both(A, B, there) == "half"


def test_a_probable_link_stays_probable_however_whole_it_is() -> None:
    assert both(A, B, *linked(A, B, strength="probable")) == "probable"


def test_the_end_of_a_link_counts_as_soon_as_one_half_knows_it() -> None:
    link, end = linked(A, B), unlinked(A, B, at=NOW + 1)
    assert both(A, B, *link, *end) == "none"
    assert both(A, B, *link, end[0]) == "none"
    assert both(A, B, *link, end[1]) == "none"


def test_a_newer_link_known_to_one_half_only_makes_the_link_half_again() -> None:
    first, second = linked(A, B), linked(A, B, at=NOW + 1)
    assert both(A, B, *first, second[0]) == "half"
    assert both(A, B, *first, *second) == "verified"


def test_all_orders_of_link_acts_give_one_state() -> None:
    acts = [
        *linked(A, B),
        *unlinked(A, B, at=NOW + 1),
        *linked(A, B, at=NOW + 2, strength="probable"),
    ]
    graphs = {edges_fingerprint(edges_of(*order)) for order in itertools.permutations(acts)}
    states = {both(A, B, *order) for order in itertools.permutations(acts)}
    assert (len(graphs), states) == (1, {"probable"})


def test_one_person_is_all_that_verified_links_lead_to_and_the_same_whoever_is_looked_up() -> None:
    facts = [*linked(A, B), *linked(B, C)]
    people = {(p.members, p.canonical, p.link_hash) for p in (person(each, *facts) for each in (A, B, C))}
    assert people == {(tuple(sorted((A, B, C))), min(A, B, C), person(A, *facts).link_hash)}


def test_a_link_hash_changes_with_the_links_and_is_that_of_a_stranger_once_they_end() -> None:
    alone = person(A)
    together = person(A, *linked(A, B))
    ended = person(A, *linked(A, B), *unlinked(A, B, at=NOW + 1))
    assert together.link_hash != alone.link_hash
    assert ended == alone


@pytest.mark.parametrize("strength", ["half", "probable"])
def test_a_link_that_is_half_or_probable_restricts_and_shares_nothing(strength: str) -> None:
    facts = linked(A, B)[:1] if strength == "half" else linked(A, B, strength="probable")
    seen = person(A, *facts)
    assert (seen.members, seen.restricting) == ((A,), (B,))
    assert [apart.because for apart in seen.apart] == [strength]


def test_a_half_link_restricts_with_everyone_who_is_verified_behind_it() -> None:
    # As a whole link it would bring C's noes along; a half one must not bring fewer.
    assert person(A, linked(A, B)[0], *linked(B, C), *linked(C, D)).restricting == tuple(sorted((B, C, D)))
    assert person(A, linked(A, B)[0], *linked(B, C, strength="probable")).restricting == (B,)


def test_a_family_phone_that_leads_to_two_customers_joins_neither_and_restricts_both() -> None:
    anna, ben, phone = (pseudonym(name) for name in ("app:anna", "app:ben", "phone:+4930123456"))
    facts = [*linked(anna, phone), *linked(ben, phone)]
    assert (person(anna, *facts).members, person(anna, *facts).restricting) == ((anna,), (phone,))
    assert person(phone, *facts).members == (phone,)
    assert [apart.because for apart in person(anna, *facts).apart] == ["two_permanent"]


def test_a_link_that_names_two_permanent_identities_is_the_decision_that_joins_them() -> None:
    app, card, phone = (pseudonym(name) for name in ("app:anna", "card:7", "phone:+4930123456"))
    facts = [*linked(app, phone), *linked(card, phone), *linked(app, card)]
    assert person(phone, *facts).members == tuple(sorted((app, card, phone)))


def test_a_shared_identifier_over_its_limit_shares_no_more_and_is_not_passed() -> None:
    email = pseudonym("email:shop@example.org")
    others = [pseudonym(f"crm:{number}") for number in range(SHARED_LINKS_MAX + 1)]
    within = [half for other in others[:-1] for half in linked(email, other)]
    beyond = [*within, *linked(email, others[-1])]
    assert len(person(email, *within).members) == SHARED_LINKS_MAX + 1
    seen = person(others[0], *beyond)
    assert (seen.members, seen.restricting) == ((others[0],), (email,))
    assert [apart.because for apart in seen.apart] == ["shared_too_widely"]
    assert person(email, *beyond).members == (email,)


def test_no_namespace_is_both_permanent_and_shared() -> None:
    assert not PERMANENT & SHARED


def test_relations_are_no_links() -> None:
    assert person(A, fact("identity.related", identity=A, other=B, kind="owns")) == person(A)


NAMES = [pseudonym(name) for name in ("app:1", "app:2", "card:3", "phone:+4930111111", "email:x@example.org", "crm:6")]


@st.composite
def link_facts(draw: st.DrawFn) -> list[Fact]:
    facts: list[Fact] = []
    for step in range(draw(st.integers(0, 14))):
        one, other = draw(st.lists(st.sampled_from(NAMES), min_size=2, max_size=2, unique=True))
        if draw(st.integers(0, 3)):
            halves = linked(one, other, at=NOW + step, strength=draw(st.sampled_from(["verified", "probable"])))
        else:
            halves = unlinked(one, other, at=NOW + step)
        facts += halves if draw(st.integers(0, 4)) else halves[:1]
    return facts


@given(link_facts(), st.randoms())
def test_any_order_of_any_links_gives_one_person(facts: list[Fact], chance: random.Random) -> None:
    shuffled = list(facts)
    chance.shuffle(shuffled)
    for name in NAMES:
        assert person(name, *facts) == person(name, *shuffled)


@given(link_facts())
def test_being_one_person_is_mutual(facts: list[Fact]) -> None:
    people = {name: person(name, *facts) for name in NAMES}
    for name, seen in people.items():
        assert name in seen.members
        assert not set(seen.members) & set(seen.restricting)
        for member in seen.members:
            assert people[member] == seen


@given(link_facts())
def test_links_that_have_ended_leave_everyone_as_if_never_linked(facts: list[Fact]) -> None:
    ends = [half for one, other in itertools.combinations(NAMES, 2) for half in unlinked(one, other, at=NOW + 99)]
    for name in NAMES:
        assert person(name, *facts, *ends) == person(name)
