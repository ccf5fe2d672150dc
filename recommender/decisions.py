"""Decisions that were answered: whom they were for, what they held and relied on, and who was shown them."""

from collections import defaultdict
from collections.abc import Collection, Iterable
from typing import Final, Protocol

import msgspec

from consent.accesses import Access
from consent.purposes import SUGGEST
from recommender.personal import Ground

LOOKS_MAX: Final = 1000
"""Looks remembered of an identity, the latest."""


class Decision(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The receipt of an answer. `identity` is the pseudonym that was asked about; `valid_until` is ms.

    `purpose` is what the person was read for, `grounds` the consents and other bases that allowed it (none: a general
    answer). `policy` names the rules of the door, `code` the program. `answer` is the hash of the bytes that were
    answered, `inputs` are what they were made from, sealed (`recommender.receipts`). `arm` is the group (`name/group`)
    of an experiment that it was answered in, if in any (`recommender.uplift`).
    """

    id: str
    identity: str
    services: tuple[str, ...]
    channel: str | None
    mode: str
    model: str
    catalogue: str
    valid_until: int
    purpose: str = SUGGEST
    grounds: tuple[Ground, ...] = ()
    policy: str = ""
    code: str = ""
    answer: str = ""
    inputs: bytes = b""
    arm: str = ""

    def relied_on(self, event: str) -> bool:
        """Tell whether a consent act (the event key in hex) was among what allowed it."""
        return any(event in ground.evidence for ground in self.grounds)


class Look(msgspec.Struct, frozen=True):
    """Somebody was shown a decision."""

    decision: str
    access: Access


class DecisionsUnavailable(Exception):
    """The decisions could not be asked or did not answer."""


class Decisions(Protocol):
    """Where decisions are remembered, for as long as their family of keys says."""

    async def keep(self, decision: Decision, *, shown: Access) -> None:
        """Remember it and to whom it is shown; the same again changes nothing. Durable when it returns."""
        ...

    async def get(self, decision_id: str) -> Decision | None:
        """The decision, None where it is not known (any more)."""
        ...

    async def looks_at(self, identities: Collection[str]) -> list[Look]:
        """Who was shown suggestions for these identities, the latest first; of each the latest `LOOKS_MAX`.

        The same key that looks at the same decision for the same purpose again is one look, at its latest time.
        """
        ...


class MemoryDecisions:
    """Decisions in this process's memory."""

    def __init__(self) -> None:
        self._decisions: dict[str, Decision] = {}
        self._looks: defaultdict[str, dict[tuple[object, ...], Look]] = defaultdict(dict)

    async def keep(self, decision: Decision, *, shown: Access) -> None:
        """See `Decisions`."""
        self._decisions[decision.id] = decision
        looks = self._looks[decision.identity]
        looks[decision.id, *shown[1:]] = Look(decision.id, shown)
        if len(looks) > LOOKS_MAX:
            looks.pop(min(looks, key=lambda name: looks[name].access.at))

    async def get(self, decision_id: str) -> Decision | None:
        """See `Decisions`."""
        return self._decisions.get(decision_id)

    async def looks_at(self, identities: Collection[str]) -> list[Look]:
        """See `Decisions`."""
        return latest_first(look for identity in identities for look in self._looks[identity].values())


def latest_first(looks: Iterable[Look]) -> list[Look]:
    """Looks in the order they are told in."""
    return sorted(looks, key=lambda look: (-look.access.at, look.decision, look.access.key))
