"""What training leaves behind: arrays and a manifest, named by their content. No row of any person is in it.

The manifest is canonical JSON, so that equal models are equal bytes; nothing in it tells when, where or over how many
refused people it was trained.
"""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, Final, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field, ValidationError

from events.fact import describe
from events.shape import Code, Natural, Shape
from recommender.canonical import canonical_json, content_hash
from recommender.catalogue import Catalogue

ARTIFACT_FORMAT: Final = 1
NORM_MAX: Final = 100.0
"""A representation longer than this did not converge."""
MANIFEST: Final = "manifest.json"

RankerName = Literal["popularity", "lightfm"]
Floats = npt.NDArray[np.float32]


class ArtifactInvalid(Exception):
    """The artifact cannot be trusted: the text says what is wrong with it."""


class ArtifactMissing(ArtifactInvalid):
    """A file of the artifact, or the artifact, is not there."""


class ArtifactCorrupt(ArtifactInvalid):
    """A file is cut short or altered: its hash is not the one in the manifest, or it is not an array."""


class ArtifactUnfit(ArtifactInvalid):
    """The arrays do not fit together, or hold numbers that no converged model has."""


class Metrics(Shape):
    """How one ranker did on the temporal split: mean NDCG@10, share of people with a hit in the first three."""

    ndcg_at_10: float
    hit_rate_at_3: float
    people: Natural
    targets: Natural


class Manifest(Shape):
    """What the arrays are and where they come from. Times are ms; `arrays` maps a file to the hash of its bytes."""

    format: Literal[1]
    code: str
    catalogue: str
    ranker: RankerName
    gate: str
    window: tuple[Natural, Natural] | None
    cut_off: Natural | None
    examples: Natural
    people: Natural
    plan: dict[str, int | float]
    metrics: dict[RankerName, Metrics]
    services: tuple[Code, ...]
    features: Annotated[tuple[str, ...], Field(max_length=1_000_000)]
    arrays: dict[str, str]


@dataclass(frozen=True, eq=False, kw_only=True)
class Artifact:
    """A model ready to serve.

    Shapes, with n services, f features and d dimensions: `items` n×d, `biases` n, `features` f×d, `popularity` n
    (people who took the service), `companions` n×n (of those who had the row's service, how many took the column's
    later).
    """

    manifest: Manifest
    items: Floats
    biases: Floats
    features: Floats
    popularity: Floats
    companions: Floats

    @cached_property
    def name(self) -> str:
        """The hash of its content."""
        return content_hash(canonical_json(self.manifest.model_dump(mode="json")))

    @cached_property
    def service_index(self) -> Mapping[str, int]:
        """Service -> row."""
        return {service: row for row, service in enumerate(self.manifest.services)}

    @cached_property
    def feature_index(self) -> Mapping[str, int]:
        """Feature -> row."""
        return {feature: row for row, feature in enumerate(self.manifest.features)}


ARRAYS: Final = ("items", "biases", "features", "popularity", "companions")


def make_artifact(*, arrays: Mapping[str, npt.ArrayLike], **said: Any) -> Artifact:
    """An artifact of arrays and what the manifest says of them; ArtifactUnfit where they do not fit together."""
    plain = {name: np.ascontiguousarray(arrays[name], dtype="<f4") for name in ARRAYS}
    hashes = {f"{name}.npy": content_hash(array_bytes(plain[name])) for name in ARRAYS}
    manifest = Manifest(format=ARTIFACT_FORMAT, arrays=hashes, **said)
    artifact = Artifact(manifest=manifest, **plain)
    check_fit(artifact)
    return artifact


def untrained(catalogue: Catalogue, *, code: str) -> Artifact:
    """The artifact before the first training: nothing is known, so the catalogue's starting evidence decides."""
    count = len(catalogue.services)
    shapes = {"items": (count, 0), "biases": (count,), "features": (0, 0), "popularity": (count,)}
    arrays = {name: np.zeros(shape) for name, shape in {**shapes, "companions": (count, count)}.items()}
    return make_artifact(
        arrays=arrays,
        code=code,
        catalogue=catalogue.hash,
        ranker="popularity",
        gate="not trained yet",
        window=None,
        cut_off=None,
        examples=0,
        people=0,
        plan={},
        metrics={},
        services=tuple(sorted(catalogue.by_id)),
        features=(),
    )


def encode_artifact(artifact: Artifact) -> dict[str, bytes]:
    """File name -> bytes."""
    files = {f"{name}.npy": array_bytes(getattr(artifact, name)) for name in ARRAYS}
    return {**files, MANIFEST: canonical_json(artifact.manifest.model_dump(mode="json"))}


def decode_artifact(files: Mapping[str, bytes], *, name: str) -> Artifact:
    """The artifact of that name in the files; a subclass of ArtifactInvalid says what is wrong with them."""
    if MANIFEST not in files:
        raise ArtifactMissing(f"{MANIFEST} is missing")
    if content_hash(files[MANIFEST]) != name:
        raise ArtifactCorrupt(f"{MANIFEST} is not the one the artifact is named by")
    try:
        manifest = Manifest.model_validate_json(files[MANIFEST])
    except ValidationError as error:
        raise ArtifactUnfit(f"{MANIFEST}: {describe(error)}") from None
    arrays = {array: _read_array(f"{array}.npy", files, manifest) for array in ARRAYS}
    artifact = Artifact(manifest=manifest, **arrays)
    check_fit(artifact)
    return artifact


def array_bytes(array: Floats) -> bytes:
    """The array as an `.npy` file."""
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array, version=(1, 0), allow_pickle=False)
    return buffer.getvalue()


def check_fit(artifact: Artifact) -> None:
    """ArtifactUnfit unless shapes agree with the manifest, all numbers are finite and no representation is too long."""
    n, f = len(artifact.manifest.services), len(artifact.manifest.features)
    d = artifact.items.shape[1] if artifact.items.ndim == 2 else -1
    wanted = {"items": (n, d), "biases": (n,), "features": (f, d), "popularity": (n,), "companions": (n, n)}
    for name, shape in wanted.items():
        array: Floats = getattr(artifact, name)
        if array.shape != shape:
            raise ArtifactUnfit(f"{name} has shape {array.shape} where {shape} is needed")
        if not np.isfinite(array).all():
            raise ArtifactUnfit(f"{name} holds numbers that are not finite")
    for name in ("items", "features"):
        norms = np.linalg.norm(getattr(artifact, name), axis=1)
        if norms.size and float(norms.max()) > NORM_MAX:
            raise ArtifactUnfit(f"{name} holds a representation longer than {NORM_MAX}")
    if bool((artifact.popularity < 0).any() or (artifact.companions < 0).any()):
        raise ArtifactUnfit("a count is negative")


def _read_array(file: str, files: Mapping[str, bytes], manifest: Manifest) -> Floats:
    if file not in files:
        raise ArtifactMissing(f"{file} is missing")
    if content_hash(files[file]) != manifest.arrays.get(file):
        raise ArtifactCorrupt(f"{file} is cut short or altered")
    try:
        array = np.lib.format.read_array(io.BytesIO(files[file]), allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise ArtifactCorrupt(f"{file} is not an array") from error
    if array.dtype != np.dtype("<f4"):
        raise ArtifactUnfit(f"{file} holds {array.dtype} where float32 is needed")
    return np.asarray(array, dtype=np.float32)
