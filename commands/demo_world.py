"""The demo world: a few hundred people with a known truth, and the people of the stories by name.

A pure function of a seed and the moment: under the same seed it is the same people with the same event ids, moved
along with `now`.
"""

from dataclasses import dataclass
from random import Random
from typing import Any

from commands.demo_world_cast import cast
from commands.demo_world_crowd import PersonTruth, crowd
from commands.demo_world_diary import Diary


@dataclass(frozen=True, slots=True)
class World:
    """Events (CloudEvents of one source) in the order of their time, and the truth about the people in them."""

    events: list[dict[str, Any]]
    people: tuple[PersonTruth, ...]

    @property
    def cast(self) -> tuple[PersonTruth, ...]:
        """The people of the stories."""
        return tuple(person for person in self.people if person.story is not None)


def world(*, seed: int, now: int) -> World:
    """The demo world of a seed as it stands at `now` (ms)."""
    diary = Diary(seed=seed, now=now)
    people = (*cast(diary), *crowd(diary, Random(seed)))  # noqa: S311 - a demo, not a secret
    return World(diary.events, people)
