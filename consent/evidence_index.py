"""The evidence index: one SQLite file made from history, which answers for any person and any day.

It follows history as `events.following.Follower`. What it holds can be made again, so its place and its contents
stand or fall together; a file of another format is made anew.
"""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from consent.evidence import EvidenceUnavailable, evidence_of
from consent.evidence_reading import EvidenceReading
from consent.sqlite_files import BUSY_S, empty_log
from events.acts import ConsentAct, Granting
from events.body_keys import BodyKeysUnavailable
from events.fact import Fact
from events.following import Stretch
from events.identity import Linked, Unlinked
from events.position import Position
from events.sealing import IN_CLEAR, Seals

FORMAT: Final = 1

_SCHEMA: Final = """
CREATE TABLE identity (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, household INTEGER NOT NULL);
CREATE INDEX identity_household ON identity (household);
CREATE TABLE evidence (
    identity INTEGER NOT NULL, epoch INTEGER NOT NULL, partition INTEGER NOT NULL, offset INTEGER NOT NULL,
    fact BLOB NOT NULL, PRIMARY KEY (identity, epoch, offset)
) WITHOUT ROWID;
CREATE TABLE act (
    purpose TEXT NOT NULL, identity INTEGER NOT NULL, epoch INTEGER NOT NULL, offset INTEGER NOT NULL,
    said TEXT NOT NULL, effective_at INTEGER NOT NULL, received_at INTEGER NOT NULL, grants INTEGER NOT NULL,
    channel TEXT, notice TEXT, PRIMARY KEY (purpose, identity, epoch, offset)
) WITHOUT ROWID;
CREATE TABLE place (
    epoch INTEGER NOT NULL, partition INTEGER NOT NULL, next_offset INTEGER NOT NULL, PRIMARY KEY (epoch, partition)
) WITHOUT ROWID;
"""


