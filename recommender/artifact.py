"""What training leaves behind: arrays and a manifest, named by their content. No row of any person is in it.

The manifest is canonical JSON, so that equal models are equal bytes; nothing in it tells when, where or over how many
refused people it was trained.
"""

import io
import json
import re
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from pydantic import ValidationError

from events.fact import describe
from recommender.canonical import canonical_json, content_hash
from recommender.catalogue import Catalogue
from recommender.manifest import ARTIFACT_FORMAT, Calibrated, Manifest

MAGNITUDE_MAX: Final = {"<f4": 1e3, "<f8": 1e12}
"""No weight or representation (single precision), no count (double) of a model that converged comes near this."""
MANIFEST: Final = "manifest.json"
POPULARITY: Final = "popularity"
"""The ranker that looks at no person, and the array it goes by."""
BLEND: Final = "blend"
"""The ranker of several parts."""

Arrays = Mapping[str, npt.NDArray[Any]]
Floats = npt.NDArray[np.float32]

_TYPES: Final = frozenset(np.dtype(name) for name in ("<f4", "<f8", "<i4", "<i8", "|b1"))
_ARRAY: Final = re.compile(r"[a-z][a-z0-9_@=.-]{0,100}")


class ArtifactInvalid(Exception):
    """The artifact cannot be trusted: the text says what is wrong with it."""


class ArtifactMissing(ArtifactInvalid):
    """A file of the artifact, or the artifact, is not there."""


class ArtifactCorrupt(ArtifactInvalid):
    """A file is cut short or altered: its hash is not the one in the manifest, or it is not an array."""


class ArtifactUnfit(ArtifactInvalid):
    """The arrays do not fit together, or hold numbers that no converged model has."""


class ArtifactOutdated(ArtifactInvalid):
    """An earlier version of the program wrote it, in a form that is not read any more."""


class Counts:
    """Counts by row and column of which most are too small to be kept: those are 0."""

    def __init__(self, *, starts: npt.NDArray[Any], columns: npt.NDArray[Any], counts: npt.NDArray[Any]) -> None:
        # An array is far slower to look into than its bare memory.
        self._starts, self._columns, self._counts = (memoryview(each) for each in (starts, columns, counts))

    def item(self, row: int, column: int) -> int:
        """The count."""
        end: int = self._starts[row + 1]
        found = bisect_left(self._columns, column, self._starts[row], end)
        count: int = self._counts[found] if found < end and self._columns[found] == column else 0
        return count


@dataclass(frozen=True, eq=False, kw_only=True)
class Artifact:
    """A model ready to serve: arrays by name. Those of the `ranker` and of the `calibration` begin with that and a dot.

    With n services and f features there are always `popularity` (n: people who took the service) and, as sparse rows,
    `companions` (n x n: of those who had the row's service, how many took the column's later) and `traits` (f x n: of
    those with the row's feature, how many took the column's service), with `having` (f: how many have the feature).
    """

    manifest: Manifest
    arrays: Arrays

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

    @property
    def popularity(self) -> npt.NDArray[Any]:
        """People who took each service."""
        return self.arrays[POPULARITY]

    @cached_property
    def companions(self) -> Counts:
        """Of those who had the row's service, how many took the column's later."""
        return self._counts("companions")

    @cached_property
    def traits(self) -> Counts:
        """Of those with the row's feature, how many took the column's service."""
        return self._counts("traits")

    def part(self, name: str) -> dict[str, npt.NDArray[Any]]:
        """The arrays of one part, by their names within it."""
        return {key.removeprefix(f"{name}."): array for key, array in self.arrays.items() if key.startswith(f"{name}.")}

    def _counts(self, name: str) -> Counts:
        return Counts(**self.part(name))


def make_artifact(*, arrays: Arrays, **said: Any) -> Artifact:
    """An artifact of arrays and what the manifest says of them; ArtifactUnfit where they do not fit together."""
    plain = {name: np.ascontiguousarray(arrays[name]) for name in sorted(arrays)}
    hashes = {f"{name}.npy": content_hash(array_bytes(array)) for name, array in plain.items()}
    artifact = Artifact(manifest=Manifest(format=ARTIFACT_FORMAT, arrays=hashes, **said), arrays=plain)
    check_fit(artifact)
    return artifact


def untrained(catalogue: Catalogue, *, code: str) -> Artifact:
    """The artifact before the first training: nothing is known, so the catalogue's starting evidence decides."""
    count = len(catalogue.services)
    return make_artifact(
        arrays={
            POPULARITY: np.zeros(count, np.int64),
            "having": np.zeros(0, np.int64),
            **no_counts("companions", count),
            **no_counts("traits", 0),
        },
        code=code,
        catalogue=catalogue.hash,
        policy="",
        ranker=POPULARITY,
        gate="not trained yet",
        window=None,
        cut_off=None,
        examples=0,
        people=0,
        plan={},
        parts={},
        left_out={},
        metrics={},
        calibrated=Calibrated(on="nothing"),
        services=tuple(sorted(catalogue.by_id)),
        features=(),
    )


