"""Sealing the bodies of facts on their way to the log, and opening them for whoever reads it.

The keys of a batch are looked up together, and remembered in the process for a few seconds at most: what is destroyed
opens nothing after that. A process has one `Sealing` and hands it to its adapters.
"""

import asyncio
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Generic, NamedTuple, Protocol, TypeVar

from events.body_keys import BodyGone, BodyKeys, BodyKeyUnknown, KeyMaker, KeyName, StoredKey, period_of
from events.fact import BodyKey, Fact, FactUndecodable, Wire, encode_fact, fact_of, read_wire

_K = TypeVar("_K")
_V = TypeVar("_V")

REMEMBERED_S: Final = 4.0
REMEMBERED_MAX: Final = 50_000

Kind = Callable[[str], str | None]
"""Event type -> the kind of key its facts are sealed under; None for one that stays in clear."""


class Envelope(NamedTuple):
    """A record of the log with all it takes to read it: the fact in it, or why there is none."""

    wire: Wire | FactUndecodable
    key: BodyKey | Exception | None

    def fact(self) -> Fact:
        """The fact. FactUndecodable; BodyGone when its key was destroyed; BodyKeyUnknown."""
        if isinstance(self.wire, FactUndecodable):
            raise self.wire
        if isinstance(self.key, Exception):
            raise type(self.key)(*self.key.args)  # it is remembered, and would gather tracebacks
        return fact_of(self.wire, key=self.key)


class Opens(Protocol):
    """Opens what stands on the log."""

    def look_up(self, values: Sequence[bytes | None]) -> list[Envelope]:
        """The envelopes of some records, with one look-up for the keys of all. Blocks. BodyKeysUnavailable."""
        ...

    async def looked_up(self, values: Sequence[bytes | None]) -> list[Envelope]:
        """The same, without blocking."""
        ...


class Seals(Opens, Protocol):
    """Seals what goes on the log, and opens it."""

    def seal(self, facts: Sequence[Fact]) -> list[bytes]:
        """The record values of some facts, with one look-up for the keys of all. Blocks. BodyKeysUnavailable."""
        ...

    async def sealed(self, facts: Sequence[Fact]) -> list[bytes]:
        """The same, without blocking."""
        ...


class InClear:
    """Seals nothing, and opens what is in clear: for logs that were never sealed. See `Seals`."""

    def look_up(self, values: Sequence[bytes | None]) -> list[Envelope]:
        """See `Opens`."""
        why = BodyKeyUnknown("the facts are sealed, and no keys were given to open them")
        wires = list(map(_wire, values))
        return _enveloped(wires, {}, dict.fromkeys(_missing(wires, {}), why))

    async def looked_up(self, values: Sequence[bytes | None]) -> list[Envelope]:
        """See `Opens`."""
        return self.look_up(values)

    def seal(self, facts: Sequence[Fact]) -> list[bytes]:
        """See `Seals`."""
        return list(map(encode_fact, facts))

    async def sealed(self, facts: Sequence[Fact]) -> list[bytes]:
        """See `Seals`."""
        return self.seal(facts)


IN_CLEAR: Final = InClear()


