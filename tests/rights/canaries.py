"""A person whose every value is a canary, on an installation that runs: told, seen, messaged, erased; then looked for.

Files are read raw while all processes run. `python -m tests.rights.canaries` erases the same one and tells the times.
"""

import json
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import httpx
import pyarrow.parquet as pq
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient

from api.auth import Role
from commands.clock import now_ms
from commands.opened_history import history_of
from embedded.process import Process
from embedded.service import Service
from events.keys import facet_key
from events.partitioning import partition_of
from profiles.facet import Facet
from profiles.fold import fold
from recommender.artifact import untrained
from recommender.catalogue import load_catalogue
from recommender.model_store import ModelStore
from tests.builders import DAY, HOUR, event, money
from tests.chaos.desk import Desk, desk_of
from tests.chaos.site import APACHE, HISTORY, Site, site_in
from tests.integration.test_outreach import messages, noon_zone
from tests.servers import ROOT
from tests.waiting import until

ME: Final = "app:canary-4711"
CARD: Final = "card:canary-4712"
OTHER: Final = "app:somebody-else"
VALUES: Final = ("canary-4711", "canary-4712", "order-canary", "item-canary", "words of a cAnArY", "region-canary")
CLEAR: Final = tuple(value.encode() for value in VALUES)
PURPOSES: Final = ("profile.build", "suggest.personal", "model.train", "feedback.analyse", "outreach.push")


