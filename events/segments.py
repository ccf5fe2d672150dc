"""Which part of a partition a segment file holds, and what follows from a folder full of them: pure, names only."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

MERGE_RUN: Final = 8
"""So many neighbouring segments of one size class become one."""

SIZE_CLASSES: Final = (64 * 1024, 512 * 1024, 4 * 1024 * 1024)
"""Upper bounds in bytes; a segment beyond the last is large enough and stays as it is."""

_NAME: Final = re.compile(r"(\d{16})-(\d{16})\.parquet", re.ASCII)


class HistoryDamaged(Exception):
    """A file of history cannot be read as what its name says; the text names the file, never what it holds."""


class Segment(NamedTuple):
    """A file with the records of `[start, end)`."""

    start: int
    end: int
    path: Path


class Piece(NamedTuple):
    """Offsets `[start, end)` are read from this segment."""

    start: int
    end: int
    segment: Segment


def partition_folder(folder: Path, *, epoch: int, partition: int) -> Path:
    """Where the segments of one partition of one log lie."""
    return folder / f"epoch={epoch}" / f"partition={partition:02d}"


def numbered(folder: Path, label: str) -> list[int]:
    """The numbers N for which `folder/label=N` exists, in order."""
    names = (child.name.partition("=") for child in folder.glob(f"{label}=*"))
    return sorted(int(number) for _, _, number in names if number.isascii() and number.isdigit())


def segment_at(folder: Path, *, start: int, end: int) -> Segment:
    """The segment of a range, whether or not it exists yet."""
    return Segment(start, end, folder / f"{start:016d}-{end:016d}.parquet")


def read_name(path: Path) -> Segment:
    """The segment a file name stands for; HistoryDamaged for a name that means nothing."""
    match = _NAME.fullmatch(path.name)
    if match is None or int(match[1]) >= int(match[2]):
        raise HistoryDamaged(f"{path.name} is not the name of a segment")
    return Segment(int(match[1]), int(match[2]), path)


def segments_in(folder: Path) -> list[Segment]:
    """The segments of one partition, in the order of their names."""
    return sorted(read_name(path) for path in folder.glob("*.parquet"))


def contiguous_end(segments: Iterable[Segment]) -> int:
    """The offset up to which, from 0 on, nothing is missing."""
    end = 0
    for segment in sorted(segments):
        if segment.start > end:
            break
        end = max(end, segment.end)
    return end


def uncovered(segments: Iterable[Segment], *, start: int, end: int) -> list[tuple[int, int]]:
    """The parts of `[start, end)` that no segment holds yet."""
    missing = []
    for segment in sorted(segments):
        if segment.start >= end:
            break
        if segment.start > start:
            missing.append((start, segment.start))
        start = max(start, segment.end)
    return [*missing, (start, end)] if start < end else missing


def pieces(segments: Iterable[Segment], *, start: int = 0) -> list[Piece]:
    """From which segment each offset is read; where several hold one, the last by name does."""
    chosen: list[Piece] = []
    for segment in sorted(segments):
        kept = [part for piece in chosen for part in _outside(piece, segment)]
        chosen = [*kept, Piece(segment.start, segment.end, segment)]
    return [piece._replace(start=max(piece.start, start)) for piece in sorted(chosen) if piece.end > start]


def _outside(piece: Piece, segment: Segment) -> list[Piece]:
    before = piece._replace(end=min(piece.end, segment.start))
    after = piece._replace(start=max(piece.start, segment.end))
    return [part for part in (before, after) if part.start < part.end]


def merge_run(sized: Sequence[tuple[Segment, int]]) -> list[Segment]:
    """Neighbouring small segments worth merging (given with their bytes, in order); empty when there are none.

    Merging by size class rewrites each record about once per class, however small the segments began.
    """
    for bound in SIZE_CLASSES:
        run: list[Segment] = []
        for segment, size in sized:
            if run and run[-1].end != segment.start:
                run = []
            run = [*run, segment] if size <= bound else []
            if len(run) == MERGE_RUN:
                return run
    return []


def shadowed(segments: Sequence[Segment]) -> list[Segment]:
    """Segments that lie within another one: what a crash left of a merge."""
    return [
        inner
        for inner in segments
        if any(outer.start <= inner.start and inner.end <= outer.end for outer in segments if outer != inner)
    ]
