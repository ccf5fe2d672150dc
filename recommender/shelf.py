"""The catalogue as columns beside what a model knows of it: made once, so that a request looks at thousands at once.

Every array has one entry per service, at its *place*: the order of the catalogue. What few services have is a tuple
of their places.
"""

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from recommender.artifact import Artifact
from recommender.calibration import Calibration
from recommender.catalogue import Catalogue, Service
from recommender.reasons import Telling, general_reason, telling
from recommender.served import Served, served_by
from recommender.suggestion import Reason, Wording

Places = tuple[int, ...]
Numbers = npt.NDArray[np.float64]

ADULT_AGE: Final = 18
_KINDS_FIRST: Final = {"mandatory": 0, "default": 1, "transactional": 1}
_FOREVER: Final = 10_000_000
"""Later than any day a date can name, as a day number."""
_SCORE_MAX: Final = 1e6
"""No score comes near this."""
BLOCK: Final = 8
"""Services that are looked at together for the best few."""


class Modelled(NamedTuple):
    """The services a ranker may score on personal grounds: their places, and the artifact's row of each.

    `among` is where a row of the artifact stands among `rows`, -1 for one that does not; `calibration` is of these
    services alone, None where nothing was learnt of probabilities.
    """

    places: npt.NDArray[np.intp]
    rows: npt.NDArray[np.intp]
    row: Mapping[int, int]
    among: npt.NDArray[np.intp]
    calibration: Calibration | None


class Tellings(dict[str, Telling | None]):
    """How each feature is told of, by name; made when it is first asked for."""

    def __init__(self, catalogue: Catalogue) -> None:
        super().__init__()
        self._catalogue = catalogue

    def __missing__(self, feature: str) -> Telling | None:
        told = self[feature] = telling(feature, self._catalogue)
        return told


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Shelf:
    """Columns of a catalogue and an artifact.

    `alphabetical` is a service's rank by id; `starts` and `ends` are proleptic day numbers; `rank` is 0 for what goes
    first, and more for what goes later whatever its score; `ahead` outweighs any score by it, and is infinite behind
    the last service, up to whole blocks; `weighed` is value and lever as far as they weigh, None where they do not;
    `raises` is by how much each context raises them, `unraised` what stands where nothing does; `popularity` are shares
    that sum to one, `propensity` is the probability that goes with them. `not_on` and `not_in` are those a channel or
    a region does not have, by each that any service names; `offers` are those caps on offers hold back; the groups name
    places by what their services have in common. `modelled` is by
    whether sensitive services may be scored. `general` is the reason true for everyone.
    """

    catalogue: Catalogue
    artifact: Artifact
    services: tuple[Service, ...]
    ids: tuple[str, ...]
    place: Mapping[str, int]
    alphabetical: tuple[int, ...]
    dated: bool
    starts: npt.NDArray[np.int64]
    ends: npt.NDArray[np.int64]
    rank: tuple[int, ...]
    ahead: Numbers
    weighed: Numbers | None
    raises: Mapping[str, Numbers]
    unraised: Numbers
    popularity: Numbers
    propensity: Numbers
    served: Served
    upsell: Places
    staff_only: Places
    adults_only: Places
    dependent: Places
    only_when_needed: Places
    fallback: Places
    on_named_channels: Places
    not_on: Mapping[str, Places]
    in_named_regions: Places
    not_in: Mapping[str, Places]
    offers: Places
    once: frozenset[int]
    optional: frozenset[int]
    untransactional: frozenset[int]
    prerequisites: Mapping[tuple[str, ...], Places]
    contraindications: Mapping[tuple[str, ...], Places]
    requires: Mapping[tuple[str, ...], Places]
    modelled: Mapping[bool, Modelled]
    names: tuple[Wording, ...]
    say: tuple[Wording | None, ...]
    general: tuple[Reason, ...]
    tellings: Tellings

    def at(self, services: Iterable[str], among: Container[int]) -> list[int]:
        """Where the named services are, those among these; what the catalogue does not know is nowhere."""
        return [place for service in services if (place := self.place.get(service)) is not None and place in among]


_SHELVES: Final[WeakKeyDictionary[Artifact, dict[str, Shelf]]] = WeakKeyDictionary()


def shelf_of(artifact: Artifact, catalogue: Catalogue) -> Shelf:
    """The shelf of the two; it is kept as long as the artifact is."""
    shelves = _SHELVES.get(artifact)
    if shelves is None:
        shelves = _SHELVES[artifact] = {}
    shelf = shelves.get(catalogue.hash)
    if shelf is None:
        shelf = shelves[catalogue.hash] = _made(artifact, catalogue)
    return shelf


