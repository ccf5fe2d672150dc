"""Other systems are told of a no before its hold goes, and have to confirm that they heard it."""

import json
from pathlib import Path
from typing import Any

import pytest

from api.auth import Role
from consent.holds import HoldName, hold_of
from consent.memory_holds import MemoryHolds
from consent.purposes import OUTREACH_CHANNELS, PURPOSES
from consent.telling import Confirmations, stopped_by, telling_id, telling_of
from events.acts import Closing
from events.fact import Fact
from events.memory_log import MemoryLog
from events.position import Checkpoint, Stream
from events.vocabulary import BODIES
from profiles.memory_store import MemoryStore
from profiles.store import Commit, OutboxEntry
from streams.consent_relay import ConsentRelay
from streams.memory_dead_letters import MemoryDeadLetters
from streams.relay import PublishFailed, Relay
from streams.settling import decode_release, encode_release, settlers
from tests.api.world import problem
from tests.builders import DAY, NOW, PARTITIONS, admitted, consent, fact, linked, pseudonym
from tests.officer.desk import Desk
from tests.streams.memory_settling import SettledHolds, SettledLetters

PURPOSE = "outreach.email"
NO = consent("withdrawn", PURPOSE)
TOPIC = "rapport.consent"
STREAM = Stream("profiles", "rapport.events", admitted(NO).partition)


@pytest.fixture
async def desk(tmp_path: Path) -> Any:
    desk = Desk(tmp_path)
    await desk.log.start()
    yield desk.with_services(timeout_s=60.0)
    await desk.log.stop()


def name_of(no: Fact) -> HoldName:
    hold = hold_of(no)
    assert hold is not None
    return hold.name


class Outbox:
    """A store whose outbox holds one folded no, its hold, and the relay over both."""

    def __init__(self) -> None:
        self.store = MemoryStore(partitions=PARTITIONS)
        self.holds = MemoryHolds(partitions=PARTITIONS)
        self.log = MemoryLog(topic="rapport.events", partitions=PARTITIONS)
        letters = SettledLetters(self.store, MemoryDeadLetters())
        self.relay = Relay(
            store=self.store,
            publish={"release": ConsentRelay(self.log, TOPIC)},
            settle=settlers(letters=letters, holds=SettledHolds(self.store, self.holds)),
            owned=lambda: [STREAM],
        )

    async def fold(self, no: Fact) -> None:
        hold, payload = hold_of(no), encode_release(no)
        assert hold is not None
        assert payload is not None
        await self.holds.place([hold])
        entry = OutboxEntry(offset=0, index=0, kind="release", payload=payload)
        await self.store.commit(Commit(stream=STREAM, expected=None, next=Checkpoint(1, 1, "a log"), outbox=[entry]))

    async def held(self) -> frozenset[str]:
        return (await self.holds.of([NO.identity]))[NO.identity]

    def told(self) -> list[tuple[bytes | None, dict[str, Any]]]:
        return [(each.key, json.loads(each.value or b"")) for each in self.log.records(TOPIC, STREAM.partition)]


async def test_a_no_is_told_under_the_identity_before_its_hold_goes() -> None:
    outbox = Outbox()
    await outbox.log.start()
    await outbox.fold(NO)

    await outbox.relay.drain(STREAM)

    assert outbox.told() == [
        (pseudonym("app:42").encode(), {"id": telling_id(name_of(NO)), "no_to": PURPOSE, "stops": [PURPOSE]})
    ]
    assert await outbox.held() == frozenset()


async def test_what_could_not_be_told_stays_closed_and_is_told_later() -> None:
    outbox = Outbox()
    await outbox.fold(NO)

    with pytest.raises(PublishFailed):
        await outbox.relay.drain(STREAM)
    assert await outbox.held() == {PURPOSE}

    await outbox.log.start()
    await outbox.relay.drain(STREAM)
    assert len(outbox.told()) == 1
    assert await outbox.held() == frozenset()


def test_a_no_that_is_told_twice_is_the_same_bytes_and_another_one_has_another_id() -> None:
    others = [
        consent("withdrawn", PURPOSE, at=NOW + 1),
        consent("withdrawn", "model.train"),
        consent("withdrawn", PURPOSE, identity="app:43"),
    ]

    assert telling_of(name_of(NO)) == telling_of(decode_release(encode_release(NO) or b""))
    assert len({telling_id(name_of(each)) for each in [NO, *others]}) == 4


