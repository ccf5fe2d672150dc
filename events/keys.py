"""Every key in the store, built in one place; `docs/reference/redis-format.md` describes each family.

The hash tag is the partition of `rapport.events` that the data belongs to, so that one commit touches one slot.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from events.position import Stream

PREFIX: Final = "rapport"
_WITH_A_MEANING: Final = frozenset("{}*?[]\\ ")


@dataclass(frozen=True, slots=True)
class Family:
    """A kind of key: can the log rebuild it, how long does it live (None: as long as the data it belongs to).

    A family may have an index beside its values; `docs/reference/redis-format.md` has a row for each.
    """

    name: str
    origin: Literal["derived", "primary"]
    lifetime_s: int | None
    holds: str


FAMILIES: Final = {
    family.name: family
    for family in (
        Family("checkpoint", "derived", None, "how far a stream is folded"),
        Family("facet", "derived", None, "the facts of one identity, folded"),
        Family("outbox", "derived", None, "entries of commits the relay has yet to publish"),
        Family("rebuilt", "derived", None, "facets folded anew from history, until they take their place"),
        Family("epochs", "primary", None, "the list of logs this store has followed"),
        Family("dead", "primary", 14 * 24 * 3600, "dead letters, raw bytes encrypted under a daily key"),
        Family("dead-key", "primary", 14 * 24 * 3600, "the daily key of the dead letters"),
        Family("hold", "primary", None, "withdrawals acknowledged and not yet folded"),
        Family("act", "primary", 24 * 3600, "a consent act being written to every identity it covers"),
        Family("decision", "primary", 30 * 24 * 3600, "suggestions as they were answered"),
        Family("shown", "primary", 30 * 24 * 3600, "who was shown suggestions for an identity"),
        Family("cap", "primary", 8 * 24 * 3600, "messages reserved for an identity"),
        Family("outreach", "primary", 90 * 24 * 3600, "outreach decisions of an identity"),
        Family("due", "primary", None, "timers by due time"),
        Family("rights", "primary", None, "how far erasures were done in this store"),
        Family("lag", "derived", 60, "the lag a worker measured"),
        Family("lease", "derived", 30, "the processes at work on this store"),
    )
}


def checkpoint_key(stream: Stream) -> str:
    """The checkpoint of one app's reading of one partition."""
    return f"{PREFIX}:{{{stream.partition}}}:checkpoint:{stream.app}:{stream.topic}"


def facet_key(partition: int, identity: str) -> str:
    """The facet of a pseudonym."""
    return f"{PREFIX}:{{{partition}}}:facet:{_part(identity)}"


def outbox_key(stream: Stream) -> str:
    """The outbox of one app's reading of one partition: a stream whose ids are positions."""
    return f"{PREFIX}:{{{stream.partition}}}:outbox:{stream.app}:{stream.topic}"


def partition_key(family: str, partition: int, *rest: str) -> str:
    """A key of another family that belongs to one partition."""
    return _key(family, f"{{{partition}}}", rest)


def global_key(family: str, *rest: str) -> str:
    """A key of a family that belongs to no partition."""
    return _key(family, "", rest)


def _key(family: str, tag: str, rest: Sequence[str]) -> str:
    if family not in FAMILIES:
        raise KeyError(f"{family} is not a family of keys; add it to events.keys.FAMILIES")
    tagged = (PREFIX, tag, family) if tag else (PREFIX, family)
    return ":".join((*tagged, *map(_part, rest)))


def _part(text: str) -> str:
    if not text or not text.isascii() or not text.isprintable() or not _WITH_A_MEANING.isdisjoint(text):
        raise ValueError("a key part is empty or holds a character with a meaning of its own")
    return text
