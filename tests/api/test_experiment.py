"""A control group over HTTP: frozen by the first presentation that is on the log, whatever is linked afterwards."""

from dataclasses import replace
from typing import Any

import pytest

from events.shape import format_time
from recommender.uplift import Arm, Experiment, arm_of
from tests.api.world import RECEIPTS, World
from tests.builders import DAY, NOW, consent, linked, pseudonym

SPRING = Experiment.model_validate(
    {"version": 1, "name": "spring", "since": format_time(NOW - DAY), "shares": {"general": 0.5}}
)


def drawing(arm: Arm) -> list[str]:
    """People who draw a group as long as nobody is linked, smaller pseudonyms first."""
    people = [f"app:{number}" for number in range(40)]
    mine = [
        each for each in people if arm_of({}, canonical=pseudonym(each), experiment=SPRING, key=RECEIPTS.key) == arm
    ]
    return sorted(mine, key=pseudonym)


def pair() -> tuple[str, str]:
    """One who draws `general`, and one who draws `full` and gives their name to both once they are linked."""
    return drawing("general")[-1], drawing("full")[0]


@pytest.fixture
def tried(world: World) -> World:
    return world.with_services(receipts=replace(RECEIPTS, experiment=SPRING))


async def agreed(world: World, *identities: str) -> None:
    for each in identities:
        for purpose in ("profile.build", "suggest.personal"):
            await world.happened(consent("given", purpose, identity=each, at=NOW - DAY))


async def mode(world: World, identity: str) -> str:
    return str((await world.suggestions(identity)).json()["mode"])


async def present(world: World, identity: str) -> Any:
    answer = (await world.suggestions(identity, k=1)).json()
    said = {"services": [each["service"] for each in answer["suggestions"]]}
    return await world.ask("POST", f"/v1/suggestions/{answer['decision']}/presented", json=said)


async def test_the_group_of_who_was_presented_something_stays_when_they_are_linked(tried: World) -> None:
    shy, full = pair()
    await agreed(tried, shy, full)
    assert (await mode(tried, shy), await mode(tried, full)) == ("general", "personal")

    assert (await present(tried, shy)).status_code == 202
    await tried.fold()
    await tried.happened(*linked(shy, full))

    assert [await mode(tried, each) for each in (shy, full)] == ["general", "general"]


async def test_without_an_exposure_the_one_who_gives_the_name_decides(tried: World) -> None:
    shy, full = pair()
    await agreed(tried, shy, full)
    await tried.happened(*linked(shy, full))

    assert [await mode(tried, each) for each in (shy, full)] == ["personal", "personal"]


async def test_nobody_is_in_a_group_who_did_not_let_suggestions_be_personal(tried: World, world: World) -> None:
    shy, _ = pair()
    plain = (await world.with_services(receipts=RECEIPTS).suggestions(shy)).content

    tried.with_services(receipts=replace(RECEIPTS, experiment=SPRING))

    assert (await tried.suggestions(shy)).content == plain
