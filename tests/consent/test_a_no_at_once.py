"""From the acknowledgement of a no on nothing is allowed, however log, fold, relay and sweeper take turns."""

import asyncio
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent.door import Allowed, Part, Refused, permits, subject_of
from consent.holds import hold_of
from consent.purposes import PROFILE
from consent.recording import Recorded
from consent.rules import shipped_rules
from consent.sweeper import GRACE_MS
from events.acts import ConsentGiven, ConsentWithdrawn
from events.fact import Fact
from profiles.facet import Facet
from profiles.fold import fold
from tests.builders import MINUTE, examples
from tests.consent.test_recording import ANNA, World, act, plan


class Service(World):
    """A whole service in one process: what is on the log is folded when told to, one identity at a time."""

    def __init__(self) -> None:
        super().__init__()
        self.facets = dict.fromkeys(ANNA, Facet())
        self.read_up_to = dict.fromkeys(ANNA, 0)
        self.to_release: list[Fact] = []
        self.last: dict[str, int] = {"yes": -1, "no": -1}
        self.acts = 0

    async def say(self, word: str) -> None:
        self.acts += 1
        self.now += 1
        kind = ConsentGiven if word == "yes" else ConsentWithdrawn
        planned = plan(act(kind, act_id=f"act-{self.acts}"), at=self.now, received_at=self.now)
        assert isinstance(await self.recorder.record(planned), Recorded)
        self.last[word] = self.acts

    async def fold_one(self, identity: str) -> None:
        mine = [fact for fact in self.log.facts if fact.identity == identity]
        if self.read_up_to[identity] < len(mine):
            fact = mine[self.read_up_to[identity]]
            self.facets[identity] = fold(self.facets[identity], fact).facet
            self.read_up_to[identity] += 1
            self.to_release.append(fact)

    async def relay(self) -> None:
        for fact in self.to_release:
            if (hold := hold_of(fact)) is not None:
                await self.holds.release(hold.name)
        self.to_release.clear()

    async def sweep(self) -> None:
        self.now += GRACE_MS
        if self.log.takes is None:
            await self.sweeper.sweep()

    async def answer(self) -> Allowed | Refused:
        held = await self.holds.of(ANNA)
        parts = tuple(Part(identity, self.facets[identity].consents, held[identity]) for identity in ANNA)
        return permits(
            subject_of(parts=parts, read_at=self.now, rules=shipped_rules()), PROFILE, at=self.now, known_at=self.now
        )

    async def settle(self) -> None:
        self.log.takes = None
        for _ in range(3):
            await self.sweep()
            self.now += 60 * MINUTE
            for identity in ANNA:
                for _ in self.log.facts:
                    await self.fold_one(identity)
            await self.relay()


FOLD_ALL = ("fold 0", "fold 1", "fold 2")
STEPS = ("yes", "no", *FOLD_ALL, *FOLD_ALL, "relay", "sweep", "the log falls silent", "the log answers")


async def take(service: Service, step: str) -> None:
    if step in ("yes", "no"):
        await service.say(step)
    elif step.startswith("fold"):
        await service.fold_one(ANNA[int(step[-1])])
    elif step.startswith("the log"):
        service.log.takes = None if step == "the log answers" else 0
    else:
        await (service.relay() if step == "relay" else service.sweep())


async def tell(steps: Iterable[str]) -> None:
    """Take the steps, and look after each; in the end let everything settle."""
    service = Service()
    for step in steps:
        await take(service, step)
        if await service.answer():
            assert service.last["yes"] > service.last["no"], step
    await service.settle()
    assert bool(await service.answer()) == (service.last["yes"] > service.last["no"])
    assert await service.held() == set()


@pytest.mark.parametrize(
    "steps",
    [
        ("yes", *FOLD_ALL, "no"),
        ("yes", *FOLD_ALL, "the log falls silent", "no", "yes"),
        ("no", "yes", "no", *FOLD_ALL, *FOLD_ALL, "relay"),
        ("no", "yes", "no", *FOLD_ALL, *FOLD_ALL, "relay", "sweep", *FOLD_ALL, "relay"),
    ],
    ids=["a no", "a no and a yes the log did not take", "a yes between two noes", "an older no folded once more"],
)
def test_a_no_denies_from_its_acknowledgement_on(steps: tuple[str, ...]) -> None:
    asyncio.run(tell(steps))


@examples(60)
@given(st.lists(st.sampled_from(STEPS), min_size=8, max_size=40))
def test_after_a_no_nothing_is_allowed_until_a_later_yes(steps: list[str]) -> None:
    asyncio.run(tell(steps))


def test_a_yes_applies_once_folded_and_not_before() -> None:
    async def story() -> None:
        service = Service()
        await service.say("yes")
        assert not await service.answer()
        await service.fold_one(ANNA[1])
        assert await service.answer()

    asyncio.run(story())
