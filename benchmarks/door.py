"""`python -m benchmarks door`: what one question to the door costs, in one process.

CPU time of single calls of `permits`, so that neither the machine's other work nor the reading of a person is in it.
The middle, and the slowest in a hundred, over people of one to four identities in both jurisdictions.
"""

import statistics
import time
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.options import ResultsOption
from benchmarks.results import RESULTS, Results, keep, machine
from benchmarks.tables import machine_line
from consent.door import Part, Subject, permits, subject_of
from consent.purposes import PROFILE, PURPOSES, SENSITIVE, SERVICE, SUGGEST
from consent.rules import shipped_rules
from consent.state import NEVER_ASKED, Cause, Form, Grant, No, with_grant, with_no

BAR_US: Final = 50.0
NOW: Final = 1_790_000_000_000
IDENTITIES: Final = (1, 2, 4)
ASKED: Final = (SERVICE, PROFILE, SUGGEST, SENSITIVE, "outreach.email")
_WARM: Final = 2_000


def main(
    *,
    calls: Annotated[int, typer.Option(help="questions of each kind")] = 50_000,
    results: ResultsOption = RESULTS,
) -> None:
    """Ask, and keep the figures."""
    runs = [_timed(purpose, identities, calls) for identities in IDENTITIES for purpose in ASKED]
    found = Results(experiment="door", settings={"calls": calls}, machine=machine(), runs=runs)
    keep(found, results / "door.json")
    Console().print(_table(found.runs), machine_line(found))


def _timed(purpose: str, identities: int, calls: int) -> dict[str, Any]:
    who = [_subject(identities, jurisdiction) for jurisdiction in ("EU", "CN")]
    for one in who * _WARM:
        _ask(one, purpose)
    took_ns = sorted(_ask(who[number % 2], purpose) for number in range(calls))
    return {
        "purpose": purpose,
        "identities": identities,
        "p50_us": statistics.median(took_ns) / 1000,
        "p99_us": took_ns[calls * 99 // 100] / 1000,
    }


def _ask(subject: Subject, purpose: str) -> int:
    began = time.thread_time_ns()
    answer = permits(subject, purpose, at=NOW, known_at=NOW)
    took = time.thread_time_ns() - began
    if not answer:
        raise AssertionError(f"{purpose} should be open, and is {answer.because}")
    return took


def _subject(identities: int, jurisdiction: str) -> Subject:
    """Somebody who said no once and yes to everything later, on each identity."""
    parts = tuple(_part(number) for number in range(identities))
    return subject_of(parts=parts, jurisdiction=jurisdiction, read_at=NOW, rules=shipped_rules())


def _part(number: int) -> Part:
    key = number.to_bytes(8)
    no = with_no(NEVER_ASKED, No(NOW - 200 + number, NOW - 200 + number, key, Cause.REFUSED))
    grant = Grant(NOW - 100 + number, NOW - 100 + number, 0, key, form=Form.SEPARATE)
    return Part(f"app:{number}", dict.fromkeys(PURPOSES, with_grant(no, grant)))


def _table(runs: list[dict[str, Any]]) -> Table:
    table = Table("purpose", "identities", "p50 µs", "p99 µs", "bar µs", title="the door: CPU time of one question")
    for run in runs:
        figures = (f"{run['p50_us']:.1f}", f"{run['p99_us']:.1f}", f"{BAR_US:.0f}")
        table.add_row(run["purpose"], str(run["identities"]), *figures)
    return table
