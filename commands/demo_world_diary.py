"""The diary of the demo world: what happened to whom, told in days and hours ago, kept as CloudEvents."""

from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

from consent.purposes import SENSITIVE
from events.shape import format_time

SOURCE: Final = "crm"
"""The sender of the demo world; its intake topic is bound to it, so that consents and links may come from it."""
SECOND: Final = 1000
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR

WHOLE: Final = (
    "profile.build",
    "suggest.personal",
    "model.train",
    "feedback.analyse",
    "analytics.aggregate",
    SENSITIVE,
    "outreach.email",
    "outreach.phone",
    "outreach.push",
)
"""What a person agrees to who agrees to everything we ask for."""
PART: Final = ("profile.build", "suggest.personal")
"""What a person agrees to who wants suggestions and nothing else."""


class Bought(NamedTuple):
    """One line of a demo order; `amount` in cents."""

    item: str
    category: str
    amount: int


class Diary:
    """Collects events; the same entries under the same seed get the same ids, whatever `now` (ms) is."""

    def __init__(self, *, seed: int, now: int) -> None:
        self._seed = seed
        self._now = now
        self._told: list[tuple[int, int, dict[str, Any]]] = []

    @property
    def events(self) -> list[dict[str, Any]]:
        """All that was told, in the order of its time."""
        return [event for _, _, event in sorted(self._told, key=lambda told: told[:2])]

    def tell(self, subject: str, event_type: str, *, ago: int, **data: Any) -> str:
        """Note that something happened so many ms ago; its number, which is good for an id in the sender's records."""
        number, at = len(self._told), self._now - ago
        event = {
            "specversion": "1.0",
            "id": f"demo-{self._seed}-{number}",
            "source": SOURCE,
            "type": event_type,
            "subject": subject,
            "time": format_time(at),
            "data": data,
        }
        self._told.append((at, number, event))
        return f"{self._seed}-{number}"

    @property
    def next_id(self) -> str:
        """The number of the next entry, for records that it opens."""
        return f"{self._seed}-{len(self._told)}"

    def consents(self, subject: str, purposes: Iterable[str], *, ago: int, act: str = "given") -> None:
        """The person said the same to each of the purposes."""
        for purpose in purposes:
            form = {"form": "separate"} if purpose == SENSITIVE and act == "given" else {}
            self.tell(subject, f"consent.{act}", ago=ago, purpose=purpose, evidence="demo", jurisdiction="EU", **form)

    def linked(self, subject: str, *others: str, ago: int) -> None:
        """These are the same person for sure."""
        for other in others:
            self.tell(subject, "identity.linked", ago=ago, other=other, strength="verified", reason="one-time-code")

    def order(
        self, subject: str, lines: Sequence[Bought], *, ago: int, channel: str, days: int = 1, branch: str | None = None
    ) -> None:
        """An order, promised within two days and delivered after so many, if that many have passed."""
        order_id = f"order-{self.next_id}"
        promised = format_time(self._now - ago + 2 * DAY)
        where = {"channel": channel} | ({"branch": branch} if branch else {})
        self.tell(
            subject,
            "transaction.purchased",
            ago=ago,
            order_id=order_id,
            total={"amount": sum(line.amount for line in lines), "currency": "EUR"},
            lines=[line._asdict() for line in lines],
            promised_at=promised,
            **where,
        )
        if ago > days * DAY:
            self.tell(subject, "service.delivery_step", ago=ago - days * DAY, order_id=order_id, step="delivered")

    def contact(self, subject: str, topics: Sequence[str], *, ago: int, channel: str = "phone", wait_s: int) -> None:
        """Somebody called or wrote, waited, and reached a human."""
        contact_id = f"contact-{self.next_id}"
        said = {"contact_id": contact_id, "topics": list(topics), "channel": channel}
        self.tell(subject, "service.contact_started", ago=ago, **said)
        ended = max(ago - (wait_s + 240) * SECOND, 0)
        self.tell(subject, "service.contact_ended", ago=ended, wait_ms=wait_s * SECOND, to_human=True, **said)

    def complaint(
        self, subject: str, topic: str, *, ago: int, answered: int | None = None, solved: int | None = None
    ) -> None:
        """A complaint; answered and solved so many ms ago, where it was."""
        case_id = f"case-{self.next_id}"
        self.tell(subject, "feedback.complaint_filed", ago=ago, case_id=case_id, topics=[topic], channel="phone")
        if answered is not None:
            self.tell(subject, "service.case_replied", ago=answered, case_id=case_id, by="us", team="care")
        if solved is not None:
            self.tell(subject, "service.case_resolved", ago=solved, case_id=case_id, team="care")

    def survey(self, subject: str, kind: str, score: int | None, *, ago: int, channel: str = "email") -> None:
        """We asked for a score, and it came back a day later where there is one."""
        survey_id = f"survey-{self.next_id}"
        self.tell(subject, "feedback.survey_sent", ago=ago, survey_id=survey_id, kind=kind, channel=channel)
        if score is not None:
            said = {"survey_id": survey_id, "kind": kind, "score": score, "channel": channel}
            self.tell(subject, "feedback.survey_answered", ago=max(ago - DAY, 0), **said)

    def subscribed(self, subject: str, service: str, *, ago: int, channel: str = "app") -> None:
        """The person took a running service up."""
        subscription_id = f"subscription-{self.next_id}"
        said = {"subscription_id": subscription_id, "service": service, "channel": channel}
        self.tell(subject, "transaction.subscribed", ago=ago, **said)
