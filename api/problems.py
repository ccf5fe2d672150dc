"""How failures are told over HTTP: one table from a failure to a status, in RFC 9457 problem details.

A problem says what went wrong and what to do. It never holds a trace, a clear identity, or anything stored.
"""

import logging
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse

from api.key_file import KeysUnreadable
from api.refs import RefUnknown
from api.refusal import Refusal
from consent.accesses import AccessesUnavailable
from consent.evidence import EvidenceUnavailable
from consent.holds import ConsentStoreUnavailable
from consent.rights_requests import RightsUnavailable
from consent.telling import TellingUnavailable
from consent.tokens import LinkExpired, LinkUnknown
from events.body_keys import BodyKeysUnavailable
from events.log import LogRefused, LogUnavailable
from events.pseudonyms import IdentityInvalid
from events.tokens import TokenInvalid
from outreach.records import OutreachUnavailable
from profiles.person import PersonTooLarge, PersonUnreadable, PersonUnstable
from profiles.store import ProfileStoreUnavailable, ProfileStoreUnfit
from recommender.decisions import DecisionsUnavailable
from recommender.suggestion import SuggestionRefused

_log = logging.getLogger(__name__)

MEDIA_TYPE: Final = "application/problem+json"
URN: Final = "urn:rapport:problem:"


class Kind(NamedTuple):
    """A kind of problem: its status, its title, what to do, and after how many seconds trying again may help."""

    status: int
    title: str
    detail: str = ""
    retry_after_s: int | None = None


