from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.officer.desk import Desk
from tests.rights.erasing import Installation, lived_in


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    desk = Desk(tmp_path)
    await desk.log.start()
    yield desk
    await desk.log.stop()


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[Installation]:
    home = Installation(tmp_path)
    await lived_in(home)
    yield home
    home.ledger.close()
    home.evidence.close()
