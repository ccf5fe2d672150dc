"""Keys in memory, with the contract of the real ones: for tests, demonstrations and simulations."""

from collections import Counter
from collections.abc import Collection, Mapping
from typing import ClassVar

from events.body_keys import KeyName, Retired, StoredKey


class MemoryBodyKeys:
    """See `events.body_keys.BodyKeys`."""

    is_near: ClassVar[bool] = True

    def __init__(self) -> None:
        self._names: dict[KeyName, str] = {}
        self._wrapped: dict[str, bytes | None] = {}
        self._retired: dict[str, Retired] = {}
        self._reached = 0
        self._destructions = 0

    def named(self, names: Collection[KeyName]) -> dict[KeyName, StoredKey]:
        """See `BodyKeys`."""
        found = {name: self._names[name] for name in names if name in self._names}
        return {name: StoredKey(key_id, self._wrapped[key_id] or b"") for name, key_id in found.items()}

    def ensure(self, offered: Mapping[KeyName, StoredKey]) -> dict[KeyName, StoredKey]:
        """See `BodyKeys`."""
        for name, stored in offered.items():
            if name not in self._names:
                self._names[name] = stored.id
                self._wrapped[stored.id] = stored.wrapped
        return self.named(offered)

    def find(self, ids: Collection[str]) -> dict[str, bytes | None]:
        """See `BodyKeys`."""
        return {each: self._wrapped[each] for each in ids if each in self._wrapped}

    def identities(self) -> set[str]:
        """See `BodyKeys`."""
        return {name.identity for name in self._names}

    def tally(self) -> dict[tuple[str, str], int]:
        """See `BodyKeys`."""
        return Counter((name.kind, name.period) for name in self._names)

    def destroy(self, identities: Collection[str], *, spared: Collection[str] = ()) -> int:
        """See `BodyKeys`."""
        return self._gone([name for name in self._names if name.identity in identities and name.kind not in spared])

    def age_out(self, kind: str, period: str) -> int:
        """See `BodyKeys`."""
        return self._gone([name for name in self._names if (name.kind, name.period) == (kind, period)])

    def retire(self, identities: Collection[str], *, because: str, until: int) -> int:
        """See `BodyKeys`."""
        names = [name for name in self._names if name.identity in identities]
        for name in names:
            key_id = self._names[name]
            self._retired[key_id] = Retired(key_id, self._wrapped[key_id] or b"", because, until)
        return self._gone(names)

    def destructions(self) -> int:
        """See `BodyKeys`."""
        return self._destructions

    def retired(self) -> list[Retired]:
        """See `BodyKeys`."""
        return sorted(self._retired.values(), key=lambda each: (each.because, each.id))

    def end(self, ids: Collection[str]) -> int:
        """See `BodyKeys`."""
        return sum(self._retired.pop(each, None) is not None for each in ids)

    def give_up(self, ids: Collection[str]) -> int:
        """See `BodyKeys`."""
        unknown = [each for each in ids if each not in self._wrapped]
        self._wrapped.update(dict.fromkeys(unknown))
        return len(unknown)

    def reached(self) -> int:
        """See `BodyKeys`."""
        return self._reached

    def reach(self, number: int) -> None:
        """See `BodyKeys`."""
        self._reached = number

    def wipe(self) -> str | None:
        """See `BodyKeys`."""
        return None

    def _gone(self, names: Collection[KeyName]) -> int:
        self._destructions += len(names)
        for name in names:
            self._wrapped[self._names.pop(name)] = None
        return len(names)
