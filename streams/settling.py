"""Entries of an outbox that ask something of the store itself: done and taken out in one step.

Were it two, a store put back from a copy in between would be left with neither: its own entry gone, and what was done
for it done in a store that is no more.
"""

from collections.abc import Mapping, Sequence
from typing import Final, Protocol, TypeVar

import msgspec

from consent.holds import HoldName
from events.acts import Closing
from events.fact import Fact
from events.position import Stream
from events.vocabulary import BODIES
from profiles.store import EntryKind, OutboxEntry
from streams.dead_letters import DeadLetter, decode_letter
from streams.relay import Settle

_NOES: Final = frozenset(name for name, body in BODIES.items() if issubclass(body, Closing))

T_contra = TypeVar("T_contra", contravariant=True)


class Settles(Protocol[T_contra]):
    """Where things lie that entries ask for, in the store that has the outbox."""

    async def settle(self, stream: Stream, by_entry: Mapping[str, T_contra], /) -> None:
        """Do what the entries of these ids ask for and take them out of the stream's outbox, all or nothing.

        What is undone by it (a hold) is left alone where its entry does not stand. One of `patience.AWAY` when the
        store does not answer.
        """
        ...


def settlers(*, letters: Settles[DeadLetter], holds: Settles[HoldName]) -> dict[EntryKind, Settle]:
    """For `streams.relay.Relay`: dead letters are kept, and the holds of folded noes end."""

    async def bury(stream: Stream, entries: Sequence[tuple[str, OutboxEntry]]) -> None:
        await letters.settle(stream, {name: decode_letter(entry.payload) for name, entry in entries})

    async def release(stream: Stream, entries: Sequence[tuple[str, OutboxEntry]]) -> None:
        await holds.settle(stream, {name: decode_release(entry.payload) for name, entry in entries})

    return {"dead_letter": bury, "release": release}


def encode_release(fact: Fact) -> bytes | None:
    """A no was folded: the hold it was waiting behind can go. None for any other fact."""
    # By its name: to ask for the class of a pydantic object is dear, and every fact is asked.
    if fact.type not in _NOES or not isinstance(fact.body, Closing):
        return None
    return msgspec.msgpack.encode(HoldName(fact.identity, fact.body.purpose, fact.event_key))


def decode_release(raw: bytes) -> HoldName:
    """The inverse of `encode_release`."""
    return msgspec.msgpack.decode(raw, type=HoldName)
