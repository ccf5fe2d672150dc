# ruff: noqa: E501 - rows of Markdown tables
"""`python -m tests.bad_input.page`: writes docs/reference/bad-input.md from the tables of the tests."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from api.auth import BATCH_BYTES_MAX, SMALL_BODY
from api.events_routes import ITEMS_MAX
from api.limits import BODIES_BYTES_MAX, BURST_S, RATE
from commands.api import CONNECTIONS_MAX, HEADERS_BYTES_MAX, HEADERS_MS
from events.admission import DEPTH_MAX, EVENT_BYTES_MAX
from profiles.fold import RECORDS_MAX
from streams.dead_letters import FLOOD
from streams.folding import OUTBOX_MAX
from streams.redis_dead_letters import COUNTED_FROM, DAY_BYTES_MAX
from tests.bad_input.cases import EVENTS
from tests.bad_input.log_cases import RECORDS

PAGE: Final = Path(__file__).parents[2] / "docs" / "reference" / "bad-input.md"

_HEAD: Final = """# Bad input

*Made from the tables of `tests/bad_input/` by `python -m tests.bad_input.page`; do not edit. Each row is a test.*

Whatever comes in ends in one of three ways: it is **admitted**, it is **refused** with a problem that says why,
or its record is **set aside** as a dead letter with its offset and a reason. In each case the checkpoint moves
on, the records beside it are unharmed, and nothing of what was sent stands in a log line, a problem, or the
open part of a dead letter; what a letter held is sealed under the key of its day.

## Events

*Intake*: a record on `rapport.intake`, which is open to every producer. *HTTP*: the same as the body of `POST
/v1/events`, with the code of the event where there is one. An identity of strange characters is harmless, since
it becomes a pseudonym before any key is made of it. The key of a record decides its partition and nothing else:
whom an event is about is said in the event.
"""

_RECORDS: Final = f"""## Records on the log of facts

`rapport.events` is written by the system alone. A record that is none of its own, or cannot be folded, is set
aside all the same. `conflict`: the id is known with another payload. `full`: the facet would hold more than
{RECORDS_MAX:,} records.
"""

_REQUESTS: Final = f"""## Requests

| what is sent | answer |
|---|---|
| no key, a wrong one, one that was revoked | 401 `unauthenticated` |
| the key of another role (every route with every role is a test) | 403 `forbidden` |
| an unknown path; an unknown method | 404 `no-such-route`; 405 `method-not-allowed` |
| a body of another type | 415 `not-json-type` |
| a body above {BATCH_BYTES_MAX // 2**20} MB on the intake, {SMALL_BODY // 1024} kB elsewhere | 413 `too-large`, read no further |
| a batch of more than {ITEMS_MAX:,} events; of none | 413 `too-large`; 422 `invalid` |
| one event above {EVENT_BYTES_MAX // 1024} kB in a batch | 207, `too_large` for that one |
| nesting deeper than {DEPTH_MAX} | 400 `not-json` |
| more than the key's rate ({RATE:,} requests and events a second unless its entry says otherwise, {BURST_S} s at once) | 429 `too-many` with Retry-After |
| half a body, and nothing more | 408 `body-too-slow` after 5 s |
| half the headers, or an idle connection | closed after {HEADERS_MS // 1000} s |
| headers above {HEADERS_BYTES_MAX // 1024} kB | 431 |
| more bodies at a time than {BODIES_BYTES_MAX // 2**20} MB | 503 `busy` with Retry-After |
| a thousand connections that say nothing | others are answered; {CONNECTIONS_MAX:,} connections at a time |
| what is not HTTP; two lengths for one body | 400, or the connection is closed |
| the store or the log away | 503 with Retry-After within the time-out |

Rates are counted by each API process for itself.

## Floods

| what happens | what becomes of it |
|---|---|
| nothing but poison | as many commits as for good events, the key of the day asked for once a minute, one line of log a minute from {FLOOD:,} letters on |
| more than {DAY_BYTES_MAX // 2**20} MB of letters in a day | the next ones are kept without what they held; beyond {COUNTED_FROM} times as much only counted |
| no letter can be made, or the store is away | the partition waits and drops nothing |
| letters cannot be kept | they wait in the outbox; beyond {OUTBOX_MAX:,} entries the partition waits |

## Replaying dead letters

`rapport dead-letters replay` sends records back to the topic they came from, those about one identity one after
the other. A letter is dropped once checkpoint and outbox have left its record behind and no new letter stands
there. What is set aside again stays in its old place and holds back the later ones about the same identity;
`rapport dead-letters discard` gives it up. A refusal or withdrawal of consent is never discarded, and the hold
behind it ends only once it is folded.
"""


def page() -> str:
    """The page as it should be."""
    events = (
        _table(
            title,
            ("what is sent", "intake", "HTTP"),
            ((case.name, _fate(case.intake), _fate(case.http)) for case in cases),
        )
        for title, cases in EVENTS.items()
    )
    records = (
        _table(title, ("record", "fate"), ((case.name, _fate(case.fate)) for case in cases))
        for title, cases in RECORDS.items()
    )
    return "\n".join([_HEAD, *events, _RECORDS, *records, _REQUESTS])


def _table(title: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [f"### {title}", "", _row(head), "|---" * len(head) + "|", *map(_row, rows), ""]
    return "\n".join(lines)


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _fate(fate: str | None) -> str:
    if fate is None:
        return "cannot come this way"
    return fate if fate in {"admitted", "applied", "repeated"} or fate.startswith("2") else f"`{fate}`"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
