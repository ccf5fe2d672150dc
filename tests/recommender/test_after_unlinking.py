"""Linked for a while, suggested to, written to, unlinked: afterwards all is as if the link had never been said."""

import dataclasses
import itertools
from typing import Any, Final, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consent.door import Allowed
from consent.purposes import FEEDBACK, PROFILE, PURPOSES, SENSITIVE, SUGGEST
from events.fact import Fact
from events.partitioning import partition_of
from outreach.assessment import Assessment
from outreach.decision import Decision, decision_id
from outreach.guard import Situation, guard
from outreach.occasions import Occasion
from outreach.triggers import load_triggers
from profiles.view import PersonView
from recommender.catalogue import load_catalogue
from recommender.reading import input_of, restraints_of
from recommender.suggest import suggest
from recommender.suggestion import Restraints, render
from tests.builders import DAY, HOUR, NOW, PARTITIONS, complaint, consent, fact, linked, pseudonym, unlinked
from tests.outreach.world import ANNA, agreed, bought
from tests.recommender.worlds import CHECKERBOARD, KEY, subscribed, taken_by, trained, view

NAMES: Final = (ANNA, "card:7", "phone:+49301234567")
BEGUN: Final = NOW - 3 * DAY
DEFAULT: Final = load_catalogue()
TRIGGERS: Final = load_triggers(DEFAULT)
ASSESSMENT: Final = Assessment(TRIGGERS, DEFAULT)
MODEL: Final = trained([some for customer in range(20) for some in taken_by(customer)], catalogue=CHECKERBOARD)
WRITING: Final = TRIGGERS.by_id["bought-three-times"]
OCCASION: Final = Occasion(key="food 2026-W09", at=NOW, service=WRITING.service, count=3, evidence=())
ASKED: Final = (SUGGEST, PROFILE, SENSITIVE, FEEDBACK, "model.train", "outreach.push", "outreach.email")
SERVICES: Final = ("s0", "s1", "diapers", WRITING.service)


class Treated(NamedTuple):
    """How we treat a person: all that linking could have touched."""

    suggestions: tuple[bytes, ...]
    restraints: Restraints
    permits: tuple[Any, ...]
    situation: Situation
    verdict: Any


def treated(identity: str, facts: list[Fact], decisions: list[Decision]) -> Treated:
    """What one identity is answered after the facts, under its own reference."""
    seen = view(*facts, identity=identity)
    who = input_of(seen, catalogue=DEFAULT, ref=f"ref of {identity}", now=NOW)
    answers = (
        render(suggest(who, artifact=MODEL, catalogue=catalogue, channel=channel, k=5, now=NOW, key=KEY))
        for catalogue, channel in itertools.product((CHECKERBOARD, DEFAULT), ("desk", "app"))
    )
    known = [each for each in decisions if each.identity in seen.members]
    situation = ASSESSMENT.situation(WRITING, OCCASION, seen, now=NOW, known=known)
    return Treated(
        suggestions=tuple(answers),
        restraints=restraints_of(seen, catalogue=DEFAULT, now=NOW),
        permits=permits_of(seen),
        situation=situation,
        verdict=guard(situation, ASSESSMENT.policy),
    )


def permits_of(seen: PersonView) -> tuple[Any, ...]:
    return tuple(seen.permits(purpose, at=NOW, known_at=NOW) for purpose in sorted(PURPOSES))


def sent(step: int, identity: str, service: str) -> tuple[Fact, Decision]:
    """A message to an identity: the decision as it is kept, and the fact that it went out."""
    name = pseudonym(identity)
    decision = Decision(
        format=1,
        id=decision_id(
            key=KEY,
            trigger=WRITING.id,
            person=name,
            occasion=str(step),
            partition=partition_of(name.encode(), PARTITIONS),
        ),
        occasion=str(step),
        trigger=WRITING.id,
        identity=name,
        at=BEGUN + step * HOUR,
        verdict="send",
        because="allowed",
        service=service,
        counts=True,
    )
    body: dict[str, Any] = {"outreach": decision.id, "trigger": WRITING.id, "service": service}
    return fact("outreach.sent", identity=identity, at=decision.at, **body), decision


