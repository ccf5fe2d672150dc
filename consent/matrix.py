"""The matrix: what each purpose rests on in each jurisdiction, in versions with both of their times.

It is data, and refused when it is loaded if it has a gap, contradicts itself, or names a basis the law does not have.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Final, Literal, NamedTuple, Self

from pydantic import Field, PlainSerializer

from consent.purposes import ALWAYS_OPEN, CHARACTERISTICS, PURPOSES, SENSITIVE, SHARE
from consent.state import Form
from consent.versioned_data import FILES, DataInvalid, content_hash
from events.shape import Code, Shape, Time

DEFAULT_MATRIX: Final = Path(__file__).with_name("matrix.yaml")

Basis = Literal["contract", "legal_obligation", "legitimate_interest", "switch", "consent"]
Jurisdiction = Literal["EU", "CN"]
Word = Literal[
    "contract",
    "legal_obligation",
    "switch",
    "legitimate_interest",
    "consent",
    "explicit_consent",
    "separate_consent",
    "written_consent",
]
Grade = Literal["demo", "imported", "recorded"]
EVIDENCE_GRADES: Final[tuple[Grade, ...]] = ("demo", "imported", "recorded")
"""How an act is proven, weakest first."""
# A set has another order in another process, and what is hashed and put down must not.
Grades = Annotated[frozenset[Grade], Field(min_length=1), PlainSerializer(sorted, return_type=list[Grade])]

JURISDICTIONS: Final[tuple[Jurisdiction, ...]] = ("EU", "CN")


class Ground(NamedTuple):
    """What a purpose rests on somewhere: the basis, and of a consent the least clear form and the proofs that do."""

    basis: Basis
    form: Form = Form.IMPLIED
    grades: frozenset[str] = frozenset(EVIDENCE_GRADES)

    @property
    def needs_no_act(self) -> bool:
        """Neither a yes opens it nor a no closes it."""
        return self.basis in ("contract", "legal_obligation")

    @property
    def stands_until_a_no(self) -> bool:
        """It is open until the person objects or turns it off."""
        return self.basis in ("legitimate_interest", "switch")


_GROUNDS: Final[Mapping[Word, tuple[Basis, Form]]] = {
    "contract": ("contract", Form.IMPLIED),
    "legal_obligation": ("legal_obligation", Form.IMPLIED),
    "switch": ("switch", Form.IMPLIED),
    "legitimate_interest": ("legitimate_interest", Form.IMPLIED),
    "consent": ("consent", Form.EXPRESSED),
    "explicit_consent": ("consent", Form.EXPLICIT),
    "separate_consent": ("consent", Form.SEPARATE),
    "written_consent": ("consent", Form.WRITTEN),
}
"""Word of the file -> what it means, the least strict first."""
_STRICTNESS: Final = tuple(_GROUNDS)


class MatrixVersion(Shape):
    """One whole table. It applies from `valid_from` on and was decided at `known_from` (ms)."""

    version: Annotated[int, Field(strict=True, ge=1, le=9999)]
    valid_from: Time
    known_from: Time
    rows: dict[Code, dict[Jurisdiction, Word]]
    evidence: dict[Code, Grades] = Field(default_factory=dict)
    assessments: dict[Code, Code] = Field(default_factory=dict)

    @cached_property
    def hash(self) -> str:
        """SHA-256 (64 hex digits) over everything the version says."""
        return content_hash(self)

    @cached_property
    def grounds(self) -> Mapping[str, Mapping[str | None, Ground]]:
        """Purpose -> jurisdiction -> its ground; under None the strictest of the row."""
        return MappingProxyType({purpose: self._row(purpose, words) for purpose, words in self.rows.items()})

    def _row(self, purpose: str, words: Mapping[Jurisdiction, Word]) -> Mapping[str | None, Ground]:
        grades: frozenset[str] = self.evidence.get(purpose, frozenset(EVIDENCE_GRADES))
        strictest = max(words.values(), key=_STRICTNESS.index)
        # Which law is a person's may become known by a link, and a link alone must open nothing: a yes is as clear
        # everywhere as it has to be where most is asked.
        basis, form = _GROUNDS[strictest]
        row: dict[str | None, Ground] = {
            place: Ground(_GROUNDS[word][0], form, grades) for place, word in words.items()
        }
        row[None] = Ground(basis, form, grades)
        return row


@dataclass(frozen=True)
class Matrix:
    """All versions, the newest first."""

    versions: tuple[MatrixVersion, ...]

    @classmethod
    def load(cls, path: Path = DEFAULT_MATRIX) -> Self:
        """The matrix in a YAML file; DataInvalid with the place otherwise."""
        return cls.parse(FILES.read(path), name=path.name)

    @classmethod
    def parse(cls, raw: bytes, *, name: str = "matrix") -> Self:
        """The matrix in YAML bytes; `name` stands in front of what is wrong with it."""
        return cls.of(FILES.parse(raw, name=name), name=name)

    @classmethod
    def of(cls, content: Any, *, name: str = "matrix") -> Self:
        """The matrix in parsed YAML or JSON."""
        versions = FILES.shaped(_File, content, name=name).versions
        problems = [*_problems_of_order(versions)]
        for version in versions:
            problems += [f"version {version.version}: {problem}" for problem in _problems(version)]
        if problems:
            raise DataInvalid(f"{name}: {'; '.join(problems[:5])}")
        return cls(versions[::-1])

    def in_force(self, *, at: int, known_at: int) -> MatrixVersion | None:
        """The version that applied at that moment (ms), going by what was decided at `known_at`."""
        for version in self.versions:
            if version.valid_from <= at and version.known_from <= known_at:
                return version
        return None

    def ground(self, purpose: str, jurisdiction: str | None, *, at: int, known_at: int) -> Ground | None:
        """What the purpose rested on there; an unknown jurisdiction takes the strictest of the row. None: no table."""
        version = self.in_force(at=at, known_at=known_at)
        if version is None:
            return None
        row = version.grounds[purpose]
        return row.get(jurisdiction) or row[None]


class _File(Shape):
    versions: Annotated[tuple[MatrixVersion, ...], Field(min_length=1)]


def _problems_of_order(versions: tuple[MatrixVersion, ...]) -> Iterator[str]:
    if [each.version for each in versions] != list(range(1, len(versions) + 1)):
        yield "its versions have to be 1, 2, 3, in that order"
    for older, newer in pairwise(versions):
        if newer.known_from <= older.known_from:
            yield f"version {newer.version}: has to be decided after version {older.version}"


def _problems(version: MatrixVersion) -> Iterator[str]:
    named = {*version.rows, *version.evidence, *version.assessments}
    if unknown := sorted(named - PURPOSES.keys()):
        yield f"there is no purpose {', '.join(unknown)}"
    for purpose in PURPOSES:
        row = version.rows.get(purpose, {})
        if missing := [place for place in JURISDICTIONS if place not in row]:
            yield f"{purpose}: says nothing for {', '.join(missing)}"
        for place, word in row.items():
            yield from (f"{purpose} in {place}: {why}" for why in _against(purpose, place, word, version))


def _against(purpose: str, place: Jurisdiction, word: Word, version: MatrixVersion) -> Iterator[str]:
    """What the law, or our own promise, has against a ground."""
    basis, form = _GROUNDS[word]
    if place == "CN" and basis == "legitimate_interest":
        yield "China's law knows no legitimate interest (PIPL 13)"
    if basis == "legitimate_interest" and purpose not in version.assessments:
        yield "a legitimate interest needs its assessment on file"
    if purpose == SENSITIVE and form < (Form.SEPARATE if place == "CN" else Form.EXPLICIT):
        yield "sensitive data rests on explicit consent alone (GDPR 9), in China on separate consent (PIPL 29)"
    if purpose == SHARE and place == "CN" and form < Form.SEPARATE:
        yield "handing data to others takes separate consent (PIPL 23)"
    if (purpose in ALWAYS_OPEN) != (basis in ("contract", "legal_obligation")):
        yield "contract and law carry service and legal records, and nothing else"
    if (purpose == CHARACTERISTICS) != (basis == "switch"):
        yield "the switch of PIPL 24 is a switch, and nothing else is"
