"""What a person was offered, on which consents, and who was shown it: from the decision, and from the person."""

from typing import Any

import pytest

from consent.purposes import PROFILE, SUGGEST
from recommender.receipts import Question
from recommender.suggestion import bucket_start
from tests.api.world import RECEIPTS, problem
from tests.builders import HOUR, NOW, complaint, consent, linked, pseudonym, unlinked
from tests.officer.desk import AUDIT, Desk
from tests.recommender.worlds import subscribed


async def offered(desk: Desk, identity: str = "app:42", **headers: str) -> dict[str, Any]:
    """Suggestions as an agent gets them, who declares what they look for."""
    path = f"/v1/customers/{await desk.ref(identity)}/suggestions"
    answer = await desk.ask("GET", path, headers={"Rapport-Purpose": "answer", **headers})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def agreed(desk: Desk, *purposes: str, identity: str = "app:42") -> list[str]:
    """Grants, folded and followed; their event keys."""
    given = [consent("given", purpose, identity=identity, at=NOW - HOUR) for purpose in purposes]
    await desk.happened(given)
    desk.follow()
    return [each.event_key.hex() for each in given]


async def test_a_decision_is_told_with_its_grounds_and_whoever_was_shown_it(desk: Desk) -> None:
    events = await agreed(desk, PROFILE, SUGGEST)
    answer = await offered(desk)

    told = await desk.told(f"receipts/{answer['decision']}", None)

    assert (told["decision"], told["mode"], told["purpose"]) == (answer["decision"], "personal", SUGGEST)
    assert {event for ground in told["grounds"] for event in ground["events"]} == set(events)
    assert told["services"] == [each["service"] for each in answer["suggestions"]]
    named = {name: told[name] for name in ("model", "catalogue", "policy", "code")}
    assert named == {
        "model": answer["model"],
        "catalogue": answer["catalogue"],
        "policy": RECEIPTS.policy,
        "code": RECEIPTS.code,
    }
    assert told["explainable"]
    assert [(look["role"], look["what"], look["purpose"]) for look in told["shown"]] == [
        ("agent", "suggestions", "answer")
    ]


async def test_an_answer_leaves_only_with_its_receipt_and_its_look_in_the_store(desk: Desk) -> None:
    answer = await offered(desk)
    desk.now += 1000
    await offered(desk)

    receipt = await desk.decisions.get(answer["decision"])
    assert receipt is not None
    # A panel that refreshes within the bucket of the clock leaves the same receipt, and one look at its latest time.
    assert RECEIPTS.inputs_of(receipt).question == Question(channel=None, k=3, now=bucket_start(NOW))
    [look] = await desk.decisions.looks_at([pseudonym("app:42")])
    assert (look.decision, look.access.at) == (answer["decision"], NOW + 1000)


async def test_a_person_s_decisions_are_found_by_any_of_their_identities(desk: Desk) -> None:
    await desk.happened(*linked("app:42", "card:7"))
    desk.follow()
    by_card, of_another = await offered(desk, "card:7"), await offered(desk, "app:9")

    for identity in ("app:42", "card:7"):
        told = await desk.told("receipts", identity)
        assert [each["decision"] for each in told["receipts"]] == [by_card["decision"]]
        assert not told["truncated"]
    assert [each["decision"] for each in (await desk.told("receipts", "app:9"))["receipts"]] == [of_another["decision"]]


async def test_a_consent_act_leads_to_the_decisions_that_relied_on_it_and_to_no_other(desk: Desk) -> None:
    general = await offered(desk)
    [profile, suggest] = await agreed(desk, PROFILE, SUGGEST)
    await desk.happened(subscribed("auto-repayment"))
    personal = await offered(desk)
    [sensitive] = await agreed(desk, "model.train")

    assert general["decision"] != personal["decision"]
    for event, found in ((profile, 1), (suggest, 1), (sensitive, 0)):
        told = await desk.told("receipts", event=event)
        assert [each["decision"] for each in told["receipts"]] == [personal["decision"]] * found
    assert len((await desk.told("receipts"))["receipts"]) == 2


async def test_a_consent_act_leads_there_also_once_the_link_it_came_by_has_ended(desk: Desk) -> None:
    [profile, suggest] = await agreed(desk, PROFILE, SUGGEST)
    await desk.happened(*linked("app:42", "card:7", at=NOW - HOUR))
    by_card = await offered(desk, "card:7")
    assert by_card["mode"] == "personal"
    await desk.happened(*unlinked("app:42", "card:7", at=NOW))
    desk.follow()

    assert (await desk.told("receipts"))["receipts"] == []
    for event in (profile, suggest):
        told = await desk.told("receipts", event=event)
        assert [each["decision"] for each in told["receipts"]] == [by_card["decision"]]


async def test_looks_at_suggestions_stand_among_the_looks_at_the_person(desk: Desk) -> None:
    why = "they ask why they were called"
    await offered(desk)
    await offered(desk, **{"Rapport-Purpose": "incident", "Rapport-Reason": why.replace(" ", "%20")})
    await desk.card()
    desk.follow()

    told = await desk.told("accesses")

    found = sorted((each["what"], each["purpose"], each["reason"]) for each in told["accesses"])
    assert found == [
        ("accesses", "audit", ""),
        ("card", "undeclared", ""),
        ("suggestions", "answer", ""),
        ("suggestions", "incident", why),
    ]
    broken = await desk.told("accesses", None, broke_glass="true")
    assert [(each["what"], each["reason"]) for each in broken["accesses"]] == [("suggestions", why)]


@pytest.mark.parametrize("declared", [{"Rapport-Purpose": "audit"}, {"Rapport-Purpose": "curiosity"}])
async def test_nobody_is_shown_suggestions_for_what_they_do_not_look_for(desk: Desk, declared: dict[str, str]) -> None:
    await desk.happened(complaint())
    path = f"/v1/customers/{await desk.ref()}/suggestions"

    refused = await desk.ask("GET", path, headers=declared)

    assert (refused.status_code, problem(refused)) == (403, "forbidden")
    assert await desk.decisions.looks_at([pseudonym("app:42")]) == []


async def test_whoever_asks_for_receipts_declares_it_and_is_noted(desk: Desk) -> None:
    answer = await offered(desk)
    desk.follow()
    for what, who in (("receipts", "app:42"), (f"receipts/{answer['decision']}", None)):
        assert problem(await desk.asks(what, who, headers={})) == "invalid"
        assert (await desk.asks(what, who, headers=AUDIT)).status_code == 200

    looks = desk.services.accesses.of([pseudonym("app:42")], limit=10)
    assert [(look.what, look.purpose) for look in looks] == [("receipt", "audit"), ("receipts", "audit")]


@pytest.mark.parametrize("decision", ["0" * 32, "no-such"])
async def test_a_decision_nobody_made_has_no_receipt(desk: Desk, decision: str) -> None:
    answer = await desk.asks(f"receipts/{decision}", None)

    assert (answer.status_code, problem(answer)) == (404, "unknown-decision")


@pytest.mark.parametrize("event", ["x", "0" * 15, "0" * 17, "A" * 16])
async def test_what_is_no_event_is_refused(desk: Desk, event: str) -> None:
    assert problem(await desk.asks("receipts", event=event)) == "invalid"
