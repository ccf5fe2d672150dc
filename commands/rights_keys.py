"""The keys of the erased: destroyed with the erasure; those of the evidence are kept for a named time, out of use."""

from collections.abc import Collection, Mapping

from consent.ledger import Ledger
from consent.retention import Retention
from consent.rights import Erasure, Waiting, suppression
from consent.rights_requests import RightsRequests
from consent.vault import Vault
from events.body_keys import EVIDENCE, BodyKeys, KeyName, period_of
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


def erase_again(keys: BodyKeys, requests: RightsRequests, retention: Retention, *, key: bytes) -> int:
    """Destroy or retire the keys of everybody who was erased since these were copied; how many identities.

    `key` keys the hashes of the erased. Blocks. BodyKeysUnavailable, RightsUnavailable.
    """
    latest = requests.latest()
    if keys.reached() >= latest:
        return 0
    erased = requests.erased_after(keys.reached())
    again = _known(keys.identities(), erased, key=key)
    for identity, (request, asked_at) in again.items():
        keys.destroy([identity], spared=[EVIDENCE])
        keys.retire([identity], because=request, until=retention.evidence_until(asked_at))
    if keys.wipe() is None:
        keys.reach(latest)
    return len(again)


def _known(
    identities: Collection[str], erased: Mapping[bytes, tuple[str, int]], *, key: bytes
) -> dict[str, tuple[str, int]]:
    """Those that were erased, with the request and when it was asked for."""
    hashes = {identity: suppression(identity, key=key) for identity in sorted(identities)}
    return {identity: erased[each] for identity, each in hashes.items() if each in erased}
