"""Trains the dictionary that facets are compressed with: `python scripts/facet_dictionary.py FILE`.

Every life here is made up from a seed: no person's data, and nobody's ids, may end in a file that is shipped. With the
libzstd it names, the same commit writes the same bytes. A dictionary that stores rely on is never replaced: another one
needs another format of the facet.
"""

import hashlib
import random
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
import zstandard

from consent.purposes import OUTREACH_CHANNELS, PURPOSES
from events.fact import Fact
from events.shape import FROM_LOG
from events.vocabulary import BODIES
from profiles.facet import FACET_FORMAT, Facet
from profiles.fold import fold

LIVES: Final = 6000
DICTIONARY_BYTES: Final = 4096
LEVEL: Final = 3
DAY_MS: Final = 24 * 3600 * 1000
BEGIN_MS: Final = 1_700_000_000_000

CHANNELS: Final = ("app", "web", "phone", "email", "branch", "shop", "chat", "wechat", None)
CURRENCIES: Final = ("EUR", "EUR", "USD", "CNY", "BRL", "GBP", "JPY")
TOPICS: Final = ("delivery", "billing", "loan", "status", "quality", "contract", "repair", "account")
NAMESPACES: Final = ("app", "phone", "card", "email", "crm", "customer", "machine")
ATTRIBUTES: Final = ("country", "language", "minor", "segment", "hobby", "zone", "restricted", "tier")


