"""The people of `leavers` as they leave, their sender who claims late, and an app that goes on asking for suggestions.

A thread of its own, so that whoever kills is not kept waiting. What was seen is judged by `judged`, a pure function.
"""

import asyncio
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

import httpx

from tests.chaos.caller import Answer, Caller, pass_until
from tests.chaos.leavers import PERSONAL, Leaver

LOOKS: Final = 4
"""Suggestions asked for after a withdrawal."""


@dataclass(slots=True)
class Seen:
    """What happened to one person: the answer to the withdrawal, to the claim, and to requests for suggestions.

    `acked_ms` is by the clock of the machine, which the API stamps claims with.
    """

    leaver: Leaver
    withdrawn: Answer | None = None
    acked_ms: int = 0
    retried: int = 0
    claimed: Answer | None = None
    suggested: list[Answer] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Judged:
    """The counts of a run. `late` names what must not be: the person and what was answered."""

    withdrawals: int
    retried: int
    claims_after: int
    go_before: int
    go_meanwhile: int
    go_who_stayed: int
    personal_before: int
    general_after: int
    reasons: Mapping[str, int]
    late: tuple[str, ...]


def judged(seen: Sequence[Seen], claimed_at: Mapping[str, int]) -> Judged:
    """What the run came to. `claimed_at`: message -> when the store says it was claimed with a go (ms).

    A claim that was asked for before the acknowledgement and answered after it went on meanwhile: either may be first.
    """
    left = [(each, each.withdrawn.answered) for each in seen if each.withdrawn is not None]
    claims = [(each, each.claimed, acked) for each, acked in left if each.claimed is not None]
    after = [(each, claim, claim.sent - acked) for each, claim, acked in claims if claim.sent > acked]
    gone_before = [claim.answered <= acked for _, claim, acked in claims if claim.sent <= acked and claim.body["go"]]
    looks = [(each, answer, answer.sent - acked) for each, acked in left for answer in each.suggested]
    looks_after = [(each, answer, lag) for each, answer, lag in looks if lag > 0 and each.leaver.purpose in PERSONAL]
    kept = [(each, claimed_at.get(each.leaver.message["id"], 0) - each.acked_ms) for each, _ in left]
    name = "{0.leaver.name}: {1} after the acknowledgement".format
    return Judged(
        withdrawals=len(left),
        retried=sum(each.retried > 0 for each, _ in left),
        claims_after=len(after),
        go_before=sum(gone_before),
        go_meanwhile=len(gone_before) - sum(gone_before),
        go_who_stayed=sum(_is_go(each) for each in seen if each.withdrawn is None),
        personal_before=sum(_is_personal(answer) for _, answer, lag in looks if lag <= 0),
        general_after=sum(not _is_personal(answer) for _, answer, _ in looks_after),
        reasons=dict(Counter(claim.body["because"] for _, claim, _ in after)),
        late=(
            *(name(each, f"go {lag:.3f} s") for each, claim, lag in after if claim.body["go"]),
            *(name(each, f"a go in the store {lag_ms} ms") for each, lag_ms in kept if lag_ms > 0),
            *(name(each, f"personal {lag:.3f} s") for each, answer, lag in looks_after if _is_personal(answer)),
        ),
    )


def _is_go(seen: Seen) -> bool:
    return seen.claimed is not None and bool(seen.claimed.body["go"])


def _is_personal(answer: Answer) -> bool:
    return bool(answer.body["mode"] == "personal")


async def refs_of(caller: Caller, leaver: Leaver) -> list[str]:
    """The references of a person's identities, in their order."""
    found = [
        await caller.ask("lookup", "POST", "/v1/customers/lookup", body={"identity": identity})
        for identity in leaver.identities
    ]
    return [str(each.answer.body["ref"]) for each in found]


async def suggested(caller: Caller, ref: str) -> Answer:
    """What to suggest to them now."""
    answer = (await caller.ask("suggestion", "GET", f"/v1/customers/{ref}/suggestions?k=3&channel=app")).answer
    assert answer.status == httpx.codes.OK, answer
    return answer


class Crowd(threading.Thread):
    """All of them at once. `caller` is made in the thread; it is there once `begun` is set."""

    def __init__(self, people: Sequence[Leaver], *, calling: Callable[[], Caller], seed: int) -> None:
        super().__init__(name="crowd", daemon=True)
        self.seen: Final = [Seen(person) for person in people]
        self.begun: Final = threading.Event()
        self.broken: BaseException | None = None
        self.caller: Caller
        self._calling = calling
        self._chance = random.Random(f"crowd {seed}")

    def run(self) -> None:
        try:
            asyncio.run(self._all())
        except BaseException as error:
            self.broken = error
            raise
        finally:
            self.begun.set()

    async def _all(self) -> None:
        self.caller = self._calling()
        refs = {each.leaver.name: await refs_of(self.caller, each.leaver) for each in self.seen}
        began = time.monotonic()
        self.begun.set()
        async with asyncio.TaskGroup() as tasks:
            for each in self.seen:
                gone = asyncio.Event()
                own = refs[each.leaver.name]
                tasks.create_task(self._leaves(each, own, began, gone))
                tasks.create_task(self._is_claimed(each, began, gone))
        await self.caller.http.aclose()

    async def _leaves(self, seen: Seen, refs: Sequence[str], began: float, gone: asyncio.Event) -> None:
        leaver = seen.leaver
        if leaver.purpose is None:
            return
        await pass_until(began + leaver.leaves_at - 0.2)
        await self._look(seen, refs[0])
        await pass_until(began + leaver.leaves_at)
        done = await self._withdraw(leaver, refs[-1])
        assert done.answer.status in (httpx.codes.ACCEPTED, httpx.codes.OK), done.answer
        if done.answer.status == httpx.codes.ACCEPTED:
            assert done.answer.body["identities"] == len(leaver.identities), done.answer
        seen.withdrawn, seen.retried = done.answer, done.cut + done.unsettled
        seen.acked_ms = time.time_ns() // 1_000_000
        gone.set()
        for _ in range(LOOKS):
            await self._look(seen, self._chance.choice(refs))
            await pass_until(time.monotonic() + self._chance.uniform(0, 1.5))

    async def _withdraw(self, leaver: Leaver, ref: str) -> Any:
        if leaver.way == "link":
            path = urlsplit(leaver.message["leave"]["url"]).path
            return await self.caller.ask("withdrawal", "POST", path, data={"List-Unsubscribe": "One-Click"})
        body = {"act": "withdrawn", "purpose": leaver.purpose, "act_id": f"leave-{leaver.name}"}
        return await self.caller.ask("withdrawal", "POST", f"/v1/customers/{ref}/consents", body=body)

    async def _look(self, seen: Seen, ref: str) -> None:
        seen.suggested.append(await suggested(self.caller, ref))

    async def _is_claimed(self, seen: Seen, began: float, gone: asyncio.Event) -> None:
        leaver = seen.leaver
        if leaver.claims_at is None:
            await gone.wait()
            await pass_until(time.monotonic() + leaver.lag)
        else:
            await pass_until(began + leaver.claims_at)
        path = f"/v1/outreach/{leaver.message['id']}/claim"
        seen.claimed = (await self.caller.ask("claim", "POST", path)).answer
        assert seen.claimed.status == httpx.codes.OK, seen.claimed
