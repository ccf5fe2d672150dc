"""The purposes there are, and which data needs which. What each rests on is data of its own: `consent.matrix`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

SERVICE: Final = "service.fulfil"
LEGAL: Final = "legal.records"
PROFILE: Final = "profile.build"
SUGGEST: Final = "suggest.personal"
CHARACTERISTICS: Final = "suggest.characteristics"
TRAIN: Final = "model.train"
FEEDBACK: Final = "feedback.analyse"
ANALYTICS: Final = "analytics.aggregate"
SENSITIVE: Final = "data.sensitive"
SHARE: Final = "share.third_party"
OUTREACH_CHANNELS: Final = ("email", "sms", "phone", "push", "inapp", "wechat", "post")

ALWAYS_OPEN: Final = frozenset({SERVICE, LEGAL})
"""Purposes that no act opens or closes: the contract's and the law's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Purpose:
    """A purpose, with the purposes that must be allowed as well.

    `version` rises when it comes to mean something else, which takes a material change of its notice too. `dpv` is the
    nearest term of the W3C Data Privacy Vocabulary, `data` what it uses of a person, in our own words.
    """

    name: str
    dpv: str
    data: tuple[str, ...]
    needs: tuple[str, ...] = ()
    version: int = 1


class PurposesInvalid(ValueError):
    """The purposes contradict themselves."""


def purposes_table(purposes: tuple[Purpose, ...]) -> dict[str, Purpose]:
    """The purposes by name; PurposesInvalid where one is named twice, or a need is unknown or leads in a circle."""
    table = {purpose.name: purpose for purpose in purposes}
    if len(table) != len(purposes):
        raise PurposesInvalid("a purpose is named twice")
    for purpose in purposes:
        if missing := [need for need in purpose.needs if need not in table]:
            raise PurposesInvalid(f"{purpose.name}: needs unknown purposes {', '.join(missing)}")
    for purpose in purposes:
        _refuse_circle(purpose, table, on_the_way=())
    return table


def _refuse_circle(purpose: Purpose, table: Mapping[str, Purpose], *, on_the_way: tuple[str, ...]) -> None:
    if purpose.name in on_the_way:
        raise PurposesInvalid(f"{purpose.name}: needs itself by way of {', '.join(on_the_way)}")
    for need in purpose.needs:
        _refuse_circle(table[need], table, on_the_way=(*on_the_way, purpose.name))


PURPOSES: Final = purposes_table(
    (
        Purpose(
            name=SERVICE,
            dpv="dpv:FulfilmentOfContractualObligation",
            data=("orders", "deliveries", "contacts", "cases", "payments"),
        ),
        Purpose(name=LEGAL, dpv="dpv:LegalCompliance", data=("consents", "restrictions", "age")),
        Purpose(name=PROFILE, dpv="dpv:Personalisation", data=("purchases", "contacts", "described attributes")),
        Purpose(
            name=SUGGEST,
            dpv="dpv:ProvidePersonalisedRecommendations",
            data=("the profile", "answers to suggestions"),
            needs=(PROFILE, CHARACTERISTICS),
        ),
        Purpose(name=CHARACTERISTICS, dpv="dpv:Personalisation", data=("personal characteristics",)),
        Purpose(name=TRAIN, dpv="dpv:ResearchAndDevelopment", data=("purchases", "answers to suggestions")),
        Purpose(name=FEEDBACK, dpv="dpv:ImproveExistingProductsAndServices", data=("what a person wrote",)),
        Purpose(name=ANALYTICS, dpv="dpv:ServiceUsageAnalytics", data=("orders", "contacts", "scores")),
        Purpose(
            name=SENSITIVE,
            dpv="dpv:Purpose",
            data=("children", "health", "origin", "belief"),
        ),
        Purpose(name=SHARE, dpv="dpv:Purpose", data=("what is named when it is asked",)),
        *(
            Purpose(
                name=f"outreach.{channel}",
                dpv="dpv:DirectMarketing",
                data=("the address", "the profile"),
                needs=(SUGGEST,),
            )
            for channel in OUTREACH_CHANNELS
        ),
    )
)

Overlay = Literal["restricted", "suppressed", "minor", "objected", "under_erasure", "contract_ended"]
"""What closes purposes whatever was agreed to."""

_TO_OFFER: Final = frozenset({SUGGEST, *(f"outreach.{channel}" for channel in OUTREACH_CHANNELS)})

OVERLAY_CLOSES: Final[Mapping[Overlay, frozenset[str]]] = {
    "under_erasure": frozenset(PURPOSES.keys() - {LEGAL}),
    "restricted": frozenset(PURPOSES.keys() - ALWAYS_OPEN),
    "objected": frozenset({*_TO_OFFER, ANALYTICS}),
    "suppressed": frozenset(_TO_OFFER - {SUGGEST}),
    "minor": frozenset({*_TO_OFFER, TRAIN}),
    "contract_ended": frozenset({SERVICE}),
}
"""Overlay -> the purposes it closes, those that close most first.

A minor's other purposes open by a guardian's consent alone; see `consent.door`.
"""

ATTRIBUTE_PURPOSES: Final[Mapping[str, str]] = {
    "language": SERVICE,
    "timezone": SERVICE,
    "country": SERVICE,
    "minor": LEGAL,
    "arrears": LEGAL,
    "suppressed": LEGAL,
    "restricted": LEGAL,
    "objected": LEGAL,
    "under_erasure": LEGAL,
    "contract_ended": LEGAL,
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
    "consent.requested": LEGAL,
    "consent.deferred": LEGAL,
    "consent.given": LEGAL,
    "consent.renewed": LEGAL,
    "consent.refused": LEGAL,
    "consent.withdrawn": LEGAL,
    "consent.revoked": LEGAL,
    "consent.invalidated": LEGAL,
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
