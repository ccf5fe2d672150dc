"""What has to be allowed for a message, when it is decided on and once more when it is claimed."""

import dataclasses

import pytest

from consent.purposes import SENSITIVE
from outreach.assessment import Assessment
from outreach.claiming import NoGo
from outreach.triggers import Trigger, Triggers
from recommender.catalogue import Catalogue
from tests.builders import DAY, NOW, consent, fact
from tests.outreach.world import (
    ANNA,
    CATALOGUE,
    EMAIL,
    PUSH,
    TRIGGERS,
    OutreachWorld,
    agreed,
    alert,
    machine,
    related,
    three,
)

SOON = NOW + 1000


def triggers_of(*triggers: Trigger) -> Triggers:
    return Triggers(version=TRIGGERS.version, policy=TRIGGERS.policy, triggers=triggers)


def offering(service: str) -> Triggers:
    """Three purchases of a kind are answered with this service."""
    about = TRIGGERS.by_id["bought-three-times"]
    return triggers_of(about.model_copy(update={"service": service, "service_by_category": {}}))


def without(service: str) -> Catalogue:
    services = tuple(each for each in CATALOGUE.services if each.id != service)
    said = {name: getattr(CATALOGUE, name) for name in Catalogue.model_fields}
    return Catalogue.model_construct(**{**said, "services": services})


async def refused_at_the_claim(world: OutreachWorld, outreach_id: str) -> str:
    answer = await world.claims.claim(outreach_id, at=SOON)
    assert isinstance(answer, NoGo)
    return answer.reason


async def test_a_service_that_tells_of_children_is_offered_with_consent_to_that_alone() -> None:
    closed, open_too = (OutreachWorld(triggers=offering("diapers")) for _ in range(2))

    assert await closed.told(*agreed(PUSH), *three()) == []
    assert await closed.verdicts(ANNA) == [("never", "needs")]
    [message] = await open_too.told(*agreed(PUSH, SENSITIVE), *three())
    assert message["service"] == "diapers"


@pytest.mark.parametrize("categories", [("baby", "coffee"), ("coffee",), ()])
async def test_a_trigger_that_speaks_of_other_goods_too_gives_nothing_away(categories: tuple[str, ...]) -> None:
    about = TRIGGERS.by_id["bought-three-times"]
    when = about.when.model_copy(update={"categories": categories})
    world = OutreachWorld(triggers=triggers_of(about.model_copy(update={"when": when})))
    await world.told(*three("coffee"))

    assert await world.verdicts(ANNA) == [("never", "never_asked")]


async def test_what_somebody_has_already_is_not_offered_again() -> None:
    world = OutreachWorld(triggers=offering("delivery-flat-rate"))
    has_it = fact(
        "transaction.subscribed", identity=ANNA, at=NOW - 60 * DAY, subscription_id="s", service="delivery-flat-rate"
    )

    assert await world.told(*agreed(PUSH), has_it, *three()) == []
    assert await world.verdicts(ANNA) == [("never", "already_taken")]


async def test_who_is_no_contact_any_more_when_it_is_decided_is_not_written_to() -> None:
    world, jo = OutreachWorld(), "email:jo@acme.test"
    await world.hear(*machine(), *agreed(EMAIL, identity=jo), alert())
    await world.hear(*related(jo, "company:acme", "contact_of", ended=True, at=NOW + 1))
    await world.settle()

    assert world.messages() == []
    assert await world.verdicts(jo) == [("never", "nobody_to_address")]


async def offered() -> tuple[OutreachWorld, str]:
    world = OutreachWorld()
    [message] = await world.told(*agreed(PUSH), *three())
    return world, message["id"]


async def test_a_withdrawal_is_named_before_anything_of_the_person_is_looked_at() -> None:
    world, outreach_id = await offered()
    cancelled = fact("transaction.cancelled", identity=ANNA, at=NOW + 1, order_id="order-1")
    await world.hear(cancelled, consent("withdrawn", PUSH, identity=ANNA, at=NOW + 1))

    assert await refused_at_the_claim(world, outreach_id) == "withdrawn"


@pytest.mark.parametrize(
    ("triggers", "catalogue", "because"),
    [
        (triggers_of(TRIGGERS.triggers[0]), CATALOGUE, "withdrawn"),
        (TRIGGERS, without("delivery-flat-rate"), "passed"),
    ],
    ids=["its trigger", "its service"],
)
async def test_what_is_offered_no_more_is_a_no_go(triggers: Triggers, catalogue: Catalogue, because: str) -> None:
    world, outreach_id = await offered()
    world.claims = dataclasses.replace(world.claims, assessment=Assessment(triggers, catalogue))

    assert await refused_at_the_claim(world, outreach_id) == because
