"""Small ledgers: full after a few leaves, with salts from a seed."""

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from hypothesis import HealthCheck, settings

from consent.ledger import Ledger
from consent.ledger_entry import Entry
from consent.ledger_note import Checkpoint, make_signer, read_checkpoint
from tests.builders import NOW

SEGMENT: Final = 8
SIGNER: Final = make_signer("example.com/ledger", bytes(range(32)))
KEY: Final = SIGNER.verifier
THIEF: Final = make_signer("example.com/ledger", bytes(range(1, 33)))
"""Another key under the same name."""


unhurried: Final = settings(suppress_health_check=[HealthCheck.too_slow])
"""For properties: how long examples take to be drawn is the machine's matter."""
OPENED: Final[list[Ledger]] = []
"""What a test opened; closed after it."""


def open_ledger(folder: Path, *, seed: int = 1) -> Ledger:
    """A ledger whose salts follow from the seed."""
    ledger = Ledger(folder, segment_leaves=SEGMENT, salt=random.Random(seed).randbytes)
    OPENED.append(ledger)
    return ledger


def entry(number: int, *, said: str = "yes", subjects: Sequence[str] = ()) -> Entry:
    """An entry by number."""
    content = {"said": said, "subjects": list(subjects)}
    return Entry(id=f"entry:{number}", kind="test", content=content, subjects=frozenset(subjects))


def entries(count: int, *, start: int = 0) -> list[Entry]:
    """Entries one after the other."""
    return [entry(number) for number in range(start, start + count)]


def signed(ledger: Ledger) -> Checkpoint:
    """A checkpoint of the ledger as it is."""
    return read_checkpoint(ledger.checkpoint([SIGNER], now_ms=NOW))


def ledger_of(folder: Path, count: int, *, seed: int = 1) -> Checkpoint:
    """A closed ledger of so many entries, and its checkpoint."""
    ledger = open_ledger(folder, seed=seed)
    ledger.append(entries(count))
    checkpoint = signed(ledger)
    ledger.close()
    return checkpoint
