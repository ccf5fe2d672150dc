"""What the privacy officer is told: evidence, answers about a past day, accesses, refused decisions, rates.

Identities stand as opaque references and their kind. Times are RFC 3339.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from api.refs import Refs
from api.standing import Standing, standings
from consent.accesses import Access
from consent.answer_figures import Figure, Report
from consent.evidence import Evidence
from events.pseudonyms import PSEUDONYM
from events.shape import Shape, format_time
from outreach.decision import Decision
from profiles.at_time import is_known
from profiles.renewal import Renewal
from profiles.view import PersonView


class Identity(Shape):
    """An identity: its kind (namespace) and the reference that stands for it."""

    kind: str
    ref: str


class EvidenceCard(Shape):
    """One piece of evidence: what was said, when it happened, counted from and was heard of, and where it stands.

    `event` is the event key (hex) that answers name; `position` is its place on the log.
    """

    type: str
    identity: Identity
    occurred_at: str
    effective_at: str
    received_at: str
    source: str
    event: str
    position: str
    said: dict[str, Any]


class History(Shape):
    """A person's evidence as a timeline, oldest first; `read_to` are the places up to which the log was read."""

    identities: tuple[Identity, ...]
    timeline: tuple[EvidenceCard, ...]
    read_to: tuple[str, ...]


class LinkCard(Shape):
    """A link that held on that day, and the event (hex) that made it."""

    first: Identity
    second: Identity
    event: str


class Sense(Shape):
    """The answers for one day by what was known at one time, with the person and the acts they rest on.

    `considered` are the events (hex) of all acts about a purpose that were known and in effect, by purpose.
    """

    at: str
    known_at: str
    identities: tuple[Identity, ...]
    restricting: tuple[Identity, ...]
    links: tuple[LinkCard, ...]
    purposes: dict[str, Standing]
    considered: dict[str, tuple[str, ...]]


class PermittedThen(Shape):
    """What was permitted on a day: as it was known then, and in hindsight."""

    as_known: Sense
    in_hindsight: Sense
    relied_on: tuple[EvidenceCard, ...]
    read_to: tuple[str, ...]


class AccessCard(Shape):
    """One look: when, with which key and role, at what, declared for which purpose."""

    at: str
    key: str
    role: str
    what: str
    identity: Identity | None
    purpose: str
    reason: str
    broke_glass: bool


class Accesses(Shape):
    """Looks, the latest first."""

    accesses: tuple[AccessCard, ...]


class DeniedCard(Shape):
    """A message that was not sent: decided against, put off, or refused when the sender claimed it; and why."""

    id: str
    trigger: str
    at: str
    verdict: str
    because: str
    detail: str
    channel: str | None


class Denied(Shape):
    """Decisions against the person's hearing from us, the latest first, and what is not kept."""

    decisions: tuple[DeniedCard, ...]
    not_kept: tuple[str, ...]


class FigureCard(Shape):
    """People by their last answer: at least that many, and fewer than the threshold more."""

    purpose: str
    channel: str | None
    notice: str | None
    people: dict[str, int]
    share_agreeing: float


class Rates(Shape):
    """How people answer, of all that was known before a moment. Fewer people than `least` are never told of."""

    before: str
    least: int
    figures: tuple[FigureCard, ...]
    purposes: tuple[FigureCard, ...]


class RenewalCard(Shape):
    """A person to be asked again; nothing is allowed by that. At a desk everybody may be asked."""

    identity: Identity
    because: str
    agreed_at: str
    ends_at: str | None
    may_write: tuple[str, ...]


class Renewals(Shape):
    """One page of them; `next` is what to go on from, None at the end."""

    renewals: tuple[RenewalCard, ...]
    next: str | None


NOT_KEPT: Final = (
    "suggestions: a general answer does not keep why it was not personal; `receipts` lists what was answered",
)


def identity_card(identity: str, refs: Refs) -> Identity:
    """How a pseudonym is told."""
    return Identity(kind=identity.partition(":")[0], ref=refs.seal(identity))


def evidence_card(piece: Evidence, refs: Refs) -> EvidenceCard:
    """How a piece of evidence is told."""
    fact = piece.fact
    return EvidenceCard(
        type=fact.type,
        identity=identity_card(fact.identity, refs),
        occurred_at=format_time(fact.occurred_at),
        effective_at=format_time(fact.effective_at),
        received_at=format_time(fact.received_at),
        source=fact.source,
        event=fact.event_key.hex(),
        position=str(piece.position),
        said=_said(fact.body.model_dump(exclude_defaults=True), refs),
    )


