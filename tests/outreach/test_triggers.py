"""Triggers as data: what they may say, and what sets them off."""

import pytest
from msgspec.structs import replace

from events.position import Position
from outreach.candidates import (
    Candidate,
    CandidateUndecodable,
    candidates,
    decode_candidate,
    encode_candidate,
    marked,
    recognised,
)
from outreach.triggers import Triggers, TriggersInvalid, load_triggers, parse_triggers
from tests.builders import DAY, HOUR, NOW, complaint, fact
from tests.outreach.world import CATALOGUE, TRIGGERS, alert, bought

TRIGGER = """
version: 1
triggers:
  - id: one
    when: {op: alerted}
    channels: [email]
    service: engineer-visit
    reason: {en: Because., zh: 因为。}
"""


def parsed(*changes: tuple[str, str]) -> Triggers:
    text = TRIGGER
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return parse_triggers(text.encode(), catalogue=CATALOGUE)


def test_the_triggers_that_come_with_the_program_are_valid() -> None:
    assert set(load_triggers(CATALOGUE).by_id) == {"complaint-unsolved", "part-runs-hot", "bought-three-times"}


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (("op: alerted", "op: eval, code: 1"), "when"),
        (("op: alerted", "op: alerted, where: kind == 'hot'"), "when"),
        (("[email]", "[fax]"), "fax is not a channel"),
        (("[email]", "[desk, email]"), "desk stands alone"),
        (("engineer-visit", "teleport"), "teleport is not in the catalogue"),
        (("Because.", "'{name}, because.'"), "the reason names something else"),
        (("version: 1", "version: 2"), "version"),
        (("    when", "    breach: sla\n    when"), "only a case that waits"),
        (("version: 1", "version: 1\npolicy: {time_zone: Mars/Olympus}"), "there is no such time zone"),
        (("version: 1", "version: 1\npolicy: {cap: {at_most: -1}}"), "at_most"),
        (("version: 1", "version: ["), "not YAML"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(change: tuple[str, str], problem: str) -> None:
    with pytest.raises(TriggersInvalid, match=problem):
        parsed(change)


def test_a_trigger_is_set_off_from_its_position_on() -> None:
    triggers = parsed(("    when", "    active_from: {3: 17592186044426}\n    when"))
    begins = Position(1, 3, 10)
    assert candidates(alert(), Position(1, 3, 9), triggers) == []
    assert len(candidates(alert(), begins, triggers)) == 1
    assert len(candidates(alert(), Position(1, 4, 0), triggers)) == 1


def test_a_candidate_holds_ids_and_times_only() -> None:
    order = bought(1, "baby")
    [candidate] = candidates(order, Position(1, 0, 0), TRIGGERS)
    assert candidate == Candidate(
        1, "bought-three-times", order.identity, "order-1", NOW, NOW, order.event_key, received=NOW
    )
    assert b"baby" not in encode_candidate(candidate)


def test_a_candidate_on_a_topic_does_not_tell_what_the_sender_calls_the_record() -> None:
    [candidate] = candidates(bought(1, "baby"), Position(1, 0, 0), TRIGGERS)
    key = b"k" * 32

    told = marked(candidate, key=key)

    assert b"order-1" not in encode_candidate(told)
    assert marked(told, key=key) == told
    assert marked(candidate, key=b"j" * 32) != told
    assert marked(replace(candidate, about="app:other"), key=key).record != told.record
    assert recognised(told, ["order-0", "order-1"], key=key) == candidate
    assert recognised(told, ["order-0"], key=key) == told
    assert recognised(candidate, ["order-0"], key=key) == candidate


def test_a_complaint_is_due_after_a_day_counted_from_when_it_took_effect() -> None:
    [candidate] = candidates(complaint(at=NOW + HOUR, received_at=NOW), Position(1, 0, 0), TRIGGERS)
    assert (candidate.record, candidate.due) == ("case-1", NOW + DAY)


@pytest.mark.parametrize(
    "dull",
    [
        alert(kind="noise"),
        fact("service.alert_raised", alert_id="a", kind="hot", severity="info"),
        fact("transaction.purchased", order_id="o", total={"amount": 1, "currency": "EUR"}),
        fact("service.visited", place="berlin"),
    ],
)
def test_other_facts_give_none(dull: object) -> None:
    assert candidates(dull, Position(1, 0, 0), TRIGGERS) == []  # type: ignore[arg-type]


def test_a_candidate_is_read_back_as_it_was_written() -> None:
    [candidate] = candidates(alert(), Position(1, 0, 0), TRIGGERS)
    assert decode_candidate(encode_candidate(candidate)) == candidate


@pytest.mark.parametrize(
    "raw", [None, b"", b"\xc1", b"\x93\x01\x02\x03", encode_candidate(Candidate(2, "a", "b", "c", 0, 0, b""))]
)
def test_what_is_no_candidate_is_told_apart(raw: bytes | None) -> None:
    with pytest.raises(CandidateUndecodable):
        decode_candidate(raw)
