"""Who may do what over HTTP: API keys with one role each, and one table of routes; what is not in it is refused."""

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Final, NamedTuple, Protocol, Self

from pydantic import Field, StringConstraints, model_validator

from api.refusal import Refusal
from consent.tokens import LEAVE_PATH, PREFERENCES_PATH
from events.admission import Door
from events.shape import Natural, Shape

OWN_SOURCE: Final = "rapport.api"
"""The source of facts that this process writes itself; no key may be bound to it."""
ORDINARY_TYPES: Final = ("transaction.*", "service.*", "feedback.*", "identity.described", "identity.related")
"""What an ingest key may publish unless it says more."""
BATCH_BYTES_MAX: Final = 4 * 1024 * 1024
SMALL_BODY: Final = 16 * 1024

_PREFIX: Final = "rapport"


class Role(StrEnum):
    """What a key is for; a key has one role."""

    INGEST = "ingest"
    AGENT = "agent"
    MARKETING = "marketing"
    PRIVACY = "privacy"
    ADMIN = "admin"


class ApiKey(Shape):
    """A key as it is kept: its hash, its role, and for ingest the source and the event types it is bound to.

    `rate` is how many requests and events a second it may send, None for the usual. `made_at` is ms. The key itself has
    256 random bits, so one round of SHA-256 keeps it safe.
    """

    id: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{8}$")]
    name: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    role: Role
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    source: Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]{1,128}$")] | None = None
    types: Annotated[tuple[str, ...], Field(max_length=64)] = ()
    rate: Annotated[int, Field(strict=True, ge=1, le=1_000_000)] | None = None
    made_at: Natural

    @model_validator(mode="after")
    def _ingest_alone_is_bound(self) -> Self:
        if (self.role is Role.INGEST) != (self.source is not None):
            raise ValueError("an ingest key is bound to a source, and no other key is")
        if self.source is not None and self.source.startswith(f"{_PREFIX}."):
            raise ValueError(f"a source that begins with {_PREFIX}. is the system's own")
        return self

    @property
    def door(self) -> Door:
        """The door events come in by with this key; ValueError for a key that is not for ingest."""
        if self.source is None:
            raise ValueError("only an ingest key is a door")
        return Door(name=f"key {self.id}", source=self.source, types=self.types or ORDINARY_TYPES)


class ApiKeys(Protocol):
    """Where keys stand."""

    def get(self, key_id: str) -> ApiKey | None:
        """The key of that id, None where there is none (any more)."""
        ...


class Access(NamedTuple):
    """Who may use a route (None: everybody, without a key), which query parameters it has, how long a body may be.

    A `form` is a body as browsers send it; any other body is JSON.
    """

    roles: frozenset[Role] | None
    query: frozenset[str] = frozenset()
    body_max: int | None = None
    form: bool = False


def _for(*roles: Role, query: tuple[str, ...] = (), body_max: int | None = None) -> Access:
    return Access(frozenset(roles), frozenset(query), body_max)


_EVERYBODY: Final = Access(None)
_WHOEVER_HAS_THE_LINK: Final = Access(None, frozenset({"lang"}))

