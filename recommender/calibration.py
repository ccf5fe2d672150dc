"""From scores to probabilities: what share of the people who were shown this, with a score like this, said yes.

A score is calibrated in two steps, apart for what the person had before and had not (a ranker's scores of the two
are not alike): a logistic curve over the score and over how much the person takes at all (Platt 1999), then the rates
that were seen along that curve, pooled until they rise (isotonic regression; Zadrozny and Elkan 2002). Between two
pooled rates the curve is straight in log odds and beyond them it goes on, so that no two scores become one probability
and the order is the ranker's own.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from recommender.interpolation import Interpolation

Numbers = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Places = npt.NDArray[np.int64]

POOL_MIN: Final = 20.0
"""Yeses that a pooled rate needs at least."""
POOLS_MAX: Final = 64
PROBABILITY_MAX: Final = 0.999
_BINS: Final = 10
_LOG_ODDS_MAX: Final = 12.0
_SLOPE_MIN: Final = 1e-3
_SPREAD_MIN: Final = 1e-9
_RIDGE: Final = 1.0
_TOWARDS_ALL: Final = 5.0
"""How many units of evidence the curve of all pairs is worth beside that of one kind of them."""
_STEPS: Final = 50


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Pairs:
    """People and services, an entry for each pair: what came of it, and what was known.

    That is which service, its score, how many services the person ever took, and whether they had this one before.
    """

    service: Places
    score: Numbers
    takings: Numbers
    had: Mask
    yes: Mask

    def __len__(self) -> int:
        return len(self.score)

    def only(self, kept: Mask) -> "Pairs":
        """The pairs that the mask keeps."""
        return Pairs(**{name: getattr(self, name)[kept] for name in self.__slots__})


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Curve:
    """Log odds are `intercept + slope * score + activity * log(1 + takings)`, bent to pass through the pooled rates.

    `at` and `log_odds` are the bends, ascending; without any the curve is the line.
    """

    intercept: float
    slope: float
    activity: float
    at: Numbers
    log_odds: Numbers
    _between: Interpolation | None = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_between", Interpolation(self.at, self.log_odds) if len(self.at) else None)

    def probabilities(self, score: Numbers, takings: Numbers | float) -> Numbers:
        """For each score; they rise with it."""
        return _sigmoid(self.log_odds_of(score, takings))

    def log_odds_of(self, score: Numbers, takings: Numbers | float) -> Numbers:
        """The same in log odds."""
        line = self.slope * score
        line += self.intercept + self.activity * np.log1p(takings)
        return self._bent(line)

    def _bent(self, line: Numbers) -> Numbers:
        if self._between is None:
            return line
        inside = _clipped(line, self.at.item(0), self.at.item(-1))
        bent = self._between(inside)
        bent += line
        bent -= inside
        return bent


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Calibration:
    """The curves of what the person had before and of what they had not, and of popularity for anybody.

    `general` goes by the logarithm of a service's share of all takings, and by nothing of the person. `services` (n):
    how many times likelier each service is accepted than its curve says.
    """

    repeat: Curve
    new: Curve
    general: Curve
    services: Numbers

    def personal(self, scores: Numbers, *, had: npt.NDArray[Any], takings: float) -> Numbers:
        """Probability per service from a ranker's scores; `had` are the places of what the person took before."""
        log_odds = self.new.log_odds_of(scores, takings)
        if len(had):
            log_odds[had] = self.repeat.log_odds_of(scores[had], takings)
        found = _sigmoid(log_odds)
        found *= self.services
        return np.minimum(found, PROBABILITY_MAX, out=found)

    def of_pairs(self, pairs: Pairs) -> Numbers:
        """Probability of each pair."""
        found = np.empty(len(pairs))
        for had, curve in ((True, self.repeat), (False, self.new)):
            kept = pairs.had == had
            found[kept] = curve.probabilities(pairs.score[kept], pairs.takings[kept])
        return np.minimum(found * self.services[pairs.service], PROBABILITY_MAX)

    def of_anybody(self, shares: Numbers) -> Numbers:
        """Probability per service, from its share of all takings; 0 for a share of 0."""
        with np.errstate(divide="ignore"):
            return np.where(shares > 0, self.general.probabilities(np.log(shares), 0.0), 0.0)

    def arrays(self) -> dict[str, Numbers]:
        """As plain arrays; `from_arrays` is the inverse."""
        found = {"services": self.services}
        for name in ("repeat", "new", "general"):
            curve: Curve = getattr(self, name)
            found[f"{name}-line"] = np.array([curve.intercept, curve.slope, curve.activity])
            found[f"{name}-bends"] = np.stack([curve.at, curve.log_odds])
        return found


