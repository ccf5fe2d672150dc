"""`rapport simulate` and `rapport uplift` over the history and the store of an installation."""

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import cli
from commands.settings import KEY_FILE, Settings, keyring_of, settings_of
from consent.accesses import AccessLog
from consent.holds import hold_of
from consent.purposes import ANALYTICS, PROFILE, SUGGEST
from consent.redis_holds import RedisHolds
from events.fact import Fact, encode_fact
from events.history import History
from events.keys import facet_key
from profiles.codec import encode_facet
from profiles.facet import Facet
from profiles.fold import fold
from profiles.redis_store import redis_client
from recommender.uplift import marked
from streams.frame import Record
from tests.builders import DAY, NOW, PARTITIONS, admitted, consent, fact
from tests.installation import SPREADING
from tests.recommender.worlds import agreed, subscribed

pytestmark = pytest.mark.servers

PEOPLE = [f"app:{number}" for number in range(24)]
EXPERIMENT = 'version: 1\nname: spring\nsince: "2026-01-01T00:00:00Z"\nshares: {general: 0.5}\n'


@pytest.fixture
def settings(tmp_path: Path, valkey_url: str) -> Settings:
    (tmp_path / KEY_FILE).write_text(f"{SPREADING}\n")
    return settings_of(data=tmp_path, redis=valkey_url, partitions=PARTITIONS)


def told(settings: Settings, *words: str) -> dict[str, Any]:
    where = {
        "RAPPORT_DATA": str(settings.data),
        "RAPPORT_REDIS": settings.redis,
        "RAPPORT_PARTITIONS": str(settings.partitions),
    }
    done = CliRunner().invoke(cli.build(words[0]), [*words, "--json"], env=where)
    assert done.exit_code == 0, (done.output, done.exception)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def archived(settings: Settings, facts: Sequence[Fact]) -> None:
    history = History(settings.history)
    for partition in range(PARTITIONS):
        mine = [each for each in facts if admitted(each).partition == partition]
        records = [Record(offset, NOW, each.identity.encode(), encode_fact(each)) for offset, each in enumerate(mine)]
        history.append(1, partition, 0, len(records), records)


def stored(settings: Settings, facts: Sequence[Fact], *held: Fact) -> None:
    """The facts folded, and withdrawals that are not."""
    facets: dict[str, Facet] = {}
    homes = {each.identity: admitted(each).partition for each in facts}
    for each in facts:
        facets[each.identity] = fold(facets.get(each.identity, Facet()), each).facet

    async def write() -> None:
        client = redis_client(settings.redis, cluster=False)
        for identity, facet in facets.items():
            await client.set(facet_key(homes[identity], identity), encode_facet(facet))
        holds = [hold for each in held if (hold := hold_of(each)) is not None]
        await RedisHolds(client, partitions=PARTITIONS).place(holds)
        await client.aclose()

    asyncio.run(write())


def crowd() -> list[Fact]:
    return [
        each
        for number, who in enumerate(PEOPLE)
        for each in [
            *agreed(ANALYTICS, SUGGEST, PROFILE, identity=who),
            *([subscribed("auto-repayment", identity=who)] if number % 2 else []),
        ]
    ]


def test_history_and_store_tell_the_same_and_a_withdrawal_on_its_way_counts_in_both(settings: Settings) -> None:
    refused = [consent("withdrawn", purpose, identity=who, at=NOW) for who in PEOPLE[:12] for purpose in (SUGGEST,)]
    archived(settings, crowd())
    stored(settings, crowd(), *refused)

    by_history, by_store = (told(settings, "simulate", "--from", source) for source in ("history", "store"))

    assert by_history == by_store
    [side] = by_history["sides"]
    assert (side["people"], side["modes"]) == (20, {"general": 10, "personal": 10})
    assert [each.what for each in AccessLog(settings.accesses).since(0, broke_glass=False, limit=9)] == [
        "simulation"
    ] * 2


def test_presented_suggestions_are_compared_by_group(settings: Settings) -> None:
    key, file = keyring_of(settings).decision_key, settings.data / "spring.yaml"
    file.write_text(EXPERIMENT)
    facts = crowd()
    for number, who in enumerate(PEOPLE):
        decision = marked(f"{number:032x}"[::-1], f"spring/{'general' if number % 2 else 'full'}", key=key)
        about: dict[str, Any] = {"identity": who, "decision": decision, "service": "pram"}
        facts.append(fact("feedback.suggestion_presented", at=NOW - DAY, **about))
        word = "accepted" if number % 2 == 0 else "declined"
        facts.append(fact("feedback.suggestion_answered", at=NOW, answer=word, **about))
    archived(settings, facts)

    found = told(settings, "uplift", "--experiment", str(file))

    assert [(each["arm"], each["presented"], each["accepted"]) for each in found["arms"]] == [
        ("full", 12, 12),
        ("model", None, None),
        ("general", 12, 0),
    ]
    [lift] = found["lifts"]
    assert (lift["over"], lift["difference"]) == ("general", 1.0)
    assert lift["interval"][0] > 0.6
