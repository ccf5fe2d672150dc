"""The matrix: refused when it is loaded if the law is against it, or it itself; answered by the version of the day."""

import os
import subprocess
import sys
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml

from consent.matrix import DEFAULT_MATRIX, JURISDICTIONS, Ground, Matrix
from consent.purposes import ANALYTICS, CHARACTERISTICS, PROFILE, PURPOSES, SENSITIVE, SERVICE, SHARE, TRAIN
from consent.rules import Rules
from consent.state import Form
from consent.versioned_data import FILE_BYTES_MAX, DataInvalid
from events.shape import parse_time

JUNE, JULY = parse_time("2026-06-01T00:00:00Z"), parse_time("2026-07-01T00:00:00Z")
LATE = parse_time("2026-09-01T00:00:00Z")


def shipped() -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(DEFAULT_MATRIX.read_bytes())
    return content


def changed(change: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
    """The shipped matrix with its one version changed."""
    content = shipped()
    change(content["versions"][0])
    return content


def row(purpose: str, **grounds: str) -> dict[str, Any]:
    return changed(lambda version: version["rows"][purpose].update(grounds))


def with_second(
    *, valid_from: str = "2026-07-01T00:00:00Z", known_from: str = "2026-06-01T00:00:00Z"
) -> dict[str, Any]:
    """The shipped matrix, and a second version in which Europe is asked before it is counted."""
    content = shipped()
    second = deepcopy(content["versions"][0])
    second |= {"version": 2, "valid_from": valid_from, "known_from": known_from}
    second["rows"][ANALYTICS]["EU"] = "consent"
    content["versions"].append(second)
    return content


def basis(matrix: Matrix, purpose: str, place: str | None, *, at: int = LATE, known_at: int = LATE) -> str | None:
    ground = matrix.ground(purpose, place, at=at, known_at=known_at)
    return None if ground is None else ground.basis


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (
            row(ANALYTICS, CN="legitimate_interest"),
            "analytics.aggregate in CN: China's law knows no legitimate interest",
        ),
        (row(PROFILE, CN="legitimate_interest"), "profile.build in CN: China's law knows no legitimate interest"),
        (row(PROFILE, EU="legitimate_interest"), "needs its assessment on file"),
        (changed(lambda version: version.pop("assessments")), "needs its assessment on file"),
        *((row(SENSITIVE, EU=word), "explicit consent alone") for word in ("consent", "contract", "legal_obligation")),
        (row(SENSITIVE, EU="legitimate_interest"), "explicit consent alone"),
        (row(SENSITIVE, CN="explicit_consent"), "separate consent .PIPL 29"),
        (row(SHARE, CN="explicit_consent"), "separate consent .PIPL 23"),
        (row(SERVICE, EU="consent"), "contract and law carry"),
        (row(PROFILE, EU="contract"), "contract and law carry"),
        (row(TRAIN, CN="legal_obligation"), "contract and law carry"),
        (row(TRAIN, EU="switch"), "is a switch, and nothing else is"),
        (row(CHARACTERISTICS, CN="consent"), "is a switch, and nothing else is"),
        (changed(lambda version: version["rows"].pop(TRAIN)), "model.train: says nothing for EU, CN"),
        (changed(lambda version: version["rows"][TRAIN].pop("CN")), "model.train: says nothing for CN"),
        (changed(lambda version: version["rows"].update({"profile.sell": {}})), "there is no purpose profile.sell"),
        (changed(lambda version: version["evidence"].update({"profile.sell": ["demo"]})), "there is no purpose"),
        (changed(lambda version: version["assessments"].update({"profile.sell": "x"})), "there is no purpose"),
        (changed(lambda version: version["evidence"].update({TRAIN: ["hearsay"]})), "evidence"),
        (changed(lambda version: version["evidence"].update({TRAIN: []})), "evidence"),
        (row(TRAIN, EU="vital_interest"), "rows"),
        (row(TRAIN, US="consent"), "rows"),
        (changed(lambda version: version.update(version=2)), "have to be 1, 2, 3"),
        (changed(lambda version: version.update(valid_from="yesterday")), "RFC 3339"),
        (with_second(known_from="1970-01-01T00:00:00Z"), "has to be decided after version 1"),
        ({"versions": []}, "versions"),
        (None, "valid dictionary"),
    ],
)
def test_a_matrix_against_the_law_or_itself_is_refused_with_the_place(content: Any, complaint: str) -> None:
    with pytest.raises(DataInvalid, match=complaint):
        Matrix.of(content)


