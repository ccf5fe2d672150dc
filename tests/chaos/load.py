"""The load: seeded lives of people told as mixed events, with repeats, conflicts and poison in between.

Beside each event stands what it must amount to, counted here and with nothing of the product's.
"""

import hashlib
import json
import random
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from typing import Any, Final, NamedTuple

BEGIN_MS: Final = 1_767_258_000_000
"""2026-01-01T09:00:00Z: all of it has happened before it is sent."""
WAVE: Final = 120
"""People whose lives are told at the same time."""
BOUND: Final = "crm"
"""The source with an intake of its own, which alone may publish links and consents."""
FEATURES: Final = ("profile.build", "feedback.analyse", "suggest.personal", "outreach.email")
_CONFLICT_AFTER: Final = 6_000
"""Events between an event and another one under its key, so that no frame holds both."""


class Sent(NamedTuple):
    """One record for an intake topic: of a bound source, or (None) the open one."""

    source: str | None
    key: bytes
    value: bytes


@dataclass
class Acts:
    """Consent acts about one purpose: event keys of the grants, and (time, event key) of the newest no."""

    grants: set[bytes] = field(default_factory=set)
    no: tuple[int, bytes] | None = None


@dataclass
class Tally:
    """What one identity must amount to: its events by key, and the sums over them."""

    keys: set[bytes] = field(default_factory=set)
    figures: Counter[str] = field(default_factory=Counter)
    acts: dict[str, Acts] = field(default_factory=dict)
    links: dict[str, bool] = field(default_factory=dict)


@dataclass
class Ledger:
    """What all that was told amounts to. Identities are in clear; `poison` is raw value -> why it is refused."""

    tallies: dict[str, Tally] = field(default_factory=dict)
    poison: dict[bytes, str] = field(default_factory=dict)
    conflicts: int = 0
    repeats: int = 0
    events: int = 0

    def of(self, identity: str) -> Tally:
        return self.tallies.setdefault(identity, Tally())


def event_key(source: str, event_id: str) -> bytes:
    """How an event is told from others: 8 bytes of BLAKE2b over source NUL id."""
    return hashlib.blake2b(f"{source}\x00{event_id}".encode(), digest_size=8).digest()


