"""An installation over memory and a folder, from which people are erased: everything on disk is the product's own."""

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, cast

from commands.rights_erasure import Places, carry_out
from consent.accesses import Access, AccessLog
from consent.evidence import EVIDENCE_TYPES
from consent.evidence_index import EvidenceIndex
from consent.ledger import Ledger
from consent.ledger_follower import LEDGER_TYPES, LedgerFollower
from consent.purposes import SUGGEST, TRAIN
from consent.redis_rights import ActUnfinished
from consent.retention import load_retention
from consent.rights import Erasure, StepName, Waiting, suppression
from consent.rights_certificate import Survivor
from consent.rights_requests import Asked, RightsRequests
from consent.vault import Vault
from events.following import follow
from events.history import History
from events.partitioning import partition_of
from events.position import Stream
from events.sqlite_body_keys import SqliteBodyKeys
from profiles.facet import Facet
from profiles.fold import fold
from profiles.memory_store import MemoryStore, Snapshot
from recommender.artifact import untrained
from recommender.model_store import ModelStore
from tests.api.world import CATALOGUE, EVENTS, World
from tests.builders import HOUR, MINUTE, NOW, PARTITIONS, consent, linked, pseudonym, purchased
from tests.ledger.ledgers import SIGNER, open_ledger
from tests.sealing.keys import sealing_over

KEY: Final = b"s" * 32
CONSENT_TOPIC: Final = "rapport.consent"
RETENTION: Final = load_retention()
LOOKED: Final = Access(NOW, "0" * 8, "agent", "card", pseudonym("app:42"), "answer", "", broke_glass=False)


ME, CARD, OTHER = "app:42", "card:7", "app:other"
SAID: Final = (
    consent("given", SUGGEST, at=NOW - HOUR),
    consent("given", TRAIN, at=NOW - HOUR),
    purchased("o-1"),
    purchased("o-2", identity=CARD),
    *linked(ME, CARD),
    consent("given", SUGGEST, identity=OTHER, at=NOW - HOUR),
    purchased("o-3", identity=OTHER),
)


