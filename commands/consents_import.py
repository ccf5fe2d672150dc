"""`rapport consents import FILE`: consents of an existing system, by a mapping, through the door of its source.

Exit codes as in `rapport replay`; 1 also where rows were refused, which names them by their lines.
"""

import csv
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Final, NamedTuple

import typer
from rich.markup import escape
from rich.table import Table

from commands.clock import now_ms
from commands.output import JsonOption, console, emit
from commands.replay_input import Input, InputUnreadable, Line
from commands.replay_terminal import tell
from commands.sending import Asked, fail, send
from commands.settings import Settings, SettingsInvalid, keyring_of, settings_of
from consent.import_mapping import ImportMapping, MappingInvalid
from consent.import_plan import Plan
from consent.imports import Importer, Row, Taken
from consent.rights import suppression
from consent.rights_requests import RightsRequests
from consent.versioned_data import DataInvalid
from events.pseudonyms import Pseudonyms

_COMMAND: Final = "rapport consents import"
FIELD_BYTES_MAX: Final = 128 * 1024

app = typer.Typer(name="consents", no_args_is_help=True, help="Consents of other systems.")


@app.callback()
def consents() -> None:
    """Consents of other systems."""


class NumberedRow(NamedTuple):
    """A row with the line of the file it begins at; None where it has another number of fields than the head."""

    line: int
    row: Row | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentFile:
    """A file of rows and what reads them; it can be gone through more than once and says the same each time."""

    path: Path
    importer: Importer

    def rows(self) -> Iterator[NumberedRow]:
        """Its rows in order. InputUnreadable where it is no such file, or lacks a column of the mapping."""
        mapping = self.importer.mapping
        csv.field_size_limit(FIELD_BYTES_MAX)
        encoding = "utf-8-sig" if mapping.encoding == "utf-8" else mapping.encoding
        try:
            with self.path.open(encoding=encoding, newline="") as file:
                reader = csv.reader(file, delimiter=mapping.delimiter, strict=True)
                head = next(reader, [])
                _check_head(head, mapping, name=self.path.name)
                begins = reader.line_num + 1
                for cells in reader:
                    if cells:
                        fits = len(cells) == len(head)
                        yield NumberedRow(begins, dict(zip(head, cells, strict=True)) if fits else None)
                    begins = reader.line_num + 1
        except (OSError, UnicodeError, csv.Error) as error:
            why = getattr(error, "strerror", None) or (
                f"not {mapping.encoding}" if isinstance(error, UnicodeError) else "not CSV as the mapping describes it"
            )
            raise InputUnreadable(f"{self.path.name} cannot be read: {why}") from error

    def plan(self) -> Plan:
        """What would happen to its rows."""
        plan = Plan()
        for line, row in self.rows():
            if row is None:
                plan.rows += 1
                plan.refuse(line, "other_fields", "another number of fields than the head has")
            else:
                plan.add(line, self.importer.verdicts(row))
        return plan

    def events(self, plan: Plan) -> Input:
        """The events of the rows that its plan takes."""
        with self.path.open("rb") as file:
            identifies = hashlib.file_digest(file, "sha256").hexdigest()[:16]

        def lines() -> Iterator[Line]:
            for line, row in self.rows():
                for verdict in () if row is None else self.importer.verdicts(row):
                    if isinstance(verdict, Taken):
                        yield Line(line, json.dumps(verdict.event, ensure_ascii=False).encode())

        return Input(name="consents", identifies=f"{identifies}-{plan.identifies}", lines=lines)


@app.command("import")
def import_consents(
    file: Annotated[Path, typer.Argument(help="CSV with a head, as an existing system exports it.")],
    *,
    mapping: Annotated[Path, typer.Option(help="YAML: what its columns mean; see docs/how-to/import-consents.md.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would happen, send nothing.")] = False,
    kafka: Annotated[str | None, typer.Option(help="Brokers, host:port, separated by commas.")] = None,
    data: Annotated[str | None, typer.Option(help="Folder of history, models, keys and places reached.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Send at most so many; a later start goes on.")] = None,
    rate: Annotated[float | None, typer.Option(min=0.001, help="Send at most so many a second.")] = None,
    state: Annotated[Path | None, typer.Option(help="Where the place reached is kept.")] = None,
    again: Annotated[bool, typer.Option("--again", help="Begin at the start; nothing counts twice.")] = False,
    json: JsonOption = False,
) -> None:
    """Read who agreed to what from another system's file, and put it on the log as acts of that source.

    Importing a file twice changes nothing. A yes never outlives a no that was said later, here or there.
    """
    try:
        found = _file(file, mapping, settings_of(kafka=kafka, data=data))
        plan = found.plan()
    except (SettingsInvalid, MappingInvalid, InputUnreadable, DataInvalid) as error:
        fail(_COMMAND, str(error), code=2)
    if dry_run:
        _show(plan, as_json=json)
        raise typer.Exit(1 if plan.refused else 0)
    if not json:
        _show(plan, as_json=False)
    source = found.importer.mapping.source
    asked = Asked(kafka=kafka, data=data, source=source, limit=limit, rate=rate, state=state, again=again)
    sent = send(partial(found.events, plan), asked, command=_COMMAND)
    if json:
        emit(plan.as_json() | {"sending": sent.tally.as_json() | {"seconds": round(sent.seconds, 3)}})
    else:
        tell(sent.tally, sent.begin, seconds=sent.seconds, as_json=False)
    raise typer.Exit(sent.code or (1 if plan.refused else 0))


def _file(path: Path, mapping: Path, settings: Settings) -> ConsentFile:
    try:
        read = ImportMapping.parse(mapping.read_bytes())
    except OSError as error:
        raise MappingInvalid(f"{mapping} cannot be read: {error.strerror}") from error
    except MappingInvalid as error:
        raise MappingInvalid(f"{mapping.name}: {error}") from None
    if read.source not in settings.bound_sources:
        raise MappingInvalid(f"{mapping.name}: source: no intake is bound to it; see RAPPORT_BOUND_SOURCES")
    keyring = keyring_of(settings)
    erased = RightsRequests(settings.rights).erased_since(0)
    importer = Importer(
        mapping=read,
        pseudonyms=Pseudonyms(keyring.pseudonym_key, settings.region),
        rules=settings.rules(),
        now=now_ms(),
        is_erased=lambda pseudonym: suppression(pseudonym, key=keyring.suppression_key) in erased,
    )
    return ConsentFile(path=path, importer=importer)


def _check_head(head: list[str], mapping: ImportMapping, *, name: str) -> None:
    if len(set(head)) != len(head):
        raise InputUnreadable(f"{name}: a column is named twice")
    if missing := sorted(mapping.columns - set(head)):
        raise InputUnreadable(f"{name}: there is no column {', '.join(missing)}")


def _show(plan: Plan, *, as_json: bool) -> None:
    if as_json:
        emit(plan.as_json())
        return
    table = Table("act", "purpose", "acts", title=f"{plan.rows:,} rows", title_justify="left")
    for (act, purpose), count in sorted(plan.taken.items()):
        table.add_row(act, purpose, f"{count:,}")
    if plan.skipped:
        table.add_row("nothing said", "", f"{plan.skipped:,}")
    console.print(table)
    if plan.refused:
        refused = Table("refused", "acts", "first at line", "what is wrong", title="Not taken", title_justify="left")
        for code, each in sorted(plan.refused.items()):
            refused.add_row(code, f"{each.count:,}", ", ".join(map(str, each.lines)), escape(each.detail))
        console.print(refused)
