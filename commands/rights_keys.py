"""The keys of the erased: destroyed with the erasure; those of the evidence are kept for a named time, out of use."""

import asyncio
from collections.abc import Mapping

from consent.ledger import Ledger
from consent.retention import Retention
from consent.rights import Erasure, Waiting, suppression
from consent.rights_requests import RightsRequests, RightsUnavailable
from consent.vault import Vault
from events.body_keys import EVIDENCE, BodyKeys, BodyKeysUnavailable, KeyName, period_of
from events.sealing import Sealing


def destroy_profile_keys(keys: BodyKeys, erasure: Erasure) -> Mapping[str, int] | Waiting:
    """Nobody opens what the person told any more, wherever a copy of it lies. Blocks. BodyKeysUnavailable."""
    gone = keys.destroy(erasure.identities, spared=[EVIDENCE])
    why = keys.wipe()
    return {"keys": gone} if why is None else Waiting(why)


def retire_evidence_keys(keys: BodyKeys, erasure: Erasure, retention: Retention) -> Mapping[str, int] | Waiting:
    """What proves what was allowed is opened by two persons only from now on, until a named day; then by nobody."""
    # Keys that were put back from a copy meanwhile, or made for facts on their way, go too.
    keys.destroy(erasure.identities, spared=[EVIDENCE])
    until = retention.evidence_until(erasure.asked_at)
    kept = keys.retire(erasure.identities, because=erasure.id, until=until)
    keys.reach(max(erasure.number, keys.reached()))
    why = keys.wipe()
    return ({"keys": kept, "until": until} if kept else {}) if why is None else Waiting(why)


def put_evidence_away(vault: Vault, ledger: Ledger, sealing: Sealing, erasure: Erasure, *, now: int) -> int:
    """Keep what the ledger can show of the erased under a key that goes out of use with the others; how much. Blocks.

    BodyKeysUnavailable, VaultUnavailable.
    """
    openings = ledger.about(erasure.identities)
    if openings and sealing.is_on:
        name = KeyName(min(erasure.identities), EVIDENCE, period_of(now))
        vault.put_away(erasure.id, openings, key=sealing.key_of(name))
        return len(openings)
    return 0


async def keys_refusal(keys: BodyKeys, requests: RightsRequests) -> str | None:
    """Why the keys are not to be served from now; None where nothing speaks against it."""
    try:
        went_back = await asyncio.to_thread(lambda: requests.certified_after(keys.reached()))
    except (BodyKeysUnavailable, RightsUnavailable) as error:
        return str(error)
    return "the keys were put back from a copy: those of the erased are being destroyed again" if went_back else None


def erase_again(keys: BodyKeys, requests: RightsRequests, retention: Retention, *, key: bytes) -> int:
    """Destroy or retire the keys of everybody who was erased since these were copied; how many identities.

    An erasure that still goes on does so by its own steps. `key` keys the hashes of the erased. Blocks.
    BodyKeysUnavailable, RightsUnavailable.
    """
    erased = requests.certified_after(keys.reached())
    if not erased:
        return 0
    hashes = {identity: suppression(identity, key=key) for identity in sorted(keys.identities())}
    again = {identity: erased[each] for identity, each in hashes.items() if each in erased}
    for identity, done in again.items():
        keys.destroy([identity], spared=[EVIDENCE])
        keys.retire([identity], because=done.id, until=retention.evidence_until(done.asked_at))
    if keys.wipe() is None:
        keys.reach(max(done.number for done in erased.values()))
    return len(again)
