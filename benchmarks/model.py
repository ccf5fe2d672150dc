"""What must stand in the store at the end: an independent count per person, and the comparison with what does.

Nothing of the product's fold is used here. A contender without exactness is held to the inexact count, in which a
repeat counts again.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from benchmarks.workload import Message
from profiles.facet import Facet

RECORDS_MAX: Final = 2000
IDS_MAX: Final = 1024

Tally = dict[str, int]
"""Field -> count or sum of one person; zeros are left out."""

FIELDS: Final[Mapping[str, tuple[str, str | None]]] = {
    "purchase": ("orders", "spent"),
    "payment": ("payments", "paid"),
    "refund": ("refunds", "refunded"),
    "subscription": ("subscriptions", None),
    "contact": ("contacts", None),
    "contact_end": ("contacts_ended", "waited"),
    "case": ("cases", None),
    "solution": ("solutions", None),
    "survey": ("surveys", "score"),
    "review": ("reviews", "stars"),
}
"""Kind -> what counts it, and what adds up its number."""


class Expected(NamedTuple):
    """The tallies by identity, and how many records are to be set aside."""

    people: dict[str, Tally]
    set_aside: int


def exact(messages: Iterable[Message]) -> Expected:
    """Each event counts once; beyond 2,000 records of one person a fact that would add one is set aside."""
    people: dict[str, Tally] = defaultdict(lambda: defaultdict(int))
    known: set[bytes] = set()
    records: dict[tuple[str, bool], set[str]] = defaultdict(set)
    set_aside = 0
    for message in messages:
        happening = message.happening
        if happening is None:
            set_aside += 1
            continue
        if happening.event_key in known:
            continue
        held = records[happening.identity, happening.kind in {"case", "solution"}]
        if happening.record not in held and len(held) >= RECORDS_MAX:
            set_aside += 1
            continue
        held.add(happening.record)
        known.add(happening.event_key)
        tally = people[happening.identity]
        _count(tally, happening.kind, happening.number)
        tally["ids"] = min(IDS_MAX, tally["ids"] + 1)
    return Expected({identity: dict(tally) for identity, tally in people.items()}, set_aside)


def inexact(messages: Iterable[Message]) -> Expected:
    """Each record counts, repeats as well, and nothing is ever too much."""
    people: dict[str, Tally] = defaultdict(lambda: defaultdict(int))
    set_aside = 0
    for message in messages:
        if message.happening is None:
            set_aside += 1
        else:
            _count(people[message.happening.identity], message.happening.kind, message.happening.number)
    return Expected({identity: dict(tally) for identity, tally in people.items()}, set_aside)


def _count(tally: Tally, kind: str, number: int) -> None:
    count, total = FIELDS[kind]
    tally[count] += 1
    if total is not None:
        tally[total] += number


def tally_of(facet: Facet) -> Tally:
    """The same figures out of a stored facet."""
    service = facet.service
    placed = [order.placed.value.amount for order in service.orders.values() if order.placed]
    refunds = [refund.value.amount for order in service.orders.values() for refund in order.refunds]
    paid = [payment.paid.value[0].amount for payment in service.payments.values() if payment.paid]
    waits = [contact.ended.value.wait_ms or 0 for contact in service.contacts.values() if contact.ended]
    scores = [survey.answered.value[1] for survey in service.surveys.values() if survey.answered]
    stars = [review.posted.value[1] for review in service.reviews.values() if review.posted]
    found = {
        "orders": len(placed),
        "spent": sum(placed),
        "payments": len(paid),
        "paid": sum(paid),
        "refunds": len(refunds),
        "refunded": sum(refunds),
        "subscriptions": sum(each.subscribed is not None for each in service.subscriptions.values()),
        "contacts": sum(each.started is not None for each in service.contacts.values()),
        "contacts_ended": len(waits),
        "waited": sum(waits),
        "cases": sum(each.opened is not None for each in service.cases.values()),
        "solutions": sum(len(each.resolved) for each in service.cases.values()),
        "surveys": len(scores),
        "score": sum(scores),
        "reviews": len(stars),
        "stars": sum(stars),
        "ids": len(facet.recent) // 12,
    }
    return {field: value for field, value in found.items() if value}


def differences(expected: Expected, found: Expected) -> int:
    """How many people stand otherwise than they should, missing and surplus ones and records set aside included."""
    identities = expected.people.keys() | found.people.keys()
    wrong = sum(expected.people.get(identity) != found.people.get(identity) for identity in identities)
    return wrong + abs(expected.set_aside - found.set_aside)
