"""The benchmarks of the HTTP side run, on little: their figures mean nothing here, their shape does."""

import pytest

from benchmarks import memory, suggestions

pytestmark = pytest.mark.servers


def test_the_suggestion_route_is_measured_beside_a_bare_one() -> None:
    found = suggestions.main(["--people", "100", "--services", "60", "--rounds", "2", "--seconds", "0.3"])

    assert set(found["rounds"]) == {"bare", "ours"}
    for rounds in found["rounds"].values():
        assert len(rounds) == 2
        assert all(each["requests_per_s"] > 0 and each["failed"] == 0 for each in rounds)


def test_people_of_both_kinds_take_memory() -> None:
    found = memory.main(["--people", "200"])["bytes"]

    assert found["full"]["used_memory"] > found["small"]["used_memory"] > 100
