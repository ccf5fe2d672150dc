"""The benchmarks of the HTTP side run, on little: their figures mean nothing here, their shape does."""

import pytest

from benchmarks import memory, suggestions

pytestmark = pytest.mark.servers


def test_the_suggestion_route_is_measured_beside_a_bare_one() -> None:
    found = suggestions.main(["--people", "100", "--services", "60", "--rounds", "2", "--seconds", "1"])

    assert set(found["rounds"]) == {"bare", "ours"}
    for rounds in found["rounds"].values():
        assert len(rounds) == 2
        assert all(each["requests_per_s"] > 0 and each["failed"] == 0 for each in rounds)


def test_people_take_memory_and_facts_take_room() -> None:
    found = memory.main(["--people", "200", "--facts", "500"])

    assert found["bytes"]["full"]["used_memory"] > found["bytes"]["small"]["used_memory"] > 100
    assert found["bytes_per_fact"]["log"] > found["bytes_per_fact"]["history"] > 10
