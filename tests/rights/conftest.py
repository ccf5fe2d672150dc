from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.officer.desk import Desk


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    desk = Desk(tmp_path)
    await desk.log.start()
    yield desk
    await desk.log.stop()
