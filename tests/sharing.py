"""How the tests are shared among processes: what is dear to start is started once, and the longest comes first."""

from typing import Final

from xdist.scheduler import LoadScopeScheduling

NODE_OF_THEIR_OWN: Final = ("tests/chaos/test_chaos.py", "tests/integration/test_apache_broker.py")
"""Tests on Apache Kafka that start, and kill, a node for themselves."""

LONGEST_FIRST: Final = (
    "apache kafka",
    "tests/chaos/test_chaos.py",
    "tests/integration/test_olist_exact.py",
    "tests/benchmarks/test_measurements.py",
    "journeys",
    "tests/mutants/test_mutants.py",
    "tests/rights/test_canaries.py",
    "tests/chaos/test_withdrawals.py",
    "tests/noninterference/test_answers.py",
    "tests/integration/test_log_adoption.py",
    "tests/integration/test_up.py",
    "tests/integration/test_partitions.py",
    "tests/integration/test_rebuild.py",
    "tests/integration/test_apache_broker.py",
    "tests/streams/test_transport.py",
    "tests/streams/test_transport_ownership.py",
)
"""Groups that no process should begin when the others are nearly done; short tests fill the end."""


def group_of(test: str) -> str:
    """Whose tests one process runs, by its id: those of one node, one service, one file, or the rules of the house."""
    file = test.split("::", maxsplit=1)[0]
    if file.startswith("tests/journeys/"):
        return "journeys"
    if file.startswith("tests/house/"):
        return "house"
    if file.startswith("tests/simulation/"):
        return test
    if "apache" in test and file not in NODE_OF_THEIR_OWN:
        return "apache kafka"
    return file


def place_of(test: str) -> int:
    """Its group's place in the order."""
    group = group_of(test)
    return LONGEST_FIRST.index(group) if group in LONGEST_FIRST else len(LONGEST_FIRST)


class Sharing(LoadScopeScheduling):  # type: ignore[misc]
    """Gives a process a whole group at a time. (The marks of `--dist loadgroup` are lost on this pytest.)"""

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)
