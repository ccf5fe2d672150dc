"""Two people turn out to be one after each was reserved a message: one of the two goes, and not none."""

from tests.builders import MINUTE, NOW, linked
from tests.outreach.world import ANNA, PUSH, OutreachWorld, agreed, three

CARD = "card:7"


async def test_what_is_only_reserved_does_not_stand_before_a_message_about_to_go() -> None:
    world = OutreachWorld(cap={"at_most": 1, "within_days": 7})
    await world.told(*agreed(PUSH), *three())
    await world.told(*agreed(PUSH, identity=CARD), *three("food", identity=CARD, first=11))
    await world.hear(*linked(ANNA, CARD, at=NOW))

    answers = [await world.claims.claim(message["id"], at=NOW + MINUTE) for message in world.messages()]

    assert [bool(answer) for answer in answers] == [True, False]
