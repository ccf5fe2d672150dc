"""What an error of the Redis client means to us: wait and try again, or stop and let a person look.

The server's own words are not passed on, apart from its code: they may quote what was sent.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from redis import exceptions

from profiles.commit_checks import OUTBOX_AHEAD
from profiles.store import ProfileStoreError, ProfileStoreUnavailable, ProfileStoreUnfit

_Fate = tuple[type[ProfileStoreError], str]

# The first that fits counts, so a class stands before those it derives from.
_BY_CLASS: Final[tuple[tuple[type[Exception], _Fate], ...]] = (
    (exceptions.AuthenticationError, (ProfileStoreUnfit, "the store does not accept our name or password")),
    (exceptions.AuthorizationError, (ProfileStoreUnfit, "the store does not allow us to connect")),
    (exceptions.NoPermissionError, (ProfileStoreUnfit, "the store does not permit us this command or key")),
    (exceptions.AuthenticationWrongNumberOfArgsError, (ProfileStoreUnfit, "the store wants name and password")),
    (exceptions.ClusterCrossSlotError, (ProfileStoreUnfit, "keys of one commit lie in several slots")),
    (exceptions.BusyLoadingError, (ProfileStoreUnavailable, "the store is still reading its data")),
    (exceptions.MaxConnectionsError, (ProfileStoreUnavailable, "all connections to the store are in use")),
    (exceptions.ConnectionError, (ProfileStoreUnavailable, "no connection to the store")),
    (exceptions.TimeoutError, (ProfileStoreUnavailable, "the store did not answer in time")),
    (exceptions.OutOfMemoryError, (ProfileStoreUnavailable, "the store is full")),
    (exceptions.ReadOnlyError, (ProfileStoreUnavailable, "this node of the store only reads: a failover goes on")),
    (exceptions.ClusterDownError, (ProfileStoreUnavailable, "the cluster is down, or some of its slots are")),
    (exceptions.TryAgainError, (ProfileStoreUnavailable, "the slot is being moved")),
    # The cluster client follows these itself; only the other one lets them through.
    (exceptions.AskError, (ProfileStoreUnfit, "the store is a cluster and was addressed as a single server")),
    (exceptions.SlotNotCoveredError, (ProfileStoreUnavailable, "no node of the cluster serves the slot")),
    (exceptions.ClusterError, (ProfileStoreUnavailable, "the cluster gave no answer; a slot may be on the move")),
    (OSError, (ProfileStoreUnavailable, "no connection to the store")),
)

_BY_CODE: Final[Mapping[str, _Fate]] = {
    "MISCONF": (ProfileStoreUnavailable, "the store cannot write to its disk"),
    "NOREPLICAS": (ProfileStoreUnavailable, "the store has fewer replicas than it wants for writing"),
    "BUSY": (ProfileStoreUnavailable, "the store is busy with a script"),
    "UNBLOCKED": (ProfileStoreUnavailable, "the store gave the call up in a failover"),
    "WRONGTYPE": (ProfileStoreUnfit, "a key of ours holds something else"),
}
"""By the first word of an answer for which the client has no class."""

_NO_CLUSTER: Final = "Cluster mode is not enabled on this node"
_NO_FUNCTION: Final = "Function not found"
_ID_TOO_SMALL: Final = "The ID specified in XADD is equal or smaller"


def fault(error: Exception) -> ProfileStoreError:
    """The error in our own words."""
    for kind, (fate, text) in _BY_CLASS:
        if isinstance(error, kind):
            return fate(text)
    words = str(error)
    if isinstance(error, exceptions.RedisClusterException):
        if _NO_CLUSTER in words:
            # The client says so, too, when the user may not ask for CLUSTER SLOTS.
            return ProfileStoreUnfit("the store is a single server and was addressed as a cluster, or hides its slots")
        return ProfileStoreUnavailable("the cluster cannot be reached")
    if _ID_TOO_SMALL in words:
        return ProfileStoreUnfit(OUTBOX_AHEAD)
    code = words.partition(" ")[0]
    fate, text = _BY_CODE.get(code, (ProfileStoreUnfit, f"the store answered with an error ({type(error).__name__})"))
    return fate(text)


def is_missing_function(error: Exception) -> bool:
    """Whether the server does not know the function: it was flushed, or a failover brought up another node."""
    return isinstance(error, exceptions.ResponseError) and _NO_FUNCTION in str(error)


@contextmanager
def faults() -> Iterator[None]:
    """Errors of the client leave the block as errors of the store."""
    try:
        yield
    except (exceptions.RedisError, exceptions.RedisClusterException, OSError) as error:
        raise fault(error) from error
