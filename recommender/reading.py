"""From the person view to what the recommender may see: the gate in front of every suggestion."""

from collections.abc import Mapping
from typing import Any

from consent.door import Allowed
from consent.purposes import PROFILE, SENSITIVE, SUGGEST
from profiles.facet import Cell, ServiceSection
from profiles.joining import newest
from profiles.view import PersonView
from recommender.catalogue import Catalogue
from recommender.conditions import DAY_MS
from recommender.personal import Ground, PersonalFacts
from recommender.suggestion import Restraints, SuggestionInput, bucket_start


def input_of(view: PersonView, *, catalogue: Catalogue, ref: str, now: int) -> SuggestionInput:
    """What suggestions of the catalogue for the person may rest on at `now` (ms)."""
    restraints = restraints_of(view, catalogue=catalogue, now=now)
    return SuggestionInput(ref=ref, restraints=restraints, personal=_personal(view, now))


def restraints_of(view: PersonView, *, catalogue: Catalogue, now: int) -> Restraints:
    """The deny-only facts at `now` (ms); windows are bounded from below by the clock bucket, so that answers hold."""
    deny, at = view.deny_only, bucket_start(now)
    ignored = _ignored(view.service)
    resting = {
        service: entry
        for service in (*deny.declined, *deny.told, *ignored)
        if (entry := catalogue.by_id.get(service)) is not None
    }
    return Restraints(
        open_complaint=bool(deny.open_complaints),
        minor="minor" in deny.flags,
        arrears="arrears" in deny.flags,
        restricted="restricted" in deny.flags,
        suppressed="suppressed" in deny.flags,
        refused=_within(deny.declined, {name: each.declined_rest_days for name, each in resting.items()}, at),
        told=_within(deny.told, {name: each.told_rest_days for name, each in resting.items()}, at)
        | _within(ignored, {name: each.ignored_rest_days for name, each in resting.items()}, at),
    )


def _within(cells: Mapping[str, Cell[Any]], days: Mapping[str, int], at: int) -> frozenset[str]:
    return frozenset(name for name, cell in cells.items() if name in days and cell.at >= at - days[name] * DAY_MS)


def _ignored(section: ServiceSection) -> dict[str, Cell[Any]]:
    """Service -> the last time that it was told and nothing came back."""
    found: dict[str, Cell[Any]] = {}
    for suggestion in section.suggestions.values():
        if (answer := suggestion.answered) is not None and answer.value[1] == "ignored":
            found[answer.value[0]] = newest(found.get(answer.value[0]), answer) or answer
    for message in section.messages.values():
        about = None if message.sent is None else message.sent.value[1]
        if about is not None and (said := message.answered) is not None and said.value == "ignored":
            found[about] = newest(found.get(about), said) or said
    return found


def _personal(view: PersonView, now: int) -> PersonalFacts | None:
    suggest = view.permits(SUGGEST, at=now, known_at=now)
    if not suggest:
        return None
    build = view.attributes(PROFILE, at=now, known_at=now)
    sensitive = view.attributes(SENSITIVE, at=now, known_at=now)
    answers = ((SUGGEST, suggest), (PROFILE, build.answer), (SENSITIVE, sensitive.answer))
    return PersonalFacts(
        service=view.service,
        build=build.section,
        sensitive=sensitive.section,
        grounds=tuple(_ground(purpose, answer) for purpose, answer in answers if isinstance(answer, Allowed)),
    )


def _ground(purpose: str, answer: Allowed) -> Ground:
    because = answer.because
    return Ground(purpose=purpose, basis=because.basis, evidence=tuple(key.hex() for key in because.relied_on))
