"""`rapport consents import` on a broker that really runs: twice is once, and each start goes on where one ended."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from commands.consents_import import app
from commands.settings import Settings, make_keyring, settings_of
from events.admission import Door, EventRefused
from streams.admin import ensure_topics
from tests.builders import ADMISSION, NOW, pseudonym
from tests.leaving.crm import MAPPING, export
from tests.leaving.reading import distinct_records
from tests.streams.workers import fresh

PARTITIONS = 2
CRM = Door(name="intake bound to crm", source="crm")


class Site:
    """An intake bound to the CRM, and the CRM's export beside it."""

    def __init__(self, kafka: str, folder: Path) -> None:
        self.folder = folder
        self.settings: Settings = settings_of(kafka=kafka, topic_prefix=fresh("import"), data=folder / "data")
        self.topic = self.settings.intake_topic("crm")
        make_keyring(self.settings)
        ensure_topics(self.settings.brokers, {self.topic: PARTITIONS}, replication=1)
        (folder / "crm.yaml").write_text(MAPPING)
        (folder / "crm.csv").write_text(export())

    def consents_import(self, *words: str) -> Result:
        asked = ["import", str(self.folder / "crm.csv"), "--mapping", str(self.folder / "crm.yaml"), "--json"]
        environment = {"RAPPORT_TOPIC_PREFIX": self.settings.topic_prefix}
        given = ["--kafka", self.settings.kafka, "--data", str(self.settings.data)]
        return CliRunner(env=environment).invoke(app, [*asked, *given, *words])

    def sent(self, *words: str) -> int:
        """Import, and answer how many events that sent."""
        done = self.consents_import(*words)
        assert done.exit_code == 1, done.output  # what was refused is told each time
        return int(json.loads(done.stdout)["sending"]["sent"])

    def values(self, *, count: int) -> set[bytes]:
        """The different values on the intake, once there are so many."""
        found = distinct_records(self.settings.kafka, self.topic, partitions=PARTITIONS, count=count)
        return {value for _, value in found}


@pytest.fixture
def site(kafka: str, tmp_path: Path) -> Site:
    return Site(kafka, tmp_path)


def acts(site: Site, *, count: int) -> list[tuple[str, str, str]]:
    """Identity, act and purpose of each record, as admission at the bound door takes it."""
    found = []
    for value in site.values(count=count):
        admitted = ADMISSION.admit(value, door=CRM, received_at=NOW)
        assert not isinstance(admitted, EventRefused)
        [one] = admitted
        found.append((one.fact.identity, one.fact.type, getattr(one.fact.body, "purpose")))  # noqa: B009 - any act has one
    return sorted(found)


EXPECTED = sorted(
    [
        (pseudonym("email:anna@example.test"), "consent.given", "outreach.email"),
        (pseudonym("email:bo@example.test"), "consent.refused", "outreach.email"),
        (pseudonym("phone:030 1234567"), "consent.given", "outreach.phone"),
        (pseudonym("phone:030 7654321"), "consent.withdrawn", "outreach.phone"),
    ]
)


def test_what_can_be_taken_is_on_the_intake_of_its_source(site: Site) -> None:
    assert site.sent() == 4
    assert acts(site, count=4) == EXPECTED


def test_an_import_that_ended_goes_on_and_a_whole_one_sends_nothing_more(site: Site) -> None:
    assert [site.sent("--limit", "3") for _ in range(3)] == [3, 1, 0]
    assert acts(site, count=4) == EXPECTED


def test_the_same_file_again_is_the_same_events(site: Site) -> None:
    site.sent()
    once = site.values(count=4)

    assert site.sent("--again") == 4
    assert site.values(count=4) == once


def test_a_longer_file_says_again_what_it_said_before_and_then_the_rest(site: Site) -> None:
    site.sent()
    once = site.values(count=4)
    (site.folder / "crm.csv").write_text(export("zoe@example.test;yes;07.03.2024;paper;;;", *export().splitlines()[1:]))

    assert site.sent() == 5
    assert site.values(count=5) > once
