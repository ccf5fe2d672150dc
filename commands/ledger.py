"""`rapport ledger`: the keys it is signed with, what it holds, its proofs, and the audit that trusts none of it."""

import json as json_format
import os
import secrets
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.table import Table

from commands.clock import now_ms
from commands.output import JsonOption, console, emit, plain_table
from commands.settings import LEDGER_KEY_FILE, Settings, SettingsInvalid, settings_of
from consent.ledger import CHECKPOINT, LEAVES, Ledger
from consent.ledger_note import (
    NOTE_BYTES_MAX,
    Checkpoint,
    NoteInvalid,
    Signer,
    Verifier,
    make_signer,
    open_checkpoint,
    read_checkpoint,
    read_signer,
    read_verifier,
)
from consent.ledger_openings import Publication
from consent.ledger_proof import fault_of, read_proof
from consent.ledger_publish import publish as publish_to
from consent.ledger_publish import target_of
from consent.ledger_verify import Audit, Finding, audit
from events.shape import format_time

app = typer.Typer(name="ledger", no_args_is_help=True, help="What was agreed to and done, so that nobody can alter it.")

DEFAULT_NAME: Final = "rapport.local/ledger"
PROOF_BYTES_MAX: Final = 16 * 1024 * 1024

DataOption = Annotated[str | None, typer.Option("--data", help="folder of history, models and keys")]


class LedgerMissing(Exception):
    """There is no ledger, or no file, where one was named; the text says what to do."""


@app.command()
def keygen(
    name: Annotated[
        str | None, typer.Argument(help="whose ledger it is, such as example.com/consent", show_default=DEFAULT_NAME)
    ] = None,
    *,
    beside: Annotated[bool, typer.Option(help="sign with this key beside the one that is there")] = False,
    data: DataOption = None,
) -> None:
    """Make the key that signs checkpoints, and show its public half: give that to whoever is to verify."""
    settings = settings_of(data=data)
    standing = signers_of(settings)[0].name if beside else None
    if standing is not None and name not in {None, standing}:
        raise SettingsInvalid(f"the ledger is {standing}: a key beside the first one has its name")
    signer = make_key(settings, standing or name or DEFAULT_NAME, beside=beside)
    console.print(str(signer.verifier), soft_wrap=True, highlight=False)


@app.command()
def show(*, data: DataOption = None, json: JsonOption = False) -> None:
    """See how much it holds, what is signed, where that was published, and the public key."""
    settings = settings_of(data=data)
    with _opened(settings) as ledger:
        keys = [str(signer.verifier) for signer in signers_of(settings)]
        size, latest, told = ledger.size, next(iter(ledger.checkpoints(most=1)), None), ledger.publications()
    if json:
        signed = {"size": latest[0], "note": latest[1], "at": format_time(latest[2])} if latest else None
        emit({"entries": size, "signed": signed, "keys": keys, "published": [_plain(each) for each in told]})
        return
    signed_by = f"signed up to {latest[0]:,} at {format_time(latest[2])}" if latest else "never signed"
    console.print(f"{size:,} entries, {signed_by}", soft_wrap=True)
    for key in keys:
        console.print(f"key {key}", soft_wrap=True, highlight=False)
    console.print(_publications(told) if told else "published nowhere")


