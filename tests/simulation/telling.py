"""Values in words for a trace: short, and the same in every run (chance and the order of sets leave no mark)."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Any, Final

from consent.act_records import ActRecord
from consent.holds import Hold
from events.admission import Admitted
from events.position import Checkpoint, Stream
from outreach.candidates import Candidate
from outreach.decision import Decision
from profiles.facet import Facet
from profiles.store import Commit, OutboxEntry, Standing
from streams.dead_letters import DeadLetter

SHOWN_MAX: Final = 4
_NAME: Final = 12


def told(value: Any) -> str:
    """The value in a few words."""
    match value:
        case Commit():
            before = "nothing" if value.expected is None else told(value.expected)
            facets = ", ".join(sorted(short(name) for name in value.facets))
            return f"{told(value.stream)} {before} to {told(value.next)}, facets [{facets}], outbox {told(value.outbox)}"
        case Stream():
            return f"{value.topic.removeprefix('rapport.')}[{value.partition}]"
        case Checkpoint():
            return f"{value.epoch}.{value.offset}"
        case Facet():
            return f"facet of {len(value.recent) // 12} events"
        case Standing():
            return f"{told(value.facets)} at {told(value.checkpoint)}"
        case OutboxEntry():
            return f"{value.kind} {value.offset}-{value.index}"
        case Decision():
            claim = "" if value.claim is None else f", claimed {value.claim.because}"
            sent = ", published" if value.published else ""
            return f"decision {value.id[:10]} {value.trigger} {value.verdict} because {value.because}{claim}{sent}"
        case Candidate():
            return f"candidate {value.trigger} of {short(value.about)} for {short(value.identity)} due {value.due}"
        case Hold():
            return f"hold {value.purpose} of {short(value.identity)} {value.event_key.hex()[:6]}"
        case ActRecord():
            return f"act {value.event_key.hex()[:6]} of {len(value.facts)}"
        case Admitted():
            fact = value.fact
            return f"{fact.type} of {short(fact.identity)} {fact.event_key.hex()[:6]}"
        case DeadLetter():
            return f"letter {value.id} {value.reason}"
    return _plain(value)


def short(pseudonym: str) -> str:
    """A pseudonym that still tells people apart."""
    return pseudonym[:_NAME]


def _plain(value: Any) -> str:
    if isinstance(value, bytes):
        return f"{len(value)} bytes"
    if isinstance(value, str):
        return short(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{told(name)}: {told(value[name])}" for name in sorted(value)[:SHOWN_MAX]) + "}"
    if isinstance(value, AbstractSet):
        return _several(sorted(value))
    if isinstance(value, list | tuple):
        return _several(list(value))
    return repr(value)


def _several(values: list[Any]) -> str:
    more = f", {len(values) - SHOWN_MAX} more" if len(values) > SHOWN_MAX else ""
    return "[" + ", ".join(map(told, values[:SHOWN_MAX])) + more + "]"
