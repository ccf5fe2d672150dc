"""An erasure on an installation that runs: afterwards no file of it holds the person, but for the tombstones."""

import asyncio
import json
import shlex
import subprocess
import zipfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import pytest
from redis.asyncio import Redis

from commands.keeper import Keeping
from commands.ledger import DEFAULT_NAME, make_key
from commands.opened_history import history_of
from consent.accesses import Access, AccessLog
from consent.ledger_verify import audit
from consent.purposes import SUGGEST, TRAIN
from consent.rights import STEPS, suppression
from consent.rights_certificate import read_certificate
from consent.rights_requests import Asked, RightsRequests
from events.keys import facet_key
from events.partitioning import partition_of
from profiles.facet import Facet
from profiles.rights import erased_at
from recommender.artifact import untrained
from recommender.catalogue import load_catalogue
from recommender.decisions import Decision
from recommender.model_store import ModelStore
from recommender.redis_decisions import RedisDecisions
from tests.builders import NOW, event, money, shown
from tests.installation import Installation, installation_in
from tests.rights.how_to import ON_FILES
from tests.waiting import until

pytestmark = pytest.mark.servers

ME: Final = "app:canary-4711"
OTHER: Final = "app:somebody-else"
CLEAR: Final = (b"canary-4711", b"order-canary", b"cAnArY words")


def said(identity: str) -> list[dict[str, object]]:
    order, words = ("order-canary", "cAnArY words") if identity == ME else ("order-1", "words")
    acts = [event("consent.given", subject=identity, purpose=purpose, at=NOW) for purpose in (SUGGEST, TRAIN)]
    return [
        *acts,
        event("transaction.purchased", subject=identity, at=NOW, order_id=order, total=money(100)),
        event("feedback.review_posted", subject=identity, at=NOW, review_id=f"r-{order}", score=1, text=words),
    ]


def holding(folder: Path, texts: Sequence[bytes]) -> list[str]:
    """The files that hold any of the texts."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return [str(path.relative_to(folder)) for path in files if any(text in raw(path) for text in texts)]


def raw(path: Path) -> bytes:
    """What a file holds, read by another process: to close a file of SQLite in this one drops its locks on it."""
    return subprocess.run(["cat", path], capture_output=True, check=False).stdout


async def seen(installation: Installation) -> None:
    """A suggestion was made, and an agent looked."""
    name = installation.pseudonyms.of(ME)
    async with Redis.from_url(installation.settings.redis) as client:
        decision = Decision("0" * 32, name, ("pram",), None, "general", "m", "c", NOW)
        await RedisDecisions(client).keep(decision, shown=shown(name))
    AccessLog(installation.settings.accesses).note(
        Access(NOW, "0" * 8, "agent", "card", name, "answer", "", broke_glass=False)
    )


def archived(installation: Installation, identity: str) -> list[str]:
    """The types of the facts that history holds of a clear identity."""
    name = installation.pseudonyms.of(identity)
    return [fact.type for _, fact in history_of(installation.settings).facts() if fact.identity == name]


def asked(installation: Installation, requests: RightsRequests) -> None:
    name = installation.pseudonyms.of(ME)
    hashes = [suppression(name, key=installation.keyring.suppression_key)]
    requests.open(Asked(id="1" * 32, identities=[name], left=[], hashes=hashes, at=NOW - 1, by="0" * 8))


def test_no_file_holds_the_person_but_for_the_tombstones(tmp_path: Path) -> None:
    with installation_in(tmp_path, partitions=2) as installation, ExitStack() as afterwards:
        settings, name = installation.settings, installation.pseudonyms.of(ME)
        signer = make_key(settings, DEFAULT_NAME)
        keeping = Keeping(settings)
        afterwards.callback(keeping.end)
        requests = RightsRequests(settings.rights)
        asyncio.run(installation.append([*said(ME), *said(OTHER)]))
        with installation.worker("history"), installation.worker("profiles"):
            until(lambda: installation.facet(OTHER).service.orders, what="the profiles")
            until(lambda: len(archived(installation, OTHER)) == len(said(OTHER)), what="history")
            until(lambda: len(archived(installation, ME)) == len(said(ME)), what="history")
            until(keeping.round, what="evidence and ledger")
            asyncio.run(seen(installation))
            models = ModelStore(settings.models)
            before = models.publish(untrained(load_catalogue(), code="before"), record={"snapshot": NOW})
            others = installation.facet(OTHER)
            granted(installation, tmp_path)
            # What is looked for can be found: so it is not there afterwards.
            found = holding(tmp_path, [name.encode()])
            assert {"data/evidence.sqlite", "data/ledger/openings.db"} <= {each.removesuffix("-wal") for each in found}
            assert any(each.startswith("store/") for each in found)

            asked(installation, requests)
            until(lambda: keeping.round() and not requests.pending(), within_s=240, what="the erasure")

            [done] = requests.listed()
            assert set(done.done) == set(STEPS)
            assert erased_at(installation.facet(ME)) == done.asked_at
            assert installation.facet(ME).service == Facet().service
            assert installation.facet(OTHER) == others
            assert archived(installation, ME) == ["rights.erased"]
            assert models.current() != before
            assert before not in models.names()
            assert holding(tmp_path, CLEAR) == []
            only_there(tmp_path, name, partitions=settings.partitions)

            comes_back = event("service.visited", subject=ME, at=NOW, place="shop")
            asyncio.run(installation.append([comes_back]))
            until(lambda: installation.facet(ME).service.touch, what="the profile of who came back")
            until(lambda: archived(installation, ME) == ["rights.erased", "service.visited"], what="history")
            assert installation.facet(ME).consents == {}

        keeping.round()
        audited = audit(settings.ledger, key=signer.verifier, pinned=None)
        assert audited.findings == []
        assert done.certificate is not None
        assert read_certificate(done.certificate, signer.verifier)["request"] == done.id


def granted(installation: Installation, folder: Path) -> None:
    """The commands of the how-to that work on the data folder: a bundle, and a wrong order taken out."""
    wrong = event("transaction.purchased", subject=ME, at=NOW, order_id="order-wrong", total=money(1))
    asyncio.run(installation.append([wrong]))
    until(lambda: "transaction.purchased" in archived(installation, ME)[len(said(ME)) :], what="the wrong order")
    [place] = [
        str(place)
        for place, fact in history_of(installation.settings).facts()
        if getattr(fact.body, "order_id", None) == "order-wrong"
    ]
    bundle = folder.with_suffix(".zip")
    for line in ON_FILES:
        spoken = line.replace("app:42", ME).replace("1.0.2", place).replace("bundle.zip", str(bundle))
        done = installation.rapport(*shlex.split(spoken)[1:])
        assert (done.returncode, done.stderr) == (0, ""), line
    assert set(installation.facet(ME).service.orders) == {"order-canary"}
    with zipfile.ZipFile(bundle) as written:
        assert {"order-canary", "order-wrong"} <= {
            each["said"].get("order_id") for each in json.loads(written.read("events.json"))
        }
        assert [each["decision"] for each in json.loads(written.read("suggestions.json"))] == ["0" * 32]


def only_there(folder: Path, name: str, *, partitions: int) -> None:
    """The pseudonym stands in history's tombstone and as the key of the store's, and nowhere else."""
    where = holding(folder, [name.encode()])
    assert {each.partition("/")[0] for each in where if not each.startswith("data/history/")} <= {"store"}
    key = facet_key(partition_of(name.encode(), partitions), name).encode()
    for each in where:
        if each.startswith("store/"):
            assert name.encode() not in raw(folder / each).replace(key, b"")
