"""What a suggestion is made from and what comes out: plain values, and one way to write an answer as bytes.

The fields of an answer stand in the order of their names, which makes what is written of it canonical JSON.
"""

import re
from dataclasses import dataclass
from typing import Any, Final, Literal

import msgspec

from recommender.canonical import content_hash
from recommender.personal import Ground, PersonalFacts

K_MAX: Final = 50
BUCKET_MS: Final = 15 * 60 * 1000
"""Answers stay the same within a bucket of the clock as long as what they rest on does."""

DECISION_ID: Final = re.compile(r"[gp][0-9a-f]{32}")
"""Names a decision; the first letter says whether it was a general or a personal one."""

Mode = Literal["general", "personal"]
Stage = Literal["eligible", "applicable", "suitable", "consent", "caps"]
Confidence = Literal["high", "medium", "low"]


class SuggestionRefused(ValueError):
    """What was asked for cannot be answered: k is out of range."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Restraints:
    """Deny-only facts: they may remove suggestions and do nothing else.

    `refused` are services declined lately, `told` those we have just spoken of or that were ignored. `arrears`:
    payments of theirs are overdue.
    """

    open_complaint: bool = False
    minor: bool = False
    arrears: bool = False
    restricted: bool = False
    suppressed: bool = False
    refused: frozenset[str] = frozenset()
    told: frozenset[str] = frozenset()

    @property
    def hash(self) -> str:
        """Changes with any of them."""
        flags = [self.open_complaint, self.minor, self.arrears, self.restricted, self.suppressed]
        return content_hash(msgspec.json.encode([flags, sorted(self.refused), sorted(self.told)]))


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


class Score(float):
    """A number that is written as Python writes it, in canonical JSON too."""

    __slots__ = ()


class Wording(msgspec.Struct, frozen=True, gc=False):
    """The same words in the languages the desk speaks."""

    en: str
    zh: str


class Reason(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Why, in words, with the event keys (hex) it rests on; none where it speaks of all customers.

    A reason that is not `sayable` is for staff and never read to the person.
    """

    code: str
    evidence: tuple[str, ...] = ()
    sayable: bool = True
    sensitive: bool = False
    text: Wording


class Factors(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a score is the product of, to six digits.

    `propensity` says how likely the person takes it, `context` by how much the reason of the contact and open needs
    raise it. `value` and `lever` are None while the catalogue gives them no weight.
    """

    context: Score
    lever: Score | None = None
    propensity: Score
    value: Score | None = None


class Suggestion(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A service to offer, in what order (by `score`), and why. `say` is None where it is not for the person's ears."""

    confidence: Confidence
    factors: Factors
    name: Wording
    reasons: tuple[Reason, ...]
    say: Wording | None
    score: Score
    service: str


class Withheld(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A service that was left out: at which stage, and why."""

    because: str
    service: str
    stage: Stage


class Answer(msgspec.Struct, frozen=True, kw_only=True, gc=False, rename={"grounds": "consent"}):
    """Suggestions, best first, with what was withheld and all that the answer relied on.

    `beyond` is how many more there would have been than were asked for; `intent` is the word the channel gave for what
    the person wants, `contexts` the reasons of the contact that counted, `needs` the open needs that may be told here;
    `ranker` is what ordered it; `model` and `catalogue` name the artifact and the catalogue; `valid_until` is ms.
    """

    beyond: int
    catalogue: str
    channel: str | None
    grounds: tuple[Ground, ...]
    contexts: tuple[str, ...]
    decision: str
    intent: str | None
    k: int
    mode: Mode
    model: str
    needs: tuple[Reason, ...]
    ranker: str
    suggestions: tuple[Suggestion, ...]
    valid_until: int
    withheld: tuple[Withheld, ...]


def bucket_start(now: int) -> int:
    """The start (ms) of the clock bucket that `now` (ms) lies in."""
    return now - now % BUCKET_MS


def render(answer: Answer) -> bytes:
    """Canonical JSON of an answer: the same answer, the same bytes."""
    return _encoder.encode(answer)


def _written(score: Any) -> msgspec.Raw:
    if not isinstance(score, Score):
        raise TypeError(f"an answer holds no {type(score).__name__}")
    return msgspec.Raw(float.__repr__(score).encode())


_encoder: Final = msgspec.json.Encoder(enc_hook=_written)
