"""The places of one installation that people are erased from, and the sweep that goes on with what was asked for."""

import asyncio
import json
import logging
import sys
import time
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from commands.clock import now_ms
from commands.ledger import signers_of
from commands.logs import PROFILES, known_epochs
from commands.retraining import Retraining
from commands.rights_erasure import Places, carry_out
from commands.rights_keys import erase_again
from commands.rights_restored import ask_again
from commands.sealing import body_keys_of, sealing_of
from commands.settings import Settings, keyring_of
from commands.up_services import environment
from consent.accesses import AccessesUnavailable, AccessLog
from consent.evidence_index import EvidenceIndex
from consent.holds import ConsentStoreUnavailable
from consent.ledger import Ledger
from consent.redis_rights import RedisResidue
from consent.retention import load_retention
from consent.rights import StepName, Waiting
from consent.rights_certificate import SURVIVORS
from consent.rights_requests import RightsRequests, RightsUnavailable
from consent.vault import Vault, VaultUnavailable
from consent.versioned_data import DataInvalid
from events.body_keys import BodyKeysUnavailable
from events.epochs import EpochsUnreadable
from events.history import History
from events.log import KafkaLog, LogError
from events.position import Stream
from events.pseudonyms import Pseudonyms
from profiles.redis_store import RedisStore
from profiles.store import ProfileStoreError
from recommender.artifact import ArtifactInvalid
from recommender.model_folder import ModelFolder
from streams.dead_letters import ContentsNotKept, DeadLetters, unseal
from streams.redis_dead_letters import RedisDeadLetters

_log = logging.getLogger(__name__)

PLACE_ERRORS: Final = (
    AccessesUnavailable,
    ArtifactInvalid,
    BodyKeysUnavailable,
    ConsentStoreUnavailable,
    DataInvalid,
    EpochsUnreadable,
    LogError,
    ProfileStoreError,
    RightsUnavailable,
    VaultUnavailable,
)
"""What a place raises that cannot be used now."""
LOOK_S: Final = 10.0
"""How often the store is asked whether it went back."""


@dataclass(frozen=True, slots=True)
class KeptLetters:
    """Dead letters that can be opened; one that cannot tells nothing of anybody, and goes after 14 days."""

    letters: DeadLetters
    pseudonyms: Pseudonyms

    async def forget(self, identities: Collection[str]) -> int:
        """See `commands.rights_erasure.Letters`."""
        gone = []
        async for letter in self.letters.listed():
            key = await self.letters.key_of(letter.day, make=False)
            if key is None:
                continue
            with suppress(ContentsNotKept):
                contents = unseal(letter, {letter.day: key})
                if not self._about(contents.key, contents.value).isdisjoint(identities):
                    gone.append(letter.id)
        for letter_id in gone:
            await self.letters.drop(letter_id)
        return len(gone)

    def _about(self, key: bytes | None, value: bytes | None) -> set[str]:
        """Pseudonyms that a record is about: as it is keyed, or as an event says in clear."""
        said: list[Any] = [(key or b"").decode("utf-8", "replace")]
        with suppress(ValueError):  # what is no JSON is no event
            event = json.loads(value or b"")
            data = event.get("data") if isinstance(event, dict) else None
            said += [event.get("subject")] if isinstance(event, dict) else []
            said += [data.get("other")] if isinstance(data, dict) else []
        about = {each for each in said if isinstance(each, str)}
        for each in tuple(about):
            with suppress(ValueError):
                about.add(self.pseudonyms.of(each))
        return about


