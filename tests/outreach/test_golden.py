"""Decisions and messages as they are, byte for byte: what changes here changes for every sender.

After a wanted change: `python -m tests.outreach.test_golden` writes them anew; read the difference.
"""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from consent.purposes import SENSITIVE
from events.fact import Fact
from tests.builders import DAY, NOW, complaint
from tests.outreach.world import ANNA, EMAIL, PUSH, OutreachWorld, agreed, alert, machine, three

GOLDEN = Path(__file__).parent / "golden"
JO = "email:jo@acme.test"

STORIES: dict[str, tuple[Callable[[], list[Fact]], str, int]] = {
    "complaint-unsolved": (lambda: [complaint()], ANNA, NOW + DAY),
    "part-runs-hot": (lambda: [*machine(), *agreed(EMAIL, identity=JO), alert()], JO, NOW),
    "formula-three-times": (lambda: [*agreed(PUSH, SENSITIVE), *three("baby")], ANNA, NOW),
    "nobody-asked": (lambda: three("baby"), ANNA, NOW),
}


async def told(name: str) -> str:
    """The decisions and messages of a story."""
    facts, identity, at = STORIES[name]
    world = OutreachWorld()
    messages = await world.told(*facts(), at=at)
    decisions = [_plain(decision) for decision in await world.decisions(identity)]
    found = {"decisions": decisions, "messages": messages}
    return json.dumps(found, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


@pytest.mark.parametrize("name", STORIES)
async def test_a_story_has_its_decision_and_its_message(name: str) -> None:
    assert await told(name) == (GOLDEN / f"{name}.json").read_text(encoding="utf-8")


def _plain(decision: Any) -> dict[str, Any]:
    plain = msgspec.structs.asdict(decision)
    candidate = plain.pop("candidate")
    return {**plain, "follows_up": candidate is not None}


if __name__ == "__main__":
    GOLDEN.mkdir(exist_ok=True)
    for story in STORIES:
        (GOLDEN / f"{story}.json").write_text(asyncio.run(told(story)), encoding="utf-8")
