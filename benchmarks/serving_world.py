"""A store with many people, a catalogue with many services and a model of that size, as a suggestion meets them."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import yaml

from benchmarks.redis_people import Stored, put
from commands.clock import now_ms
from commands.release import VERSION
from consent.purposes import PROFILE, SUGGEST, TRAIN
from events.fact import Fact
from events.keys import facet_key
from events.partitioning import partition_of
from events.pseudonyms import Pseudonyms
from events.shape import FROM_LOG
from events.vocabulary import BODIES
from profiles.codec import encode_facet
from profiles.facet import Facet
from profiles.fold import fold
from recommender.artifact import Artifact, make_artifact
from recommender.blend import Blend
from recommender.calibration import Calibration, Curve
from recommender.catalogue import Catalogue, load_catalogue
from recommender.manifest import Calibrated
from recommender.rankers.registry import RANKERS
from recommender.served import CALIBRATION, RANKER

LINKED: Final = 0.1
"""Share of people with a second identity."""
CATEGORIES: Final = 50
_DAY: Final = 24 * 3600 * 1000
_NEAR: Final = 50
_SHAPES: Final = 500
"""People who differ in what they did; the others are like one of them."""


def catalogue_of(services: int) -> Catalogue:
    """The default catalogue, filled up with variations of its services."""
    said = load_catalogue().model_dump(mode="json")
    plain = [each for each in said["services"] if not each["fallback"] and not each["only_when_needed"]]
    for number in range(services - len(said["services"])):
        like = plain[number % len(plain)]
        varied = {"id": f"{like['id']}-{number}", "prerequisites": [], "contraindications": []}
        said["services"].append(like | varied | {"counts": {"items": [f"item-{number}"]}})
    return Catalogue.model_validate(said)


def write_catalogue(catalogue: Catalogue, path: Path) -> None:
    """The catalogue as a file the product reads."""
    said = catalogue.model_dump(mode="json", exclude_defaults=True)
    path.write_text(yaml.safe_dump(said, allow_unicode=True, default_flow_style=True, width=10**6), encoding="utf-8")


def artifact_of(catalogue: Catalogue, *, dimensions: int = 32, seed: int = 1, bends: int = 2) -> Artifact:
    """A blend of four parts of random numbers: what it costs to ask does not depend on what it learnt.

    Its probabilities follow a curve with so many bends.
    """
    rng = np.random.default_rng(seed)
    n = len(catalogue.services)
    features = (
        *(f"category:c{number}" for number in range(CATEGORIES)),
        *(f"orders:{band}" for band in ("few", "many", "none", "one")),
    )
    blend = _blend(rng, n, len(features), dimensions)
    at, log_odds = np.linspace(-4.0, -2.0, bends), np.linspace(-5.0, -1.0, bends)
    line = Curve(intercept=-3.0, slope=1.0, activity=0.2, at=at, log_odds=log_odds)
    learnt = Calibration(repeat=line, new=line, general=line, services=np.ones(n))
    return make_artifact(
        arrays={
            "popularity": rng.integers(1, 1000, n),
            "having": rng.integers(1, 50_000, len(features)),
            **_counts(rng, "companions", n, n),
            **_counts(rng, "traits", len(features), n),
            **{f"{RANKER}.{name}": array for name, array in blend.arrays().items()},
            **{f"{CALIBRATION}.{name}": array for name, array in learnt.arrays().items()},
        },
        code=VERSION,
        catalogue=catalogue.hash,
        policy="",
        ranker="blend",
        gate="made for a benchmark",
        window=None,
        cut_off=None,
        examples=1,
        people=100_000,
        plan={},
        parts={},
        left_out={},
        metrics={},
        calibrated=Calibrated(on="nothing"),
        services=tuple(sorted(catalogue.by_id)),
        features=features,
    )


def _blend(rng: np.random.Generator, n: int, f: int, dimensions: int) -> Blend:
    near = np.sort(rng.integers(0, n, (n, _NEAR)), axis=1).astype(np.int32)
    few, shares = rng.random(n) * 1e-6, rng.random(n) / n

    def drawn(*shape: int) -> Any:
        return rng.normal(size=shape).astype(np.float32)

    arrays: dict[str, dict[str, Any]] = {
        "item_knn": {
            "starts": np.arange(n + 1) * _NEAR,
            "near": near.ravel(),
            "cosine": rng.random(n * _NEAR),
            "otherwise": few,
        },
        "own_frequency": {"otherwise": few, "half_life_days": np.array([60.0])},
        "segment_popularity": {"everyone": shares, "rates": rng.random((f, n)) / n},
        "lightfm": {
            "items": drawn(n, dimensions),
            "biases": drawn(n),
            "having": drawn(n, dimensions),
            "features": drawn(f, dimensions),
            "nobody": drawn(dimensions),
            "greatest": np.ones(f, np.float32),
        },
    }
    worth = dict.fromkeys(arrays, 0.25)
    return Blend(
        parts={label: RANKERS[label].from_arrays(own) for label, own in arrays.items()},
        repeat=worth,
        new=worth | {"own_frequency": 0.1},
    )


def _counts(rng: np.random.Generator, name: str, rows: int, columns: int) -> dict[str, Any]:
    of_row = min(200, columns)
    found = [np.sort(rng.permutation(columns)[:of_row]) for _ in range(rows)]
    return {
        f"{name}.starts": np.arange(rows + 1, dtype=np.int32) * of_row,
        f"{name}.columns": np.concatenate(found).astype(np.int32),
        f"{name}.counts": rng.integers(5, 500, rows * of_row).astype(np.int32),
    }


def seed_people(
    url: str, *, people: int, partitions: int, pseudonyms: Pseudonyms, seed: int = 1
) -> list[tuple[str, ...]]:
    """Put people into an empty store, all of whom allow personal suggestions; the identities of each."""
    rng = np.random.default_rng(seed)
    now = now_ms()
    shapes = [_shape(rng, now) for _ in range(_SHAPES)]
    names = [pseudonyms.of(f"app:{number}") for number in range(people)]
    linked = set(rng.choice(people, int(people * LINKED), replace=False).tolist())
    persons: list[tuple[str, ...]] = [
        (name,) if number not in linked else (name, pseudonyms.of(f"phone:+4930{number:07}"))
        for number, name in enumerate(names)
    ]

    def stored() -> Iterator[Stored]:
        for number, person in enumerate(persons):
            for identity, facet in _facets(person, shapes[number % _SHAPES], now):
                yield facet_key(partition_of(identity.encode(), partitions), identity), encode_facet(facet)

    put(url, stored())
    return persons


def _facets(person: tuple[str, ...], facts: Sequence[Fact], now: int) -> Iterator[tuple[str, Facet]]:
    if len(person) == 1:
        yield person[0], _folded(facts)
        return
    half = {"reason": "login", "strength": "verified"}
    name, other = person
    yield name, _folded([*facts, _fact("identity.linked", now - _DAY, other=other, **half)])
    yield other, _folded([_fact("identity.linked", now - _DAY, other=name, **half)])


def _shape(rng: np.random.Generator, now: int) -> list[Fact]:
    """Consents and a country, a few orders, perhaps a contact."""
    at = now - 300 * _DAY
    facts = [_fact("consent.given", at, purpose=purpose) for purpose in (SUGGEST, PROFILE, TRAIN)]
    facts.append(_fact("identity.described", at, attributes={"country": "DE"}))
    for _ in range(int(rng.integers(1, 6))):
        number = int(rng.integers(0, 10_000))
        line = {"item": f"item-{number % 900}", "category": f"c{number % CATEGORIES}", "quantity": 1, "amount": 1990}
        total = {"amount": 1990, "currency": "EUR"}
        when = now - int(rng.integers(1, 290)) * _DAY
        facts.append(_fact("transaction.purchased", when, order_id=f"o-{number}-{when}", total=total, lines=[line]))
    if rng.random() < 0.3:
        when = now - int(rng.integers(1, 60)) * _DAY
        facts.append(_fact("service.contact_started", when, contact_id=f"c-{when}", topics=["fees"]))
    return facts


_keys = iter(range(1, 10**9))


def _fact(event_type: str, at: int, **said: Any) -> Fact:
    return Fact(
        type=event_type,
        event_key=next(_keys).to_bytes(8, "big"),
        digest=b"four",
        identity="",
        occurred_at=at,
        received_at=at,
        source="benchmark",
        body=BODIES[event_type].model_validate(said, context=FROM_LOG),
    )


def _folded(facts: Sequence[Fact]) -> Facet:
    facet = Facet()
    for fact in facts:
        facet, fate = fold(facet, fact)
        assert fate == "applied", fate
    return facet
