"""What a simulation tells: counts cut down so that nothing is learned of a few, shares, intervals, differences.

Counts of people are told in whole multiples of `least`, rounded down, and groups of fewer than `least` are not told,
so that no difference of two figures leads to somebody. Among people who are made up, `least` is 1.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import msgspec

from recommender.catalogue import Catalogue
from recommender.simulate import STAGES, Simulated, Tally
from recommender.uplift_report import LEAST, Interval, newcombe, wilson


class Served(msgspec.Struct, frozen=True, kw_only=True):
    """A service: how many get it first and at all, as shares of all people too; and at which stages it dropped out."""

    service: str
    issue: str
    first: int
    first_share: float
    shown: int
    shown_share: float
    dropped: dict[str, int]


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """A rule: how many people it took something from, how many services per person on average."""

    stage: str
    because: str
    people: int
    services_per_person: float


class Level(msgspec.Struct, frozen=True, kw_only=True):
    """How many services are left per person, on average, after a stage."""

    stage: str
    services_per_person: float


class Left(msgspec.Struct, frozen=True, kw_only=True):
    """People with nothing but the fallback, by the stage that took the last service from them."""

    stage: str
    people: int


class SideReport(msgspec.Struct, frozen=True, kw_only=True):
    """One side. `propensity` is the mean of the first suggestions', what a first suggestion is likely to be taken."""

    name: str
    model: str
    catalogue: str
    people: int
    modes: dict[str, int]
    issues: dict[str, int]
    services: tuple[Served, ...]
    funnel: tuple[Level, ...]
    rules: tuple[Rule, ...]
    left: tuple[Left, ...]
    left_people: int
    vague_people: int
    propensity: float


class Disparity(msgspec.Struct, frozen=True, kw_only=True):
    """How often an outcome is a group's, with its interval, and how much oftener than everybody else's.

    `stands_out` where chance alone hardly makes such a difference (its 95 % interval leaves out 0).
    """

    attribute: str
    group: str
    people: int
    outcome: str
    rate: float
    interval: Interval
    difference: float
    difference_interval: Interval
    stands_out: bool


class Moved(msgspec.Struct, frozen=True, kw_only=True):
    """People whose first suggestion becomes another one."""

    before: str
    after: str
    people: int


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """What the second side changes: people with another first suggestion, or any other list; `cost` in propensity."""

    first_changes: int
    list_changes: int
    moved: tuple[Moved, ...]
    cost: float


class SimulationReport(msgspec.Struct, frozen=True, kw_only=True):
    """All of it. `refused` are people who do not let themselves be counted; `least` is what counts are cut to."""

    least: int
    refused: int
    sides: tuple[SideReport, ...]
    disparity: tuple[Disparity, ...]
    hidden_groups: int
    compared: Compared | None = None


@dataclass(frozen=True, slots=True)
class _Teller:
    least: int

    def count(self, people: int) -> int:
        return people // self.least * self.least

    def share(self, part: float, whole: int) -> float:
        """A share in whole percent, where people are real."""
        return round(part / whole, 2 if self.least > 1 else 6) if whole else 0.0

    def counts(self, counted: Mapping[str, int]) -> dict[str, int]:
        """By name, the most first; whatever is not told is left out."""
        told = ((name, self.count(people)) for name, people in counted.items())
        return dict(sorted(((name, people) for name, people in told if people), key=lambda each: (-each[1], each[0])))


def report_of(found: Simulated, *, least: int = LEAST) -> SimulationReport:
    """The report of a simulation."""
    teller = _Teller(least)
    shown = [*_disparity(found, teller)]
    groups = {group: people for group, people in found.groups.items() if people < least}
    return SimulationReport(
        least=least,
        refused=teller.count(found.refused),
        sides=tuple(_side(tally, teller) for tally in found.sides),
        disparity=tuple(shown),
        hidden_groups=len(groups),
        compared=_compared(found, teller) if len(found.sides) > 1 else None,
    )


