"""`rapport rights access`: all we hold of one person, from the data folder and the store, in one ZIP."""

import asyncio
from collections.abc import Collection
from itertools import chain
from pathlib import Path
from typing import Annotated, Final

import typer

from commands.client import IdentityArgument
from commands.clock import now_ms
from commands.declaring import note_at_the_machine, pseudonym_of
from commands.opened_history import history_of
from commands.options import DataFolderOption, NotedOption, StoreOption
from commands.output import JsonOption, console, emit
from commands.rights_bundle import Held, bundle_of, write_bundle
from commands.sealing import opening_of
from commands.settings import Settings, settings_of
from consent.accesses import AccessLog
from consent.evidence_index import EvidenceIndex
from consent.redis_holds import RedisHolds
from consent.redis_rights import RedisResidue
from events.fact import Fact
from events.history import History
from events.position import Position
from outreach.redis_records import RedisRecords
from profiles.person import PersonReader
from profiles.redis_facets import RedisFacets
from profiles.redis_store import RedisStore
from recommender.decisions import Decision
from recommender.redis_decisions import FAMILY as SUGGESTIONS
from recommender.redis_decisions import RedisDecisions

LOOKS_MAX: Final = 100_000


def access(
    identity: IdentityArgument,
    out: Annotated[Path, typer.Option(help="the ZIP to write")],
    *,
    what_for: NotedOption = "request",
    redis: StoreOption = None,
    data: DataFolderOption = None,
    json: JsonOption = False,
) -> None:
    """Write all we hold of a person into one ZIP: of every identity that is verified as theirs."""
    settings = settings_of(redis=redis, data=data)
    who = pseudonym_of(settings, identity)
    note_at_the_machine(settings, who, what="access bundle", what_for=what_for)
    files = bundle_of(asyncio.run(_held(settings, who)))
    write_bundle(out, files)
    if json:
        emit({name: len(raw) for name, raw in files.items()})
    else:
        console.print(f"{len(files)} files in {out}: hand it to nobody but the person", soft_wrap=True)


async def _held(settings: Settings, who: str) -> Held:
    now, partitions = now_ms(), settings.partitions
    store = await RedisStore.connect(settings.redis, cluster=settings.redis_cluster, partitions=partitions)
    try:
        holds = RedisHolds(store.client, partitions=partitions)
        persons = PersonReader(RedisFacets(store.client, holds, partitions=partitions), settings.rules())
        view = await persons.read(who, now=now)
        with EvidenceIndex(settings.evidence, opening_of(settings)).reading() as evidence:
            pieces = list(chain.from_iterable(evidence.of(view.members).values()))
        return Held(
            view=view,
            facts=facts_of(history_of(settings), view.members),
            evidence=pieces,
            suggestions=await _suggestions(store, view.members),
            messages=await RedisRecords(store.client, partitions=partitions).decisions_of(view.members),
            looks=AccessLog(settings.accesses).of(view.members, limit=LOOKS_MAX),
            made_at=now,
        )
    finally:
        await store.close()


def facts_of(history: History, members: Collection[str]) -> list[tuple[Position, Fact]]:
    """Their facts, of every log there was: under another number of partitions they lay in others than today."""
    return [pair for pair in history.facts() if pair[1].identity in members]


async def _suggestions(store: RedisStore, members: Collection[str]) -> list[Decision]:
    """Those that were answered in the last 30 days, by id; nothing lists them by person."""
    decisions = RedisDecisions(store.client)
    names = await RedisResidue(store.client).names_of(SUGGESTIONS, members)
    found = [await decisions.get(name) for name in sorted(names)]
    return [each for each in found if each is not None]
