"""Histories by chance: what a person might have done, drawn from every event type there is.

All chance comes from a seeded `random.Random`, so a pair that differs can be made again from its number.
"""

from collections.abc import Callable, Mapping
from functools import cache, partial
from random import Random
from typing import Any, Final

from hypothesis import HealthCheck, Phase, given, settings
from msgspec.structs import replace

from consent.purposes import FIELD_PURPOSES, attribute_purpose, category_purpose
from events.acts import ConsentAct
from events.fact import Fact
from events.identity import Described, Linked, Unlinked
from events.shape import Body
from events.transactions import Purchased
from events.vocabulary import BODIES, RESERVED
from tests.builders import DAY, HOUR, NOW, bodies, complaint, fact, money, purchased

LONGEST: Final = 8
_EXAMPLES: Final = 24

DRAWN: Final = tuple(
    sorted(
        name
        for name, body in BODIES.items()
        if name not in RESERVED and not issubclass(body, ConsentAct | Linked | Unlinked)
    )
)
"""Types of which a history is drawn: all but acts and links, which say what is permitted, and the reserved ones."""

_RESTRAINING: Final = frozenset(
    {
        "feedback.complaint_filed",
        "feedback.suggestion_answered",
        "feedback.suggestion_presented",
        "outreach.answered",
        "outreach.sent",
    }
)
_COMMON: Final = tuple(name for name in DRAWN if name not in _RESTRAINING)


GOODS: Final = ("coffee", "dairy", "baby", "pharmacy", "health")
"""Categories of what is bought, plain and sensitive."""


