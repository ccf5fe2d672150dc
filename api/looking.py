"""Looking at a person over HTTP: whoever looks declares what for, and it is noted before they see anything."""

import asyncio
from typing import Annotated
from urllib.parse import unquote

from fastapi import Header, Request

from api.gate import asked
from api.refusal import Refusal
from api.services import Services
from consent.accesses import REASON_MAX, UNDECLARED, Access, NotDeclared, declared

Purpose = Annotated[
    str | None, Header(alias="Rapport-Purpose", max_length=32, description="what you look at the person for")
]
Reason = Annotated[
    str | None,
    Header(alias="Rapport-Reason", max_length=9 * REASON_MAX, description="why you look all the same; percent-encoded"),
]


async def note_look(
    services: Services,
    request: Request,
    *,
    what: str,
    identity: str | None = None,
    purpose: str | None,
    reason: str | None,
    must_declare: bool = False,
) -> None:
    """Note a look at an identity (a pseudonym, or nobody's), durably. Refusal where it may not be, or cannot be noted.

    What is noted holds the key, its role, and what was declared.
    """
    access = look_of(services, request, what=what, identity=identity, purpose=purpose, reason=reason)
    if must_declare and access.purpose == UNDECLARED:
        raise Refusal("invalid", "say in Rapport-Purpose what you look at the person for")
    await asyncio.to_thread(services.accesses.note, access)


def look_of(
    services: Services, request: Request, *, what: str, identity: str | None, purpose: str | None, reason: str | None
) -> Access:
    """The look of whoever asks, to be noted. Refusal where they may not look for what they declare."""
    key = asked(request).key
    if key is None:
        raise Refusal("unauthenticated")
    try:
        said = declared(key.role.value, purpose=purpose, reason=None if reason is None else unquote(reason))
    except NotDeclared as error:
        raise Refusal("forbidden", str(error)) from None
    return Access(services.clock(), key.id, key.role.value, what, identity, *said)
