"""Outreach on real servers: what is sent becomes a decision and a message, a worker's death notwithstanding."""

import asyncio
import json
import os
import signal
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from kafka import KafkaConsumer, TopicPartition
from redis.asyncio import Redis

from commands.clock import now_ms
from events.shape import format_time
from outreach.decision import Decision
from outreach.redis_records import RedisRecords
from tests.builders import DAY, HOUR, event, money
from tests.installation import Installation
from tests.integration.brokers import on_each_broker
from tests.waiting import until

pytestmark = pytest.mark.servers


def messages(installation: Installation) -> list[dict[str, Any]]:
    """Every message on the outreach topic, each with the pseudonym it is for."""
    consumer = KafkaConsumer(bootstrap_servers=installation.settings.brokers, auto_offset_reset="earliest")
    try:
        partitions = [
            TopicPartition(installation.settings.outreach_topic, number)
            for number in range(installation.settings.partitions)
        ]
        ends = consumer.end_offsets(partitions)
        consumer.assign(partitions)
        found: list[dict[str, Any]] = []
        while any(consumer.position(each) < ends[each] for each in partitions):
            for records in consumer.poll(timeout_ms=200).values():
                found += [{**json.loads(each.value), "to": each.key.decode()} for each in records]
        return found
    finally:
        consumer.close()


def decisions(installation: Installation, *identities: str) -> list[Decision]:
    """The decisions about clear identities."""

    async def asked() -> list[Decision]:
        async with Redis.from_url(installation.settings.redis) as client:
            records = RedisRecords(client, partitions=installation.settings.partitions)
            return await records.decisions_of([installation.pseudonyms.of(each) for each in identities])

    return asyncio.run(asked())


def said(event_type: str, *, at: int, **rest: Any) -> dict[str, Any]:
    return event(event_type, at=at, **rest)


def complaints(people: Sequence[str], *, at: int) -> list[Mapping[str, Any]]:
    return [said("feedback.complaint_filed", subject=person, at=at, case_id=f"case-{person[4:]}") for person in people]


@on_each_broker
def test_a_complaint_of_yesterday_is_a_task_and_a_breach_and_a_killed_worker_changes_nothing(
    installation: Installation,
) -> None:
    people = [f"app:{number}" for number in range(60)]
    yesterday = now_ms() - DAY - HOUR
    solved = [
        said("service.case_resolved", subject=person, at=yesterday + HOUR, case_id=f"case-{person[4:]}")
        for person in people[:20]
    ]
    installation.send([*solved, *complaints(people, at=yesterday)])
    with installation.worker() as victim:
        until(
            lambda: installation.done(installation.settings.decisions_topic) > 0,
            within_s=60,
            what="some candidates decided",
        )
        os.kill(victim.pid, signal.SIGKILL)
    installation.send(complaints(people, at=yesterday))
    with installation.worker():
        until(
            lambda: installation.done(installation.settings.intake_topic()) >= 140,
            within_s=60,
            what="the intake at its end",
        )
        until(lambda: len(decisions(installation, *people)) == 40, within_s=60, what="a decision each")
        until(lambda: len({each["id"] for each in messages(installation)}) == 40, what="the tasks")
        until(lambda: escalated(installation, people) == 40, what="the breaches")
        # That a message is out is noted after it is.
        until(
            lambda: all(each.published for each in decisions(installation, *people)), what="the notes of the messages"
        )
    assert {(each.verdict, each.channel) for each in decisions(installation, *people)} == {("send", "desk")}


def escalated(installation: Installation, people: Sequence[str]) -> int:
    cases = [case for facet in installation.facets(people) for case in facet.service.cases.values()]
    return sum(len(case.escalated) for case in cases)


def test_a_timer_that_comes_due_is_decided_on(installation: Installation) -> None:
    with installation.worker():
        installation.send([said("service.visited", subject="app:2", at=now_ms(), place="shop")])
        until(
            lambda: installation.done(installation.settings.intake_topic()) >= 1,
            within_s=60,
            what="a worker that has begun",
        )
        due = now_ms() + 5_000
        installation.send(complaints(["app:1"], at=due - DAY))
        until(
            lambda: installation.done(installation.settings.decisions_topic) >= 1,
            what="the candidate taken",
        )
        until(lambda: len(messages(installation)) == 1, what="the task")
    [decision] = decisions(installation, "app:1")
    assert decision.at >= due


def test_an_alert_reaches_the_contact_of_the_machine_s_owner_only_with_consent(installation: Installation) -> None:
    now = now_ms()
    jo, kim = "email:jo@acme.test", "email:kim@acme.test"
    relations = [
        said("identity.related", subject="company:acme", at=now - DAY, other="machine:1", kind="owns"),
        *(
            said("identity.related", subject=who, at=now - DAY, other="company:acme", kind="contact_of")
            for who in (jo, kim)
        ),
    ]
    agreed = [
        said("consent.given", subject=jo, at=now - DAY, purpose=purpose)
        for purpose in ("profile.build", "suggest.personal", "outreach.email")
    ]
    # Quiet hours are the person's own: where it is noon now, nobody is asleep.
    zone = noon_zone(now)
    awake = said("identity.described", subject=jo, at=now - DAY, attributes={"timezone": zone})
    with installation.worker():
        installation.send([*relations, *agreed, awake], source="crm")
        until(lambda: installation.done() >= 10, within_s=60, what="relations and consents folded")
        installation.send([said("service.alert_raised", subject="machine:1", at=now, alert_id="a-1", kind="hot")])
        until(lambda: len(decisions(installation, jo, kim)) == 2, what="both decisions")
        until(lambda: len(messages(installation)) == 1, what="the message")
    [message] = messages(installation)
    assert message["to"] == installation.pseudonyms.of(jo)
    assert (message["service"], message["channel"]) == ("engineer-visit", "email")
    [kept] = decisions(installation, kim)
    assert (kept.verdict, kept.because, kept.service) == ("never", "never_asked", None)


def noon_zone(now: int) -> str:
    """A zone in which it is about noon."""
    hour = int(format_time(now)[11:13])
    west = hour - 12
    return f"Etc/GMT{west:+d}" if west else "Etc/GMT"


def test_a_third_purchase_is_offered_to_once_though_all_is_sent_twice(installation: Installation) -> None:
    now = now_ms()
    agreed = [
        said("consent.given", subject="app:1", at=now - DAY, purpose=purpose)
        for purpose in ("profile.build", "suggest.personal", "outreach.push")
    ]
    awake = said("identity.described", subject="app:1", at=now - DAY, attributes={"timezone": noon_zone(now)})
    line = {"item": "milk", "category": "grocery", "amount": 100}
    orders = [
        said(
            "transaction.purchased", subject="app:1", at=now - n * HOUR, order_id=f"o-{n}", total=money(1), lines=[line]
        )
        for n in (2, 1, 0)
    ]
    with installation.worker():
        installation.send([*agreed, awake], source="crm")
        until(lambda: installation.done() >= 4, within_s=60, what="the consents folded")
        installation.send([*orders, *orders])
        until(lambda: len(messages(installation)) == 1, what="the message")
        until(lambda: installation.done() >= 10, what="all folded")
        until(
            lambda: installation.done(installation.settings.decisions_topic) >= 3,
            what="all candidates decided",
        )
    [message] = messages(installation)
    assert message["reason"]["text"]["en"].startswith("Bought this kind 3 times")