@cache
def pool(event_type: str) -> tuple[Body, ...]:
    """Bodies of a type, the same in every process: drawn from the model, so that a new field is among them at once."""
    drawn: list[Body] = []

    @settings(
        max_examples=_EXAMPLES,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(bodies(event_type))
    def draw(body: Body) -> None:
        drawn.append(body)

    draw()
    return tuple(drawn)


def history(chance: Random, identity: str, *, longest: int = LONGEST) -> list[Fact]:
    """At most so many facts of an identity (a pseudonym), in the order in which they are folded."""
    told = plain_history(chance, identity, longest=longest)
    if chance.random() < 0.3:
        told += plant(chance, chance.choice(sorted(PLANTS)), identity)
    if chance.random() < 0.3:
        told += _bought("grocery", 2, days_ago=0)(chance, identity)
    chance.shuffle(told)
    return told


def plain_history(chance: Random, identity: str, *, longest: int = LONGEST) -> list[Fact]:
    """A history in which nothing was planted."""
    return [drawn_fact(chance, identity) for _ in range(chance.randrange(longest))]


def drawn_fact(chance: Random, identity: str) -> Fact:
    """A fact of any type at any time; seldom one that restrains, since both of a pair must restrain alike."""
    event_type = chance.choice(_COMMON if chance.random() < 0.9 else DRAWN)
    occurred_at = moment(chance)
    return Fact(
        type=event_type,
        event_key=chance.randbytes(8),
        digest=chance.randbytes(4),
        identity=identity,
        occurred_at=occurred_at,
        received_at=occurred_at if chance.random() < 0.5 else moment(chance),
        source="crm",
        body=chance.choice(pool(event_type)),
    )


def moment(chance: Random) -> int:
    """Mostly within a year before now; now and then long ago or still to come (ms)."""
    if chance.random() < 0.9:
        return NOW - chance.randrange(365 * DAY)
    return chance.randrange(NOW + 365 * DAY)


def restraining(chance: Random, identity: str) -> list[Fact]:
    """Deny-only facts, some of them now and then."""
    service = chance.choice(["diapers", "fee-explanation", "care-call", "delivery-flat-rate"])
    return chance.sample(_denying(identity, service), chance.choice([0, 0, 0, 1, 2]))


@cache
def _denying(identity: str, service: str) -> tuple[Fact, ...]:
    """An open complaint, a service told of, a service declined."""
    about = partial(fact, identity=identity, service=service)
    return (
        complaint("open", identity=identity, at=NOW - 3 * DAY),
        about("feedback.suggestion_presented", at=NOW - HOUR, decision="d-1"),
        about("feedback.suggestion_answered", at=NOW - 2 * DAY, decision="d-2", answer="declined"),
    )


def private_facts(chance: Random, identity: str) -> list[Fact]:
    """Facts with fields of every purpose: goods of all kinds, attributes, and words."""

    def some(event_type: str, **body: Any) -> Fact:
        at = moment(chance)
        return fact(event_type, identity=identity, at=at, event_id=chance.randbytes(8).hex(), **body)

    lines = [{"item": f"item-{number}", "category": category} for number, category in enumerate(GOODS)]
    attributes = {"plan": "gold", "baby": True, "language": "zh", "health": "good", "town": "Ulm"}
    named = chance.sample(sorted(attributes), chance.randrange(1, 5))
    told = [
        some("transaction.purchased", order_id="o-1", total=money(900), lines=chance.sample(lines, 3)),
        some("transaction.purchased", order_id="o-2", total=money(500), lines=chance.sample(lines, 2)),
        some("identity.described", attributes={name: attributes[name] for name in named}),
        some("feedback.review_posted", review_id="r", score=3, title="so so", text="It was so so."),
        some("feedback.survey_answered", survey_id="s", kind="nps", score=9, text="fine"),
        some("feedback.complaint_filed", case_id="c", text="Where is it?"),
    ]
    return chance.sample(told, chance.randrange(1, len(told) + 1))


def retold(chance: Random, told: list[Fact], *, closed: frozenset[str]) -> list[Fact]:
    """The same facts with other content in every field that only a closed purpose could have opened.

    Some of those that hold nothing else are left out, and some are told twice over.
    """
    changed = []
    for each in told:
        body = _rewritten(chance, each.body, closed)
        if body is not None:
            changed.append(each if body is each.body else replace(each, body=body))
    return changed


def _rewritten(chance: Random, body: Body, closed: frozenset[str]) -> Body | None:
    match body:
        case Purchased():
            lines = [
                line.model_copy(update=_other_goods(chance, closed))
                if category_purpose(line.category) in closed
                else line
                for line in body.lines
            ]
            return body.model_copy(update={"lines": tuple(lines)})
        case Described():
            kept = {name: value for name, value in body.attributes.items() if attribute_purpose(name) not in closed}
            if len(kept) == len(body.attributes):
                return body
            added = {} if chance.random() < 0.5 else {"baby": True, "plan": f"plan {chance.randrange(9)}"}
            added = {name: value for name, value in added.items() if attribute_purpose(name) in closed}
            return body.model_copy(update={"attributes": {**kept, **added}}) if kept or added else None
        case _:
            texts = {
                name: chance.choice([None, "", f"words {chance.randrange(10**6)}"])
                for (event_type, name), purpose in FIELD_PURPOSES.items()
                if event_type == body.event_type and purpose in closed
            }
            return body.model_copy(update=texts) if texts else body


def _other_goods(chance: Random, closed: frozenset[str]) -> dict[str, str]:
    category = chance.choice([each for each in GOODS if category_purpose(each) in closed])
    return {"category": category, "item": chance.choice(["baby-formula", "pills", f"item-{chance.randrange(99)}"])}


def plant(chance: Random, need: str, identity: str) -> list[Fact]:
    """Facts that speak of a need of the default catalogue."""
    return PLANTS[need](chance, identity)


def _contacts(topic: str, times: int) -> Callable[[Random, str], list[Fact]]:
    def planted(chance: Random, identity: str) -> list[Fact]:
        return [
            fact(
                "service.contact_started",
                identity=identity,
                at=NOW - (number + 1) * HOUR - chance.randrange(HOUR),
                contact_id=f"planted-{topic}-{number}",
                topics=[topic],
            )
            for number in range(times)
        ]

    return planted


def _bought(category: str, times: int, *, days_ago: int) -> Callable[[Random, str], list[Fact]]:
    def planted(chance: Random, identity: str) -> list[Fact]:
        lines: list[dict[str, Any]] = [{"item": f"{category}-1", "category": category}]
        begun = NOW - days_ago * DAY
        return [
            purchased(
                f"planted-{category}-{number}",
                identity=identity,
                at=begun - number * HOUR - chance.randrange(HOUR),
                lines=lines,
            )
            for number in range(times)
        ]

    return planted


def _alerts(chance: Random, identity: str) -> list[Fact]:
    at, kind = NOW - DAY - chance.randrange(DAY), chance.choice(["hot", "overheating", "temperature"])
    return [fact("service.alert_raised", identity=identity, at=at, alert_id="planted", kind=kind, severity="critical")]


def _promoter(chance: Random, identity: str) -> list[Fact]:
    score, at = chance.choice([9, 10]), NOW - 9 * DAY
    answer = fact("feedback.survey_answered", identity=identity, at=at, survey_id="planted", kind="nps", score=score)
    return [*_bought("coffee", 3, days_ago=60)(chance, identity), answer]


def _unreached(chance: Random, identity: str) -> list[Fact]:
    at = NOW - HOUR - chance.randrange(DAY)
    return [fact("service.contact_ended", identity=identity, at=at, contact_id="planted-missed", reached=False)]


def _displeased(chance: Random, identity: str) -> list[Fact]:
    # Still to come, so that no answer that was drawn is a later one.
    score, at = chance.choice([1, 2]), NOW + 366 * DAY
    return [fact("feedback.survey_answered", identity=identity, at=at, survey_id="planted", kind="csat", score=score)]


PLANTS: Final[Mapping[str, Callable[[Random, str], list[Fact]]]] = {
    "waits-for-loan": _contacts("loan", 2),
    "repayment-trouble": _contacts("repayment", 3),
    "wants-to-leave": _contacts("cancel-card", 1),
    "fee-questions": _contacts("fees", 2),
    "deposit-questions": _contacts("deposit", 2),
    "missed-each-other": _unreached,
    "was-not-satisfied": _displeased,
    "runs-hot": _alerts,
    "baby-at-home": _bought("baby", 3, days_ago=1),
    "just-arrived": _bought("coffee", 1, days_ago=2),
    "went-quiet": _bought("coffee", 4, days_ago=200),
    "loyal-promoter": _promoter,
}
"""Need of the default catalogue -> facts that speak of it."""