class MemoryResidue:
    """What the store holds beside facets: the identity that each entry names. See `consent.redis_rights`."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self.entries: dict[str, str] = {}
        self.is_act_open = False
        self.files_written = 0
        self.number = 0

    async def found(self, identities: Collection[str]) -> Mapping[str, int]:
        return Counter(key.partition(":")[0] for key, name in self.entries.items() if name in identities)

    async def forget(self, identities: Collection[str]) -> Mapping[str, int]:
        if self.is_act_open:
            raise ActUnfinished("a consent act about the person is still being recorded")
        gone = await self.found(identities)
        self.entries = {key: name for key, name in self.entries.items() if name not in identities}
        return gone

    async def named(self, is_wanted: Callable[[str], bool]) -> set[str]:
        facets = {key.partition(":facet:")[2] for key in self._store.values}
        return set(filter(is_wanted, {*self.entries.values(), *facets}))

    async def rewrite_files(self) -> str | None:
        self.files_written += 1
        return None

    async def reached(self) -> int:
        return self.number

    async def reach(self, number: int) -> None:
        self.number = number


class NoLetters:
    """Nothing was ever set aside."""

    async def forget(self, _identities: Collection[str]) -> int:
        return 0


class Killed(BaseException):
    """The process died here."""


class Mortal:
    """Passes calls on to what it stands before; `dies` is told of each that changes something, before and after."""

    CHANGES: Final = {
        *("append", "forget", "remove", "reach", "rewrite_files", "done", "certify", "publish"),
        *("destroy", "retire", "wipe", "put_away"),
    }

    def __init__(self, inner: Any, dies: Callable[[], None]) -> None:
        self._inner = inner
        self._dies = dies

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if name not in self.CHANGES:
            return found
        dies = self._dies

        def call(*args: Any, **named: Any) -> Any:
            dies()
            answer = found(*args, **named)
            if not hasattr(answer, "__await__"):
                dies()
                return answer

            async def whole() -> Any:
                done = await answer
                dies()
                return done

            return whole()

        return call


class Installation:
    """A log and a store in memory; history, evidence, ledger, accesses, models and requests in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.keys = SqliteBodyKeys(folder / "keys" / "bodies.sqlite")
        self.seconds = 0.0
        self.sealing = sealing_over(self.keys, clock=lambda: self.seconds)
        self.world = World(folder / "world", sealing=self.sealing)
        self.residue = MemoryResidue(self.world.store)
        self.models = ModelStore(folder / "models")
        self.open()

    def open(self) -> None:
        """Begin anew with what is on disk, as a process does that was started again."""
        self.history = History(self.folder / "history", self.sealing)
        self.evidence = EvidenceIndex(self.folder / "world" / "evidence.sqlite", self.sealing)
        self.accesses = AccessLog(self.folder / "world" / "accesses.sqlite")
        self.vault = Vault(self.folder / "vault.sqlite")
        self.requests = RightsRequests(self.folder / "world" / "rights.sqlite")
        self.ledger: Ledger = open_ledger(self.folder / "ledger")

    def restart(self) -> None:
        self.ledger.close()
        self.evidence.close()
        self.open()

    def places(self) -> Places:
        return Places(
            requests=self.requests,
            log=self.world.log,
            profiles=self.world.store,
            residue=self.residue,
            letters=NoLetters(),
            history=self.history,
            evidence=self.evidence,
            accesses=self.accesses,
            ledger=self.ledger,
            signers=[SIGNER],
            models=self.models,
            keys=self.keys,
            sealing=self.sealing,
            vault=self.vault,
            retention=RETENTION,
            retrain=self.retrain,
            survivors=lambda _at: [Survivor("the log", "facts", "its retention")],
            partitions=PARTITIONS,
            consent_topic=CONSENT_TOPIC,
            clock=self.world.clock,
            key=KEY,
        )

    def mortal(self, dies: Callable[[], None]) -> Places:
        """The places, of which each may be where the process dies."""
        whole = self.places()
        names = ("requests", "log", "residue", "history", "evidence", "accesses", "ledger", "models", "keys", "vault")
        return replace(whole, **{name: cast(Any, Mortal(getattr(whole, name), dies)) for name in names})

    def train(self, code: str) -> str:
        return self.models.publish(untrained(CATALOGUE, code=code), record={"snapshot": self.world.now})

    def retrain(self) -> str | None:
        self.world.now += 1
        self.train("without them")
        return None

    def archive(self) -> None:
        """What the app `history` does."""
        for partition in range(PARTITIONS):
            records = self.world.log.records(EVENTS, partition)
            end = self.history.contiguous_end(1, partition)
            if end < len(records):
                self.history.append(1, partition, end, len(records), records[end:])

    def follow(self) -> None:
        """What the keeper does."""
        follow(self.history, self.evidence, types=EVIDENCE_TYPES)
        follow(self.history, LedgerFollower(self.ledger), types=LEDGER_TYPES)

    def ask(self, *identities: str, left: Collection[str] = ()) -> Erasure:
        """Ask for the erasure of these identities, a minute after everything so far."""
        self.world.now += MINUTE
        names = [pseudonym(identity) for identity in identities]
        return self.requests.open(
            Asked(
                id=f"request-{len(self.requests.listed()) + 1}",
                identities=names,
                left=[pseudonym(each) for each in left],
                hashes=[suppression(name, key=KEY) for name in names],
                at=self.world.now,
                by="0" * 8,
            )
        )

    async def carry_out(self, places: Places | None = None) -> dict[StepName, Waiting]:
        """One round of the sweeper over what is pending."""
        waiting: dict[StepName, Waiting] = {}
        for each in self.requests.pending():
            waiting |= await carry_out(each, places or self.places())
        return waiting

    async def go_on(self, places: Places | None = None, *, rounds: int) -> None:
        """So many rounds of everything that runs."""
        for _ in range(rounds):
            await self.carry_out(places)
            await self.world.fold()
            self.archive()
            self.follow()

    async def until_done(self, places: Places | None = None) -> Erasure:
        """Round after round of everything that runs."""
        await self.go_on(places, rounds=5)
        assert self.requests.pending() == []
        return self.requests.listed()[0]

    async def facet(self, identity: str) -> Facet:
        name = pseudonym(identity)
        found = await self.world.store.load(partition_of(name.encode(), PARTITIONS), [name])
        return found.get(name, Facet())

    async def put_back(self, copy: Snapshot) -> None:
        """The store is put back from a copy; the owner of the partitions notices, and folds the log from there."""
        self.world.store.restore(copy)
        for partition in range(PARTITIONS):
            found = await self.world.store.checkpoint(Stream("profiles", EVENTS, partition))
            self.world._fold.look(partition, found, read_to=len(self.world.log.records(EVENTS, partition)))
        await self.world.fold()

    def naming(self, identity: str) -> list[str]:
        """The files that hold the bytes of a pseudonym."""
        name = pseudonym(identity).encode()
        files = [path for path in self.folder.rglob("*") if path.is_file()]
        return sorted(str(path.relative_to(self.folder)) for path in files if name in path.read_bytes())


async def lived_in(home: Installation) -> None:
    await home.world.log.start()
    await home.world.happened(*SAID)
    home.archive()
    home.follow()
    home.accesses.note(LOOKED)
    home.train("with them")
    home.residue.entries = {"decision:1": pseudonym(ME), "cap:1": pseudonym(CARD), "decision:2": pseudonym(OTHER)}


def replayed(home: Installation, identity: str) -> Facet:
    """The facet that all of history amounts to, as a rebuild makes it."""
    facet = Facet()
    for _, some in home.history.facts():
        if some.identity == pseudonym(identity):
            facet = fold(facet, some).facet
    return facet
