"""An erasure carried out: each step of `consent.rights`, over the places where a person's data is.

Whatever a step finds undone it does, and doing it again changes nothing, so it may die anywhere.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

from commands.rights_facts import erasure_fact
from commands.rights_keys import destroy_profile_keys, put_evidence_away, retire_evidence_keys
from consent.accesses import AccessLog
from consent.evidence_index import EvidenceIndex
from consent.ledger import Ledger
from consent.ledger_entry import Entry, EntryUnknown
from consent.ledger_note import Signer
from consent.redis_rights import ActUnfinished, StoreResidue
from consent.retention import Retention
from consent.rights import Done, Erasure, StepName, Waiting, next_steps, suppression
from consent.rights_certificate import Survivor, certificate_of, hash_of
from consent.rights_requests import RightsRequests
from consent.telling import telling_of_erasure
from consent.vault import Vault
from events.admission import Admitted
from events.body_keys import BodyKeys
from events.fact import encode_fact
from events.history import History
from events.log import EventLog
from events.partitioning import partition_of
from events.position import Position
from events.sealing import Sealing
from events.shape import format_time
from profiles.rights import erased_at
from profiles.store import ProfileStore
from recommender.model_folder import ModelFolder

_log = logging.getLogger(__name__)


class Letters(Protocol):
    """Dead letters, as far as they are about persons."""

    async def forget(self, identities: Collection[str]) -> int:
        """Drop those that are about one of the identities; how many."""
        ...


@dataclass(frozen=True, kw_only=True)
class Places:
    """Everywhere a person's data is, and what is needed to take it away.

    `retrain` makes a model from history as it is now, and says why it could not. `survivors` says what is beyond our
    reach. `consent_topic` is where other systems are told. `key` keys the hashes of the erased; `clock` gives ms.
    """

    requests: RightsRequests
    log: EventLog
    profiles: ProfileStore
    residue: StoreResidue
    letters: Letters
    history: History
    evidence: EvidenceIndex
    accesses: AccessLog
    ledger: Ledger
    signers: Sequence[Signer]
    models: ModelFolder
    keys: BodyKeys
    sealing: Sealing
    vault: Vault
    retention: Retention
    retrain: Callable[[], str | None]
    survivors: Callable[[int], Sequence[Survivor]]
    partitions: int
    consent_topic: str
    clock: Callable[[], int]
    key: bytes = field(repr=False)

    def hashes(self, erasure: Erasure) -> list[bytes]:
        """What is remembered of the identities, in their order."""
        return [suppression(identity, key=self.key) for identity in erasure.identities]


async def carry_out(erasure: Erasure, places: Places) -> dict[StepName, Waiting]:
    """Go as far as it goes now; what the steps that could not be done wait for."""
    done = dict(erasure.done)
    waiting: dict[StepName, Waiting] = {}
    while step := next((name for name in next_steps(done) if name not in waiting), None):
        outcome = await _DOES[step](erasure, places, done)
        if isinstance(outcome, Waiting):
            waiting[step] = outcome
            continue
        now = places.clock()
        if step != "certified":
            await asyncio.to_thread(places.requests.done, erasure, step, at=now, found=outcome)
        done[step] = Done(now, outcome)
        _log.info("erasure %s: %s done, %s", erasure.id, step, dict(outcome) or "nothing was there")
    return waiting


Outcome = Mapping[str, int] | Waiting
Steps = Mapping[StepName, Done]


async def _announced(erasure: Erasure, places: Places, _done: Steps) -> Outcome:
    hashes = [each.hex() for each in places.hashes(erasure)]
    content = {"asked_at": erasure.asked_at, "asked_by": erasure.asked_by, "identities": hashes}
    entry = Entry(id=_entry_id(erasure), kind="rights.erasure", content=content)
    await asyncio.to_thread(places.ledger.append, [entry])
    return {}


async def _keys(erasure: Erasure, places: Places, _done: Steps) -> Outcome:
    return await asyncio.to_thread(destroy_profile_keys, places.keys, erasure)


async def _evidence_keys(erasure: Erasure, places: Places, _done: Steps) -> Outcome:
    return await asyncio.to_thread(retire_evidence_keys, places.keys, erasure, places.retention)


async def _told(erasure: Erasure, places: Places, _done: Steps) -> Outcome:
    facts = [erasure_fact(erasure, identity) for identity in erasure.identities]
    admitted = [
        Admitted(fact=fact, partition=partition_of(fact.identity.encode(), places.partitions)) for fact in facts
    ]
    positions = await places.log.append(admitted)
    # Appended twice after a crash, the last one has to be waited for as well.
    ends = {f"{each.epoch}.{each.partition}": each.offset for each in sorted(positions)}
    return {"identities": len(admitted), **ends}


async def _recipients(erasure: Erasure, places: Places, _done: Steps) -> Outcome:
    for number, identity in enumerate(erasure.identities):
        key = identity.encode()
        await places.log.publish(
            topic=places.consent_topic,
            key=key,
            value=telling_of_erasure(erasure.id, number),
            partition=partition_of(key, places.partitions),
        )
    return {"told": len(erasure.identities)}


async def _folded(erasure: Erasure, places: Places, _done: Steps) -> Outcome:
    for identity in erasure.identities:
        partition = partition_of(identity.encode(), places.partitions)
        found = (await places.profiles.load(partition, [identity])).get(identity)
        if found is None or (erased_at(found) or -1) < erasure.asked_at:
            return Waiting("the erasure is not folded yet")
    return {"facets": len(erasure.identities)}


async def _store(erasure: Erasure, places: Places, _done: Steps) -> Outcome:
    try:
        gone = dict(await places.residue.forget(erasure.identities))
    except ActUnfinished as error:
        return Waiting(str(error))
    gone["dead letters"] = await places.letters.forget(erasure.identities)
    await places.residue.reach(max(erasure.number, await places.residue.reached()))
    return {name: count for name, count in gone.items() if count}


async def _store_files(_erasure: Erasure, places: Places, _done: Steps) -> Outcome:
    why = await places.residue.rewrite_files()
    return {} if why is None else Waiting(why)


async def _history(erasure: Erasure, places: Places, _done: Steps) -> Outcome:
    tombstones = await asyncio.to_thread(_tombstones, erasure, places)
    if isinstance(tombstones, Waiting):
        return tombstones
    return {"rows": await asyncio.to_thread(_remove_rows, places, tombstones)}


async def _evidence(erasure: Erasure, places: Places, done: Steps) -> Outcome:
    tombstones = await asyncio.to_thread(_tombstones, erasure, places)
    if isinstance(tombstones, Waiting):
        return tombstones
    if not _has_come(done, places.evidence.next_offset):
        return Waiting("the index of evidence has not come to the erasure yet")
    repeats = {identity: encode_fact(erasure_fact(erasure, identity)) for identity in erasure.identities}
    return {"pieces": await asyncio.to_thread(places.evidence.forget, tombstones, repeats=repeats)}


async def _accesses(erasure: Erasure, places: Places, _done: Steps) -> Outcome:
    return {"looks": await asyncio.to_thread(places.accesses.forget, erasure.identities)}


async def _ledger(erasure: Erasure, places: Places, done: Steps) -> Outcome:
    if not _has_come(done, places.ledger.next_offset):
        return Waiting("the ledger has not come to the erasure yet")
    kept = await asyncio.to_thread(
        put_evidence_away, places.vault, places.ledger, places.sealing, erasure, now=places.clock()
    )
    gone = await asyncio.to_thread(places.ledger.forget, erasure.identities, because=_entry_id(erasure))
    return {"openings": len(gone)} | ({"put away": kept} if kept else {})


async def _models(_erasure: Erasure, places: Places, done: Steps) -> Outcome:
    removed_at = done["history"].at
    old = [name for name in places.models.names() if places.models.made_at(name) <= removed_at]
    if places.models.current() in old:
        why = await asyncio.to_thread(places.retrain)
        if why is not None:
            return Waiting(why)
        old = [name for name in places.models.names() if places.models.made_at(name) <= removed_at]
        if places.models.current() in old:
            return Waiting("no model is served yet that was made without the person")
    for name in old:
        await asyncio.to_thread(places.models.remove, name)
    return {"models": len(old)}


async def _certified(erasure: Erasure, places: Places, done: Steps) -> Outcome:
    # A message that was being decided while the person was erased may have left a note of that, and whoever looked
    # whether they are gone has: the model alone takes minutes.
    if await places.residue.forget(erasure.identities) and (why := await places.residue.rewrite_files()):
        return Waiting(why)
    await asyncio.to_thread(places.accesses.forget, erasure.identities)
    await asyncio.to_thread(places.ledger.forget, erasure.identities, because=_entry_id(erasure))
    now = places.clock()
    certificate = certificate_of(
        replace(erasure, done=done),
        at=now,
        survivors=[*places.survivors(now), *_kept_evidence(done)],
        hashes=places.hashes(erasure),
        signers=places.signers,
    )
    entry_id = f"{_entry_id(erasure)}:certified"
    entry = Entry(id=entry_id, kind="rights.certified", content={"certificate": hash_of(certificate)})
    with suppress(EntryUnknown):
        # A crash came between the ledger and our own note: the one that was put down is not known any more.
        places.ledger.opening(entry_id)
        entry = Entry(id=f"{entry_id}:{now}", kind=entry.kind, content=entry.content)
    await asyncio.to_thread(places.ledger.append, [entry])
    await asyncio.to_thread(places.requests.certify, erasure, certificate, at=now)
    return {}


def _kept_evidence(done: Steps) -> list[Survivor]:
    until = done["evidence_keys"].found.get("until")
    kept = "the keys of consent acts and links, out of use; opened by two persons together"
    return [] if until is None else [Survivor("keys", kept, format_time(until))]


_DOES: Final[Mapping[StepName, Callable[[Erasure, Places, Steps], Awaitable[Outcome]]]] = {
    "announced": _announced,
    "keys": _keys,
    "log": _told,
    "recipients": _recipients,
    "profiles": _folded,
    "store": _store,
    "store_files": _store_files,
    "history": _history,
    "evidence": _evidence,
    "accesses": _accesses,
    "ledger": _ledger,
    "evidence_keys": _evidence_keys,
    "models": _models,
    "certified": _certified,
}


def _entry_id(erasure: Erasure) -> str:
    return f"erasure:{erasure.id}"


def _tombstones(request: Erasure, places: Places) -> dict[str, Position] | Waiting:
    """Where the erasure of each identity stands first in history, all before it being there too."""
    found: dict[str, Position] = {}
    for identity in request.identities:
        fact = erasure_fact(request, identity)
        partition = partition_of(identity.encode(), places.partitions)
        place = places.history.find(fact.event_key, partition, identity=identity)
        if place is None or places.history.contiguous_end(place[0].epoch, partition) <= place[0].offset:
            return Waiting("history does not hold the erasure yet")
        found[identity] = place[0]
    return found


def _has_come(done: Steps, next_offset: Callable[[int, int], int]) -> bool:
    """Tell whether a follower of history has taken every fact of this erasure."""
    ends = [(name.split("."), offset) for name, offset in done["log"].found.items() if "." in name]
    return all(next_offset(int(epoch), int(partition)) > offset for (epoch, partition), offset in ends)


def _remove_rows(places: Places, tombstones: Mapping[str, Position]) -> int:
    removed = 0
    for epoch, partition in places.history.partitions():
        offsets: list[int] = []
        for identity, (last_epoch, own, offset) in tombstones.items():
            # Under another partition count an identity lay elsewhere; so earlier logs are looked through.
            if epoch < last_epoch or (epoch, partition) == (last_epoch, own):
                before = offset if epoch == last_epoch else places.history.contiguous_end(epoch, partition)
                offsets += places.history.offsets_of(epoch, partition, [identity], before=before)
        if offsets:
            removed += places.history.remove(epoch, partition, offsets)
    return removed
