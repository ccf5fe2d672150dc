"""What other systems are told of a no or an erasure, and which of them confirmed that they heard it.

Whoever sends, profiles or passes on outside this installation has to stop too. A no is told by the identity it is
about, as messages are, so that one cancels the other on the same key; and by an id that stays, so that being told
twice is harmless.
"""

import hashlib
import json
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from consent.evidence_index import EvidenceIndex
from consent.holds import HoldName, hold_of
from consent.purposes import PURPOSES
from consent.rights import Erasure
from consent.sqlite_files import primary_file, transaction
from events.fact import Fact

IDS_MAX: Final = 1000
"""Ids that are confirmed at a time."""
SHOWN_MAX: Final = 10
TOLD_FOR_MS: Final = 90 * 24 * 3600 * 1000
"""A no is expected to be confirmed, and looked for among those that were not, for so long."""

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS confirmed (
    recipient TEXT NOT NULL, id TEXT NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (recipient, id)
) WITHOUT ROWID;
"""


class TellingUnavailable(Exception):
    """What was confirmed cannot be noted or read now."""


def telling_of(no: HoldName) -> bytes:
    """A no as it is told, in JSON with sorted names. The key of its record is the identity."""
    told = {"id": telling_id(no), "no_to": no.purpose, "stops": list(stopped_by(no.purpose))}
    return json.dumps(told, sort_keys=True, separators=(",", ":")).encode()


def telling_id(no: HoldName) -> str:
    """Names a no about one identity; it tells nothing of either."""
    said = f"{no.identity}\x00{no.purpose}\x00".encode() + no.event_key
    return hashlib.blake2b(said, digest_size=16).hexdigest()


def telling_of_erasure(request: str, number: int) -> bytes:
    """That nothing may be done any more with what is known of an identity: the `number`th of a request, from 0 on."""
    told = {"erased": True, "id": erasure_telling_id(request, number), "stops": sorted(PURPOSES)}
    return json.dumps(told, sort_keys=True, separators=(",", ":")).encode()


def erasure_telling_id(request: str, number: int) -> str:
    """Names what is told of one identity of a request. It is known still when the identities are not any more."""
    return hashlib.blake2b(f"erased\x00{request}\x00{number}".encode(), digest_size=16).hexdigest()


def erasures_told(erasures: Iterable[Erasure], *, since: int) -> list[tuple[str, int]]:
    """The id of what was told of each identity of what was asked for since then (ms), and when it was told."""
    return [
        (erasure_telling_id(erasure.id, number), erasure.done["recipients"].at)
        for erasure in erasures
        if erasure.asked_at >= since and "recipients" in erasure.done
        for number in range(len(erasure.kinds))
    ]


def stopped_by(purpose: str) -> tuple[str, ...]:
    """Every purpose that a no to this one closes: itself, and whatever needs it."""
    found = {purpose}
    while more := {name for name, each in PURPOSES.items() if found.intersection(each.needs)} - found:
        found |= more
    return tuple(sorted(found))


class Unconfirmed(NamedTuple):
    """What a recipient has not confirmed: how many noes, erasures among them, since when (ms), and the first ids."""

    noes: int
    oldest_at: int | None
    ids: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmations:
    """Who confirmed what, in one SQLite file that several processes write; all calls block. TellingUnavailable."""

    path: Path
    recipients: tuple[str, ...]

    def confirm(self, recipient: str, ids: Collection[str], *, at: int) -> None:
        """Note that a recipient heard these; the first time counts. Durable when it returns."""
        rows = [(recipient, each, at) for each in ids]
        with self._connected() as connection, transaction(connection):
            connection.executemany("INSERT OR IGNORE INTO confirmed VALUES (?, ?, ?)", rows)

    def unconfirmed(
        self, index: EvidenceIndex, erasures: Iterable[Erasure] = (), *, since: int
    ) -> Mapping[str, Unconfirmed]:
        """By recipient, the noes and erasures since then (ms) that it has not confirmed. EvidenceUnavailable."""
        with index.reading() as reading:
            noes = [*_noes(reading.noes(since=since)), *erasures_told(erasures, since=since)]
        with self._connected() as connection:
            rows = connection.execute("SELECT recipient, id FROM confirmed").fetchall()
        confirmed = set(rows)
        return {name: _left(noes, {each for who, each in confirmed if who == name}) for name in self.recipients}

    def _connected(self) -> AbstractContextManager[sqlite3.Connection]:
        return primary_file(self.path, schema=_SCHEMA, unusable=TellingUnavailable)


def _noes(facts: Iterable[Fact]) -> Iterator[tuple[str, int]]:
    """The id of each no and when it was received, in that order."""
    for fact in facts:
        if (hold := hold_of(fact)) is not None:
            yield telling_id(hold.name), fact.received_at


def _left(noes: Iterable[tuple[str, int]], confirmed: Collection[str]) -> Unconfirmed:
    left = {each: at for each, at in noes if each not in confirmed}
    return Unconfirmed(len(left), min(left.values(), default=None), tuple(left)[:SHOWN_MAX])
