"""What has to be allowed for a message, when it is decided on and once more when it is claimed."""

import dataclasses

import pytest
from msgspec.structs import replace

from consent.purposes import SENSITIVE, SUGGEST
from events.fact import Fact
from outreach.assessment import Assessment
from outreach.claiming import Go, NoGo
from outreach.guard import Situation
from outreach.occasions import Occasion, tells_too_much
from outreach.triggers import Trigger, Triggers
from profiles.links import READ_MAX
from recommender.catalogue import Catalogue
from tests.builders import DAY, NOW, consent, fact, linked
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
from tests.recommender.worlds import view

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


def assessed(*facts: Fact, service: str = "care-call", sensitive: bool = False) -> Situation:
    """What the guard is asked about somebody of whom these facts are known."""
    about = Occasion(key="k", at=NOW, service=service, count=1, evidence=(), sensitive=sensitive)
    return Assessment(TRIGGERS, CATALOGUE).situation(TRIGGERS.triggers[-1], about, view(*facts), now=NOW, known=())


@pytest.mark.parametrize(
    ("service", "is_sensitive", "purposes"),
    [
        ("care-call", False, set()),
        ("win-back-voucher", False, {SUGGEST}),
        ("diapers", False, {SENSITIVE}),
        ("care-call", True, {SENSITIVE}),
    ],
    ids=["nothing", "what its service requires", "its service is sensitive", "its occasion is"],
)
def test_a_message_needs_what_its_service_requires_and_what_its_occasion_tells(
    service: str, purposes: set[str], *, is_sensitive: bool
) -> None:
    situation = assessed(service=service, sensitive=is_sensitive)

    assert set(situation.needs) == purposes
    assert not any(situation.needs.values())


def test_the_time_is_that_of_where_they_are_and_else_of_the_installation() -> None:
    away = fact("identity.described", identity=ANNA, attributes={"timezone": "Asia/Shanghai"})

    assert (assessed(away).zone, assessed().zone) == ("Asia/Shanghai", "Europe/Berlin")


def test_a_trigger_of_sensitive_goods_tells_too_much_of_whoever_cannot_be_read_or_has_not_agreed() -> None:
    about = TRIGGERS.by_id["bought-three-times"]
    baby = about.model_copy(update={"when": about.when.model_copy(update={"categories": ("baby",)})})

    assert tells_too_much(baby, None, now=NOW)
    assert tells_too_much(baby, view(*agreed(PUSH)), now=NOW)
    assert not tells_too_much(baby, view(*agreed(PUSH, SENSITIVE)), now=NOW)
    assert not tells_too_much(about, None, now=NOW)


async def test_whoever_has_too_many_identities_to_be_read_is_not_written_to() -> None:
    world = OutreachWorld()
    await world.hear(*agreed(PUSH), *three())
    for number in range(READ_MAX):
        await world.hear(*linked(ANNA, f"card:{number}", strength="probable"))
    await world.settle()

    assert world.messages() == []
    assert await world.verdicts(ANNA) == [("never", "unreadable")]


async def test_an_alert_is_one_occasion_whatever_else_there_was() -> None:
    world, jo = OutreachWorld(), "email:jo@acme.test"
    await world.told(*machine(), *agreed(EMAIL, identity=jo), alert())

    assert [each.count for each in await world.decisions(jo)] == [1]


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


@pytest.mark.parametrize("part", ["candidate", "service", "channel"])
async def test_a_message_of_which_a_part_is_lost_is_a_no_go(part: str) -> None:
    world, outreach_id = await offered()
    [whole] = await world.decisions(ANNA)
    await world.records.write(replace(whole, **{part: None}), before=whole)

    assert await refused_at_the_claim(world, outreach_id) == "withdrawn"


async def test_an_answer_to_a_message_that_was_neither_claimed_nor_sent_is_no_claim() -> None:
    world, outreach_id = await offered()
    await world.hear(fact("outreach.answered", identity=ANNA, outreach=outreach_id, answer="accepted"))

    assert isinstance(await world.claims.claim(outreach_id, at=SOON), Go)
