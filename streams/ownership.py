"""Which partitions this worker owns, and how far each has been handed over and handled. No I/O, no client library.

The position is ours, not the client's: `next_offset` says where the next frame of a partition starts, and the transport
moves the client there before each fetch wherever the two differ. `turn` changes whenever that line is broken (a new
assignment, a seek, a stop), so whatever was fetched or queued under an older turn is recognised and dropped.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

import msgspec

from streams.frame import Answer, Frame, OneBefore, SeekTo, Stopped

FETCH_WAIT_MS = 50
"""How long a fetch may wait for records. The embedded broker answers a waiting one only at its end."""
SHORT_LOG_MS = 3_000
"""After a change of leader a log may for a moment seem to end before what was read from it; longer is a gap."""
UNKNOWN: Final = -1
PARTITION_FRAMES: Final = 2
"""Frames of one partition under way: one in a handler's hand, and the next, so that the lane does not run dry."""
TOPIC_FRAMES: Final = 16
"""Frames of one topic under way, about: this bounds memory when many partitions are behind."""


class Key(NamedTuple):
    """One partition of one topic; equal to the clients' own tuples."""

    topic: str
    partition: int


class Handed(msgspec.Struct, frozen=True):
    """A frame on its way to its handler, with the turn it was fetched in."""

    frame: Frame
    turn: int


@dataclass(slots=True)
class Claim:
    """What is known of one owned partition. Offsets are next offsets, times are of the monotonic clock.

    `under_way` counts the frames handed over in this turn and not settled, `skipped` the offsets handled that held no
    record. `known_by` is the record read only to know the log by, if any. `stopped` says why nothing is read;
    `on_trial` why nothing was until a moment ago; `waits` what a frame in hand has been waiting for, for long.
    `told_at` is the fetching client's own stamp on the log ends, `ends_at_ms` when a new one was first seen.
    """

    next_offset: int
    checkpoint: int
    turn: int
    under_way: int = 0
    skipped: int = 0
    known_by: int | None = None
    stopped: str | None = None
    on_trial: str | None = None
    waits: str | None = None
    high_watermark: int | None = None
    last_stable_offset: int | None = None
    told_at: int | None = None
    ends_at_ms: int | None = None
    short_since_ms: int | None = None

    @property
    def due(self) -> int:
        """The next offset to fold: the checkpoint, also while the record before it is still to be read again."""
        return self.next_offset + (self.next_offset == self.known_by)

    @property
    def short_for_ms(self) -> int:
        """How long the log has been known to end before our position; a broker may tell so for a moment."""
        if self.short_since_ms is None or self.ends_at_ms is None:
            return 0
        return self.ends_at_ms - self.short_since_ms


class Wanted(NamedTuple):
    """What to fetch now: the claims, and whether others have been left out only because enough of them is under way."""

    claims: Mapping[tuple[str, int], Claim]
    is_held_back: bool


class Rest(NamedTuple):
    """A partition that is read and has no frame under way: nothing becomes of it as long as this stays the same."""

    turn: int
    checkpoint: int


