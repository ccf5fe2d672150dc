"""Traits of how we served: cases, answers, solutions, contacts, waiting."""

from collections import Counter
from typing import Any, Final

from consent.purposes import SERVICE
from profiles.cases import first_opened, is_open, is_open_complaint, last_solved
from profiles.facet import CELLS_MAX, Case, Cell, Contact, Ended, Opened
from profiles.traits.trait import DAY_MS, KEPT_DAYS, NOTHING, Finding, Moment, Trait, mean, share

TOUCHPOINTS_MAX: Final = 10


def _started_in(moment: Moment) -> list[tuple[Cell[Opened], Case]]:
    pairs = [(first_opened(case), case) for case in moment.service.cases.values()]
    return [(start, case) for start, case in pairs if start is not None and moment.covers(start)]


def _open_cases(moment: Moment) -> Finding:
    starts = [start for start, case in _started_in(moment) if is_open(case, at=moment.now)]
    return Finding(len(starts), len(starts), starts)


def _open_complaints(moment: Moment) -> Finding:
    cells = [case.complaint for case in moment.service.cases.values() if is_open_complaint(case, at=moment.now)]
    found = [cell for cell in cells if cell is not None and moment.covers(cell)]
    return Finding(len(found), len(found), found)


def _complaint_recency(moment: Moment) -> Finding:
    complaints = [
        case.complaint
        for case in moment.service.cases.values()
        if case.complaint is not None and moment.covers(case.complaint)
    ]
    if not complaints:
        return NOTHING
    days = (moment.now - max(cell.at for cell in complaints)) // DAY_MS
    return Finding({"days": days, "complaints": len(complaints)}, len(complaints), complaints)


def _first_answer_time(moment: Moment) -> Finding:
    waits: list[int] = []
    cells: list[Cell[Any]] = []
    for start, case in _started_in(moment):
        answers = [reply for reply in case.replies if start.at <= reply.at <= moment.now]
        # With as many answers as are kept, the first may be forgotten.
        if answers and len(case.replies) < CELLS_MAX:
            first = min(answers, key=lambda reply: (reply.at, reply.key))
            waits.append(first.at - start.at)
            cells += (start, first)
    return _times(waits, cells)


def _solution_time(moment: Moment) -> Finding:
    waits: list[int] = []
    cells: list[Cell[Any]] = []
    for start, case in _started_in(moment):
        solved = last_solved(case, at=moment.now)
        if solved is not None and start.at <= solved.at:
            waits.append(solved.at - start.at)
            cells += (start, solved)
    return _times(waits, cells)


def _times(waits: list[int], cells: list[Cell[Any]]) -> Finding:
    return Finding({"mean_ms": mean(waits), "longest_ms": max(waits)}, len(waits), cells) if waits else NOTHING


def _reopen_rate(moment: Moment) -> Finding:
    solved = [case for case in moment.service.cases.values() if any(moment.covers(cell) for cell in case.resolved)]
    if not solved:
        return NOTHING
    again = [case.reopened[0] for case in solved if case.reopened and moment.knows(case.reopened[-1])]
    return Finding(share(len(again), len(solved)), len(solved), [*again, *(case.resolved[0] for case in solved)])


def _began(contact: Contact) -> Cell[Any] | None:
    return contact.started or contact.ended


def _is_outbound(contact: Contact) -> bool:
    return contact.started is not None and contact.started.value.outbound


def _ended_in(moment: Moment) -> list[Cell[Ended]]:
    inbound = [contact.ended for contact in moment.service.contacts.values() if not _is_outbound(contact)]
    return [ended for ended in inbound if ended is not None and moment.covers(ended)]


def _contacts(moment: Moment) -> Finding:
    begun = [_began(contact) for contact in moment.service.contacts.values() if not _is_outbound(contact)]
    cells = [cell for cell in begun if cell is not None and moment.covers(cell)]
    return Finding(len(cells), len(cells), cells)


