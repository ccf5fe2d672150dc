"""What a suggestion is made from and what comes out: plain values, and one way to write an answer as bytes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from recommender.canonical import canonical_json, content_hash
from recommender.catalogue import Words
from recommender.personal import Ground, PersonalFacts

K_MAX: Final = 50
BUCKET_MS: Final = 15 * 60 * 1000
"""Answers stay the same within a bucket of the clock as long as what they rest on does."""

Mode = Literal["general", "personal"]
Stage = Literal["eligible", "applicable", "suitable", "consent"]
Confidence = Literal["high", "medium", "low"]


class SuggestionRefused(ValueError):
    """What was asked for cannot be answered: k or the channel is not one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Restraints:
    """Deny-only facts: they may remove suggestions and do nothing else.

    `refused` are services declined lately, `told` those we have just spoken of.
    """

    open_complaint: bool = False
    minor: bool = False
    restricted: bool = False
    suppressed: bool = False
    refused: frozenset[str] = frozenset()
    told: frozenset[str] = frozenset()

    @property
    def hash(self) -> str:
        """Changes with any of them."""
        flags = [self.open_complaint, self.minor, self.restricted, self.suppressed]
        return content_hash(canonical_json([flags, sorted(self.refused), sorted(self.told)]))


@dataclass(frozen=True, slots=True, kw_only=True)
class SuggestionInput:
    """A person as the recommender sees them; `personal` is None unless `suggest.personal` is allowed.

    `ref` is the opaque reference the answer is for; it goes into nothing but the decision's id.
    """

    ref: str
    restraints: Restraints = Restraints()
    personal: PersonalFacts | None = None

    @property
    def hash(self) -> str:
        """Of everything that was permitted to be looked at."""
        personal = "" if self.personal is None else self.personal.hash
        return content_hash(self.restraints.hash.encode(), personal.encode())


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why, in words, with the event keys (hex) it rests on; none where it speaks of all customers.

    A reason that is not `sayable` is for staff and never read to the person.
    """

    code: str
    text: Words
    evidence: tuple[str, ...] = ()
    sensitive: bool = False
    sayable: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """A service to offer, in what order (by `score`), and why. `say` is None where it is not for the person's ears."""

    service: str
    name: Words
    say: Words | None
    score: float
    confidence: Confidence
    reasons: tuple[Reason, ...]


@dataclass(frozen=True, slots=True, order=True)
class Withheld:
    """A service that was left out: at which stage, and why."""

    service: str
    stage: Stage
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Suggestions, best first, with what was withheld and all that the answer relied on.

    `beyond` is how many more there would have been than were asked for; `ranker` is what ordered it; `model` and
    `catalogue` name the artifact and the catalogue; `valid_until` is ms.
    """

    decision: str
    mode: Mode
    channel: str | None
    k: int
    suggestions: tuple[Suggestion, ...]
    withheld: tuple[Withheld, ...]
    beyond: int
    grounds: tuple[Ground, ...]
    ranker: str
    model: str
    catalogue: str
    valid_until: int


def bucket_start(now: int) -> int:
    """The start (ms) of the clock bucket that `now` (ms) lies in."""
    return now - now % BUCKET_MS


def render(answer: Answer) -> bytes:
    """Canonical JSON of an answer: the same answer, the same bytes."""
    return canonical_json(document(answer))


def document(answer: Answer) -> dict[str, Any]:
    """The answer as plain JSON values."""
    return {
        "decision": answer.decision,
        "mode": answer.mode,
        "channel": answer.channel,
        "k": answer.k,
        "suggestions": [_suggestion(suggestion) for suggestion in answer.suggestions],
        "withheld": [
            {"service": entry.service, "stage": entry.stage, "because": entry.because} for entry in answer.withheld
        ],
        "beyond": answer.beyond,
        "consent": [
            {"purpose": ground.purpose, "basis": ground.basis, "evidence": list(ground.evidence)}
            for ground in answer.grounds
        ],
        "ranker": answer.ranker,
        "model": answer.model,
        "catalogue": answer.catalogue,
        "valid_until": answer.valid_until,
    }


def _suggestion(suggestion: Suggestion) -> dict[str, Any]:
    return {
        "service": suggestion.service,
        "name": _words(suggestion.name),
        "say": None if suggestion.say is None else _words(suggestion.say),
        "score": suggestion.score,
        "confidence": suggestion.confidence,
        "reasons": [
            {
                "code": reason.code,
                "text": _words(reason.text),
                "evidence": list(reason.evidence),
                "sensitive": reason.sensitive,
                "sayable": reason.sayable,
            }
            for reason in suggestion.reasons
        ],
    }


def _words(words: Words) -> Mapping[str, str]:
    return {"en": words.en, "zh": words.zh}
