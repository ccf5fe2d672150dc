"""The funnel, rule by rule: what each refuses, and that it refuses nothing else."""

from typing import Any

import pytest

from recommender.artifact import untrained
from recommender.funnel import Known, refused
from recommender.personal import Taking
from recommender.shelf import shelf_of
from recommender.suggestion import Restraints
from tests.builders import NOW
from tests.recommender.worlds import CODE, catalogue_of

SERVICES: dict[str, Any] = {
    "upsell": {"upsell": True, "issue": "sell"},
    "adult": {"minimum_age": 18},
    "shop": {"channels": ["shop"]},
    "north": {"regions": ["north"]},
    "quiet": {"sayable": False},
    "both": {"prerequisites": ["plain", "upsell"]},
    "clash": {"contraindications": ["plain", "upsell"]},
    "asked": {"only_when_needed": True},
    "closed": {"requires": ["profile.build", "data.sensitive"]},
}
USUAL: dict[str, Any] = {"channel": None, "is_staff": True, "at": NOW, "restraints": Restraints(), "held": {}}
WITHHELD = {
    "north": "not offered in their region",
    "both": "needs another service first",
    "asked": "no need for it",
    "closed": "needs profile.build",
}
"""What is refused to somebody of whom nothing is known but that they agreed."""


def had(*services: str) -> dict[str, Taking]:
    return {service: Taking(service, NOW, b"key") for service in services}


def because(services: dict[str, Any] = SERVICES, **known: Any) -> dict[str, str]:
    """Service -> why it is refused."""
    catalogue = catalogue_of("plain", *services, **services)
    shelf = shelf_of(untrained(catalogue, code=CODE), catalogue)
    found = refused(shelf, Known(**{**USUAL, **known}))
    return {shelf.services[place].id: reason for place, (_, reason) in found.items()}


def test_somebody_of_whom_nothing_is_known_is_refused_what_depends_on_them() -> None:
    assert because() == WITHHELD


@pytest.mark.parametrize(
    ("known", "changes"),
    [
        ({"channel": "shop"}, {}),
        ({"channel": "app"}, {"shop": "not offered on this channel"}),
        ({"is_staff": False}, {"quiet": "for staff only"}),
        ({"region": "north"}, {"north": None}),
        ({"region": "south"}, {}),
        ({"needed": {"asked", "gone"}}, {"asked": None}),
        ({"needed": ()}, {}),
        ({"purposes": frozenset({"profile.build"})}, {"closed": "needs data.sensitive"}),
        ({"purposes": frozenset({"data.sensitive"})}, {}),
        ({"purposes": frozenset({"profile.build", "data.sensitive"})}, {"closed": None}),
        ({"has_heard_enough": True}, {"upsell": "heard enough offers lately"}),
        ({"enough_of": {"plain"}}, {"plain": "told as often as it may be"}),
    ],
)
def test_each_rule_refuses_what_it_speaks_of_and_nothing_else(known: Any, changes: dict[str, str | None]) -> None:
    expected = {**WITHHELD, **changes}
    assert because(**known) == {service: reason for service, reason in expected.items() if reason is not None}


@pytest.mark.parametrize(
    ("held", "changes"),
    [
        (("plain",), {"clash": "does not go with a service that was taken"}),
        (("upsell",), {"clash": "does not go with a service that was taken"}),
        (("plain", "upsell"), {"both": None, "clash": "does not go with a service that was taken"}),
    ],
)
def test_all_prerequisites_are_wanted_and_no_contraindication(
    held: tuple[str, ...], changes: dict[str, str | None]
) -> None:
    expected = {**WITHHELD, **dict.fromkeys(held, "already taken"), **changes}
    assert because(held=had(*held)) == {name: reason for name, reason in expected.items() if reason is not None}


@pytest.mark.parametrize(
    ("restraint", "changes"),
    [
        ({"open_complaint": True}, {"upsell": "nothing to sell while a complaint is open"}),
        ({"arrears": True}, {"upsell": "nothing to sell while payments are overdue"}),
        ({"minor": True}, {"upsell": "nothing to sell to a minor", "adult": "only for adults"}),
        ({"restricted": True}, {"upsell": "nothing to sell to a person who objected"}),
        ({"suppressed": True}, {"upsell": "nothing to sell to a person who objected"}),
        ({"refused": frozenset({"plain"})}, {"plain": "declined lately"}),
        ({"told": frozenset({"plain"})}, {"plain": "told lately"}),
    ],
)
def test_each_restraint_takes_away_what_it_speaks_of_and_nothing_else(restraint: Any, changes: dict[str, str]) -> None:
    assert because(restraints=Restraints(**restraint)) == {**WITHHELD, **changes}


def test_without_consent_all_that_depends_on_the_person_is_refused_and_nothing_by_what_they_have() -> None:
    depends = dict.fromkeys(("both", "clash", "asked"), "depends on what may not be looked at")
    assert because(held=None) == {**WITHHELD, **depends}


def test_a_service_is_offered_from_its_first_day_to_its_last() -> None:
    days: dict[str, Any] = {
        "past": {"ends": "2026-02-28"},
        "last": {"ends": "2026-03-01"},
        "first": {"starts": "2026-03-01"},
        "soon": {"starts": "2026-03-02"},
    }

    assert because(days) == {"past": "no longer offered", "soon": "not offered yet"}
