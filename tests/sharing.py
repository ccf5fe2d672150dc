"""How the tests are shared among processes: what is dear to start is started once, and the longest comes first."""

from typing import Final

import pytest

DEAR: Final = {"desk": "journeys", "apache_kafka": "apache kafka"}
"""A fixture of the whole session that takes many seconds to start -> the group of its tests; one process runs it."""

LONGEST_FIRST: Final = (
    "apache kafka",
    "tests/chaos/test_chaos.py",
    "tests/integration/test_olist_exact.py",
    "journeys",
    "tests/integration/test_log_adoption.py",
    "tests/integration/test_up.py",
    "tests/integration/test_partitions.py",
    "tests/integration/test_rebuild.py",
    "tests/integration/test_apache_broker.py",
    "tests/streams/test_transport.py",
    "tests/streams/test_transport_ownership.py",
)
"""Groups and files that no process should begin when the others are nearly done; short tests fill the end."""


def group_of(item: pytest.Item) -> str | None:
    """Whose tests run in one process: those of a dear fixture, else of the file; None for what may run anywhere."""
    for fixture, group in DEAR.items():
        if fixture in getattr(item, "fixturenames", ()):
            return group
    if parameters_of(item).get("broker") == "apache":
        return DEAR["apache_kafka"]
    if item.get_closest_marker("long") and not item.get_closest_marker("servers"):
        return None
    return file_of(item)


def place_of(item: pytest.Item) -> int:
    """Its place in the order of the groups."""
    group = group_of(item)
    return LONGEST_FIRST.index(group) if group in LONGEST_FIRST else len(LONGEST_FIRST)


def file_of(item: pytest.Item) -> str:
    """The test's file, from the root."""
    return item.nodeid.split("::")[0]


def parameters_of(item: pytest.Item) -> dict[str, object]:
    """What it is parametrized with."""
    return dict(item.callspec.params) if hasattr(item, "callspec") else {}


def share(items: list[pytest.Item]) -> None:
    """Put the tests into groups and in order, for `--dist loadgroup --no-loadscope-reorder`."""
    for item in items:
        if group := group_of(item):
            item.add_marker(pytest.mark.xdist_group(group))
    items.sort(key=place_of)
