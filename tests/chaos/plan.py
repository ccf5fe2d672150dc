"""What is done to the processes, and in which order: a pure function of the seed."""

import random
from collections.abc import Iterator, Sequence
from typing import Final, Literal, NamedTuple

Fault = Literal[
    "kill worker",
    "kill worker before a commit",
    "kill worker after a commit",
    "kill history",
    "terminate worker",
    "freeze worker",
    "third worker comes and goes",
    "kill store",
    "copy store",
    "restore older store",
    "delay store",
    "dribble store",
    "silence store",
    "cut store",
    "half-open store",
    "kill broker",
    "delay broker",
    "silence broker",
    "cut broker",
    "half-open broker",
]

KILLS: Final[tuple[Fault, ...]] = (
    "kill worker",
    "kill worker before a commit",
    "kill worker after a commit",
    "kill worker",
    "kill worker before a commit",
    "kill worker after a commit",
    "kill history",
)
"""What is counted towards the kills asked for, as often as they are drawn."""

OTHERS: Final[tuple[Fault, ...]] = (
    "restore older store",
    "freeze worker",
    "kill store",
    "cut store",
    "third worker comes and goes",
    "half-open store",
    "cut broker",
    "terminate worker",
    "silence store",
    "half-open broker",
    "delay store",
    "silence broker",
    "dribble store",
    "delay broker",
    "kill broker",
)
"""All the rest, each drawn once before any is drawn again."""

SECONDS: Final[dict[Fault, tuple[float, float]]] = {
    "freeze worker": (8.0, 10.0),
    "third worker comes and goes": (12.0, 16.0),
    "delay store": (3.0, 6.0),
    "dribble store": (3.0, 6.0),
    "silence store": (2.0, 7.0),
    "delay broker": (3.0, 6.0),
    "silence broker": (2.0, 9.0),
}
"""How long those take that last: a frozen worker longer than its session."""


class Step(NamedTuple):
    """One thing to do; `seconds` where it lasts."""

    fault: Fault
    seconds: float = 0.0


def plan(*, seed: int, every: int, others: Sequence[Fault] = OTHERS) -> Iterator[Step]:
    """Kills without end, one of the other faults after each `every` of them.

    The copy that a store is put back from is taken one round before, so that there are kills in between.
    """
    chance = random.Random(f"plan {seed}")
    deck: list[Fault] = []
    while True:
        deck = deck or chance.sample(others, len(others))
        other = deck.pop() if deck else None
        if other == "restore older store":
            yield Step("copy store")
        for _ in range(every):
            yield Step(chance.choice(KILLS))
        if other is not None:
            low, high = SECONDS.get(other, (0.0, 0.0))
            yield Step(other, round(chance.uniform(low, high), 1))