@dataclass
class ErasureSweep:
    """Goes on with every erasure of one installation that is not done, whatever it was stopped by."""

    settings: Settings
    retraining: Retraining = field(init=False)
    _look_at: float = field(default=float("-inf"), init=False)
    _said: dict[str, str] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        argv = [sys.executable, "-c", "import cli; cli.main()", "train", "--json"]
        self.retraining = Retraining(argv, environment(self.settings))

    def round(self) -> None:
        """Once over all that is pending. Errors of the places as they are; nothing is lost by them."""
        requests = RightsRequests(self.settings.rights)
        if requests.pending():
            asyncio.run(self._round())
        elif requests.latest() and time.monotonic() >= self._look_at:
            asyncio.run(self._look(requests))
            self._look_at = time.monotonic() + LOOK_S

    async def _look(self, requests: RightsRequests) -> None:
        """Whether the store went back, when nothing else is to do."""
        async with self._store() as store:
            went_back = await RedisResidue(store.client).reached() < requests.latest()
        if went_back or body_keys_of(self.settings).reached() < requests.latest():
            await self._round()

    async def _round(self) -> None:
        async with self._places() as places:
            await asyncio.to_thread(erase_again, places.keys, places.requests, places.retention, key=places.key)
            await ask_again(places, is_caught_up=partial(self._is_caught_up, places))
            for erasure in places.requests.pending():
                waiting = await carry_out(erasure, places)
                self._say(erasure.id, waiting)

    def _say(self, request: str, waiting: dict[StepName, Waiting]) -> None:
        said = "; ".join(f"{name}: {each.why}" for name, each in waiting.items())
        if said and self._said.get(request) != said:
            _log.info("erasure %s waits: %s", request, said)
        self._said[request] = said

    async def _is_caught_up(self, places: Places) -> bool:
        """Whether profiles are folded as far as history goes: a store that was put back gets its tombstones so."""
        epochs = [epoch for epoch, _ in places.history.partitions()]
        for epoch, partition in places.history.partitions():
            if epoch < max(epochs):
                continue
            found = await places.profiles.checkpoint(Stream(PROFILES, self.settings.events_topic, partition))
            end = await asyncio.to_thread(places.history.contiguous_end, epoch, partition)
            if found is None or (found.epoch, found.offset) < (epoch, end):
                return False
        return True

    @asynccontextmanager
    async def _store(self) -> AsyncIterator[RedisStore]:
        settings = self.settings
        store = await RedisStore.connect(settings.redis, cluster=settings.redis_cluster, partitions=settings.partitions)
        try:
            yield store
        finally:
            await store.close()

    @asynccontextmanager
    async def _places(self) -> AsyncIterator[Places]:
        async with self._store() as store, self._places_beside(store) as places:
            yield places

    @asynccontextmanager
    async def _places_beside(self, store: RedisStore) -> AsyncIterator[Places]:
        settings, keyring = self.settings, keyring_of(self.settings)
        sealing = sealing_of(settings, keyring)
        ledger, evidence = Ledger(settings.ledger), EvidenceIndex(settings.evidence, sealing)
        try:
            epoch = max((each.epoch for each in await known_epochs(store)), default=1)
            log = KafkaLog(brokers=settings.kafka, topic=settings.events_topic, epoch=epoch, sealing=sealing)
            await log.start()
            try:
                yield Places(
                    requests=RightsRequests(settings.rights),
                    log=log,
                    profiles=store,
                    residue=RedisResidue(store.client),
                    letters=KeptLetters(
                        RedisDeadLetters(store.client), Pseudonyms(keyring.pseudonym_key, settings.region)
                    ),
                    history=History(settings.history, sealing),
                    evidence=evidence,
                    accesses=AccessLog(settings.accesses),
                    ledger=ledger,
                    signers=signers_of(settings),
                    models=ModelFolder(settings.models),
                    keys=sealing.keys,
                    sealing=sealing,
                    vault=Vault(settings.vault),
                    retention=load_retention(settings.retention),
                    retrain=self.retraining.ask,
                    survivors=lambda _at: SURVIVORS,
                    partitions=settings.partitions,
                    consent_topic=settings.consent_topic,
                    clock=now_ms,
                    key=keyring.suppression_key,
                )
            finally:
                await log.stop()
        finally:
            evidence.close()
            ledger.close()
