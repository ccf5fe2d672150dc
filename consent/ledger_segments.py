"""The leaves on disk: files of equally many commitments, each sealed by the header of the next.

A file is a line of canonical JSON and then 32 bytes a leaf. The header names the content hash of the file before it and
the root of its leaves, so that a file once full can neither be changed nor left out without its successor saying so.
Who reads keeps the roots of full files and the hashes of the last one, whatever the size of the ledger.
"""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Final

from consent.ledger_canonical import canonical
from consent.ledger_entry import COMMITMENT_BYTES, LedgerDamaged, hash_of
from consent.ledger_tree import node_hash, root_of, split_of
from events.durable_files import sync_folder, write_durably

SEGMENT_LEAVES: Final = 4096
"""A power of two, so that a full file is a subtree."""

FILES_HELD: Final = 16
"""Full files whose hashes are kept for the next proof: 4 MB."""

_FORMAT: Final = 1
_HEADER_BYTES_MAX: Final = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """The first line of a file: where it begins, how many leaves fit, content hash and root of the file before it."""

    first: int
    leaves: int
    previous: str = ""
    root: str = ""

    def line(self) -> bytes:
        """As it is written."""
        said = {
            "first": self.first,
            "format": _FORMAT,
            "leaves": self.leaves,
            "previous": self.previous,
            "root": self.root,
        }
        return canonical(said) + b"\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentFile:
    """A file as it was read; `torn` is how many bytes follow the last whole leaf."""

    header: Header
    commitments: list[bytes]
    torn: int
    content: str

    def follower(self, root: bytes) -> Header:
        """The header of the file after this full one, whose root is given."""
        return Header(
            first=self.header.first + self.header.leaves,
            leaves=self.header.leaves,
            previous=self.content,
            root=root.hex(),
        )


def segment_path(folder: Path, first: int) -> Path:
    """The file that begins with a leaf."""
    return folder / f"{first:016d}.leaves"


def read_file(path: Path) -> SegmentFile | None:
    """A file of leaves, None while its header is not whole; LedgerDamaged when it begins with something else."""
    raw = path.read_bytes()
    line, end, leaves = raw.partition(b"\n")
    if not end and len(raw) < _HEADER_BYTES_MAX:
        return None
    header = _header(line + end, path)
    whole = len(leaves) // COMMITMENT_BYTES
    return SegmentFile(
        header=header,
        commitments=[leaves[at * COMMITMENT_BYTES : (at + 1) * COMMITMENT_BYTES] for at in range(whole)],
        torn=len(leaves) % COMMITMENT_BYTES,
        content=sha256(raw).hexdigest(),
    )


