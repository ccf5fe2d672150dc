"""What suggestions would be over a population, counted again by hand; and that nothing is learned of a few."""

import re
from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import Any
from xml.etree import ElementTree as ET

import msgspec
import pytest

from commands.simulate_page import page_of
from consent.purposes import ANALYTICS, PROFILE, SENSITIVE, SUGGEST
from events.fact import Fact
from profiles.view import PersonView
from recommender.artifact import untrained
from recommender.catalogue import Catalogue
from recommender.reading import input_of
from recommender.receipts import Question
from recommender.simulate import Side, Simulated, may_be_counted, simulate
from recommender.simulate_report import SimulationReport, report_of
from recommender.suggest import suggest
from recommender.suggestion import Answer
from recommender.uplift_report import LEAST
from tests.builders import NOW, complaint, fact, pseudonym
from tests.noninterference.people import People
from tests.recommender.worlds import agreed, catalogue_of, subscribed, view

SERVICES = catalogue_of("alpha", "beta", "gamma", beta={"issue": "sell", "upsell": True})
QUESTION = Question(channel="desk", k=2, now=NOW)
COUNTED = (ANALYTICS, SUGGEST, PROFILE)


def member(name: str, *facts: Fact, purposes: Sequence[str] = COUNTED) -> PersonView:
    """Somebody who agreed to these purposes, and what happened to them."""
    identity = f"app:{name}"
    return view(*agreed(*purposes, identity=identity), *facts, identity=identity)


def described(name: str, **attributes: Any) -> Fact:
    return fact("identity.described", identity=f"app:{name}", attributes=attributes)


def side(catalogue: Catalogue, name: str = "now") -> Side:
    return Side(name=name, artifact=untrained(catalogue, code="tests"), catalogue=catalogue)


def found_of(people: Sequence[PersonView], *catalogues: Catalogue, by: Sequence[str] = ()) -> Simulated:
    sides = [side(each, f"side {number}") for number, each in enumerate(catalogues or (SERVICES,))]
    return simulate(
        people,
        sides=sides,
        question=QUESTION,
        by=by,
        permits=partial(may_be_counted, at=NOW),
        progress=lambda _done: None,
    )


def reported(people: Sequence[PersonView], *catalogues: Catalogue, by: Sequence[str] = ()) -> SimulationReport:
    return report_of(found_of(people, *catalogues, by=by))


def answered(person: PersonView) -> Answer:
    seen = input_of(person, catalogue=SERVICES, ref="anybody", now=NOW)
    return suggest(
        seen, artifact=side(SERVICES).artifact, catalogue=SERVICES, channel="desk", k=2, now=NOW, key=bytes(32)
    )


def crowd() -> list[PersonView]:
    """Thirty people, some of whom have one service or two, some of whom let nothing be personal."""
    taken = [(), ("alpha",), ("alpha", "gamma"), ("beta",), ("alpha", "beta", "gamma")]
    return [
        member(
            f"n{number}",
            *(subscribed(service, identity=f"app:n{number}") for service in taken[number % 5]),
            *([complaint(identity=f"app:n{number}")] if number % 7 == 3 else []),
            purposes=COUNTED if number % 3 else (ANALYTICS,),
        )
        for number in range(30)
    ]


def test_every_figure_is_what_the_answers_themselves_add_up_to() -> None:
    people = crowd()
    answers = [answered(each) for each in people]

    report = report_of(found_of(people), least=1)

    [told] = report.sides
    first = Counter(answer.suggestions[0].service for answer in answers)
    shown = Counter(each.service for answer in answers for each in answer.suggestions)
    assert told.people == 30
    assert {each.service: each.first for each in told.services if each.first} == first
    assert {each.service: each.shown for each in told.services if each.shown} == shown
    assert told.modes == dict(Counter(answer.mode for answer in answers).most_common())
    withheld: Counter[tuple[str, str]] = Counter(
        (each.stage, each.because) for answer in answers for each in answer.withheld
    )
    assert {(each.stage, each.because) for each in told.rules} == set(withheld)
    for rule in told.rules:
        having = [a for a in answers if (rule.stage, rule.because) in {(w.stage, w.because) for w in a.withheld}]
        assert rule.people == len(having)
        assert rule.services_per_person == pytest.approx(withheld[rule.stage, rule.because] / 30, abs=1e-6)
    remaining = [len(SERVICES.services) - len(answer.withheld) for answer in answers]
    assert told.funnel[0].services_per_person == len(SERVICES.services)
    assert told.funnel[-1].services_per_person == pytest.approx(sum(remaining) / 30, abs=1e-6)
    assert told.propensity == pytest.approx(
        sum(answer.suggestions[0].factors.propensity for answer in answers) / 30, abs=1e-4
    )


def test_whoever_has_everything_is_found_left_with_the_fallback_and_by_which_stage() -> None:
    told = report_of(found_of(crowd()), least=1).sides[0]

    assert sum(left.people for left in told.left) == told.left_people
    assert {left.stage for left in told.left} == {"applicable", "suitable"}
    assert told.left_people == sum(answered(each).suggestions[0].service == "else" for each in crowd()) > 0


def test_people_who_do_not_let_themselves_be_counted_are_in_no_figure_whatever_they_did() -> None:
    quiet = [member(f"q{n}", purposes=(SUGGEST, PROFILE)) for n in range(LEAST)]
    busy = [
        member(f"q{n}", subscribed("alpha", identity=f"app:q{n}"), described(f"q{n}", role="x"), purposes=(SUGGEST,))
        for n in range(LEAST)
    ]

    without = reported(crowd(), by=["role"])
    one, other = (reported([*crowd(), *more], by=["role"]) for more in (quiet, busy))

    assert one == other
    assert one.refused == LEAST
    assert (one.sides, one.disparity) == (without.sides, without.disparity)


