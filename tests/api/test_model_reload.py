"""A model is exchanged while suggestions are asked for: no request is dropped, and each is answered by one model."""

import asyncio
from pathlib import Path

from recommender.artifact import untrained
from recommender.catalogue import load_catalogue
from recommender.model_store import ModelStore, ServedModel
from tests.api.world import World

AT_ONCE = 8
ONE, TWO = (untrained(load_catalogue(), code=code) for code in ("one", "two"))


async def test_no_request_is_dropped_while_models_are_exchanged(world: World, tmp_path: Path) -> None:
    store = ModelStore(tmp_path / "exchanged")
    store.publish(TWO)
    store.publish(ONE)
    served = ServedModel(store, fallback=TWO)
    world.with_services(model=served)
    assert served.refresh()

    for before, after in ((ONE, TWO), (TWO, ONE)) * 3:
        store.roll_back(after.name)
        changing = asyncio.create_task(asyncio.to_thread(served.refresh))
        answers = await asyncio.gather(*(world.suggestions() for _ in range(AT_ONCE)))

        assert await changing
        assert {answer.status_code for answer in answers} == {200}
        assert {answer.json()["model"] for answer in answers} <= {before.name, after.name}
        assert (await world.suggestions()).json()["model"] == after.name
