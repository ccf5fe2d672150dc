"""Recording what somebody said for them: the text that was read out, and who read it."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from consent.notices import Notices
from consent.purposes import PURPOSES
from events.fact import decode_fact
from tests.api.world import EVENTS, World
from tests.builders import NOW, PARTITIONS
from tests.leaving.served import Served, served

PURPOSE = "feedback.analyse"
TOLD = Notices.load().current(PURPOSE, at=NOW, known_at=NOW)
NOTICE = "" if TOLD is None else TOLD.ref


@pytest.fixture
async def desk(patient: World, tmp_path: Path) -> AsyncIterator[Served]:
    async with served(patient, tmp_path) as found, patient.folding():
        yield found


def recorded(world: World) -> list[dict[str, Any]]:
    """What the acts on the log say, beside their ids."""
    values = [record.value for partition in range(PARTITIONS) for record in world.log.records(EVENTS, partition)]
    return [
        {"type": fact.type, **fact.body.model_dump(exclude_none=True, exclude={"act_id"})}
        for fact in map(decode_fact, values)
    ]


async def test_every_purpose_has_a_notice_with_its_hash_in_both_languages(world: World) -> None:
    answer = await world.ask("GET", "/v1/notices")
    told = answer.json()["notices"]

    assert set(told) == set(PURPOSES)
    for purpose, each in told.items():
        notice = Notices.load().by_ref(each["notice"])
        assert notice is not None
        assert purpose in notice.purposes
        assert each["hash"] == notice.hash
        assert each["texts"]["zh"]["body"] == notice.texts.zh.body


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_the_notice_is_shown_and_recorded_with_who_read_it_out(desk: Served, language: str) -> None:
    words = ("consent", "give", "app:42", PURPOSE, "--ask", language, "--agent", "a-12", "--channel", "phone")
    done = await desk.rapport(*words, typed="y\n")

    assert done.exit_code == 0, done.output
    wording = Notices.load().by_ref(NOTICE)
    assert wording is not None
    body = wording.wording("zh" if language == "zh" else "en").body
    assert body[:12] in done.stderr
    [act] = recorded(desk.world)
    assert act == {
        "type": "consent.given",
        "purpose": PURPOSE,
        "notice": NOTICE,
        "notice_hash": wording.hash,
        "language": language,
        "by": "subject",
        "form": "expressed",
        "agent": "a-12",
        "channel": "phone",
        "evidence": "recorded",
    }


@pytest.mark.parametrize("typed", ["n\n", "\n", ""])
async def test_without_their_word_no_yes_is_recorded(desk: Served, typed: str) -> None:
    done = await desk.rapport("consent", "give", "app:42", PURPOSE, "--ask", "en", "--agent", "a-12", typed=typed)

    assert done.exit_code == 1
    assert recorded(desk.world) == []


async def test_a_no_is_recorded_without_a_question(desk: Served) -> None:
    done = await desk.rapport("consent", "withdraw", "app:42", PURPOSE, "--ask", "en", "--agent", "a-12")

    assert done.exit_code == 0, done.output
    assert [act["type"] for act in recorded(desk.world)] == ["consent.withdrawn"]


async def test_whoever_reads_a_notice_out_gives_their_name(desk: Served) -> None:
    done = await desk.rapport("consent", "give", "app:42", PURPOSE, "--ask", "en", typed="y\n")

    assert done.exit_code == 2
    assert recorded(desk.world) == []


async def test_a_link_from_the_command_line_opens_the_preferences(desk: Served) -> None:
    url = (await desk.told("consent", "link", "app:42"))["url"]

    assert "feedback" in await desk.curl(f"curl {url}")
