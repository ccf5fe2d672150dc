"""What proves what was allowed outlives an erasure, is opened by two persons together, and not for ever."""

import json
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import pytest
from typer.testing import CliRunner, Result

from api.auth import Role, make_key
from api.key_file import KeyFile
from commands.fact_keys import OPENED, aged_out
from commands.keys import app
from commands.rights_keys import put_evidence_away, retire_evidence_keys
from commands.sealing import sealing_of
from commands.settings import KEYS_FILE, Settings, make_keyring, settings_of
from consent.ledger import Ledger
from consent.ledger_entry import Entry, EntryUnknown, Opening, commitment_of
from consent.retention import load_retention
from consent.rights import Erasure
from consent.vault import APPROVED_WITHIN_MS, NotOpened, Vault
from events.body_keys import StoredKey
from tests.builders import DAY, NOW, pseudonym
from tests.rights.erasing import CARD, ME, Installation, lived_in

ANNA: Final = pseudonym("app:anna")
SAID: Final = Entry(id="fact:1.0.0", kind="consent.given", content={"purpose": "profile.build"}, subjects={ANNA})  # type: ignore[arg-type]
ERASURE: Final = Erasure(
    number=1, id="request-1", asked_at=NOW, asked_by="0" * 8, identities=(ANNA,), kinds=("app",), left=(), done={}
)


class Office:
    """A data folder in which Anna was erased; her officers, and what they say to the command line."""

    def __init__(self, folder: Path) -> None:
        self.settings: Settings = settings_of(data=folder)
        self.sealing = sealing_of(self.settings, make_keyring(self.settings))
        self.vault = Vault(self.settings.vault)
        with closing(Ledger(self.settings.ledger)) as ledger:
            ledger.append([SAID])
            self.opening = ledger.opening(SAID.id)
            put_evidence_away(self.vault, ledger, self.sealing, ERASURE, now=NOW)
            why = Entry(id="erasure:request-1", kind="rights.erasure", content={})
            ledger.append([why])
            ledger.forget([ANNA], because=why.id)
        retire_evidence_keys(self.sealing.keys, ERASURE, load_retention())

    def officer(self, name: str, role: Role = Role.PRIVACY) -> str:
        new = make_key(name=name, role=role, now=NOW)
        KeyFile(self.settings.data / KEYS_FILE).add(new.kept)
        return new.shown

    def say(self, *words: str, key: str) -> Result:
        return CliRunner().invoke(app, [*words, "--key", key, "--data", str(self.settings.data)])

    def opened_on_the_ledger(self) -> list[dict[str, Any]]:
        with closing(Ledger(self.settings.ledger)) as ledger:
            openings = [row.opening() for row in ledger._openings.rows(2, ledger.size)]
        return [each.entry["content"] for each in openings if each.entry["kind"] == OPENED]


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


def test_two_officers_open_it_and_it_stands_on_the_ledger_first(office: Office) -> None:
    one, other = office.officer("Ada"), office.officer("Bo")

    asked = office.say("ask-for-evidence", "request-1", "--why", "a claim", key=one)
    shown = office.say("open-evidence", "request-1", "--json", key=other)

    assert (asked.exit_code, shown.exit_code) == (0, 0), asked.output + shown.output
    [told] = json.loads(shown.stdout)
    assert told["entry"]["content"] == SAID.content
    assert commitment_of(salt=bytes.fromhex(told["salt"]), payload=office.opening.payload) == office.opening.commitment
    [noted] = office.opened_on_the_ledger()
    assert (noted["asked_by"], noted["approved_by"]) == (one.split("_")[1], other.split("_")[1])
    assert (noted["request"], noted["why"]) == ("request-1", "a claim")


def test_nobody_opens_it_alone(office: Office) -> None:
    one = office.officer("Ada")
    office.say("ask-for-evidence", "request-1", "--why", "curious", key=one)

    shown = office.say("open-evidence", "request-1", key=one)

    assert shown.exit_code == 2
    assert "cannot approve" in shown.output
    assert office.opened_on_the_ledger() == []