def _made(artifact: Artifact, catalogue: Catalogue) -> Shelf:
    services = catalogue.services
    ids = [each.id for each in services]
    named = {channel for each in services for channel in each.channels}
    popularity, served = _popularity(artifact, services), served_by(artifact)
    people = float(artifact.popularity.sum())
    rank = tuple(2 * each.fallback + _KINDS_FIRST[each.kind] for each in services)
    return Shelf(
        catalogue=catalogue,
        artifact=artifact,
        services=services,
        ids=tuple(ids),
        place={service: place for place, service in enumerate(ids)},
        alphabetical=tuple(map({service: rank for rank, service in enumerate(sorted(ids))}.__getitem__, ids)),
        dated=any(each.starts or each.ends for each in services),
        starts=np.array([0 if each.starts is None else each.starts.toordinal() for each in services]),
        ends=np.array([_FOREVER if each.ends is None else each.ends.toordinal() for each in services]),
        rank=rank,
        ahead=np.append(np.array(rank) * _SCORE_MAX, np.full(-len(services) % BLOCK, np.inf)),
        weighed=_weighed(catalogue),
        raises={each.id: np.array([each.raises(one) for one in services]) for each in catalogue.contexts},
        unraised=np.ones(len(services)),
        popularity=popularity,
        propensity=popularity if served.calibration is None else served.calibration.of_anybody(popularity),
        served=served,
        upsell=_where(each.upsell for each in services),
        staff_only=_where(not each.sayable for each in services),
        adults_only=_where(each.minimum_age >= ADULT_AGE for each in services),
        dependent=_where(each.prerequisites or each.contraindications or each.only_when_needed for each in services),
        only_when_needed=_where(each.only_when_needed for each in services),
        fallback=_where(each.fallback for each in services),
        on_named_channels=_where(each.channels for each in services),
        not_on={
            channel: _where(each.channels and channel not in each.channels for each in services) for channel in named
        },
        in_named_regions=_where(each.regions for each in services),
        not_in={
            region: _where(each.regions and region not in each.regions for each in services)
            for region in {region for each in services for region in each.regions}
        },
        offers=_where(not each.helps for each in services),
        once=frozenset(_where(not each.repeatable for each in services)),
        optional=frozenset(_where(each.kind != "mandatory" for each in services)),
        untransactional=frozenset(_where(each.kind != "transactional" for each in services)),
        prerequisites=_groups([each.prerequisites for each in services]),
        contraindications=_groups([each.contraindications for each in services]),
        requires=_groups([each.requires for each in services]),
        modelled={may: _modelled(artifact, services, served, sensitive=may) for may in (False, True)},
        names=tuple(Wording(each.name.en, each.name.zh) for each in services),
        say=tuple(Wording(each.say.en, each.say.zh) if each.sayable else None for each in services),
        general=tuple(general_reason(each, artifact, people=people) for each in services),
        tellings=Tellings(catalogue),
    )


def _weighed(catalogue: Catalogue) -> Numbers | None:
    """Value and lever of each service, to the power of their weights; None where neither weighs."""
    weights, services = catalogue.arbitration, catalogue.services
    if not weights.value_weight and not weights.lever_weight:
        return None
    values = np.array([each.value for each in services], dtype=np.float64) ** weights.value_weight
    return np.asarray(values * np.array([each.lever for each in services]) ** weights.lever_weight)


def _where(flags: Iterable[object]) -> Places:
    return tuple(place for place, flag in enumerate(flags) if flag)


def _groups(words: Sequence[tuple[str, ...]]) -> dict[tuple[str, ...], Places]:
    places: dict[tuple[str, ...], list[int]] = {}
    for place, said in enumerate(words):
        if said:
            places.setdefault(said, []).append(place)
    return {said: tuple(found) for said, found in places.items()}


def _popularity(artifact: Artifact, services: tuple[Service, ...]) -> Numbers:
    """People who took each service, with its starting evidence, as shares of all."""
    index, people = artifact.service_index, artifact.popularity.tolist()
    counts = np.array(
        [each.prior + (people[index[each.id]] if each.id in index else 0.0) for each in services], dtype=np.float64
    )
    return np.asarray(counts / (counts.sum() or 1.0))


def _modelled(artifact: Artifact, services: tuple[Service, ...], served: Served, *, sensitive: bool) -> Modelled:
    index = artifact.service_index
    row = {
        place: index[each.id]
        for place, each in enumerate(services)
        if each.id in index and (sensitive or not each.sensitive)
    }
    places, rows = np.array(list(row), dtype=np.intp), np.array(list(row.values()), dtype=np.intp)
    among = np.full(len(artifact.manifest.services), -1, dtype=np.intp)
    among[rows] = np.arange(len(rows))
    learnt = served.calibration
    return Modelled(places, rows, row, among, learnt and replace(learnt, services=learnt.services.take(rows)))