@pytest.mark.parametrize("word", [pseudonym("app:42"), "app"])
def test_what_is_told_names_the_identity_in_the_key_alone(word: str) -> None:
    assert word.encode() not in telling_of(name_of(NO))


@pytest.mark.parametrize("act", [name for name, body in BODIES.items() if issubclass(body, Closing)])
def test_whatever_places_a_hold_is_told_and_lets_it_go(act: str) -> None:
    closing = fact(act, purpose=PURPOSE)

    assert decode_release(encode_release(closing) or b"") == name_of(closing)


@pytest.mark.parametrize("act", ["given", "renewed", "requested", "deferred"])
def test_what_places_no_hold_is_not_told(act: str) -> None:
    assert hold_of(said := fact(f"consent.{act}", purpose=PURPOSE)) is None
    assert encode_release(said) is None


def test_a_no_stops_whatever_needs_the_purpose() -> None:
    messages = {f"outreach.{channel}" for channel in OUTREACH_CHANNELS}

    assert set(stopped_by("suggest.personal")) == {"suggest.personal", *messages}
    assert set(stopped_by("profile.build")) == {"profile.build", "suggest.personal", *messages}
    assert stopped_by("outreach.sms") == ("outreach.sms",)
    assert all(purpose in stopped_by(purpose) for purpose in PURPOSES)


async def left(desk: Desk) -> dict[str, Any]:
    answer = await desk.ask("GET", "/v1/officer/recipients", key="privacy")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()["recipients"]
    return found


async def confirm(desk: Desk, *ids: str, key: str = "ingest") -> Any:
    return await desk.ask("POST", "/v1/consent/confirmations", key=key, json={"ids": list(ids)})


async def test_a_no_is_missing_until_its_recipient_confirms_it(desk: Desk) -> None:
    await desk.happened(NO, consent("given", "model.train"))
    desk.follow()
    asked = await left(desk)
    expected = telling_id(name_of(NO))
    assert asked == {"crm": {"unconfirmed": 1, "oldest": "2026-03-01T09:30:00.000Z", "ids": [expected]}}

    answer = await confirm(desk, expected)

    assert (answer.status_code, answer.json()) == (200, {"recipient": "crm", "confirmed": 1})
    assert await left(desk) == {"crm": {"unconfirmed": 0, "oldest": None, "ids": []}}
    assert (await confirm(desk, expected)).status_code == 200


async def test_each_recipient_confirms_for_itself(desk: Desk) -> None:
    desk.keys.add(Role.INGEST, name="mailer", source="mailer")
    both = Confirmations(path=desk.services.confirmations.path, recipients=("crm", "mailer"))
    desk.with_services(confirmations=both)
    await desk.happened(NO)
    desk.follow()

    await confirm(desk, telling_id(name_of(NO)), key="mailer")

    assert {name: each["unconfirmed"] for name, each in (await left(desk)).items()} == {"crm": 1, "mailer": 0}


async def test_an_act_for_a_whole_person_is_confirmed_identity_by_identity(desk: Desk) -> None:
    await desk.happened(linked("app:42", "phone:+49301234567"))
    await desk.says("withdrawn", PURPOSE)

    assert (await left(desk))["crm"]["unconfirmed"] == 2


async def test_a_no_of_long_ago_is_not_waited_for(desk: Desk) -> None:
    await desk.happened(consent("withdrawn", PURPOSE, at=NOW - 91 * DAY))
    desk.follow()

    assert (await left(desk))["crm"]["unconfirmed"] == 0


async def test_a_key_whose_source_is_no_recipient_confirms_nothing(desk: Desk) -> None:
    desk.keys.add(Role.INGEST, name="till", source="till")

    answer = await confirm(desk, "0" * 32, key="till")

    assert (answer.status_code, problem(answer)) == (403, "forbidden")


@pytest.mark.parametrize("ids", [[], ["nonsense"], ["0" * 33], ["0" * 32] * 1001])
async def test_ids_that_are_none_are_refused(desk: Desk, ids: list[str]) -> None:
    assert problem(await confirm(desk, *ids)) == "invalid"


async def test_what_cannot_be_noted_is_not_acknowledged(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "broken.sqlite").write_bytes(b"no database" * 100)
    broken = Confirmations(path=tmp_path / "broken.sqlite", recipients=("crm",))
    desk.with_services(confirmations=broken)

    answer = await confirm(desk, "0" * 32)

    assert (answer.status_code, problem(answer)) == (503, "not-noted")
