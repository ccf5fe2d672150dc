"""Who looked at whom, on the ledger: so that a look cannot be taken out of the list, or put in, unnoticed."""

from typing import Final

from consent.accesses import Access, AccessLog
from consent.ledger import Ledger
from consent.ledger_entry import Entry, EntryUnknown

AT_A_TIME: Final = 1000
ACCESS: Final = "access"
"""The kind of the entries."""


def put_down(accesses: AccessLog, ledger: Ledger) -> int:
    """Put down all accesses that are not on the ledger yet; how many. Killed in between, it may be done again.

    EntryDiffers where another access is on the ledger under a number: then the list is not the one it was.
    """
    done = 0
    while waiting := accesses.not_put_down(limit=AT_A_TIME):
        ledger.append([_entry(number, access) for number, access in waiting if not _stands(ledger, number, access)])
        accesses.mark_put_down(waiting[-1][0])
        done += len(waiting)
    return done


def access_id(number: int) -> str:
    """The id of the entry for an access by its number."""
    return f"access:{number}"


def _stands(ledger: Ledger, number: int, access: Access) -> bool:
    """Whether it was put down while it still named somebody who was erased since, before it could be marked."""
    if access.identity is not None:
        return False
    try:
        said = ledger.opening(access_id(number)).entry["content"]
    except EntryUnknown:
        return False
    return bool({**said, "identity": None} == access._asdict())


def _entry(number: int, access: Access) -> Entry:
    who = frozenset() if access.identity is None else frozenset({access.identity})
    return Entry(id=access_id(number), kind=ACCESS, content=access._asdict(), subjects=who)
