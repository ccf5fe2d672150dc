"""Admission: one function for both doors, and a named reason for everything it refuses."""

import json
from typing import Any

import pytest
from hypothesis import given

from events.admission import AHEAD_MAX_MS, INTAKE, Admission, Admitted, Door, EventRefused, event_key, payload_digest
from events.feedback import SCORE_RANGE
from events.partitioning import partition_of
from events.shape import format_time
from events.vocabulary import BODIES, PRIVILEGED, RESERVED, TWO_SIDED
from tests.builders import ADMISSION, HOUR, NOW, PARTITIONS, PSEUDONYMS, TRUSTED, event, events, examples, money, raw

BOUND = Door(name="loyalty intake", source="loyalty", types=("transaction.*", "service.visited"))
OPEN_TYPES = sorted(BODIES.keys() - PRIVILEGED - RESERVED)


def admit(said: Any, *, door: Door = TRUSTED) -> list[Admitted]:
    answer = ADMISSION.admit(raw(said), door=door, received_at=NOW)
    assert not isinstance(answer, EventRefused), answer
    return list(answer)


def refused(said: Any, *, door: Door = TRUSTED) -> EventRefused:
    answer = ADMISSION.admit(raw(said), door=door, received_at=NOW)
    assert isinstance(answer, EventRefused), "it was admitted"
    return answer


def code(said: Any, *, door: Door = TRUSTED) -> str:
    return refused(said, door=door).code


def visit(**change: Any) -> dict[str, Any]:
    return event("service.visited", place="berlin") | change


def order(**change: Any) -> dict[str, Any]:
    return event("transaction.purchased", **({"order_id": "o-1", "total": money(1999)} | change))


@pytest.mark.parametrize("event_type", sorted(BODIES.keys() - RESERVED))
def test_every_event_its_model_describes_is_admitted(event_type: str) -> None:
    @examples(20)
    @given(events(event_type))
    def admitted(said: dict[str, Any]) -> None:
        facts = [item.fact for item in admit(said)]
        assert len(facts) == (2 if event_type in TWO_SIDED else 1)
        for fact in facts:
            assert fact.event_key == event_key(said["source"], said["id"])
            assert fact.digest == payload_digest(said)
            assert fact.received_at == NOW
            assert "subject" not in fact.identity

    admitted()


def test_a_fact_says_what_the_event_said() -> None:
    [item] = admit(order(channel="app", lines=[{"item": "sku-1", "quantity": 2, "amount": 1999}]))
    fact = item.fact
    assert (fact.type, fact.source, fact.occurred_at) == ("transaction.purchased", "crm", NOW)
    assert fact.identity == PSEUDONYMS.of("app:42")
    assert fact.body.model_dump(exclude_defaults=True) == {
        "order_id": "o-1",
        "total": {"amount": 1999, "currency": "EUR"},
        "channel": "app",
        "lines": ({"item": "sku-1", "quantity": 2, "amount": 1999},),
    }


def test_a_fact_goes_to_the_partition_of_its_pseudonym() -> None:
    for number in range(20):
        [item] = admit(event("service.visited", subject=f"app:{number}", place="berlin"))
        assert item.partition == partition_of(item.fact.identity.encode(), PARTITIONS)


# Doors


@pytest.mark.parametrize("event_type", sorted(PRIVILEGED))
def test_a_type_that_changes_what_may_be_done_is_refused_on_the_open_intake(event_type: str) -> None:
    answer = refused(event(event_type), door=INTAKE)
    assert answer.code == "type_not_allowed"
    assert event_type in answer.detail


def test_consent_links_and_outreach_are_privileged() -> None:
    assert {"consent.given", "consent.withdrawn", "identity.linked", "identity.unlinked", "outreach.sent"} <= PRIVILEGED
    assert not {"transaction.purchased", "identity.described"} & PRIVILEGED


@pytest.mark.parametrize("event_type", sorted(RESERVED))
@pytest.mark.parametrize("door", [INTAKE, TRUSTED, Door(name="all", source="crm", types=("*", "rights.*"))])
def test_no_door_admits_a_reserved_type(event_type: str, door: Door) -> None:
    assert code(event(event_type, request_id="r"), door=door) == "type_not_allowed"


@pytest.mark.parametrize("event_type", OPEN_TYPES)
def test_every_other_type_is_admitted_on_the_open_intake(event_type: str) -> None:
    assert INTAKE.publishes(event_type)


def test_the_open_intake_takes_any_source() -> None:
    assert admit(visit(source="whoever"), door=INTAKE)[0].fact.source == "whoever"


