"""The Function library in the server: which one may stand there, and how ours gets there."""

import importlib.resources
import re
from collections.abc import Mapping
from typing import Any, Final, Literal

from redis.asyncio import Redis, RedisCluster

from profiles.redis_faults import faults
from profiles.store import ProfileStoreUnavailable, ProfileStoreUnfit

LIBRARY: Final = "rapport_v1"
FUNCTION: Final = "rapport_v1_commit"
OLDEST: Final = (7, 2)

Client = Redis | RedisCluster
Deed = Literal["keep", "load", "replace"]

_REVISION = re.compile(r"^-- revision (\d+)$", re.MULTILINE)
_ATTEMPTS: Final = 3


def library_code() -> str:
    """The text of the library, from the package's own folder."""
    return importlib.resources.files("profiles").joinpath(f"{LIBRARY}.lua").read_text(encoding="utf-8")


def deed(*, standing: str | None, ours: str) -> Deed:
    """What to do about the library that stands in the server (None: none).

    A newer revision of the same library serves us as well; an older one is replaced. ProfileStoreUnfit when the same
    revision says something else: somebody changed it, and neither text can be trusted to be what others rely on.
    """
    if standing is None:
        return "load"
    if standing == ours:
        return "keep"
    theirs, mine = _revision(standing), _revision(ours)
    if theirs is None or theirs == mine:
        raise ProfileStoreUnfit(f"another library named {LIBRARY} stands in the store; delete it if it is not in use")
    return "keep" if mine is not None and theirs > mine else "replace"


def _revision(code: str) -> int | None:
    found = _REVISION.search(code)
    return int(found[1]) if found else None


def unfitness(info: Mapping[str, Any], *, cluster: bool) -> str | None:
    """Why a server that tells this about itself (INFO) cannot hold profiles; None when it can."""
    name = "Valkey" if "valkey_version" in info else "Redis"
    version = str(info.get("valkey_version") or info.get("redis_version") or "")
    if _numbers(version) < OLDEST:
        return f"{name} {version or 'of unknown version'} is too old: 7.2 or newer is needed"
    if bool(info.get("cluster_enabled")) != cluster:
        told, found = ("a cluster", "a single server") if cluster else ("a single server", "a cluster")
        return f"the store is {found} and was addressed as {told}"
    policy = info.get("maxmemory_policy", "noeviction")
    if info.get("maxmemory") and policy != "noeviction":
        return f"the store would forget profiles when it is full (maxmemory-policy {policy}); set noeviction"
    return None


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:2])


async def require_fit(client: Client, *, cluster: bool) -> None:
    """ProfileStoreUnfit when one of the servers cannot hold profiles."""
    for target in await _primaries(client):
        with faults():
            info = await client.execute_command("INFO", "everything", **target)
        if reason := unfitness(info, cluster=cluster):
            raise ProfileStoreUnfit(reason)


async def install(client: Client, *, code: str) -> None:
    """Put the library into every primary that lacks it or holds an older revision."""
    for target in await _primaries(client):
        await _install(client, target, code)


async def _install(client: Client, target: Mapping[str, Any], code: str) -> None:
    for _ in range(_ATTEMPTS):
        with faults():
            found = await client.execute_command("FUNCTION LIST", "LIBRARYNAME", LIBRARY, "WITHCODE", **target)
        todo = deed(standing=_code_in(found), ours=code)
        if todo == "keep":
            return
        words = ["FUNCTION LOAD", "REPLACE", code] if todo == "replace" else ["FUNCTION LOAD", code]
        try:
            with faults():
                await client.execute_command(*words, **target)
        except ProfileStoreUnfit as error:
            # Another process may have been faster: look again.
            if "already exists" not in str(error.__cause__):
                raise ProfileStoreUnfit("the store does not take the function library") from error
    raise ProfileStoreUnavailable("others keep changing the function library")


def _code_in(libraries: list[Any]) -> str | None:
    """The text in an answer to FUNCTION LIST: per library a flat list of names and values."""
    for library in libraries:
        fields = dict(zip(library[::2], library[1::2], strict=True))
        return str(fields[b"library_code"], "utf-8")
    return None


async def _primaries(client: Client) -> list[dict[str, Any]]:
    """What to add to a command so that it reaches each server that takes writes."""
    if isinstance(client, Redis):
        return [{}]
    with faults():
        await client.initialize()
    return [{"target_nodes": node} for node in client.get_primaries()]


async def target_of(client: Client, key: str) -> dict[str, Any]:
    """What to add to a command that touches `key`'s slot, so that the client need not ask a server where it lies."""
    if isinstance(client, Redis):
        return {}
    await client.initialize()
    return {"target_nodes": client.get_node_from_key(key)}
