"""What a trait is: a pure function of a section and the moment, with everything needed to trust its figure."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from profiles.facet import Cell, ServiceSection

DAY_MS: Final = 24 * 3600 * 1000
EVIDENCE_MAX: Final = 16
KEPT_DAYS: Final = 1096
"""As far back as facts are kept (see `profiles.joining`)."""

Value = int | float | str | bool | None | Mapping[str, "Value"] | Sequence["Value"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TraitValue:
    """A trait's figure: `value` is None where the sample is empty.

    `window` is (after, until] in ms; `evidence` names the newest events it rests on by their keys (hex).
    """

    value: Value
    sample_size: int
    window: tuple[int, int]
    evidence: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """What a trait may look at: the merged service section, from after `since` until `now` (ms).

    `sensitive`: the door lets categories be used that tell of children or health.
    """

    service: ServiceSection
    now: int
    since: int
    sensitive: bool = False

    def knows(self, cell: Cell[Any] | None) -> bool:
        """Tell whether it had happened by now."""
        return cell is not None and cell.at <= self.now

    def covers(self, cell: Cell[Any] | None) -> bool:
        """Tell whether it happened within the window."""
        return cell is not None and self.since < cell.at <= self.now


class Finding(NamedTuple):
    """What a trait found: its value, how many things it counted, and the cells it rests on."""

    value: Value
    sample_size: int = 0
    cells: Iterable[Cell[Any]] = ()


NOTHING: Final = Finding(None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trait:
    """A trait's definition; `formula` and `sources` are for people, `compute` is the same for the machine."""

    name: str
    purpose: str
    window_days: int
    formula: str
    sources: tuple[str, ...]
    compute: Callable[[Moment], Finding]

    def value(self, service: ServiceSection, *, now: int, sensitive: bool = False) -> TraitValue:
        """The figure as of now (ms)."""
        since = now - self.window_days * DAY_MS
        found = self.compute(Moment(service=service, now=now, since=since, sensitive=sensitive))
        return TraitValue(
            value=found.value,
            sample_size=found.sample_size,
            window=(since, now),
            evidence=_evidence(found.cells),
        )


def share(part: int, whole: int) -> float:
    """Part of a whole that is not empty, to four places."""
    return round(part / whole, 4)


def mean(numbers: Sequence[int]) -> float:
    """The mean of at least one number, to two places."""
    return round(sum(numbers) / len(numbers), 2)


def _evidence(cells: Iterable[Cell[Any]]) -> tuple[str, ...]:
    newest_first = sorted({(cell.at, cell.key) for cell in cells}, reverse=True)
    return tuple(key.hex() for _, key in newest_first[:EVIDENCE_MAX])