@app.command()
def publish(
    targets: Annotated[
        list[str] | None, typer.Argument(help="folders and URLs; else those of the settings", show_default=False)
    ] = None,
    *,
    post: Annotated[bool, typer.Option(help="send to URLs by POST, not PUT")] = False,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Sign the ledger as it is and publish the checkpoint; status 1 when a target did not take it."""
    settings = settings_of(data=data)
    named = [target_of(each, method="POST" if post else "PUT") for each in targets or settings.checkpoint_targets]
    with _opened(settings) as ledger:
        note = ledger.checkpoint(signers_of(settings), now_ms=now_ms())
        told = publish_to(ledger, note, named, now_ms=now_ms())
    if json:
        emit({"checkpoint": note, "published": [_plain(each) for each in told]})
    else:
        console.print(note, markup=False, highlight=False, soft_wrap=True)
        console.print(_publications(told) if told else "published nowhere: name a folder or a URL")
    if any(each.failure for each in told):
        raise typer.Exit(1)


@app.command()
def prove(
    entry: Annotated[str, typer.Argument(help="an entry, such as fact:1.3.42 for a position of the log")],
    out: Annotated[Path, typer.Option(help="the file to write")],
    *,
    since: Annotated[Path | None, typer.Option(help="a checkpoint that whoever verifies holds")] = None,
    data: DataOption = None,
) -> None:
    """Write an entry with its proof into a file, which `rapport ledger verify` checks anywhere."""
    earlier = None if since is None else read_checkpoint(text_of(since)).size
    with _opened(settings_of(data=data)) as ledger:
        proof = ledger.prove(entry, since=earlier)
    out.write_text(json_format.dumps(proof.written(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    console.print(
        f"{entry} is leaf {proof.index:,} of {read_checkpoint(proof.note).size:,}; proof in {out}", soft_wrap=True
    )


@app.command()
def verify(
    path: Annotated[Path, typer.Argument(help="a ledger's folder, or a copy of it, or a proof")],
    key: Annotated[str, typer.Option(help="the public key, or a file with it")],
    *,
    checkpoint: Annotated[Path | None, typer.Option(help="an earlier checkpoint, kept outside")] = None,
    json: JsonOption = False,
) -> None:
    """Hold a ledger or a proof to a key and an earlier checkpoint; status 1 when something does not fit."""
    verifier = verifier_of(key)
    pinned = None if checkpoint is None else pinned_of(checkpoint, verifier)
    if path.is_dir():
        if not (path / LEAVES).is_dir() and not (path / CHECKPOINT).exists():
            raise LedgerMissing(f"{path} is not the folder of a ledger")
        done = audit(path, key=verifier, pinned=pinned)
        said, findings = _audited(done), done.findings
    else:
        proof = read_proof(_bytes(path, most=PROOF_BYTES_MAX))
        fault = fault_of(proof, key=verifier, pinned=pinned)
        said = {"entry": proof.entry, "leaf": proof.index}
        findings = [Finding("changed", fault)] if fault else []
    if json:
        emit(
            {
                "holds": not findings,
                **said,
                "findings": [{"kind": each.kind, "detail": each.detail} for each in findings],
            }
        )
    else:
        _tell(said, findings, pinned)
    if findings:
        raise typer.Exit(1)


def make_key(settings: Settings, name: str, *, beside: bool = False) -> Signer:
    """A new key in the data folder, the first one there, or `beside` others; SettingsInvalid where that is not so."""
    path = settings.data / LEDGER_KEY_FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    signer = make_signer(name, secrets.token_bytes(32))
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | (0 if beside else os.O_CREAT | os.O_EXCL), 0o600)
    except FileExistsError:
        raise SettingsInvalid(f"{path} is there; --beside puts a second key into it") from None
    except FileNotFoundError:
        raise SettingsInvalid(f"{path} is missing; make the first key without --beside") from None
    with os.fdopen(descriptor, "w") as file:
        file.write(signer.written() + "\n")
        file.flush()
        os.fsync(descriptor)
    return signer


def signers_of(settings: Settings) -> list[Signer]:
    """The keys that sign checkpoints; SettingsInvalid when there are none yet."""
    path = settings.data / LEDGER_KEY_FILE
    try:
        signers = [read_signer(line) for line in path.read_text().splitlines() if line.strip()]
    except FileNotFoundError:
        raise SettingsInvalid(f"{path} is missing: make it with `rapport ledger keygen`") from None
    except OSError as error:
        raise SettingsInvalid(f"{path} cannot be read: {type(error).__name__}") from None
    except (NoteInvalid, UnicodeDecodeError) as error:
        raise SettingsInvalid(f"{path}: {error}") from None
    if not signers:
        raise SettingsInvalid(f"{path} holds no key; remove it, and a new one is made")
    return signers


@contextmanager
def _opened(settings: Settings) -> Iterator[Ledger]:
    if not settings.ledger.is_dir():
        raise LedgerMissing(f"there is no ledger in {settings.ledger} yet")
    with closing(Ledger(settings.ledger)) as ledger:
        yield ledger


def verifier_of(key: str) -> Verifier:
    """A public key as it is written, or in the file of that name."""
    return read_verifier(text_of(Path(key)) if Path(key).is_file() else key)


def pinned_of(path: Path, verifier: Verifier) -> Checkpoint:
    """An earlier checkpoint from a file."""
    try:
        return open_checkpoint(text_of(path), verifier)
    except NoteInvalid as error:
        raise NoteInvalid(f"{path.name}: {error}") from None


def _audited(done: Audit) -> dict[str, Any]:
    return {"entries": done.leaves, "signed": done.signed, "openings": done.opened, "destroyed": done.destroyed}


def _tell(said: dict[str, Any], findings: list[Finding], pinned: Checkpoint | None) -> None:
    if "entry" in said:
        console.print_json(data=said)
    else:
        console.print(
            f"{said['entries']:,} entries, signed up to {said['signed'] or 0:,}; "
            f"openings: {said['openings']:,} fit, {said['destroyed']:,} destroyed",
            soft_wrap=True,
        )
    for each in findings:
        console.print(f"[red]✗[/] {each.kind}: {each.detail}", soft_wrap=True)
    if not findings:
        since = f"; continues the checkpoint of {pinned.size:,} entries" if pinned else ""
        console.print(f"[green]✓[/] nothing was altered{since}", soft_wrap=True)
    if pinned is None:
        console.print(
            "no earlier checkpoint was given: whoever holds the signing key could have rewritten all of it",
            soft_wrap=True,
        )


def _publications(told: list[Publication]) -> Table:
    table = plain_table("published to", "entries", "last tried", "")
    for each in told:
        state = f"[red]{each.failure}[/]" if each.failure else "[green]✓[/]"
        table.add_row(each.target, "none" if each.size is None else f"{each.size:,}", format_time(each.at), state)
    return table


def _plain(told: Publication) -> dict[str, Any]:
    return {"target": told.target, "size": told.size, "at": format_time(told.at), "failure": told.failure}


def text_of(path: Path) -> str:
    """A key, note or checkpoint in a file; LedgerMissing or NoteInvalid where there is none."""
    try:
        return _bytes(path, most=NOTE_BYTES_MAX).decode()
    except UnicodeDecodeError:
        raise NoteInvalid(f"{path.name} is not a text") from None


def _bytes(path: Path, *, most: int) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(most)
    except OSError as error:
        raise LedgerMissing(f"{path} cannot be read: {error.strerror}") from None
