from typing import Any

import httpx
import pytest

from consent.holds import ConsentStoreUnavailable
from consent.memory_holds import MemoryHolds
from events.fact import decode_fact
from tests.api.world import EVENTS, World, problem
from tests.builders import DAY, HOUR, NOW, PARTITIONS, consent, linked, pseudonym

PURPOSE = "feedback.analyse"


async def say(
    world: World, act: str, purpose: str = PURPOSE, *, identity: str = "app:42", **said: Any
) -> httpx.Response:
    path = f"/v1/customers/{await world.ref(identity)}/consents"
    return await world.ask("POST", path, json={"act": act, "purpose": purpose, **said})


async def standing(world: World, purpose: str = PURPOSE, *, identity: str = "app:42", **params: Any) -> dict[str, Any]:
    answer = await world.ask("GET", f"/v1/customers/{await world.ref(identity)}/consents", params=params)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()["consents"][purpose]
    return found


async def test_nobody_was_asked_means_no(world: World) -> None:
    assert (await standing(world))["because"] == "never_asked"


async def test_a_yes_allows_once_it_is_folded(world: World) -> None:
    answer = await say(world, "given")

    assert answer.status_code == 202
    assert answer.json()["effective"] == "when_folded"
    assert not (await standing(world))["allowed"]
    async with world.folding():
        stands = await standing(world, after=answer.json()["after"])
    assert (stands["allowed"], stands["basis"], stands["evidence"]) == (True, "consent", "recorded")
    assert len(stands["relied_on"]) == 1


async def test_a_no_denies_from_its_acknowledgement(world: World) -> None:
    await world.happened(consent("given", PURPOSE, at=NOW - DAY))
    assert (await standing(world))["allowed"]

    answer = await say(world, "withdrawn")

    assert answer.json()["effective"] == "now"
    assert (await standing(world))["because"] == "held"
    await world.fold()
    assert (await standing(world))["because"] == "withdrawn"


async def test_a_no_is_acknowledged_while_the_log_is_silent(world: World) -> None:
    await world.happened(consent("given", PURPOSE, at=NOW - DAY))
    await world.log.stop()

    answer = await say(world, "withdrawn")

    assert (answer.status_code, answer.json()["effective"], answer.json()["after"]) == (202, "now", None)
    assert not (await standing(world))["allowed"]


async def test_a_no_does_not_wait_for_a_worker_and_a_yes_does(world: World) -> None:
    await world.happened(consent("given", PURPOSE, at=NOW - DAY))
    unfolded = (await say(world, "given", "profile.build")).json()["after"]
    path = f"/v1/customers/{await world.ref()}/consents"

    yes = await world.ask("POST", path, params={"after": unfolded}, json={"act": "given", "purpose": "model.train"})
    no = await world.ask("POST", path, params={"after": unfolded}, json={"act": "withdrawn", "purpose": PURPOSE})

    assert (yes.status_code, problem(yes)) == (503, "not-folded-yet")
    assert (no.status_code, no.json()["effective"]) == (202, "now")
    assert (await standing(world))["because"] == "held"


async def test_an_act_covers_every_verified_identity(world: World) -> None:
    await world.happened(linked("app:42", "phone:+49301234567"))

    answer = await say(world, "given")
    await world.fold()

    assert answer.json()["identities"] == 2
    assert (await standing(world, identity="phone:+49301234567"))["allowed"]


async def test_the_same_act_sent_again_is_the_same_act(world: World) -> None:
    first = await say(world, "given", act_id="desk-1")
    world.now += HOUR
    again = await say(world, "given", act_id="desk-1")
    await world.fold()

    assert first.json()["act_id"] == again.json()["act_id"] == "desk-1"
    assert (first.status_code, again.status_code) == (202, 202)


async def test_another_act_under_the_same_id_is_a_conflict(world: World) -> None:
    await say(world, "given", act_id="desk-1")

    answer = await say(world, "withdrawn", act_id="desk-1")

    assert (answer.status_code, problem(answer)) == (409, "another-act")


@pytest.mark.parametrize(
    "said",
    [
        {"act": "given", "purpose": "world.domination"},
        {"act": "shrugged", "purpose": PURPOSE},
        {"act": "withdrawn", "purpose": PURPOSE, "expires_at": "2099-01-01T00:00:00Z"},
        {"act": "given", "purpose": PURPOSE, "expires_at": "2020-01-01T00:00:00Z"},
        {"act": "given", "purpose": PURPOSE, "at": "2099-01-01T00:00:00Z"},
        {"act": "given", "purpose": PURPOSE, "at": "yesterday"},
        {"act": "given"},
        {"act": "given", "purpose": PURPOSE, "evidence": "demo"},
        {"act": "given", "purpose": "data.sensitive"},
        {"act": "renewed", "purpose": "share.third_party"},
        {"act": "withdrawn", "purpose": PURPOSE, "form": "explicit"},
        {"act": "given", "purpose": PURPOSE, "form": "shouted"},
        {"act": "given", "purpose": PURPOSE, "notice": "feedback/9"},
        {"act": "given", "purpose": PURPOSE, "notice": "training/1"},
        {"act": "given", "purpose": PURPOSE, "notice_hash": "00"},
    ],
)
async def test_an_act_that_makes_no_sense_is_refused(world: World, said: dict[str, Any]) -> None:
    answer = await world.ask("POST", f"/v1/customers/{await world.ref()}/consents", json=said)

    assert (answer.status_code, problem(answer)) == (422, "invalid")


