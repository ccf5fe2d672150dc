"""What is told of a consent: when it ends, when somebody was asked, and what an act on record says of itself."""

from typing import Any

import pytest

from consent.purposes import PROFILE
from consent.rules import shipped_rules
from consent.state import NEVER_ASKED, Form, Grant, PurposeState, with_act
from consent.status import VALID, ConsentStatus, state_of
from events.acts import ConsentAct
from events.fact import Fact
from tests.builders import NOW, consent
from tests.consent.test_states import Act, state_after


def told(state: PurposeState, *, at: int, known_at: int = 1_000) -> ConsentStatus:
    return state_of(state, purpose=PROFILE, notices=shipped_rules().notices, at=at, known_at=known_at)


@pytest.mark.parametrize(("at", "status"), [(10, "given"), (499, "given"), (500, "expired"), (501, "expired")])
def test_an_agreement_is_told_as_ended_from_its_end_on(at: int, status: str) -> None:
    assert told(state_after([("given", 10, 10, 500)]), at=at) == status


@pytest.mark.parametrize(("first_ends", "last_ends", "status"), [(500, 900, "given"), (900, 500, "expired")])
def test_of_two_agreements_of_one_moment_the_one_heard_of_last_is_told(
    first_ends: int, last_ends: int, status: str
) -> None:
    acts: list[Act] = [("given", 10, 10, first_ends), ("given", 10, 20, last_ends)]

    assert [told(state_after(order), at=600) for order in (acts, acts[::-1])] == [status, status]


@pytest.mark.parametrize(("kind", "status"), [("requested", "requested"), ("deferred", "deferred")])
def test_whoever_was_asked_is_told_as_asked_from_then_on_and_as_far_as_that_was_known(kind: str, status: str) -> None:
    asked: list[Act] = [(kind, 20, 30)]

    assert told(state_after(asked), at=20, known_at=30) == status
    assert told(state_after(asked), at=19, known_at=30) == "unknown"
    assert told(state_after(asked), at=20, known_at=29) == "unknown"


@pytest.mark.parametrize("act", ["given", "renewed"])
def test_an_agreement_that_was_renewed_holds_as_one_that_was_given(act: str) -> None:
    assert told(state_after([(act, 10, 10)]), at=10) in VALID


def after(said: Fact) -> PurposeState:
    assert isinstance(said.body, ConsentAct)
    return with_act(NEVER_ASKED, said, said.body)


@pytest.mark.parametrize(
    ("said", "fields"),
    [
        ({}, {}),
        ({"notice": "profile/1"}, {"notice": "profile/1"}),
        ({"by": "guardian"}, {"by_guardian": True}),
        ({"by": "subject"}, {}),
        ({"form": "explicit"}, {"form": Form.EXPLICIT}),
        ({"evidence": "imported"}, {"evidence": "imported"}),
        ({"expires_at": NOW + 1}, {"expires_at": NOW + 1}),
    ],
)
def test_a_yes_is_on_record_with_all_it_says(said: dict[str, Any], fields: dict[str, Any]) -> None:
    yes, again = consent("given", PROFILE, **said), consent("renewed", PROFILE, **said)
    times = {"effective_at": NOW, "received_at": NOW, "expires_at": 0}

    assert after(yes).grants == (Grant(**{**times, "key": yes.event_key, **fields}),)
    assert after(again).grants == (Grant(**{**times, "key": again.event_key, **fields, "renewed": True}),)
