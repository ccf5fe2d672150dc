"""From a fact to a decision and a message: the three triggers, caps, links, holds and crashes."""

from itertools import permutations

import pytest
from msgspec.structs import replace

from consent.purposes import SENSITIVE
from events.fact import Fact
from events.log import LogUnavailable
from outreach.facts import sent_fact
from tests.builders import DAY, HOUR, MINUTE, NOW, complaint, consent, fact, linked, pseudonym, unlinked
from tests.outreach.world import (
    ANNA,
    CATALOGUE,
    EMAIL,
    PUSH,
    OutreachWorld,
    agreed,
    bought,
    three,
    without_records,
)


async def test_a_third_purchase_in_a_week_is_answered_with_an_offer_and_why() -> None:
    world = OutreachWorld()

    [message] = await world.told(*agreed(PUSH), *three())

    [decision] = await world.decisions(ANNA)
    assert message["to"] == pseudonym(ANNA)
    assert {name: message[name] for name in ("id", "channel", "service", "trigger")} == {
        "id": decision.id,
        "channel": "push",
        "service": "delivery-flat-rate",
        "trigger": "bought-three-times",
    }
    assert message["reason"]["text"]["en"] == "Bought this kind 3 times in a week."
    assert message["reason"]["evidence"] == [each.event_key.hex() for each in three()]
    assert message["valid_until"] == "2026-03-01T13:30:00.000Z"
    assert len(message["consent"]["evidence"]) == 3
    assert pseudonym(ANNA) not in str({**message, "to": ""})


async def test_two_purchases_are_no_occasion() -> None:
    world = OutreachWorld()
    assert await world.told(*agreed(PUSH), *three()[1:]) == []
    assert await world.decisions(ANNA) == []


async def test_the_third_purchase_counts_whichever_identity_made_it_and_whenever_it_is_heard_of() -> None:
    world = OutreachWorld()
    first, second, third = three()
    by_phone = bought(99, identity="card:7", at=second.occurred_at)

    [message] = await world.told(*agreed(PUSH), *linked(ANNA, "card:7"), first, third, by_phone)

    assert message["to"] in {pseudonym(ANNA), pseudonym("card:7")}
    assert await world.verdicts(ANNA, "card:7") == [("send", "allowed")]


@pytest.mark.parametrize("order", list(permutations(range(3))))
async def test_in_whichever_order_the_purchases_are_folded_and_decided_on_they_are_one_occasion(
    order: tuple[int, ...],
) -> None:
    world = OutreachWorld()
    first, second, third = three()
    by_card = bought(99, identity="card:7", at=second.occurred_at)
    await world.told(*agreed(PUSH), *linked(ANNA, "card:7"))
    for place in order:
        await world.told(replace((first, by_card, third)[place], received_at=NOW))

    assert len(world.messages()) == 1
    assert await world.verdicts(ANNA, "card:7") == [("send", "allowed")]


async def test_purchases_that_are_all_heard_of_late_are_no_occasion_and_leave_nothing_behind() -> None:
    long_ago = [replace(each, received_at=NOW) for each in three(at=NOW - 2 * DAY)]
    for consents in ([], agreed(PUSH)):
        world = OutreachWorld()
        assert await world.told(*consents, *long_ago) == []
        assert await world.decisions(ANNA) == []


async def test_what_was_heard_of_late_does_not_stand_in_the_way_of_the_next_purchase() -> None:
    world = OutreachWorld()
    long_ago = [replace(each, received_at=NOW) for each in three(at=NOW - 2 * DAY)]
    await world.told(*agreed(PUSH), *long_ago)

    [message] = await world.told(bought(9, at=NOW))

    assert message["reason"]["text"]["en"] == "Bought this kind 4 times in a week."


async def test_the_same_candidate_twice_is_one_decision_and_one_message() -> None:
    world = OutreachWorld()
    published = await world.hear(*agreed(PUSH), *three())
    await world.settle()
    for candidate in [*published, *published]:
        await world.decider.publish(candidate)
    await world.settle(NOW + MINUTE)

    assert len(world.messages()) == 1
    assert await world.verdicts(ANNA) == [("send", "allowed")]


async def test_a_message_that_was_not_published_is_published_when_the_candidate_is_seen_again() -> None:
    world = OutreachWorld()
    *_, candidate = await world.hear(*agreed(PUSH), *three())
    await world.log.stop()
    with pytest.raises(LogUnavailable):
        await world.decider.decide(candidate, now=NOW)
    assert world.messages() == []

    await world.settle()

    assert len(world.messages()) == 1
    assert (await world.decisions(ANNA))[0].published


async def test_a_silent_person_hears_nothing_and_nothing_about_them_is_kept() -> None:
    world = OutreachWorld()
    assert await world.told(*three("baby"), bought(4, "food")) == []

    [decision] = await world.decisions(ANNA)
    assert (decision.verdict, decision.because) == ("never", "never_asked")
    assert (decision.service, decision.evidence, decision.count, decision.candidate) == (None, (), 0, None)


