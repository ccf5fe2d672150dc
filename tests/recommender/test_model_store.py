"""The folder of models: what cannot be trusted is named and never served."""

import os
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from recommender.artifact import (
    Artifact,
    ArtifactCorrupt,
    ArtifactInvalid,
    ArtifactMissing,
    ArtifactOutdated,
    ArtifactUnfit,
    array_bytes,
    encode_artifact,
    make_artifact,
    untrained,
)
from recommender.canonical import canonical_json, content_hash
from recommender.model_store import ModelStore, ServedModel
from tests.recommender.worlds import CHECKERBOARD, CODE, SMALL, catalogue_of, taken_by, trained

PLAN = replace(SMALL, kinds=("popularity", "logistic"))
WEIGHTS = "ranker.logistic.having"
OTHER = untrained(CHECKERBOARD, code=CODE)


@cache
def small_model() -> Artifact:
    return trained([some for customer in range(20) for some in taken_by(customer)], catalogue=CHECKERBOARD, plan=PLAN)


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    return ModelStore(tmp_path / "models")


def test_a_published_model_is_current_and_loads_as_it_was(store: ModelStore) -> None:
    name = store.publish(small_model(), record={"people_refused": 3})

    assert store.current() == name == small_model().name
    assert encode_artifact(store.load(name)) == encode_artifact(small_model())


def test_the_record_stands_beside_the_model(store: ModelStore, tmp_path: Path) -> None:
    name = store.publish(small_model(), record={"people_refused": 3})

    assert (tmp_path / "models" / f"{name}.record.json").read_bytes() == b'{"people_refused":3}'
    assert {entry.name for entry in (tmp_path / "models" / name).iterdir()} == encode_artifact(small_model()).keys()


def test_models_are_listed_and_rolled_back_by_name(store: ModelStore) -> None:
    store.publish(OTHER)
    store.publish(small_model())

    store.roll_back(OTHER.name)

    assert store.current() == OTHER.name
    assert set(store.names()) == {OTHER.name, small_model().name}


def test_publishing_twice_is_harmless(store: ModelStore) -> None:
    assert store.publish(small_model()) == store.publish(small_model())
    assert store.names() == [small_model().name]


def test_an_empty_folder_has_no_model(store: ModelStore) -> None:
    assert store.current() is None
    assert store.names() == []


def cut_short(folder: Path) -> None:
    file = folder / "popularity.npy"
    file.write_bytes(file.read_bytes()[:-4])


def altered(folder: Path) -> None:
    raw = bytearray((folder / f"{WEIGHTS}.npy").read_bytes())
    raw[-1] ^= 1
    (folder / f"{WEIGHTS}.npy").write_bytes(bytes(raw))


def other_manifest(folder: Path) -> None:
    file = folder / "manifest.json"
    file.write_bytes(file.read_bytes().replace(b'"logistic"', b'"blend"').replace(b"test", b"tested"))


@pytest.mark.parametrize(
    ("damage", "error"),
    [
        (cut_short, ArtifactCorrupt),
        (altered, ArtifactCorrupt),
        (other_manifest, ArtifactCorrupt),
        (lambda folder: (folder / "manifest.json").write_bytes(b""), ArtifactCorrupt),
        (lambda folder: (folder / "popularity.npy").unlink(), ArtifactMissing),
        (lambda folder: (folder / "manifest.json").unlink(), ArtifactMissing),
    ],
)
def test_a_damaged_model_is_named_and_the_one_that_serves_stays(
    store: ModelStore, tmp_path: Path, damage: Callable[[Path], None], error: type[ArtifactInvalid]
) -> None:
    served = ServedModel(store, fallback=OTHER)
    name = store.publish(small_model())
    damage(tmp_path / "models" / name)

    with pytest.raises(error):
        store.load(name)
    assert not served.refresh()
    assert served.artifact is OTHER
    assert served.problem


def test_a_damaged_model_can_be_published_anew(store: ModelStore, tmp_path: Path) -> None:
    name = store.publish(small_model())
    cut_short(tmp_path / "models" / name)

    store.publish(small_model())

    assert store.load(name).name == name


def test_rolling_back_to_what_is_not_there_or_broken_changes_nothing(store: ModelStore, tmp_path: Path) -> None:
    store.publish(OTHER)
    store.publish(small_model())
    cut_short(tmp_path / "models" / OTHER.name)

    for name, error in ((OTHER.name, ArtifactCorrupt), ("0" * 32, ArtifactMissing), ("../etc", ArtifactMissing)):
        with pytest.raises(error):
            store.roll_back(name)
    assert store.current() == small_model().name


@pytest.mark.parametrize("pointer", [b"", b"../../x", b"\xff\xfe", b"a" * 31])
def test_a_pointer_that_names_no_model_is_a_problem_and_no_crash(
    store: ModelStore, tmp_path: Path, pointer: bytes
) -> None:
    store.publish(small_model())
    served = ServedModel(store, fallback=OTHER)
    (tmp_path / "models" / "current").write_bytes(pointer)

    assert not served.refresh()
    assert served.problem


