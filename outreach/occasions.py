"""Is there still an occasion when a candidate is looked at? Asked of the person view, past the door."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from consent.door import Allowed
from consent.purposes import PROFILE, SENSITIVE, category_purpose
from outreach.candidates import Candidate
from outreach.conditions import Alerted, BoughtAgain, Unsolved
from outreach.triggers import Trigger
from profiles.cases import is_open_complaint
from profiles.facet import Cell, Order, Placed
from profiles.view import PersonView

_DAY_MS = 24 * 3_600_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Occasion:
    """Something to speak about.

    `key` tells one occasion of a trigger and a person from another: a case, a machine or a category with the ISO week.
    `at` is when it arose (ms).
    `evidence` holds the event keys (hex) it rests on, `count` how many there are. A `sensitive` one is not said aloud.
    """

    key: str
    at: int
    service: str
    count: int
    evidence: tuple[str, ...]
    sensitive: bool = False


def occasion_of(trigger: Trigger, candidate: Candidate, view: PersonView, *, now: int) -> Occasion | None:
    """The occasion as it stands at `now` (ms); None where it has passed or never was one."""
    match trigger.when:
        case Unsolved():
            return _unsolved(trigger, candidate, view, now)
        case Alerted():
            # The machine's facts are its own: its alert is named, not read.
            key = f"{candidate.about} {iso_week(candidate.at)}"
            evidence = (candidate.key.hex(),)
            return Occasion(key=key, at=candidate.at, service=trigger.service, count=1, evidence=evidence)
        case BoughtAgain() as when:
            permitted = {
                purpose
                for purpose in (PROFILE, SENSITIVE)
                if isinstance(view.permits(purpose, at=now, known_at=now), Allowed)
            }
            return _bought_again(trigger, when, candidate, view.service.orders, permitted)


def tells_too_much(trigger: Trigger, view: PersonView | None, *, now: int) -> bool:
    """Tell whether already that the trigger was set off says what only `data.sensitive` may, and that is closed."""
    categories = trigger.when.categories if isinstance(trigger.when, BoughtAgain) else ()
    if not categories or any(category_purpose(category) != SENSITIVE for category in categories):
        return False
    return view is None or not view.permits(SENSITIVE, at=now, known_at=now)


def iso_week(at: int) -> str:
    """The ISO week of a time (ms), in UTC: `2026-W09`."""
    year, week, _ = datetime.fromtimestamp(at / 1000, tz=UTC).isocalendar()
    return f"{year}-W{week:02d}"


def _unsolved(trigger: Trigger, candidate: Candidate, view: PersonView, now: int) -> Occasion | None:
    case = view.service.cases.get(candidate.record)
    if case is None or case.complaint is None or not is_open_complaint(case, at=now):
        return None
    at, evidence = candidate.at + trigger.after_ms, (case.complaint.key.hex(),)
    return Occasion(key=candidate.record, at=at, service=trigger.service, count=1, evidence=evidence)


def _bought_again(
    trigger: Trigger, when: BoughtAgain, candidate: Candidate, orders: Mapping[str, Order], permitted: set[str]
) -> Occasion | None:
    this = orders.get(candidate.record)
    if this is None or this.placed is None:
        return None
    found = []
    for category in sorted({line.category for line in this.placed.value.lines if line.category is not None}):
        needed = category_purpose(category)
        if needed not in permitted or (when.categories and category not in when.categories):
            continue
        bought = _in_one_window(sorted(_placed(orders, category)), this.placed, when.within_days * _DAY_MS)
        if len(bought) >= when.at_least:
            found.append((len(bought), category, bought, needed == SENSITIVE))
    if not found:
        return None
    count, category, bought, sensitive = max(found, key=lambda each: (each[0], each[1]))
    if not trigger.is_fresh(bought[-1][0], candidate.received):
        return None
    return Occasion(
        key=f"{category} {iso_week(bought[-1][0])}",
        at=bought[-1][0],
        service=trigger.service_by_category.get(category, trigger.service),
        count=count,
        evidence=tuple(key.hex() for _, key in bought[-8:]),
        sensitive=sensitive,
    )


def _placed(orders: Mapping[str, Order], category: str) -> Iterator[tuple[int, bytes]]:
    for order in orders.values():
        placed = order.placed
        if (
            placed is not None
            and order.cancelled is None
            and any(line.category == category for line in placed.value.lines)
        ):
            yield placed.at, placed.key


def _in_one_window(bought: list[tuple[int, bytes]], this: Cell[Placed], window: int) -> list[tuple[int, bytes]]:
    """The most orders that lie within one window with this one: an order may become known before an earlier one."""
    ends = [at for at, _ in bought if this.at <= at < this.at + window]
    runs = ([each for each in bought if end - window < each[0] <= end] for end in ends)
    return max(runs, key=lambda run: (len(run), run), default=[])
