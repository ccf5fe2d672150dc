"""Pairs of HTTP processes that serve many people: what is seen from outside, and by operators, must not differ."""

import asyncio
import logging
import tempfile
from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import Final, Self

import httpx
from msgspec.structs import replace

from consent.holds import hold_of
from events.fact import Fact, decode_fact
from events.identity import Linked, Related, Unlinked
from tests.api.world import World
from tests.builders import NOW, admitted, event, pseudonym
from tests.noninterference.pairs import CHANNELS, Answers, Pair, drawn_pair
from tests.noninterference.refusals import CARD, NEIGHBOUR, PERSON

PEOPLE: Final = 20
"""People in each process, each in another pair, each with a neighbour."""

_TIMED: Final = b"rapport_http_request_seconds"


class Asked(logging.Handler):
    """Keeps every line that any part of the process logs while it is asked."""

    def __init__(self) -> None:
        super().__init__(level=logging.DEBUG)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """See `Handler`."""
        self.lines.append(f"{record.name} {record.levelname} {record.getMessage()}")

    def __enter__(self) -> Self:
        root = logging.getLogger()
        self._level = root.level
        root.addHandler(self)
        root.setLevel(logging.DEBUG)
        return self

    def __exit__(self, *_: object) -> None:
        root = logging.getLogger()
        root.removeHandler(self)
        root.setLevel(self._level)


def drawn_process_pair(chance: Random) -> tuple[str, Answers, Answers]:
    """Two processes, alike but for what people of the one did and those of the other did not."""
    pairs = [drawn_pair(chance) for _ in range(PEOPLE)]
    asked = [(chance.choice(CHANNELS), chance.randrange(1, 9)) for _ in pairs]
    one, other = (asyncio.run(_served(pairs, asked, one=is_one)) for is_one in (True, False))
    return "many people", one, other


async def _served(pairs: list[Pair], asked: list[tuple[str | None, int]], *, one: bool) -> Answers:
    """What a process of these people answers, logs and counts."""
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder))
        await world.log.start()
        for number, pair in enumerate(pairs):
            people = pair.one if one else pair.other
            noes = [hold_of(_renamed(decode_fact(hold.fact), _names(number))) for hold in pair.shared.holds()]
            await world.holds.place([no for no in noes if no is not None])
            await world.log.append([admitted(_renamed(each, _names(number))) for each in people.facts])
        await world.fold()
        with Asked() as logs:
            answers = await _asked(world, asked)
        return {**answers, "log lines": "\n".join(logs.lines).encode(), "metrics": _counted(world)}


async def _asked(world: World, asked: list[tuple[str | None, int]]) -> Answers:
    """Suggestions for each person and neighbour, and what a sender is told of one more event about the person."""
    found: dict[str, bytes] = {}
    for number, (channel, k) in enumerate(asked):
        for whose, identity in (("own", PERSON), ("others'", NEIGHBOUR)):
            ref = world.services.refs.seal(_names(number)[identity])
            params: dict[str, str | int] = {"k": k} if channel is None else {"k": k, "channel": channel}
            answer = await world.ask("GET", f"/v1/customers/{ref}/suggestions", params=params)
            found[f"{whose} answer {number}"] = answer.content
            found[f"{whose} shape {number}"] = _shape(answer)
        sent = await world.send(event("service.visited", subject=_clear(number), at=NOW, place="berlin"))
        told = {name: value for name, value in sent.json().items() if name != "after"}
        found[f"own events answer {number}"] = f"{sent.status_code} {told}".encode()
    return found


def _shape(answer: httpx.Response) -> bytes:
    """Status, headers, and how long the lists are."""
    lists = {name: len(value) for name, value in answer.json().items() if isinstance(value, list)}
    return f"{answer.status_code} {answer.headers.multi_items()} {lists}".encode()


def _counted(world: World) -> bytes:
    """All counts; how long answers took and when a counter began is chance."""
    lines = world.services.metrics.text().splitlines()
    return b"\n".join(
        line
        for line in lines
        if b"_created" not in line and (not line.startswith(_TIMED) or line.startswith(_TIMED + b"_count"))
    )


def _clear(number: int) -> str:
    return f"app:person-{number}"


def _names(number: int) -> dict[str, str]:
    """The identities of one pair -> those of this person in the process."""
    clear = {PERSON: _clear(number), CARD: f"card:{number}", NEIGHBOUR: f"phone:+4930123{number:05}"}
    return {each: pseudonym(name) for each, name in clear.items()}


def _renamed(fact: Fact, names: Mapping[str, str]) -> Fact:
    body = fact.body
    if isinstance(body, Linked | Unlinked | Related):
        body = body.model_copy(update={"other": names.get(body.other, body.other)})
    return replace(fact, identity=names[fact.identity], body=body)
