"""A store that was put back from a copy holds what was erased since: it is noticed, and erased again."""

import logging
import secrets
from collections.abc import Awaitable, Callable

from commands.rights_erasure import Places
from consent.rights import Erasure, suppression
from consent.rights_requests import Asked
from events.partitioning import partition_of
from profiles.facet import Facet
from profiles.rights import erased_at

_log = logging.getLogger(__name__)

BY_ITSELF = "restored"
"""Stands for a key where nobody asked: the store went back."""


async def ask_again(places: Places, *, is_caught_up: Callable[[], Awaitable[bool]]) -> list[Erasure]:
    """Ask for the erasure of everybody whom the store holds again; the requests, none while it is not known yet.

    Where the log reached back far enough, the tombstone was folded again: then it is only what lies beside profiles
    that has to go, the files with it, which hold profiles as they were; and whoever came back since is left alone.
    """
    hashes = places.requests.erased_since(await places.residue.reached())
    if not hashes or not await is_caught_up():
        return []
    again: list[Erasure] = []
    gone: list[str] = []
    for identity in sorted(await places.residue.named(lambda name: suppression(name, key=places.key) in hashes)):
        if erased_at(await _facet(places, identity)) is None:
            again.append(places.requests.open(_asked(places, identity)))
        else:
            await places.residue.forget([identity])
            gone.append(identity)
    if gone:
        await places.letters.forget(gone)
        if (why := await places.residue.rewrite_files()) is not None:
            _log.warning("the store was put back from a copy, and its files hold what was erased: %s", why)
            return again
    await places.residue.reach(places.requests.latest())
    return again


async def _facet(places: Places, identity: str) -> Facet:
    partition = partition_of(identity.encode(), places.partitions)
    return (await places.profiles.load(partition, [identity])).get(identity, Facet())


def _asked(places: Places, identity: str) -> Asked:
    return Asked(
        id=secrets.token_hex(16),
        identities=[identity],
        left=[],
        hashes=[suppression(identity, key=places.key)],
        at=places.clock(),
        by=BY_ITSELF,
    )
