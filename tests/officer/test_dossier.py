"""A dossier: complete, signed, proven, and whatever is altered in it is found with the public key alone."""

import csv
import hashlib
import json
import random
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, get_args

import pytest

from consent.consent_record import (
    BASES,
    DECIDERS,
    FORMS,
    MANDATORY,
    STATES,
    Controller,
    ControllerInvalid,
    consent_record,
    not_stated,
)
from consent.dossier import COLUMNS, EVIDENCE, MANIFEST, NOTE, About, DossierRefused, write_dossier
from consent.dossier_verifier import check
from consent.evidence import Evidence
from consent.ledger import Ledger
from consent.ledger_follower import LedgerFollower, fact_id
from consent.ledger_note import Checkpoint, Signer, make_signer, open_checkpoint, sign_note
from consent.ledger_proof import Proof
from consent.matrix import Basis
from consent.purposes import PROFILE, PURPOSES, SUGGEST
from consent.rules import shipped_rules
from events.acts import ConsentAct, Granting
from events.fact import Fact
from events.position import Position
from events.shape import format_time
from events.vocabulary import BODIES
from tests.builders import DAY, NOW, consent, fact, linked, pseudonym
from tests.officer.evidence_world import placed, stretches

SIGNER = make_signer("tests.example/ledger", b"s" * 32)
OTHER = make_signer("tests.example/ledger", b"o" * 32)
RULES = shipped_rules()
FULL = Controller(
    name="Example SE",
    contact="privacy@example.com",
    address="1 Example Street",
    jurisdiction="DE",
    withdrawal="https://example.com/leave",
    recipients=("Example SE",),
    storage_locations=("EU",),
    retention="P3Y",
)
GUARDED: Any = {"agent": "a-1", "by": "guardian", "method": "letter", "form": "separate", "language": "de"}
HISTORY: Sequence[Fact] = (
    consent("given", PROFILE, at=NOW, expires_at=NOW + 90 * DAY, notice="profile/1", channel="web", **GUARDED),
    consent("withdrawn", SUGGEST, at=NOW + DAY, source="=cmd()"),
    *linked("app:42", "card:7", at=NOW),
    fact("identity.described", attributes={"restricted": True}, at=NOW + 2 * DAY),
)


def pieces(facts: Sequence[Fact] = HISTORY) -> list[Evidence]:
    return [Evidence(position, each) for position, each in placed(facts)]


def about(controller: Controller = FULL) -> About:
    return About(
        subject="one person, 2 identities",
        read_to=[Position(1, 0, 7)],
        made_at=NOW + 3 * DAY,
        controller=controller,
        rules=RULES,
    )


def ledger_of(folder: Path) -> tuple[Ledger, Checkpoint]:
    """A ledger with the facts, signed, and its checkpoint."""
    ledger = Ledger(folder / "ledger")
    for stretch in stretches(HISTORY):
        LedgerFollower(ledger).take(stretch)
    return ledger, open_checkpoint(ledger.checkpoint([SIGNER], now_ms=NOW), SIGNER.verifier)


def proofs_of(ledger: Ledger) -> Callable[[Position], Proof | None]:
    described = {piece.position for piece in pieces() if piece.fact.type == "identity.described"}
    return lambda position: None if position in described else ledger.prove(fact_id(position))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    ledger, _ = ledger_of(tmp_path)
    with closing(ledger):
        write_dossier(tmp_path / "dossier", pieces(), about=about(), signers=[SIGNER], prove=proofs_of(ledger))
    return tmp_path / "dossier"


def faults(folder: Path, *, signer: Signer = SIGNER, pinned: Checkpoint | None = None) -> list[str]:
    note = None if pinned is None else sign_note(pinned.text(), [signer])
    return check(folder, key=str(signer.verifier), checkpoint=note)[0]


def manifest(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / MANIFEST).read_text())
    return found


def test_a_dossier_that_nobody_touched_holds(folder: Path) -> None:
    assert faults(folder) == []
    told = manifest(folder)
    assert (told["pieces"], told["records"], told["proofs"]) == (5, 2, 4)
    assert len(told["without_proof"]) == 1
    assert told["read_to"] == ["1.0.7"]


def test_it_holds_against_a_checkpoint_kept_outside_and_not_against_another_ledger_s(tmp_path: Path) -> None:
    ledger, pinned = ledger_of(tmp_path)
    with closing(ledger):
        write_dossier(tmp_path / "dossier", pieces(), about=about(), signers=[SIGNER], prove=proofs_of(ledger))

    assert faults(tmp_path / "dossier", pinned=pinned) == []
    other = Checkpoint(origin=pinned.origin, size=pinned.size, root=bytes(32))
    assert faults(tmp_path / "dossier", pinned=other)


