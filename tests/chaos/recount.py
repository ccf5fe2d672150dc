"""What must stand where, counted from the ledger and from the log itself, and where it does not.

Nothing of the product's fold is used: facets are only read, and the consents that open a section are judged here.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from events.fact import Fact
from events.sealing import IN_CLEAR, Opens
from profiles.facet import Facet, ServiceSection
from tests.chaos.load import Ledger
from tests.chaos.topics import Read

BUILD: Final = "profile.build"
FEEDBACK: Final = "feedback.analyse"
_KEY, _ENTRY = 8, 12


class Place(NamedTuple):
    """An offset of a topic."""

    topic: str
    partition: int
    offset: int


@dataclass
class Gated:
    """What one identity's consents let through, in the order of the log: attributes and texts by record."""

    grants: list[tuple[int, int]] = field(default_factory=list)
    noes: list[tuple[int, int]] = field(default_factory=list)
    kept: dict[str, Any] = field(default_factory=dict)

    def is_open(self) -> bool:
        """The last grant by the time it took effect, if it is later than every no in both times."""
        if not self.grants:
            return False
        effective, received = max(self.grants)
        return all(effective > other and received > heard for other, heard in self.noes)


@dataclass
class LogCount:
    """The log, counted: facts by identity and event key, repeats, where another payload came under a known key."""

    facts: dict[str, dict[bytes, bytes]] = field(default_factory=dict)
    repeats: int = 0
    conflicts: dict[Place, str] = field(default_factory=dict)
    gated: dict[tuple[str, str], Gated] = field(default_factory=dict)


def count_log(topic: str, partition: int, records: Sequence[Read], *, into: LogCount, opens: Opens = IN_CLEAR) -> None:
    """Count one partition of the log, in its order."""
    for record, envelope in zip(records, opens.look_up([each.value for each in records]), strict=True):
        fact = envelope.fact()
        known = into.facts.setdefault(fact.identity, {})
        if fact.event_key not in known:
            known[fact.event_key] = fact.digest
            _count_gated(into.gated, fact)
        elif known[fact.event_key] == fact.digest:
            into.repeats += 1
        else:
            into.conflicts[Place(topic, partition, record.offset)] = "conflict"


def _count_gated(gated: dict[tuple[str, str], Gated], fact: Fact) -> None:
    body: Any = fact.body
    if fact.type.startswith("consent.") and body.purpose in (BUILD, FEEDBACK):
        state = gated.setdefault((fact.identity, body.purpose), Gated())
        acts = state.grants if fact.type in ("consent.given", "consent.renewed") else state.noes
        acts.append((min(fact.occurred_at, fact.received_at), fact.received_at))
        if not state.is_open():
            state.kept.clear()
    for purpose, name, value in _gated_values(fact):
        state = gated.setdefault((fact.identity, purpose), Gated())
        if state.is_open():
            state.kept[name] = value


def _gated_values(fact: Fact) -> Iterable[tuple[str, str, Any]]:
    body: Any = fact.body
    if fact.type == "identity.described" and "household_size" in body.attributes:
        yield BUILD, "household_size", body.attributes["household_size"]
    elif fact.type == "feedback.survey_answered":
        yield FEEDBACK, f"survey {body.survey_id}", body.text
    elif fact.type == "feedback.complaint_filed":
        yield FEEDBACK, f"complaint {body.case_id}", body.text


def known_events(facet: Facet) -> Counter[bytes]:
    """How often each event key stands in the window of what was folded."""
    return Counter(facet.recent[at : at + _KEY] for at in range(0, len(facet.recent), _ENTRY))


def figures(section: ServiceSection) -> Counter[str]:
    """The ledger's figures as a folded section has them, those above zero."""
    count: Counter[str] = Counter()
    for order in section.orders.values():
        count.update(orders=order.placed is not None, delivered=order.delivered is not None)
        count.update(revenue=order.placed.value.amount if order.placed else 0, refunds=len(order.refunds))
        count.update(refunded=sum(refund.value.amount for refund in order.refunds))
    for case in section.cases.values():
        count.update(cases=case.opened is not None, complaints=case.complaint is not None)
        count.update(replies=len(case.replies), resolved=len(case.resolved))
    for survey in section.surveys.values():
        count.update(asked=survey.sent is not None, answers=survey.answered is not None)
        count.update(scores=survey.answered.value[1] if survey.answered else 0)
    for contact in section.contacts.values():
        count.update(contacts=contact.started is not None, ended=contact.ended is not None)
        count.update(waited=(contact.ended.value.wait_ms or 0) if contact.ended else 0)
    for subscription in section.subscriptions.values():
        count.update(
            subscribed=subscription.subscribed is not None,
            cancelled=subscription.cancelled is not None,
        )
    paid = [payment.paid.value[0].amount for payment in section.payments.values() if payment.paid]
    stars = [review.posted.value[1] for review in section.reviews.values() if review.posted]
    count.update(payments=len(paid), paid=sum(paid), reviews=len(stars), stars=sum(stars))
    return +count


def consents_differ(facet: Facet, ledger: Ledger, identity: str) -> bool:
    """Whether the acts on record are not those that were told: the grants, and the newest no."""
    told = ledger.of(identity).acts
    if facet.consents.keys() != told.keys():
        return True
    for purpose, acts in told.items():
        state = facet.consents[purpose]
        no = (state.no.effective_at, state.no.key) if state.no else None
        if {grant.key for grant in state.grants} != acts.grants or no != acts.no:
            return True
    return False


def links_of(facet: Facet) -> dict[str, bool]:
    """The other ends of the links, and whether each stands."""
    return {other: edge.acts[0].value.strength is not None for other, edge in facet.edges.items()}


def gated_differ(facet: Facet, log: LogCount, identity: str) -> bool:
    """Whether what stands behind a consent is not what the log lets through."""
    build = facet.build.attributes if facet.build else {}
    words = facet.feedback.words if facet.feedback else {}
    found: Mapping[str, dict[str, Any]] = {
        BUILD: {name: cell.stated.value for name, cell in build.items() if cell.stated},
        FEEDBACK: {name: text.written.value for name, text in words.items() if text.written},
    }
    wanted = {purpose: log.gated.get((identity, purpose), Gated()).kept for purpose in found}
    return found != wanted
