"""Was it allowed? Each answer that needs a permit is held against what the model knew while it was made."""

from collections.abc import Sequence

from events.fact import Fact
from outreach.candidates import Candidate
from outreach.deciding import Decider, Outcome
from tests.simulation.model import may
from tests.simulation.network import Process
from tests.simulation.world import World


class Window:
    """From before an answer is begun to after it is given.

    A no that binds before the answer is begun counts against it, a yes that is folded before it is given counts for it:
    so an answer is only ever called wrong if it is wrong at every moment in between.
    """

    def __init__(self, world: World, identity: str) -> None:
        self._world, self._identity = world, identity
        self._restores = world.restores
        self._before = world.model.person(identity)
        self._noes = {name: world.model.standing_noes([name]) for name in self._before}

    def check(self, purpose: str, *, at: int, what: str) -> None:
        """Say so if it was not allowed at `at` (ms), whichever moment is looked at."""
        world = self._world
        if world.restores != self._restores:
            return  # what stood before is no longer known to the store, and nobody could have asked it
        after = world.model.person(self._identity)
        noes: Sequence[Fact] = [no for name in self._before & after for no in self._noes[name]]
        grants = world.model.grants(world.model.kin(self._identity))
        if not may(purpose, grants=grants, noes=noes, at=at):
            world.wrong(f"{what} of {self._identity} for {purpose} without a permit")


class WatchedDecider:
    """The product's decider, each of its messages held against the model."""

    def __init__(self, decider: Decider, world: World, process: Process) -> None:
        self._decider, self._world, self._process = decider, world, process

    async def decide(self, candidate: Candidate, *, now: int) -> Outcome:
        window = Window(self._world, candidate.identity)
        outcome = await self._decider.decide(candidate, now=now)
        made = self._world.found.sent_by[self._process.name]
        for decision in [each for each in made if each.identity == candidate.identity and each.at == now]:
            made.remove(decision)
            if decision.channel not in (None, "desk"):
                window.check(f"outreach.{decision.channel}", at=now, what="a message was decided on")
        return outcome
