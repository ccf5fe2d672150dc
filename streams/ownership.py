"""Which partitions this worker owns, and how far each has been handed over and handled. No I/O, no client library.

The position is ours, not the client's: `next_offset` says where the next frame of a partition starts, and the transport
moves the client there before each fetch wherever the two differ. `turn` changes whenever that line is broken (a new
assignment, a seek, a stop), so whatever was fetched or queued under an older turn is recognised and dropped.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import msgspec

from streams.frame import Answer, Frame, SeekTo, Stopped

FETCH_WAIT_MS = 50
"""How long a fetch may wait for records. The embedded broker answers a waiting one only at its end."""
SHORT_LOG_MS = 3_000
"""After a change of leader a log may for a moment seem to end before what was read from it; longer is a gap."""


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
    """What is known of one owned partition. Offsets are next offsets; `ends_at_ms` is the age of the two log ends."""

    next_offset: int
    checkpoint: int
    turn: int
    stopped: str | None = None
    high_watermark: int | None = None
    last_stable_offset: int | None = None
    ends_at_ms: int | None = None
    short_since_ms: int | None = None

    @property
    def short_for_ms(self) -> int:
        """How long the log has been known to end before our position; a broker may tell so for a moment."""
        if self.short_since_ms is None or self.ends_at_ms is None:
            return 0
        return self.ends_at_ms - self.short_since_ms


class Ownership:
    """The partitions in this worker's hands.

    The event loop writes it; the fetching thread reads it, reports log ends and stops a partition at a gap.
    """

    def __init__(self) -> None:
        self._claims: dict[tuple[str, int], Claim] = {}
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

    def assign(self, starts: Mapping[tuple[str, int], int]) -> None:
        """Own these partitions and no others, each from the offset given. A stopped one gets another try."""
        self._claims = {
            Key(*key): Claim(next_offset=start, checkpoint=start, turn=self._turn()) for key, start in starts.items()
        }

    def revoke(self, keys: Iterable[tuple[str, int]]) -> None:
        """Let these partitions go; their frames still queued are no longer ours."""
        for key in keys:
            self._claims.pop(key, None)

    def readable(self, key: tuple[str, int]) -> Claim | None:
        """The claim to fetch for, None where nothing is to be fetched: not ours, stopped, or closing."""
        claim = self._claims.get(key)
        return None if claim is None or claim.stopped is not None or self._closed else claim

    def hand_over(self, key: tuple[str, int], *, turn: int, end: int) -> bool:
        """Move on to `end` if this was fetched in the current turn; False: drop it."""
        claim = self.readable(key)
        if claim is None or claim.turn != turn:
            return False
        claim.next_offset = end
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

    def settle(self, handed: Handed, answer: Answer) -> None:
        """Act on what a handler answered, unless the partition has meanwhile moved on without it."""
        key = (handed.frame.topic, handed.frame.partition)
        claim = self._claims.get(key)
        if claim is None or claim.turn != handed.turn:
            return
        match answer:
            case SeekTo(offset):
                claim.next_offset = claim.checkpoint = offset
                claim.turn = self._turn()
            case Stopped(reason):
                self.stop(key, reason=reason)
            case _:
                claim.checkpoint = handed.frame.end

    def stop(self, key: tuple[str, int], *, reason: str) -> None:
        """Stop one partition until it is assigned anew; the others go on."""
        claim = self._claims.get(key)
        if claim is not None:
            claim.stopped = reason
            claim.turn = self._turn()

    def saw_ends(
        self, key: tuple[str, int], *, high_watermark: int | None, last_stable_offset: int | None, at_ms: int | None
    ) -> None:
        """Remember the log's ends as the last fetch told them."""
        claim = self._claims.get(key)
        if claim is not None:
            claim.high_watermark = high_watermark
            claim.last_stable_offset = last_stable_offset
            claim.ends_at_ms = at_ms
            short = high_watermark is not None and high_watermark < claim.next_offset
            claim.short_since_ms = (claim.short_since_ms or at_ms) if short else None

    def checkpoints(self) -> dict[tuple[str, int], int]:
        """The checkpoint of every owned partition."""
        return {key: claim.checkpoint for key, claim in self._claims.items()}

    def _turn(self) -> int:
        self._turns += 1
        return self._turns


def gap_reason(*, offset: int, first: int, end: int) -> str:
    """Why a position outside `[first, end]` of the log cannot be read, with the size of what is missing."""
    if offset < first:
        return f"the log begins at {first}, the checkpoint is {offset}: {first - offset} offsets are gone"
    return f"the log ends at {end}, the checkpoint is {offset}: it is {offset - end} offsets ahead, or another log"