KINDS: Final[Mapping[str, Kind]] = {
    "not-json": Kind(400, "The body is not strict JSON"),
    "unauthenticated": Kind(401, "A valid API key is needed", "send it as Authorization: Bearer KEY"),
    "forbidden": Kind(403, "This key may not do that"),
    "no-such-route": Kind(404, "There is nothing here"),
    "unknown-ref": Kind(404, "The reference is not one of ours", "get one from POST /v1/customers/lookup"),
    "unknown-link": Kind(404, "The link is not one of ours", "copy it as a whole, or ask for a new one"),
    "unknown-decision": Kind(404, "The decision is not known", "it was never answered, or longer ago than it is kept"),
    "unknown-outreach": Kind(404, "The message is not known"),
    "unknown-request": Kind(404, "The request is not known"),
    "method-not-allowed": Kind(405, "The route does not know this method"),
    "body-too-slow": Kind(408, "The body did not arrive in time", "send it again, in smaller batches"),
    "another-act": Kind(409, "Another act was recorded under this id"),
    "not-claimed": Kind(409, "Nobody was told to send this message", "claim it before sending, and keep to the answer"),
    "person-too-large": Kind(409, "Too many identities hang together", "a link is wrong and has to be ended"),
    "too-large": Kind(413, "The body is too large"),
    "not-json-type": Kind(415, "The body must be JSON", "send Content-Type: application/json"),
    "not-a-form": Kind(415, "The body must be a form", "send Content-Type: application/x-www-form-urlencoded"),
    "link-expired": Kind(410, "The link is too old", "ask for a new one"),
    "invalid": Kind(422, "The request is not valid"),
    "bad-identity": Kind(422, "The identity cannot be read"),
    "bad-token": Kind(422, "The token in `after` is not one of ours"),
    "nothing-admitted": Kind(422, "None of the events was admitted"),
    "too-many": Kind(429, "Too many requests or events with this key", "wait as long as Retry-After says", 1),
    "internal": Kind(500, "Something went wrong on our side", "it was logged"),
    "log-refused": Kind(500, "The log does not take this", "trying again does not help"),
    "profile-unreadable": Kind(500, "What is stored about the person cannot be read", "nothing was decided"),
    "store-unfit": Kind(500, "The store cannot serve this program"),
    "left": Kind(503, "The profiles are kept elsewhere now", "ask the process that serves them, or come again", 5),
    "keys-unreadable": Kind(503, "The API keys cannot be read", "", 5),
    "log-unavailable": Kind(503, "The log does not answer", "send it again: repeats do no harm", 2),
    "store-unavailable": Kind(503, "The store does not answer", "try again: repeats do no harm", 2),
    "person-unstable": Kind(503, "The person's links are changing", "try again", 1),
    "not-folded-yet": Kind(503, "What `after` names is not folded yet", "ask again with the same token", 1),
    "evidence-unavailable": Kind(503, "The evidence is not at hand", "it is made from history; ask again", 5),
    "not-noted": Kind(503, "It cannot be noted who looks", "so nobody looks; ask again", 5),
    "busy": Kind(503, "Too much is being received", "try again", 1),
    "too-slow": Kind(503, "It took too long", "try again: repeats do no harm", 2),
}


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem ready to be told."""

    kind: str
    detail: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def status(self) -> int:
        """The HTTP status."""
        return KINDS[self.kind].status


BY_EXCEPTION: Final[Mapping[type[Exception], str]] = {
    RefUnknown: "unknown-ref",
    LinkUnknown: "unknown-link",
    LinkExpired: "link-expired",
    PersonTooLarge: "person-too-large",
    PersonUnreadable: "profile-unreadable",
    PersonUnstable: "person-unstable",
    KeysUnreadable: "keys-unreadable",
    LogRefused: "log-refused",
    LogUnavailable: "log-unavailable",
    ProfileStoreUnavailable: "store-unavailable",
    ProfileStoreUnfit: "store-unfit",
    ConsentStoreUnavailable: "store-unavailable",
    DecisionsUnavailable: "store-unavailable",
    BodyKeysUnavailable: "store-unavailable",
    OutreachUnavailable: "store-unavailable",
    EvidenceUnavailable: "evidence-unavailable",
    AccessesUnavailable: "not-noted",
    TellingUnavailable: "not-noted",
    RightsUnavailable: "not-noted",
    TimeoutError: "too-slow",
    ClientDisconnect: "body-too-slow",
}
"""Exception -> kind of problem; its own words stay inside."""

SAYABLE: Final[Mapping[type[Exception], str]] = {
    IdentityInvalid: "bad-identity",
    TokenInvalid: "bad-token",
    SuggestionRefused: "invalid",
}
"""The same for exceptions whose words are meant for the sender."""


def problem_of(error: Exception) -> Problem:
    """What to tell of a failure; one that nobody foresaw is logged by its place, without what it held."""
    if isinstance(error, Refusal):
        return Problem(error.kind, error.detail, error.extra)
    if isinstance(error, HTTPException):
        return Problem({404: "no-such-route", 405: "method-not-allowed"}.get(error.status_code, "invalid"))
    if isinstance(error, RequestValidationError):
        return Problem("invalid", extra={"errors": _fields(error)})
    for known, kind in SAYABLE.items():
        if isinstance(error, known):
            return Problem(kind, str(error))
    for known, kind in BY_EXCEPTION.items():
        if isinstance(error, known):
            return Problem(kind)
    _log.error("unforeseen %s at %s", type(error).__name__, _place(error))
    return Problem("internal")


def respond(problem: Problem) -> JSONResponse:
    """The response for a problem."""
    kind = KINDS[problem.kind]
    headers = {"Cache-Control": "no-store"}
    if kind.retry_after_s is not None:
        headers["Retry-After"] = str(problem.extra.get("retry_after", kind.retry_after_s))
    if kind.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    content = {"type": URN + problem.kind, "title": kind.title, "status": kind.status}
    if detail := problem.detail or kind.detail:
        content["detail"] = detail
    return JSONResponse({**content, **problem.extra}, kind.status, headers=headers, media_type=MEDIA_TYPE)


def _fields(error: RequestValidationError) -> list[dict[str, str]]:
    """What is wrong with which field, without what was given."""
    return [
        {
            "field": ".".join(str(part) for part in found["loc"] if part not in ("body", "query")),
            "problem": found["msg"],
        }
        for found in error.errors()[:10]
    ]


def _place(error: Exception) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    return " < ".join(f"{frame.name}:{frame.lineno}" for frame in reversed(frames[-3:])) or "an unknown place"
