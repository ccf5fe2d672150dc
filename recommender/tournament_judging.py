"""How good a ranker is: each person asked through `scores` as they were, and what they took then as the answer.

Two questions are judged apart: anything, where a person may be told what they have, and only what is new to them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from recommender.bootstrap import Figure, figure
from recommender.interactions import IntArray, Interactions, Mask, Numbers, PersonRow
from recommender.rankers.protocol import Ranker
from recommender.tournament_split import Exam

RANKS: Final = 10
HITS_IN: Final = 3
_SEED: Final = 17

Task = Literal["repeat", "new"]
"""Anything, repeats allowed; or only what the person never took."""
Scores = Numbers
"""P x m."""


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Cases:
    """P people who are asked one question: what may be answered (P x m), and what of it is right (P x m).

    `numbers` are their rows in what is known, for what is told of them without their being asked.
    """

    people: Sequence[PersonRow]
    numbers: IntArray
    open: Mask
    right: Mask

    def __len__(self) -> int:
        return len(self.people)

    def half(self, half: int) -> "Cases":
        """Every other person."""
        every = slice(half, None, 2)
        return Cases(
            people=self.people[every], numbers=self.numbers[every], open=self.open[every], right=self.right[every]
        )


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Marks:
    """What one ranker reached with each person: NDCG@10, a hit in the first three, precision among the first ten."""

    ndcg: Numbers
    hit: Numbers
    precision: Numbers
    macro_recall: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """Marks as means with intervals; `macro_recall` is recall in the first three, averaged over items."""

    ndcg_at_10: Figure
    hit_rate_at_3: Figure
    precision_at_10: Figure
    macro_recall_at_3: float


def cases_of(exam: Exam, *, people_max: int, cells_max: int) -> dict[Task, Cases]:
    """The people to ask for each task, and their right answers; a task nobody can be asked has no people.

    Of more than `people_max`, or `cells_max` people times items, some drawn with a fixed seed. They come in the order
    in which they were drawn: who is every other by name may be of one kind.
    """
    known, taken = exam.known, exam.taken
    asked = np.unique(taken.person)
    most = min(people_max, max(cells_max // max(len(known.items), 1), 1))
    asked = np.random.default_rng(_SEED).permutation(asked)[:most]
    people = [known.row(int(person), int(exam.at[person])) for person in asked]
    right = taken.taken[asked].toarray() > 0
    fresh = known.taken[asked].toarray() == 0
    allowed = _allowed(known, asked)
    if exam.once is not None:
        allowed &= fresh | ~exam.once
    return {
        "repeat": _cases(people, asked, may=allowed, right=right & allowed),
        "new": _cases(people, asked, may=allowed & fresh, right=right & allowed & fresh),
    }


def first_half(numbers: IntArray) -> Mask:
    """Who of these rows is of the one half of all people, by chance with a fixed seed."""
    found: Mask = np.random.default_rng(_SEED).random(int(numbers.max()) + 1)[numbers] < 0.5
    return found


def repeats_share(cases: Mapping[Task, Cases]) -> float:
    """Which share of the right answers are items the person had already."""
    right = int(cases["repeat"].right.sum())
    return 1 - int(cases["new"].right.sum()) / right if right else 0.0


def all_scores(ranker: Ranker, cases: Cases) -> Scores:
    """What the ranker says of each person (P x m)."""
    found = np.empty(cases.open.shape, np.float64)
    for place, person in enumerate(cases.people):
        found[place] = ranker.scores(person)
    return found


def marks(scores: Scores, cases: Cases) -> Marks:
    """What these scores reach."""
    if not len(cases):
        return Marks(ndcg=np.zeros(0), hit=np.zeros(0), precision=np.zeros(0), macro_recall=0.0)
    first = best(scores, cases.open)
    rows = np.arange(len(cases))[:, None]
    hits = np.take_along_axis(cases.right, first, axis=1)
    told = np.zeros_like(cases.right)
    told[rows, first[:, :HITS_IN]] = hits[:, :HITS_IN]
    wanted = cases.right.sum(axis=0)
    recall = told.sum(axis=0)[wanted > 0] / wanted[wanted > 0]
    return Marks(
        ndcg=ndcg(hits, cases.right.sum(axis=1)),
        hit=hits[:, :HITS_IN].any(axis=1).astype(np.float64),
        precision=hits.sum(axis=1) / RANKS,
        macro_recall=round(float(recall.mean()), 6),
    )


def best(scores: Scores, may: Mask) -> npt.NDArray[np.int64]:
    """The ten best open items of each row, best first; of equals the earlier item."""
    among = np.where(may, scores, -np.inf)
    width = min(RANKS, among.shape[1])
    places = np.sort(np.argpartition(-among, width - 1, axis=1)[:, :width], axis=1)
    order = np.argsort(-np.take_along_axis(among, places, axis=1), axis=1, kind="stable")
    return np.take_along_axis(places, order, axis=1)


def ndcg(hits: Mask, wanted: npt.NDArray[np.int64]) -> Numbers:
    """Discounted gain of the hits (rows in order of rank), as a share of the best there could be."""
    gains = 1 / np.log2(np.arange(hits.shape[1]) + 2)
    ideal = np.concatenate([[0.0], np.cumsum(1 / np.log2(np.arange(RANKS) + 2))])
    reached: Numbers = np.where(hits, gains, 0.0).sum(axis=1) / ideal[np.minimum(wanted, RANKS)]
    return reached


def summed(found: Marks) -> Score:
    """Means with intervals."""
    return Score(
        ndcg_at_10=figure(found.ndcg),
        hit_rate_at_3=figure(found.hit),
        precision_at_10=figure(found.precision),
        macro_recall_at_3=found.macro_recall,
    )


def _allowed(known: Interactions, asked: npt.NDArray[np.int32]) -> Mask:
    if known.eligible is None:
        return np.ones((len(asked), len(known.items)), np.bool_)
    found: Mask = known.eligible[asked].toarray()
    return found


def _cases(people: Sequence[PersonRow], numbers: IntArray, *, may: Mask, right: Mask) -> Cases:
    kept = np.flatnonzero(right.any(axis=1))
    return Cases(
        people=[people[int(place)] for place in kept], numbers=numbers[kept], open=may[kept], right=right[kept]
    )
