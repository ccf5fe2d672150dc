"""From the person view to what the recommender may see: the gate in front of every suggestion."""

from collections.abc import Mapping
from typing import Any, Final

from consent.door import Allowed
from consent.purposes import PROFILE, SENSITIVE, SUGGEST
from profiles.facet import Cell
from profiles.view import PersonView
from recommender.personal import Ground, PersonalFacts
from recommender.suggestion import Restraints, SuggestionInput, bucket_start

DECLINED_FOR_MS: Final = 30 * 24 * 3600 * 1000
"""A service that was declined rests so long."""
TOLD_FOR_MS: Final = 24 * 3600 * 1000
"""A service that was presented or written about rests so long."""


def input_of(view: PersonView, *, ref: str, now: int) -> SuggestionInput:
    """What suggestions for the person may rest on at `now` (ms)."""
    return SuggestionInput(ref=ref, restraints=restraints_of(view, now=now), personal=_personal(view, now))


def restraints_of(view: PersonView, *, now: int) -> Restraints:
    """The deny-only facts at `now` (ms); windows are bounded from below by the clock bucket, so that answers hold."""
    deny, at = view.deny_only, bucket_start(now)
    return Restraints(
        open_complaint=bool(deny.open_complaints),
        minor="minor" in deny.flags,
        restricted="restricted" in deny.flags,
        suppressed="suppressed" in deny.flags,
        refused=_since(deny.declined, at - DECLINED_FOR_MS),
        told=_since(deny.told, at - TOLD_FOR_MS),
    )


def _since(cells: Mapping[str, Cell[Any]], oldest: int) -> frozenset[str]:
    return frozenset(service for service, cell in cells.items() if cell.at >= oldest)


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
