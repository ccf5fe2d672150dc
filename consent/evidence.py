"""Evidence: the facts that say what was allowed, and when that was known; nothing else of a person is kept as such.

Acts, links, rights, and of what was described only what closes a door or names the law that applies.
"""

from typing import Final, NamedTuple

from msgspec.structs import replace

from consent.purposes import LEGAL, attribute_purpose
from events.acts import ConsentAct, Refolded
from events.fact import Fact
from events.identity import Described, Linked, Unlinked
from events.position import Position
from events.vocabulary import BODIES

EVIDENCE_TYPES: Final = frozenset(
    {
        Linked.event_type,
        Unlinked.event_type,
        Described.event_type,
        *(name for name, body in BODIES.items() if issubclass(body, ConsentAct)),
        *(name for name in BODIES if name.startswith("rights.")),
    }
)
"""The event types that evidence is made of."""

_LAW: Final = "country"


class Evidence(NamedTuple):
    """A piece of evidence and where it stands on the log."""

    position: Position
    fact: Fact


class EvidenceUnavailable(Exception):
    """The evidence cannot be read: it was not made yet, or the file is damaged. The text holds no data."""


def evidence_of(fact: Fact) -> Fact | None:
    """What is kept of a fact as evidence; None where that is nothing."""
    if fact.type not in EVIDENCE_TYPES:
        return None
    if isinstance(fact.body, Refolded):
        return replace(fact, body=fact.body.as_evidence())
    if not isinstance(fact.body, Described):
        return fact
    kept = {
        name: value for name, value in fact.body.attributes.items() if name == _LAW or attribute_purpose(name) == LEGAL
    }
    return replace(fact, body=fact.body.model_copy(update={"attributes": kept})) if kept else None
