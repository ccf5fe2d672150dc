"""One event of every type as a sender would write it; the references show them, and a test admits them."""

from collections.abc import Mapping
from typing import Any, Final

_ORDER: Final = "order-1001"
_CASE: Final = "case-77"

_DATA: Final[Mapping[str, Mapping[str, Any]]] = {
    "transaction.purchased": {
        "order_id": _ORDER,
        "total": {"amount": 4598, "currency": "EUR"},
        "lines": [
            {"item": "formula-800g", "category": "baby/formula", "quantity": 2, "amount": 1899},
            {"item": "delivery", "amount": 800},
        ],
        "promised_at": "2026-03-03T18:00:00Z",
        "channel": "app",
    },
    "transaction.refunded": {
        "order_id": _ORDER,
        "refund": {"amount": 1899, "currency": "EUR"},
        "reason": "damaged",
    },
    "transaction.paid": {
        "payment_id": "pay-9",
        "order_id": _ORDER,
        "paid": {"amount": 4598, "currency": "EUR"},
        "method": "card",
        "instalments": 3,
    },
    "transaction.subscribed": {
        "subscription_id": "sub-5",
        "service": "auto-repayment",
        "price": {"amount": 0, "currency": "EUR"},
    },
    "transaction.cancelled": {"subscription_id": "sub-5", "reason": "moved"},
    "service.contact_started": {"contact_id": "call-31", "topics": ["loan", "status"], "channel": "phone"},
    "service.contact_ended": {
        "contact_id": "call-31",
        "wait_ms": 95000,
        "to_human": True,
        "topics": ["loan"],
        "channel": "phone",
        "agent": "a-12",
    },
    "service.case_opened": {"case_id": _CASE, "topics": ["loan"], "priority": "high", "about": "loan-3"},
    "service.case_replied": {"case_id": _CASE, "by": "us", "agent": "a-12"},
    "service.case_escalated": {"case_id": _CASE, "to": "loans-2nd-level"},
    "service.case_resolved": {"case_id": _CASE, "resolution": "paid-out"},
    "service.case_reopened": {"case_id": _CASE},
    "service.visited": {"place": "berlin-mitte", "branch": "berlin-mitte"},
    "service.delivery_step": {"order_id": _ORDER, "step": "delivered", "promised_at": "2026-03-03T18:00:00Z"},
    "service.alert_raised": {
        "alert_id": "alert-8",
        "kind": "temperature",
        "component": "bearing-2",
        "severity": "critical",
    },
    "feedback.survey_sent": {"survey_id": "survey-4", "kind": "nps", "about": _ORDER},
    "feedback.survey_answered": {"survey_id": "survey-4", "kind": "nps", "score": 9, "text": "Quick and friendly."},
    "feedback.review_posted": {
        "review_id": "review-6",
        "about": _ORDER,
        "score": 4,
        "title": "Good",
        "text": "It came a day late.",
    },
    "feedback.complaint_filed": {
        "case_id": _CASE,
        "topics": ["delivery"],
        "about": _ORDER,
        "text": "Nobody called back.",
    },
    "feedback.suggestion_presented": {"decision": "d-2c1f", "service": "auto-repayment", "channel": "phone"},
    "feedback.suggestion_answered": {
        "decision": "d-2c1f",
        "service": "auto-repayment",
        "answer": "declined",
        "reason": "not-now",
    },
    "outreach.sent": {
        "outreach": "o-88aa",
        "trigger": "complaint-unsolved",
        "service": "care-call",
        "channel": "email",
    },
    "outreach.claimed": {"outreach": "o-88aa", "go": True},
    "outreach.answered": {"outreach": "o-88aa", "answer": "opened"},
    "identity.linked": {"other": "phone:+4930123456", "strength": "verified", "reason": "one-time-code"},
    "identity.unlinked": {"other": "phone:+4930123456", "reason": "wrong-person"},
    "identity.related": {"other": "machine:press-17", "kind": "owns"},
    "identity.described": {"attributes": {"language": "de", "newsletter": True, "household_size": 3}},
    "consent.requested": {"purpose": "suggest.personal", "notice": "suggestions/1", "language": "en"},
    "consent.deferred": {"purpose": "suggest.personal", "notice": "suggestions/1", "language": "en"},
    "consent.given": {
        "purpose": "data.sensitive",
        "jurisdiction": "EU",
        "notice": "sensitive/1",
        "language": "en",
        "form": "separate",
        "method": "web-form",
        "expires_at": "2028-03-01T00:00:00Z",
    },
    "consent.renewed": {"purpose": "suggest.personal", "expires_at": "2030-03-01T00:00:00Z"},
    "consent.refused": {"purpose": "model.train"},
    "consent.withdrawn": {"purpose": "suggest.personal", "method": "preference-page"},
    "consent.revoked": {"purpose": "share.third_party", "by": "controller"},
    "consent.invalidated": {"purpose": "share.third_party", "by": "authority"},
    "rights.erased": {"request_id": "request-2"},
    "rights.refolded": {"request_id": "request-3", "without": ["5d41402abc4b2a76"], "facet": "KLUv/SAL"},
}


def example(event_type: str) -> dict[str, Any]:
    """A whole CloudEvent of a type, of the kind its sender would publish."""
    return {
        "specversion": "1.0",
        "id": f"{event_type}-1",
        "source": "crm",
        "type": event_type,
        "subject": "machine:press-17" if event_type == "service.alert_raised" else "app:42",
        "time": "2026-03-01T09:30:00Z",
        "data": dict(_DATA[event_type]),
    }