class Ownership:
    """The partitions in this worker's hands.

    The event loop writes it; the fetching thread reads it, reports log ends and stops a partition at a gap.
    """

    def __init__(self) -> None:
        self._claims: dict[tuple[str, int], Claim] = {}
        self._refused: Mapping[str, str] = {}
        self._turns = 0
        self._closed = False
        self._in_hand = 0

    @property
    def claims(self) -> Mapping[tuple[str, int], Claim]:
        """Every owned partition, the stopped ones too."""
        return self._claims

    @property
    def idle(self) -> bool:
        """No frame is with a handler now."""
        return self._in_hand == 0

    @property
    def closed(self) -> bool:
        """Nothing more is handed over or begun: the worker is stopping."""
        return self._closed

    def close(self) -> None:
        """Begin nothing more; a frame in a handler's hand may still finish."""
        self._closed = True

    def assign(
        self, starts: Mapping[tuple[str, int], int], *, unknown: Mapping[tuple[str, int], str] | None = None
    ) -> None:
        """Own these partitions and no others, each from the offset given. A stopped one gets another try.

        Of the `unknown` nobody could say where to go on: they are stopped for the reason given.
        """
        claims: dict[tuple[str, int], Claim] = {Key(*key): self._claim(key, at) for key, at in starts.items()}
        for key, reason in (unknown or {}).items():
            claims[Key(*key)] = Claim(next_offset=UNKNOWN, checkpoint=UNKNOWN, turn=self._turn(), stopped=reason)
        self._claims = claims

    def stopped(self) -> dict[tuple[str, int], int]:
        """The turns of the stopped partitions that may be looked at again: those no topic is refused for."""
        claims = list(self._claims.items())
        return {key: claim.turn for key, claim in claims if claim.stopped is not None and key[0] not in self._refused}

    def look_again(self, key: tuple[str, int], *, turn: int, start: int) -> None:
        """Give a stopped partition another try from the offset given, if nothing became of it since that turn."""
        claim = self._claims.get(key)
        if claim is not None and claim.turn == turn:
            again = self._claim(key, start)
            # What the client was told last is not news of this try.
            again.on_trial, again.told_at = claim.stopped, claim.told_at
            self._claims[key] = again

    def refuse(self, reasons: Mapping[str, str]) -> None:
        """Read nothing of these topics, whoever assigns them, until told otherwise."""
        self._refused = reasons
        for key in list(self._claims):
            if key[0] in reasons:
                self.stop(key, reason=reasons[key[0]])

    def revoke(self, keys: Iterable[tuple[str, int]]) -> None:
        """Let these partitions go; their frames still queued are no longer ours."""
        for key in keys:
            self._claims.pop(key, None)

    def readable(self, key: tuple[str, int]) -> Claim | None:
        """The claim whose frames may be handed over and begun; None where not ours, stopped, or closing."""
        claim = self._claims.get(key)
        return None if claim is None or claim.stopped is not None or self._closed else claim

    def wanted(self) -> Wanted:
        """What to fetch: what is readable, except where enough is under way already."""
        readable = [(key, claim) for key, claim in list(self._claims.items()) if claim.stopped is None]
        if self._closed:
            readable = []
        of_topic: Counter[str] = Counter()
        for (topic, _), claim in readable:
            of_topic[topic] += claim.under_way
        claims = {
            key: claim
            for key, claim in readable
            if claim.under_way < PARTITION_FRAMES and of_topic[key[0]] < TOPIC_FRAMES
        }
        return Wanted(claims, is_held_back=len(claims) < len(readable))

    def hand_over(self, key: tuple[str, int], *, turn: int, end: int) -> bool:
        """Move on to `end` if this was fetched in the current turn; False: drop it."""
        claim = self.readable(key)
        if claim is None or claim.turn != turn:
            return False
        claim.next_offset = end
        claim.under_way += 1
        return True

    def begin(self, handed: Handed, *, generation: int) -> bool:
        """Take a frame in hand, if it is still of this generation and turn; each True is answered by one `end`."""
        claim = self.readable((handed.frame.topic, handed.frame.partition))
        if claim is None or claim.turn != handed.turn or handed.frame.generation != generation:
            return False
        self._in_hand += 1
        return True

    def end(self) -> None:
        """The frame in hand is finished, however it went."""
        self._in_hand -= 1

    def wait(self, handed: Handed, *, reason: str) -> None:
        """The frame in hand waits for something that is away, and is not the worker's stall."""
        claim = self._claims.get((handed.frame.topic, handed.frame.partition))
        if claim is not None and claim.turn == handed.turn:
            claim.waits = reason

    def settle(self, handed: Handed, answer: Answer) -> bool:
        """Act on what a handler answered, unless the partition has meanwhile moved on without it.

        True when that stopped the partition for a reason that is news.
        """
        key = (handed.frame.topic, handed.frame.partition)
        claim = self._claims.get(key)
        if claim is None or claim.turn != handed.turn:
            return False
        claim.waits = None
        claim.under_way -= 1
        if isinstance(answer, SeekTo | Stopped):
            return self.turn_back(key, answer)
        claim.on_trial = None
        claim.checkpoint = handed.frame.end
        claim.skipped += handed.frame.skipped
        return False

    def at_rest(self) -> dict[tuple[str, int], Rest]:
        """Every partition with nothing to handle now."""
        readable = [(key, claim) for key, claim in self._claims.items() if claim.stopped is None]
        return {key: Rest(claim.turn, claim.checkpoint) for key, claim in readable if claim.under_way == 0}

    def turn_back(self, key: tuple[str, int], answer: SeekTo | Stopped) -> bool:
        """Go on from another offset, or not at all. True when that stopped the partition for a reason that is news."""
        claim = self._claims.get(key)
        match answer:
            case Stopped(reason):
                return self.stop(key, reason=reason)
            case SeekTo(offset) if claim is not None:
                claim.next_offset = claim.checkpoint = offset
                self._break(claim)
        return False

    def stop(self, key: tuple[str, int], *, reason: str) -> bool:
        """Stop one partition until somebody looks again; the others go on. True when the reason is news."""
        claim = self._claims.get(key)
        if claim is None:
            return False
        is_news = reason not in (claim.stopped, claim.on_trial)
        claim.stopped, claim.on_trial = reason, None
        self._break(claim)
        return is_news

    def saw_ends(
        self,
        key: tuple[str, int],
        *,
        high_watermark: int | None,
        last_stable_offset: int | None,
        told_at: int | None,
        now_ms: int,
    ) -> None:
        """Remember the log's ends as the last fetch told them; `told_at` is that fetch's own stamp."""
        claim = self._claims.get(key)
        if claim is None or claim.told_at == told_at:
            return
        claim.high_watermark = high_watermark
        claim.last_stable_offset = last_stable_offset
        claim.told_at, claim.ends_at_ms = told_at, now_ms
        short = high_watermark is not None and high_watermark < claim.next_offset
        claim.short_since_ms = (claim.short_since_ms or now_ms) if short else None
        if claim.under_way == 0 and claim.next_offset in (last_stable_offset, high_watermark):
            claim.on_trial = None  # there is nothing to try it on

    def checkpoints(self) -> dict[tuple[str, int], int]:
        """The checkpoint of every owned partition that has a known one."""
        return {key: claim.checkpoint for key, claim in self._claims.items() if claim.checkpoint != UNKNOWN}

    def _claim(self, key: tuple[str, int], start: int) -> Claim:
        at, stopped = int(start), self._refused.get(key[0])
        known_by = at if isinstance(start, OneBefore) else None
        return Claim(next_offset=at, checkpoint=at, turn=self._turn(), known_by=known_by, stopped=stopped)

    def _break(self, claim: Claim) -> None:
        """What is under way of this claim no longer joins."""
        claim.turn = self._turn()
        claim.under_way = 0

    def _turn(self) -> int:
        self._turns += 1
        return self._turns


def gap_reason(*, offset: int, first: int, end: int) -> str:
    """Why what is due outside `[first, end]` of the log cannot be read, with the size of what is missing."""
    if offset < first:
        return f"the log begins at {first}, the checkpoint is {offset}: {first - offset} offsets are gone"
    return f"the log ends at {end}, the checkpoint is {offset}: it is {offset - end} offsets ahead, or another log"