@dataclass
class Sealing:
    """See `Seals`. `is_on` False opens what was sealed and seals nothing new; `clock` tells seconds.

    Keys are remembered for `REMEMBERED_S`, and `remembered_max` of them.
    """

    keys: BodyKeys
    maker: KeyMaker
    kind: Kind
    is_on: bool = True
    clock: Callable[[], float] = time.monotonic
    remembered_max: int = REMEMBERED_MAX
    _named: "_Memory[KeyName, BodyKey]" = field(init=False, repr=False)
    _found: "_Memory[str, BodyKey | Exception]" = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._named = _Memory(self.clock, self.remembered_max)
        self._found = _Memory(self.clock, self.remembered_max)

    def seal(self, facts: Sequence[Fact]) -> list[bytes]:
        """See `Seals`."""
        names, held, missing = self._at_hand(facts)
        return _encoded(facts, names, held | self._stand(missing))

    async def sealed(self, facts: Sequence[Fact]) -> list[bytes]:
        """See `Seals`."""
        names, held, missing = self._at_hand(facts)
        if missing:
            held |= await asyncio.to_thread(self._stand, missing)
        return _encoded(facts, names, held)

    def look_up(self, values: Sequence[bytes | None]) -> list[Envelope]:
        """See `Opens`."""
        wires, held = list(map(_wire, values)), self._found.held()
        return _enveloped(wires, held, self._opening(_missing(wires, held)))

    async def looked_up(self, values: Sequence[bytes | None]) -> list[Envelope]:
        """See `Opens`."""
        wires, held = list(map(_wire, values)), self._found.held()
        missing = _missing(wires, held)
        return _enveloped(wires, held, await asyncio.to_thread(self._opening, missing) if missing else {})

    def key_of(self, name: KeyName) -> BodyKey:
        """The key of a name, made where there is none. Blocks. BodyKeysUnavailable."""
        return self._stand({name})[name]

    def _at_hand(self, facts: Sequence[Fact]) -> tuple[list[KeyName | None], dict[KeyName, BodyKey], set[KeyName]]:
        """The name of each fact's key (None: it stays in clear), the keys at hand, and the names of the others."""
        names = [self._name(fact) if self.is_on else None for fact in facts]
        known, wanted = self._named.held(), {name for name in names if name is not None}
        held = {name: known[name] for name in wanted if name in known}
        return names, held, wanted - held.keys()

    def _name(self, fact: Fact) -> KeyName | None:
        kind = self.kind(fact.type)
        return None if kind is None else KeyName(fact.identity, kind, period_of(fact.received_at))

    def _stand(self, names: Collection[KeyName]) -> dict[KeyName, BodyKey]:
        """The keys that stand under these names; made where there are none."""
        if not names:
            return {}
        began = self.clock()
        stored = self.keys.named(names)
        if unmade := sorted(set(names) - stored.keys()):
            stored |= self.keys.ensure({name: self.maker.make() for name in unmade})
        found = {name: self.maker.unwrap(stored[name]) for name in names}
        self._named.keep(found, since=began)
        return found

    def _opening(self, ids: Collection[str]) -> dict[str, BodyKey | Exception]:
        """What opens what was sealed under these ids, or what to raise."""
        if not ids:
            return {}
        began = self.clock()
        found = self.keys.find(ids)
        told = {each: self._opened(each, wrapped) for each, wrapped in found.items()}
        # What is not known now may be known soon: another process has made it.
        self._found.keep(told, since=began)
        return told | {each: self._unknown(each) for each in ids if each not in told}

    def _opened(self, key_id: str, wrapped: bytes | None) -> BodyKey | Exception:
        return BodyGone("the key was destroyed") if wrapped is None else self.maker.unwrap(StoredKey(key_id, wrapped))

    def _unknown(self, key_id: str) -> Exception:
        if not self.maker.made(key_id):
            return FactUndecodable("the body is sealed under a key that is none of ours")
        return BodyKeyUnknown(
            f"the keys do not hold {key_id}, which sealed a fact: put the latest copy of them back, or give it up "
            f"with `rapport keys give-up {key_id}`"
        )


class _Memory(Generic[_K, _V]):
    """What was asked lately: forgotten as a whole, so nothing in it is older than `REMEMBERED_S`."""

    def __init__(self, clock: Callable[[], float], held_max: int) -> None:
        self._clock, self._held_max = clock, held_max
        self._since = clock()
        self._held: dict[_K, _V] = {}

    def held(self) -> dict[_K, _V]:
        """What is remembered now; not to be changed."""
        if self._clock() - self._since > REMEMBERED_S or len(self._held) > self._held_max:
            self._since, self._held = self._clock(), {}
        return self._held

    def keep(self, found: Mapping[_K, _V], *, since: float) -> None:
        """Remember what was asked at a time, unless what was known then is forgotten by now."""
        held = self.held()
        if since >= self._since:
            held.update(found)


def _wire(value: bytes | None) -> Wire | FactUndecodable:
    try:
        return read_wire(value)
    except FactUndecodable as error:
        return error


def _missing(wires: Sequence[Wire | FactUndecodable], held: Mapping[str, object]) -> set[str]:
    """The keys to ask for."""
    return {
        wire.key_id for wire in wires if isinstance(wire, Wire) and wire.key_id is not None and wire.key_id not in held
    }


def _enveloped(
    wires: Sequence[Wire | FactUndecodable],
    held: Mapping[str, BodyKey | Exception],
    asked: Mapping[str, BodyKey | Exception],
) -> list[Envelope]:
    envelopes = []
    for wire in wires:
        key_id = wire.key_id if isinstance(wire, Wire) else None
        key = None if key_id is None else asked.get(key_id) or held[key_id]
        envelopes.append(Envelope(wire, key))
    return envelopes


def _encoded(facts: Sequence[Fact], names: Sequence[KeyName | None], keys: Mapping[KeyName, BodyKey]) -> list[bytes]:
    return [
        encode_fact(fact, key=None if name is None else keys[name]) for fact, name in zip(facts, names, strict=True)
    ]