def no_counts(name: str, rows: int) -> Arrays:
    """The arrays of so many rows without any count."""
    nothing = np.zeros(0, np.int32)
    return {f"{name}.starts": np.zeros(rows + 1, np.int32), f"{name}.columns": nothing, f"{name}.counts": nothing}


def encode_artifact(artifact: Artifact) -> dict[str, bytes]:
    """File name -> bytes."""
    files = {f"{name}.npy": array_bytes(array) for name, array in artifact.arrays.items()}
    return {**files, MANIFEST: canonical_json(artifact.manifest.model_dump(mode="json"))}


def decode_artifact(files: Mapping[str, bytes], *, name: str) -> Artifact:
    """The artifact of that name in the files; a subclass of ArtifactInvalid says what is wrong with them."""
    if MANIFEST not in files:
        raise ArtifactMissing(f"{MANIFEST} is missing")
    if content_hash(files[MANIFEST]) != name:
        raise ArtifactCorrupt(f"{MANIFEST} is not the one the artifact is named by")
    manifest = _manifest(files[MANIFEST])
    arrays = {file.removesuffix(".npy"): _read_array(file, files, manifest) for file in sorted(manifest.arrays)}
    artifact = Artifact(manifest=manifest, arrays=arrays)
    check_fit(artifact)
    return artifact


def array_bytes(array: npt.NDArray[Any]) -> bytes:
    """The array as an `.npy` file."""
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array, version=(1, 0), allow_pickle=False)
    return buffer.getvalue()


def check_fit(artifact: Artifact) -> None:
    """ArtifactUnfit unless names, shapes and types agree with the manifest and all numbers are such as a model has.

    Whether the arrays of the ranker make one is for `recommender.served` to say.
    """
    n, f = len(artifact.manifest.services), len(artifact.manifest.features)
    for name, array in artifact.arrays.items():
        if not _ARRAY.fullmatch(name) or array.dtype not in _TYPES:
            raise ArtifactUnfit(f"{name[:80]!r} is no name of an array, or {array.dtype} no type of one")
        if array.dtype.kind == "f" and array.size and not np.abs(array).max() < MAGNITUDE_MAX[array.dtype.str]:
            raise ArtifactUnfit(f"{name} holds numbers that are not finite, or that no model has")
    for name, shape in ((POPULARITY, (n,)), ("having", (f,))):
        array = _needed(artifact, name)
        if array.shape != shape or (array < 0).any():
            raise ArtifactUnfit(f"{name} has shape {array.shape} where {shape} is needed, or a negative count")
    _check_counts(artifact, "companions", rows=n, columns=n)
    _check_counts(artifact, "traits", rows=f, columns=n)


def _check_counts(artifact: Artifact, name: str, *, rows: int, columns: int) -> None:
    starts, column, counts = (_needed(artifact, f"{name}.{part}") for part in ("starts", "columns", "counts"))
    if any(array.dtype.kind != "i" or array.ndim != 1 for array in (starts, column, counts)):
        raise ArtifactUnfit(f"{name} is no table of counts")
    if len(starts) != rows + 1 or starts[0] != 0 or (np.diff(starts) < 0).any():
        raise ArtifactUnfit(f"{name} has not {rows} rows")
    if not starts[-1] == len(column) == len(counts) or (counts < 0).any():
        raise ArtifactUnfit(f"{name} holds other counts than it has columns, or a negative one")
    places = column.astype(np.int64) + np.repeat(np.arange(rows), np.diff(starts)) * columns
    if len(column) and (column.min() < 0 or column.max() >= columns or (np.diff(places) <= 0).any()):
        raise ArtifactUnfit(f"{name} has columns that are not {columns}, or not in order")


def _needed(artifact: Artifact, name: str) -> npt.NDArray[Any]:
    if name not in artifact.arrays:
        raise ArtifactUnfit(f"{name} is missing")
    return artifact.arrays[name]


def _manifest(raw: bytes) -> Manifest:
    try:
        written = json.loads(raw)["format"]
        if written != ARTIFACT_FORMAT:
            raise ArtifactOutdated(f"the model is written in format {written}: train again")
        return Manifest.model_validate_json(raw)
    except ValidationError as error:
        raise ArtifactUnfit(f"{MANIFEST}: {describe(error)}") from None
    except (ValueError, TypeError, KeyError):
        raise ArtifactUnfit(f"{MANIFEST} is no manifest") from None


def _read_array(file: str, files: Mapping[str, bytes], manifest: Manifest) -> npt.NDArray[Any]:
    if file not in files:
        raise ArtifactMissing(f"{file} is missing")
    if content_hash(files[file]) != manifest.arrays[file]:
        raise ArtifactCorrupt(f"{file} is cut short or altered")
    try:
        return np.asarray(np.lib.format.read_array(io.BytesIO(files[file]), allow_pickle=False))
    except (ValueError, EOFError) as error:
        raise ArtifactCorrupt(f"{file} is not an array") from error