@st.composite
def one_fact(draw: st.DrawFn, step: int) -> Fact:
    """Something that happens to one of the identities and may change how it is treated."""
    who: dict[str, Any] = {"identity": draw(st.sampled_from(NAMES)), "at": BEGUN + step * HOUR}
    service = draw(st.sampled_from(SERVICES))
    shown: dict[str, Any] = {"decision": f"d-{step}", "service": service}
    answer = draw(st.sampled_from(["accepted", "declined"]))
    flag = draw(st.sampled_from(["minor", "restricted", "suppressed", "baby", "hobby"]))
    kinds = [
        lambda: consent(draw(st.sampled_from(["given", "given", "withdrawn"])), draw(st.sampled_from(ASKED)), **who),
        lambda: bought(step, draw(st.sampled_from(["food", "baby"])), **who),
        lambda: subscribed(service, **who),
        lambda: complaint(f"case-{step}", text="too slow", **who),
        lambda: fact("feedback.suggestion_presented", **who, **shown),
        lambda: fact("feedback.suggestion_answered", **who, **shown, answer=answer),
        lambda: fact("identity.described", **who, attributes={flag: draw(st.booleans())}),
    ]
    return draw(st.sampled_from(kinds))()


class Lives(NamedTuple):
    """The same life twice, once with links that came and went."""

    linked: list[Fact]
    apart: list[Fact]
    decisions: list[Decision]


@st.composite
def lives(draw: st.DrawFn) -> Lives:
    names = NAMES[: draw(st.integers(2, 3))]
    apart = [each for name in names if draw(st.booleans()) for each in agreed(*ASKED[2:], identity=name)]
    with_links, decisions = list(apart), []
    for step in range(draw(st.integers(4, 24))):
        happened = draw(st.sampled_from(["fact", "fact", "link", "message", "unlink"]))
        if happened in {"link", "unlink"}:
            pair = draw(st.permutations(names))[:2]
            halves = (linked if happened == "link" else unlinked)(*pair, at=BEGUN + step * HOUR)
            with_links += draw(st.sampled_from([halves, halves, halves[:1], halves[1:]]))
            continue
        if happened == "message":
            one, decision = sent(step, draw(st.sampled_from(names)), draw(st.sampled_from(SERVICES)))
            decisions.append(decision)
            if draw(st.booleans()):
                continue  # decided and not sent yet
        else:
            one = draw(one_fact(step))
        with_links.append(one)
        apart.append(one)
    ends = [half for pair in itertools.combinations(NAMES, 2) for half in unlinked(*pair, at=NOW - HOUR)]
    place = draw(st.integers(len(with_links) // 2, len(with_links)))
    return Lives([*with_links[:place], *ends, *with_links[place:]], apart, decisions)


@pytest.mark.thorough
@given(lives())
@settings(max_examples=100, deadline=None)
def test_after_unlinking_everyone_is_treated_as_if_never_linked(life: Lives) -> None:
    for name in NAMES:
        assert treated(name, life.linked, life.decisions) == treated(name, life.apart, life.decisions)


def test_while_linked_each_of_these_is_shared() -> None:
    mine = [*agreed(*ASKED[2:]), bought(1, "baby", at=BEGUN), fact("identity.described", attributes={"baby": True})]
    theirs = [
        complaint(identity="card:7", at=BEGUN),
        consent("withdrawn", "outreach.push", identity="card:7", at=BEGUN),
        fact(
            "feedback.suggestion_answered",
            identity="card:7",
            at=BEGUN,
            decision="d",
            service="recipe-box",
            answer="declined",
        ),
    ]
    letter, decision = sent(1, "card:7", "diapers")
    _, unsent = sent(2, "card:7", "s1")
    facts = [*mine, *theirs, letter]

    apart = treated(ANNA, facts, [decision, unsent])
    together = treated(ANNA, [*facts, *linked(ANNA, "card:7", at=NOW - HOUR)], [decision, unsent])

    assert together.suggestions != apart.suggestions
    assert together.restraints == dataclasses.replace(
        apart.restraints, open_complaint=True, refused=frozenset({"recipe-box"})
    )
    assert sum(isinstance(each, Allowed) for each in together.permits) < sum(
        isinstance(each, Allowed) for each in apart.permits
    )
    assert (apart.situation.counted, together.situation.counted) == (0, 2)
    assert together.verdict != apart.verdict
