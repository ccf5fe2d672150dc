"""The catalogue as columns beside what a model knows of it: made once, so that a request looks at thousands at once.

Every array has one entry per service, at its *place*: the order of the catalogue.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from recommender.artifact import Artifact
from recommender.catalogue import Catalogue, Service

Mask = npt.NDArray[np.bool_]
Places = npt.NDArray[np.intp]
Numbers = npt.NDArray[np.float64]

ADULT_AGE: Final = 18
_KINDS_FIRST: Final = {"mandatory": 0, "default": 1, "transactional": 1}
_FOREVER: Final = 10_000_000
"""Later than any day a date can name, as a day number."""


class Modelled(NamedTuple):
    """The services a model may score: their places, representations (m×d), biases, and the mean representation (d).

    `row` says where among them a place is.
    """

    places: Places
    row: Mapping[int, int]
    items: Numbers
    biases: Numbers
    mean: Numbers


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Shelf:
    """Columns of a catalogue and an artifact.

    `starts` and `ends` are proleptic day numbers; `rank` is 0 for what goes first, and more for what goes later
    whatever its score; `popularity` are shares that sum to one. The groups name places by what their services have
    in common. `modelled` is by whether sensitive services may be scored.
    """

    catalogue: Catalogue
    artifact: Artifact
    services: tuple[Service, ...]
    place: Mapping[str, int]
    alphabetical: Places
    dated: bool
    starts: npt.NDArray[np.int64]
    ends: npt.NDArray[np.int64]
    rank: npt.NDArray[np.int64]
    value: Numbers
    popularity: Numbers
    upsell: Mask
    staff_only: Mask
    adults_only: Mask
    mandatory: Mask
    transactional: Mask
    dependent: Mask
    only_when_needed: Mask
    once: Mask
    fallback: Mask
    on_named_channels: Mask
    channels: Mapping[str, Mask]
    prerequisites: Mapping[tuple[str, ...], Places]
    contraindications: Mapping[tuple[str, ...], Places]
    requires: Mapping[tuple[str, ...], Places]
    modelled: Mapping[bool, Modelled]

    def at(self, services: Iterable[str]) -> Mask:
        """Where the named services are; what the catalogue does not know is nowhere."""
        mask = np.zeros(len(self.services), dtype=np.bool_)
        mask[[self.place[service] for service in services if service in self.place]] = True
        return mask


_SHELVES: Final[WeakKeyDictionary[Artifact, dict[str, Shelf]]] = WeakKeyDictionary()


def shelf_of(artifact: Artifact, catalogue: Catalogue) -> Shelf:
    """The shelf of the two; it is kept as long as the artifact is."""
    shelves = _SHELVES.setdefault(artifact, {})
    if catalogue.hash not in shelves:
        shelves[catalogue.hash] = _made(artifact, catalogue)
    return shelves[catalogue.hash]


def _made(artifact: Artifact, catalogue: Catalogue) -> Shelf:
    services = catalogue.services
    return Shelf(
        catalogue=catalogue,
        artifact=artifact,
        services=services,
        place={service.id: place for place, service in enumerate(services)},
        alphabetical=np.array(sorted(range(len(services)), key=lambda place: services[place].id), dtype=np.intp),
        dated=any(each.starts or each.ends for each in services),
        starts=np.array([0 if each.starts is None else each.starts.toordinal() for each in services]),
        ends=np.array([_FOREVER if each.ends is None else each.ends.toordinal() for each in services]),
        rank=np.array([2 * each.fallback + _KINDS_FIRST[each.kind] for each in services]),
        value=np.array([each.value for each in services], dtype=np.float64),
        popularity=_popularity(artifact, services),
        upsell=_mask(each.upsell for each in services),
        staff_only=_mask(not each.sayable for each in services),
        adults_only=_mask(each.minimum_age >= ADULT_AGE for each in services),
        mandatory=_mask(each.kind == "mandatory" for each in services),
        transactional=_mask(each.kind == "transactional" for each in services),
        dependent=_mask(
            bool(each.prerequisites or each.contraindications or each.only_when_needed) for each in services
        ),
        only_when_needed=_mask(each.only_when_needed for each in services),
        once=_mask(not each.repeatable for each in services),
        fallback=_mask(each.fallback for each in services),
        on_named_channels=_mask(bool(each.channels) for each in services),
        channels={
            channel: _mask(channel in each.channels for each in services)
            for channel in {channel for each in services for channel in each.channels}
        },
        prerequisites=_groups([each.prerequisites for each in services]),
        contraindications=_groups([each.contraindications for each in services]),
        requires=_groups([each.requires for each in services]),
        modelled={sensitive: _modelled(artifact, services, sensitive=sensitive) for sensitive in (False, True)},
    )


def _mask(flags: Iterable[bool]) -> Mask:
    return np.fromiter(flags, dtype=np.bool_)


def _groups(words: Sequence[tuple[str, ...]]) -> dict[tuple[str, ...], Places]:
    places: dict[tuple[str, ...], list[int]] = {}
    for place, said in enumerate(words):
        if said:
            places.setdefault(said, []).append(place)
    return {said: np.array(found, dtype=np.intp) for said, found in places.items()}


def _popularity(artifact: Artifact, services: tuple[Service, ...]) -> Numbers:
    """People who took each service, with its starting evidence, as shares of all."""
    index, people = artifact.service_index, artifact.popularity.tolist()
    counts = np.array(
        [each.prior + (people[index[each.id]] if each.id in index else 0.0) for each in services], dtype=np.float64
    )
    return np.asarray(counts / (counts.sum() or 1.0))


def _modelled(artifact: Artifact, services: tuple[Service, ...], *, sensitive: bool) -> Modelled:
    places = [
        place
        for place, each in enumerate(services)
        if each.id in artifact.service_index and (sensitive or not each.sensitive)
    ]
    rows = [artifact.service_index[services[place].id] for place in places]
    items = artifact.items[rows].astype(np.float64)
    mean = items.mean(axis=0) if rows else np.zeros(items.shape[1])
    row = {place: number for number, place in enumerate(places)}
    return Modelled(np.array(places, dtype=np.intp), row, items, artifact.biases[rows].astype(np.float64), mean)
