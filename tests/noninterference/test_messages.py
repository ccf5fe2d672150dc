"""Where a channel is refused, what somebody did changes no decision about one occasion, no message and no claim."""

import pytest

from consent.purposes import SENSITIVE
from events.fact import Fact
from outreach.triggers import Triggers
from tests.builders import DAY, NOW, consent
from tests.noninterference.harness import compared
from tests.noninterference.test_answers import slices
from tests.outreach.world import ANNA, EMAIL, TRIGGERS, OutreachWorld, agreed, three

MESSAGES = 1_000


@pytest.mark.parametrize("numbers", slices(MESSAGES))
def test_nothing_a_person_did_changes_what_is_sent_where_messages_are_refused(numbers: range) -> None:
    found = compared("messages", numbers)

    assert not found.differing, found.text()
    assert found.compared["own messages"] == found.compared["others' messages"] == len(numbers)


def _about_babies() -> Triggers:
    """The usual triggers, of which one speaks of goods for babies alone."""
    about = TRIGGERS.by_id["bought-three-times"]
    when = about.when.model_copy(update={"categories": ("baby",)})
    return Triggers(
        version=TRIGGERS.version, policy=TRIGGERS.policy, triggers=(about.model_copy(update={"when": when}),)
    )


@pytest.mark.parametrize("consents", [[], agreed(EMAIL)], ids=["nobody asked", "by e-mail"])
async def test_not_even_a_refusal_tells_of_sensitive_goods_without_consent_to_that(consents: list[Fact]) -> None:
    decided = []
    for category in ("baby", "coffee"):
        world = OutreachWorld(triggers=_about_babies())
        await world.told(*consents, *three(category))
        decided.append(await world.verdicts(ANNA))

    assert decided == [[], []]


async def test_where_sensitive_goods_may_be_looked_at_a_refusal_is_told() -> None:
    world = OutreachWorld(triggers=_about_babies())
    await world.told(consent("given", SENSITIVE, at=NOW - 30 * DAY), *three("baby"))

    assert await world.verdicts(ANNA) == [("never", "never_asked")]
