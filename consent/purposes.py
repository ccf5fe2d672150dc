"""The purposes there are, what each rests on in each jurisdiction, and which data needs which."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

Basis = Literal["consent", "contract", "legal_obligation", "legitimate_interest"]

SERVICE: Final = "service.fulfil"
LEGAL: Final = "legal.records"
PROFILE: Final = "profile.build"
SUGGEST: Final = "suggest.personal"
TRAIN: Final = "model.train"
FEEDBACK: Final = "feedback.analyse"
ANALYTICS: Final = "analytics.aggregate"
SENSITIVE: Final = "data.sensitive"
SHARE: Final = "share.third_party"
OUTREACH_CHANNELS: Final = ("email", "sms", "phone", "push", "inapp", "wechat", "post")


@dataclass(frozen=True, slots=True, kw_only=True)
class Purpose:
    """A purpose with its basis per jurisdiction, and the purposes that must be allowed as well."""

    name: str
    basis: Mapping[str, Basis]
    needs: tuple[str, ...] = ()


class MatrixInvalid(ValueError):
    """The table of purposes contradicts a rule of law it has to keep."""


def purposes_table(purposes: tuple[Purpose, ...]) -> dict[str, Purpose]:
    """The purposes by name; MatrixInvalid where a basis does not exist in a jurisdiction or a need is unknown."""
    table = {purpose.name: purpose for purpose in purposes}
    for purpose in purposes:
        if purpose.basis.get("CN") == "legitimate_interest":
            raise MatrixInvalid(f"{purpose.name}: China's law knows no legitimate interest (PIPL 13)")
        if purpose.name == SENSITIVE and set(purpose.basis.values()) != {"consent"}:
            raise MatrixInvalid(f"{SENSITIVE}: sensitive data rests on explicit consent alone")
        if not {"EU", "CN"} <= purpose.basis.keys():
            raise MatrixInvalid(f"{purpose.name}: a basis for EU and for CN has to be named")
        if missing := [need for need in purpose.needs if need not in table]:
            raise MatrixInvalid(f"{purpose.name}: needs unknown purposes {', '.join(missing)}")
        if len(table) != len(purposes):
            raise MatrixInvalid("a purpose is named twice")
    for purpose in purposes:
        _refuse_circle(purpose, table, on_the_way=())
    return table


def _refuse_circle(purpose: Purpose, table: Mapping[str, Purpose], *, on_the_way: tuple[str, ...]) -> None:
    if purpose.name in on_the_way:
        raise MatrixInvalid(f"{purpose.name}: needs itself by way of {', '.join(on_the_way)}")
    for need in purpose.needs:
        _refuse_circle(table[need], table, on_the_way=(*on_the_way, purpose.name))


def basis_of(purpose: Purpose, jurisdiction: str | None) -> Basis:
    """What the purpose rests on there; an unknown jurisdiction takes the strictest of all rows."""
    if jurisdiction is not None and jurisdiction in purpose.basis:
        return purpose.basis[jurisdiction]
    return max(purpose.basis.values(), key=_STRICTNESS.index)


_STRICTNESS: Final = ("contract", "legal_obligation", "legitimate_interest", "consent")


def _everywhere(basis: Basis) -> dict[str, Basis]:
    return {"EU": basis, "CN": basis}


PURPOSES: Final = purposes_table(
    (
        Purpose(name=SERVICE, basis=_everywhere("contract")),
        Purpose(name=LEGAL, basis=_everywhere("legal_obligation")),
        Purpose(name=PROFILE, basis=_everywhere("consent")),
        Purpose(name=SUGGEST, basis=_everywhere("consent"), needs=(PROFILE,)),
        Purpose(name=TRAIN, basis=_everywhere("consent")),
        Purpose(name=FEEDBACK, basis=_everywhere("consent")),
        Purpose(name=ANALYTICS, basis={"EU": "legitimate_interest", "CN": "consent"}),
        Purpose(name=SENSITIVE, basis=_everywhere("consent")),
        Purpose(name=SHARE, basis=_everywhere("consent")),
        *(
            Purpose(name=f"outreach.{channel}", basis=_everywhere("consent"), needs=(SUGGEST,))
            for channel in OUTREACH_CHANNELS
        ),
    )
)

Overlay = Literal["restricted", "suppressed", "minor"]
"""What closes purposes whatever was agreed to."""

OVERLAY_REFUSES: Final[Mapping[Overlay, Callable[[str], bool]]] = {
    "restricted": lambda purpose: purpose not in {SERVICE, LEGAL},
    "suppressed": lambda purpose: purpose.startswith("outreach."),
    "minor": lambda purpose: purpose in {SUGGEST, TRAIN} or purpose.startswith("outreach."),
}
"""Overlay -> tells whether it closes a purpose."""

ATTRIBUTE_PURPOSES: Final[Mapping[str, str]] = {
    "language": SERVICE,
    "timezone": SERVICE,
    "country": SERVICE,
    "minor": LEGAL,
    "suppressed": LEGAL,
    "restricted": LEGAL,
    "children": SENSITIVE,
    "baby": SENSITIVE,
    "health": SENSITIVE,
    "pregnant": SENSITIVE,
    "religion": SENSITIVE,
    "ethnicity": SENSITIVE,
}
"""Described attribute -> the purpose it is folded under; every other attribute needs `profile.build`."""

EVENT_PURPOSES: Final[Mapping[str, str]] = {
    "transaction.purchased": SERVICE,
    "transaction.refunded": SERVICE,
    "transaction.paid": SERVICE,
    "transaction.subscribed": SERVICE,
    "transaction.cancelled": SERVICE,
    "service.contact_started": SERVICE,
    "service.contact_ended": SERVICE,
    "service.case_opened": SERVICE,
    "service.case_replied": SERVICE,
    "service.case_escalated": SERVICE,
    "service.case_resolved": SERVICE,
    "service.case_reopened": SERVICE,
    "service.visited": SERVICE,
    "service.delivery_step": SERVICE,
    "service.alert_raised": SERVICE,
    "feedback.survey_sent": SERVICE,
    "feedback.survey_answered": SERVICE,
    "feedback.review_posted": SERVICE,
    "feedback.complaint_filed": SERVICE,
    "feedback.suggestion_presented": SERVICE,
    "feedback.suggestion_answered": SERVICE,
    "outreach.sent": SERVICE,
    "outreach.claimed": SERVICE,
    "outreach.answered": SERVICE,
    "identity.linked": SERVICE,
    "identity.unlinked": SERVICE,
    "identity.related": SERVICE,
    "identity.described": PROFILE,
    "consent.given": LEGAL,
    "consent.renewed": LEGAL,
    "consent.refused": LEGAL,
    "consent.withdrawn": LEGAL,
    "rights.erased": LEGAL,
    "rights.refolded": LEGAL,
}
"""Event type -> the purpose it is kept for. Use for anything else is what the door is asked about."""

FIELD_PURPOSES: Final[Mapping[tuple[str, str], str]] = {
    ("feedback.survey_answered", "text"): FEEDBACK,
    ("feedback.review_posted", "title"): FEEDBACK,
    ("feedback.review_posted", "text"): FEEDBACK,
    ("feedback.complaint_filed", "text"): FEEDBACK,
}
"""(Event type, field) -> the purpose of a field that has one of its own: whatever a person wrote.

Two more fields go by their content: described attributes by `attribute_purpose`, an order line's category by
`category_purpose`.
"""

SENSITIVE_CATEGORIES: Final = frozenset({"baby", "pharmacy", "health"})
"""Purchase categories that tell of children or health: beyond handling the order they are used only with consent."""


def attribute_purpose(name: str) -> str:
    """The purpose a described attribute needs."""
    return ATTRIBUTE_PURPOSES.get(name, PROFILE)


def category_purpose(category: str | None) -> str:
    """The purpose that looking at a purchase's category needs, beyond handling the order."""
    return SENSITIVE if category in SENSITIVE_CATEGORIES else PROFILE
