"""Files of leaves: read while they grow, and held in little memory however many there are."""

import random
from pathlib import Path

import pytest

from consent.ledger_entry import LedgerDamaged, hash_of
from consent.ledger_segments import FILES_HELD, Header, LeafFiles, read_file, segment_path
from consent.ledger_tree import inclusion_proof, is_included, root_of
from tests.ledger.ledgers import SEGMENT

COMMITMENTS = [random.Random(7).randbytes(32) for _ in range(500)]
HASHES = [hash_of(each) for each in COMMITMENTS]


def files(folder: Path) -> LeafFiles:
    return LeafFiles(folder, leaves=SEGMENT)


def test_who_reads_sees_what_another_appends(tmp_path: Path) -> None:
    writer, reader = files(tmp_path), files(tmp_path)
    for start, end in [(0, 1), (1, 7), (7, 8), (8, 30), (30, 100)]:
        writer.append(COMMITMENTS[start:end])
        reader.refresh()
        assert reader.size == writer.size == end
        assert reader.root(end) == writer.root(end) == files(tmp_path).root(end) == root_of(HASHES[:end])


@pytest.mark.parametrize("size", [1, 7, 8, 9, 16, 17, 63, 64, 65, 100])
def test_every_beginning_has_its_root(size: int, tmp_path: Path) -> None:
    written = files(tmp_path)
    written.append(COMMITMENTS[:100])

    assert written.root(size) == root_of(HASHES[:size])
    assert written.root(0) == root_of([])
    with pytest.raises(ValueError, match="100 leaves"):
        written.root(101)


def test_what_is_held_does_not_grow_with_the_ledger_but_for_a_root_a_file(tmp_path: Path) -> None:
    written = files(tmp_path)
    written.append(COMMITMENTS)
    for index in range(500):
        proof = inclusion_proof(index, size=500, subtree=written.subtree)
        assert is_included(HASHES[index], index=index, size=500, proof=proof, root=written.root(500))

    assert (len(written._roots), len(written._tail)) == (500 // SEGMENT, 500 % SEGMENT)
    assert written._read.cache_info().currsize == FILES_HELD


def test_a_ledger_opens_without_reading_the_leaves_of_full_files(tmp_path: Path) -> None:
    files(tmp_path).append(COMMITMENTS[:30])
    for first in (0, SEGMENT):
        path = segment_path(tmp_path, first)
        path.write_bytes(path.read_bytes()[: -32 * SEGMENT])

    opened = files(tmp_path)
    assert opened.root(30) == root_of(HASHES[:30])
    with pytest.raises(LedgerDamaged, match="does not hold the leaves its successor was told of"):
        opened.root(3)


def test_each_file_is_sealed_by_the_next(tmp_path: Path) -> None:
    files(tmp_path).append(COMMITMENTS[: 2 * SEGMENT + 1])
    first, second = (read_file(segment_path(tmp_path, at)) for at in (0, SEGMENT))

    assert first
    assert second
    assert second.header == Header(
        first=SEGMENT, leaves=SEGMENT, previous=first.content, root=root_of(HASHES[:SEGMENT]).hex()
    )


@pytest.mark.parametrize(
    "line",
    [
        b"{}\n",
        b"[]\n",
        b"nonsense\n",
        b"\xff\n",
        Header(first=SEGMENT, leaves=SEGMENT).line(),
        Header(first=0, leaves=2 * SEGMENT).line(),
        Header(first=0, leaves=SEGMENT).line().replace(b":", b": "),
        Header(first=0, leaves=SEGMENT).line().replace(b"0", b"false", 1),
        b" " * 600,
    ],
)
def test_a_file_that_begins_otherwise_stops_whoever_reads(line: bytes, tmp_path: Path) -> None:
    segment_path(tmp_path, 0).write_bytes(line + bytes(64))

    with pytest.raises(LedgerDamaged):
        files(tmp_path)


def test_leaves_of_an_earlier_file_are_not_taken_back(tmp_path: Path) -> None:
    written = files(tmp_path)
    written.append(COMMITMENTS[:12])
    with pytest.raises(LedgerDamaged, match="not in the last file"):
        written.cut(7)
    written.cut(9)

    assert (written.size, files(tmp_path).size) == (9, 9)