def test_a_bound_door_takes_only_its_own_source() -> None:
    assert admit(visit(source="loyalty"), door=BOUND)
    assert code(visit(source="crm"), door=BOUND) == "type_not_allowed"
    assert code(visit(source="loyalty2"), door=BOUND) == "type_not_allowed"


@pytest.mark.parametrize(
    ("event_type", "allowed"),
    [
        ("transaction.purchased", True),
        ("service.visited", True),
        ("service.case_opened", False),
        ("consent.given", False),
        ("transactions.other", False),
        ("transaction", False),
    ],
)
def test_a_bound_door_publishes_only_its_types(event_type: str, *, allowed: bool) -> None:
    assert BOUND.publishes(event_type) is allowed


def test_a_bound_intake_may_publish_consent() -> None:
    consent = event("consent.given", source="crm", purpose="profile.build")
    assert admit(consent, door=Door(name="crm intake", source="crm", types=("consent.*",)))


# Refusals


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"specversion": "0.3"}, "not_an_event"),
        ({"id": ""}, "not_an_event"),
        ({"id": "x" * 129}, "not_an_event"),
        ({"id": 7}, "not_an_event"),
        ({"source": "two words"}, "not_an_event"),
        ({"source": "nul\x00byte"}, "not_an_event"),
        ({"source": ""}, "not_an_event"),
        ({"subject": "nobody"}, "not_an_event"),
        ({"subject": "app:" + "x" * 65536}, "not_an_event"),
        ({"subject": "app:a\nb"}, "not_an_event"),
        ({"subject": None}, "not_an_event"),
        ({"time": "yesterday"}, "not_an_event"),
        ({"time": "2026-03-01T09:30:00"}, "not_an_event"),
        ({"time": 1772357400000}, "not_an_event"),
        ({"time": "1969-12-31T23:59:59Z"}, "not_an_event"),
        ({"time": "2026-02-28T22:59:60Z"}, "not_an_event"),
        ({"time": "2026-02-30T12:00:00Z"}, "not_an_event"),
        ({"time": "9999-12-31T23:59:59-23:59"}, "not_an_event"),
        ({"time": "2026-02-30T00:00:00Z"}, "not_an_event"),
        ({"time": "٢٠٢٦-03-01T09:30:00Z"}, "not_an_event"),
        ({"datacontenttype": "text/xml"}, "not_an_event"),
        ({"data": None}, "not_an_event"),
        ({"data": [1]}, "not_an_event"),
        ({"Extension": 1}, "not_an_event"),
        ({"type": "service.unheard_of"}, "unknown_type"),
        ({"type": "Service.Visited"}, "unknown_type"),
        ({"data": {}}, "bad_data"),
        ({"data": {"place": "berlin", "unknown": 1}}, "bad_data"),
        ({"data": {"place": "a b"}}, "bad_data"),
        ({"data": {"place": "x" * 65}}, "bad_data"),
        ({"data": {"place": 5}}, "bad_data"),
        ({"subject": "email:nobody"}, "bad_identity"),
        ({"subject": "phone:1"}, "bad_identity"),
        ({"subject": "app:\u2028"}, "bad_identity"),
    ],
)
def test_each_fault_has_its_code(change: dict[str, Any], expected: str) -> None:
    assert code(visit(**change)) == expected


@pytest.mark.parametrize("attribute", ["specversion", "id", "source", "type", "subject", "time", "data"])
def test_no_attribute_of_an_event_can_be_left_out(attribute: str) -> None:
    said = visit()
    del said[attribute]
    answer = refused(said)
    assert answer.code == "not_an_event"
    assert attribute in answer.detail


@pytest.mark.parametrize("said", [None, 5, "event", [], [visit()]])
def test_only_an_object_is_an_event(said: Any) -> None:
    assert code(said) == "not_an_event"


@pytest.mark.parametrize("amount", [2**53, 1, 0])
def test_amounts_up_to_two_to_the_53_are_admitted(amount: int) -> None:
    assert admit(order(total=money(amount)))


@pytest.mark.parametrize("stated", [2**53, -(2**53), 0, -5])
def test_integers_within_two_to_the_53_are_admitted(stated: int) -> None:
    assert admit(event("identity.described", attributes={"floor": stated}))


@pytest.mark.parametrize("amount", [-1, 2**53 + 1, -(2**53) - 1, 10**400, 19.99, 20.0, "1999", True, None, [1]])
def test_other_amounts_are_refused(amount: Any) -> None:
    assert code(order(total=money(amount))) == "bad_data"


