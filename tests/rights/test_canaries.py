"""A person whose every value is a canary is erased from an installation that runs, and looked for in all its files."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from commands.clock import now_ms
from profiles.facet import Facet
from profiles.rights import erased_at
from tests import servers
from tests.builders import event
from tests.chaos.site import Site
from tests.rights.canaries import CARD, CLEAR, ME, OTHER, Aviary, aviary_in, live
from tests.waiting import until

pytestmark = [pytest.mark.servers, pytest.mark.long, pytest.mark.timeout(1200)]


def test_no_file_holds_a_canary_and_nothing_brings_the_person_back(tmp_path: Path) -> None:
    if wants := servers.apache_kafka_wants():
        pytest.skip(wants)
    copy = tmp_path / "copy of the store"
    with aviary_in(tmp_path / "site") as aviary:
        site = aviary.site
        live(aviary)
        facets = aviary.facets
        can_be_found(aviary, facets)
        others = site.installation.facet(OTHER)
        site.copy_store(copy)

        aviary.erased()

        assert aviary.left(facets) == set()
        assert site.installation.facet(OTHER) == others
        stays_gone(aviary)

        put_back(site, copy)
        until(lambda: erased_at(site.installation.facet(ME)) is not None, what="the tombstone, folded again")
        until(lambda: aviary.left(facets) == set(), within_s=240, what="nothing of them in the store that was put back")
        stays_gone(aviary)

        aviary.set_topics({"retention.ms": "1000", "file.delete.delay.ms": "100"})
        marks = (*CLEAR, *aviary.names)
        until(lambda: aviary.holding(marks, under="kafka") == set(), within_s=240, what="the retention of the topics")
        aviary.set_topics({"retention.ms": None, "file.delete.delay.ms": None})

        site.installation.send([event("service.visited", subject=ME, at=now_ms(), place="shop")])
        until(lambda: site.installation.facet(ME).service.touch, what="who came back")
        assert site.installation.facet(ME).consents == {}
        assert aviary.ask("GET", f"/v1/customers/{aviary.ref(ME)}/suggestions?k=3")["mode"] == "general"


def can_be_found(aviary: Aviary, facets: Sequence[bytes]) -> None:
    """What is looked for afterwards is there before: on the broker in clear on intake alone."""
    intake = f"kafka/log/{aviary.site.installation.settings.topic_prefix}.intake"
    clear = {each for each in aviary.holding(CLEAR) if each.startswith("kafka/")}
    assert clear
    assert {each for each in clear if not each.startswith(intake)} == set()
    assert len(facets) == 2
    assert aviary.holding(facets, under="store")
    assert {"kafka", "store", "data"} == {each.partition("/")[0] for each in aviary.holding(aviary.names)}
    assert any(each.startswith("data/history/") for each in aviary.holding(aviary.names, under="data"))


def stays_gone(aviary: Aviary) -> None:
    installation = aviary.site.installation
    for identity in (ME, CARD):
        assert set(aviary.archived(identity)) == {"rights.erased"}
        for facet in (installation.facet(identity), aviary.replayed(identity)):
            assert (facet.service, facet.consents) == (Facet().service, {})


def put_back(site: Site, copy: Path) -> None:
    """The store dies, and is started on the copy of before the erasure."""
    site.kill_store()
    site.put_back_store(copy)
    site.start_store()
