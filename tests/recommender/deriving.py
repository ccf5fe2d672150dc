"""Deriving a reason anew from the facts it names, by rules of its own: nothing of the recommender is asked.

A reason says something of the person by its code. Here that is read off the named facts as they were told; what a
reason denies (no order since, none before) is looked for among all the facts of the person.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from events.fact import Fact
from recommender.catalogue import Catalogue, Need
from recommender.suggestion import Reason
from tests.builders import DAY

BANDS: Final = {"one": (1, 1), "few": (2, 3), "many": (4, 10_000)}
GENERAL: Final = frozenset({"popular", "on_offer"})


@dataclass(frozen=True, kw_only=True)
class Person:
    """All facts of one person, as they may be used, and the time (ms) at which a reason is given."""

    facts: Mapping[str, Fact]
    catalogue: Catalogue
    at: int

    def named(self, reason: Reason) -> list[Fact]:
        """The facts that a reason rests on; KeyError where one is not the person's."""
        return [self.facts[key] for key in reason.evidence]

    def of_type(self, *types: str) -> list[Fact]:
        return [fact for fact in self.facts.values() if fact.type in types]

    def within(self, facts: Iterable[Fact], days: int) -> list[Fact]:
        return [fact for fact in facts if fact.occurred_at >= self.at - days * DAY]

    def takes(self, fact: Fact) -> set[str]:
        """The services that a fact by itself says were taken."""
        return {service.id for service in self.catalogue.services if _takes(fact, service)}

    def stands(self, fact: Fact) -> bool:
        """Tell whether what the fact began was not cancelled (an order: ever; a subscription: since)."""
        ended = [each for each in self.of_type("transaction.cancelled") if _same_record(each.body, fact.body)]
        if fact.type == "transaction.subscribed":
            ended = [each for each in ended if _order(each) > _order(fact)]
        return not ended


def _body(fact: Fact) -> Any:
    """What a fact says, of whatever type it is."""
    return fact.body


def derives(reason: Reason, service: str | None, person: Person, *, goes_with: Callable[[str, str], bool]) -> bool:
    """Tell whether the reason follows from the facts it names.

    `service` is the one suggested, None for an open need. `goes_with` tells whether more of those who had a service, or
    of whom a feature is true, took it than of all customers.
    """
    facts = person.named(reason)
    kind, _, value = reason.code.partition(":")
    if not facts or len(set(reason.evidence)) != len(facts):
        return False
    match kind:
        case "need":
            need = next(each for each in person.catalogue.needs if each.id == value)
            return (service is None or service in need.suggests) and _holds(need, reason, facts, person)
        case "repeat":
            taken = [fact for fact in facts if service in person.takes(fact) and person.stands(fact)]
            return value == service and len(taken) == len(facts) and _says(reason, len(facts), unless=1)
        case "with":
            is_had = all(value in person.takes(fact) and person.stands(fact) for fact in facts)
            return is_had and service is not None and goes_with(value, service)
        case "segment":
            return service is not None and _shows(value, facts, person) and goes_with(value, service)
        case _:
            return _shows(reason.code, facts, person)


def _shows(feature: str, facts: Collection[Fact], person: Person) -> bool:
    """Tell whether the facts show a feature of the person."""
    kind, _, value = feature.partition(":")
    match kind:
        case "category":
            return all(value in _categories(fact) and person.stands(fact) for fact in facts)
        case "topic":
            return all(value in _body(fact).topics for fact in facts)
        case "described":
            name, _, said = value.partition("=")
            told = [fact for fact in person.of_type("identity.described") if name in _body(fact).attributes]
            latest = max(told, key=_order)
            return list(facts) == [latest] and str(_body(latest).attributes[name]) == said
        case "orders":
            least, most = BANDS[value]
            ordered = person.within(_standing_orders(person), 365)
            return all(fact in ordered for fact in facts) and len(facts) >= least and len(ordered) <= most
        case "complaint":
            return all(_is_solved(fact, person) == (value == "solved") for fact in facts)
        case "satisfaction":
            latest = max(person.of_type("feedback.survey_answered"), key=_order)
            return list(facts) == [latest] and _mood(_body(latest)) == value
    return False


def _is_solved(complaint: Fact, person: Person) -> bool:
    return _last_turn(complaint, person).type == "service.case_resolved"


def _last_turn(complaint: Fact, person: Person) -> Fact:
    told = [fact for fact in person.facts.values() if getattr(fact.body, "case_id", None) == _body(complaint).case_id]
    return max((fact for fact in told if fact.type in _TURNS), key=_order)


def _mood(answer: Any) -> str:
    """High from three quarters of the scale on, low below its half."""
    low, high = {"nps": (0, 10), "csat": (1, 5), "ces": (1, 7)}[answer.kind]
    share = (answer.score - low) / (high - low)
    return "high" if share >= 0.75 else "low" if share < 0.5 else "middle"


def _holds(need: Need, reason: Reason, facts: list[Fact], person: Person) -> bool:
    """Tell whether each condition holds on the facts named, and the count in the words is that of the first."""
    counts = [_counted(condition, facts, person) for condition in need.when]
    if any(count is None for count in counts):
        return False
    return "{count}" not in need.reason.en or _says(reason, counts[0] or 0)


