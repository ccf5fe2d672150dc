"""What a process remembers of keys: for four seconds, so many of them, and nothing it asked before it forgot."""

from collections.abc import Collection
from dataclasses import dataclass, field

import pytest

from events.body_keys import BodyGone, KeyName, StoredKey
from events.fact import Fact, FactUndecodable, encode_fact
from events.memory_body_keys import MemoryBodyKeys
from events.sealing import REMEMBERED_S, Sealing
from tests.builders import fact, purchased
from tests.sealing.keys import sealing_over

BEGAN = 1000.0
"""Where a clock of a process begins is no matter; at zero a sum would tell the same as a difference."""


@dataclass
class Asked(MemoryBodyKeys):
    """Keys that tell what they were asked for, and take some seconds to answer."""

    seconds: float = BEGAN
    takes: float = 0.0
    of: list[Collection[object]] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def named(self, names: Collection[KeyName]) -> dict[KeyName, StoredKey]:
        self._asked(names)
        return super().named(names)

    def find(self, ids: Collection[str]) -> dict[str, bytes | None]:
        self._asked(ids)
        return super().find(ids)

    def _asked(self, what: Collection[object]) -> None:
        self.of.append(what)
        self.seconds += self.takes

    def process(self, remembered_max: int = 100) -> Sealing:
        return sealing_over(self, clock=lambda: self.seconds, remembered_max=remembered_max)


def sealed_before(keys: Asked, *facts: Fact) -> list[bytes | None]:
    """Facts as another process sealed them."""
    values: list[bytes | None] = list(keys.process().seal(facts))
    keys.of.clear()
    return values


def orders(*owners: str) -> list[Fact]:
    return [purchased(f"o-{owner}", identity=f"app:{owner}") for owner in owners]


async def test_a_key_that_was_looked_up_lately_is_not_asked_for_again() -> None:
    keys = Asked()
    values, process = sealed_before(keys, *orders("1")), keys.process()

    for _ in range(3):
        assert [each.fact() for each in process.look_up(values)] == orders("1")
        assert [each.fact() for each in await process.looked_up(values)] == orders("1")
        keys.seconds += REMEMBERED_S / 3

    assert len(keys.of) == 1


async def test_a_key_that_was_made_lately_is_not_asked_for_again() -> None:
    keys = Asked()
    process = keys.process()
    process.seal(orders("1"))
    keys.of.clear()

    process.seal(orders("1"))
    await process.sealed(orders("1"))

    assert keys.of == []


def test_of_a_batch_only_what_is_not_remembered_is_asked_for() -> None:
    keys = Asked()
    values, process = sealed_before(keys, *orders("1", "2")), keys.process()
    process.look_up(values[:1])
    keys.of.clear()

    assert [each.fact() for each in process.look_up(values)] == orders("1", "2")
    assert list(map(len, keys.of)) == [1]


def test_a_destroyed_key_opens_until_it_is_forgotten_and_never_after() -> None:
    keys = Asked()
    values, process = sealed_before(keys, *orders("1")), keys.process()
    process.look_up(values)
    keys.destroy({each.identity for each in orders("1")})

    keys.seconds = BEGAN + REMEMBERED_S
    assert process.look_up(values)[0].fact() == orders("1")[0]
    keys.seconds += 0.001
    with pytest.raises(BodyGone):
        process.look_up(values)[0].fact()


def test_a_destroyed_key_seals_nothing_once_it_is_forgotten() -> None:
    keys = Asked()
    process = keys.process()
    process.seal(orders("1"))
    keys.destroy({each.identity for each in orders("1")})

    keys.seconds = BEGAN + REMEMBERED_S + 0.001
    values = process.seal(orders("1"))

    assert keys.process().look_up(values)[0].fact() == orders("1")[0]


def test_what_was_asked_before_all_was_forgotten_is_not_remembered() -> None:
    keys = Asked()
    values, process = sealed_before(keys, *orders("1")), keys.process()
    keys.takes = REMEMBERED_S + 0.001

    process.look_up(values)
    # The answer may be as old as the question, and the key be destroyed since.
    keys.destroy({each.identity for each in orders("1")})

    with pytest.raises(BodyGone):
        process.look_up(values)[0].fact()


@pytest.mark.parametrize(("remembered_max", "asked_again"), [(2, 0), (1, 1)])
def test_a_process_that_remembers_more_than_it_may_forgets_all(remembered_max: int, asked_again: int) -> None:
    keys = Asked()
    values, process = sealed_before(keys, *orders("1", "2")), keys.process(remembered_max)
    process.look_up(values)
    keys.of.clear()

    process.look_up(values)

    assert len(keys.of) == asked_again


async def test_no_key_is_asked_for_what_stays_in_clear_or_is_no_fact() -> None:
    keys = Asked()
    process = keys.process()
    erased = fact("rights.erased", request_id="r-1")

    values: list[bytes | None] = [*process.seal([erased]), *await process.sealed([erased]), b"nonsense", None]
    found = process.look_up(values)

    assert values[:2] == [encode_fact(erased)] * 2
    assert [each.fact() for each in found[:2]] == [erased] * 2
    for each in found[2:]:
        with pytest.raises(FactUndecodable):
            each.fact()
    assert keys.of == []