def test_one_person_more_or_other_changes_no_figure_within_a_ten() -> None:
    people = [member(f"n{number}", purposes=(ANALYTICS,)) for number in range(LEAST * 3)]
    more = [*people, member("extra", subscribed("alpha", identity="app:extra"))]

    one, other = reported(people).sides[0], reported(more).sides[0]

    assert one.people == other.people == LEAST * 3
    assert one.modes == other.modes == {"general": LEAST * 3}
    assert [(each.first, each.shown) for each in one.services] == [(each.first, each.shown) for each in other.services]
    figures = [each.first for each in other.services] + [each.people for each in other.rules]
    assert {figure % LEAST for figure in figures} == {0}


def test_a_group_that_is_served_otherwise_stands_out_and_one_that_is_not_does_not() -> None:
    people = [
        member(
            f"n{number}",
            described(
                f"n{number}", role="buyer" if number % 2 else "seller", hand="left" if number % 4 < 2 else "right"
            ),
            *([subscribed("alpha", identity=f"app:n{number}")] if number % 2 else []),
        )
        for number in range(80)
    ]
    people += [member(f"few{number}", described(f"few{number}", role="owner")) for number in range(LEAST - 1)]

    report = reported(people, by=["role", "hand"])

    by_group = {(each.attribute, each.group, each.outcome): each for each in report.disparity}
    first = answered(people[1]).suggestions[0].service
    issue = f"{SERVICES.by_id[first].issue} first"
    buyers = by_group["role", "buyer", issue]
    assert buyers.people == 40
    assert buyers.interval.low <= buyers.rate <= buyers.interval.high
    assert not any(each.stands_out for (attribute, *_), each in by_group.items() if attribute == "hand")
    assert "owner" not in {group for _, group, _ in by_group}
    assert report.hidden_groups == 2  # owners, and their hand, which nobody knows


def test_numbers_are_grouped_in_bands_and_what_is_not_agreed_to_is_not_known() -> None:
    people = [member(f"n{number}", described(f"n{number}", visits=30 + number % 20)) for number in range(40)]
    closed = [member(f"c{number}", described(f"c{number}", visits=35), purposes=(ANALYTICS,)) for number in range(15)]

    found = found_of([*people, *closed], by=["visits"])

    assert found.groups == {("visits", "30 to 39"): 20, ("visits", "40 to 49"): 20, ("visits", "not known"): 15}


def test_groups_are_by_what_the_contract_needs_and_by_what_is_sensitive_where_agreed_to_and_never_by_law() -> None:
    said = {"country": "DE", "children": 2, "arrears": True}
    people = [
        member("open", described("open", **said), purposes=(*COUNTED, SENSITIVE)),
        member("closed", described("closed", **said)),
    ]

    found = found_of(people, by=list(said))

    assert found.groups == {
        ("country", "DE"): 2,
        ("children", "0 to 9"): 1,
        ("children", "not known"): 1,
        ("arrears", "not known"): 2,
    }


def test_an_attribute_that_is_known_and_may_not_be_used_now_is_not_known() -> None:
    name = pseudonym("app:42")
    facts = [*agreed(*COUNTED, identity=name), fact("identity.described", identity=name, attributes={"role": "buyer"})]

    found = {
        held: found_of([People(facts, held={name: frozenset(held)}).view(name)], by=["role"]).groups
        for held in ((), (PROFILE,))
    }

    assert found == {(): {("role", "buyer"): 1}, (PROFILE,): {("role", "not known"): 1}}


def test_the_same_catalogue_twice_changes_nothing() -> None:
    compared = reported(crowd(), SERVICES, SERVICES).compared

    assert compared is not None
    assert (compared.first_changes, compared.list_changes, compared.moved, compared.cost) == (0, 0, (), 0.0)


def test_another_catalogue_tells_whose_first_suggestion_becomes_another_one_and_at_what_cost() -> None:
    people = crowd()
    before = [answered(each).suggestions[0].service for each in people]
    [common] = [name for name, _ in Counter(before).most_common(1)]
    later = catalogue_of(
        *(each.id for each in SERVICES.services if each.id not in {common, "else"}),
        beta={"issue": "sell", "upsell": True},
    )

    report = report_of(found_of(people, SERVICES, later), least=1)

    assert report.compared is not None
    assert report.compared.first_changes == before.count(common)
    assert {move.before for move in report.compared.moved} == {common}
    assert sum(move.people for move in report.compared.moved) == before.count(common)
    one, other = report.sides
    assert report.compared.cost == pytest.approx(one.propensity - other.propensity, abs=2e-4)


def test_the_page_loads_nothing_and_shows_names_as_text() -> None:
    people = [member(f"n{n}", described(f"n{n}", role="<script>" if n % 2 else "b")) for n in range(40)]

    report = report_of(found_of(people, SERVICES, SERVICES, by=["role"]), least=1)
    page = page_of(report, asked="people & others")

    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert "people &amp; others" in page
    plots = [ET.fromstring(each) for each in re.findall(r"<svg.*?</svg>", page, re.DOTALL)]  # noqa: S314 - ours
    assert len(plots) == page.count("<svg") > 5
    assert all(float(each.get("width", "0")) >= 0 for plot in plots for each in plot.iter())
    loading = page.replace("http://www.w3.org/2000/svg", "")
    assert not any(word in loading for word in ("http", "src=", "href=", "url(", "@import", "<link"))
    assert msgspec.json.decode(msgspec.json.encode(report), type=SimulationReport) == report
