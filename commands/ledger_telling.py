"""How `rapport ledger` tells what it found."""

from typing import Any

from rich.table import Table

from commands.output import console, plain_table
from consent.ledger_note import Checkpoint
from consent.ledger_openings import Publication
from consent.ledger_verify import Audit, Finding
from events.shape import format_time


def audited(done: Audit) -> dict[str, Any]:
    """What was looked at, for programs."""
    return {"entries": done.leaves, "signed": done.signed, "openings": done.opened, "destroyed": done.destroyed}


def tell(said: dict[str, Any], findings: list[Finding], pinned: Checkpoint | None) -> None:
    """Tell a person what an audit, or the check of a proof, came to."""
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


def publications(told: list[Publication]) -> Table:
    """Where checkpoints went."""
    table = plain_table("published to", "entries", "last tried", "")
    for each in told:
        state = f"[red]{each.failure}[/]" if each.failure else "[green]✓[/]"
        table.add_row(each.target, "none" if each.size is None else f"{each.size:,}", format_time(each.at), state)
    return table


def plain(told: Publication) -> dict[str, Any]:
    """Where checkpoints went, for programs."""
    return {"target": told.target, "size": told.size, "at": format_time(told.at), "failure": told.failure}
