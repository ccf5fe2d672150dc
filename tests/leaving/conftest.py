from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.api.world import World


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """The world behind the API; a busy machine may take its time."""
    world = World(tmp_path)
    await world.log.start()
    yield world.with_services(timeout_s=60.0)
    await world.log.stop()


@pytest.fixture
def patient(world: World) -> World:
    """The same where what was written is waited for until it is folded."""
    return world.with_services(freshness=replace(world.services.freshness, wait_s=60.0))
