"""The product's own steps in a plain loop: decode, load what is not held, fold, commit by the same Function.

What it leaves out is everything around them: groups and rebalances, the relay, dead letters' keys, the watchdog.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any, NamedTuple

import redis

from events.fact import Fact, FactUndecodable, decode_fact
from events.keys import checkpoint_key, facet_key, outbox_key
from events.position import Checkpoint, Position, Stream, encode_checkpoint, record_fingerprint
from profiles.codec import decode_facet, encode_facet
from profiles.commit_checks import read_checkpoint
from profiles.facet import Facet
from profiles.fold import Fate, fold
from profiles.packed import Packed, pack, unpack
from profiles.redis_library import FUNCTION, library_code
from streams.runs import chunks

APP = "profiles"


class Arrived(NamedTuple):
    """A record as a client hands it over."""

    offset: int
    timestamp_ms: int
    key: bytes
    value: bytes


class RedisFold:
    """Folds batches of records into a store it has to itself; all partitions of a batch go in one round trip."""

    def __init__(self, url: str, *, topic: str, partitions: int) -> None:
        self._client = _connected(url)
        self._client.function_load(library_code(), replace=True)
        self._streams = [Stream(APP, topic, partition) for partition in range(partitions)]
        self._held: dict[str, Packed] = {}
        self.checkpoints = [read_checkpoint(self._client.get(checkpoint_key(stream))) for stream in self._streams]
        """Where each partition stands; None before its first commit."""

    @property
    def done(self) -> int:
        """Records folded so far, over all partitions."""
        return sum(checkpoint.offset for checkpoint in self.checkpoints if checkpoint is not None)

    def handle(self, batch: Mapping[int, Sequence[Arrived]]) -> None:
        """Fold and commit a batch, by partition. RuntimeError when another owner wrote meanwhile."""
        with self._client.pipeline(transaction=False) as pipeline:
            for partition, records in batch.items():
                arrived: Any = records
                for run, _ in chunks(arrived, end=records[-1].offset + 1):
                    pipeline.execute_command("FCALL", FUNCTION, *self._commit(self._streams[partition], run))
            if any(standing is not None for standing in pipeline.execute()):
                raise RuntimeError("a checkpoint stood elsewhere")

    def _commit(self, stream: Stream, records: Sequence[Any]) -> list[Any]:
        changed: dict[str, Packed] = {}
        aside: list[Any] = []
        own: dict[bytes, list[Arrived]] = defaultdict(list)
        for record in records:
            own[record.key].append(record)
        identities = {key: key.decode() for key in own}
        self._load(stream, set(identities.values()) - self._held.keys())
        for key, told in own.items():
            facet = before = unpack(self._held[identities[key]])
            for record in told:
                fact = _decoded(record)
                fate: Fate | None = None
                if fact is not None:
                    facet, fate = fold(facet, fact)
                if fate not in ("applied", "repeated"):
                    place = f"{Position(1, stream.partition, record.offset + 1).ordinal}-0"
                    aside.append((record.offset, (place, "dead_letter", record.value)))
            if facet is not before:
                changed[identities[key]] = pack(facet)
        self._held.update(changed)
        expected = self.checkpoints[stream.partition]
        following = (expected or Checkpoint(epoch=1, offset=0)).advanced(
            offset=records[-1].offset + 1, fingerprint=record_fingerprint(**records[-1]._asdict())
        )
        self.checkpoints[stream.partition] = following
        keys = [checkpoint_key(stream), outbox_key(stream)]
        keys += [facet_key(stream.partition, identity) for identity in changed]
        values = [b"" if expected is None else encode_checkpoint(expected), encode_checkpoint(following)]
        values += [encode_facet(facet) for facet in changed.values()]
        return [len(keys), *keys, *values, *chain.from_iterable(entry for _, entry in sorted(aside))]

    def _load(self, stream: Stream, identities: Iterable[str]) -> None:
        missing = list(identities)
        if not missing:
            return
        blobs = self._client.mget([facet_key(stream.partition, identity) for identity in missing])
        for identity, blob in zip(missing, blobs, strict=True):
            self._held[identity] = pack(decode_facet(blob) if blob else Facet())


def _connected(url: str) -> Any:
    return redis.Redis.from_url(url, protocol=2)


def _decoded(record: Arrived) -> Fact | None:
    try:
        return decode_fact(record.value)
    except FactUndecodable:
        return None
