"""Where training is refused, the artifact is the one trained without the person: 200 pairs."""

import pytest

from tests.noninterference.harness import compared
from tests.noninterference.test_answers import slices

ARTIFACTS = 200


@pytest.mark.parametrize("numbers", slices(ARTIFACTS))
def test_who_may_not_be_trained_on_changes_no_byte_of_a_model(numbers: range) -> None:
    found = compared("artifacts", numbers)

    assert not found.differing, found.text()
    always = {f"artifact {name}" for name in ("manifest.json", "popularity.npy", "companions.counts.npy")}
    assert {file: found.compared[file] for file in always} == dict.fromkeys(always, len(numbers))