ROUTES: Final[Mapping[tuple[str, str], Access]] = {
    ("GET", "/health"): _EVERYBODY,
    ("GET", "/ready"): _EVERYBODY,
    ("GET", "/openapi.json"): _EVERYBODY,
    ("GET", "/metrics"): _for(Role.ADMIN),
    ("POST", "/v1/events"): _for(Role.INGEST, body_max=BATCH_BYTES_MAX),
    ("POST", "/v1/customers/lookup"): _for(Role.AGENT, Role.PRIVACY, body_max=SMALL_BODY),
    ("GET", "/v1/customers/{ref}"): _for(Role.AGENT, Role.PRIVACY, query=("after",)),
    ("GET", "/v1/customers/{ref}/suggestions"): _for(Role.AGENT, query=("k", "channel", "intent", "after")),
    ("GET", "/v1/customers/{ref}/consents"): _for(Role.AGENT, Role.PRIVACY, query=("after",)),
    ("POST", "/v1/customers/{ref}/consents"): _for(Role.AGENT, Role.PRIVACY, query=("after",), body_max=SMALL_BODY),
    ("GET", "/v1/customers/{ref}/outreach"): _for(Role.AGENT, Role.PRIVACY, query=("after",)),
    ("POST", "/v1/customers/{ref}/preferences"): _for(Role.AGENT, Role.PRIVACY),
    ("POST", "/v1/consent/confirmations"): _for(Role.INGEST, body_max=SMALL_BODY * 4),
    ("GET", "/v1/officer/recipients"): _for(Role.PRIVACY),
    ("GET", "/v1/notices"): _for(Role.AGENT, Role.PRIVACY),
    ("GET", LEAVE_PATH): _WHOEVER_HAS_THE_LINK,
    ("POST", LEAVE_PATH): _WHOEVER_HAS_THE_LINK,
    ("GET", PREFERENCES_PATH): Access(None, frozenset({"lang", "after"})),
    ("POST", PREFERENCES_PATH): Access(None, frozenset({"lang"}), body_max=SMALL_BODY, form=True),
    ("POST", "/v1/outreach/{outreach}/claim"): _for(Role.AGENT, Role.MARKETING),
    ("POST", "/v1/outreach/{outreach}/sent"): _for(Role.AGENT, Role.MARKETING, body_max=SMALL_BODY),
    ("POST", "/v1/suggestions/{decision}/presented"): _for(Role.AGENT, body_max=SMALL_BODY),
    ("POST", "/v1/suggestions/{decision}/answer"): _for(Role.AGENT, body_max=SMALL_BODY),
    ("GET", "/v1/officer/people/{ref}/history"): _for(Role.PRIVACY, query=("after",)),
    ("GET", "/v1/officer/people/{ref}/permitted"): _for(Role.PRIVACY, query=("at", "known_at", "after")),
    ("GET", "/v1/officer/people/{ref}/accesses"): _for(Role.PRIVACY),
    ("GET", "/v1/officer/people/{ref}/denied"): _for(Role.PRIVACY, query=("after",)),
    ("GET", "/v1/officer/people/{ref}/receipts"): _for(Role.PRIVACY, query=("event",)),
    ("GET", "/v1/officer/receipts/{decision}"): _for(Role.PRIVACY),
    ("GET", "/v1/officer/accesses"): _for(Role.PRIVACY, query=("since", "broke_glass")),
    ("GET", "/v1/officer/rates"): _for(Role.PRIVACY),
    ("GET", "/v1/rights/people/{ref}/plan"): _for(Role.PRIVACY),
    ("POST", "/v1/rights/people/{ref}/erasure"): _for(Role.PRIVACY),
    ("POST", "/v1/rights/people/{ref}/rights"): _for(Role.PRIVACY, body_max=SMALL_BODY),
    ("GET", "/v1/rights/erasures"): _for(Role.PRIVACY),
    ("GET", "/v1/rights/erasures/{request}"): _for(Role.PRIVACY),
    ("GET", "/v1/officer/renewals"): _for(Role.PRIVACY, query=("about", "soon_days", "old_days", "start", "limit")),
}
"""Every route there is. A marketer sees no person: neither a profile nor why somebody was left out."""


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that was just made: what is kept, and what is shown once."""

    kept: ApiKey
    shown: str


def make_key(
    *,
    name: str,
    role: Role,
    source: str | None = None,
    types: tuple[str, ...] = (),
    rate: int | None = None,
    now: int,
) -> NewKey:
    """A fresh key of 256 random bits; pydantic.ValidationError where these do not fit together."""
    key_id = secrets.token_hex(4)
    shown = f"{_PREFIX}_{key_id}_{secrets.token_urlsafe(32)}"
    kept = ApiKey(
        id=key_id, name=name, role=role, sha256=_hash(shown), source=source, types=types, rate=rate, made_at=now
    )
    return NewKey(kept, shown)


def authenticate(header: str | None, keys: ApiKeys) -> ApiKey:
    """The key in an Authorization header; Refusal for anything else, in the same time for every wrong key."""
    scheme, _, token = (header or "").partition(" ")
    parts = token.split("_", 2)
    if scheme.lower() != "bearer" or len(parts) != 3 or parts[0] != _PREFIX or not token.isascii():
        raise Refusal("unauthenticated")
    known = keys.get(parts[1])
    matches = secrets.compare_digest(_hash(token), known.sha256 if known else _NOBODY)
    if known is None or not matches:
        raise Refusal("unauthenticated")
    return known


def authorize(header: str | None, *, access: Access, keys: ApiKeys) -> ApiKey | None:
    """The key that may use the route, None where nobody needs one; Refusal otherwise."""
    if access.roles is None:
        return None
    key = authenticate(header, keys)
    if key.role not in access.roles:
        raise Refusal("forbidden", f"this route is for {', '.join(sorted(access.roles))} keys")
    return key


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


_NOBODY: Final = _hash("nobody")
