"""Notices: what people were told, each version word by word, and what a new version means for those who agreed before.

A version that changes what was agreed to is *material*: whoever agreed to an older one has to be asked again. One that
changes words alone is *editorial*. An act names its notice as `id/version`.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field, StringConstraints

from consent.purposes import PURPOSES
from consent.versioned_data import FILES, DataInvalid, content_hash
from events.shape import Code, Shape, Time

DEFAULT_NOTICES: Final = Path(__file__).with_name("notices.yaml")

Language = Literal["en", "zh"]
NoticeId = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,39}$")]


class Wording(Shape):
    """A notice in one language."""

    title: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    body: Annotated[str, StringConstraints(min_length=1, max_length=20_000)]


class Texts(Shape):
    """The same notice in every language people are asked in."""

    en: Wording
    zh: Wording


class Notice(Shape):
    """One version of a notice. It applies from `valid_from` on and was published at `known_from` (ms)."""

    id: NoticeId
    version: Annotated[int, Field(strict=True, ge=1, le=9999)]
    change: Literal["first", "material", "editorial"]
    valid_from: Time
    known_from: Time
    purposes: Annotated[tuple[Code, ...], Field(min_length=1)]
    texts: Texts

    @property
    def ref(self) -> str:
        """How an act names it."""
        return f"{self.id}/{self.version}"

    @cached_property
    def hash(self) -> str:
        """SHA-256 (64 hex digits) over everything the version says, in canonical JSON."""
        return content_hash(self)

    def wording(self, language: Language) -> Wording:
        """The notice as a person reads it."""
        return self.texts.zh if language == "zh" else self.texts.en

    def is_in_force(self, *, at: int, known_at: int) -> bool:
        """Whether it applied at that moment (ms), going by what was published at `known_at`."""
        return self.valid_from <= at and self.known_from <= known_at


@dataclass(frozen=True)
class Notices:
    """All versions of all notices."""

    versions: tuple[Notice, ...]

    @classmethod
    def load(cls, path: Path = DEFAULT_NOTICES) -> Self:
        """The notices in a YAML file; DataInvalid with the place otherwise."""
        return cls.parse(FILES.read(path), name=path.name)

    @classmethod
    def parse(cls, raw: bytes, *, name: str = "notices") -> Self:
        """The notices in YAML bytes; `name` stands in front of what is wrong with them."""
        return cls.of(FILES.parse(raw, name=name), name=name)

    @classmethod
    def of(cls, content: Any, *, name: str = "notices") -> Self:
        """The notices in parsed YAML or JSON."""
        versions = FILES.shaped(_File, content, name=name).notices
        if problems := list(_problems(versions)):
            raise DataInvalid(f"{name}: {'; '.join(problems[:5])}")
        return cls(tuple(sorted(versions, key=lambda notice: (notice.id, notice.version))))

    def find(self, notice_id: str, version: int) -> Notice | None:
        """One version; None where there is no such."""
        return self._by_ref.get(f"{notice_id}/{version}")

    def by_ref(self, ref: str) -> Notice | None:
        """The version an act names as `id/version`; None where there is no such."""
        return self._by_ref.get(ref)

    def current(self, purpose: str, *, at: int, known_at: int) -> Notice | None:
        """The newest version in force about a purpose: what somebody is shown who is asked then (ms)."""
        found = [n for n in self.versions if purpose in n.purposes and n.is_in_force(at=at, known_at=known_at)]
        return max(found, key=lambda notice: (notice.valid_from, notice.version, notice.id), default=None)

    def told_of(self, purposes: Iterable[str], *, at: int, known_at: int) -> Iterator[tuple[str, Notice]]:
        """Each of the purposes that has a version in force then (ms), with the newest one."""
        for purpose in purposes:
            if (notice := self.current(purpose, at=at, known_at=known_at)) is not None:
                yield purpose, notice

    def superseding(self, purpose: str, ref: str, *, at: int, known_at: int) -> Notice | None:
        """The material change in force that ended an agreement to the purpose under the notice `ref`, if one did.

        An agreement that names no notice, or one that is not known, was to nothing in particular: any material change
        of what people are told about the purpose ends it.
        """
        changes = self._material.get(purpose)
        if changes is None:
            return None
        agreed = self._by_ref.get(ref)
        if agreed is not None and purpose not in agreed.purposes:
            agreed = None
        for change in changes:
            is_other = agreed is not None and (change.id != agreed.id or change.version <= agreed.version)
            if not is_other and change.is_in_force(at=at, known_at=known_at):
                return change
        return None

    @cached_property
    def _by_ref(self) -> dict[str, Notice]:
        return {notice.ref: notice for notice in self.versions}

    @cached_property
    def _material(self) -> dict[str, list[Notice]]:
        found: dict[str, list[Notice]] = {}
        for notice in self.versions:
            if notice.change == "material":
                for purpose in notice.purposes:
                    found.setdefault(purpose, []).append(notice)
        return found


class _File(Shape):
    notices: Annotated[tuple[Notice, ...], Field(min_length=1)]


def _problems(versions: Iterable[Notice]) -> Iterator[str]:
    rows: dict[str, list[Notice]] = {}
    for notice in versions:
        rows.setdefault(notice.id, []).append(notice)
        if unknown := sorted(set(notice.purposes) - PURPOSES.keys()):
            yield f"{notice.ref}: there is no purpose {', '.join(unknown)}"
        if len(set(notice.purposes)) != len(notice.purposes):
            yield f"{notice.ref}: names a purpose twice"
    for row in rows.values():
        row.sort(key=lambda notice: notice.version)
        yield from _problems_of_row(row)
    if silent := sorted(PURPOSES.keys() - {purpose for notice in versions for purpose in notice.purposes}):
        yield f"nobody is told about {', '.join(silent)}"


def _problems_of_row(row: list[Notice]) -> Iterator[str]:
    """What is wrong with the versions of one notice, sorted."""
    if [notice.version for notice in row] != list(range(1, len(row) + 1)):
        yield f"{row[0].id}: its versions have to be 1, 2, 3, each once"
    for notice in row:
        if (notice.change == "first") != (notice.version == 1):
            yield f"{notice.ref}: version 1, and no other, is the first"
    for older, newer in pairwise(row):
        if newer.valid_from <= older.valid_from or newer.known_from <= older.known_from:
            yield f"{newer.ref}: has to apply, and be published, after {older.ref}"
        if newer.change == "editorial" and set(newer.purposes) != set(older.purposes):
            yield f"{newer.ref}: other purposes are a material change"