@dataclass(slots=True)
class EvidenceIndex:
    """The index in one file. Several processes may read it while one or more follow history; all calls block.

    What follows keeps its connection, since SQLite waits for the disk whenever the last one is closed; `close` ends it.

    A *household* is all identities that any link ever named together. It is larger than any person among them, so
    counting households never counts a person twice.

    What a fact says is kept sealed, as on the log; who it is about, and of an act what it was, stands beside it.
    """

    path: Path
    sealing: Seals = IN_CLEAR
    _writer: sqlite3.Connection | None = field(default=None, init=False, repr=False, compare=False)

    def __del__(self) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file; it is opened again when something is taken."""
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()

    def next_offset(self, epoch: int, partition: int) -> int:
        """See `events.following.Follower`."""
        if not self.path.exists():
            return 0
        with self._connected() as connection:
            return _place(connection, epoch, partition) if _format(connection) == FORMAT else 0

    def take(self, stretch: Stretch) -> None:
        """See `events.following.Follower`; ValueError for a stretch that would leave a hole."""
        with self._writing() as connection:
            place = _place(connection, stretch.epoch, stretch.partition)
            if stretch.start > place:
                raise ValueError("evidence goes on where it was, and leaves nothing out")
            if stretch.end <= place:
                return
            intake = _Intake(connection)
            fresh = [
                (position, kept)
                for position, fact in stretch.facts
                if position.offset >= place and (kept := evidence_of(fact)) is not None
            ]
            for (position, kept), value in zip(fresh, self._sealed([fact for _, fact in fresh]), strict=True):
                intake.add(position, kept, value)
            connection.execute(
                "INSERT INTO place VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET next_offset = excluded.next_offset",
                (stretch.epoch, stretch.partition, stretch.end),
            )

    def forget(self, tombstones: Mapping[str, Position], *, repeats: Mapping[str, bytes]) -> int:
        """Let go of all evidence of identities up to their tombstones, these included; how many pieces. Overwritten.

        `repeats`: the encoded fact of each tombstone, which goes wherever else it stands.
        """
        gone = 0
        with self._writing() as connection:
            connection.execute("PRAGMA secure_delete = ON")
            for identity, (epoch, _, offset) in tombstones.items():
                found = connection.execute("SELECT id FROM identity WHERE name = ?", (identity,)).fetchone() or (None,)
                until = (*found, epoch, offset)
                connection.execute("DELETE FROM act WHERE identity = ? AND (epoch, offset) <= (?, ?)", until)
                gone += connection.execute(
                    "DELETE FROM evidence WHERE identity = ? AND ((epoch, offset) <= (?, ?) OR fact = ?)",
                    (*until, repeats[identity]),
                ).rowcount
                connection.execute(
                    "DELETE FROM identity WHERE id = ? AND NOT EXISTS (SELECT 1 FROM evidence WHERE identity = ?)",
                    (*found, *found),
                )
        with self._connected() as connection:
            empty_log(connection)
        return gone

    @contextmanager
    def reading(self) -> Iterator[EvidenceReading]:
        """One state of the index, to be asked as often as needed. EvidenceUnavailable."""
        with self._connected() as connection:
            if _format(connection) != FORMAT:
                raise EvidenceUnavailable(f"{self.path.name} is of another format; it is made anew when followed")
            connection.execute("BEGIN")
            yield EvidenceReading(connection, self.sealing)

    def _sealed(self, facts: Sequence[Fact]) -> list[bytes]:
        try:
            return self.sealing.seal(facts)
        except BodyKeysUnavailable as error:
            raise EvidenceUnavailable(str(error)) from error

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction of its own: all of it or nothing."""
        try:
            writer = self._writer = self._writer or self._opened()
            writer.execute("BEGIN IMMEDIATE")
            _make(writer)
            yield writer
            writer.execute("COMMIT")
        except BaseException as error:
            self.close()
            if isinstance(error, sqlite3.Error):
                raise EvidenceUnavailable(f"{self.path.name} cannot be written: {type(error).__name__}") from error
            raise

    def _opened(self) -> sqlite3.Connection:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(self.path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            # A loss of power may take the last transactions, the place with them: they are followed again.
            connection.execute("PRAGMA synchronous = NORMAL")
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    @contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        uri = f"{self.path.absolute().as_uri()}?mode=rw"
        try:
            with closing(sqlite3.connect(uri, uri=True, timeout=BUSY_S, isolation_level=None)) as connection:
                yield connection
        except sqlite3.Error as error:
            raise EvidenceUnavailable(f"{self.path.name} cannot be used: {type(error).__name__}") from error


class _Intake:
    """Adds facts within one transaction, and remembers the numbers of identities meanwhile."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._numbers: dict[str, int] = {}

    def add(self, position: Position, fact: Fact, value: bytes) -> None:
        """Add one fact, kept as `value`."""
        number = self._number(fact.identity)
        place = (number, position.epoch, position.offset)
        self._connection.execute(
            "INSERT INTO evidence (identity, epoch, offset, partition, fact) VALUES (?, ?, ?, ?, ?)",
            (*place, position.partition, value),
        )
        if isinstance(fact.body, Linked | Unlinked):
            self._join(number, self._number(fact.body.other))
        if isinstance(fact.body, ConsentAct):
            self._add_act(place, fact, fact.body)

    def _add_act(self, place: tuple[int, int, int], fact: Fact, act: ConsentAct) -> None:
        said = fact.type.partition(".")[2]
        times = (fact.effective_at, fact.received_at)
        self._connection.execute(
            "INSERT INTO act (identity, epoch, offset, purpose, said, effective_at, received_at, grants,"
            " channel, notice) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (*place, act.purpose, said, *times, isinstance(act, Granting), act.channel, act.notice),
        )

    def _number(self, identity: str) -> int:
        number = self._numbers.get(identity)
        if number is None:
            row = self._connection.execute("SELECT id FROM identity WHERE name = ?", (identity,)).fetchone()
            number = self._numbers[identity] = self._new(identity) if row is None else int(row[0])
        return number

    def _new(self, identity: str) -> int:
        [number] = self._connection.execute(
            "INSERT INTO identity (name, household) SELECT ?, coalesce(max(id), 0) + 1 FROM identity RETURNING id",
            (identity,),
        ).fetchone()
        return int(number)

    def _join(self, one: int, other: int) -> None:
        rows = self._connection.execute("SELECT household FROM identity WHERE id IN (?, ?)", (one, other)).fetchall()
        kept, given_up = min(rows)[0], max(rows)[0]
        if kept != given_up:
            self._connection.execute("UPDATE identity SET household = ? WHERE household = ?", (kept, given_up))


def _make(connection: sqlite3.Connection) -> None:
    if _format(connection) == FORMAT:
        return
    tables = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
    for (name,) in tables:
        connection.execute(f'DROP TABLE "{name}"')
    for statement in filter(str.strip, _SCHEMA.split(";")):
        connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {FORMAT}")


def _format(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _place(connection: sqlite3.Connection, epoch: int, partition: int) -> int:
    row = connection.execute(
        "SELECT next_offset FROM place WHERE epoch = ? AND partition = ?", (epoch, partition)
    ).fetchone()
    return 0 if row is None else int(row[0])
