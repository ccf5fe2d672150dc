"""How often presented suggestions are accepted, by control group, with intervals; of permitted people only."""

import math
from collections import defaultdict
from collections.abc import Iterable
from typing import Final, NamedTuple

import msgspec

from events.feedback import SuggestionAnswered, SuggestionPresented
from profiles.permitted import Permitted
from recommender.uplift import ARMS, Arm, Experiment, arm_in

LEAST: Final = 10
"""Figures of fewer people are not told."""
Z_95: Final = 1.959964
"""The 0.975 quantile of the normal distribution."""


class Interval(NamedTuple):
    """Where a figure lies with 95 % confidence."""

    low: float
    high: float


class ArmFigures(msgspec.Struct, frozen=True, kw_only=True):
    """A group: people, decisions that were presented, how many of them were accepted, as a share with its interval.

    All but the name is None of a group of fewer than `LEAST` people.
    """

    arm: Arm
    people: int | None = None
    presented: int | None = None
    accepted: int | None = None
    rate: float | None = None
    interval: Interval | None = None


class Lift(msgspec.Struct, frozen=True, kw_only=True):
    """What `full` accepts more than another group: the difference of their rates, with its interval."""

    over: Arm
    difference: float
    interval: Interval


class UpliftReport(msgspec.Struct, frozen=True, kw_only=True):
    """The groups, and what serving in full brings. `mixed` are people left out: they were in two groups."""

    experiment: str
    since: int
    arms: tuple[ArmFigures, ...]
    lifts: tuple[Lift, ...]
    mixed: int | None
    least: int = LEAST


class _Seen(NamedTuple):
    """A decision that was presented: to whom, in which group."""

    person: str
    arm: Arm


def uplift(facts: Iterable[Permitted], *, experiment: Experiment, key: bytes) -> UpliftReport:
    """The report over permitted facts; `key` is the one that decision ids are made under.

    A decision counts once however often it was presented, and is accepted when the latest answer to any of its
    services is a yes. An answer to what was never presented counts for nothing.
    """
    seen: dict[str, _Seen] = {}
    said: dict[tuple[str, str], tuple[int, bytes, bool]] = {}
    for person, _, fact in facts:
        body = fact.body
        if isinstance(body, SuggestionPresented) and fact.occurred_at >= experiment.since:
            arm = arm_in(body.decision, experiment=experiment.name, key=key)
            if arm is not None:
                seen[body.decision] = _Seen(person, arm)
        elif isinstance(body, SuggestionAnswered):
            answer = (fact.occurred_at, fact.event_key, body.answer == "accepted")
            about = (body.decision, body.service)
            said[about] = max(said.get(about, answer), answer)
    accepted = {decision for (decision, _), (_, _, is_yes) in said.items() if is_yes}
    mixed = _mixed(seen.values())
    counted = {decision: each for decision, each in seen.items() if each.person not in mixed}
    arms = tuple(_figures(arm, counted, accepted) for arm in ARMS)
    return UpliftReport(
        experiment=experiment.name,
        since=experiment.since,
        arms=arms,
        lifts=tuple(_lifts(arms)),
        mixed=None if 0 < len(mixed) < LEAST else len(mixed),
    )


def wilson(successes: int, trials: int) -> Interval:
    """The score interval of a share (Wilson 1927), 95 %; trials > 0."""
    share, square = successes / trials, Z_95**2
    middle = share + square / (2 * trials)
    spread = Z_95 * math.sqrt((share * (1 - share) + square / (4 * trials)) / trials)
    scale = 1 + square / trials
    return Interval(max(0.0, (middle - spread) / scale), min(1.0, (middle + spread) / scale))


def newcombe(one: tuple[int, int], other: tuple[int, int]) -> Interval:
    """The interval of a difference of shares, each (successes, trials), 95 %: method 10 of Newcombe 1998."""
    (low, high), (other_low, other_high) = wilson(*one), wilson(*other)
    share, other_share = one[0] / one[1], other[0] / other[1]
    difference = share - other_share
    return Interval(
        difference - math.hypot(share - low, other_high - other_share),
        difference + math.hypot(high - share, other_share - other_low),
    )


def _mixed(seen: Iterable[_Seen]) -> set[str]:
    """People who were in more than one group: their identities were linked only after both were exposed."""
    arms: defaultdict[str, set[Arm]] = defaultdict(set)
    for person, arm in seen:
        arms[person].add(arm)
    return {person for person, found in arms.items() if len(found) > 1}


def _figures(arm: Arm, seen: dict[str, _Seen], accepted: set[str]) -> ArmFigures:
    mine = {decision: each.person for decision, each in seen.items() if each.arm == arm}
    people = len(set(mine.values()))
    if people < LEAST:
        return ArmFigures(arm=arm)
    yes = len(accepted & mine.keys())
    return ArmFigures(
        arm=arm,
        people=people,
        presented=len(mine),
        accepted=yes,
        rate=yes / len(mine),
        interval=wilson(yes, len(mine)),
    )


def _lifts(arms: Iterable[ArmFigures]) -> Iterable[Lift]:
    counts = {each.arm: (each.accepted, each.presented) for each in arms if each.accepted is not None}
    full = counts.pop("full", None)
    for arm, (accepted, presented) in counts.items():
        if full is None or full[1] is None or presented is None:
            continue
        one, other = (full[0], full[1]), (accepted, presented)
        yield Lift(over=arm, difference=one[0] / one[1] - other[0] / other[1], interval=newcombe(one, other))
