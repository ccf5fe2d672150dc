"""Triggers and policy as data: when somebody should hear from us, by which channel, and how often at most."""

import re
from collections.abc import Iterator, Mapping
from datetime import time
from functools import cached_property
from pathlib import Path
from typing import Annotated, Final, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, model_validator

from consent.purposes import OUTREACH_CHANNELS
from events.data_files import DataFiles
from events.shape import Code, Natural, Shape
from outreach.conditions import BoughtAgain, Condition, Unsolved
from recommender.catalogue import Catalogue, Words

DEFAULT_TRIGGERS: Final = Path(__file__).with_name("triggers.yaml")
TRIGGERS_BYTES_MAX: Final = 256 * 1024
DESK: Final = "desk"
"""The channel of tasks for our own staff: no message to the person, so it needs no consent to messages."""
HOUR_MS: Final = 3_600_000

_PLACEHOLDER = re.compile(r"\{([^}]*)\}")


class TriggersInvalid(ValueError):
    """The triggers contradict themselves or the catalogue, or are none; the text names the place."""


_FILES: Final = DataFiles(bytes_max=TRIGGERS_BYTES_MAX, invalid=TriggersInvalid)


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError("there is no such time zone") from None
    return name


Zone = Annotated[str, Field(max_length=64), AfterValidator(_known_zone)]


class Cap(Shape):
    """At most so many messages to one person, over all channels, within the days."""

    at_most: Annotated[int, Field(strict=True, ge=0, le=1000)] = 2
    within_days: Annotated[int, Field(strict=True, ge=1, le=7)] = 7

    @property
    def window_ms(self) -> int:
        """The days in ms."""
        return self.within_days * 24 * HOUR_MS


class Quiet(Shape):
    """Hours of the day, in the person's own time zone, in which nobody is disturbed; the same twice means none."""

    begins: time = time(21)
    ends: time = time(8)

    @model_validator(mode="after")
    def _is_local(self) -> Self:
        if self.begins.tzinfo is not None or self.ends.tzinfo is not None:
            raise ValueError("quiet hours are in the person's own time and carry no zone")
        return self


class Policy(Shape):
    """What every message keeps to, whichever trigger it comes from."""

    cap: Cap = Cap()
    quiet: Quiet = Quiet()
    time_zone: Zone = "Europe/Berlin"
    hold_out_share: Annotated[float, Field(ge=0, le=0.5)] = 0.0


class Trigger(Shape):
    """One trigger.

    The first of its `channels` that the person allows is used. `service_by_category` names another service for a
    purchase of that category. `say` None: the service's own words. `breach` is what an unsolved case is escalated as.
    An occasion older than `fresh_hours` comes to nothing; a message may be sent for `valid_minutes` after it was
    decided. `active_from`: partition -> ordinal of the first position whose fact may set it off, 0 where none is named.
    """

    id: Code
    when: Condition
    address: Literal["person", "owners_contact"] = "person"
    channels: Annotated[tuple[Code, ...], Field(min_length=1)]
    service: Code
    service_by_category: dict[Code, Code] = Field(default_factory=dict)
    say: Words | None = None
    reason: Words
    breach: Code | None = None
    fresh_hours: Annotated[int, Field(strict=True, ge=1, le=24 * 31)] = 24
    valid_minutes: Annotated[int, Field(strict=True, ge=1, le=7 * 24 * 60)] = 240
    active_from: dict[Annotated[int, Field(ge=0)], Natural] = Field(default_factory=dict)

    @property
    def is_task(self) -> bool:
        """Tell whether it is a task for our staff rather than a message."""
        return self.channels == (DESK,)

    @property
    def after_ms(self) -> int:
        """How long after the fact it is due."""
        return self.when.after_hours * HOUR_MS if isinstance(self.when, Unsolved) else 0

    @property
    def fresh_ms(self) -> int:
        """How long it may come to something once due."""
        return self.fresh_hours * HOUR_MS

    @property
    def back_ms(self) -> int:
        """How long before the last of them the first of the facts it rests on may lie."""
        return self.when.within_days * 24 * HOUR_MS if isinstance(self.when, BoughtAgain) else 0

    def is_fresh(self, arose_at: int, seen_at: int) -> bool:
        """Tell whether what arose at one time (ms) was still worth something when it was seen."""
        return seen_at <= arose_at + self.fresh_ms

    @property
    def services(self) -> frozenset[str]:
        """Every service it may offer."""
        return frozenset({self.service, *self.service_by_category.values()})

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        if unknown := sorted(set(self.channels) - {DESK, *OUTREACH_CHANNELS}):
            raise ValueError(f"{unknown[0]} is not a channel of outreach")
        if DESK in self.channels and not self.is_task:
            raise ValueError(f"{DESK} stands alone: a trigger is a task or a message")
        if self.breach is not None and not isinstance(self.when, Unsolved):
            raise ValueError("only a case that waits can be a breach")
        if self.service_by_category and not isinstance(self.when, BoughtAgain):
            raise ValueError("only a purchase has a category")
        if set(_PLACEHOLDER.findall(self.reason.en + self.reason.zh)) - {"count"}:
            raise ValueError("the reason names something else than {count}, which alone is filled in")
        return self


class Triggers(Shape):
    """All triggers and the policy."""

    version: Literal[1]
    policy: Policy = Policy()
    triggers: Annotated[tuple[Trigger, ...], Field(max_length=1000)]

    @cached_property
    def by_id(self) -> Mapping[str, Trigger]:
        """The triggers by their id."""
        return {trigger.id: trigger for trigger in self.triggers}

    @cached_property
    def by_event(self) -> Mapping[str, tuple[Trigger, ...]]:
        """Event type -> the triggers it may set off."""
        types = {trigger.when.event.event_type for trigger in self.triggers}
        return {kind: tuple(t for t in self.triggers if t.when.event.event_type == kind) for kind in types}

    @model_validator(mode="after")
    def _ids_are_unique(self) -> Self:
        if len({trigger.id for trigger in self.triggers}) != len(self.triggers):
            raise ValueError("two triggers share an id")
        return self


def load_triggers(catalogue: Catalogue, path: Path = DEFAULT_TRIGGERS) -> Triggers:
    """The triggers in a YAML file, for services of the catalogue; TriggersInvalid with the place otherwise."""
    return parse_triggers(_FILES.read(path), catalogue=catalogue, name=path.name)


def parse_triggers(raw: bytes, *, catalogue: Catalogue, name: str = "triggers") -> Triggers:
    """The triggers in YAML bytes; `name` stands in front of what is wrong with them."""
    triggers = _FILES.shaped(Triggers, _FILES.parse(raw, name=name), name=name)
    if problem := next(_unknown_services(triggers, catalogue), None):
        raise TriggersInvalid(f"{name}: {problem}")
    return triggers


def _unknown_services(triggers: Triggers, catalogue: Catalogue) -> Iterator[str]:
    for trigger in triggers.triggers:
        for service in sorted(trigger.services - catalogue.by_id.keys()):
            yield f"{trigger.id}: {service} is not in the catalogue"
