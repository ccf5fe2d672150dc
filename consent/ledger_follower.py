"""What of the log goes into the ledger: every consent act, every link and its end, every right that was carried out."""

from dataclasses import dataclass
from typing import Any, Final

from consent.ledger import Ledger
from consent.ledger_entry import Entry, LedgerError
from consent.ledger_openings import Place
from events.acts import Erased, Refolded
from events.fact import Fact
from events.following import Stretch
from events.identity import Linked, Unlinked
from events.position import Position
from events.vocabulary import BODIES

LEDGER_TYPES: Final = frozenset(
    {
        Linked.event_type,
        Unlinked.event_type,
        *(name for name in BODIES if name.startswith(("consent.", "rights."))),
    }
)
"""The event types it takes; facts of others are passed over."""


class StretchAhead(LedgerError):
    """Facts were left out between what was taken and what is handed over."""


def fact_id(position: Position) -> str:
    """The id of the entry for the fact at a position."""
    return f"fact:{position}"


def entry_of(position: Position, fact: Fact) -> Entry:
    """The entry for a fact: all of it, and whom it is about."""
    said = fact.body.as_evidence() if isinstance(fact.body, Refolded) else fact.body
    body = said.model_dump(mode="json", exclude_defaults=True)
    content: dict[str, Any] = {
        "identity": fact.identity,
        "source": fact.source,
        "event_key": fact.event_key.hex(),
        "digest": fact.digest.hex(),
        "occurred_at": fact.occurred_at,
        "received_at": fact.received_at,
        "body": body,
    }
    subjects = {fact.identity}
    match fact.body:
        case Linked() | Unlinked():
            subjects.add(fact.body.other)
        case Erased():
            subjects.update(fact.body.identities)
    return Entry(id=fact_id(position), kind=fact.type, content=content, subjects=frozenset(subjects))


@dataclass(frozen=True, slots=True)
class LedgerFollower:
    """Puts facts into a ledger as history has them; see `events.following.Follower`."""

    ledger: Ledger

    def next_offset(self, epoch: int, partition: int) -> int:
        """See `Follower`."""
        return self.ledger.next_offset(epoch, partition)

    def take(self, stretch: Stretch) -> None:
        """See `Follower`. StretchAhead when it does not begin where the last one ended, or before."""
        place = self.ledger.next_offset(stretch.epoch, stretch.partition)
        if stretch.start > place:
            where = f"epoch {stretch.epoch}, partition {stretch.partition}"
            raise StretchAhead(f"{where}: the ledger has taken up to {place}, not up to {stretch.start}")
        if stretch.end <= place:
            return
        fresh = [
            entry_of(position, fact)
            for position, fact in stretch.facts
            if position.offset >= place and fact.type in LEDGER_TYPES
        ]
        self.ledger.append(fresh, place=Place(epoch=stretch.epoch, partition=stretch.partition, next=stretch.end))