def from_arrays(arrays: Mapping[str, npt.NDArray[Any]]) -> Calibration:
    """The calibration in plain arrays; ValueError or KeyError where it is none, or would turn an order around."""
    curves: dict[str, Curve] = {}
    for name in ("repeat", "new", "general"):
        intercept, slope, activity = arrays[f"{name}-line"].tolist()
        at, log_odds = arrays[f"{name}-bends"].astype(np.float64)
        if slope <= 0 or (np.diff(at) <= 0).any() or (np.diff(log_odds) <= 0).any():
            raise ValueError(f"the curve {name} does not rise")
        curves[name] = Curve(intercept=intercept, slope=slope, activity=activity, at=at, log_odds=log_odds)
    services = arrays["services"].astype(np.float64)
    if services.ndim != 1 or (services <= 0).any():
        raise ValueError("a service can never be accepted")
    return Calibration(**curves, services=services)


def calibrate(pairs: Pairs, *, shares: Numbers) -> Calibration:
    """Curves from pairs that the ranker was not fitted on; `shares` (n) are the services' shares of all takings.

    Without a single yes, or no, nothing can be learnt: ValueError.
    """
    if not 0 < pairs.yes.sum() < len(pairs):
        raise ValueError("all pairs ended alike")
    every = _line(pairs, towards=None)
    curves: dict[str, Curve] = {}
    for name, kept in (("repeat", pairs.had), ("new", ~pairs.had)):
        part = pairs.only(kept)
        curves[name] = _with_bends(_line(part, towards=every), part)
    of_pair = shares[pairs.service]
    known = of_pair > 0
    popular = replace(pairs.only(known), score=np.log(of_pair[known]), takings=np.zeros(int(known.sum())))
    return Calibration(**curves, general=_line(popular, towards=_in_proportion(popular)), services=np.ones(len(shares)))


def with_answers(calibration: Calibration, pairs: Pairs, *, evidence: Numbers) -> Calibration:
    """The calibration with what each service's own answers say beside the curves.

    `evidence` (n) is how many yeses the curve is believed for before a service has answers of its own.
    """
    expected = calibration.of_pairs(pairs)
    count = len(calibration.services)
    by_curve = np.bincount(pairs.service, expected, count) + evidence
    said = np.bincount(pairs.service, pairs.yes, count) + evidence
    return replace(calibration, services=(said / by_curve).round(9))


def expected_calibration_error(probabilities: Numbers, yes: Mask) -> float:
    """Mean distance between probability and rate over ten bins of equal width, each by its share of the pairs."""
    bins = np.minimum((probabilities * _BINS).astype(np.int64), _BINS - 1)
    count = np.bincount(bins, minlength=_BINS)
    apart = np.bincount(bins, probabilities, _BINS) - np.bincount(bins, yes.astype(np.float64), _BINS)
    return float(np.abs(apart).sum() / max(count.sum(), 1))


def brier_skill(probabilities: Numbers, yes: Mask) -> float:
    """By what share the mean squared error is smaller than that of telling everybody the base rate; 0 without a no."""
    rate = float(yes.mean()) if len(yes) else 0.0
    error, of_rate = float(np.mean((probabilities - yes) ** 2)) if len(yes) else 0.0, rate * (1 - rate)
    return 1 - error / of_rate if of_rate else 0.0


def _in_proportion(pairs: Pairs) -> Curve:
    """The curve on which twice the share is twice as likely, as long as that is not much."""
    rate = (pairs.yes.sum() + 0.5) / (len(pairs) + 1)
    middle = float(pairs.score.mean()) if len(pairs) else 0.0
    nothing = np.zeros(0)
    intercept = float(np.log(rate / (1 - rate))) - middle
    return Curve(intercept=intercept, slope=1.0, activity=0.0, at=nothing, log_odds=nothing)


