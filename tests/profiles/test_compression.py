"""What the compressor is given comes back, from any thread; what is not a whole frame of ours is named."""

import hashlib
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import msgspec
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from events.fact import Fact
from profiles import compression
from profiles.compression import CONTENT_MAX, NotCompressed, compress, decompress, dictionary, is_frame
from profiles.facet import FACET_FORMAT, Facet
from profiles.fold import fold
from tests.builders import facts, purchased
from tests.waiting import HANGS_S

CONTENT: Final = msgspec.msgpack.encode(fold(Facet(), purchased()).facet)
PLAIN: Final = zstandard.ZstdCompressionDict(dictionary())


@given(st.binary(max_size=5000))
def test_what_is_compressed_comes_back(content: bytes) -> None:
    frame = compress(content)
    assert is_frame(frame)
    assert decompress(frame) == content


@given(facts())
def test_no_bare_facet_looks_like_a_frame(one: Fact) -> None:
    assert not is_frame(msgspec.msgpack.encode(fold(Facet(), one).facet))


def test_the_dictionary_is_the_one_stores_were_written_with() -> None:
    held = zstandard.ZstdCompressionDict(dictionary())
    assert hashlib.sha256(dictionary()).hexdigest() == compression.DICTIONARY_SHA256
    assert held.dict_id() == compression.DICTIONARY_ID <= FACET_FORMAT


def test_a_small_facet_is_worth_compressing() -> None:
    assert len(compress(CONTENT)) < 0.75 * len(CONTENT)


@pytest.mark.parametrize("length", range(len(compress(CONTENT))))
def test_a_frame_that_was_cut_is_no_frame(length: int) -> None:
    with pytest.raises(NotCompressed):
        decompress(compress(CONTENT)[:length])


def test_a_frame_followed_by_more_is_no_frame() -> None:
    for more in (b"\x00", compress(CONTENT)):
        with pytest.raises(NotCompressed, match="damaged"):
            decompress(compress(CONTENT) + more)


def test_a_frame_without_our_dictionary_is_refused_by_the_one_it_names() -> None:
    with pytest.raises(NotCompressed, match="dictionary 0"):
        decompress(zstandard.compress(CONTENT))


def test_a_frame_that_does_not_say_how_much_it_holds_is_refused() -> None:
    frame = zstandard.ZstdCompressor(dict_data=PLAIN, write_content_size=False).compress(CONTENT)
    with pytest.raises(NotCompressed, match="too much"):
        decompress(frame)


def test_a_bomb_is_refused_before_it_unfolds() -> None:
    with pytest.raises(NotCompressed, match="too much"):
        decompress(compress(b"\x00" * (CONTENT_MAX + 1)))
    assert len(decompress(compress(b"\x00" * CONTENT_MAX))) == CONTENT_MAX


def test_a_frame_that_holds_more_than_it_says_is_damaged() -> None:
    frame = bytearray(compress(b"\x00" * 200))
    assert frame[6] == 200, "the size stands behind the id of the dictionary"
    frame[6] = 100
    with pytest.raises(NotCompressed, match="damaged"):
        decompress(bytes(frame))


def test_many_threads_may_compress_at_once() -> None:
    contents = [CONTENT * (1 + number % 50) for number in range(400)]
    start = threading.Barrier(4)

    def run() -> bool:
        start.wait(timeout=HANGS_S)
        return all(decompress(compress(content)) == content for content in contents)

    with ThreadPoolExecutor(4) as pool:
        assert all(future.result() for future in [pool.submit(run) for _ in range(4)])
