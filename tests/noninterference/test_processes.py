"""From outside a process nothing shows: 200 people in ten pairs of processes, headers, metrics and log lines too."""

import pytest

from tests.noninterference.harness import compared
from tests.noninterference.processes import PEOPLE
from tests.noninterference.test_answers import slices

PROCESSES = 10


@pytest.mark.parametrize("numbers", slices(PROCESSES))
def test_two_processes_cannot_be_told_apart_by_what_may_not_be_used(numbers: range) -> None:
    found = compared("processes", numbers)

    assert not found.differing, found.text()
    assert {"log lines", "metrics"} <= found.compared.keys()
    for seen in ("own answer", "own shape", "own events answer", "others' answer", "others' shape"):
        assert sum(count for channel, count in found.compared.items() if channel.startswith(f"{seen} ")) == PEOPLE
