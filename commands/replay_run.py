"""The run of a replay: check each line as admission will, send it, know how far everything is acknowledged."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, Literal, Protocol

from commands.olist import OlistUnreadable
from commands.replay_input import Input, InputUnreadable, Line, part
from events.admission import Admission, Door, EventRefused, parse_json
from streams.producer import DeliveryFailed

NUMBERS_MAX: Final = 5
"""Line numbers named per kind of refusal."""

Ending = Literal["under_way", "complete", "limit", "interrupted", "unreadable", "undelivered"]


class Outlet(Protocol):
    """Where lines go; see `streams.producer.IntakeProducer`."""

    @property
    def oldest(self) -> int | None: ...
    def send(self, *, place: int, key: bytes, value: bytes) -> None: ...
    def first_unacknowledged(self) -> int | None: ...
    def flush(self) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Precheck:
    """The rules of admission, asked before anything is sent; `clock` tells milliseconds since 1970."""

    admission: Admission
    door: Door
    clock: Callable[[], int]

    def key_of(self, raw: bytes) -> bytes | EventRefused:
        """The record key of an event that will be admitted, its clear identity; else why it will not be."""
        parsed = parse_json(raw)
        if isinstance(parsed, EventRefused):
            return parsed
        answer = self.admission.admit_parsed(parsed, door=self.door, received_at=self.clock())
        return answer if isinstance(answer, EventRefused) else str(parsed["subject"]).encode()


@dataclass(slots=True)
class Refused:
    """How often a refusal came up, the first lines it came up at, and what the first one lacked."""

    detail: str
    count: int = 0
    lines: list[int] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class Tally:
    """What became of the lines of this run; `handled` and `acknowledged` are places in the whole sequence."""

    start: int
    handled: int
    acknowledged: int
    sent: int = 0
    repeats: int = 0
    refused: dict[str, Refused] = field(default_factory=dict)
    ending: Ending = "under_way"
    detail: str = ""

    @property
    def refused_count(self) -> int:
        """Lines that were not sent."""
        return sum(each.count for each in self.refused.values())

    def refuse(self, line: Line, refusal: EventRefused) -> None:
        """Count a refused line; its repeat is not another one."""
        if line.again:
            return
        kind = self.refused.setdefault(refusal.code, Refused(refusal.detail))
        kind.count += 1
        if len(kind.lines) < NUMBERS_MAX:
            kind.lines.append(line.number)

    def as_json(self) -> dict[str, Any]:
        """The summary for a program."""
        return {
            "ending": self.ending,
            "detail": self.detail,
            "resumed_at": self.start,
            "acknowledged": self.acknowledged,
            "sent": self.sent,
            "repeats": self.repeats,
            "refused": {
                code: {"count": each.count, "first_lines": each.lines, "detail": each.detail}
                for code, each in sorted(self.refused.items())
            },
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """How a run goes: from which place, how many at most, when to stop, how fast, and whom to tell after each line."""

    start: int = 0
    limit: int | None = None
    stopping: Callable[[], bool] = lambda: False
    pace: Callable[[int], None] = lambda _sent: None
    told: Callable[[Tally], None] = lambda _tally: None


def run(source: Input, *, precheck: Precheck, outlet: Outlet, course: Course) -> Tally:
    """Send the input; the tally says how it ended. Everything before its `acknowledged` is on the log or refused."""
    tally = Tally(start=course.start, handled=course.start, acknowledged=course.start)
    try:
        try:
            ending: Ending = _send_all(source, precheck=precheck, outlet=outlet, course=course, tally=tally)
        except (InputUnreadable, OlistUnreadable) as error:
            ending, tally.detail = "unreadable", str(error)
        outlet.flush()
    except DeliveryFailed as error:
        ending, tally.detail = "undelivered", str(error)
    tally.acknowledged = tally.handled if outlet.oldest is None else outlet.oldest
    tally.ending = ending
    course.told(tally)
    return tally


def _send_all(source: Input, *, precheck: Precheck, outlet: Outlet, course: Course, tally: Tally) -> Ending:
    for place, line in part(source, start=course.start, limit=course.limit):
        course.pace(tally.sent)
        if course.stopping():
            return "interrupted"
        key = precheck.key_of(line.raw)
        if isinstance(key, EventRefused):
            tally.refuse(line, key)
        else:
            outlet.send(place=place, key=key, value=line.raw)
            tally.sent += 1
            tally.repeats += line.again
        tally.handled = place + 1
        oldest = outlet.first_unacknowledged()
        tally.acknowledged = tally.handled if oldest is None else oldest
        course.told(tally)
    return "limit" if course.limit is not None and tally.handled == course.start + course.limit else "complete"