class Life:
    """One made-up identity: it says facts, each a little later than the one before."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)  # noqa: S311 - seeded, not secret
        self._now = BEGIN_MS + self._chance.randrange(1000 * DAY_MS)
        self._styles: list[Callable[[], str]] = [
            lambda: f"order-{self._chance.randrange(10**6)}",
            lambda: self._chance.randbytes(16).hex(),
            lambda: str(self._chance.randrange(10**9)),
            lambda: f"{self._chance.choice('ABCKORT')}-{self._chance.randrange(10**5):05}",
        ]

    def facts(self) -> Iterator[Fact]:
        """A life: consents, links, then what happens."""
        pick = self._chance
        purposes = [name for name in PURPOSES if name not in {"service.fulfil", "legal.records"}]
        for purpose in pick.sample(purposes, pick.choice((0, 0, 0, 1, 1, 2, 5, 8))):
            yield self._said(
                f"consent.{pick.choice(('given', 'given', 'given', 'refused', 'withdrawn'))}", purpose=purpose
            )
        for _ in range(pick.choice((0, 0, 1, 1, 2))):
            yield self._said(
                "identity.linked", other=self._pseudonym(), strength="verified", reason=pick.choice(("login", "crm"))
            )
        chapters = (self._order, self._order, self._order, self._case, self._survey, self._message, self._described)
        for _ in range(pick.choice((1, 1, 1, 2, 2, 3, 5, 9))):
            yield from pick.choice(chapters)()

    def _order(self) -> Iterator[Fact]:
        pick, order_id = self._chance, self._id()
        total = {"amount": pick.randrange(100, 100_000), "currency": pick.choice(CURRENCIES)}
        lines = [
            {
                "item": self._id(),
                "category": pick.choice((None, *TOPICS)),
                "quantity": pick.randrange(1, 4),
                "amount": pick.randrange(10_000),
            }
            for _ in range(pick.choice((0, 1, 1, 2, 3)))
        ]
        yield self._said("transaction.purchased", order_id=order_id, total=total, lines=lines)
        if pick.random() < 0.4:
            yield self._said("transaction.paid", payment_id=self._id(), order_id=order_id, paid=total)
        for step in ("handed_over", "in_transit", "delivered")[pick.randrange(4) :]:
            yield self._said("service.delivery_step", order_id=order_id, step=step)
        if pick.random() < 0.1:
            yield self._said("transaction.refunded", order_id=order_id, refund=total)
        if pick.random() < 0.3:
            yield self._said("feedback.review_posted", review_id=self._id(), about=order_id, score=pick.randrange(1, 6))

    def _case(self) -> Iterator[Fact]:
        pick, case_id = self._chance, self._id()
        topics = pick.sample(TOPICS, pick.choice((0, 1, 2)))
        if pick.random() < 0.5:
            contact_id = self._id()
            yield self._said("service.contact_started", contact_id=contact_id, topics=topics)
            yield self._said(
                "service.contact_ended", contact_id=contact_id, wait_ms=pick.randrange(10**6), to_human=True
            )
        yield self._said(
            pick.choice(("service.case_opened", "feedback.complaint_filed")), case_id=case_id, topics=topics
        )
        for _ in range(pick.choice((0, 1, 1, 2))):
            yield self._said("service.case_replied", case_id=case_id)
        if pick.random() < 0.2:
            yield self._said("service.case_escalated", case_id=case_id, to="team-lead")
        if pick.random() < 0.7:
            yield self._said("service.case_resolved", case_id=case_id)

    def _survey(self) -> Iterator[Fact]:
        survey_id, kind = self._id(), self._chance.choice(("nps", "csat", "ces"))
        yield self._said("feedback.survey_sent", survey_id=survey_id, kind=kind)
        if self._chance.random() < 0.7:
            yield self._said(
                "feedback.survey_answered", survey_id=survey_id, kind=kind, score=self._chance.randrange(1, 6)
            )

    def _message(self) -> Iterator[Fact]:
        pick, decision, service = (
            self._chance,
            self._chance.randbytes(16).hex(),
            f"service-{self._chance.randrange(30)}",
        )
        yield self._said("feedback.suggestion_presented", decision=decision, service=service)
        answer = pick.choice(("accepted", "declined", "ignored"))
        yield self._said("feedback.suggestion_answered", decision=decision, service=service, answer=answer)
        outreach = pick.randbytes(16).hex()
        yield self._said(
            "outreach.sent",
            outreach=outreach,
            trigger="win-back",
            service=service,
            channel=pick.choice(OUTREACH_CHANNELS),
        )
        yield self._said("outreach.claimed", outreach=outreach, go=True)
        if pick.random() < 0.3:
            yield self._said("outreach.answered", outreach=outreach, answer="opened")
        if pick.random() < 0.2:
            yield self._said("transaction.subscribed", subscription_id=self._id(), service=service)

    def _described(self) -> Iterator[Fact]:
        pick = self._chance
        values = {
            name: pick.choice((True, False, "DE", "de", "CN", pick.randrange(10**4)))
            for name in pick.sample(ATTRIBUTES, 2)
        }
        yield self._said("identity.described", attributes=values)
        if pick.random() < 0.3:
            yield self._said("service.visited", place="berlin")

    def _said(self, event_type: str, **body: Any) -> Fact:
        self._now += self._chance.choice((1000, 3_600_000, DAY_MS, 30 * DAY_MS)) + self._chance.randrange(1000)
        body.setdefault("channel", self._chance.choice(CHANNELS))
        return Fact(
            type=event_type,
            event_key=self._chance.randbytes(8),
            digest=self._chance.randbytes(4),
            identity=self._pseudonym(),
            occurred_at=self._now,
            received_at=self._now + self._chance.choice((0, 200, 5000)),
            source="made-up",
            body=BODIES[event_type].model_validate(body, context=FROM_LOG),
        )

    def _id(self) -> str:
        return self._chance.choice(self._styles)()

    def _pseudonym(self) -> str:
        letters = "".join(self._chance.choices("abcdefghijklmnopqrstuvwxyz234567", k=26))
        return f"{self._chance.choice(NAMESPACES)}:{letters}"


def samples() -> list[bytes | bytearray | memoryview]:
    """One facet of each life, as its array is before it is compressed."""
    return [msgspec.msgpack.encode(_folded(seed)) for seed in range(LIVES)]


def _folded(seed: int) -> Facet:
    facet = Facet()
    for fact in Life(seed).facts():
        facet = fold(facet, fact).facet
    return facet


def main() -> None:
    """Train, write the file, and say what it is."""
    dictionary = zstandard.train_dictionary(DICTIONARY_BYTES, samples(), dict_id=FACET_FORMAT, level=LEVEL, k=256, d=8)
    content = dictionary.as_bytes()
    Path(sys.argv[1]).write_bytes(content)
    version = ".".join(map(str, zstandard.ZSTD_VERSION))
    print(f"libzstd {version}: {len(content)} bytes, SHA-256 {hashlib.sha256(content).hexdigest()}")


if __name__ == "__main__":
    main()