@pytest.mark.parametrize("quantity", [-1, 2**53 + 1, 1.5])
def test_a_quantity_is_a_natural_number(quantity: Any) -> None:
    assert code(order(lines=[{"item": "sku", "quantity": quantity}])) == "bad_data"


@pytest.mark.parametrize("leap", ["2016-12-31T23:59:60Z", "2017-01-01T00:59:60.25+01:00"])
def test_a_leap_second_is_the_end_of_the_second_before_it(leap: str) -> None:
    [one] = admit(visit() | {"time": leap})
    assert format_time(one.fact.occurred_at) == "2016-12-31T23:59:59.999Z"


def test_lists_are_bounded() -> None:
    assert admit(order(lines=[{"item": "sku"}] * 100))
    assert code(order(lines=[{"item": "sku"}] * 101)) == "bad_data"


@pytest.mark.parametrize("kind", sorted(SCORE_RANGE))
def test_a_score_lies_in_the_range_of_its_kind(kind: str) -> None:
    low, high = SCORE_RANGE[kind]
    for score, good in [(low, True), (high, True), (low - 1, False), (high + 1, False)]:
        said = event("feedback.survey_answered", survey_id="s", kind=kind, score=score)
        assert isinstance(ADMISSION.admit(raw(said), door=TRUSTED, received_at=NOW), EventRefused) is not good


@pytest.mark.parametrize("named", [{}, {"order_id": "o", "subscription_id": "s"}])
def test_a_cancellation_names_exactly_one_thing(named: dict[str, Any]) -> None:
    assert code(event("transaction.cancelled", **named)) == "bad_data"


def test_an_event_may_be_dated_a_day_ahead_and_no_more() -> None:
    ahead = event("service.visited", at=NOW + AHEAD_MAX_MS, place="berlin")
    [item] = admit(ahead)
    assert item.fact.occurred_at == NOW + AHEAD_MAX_MS
    assert item.fact.effective_at == NOW
    assert code(event("service.visited", at=NOW + AHEAD_MAX_MS + 1, place="berlin")) == "bad_time"


def test_a_late_event_counts_from_when_it_happened() -> None:
    [item] = admit(event("service.visited", at=NOW - HOUR, place="berlin"))
    assert item.fact.effective_at == NOW - HOUR


@pytest.mark.parametrize(
    ("text", "later_ms"),
    [
        ("2026-03-01T09:30:00Z", 0),
        ("2026-03-01t09:30:00z", 0),
        ("2026-03-01 09:30:00Z", 0),
        ("2026-03-01T10:30:00+01:00", 0),
        ("2026-03-01T04:00:00-05:30", 0),
        ("2026-03-01T09:30:00.057Z", 57),
        ("2026-03-01T09:30:00.0579999Z", 57),
        ("2026-03-01T09:30:00.123456789Z", 123),
    ],
)
def test_times_are_read_in_every_zone_to_the_millisecond(text: str, later_ms: int) -> None:
    assert admit(visit(time=text))[0].fact.occurred_at == NOW + later_ms


def test_extension_attributes_are_allowed_and_not_kept() -> None:
    plain, extended = visit(), visit(traceparent="00-abc", partitionkey="x")
    assert admit(plain)[0].fact.body == admit(extended)[0].fact.body


def test_an_item_of_a_batch_is_admitted_like_an_event_of_its_own() -> None:
    for said in (visit(), order(), visit(id=""), event("service.unheard_of"), 7):
        alone = ADMISSION.admit(raw(said), door=TRUSTED, received_at=NOW)
        assert ADMISSION.admit_parsed(said, door=TRUSTED, received_at=NOW) == alone


# What a refusal tells


@pytest.mark.parametrize(
    "said",
    [
        visit(subject="app:secret\n"),
        visit(subject="email:secret"),
        visit(data={"place": "secret place"}),
        visit(data={"secret@example.com": 1}),
        visit(data={"place": {"secret": 1}}),
        visit(time="secret"),
        visit(id="secret" * 50),
        visit(type="secret.type"),
        visit(**{"Secret-Attribute": 1}),
        event("identity.described", attributes={"secret@example.com": "x"}),
        event("identity.described", attributes={"secret": 1.5}),
        order(total={"amount": "secret", "currency": "EUR"}),
    ],
)
def test_a_refusal_never_repeats_what_was_sent(said: dict[str, Any]) -> None:
    answer = refused(said)
    assert "secret" not in answer.detail.lower()
    assert answer.detail


def test_a_refusal_names_the_field() -> None:
    assert "total.amount" in refused(order(total=money("x"))).detail  # type: ignore[arg-type]
    assert "lines.1.quantity" in refused(order(lines=[{"item": "a"}, {"item": "b", "quantity": -1}])).detail


