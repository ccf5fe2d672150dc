"""An API whose lease on the store is over answers nothing, and acknowledges nothing that it wrote meanwhile."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from api.fence import ABOUT_THE_PROCESS, Fence
from tests.api.world import World, problem
from tests.builders import event, money


class Reasons:
    """No reason the first times, then the last one for good."""

    def __init__(self, *said: str | None) -> None:
        self.said = list(said)
        self.asked = 0

    def __call__(self) -> str | None:
        self.asked += 1
        return self.said.pop(0) if len(self.said) > 1 else self.said[0]


def fenced(world: World, *said: str | None) -> Reasons:
    reasons = Reasons(*said)
    world.app = Fence(world.app, refusal=reasons)  # type: ignore[assignment]
    return reasons


PURCHASE = event("transaction.purchased", order_id="o-1", total=money(10))


async def test_while_the_lease_lasts_everything_is_answered_as_ever(world: World) -> None:
    before = await world.ask("GET", "/v1/services")
    fenced(world, None)

    after = await world.ask("GET", "/v1/services")

    assert (after.status_code, after.content) == (before.status_code, before.content)
    assert (await world.send(PURCHASE)).status_code == 202


async def test_once_it_is_over_nothing_is_written_and_nothing_answered(world: World) -> None:
    fenced(world, "over")

    answer = await world.send(PURCHASE)

    assert (answer.status_code, problem(answer)) == (503, "left")
    assert answer.headers["retry-after"]
    assert not any(world.log.records("rapport.events", at) for at in range(8))


async def test_what_was_written_while_it_ended_is_not_acknowledged(world: World) -> None:
    fenced(world, None, "over")

    answer = await world.send(PURCHASE)

    assert (answer.status_code, problem(answer)) == (503, "left")
    assert "after" not in answer.json()


@pytest.mark.parametrize("path", ["/health", "/ready"])
async def test_what_is_asked_about_the_process_is_answered_all_the_same(world: World, path: str) -> None:
    fenced(world, "over")
    assert path in ABOUT_THE_PROCESS
    assert (await world.ask("GET", path, key=None)).status_code == 200


async def test_an_answer_in_pieces_is_either_whole_or_none() -> None:
    """However many pieces an app sends, a refusal stands alone."""

    async def app(_scope: Any, _receive: Any, send: Callable[[Any], Awaitable[None]]) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for more in (True, False):
            await send({"type": "http.response.body", "body": b"piece", "more_body": more})

    for said, pieces in ((None, [b"piece", b"piece"]), ("over", [])):
        sent: list[dict[str, Any]] = []

        async def send(message: Any, sent: list[dict[str, Any]] = sent) -> None:
            sent.append(message)

        async def receive() -> Any:
            return {"type": "http.request"}

        await Fence(app, refusal=Reasons(None, said))({"type": "http", "path": "/v1/x"}, receive, send)

        assert [message["type"] for message in sent].count("http.response.start") == 1
        assert [message["body"] for message in sent if message.get("body") == b"piece"] == pieces
        assert sent[0]["status"] == (200 if pieces else 503)
