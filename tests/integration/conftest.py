"""What these tests share: an installation on each broker, and Olist."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.installation import Installation, installation_in
from tests.integration.olist_world import PARTITIONS
from tests.integration.recount import Figures, recount

BROKERS = ("named",) if os.environ.get("RAPPORT_KAFKA") else ("embedded", "apache")
"""RAPPORT_KAFKA stands in for both."""


@pytest.fixture(params=BROKERS)
def broker(request: pytest.FixtureRequest) -> str | None:
    """Where a test on every broker finds it; None: `installation_in` knows."""
    return str(request.getfixturevalue("apache_kafka")) if request.param == "apache" else None


@pytest.fixture
def installation(tmp_path: Path, broker: str | None) -> Iterator[Installation]:
    with installation_in(tmp_path, kafka=broker) as made:
        yield made


@pytest.fixture(scope="module")
def expected(olist: Path) -> dict[str, Figures]:
    return recount(olist)


@pytest.fixture
def olist_installation(tmp_path: Path) -> Iterator[Installation]:
    with installation_in(tmp_path, partitions=PARTITIONS) as made:
        yield made
