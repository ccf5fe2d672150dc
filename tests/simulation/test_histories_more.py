"""The other half of the histories: a file is what two test processes share the work by."""

import pytest

from tests.simulation.runs import RUNS, assert_all_hold


@pytest.mark.long
@pytest.mark.parametrize("first", RUNS[1::2])
def test_whatever_goes_wrong_every_fact_counts_once_and_no_permit_is_overstepped(first: int) -> None:
    assert_all_hold(first)
