"""`python -m commands.docs [--check]`: the references that are made from the code, under `docs/reference/`."""

import argparse
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from api.app import build_api
from api.documents import openapi_of
from api.key_file import KeyFile
from api.refs import Refs
from api.services import Services
from api.waiting import Freshness
from consent.accesses import AccessLog
from consent.act_records import MemoryActRecords
from consent.evidence_index import EvidenceIndex
from consent.memory_holds import MemoryHolds
from consent.recording import Recorder
from consent.rights_requests import RightsRequests
from consent.rules import shipped_rules
from consent.telling import Confirmations
from consent.tokens import Links, Tokens
from events import schemas
from events.admission import Admission
from events.memory_log import MemoryLog
from events.pseudonyms import Pseudonyms
from outreach.addressing import Addressing
from outreach.assessment import Assessment
from outreach.claiming import Claims
from outreach.records import MemoryRecords
from outreach.triggers import load_triggers
from profiles.memory_store import MemoryStore
from profiles.person import PersonReader, StoreFacets
from profiles.traits.table import traits_page
from recommender.artifact import untrained
from recommender.catalogue import load_catalogue
from recommender.decisions import MemoryDecisions
from recommender.model_store import ModelStore, ServedModel
from recommender.receipt_sealing import InstallationSealing
from recommender.receipts import Receipts


def references() -> dict[Path, str]:
    """Every reference that is made, by its path under `docs/reference/`."""
    return {**schemas.files(), Path("traits.md"): traits_page(), Path("openapi.json"): openapi_text()}


def openapi_text() -> str:
    """The OpenAPI document, as it is kept."""
    with tempfile.TemporaryDirectory() as folder:
        app = build_api(_services(Path(folder)))
        return json.dumps(openapi_of(app), indent=2, ensure_ascii=False) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the references, or check them; 1 when a check finds a stale one."""
    parser = argparse.ArgumentParser(prog="python -m commands.docs", description=main.__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing, say what is stale")
    parser.add_argument("--folder", type=Path, default=schemas.REFERENCE, help="where the references lie")
    chosen = parser.parse_args(arguments)
    made: Mapping[Path, str] = references()
    found = schemas.stale(chosen.folder, made)
    if not chosen.check:
        schemas.write(chosen.folder, made)
    word = "stale" if chosen.check else "written"
    sys.stdout.writelines(f"{word}: {path}\n" for path in found)
    return 1 if chosen.check and found else 0


def _services(folder: Path) -> Services:
    """Services over memory: what the routes say of themselves depends on none of them."""
    holds = MemoryHolds(partitions=1)
    store = MemoryStore(partitions=1)
    log = MemoryLog(topic="rapport.events", partitions=1)
    catalogue, rules = load_catalogue(), shipped_rules()
    triggers = load_triggers(catalogue)
    persons = PersonReader(StoreFacets(store, holds, 1), rules)
    outreach = MemoryRecords()
    return Services(
        admission=Admission(pseudonyms=Pseudonyms(bytes(32)), partitions=1),
        log=log,
        freshness=Freshness(store=store, app="profiles", topic="rapport.events", partitions=1),
        persons=persons,
        recorder=Recorder(records=MemoryActRecords(), holds=holds, log=log, partitions=1),
        receipts=Receipts(sealing=InstallationSealing(bytes(32)), policy="", code="", key=bytes(32)),
        decisions=MemoryDecisions(),
        outreach=outreach,
        claims=Claims(
            addressing=Addressing(persons, triggers),
            assessment=Assessment(triggers, catalogue),
            records=outreach,
            key=bytes(32),
        ),
        model=ServedModel(ModelStore(folder), fallback=untrained(catalogue, code="")),
        catalogue=catalogue,
        keys=KeyFile(folder / "none"),
        refs=Refs(bytes(32)),
        evidence=EvidenceIndex(folder / "none"),
        accesses=AccessLog(folder / "none"),
        rights=RightsRequests(folder / "none"),
        confirmations=Confirmations(path=folder / "none", recipients=()),
        links=Links(tokens=Tokens(bytes(32)), public_url="https://rapport.example"),
        notices=rules.notices,
        clock=lambda: 0,
        suppression_key=bytes(32),
    )


if __name__ == "__main__":
    sys.exit(main())
