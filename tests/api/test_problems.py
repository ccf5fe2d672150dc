import asyncio
import logging
from collections.abc import Collection

import pytest

from api.problems import BY_EXCEPTION, KINDS, SAYABLE, problem_of, respond
from api.refusal import Refusal
from consent.rules import shipped_rules
from profiles.person import PersonReader
from profiles.store import ProfileStoreUnavailable
from profiles.view import Loaded
from tests.api.world import World, problem
from tests.builders import pseudonym, purchased

SECRET = "anna@example.org"


class Source:
    """Facets that cannot be read, for one reason or another."""

    def __init__(self, error: Exception | None) -> None:
        self.error = error

    async def load_many(self, identities: Collection[str]) -> dict[str, Loaded]:
        if self.error is None:
            await asyncio.Event().wait()
        raise self.error or TimeoutError


@pytest.mark.parametrize("kind", KINDS)
def test_every_problem_has_the_members_of_the_standard(kind: str) -> None:
    answer = respond(problem_of(Refusal(kind)))

    assert answer.media_type == "application/problem+json"
    assert answer.status_code == KINDS[kind].status
    assert ("retry-after" in answer.headers) == (answer.status_code in {429, 503})


def test_every_exception_of_the_table_has_a_kind() -> None:
    assert {*BY_EXCEPTION.values(), *SAYABLE.values()} <= KINDS.keys()


@pytest.mark.parametrize("error", BY_EXCEPTION)
def test_the_words_of_an_inner_failure_stay_inside(error: type[Exception]) -> None:
    raised = error() if error.__init__ is object.__init__ else error(SECRET)

    assert SECRET not in bytes(respond(problem_of(raised)).body).decode()


async def test_a_store_that_is_away_is_told_as_a_time_to_come_back(world: World) -> None:
    away = PersonReader(Source(ProfileStoreUnavailable(SECRET)), rules=shipped_rules())

    answer = await world.with_services(persons=away).suggestions()

    assert (answer.status_code, problem(answer)) == (503, "store-unavailable")
    assert answer.headers["retry-after"]
    assert SECRET not in answer.text


async def test_a_store_that_is_slow_is_not_waited_for(world: World) -> None:
    answer = await world.with_services(
        persons=PersonReader(Source(None), rules=shipped_rules()), timeout_s=0.05
    ).suggestions()

    assert (answer.status_code, problem(answer)) == (503, "too-slow")
    assert answer.headers["retry-after"]


async def test_what_nobody_foresaw_shows_and_logs_nothing_it_held(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    broken = PersonReader(Source(RuntimeError(SECRET)), rules=shipped_rules())

    with caplog.at_level(logging.DEBUG):
        answer = await world.with_services(persons=broken).suggestions()

    assert (answer.status_code, problem(answer)) == (500, "internal")
    assert SECRET not in answer.text + caplog.text
    assert "Traceback" not in answer.text + caplog.text
    assert "unforeseen RuntimeError at load_many" in caplog.text


async def test_an_unreadable_profile_decides_nothing(world: World) -> None:
    await world.happened(purchased())
    [key] = [key for key in world.store.values if ":facet:" in key]
    world.store.values[key] = b"\x90"

    answer = await world.suggestions()

    assert (answer.status_code, problem(answer)) == (500, "profile-unreadable")


async def test_clear_identities_are_in_no_log_line(world: World, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        await world.ask("POST", "/v1/customers/lookup", json={"identity": f"email:{SECRET}"})
        await world.ask("POST", "/v1/customers/lookup", json={"identity": SECRET})
        await world.suggestions(f"email:{SECRET}")

    assert SECRET not in caplog.text
    assert pseudonym(f"email:{SECRET}") not in caplog.text