def _counted(condition: Any, facts: list[Fact], person: Person) -> int | None:
    """How many of the facts a condition counts; None where it does not hold. By what it says, not by how it is run."""
    match condition.op:
        case "holds":
            return len(_having(condition, facts, person)) or None
        case "lacks":
            return None if _having(condition, person.facts.values(), person) else 0
        case "quiet":
            orders = [fact for fact in facts if fact in _standing_orders(person)]
            recent = person.within(_standing_orders(person), condition.for_days)
            return len(orders) if len(orders) >= condition.after_orders and not recent else None
        case "newcomer":
            first = min(_standing_orders(person), key=_order)
            return 1 if first in facts and person.within([first], condition.within_days) else None
        case "scored":
            answers = [f for f in person.of_type("feedback.survey_answered") if _body(f).kind == condition.survey]
            latest = max(answers, key=_order)
            is_within = condition.at_least <= _body(latest).score <= condition.at_most
            return 1 if latest in facts and is_within and person.within([latest], condition.within_days) else None
        case "complained":
            return _complaints(condition, facts, person)
    found = person.within((fact for fact in facts if _counts(condition, fact, facts, person)), condition.within_days)
    return len(found) if len(found) >= getattr(condition, "at_least", 1) else None


def _having(condition: Any, facts: Iterable[Fact], person: Person) -> list[Fact]:
    taken = [f for f in facts if person.takes(f) & set(condition.services) and person.stands(f)]
    return taken if condition.within_days is None else person.within(taken, condition.within_days)


def _counts(condition: Any, fact: Fact, facts: Collection[Fact], person: Person) -> bool:
    body: Any = fact.body
    match condition.op:
        case "bought":
            lines = body.lines if fact.type == "transaction.purchased" and person.stands(fact) else ()
            return any(line.item in condition.items or line.category in condition.categories for line in lines)
        case "ordered":
            return fact in _standing_orders(person)
        case "contacted":
            return bool({*getattr(body, "topics", ())} & {*condition.topics})
        case "unreached":
            return fact.type == "service.contact_ended" and not body.reached
        case "alerted":
            is_alert = fact.type == "service.alert_raised"
            return is_alert and body.severity in condition.severities and body.kind in (condition.kinds or [body.kind])
        case "visited":
            return fact.type == "service.visited"
        case "delivered_late":
            ordered = [f for f in facts if f.type == "transaction.purchased" and _same_record(f.body, body)]
            is_delivery = fact.type == "service.delivery_step" and body.step == "delivered"
            return is_delivery and any((_body(f).promised_at or fact.occurred_at) < fact.occurred_at for f in ordered)
    raise AssertionError(f"no rule for {condition.op}")


def _complaints(condition: Any, facts: Collection[Fact], person: Person) -> int | None:
    found = person.within((f for f in facts if f.type == "feedback.complaint_filed"), condition.within_days)
    for complaint in found:
        last, is_solved = _last_turn(complaint, person), _is_solved(complaint, person)
        if is_solved != (condition.state == "solved") or (is_solved and last not in facts):
            return None
    return len(found) or None


_TURNS: Final = frozenset(
    {"service.case_opened", "feedback.complaint_filed", "service.case_resolved", "service.case_reopened"}
)


def _takes(fact: Fact, service: Any) -> bool:
    body: Any = fact.body
    match fact.type:
        case "transaction.purchased":
            counts = service.counts
            return any(line.item in counts.items or line.category in counts.categories for line in body.lines)
        case "transaction.subscribed":
            return body.service in (service.id, *service.counts.subscriptions)
        case "feedback.suggestion_answered":
            return bool(body.service == service.id and body.answer == "accepted")
    return False


def _standing_orders(person: Person) -> list[Fact]:
    return [fact for fact in person.of_type("transaction.purchased") if person.stands(fact)]


def _categories(fact: Fact) -> set[str]:
    return {line.category for line in getattr(fact.body, "lines", ()) if line.category}


def _same_record(one: Any, other: Any) -> bool:
    return any(
        (known := getattr(one, name, None)) is not None and known == getattr(other, name, None)
        for name in ("order_id", "subscription_id")
    )


def _says(reason: Reason, count: int, *, unless: int | None = None) -> bool:
    return count == unless or all(str(count) in words for words in (reason.text.en, reason.text.zh))


def _order(fact: Fact) -> tuple[int, bytes]:
    return (fact.occurred_at, fact.event_key)


def lifts(people: Collection[Person], *, at_least: int) -> Callable[[str, str], bool]:
    """Whether a service or a feature goes with a service, counted over people: those who took anything."""
    takers = [(each, first) for each in people if (first := _first_takings(each))]
    members: dict[str, list[bool]] = {}

    def having(name: str) -> list[bool]:
        if name not in members:
            members[name] = [name in first or _is_true_of(name, each) for each, first in takers]
        return members[name]

    def goes_with(name: str, service: str) -> bool:
        later = [service in first and first.get(name, (0,)) < first[service] for _, first in takers]
        both = sum(has and did for has, did in zip(having(name), later, strict=True))
        took = sum(service in first for _, first in takers)
        return both >= at_least and both * len(takers) > sum(having(name)) * took

    return goes_with


def _is_true_of(feature: str, person: Person) -> bool:
    """Tell whether anything within the last year shows a feature of a person."""
    kind = feature.partition(":")[0]
    types = _SHOWN_BY.get(kind, ())
    recent = person.within(person.of_type(*types), 365)
    if kind == "orders":
        return _shows(feature, [fact for fact in recent if person.stands(fact)], person)
    return any(_shows(feature, [fact], person) for fact in recent)


_SHOWN_BY: Final = {
    "category": ("transaction.purchased",),
    "orders": ("transaction.purchased",),
    "topic": ("service.contact_started", "service.contact_ended"),
    "described": ("identity.described",),
    "complaint": ("feedback.complaint_filed",),
    "satisfaction": ("feedback.survey_answered",),
}


def _first_takings(person: Person) -> dict[str, tuple[int, bytes]]:
    first: dict[str, tuple[int, bytes]] = {}
    for fact in sorted(person.facts.values(), key=_order):
        for service in person.takes(fact):
            first.setdefault(service, _order(fact))
    return first
