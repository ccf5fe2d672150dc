"""Which partition a key belongs to: murmur2 as Kafka's own producers compute it."""

from functools import lru_cache
from typing import Final

from aiokafka.partitioner import murmur2

PARTITIONER: Final = "murmur2"


@lru_cache(maxsize=65536)
def partition_of(key: bytes, partitions: int) -> int:
    """The partition of a record key among `partitions`, equal to the Java client's default partitioner."""
    return int(murmur2(key) & 0x7FFFFFFF) % partitions