def _wait(moment: Moment) -> Finding:
    ended = [cell for cell in _ended_in(moment) if cell.value.wait_ms is not None]
    waits = [cell.value.wait_ms for cell in ended if cell.value.wait_ms is not None]
    return _times(waits, list(ended))


def _to_human_rate(moment: Moment) -> Finding:
    ended = _ended_in(moment)
    if not ended:
        return NOTHING
    return Finding(share(sum(cell.value.to_human for cell in ended), len(ended)), len(ended), ended)


def _reach_rate(moment: Moment) -> Finding:
    outbound = [contact.ended for contact in moment.service.contacts.values() if _is_outbound(contact)]
    ended = [cell for cell in outbound if cell is not None and moment.covers(cell)]
    if not ended:
        return NOTHING
    return Finding(share(sum(cell.value.reached for cell in ended), len(ended)), len(ended), ended)


def _channel_mix(moment: Moment) -> Finding:
    begun = [contact.started for contact in moment.service.contacts.values() if not _is_outbound(contact)]
    cells = [cell for cell in begun if cell is not None and moment.covers(cell)]
    if not cells:
        return NOTHING
    counts = Counter(cell.value.channel or "unknown" for cell in cells)
    ranked = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    return Finding({channel: share(count, len(cells)) for channel, count in ranked}, len(cells), cells)


def _last_touchpoints(moment: Moment) -> Finding:
    points = [point for touch in moment.service.touch.values() for point in touch.points if moment.covers(point)]
    if not points:
        return NOTHING
    newest = sorted(points, key=lambda point: (point.at, point.key), reverse=True)[:TOUCHPOINTS_MAX]
    value = tuple({"type": point.value[0], "channel": point.value[1], "at": point.at} for point in newest)
    return Finding(value, len(newest), newest)


SERVICE_TRAITS: Final = tuple(
    Trait(name=name, purpose=SERVICE, window_days=days, formula=formula, sources=sources, compute=compute)
    for name, days, formula, sources, compute in (
        (
            "open_cases",
            KEPT_DAYS,
            "cases whose last solution is older than their request, complaint or reopening",
            ("cases",),
            _open_cases,
        ),
        ("open_complaints", KEPT_DAYS, "complaints whose case is open", ("cases",), _open_complaints),
        (
            "complaint_recency",
            365,
            "whole days since the last complaint, and how many there were",
            ("cases.complaint",),
            _complaint_recency,
        ),
        (
            "first_answer_time",
            365,
            f"ms from a case's start to our first answer, mean and longest; left out with {CELLS_MAX} answers or more",
            ("cases.opened", "cases.complaint", "cases.replies"),
            _first_answer_time,
        ),
        (
            "solution_time",
            365,
            "ms from a case's start to the solution that stands, mean and longest; open cases left out",
            ("cases.opened", "cases.complaint", "cases.resolved", "cases.reopened"),
            _solution_time,
        ),
        (
            "reopen_rate",
            365,
            "cases that were ever reopened / cases solved in the window",
            ("cases.resolved", "cases.reopened"),
            _reopen_rate,
        ),
        (
            "contacts",
            90,
            "contacts that did not come from us",
            ("contacts.started", "contacts.ended"),
            _contacts,
        ),
        (
            "wait",
            90,
            "ms until somebody answered, mean and longest, over contacts that ended",
            ("contacts.ended",),
            _wait,
        ),
        (
            "to_human_rate",
            90,
            "contacts handed over to a human / contacts that ended",
            ("contacts.ended",),
            _to_human_rate,
        ),
        (
            "reach_rate",
            90,
            "contacts of ours that reached the person / contacts of ours that ended",
            ("contacts.started", "contacts.ended"),
            _reach_rate,
        ),
        (
            "channel_mix",
            365,
            "contacts that did not come from us, by channel, as shares",
            ("contacts.started",),
            _channel_mix,
        ),
        (
            "last_touchpoints",
            KEPT_DAYS,
            f"the newest {TOUCHPOINTS_MAX} events of any kind, newest first",
            ("touch",),
            _last_touchpoints,
        ),
    )
)
