"""The HTTP process over memory, with an officer who asks it and evidence that follows its log."""

from typing import Any

import httpx

from consent.evidence import evidence_of
from events.fact import decode_fact
from events.following import Stretch
from events.position import Position
from tests.api.world import EVENTS, World
from tests.builders import PARTITIONS

AUDIT = {"Rapport-Purpose": "audit"}


class Desk(World):
    """A world whose log is followed when told to."""

    def follow(self) -> None:
        """Let the evidence take whatever stands on the log."""
        for partition in range(PARTITIONS):
            records = self.log.records(EVENTS, partition)
            start = self.services.evidence.next_offset(1, partition)
            facts = [
                (Position(1, partition, record.offset), fact)
                for record in records
                if record.offset >= start and evidence_of(fact := decode_fact(record.value)) is not None
            ]
            self.services.evidence.take(
                Stretch(epoch=1, partition=partition, start=start, end=len(records), facts=facts)
            )

    async def asks(self, what: str, identity: str | None = "app:42", **params: Any) -> httpx.Response:
        """The officer's question about a person, or (None) about all."""
        path = f"people/{await self.ref(identity)}/{what}" if identity else what
        headers = params.pop("headers", AUDIT)
        return await self.ask("GET", f"/v1/officer/{path}", key="privacy", params=params, headers=headers)

    async def told(self, what: str, identity: str | None = "app:42", **params: Any) -> dict[str, Any]:
        """The answer to it."""
        answer = await self.asks(what, identity, **params)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def says(self, act: str, purpose: str, *, identity: str = "app:42", **more: Any) -> dict[str, Any]:
        """Record an act at the desk, fold it and let the evidence take it."""
        ref = await self.ref(identity)
        answer = await self.ask("POST", f"/v1/customers/{ref}/consents", json={"act": act, "purpose": purpose, **more})
        assert answer.status_code == 202, answer.text
        await self.fold()
        self.follow()
        return dict(answer.json())
