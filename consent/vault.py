"""The vault: the openings of the ledger about people who were erased, sealed under a key that is out of use.

What lies here is opened by two persons together, so that a claim can be answered, and by nobody once the key's time has
come. An opening fits the leaf that the ledger still has, so it proves what it says.
"""

import sqlite3
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from consent.ledger_entry import Opening
from consent.sqlite_files import empty_log, primary_file, transaction
from events.body_keys import Retired
from events.fact import BodyKey
from events.sealed_bytes import open_bytes, seal_bytes

APPROVED_WITHIN_MS: Final = 24 * 3600 * 1000
"""How long a question waits for the second person."""

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS kept (number INTEGER PRIMARY KEY, request TEXT NOT NULL, key TEXT NOT NULL, sealed BLOB);
CREATE TABLE IF NOT EXISTS asked (
    request TEXT PRIMARY KEY, by TEXT NOT NULL, at INTEGER NOT NULL, why TEXT NOT NULL
) WITHOUT ROWID;
"""

Unwrap = Callable[[Retired], BodyKey]
"""Takes a key that is out of use out of its wrap."""


class VaultUnavailable(Exception):
    """What was put away cannot be used now."""


class NotOpened(Exception):
    """The vault stays shut; the text says why."""


class Question(NamedTuple):
    """Who asked for an opening (the id of a key), when (ms), and why."""

    by: str
    at: int
    why: str


class _Kept(msgspec.Struct, array_like=True):
    index: int
    salt: bytes
    payload: bytes


@dataclass(frozen=True, slots=True)
class Vault:
    """The vault in one file; all calls block. VaultUnavailable."""

    path: Path

    def put_away(self, request: str, openings: Sequence[Opening], *, key: BodyKey) -> None:
        """Keep the openings about the persons of an erasure, durably. Done again it keeps them twice, to no harm."""
        plain = msgspec.msgpack.encode([_Kept(each.index, each.salt, each.payload) for each in openings])
        sealed = seal_bytes(key.cipher, plain, bound=_bound(request, key.id))
        with self._writing() as db:
            db.execute("INSERT INTO kept (request, key, sealed) VALUES (?, ?, ?)", (request, key.id, sealed))

    def ask(self, request: str, *, by: str, at: int, why: str) -> None:
        """Ask for what was put away to be opened: somebody else has to approve it. A later question replaces one."""
        with self._writing() as db:
            if db.execute("SELECT 1 FROM kept WHERE request = ?", (request,)).fetchone() is None:
                raise NotOpened("nothing is kept of that erasure")
            db.execute("INSERT OR REPLACE INTO asked VALUES (?, ?, ?, ?)", (request, by, at, why))

    def approve(self, request: str, *, by: str, at: int) -> Question:
        """Take the question that waits, which is used up by it; NotOpened where nobody else asked in time."""
        with self._writing() as db:
            row = db.execute("SELECT by, at, why FROM asked WHERE request = ?", (request,)).fetchone()
            if row is None or at - row[1] > APPROVED_WITHIN_MS:
                raise NotOpened("nobody asked for that within the last day: one person asks, another one approves")
            if row[0] == by:
                raise NotOpened("whoever asked cannot approve it")
            db.execute("DELETE FROM asked WHERE request = ?", (request,))
        return Question(*row)

    def opened(self, request: str, keys: Collection[Retired], unwrap: Unwrap) -> list[Opening]:
        """What was put away, by its place in the ledger; NotOpened where the keys do not open it any more."""
        standing = {each.id: each for each in keys if each.because == request}
        found: dict[int, Opening] = {}
        with self._connected() as db:
            rows = db.execute("SELECT key, sealed FROM kept WHERE request = ?", (request,)).fetchall()
        if not rows:
            raise NotOpened("nothing is kept of that erasure")
        for key_id, sealed in rows:
            if key_id not in standing:
                raise NotOpened("its key was destroyed: the time it was kept for is over")
            for each in _unsealed(sealed, unwrap(standing[key_id]), request):
                found[each.index] = Opening(index=each.index, salt=each.salt, payload=each.payload)
        return [found[index] for index in sorted(found)]

    def drop(self, requests: Collection[str]) -> int:
        """Delete what was put away of some erasures; how many pieces."""
        if not self.path.exists():
            return 0
        with self._writing() as db:
            gone = sum(db.execute("DELETE FROM kept WHERE request = ?", (each,)).rowcount for each in requests)
        with self._connected() as db:
            empty_log(db)
        return gone

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._connected() as db, transaction(db):
            yield db

    def _connected(self) -> AbstractContextManager[sqlite3.Connection]:
        return primary_file(self.path, schema=_SCHEMA, unusable=VaultUnavailable, is_private=True)


def _unsealed(sealed: bytes, key: BodyKey, request: str) -> list[_Kept]:
    try:
        plain = open_bytes(key.cipher, sealed, bound=_bound(request, key.id))
        return msgspec.msgpack.decode(plain, type=list[_Kept])
    except ValueError as error:
        raise NotOpened("what was put away was altered, and does not open") from error


def _bound(request: str, key_id: str) -> bytes:
    return f"rapport vault\x00{request}\x00{key_id}".encode()