def _side(tally: Tally, teller: _Teller) -> SideReport:
    catalogue = tally.side.catalogue
    return SideReport(
        name=tally.side.name,
        model=tally.side.artifact.name,
        catalogue=catalogue.hash,
        people=teller.count(tally.people),
        modes=teller.counts(tally.modes),
        issues=teller.counts(tally.first_issues),
        services=tuple(_services(tally, teller)),
        funnel=tuple(_levels(tally, catalogue, teller)),
        rules=tuple(_rules(tally, teller)),
        left=tuple(Left(stage=stage, people=people) for stage, people in teller.counts(tally.left).items()),
        left_people=teller.count(tally.left.total()),
        vague_people=teller.count(tally.vague),
        propensity=round(tally.propensity / max(tally.people, 1), 4),
    )


def _services(tally: Tally, teller: _Teller) -> Iterator[Served]:
    dropped: dict[str, Counter[str]] = {}
    for (name, stage, _), people in tally.removed.items():
        dropped.setdefault(name, Counter())[stage] += people
    order = sorted(
        tally.side.catalogue.services, key=lambda each: (-tally.first[each.id], -tally.shown[each.id], each.id)
    )
    for service in order:
        yield Served(
            service=service.id,
            issue=service.issue,
            first=teller.count(tally.first[service.id]),
            first_share=teller.share(tally.first[service.id], tally.people),
            shown=teller.count(tally.shown[service.id]),
            shown_share=teller.share(tally.shown[service.id], tally.people),
            dropped=teller.counts(dropped.get(service.id, {})),
        )


def _levels(tally: Tally, catalogue: Catalogue, teller: _Teller) -> Iterator[Level]:
    by_stage: Counter[str] = Counter()
    for (_, stage, _), removed in tally.removed.items():
        by_stage[stage] += removed
    remaining = float(len(catalogue.services) * tally.people)
    people = max(tally.people, 1)
    yield Level(stage="catalogue", services_per_person=teller.share(remaining, people))
    for stage in STAGES:
        remaining -= by_stage[stage]
        yield Level(stage=stage, services_per_person=teller.share(remaining, people))


def _rules(tally: Tally, teller: _Teller) -> Iterator[Rule]:
    by_rule: Counter[tuple[str, str]] = Counter()
    for (_, *rule), pairs in tally.removed.items():
        by_rule[rule[0], rule[1]] += pairs
    for (stage, because), removed in by_rule.most_common():
        people = teller.count(tally.refused[stage, because])
        if people:
            yield Rule(
                stage=stage,
                because=because,
                people=people,
                services_per_person=teller.share(removed, max(tally.people, 1)),
            )


def _disparity(found: Simulated, teller: _Teller) -> Iterable[Disparity]:
    outcomes = sorted({outcome for *_, outcome in found.outcomes})
    for (attribute, group), people in sorted(found.groups.items()):
        everybody = sum(count for (of, _), count in found.groups.items() if of == attribute)
        others = everybody - people
        if people < teller.least or others < teller.least:
            continue
        for outcome in outcomes:
            mine = found.outcomes[attribute, group, outcome]
            all_of_it = sum(
                count for (of, _, what), count in found.outcomes.items() if (of, what) == (attribute, outcome)
            )
            difference = newcombe((mine, people), (all_of_it - mine, others))
            yield Disparity(
                attribute=attribute,
                group=group,
                people=teller.count(people),
                outcome=outcome,
                rate=teller.share(mine, people),
                interval=_rounded(wilson(mine, people)),
                difference=round(mine / people - (all_of_it - mine) / others, 2),
                difference_interval=_rounded(difference),
                stands_out=difference.low > 0 or difference.high < 0,
            )


def _rounded(interval: Interval) -> Interval:
    return Interval(round(interval.low, 2), round(interval.high, 2))


def _compared(found: Simulated, teller: _Teller) -> Compared:
    before, after = found.sides[:2]
    people = max(before.people, 1)
    moved = (
        Moved(before=move.before, after=move.after, people=teller.count(count))
        for move, count in found.moved.most_common()
    )
    return Compared(
        first_changes=teller.count(found.moved.total()),
        list_changes=teller.count(found.other_lists),
        moved=tuple(each for each in moved if each.people),
        cost=round((before.propensity - after.propensity) / people, 4),
    )
