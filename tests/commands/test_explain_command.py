"""`rapport explain`, on a store, a data folder and the receipts of decisions that were really made."""

import asyncio
import json
import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

import cli
from commands.api import receipts_of
from commands.explain import DecisionUnknown
from commands.release import VERSION
from commands.settings import KEY_FILE, Settings, make_keyring, settings_of
from consent.accesses import AccessLog
from events.fact import Fact, encode_fact
from events.history import History
from profiles.redis_store import redis_client
from recommender.artifact import untrained
from recommender.canonical import content_hash
from recommender.catalogue_store import CatalogueStore
from recommender.decisions import Decision
from recommender.receipts import Question
from recommender.redis_decisions import RedisDecisions
from streams.frame import Record
from tests.builders import DAY, NOW, admitted, pseudonym, purchased, shown
from tests.installation import SPREADING
from tests.noninterference.crowd import CATALOGUE
from tests.recommender.worlds import agreed, person, subscribed
from tests.servers import ROOT

pytestmark = pytest.mark.servers

WHO = pseudonym("app:42")


@pytest.fixture
def settings(tmp_path: Path, valkey_url: str) -> Settings:
    (tmp_path / KEY_FILE).write_text(f"{SPREADING}\n")
    return settings_of(data=tmp_path, redis=valkey_url)


def keep(settings: Settings, decision: Decision) -> None:
    async def write() -> None:
        client = redis_client(settings.redis, cluster=False)
        await RedisDecisions(client).keep(decision, shown=shown(WHO))
        await client.aclose()

    asyncio.run(write())


def decided(settings: Settings, *facts: Fact) -> Decision:
    """A decision before the first training, about somebody with these facts, and all that is kept of it."""
    CatalogueStore(settings.models).keep(CATALOGUE)
    who = person(*agreed("suggest.personal", "profile.build"), subscribed("auto-repayment"), *facts)
    made = receipts_of(settings, make_keyring(settings), settings.rules()).answer(
        who,
        Question(channel="desk", k=2, now=NOW),
        identity=WHO,
        canonical=WHO,
        artifact=untrained(CATALOGUE, code=VERSION),
        catalogue=CATALOGUE,
    )
    keep(settings, made.receipt)
    return made.receipt


def explain(settings: Settings, decision: str, *more: str) -> Result:
    words = ["explain", decision, "--redis", settings.redis, "--data", str(settings.data), *more]
    return CliRunner().invoke(cli.build("explain"), words)


def test_a_decision_is_told_with_its_funnel_and_that_it_was_looked_at_is_noted(settings: Settings) -> None:
    receipt = decided(settings)

    told = explain(settings, receipt.id, "--for", "audit", "--json")

    assert told.exit_code == 0, (told.output, told.exception)
    found = json.loads(told.stdout)
    assert (found["verdict"], found["findings"]) == ("same", [])
    assert [each["service"] for each in found["funnel"][:2]] == list(receipt.services)
    assert {each["service"] for each in found["funnel"]} == set(CATALOGUE.by_id)
    assert "inputs" not in found["receipt"]
    [look] = AccessLog(settings.accesses).of([WHO], limit=5)
    assert (look.what, look.purpose, look.key) == ("decision explained", "audit", "machine")
    shown_to_people = explain(settings, receipt.id)
    assert "the same bytes" in shown_to_people.stdout
    assert "already taken" in shown_to_people.stdout


def test_the_facts_that_reasons_rest_on_are_opened_in_history(settings: Settings) -> None:
    line = {"item": "formula-1", "category": "baby", "quantity": 1, "amount": 2990}
    bought = [purchased(f"formula-{days}", at=NOW - days * DAY, lines=[line]) for days in range(1, 4)]
    receipt = decided(settings, *agreed("data.sensitive"), *bought)
    records = [Record(at, NOW, each.identity.encode(), encode_fact(each)) for at, each in enumerate(bought)]
    History(settings.history).append(1, admitted(bought[0]).partition, 0, len(bought), records)

    told = json.loads(explain(settings, receipt.id, "--facts", "--json").stdout)
    shown_to_people = explain(settings, receipt.id, "--facts").stdout

    [diapers] = [each for each in told["funnel"] if each["service"] == "diapers"]
    evidence = {key for reason in diapers["suggestion"]["reasons"] for key in reason["evidence"]}
    assert {each.event_key.hex() for each in bought} <= evidence
    opened = {key: told["facts"][key] for key in (each.event_key.hex() for each in bought)}
    assert {each["type"] for each in opened.values()} == {"transaction.purchased"}
    assert {each["position"] for each in opened.values()} == {
        f"1.{admitted(bought[0]).partition}.{offset}" for offset in range(3)
    }
    assert "transaction.purchased of" in shown_to_people


def test_what_cannot_be_made_again_ends_with_status_one_and_says_why(settings: Settings) -> None:
    receipt = decided(settings)
    [file] = (settings.models / "catalogues").iterdir()
    file.unlink()

    told = explain(settings, receipt.id)

    assert told.exit_code == 1
    assert f"catalogue: catalogue {receipt.catalogue} is not kept" in told.stdout


@pytest.mark.parametrize("decision", ["0" * 32, content_hash(b"x"), "a b", "*"])
def test_a_decision_nobody_knows_is_one_sentence(settings: Settings, decision: str) -> None:
    make_keyring(settings)

    told = explain(settings, decision)

    assert isinstance(told.exception, DecisionUnknown)
    assert "erased" in str(told.exception)
    assert not settings.accesses.exists()


def test_the_how_to_s_commands_work_on_a_decision(settings: Settings) -> None:
    receipt = decided(settings)
    page = (ROOT / "docs" / "how-to" / "explain-a-decision.md").read_text(encoding="utf-8")
    lines = [line for block in re.findall(r"```sh\n(.*?)```", page, re.DOTALL) for line in block.splitlines()]

    for line in lines:
        words = shlex.split(line.replace("0123456789abcdef0123456789abcdef", receipt.id))[2:]
        assert explain(settings, *words).exit_code == 0, line
    assert len(lines) == 2