def test_what_nobody_asked_for_is_not_opened_and_an_approval_is_used_up(office: Office) -> None:
    one, other = office.officer("Ada"), office.officer("Bo")
    assert office.say("open-evidence", "request-1", key=other).exit_code == 2

    office.say("ask-for-evidence", "request-1", "--why", "a claim", key=one)
    assert office.say("open-evidence", "request-1", key=other).exit_code == 0
    assert office.say("open-evidence", "request-1", key=other).exit_code == 2
    assert len(office.opened_on_the_ledger()) == 1


@pytest.mark.parametrize("role", [Role.AGENT, Role.ADMIN, Role.MARKETING])
def test_only_privacy_keys_ask_or_approve(office: Office, role: Role) -> None:
    refused = office.say("ask-for-evidence", "request-1", "--why", "a claim", key=office.officer("Cy", role))
    assert (refused.exit_code, "privacy keys" in refused.output) == (2, True)


def test_a_key_that_is_none_is_told_nothing(office: Office) -> None:
    for words in (("ask-for-evidence", "request-1", "--why", "x"), ("open-evidence", "request-1")):
        assert office.say(*words, key="rapport_00000000_x").exit_code == 2


def test_an_erasure_that_left_nothing_cannot_be_asked_about(office: Office) -> None:
    refused = office.say("ask-for-evidence", "request-2", "--why", "a claim", key=office.officer("Ada"))
    assert (refused.exit_code, "nothing is kept" in refused.output) == (2, True)


def test_a_question_waits_for_a_day(office: Office) -> None:
    office.vault.ask("request-1", by="ada", at=NOW, why="a claim")
    with pytest.raises(NotOpened, match="last day"):
        office.vault.approve("request-1", by="bo", at=NOW + APPROVED_WITHIN_MS + 1)
    assert office.vault.approve("request-1", by="bo", at=NOW + APPROVED_WITHIN_MS).why == "a claim"


def test_once_its_time_is_over_nobody_opens_it(office: Office) -> None:
    one, other = office.officer("Ada"), office.officer("Bo")
    until = load_retention().evidence_until(NOW)
    assert aged_out(office.settings, now=until - 1)["evidence"] == 0
    office.say("ask-for-evidence", "request-1", "--why", "a claim", key=one)

    assert aged_out(office.settings, now=until)["evidence"] == 1

    shown = office.say("open-evidence", "request-1", key=other)
    assert (shown.exit_code, SAID.content["purpose"] in shown.output) == (2, False)


def test_the_file_says_nothing_and_what_was_altered_does_not_open(office: Office) -> None:
    raw = office.settings.vault.read_bytes()
    assert all(each not in raw for each in (b"profile.build", ANNA.encode(), office.opening.salt))

    def unwrap(kept: Any) -> Any:
        return office.sealing.maker.unwrap(StoredKey(kept.id, kept.wrapped))

    retired = office.sealing.keys.retired()
    assert office.vault.opened("request-1", retired, unwrap) == [office.opening]
    with office.vault._writing() as db:
        [(sealed,)] = db.execute("SELECT sealed FROM kept").fetchall()
        db.execute("UPDATE kept SET sealed = ?", (sealed[:-1] + bytes([sealed[-1] ^ 1]),))
    with pytest.raises(NotOpened, match="altered"):
        office.vault.opened("request-1", retired, unwrap)


async def test_an_erasure_puts_away_what_the_ledger_could_show_and_leaves_no_name(tmp_path: Path) -> None:
    home = Installation(tmp_path)
    await lived_in(home)
    about = home.ledger.about([pseudonym(ME), pseudonym(CARD)])
    assert {each.entry["kind"] for each in about} >= {"consent.given", "identity.linked"}
    home.ask(ME, CARD)

    done = await home.until_done()

    kept: list[Opening] = home.vault.opened(
        done.id, home.keys.retired(), lambda each: home.sealing.maker.unwrap(StoredKey(each.id, each.wrapped))
    )
    assert kept[: len(about)] == about
    assert done.done["ledger"].found["put away"] == len(kept)
    for each in about:
        with pytest.raises(EntryUnknown):
            home.ledger.opening(each.entry["id"])
    assert done.done["evidence_keys"].found["until"] > home.world.now + DAY
    assert all(name.startswith("history/") for name in home.naming(ME))
