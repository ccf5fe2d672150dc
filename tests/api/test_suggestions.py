from typing import Any

import httpx
import pytest

from tests.api.world import World, problem
from tests.builders import DAY, HOUR, NOW, complaint, consent, linked, pseudonym, purchased

PERSONAL = ("profile.build", "suggest.personal")


def agreed(*purposes: str, identity: str = "app:42") -> list[Any]:
    return [consent("given", purpose, identity=identity, at=NOW - 30 * DAY) for purpose in purposes]


def formula(times: int, *, identity: str = "app:42") -> list[Any]:
    line = {"item": "formula-1", "category": "baby", "quantity": 1, "amount": 2990}
    return [
        purchased(f"formula-{at}", at=NOW - at * DAY, identity=identity, lines=[line]) for at in range(1, times + 1)
    ]


async def test_nobody_is_left_without_a_suggestion(world: World) -> None:
    answer = await world.suggestions(k=2)

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["mode"] == "general"
    assert 1 <= len(answer.json()["suggestions"]) <= 2
    assert all(suggestion["reasons"] for suggestion in answer.json()["suggestions"])


async def test_consent_makes_suggestions_personal_and_a_no_makes_them_general_at_once(world: World) -> None:
    await world.happened(agreed(*PERSONAL, "data.sensitive"), formula(3))
    assert (await world.suggestions()).json()["mode"] == "personal"

    ref = await world.ref()
    said = await world.ask(
        "POST", f"/v1/customers/{ref}/consents", json={"act": "withdrawn", "purpose": "suggest.personal"}
    )

    assert said.status_code == 202
    assert (await world.suggestions()).json()["mode"] == "general"


@pytest.mark.parametrize("strength", ["verified", "probable"])
async def test_a_no_said_as_one_identity_closes_the_others_while_no_worker_runs(world: World, strength: str) -> None:
    await world.happened(linked("app:42", "card:7", strength=strength), agreed(*PERSONAL, "data.sensitive"), formula(3))
    assert (await world.suggestions()).json()["mode"] == "personal"

    by_card = await world.ref("card:7")
    said = await world.ask(
        "POST", f"/v1/customers/{by_card}/consents", json={"act": "refused", "purpose": "profile.build"}
    )

    assert said.json()["effective"] == "now"
    assert (await world.suggestions()).json()["mode"] == "general"
    card = await world.card()
    assert not card["consents"]["suggest.personal"]["allowed"]
    assert all(trait["value"] is None for trait in card["traits"].values() if trait["purpose"] == "profile.build")


async def test_a_personal_suggestion_names_the_events_it_rests_on(world: World) -> None:
    bought = formula(3)
    await world.happened(agreed(*PERSONAL, "data.sensitive"), bought)

    answer = (await world.suggestions(k=1)).json()

    assert answer["suggestions"][0]["service"] == "diapers"
    evidence = {key for reason in answer["suggestions"][0]["reasons"] for key in reason["evidence"]}
    assert evidence & {order.event_key.hex() for order in bought}


async def test_the_same_person_is_answered_alike_on_every_identity(world: World) -> None:
    await world.happened(linked("app:42", "card:7"), agreed(*PERSONAL, "data.sensitive"), formula(3, identity="card:7"))

    by_app, by_card = (await world.suggestions("app:42")).json(), (await world.suggestions("card:7")).json()

    assert by_app["suggestions"] == by_card["suggestions"]


async def test_an_answer_stays_the_same_until_it_runs_out(world: World) -> None:
    first = (await world.suggestions()).content
    world.now += 1000

    assert (await world.suggestions()).content == first


HISTORIES: list[list[Any]] = [
    [],
    formula(3),
    [purchased(f"order-{at}", amount=99_00 * at, at=NOW - at * HOUR) for at in range(1, 12)],
    [*agreed("profile.build"), *formula(5), consent("refused", "suggest.personal")],
    [*agreed(*PERSONAL), *formula(5), consent("withdrawn", "suggest.personal")],
    [*linked("app:42", "card:7"), *formula(4, identity="card:7")],
]


async def answered(world: World, history: list[Any]) -> tuple[bytes, list[tuple[str, str]]]:
    await world.happened(history)
    answer = await world.suggestions(k=5, channel="desk")
    assert answer.json()["mode"] == "general"
    return answer.content, sorted(answer.headers.items())


@pytest.mark.parametrize("history", HISTORIES[1:])
async def test_without_consent_history_changes_no_byte_of_the_answer_or_its_headers(
    world: World, history: list[Any]
) -> None:
    plain = await answered(world, HISTORIES[0])

    assert await answered(world, history) == plain