def test_every_file_is_listed_and_all_evidence_is_in_the_table(folder: Path) -> None:
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    rows = list(csv.DictReader((folder / EVIDENCE).read_text(encoding="utf-8").splitlines()))

    assert set(manifest(folder)["files"]) == files - {MANIFEST, NOTE}
    assert [row["position"] for row in rows] == [str(piece.position) for piece in pieces()]
    assert tuple(rows[0]) == COLUMNS
    assert rows[1]["source"] == "'=cmd()"


@pytest.mark.parametrize("name", ["consents.jsonld", "evidence.csv", "notices.json", MANIFEST, NOTE])
@pytest.mark.parametrize("what", ["changed", "removed"])
def test_a_changed_or_missing_file_is_found(folder: Path, name: str, what: str) -> None:
    path = folder / name
    if what == "removed":
        path.unlink()
    else:
        raw = bytearray(path.read_bytes())
        raw[len(raw) // 2] ^= 1
        path.write_bytes(raw)

    assert faults(folder)


def test_an_added_or_exchanged_file_is_found(folder: Path) -> None:
    (folder / "more.txt").write_text("more")
    assert faults(folder) == ["more.txt was added"]
    (folder / "more.txt").unlink()
    one, other, *_ = sorted((folder / "proofs").iterdir())
    one.write_bytes(other.read_bytes())

    assert faults(folder) == [f"proofs/{one.name} was changed"]


def test_any_flipped_bit_of_any_file_is_found(folder: Path) -> None:
    rng = random.Random(5)
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    for _ in range(200):
        path = rng.choice(files)
        whole = path.read_bytes()
        at, bit = rng.randrange(len(whole)), 1 << rng.randrange(8)
        path.write_bytes(whole[:at] + bytes([whole[at] ^ bit]) + whole[at + 1 :])
        assert faults(folder), (path.name, at, bit)
        path.write_bytes(whole)
    assert faults(folder) == []


def test_another_key_does_not_open_it(folder: Path) -> None:
    [fault] = faults(folder, signer=OTHER)

    assert "not signed with this key" in fault


def signed_again(folder: Path) -> None:
    """What somebody does who holds the key: hashes and signature made anew over altered files."""
    told = manifest(folder)
    for name in told["files"]:
        raw = (folder / name).read_bytes()
        told["files"][name] = {"sha256": hashlib.sha256(raw).hexdigest(), "bytes": len(raw)}
    (folder / MANIFEST).write_text(json.dumps(told))
    said = hashlib.sha256((folder / MANIFEST).read_bytes()).hexdigest()
    (folder / NOTE).write_text(sign_note(f"rapport-dossier/1\nsha256 {said}\n", [SIGNER]))


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        ("consent.withdrawn", "consent.given"),
        (SUGGEST, PROFILE),
        (format_time(NOW + DAY), format_time(NOW - DAY)),
        (pseudonym("app:42"), pseudonym("app:other")),
        ("crm", "erp"),
        (f"{format_time(NOW)},{PROFILE}", f"{format_time(NOW)},{SUGGEST}"),
    ],
)
def test_evidence_that_was_altered_with_the_key_is_found_by_its_proof(folder: Path, was: str, becomes: str) -> None:
    table = folder / EVIDENCE
    assert was in table.read_text()
    table.write_text(table.read_text().replace(was, becomes))
    signed_again(folder)

    assert any("proves something else" in fault for fault in faults(folder))


def test_evidence_that_was_taken_out_with_the_key_is_found_by_its_proof(folder: Path) -> None:
    table = folder / EVIDENCE
    head, first, *rest = table.read_text().splitlines(keepends=True)
    assert "consent.given" in first
    table.write_text("".join([head, *rest]))
    signed_again(folder)

    assert any("proves something else" in fault for fault in faults(folder))


def test_what_is_no_dossier_is_said_to_be_none(tmp_path: Path) -> None:
    assert faults(tmp_path) == ["the dossier cannot be read: FileNotFoundError"]


def test_a_folder_that_is_there_is_not_written_into(tmp_path: Path) -> None:
    with pytest.raises(DossierRefused, match="not there yet"):
        write_dossier(tmp_path, pieces(), about=about(), signers=[SIGNER])