class LeafFiles:
    """The leaves in a folder. One process at a time may call `append` and `cut`; others see what is there."""

    def __init__(self, folder: Path, *, leaves: int = SEGMENT_LEAVES) -> None:
        self._folder = folder
        self._leaves = leaves
        self._roots: list[bytes] = []
        self._tail: list[bytes] = []
        self._read = lru_cache(FILES_HELD)(self._read_hashes)
        self.refresh()

    @property
    def size(self) -> int:
        """How many whole leaves there are."""
        return len(self._roots) * self._leaves + len(self._tail)

    @property
    def last_file(self) -> int:
        """The first leaf of the last file that has leaves."""
        return max(self.size - 1, 0) // self._leaves * self._leaves

    def refresh(self) -> None:
        """Take in what was appended since, by whomever."""
        while True:
            first = len(self._roots) * self._leaves
            after = None if self._tail else self._read_header(first + self._leaves)
            if after is not None:
                # The successor knows the root; a ledger of millions opens without reading them.
                self._roots.append(bytes.fromhex(after.root))
                continue
            if self._path(first).exists():
                self._take_new(first)
            if len(self._tail) < self._leaves:
                return
            self._roots.append(root_of(self._tail))
            self._tail = []

    def append(self, commitments: Sequence[bytes]) -> None:
        """Put leaves at the end, durably."""
        at = 0
        while at < len(commitments):
            first = len(self._roots) * self._leaves
            path = self._path(first)
            header = self._read_header(first) or self._begin(first)
            part = commitments[at : at + self._leaves - len(self._tail)]
            with path.open("r+b") as file:
                # What a torn write left there is less than a leaf, and goes under.
                file.seek(len(header.line()) + len(self._tail) * COMMITMENT_BYTES)
                file.write(b"".join(part))
                file.flush()
                os.fsync(file.fileno())
            at += len(part)
            self.refresh()

    def cut(self, size: int) -> None:
        """Take back leaves of the last file that were never signed."""
        first = self.last_file
        header = self._read_header(first)
        if header is None or size < first:
            raise LedgerDamaged(f"leaf {size} is not in the last file of leaves")
        os.truncate(self._path(first), len(header.line()) + (size - first) * COMMITMENT_BYTES)
        self._roots, self._tail = [], []
        self._read.cache_clear()
        self.refresh()

    def commitments(self, first: int) -> list[bytes]:
        """The commitments of the file that begins with this leaf."""
        if not self._path(first).exists():
            return []
        found = read_file(self._path(first))
        return found.commitments if found else []

    def subtree(self, start: int, end: int) -> bytes:
        """The root of the leaves `[start, end)`: of a subtree, or of everything from 0 on."""
        number = start // self._leaves
        if end - start > self._leaves:
            middle = start + split_of(end - start)
            return node_hash(self.subtree(start, middle), self.subtree(middle, end))
        if end - start == self._leaves and number < len(self._roots):
            return self._roots[number]
        first = number * self._leaves
        return root_of(self._hashes(number)[start - first : end - first])

    def root(self, size: int) -> bytes:
        """The root of the first `size` leaves; ValueError where there are fewer."""
        if size > self.size:
            raise ValueError(f"there are {self.size} leaves")
        return self.subtree(0, size)

    def _hashes(self, number: int) -> list[bytes]:
        """The leaf hashes of one file."""
        return self._tail if number == len(self._roots) else self._read(number)

    def _read_hashes(self, number: int) -> list[bytes]:
        first = number * self._leaves
        hashes = [hash_of(each) for each in self.commitments(first)]
        if root_of(hashes) != self._roots[number]:
            raise LedgerDamaged(f"{self._path(first).name} does not hold the leaves its successor was told of")
        return hashes

    def _take_new(self, first: int) -> None:
        header = self._read_header(first)
        if header is None:
            return
        with self._path(first).open("rb") as file:
            file.seek(len(header.line()) + len(self._tail) * COMMITMENT_BYTES)
            raw = file.read((self._leaves - len(self._tail)) * COMMITMENT_BYTES)
        whole = len(raw) // COMMITMENT_BYTES
        self._tail += [hash_of(raw[at * COMMITMENT_BYTES : (at + 1) * COMMITMENT_BYTES]) for at in range(whole)]

    def _begin(self, first: int) -> Header:
        """A new file, whose header seals the one before it. What a crash left of an earlier try is replaced."""
        header = Header(first=first, leaves=self._leaves)
        if first:
            full = read_file(self._path(first - self._leaves))
            if full is None:
                raise LedgerDamaged(f"{self._path(first - self._leaves).name} has lost its header")
            header = full.follower(self._roots[-1])
        write_durably(self._path(first), header.line())
        sync_folder(self._folder)
        return header

    def _read_header(self, first: int) -> Header | None:
        path = self._path(first)
        try:
            with path.open("rb") as file:
                line = file.readline(_HEADER_BYTES_MAX)
        except FileNotFoundError:
            return None
        if not line.endswith(b"\n") and len(line) < _HEADER_BYTES_MAX:
            return None
        header = _header(line, path)
        if header.first != first or header.leaves != self._leaves:
            raise LedgerDamaged(f"{path.name} says that it is another file of leaves")
        return header

    def _path(self, first: int) -> Path:
        return segment_path(self._folder, first)


def _header(line: bytes, path: Path) -> Header:
    try:
        said = json.loads(line)
        found = Header(**{name: said[name] for name in ("first", "leaves", "previous", "root")})
    except (ValueError, TypeError, KeyError, RecursionError):
        raise LedgerDamaged(f"{path.name} does not begin as a file of leaves") from None
    # Nothing stands in a header that its values do not say.
    if type(found.first) is not int or type(found.leaves) is not int or found.line() != line:
        raise LedgerDamaged(f"{path.name} does not begin as a file of leaves")
    return found
