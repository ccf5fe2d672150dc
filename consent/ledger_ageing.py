"""What the ledger can show ends with the term of what it shows: the openings are destroyed, the leaves stay.

A destroyed opening names the entry that says why, so an audit tells what ended in its time from what somebody removed.
"""

from collections import defaultdict
from typing import Final

from consent.ledger import Ledger
from consent.ledger_accesses import ACCESS
from consent.ledger_entry import Entry
from consent.ledger_follower import LEDGER_TYPES
from consent.retention import Retention

AGED_OUT: Final = "retention.aged_out"


def age_facts_out(ledger: Ledger, retention: Retention, *, now: int) -> int:
    """Destroy what can be shown of facts whose term is over at this moment (ms); how much. LedgerError."""
    types: defaultdict[int, list[str]] = defaultdict(list)
    for event_type in sorted(LEDGER_TYPES):
        before = retention.facts_before(event_type, now=now)
        if before is not None:
            types[before].append(event_type)
    return sum(_aged_out(ledger, kinds, clock="received_at", before=before) for before, kinds in types.items())


def age_looks_out(ledger: Ledger, *, before: int) -> int:
    """Destroy what can be shown of looks at people before a moment (ms); how much. LedgerError."""
    return _aged_out(ledger, [ACCESS], clock="at", before=before)


def _aged_out(ledger: Ledger, kinds: list[str], *, clock: str, before: int) -> int:
    # The same again is the same entry, so it says nothing that may become another.
    content = {"kinds": kinds, "before": before}
    because = Entry(id=f"{AGED_OUT}:{'+'.join(kinds)}:{before}", kind=AGED_OUT, content=content)
    return ledger.age_out(kinds, clock=clock, before=before, because=because)
