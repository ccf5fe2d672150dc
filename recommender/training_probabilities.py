"""What a ranker's scores are worth as probabilities: learnt from what came after its fit, judged by what came later.

Answers to suggestions that were presented teach most; where there are too few, what people took by themselves does.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np

from recommender.blend import Blend
from recommender.calibration import (
    Calibration,
    Pairs,
    brier_skill,
    calibrate,
    expected_calibration_error,
    with_answers,
)
from recommender.catalogue import Catalogue
from recommender.choices import History, Takings, presented_between
from recommender.interactions import Interactions, Numbers
from recommender.manifest import Calibrated
from recommender.training_making import Plan
from recommender.training_pairs import answer_pairs, choice_pairs, joined

PATIENCE_MS: Final = 7 * 24 * 3600 * 1000
"""A suggestion that was not answered so long after it was presented was not accepted."""
ANSWERS_MIN: Final = 200
YESES_MIN: Final = 20
"""Answers, and yeses among them, from which probabilities are learnt by answers."""

NOTHING: Final = Calibrated(on="nothing")
Learnt = tuple[Calibration | None, Calibrated]
"""Probabilities, and what the manifest says of them."""


class Moments(NamedTuple):
    """When choosing begins, when judging begins, and when it ends (ms); known at each is what lies before it."""

    choose: int
    judge: int
    end: int

    @property
    def horizon(self) -> int:
        """The time both stretches have."""
        return min(self.judge - self.choose, self.end - self.judge)


@dataclass(frozen=True, eq=False, slots=True)
class Asked:
    """What probabilities are learnt from and judged by."""

    history: History
    told: Takings
    catalogue: Catalogue
    moments: Moments
    plan: Plan
    known: Mapping[int, Interactions]

    def learnt(self, early: Blend, late: Blend | None = None) -> Learnt:
        """The calibration of a ranker fitted before the choosing, and what it was learnt from.

        With the same fitted before the judging, what came then is learnt from too: for what is served in the end.
        """
        at, until = self.moments.choose, self.moments.judge
        found = [(self._answers(early, at, until), self._choices(early, at))]
        if late is not None:
            at, until = self.moments.judge, self.moments.end
            found.append((self._answers(late, at, until), self._choices(late, at)))
        first = found[0][0]
        by_answers = len(first) >= ANSWERS_MIN and YESES_MIN <= first.yes.sum() <= len(first) - YESES_MIN
        pairs = joined([answers if by_answers else choices for answers, choices in found])
        if not 0 < pairs.yes.sum() < len(pairs):
            return None, NOTHING
        known = self.known[self.moments.choose]
        learnt = calibrate(pairs, shares=_shares(known, self.catalogue))
        if by_answers:
            evidence = np.array([max(self.catalogue.by_id[each].prior, 1) for each in known.items], np.float64)
            learnt = with_answers(learnt, pairs, evidence=evidence)
        return learnt, Calibrated(
            on="answers" if by_answers else "choices",
            horizon=0 if by_answers else self.moments.horizon,
            pairs=len(pairs),
            positives=int(pairs.yes.sum()),
        )

    def judged(self, ranker: Blend, calibration: Calibration | None, said: Calibrated) -> Calibrated:
        """What was learnt, with how well it tells what came after the cut-off."""
        at, until = self.moments.judge, self.moments.end
        if calibration is None:
            return said
        pairs = self._answers(ranker, at, until) if said.on == "answers" else self._choices(ranker, at)
        if not 0 < pairs.yes.sum() < len(pairs):
            return said
        told = calibration.of_pairs(pairs)
        return said.model_copy(
            update={
                "judged_pairs": len(pairs),
                "ece": round(expected_calibration_error(told, pairs.yes), 6),
                "brier_skill": round(brier_skill(told, pairs.yes), 6),
            }
        )

    def _choices(self, ranker: Blend, at: int) -> Pairs:
        return choice_pairs(
            ranker,
            self.known[at],
            self.history,
            self.told,
            catalogue=self.catalogue,
            at=at,
            until=at + self.moments.horizon,
            people_max=self.plan.judged_people_max,
        )

    def _answers(self, ranker: Blend, at: int, until: int) -> Pairs:
        presented = list(presented_between(self.history, since=at, until=until, patience=PATIENCE_MS))
        return answer_pairs(ranker, self.known[at], self.history, catalogue=self.catalogue, presented=presented)


def _shares(known: Interactions, catalogue: Catalogue) -> Numbers:
    """Shares of all takings with the starting evidence, as they are served by."""
    people = np.bincount(known.taken.indices, minlength=len(known.items))
    counts = people + np.array([catalogue.by_id[service].prior for service in known.items], np.float64)
    return np.asarray(counts / (counts.sum() or 1.0))
