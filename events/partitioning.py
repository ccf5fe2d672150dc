"""Which partition a key belongs to: murmur2 as Kafka's own producers compute it."""

from functools import lru_cache
from struct import iter_unpack
from typing import Final

PARTITIONER: Final = "murmur2"
_SEED: Final = 0x9747B28C
_FACTOR: Final = 0x5BD1E995
_32_BITS: Final = 0xFFFFFFFF


@lru_cache(maxsize=65536)
def partition_of(key: bytes, partitions: int) -> int:
    """The partition of a record key among `partitions`, equal to the Java client's default partitioner."""
    return (_murmur2(key) & 0x7FFFFFFF) % partitions


def _murmur2(key: bytes) -> int:
    """The 32-bit hash. The one of a Kafka client takes the whole client with it, which most commands do without."""
    whole = len(key) & ~3
    hashed = _SEED ^ len(key)
    for (word,) in iter_unpack("<I", key[:whole]):
        mixed = word * _FACTOR & _32_BITS
        hashed = (hashed * _FACTOR ^ (mixed ^ mixed >> 24) * _FACTOR) & _32_BITS
    if whole < len(key):
        hashed = (hashed ^ int.from_bytes(key[whole:], "little")) * _FACTOR & _32_BITS
    hashed = (hashed ^ hashed >> 13) * _FACTOR & _32_BITS
    return hashed ^ hashed >> 15
