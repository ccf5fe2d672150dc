"""`rapport keys`, as far as it is about those that seal facts: what is due, and evidence about the erased.

Who asks for evidence and who approves it are told by their keys of the API, one each.
"""

import json as json_of
import logging
from contextlib import closing
from typing import Annotated, Any, Final

import typer
from rich.table import Table

from api.auth import ApiKey, Role, authenticate
from api.key_file import KeyFile
from api.refusal import Refusal
from commands.clock import now_ms
from commands.options import DataFolderOption
from commands.output import JsonOption, console, emit
from commands.sealing import body_keys_of
from commands.settings import KEYS_FILE, Settings, keyring_of, settings_of
from consent.accesses import AccessLog
from consent.ledger import Ledger
from consent.ledger_ageing import age_facts_out, age_looks_out
from consent.ledger_entry import Entry
from consent.retention import Due, load_retention
from consent.vault import NotOpened, Vault
from events.body_keys import BodyKeys, KeyMaker, StoredKey
from events.shape import format_time

_log = logging.getLogger(__name__)

RequestArgument = Annotated[str, typer.Argument(metavar="REQUEST", help="the erasure it is about")]
KeyOption = Annotated[str, typer.Option("--key", envvar="RAPPORT_KEY", help="your privacy key of the API")]

OPENED: Final = "evidence.opened"
"""The kind of the entry on the ledger for an opening of what was put away."""


def due(*, data: DataFolderOption = None, json: JsonOption = False) -> None:
    """See which keys of facts are to be destroyed by now, by the terms of retention."""
    settings = settings_of(data=data)
    keys, now = body_keys_of(settings), now_ms()
    found, ended = _due(settings, keys, now=now), _ended(keys, now=now)
    if json:
        emit({"keys": [{**each._asdict(), "since": format_time(each.since)} for each in found], "erased": ended})
        return
    table = Table("kept for", "received in", "due since", "keys")
    for each in found:
        table.add_row(each.kind, each.period, format_time(each.since), str(each.keys))
    console.print(table if found else "no key of facts is due")
    console.print(f"evidence of {len(ended)} erasures is due" if ended else "no evidence of an erasure is due")


def age_out(*, data: DataFolderOption = None, json: JsonOption = False) -> None:
    """Destroy the keys that are due: what they sealed cannot be opened any more, wherever a copy of it lies."""
    settings = settings_of(data=data)
    gone = aged_out(settings, now=now_ms())
    if json:
        emit(gone)
    else:
        console.print(
            f"destroyed: {gone['keys']} keys of facts, {gone['evidence']} of evidence about the erased, "
            f"{gone['looks']} looks at people, {gone['openings']} openings of the ledger"
        )


def aged_out(settings: Settings, *, now: int) -> dict[str, int]:
    """Destroy what is due: keys of facts and of evidence, looks at people, openings of the ledger; how many of each.

    BodyKeysUnavailable, VaultUnavailable, AccessesUnavailable, LedgerError.
    """
    keys, retention = body_keys_of(settings), load_retention(settings.retention)
    gone = sum(keys.age_out(each.kind, each.period) for each in _due(settings, keys, now=now))
    over = [each for each in keys.retired() if each.until <= now]
    ended = keys.end([each.id for each in over])
    Vault(settings.vault).drop({each.because for each in over})
    if (gone or ended) and (why := keys.wipe()) is not None:
        _log.warning("what was destroyed may be in files still: %s", why)
    looks_before = retention.looks_before(now=now)
    looks = AccessLog(settings.accesses).age_out(looks_before) if settings.accesses.exists() else 0
    openings = 0
    if settings.ledger.is_dir():
        with closing(Ledger(settings.ledger)) as ledger:
            openings = age_looks_out(ledger, before=looks_before)
            # In clear, facts stay; then so does what proves them.
            openings += age_facts_out(ledger, retention, now=now) if settings.sealing else 0
    return {"keys": gone, "evidence": ended, "looks": looks, "openings": openings}


def give_up(
    ids: Annotated[list[str], typer.Argument(metavar="ID...", help="ids of keys, as a stopped partition names them")],
    *,
    data: DataFolderOption = None,
) -> None:
    """Count lost keys as destroyed: the facts they sealed are passed over, and will not come back."""
    settings = settings_of(data=data)
    maker = KeyMaker(keyring_of(settings).body_key_wrap)
    if unknown := [each for each in ids if not maker.made(each)]:
        raise typer.BadParameter(f"{unknown[0]} is the id of no key of this installation")
    console.print(f"{body_keys_of(settings).give_up(ids)} keys are given up")


def ask_for_evidence(
    request: RequestArgument,
    why: Annotated[str, typer.Option("--why", help="what it is needed for; noted")],
    *,
    key: KeyOption,
    data: DataFolderOption = None,
) -> None:
    """Ask for the evidence about somebody who was erased; a second person has to approve it within a day."""
    settings = settings_of(data=data)
    who = _officer(settings, key)
    try:
        Vault(settings.vault).ask(request, by=who.id, at=now_ms(), why=why)
    except NotOpened as error:
        raise typer.BadParameter(str(error)) from None
    console.print(f"{who.name} asks for it; somebody else approves it with `rapport keys open-evidence {request}`")


def open_evidence(
    request: RequestArgument, *, key: KeyOption, data: DataFolderOption = None, json: JsonOption = False
) -> None:
    """Approve what somebody else asked for, and show it: noted on the ledger before anything is shown."""
    settings = settings_of(data=data)
    who, vault, now = _officer(settings, key), Vault(settings.vault), now_ms()
    try:
        told = _opened(settings, vault, request, who, now=now)
    except NotOpened as error:
        raise typer.BadParameter(str(error)) from None
    if json:
        emit(told)
        return
    for each in told:
        console.print(f"leaf {each['leaf']}, salt {each['salt']}", soft_wrap=True)
        console.print_json(json_of.dumps(each["entry"]))


def _opened(settings: Settings, vault: Vault, request: str, who: ApiKey, *, now: int) -> list[dict[str, Any]]:
    maker = KeyMaker(keyring_of(settings).body_key_wrap)
    keys = body_keys_of(settings).retired()
    question = vault.approve(request, by=who.id, at=now)
    openings = vault.opened(request, keys, lambda each: maker.unwrap(StoredKey(each.id, each.wrapped)))
    content = {"request": request, "asked_by": question.by, "approved_by": who.id, "why": question.why, "at": now}
    with closing(Ledger(settings.ledger)) as ledger:
        ledger.append([Entry(id=f"{OPENED}:{request}:{now}", kind=OPENED, content=content)])
    return [{"leaf": each.index, "salt": each.salt.hex(), "entry": each.entry} for each in openings]


def _officer(settings: Settings, key: str) -> ApiKey:
    """Who a key of the API is; only privacy keys open evidence."""
    try:
        found = authenticate(f"Bearer {key}", KeyFile(settings.data / KEYS_FILE))
    except Refusal:
        raise typer.BadParameter("this is no key of the API", param_hint="--key") from None
    if found.role is not Role.PRIVACY:
        raise typer.BadParameter("evidence is opened with privacy keys", param_hint="--key")
    return found


def _due(settings: Settings, keys: BodyKeys, *, now: int) -> list[Due]:
    return load_retention(settings.retention).due(keys.tally().items(), now=now)


def _ended(keys: BodyKeys, *, now: int) -> list[str]:
    """The erasures whose evidence was kept for as long as was said."""
    return sorted({each.because for each in keys.retired() if each.until <= now})
