"""`rapport officer export` and `check`: evidence in files for somebody outside, and the check that trusts none of it.

Written from the data folder, so that it needs no server and holds however much there is. That it was is noted.
"""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import chain
from pathlib import Path
from typing import Annotated

import typer

from commands.client import identity_of
from commands.clock import now_ms
from commands.declaring import note_at_the_machine, pseudonym_of
from commands.ledger import signers_of, text_of
from commands.options import DataFolderOption
from commands.output import JsonOption, console, emit
from commands.sealing import opening_of
from commands.settings import Settings, settings_of
from consent.consent_record import Controller
from consent.dossier import About, DossierRefused, Prove, write_dossier
from consent.dossier_verifier import check as checked
from consent.evidence_index import EvidenceIndex
from consent.ledger import Ledger
from consent.ledger_entry import LedgerError
from consent.ledger_follower import fact_id
from consent.ledger_note import read_checkpoint
from consent.ledger_proof import Proof
from events.position import Position
from profiles.at_time import members_at

FolderArgument = Annotated[Path, typer.Argument(metavar="FOLDER", help="the folder of the dossier")]
WhoOption = Annotated[
    str | None,
    typer.Option(
        "--identity",
        help="one identity of the person it is about, with proofs; everybody without it",
        callback=lambda text: None if text is None else identity_of(text),
    ),
]


def export(
    folder: FolderArgument,
    *,
    identity: WhoOption = None,
    controller: Annotated[Path | None, typer.Option(help="what records say of the controller (YAML)")] = None,
    since: Annotated[
        Path | None, typer.Option(help="a checkpoint that whoever checks it holds: proofs lead on from there")
    ] = None,
    what_for: Annotated[str, typer.Option("--for", help="what you export for; noted")] = "request",
    data: DataFolderOption = None,
    json: JsonOption = False,
) -> None:
    """Write a signed dossier: consent records, all evidence, notices; about one person also the ledger's proofs."""
    settings = settings_of(data=data)
    earlier = None if since is None else read_checkpoint(text_of(since)).size
    stated = Controller() if controller is None else Controller.load(controller)
    signers, now = signers_of(settings), now_ms()
    who = None if identity is None else pseudonym_of(settings, identity)
    note_at_the_machine(settings, who, what="export", what_for=what_for)
    with EvidenceIndex(settings.evidence, opening_of(settings)).reading() as evidence:
        members = None if who is None else members_at(who, evidence.of, at=now)
        about = About(
            subject="everybody" if members is None else f"one person, {len(members)} identities",
            read_to=[Position(*place, end) for place, end in sorted(evidence.ends().items())],
            made_at=now,
            controller=stated,
            rules=settings.rules(),
        )
        pieces = evidence.everything() if members is None else list(chain.from_iterable(evidence.of(members).values()))
        with _proofs(settings, earlier) as prove:
            asked = None if members is None else prove
            manifest = write_dossier(folder, pieces, about=about, signers=signers, prove=asked)
    if json:
        emit(manifest)
        return
    console.print(
        f"{manifest['pieces']} pieces of evidence in {folder}, {manifest['records']} of them consent records",
        soft_wrap=True,
    )
    if members is not None:
        console.print(
            f"{manifest['proofs']} proven by the ledger, {len(manifest['without_proof'])} not", soft_wrap=True
        )
    if manifest["not_stated"]:
        console.print(f"not stated in every record: {', '.join(manifest['not_stated'])}", soft_wrap=True)
    console.print(f"check it with: rapport officer check {folder} --key {signers[0].verifier}", soft_wrap=True)


def check(
    folder: FolderArgument,
    key: Annotated[str, typer.Option(help="the public key, or a file with it")],
    *,
    checkpoint: Annotated[Path | None, typer.Option(help="an earlier checkpoint, kept outside")] = None,
    json: JsonOption = False,
) -> None:
    """Check a dossier by a public key, and an earlier checkpoint, alone; status 1 when something does not hold."""
    try:
        pinned = None if checkpoint is None else text_of(checkpoint)
        faults, remarks = checked(folder, key=text_of(Path(key)) if Path(key).is_file() else key, checkpoint=pinned)
    except ValueError as error:
        raise typer.BadParameter(f"the key or the checkpoint cannot be used: {error}") from None
    if json:
        emit({"holds": not faults, "faults": faults, "remarks": remarks})
    for said in [] if json else [*faults, *remarks]:
        console.print(said, style="red" if said in faults else None, soft_wrap=True)
    if faults:
        raise typer.Exit(1)
    if not json:
        console.print("it holds: signed with this key, nothing changed, added or taken away since", soft_wrap=True)


@contextmanager
def _proofs(settings: Settings, since: int | None) -> Iterator[Prove]:
    """Gives the ledger's proof of a piece, on from so many entries; none where it holds none, or is not there."""
    if not settings.ledger.is_dir():
        yield lambda _position: None
        return
    with closing(Ledger(settings.ledger)) as ledger:
        if since is not None and since > read_checkpoint(ledger.latest() or "").size:
            raise DossierRefused(
                f"the ledger was never signed up to {since} entries: that checkpoint is of another one"
            )

        def prove(position: Position) -> Proof | None:
            try:
                return ledger.prove(fact_id(position), since=since)
            except LedgerError:
                return None

        yield prove