async def test_what_is_kept_of_a_silent_person_does_not_depend_on_what_they_did() -> None:
    kept = []
    for history in ([bought(3)], three("baby"), [*three("food"), bought(4, "wine"), bought(5, "pharmacy")]):
        world = OutreachWorld()
        await world.told(*history)
        kept.append(await world.decisions(ANNA))
    assert kept[0] == kept[1] == kept[2]


async def test_a_person_who_refused_hears_nothing() -> None:
    world = OutreachWorld()
    refusal = consent("refused", PUSH, identity=ANNA)
    refusal_too = consent("refused", EMAIL, identity=ANNA)
    assert await world.told(*agreed(), refusal, refusal_too, *three()) == []
    assert await world.verdicts(ANNA) == [("never", "refused")]


async def test_what_was_refused_once_does_not_stand_in_the_way_of_a_later_yes() -> None:
    world = OutreachWorld()
    await world.told(*three())
    later = agreed(PUSH, at=NOW + MINUTE)

    [message] = await world.told(*later, bought(4, at=NOW + HOUR), at=NOW + HOUR)

    assert message["service"] == "delivery-flat-rate"


async def test_the_first_channel_the_person_allows_is_used() -> None:
    world = OutreachWorld()
    [message] = await world.told(*agreed(EMAIL), *three())
    assert message["channel"] == "email"


async def test_what_tells_of_children_is_looked_at_with_their_own_consent_alone() -> None:
    without, with_it = OutreachWorld(), OutreachWorld()
    assert await without.told(*agreed(PUSH), *three("baby")) == []
    [message] = await with_it.told(*agreed(PUSH, SENSITIVE), *three("baby"))
    assert message["service"] == "diapers"
    assert (message["reason"]["sensitive"], message["reason"]["sayable"]) == (True, False)
    assert "baby" not in str({**message, "service": "", "say": "", "name": ""})


async def test_no_more_messages_than_the_cap_allows_over_all_identities_and_channels() -> None:
    world = OutreachWorld()
    await world.told(*agreed(PUSH, EMAIL), *linked(ANNA, "card:7"), *three("food"), *three("grocery", first=11))
    assert len(world.messages()) == 2

    await world.told(*agreed(SENSITIVE), *three("baby", identity="card:7", first=21))

    assert len(world.messages()) == 2
    assert ("never", "cap") in await world.verdicts(ANNA, "card:7")


def shown(number: int, *, mode: str = "p") -> Fact:
    """A panel of one suggestion, an hour after the one before it."""
    at = NOW - 6 * DAY + number * HOUR
    return fact("feedback.suggestion_presented", at=at, decision=f"{mode}{number}", service="wine-club")


async def test_suggestions_that_were_presented_and_messages_are_one_count() -> None:
    for before, verdict in ((1, ("send", "allowed")), (0, ("never", "heard_enough"))):
        world = OutreachWorld()
        seen = map(shown, range(CATALOGUE.cap.at_most - before))
        await world.told(*agreed(PUSH), *seen, *three())
        assert await world.verdicts(ANNA) == [verdict]


async def test_messages_on_their_way_take_of_the_same_count() -> None:
    world = OutreachWorld(cap={"at_most": 9, "within_days": 7})
    seen = map(shown, range(CATALOGUE.cap.at_most - 1))

    assert len(await world.told(*agreed(PUSH), *seen, *three("food"), *three(first=11))) == 1
    assert sorted(await world.verdicts(ANNA)) == [("never", "heard_enough"), ("send", "allowed")]


async def test_suggestions_made_without_anything_personal_keep_no_message_back() -> None:
    world = OutreachWorld()
    seen = [shown(number, mode="g") for number in range(40)]

    assert len(await world.told(*agreed(PUSH), *seen, *three())) == 1


async def test_the_same_service_is_offered_once_in_a_window() -> None:
    world = OutreachWorld(cap={"at_most": 5, "within_days": 7})
    await world.told(*agreed(PUSH), *three("tools"), *three("grocery", first=11))
    assert len(world.messages()) == 1
    assert ("never", "already_told") in await world.verdicts(ANNA)


async def test_after_the_window_the_cap_has_room_again() -> None:
    world = OutreachWorld(cap={"at_most": 1, "within_days": 7})
    await world.told(*agreed(PUSH), *three("food"))
    late = NOW + 7 * DAY
    await world.told(*three("grocery", first=11, at=late), at=late)
    assert [each["service"] for each in world.messages()].count("delivery-flat-rate") == 1


