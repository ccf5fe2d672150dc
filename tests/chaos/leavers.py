"""People who are about to leave: each has agreed, bought three times, and has a message waiting that was decided then.

What each is going to do follows from the seed.
"""

import json
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from commands.clock import now_ms
from tests.builders import DAY, HOUR, event, money
from tests.chaos.topics import read_topics
from tests.installation import Installation
from tests.integration.test_outreach import noon_zone
from tests.waiting import until

PERSONAL: Final = ("suggest.personal", "profile.build")
"""Purposes without which an answer is general."""
PURPOSES: Final = (*PERSONAL, "outreach.push")
Way = Literal["desk", "other identity", "link"]
WAYS: Final[tuple[Way, ...]] = ("desk", "other identity")
_MILK: Final = {"item": "milk", "category": "grocery", "amount": 100}


@dataclass(eq=False)
class Leaver:
    """One person. `purpose` None: stays, and shows that messages do go. Seconds since the storm began, or a lag."""

    name: str
    purpose: str | None
    way: Way
    leaves_at: float
    claims_at: float | None
    lag: float
    message: Mapping[str, Any] = field(default_factory=dict)

    @property
    def identities(self) -> tuple[str, ...]:
        """Clear; the message is for the first."""
        return (f"app:{self.name}", f"card:{self.name}") if self.way == "other identity" else (f"app:{self.name}",)

    def told(self, now: int) -> Iterator[tuple[str | None, dict[str, Any]]]:
        """Source and event, in the order in which they happened."""
        first, *others = self.identities
        for purpose in PURPOSES:
            yield "crm", event("consent.given", subject=first, at=now - DAY, purpose=purpose)
        zone: dict[str, Any] = {"timezone": noon_zone(now)}
        yield "crm", event("identity.described", subject=first, at=now - DAY, attributes=zone)
        for other in others:
            linked: dict[str, Any] = {"other": other, "reason": "card-in-app", "strength": "verified"}
            yield "crm", event("identity.linked", subject=first, at=now - DAY, **linked)
        for number in range(3):
            order: dict[str, Any] = {"order_id": f"{self.name}-{number}", "total": money(1), "lines": [_MILK]}
            yield None, event("transaction.purchased", subject=first, at=now - number * HOUR, source="shop", **order)


def leavers(*, seed: int, count: int, stay: int, span_s: float) -> list[Leaver]:
    """`count` people who leave within the span, `stay` who do not. The sender of seven in ten is late."""
    chance = random.Random(f"leavers {seed}")
    found = []
    for number in range(count + stay):
        is_leaving = number < count
        purpose = chance.choice(PURPOSES) if is_leaving else None
        ways: tuple[Way, ...] = ("desk", "other identity", "link") if purpose == "outreach.push" else WAYS
        is_late = is_leaving and chance.random() < 0.7
        found.append(
            Leaver(
                name=f"leaver-{seed}-{number}",
                purpose=purpose,
                way=chance.choice(ways),
                leaves_at=chance.uniform(0, span_s),
                claims_at=None if is_late else chance.uniform(0, span_s),
                lag=chance.choice((0.0, 0.0, chance.uniform(0, 0.2), chance.uniform(0, 5.0))),
            )
        )
    return found


def settled_in(installation: Installation, people: Sequence[Leaver]) -> None:
    """Tell what they did, first what they agreed to; return once each has a message waiting."""
    settings, now = installation.settings, now_ms()
    told = [each for person in people for each in person.told(now)]
    before = installation.done()
    bound = [said for source, said in told if source is not None]
    installation.send(bound, source="crm")
    links = sum(said["type"] == "identity.linked" for said in bound)
    until(lambda: installation.done() >= before + len(bound) + links, what="what they agreed to")
    installation.send([said for source, said in told if source is None])
    names = {installation.pseudonyms.of(person.identities[0]): person for person in people}

    def all_have_one() -> bool:
        for records in read_topics(settings.brokers, [settings.outreach_topic]).values():
            for record in records:
                if record.key is not None and record.value is not None and record.key.decode() in names:
                    names[record.key.decode()].message = json.loads(record.value)
        return all(person.message for person in people)

    until(all_have_one, within_s=120, what="a message for each")
