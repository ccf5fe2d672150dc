"""What is away is waited for; a defect is not."""

import pytest

from profiles.store import ProfileStoreUnavailable
from streams.patience import WAIT_MAX_S, Away, patiently, wait_s

NO_DELAY = (0.0, 0.0)


class Fails:
    """Raises these one after the other, then answers."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.waited_for: list[str] = []

    async def attempt(self) -> str:
        if self.errors:
            raise self.errors.pop(0)
        return "done"

    async def patiently(self, *, delays_s: tuple[float, ...] = NO_DELAY) -> str:
        return await patiently(self.attempt, what="it", delays_s=delays_s, on_wait=self.waited_for.append)


async def test_a_failure_is_tried_again_and_a_defect_is_raised_in_the_end() -> None:
    assert await Fails(KeyError(), KeyError()).patiently() == "done"
    with pytest.raises(KeyError):
        await Fails(KeyError(), KeyError(), KeyError()).patiently()


async def test_what_is_away_is_waited_for_beyond_the_last_delay_and_told() -> None:
    away = ProfileStoreUnavailable("the store is full")
    fails = Fails(away, away, away)

    assert await fails.patiently() == "done"

    assert fails.waited_for == ["the store is full"]


async def test_a_defect_that_follows_what_was_away_is_raised() -> None:
    fails = Fails(Away(), Away(), Away("still"), KeyError())

    with pytest.raises(KeyError):
        await fails.patiently()

    assert fails.waited_for == ["still"]


def test_workers_that_wait_for_the_same_do_not_come_back_at_once() -> None:
    assert wait_s(0.0) == WAIT_MAX_S / 2
    assert wait_s(0.0) < wait_s(0.4) < wait_s(0.999) < WAIT_MAX_S