async def test_unlinking_gives_each_identity_its_own_cap_back() -> None:
    world = OutreachWorld(cap={"at_most": 1, "within_days": 7})
    both = [*agreed(PUSH), *agreed(PUSH, identity="card:7"), *linked(ANNA, "card:7", at=NOW - DAY)]
    await world.told(*both, *three("food"))
    await world.told(*three("grocery", identity="card:7", first=11))
    assert await world.verdicts("card:7") == [("never", "cap")]

    await world.told(
        *unlinked(ANNA, "card:7", at=NOW + 1), *three("food", identity="card:7", first=21, at=NOW + 2), at=NOW + 2
    )

    assert ("send", "allowed") in await world.verdicts("card:7")
    assert {each["to"] for each in world.messages()} == {pseudonym(ANNA), pseudonym("card:7")}


async def test_a_message_sent_counts_even_where_its_decision_is_lost() -> None:
    world = OutreachWorld(cap={"at_most": 1, "within_days": 7})
    sent = fact("outreach.sent", outreach="0-lost", trigger="part-runs-hot", service="engineer-visit", at=NOW - DAY)
    assert await world.told(*agreed(PUSH), sent, *three()) == []
    assert await world.verdicts(ANNA) == [("never", "cap")]


async def test_a_message_the_log_remembers_is_not_decided_on_again() -> None:
    world = OutreachWorld()
    [message] = await world.told(*agreed(PUSH), *three())
    [decision] = await world.decisions(ANNA)
    *_, candidate = await world.hear(sent_fact(decision, at=NOW, now=NOW), bought(4, at=NOW + 1))

    lost = without_records(world)

    assert await lost.decide(candidate, now=NOW + 1) == "known"
    assert [each["id"] for each in world.messages()] == [message["id"]]


async def test_a_candidate_follows_its_person_to_another_partition() -> None:
    world = OutreachWorld()
    facts = three()
    [candidate] = [c for c in await world.hear(*agreed(PUSH), *facts) if c.key == facts[-1].event_key]
    stray = replace(candidate, person=pseudonym("app:other"))

    assert await world.decider.decide(stray, now=NOW) == "moved"
    assert await world.decider.decide(candidate, now=NOW) == "decided"


async def test_in_quiet_hours_it_waits_for_the_morning_where_the_person_is() -> None:
    world = OutreachWorld()
    night = NOW - 11 * HOUR  # 23:30 in Berlin
    in_berlin = fact("identity.described", attributes={"timezone": "Europe/Berlin"}, at=NOW - 9 * DAY)
    assert await world.told(*agreed(PUSH), in_berlin, *three(at=night), at=night) == []
    assert await world.verdicts(ANNA) == [("hold", "quiet_hours")]

    await world.settle(NOW - 2 * HOUR - 31 * MINUTE)
    assert world.messages() == []
    await world.settle(NOW - 2 * HOUR - 30 * MINUTE)  # 08:00 there

    assert len(world.messages()) == 1
    assert await world.verdicts(ANNA) == [("send", "allowed")]


async def test_a_no_during_the_night_ends_what_waits_for_the_morning() -> None:
    world = OutreachWorld()
    night = NOW - 11 * HOUR
    await world.told(*agreed(PUSH), *three(at=night), at=night)
    await world.told(consent("withdrawn", PUSH, identity=ANNA, at=night + HOUR), at=NOW)

    assert world.messages() == []
    [decision] = await world.decisions(ANNA)
    assert (decision.verdict, decision.because, decision.service) == ("never", "withdrawn", None)


async def test_what_comes_too_late_is_left() -> None:
    world = OutreachWorld()
    await world.hear(*agreed(PUSH), *three())
    await world.settle(NOW + 2 * DAY)
    assert await world.verdicts(ANNA) == [("never", "too_late")]


async def test_facts_of_long_ago_give_no_candidates() -> None:
    world = OutreachWorld()
    old = fact("feedback.complaint_filed", at=NOW - 400 * DAY, received_at=NOW, case_id="case-1")
    assert await world.hear(old) == []


async def test_an_open_complaint_forbids_selling() -> None:
    world = OutreachWorld()
    assert await world.told(*agreed(PUSH), complaint(), *three()) == []
    assert await world.verdicts(ANNA) == [("never", "open_complaint")]


async def test_a_held_out_person_hears_nothing_and_stays_held_out_when_linked() -> None:
    world = OutreachWorld(hold_out_share=0.5)
    people = [f"app:{number}" for number in range(40)]
    for number, person in enumerate(people):
        await world.hear(*agreed(PUSH, identity=person), *three(identity=person, first=10 * number))
    await world.settle()
    decided = {person: (await world.decisions(person))[0] for person in people}
    held_out = [person for person, decision in decided.items() if decision.because == "hold_out"]
    treated = [person for person, decision in decided.items() if decision.verdict == "send"]
    assert 8 < len(held_out) < 32
    assert len(held_out) + len(treated) == 40

    for held, spoken_to in zip(held_out[:4], treated[:4], strict=True):
        number = 1000 + people.index(held) * 10
        # The exposures came at one moment, so the smaller id of the two stays what it was.
        card = f"card:{number}"
        await world.told(*linked(held, card), *three("food", identity=card, first=number))
        assert ("never", "hold_out") in await world.verdicts(card)
        assert decided[spoken_to].arm == "treated"
