"""`make bench`: what one event costs on its way from bytes to a stored facet, stage by stage, in CPU time.

Every stage is run in turn in each round, so that whatever else the machine does hits all of them alike. The baseline is
`json.loads` of the same event: the least any Python program does with it.
"""

import json
import platform
import statistics
import time
from collections.abc import Callable
from importlib.metadata import version
from typing import Final

from rich.console import Console
from rich.table import Table

from events.admission import INTAKE, Admission, EventRefused
from events.fact import Fact, decode_fact, encode_fact
from events.pseudonyms import Pseudonyms
from profiles.codec import decode_facet, encode_facet
from profiles.facet import Facet
from profiles.fold import fold

ROUNDS: Final = 7
EVENTS: Final = 2000
RECEIVED_AT: Final = 1_800_000_000_000
BASELINE: Final = "json.loads (baseline)"

ADMISSION: Final = Admission(pseudonyms=Pseudonyms(b"a key for benchmarks"), partitions=32)


def sent(number: int) -> bytes:
    """A purchase of about 300 bytes, one of twenty by each person."""
    return json.dumps(
        {
            "specversion": "1.0",
            "id": f"order-{number}",
            "source": "shop",
            "type": "transaction.purchased",
            "subject": f"app:{number % (EVENTS // 20)}",
            "time": "2026-03-01T09:30:00Z",
            "data": {
                "order_id": f"order-{number}",
                "total": {"amount": 1990, "currency": "EUR"},
                "lines": [{"item": "coffee-500", "category": "coffee", "quantity": 1, "amount": 1990}],
                "channel": "app",
            },
        }
    ).encode()


def admitted(raw: bytes) -> Fact:
    """The fact of an event that is admitted."""
    answer = ADMISSION.admit(raw, door=INTAKE, received_at=RECEIVED_AT)
    if isinstance(answer, EventRefused):
        raise TypeError(answer.detail)
    return answer[0].fact


def folded(facts: list[Fact]) -> dict[str, Facet]:
    """The facets of all facts."""
    facets: dict[str, Facet] = {}
    for fact in facts:
        facets[fact.identity] = fold(facets.get(fact.identity, Facet()), fact).facet
    return facets


def stages() -> dict[str, tuple[int, Callable[[], object]]]:
    """Stage -> how many events or facets it handles, and the work."""
    raws = [sent(number) for number in range(EVENTS)]
    facts = [admitted(raw) for raw in raws]
    values = [encode_fact(fact) for fact in facts]
    facets = list(folded(facts).values())
    blobs = [encode_facet(facet) for facet in facets]
    return {
        BASELINE: (EVENTS, lambda: [json.loads(raw) for raw in raws]),
        "admit an event": (EVENTS, lambda: [admitted(raw) for raw in raws]),
        "encode a fact": (EVENTS, lambda: [encode_fact(fact) for fact in facts]),
        "decode a fact": (EVENTS, lambda: [decode_fact(value) for value in values]),
        "fold a fact": (EVENTS, lambda: folded(facts)),
        "encode a facet of 20 orders": (len(facets), lambda: [encode_facet(facet) for facet in facets]),
        "decode a facet of 20 orders": (len(blobs), lambda: [decode_facet(blob) for blob in blobs]),
    }


def measure() -> dict[str, list[float]]:
    """Stage -> microseconds of CPU each, one figure per round."""
    work = stages()
    figures: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(ROUNDS):
        for name, (count, run) in work.items():
            begin = time.process_time()
            run()
            figures[name].append((time.process_time() - begin) / count * 1e6)
    return figures


def main() -> None:
    """Measure and print the table."""
    figures = measure()
    baseline = statistics.median(figures[BASELINE])
    libraries = ", ".join(f"{name} {version(name)}" for name in ("pydantic", "msgspec"))
    table = Table(title=f"{platform.machine()}, Python {platform.python_version()}, {libraries}, {ROUNDS} rounds")
    for column in ("stage", "median µs", "min", "max", "times the baseline"):
        table.add_column(column, justify="left" if column == "stage" else "right")
    for name, each in figures.items():
        median = statistics.median(each)
        table.add_row(name, *(f"{value:.1f}" for value in (median, min(each), max(each), median / baseline)))
    Console().print(table)


if __name__ == "__main__":
    main()
