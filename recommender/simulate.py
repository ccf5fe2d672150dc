"""What suggestions would be over a population, and what another catalogue would change.

It tells who gets what, what rules remove, who is left without, and whom they treat otherwise. Each person is answered
by the function that serves, once per side that is compared. Nothing is written, and nothing of a person is kept: what
comes out are counts.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple, get_args

from consent.purposes import ANALYTICS, PROFILE, SENSITIVE, attribute_purpose
from profiles.facet import AttributeSection, Scalar
from profiles.view import PersonView
from recommender.artifact import Artifact
from recommender.catalogue import Catalogue
from recommender.reading import input_of
from recommender.receipts import Inputs, Question, answer_to
from recommender.suggestion import Answer, Restraints, Stage

STAGES: Final[tuple[str, ...]] = get_args(Stage)
"""The stages of the funnel in their order."""
UNKNOWN: Final = "not known"
_BAND: Final = 10
_KEY: Final = bytes(32)
"""Ids of decisions that nobody is given."""

Progress = Callable[[int], None]
"""Told how many people were answered so far."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """A version that is simulated."""

    name: str
    artifact: Artifact
    catalogue: Catalogue


@dataclass(slots=True)
class Tally:
    """Counts of one side.

    Of people: `modes`, `first` and `shown` by service, `first_issues`, `left` (without anything that fits, by the stage
    that took the last), `vague` (nothing specific to them), `refused` by rule (stage, reason), `removed` by service and
    rule. `propensity` adds up that of the first suggestions.
    """

    side: Side
    people: int = 0
    modes: Counter[str] = field(default_factory=Counter)
    first: Counter[str] = field(default_factory=Counter)
    shown: Counter[str] = field(default_factory=Counter)
    first_issues: Counter[str] = field(default_factory=Counter)
    left: Counter[str] = field(default_factory=Counter)
    vague: int = 0
    refused: Counter[tuple[str, str]] = field(default_factory=Counter)
    removed: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    propensity: float = 0.0
    _general: dict[Restraints, Answer] = field(default_factory=dict)

    def answer(self, view: PersonView, question: Question) -> Answer:
        """What the person is answered; a general answer is made once for all whom the same facts restrain."""
        # Only what hides a person behind a reference would need one, and nobody is told of a single person here.
        seen = input_of(view, catalogue=self.side.catalogue, ref="", now=question.now)
        if seen.personal is None and (known := self._general.get(seen.restraints)) is not None:
            return known
        side = self.side
        answer = answer_to(Inputs(seen, question), artifact=side.artifact, catalogue=side.catalogue, key=_KEY)
        if seen.personal is None:
            self._general[seen.restraints] = answer
        return answer

    def add(self, answer: Answer) -> tuple[str, ...]:
        """Count an answer; its outcomes, by which groups of people are compared."""
        catalogue, best = self.side.catalogue, answer.suggestions[0]
        issue = catalogue.by_id[best.service].issue
        self.people += 1
        self.modes[answer.mode] += 1
        self.first[best.service] += 1
        self.first_issues[issue] += 1
        self.propensity += best.factors.propensity
        self.shown.update(suggestion.service for suggestion in answer.suggestions)
        removed = [(each.service, each.stage, each.because) for each in answer.withheld]
        self.removed.update(removed)
        self.refused.update({(stage, because) for _, stage, because in removed})
        outcomes = [f"{answer.mode} answer", f"{issue} first"]
        if catalogue.by_id[best.service].fallback:
            self.left[_last_stage(answer)] += 1
            outcomes.append("nothing but the fallback")
        if all(suggestion.confidence == "low" for suggestion in answer.suggestions):
            self.vague += 1
            outcomes.append("nothing specific to them")
        return tuple(outcomes)


class Move(NamedTuple):
    """The first suggestion of the one side, and of the other."""

    before: str
    after: str


@dataclass(slots=True)
class Simulated:
    """What came out: counts per side, what the sides do otherwise, and outcomes of the first side by group.

    `groups` and `outcomes` are by attribute and value, the latter by outcome too. `refused` are people who do not let
    themselves be counted.
    """

    sides: tuple[Tally, ...]
    moved: Counter[Move] = field(default_factory=Counter)
    other_lists: int = 0
    groups: Counter[tuple[str, str]] = field(default_factory=Counter)
    outcomes: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    refused: int = 0


def may_be_counted(view: PersonView, *, at: int) -> bool:
    """Whether the person allows it at a moment (ms) that they are among what is counted."""
    return bool(view.permits(ANALYTICS, at=at, known_at=at))


def simulate(
    people: Iterable[PersonView],
    *,
    sides: Sequence[Side],
    question: Question,
    by: Sequence[str] = (),
    permits: Callable[[PersonView], bool],
    progress: Progress,
) -> Simulated:
    """Answer everybody who is permitted, by one side or by two; `by` names attributes whose groups are compared."""
    found = Simulated(tuple(Tally(side) for side in sides))
    for number, view in enumerate(people, start=1):
        progress(number)
        if not permits(view):
            found.refused += 1
            continue
        answers = [tally.answer(view, question) for tally in found.sides]
        outcomes, *_ = [tally.add(answer) for tally, answer in zip(found.sides, answers, strict=True)]
        if len(answers) > 1:
            _compare(found, *answers[:2])
        for group in _groups(view, by, question.now):
            found.groups[group] += 1
            found.outcomes.update((*group, outcome) for outcome in outcomes)
    return found


def _last_stage(answer: Answer) -> str:
    """The stage that took the last service away from somebody who has nothing but the fallback."""
    stages = {each.stage for each in answer.withheld}
    return next((stage for stage in reversed(STAGES) if stage in stages), "there is nothing else")


def _compare(found: Simulated, before: Answer, after: Answer) -> None:
    one, other = ([suggestion.service for suggestion in answer.suggestions] for answer in (before, after))
    if one[0] != other[0]:
        found.moved[Move(one[0], other[0])] += 1
    found.other_lists += one != other


def _groups(view: PersonView, by: Sequence[str], now: int) -> Iterator[tuple[str, str]]:
    """The group of a person in each attribute; of those they do not let be used, `UNKNOWN`."""
    for name in by:
        yield name, _group(_stated(view, name, now))


def _stated(view: PersonView, name: str, now: int) -> Scalar | None:
    purpose = attribute_purpose(name)
    section: AttributeSection | None = None
    if purpose in {PROFILE, SENSITIVE}:
        section = view.attributes(purpose, at=now, known_at=now).section
    attributes: Mapping[str, object] = view.service.attributes if section is None else section.attributes
    stated = getattr(attributes.get(name), "stated", None)
    return None if stated is None else stated.value


def _group(value: Scalar | None) -> str:
    """A value as a group: numbers in bands of ten."""
    if value is None:
        return UNKNOWN
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value // _BAND * _BAND} to {value // _BAND * _BAND + _BAND - 1}"
    return str(value)
