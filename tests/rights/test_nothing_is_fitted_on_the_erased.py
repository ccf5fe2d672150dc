"""Training between an erasure and the removal of its rows, or on a replayed history: the erased are not in it."""

from typing import Final

from consent.purposes import PROFILE, TRAIN
from consent.rules import shipped_rules
from events.fact import Fact
from profiles.permitted import permitted_facts
from tests.builders import DAY, HOUR, NOW, consent, fact, purchased
from tests.recommender.worlds import agreed, log_of

ERASED: Final = fact("rights.erased", at=NOW - DAY, request_id="r-1")


def orders(*said: Fact) -> list[str]:
    permitted = permitted_facts(log_of(said), purpose=TRAIN, at=NOW, rules=shipped_rules())
    return [getattr(each.fact.body, "order_id") for each in permitted]  # noqa: B009 - only orders are said


def test_what_lies_before_a_tombstone_is_nobodys() -> None:
    assert orders(*agreed(TRAIN, PROFILE, at=NOW - 2 * DAY), purchased("o-1", at=NOW - 2 * DAY), ERASED) == []


def test_who_comes_back_and_agrees_is_permitted_with_what_came_after_only() -> None:
    before = (*agreed(TRAIN, at=NOW - 2 * DAY), purchased("o-1", at=NOW - 2 * DAY))
    late = purchased("o-2", at=NOW - 2 * DAY, received_at=NOW - DAY)
    after = (consent("given", TRAIN, at=NOW - HOUR), purchased("o-3", at=NOW - HOUR))

    assert orders(*before, ERASED, late, *after) == ["o-3"]


def test_an_agreement_from_before_permits_nothing_after() -> None:
    assert orders(*agreed(TRAIN, at=NOW - 2 * DAY), ERASED, purchased("o-3", at=NOW - HOUR)) == []