@dataclass(eq=False)
class Aviary:
    """The installation: broker, store, workers, keeper and API as processes; `site.folder` holds all their files."""

    site: Site
    desk: Desk
    keeper: Process
    http: httpx.Client = field(repr=False)

    def ask(self, method: str, path: str, *, role: Role = Role.AGENT, body: Any = None) -> Any:
        """One request, asked again while the API says that a moment later may help."""
        headers = {"Authorization": f"Bearer {self.desk.keys[role]}"}
        headers |= {"Rapport-Purpose": "request"} if role is Role.PRIVACY else {}
        found: list[httpx.Response] = []

        def is_answered() -> bool:
            found[:] = [self.http.request(method, path, headers=headers, json=body)]
            return found[0].status_code != httpx.codes.SERVICE_UNAVAILABLE

        until(is_answered, what=f"an answer to {path}")
        assert found[0].is_success, found[0].text
        return found[0].json()

    def ref(self, identity: str) -> str:
        """The reference of a clear identity."""
        return str(self.ask("POST", "/v1/customers/lookup", body={"identity": identity})["ref"])

    @property
    def names(self) -> tuple[bytes, ...]:
        """The pseudonyms of the person."""
        return tuple(self.site.installation.pseudonyms.of(each).encode() for each in (ME, CARD))

    @property
    def facets(self) -> tuple[bytes, ...]:
        """The facets of the person as the store keeps them: compressed, so that what they say is not seen."""
        keys = [facet_key(partition_of(each, self._partitions), each.decode()) for each in self.names]
        with self.site.store_client as client:
            found = client.mget(keys)
        assert isinstance(found, list)
        return tuple(each for each in found if isinstance(each, bytes))

    def holding(self, texts: Sequence[bytes], *, under: str = "") -> set[str]:
        """The files that hold any of the texts, read as they are now, while everybody writes."""
        root, found = self.site.folder / under, set()
        for path in root.rglob("*"):
            with suppress(FileNotFoundError, IsADirectoryError):  # the servers take files away meanwhile
                raw = path.read_bytes() + (_cells(path) if path.suffix == ".parquet" else b"")
                if any(text in raw for text in texts):
                    found.add(str(path.relative_to(self.site.folder)))
        return found

    def left(self, facets: Sequence[bytes]) -> set[str]:
        """Files that hold what an erasure has to take away at once, facets of before too; and whether metrics do."""
        clear = {each for each in self.holding([*CLEAR, *facets]) if not self._is_intake(each)}
        named = {each for each in self.holding(self.names) if not each.startswith(("kafka/", "data/history/"))}
        metrics = self.http.get("/metrics", headers={"Authorization": f"Bearer {self.desk.keys[Role.PRIVACY]}"}).content
        told = {"metrics"} if any(text in metrics for text in (*CLEAR, *self.names)) else set()
        return clear | {each for each in named if not self._is_tombstone(each)} | told

    @property
    def _partitions(self) -> int:
        return self.site.installation.settings.partitions

    def _is_intake(self, name: str) -> bool:
        return name.startswith(f"kafka/log/{self.site.installation.settings.topic_prefix}.intake")

    def _is_tombstone(self, name: str) -> bool:
        """Whether a file of the store holds the pseudonyms as keys of their tombstones alone, or is gone by now."""
        if not name.startswith("store/"):
            return False
        try:
            raw = (self.site.folder / name).read_bytes()
        except FileNotFoundError:
            return True
        for each in self.names:
            raw = raw.replace(facet_key(partition_of(each, self._partitions), each.decode()).encode(), b"")
        return not any(each in raw for each in self.names)

    def archived(self, identity: str) -> list[str]:
        """The types of the facts that history holds of a clear identity."""
        name = self.site.installation.pseudonyms.of(identity)
        return [fact.type for _, fact in history_of(self.site.installation.settings).facts() if fact.identity == name]

    def replayed(self, identity: str) -> Facet:
        """What all of history amounts to for a clear identity."""
        facet, name = Facet(), self.site.installation.pseudonyms.of(identity)
        for _, fact in history_of(self.site.installation.settings).facts():
            facet = fold(facet, fact).facet if fact.identity == name else facet
        return facet

    def erased(self) -> dict[str, Any]:
        """Ask for the erasure of the person, and wait for its certificate; the card of the erasure."""
        asked = self.ask("POST", f"/v1/rights/people/{self.ref(ME)}/erasure", role=Role.PRIVACY)
        path = f"/v1/rights/erasures/{asked['request']}"
        card: dict[str, Any] = {}

        def is_done() -> bool:
            card.update(self.ask("GET", path, role=Role.PRIVACY))
            return bool(card["status"] == "done")

        until(is_done, within_s=900, what="the certificate")
        return card

    def set_topics(self, configs: Mapping[str, str | None]) -> None:
        """Set what all topics are kept by; None: as the broker has it."""
        settings = self.site.installation.settings
        changed = {name: ("DELETE", None) if value is None else value for name, value in configs.items()}
        admin = KafkaAdminClient(bootstrap_servers=settings.brokers)
        try:
            admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, name, changed) for name in settings.topics])
        finally:
            admin.close()


@contextmanager
def aviary_in(folder: Path) -> Iterator[Aviary]:
    """Everything runs, with a model to begin with; it ends with the block."""
    with site_in(folder, broker=APACHE, partitions=4) as site:
        for name, app in (("worker-1", "profiles"), ("archiver", HISTORY)):
            site.hire(name, app=app)
        settings = site.installation.settings
        ModelStore(settings.models).publish(untrained(load_catalogue(), code="first"), record={"snapshot": 0})
        desk = desk_of(site)
        argv = [sys.executable, "-c", "import cli; cli.main()", "keeper"]
        log = folder / "keeper.log"
        keeper = Process(
            Service(name="keeper", argv=argv, environment=site.installation.environment, folder=ROOT, log=log)
        )
        try:
            with httpx.Client(base_url=desk.url, timeout=60) as http:
                aviary = Aviary(site, desk, keeper, http)
                # Senders compress: what they say could else not be seen in the broker's files.
                aviary.set_topics({"compression.type": "uncompressed"})
                yield aviary
        finally:
            keeper.kill()
            desk.kill()