def timeline(evidence: Iterable[Evidence], refs: Refs) -> tuple[EvidenceCard, ...]:
    """All pieces in the order in which they took effect; of what took effect at once, as it was heard of."""
    ordered = sorted(evidence, key=lambda piece: (piece.fact.effective_at, piece.fact.received_at, piece.position))
    return tuple(evidence_card(piece, refs) for piece in ordered)


def sense_of(view: PersonView, evidence: Iterable[Evidence], *, at: int, known_at: int, refs: Refs) -> Sense:
    """The door's answers about the person of that day (ms), with what was known of each purpose."""
    considered: dict[str, list[str]] = {}
    for piece in evidence:
        purpose = getattr(piece.fact.body, "purpose", None)
        if purpose is not None and is_known(piece.fact, at=at, known_at=known_at):
            considered.setdefault(purpose, []).append(piece.fact.event_key.hex())
    return Sense(
        at=format_time(at),
        known_at=format_time(known_at),
        identities=tuple(identity_card(each, refs) for each in view.members),
        restricting=tuple(identity_card(each, refs) for each in view.person.restricting),
        links=tuple(
            LinkCard(
                first=identity_card(link.first, refs), second=identity_card(link.second, refs), event=link.key.hex()
            )
            for link in view.person.links
        ),
        purposes=standings(view, at=at, known_at=known_at),
        considered={purpose: tuple(dict.fromkeys(events)) for purpose, events in sorted(considered.items())},
    )


def relied_on(senses: Iterable[Sense], evidence: Iterable[Evidence]) -> list[Evidence]:
    """The pieces that any of the answers rests on."""
    keys = {key for sense in senses for standing in sense.purposes.values() for key in standing.relied_on}
    return [piece for piece in evidence if piece.fact.event_key.hex() in keys]


def access_card(access: Access, refs: Refs) -> AccessCard:
    """How an access is told."""
    return AccessCard(
        at=format_time(access.at),
        key=access.key,
        role=access.role,
        what=access.what,
        identity=None if access.identity is None else identity_card(access.identity, refs),
        purpose=access.purpose,
        reason=access.reason,
        broke_glass=access.broke_glass,
    )


def denied_of(decisions: Iterable[Decision]) -> Denied:
    """Of all decisions those that let no message go, with the reason of the last word."""
    cards = []
    for decision in decisions:
        claim = decision.claim
        if decision.verdict != "send" or (claim is not None and not claim.go):
            refused = claim is not None and not claim.go
            cards.append(
                DeniedCard(
                    id=decision.id,
                    trigger=decision.trigger,
                    at=format_time(claim.at if refused and claim else decision.at),
                    verdict="refused at claim" if refused else decision.verdict,
                    because=claim.because if refused and claim else decision.because,
                    detail="" if refused else decision.detail,
                    channel=decision.channel,
                )
            )
    return Denied(decisions=tuple(cards), not_kept=NOT_KEPT)


def rates_of(report: Report) -> Rates:
    """How a report is told."""
    return Rates(
        before=format_time(report.before),
        least=report.least,
        figures=tuple(map(_figure_card, report.figures)),
        purposes=tuple(map(_figure_card, report.purposes)),
    )


def renewal_card(identity: str, renewal: Renewal, refs: Refs) -> RenewalCard:
    """How somebody to be asked again is told."""
    return RenewalCard(
        identity=identity_card(identity, refs),
        because=renewal.because,
        agreed_at=format_time(renewal.agreed_at),
        ends_at=None if renewal.ends_at is None else format_time(renewal.ends_at),
        may_write=renewal.may_write,
    )


def _figure_card(figure: Figure) -> FigureCard:
    return FigureCard.model_validate(figure._asdict())


def _said(body: Mapping[str, Any], refs: Refs) -> dict[str, Any]:
    """A body with references in place of pseudonyms, and times in words."""
    return {name: _told(name, value, refs) for name, value in body.items()}


def _told(name: str, value: Any, refs: Refs) -> Any:
    if isinstance(value, str) and PSEUDONYM.fullmatch(value):
        return identity_card(value, refs).model_dump()
    if isinstance(value, list | tuple):
        return [_told(name, each, refs) for each in value]
    return format_time(value) if name.endswith("_at") and isinstance(value, int) else value