async def test_a_grant_ends_when_it_said(world: World) -> None:
    await say(world, "given", expires_at="2026-03-02T09:30:00Z")
    await world.fold()

    assert (await standing(world))["allowed"]
    world.now += DAY
    assert (await standing(world))["because"] == "expired"


class DeafHolds(MemoryHolds):
    async def place(self, holds: object) -> None:
        raise ConsentStoreUnavailable("down")


async def test_a_no_that_could_not_be_kept_is_not_acknowledged(world: World) -> None:
    recorder = world.services.recorder
    deaf = type(recorder)(
        records=recorder.records, holds=DeafHolds(partitions=PARTITIONS), log=world.log, partitions=PARTITIONS
    )

    answer = await say(world.with_services(recorder=deaf), "withdrawn")

    assert (answer.status_code, problem(answer)) == (503, "store-unavailable")


async def test_a_no_is_recorded_even_where_the_person_hangs_together_with_too_many(world: World) -> None:
    for other in range(40):
        await world.happened(linked("app:42", f"loyalty:{other}"))
    assert problem(await world.ask("GET", f"/v1/customers/{await world.ref()}")) == "person-too-large"

    answer = await say(world, "withdrawn")

    assert (answer.status_code, answer.json()["identities"]) == (202, 1)
    assert (await world.holds.of([pseudonym("app:42")]))[pseudonym("app:42")] == frozenset({PURPOSE})
    assert problem(await say(world, "given")) == "person-too-large"


async def test_what_was_shown_is_stamped_on_the_act(world: World) -> None:
    notice = world.services.persons.rules.notices.find("feedback", 1)
    assert notice is not None
    await say(world, "given", notice="feedback/1", language="zh", method="web-form", by="subject")

    [record] = [each for number in range(PARTITIONS) for each in world.log.records(EVENTS, number)]
    said = decode_fact(record.value).body

    assert said.model_dump(include={"notice", "notice_hash", "language", "method"}) == {
        "notice": "feedback/1",
        "notice_hash": notice.hash,
        "language": "zh",
        "method": "web-form",
    }


async def test_a_no_is_taken_whatever_it_names(world: World) -> None:
    await world.happened(consent("given", PURPOSE, at=NOW - DAY))

    answer = await say(world, "withdrawn", notice="training/9", by="guardian", method="call")

    assert answer.status_code == 202
    assert (await standing(world))["because"] == "held"


@pytest.mark.parametrize("act", ["revoked", "invalidated"])
async def test_what_somebody_else_ends_is_closed_at_once_too(world: World, act: str) -> None:
    await world.happened(consent("given", PURPOSE, at=NOW - DAY))

    answer = await say(world, act, by="authority")

    assert answer.json()["effective"] == "now"
    assert (await standing(world))["because"] == "held"
    await world.fold()
    stands = await standing(world)
    assert (stands["because"], stands["state"]) == (act, act)


async def test_being_asked_is_told_and_opens_nothing(world: World) -> None:
    for act in ("requested", "deferred"):
        await say(world, act, notice="feedback/1")
        await world.fold()
        stands = await standing(world)
        assert (stands["allowed"], stands["state"]) == (False, act)
        world.now += HOUR


async def test_a_yes_to_sensitive_data_says_how_clear_it_was(world: World) -> None:
    unclear = await say(world, "given", "data.sensitive")
    assert (unclear.status_code, unclear.json()["code"]) == (422, "no_form")

    await say(world, "given", "data.sensitive", form="expressed")
    await world.fold()
    assert (await standing(world, "data.sensitive"))["because"] == "form"

    world.now += HOUR
    await say(world, "given", "data.sensitive", form="separate")
    await world.fold()
    assert (await standing(world, "data.sensitive"))["allowed"]


async def test_the_switch_closes_suggestions_at_once(world: World) -> None:
    agreed = ("profile.build", "suggest.personal")
    await world.happened(*(consent("given", each, at=NOW - DAY) for each in agreed))
    assert (await world.suggestions()).json()["mode"] == "personal"

    await say(world, "withdrawn", "suggest.characteristics")

    assert (await world.suggestions()).json()["mode"] == "general"
    assert (await standing(world, "suggest.personal"))["because"] == "needs"
