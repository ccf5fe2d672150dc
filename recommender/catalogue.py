"""The catalogue: the services there are, whom each suits, and the needs that speak for one."""

import re
from collections.abc import Iterator, Mapping
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from consent.purposes import PURPOSES, SENSITIVE, SENSITIVE_CATEGORIES, attribute_purpose
from events.data_files import DataFiles
from events.shape import Code, Natural, RecordId, Shape
from recommender.canonical import canonical_json, content_hash
from recommender.conditions import Bought, Condition, Described, Holds, Lacks

DEFAULT_CATALOGUE: Final = Path(__file__).with_name("catalogue.yaml")
CATALOGUE_BYTES_MAX: Final = 1024 * 1024

Sentence = Annotated[str, StringConstraints(min_length=1, max_length=400)]
Weight = Annotated[float, Field(ge=0, le=10)]
Issue = Literal["sell", "serve", "retain", "nurture"]
Kind = Literal["default", "mandatory", "transactional"]

_PLACEHOLDER = re.compile(r"\{([^}]*)\}")
_PLACEHOLDERS: Final = frozenset({"count"})


class CatalogueInvalid(ValueError):
    """The catalogue contradicts itself or is not one; the text names the place."""


_FILES: Final = DataFiles(bytes_max=CATALOGUE_BYTES_MAX, invalid=CatalogueInvalid)


class Words(Shape):
    """The same words in the languages the desk speaks."""

    en: Sentence
    zh: Sentence


class Counts(Shape):
    """What counts as having taken the service, beside a subscription or an accepted suggestion of its own id."""

    items: tuple[RecordId, ...] = ()
    categories: tuple[Code, ...] = ()
    subscriptions: tuple[Code, ...] = ()


class Service(Shape):
    """One service. Dates are whole days in UTC, the last one included; no channel named means every channel.

    `prior` is its starting evidence: so many people are taken to have chosen it before the first one did.
    `only_when_needed` services need a need that speaks for them; `requires` names purposes without which it is
    withheld. `sensitive` services are scored on personal grounds only with `data.sensitive`; what is not `sayable` is
    for staff.
    """

    id: Code
    name: Words
    say: Words
    issue: Issue
    group: Code
    kind: Kind = "default"
    upsell: bool = False
    starts: date | None = None
    ends: date | None = None
    channels: tuple[Code, ...] = ()
    value: Weight = 1.0
    prior: Natural = 1
    minimum_age: Annotated[int, Field(ge=0, le=120)] = 0
    prerequisites: tuple[Code, ...] = ()
    contraindications: tuple[Code, ...] = ()
    requires: tuple[Code, ...] = ()
    only_when_needed: bool = False
    repeatable: bool = False
    fallback: bool = False
    sensitive: bool = False
    sayable: bool = True
    features: tuple[Code, ...] = ()
    counts: Counts = Counts()


class Need(Shape):
    """What a person's facts say they may need: all conditions hold. `suggests` is what each service gains in score."""

    id: Code
    when: Annotated[tuple[Condition, ...], Field(min_length=1, max_length=4)]
    suggests: Annotated[dict[Code, Weight], Field(min_length=1)]
    reason: Words
    sensitive: bool = False
    sayable: bool = True


class Catalogue(Shape):
    """All services and needs. On `staff_channels` a member of staff stands between us and the person."""

    version: Literal[1]
    staff_channels: tuple[Code, ...] = ()
    services: Annotated[tuple[Service, ...], Field(min_length=1, max_length=10_000)]
    needs: tuple[Need, ...] = ()

    @cached_property
    def by_id(self) -> Mapping[str, Service]:
        """The services by their id."""
        return {service.id: service for service in self.services}

    @cached_property
    def hash(self) -> str:
        """32 hex digits that change with anything the catalogue says."""
        return content_hash(canonical_json(self.model_dump(mode="json")))

    @cached_property
    def takers(self) -> Mapping[tuple[str, str], tuple[str, ...]]:
        """(kind, code) -> the services that the item, category or subscription counts as having taken."""
        found: dict[tuple[str, str], list[str]] = {}
        for service in self.services:
            for code in dict.fromkeys((service.id, *service.counts.subscriptions)):
                found.setdefault(("subscription", code), []).append(service.id)
            for code in service.counts.items:
                found.setdefault(("item", code), []).append(service.id)
            for code in service.counts.categories:
                found.setdefault(("category", code), []).append(service.id)
        return {code: tuple(services) for code, services in found.items()}

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        problems = [*_problems_of_services(self.services), *_problems_of_needs(self.needs, self.services)]
        if problems:
            raise ValueError("; ".join(problems[:5]))
        return self


def load_catalogue(path: Path = DEFAULT_CATALOGUE) -> Catalogue:
    """The catalogue in a YAML file; CatalogueInvalid with the place otherwise."""
    return parse_catalogue(_FILES.read(path), name=path.name)


def parse_catalogue(raw: bytes, *, name: str = "catalogue") -> Catalogue:
    """The catalogue in YAML bytes; `name` stands in front of what is wrong with it."""
    return _FILES.shaped(Catalogue, _FILES.parse(raw, name=name), name=name)


def _problems_of_services(services: tuple[Service, ...]) -> Iterator[str]:
    ids = {service.id for service in services}
    if len(ids) != len(services):
        yield "two services share an id"
    if not any(service.fallback for service in services):
        yield "no service is marked `fallback`, so an answer could be empty"
    for service in services:
        named = {*service.prerequisites, *service.contraindications}
        if unknown := sorted(named - ids) or sorted(set(service.requires) - PURPOSES.keys()):
            yield f"{service.id}: names {', '.join(unknown)}, which is not known"
        if service.starts and service.ends and service.ends < service.starts:
            yield f"{service.id}: ends before it starts"
        if service.fallback and not _is_always_fit(service):
            yield f"{service.id}: a fallback must fit everyone, always and on every channel"


def _is_always_fit(service: Service) -> bool:
    limits = (
        service.starts,
        service.ends,
        service.channels,
        service.minimum_age,
        service.prerequisites,
        service.contraindications,
        service.requires,
    )
    flags = service.upsell or service.only_when_needed or service.sensitive or not service.sayable
    return not any(limits) and not flags and service.kind == "default"


def _problems_of_needs(needs: tuple[Need, ...], services: tuple[Service, ...]) -> Iterator[str]:
    ids = {service.id for service in services}
    if len({need.id for need in needs}) != len(needs):
        yield "two needs share an id"
    for need in needs:
        named = {*need.suggests}.union(*(c.services for c in need.when if isinstance(c, Holds | Lacks)))
        if unknown := sorted(named - ids):
            yield f"need {need.id}: names {', '.join(unknown)}, which is not a service"
        if all(isinstance(condition, Lacks) for condition in need.when):
            yield f"need {need.id}: rests on no fact, only on what is lacking"
        if not need.sensitive and any(_is_sensitive(condition) for condition in need.when):
            yield f"need {need.id}: looks at children or health and has to be marked `sensitive`"
        placeholders = set(_PLACEHOLDER.findall(need.reason.en + need.reason.zh))
        if odd := sorted(placeholders - _PLACEHOLDERS):
            yield f"need {need.id}: the reason names {', '.join(odd)}; only {{count}} is filled in"


def _is_sensitive(condition: Condition) -> bool:
    match condition:
        case Bought():
            return any(category in SENSITIVE_CATEGORIES for category in condition.categories)
        case Described():
            return attribute_purpose(condition.attribute) == SENSITIVE
        case _:
            return False