def time_text(at: int) -> str:
    return datetime.fromtimestamp(at // 1000, tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Load:
    """An endless iterator over `Sent`; the ledger knows each one before it is handed out.

    After `waves` waves of new people (None: never) it tells all of them again, verbatim, before each new wave: a load
    whose people hardly grow in number, for a look at what does.
    """

    def __init__(self, *, seed: int, waves: int | None = None) -> None:
        self._waves = waves
        self.ledger: Final = Ledger()
        self._chance = random.Random(seed)
        self._name = f"s{seed}"
        self._serial = 0
        self._past: deque[Sent] = deque(maxlen=2_000)
        self._bought: deque[tuple[int, dict[str, Any]]] = deque()

    def __iter__(self) -> Iterator[Sent]:
        kept: list[Sent] = []
        for number in count():
            again = self._waves is not None and number >= self._waves
            if again:
                self.ledger.repeats += len(kept)
                yield from kept
            for sent in self._wave():
                if self._waves is not None and not again:
                    kept.append(sent)
                yield sent

    def _wave(self) -> Iterator[Sent]:
        first = self._serial
        lives = [self._life(person) for person in range(first, first + WAVE)]
        self._serial += WAVE
        while lives:
            place = self._chance.randrange(len(lives))
            sent = next(lives[place], None)
            if sent is None:
                lives[place] = lives[-1]
                lives.pop()
                continue
            self._past.append(sent)
            yield sent
            yield from self._disturbance(sent)

    def _disturbance(self, last: Sent) -> Iterator[Sent]:
        chance = self._chance.random()
        if chance < 0.06:
            self.ledger.repeats += 1
            yield self._chance.choice(self._past)
        elif chance < 0.07:
            yield self._poison(last)
        elif chance < 0.08 and self._bought and self._bought[0][0] + _CONFLICT_AFTER < self.ledger.events:
            self.ledger.conflicts += 1
            _, said = self._bought.popleft()
            other = {**said, "data": {**said["data"], "total": {"amount": 1, "currency": "EUR"}}}
            yield _sent(None, other)

    def _poison(self, last: Sent) -> Sent:
        """Something no door takes, under a key that is in use."""
        number = len(self.ledger.poison)
        said = {
            "specversion": "1.0",
            "id": f"poison-{number}",
            "source": "shop",
            "type": "service.visited",
            "subject": last.key.decode(),
            "time": time_text(BEGIN_MS),
            "data": {"place": "x"},
        }
        kinds = [
            (f"{{not json {number}".encode(), "not_json"),
            (json.dumps(said).encode()[:-3], "not_json"),
            (b"\xff\xfe %d" % number, "not_json"),
            (b"[" * 10_000 + b"%d" % number, "not_json"),
            (b"", "not_json"),
            (json.dumps([said]).encode(), "not_an_event"),
            (json.dumps({**said, "type": "service.vanished"}).encode(), "unknown_type"),
            (json.dumps({**said, "type": "consent.given", "data": {"purpose": "x"}}).encode(), "type_not_allowed"),
            (json.dumps({**said, "data": {"place": number}}).encode(), "bad_data"),
            (json.dumps({**said, "time": "2199-01-01T00:00:00Z"}).encode(), "bad_time"),
            (json.dumps({**said, "subject": f"email:nobody{number}"}).encode(), "bad_identity"),
        ]
        value, why = self._chance.choice(kinds)
        self.ledger.poison[value] = why
        return Sent(None, last.key, value)

    def _life(self, person: int) -> Iterator[Sent]:
        """One person's events, as an app account and a card; what is counted where is said beside each."""
        names = (f"app:{self._name}-{person}", f"card:{self._name}-{person}")
        clock = iter(range(BEGIN_MS + person % 997 * 1000, 2**60, 61_000))
        for number in range(self._chance.randrange(6, 14)):
            who, at = self._chance.choice(names), next(clock)
            make = self._chance.choice(_STORIES)
            for kind, data, counts in make(f"{person}-{number}", self._chance):
                yield self._told(None, who, kind, data, at=at, counts=counts)
                at = next(clock)
            if self._chance.random() < 0.3:
                yield self._consent(self._chance.choice(names), at=next(clock))
            if self._chance.random() < 0.15:
                yield self._described(who, person, at=next(clock))
        if self._chance.random() < 0.4:
            yield self._link(*names, at=next(clock), ends=False)
            if self._chance.random() < 0.3:
                yield self._link(*names, at=next(clock), ends=True)

    def _told(
        self, source: str | None, who: str, kind: str, data: Mapping[str, Any], *, at: int, counts: Mapping[str, int]
    ) -> Sent:
        self.ledger.events += 1
        event_id = f"{self._name}-{self.ledger.events}"
        said: dict[str, Any] = {
            "specversion": "1.0",
            "id": event_id,
            "source": source or "shop",
            "type": kind,
            "subject": who,
            "time": time_text(at),
            "data": dict(data),
        }
        tally = self.ledger.of(who)
        tally.keys.add(event_key(source or "shop", event_id))
        tally.figures.update(counts)
        if kind == "transaction.purchased" and self._chance.random() < 0.05:
            self._bought.append((self.ledger.events, said))
        return _sent(source, said)

    def _consent(self, who: str, *, at: int) -> Sent:
        purpose = self._chance.choice(FEATURES)
        kind = self._chance.choice(["given", "given", "renewed", "refused", "withdrawn"])
        acts = self.ledger.of(who).acts.setdefault(purpose, Acts())
        if len(acts.grants) >= 8 and kind in ("given", "renewed"):
            kind = "refused"  # only so many grants are kept
        sent = self._told(BOUND, who, f"consent.{kind}", {"purpose": purpose}, at=at, counts={})
        key = event_key(BOUND, f"{self._name}-{self.ledger.events}")
        if kind in ("given", "renewed"):
            acts.grants.add(key)
        else:
            acts.no = max(acts.no or (0, b""), (at, key))
        return sent

    def _described(self, who: str, person: int, *, at: int) -> Sent:
        data = {"attributes": {"household_size": person % 7, "language": "de"}}
        return self._told(None, who, "identity.described", data, at=at, counts={})

    def _link(self, one: str, other: str, *, at: int, ends: bool) -> Sent:
        data = {"other": other, "reason": "chaos"} | ({} if ends else {"strength": "verified"})
        kind = "identity.unlinked" if ends else "identity.linked"
        sent = self._told(BOUND, one, kind, data, at=at, counts={})
        self.ledger.of(other).keys.add(event_key(BOUND, f"{self._name}-{self.ledger.events}"))
        self.ledger.of(one).links[other] = self.ledger.of(other).links[one] = not ends
        return sent


def _sent(source: str | None, said: Mapping[str, Any]) -> Sent:
    return Sent(source, str(said["subject"]).encode(), json.dumps(said).encode())


Story = Iterator[tuple[str, dict[str, Any], dict[str, int]]]


def _money(amount: int) -> dict[str, Any]:
    return {"amount": amount, "currency": "EUR"}


def _purchase(name: str, chance: random.Random) -> Story:
    order, amount = f"order-{name}", chance.randrange(100, 100_000)
    bought = {"order_id": order, "total": _money(amount), "channel": "app"}
    yield "transaction.purchased", bought, {"orders": 1, "revenue": amount}
    if chance.random() < 0.7:
        paid = {"payment_id": f"pay-{name}", "order_id": order, "paid": _money(amount)}
        yield "transaction.paid", paid, {"payments": 1, "paid": amount}
    if chance.random() < 0.6:
        yield "service.delivery_step", {"order_id": order, "step": "delivered"}, {"delivered": 1}
    if chance.random() < 0.3:
        back = {"order_id": order, "refund": _money(amount // 2)}
        yield "transaction.refunded", back, {"refunds": 1, "refunded": amount // 2}


def _case(name: str, chance: random.Random) -> Story:
    case = {"case_id": f"case-{name}"}
    if chance.random() < 0.5:
        yield "feedback.complaint_filed", {**case, "text": f"late again, {name}"}, {"complaints": 1}
    else:
        yield "service.case_opened", {**case, "topics": ["loan"]}, {"cases": 1}
    for _ in range(chance.randrange(4)):
        yield "service.case_replied", {**case, "by": "us"}, {"replies": 1}
    if chance.random() < 0.6:
        yield "service.case_resolved", case, {"resolved": 1}


def _survey(name: str, chance: random.Random) -> Story:
    survey, score = {"survey_id": f"survey-{name}", "kind": "nps"}, chance.randrange(11)
    yield "feedback.survey_sent", survey, {"asked": 1}
    if chance.random() < 0.7:
        answer = {**survey, "score": score, "text": f"words of {name}"}
        yield "feedback.survey_answered", answer, {"answers": 1, "scores": score}


def _contact(name: str, chance: random.Random) -> Story:
    contact, wait = {"contact_id": f"call-{name}"}, chance.randrange(100_000)
    yield "service.contact_started", contact, {"contacts": 1}
    yield "service.contact_ended", {**contact, "wait_ms": wait}, {"ended": 1, "waited": wait}


def _review(name: str, chance: random.Random) -> Story:
    stars = chance.randrange(1, 6)
    yield "feedback.review_posted", {"review_id": f"review-{name}", "score": stars}, {"reviews": 1, "stars": stars}


def _subscription(name: str, chance: random.Random) -> Story:
    subscription = {"subscription_id": f"sub-{name}"}
    yield "transaction.subscribed", {**subscription, "service": "repayment"}, {"subscribed": 1}
    if chance.random() < 0.4:
        yield "transaction.cancelled", subscription, {"cancelled": 1}


_STORIES: Final = (_purchase, _purchase, _case, _survey, _contact, _review, _subscription)
