"""Dead letters go back to the topic they came from: those about one identity one after the other, in their order.

A letter keeps its place until it is known what became of its record. What is set aside again changes nothing: the older
letter stays where it was, the newer one goes, and the later ones about the same identity wait. A replay that dies, runs
twice or beside another one sends a record again at most, and a fact that is known does not count again.
"""

import asyncio
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple, Protocol

from consent.holds import Holds
from events.acts import Closing
from events.admission import parse_json
from events.body_keys import BodyGone
from events.fact import Fact, FactUndecodable, decode_fact
from events.partitioning import partition_of
from events.position import Checkpoint, Position, Stream
from events.sealing import IN_CLEAR, Opens, Seals
from profiles.commit_checks import entry_order
from profiles.store import OutboxEntry
from streams.dead_letters import Contents, ContentsNotKept, DeadLetter, DeadLetters, unseal

Outcome = Literal["applied", "refused", "behind", "not_kept", "gone", "unknown"]
"""What became of a letter.

`applied`: its record counts, by this or already; the letter is gone. `refused`: set aside again, the letter stays.
`behind`: not sent, since an earlier one about the same identity stays. `not_kept`: what it held was not kept.
`gone`: somebody else replayed or discarded it meanwhile. `unknown`: nobody took the record up in time, the letter
stays.
"""

AT_ONCE: Final = 200
_POLL_S: Final = 0.05
_DAY_MS: Final = 24 * 3600 * 1000


class Publishes(Protocol):
    """The log as a replay needs it."""

    async def publish(self, *, topic: str, key: bytes | None, value: bytes, partition: int) -> int:
        """See `events.log.EventLog`."""
        ...


