"""Dead letters about an erased person go, whether they came from the log or from intake, where they are in clear."""

import json
from typing import Any

import pytest

from commands.rights_places import KeptLetters
from events.fact import encode_fact
from events.position import Stream
from streams.dead_letters import Undertaker, decode_letter
from streams.frame import Record
from streams.memory_dead_letters import MemoryDeadLetters
from tests.builders import NOW, PSEUDONYMS, event, pseudonym, purchased

ME, OTHER = "app:42", "app:other"


def on_the_log(identity: str) -> Record:
    return Record(0, NOW, pseudonym(identity).encode(), encode_fact(purchased(identity=identity)))


def on_intake(said: Any) -> Record:
    return Record(0, NOW, None, json.dumps(said).encode())


async def kept(record: Record, *, letters: MemoryDeadLetters) -> str:
    stream = Stream("profiles", "rapport.intake", 3)
    entry = await Undertaker(keys=letters).entry(
        stream=stream, epoch=1, record=record, index=0, at=NOW, reason="full", detail=""
    )
    letter = decode_letter(entry.payload)
    await letters.keep([letter])
    return letter.id


@pytest.mark.parametrize(
    "record",
    [
        on_the_log(ME),
        on_intake(event("service.visited", subject=ME, place="shop")),
        on_intake({"subject": ME, "time": "not a time"}),
        on_intake(event("identity.linked", subject=OTHER, other=ME, strength="verified", reason="x")),
        Record(0, NOW, ME.encode(), b"no event at all"),
    ],
)
async def test_a_letter_about_the_person_goes(record: Record) -> None:
    letters = MemoryDeadLetters()
    name = await kept(record, letters=letters)

    assert await KeptLetters(letters, PSEUDONYMS).forget([pseudonym(ME)]) == 1
    assert await letters.find(name) is None


@pytest.mark.parametrize(
    "record",
    [
        on_the_log(OTHER),
        on_intake(event("service.visited", subject=OTHER, place="shop")),
        on_intake([ME]),
        on_intake({"subject": 42, "data": ME}),
        Record(0, NOW, b"\xff", b"\xff"),
        Record(0, NOW, None, None),
    ],
)
async def test_a_letter_about_somebody_else_or_nobody_stays(record: Record) -> None:
    letters = MemoryDeadLetters()
    name = await kept(record, letters=letters)

    assert await KeptLetters(letters, PSEUDONYMS).forget([pseudonym(ME)]) == 0
    assert await letters.find(name) is not None


async def test_a_letter_whose_key_is_gone_tells_nothing_and_is_passed_over() -> None:
    letters, elsewhere = MemoryDeadLetters(), MemoryDeadLetters()
    name = await kept(on_the_log(ME), letters=elsewhere)
    found = await elsewhere.find(name)
    assert found is not None
    await letters.keep([found])

    assert await KeptLetters(letters, PSEUDONYMS).forget([pseudonym(ME)]) == 0
