"""One person as seen at a moment: the facets of all verified identities, merged at read and gated by purpose.

What serves the contract and the law can be read at once. Every other section is behind `attributes` and `words`,
which ask the door and answer with its reason.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import reduce
from typing import Any, Final, Generic, NamedTuple, TypeVar

from consent.door import Allowed, Part, Refused, Subject, permits, status, subject_of
from consent.purposes import FEEDBACK, OVERLAY_CLOSES, PROFILE, SENSITIVE
from consent.rules import Rules
from consent.status import BasisStatus, ConsentStatus
from profiles.cases import is_open_complaint
from profiles.facet import (
    Attribute,
    AttributeSection,
    Cell,
    Facet,
    FeedbackSection,
    Opened,
    Scalar,
    Section,
    ServiceSection,
)
from profiles.joining import join_sections, newest
from profiles.links import Component

EEA: Final = frozenset(
    "AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IS IT LI LT LU LV MT NL NO PL PT RO SE SI SK".split()  # noqa: SIM905 - thirty codes read better as words
)
"""Countries (ISO 3166-1 alpha-2) whose law is the GDPR."""

S = TypeVar("S", bound=Section)
G = TypeVar("G", AttributeSection, FeedbackSection)


@dataclass(frozen=True, slots=True)
class Loaded:
    """What is stored about one identity: its facet, and the purposes a withdrawal not yet folded holds closed."""

    facet: Facet = field(default_factory=Facet)
    held: frozenset[str] = frozenset()


class Gated(NamedTuple, Generic[G]):
    """A section, or None where the door refused; and the door's answer either way."""

    section: G | None
    answer: Allowed | Refused