def test_a_server_takes_up_a_new_model_and_goes_back_with_it(store: ModelStore) -> None:
    served = ServedModel(store, fallback=OTHER)

    assert not served.refresh()
    store.publish(small_model())
    assert served.refresh()
    assert served.artifact.name == small_model().name
    assert not served.refresh()
    store.publish(OTHER)
    store.roll_back(OTHER.name)
    assert served.refresh()
    assert served.artifact.name == OTHER.name


Array = npt.NDArray[Any]
Change = Callable[[Array], Array]


def forged(artifact: Artifact, arrays: dict[str, Array]) -> dict[str, bytes]:
    """Files that hash as they say and still hold what no model may."""
    files = encode_artifact(artifact)
    manifest = artifact.manifest.model_dump(mode="json")
    for name, array in arrays.items():
        files[f"{name}.npy"] = array_bytes(array)
        manifest["arrays"][f"{name}.npy"] = content_hash(files[f"{name}.npy"])
    files["manifest.json"] = canonical_json(manifest)
    return files


def with_one(name: str, value: float) -> tuple[str, Change]:
    def changed(array: Array) -> Array:
        other = array.copy()
        other.flat[0] = value
        return other

    return name, changed


@pytest.mark.parametrize(
    ("name", "change"),
    [
        with_one(WEIGHTS, np.nan),
        with_one(WEIGHTS, np.inf),
        with_one(WEIGHTS, 1e6),
        with_one("calibration.services", -1),
        with_one("calibration.new-line", np.nan),
        ("calibration.new-line", lambda line: line * -1),
        ("calibration.services", lambda each: each[:-1]),
        (WEIGHTS, lambda weights: weights[:-1]),
        (WEIGHTS, lambda weights: weights[:, :-1]),
        (WEIGHTS, lambda weights: weights.astype(np.complex64)),
        ("ranker.weights_new", lambda weights: weights[:-1]),
        with_one("popularity", -1),
        with_one("traits.starts", 3),
        with_one("traits.columns", 99),
        with_one("traits.counts", -1),
        ("traits.counts", lambda counts: counts[:-1]),
        ("traits.starts", lambda starts: starts[:-1]),
        ("../up", lambda array: array),
    ],
)
def test_a_model_with_numbers_that_do_not_fit_is_refused(tmp_path: Path, name: str, change: Change) -> None:
    arrays = {**small_model().arrays, "../up": np.zeros(1)}
    files = forged(small_model(), {name: change(arrays[name])})
    folder = tmp_path / content_hash(files["manifest.json"])
    folder.mkdir()
    for file, content in files.items():
        if "/" not in file:
            (folder / file).write_bytes(content)

    with pytest.raises(ArtifactInvalid):
        ModelStore(tmp_path).load(folder.name)


def test_a_model_of_an_earlier_form_is_refused_with_what_to_do(store: ModelStore, tmp_path: Path) -> None:
    earlier = canonical_json({**small_model().manifest.model_dump(mode="json"), "format": 1})
    folder = tmp_path / "models" / content_hash(earlier)
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_bytes(earlier)

    with pytest.raises(ArtifactOutdated, match="train again"):
        store.load(folder.name)


def test_an_array_of_objects_is_never_unpickled(tmp_path: Path) -> None:
    hostile = tmp_path / "hostile.npy"
    np.save(hostile, np.array([{}], dtype=object), allow_pickle=True)
    files = encode_artifact(small_model()) | {"popularity.npy": hostile.read_bytes()}
    manifest = small_model().manifest.model_dump(mode="json")
    manifest["arrays"]["popularity.npy"] = content_hash(files["popularity.npy"])
    files["manifest.json"] = canonical_json(manifest)
    name = content_hash(files["manifest.json"])
    (tmp_path / name).mkdir()
    for file, content in files.items():
        (tmp_path / name / file).write_bytes(content)

    with pytest.raises(ArtifactCorrupt, match=r"popularity\.npy is not an array"):
        ModelStore(tmp_path).load(name)


def test_no_person_has_a_row_in_the_artifact() -> None:
    told = b"".join(encode_artifact(small_model()).values())

    assert not any(some.identity.encode() in told for customer in range(20) for some in taken_by(customer))
    assert len(small_model().popularity) == len(CHECKERBOARD.services)
    assert len(small_model().arrays["having"]) == len(small_model().manifest.features)


def test_an_array_that_does_not_fit_is_refused_when_made() -> None:
    with pytest.raises(ArtifactUnfit):
        make_artifact(
            arrays={"popularity": np.zeros((2, 2))},
            **untrained(catalogue_of("a"), code=CODE).manifest.model_dump(exclude={"arrays", "format"}),
        )


def test_no_half_written_model_is_left_behind(store: ModelStore, tmp_path: Path) -> None:
    store.publish(small_model())

    assert sorted(os.listdir(tmp_path / "models")) == sorted(["current", small_model().name])  # noqa: PTH208 - names alone
