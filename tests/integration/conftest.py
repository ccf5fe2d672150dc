"""What the tests on Olist share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.installation import Installation, installation_in
from tests.integration.olist_world import PARTITIONS
from tests.integration.recount import Figures, recount


@pytest.fixture(scope="module")
def expected(olist: Path) -> dict[str, Figures]:
    return recount(olist)


@pytest.fixture
def olist_installation(tmp_path: Path) -> Iterator[Installation]:
    with installation_in(tmp_path, partitions=PARTITIONS) as made:
        yield made
