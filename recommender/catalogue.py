"""The catalogue: the services there are, whom each suits, and the needs that speak for one."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from consent.purposes import LEGAL, PURPOSES, SENSITIVE, SENSITIVE_CATEGORIES, attribute_purpose
from events.data_files import DataFiles
from events.shape import Code, Natural, RecordId, Shape
from recommender.canonical import canonical_json, content_hash
from recommender.caps import Cap
from recommender.conditions import Bought, Condition, Days, Described, Holds, Lacks

DEFAULT_CATALOGUE: Final = Path(__file__).with_name("catalogue.yaml")
CATALOGUE_BYTES_MAX: Final = 1024 * 1024

Sentence = Annotated[str, StringConstraints(min_length=1, max_length=400)]
Weight = Annotated[float, Field(ge=0, le=10)]
Raise = Annotated[float, Field(ge=1, le=1000)]
Exponent = Annotated[float, Field(ge=0, le=1)]
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
    """One service, or one task for our own staff.

    Dates are whole days in UTC, the last one included; no channel or region named means every one. `prior` is its
    starting evidence: so many people are taken to have chosen it before the first one did. `only_when_needed` services
    need a need that speaks for them; `requires` names purposes without which it is withheld. After it was declined,
    ignored or told it rests for so many days; `cap` bounds how often one person may be told of it. `value` and `lever`
    weigh as much as the catalogue's `arbitration` says. `sensitive` services are scored on personal grounds only with
    `data.sensitive`; what is not `sayable` is for staff.
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
    regions: tuple[Code, ...] = ()
    value: Weight = 1.0
    lever: Weight = 1.0
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
    declined_rest_days: Days = 30
    ignored_rest_days: Days = 7
    told_rest_days: Days = 1
    cap: Cap | None = None

    @property
    def helps(self) -> bool:
        """Tell whether it helps rather than offers: then no cap on offers counts it or holds it back."""
        return self.kind != "default" or self.issue == "serve"


class Need(Shape):
    """What a person's facts say they may need: all conditions hold.

    `suggests` names the services that answer it, and how many times likelier than others it makes each the right one.
    A need `behind` a context is what that context may really be about: it then has the context's raise instead.
    """

    id: Code
    when: Annotated[tuple[Condition, ...], Field(min_length=1, max_length=4)]
    suggests: Annotated[dict[Code, Raise], Field(min_length=1)]
    behind: tuple[Code, ...] = ()
    reason: Words
    sensitive: bool = False
    sayable: bool = True


class Context(Shape):
    """A reason for the present contact, told by the intent a channel gives or by the topics of an open contact.

    `words` are the intents and topics that mean it, beside its id. It raises the services of issues and groups.
    """

    id: Code
    words: tuple[Code, ...] = ()
    issues: dict[Issue, Raise] = Field(default_factory=dict)
    groups: dict[Code, Raise] = Field(default_factory=dict)

    def raises(self, service: Service) -> float:
        """By how much it raises the service."""
        return self.issues.get(service.issue, 1.0) * self.groups.get(service.group, 1.0)


class Arbitration(Shape):
    """How much a service's value and lever weigh: each to the power of its weight, so that 0 leaves it out."""

    value_weight: Exponent = 0.0
    lever_weight: Exponent = 0.0


class Catalogue(Shape):
    """All services, needs and contexts, and how they are weighed.

    On `staff_channels` a member of staff stands between us and the person. `cap` bounds how often one person may hear
    an offer, by suggestion or by message.
    """

    version: Literal[1]
    staff_channels: tuple[Code, ...] = ()
    cap: Cap = Cap(at_most=12, within_days=7)
    arbitration: Arbitration = Arbitration()
    contexts: Annotated[tuple[Context, ...], Field(max_length=100)] = ()
    services: Annotated[tuple[Service, ...], Field(min_length=1, max_length=10_000)]
    needs: tuple[Need, ...] = ()

    @cached_property
    def by_id(self) -> Mapping[str, Service]:
        """The services by their id."""
        return {service.id: service for service in self.services}

    @cached_property
    def helping(self) -> frozenset[str]:
        """The services that no cap on offers counts."""
        return frozenset(service.id for service in self.services if service.helps)

    @cached_property
    def sensitive(self) -> frozenset[str]:
        """The services that tell of children or health."""
        return frozenset(service.id for service in self.services if service.sensitive)

    @cached_property
    def caps(self) -> Mapping[str, Cap]:
        """Service -> its own cap, where it has one."""
        return {service.id: service.cap for service in self.services if service.cap is not None}

    @cached_property
    def context_of(self) -> Mapping[str, Context]:
        """The context that an intent or a topic means."""
        return {word: context for context in self.contexts for word in (context.id, *context.words)}

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
        problems = [
            *_problems_of_services(self.services),
            *_problems_of_contexts(self.contexts, self.services),
            *_problems_of_needs(self),
        ]
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
        service.regions,
        service.cap,
        service.minimum_age,
        service.prerequisites,
        service.contraindications,
        service.requires,
    )
    flags = service.upsell or service.only_when_needed or service.sensitive or not service.sayable
    return not any(limits) and not flags and service.kind == "default"


def _problems_of_contexts(contexts: tuple[Context, ...], services: tuple[Service, ...]) -> Iterator[str]:
    groups = {service.group for service in services}
    said = Counter(word for context in contexts for word in {context.id, *context.words})
    for context in contexts:
        if twice := sorted(word for word in {context.id, *context.words} if said[word] > 1):
            yield f"context {context.id}: shares {', '.join(twice)} with another"
        if unknown := sorted(context.groups.keys() - groups):
            yield f"context {context.id}: names {', '.join(unknown)}, which is not a group"
        if not context.issues and not context.groups:
            yield f"context {context.id}: raises nothing"


def _problems_of_needs(catalogue: Catalogue) -> Iterator[str]:
    needs, ids = catalogue.needs, catalogue.by_id.keys()
    contexts = {context.id for context in catalogue.contexts}
    if len({need.id for need in needs}) != len(needs):
        yield "two needs share an id"
    for need in needs:
        if unknown := sorted(set(need.behind) - contexts):
            yield f"need {need.id}: is behind {', '.join(unknown)}, which is not a context"
        if deny_only := sorted(_legal_attributes(need)):
            yield f"need {need.id}: looks at {', '.join(deny_only)}, which may only remove"
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


def _legal_attributes(need: Need) -> set[str]:
    described = {condition.attribute for condition in need.when if isinstance(condition, Described)}
    return {attribute for attribute in described if attribute_purpose(attribute) == LEGAL}


def _is_sensitive(condition: Condition) -> bool:
    match condition:
        case Bought():
            return any(category in SENSITIVE_CATEGORIES for category in condition.categories)
        case Described():
            return attribute_purpose(condition.attribute) == SENSITIVE
        case _:
            return False
