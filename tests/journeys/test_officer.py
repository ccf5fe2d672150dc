"""Story 8, the officer's side: general, personal, general again, and all three proven to somebody outside."""

import json
from pathlib import Path

import pytest

from api.auth import Role
from consent.purposes import PROFILE, SUGGEST
from events.shape import format_time
from tests.journeys.desks import Answer, Desk, now

pytestmark = pytest.mark.servers

REQUEST = {"Rapport-Purpose": "request"}


def told(desk: Desk, what: str, who: str, **params: str | None) -> Answer:
    """The officer's answer about a person."""
    ref = desk.client.ref(who, role=Role.PRIVACY)
    return desk.client.ask("GET", f"/v1/officer/people/{ref}/{what}", role=Role.PRIVACY, params=params, headers=REQUEST)


def test_the_officer_proves_what_was_permitted_before_while_and_after(desk: Desk, tmp_path: Path) -> None:
    who, began = "app:ottilie", now()
    desk.say(who, "given", PROFILE, SUGGEST)
    between = now()
    last = desk.client.act(desk.client.ref(who), "withdrawn", SUGGEST)["after"]
    desk.client.consents(desk.client.ref(who), after=last)
    # Asked with the token of the last act: what the officer is told holds all three.
    timeline = told(desk, "history", who, after=last)["timeline"]
    days = {"before": began, "while": between, "after": now()}
    answers = {
        name: told(desk, "permitted", who, at=format_time(at))["as_known"]["purposes"][SUGGEST]
        for name, at in days.items()
    }

    assert [each["type"] for each in timeline] == ["consent.given", "consent.given", "consent.withdrawn"]
    assert [answers[name]["allowed"] for name in days] == [False, True, False]
    assert (answers["before"]["because"], answers["after"]["because"]) == ("never_asked", "withdrawn")
    assert set(answers["while"]["relied_on"]) == {each["event"] for each in timeline[:2]}

    made = desk.rapport("officer", "export", str(tmp_path / "dossier"), "--identity", who)
    assert made.returncode == 0, made.stderr
    [key] = json.loads(desk.rapport("ledger", "show", "--json").stdout)["keys"]
    checked = desk.rapport("officer", "check", str(tmp_path / "dossier"), "--key", key)
    assert checked.returncode == 0, checked.stdout
    looks = told(desk, "accesses", who)["accesses"]
    assert {each["what"] for each in looks} >= {"history", "permitted", "export", "accesses"}
