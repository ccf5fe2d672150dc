"""One service with its demo world for all journeys; each test brings people of its own where it changes anything."""

from collections.abc import Iterator

import pytest

from tests.journeys.desks import Desk, service_in


@pytest.fixture(scope="session")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with service_in(tmp_path_factory.mktemp("journeys")) as found:
        yield found
