"""Reading the index of evidence: about persons, about purposes, and all there is."""

import sqlite3
from collections.abc import Collection, Iterator, Sequence
from typing import Final

from consent.evidence import Evidence, EvidenceUnavailable
from events.body_keys import BodyGone, BodyKeysUnavailable, BodyKeyUnknown
from events.fact import Fact, FactUndecodable
from events.position import Position
from events.sealing import Opens

OPENED_AT_ONCE: Final = 1000
_NOES: Final = (
    "SELECT epoch, evidence.partition, offset, evidence.fact FROM act JOIN evidence USING (identity, epoch, offset)"
    " WHERE NOT act.grants AND act.received_at >= ? ORDER BY act.received_at"
)


class EvidenceReading:
    """The index at one moment. It is of use only within `EvidenceIndex.reading`, and in one thread."""

    def __init__(self, connection: sqlite3.Connection, sealing: Opens) -> None:
        self.connection = connection
        self._sealing = sealing
        self._known: dict[str, list[Evidence]] = {}

    def of(self, identities: Collection[str]) -> dict[str, list[Evidence]]:
        """The evidence about each of the identities (pseudonyms), in the order of the log."""
        return {identity: self._of(identity) for identity in identities}

    def ends(self) -> dict[tuple[int, int], int]:
        """(Epoch, partition) -> the offset after the last one taken."""
        rows = self.connection.execute("SELECT epoch, partition, next_offset FROM place")
        return {(epoch, partition): offset for epoch, partition, offset in rows}

    def agreed_once(self, purpose: str, *, after: str, limit: int) -> list[str]:
        """The next identities, by name, that ever agreed to the purpose."""
        rows = self.connection.execute(
            "SELECT name FROM identity WHERE name > ? AND EXISTS"
            " (SELECT 1 FROM act WHERE purpose = ? AND act.identity = identity.id AND grants)"
            " ORDER BY name LIMIT ?",
            (after, purpose, limit),
        )
        return [name for (name,) in rows]

    def everything(self) -> Iterator[Evidence]:
        """All evidence there is, one identity after the other."""
        rows = self.connection.execute(
            "SELECT epoch, partition, offset, fact FROM evidence ORDER BY identity, epoch, offset"
        )
        while some := rows.fetchmany(OPENED_AT_ONCE):
            yield from self._opened(some)

    def noes(self, *, since: int) -> list[Fact]:
        """The noes that were received since then (ms), in the order of receipt."""
        rows = self.connection.execute(_NOES, (since,)).fetchall()
        return [each.fact for each in self._opened(rows)]

    def _of(self, identity: str) -> list[Evidence]:
        found = self._known.get(identity)
        if found is None:
            rows = self.connection.execute(
                "SELECT epoch, partition, offset, fact FROM evidence"
                " WHERE identity = (SELECT id FROM identity WHERE name = ?) ORDER BY epoch, offset",
                (identity,),
            )
            found = self._known[identity] = list(self._opened(rows.fetchall()))
        return found

    def _opened(self, rows: Sequence[tuple[int, int, int, bytes]]) -> Iterator[Evidence]:
        """What the rows hold; what nobody can open any more is passed over."""
        try:
            envelopes = self._sealing.look_up([value for *_, value in rows])
        except BodyKeysUnavailable as error:
            raise EvidenceUnavailable(str(error)) from error
        for (epoch, partition, offset, _), envelope in zip(rows, envelopes, strict=True):
            position = Position(epoch, partition, offset)
            try:
                yield Evidence(position, envelope.fact())
            except BodyGone:
                continue
            except (FactUndecodable, BodyKeyUnknown) as error:
                raise EvidenceUnavailable(f"the evidence at {position} cannot be read") from error
