"""The access bundle: all there is of one person, nothing of anybody else, with a list that vouches for each file."""

import csv
import io
import json
import zipfile
from hashlib import sha256
from pathlib import Path
from typing import Any

from commands.rights_access import facts_of
from commands.rights_bundle import Held, bundle_of, write_bundle
from consent.accesses import Access
from consent.evidence import Evidence
from consent.purposes import PROFILE
from events.fact import encode_fact
from events.history import History
from events.memory_log import MemoryRecord
from events.position import Position
from outreach.decision import Decision as Message
from recommender.decisions import Decision as Suggestion
from tests.builders import HOUR, NOW, admitted, consent, fact, linked, pseudonym, purchased
from tests.recommender.worlds import view

FACTS = (
    consent("given", PROFILE, at=NOW - HOUR),
    *linked("app:42", "card:7"),
    consent("given", PROFILE, identity="card:7", at=NOW - HOUR),
    *linked("app:42", "phone:+49301234567", strength="probable"),
    fact("identity.related", other="company:acme", kind="contact_of"),
    fact("identity.described", attributes={"hobby": "=SUM(A1)"}),
    purchased("o-1"),
    purchased("o-2", identity="card:7"),
)


def held() -> Held:
    place = [Position(1, 0, offset) for offset in range(len(FACTS))]
    mine = [pair for pair in zip(place, FACTS, strict=True) if pair[1].identity != pseudonym("phone:+49301234567")]
    me = pseudonym("app:42")
    return Held(
        view=view(*FACTS),
        facts=mine,
        evidence=[Evidence(*pair) for pair in mine if pair[1].type.startswith(("consent.", "identity.linked"))],
        suggestions=[Suggestion("0" * 32, me, ("pram",), "desk", "personal", "m", "c", NOW)],
        messages=[Message(1, "0-" + "0" * 32, "o", "win-back", me, NOW, "never", "cap")],
        looks=[Access(NOW, "0" * 8, "agent", "card", me, "answer", "", broke_glass=False)],
        made_at=NOW,
    )


def read(files: dict[str, bytes], name: str) -> Any:
    return json.loads(files[name])


def table(raw: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(raw.decode("utf-8-sig"))))


def test_it_holds_every_kind_of_what_we_have() -> None:
    files = bundle_of(held())

    assert {each["said"].get("order_id") for each in read(files, "events.json")} >= {"o-1", "o-2"}
    profile = read(files, "profile.json")
    assert profile["attributes"] == {"hobby": "=SUM(A1)"}
    assert all({"purpose", "window_days", "evidence"} <= each.keys() for each in profile["traits"].values())
    assert read(files, "consents.json")["standing"][PROFILE]["allowed"] is True
    assert len(read(files, "consents.json")["acts_and_links"]) == 5
    assert read(files, "suggestions.json")[0]["services"] == ["pram"]
    assert read(files, "messages.json")[0]["because"] == "cap"
    assert read(files, "relations.json") == [{"kind": "contact_of", "to": "company (somebody or something else)"}]
    assert read(files, "looks.json")[0]["role"] == "agent"


def test_nobody_is_named_and_who_is_not_verified_is_told_by_kind() -> None:
    files = bundle_of(held())

    said = b"".join(files.values()).decode()
    for identity in ("app:42", "card:7", "phone:+49301234567", "company:acme"):
        assert pseudonym(identity) not in said
    manifest = read(files, "manifest.json")
    assert manifest["identities"] == ["app", "card"]
    assert manifest["not_verified_and_left_out"] == ["phone"]
    [tie] = [each for each in read(files, "events.json") if each["said"].get("strength") == "probable"]
    assert tie["said"]["other"] == "phone (somebody or something else)"


def test_the_list_vouches_for_every_other_file() -> None:
    files = bundle_of(held())

    listed = read(files, "manifest.json")["files"]
    assert {name: each["sha256"] for name, each in listed.items()} == {
        name: sha256(raw).hexdigest() for name, raw in files.items() if name != "manifest.json"
    }


def test_the_tables_say_what_the_json_says_and_no_cell_is_a_formula() -> None:
    files = bundle_of(held())

    rows = list(csv.DictReader(io.StringIO(files["events.csv"].decode("utf-8-sig"))))
    assert [row["position"] for row in rows] == [each["position"] for each in read(files, "events.json")]
    cells = [cell for name in ("events.csv", "consents.csv") for row in table(files[name]) for cell in row]
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@"))]


def test_the_same_bundle_is_the_same_zip(tmp_path: Path) -> None:
    for name in ("one.zip", "two.zip"):
        write_bundle(tmp_path / name, bundle_of(held()))

    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "one.zip") as written:
        assert {name: written.read(name) for name in written.namelist()} == bundle_of(held())


def test_facts_of_a_time_with_other_partitions_are_among_those_that_are_given_out(tmp_path: Path) -> None:
    history, here = History(tmp_path), purchased("o-1")
    home = admitted(here).partition
    for epoch, partition in ((1, home + 1), (2, home)):
        record = MemoryRecord(0, NOW, here.identity.encode(), encode_fact(here))
        history.append(epoch, partition, 0, 1, [record])

    found = facts_of(history, {here.identity})

    assert [(position.epoch, position.partition) for position, _ in found] == [(1, home + 1), (2, home)]
    assert facts_of(history, {pseudonym("app:other")}) == []