async def test_the_intent_of_the_contact_is_kept_and_raises_what_it_is_about(world: World) -> None:
    calm, about = (await world.suggestions(k=3)).json(), (await world.suggestions(k=3, intent="fees")).json()

    assert (calm["intent"], about["intent"]) == (None, "fees")
    assert about["suggestions"][0]["service"] == "auto-repayment"
    assert about["suggestions"][0]["factors"]["context"] == 3.0
    kept = await world.services.decisions.get(about["decision"])
    assert kept is not None
    assert world.services.receipts.inputs_of(kept).question.intent == "fees"


async def test_an_open_complaint_only_removes(world: World) -> None:
    before = (await world.suggestions(k=50)).json()
    await world.happened(complaint())

    after = (await world.suggestions(k=50)).json()

    offered = {suggestion["service"] for suggestion in after["suggestions"]}
    assert offered < {suggestion["service"] for suggestion in before["suggestions"]}
    assert {entry["because"] for entry in after["withheld"]} >= {"nothing to sell while a complaint is open"}


@pytest.mark.parametrize(
    "params", [{"k": 0}, {"k": 51}, {"k": "many"}, {"k": -1}, {"k": "٣"}, {"channel": "a b"}, {"intent": "a b"}]
)
async def test_what_cannot_be_asked_is_refused(world: World, params: dict[str, Any]) -> None:
    answer = await world.suggestions(**params)

    assert (answer.status_code, problem(answer)) == (422, "invalid")


async def outcome(world: World, what: str, decision: str, **said: Any) -> httpx.Response:
    return await world.ask("POST", f"/v1/suggestions/{decision}/{what}", json=said)


async def test_what_was_presented_and_declined_is_known_to_the_next_answer(world: World) -> None:
    first = (await world.suggestions(k=3)).json()
    chosen = first["suggestions"][0]["service"]

    shown = await outcome(world, "presented", first["decision"], services=[chosen], channel="desk")
    said = await outcome(world, "answer", first["decision"], service=chosen, answer="declined", reason="too-expensive")
    async with world.folding():
        after = (await world.suggestions(k=50, after=said.json()["after"])).json()

    assert (shown.status_code, said.status_code) == (202, 202)
    withheld = {entry["service"]: entry["because"] for entry in after["withheld"]}
    assert withheld[chosen] == "declined lately"


async def test_the_outcome_belongs_to_the_identity_that_was_addressed(world: World) -> None:
    await world.happened(linked("app:42", "card:7"))
    answer = (await world.suggestions("card:7", k=1)).json()

    await outcome(world, "presented", answer["decision"], services=[answer["suggestions"][0]["service"]])
    await world.fold()

    facets = await world.services.persons.source.load_many([pseudonym("app:42"), pseudonym("card:7")])
    assert not facets[pseudonym("app:42")].facet.service.suggestions
    assert facets[pseudonym("card:7")].facet.service.suggestions


async def test_an_outcome_said_twice_counts_once(world: World) -> None:
    answer = (await world.suggestions(k=1)).json()
    said = {"service": answer["suggestions"][0]["service"], "answer": "accepted"}

    first = await outcome(world, "answer", answer["decision"], **said)
    world.now += HOUR
    again = await outcome(world, "answer", answer["decision"], **said)
    await world.fold()

    assert (first.status_code, again.status_code) == (202, 202)
    facets = await world.services.persons.source.load_many([pseudonym("app:42")])
    assert len(facets[pseudonym("app:42")].facet.recent) == 12


async def test_a_decision_nobody_made_is_not_found(world: World) -> None:
    for decision in ("0" * 32, "no-such", "a b"):
        answer = await outcome(world, "presented", decision, services=["care-call"])
        assert (answer.status_code, problem(answer)) == (404, "unknown-decision")


async def test_a_service_that_was_not_suggested_cannot_be_answered(world: World) -> None:
    answer = (await world.suggestions(k=1)).json()

    refused = await outcome(world, "answer", answer["decision"], service="no-such", answer="accepted")

    assert (refused.status_code, problem(refused)) == (422, "invalid")


@pytest.mark.parametrize("said", [{}, {"services": []}, {"services": ["x"], "extra": 1}, {"services": "x"}])
async def test_an_outcome_that_makes_no_sense_is_refused(world: World, said: dict[str, Any]) -> None:
    answer = (await world.suggestions(k=1)).json()

    assert problem(await outcome(world, "presented", answer["decision"], **said)) == "invalid"