@dataclass(frozen=True, slots=True, order=True)
class Relation:
    """A tie that lends neither facts nor consent: `inverse` when `other` owns, is contact of, or houses this person."""

    kind: str
    other: str
    inverse: bool
    at: int
    key: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class DenyOnly:
    """Facts that may only ever remove a suggestion or a message, whatever was agreed to.

    `flags`: legal attributes that stand on any identity (minor, restricted, suppressed, ...). `open_complaints`: by
    case id. `told` and `declined`: by service, the last time it was presented or sent, and the last time it was
    declined. Each is the cell it rests on.
    """

    flags: Mapping[str, Cell[Scalar]]
    open_complaints: Mapping[str, Cell[Opened]]
    told: Mapping[str, Cell[Any]]
    declined: Mapping[str, Cell[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonView:
    """One person, as read at `read_at` (ms) by looking up `identity`.

    `service` and `legal` are the merged sections of contract and law; `subject` is what the door is asked with.
    """

    identity: str
    person: Component
    subject: Subject
    service: ServiceSection
    legal: AttributeSection
    relations: tuple[Relation, ...]
    deny_only: DenyOnly
    read_at: int
    _build: AttributeSection = field(repr=False)
    _sensitive: AttributeSection = field(repr=False)
    _feedback: FeedbackSection = field(repr=False)

    @property
    def canonical(self) -> str:
        """The smallest pseudonym of the person."""
        return self.person.canonical

    @property
    def members(self) -> tuple[str, ...]:
        """The identities verified as this person, sorted."""
        return self.person.members

    def permits(self, purpose: str, *, at: int, known_at: int) -> Allowed | Refused:
        """The door's answer for this person; times in ms."""
        return permits(self.subject, purpose, at=at, known_at=known_at)

    def status(self, purpose: str, *, at: int, known_at: int) -> ConsentStatus | BasisStatus:
        """The state of what the purpose rests on for this person; times in ms. KeyError for an unknown purpose."""
        return status(self.subject, purpose, at=at, known_at=known_at)

    def attributes(self, purpose: str, *, at: int, known_at: int) -> Gated[AttributeSection]:
        """Described attributes kept for `profile.build` or `data.sensitive`, if the door lets them be used."""
        section = {PROFILE: self._build, SENSITIVE: self._sensitive}[purpose]
        answer = self.permits(purpose, at=at, known_at=known_at)
        return Gated(section if answer else None, answer)

    def words(self, *, at: int, known_at: int) -> Gated[FeedbackSection]:
        """What the person wrote, if the door lets it be analysed."""
        answer = self.permits(FEEDBACK, at=at, known_at=known_at)
        return Gated(self._feedback if answer else None, answer)


def view_of(
    identity: str, person: Component, loaded: Mapping[str, Loaded], *, read_at: int, rules: Rules
) -> PersonView:
    """The view of a person whose members and restricting identities have all been loaded.

    `rules` are those of the installation.
    """
    members = [loaded[member].facet for member in person.members]
    everyone = [loaded[each].facet for each in (*person.members, *person.restricting)]
    service = _merged(members, lambda facet: facet.service, ServiceSection)
    legal = _merged(members, lambda facet: facet.legal, AttributeSection)
    flags = _flags(everyone)
    subject = subject_of(
        parts=tuple(_part(member, loaded) for member in person.members),
        restricting=tuple(_part(each, loaded) for each in person.restricting),
        overlays=frozenset(overlay for overlay in OVERLAY_CLOSES if overlay in flags),
        jurisdiction=_jurisdiction(members),
        read_at=read_at,
        rules=rules,
    )
    return PersonView(
        identity=identity,
        person=person,
        subject=subject,
        service=service,
        legal=legal,
        relations=tuple(sorted(_relations(members))),
        deny_only=_deny_only(service, flags),
        read_at=read_at,
        _build=_merged(members, lambda facet: facet.build, AttributeSection),
        _sensitive=_merged(members, lambda facet: facet.sensitive, AttributeSection),
        _feedback=_merged(members, lambda facet: facet.feedback, FeedbackSection),
    )


def _part(identity: str, loaded: Mapping[str, Loaded]) -> Part:
    return Part(identity, loaded[identity].facet.consents, loaded[identity].held)


def _merged(facets: Iterable[Facet], pick: Callable[[Facet], S | None], kind: type[S]) -> S:
    sections = [section for facet in facets if (section := pick(facet)) is not None]
    return reduce(join_sections, sections) if sections else kind()


def _flags(facets: Iterable[Facet]) -> dict[str, Cell[Scalar]]:
    """Legal attributes that any identity states: one identity's "no" does not take back another's "yes"."""
    flags: dict[str, Cell[Scalar]] = {}
    for facet in facets:
        for name, attribute in facet.legal.attributes.items():
            if attribute.stated is not None and _stands(attribute.stated.value):
                flags[name] = newest(flags.get(name), attribute.stated) or attribute.stated
    return flags


def _stands(value: Scalar) -> bool:
    # Whatever is not clearly a no counts: a flag can only restrict.
    return value.strip().lower() not in {"", "0", "false", "no"} if isinstance(value, str) else bool(value)


def _jurisdiction(members: Iterable[Facet]) -> str | None:
    """The one jurisdiction all stated countries lie in; None where there is none, or more than one."""
    stated = [facet.service.attributes.get("country", Attribute()).stated for facet in members]
    found = {_law_of(country.value) for country in stated if country is not None}
    return found.pop() if len(found) == 1 else None


def _law_of(country: Scalar) -> str | None:
    code = str(country).strip().upper()
    return "EU" if code in EEA else "CN" if code == "CN" else None


def _relations(members: Iterable[Facet]) -> set[Relation]:
    found = set()
    for facet in members:
        for name, relation in facet.relations.items():
            kind, direction, other = name.split(" ")
            if relation.said is not None and not relation.said.value:
                found.add(Relation(kind, other, direction == "from", relation.said.at, relation.said.key))
    return found


def _deny_only(service: ServiceSection, flags: Mapping[str, Cell[Scalar]]) -> DenyOnly:
    told: dict[str, Cell[Any]] = {}
    declined: dict[str, Cell[Any]] = {}
    for suggestion in service.suggestions.values():
        if (shown := suggestion.presented) is not None:
            _keep_newest(told, shown.value, shown)
        if (answer := suggestion.answered) is not None and answer.value[1] == "declined":
            _keep_newest(declined, answer.value[0], answer)
    for message in service.messages.values():
        about = None if message.sent is None else message.sent.value[1]
        if about is not None:
            _keep_newest(told, about, message.sent)
            if message.answered is not None and message.answered.value == "declined":
                _keep_newest(declined, about, message.answered)
    complaints = {case_id: case.complaint for case_id, case in service.cases.items() if is_open_complaint(case)}
    return DenyOnly(
        flags=flags,
        open_complaints={case_id: complaint for case_id, complaint in complaints.items() if complaint is not None},
        told=told,
        declined=declined,
    )


def _keep_newest(cells: dict[str, Cell[Any]], name: str, cell: Cell[Any] | None) -> None:
    found = newest(cells.get(name), cell)
    if found is not None:
        cells[name] = found
