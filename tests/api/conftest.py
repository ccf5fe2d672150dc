from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.api.world import World


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    world = World(tmp_path)
    await world.log.start()
    yield world
    await world.log.stop()
