"""Where training is refused, the artifact is the one trained without the person: 200 pairs."""

import pytest

from recommender.artifact import ARRAYS, MANIFEST
from tests.noninterference.harness import compared
from tests.noninterference.test_answers import slices

ARTIFACTS = 200


@pytest.mark.parametrize("numbers", slices(ARTIFACTS))
def test_who_may_not_be_trained_on_changes_no_byte_of_a_model(numbers: range) -> None:
    found = compared("artifacts", numbers)

    assert not found.differing, found.text()
    files = [*(f"artifact {name}.npy" for name in ARRAYS), f"artifact {MANIFEST}"]
    assert found.compared == dict.fromkeys(files, len(numbers))
