"""Values in words for a trace: short, and the same in every run (chance and the order of sets leave no mark)."""

from collections.abc import Callable, Mapping
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
    for kind, in_words in _WORDS.items():
        if isinstance(value, kind):
            return in_words(value)
    return _plain(value)


def _commit(value: Commit) -> str:
    before = "nothing" if value.expected is None else told(value.expected)
    facets = ", ".join(sorted(short(name) for name in value.facets))
    return f"{told(value.stream)} {before} to {told(value.next)}, facets [{facets}], outbox {told(value.outbox)}"


def _decision(value: Decision) -> str:
    claim = "" if value.claim is None else f", claimed {value.claim.because}"
    sent = ", published" if value.published else ""
    return f"decision {value.id[:10]} {value.trigger} {value.verdict} because {value.because}{claim}{sent}"


def _candidate(value: Candidate) -> str:
    return f"candidate {value.trigger} of {short(value.about)} for {short(value.identity)} due {value.due}"


def _admitted(value: Admitted) -> str:
    return f"{value.fact.type} of {short(value.fact.identity)} {value.fact.event_key.hex()[:6]}"


_WORDS: Final[Mapping[type[Any], Callable[[Any], str]]] = {
    Commit: _commit,
    Decision: _decision,
    Candidate: _candidate,
    Admitted: _admitted,
    Stream: lambda value: f"{value.topic.removeprefix('rapport.')}[{value.partition}]",
    Checkpoint: lambda value: f"{value.epoch}.{value.offset}",
    Facet: lambda value: f"facet of {len(value.recent) // 12} events",
    Standing: lambda value: f"{told(value.facets)} at {told(value.checkpoint)}",
    OutboxEntry: lambda value: f"{value.kind} {value.offset}-{value.index}",
    Hold: lambda value: f"hold {value.purpose} of {short(value.identity)} {value.event_key.hex()[:6]}",
    ActRecord: lambda value: f"act {value.event_key.hex()[:6]} of {len(value.facts)}",
    DeadLetter: lambda value: f"letter {value.id} {value.reason}",
}


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
        # Names come in the order of a set.
        return _several(sorted(value) if all(isinstance(each, str) for each in value) else list(value))
    return repr(value)


def _several(values: list[Any]) -> str:
    more = f", {len(values) - SHOWN_MAX} more" if len(values) > SHOWN_MAX else ""
    return "[" + ", ".join(map(told, values[:SHOWN_MAX])) + more + "]"