# Links


def link(**change: Any) -> dict[str, Any]:
    return event(
        "identity.linked", subject="app:1", **({"other": "card:2", "strength": "verified", "reason": "r"} | change)
    )


def test_a_link_is_split_into_two_halves_with_the_same_key() -> None:
    here, there = (item.fact for item in admit(link()))
    app, card = PSEUDONYMS.of("app:1"), PSEUDONYMS.of("card:2")
    assert (here.identity, here.body.model_dump()["other"]) == (app, card)
    assert (there.identity, there.body.model_dump()["other"]) == (card, app)
    assert (here.event_key, here.digest) == (there.event_key, there.digest)
    assert {half.body.model_dump()["strength"] for half in (here, there)} == {"verified"}


def test_each_half_of_a_link_goes_to_its_own_partition() -> None:
    for item in admit(link()):
        assert item.partition == partition_of(item.fact.identity.encode(), PARTITIONS)


def test_a_relation_has_an_inverse_half_with_the_other_end() -> None:
    said = event("identity.related", subject="app:1", other="machine:9", kind="owns")
    here, there = (item.fact.body.model_dump() for item in admit(said))
    assert (here["inverse"], there["inverse"]) == (False, True)


def test_only_admission_says_which_half_is_inverse() -> None:
    said = event("identity.related", subject="app:1", other="machine:9", kind="owns", inverse=True)
    assert code(said) == "bad_data"


@pytest.mark.parametrize("event_type", sorted(TWO_SIDED))
def test_every_two_sided_type_names_the_other_side(event_type: str) -> None:
    assert "other" in BODIES[event_type].model_fields


def test_nothing_is_linked_to_itself_however_it_is_written() -> None:
    said = event(
        "identity.linked", subject="phone:030 123456", other="phone:+4930123456", strength="verified", reason="r"
    )
    assert code(said) == "bad_identity"


@pytest.mark.parametrize("other", ["email:nobody", "nobody", "app:" + "x" * 300])
def test_the_other_side_of_a_link_is_checked_too(other: str) -> None:
    assert code(link(other=other)) in {"bad_identity", "bad_data"}


def test_facts_of_the_system_itself_find_their_partition_too() -> None:
    [item] = admit(visit())
    assert ADMISSION.place(item.fact) == item
    assert Admission(pseudonyms=PSEUDONYMS, partitions=1).place(item.fact).partition == 0


# Event key and digest


def test_golden_keys_and_digests_stay_what_they_are() -> None:
    assert event_key("crm", "order-1").hex() == "8d65a2b2e96826e2"
    assert payload_digest({"b": 1, "a": [1, "ü"]}).hex() == "eb1bee10"


def test_source_and_id_together_tell_events_apart() -> None:
    assert event_key("a", "b") != event_key("b", "a")
    assert event_key("ab", "c") != event_key("a", "bc")


def digest_of(text: str) -> bytes:
    return payload_digest(json.loads(text))


def test_the_order_of_keys_and_white_space_say_nothing() -> None:
    assert digest_of('{"a": 1, "b": {"c": [1, 2], "d": null}}') == digest_of('{ "b":{"d":null,"c":[1,2]},"a":1}')


@pytest.mark.parametrize(
    "changed",
    [
        '{"a": 2, "b": {"c": [1, 2]}}',
        '{"a": "1", "b": {"c": [1, 2]}}',
        '{"a": 1.0, "b": {"c": [1, 2]}}',
        '{"a": true, "b": {"c": [1, 2]}}',
        '{"a": 1, "b": {"c": [2, 1]}}',
        '{"a": 1, "b": {"c": [1, 2], "d": null}}',
        '{"a": 1, "b": {"C": [1, 2]}}',
        '{"a": 1}',
    ],
)
def test_everything_the_sender_said_counts(changed: str) -> None:
    assert digest_of(changed) != digest_of('{"a": 1, "b": {"c": [1, 2]}}')


def test_an_extension_attribute_counts_in_the_digest() -> None:
    assert admit(visit(id="1"))[0].fact.digest != admit(visit(id="1", traceparent="x"))[0].fact.digest


def test_nothing_that_admission_stamps_counts_in_the_digest() -> None:
    later = ADMISSION.admit(raw(visit()), door=INTAKE, received_at=NOW + HOUR)
    assert not isinstance(later, EventRefused)
    assert later[0].fact.digest == admit(visit())[0].fact.digest
    assert later[0].fact.received_at == NOW + HOUR