def test_the_records_are_json_ld_with_one_for_each_act(folder: Path) -> None:
    graph = json.loads((folder / "consents.jsonld").read_text())

    assert set(graph["@context"]) >= {"dpv", "dct"}
    assert [each["dpv:hasConsentStatus"]["@type"] for each in graph["@graph"]] == [
        ["dpv:ConsentGiven", "dpv:ExplicitlyExpressedConsent"],
        ["dpv:ConsentWithdrawn"],
    ]


def test_without_acts_the_records_are_an_empty_list(tmp_path: Path) -> None:
    write_dossier(tmp_path / "none", [], about=about(), signers=[SIGNER])

    assert json.loads((tmp_path / "none" / "consents.jsonld").read_text())["@graph"] == []
    assert faults(tmp_path / "none") == []


def test_every_act_form_decider_and_basis_has_a_term() -> None:
    acts = {name: body for name, body in BODIES.items() if issubclass(body, ConsentAct)}
    fields = Granting.model_fields

    assert acts.keys() == STATES.keys()
    assert set(get_args(fields["form"].annotation)) == FORMS.keys()
    assert set(get_args(fields["by"].annotation)) == DECIDERS.keys()
    assert set(get_args(Basis)) == BASES.keys()


@pytest.mark.parametrize("purpose", sorted(PURPOSES))
@pytest.mark.parametrize("event_type", sorted(STATES))
def test_every_act_about_every_purpose_has_a_record_with_the_mandatory_fields(event_type: str, purpose: str) -> None:
    said = fact(event_type, purpose=purpose, notice="profile/1", language="zh")
    piece = Evidence(Position(1, 2, 3), said)
    record = consent_record(piece, controller=FULL, rules=RULES)

    assert not_stated(record) == frozenset()
    assert record["dpv:hasProcess"]["dpv:hasPurpose"]["skos:broader"] == PURPOSES[purpose].dpv
    assert record["dpv:hasLegalBasis"] in BASES.values()


def test_a_record_says_who_what_when_on_which_notice_and_for_how_long() -> None:
    record = consent_record(pieces()[0], controller=FULL, rules=RULES)
    notice = RULES.notices.by_ref("profile/1")

    assert notice is not None
    assert record["dpv:hasDataSubject"] == {"@id": f"rapport:subject:{pseudonym('app:42')}"}
    assert record["dpv:hasNotice"]["rapport:sha256"] == notice.hash
    assert record["dpv:hasProcess"]["dpv:hasPurpose"]["@id"] == f"rapport:purpose:{PROFILE}"
    assert record["dpv:hasConsentStatus"] == {
        "@type": ["dpv:ConsentGiven", "dpv:ExplicitlyExpressedConsent"],
        "rapport:form": "separate",
        "dpv:isIndicatedAtTime": format_time(NOW),
        "dpv:isIndicatedBy": "dpv:GuardianOfDataSubject",
        "rapport:recordedBy": "a-1",
        "dpv:hasIndicationMethod": "letter",
        "dpv:hasDuration": {"@type": "dpv:UntilTimeDuration", "rdf:value": format_time(NOW + 90 * DAY)},
    }


def test_what_nobody_stated_is_named_and_not_made_up(tmp_path: Path) -> None:
    full = consent_record(pieces()[0], controller=FULL, rules=RULES)
    bare = consent_record(pieces()[1], controller=Controller(), rules=RULES)

    assert not_stated(full) == frozenset()
    assert not_stated(bare) == {
        "language",
        "pii controllers",
        "jurisdiction",
        "privacy notice",
        "recipient third parties",
        "retention period and storage locations",
        "withdrawal method",
    }
    assert not_stated(bare) < MANDATORY.keys()
    write_dossier(tmp_path / "bare", pieces(), about=about(Controller()), signers=[SIGNER])
    assert manifest(tmp_path / "bare")["not_stated"] == sorted(not_stated(bare))


def test_the_controller_is_read_from_a_file_and_a_wrong_one_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "controller.yaml"
    path.write_text("name: Example SE\nstorage_locations: [EU]\n")

    assert Controller.load(path) == Controller(name="Example SE", storage_locations=("EU",))
    for wrong in ("nam: x", "name: [1]", "- 1", ": :", "\x00"):
        path.write_text(wrong)
        with pytest.raises(ControllerInvalid):
            Controller.load(path)
    with pytest.raises(ControllerInvalid):
        Controller.load(tmp_path / "none")
