"""Whoever sends messages: reads what is to be sent, asks immediately before sending, sends, and says so."""

import json
from collections.abc import Awaitable, Callable
from random import Random
from typing import Final

from events.admission import event_key
from events.outreach import OutreachClaimed
from outreach.claiming import Go
from outreach.facts import OWN_SOURCE, claimed_fact, sent_fact
from tests.simulation.kafka import OUTREACH
from tests.simulation.network import Process
from tests.simulation.permission import Window
from tests.simulation.workers import ADMISSION, claims_of
from tests.simulation.world import PARTITIONS, World

ASKS_AGAIN: Final = 0.2
"""How often it asks once more about some earlier message, as one does that forgot."""

Request = Callable[[Process], Awaitable[None]]


class Sender:
    """`ask` takes a request to the API, again and again while that dies or cannot answer."""

    def __init__(self, world: World, *, seed: int, ask: Callable[[Request], Awaitable[None]]) -> None:
        self._world, self._ask = world, ask
        self._chance = Random(f"{seed} sender")
        self._seen: list[tuple[str, str]] = []

    async def run(self) -> None:
        """Until cancelled."""
        world, read = self._world, dict.fromkeys(range(PARTITIONS), 0)
        while True:
            await world.loop.rest(0.5)
            for partition in read:
                for record in world.kafka.at(OUTREACH, partition).records[read[partition] :]:
                    read[partition] += 1
                    self._seen.append((json.loads(record.value or b"")["id"], (record.key or b"").decode()))
                    await self._claimed(*self._seen[-1])
            if self._seen and self._chance.random() < ASKS_AGAIN:
                await self._claimed(*self._chance.choice(self._seen))

    async def _claimed(self, name: str, identity: str) -> None:
        async def claim(process: Process) -> None:
            world, now, restores = self._world, self._world.clock(), self._world.restores
            window, is_known = Window(world, identity), self._is_claim_known(name, identity)
            answer = await claims_of(world, process).claim(name, at=now)
            world.say(f"claim of {name[:10]}: {'go' if answer else getattr(answer, 'reason', '')}")
            facts = []
            if answer.decision is not None and answer.decision.claim is not None:
                facts.append(claimed_fact(answer.decision, now=now))
            if isinstance(answer, Go):
                is_same_store = world.restores == restores
                if is_same_store and (name in world.found.went or is_known):
                    world.wrong(f"{name} was sent twice")
                (world.found.went if is_same_store else world.found.went_before).add(name)
                if answer.decision.channel != "desk":
                    window.check(f"outreach.{answer.decision.channel}", at=now, what="a go")
                facts.append(sent_fact(answer.decision, at=now, now=now))
            await world.log(process).append([ADMISSION.place(fact) for fact in facts])

        await self._ask(claim)

    def _is_claim_known(self, name: str, identity: str) -> bool:
        """A store that went back past a claim knows of it again once it has folded what the log tells of it."""
        told = event_key(OWN_SOURCE, f"{OutreachClaimed.event_type} {name}")
        return name in self._world.found.went_before and self._world.model.is_folded((identity, told))
