"""Recording a consent act: one fact for each identity that is verified as the person, all or, after a crash, later all.

A record with every fact stands in the store first. A no then places its holds, which is when it is acknowledged; then
the facts are appended. Whatever a crash or a silent log leaves undone, `consent.sweeper` does.
"""

import logging
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final, Literal

from consent.act_records import ActRecord, ActRecords
from consent.holds import ConsentStoreUnavailable, Holds, hold_of
from consent.purposes import PURPOSES
from events.acts import Closing, ConsentAct, Granting
from events.admission import AHEAD_MAX_MS, Admitted, event_key, payload_digest
from events.fact import Fact, FactUndecodable, decode_fact, encode_fact
from events.log import EventLog, LogError
from events.partitioning import partition_of
from events.position import Position

_log = logging.getLogger(__name__)

IDENTITIES_MAX: Final = 32
"""Identities one act may cover: as many as one person may have."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """The act stands: a no denies from now on, a yes applies once it is folded.

    `positions` says where its facts are on the log, one per identity in their order; it is empty when they are not
    there yet (`is_on_log` False: a sweeper sees to it) or were put there by an earlier call.
    """

    is_on_log: bool
    positions: tuple[Position, ...] = ()


@dataclass(frozen=True, slots=True)
class ActRefused:
    """Why the act was not recorded; nothing of it stands."""

    code: Literal["unknown_purpose", "no_act_id", "no_identity", "too_many_identities", "bad_time", "another_act"]
    detail: str


def plan_act(
    body: ConsentAct,
    *,
    identities: Collection[str],
    source: str,
    occurred_at: int,
    received_at: int,
    partitions: int,
) -> ActRecord | ActRefused:
    """The record of an act for the person's verified identities (pseudonyms), or why there is none. Times in ms.

    `source` and the body's `act_id` make the event key, so the same act recorded again is the same event.
    """
    if body.purpose not in PURPOSES:
        return ActRefused("unknown_purpose", "there is no such purpose")
    if body.act_id is None:
        return ActRefused("no_act_id", "an act that covers a person needs an id of its own")
    if not identities:
        return ActRefused("no_identity", "nobody is known under this reference")
    if len(set(identities)) > IDENTITIES_MAX:
        return ActRefused("too_many_identities", f"a person has at most {IDENTITIES_MAX} identities")
    if occurred_at > received_at + AHEAD_MAX_MS:
        return ActRefused("bad_time", "the act is dated more than 24 hours ahead")
    if isinstance(body, Granting) and body.expires_at is not None and body.expires_at <= min(occurred_at, received_at):
        return ActRefused("bad_time", "the grant ends before it begins")
    key = event_key(source, body.act_id)
    # What was said, without what we stamped: said again it must be the same.
    digest = payload_digest([body.event_type, body.model_dump(mode="json", exclude_defaults=True)])
    facts = [
        Fact(
            type=body.event_type,
            event_key=key,
            digest=digest,
            identity=identity,
            occurred_at=occurred_at,
            received_at=received_at,
            source=source,
            body=body,
        )
        for identity in sorted(set(identities))
    ]
    return ActRecord(
        event_key=key,
        digest=digest,
        partition=partition_of(key, partitions),
        restricts=isinstance(body, Closing),
        made_at=received_at,
        facts=tuple(map(encode_fact, facts)),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorder:
    """Carries planned acts out. `partitions` is how many `rapport.events` has."""

    records: ActRecords
    holds: Holds
    log: EventLog
    partitions: int

    async def record(self, planned: ActRecord) -> Recorded | ActRefused:
        """Let the act stand. ConsentStoreUnavailable: it is unknown whether it does, so record it again."""
        standing = await self.records.begin(planned)
        if standing is not None and standing.digest != planned.digest:
            return ActRefused("another_act", "another act was recorded under this id")
        if standing is not None and standing.done:
            return Recorded(is_on_log=True)
        record = standing or planned
        try:
            await self.place_holds(record)
            positions = await self.append(record)
        except LogError as error:
            _log.warning("a consent act waits for the log: %s", type(error).__name__)
            return Recorded(is_on_log=False)
        except FactUndecodable as error:
            raise ConsentStoreUnavailable("the act was begun by a newer version") from error
        return Recorded(is_on_log=True, positions=tuple(positions))

    async def place_holds(self, record: ActRecord) -> None:
        """A no closes its purpose for every identity it covers."""
        holds = [hold for fact in record.facts if (hold := hold_of(decode_fact(fact))) is not None]
        if holds:
            await self.holds.place(holds)

    async def append(self, record: ActRecord) -> list[Position]:
        """Put all facts on the log and finish the record; LogError when not all are acknowledged."""
        positions = await self.log.append([self.admitted(fact) for fact in record.facts])
        try:
            await self.records.finish(record)
        except ConsentStoreUnavailable:
            # The facts are safe; the sweeper appends them once more, which profiles do not count twice.
            _log.warning("a consent act is on the log and could not be marked as done")
        return positions

    def admitted(self, encoded: bytes) -> Admitted:
        """A fact from its encoding, with its partition; FactUndecodable where another version wrote it."""
        fact = decode_fact(encoded)
        return Admitted(fact=fact, partition=partition_of(fact.identity.encode(), self.partitions))
