"""`rapport ledger`: the keys it is signed with, what it holds, its proofs, and the audit that trusts none of it."""

import json as json_format
import os
import secrets
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Annotated, Final

import typer

from commands.clock import now_ms
from commands.ledger_telling import audited, plain, publications, tell
from commands.options import DataFolderOption
from commands.output import JsonOption, console, emit
from commands.settings import LEDGER_KEY_FILE, Settings, SettingsInvalid, settings_of
from consent.ledger import CHECKPOINT, LEAVES, Ledger
from consent.ledger_note import (
    COSIGNS,
    NOTE_BYTES_MAX,
    SIGNS,
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
from consent.ledger_proof import fault_of, read_proof
from consent.ledger_publish import publish as publish_to
from consent.ledger_publish import target_of
from consent.ledger_verify import Finding, audit
from consent.ledger_witness import bear_witness, too_few
from events.shape import format_time

app = typer.Typer(name="ledger", no_args_is_help=True, help="What was agreed to and done, so that nobody can alter it.")

DEFAULT_NAME: Final = "rapport.local/ledger"
PROOF_BYTES_MAX: Final = 16 * 1024 * 1024


class LedgerMissing(Exception):
    """There is no ledger, or no file, where one was named; the text says what to do."""


@app.command()
def keygen(
    name: Annotated[
        str | None, typer.Argument(help="whose ledger it is, such as example.com/consent", show_default=DEFAULT_NAME)
    ] = None,
    *,
    beside: Annotated[bool, typer.Option(help="sign with this key beside the one that is there")] = False,
    data: DataFolderOption = None,
) -> None:
    """Make the key that signs checkpoints, and show its public half: give that to whoever is to verify."""
    settings = settings_of(data=data)
    standing = signers_of(settings)[0].name if beside else None
    if standing is not None and name not in {None, standing}:
        raise SettingsInvalid(f"the ledger is {standing}: a key beside the first one has its name")
    signer = make_key(settings, standing or name or DEFAULT_NAME, beside=beside)
    console.print(str(signer.verifier), soft_wrap=True, highlight=False)


@app.command()
def show(*, data: DataFolderOption = None, json: JsonOption = False) -> None:
    """See how much it holds, what is signed, where that was published, and the public key."""
    settings = settings_of(data=data)
    with _opened(settings) as ledger:
        keys = [str(signer.verifier) for signer in signers_of(settings)]
        size, latest, told = ledger.size, next(iter(ledger.checkpoints(most=1)), None), ledger.publications()
    if json:
        signed = {"size": latest[0], "note": latest[1], "at": format_time(latest[2])} if latest else None
        emit({"entries": size, "signed": signed, "keys": keys, "published": [plain(each) for each in told]})
        return
    signed_by = f"signed up to {latest[0]:,} at {format_time(latest[2])}" if latest else "never signed"
    console.print(f"{size:,} entries, {signed_by}", soft_wrap=True)
    for key in keys:
        console.print(f"key {key}", soft_wrap=True, highlight=False)
    console.print(publications(told) if told else "published nowhere")


@app.command()
def publish(
    targets: Annotated[
        list[str] | None, typer.Argument(help="folders and URLs; else those of the settings", show_default=False)
    ] = None,
    *,
    post: Annotated[bool, typer.Option(help="send to URLs by POST, not PUT")] = False,
    data: DataFolderOption = None,
    json: JsonOption = False,
) -> None:
    """Sign the ledger as it is and publish the checkpoint; status 1 when a target did not take it."""
    settings = settings_of(data=data)
    named = [target_of(each, method="POST" if post else "PUT") for each in targets or settings.checkpoint_targets]
    with _opened(settings) as ledger:
        note = ledger.checkpoint(signers_of(settings), now_ms=now_ms())
        told = publish_to(ledger, note, named, now_ms=now_ms())
    if json:
        emit({"checkpoint": note, "published": [plain(each) for each in told]})
    else:
        console.print(note, markup=False, highlight=False, soft_wrap=True)
        console.print(publications(told) if told else "published nowhere: name a folder or a URL")
    if any(each.failure for each in told):
        raise typer.Exit(1)


@app.command()
def prove(
    entry: Annotated[str, typer.Argument(help="an entry, such as fact:1.3.42 for a position of the log")],
    out: Annotated[Path, typer.Option(help="the file to write")],
    *,
    since: Annotated[Path | None, typer.Option(help="a checkpoint that whoever verifies holds")] = None,
    data: DataFolderOption = None,
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
    witness: Annotated[
        list[str] | None, typer.Option(help="the public key of a witness, or a file with it; may be repeated")
    ] = None,
    witnesses: Annotated[int | None, typer.Option(help="how many of them have to have cosigned", min=1)] = None,
    json: JsonOption = False,
) -> None:
    """Hold a ledger or a proof to a key and an earlier checkpoint; status 1 when something does not fit.

    Witnesses are looked for on the earlier checkpoint; without one, on that of the ledger or proof.
    """
    verifier = verifier_of(key)
    pinned = None if checkpoint is None else pinned_of(checkpoint, verifier)
    trusted = [verifier_of(each, use=COSIGNS) for each in witness or ()]
    demanded = len(trusted) if witnesses is None else witnesses
    if path.is_dir():
        if not (path / LEAVES).is_dir() and not (path / CHECKPOINT).exists():
            raise LedgerMissing(f"{path} is not the folder of a ledger")
        done = audit(path, key=verifier, pinned=pinned)
        said, findings = audited(done), done.findings
        note = text_of(checkpoint or path / CHECKPOINT) if demanded else ""
    else:
        proof = read_proof(_bytes(path, most=PROOF_BYTES_MAX))
        fault = fault_of(proof, key=verifier, pinned=pinned)
        said = {"entry": proof.entry, "leaf": proof.index}
        findings = [Finding("changed", fault)] if fault else []
        note = text_of(checkpoint) if checkpoint else proof.note
    if demanded and (lacking := too_few(note, trusted, demanded=demanded)) is not None:
        findings.append(Finding("witnesses", lacking))
    if json:
        emit(
            {
                "holds": not findings,
                **said,
                "findings": [{"kind": each.kind, "detail": each.detail} for each in findings],
            }
        )
    else:
        tell(said, findings, pinned)
    if findings:
        raise typer.Exit(1)


@app.command("witness-key")
def witness_key(
    name: Annotated[str, typer.Argument(help="who witnesses, such as auditor.example/w1")],
    out: Annotated[Path, typer.Option(help="the file for the secret half; not there yet")],
) -> None:
    """Make the key of a witness, who is somebody else than the owner of the ledger; show its public half."""
    signer = make_signer(name, secrets.token_bytes(32), use=COSIGNS)
    try:
        _keep_secret(out, signer, os.O_CREAT | os.O_EXCL)
    except OSError as error:
        raise LedgerMissing(f"{out} cannot be written: {error.strerror}") from None
    console.print(str(signer.verifier), soft_wrap=True, highlight=False)


@app.command()
def witness(
    path: Annotated[Path, typer.Argument(help="a ledger's folder, or a copy of it")],
    key: Annotated[str, typer.Option(help="the public key of the ledger, or a file with it")],
    *,
    signs_with: Annotated[Path, typer.Option(help="the file with the witness's secret key")],
    seen: Annotated[Path, typer.Option(help="the witness's own file: the last checkpoint it cosigned")],
    beside: Annotated[Path | None, typer.Option(help="the same checkpoint, cosigned by others")] = None,
) -> None:
    """Cosign the checkpoint of a ledger that continues the one seen last; status 1, and no cosignature, if not."""
    cosigner = read_signer(text_of(signs_with), use=COSIGNS)
    others = None if beside is None else text_of(beside)
    note, done = bear_witness(
        path, key=verifier_of(key), witness=cosigner, seen=seen, at_s=now_ms() // 1000, beside=others
    )
    if note is None:
        tell(audited(done), done.findings, None)
        raise typer.Exit(1)
    console.print(note, markup=False, highlight=False, soft_wrap=True)


def make_key(settings: Settings, name: str, *, beside: bool = False) -> Signer:
    """A new key in the data folder, the first one there, or `beside` others; SettingsInvalid where that is not so."""
    path = settings.data / LEDGER_KEY_FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    signer = make_signer(name, secrets.token_bytes(32))
    try:
        _keep_secret(path, signer, 0 if beside else os.O_CREAT | os.O_EXCL)
    except FileExistsError:
        raise SettingsInvalid(f"{path} is there; --beside puts a second key into it") from None
    except FileNotFoundError:
        raise SettingsInvalid(f"{path} is missing; make the first key without --beside") from None
    return signer


def _keep_secret(path: Path, signer: Signer, flags: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | flags, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(signer.written() + "\n")
        file.flush()
        os.fsync(descriptor)


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


def verifier_of(key: str, *, use: bytes = SIGNS) -> Verifier:
    """A public key as it is written, or in the file of that name."""
    return read_verifier(text_of(Path(key)) if Path(key).is_file() else key, use=use)


def pinned_of(path: Path, verifier: Verifier) -> Checkpoint:
    """An earlier checkpoint from a file."""
    try:
        return open_checkpoint(text_of(path), verifier)
    except NoteInvalid as error:
        raise NoteInvalid(f"{path.name}: {error}") from None


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