def _line(pairs: Pairs, *, towards: Curve | None) -> Curve:
    """Logistic regression by Newton's method, held back by a ridge: towards a flat line, or another curve."""
    columns = np.stack([np.ones(len(pairs)), pairs.score, np.log1p(pairs.takings)], axis=1)
    # In units of their own spread, or a ridge would weigh on each score as its scale has it. What never differs has
    # none, and tells nothing.
    spread, middle = (columns.std(axis=0), columns.mean(axis=0)) if len(pairs) else (np.zeros(3), np.zeros(3))
    scale = np.where(spread > _SPREAD_MIN, spread, 1.0)
    middle[0] = 0.0
    inputs = (columns - middle) / scale
    if towards is None:
        rate = (pairs.yes.sum() + 0.5) / (len(pairs) + 1)
        goal, ridge = np.array([np.log(rate / (1 - rate)), 0.0, 0.0]), np.array([1e-6, _RIDGE, _RIDGE])
    else:
        known = np.array([towards.intercept, towards.slope, towards.activity])
        goal, ridge = known * scale, np.full(3, _TOWARDS_ALL)
        goal[0] = known @ np.where(np.arange(3) == 0, 1.0, middle)
    weights = _newton(inputs, pairs.yes, goal=goal, ridge=ridge)
    slope = max(float(weights[1] / scale[1]), _SLOPE_MIN / scale[1])
    activity = round(float(weights[2] / scale[2]), 9)
    # A slope that is held up leaves the line where it was in the middle.
    intercept = float(weights[0] - slope * middle[1] - activity * middle[2])
    return Curve(intercept=intercept, slope=slope, activity=activity, at=np.zeros(0), log_odds=np.zeros(0))


def _newton(inputs: Numbers, yes: Mask, *, goal: Numbers, ridge: Numbers) -> Numbers:
    weights = goal.copy()
    for _ in range(_STEPS):
        probabilities = _sigmoid(np.einsum("ij,j->i", inputs, weights))
        gradient = np.einsum("ij,i->j", inputs, probabilities - yes) + ridge * (weights - goal)
        curvature = np.einsum("ij,i,ik->jk", inputs, probabilities * (1 - probabilities), inputs) + np.diag(ridge)
        step = np.linalg.solve(curvature, gradient)
        # A long step overshoots where the curve is flat.
        weights = weights - step * min(1.0, 2.0 / max(float(np.abs(step).max()), 1e-12))
        if np.abs(step).max() < 1e-9:
            break
    return weights


def _with_bends(line: Curve, pairs: Pairs) -> Curve:
    """The curve through the rates seen along the line: neighbours are pooled until each has enough, and they rise."""
    along = line.intercept + line.activity * np.log1p(pairs.takings) + line.slope * pairs.score
    order = np.argsort(along, kind="stable")
    yeses = pairs.yes[order]
    most = int(min(POOLS_MAX, yeses.sum() / POOL_MIN))
    if most < 2:
        return line
    # Cut so that each pool begins with as many yeses as the others.
    marks = np.flatnonzero(yeses)[(np.arange(1, most) * yeses.sum()) // most]
    pools: list[tuple[float, float, float]] = []
    for part, said in zip(np.split(along[order], marks), np.split(yeses, marks), strict=True):
        pools.append((float(len(part)), float(part.sum()), float(said.sum())))
        while len(pools) > 1 and pools[-2][2] * pools[-1][0] >= pools[-1][2] * pools[-2][0]:
            last, before = pools.pop(), pools.pop()
            pools.append((before[0] + last[0], before[1] + last[1], before[2] + last[2]))
    if len(pools) < 2:
        return line
    count, total, said_yes = np.array(pools).T
    rates = (said_yes + 0.5) / (count + 1)
    at, log_odds = (total / count).round(9), np.log(rates / (1 - rates)).round(9)
    if (np.diff(at) <= 0).any() or (np.diff(log_odds) <= 0).any():
        return line
    return Curve(intercept=line.intercept, slope=line.slope, activity=line.activity, at=at, log_odds=log_odds)


def _sigmoid(log_odds: Numbers) -> Numbers:
    odds = _clipped(log_odds, -_LOG_ODDS_MAX, _LOG_ODDS_MAX)
    np.exp(odds, out=odds)
    odds /= 1 + odds
    return odds


def _clipped(numbers: Numbers, least: float, greatest: float) -> Numbers:
    """What numpy's `clip` answers, without its many questions."""
    found: Numbers = np.maximum(numbers, least)
    return np.minimum(found, greatest, out=found)
