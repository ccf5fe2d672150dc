"""The rights of a person, as far as they are decided rather than done: which steps an erasure takes, in which order.

Every step can be repeated, and is noted once it is done; whatever dies in between is gone on with. Nothing is
destroyed before the request stands where it is kept and on the ledger.
"""

import hmac
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from events.pseudonyms import PSEUDONYM

StepName = Literal[
    "announced",
    "keys",
    "log",
    "recipients",
    "profiles",
    "store",
    "store_files",
    "history",
    "evidence",
    "accesses",
    "ledger",
    "evidence_keys",
    "models",
    "certified",
]


class Step(NamedTuple):
    """What becomes of one place where a person's data is, and which steps come before."""

    after: frozenset[StepName]
    does: str


def _step(does: str, *after: StepName) -> Step:
    return Step(frozenset(after), does)


STEPS: Final[Mapping[StepName, Step]] = {
    "announced": _step("the request is put down in the ledger, without a name"),
    "keys": _step("the keys of what was told are destroyed: nobody opens it any more, on the log either", "announced"),
    "log": _step("a fact says of each identity that what came before it is forgotten", "announced"),
    "recipients": _step("other systems are told to stop, on the keys of their messages", "log"),
    "profiles": _step("the owners of the profiles fold that fact: a tombstone is left, by its place on the log", "log"),
    "store": _step("suggestions, messages, caps, timers, holds, acts and dead letters go", "profiles"),
    "store_files": _step("the files of the store are written anew", "store"),
    "history": _step("all rows before the tombstone go", "log"),
    "evidence": _step("all rows of the index of evidence go", "log"),
    "accesses": _step("looks at the person stay, without whom was looked at", "log"),
    # Looks are put down in the ledger too: those that still name the person must not come after this.
    "ledger": _step("what the entries say is destroyed; the tree stays as it is", "log", "accesses"),
    # Followers have to open acts that came just before.
    "evidence_keys": _step("the keys of acts and links go out of use until a named day", "evidence", "ledger"),
    "models": _step("models from before go, once one is served that was made without the person", "history"),
    "certified": _step(
        "the certificate is signed, and put down in the ledger",
        *("keys", "recipients", "profiles", "store", "store_files", "history", "evidence", "accesses", "ledger"),
        *("evidence_keys", "models"),
    ),
}
"""Every step of an erasure, in the order in which they are tried."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure:
    """A request to erase one person.

    `identities` are the pseudonyms verified as the person; none once it is certified. `kinds` says what they are, and
    `left` what hangs together with them unverified and therefore stays: namespaces only. Times are ms.
    """

    number: int
    id: str
    asked_at: int
    asked_by: str
    identities: tuple[str, ...]
    kinds: tuple[str, ...]
    left: tuple[str, ...]
    done: Mapping[StepName, "Done"]
    certificate: str | None = None


class Done(NamedTuple):
    """A step that was done, when (ms), and how much it found, by name."""

    at: int
    found: Mapping[str, int]


class Waiting(NamedTuple):
    """What a step waits for; it is tried again."""

    why: str


class NotErasable(ValueError):
    """Nobody can be erased by that; the text says why."""


def next_steps(done: Collection[StepName]) -> list[StepName]:
    """The steps that may be done now, in their order: all they come after are done."""
    return [name for name, step in STEPS.items() if name not in done and step.after <= set(done)]


def kinds_of(identities: Collection[str]) -> tuple[str, ...]:
    """The namespaces of some pseudonyms, in the order of these; NotErasable where one is no pseudonym."""
    if not all(map(PSEUDONYM.fullmatch, identities)):
        raise NotErasable("an erasure is of identities, as pseudonyms")
    return tuple(identity.partition(":")[0] for identity in sorted(identities))


def suppression(identity: str, *, key: bytes) -> bytes:
    """What is remembered of an erased identity (32 bytes): it is known again, and cannot be told without the key."""
    return hmac.digest(key, identity.encode(), "sha256")
