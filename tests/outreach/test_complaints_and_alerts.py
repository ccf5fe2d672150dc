"""Complaints that wait for a day, and machines that report something."""

from msgspec.structs import replace

from events.fact import decode_fact
from tests.builders import DAY, HOUR, MINUTE, NOW, PARTITIONS, complaint, fact, pseudonym
from tests.outreach.world import (
    ANNA,
    EMAIL,
    EVENTS,
    TOPICS,
    OutreachWorld,
    agreed,
    alert,
    machine,
    related,
    without_records,
)


async def test_a_complaint_unsolved_after_a_day_is_a_breach_and_a_task_for_our_staff() -> None:
    world = OutreachWorld()
    await world.told(complaint(), at=NOW + 23 * HOUR)
    assert world.messages() == []

    [task] = await world.told(at=NOW + DAY)

    assert (task["channel"], task["service"], task["consent"]["basis"]) == ("desk", "care-call", "contract")
    case = world.people.facets[pseudonym(ANNA)].service.cases["case-1"]
    assert [(cell.at, cell.value) for cell in case.escalated] == [(NOW + DAY, "sla-solution-24h")]


async def test_no_topic_holds_what_the_sender_calls_the_case() -> None:
    world = OutreachWorld()
    [candidate] = await world.hear(complaint())

    told = [
        record.value or b""
        for topic in (TOPICS.decisions, TOPICS.outreach)
        for partition in range(PARTITIONS)
        for record in world.log.records(topic, partition)
    ]

    assert candidate.record == "case-1"
    assert told != []
    assert not any(b"case-1" in each for each in told)


async def test_a_complaint_solved_in_time_is_no_breach() -> None:
    world = OutreachWorld()
    solved = fact("service.case_resolved", case_id="case-1", at=NOW + 23 * HOUR)
    assert await world.told(complaint(), solved, at=NOW + 2 * DAY) == []
    assert await world.decisions(ANNA) == []
    assert [record for p in range(PARTITIONS) for record in world.log.records(EVENTS, p)] == []


async def test_a_breach_told_twice_is_one_fact() -> None:
    world = OutreachWorld()
    [candidate] = await world.hear(complaint())
    await world.decider.decide(replace(candidate, due=NOW), now=NOW + DAY)
    await without_records(world).decide(replace(candidate, due=NOW), now=NOW + DAY + 1)
    told = [decode_fact(each.value) for p in range(PARTITIONS) for each in world.log.records(EVENTS, p)]
    assert len(told) == 2
    assert len({(each.event_key, each.digest) for each in told}) == 1


async def test_an_alert_addresses_the_contact_of_the_machine_s_owner() -> None:
    world = OutreachWorld()

    [message] = await world.told(*machine(), *agreed(EMAIL, identity="email:jo@acme.test"), alert())

    assert message["to"] == pseudonym("email:jo@acme.test")
    assert (message["service"], message["channel"]) == ("engineer-visit", "email")
    assert message["reason"]["evidence"] == [alert().event_key.hex()]


async def test_the_machine_s_facts_are_not_lent_and_its_consent_is_not_asked() -> None:
    world = OutreachWorld()
    lent = [*agreed(EMAIL, identity="machine:m-1"), *agreed(EMAIL, identity="company:acme")]
    assert await world.told(*machine(), *lent, alert()) == []
    [decision] = await world.decisions("email:jo@acme.test")
    assert (decision.verdict, decision.because) == ("never", "never_asked")

    [message] = await world.told(*agreed(EMAIL, identity="email:jo@acme.test"), alert("alert-2"))
    assert "spindle" not in str(message)
    assert pseudonym("machine:m-1") not in str(message)
    assert await world.decisions("machine:m-1") == []


async def test_a_machine_whose_owner_has_no_contact_addresses_the_owner() -> None:
    world = OutreachWorld()
    [message] = await world.told(
        *related("app:owner", "machine:m-1", "owns"), *agreed(EMAIL, identity="app:owner"), alert()
    )
    assert message["to"] == pseudonym("app:owner")


async def test_an_alert_of_a_machine_nobody_owns_is_told_as_such() -> None:
    world = OutreachWorld()
    assert await world.told(alert()) == []
    assert await world.verdicts("machine:m-1") == [("never", "nobody_to_address")]


async def test_who_is_no_contact_any_more_is_not_addressed() -> None:
    world = OutreachWorld()
    night = NOW - 11 * HOUR
    jo = "email:jo@acme.test"
    await world.told(*machine(), *agreed(EMAIL, identity=jo), alert(at=night), at=night)
    assert await world.verdicts(jo) == [("hold", "quiet_hours")]

    await world.told(*related(jo, "company:acme", "contact_of", ended=True, at=night + HOUR), at=NOW)

    assert world.messages() == []
    assert await world.verdicts(jo) == [("never", "nobody_to_address")]


async def test_alerts_of_one_machine_are_one_visit_a_week() -> None:
    world = OutreachWorld()
    jo = "email:jo@acme.test"
    await world.told(*machine(), *agreed(EMAIL, identity=jo), alert())
    await world.told(alert("alert-2", at=NOW + MINUTE), alert("alert-3", kind="noise"), at=NOW + MINUTE)
    assert len(world.messages()) == 1