@pytest.mark.parametrize(
    ("word", "form"),
    [
        ("consent", Form.EXPRESSED),
        ("explicit_consent", Form.EXPLICIT),
        ("separate_consent", Form.SEPARATE),
        ("written_consent", Form.WRITTEN),
    ],
)
def test_each_word_of_a_consent_asks_for_its_form(word: str, form: Form) -> None:
    ground = Matrix.of(row(TRAIN, CN=word)).ground(TRAIN, "CN", at=LATE, known_at=LATE)

    assert ground is not None
    assert (ground.basis, ground.form) == ("consent", form)


def test_every_purpose_has_a_ground_everywhere() -> None:
    matrix = Matrix.load()
    for purpose in PURPOSES:
        for place in (*JURISDICTIONS, None):
            assert isinstance(matrix.ground(purpose, place, at=LATE, known_at=LATE), Ground)


def test_no_purpose_of_ours_rests_on_legitimate_interest_in_china() -> None:
    matrix = Matrix.load()
    assert {basis(matrix, purpose, "CN") for purpose in PURPOSES} == {
        "contract",
        "legal_obligation",
        "switch",
        "consent",
    }


@pytest.mark.parametrize("place", [None, "US", "", "eu"])
def test_an_unknown_jurisdiction_takes_the_strictest_of_a_row(place: str | None) -> None:
    matrix = Matrix.load()
    assert (basis(matrix, ANALYTICS, place), basis(matrix, ANALYTICS, "EU")) == ("consent", "legitimate_interest")
    strictest = matrix.ground(SENSITIVE, place, at=LATE, known_at=LATE)
    europe = matrix.ground(SENSITIVE, "EU", at=LATE, known_at=LATE)
    assert strictest is not None
    assert europe is not None
    assert strictest.form == europe.form == Form.SEPARATE


def test_the_version_of_the_day_is_asked_as_far_as_it_was_known() -> None:
    matrix = Matrix.of(with_second())
    assert basis(matrix, ANALYTICS, "EU", at=JULY) == "consent"
    assert basis(matrix, ANALYTICS, "EU", at=JULY - 1) == "legitimate_interest"
    assert basis(matrix, ANALYTICS, "EU", at=JULY, known_at=JUNE) == "consent"
    assert basis(matrix, ANALYTICS, "EU", at=JULY, known_at=JUNE - 1) == "legitimate_interest"


def test_a_correction_of_the_past_counts_from_when_it_was_decided() -> None:
    matrix = Matrix.of(with_second(valid_from="1970-01-01T00:00:00Z"))
    assert basis(matrix, ANALYTICS, "EU", at=0, known_at=JUNE) == "consent"
    assert basis(matrix, ANALYTICS, "EU", at=0, known_at=JUNE - 1) == "legitimate_interest"


def test_before_the_first_version_nothing_has_a_ground() -> None:
    matrix = Matrix.of(changed(lambda version: version.update(valid_from="2026-06-01T00:00:00Z")))
    assert {basis(matrix, purpose, "EU", at=JUNE - 1) for purpose in PURPOSES} == {None}


def test_the_hash_is_the_same_in_every_process() -> None:
    asked = "from consent.matrix import Matrix; print(Matrix.load().versions[0].hash)"
    # Under these seeds the same set of grades has different orders.
    told = {
        subprocess.run(
            [sys.executable, "-c", asked], env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in ("4", "5")
    }
    assert len(told) == 1


def test_the_hash_changes_with_anything_a_version_says() -> None:
    shipped_hash = Matrix.load().versions[0].hash
    changes = [
        row(SHARE, EU="explicit_consent"),
        changed(lambda version: version["evidence"].update({TRAIN: ["recorded"]})),
        changed(lambda version: version["assessments"].update({TRAIN: "x"})),
        changed(lambda version: version.update(known_from="1970-01-02T00:00:00Z")),
    ]
    hashes = {Matrix.of(content).versions[0].hash for content in changes}
    assert len(hashes | {shipped_hash}) == len(changes) + 1
    assert Matrix.of(shipped()).versions[0].hash == shipped_hash


def test_the_rules_are_named_by_thirty_two_digits_that_change_with_the_matrix() -> None:
    notices = Rules.load().notices
    names = [Rules(Matrix.of(content), notices).hash for content in (shipped(), with_second())]

    assert len(set(names)) == 2
    assert {len(bytes.fromhex(name)) for name in names} == {16}


def test_a_file_that_is_missing_too_large_or_no_yaml_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataInvalid, match=r"absent\.yaml"):
        Rules.load(matrix=tmp_path / "absent.yaml")
    with pytest.raises(DataInvalid, match="more than"):
        Matrix.parse(b"x" * (FILE_BYTES_MAX + 1))
    with pytest.raises(DataInvalid, match="not YAML"):
        Matrix.parse(b"{")
