"""What whoever looks at a person says they look for: with a key over HTTP, or at the machine on the data folder."""

from typing import Annotated, Final
from urllib.parse import quote

import typer

from api.auth import Role
from commands.clock import now_ms
from commands.settings import Settings, keyring_of
from consent.accesses import DECLARABLE, Access, AccessLog
from events.pseudonyms import Pseudonyms

AT_THE_MACHINE: Final = "machine"
"""Stands for a key in the note of whoever works on the data folder itself."""

_PURPOSES: Final = ", ".join(sorted(DECLARABLE[Role.PRIVACY.value]))

WhatForOption = Annotated[str, typer.Option("--for", help=f"what you look for: {_PURPOSES}; noted with your key")]
ReasonOption = Annotated[str | None, typer.Option("--reason", help="why, where you look for something else")]


def declared(what_for: str, reason: str | None) -> dict[str, str]:
    """The headers that say so."""
    return {"Rapport-Purpose": what_for} | ({} if reason is None else {"Rapport-Reason": quote(reason)})


def note_at_the_machine(settings: Settings, who: str | None, *, what: str, what_for: str) -> None:
    """Note that an identity (a pseudonym; None: everybody) is looked at by whoever works on the data folder."""
    look = Access(now_ms(), AT_THE_MACHINE, Role.PRIVACY.value, what, who, what_for, "", broke_glass=False)
    AccessLog(settings.accesses).note(look)


def pseudonym_of(settings: Settings, identity: str) -> str:
    """How a clear identity stands inside."""
    return Pseudonyms(keyring_of(settings).pseudonym_key, settings.region).of(identity)