class Progress(Protocol):
    """What a store tells about the work on a stream."""

    async def checkpoint(self, stream: Stream) -> Checkpoint | None:
        """See `profiles.store.ProfileStore`."""
        ...

    async def outbox(self, stream: Stream, *, limit: int) -> list[tuple[str, OutboxEntry]]:
        """See `profiles.store.ProfileStore`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class _Opened:
    """A letter, whom it is about, the record to send, and the no whose hold ends once that record counts."""

    letter: DeadLetter
    about: str
    key: bytes | None
    value: bytes
    no: Fact | None


class _Sent(NamedTuple):
    opened: _Opened
    stream: Stream
    offset: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayer:
    """Replays letters while a worker runs.

    `log_ids` tells the topics' logs by name as the broker has them now; `clock` gives ms since 1970; `wait_s` is how
    long a record that was sent may take to be taken up.
    """

    letters: DeadLetters
    log: Publishes
    progress: Progress
    holds: Holds
    log_ids: Mapping[str, str]
    events_topic: str
    partitions: int
    clock: Callable[[], int]
    sealing: Seals = IN_CLEAR
    wait_s: float = 30.0

    async def replay(self, chosen: Sequence[DeadLetter]) -> dict[str, Outcome]:
        """What became of each letter, by id. LogError where the log does not take a record; all letters stay then."""
        outcomes: dict[str, Outcome] = {}
        queues: dict[str, list[_Opened]] = {}
        for letter in sorted(chosen, key=place_of):
            try:
                opened = await self._opened(letter)
            except (ContentsNotKept, KeyError):
                outcomes[letter.id] = "not_kept"
            else:
                queues.setdefault(opened.about, []).append(opened)
        while queues and "unknown" not in outcomes.values():
            heads = [queue[0] for queue in list(queues.values())[:AT_ONCE]]
            for opened, outcome in await self._round(heads):
                outcomes[opened.letter.id] = outcome
                rest = queues.pop(opened.about)[1:]
                if outcome in ("refused", "unknown"):
                    outcomes |= {later.letter.id: "behind" for later in rest}
                elif rest:
                    queues[opened.about] = rest
        return outcomes | {each.letter.id: "behind" for queue in queues.values() for each in queue}

    async def _opened(self, letter: DeadLetter) -> _Opened:
        day_key = await self.letters.key_of(letter.day, make=False)
        contents = unseal(letter, {} if day_key is None else {letter.day: day_key})
        value, no = contents.value or b"", None
        if letter.topic == self.events_topic and letter.reason == "conflict":
            no = await no_in(contents, sealing=self.sealing)
        if no is not None:
            [value] = await self.sealing.sealed([under_its_own_id(no)])
        return _Opened(letter=letter, about=about(letter, contents), key=contents.key, value=value, no=no)

    async def _round(self, heads: Sequence[_Opened]) -> list[tuple[_Opened, Outcome]]:
        """One letter of each identity: send, wait until they are taken up, see which were set aside again."""
        if await self._is_blind():
            return [(each, "unknown") for each in heads]
        kept = [each for each in heads if await self.letters.find(each.letter.id) is not None]
        sent = await asyncio.gather(*map(self._send, kept))
        epochs = await self._taken_up(sent)
        is_blind = await self._is_blind()
        gone: list[tuple[_Opened, Outcome]] = [(each, "gone") for each in heads if each not in kept]
        return gone + [
            (each.opened, await self._settled(each, epochs.get(each.stream), is_blind=is_blind)) for each in sent
        ]

    async def _is_blind(self) -> bool:
        """Whether a record could be set aside now without a letter to know it by."""
        today = self.clock() // _DAY_MS
        return await self.letters.overflows(today) or await self.letters.overflows(today - 1)

    async def _send(self, opened: _Opened) -> _Sent:
        letter, key = opened.letter, opened.key
        partition = letter.partition % self.partitions if key is None else partition_of(key, self.partitions)
        offset = await self.log.publish(topic=letter.topic, key=key, value=opened.value, partition=partition)
        return _Sent(opened, Stream(letter.app, letter.topic, partition), offset)

    async def _taken_up(self, sent: Sequence[_Sent]) -> dict[Stream, int]:
        """The streams whose checkpoint and outbox have left behind what was sent, with their epoch."""
        ends = {stream: max(each.offset for each in sent if each.stream == stream) for _, stream, _ in sent}
        passed: dict[Stream, int] = {}
        deadline = asyncio.get_running_loop().time() + self.wait_s
        while True:
            for stream in ends.keys() - passed.keys():
                if (epoch := await self._passed(stream, ends[stream])) is not None:
                    passed[stream] = epoch
            if len(passed) == len(ends) or asyncio.get_running_loop().time() > deadline:
                return passed
            await asyncio.sleep(_POLL_S)

    async def _passed(self, stream: Stream, offset: int) -> int | None:
        checkpoint = await self.progress.checkpoint(stream)
        if checkpoint is None or checkpoint.topic_id != self.log_ids[stream.topic] or checkpoint.offset <= offset:
            return None
        last = Position(checkpoint.epoch, stream.partition, offset + 1).ordinal
        waiting = await self.progress.outbox(stream, limit=1)
        return None if waiting and entry_order(waiting[0][0])[0] <= last else checkpoint.epoch

    async def _settled(self, sent: _Sent, epoch: int | None, *, is_blind: bool) -> Outcome:
        if epoch is None:
            return "unknown"
        letter = sent.opened.letter
        again = f"{letter.app}/{letter.topic}/{Position(epoch, sent.stream.partition, sent.offset)}"
        if await self.letters.find(again) is not None:
            await self.letters.drop(again)
            return "refused"
        if is_blind:
            return "unknown"
        if sent.opened.no is not None:
            await self._release(sent.opened.no)
        await self.letters.drop(letter.id)
        return "applied"

    async def _release(self, no: Fact) -> None:
        """End the hold of exactly that no, which counts now."""
        for hold in await self.holds.waiting(partition_of(no.identity.encode(), self.partitions)):
            is_its_own = (hold.identity, hold.event_key) == (no.identity, no.event_key)
            if is_its_own and decode_fact(hold.fact).digest == no.digest:
                await self.holds.release(hold.name)


def place_of(letter: DeadLetter) -> tuple[str, str, int, int, int]:
    """What letters are ordered by."""
    return (letter.app, letter.topic, letter.epoch, letter.partition, letter.offset)


def about(letter: DeadLetter, contents: Contents) -> str:
    """Whom a record is about, for its order among others: its subject, else its key; with neither it stands alone."""
    parsed = parse_json(contents.value or b"")
    subject = parsed.get("subject") if isinstance(parsed, dict) else None
    if isinstance(subject, str):
        return subject
    return contents.key.decode("utf-8", "backslashreplace") if contents.key else letter.id


async def no_in(contents: Contents, *, sealing: Opens) -> Fact | None:
    """The no that a letter from the log of facts holds: a refusal or a withdrawal that can be read.

    BodyKeysUnavailable; BodyKeyUnknown where it cannot be told.
    """
    [envelope] = await sealing.looked_up([contents.value])
    try:
        fact = envelope.fact()
    except (FactUndecodable, BodyGone):
        return None
    return fact if isinstance(fact.body, Closing) else None


def under_its_own_id(no: Fact) -> Fact:
    """The same no under an event key that follows from what it says.

    Another payload has its own key, so it could never be folded under that; the new one is the same at every replay.
    """
    key = hashlib.blake2b(b"set aside" + no.event_key + no.digest, digest_size=8).digest()
    return Fact(
        type=no.type,
        event_key=key,
        digest=no.digest,
        identity=no.identity,
        occurred_at=no.occurred_at,
        received_at=no.received_at,
        source=no.source,
        body=no.body,
    )
