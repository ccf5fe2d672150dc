"""What a replay sends: lines with their numbers, from a file or from Olist, some of them twice on request."""

import gzip
import hashlib
import random
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from commands.olist import FILES, read_olist
from commands.olist_events import olist_events

REPEAT_AFTER: Final = 256
"""So many repeats wait at a time: each is sent some way behind its first sending."""


class InputUnreadable(Exception):
    """The input is missing or cannot be read to its end."""


class Line(NamedTuple):
    """One event in JSON; `number` counts from 1, `again` marks a repeat made on request."""

    number: int
    raw: bytes
    again: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """Something to replay: `lines` can be gone through more than once and is the same each time.

    `identifies` tells one input from another, so that a state is followed only for the input it was made with.
    """

    name: str
    identifies: str
    lines: Callable[[], Iterator[Line]]


def file_input(path: Path) -> Input:
    """The lines of a JSON Lines file, gzipped or not; blank ones are passed over. InputUnreadable.

    A file that grew is the same input, so a log that is appended to is followed from where the last start ended.
    """
    first = next(_file_lines(path), Line(0, b""))
    return Input(name=path.name, identifies=_digest("file", first.raw.hex()), lines=lambda: _file_lines(path))


def olist_input(folder: Path, *, source: str, grants: Sequence[str]) -> Input:
    """The Olist files of a folder as events of the sender `source`. OlistUnreadable."""
    olist = read_olist(folder)
    sizes = (str((folder / f"{name}.csv.gz").stat().st_size) for name in FILES)

    def lines() -> Iterator[Line]:
        encode = msgspec.json.Encoder().encode
        for number, event in enumerate(olist_events(olist, grants=grants), start=1):
            yield Line(number, encode(event.cloud_event(source=source)))

    return Input(name="olist", identifies=_digest("olist", source, *sizes, *grants), lines=lines)


def with_repeats(source: Input, *, share: float, seed: int) -> Input:
    """The same input with that share of its lines sent once more later; which ones depends on the seed alone."""
    if not share:
        return source
    # The repeats that wait at the end go out there, so a file that grows has another sequence of sends.
    count = sum(1 for _ in source.lines())
    return Input(
        name=source.name,
        identifies=_digest(source.identifies, str(share), str(seed), str(count)),
        lines=lambda: repeated(source.lines(), share=share, seed=seed),
    )


def repeated(lines: Iterable[Line], *, share: float, seed: int) -> Iterator[Line]:
    """Every line once, and a share of them again, some way later."""
    chance = random.Random(seed)  # noqa: S311  a repeatable choice, nothing secret
    waiting: deque[Line] = deque()
    for line in lines:
        yield line
        if chance.random() < share:
            waiting.append(line._replace(again=True))
        if len(waiting) > REPEAT_AFTER:
            yield waiting.popleft()
    yield from waiting


def part(source: Input, *, start: int, limit: int | None) -> Iterator[tuple[int, Line]]:
    """The lines from place `start` on, at most `limit`, each with its place in the sequence."""
    stop = None if limit is None else start + limit
    return islice(enumerate(source.lines()), start, stop)


def _file_lines(path: Path) -> Iterator[Line]:
    try:
        with path.open("rb") as probe:
            is_gzip = probe.read(2) == b"\x1f\x8b"
        with gzip.open(path, "rb") if is_gzip else path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if raw := line.strip():
                    yield Line(number, raw)
    except (OSError, EOFError, zlib.error) as error:
        raise InputUnreadable(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from error


def _digest(*parts: str) -> str:
    return hashlib.blake2b("\x00".join(parts).encode(), digest_size=8).hexdigest()
