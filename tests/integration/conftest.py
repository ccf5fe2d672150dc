"""What these tests share: an installation, on one broker or each, and Olist."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.installation import Installation, installation_in
from tests.integration.olist_world import PARTITIONS
from tests.integration.recount import Figures, recount


@pytest.fixture
def broker(request: pytest.FixtureRequest) -> str | None:
    """Where a test marked `on_each_broker` finds its broker; None: `installation_in` knows."""
    wants_apache = getattr(request, "param", None) == "apache"
    return str(request.getfixturevalue("apache_kafka")) if wants_apache else None


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
