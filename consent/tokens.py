"""Tokens in the links people get: whoever holds one may do one thing, for one identity, until it ends.

A token is sealed: it shows neither the identity nor the purpose, cannot be changed into another one, and nothing is
kept to read it back. What may be done with one is told by its kind, each sealed for a use of its own.
"""

from dataclasses import dataclass, field
from typing import Final, TypeVar

import msgspec

from consent.purposes import ALWAYS_OPEN, PURPOSES
from events.pseudonyms import PSEUDONYM
from events.sealed_text import NotSealedHere, SealedText

TOKEN_CHARACTERS_MAX: Final = 240
DAY_MS: Final = 24 * 3600 * 1000
LEAVE_MS: Final = 400 * DAY_MS
"""How long the link in a message takes its purpose back."""
VISIT_MS: Final = 30 * DAY_MS
"""How long a link to somebody's preferences opens them."""
LEAVE_PATH: Final = "/v1/leave/{token}"
PREFERENCES_PATH: Final = "/v1/preferences/{token}"


class LinkUnknown(ValueError):
    """The text is not a token of this kind made under this installation's key."""


class LinkExpired(ValueError):
    """It was one of ours, and its time is over."""


class Leave(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Takes back one purpose for one identity (a pseudonym) and nothing else, until `expires_at` (ms)."""

    identity: str
    purpose: str
    expires_at: int


class Visit(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Opens the preferences of the person one identity (a pseudonym) belongs to, until `expires_at` (ms)."""

    identity: str
    expires_at: int


_encoder = msgspec.msgpack.Encoder()
_leaves = msgspec.msgpack.Decoder(Leave)
_visits = msgspec.msgpack.Decoder(Visit)
T = TypeVar("T", Leave, Visit)


@dataclass(frozen=True, slots=True)
class Tokens:
    """Makes and reads tokens under `key` (32 secret bytes)."""

    key: bytes = field(repr=False)
    _leave: SealedText = field(init=False, repr=False, compare=False)
    _visit: SealedText = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_leave", SealedText(self.key, b"rapport leave 1"))
        object.__setattr__(self, "_visit", SealedText(self.key, b"rapport preferences 1"))

    def of_leave(self, leave: Leave) -> str:
        """The token; ValueError for a clear identity, or a purpose that cannot be taken back."""
        if not can_be_left(leave.purpose):
            raise ValueError("only a purpose that rests on what the person wants can be taken back")
        return self._leave.seal(_packed(leave))

    def of_visit(self, visit: Visit) -> str:
        """The token; ValueError for a clear identity."""
        return self._visit.seal(_packed(visit))

    def leave(self, token: str, *, now: int) -> Leave:
        """What the token takes back; LinkUnknown or LinkExpired (`now` in ms)."""
        found = _opened(self._leave, token, _leaves)
        if not can_be_left(found.purpose):
            raise LinkUnknown
        return _standing(found, now)

    def visit(self, token: str, *, now: int) -> Visit:
        """Whose preferences the token opens; LinkUnknown or LinkExpired (`now` in ms)."""
        return _standing(_opened(self._visit, token, _visits), now)


@dataclass(frozen=True, slots=True, kw_only=True)
class Links:
    """Links to the service as people reach it: `public_url` is where it is for them, without a slash at its end."""

    tokens: Tokens
    public_url: str

    def leave(self, identity: str, purpose: str, *, now: int) -> str:
        """The link that takes the purpose back, made at `now` (ms)."""
        token = self.tokens.of_leave(Leave(identity, purpose, now + LEAVE_MS))
        return self.public_url + LEAVE_PATH.format(token=token)

    def preferences(self, identity: str, *, now: int) -> str:
        """The link to the person's preferences, made at `now` (ms)."""
        return self.public_url + PREFERENCES_PATH.format(token=self.tokens.of_visit(Visit(identity, now + VISIT_MS)))

    @property
    def is_private(self) -> bool:
        """Tell whether nobody on the way can read a link: mail programs call no others by themselves (RFC 8058)."""
        return self.public_url.startswith("https://")


def can_be_left(purpose: str) -> bool:
    """Tell whether a person's no counts for the purpose: neither contract nor law goes on without asking them."""
    return purpose in PURPOSES and purpose not in ALWAYS_OPEN


def _packed(content: Leave | Visit) -> bytes:
    if not PSEUDONYM.fullmatch(content.identity):
        raise ValueError("only a pseudonym may be sealed")
    return _encoder.encode(content)


def _opened(sealed: SealedText, token: str, decoder: msgspec.msgpack.Decoder[T]) -> T:
    if len(token) > TOKEN_CHARACTERS_MAX:
        raise LinkUnknown
    try:
        return decoder.decode(sealed.open(token))
    except (NotSealedHere, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise LinkUnknown from error


def _standing(found: T, now: int) -> T:
    if now >= found.expires_at:
        raise LinkExpired
    return found
