"""Small blobs compressed with a dictionary that is shipped: one Zstandard frame each.

The dictionary was trained on made-up facets (`scripts/facet_dictionary.py`) and belongs to the format of the facet as
much as its fields do: another dictionary is another format, and its number is the dictionary's id in every frame.
"""

import hashlib
import importlib.resources
import threading
from functools import cache
from typing import Final

import zstandard

DICTIONARY: Final = "facet_dictionary_2.zstd"
DICTIONARY_ID: Final = 2
DICTIONARY_SHA256: Final = "3c6ae7bece53fe3f28f94eae77a63eed29edc1e44a93585270cf848c40f33daa"
LEVEL: Final = 2
QUICK_LEVEL: Final = -4
"""For what is not small: few people have done so much, but what they do is most of what is compressed."""
SMALL_MAX: Final = 4096
CONTENT_MAX: Final = 32 * 1024 * 1024
"""Bytes a frame may unfold to: above the heaviest facet, far below what a bomb would need."""


class NotCompressed(ValueError):
    """The blob is not one whole frame of ours; the text says what it is instead."""


class DictionaryUnknown(NotCompressed):
    """The frame was made with another dictionary, whose id is `found`."""

    def __init__(self, found: int) -> None:
        super().__init__(f"the frame was made with dictionary {found}, not {DICTIONARY_ID}")
        self.found = found


def is_frame(blob: bytes) -> bool:
    """Tell whether the blob begins as a frame does; no MessagePack array begins so."""
    return blob.startswith(zstandard.FRAME_HEADER)


def compress(content: bytes) -> bytes:
    """The content as one frame that says its size and its dictionary."""
    ours = _OURS.compressor if len(content) <= SMALL_MAX else _OURS.quick
    return ours.compress(content)


def decompress(frame: bytes) -> bytes:
    """What the frame holds; NotCompressed when it is damaged, cut, followed by more, or would grow too large."""
    try:
        head = zstandard.get_frame_parameters(frame)
        if head.dict_id != DICTIONARY_ID:
            raise DictionaryUnknown(head.dict_id)
        if head.content_size > CONTENT_MAX:  # an unknown size is a number above every other
            raise NotCompressed("the frame says that it holds too much")
        return _OURS.decompressor.decompress(frame, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise NotCompressed("the frame is damaged") from error


@cache
def dictionary() -> bytes:
    """The dictionary from the package's own folder; RuntimeError when it is not the one our blobs are made with."""
    content = importlib.resources.files("profiles").joinpath(DICTIONARY).read_bytes()
    if hashlib.sha256(content).hexdigest() != DICTIONARY_SHA256:
        raise RuntimeError(f"{DICTIONARY} is not the file this program was made with; install it anew")
    return content


class _Ours(threading.local):
    """A compressor and a decompressor per thread: neither may be called from two at once.

    Each thread has a dictionary of its own too, since the library prepares one lazily and without a lock.
    """

    def __init__(self) -> None:
        prepared = zstandard.ZstdCompressionDict(dictionary(), dict_type=zstandard.DICT_TYPE_FULLDICT)
        self.compressor = zstandard.ZstdCompressor(level=LEVEL, dict_data=prepared, write_checksum=False)
        self.quick = zstandard.ZstdCompressor(level=QUICK_LEVEL, dict_data=prepared, write_checksum=False)
        self.decompressor = zstandard.ZstdDecompressor(dict_data=prepared)


_OURS: Final = _Ours()
