"""Story 9: erased, nothing brings the person back, it is proven, and an honest return starts at unknown."""

import json
from pathlib import Path

import pytest

from consent.purposes import PROFILE, SUGGEST, TRAIN
from tests.builders import money
from tests.journeys.desks import Answer, Desk, happened, offered
from tests.waiting import until

pytestmark = pytest.mark.servers

ORDER = "order-of-erna-4711"


def status(desk: Desk, request: str) -> Answer:
    said = desk.rapport("rights", "status", request, "--json")
    assert said.returncode == 0, said.stderr
    found: Answer = json.loads(said.stdout)
    return found


def test_an_erasure_is_carried_out_proven_and_survived_by_nothing_but_a_fresh_start(desk: Desk, tmp_path: Path) -> None:
    who, stranger = "app:erna", "app:nobody-knows-erna"
    desk.say(who, "given", PROFILE, SUGGEST, TRAIN)
    desk.send(happened("transaction.purchased", who, order_id=ORDER, total=money(900)))
    assert desk.next_for(who)["mode"] == "personal"
    published = desk.rapport("ledger", "publish", str(tmp_path / "outside"))
    assert published.returncode == 0, published.stderr

    asked = desk.rapport("rights", "erase", who, "--yes", "--json")
    assert asked.returncode == 0, asked.stderr
    request = json.loads(asked.stdout)["request"]
    until(lambda: status(desk, request)["certificate"], within_s=240, what="the certificate")

    assert offered(desk.next_for(who)) == offered(desk.next_for(stranger))
    assert desk.card(who)["known"] is False
    certificate, key = tmp_path / "erasure.note", tmp_path / "ledger.pub"
    written = desk.rapport("rights", "certificate", request, "--out", str(certificate))
    assert written.returncode == 0, written.stderr
    key.write_text(json.loads(desk.rapport("ledger", "show", "--json").stdout)["keys"][0])
    proven = desk.rapport("rights", "verify", str(certificate), "--key", str(key))
    assert proven.returncode == 0, proven.stdout
    audited = desk.rapport(
        "ledger",
        "verify",
        str(desk.data / "ledger"),
        "--key",
        str(key),
        "--checkpoint",
        str(tmp_path / "outside" / "checkpoint"),
    )
    assert audited.returncode == 0, audited.stdout

    desk.send(happened("service.visited", who, place="shop"))
    card = desk.card(who)
    assert card["known"] is True
    assert [purpose for purpose in (PROFILE, SUGGEST, TRAIN) if card["consents"][purpose]["allowed"]] == []
    assert desk.next_for(who)["mode"] == "general"
    assert ORDER not in json.dumps(card)
