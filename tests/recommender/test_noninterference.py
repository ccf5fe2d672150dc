"""Without `suggest.personal`, nothing in a person's history changes a byte; with it, something must.

Pairs by the thousand are in `tests/noninterference`; these are the few that are clearer by hand.
"""

from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consent.purposes import PROFILE, SENSITIVE, SUGGEST
from events.fact import Fact
from recommender.artifact import Artifact
from recommender.catalogue import load_catalogue
from recommender.suggest import suggest
from recommender.suggestion import SuggestionInput, render
from tests.builders import DAY, HOUR, NOW, fact, purchased
from tests.recommender.worlds import CHECKERBOARD, KEY, agreed, person, subscribed, taken_by, trained

DEFAULT = load_catalogue()
channels = st.sampled_from([None, "desk", "app", "store"])


@cache
def model() -> Artifact:
    return trained([some for customer in range(20) for some in taken_by(customer)], catalogue=CHECKERBOARD)


def rendered(
    who: SuggestionInput, channel: str | None, catalogue: Any = DEFAULT, *, intent: str | None = None
) -> bytes:
    how: dict[str, Any] = {"channel": channel, "intent": intent, "k": 5, "now": NOW, "key": KEY}
    return render(suggest(who, artifact=model(), catalogue=catalogue, **how))


def test_an_answer_after_a_withdrawal_is_the_one_of_a_person_who_never_agreed() -> None:
    history = [purchased(at=NOW - 9 * DAY), subscribed("s0")]
    withdrawn = fact("consent.withdrawn", purpose=SUGGEST, at=NOW - DAY)

    assert rendered(person(*agreed(SUGGEST, PROFILE), *history, withdrawn), "desk") == rendered(person(), "desk")


@pytest.mark.parametrize("intent", [None, "cancel", "fees", "weather"])
def test_an_intent_is_answered_alike_whatever_somebody_did_who_never_agreed(intent: str | None) -> None:
    calls = [
        fact("service.contact_started", at=NOW - days * DAY, contact_id=f"c-{days}", topics=["repayment"])
        for days in (0, 3, 9)
    ]
    lived = person(*calls, fact("identity.described", at=NOW - DAY, attributes={"region": "north"}))

    assert rendered(lived, "desk", intent=intent) == rendered(person(), "desk", intent=intent)


def test_what_was_heard_changes_no_general_answer_once_it_has_rested() -> None:
    heard = [
        fact("feedback.suggestion_presented", at=NOW - 2 * DAY - hour * HOUR, decision=f"p{hour}", service="wine-club")
        for hour in range(DEFAULT.cap.at_most + 1)
    ]

    assert rendered(person(*heard), "desk") == rendered(person(), "desk")
    consent = agreed(SUGGEST, PROFILE)
    assert rendered(person(*consent, *heard), "desk") != rendered(person(*consent), "desk")


def test_with_consent_history_changes_answers_in_every_place_it_may() -> None:
    consent = agreed(SUGGEST, PROFILE)
    plain = rendered(person(*consent), None, CHECKERBOARD)
    changes = [
        subscribed("s0"),
        subscribed("s1"),
        purchased(at=NOW - DAY),
        fact("service.contact_started", at=NOW - DAY, contact_id="c", topics=["loan"]),
        fact("identity.described", at=NOW - DAY, attributes={"plan": "gold"}),
    ]

    answers = {rendered(person(*consent, change), None, CHECKERBOARD) for change in changes}

    assert plain not in answers
    assert len(answers) == len(changes)


@given(channel=channels, number=st.integers(1, 4))
@settings(max_examples=20, deadline=None)
def test_what_tells_of_children_changes_nothing_but_the_totals_without_its_own_consent(
    channel: str | None, number: int
) -> None:
    consent = agreed(SUGGEST, PROFILE)

    def bought(category: str, item: str) -> list[Fact]:
        lines = [{"item": item, "category": category}]
        return [
            purchased(f"o-{each}", at=NOW - each * DAY, event_id=f"e-{each}", lines=lines) for each in range(number)
        ]

    formula, health = bought("baby", "baby-formula"), bought("pharmacy", "pills")

    assert rendered(person(*consent, *formula), channel) == rendered(person(*consent, *health), channel)
    open_to_it = [*consent, *agreed(SENSITIVE)]
    assert rendered(person(*open_to_it, *formula), channel) != rendered(person(*open_to_it, *health), channel)
