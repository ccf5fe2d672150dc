"""Every bad event, at either door: its named fate, neighbours unharmed, and nothing of it where it does not belong."""

import logging
from collections import Counter
from collections.abc import AsyncIterator

import msgspec
import pytest

from events.fact import read_wire
from events.position import Stream
from events.pseudonyms import PSEUDONYM
from streams.dead_letters import DeadLetter
from streams.frame import Record
from tests.api.world import World
from tests.bad_input.cases import ADMITTED, ANNA, EVENTS, Event
from tests.builders import NOW, PARTITIONS, event, pseudonym, raw
from tests.streams.dead_letter_world import EVENTS as FACTS
from tests.streams.dead_letter_world import INTAKE, LetterWorld

ALL = [case for cases in EVENTS.values() for case in cases]
INTAKE_STREAM = Stream("profiles", INTAKE, 0)
BEFORE, AFTER = (raw(event("service.visited", subject=f"app:{name}", place="shop")) for name in ("before", "after"))


def told(letter: DeadLetter) -> str:
    """All that a letter says in clear."""
    return repr(msgspec.structs.replace(letter, sealed=b""))


def names_in(text: str) -> bool:
    return ANNA in text or pseudonym(f"email:{ANNA}") in text


def facts(worker: LetterWorld | World) -> list[str]:
    """The identities of everything on the log."""
    records = [record for at in range(PARTITIONS) for record in worker.log.records(FACTS, at)]
    return [read_wire(record.value).identity for record in records]


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("world"))


@pytest.fixture
async def world(process: World) -> AsyncIterator[World]:
    """One HTTP process for all cases: dear to build, and none may harm what it answers to the next."""
    await process.log.start()
    yield process
    await process.log.stop()


@pytest.mark.parametrize("case", [case for case in ALL if case.intake], ids=lambda case: case.name)
async def test_a_bad_event_on_the_intake(case: Event, worker: LetterWorld, caplog: pytest.LogCaptureFixture) -> None:
    records = [
        Record(7, NOW, b"app:before", BEFORE),
        Record(8, NOW, case.key, case.sent, case.headers),
        Record(9, NOW, b"app:after", AFTER),
    ]

    with caplog.at_level(logging.DEBUG):
        await worker.take(INTAKE_STREAM, [Record(0, NOW, b"app:before", BEFORE)])
        checkpoint = await worker.take(INTAKE_STREAM, [Record(0, NOW, b"app:before", BEFORE), *records])

    letters = await worker.kept()
    assert [(letter.offset, letter.reason) for letter in letters] == (
        [] if case.intake == ADMITTED else [(8, case.intake)]
    )
    assert checkpoint is not None
    assert checkpoint.offset == 10
    assert {pseudonym("app:before"), pseudonym("app:after")} <= set(facts(worker))
    assert len(facts(worker)) == 3 + (case.intake == ADMITTED)
    assert all(PSEUDONYM.fullmatch(identity) for identity in facts(worker))
    assert not any(names_in(told(letter)) for letter in letters)
    assert not names_in(caplog.text)


@pytest.mark.parametrize("case", [case for case in ALL if case.http], ids=lambda case: case.name)
async def test_a_bad_event_over_http(case: Event, world: World, caplog: pytest.LogCaptureFixture) -> None:
    stood = Counter(facts(world))
    with caplog.at_level(logging.DEBUG):
        answer = await world.ask(
            "POST",
            "/v1/events",
            key="ingest",
            content=case.sent or b"",
            headers={"Content-Type": "application/json"},
        )

    said = answer.json()
    found = str(answer.status_code)
    if answer.status_code >= 400:
        assert answer.headers["content-type"] == "application/problem+json"
        found += " " + said["type"].removeprefix("urn:rapport:problem:")
        found += "".join(f": {item['code']}" for item in said.get("items", ()))
    assert found == case.http
    assert (Counter(facts(world)) - stood).total() == (answer.status_code == 202)
    assert not names_in(answer.text + caplog.text)
    assert "Traceback" not in answer.text + caplog.text


@pytest.mark.parametrize("case", [case for case in ALL if case.http and case.sent], ids=lambda case: case.name)
async def test_a_bad_event_among_good_ones_over_http(case: Event, world: World) -> None:
    """One of a batch is refused alone, unless the text around it is broken too."""
    assert case.sent is not None
    stood = Counter(facts(world))
    answer = await world.ask(
        "POST",
        "/v1/events",
        key="ingest",
        content=b"[" + b",".join([BEFORE, case.sent, AFTER]) + b"]",
        headers={"Content-Type": "application/json"},
    )

    new = Counter(facts(world)) - stood
    if answer.status_code in (202, 207):
        assert {pseudonym("app:before"), pseudonym("app:after")} <= set(new)
    else:
        assert answer.status_code in (400, 413)
        assert not new


def test_every_case_has_a_name_of_its_own() -> None:
    names = [case.name for case in ALL]
    assert len(set(names)) == len(names)
