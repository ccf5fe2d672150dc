"""The trees of all files are a million objects: kept, they would be walked by every search for garbage to come."""

from collections.abc import Iterator

import pytest

from tests.house.tree import product, suite


@pytest.fixture(scope="package", autouse=True)
def _trees() -> Iterator[None]:
    """Lets go of the trees behind the last of the house rules."""
    yield
    product.cache_clear()
    suite.cache_clear()
