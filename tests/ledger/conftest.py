"""What a test opened is closed after it."""

from collections.abc import Iterator

import pytest

from tests.ledger.ledgers import OPENED


@pytest.fixture(autouse=True)
def _ledgers_are_closed() -> Iterator[None]:
    yield
    while OPENED:
        OPENED.pop().close()