def _cells(path: Path) -> bytes:
    """What the columns of a file of history hold, which is compressed in it."""
    table = pq.read_table(path)
    return b"".join(buffer.to_pybytes() for column in table.columns for part in column.chunks for buffer in _of(part))


def _of(part: Any) -> list[Any]:
    return [buffer for buffer in part.buffers() if buffer is not None]


def told(identity: str, *, now: int, others: Sequence[str] = ()) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """What somebody agreed to and who they are; and what they then did."""
    is_me = identity == ME
    mark, words = ("canary", "words of a cAnArY") if is_me else ("other", "words")
    agreed = [event("consent.given", subject=identity, at=now - DAY, purpose=each) for each in PURPOSES]
    described = {"timezone": noon_zone(now), "region": f"region-{mark}"}
    agreed.append(event("identity.described", subject=identity, at=now - DAY, attributes=described))
    for other in others:
        linked: dict[str, Any] = {"other": other, "reason": "card-in-app", "strength": "verified"}
        agreed.append(event("identity.linked", subject=identity, at=now - DAY, **linked))
    lines = [{"item": f"item-{mark}", "category": "grocery", "amount": 100}]
    did = [
        event(
            "transaction.purchased",
            subject=identity,
            at=now - number * HOUR,
            order_id=f"order-{mark}-{number}",
            total=money(1),
            lines=lines,
        )
        for number in range(3)
    ]
    did.append(event("feedback.review_posted", subject=identity, at=now, review_id=f"r-{mark}", score=1, text=words))
    return agreed, did


def live(aviary: Aviary) -> None:
    """Two people do the same; the person is seen, is sent a message, and something about them is set aside."""
    installation, now = aviary.site.installation, now_ms()
    (agreed, did), (other_agreed, other_did) = told(ME, now=now, others=[CARD]), told(OTHER, now=now)
    installation.send([*agreed, *other_agreed], source="crm")
    until(lambda: installation.done() >= len(agreed) + len(other_agreed) + 1, what="what they agreed to")
    installation.send([*did, *other_did, {**did[0], "id": "poison", "type": "service.vanished"}])
    until(lambda: len(messages(installation)) == 2, what="their messages")
    until(lambda: len(aviary.archived(OTHER)) == len(other_agreed) + len(other_did), what="history")
    until(lambda: len(aviary.archived(ME)) == len(agreed) + len(did), what="history")
    ref = aviary.ref(ME)
    assert aviary.ask("GET", f"/v1/customers/{ref}/suggestions?k=3&channel=app")["mode"] == "personal"
    aviary.ask("GET", f"/v1/customers/{ref}", role=Role.PRIVACY)
    aviary.ask("POST", f"/v1/customers/{ref}/consents", body={"act": "refused", "purpose": "share.third_party"})
    files = {"data/evidence.sqlite", "data/ledger/openings.db", "data/accesses.sqlite", "data/keys/bodies.sqlite"}
    until(
        lambda: files <= {each.removesuffix("-wal") for each in aviary.holding(aviary.names, under="data")},
        what="evidence, ledger, accesses and keys that know them",
    )


def main() -> int:
    """Tell how long each place took."""
    with tempfile.TemporaryDirectory(prefix="canaries-") as name, aviary_in(Path(name) / "site") as aviary:
        live(aviary)
        facets = aviary.facets
        card = aviary.erased()
        left = sorted(aviary.left(facets))
        sys.stdout.write(json.dumps({"seconds": seconds(card), "left": left}, indent=1) + "\n")
        return 1 if left else 0


def seconds(card: Mapping[str, Any]) -> dict[str, float]:
    """Step of an erasure -> seconds since it was asked for."""
    began = datetime.fromisoformat(card["asked_at"])
    done = {name: step["done_at"] for name, step in card["steps"].items() if step["done_at"]}
    return {name: (datetime.fromisoformat(at) - began).total_seconds() for name, at in done.items()}


if __name__ == "__main__":
    sys.exit(main())
