"""Identities become pseudonyms at the door and stay so inside.

A pseudonym is `namespace:` and 26 characters of lower-case base32: HMAC-SHA-256, cut to 128 bits, over the
namespace, a NUL and the *canonical* value. Whoever holds the key can recompute it; nobody can read it back.
"""

import base64
import hashlib
import hmac
import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

import phonenumbers

CANONICAL_VERSION: Final = 1
"""Raised when a canonical form changes: then every pseudonym changes, and the log records it."""

PSEUDONYM: Final = re.compile(r"[a-z][a-z0-9_]{0,23}:[a-z2-7]{26}")
_NAMESPACE: Final = re.compile(r"[a-z][a-z0-9_]{0,23}")
_VALUE_MAX: Final = 256


class IdentityInvalid(ValueError):
    """The text is not `namespace:value`, or the value has no canonical form in its namespace."""


@dataclass(frozen=True, slots=True)
class Pseudonyms:
    """Turns clear identities into pseudonyms under one key.

    `region` is the country (ISO 3166-1 alpha-2) in which phone numbers without a country code are read.
    """

    key: bytes = field(repr=False)
    region: str = "DE"
    _cached: Callable[[str], str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if len(self.key) < 16:
            raise ValueError("the pseudonym key must have at least 16 bytes")
        object.__setattr__(self, "_cached", lru_cache(maxsize=65536)(self._compute))

    def of(self, identity: str) -> str:
        """The pseudonym of a clear `namespace:value`; IdentityInvalid says why there is none."""
        return self._cached(identity)

    @property
    def fingerprint(self) -> str:
        """Names the key and the canonical forms without giving the key away; kept with the log's epochs."""
        digest = hmac.new(self.key, b"rapport key fingerprint", hashlib.sha256).hexdigest()
        return f"{CANONICAL_VERSION}-{self.region}-{digest[:16]}"

    def _compute(self, identity: str) -> str:
        namespace, value = split_identity(identity)
        message = namespace.encode() + b"\x00" + canonical(namespace, value, region=self.region).encode()
        digest = hmac.new(self.key, message, hashlib.sha256).digest()[:16]
        return f"{namespace}:{base64.b32encode(digest).decode().rstrip('=').lower()}"


def split_identity(identity: str) -> tuple[str, str]:
    """Namespace and value of `namespace:value`, both checked; IdentityInvalid otherwise."""
    namespace, colon, value = identity.partition(":")
    if not colon or not _NAMESPACE.fullmatch(namespace):
        raise IdentityInvalid("an identity reads namespace:value, such as app:42")
    if not 0 < len(value) <= _VALUE_MAX:
        raise IdentityInvalid(f"the value of an identity has 1 to {_VALUE_MAX} characters")
    if any(unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"} for character in value):
        raise IdentityInvalid("the value of an identity has no control characters")
    return namespace, value


def canonical(namespace: str, value: str, *, region: str) -> str:
    """The one form of a value in its namespace; IdentityInvalid where there is none."""
    form = _FORMS.get(namespace)
    text = form(value, region) if form else unicodedata.normalize("NFC", value).strip()
    if not text:
        raise IdentityInvalid("the value of an identity is empty")
    return text


def _phone(value: str, region: str) -> str:
    try:
        number = phonenumbers.parse(value, region)
    except phonenumbers.NumberParseException as error:
        raise IdentityInvalid("the phone number cannot be read") from error
    if not phonenumbers.is_possible_number(number):
        raise IdentityInvalid("the phone number is not a possible one")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _email(value: str, _region: str) -> str:
    lowered = unicodedata.normalize("NFKC", value).lower()
    address = unicodedata.normalize("NFKC", lowered).strip()  # lowering can undo the form
    name, at, host = address.rpartition("@")
    if not (name and at and "." in host):
        raise IdentityInvalid("the e-mail address has no name or no host")
    return address


_FORMS: Final[Mapping[str, Callable[[str, str], str]]] = {"phone": _phone, "email": _email}
