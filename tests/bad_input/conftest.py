from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.api.world import World
from tests.streams.dead_letter_world import LetterWorld


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """The HTTP process over memory."""
    world = World(tmp_path)
    await world.log.start()
    yield world
    await world.log.stop()


@pytest.fixture
async def worker() -> AsyncIterator[LetterWorld]:
    """The event process over memory."""
    worker = LetterWorld()
    await worker.log.start()
    yield worker
    await worker.log.stop()
