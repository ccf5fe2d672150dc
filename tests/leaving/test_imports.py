"""What the rows of another system's file become, and what is refused."""

import json
from dataclasses import replace
from itertools import permutations
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from consent.import_mapping import ImportMapping, MappingInvalid
from consent.import_plan import Plan
from consent.imports import Importer, Refused, Skipped, Taken, Verdict
from consent.matrix import DEFAULT_MATRIX, Matrix
from consent.rules import Rules, shipped_rules
from events.admission import Door, EventRefused
from events.shape import parse_time
from profiles.facet import Facet
from profiles.fold import fold
from tests.builders import ADMISSION, DAY, NOW, PSEUDONYMS, consent, pseudonym, raw
from tests.leaving.crm import MAPPING, mapping

MATRIX = DEFAULT_MATRIX.read_text(encoding="utf-8")
CRM = Door(name="intake bound to crm", source="crm")
ANNA = {"E-Mail": "Anna@Example.test", "Newsletter": "yes", "Newsletter since": "01.03.2024", "Proof": "paper"}


def importer(content: dict[str, Any] | None = None, *, now: int = NOW, rules: Rules | None = None) -> Importer:
    return Importer(
        mapping=ImportMapping.parse(yaml.safe_dump(content).encode() if content else MAPPING.encode()),
        pseudonyms=PSEUDONYMS,
        rules=rules or shipped_rules(),
        now=now,
    )


def first(row: dict[str, str], **changed: Any) -> Verdict:
    return next(importer(**changed).verdicts(row))


def acting(**fields: Any) -> dict[str, Any]:
    """A mapping of one act whose fields all have a column of their own, other fields on top."""
    columns = {name: {"column": name} for name in ("identity", "purpose", "act", "at")}
    return {"source": "crm", "acts": [{**columns, **fields}]}


LONG = {"identity": "app:42", "purpose": "model.train", "act": "given", "at": "2024-03-01T10:00:00Z"}


def test_a_row_becomes_an_event_that_admission_takes() -> None:
    verdict = first(ANNA)
    assert isinstance(verdict, Taken)

    facts = ADMISSION.admit(raw(verdict.event), door=CRM, received_at=NOW)

    assert not isinstance(facts, EventRefused)
    [admitted] = facts
    told = shipped_rules().notices.by_ref("messages/1")
    assert told is not None
    assert admitted.fact.identity == pseudonym("email:anna@example.test")
    assert admitted.fact.occurred_at == parse_time("2024-03-01T00:00:00+01:00")
    assert admitted.fact.body.model_dump(exclude_none=True) == {
        "purpose": "outreach.email",
        "evidence": "imported",
        "channel": "crm-import",
        "notice": "messages/1",
        "notice_hash": told.hash,
        "by": "subject",
        "form": "expressed",
    }


def test_one_row_tells_of_several_acts() -> None:
    row = {**ANNA, "Phone": "030 1234567", "Calls": "0", "Calls since": ""}

    one, other = importer().verdicts(row)

    assert isinstance(one, Taken)
    assert isinstance(other, Taken)
    assert (one.act, one.purpose, other.act, other.purpose) == (
        "given",
        "outreach.email",
        "withdrawn",
        "outreach.phone",
    )
    assert other.event["time"] == "2018-05-25T00:00:00.000Z"


def test_nothing_said_is_neither_a_yes_nor_a_no() -> None:
    assert first({**ANNA, "Newsletter": ""}) == Skipped()


def test_a_row_read_again_is_the_same_event_wherever_it_stands_and_however_it_is_spelt() -> None:
    spelt = {**ANNA, "E-Mail": "  anna@EXAMPLE.test ", "Phone": "", "Calls": ""}

    assert first(ANNA) == first(spelt)
    assert first(ANNA) == first(ANNA, now=NOW + 30 * DAY)


@pytest.mark.parametrize(
    ("column", "text"), [("E-Mail", "bo@example.test"), ("Newsletter", "no"), ("Newsletter since", "02.03.2024")]
)
def test_another_row_is_another_event(column: str, text: str) -> None:
    one, other = first(ANNA), first({**ANNA, column: text})

    assert isinstance(one, Taken)
    assert isinstance(other, Taken)
    assert one.event["id"] != other.event["id"]


def test_an_id_is_made_under_the_installation_s_key() -> None:
    other = Importer(
        mapping=importer().mapping,
        pseudonyms=type(PSEUDONYMS)(key=b"the key of another", region="DE"),
        rules=shipped_rules(),
        now=NOW,
    )
    one, another = first(ANNA), next(other.verdicts(ANNA))

    assert isinstance(one, Taken)
    assert isinstance(another, Taken)
    assert one.event["id"] != another.event["id"]


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"E-Mail": ""}, "missing"),
        ({"E-Mail": "anna"}, "bad_identity"),
        ({"E-Mail": "anna\x00@example.test"}, "bad_identity"),
        ({"Newsletter": "perhaps"}, "unknown_word"),
        ({"Newsletter since": ""}, "missing"),
        ({"Newsletter since": "2024-03-01"}, "bad_time"),
        ({"Newsletter since": "31.02.2024"}, "bad_time"),
        ({"Newsletter since": "01.01.1969"}, "bad_time"),
        ({"Newsletter since": "01.01.2099"}, "bad_time"),
        ({"Proof": ""}, "no_evidence"),
        ({"Proof": "hearsay"}, "unknown_word"),
    ],
)
def test_a_row_that_cannot_be_read_as_it_stands_is_refused_without_its_words(
    changed: dict[str, str], code: str
) -> None:
    verdict = first({**ANNA, **changed})

    assert isinstance(verdict, Refused)
    assert verdict.code == code
    assert not [text for text in changed.values() if text and text in verdict.detail]


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"purpose": "world.domination"}, "unknown_purpose"),
        ({"purpose": "service.fulfil"}, "not_by_consent"),
        ({"purpose": "data.sensitive"}, "evidence_not_enough"),
        ({"act": "shrugged"}, "unknown_act"),
        ({"identity": "42"}, "bad_identity"),
        ({"channel": "by the way"}, "bad_data"),
        ({"notice": "training/99"}, "unknown_notice"),
        ({"notice": "feedback/1"}, "unknown_notice"),
        ({"expires_at": "2024-01-01T00:00:00Z"}, "bad_time"),
    ],
)
def test_an_act_that_makes_no_sense_is_refused(changed: dict[str, str], code: str) -> None:
    content = acting(**{name: {"column": name} for name in ("channel", "notice", "expires_at")})

    verdict = first({**LONG, **changed}, content=content)

    assert isinstance(verdict, Refused)
    assert verdict.code == code


@pytest.mark.parametrize("act", ["refused", "withdrawn"])
def test_a_no_needs_no_evidence(act: str) -> None:
    content = acting(evidence={"column": "proof", "values": {"": "none"}})

    for purpose in ("model.train", "data.sensitive"):
        verdict = first({**LONG, "act": act, "purpose": purpose, "proof": ""}, content=content)
        assert isinstance(verdict, Taken), verdict


@pytest.mark.parametrize("notice", ["training/99", "feedback/1"])
def test_a_no_counts_whatever_notice_it_names(notice: str) -> None:
    content = acting(notice={"column": "notice"})

    verdict = first({**LONG, "act": "withdrawn", "notice": notice}, content=content)

    assert isinstance(verdict, Taken)
    assert "notice" not in verdict.event["data"]


def test_whoever_was_erased_is_not_taken_up_again_by_a_file() -> None:
    erased = replace(importer(), is_erased={pseudonym("email:anna@example.test")}.__contains__)

    verdict = next(erased.verdicts(ANNA))

    assert isinstance(verdict, Refused)
    assert verdict.code == "erased"
    assert isinstance(next(erased.verdicts({**ANNA, "E-Mail": "bo@example.test"})), Taken)


def test_a_grant_keeps_its_end() -> None:
    content = acting(expires_at={"column": "until"})
    verdict = first({**LONG, "until": "2030-01-01T00:00:00Z"}, content=content)

    assert isinstance(verdict, Taken)
    assert verdict.event["data"]["expires_at"] == "2030-01-01T00:00:00.000Z"
    assert isinstance(first({**LONG, "until": ""}, content=content), Taken)


def test_no_order_of_import_and_withdrawal_brings_a_person_back() -> None:
    verdict = first(ANNA)
    assert isinstance(verdict, Taken)
    facts = ADMISSION.admit(raw(verdict.event), door=CRM, received_at=NOW)
    assert not isinstance(facts, EventRefused)
    no = consent("withdrawn", "outreach.email", identity="email:anna@example.test", at=NOW - DAY)

    states = []
    for order in permutations([facts[0].fact, facts[0].fact, no]):
        facet = Facet()
        for fact in order:
            facet = fold(facet, fact).facet
        states.append(facet.consents["outreach.email"])

    assert len(set(states)) == 1
    assert states[0].no is not None


@given(st.lists(st.text(max_size=12), min_size=7, max_size=7))
def test_whatever_stands_in_a_row_has_a_verdict(cells: list[str]) -> None:
    columns = ("E-Mail", "Newsletter", "Newsletter since", "Proof", "Phone", "Calls", "Calls since")

    for verdict in importer().verdicts(dict(zip(columns, cells, strict=True))):
        if isinstance(verdict, Taken):
            assert not isinstance(ADMISSION.admit(raw(verdict.event), door=CRM, received_at=NOW), EventRefused)


@given(st.dictionaries(st.sampled_from([*LONG, "more"]), st.text(max_size=20)))
def test_what_the_plan_takes_admission_takes(changed: dict[str, str]) -> None:
    verdict = first({**LONG, **changed}, content=acting(channel={"column": "more"}))

    if isinstance(verdict, Taken):
        assert not isinstance(ADMISSION.admit(raw(verdict.event), door=CRM, received_at=NOW), EventRefused)


@pytest.mark.parametrize(
    ("content", "place"),
    [
        ({}, "source"),
        (mapping(acts=[]), "acts"),
        (mapping(acts=[{"identity": {"column": "x"}}]), "acts.0.purpose"),
        (mapping(delimiter=";;"), "delimiter"),
        (mapping(encoding="ebcdic"), "encoding"),
        (mapping(times={"format": "%d.%m.%Y"}), "times"),
        (mapping(times={"format": "%d.%m.%Y", "zone": "Mars/Olympus"}), "times"),
        (mapping(when="now"), "Extra inputs"),
        (acting(act={"column": "x", "value": "given"}), "acts.0.act"),
        (acting(act={}), "acts.0.act"),
        (acting(act={"value": "given", "default": "refused"}), "acts.0.act"),
        (acting(namespace="E-Mail"), "acts.0.namespace"),
    ],
)
def test_a_mapping_that_cannot_be_followed_is_refused_with_the_place(content: dict[str, Any], place: str) -> None:
    with pytest.raises(MappingInvalid, match=place.replace(".", r"\.")):
        ImportMapping.parse(yaml.safe_dump(content).encode())


@pytest.mark.parametrize("text", [b"\xff\xfe\x00", b"a: [", b"&a [*a]", b"x" * 300_000])
def test_what_is_no_mapping_at_all_is_refused(text: bytes) -> None:
    with pytest.raises(MappingInvalid):
        ImportMapping.parse(text)


def test_a_yes_in_the_mapping_is_the_word_and_not_yaml_s_truth() -> None:
    assert ImportMapping.parse(MAPPING.encode()).acts[0].act.values == {"yes": "given", "no": "refused", "": "skip"}


def test_a_plan_counts_and_names_lines_and_nothing_else() -> None:
    plan = Plan()
    for line, row in enumerate([ANNA, {**ANNA, "Newsletter": "no"}, {**ANNA, "Proof": ""}, {**ANNA, "E-Mail": "x"}], 2):
        plan.add(line, importer().verdicts({**row, "Calls": ""}))

    told = plan.as_json()
    assert (told["rows"], told["nothing_said"]) == (4, 4)
    assert told["taken"] == [
        {"act": "given", "purpose": "outreach.email", "count": 1},
        {"act": "refused", "purpose": "outreach.email", "count": 1},
    ]
    assert {code: each["first_lines"] for code, each in told["refused"].items()} == {
        "no_evidence": [4],
        "bad_identity": [5],
    }
    assert "anna" not in json.dumps(told).lower()


def test_a_plan_that_takes_other_rows_is_another_one() -> None:
    def plan_of(*rows: dict[str, str]) -> str:
        plan = Plan()
        for line, row in enumerate(rows, 2):
            plan.add(line, importer().verdicts({**row, "Calls": ""}))
        return plan.identifies

    refused = {**ANNA, "Proof": ""}
    assert plan_of(ANNA, refused) == plan_of(ANNA, refused)
    assert len({plan_of(ANNA, refused), plan_of(refused, ANNA), plan_of(ANNA, ANNA), plan_of(ANNA)}) == 3


def test_what_another_system_s_word_is_enough_for_is_said_by_the_matrix() -> None:
    strict = MATRIX.replace("data.sensitive: [recorded, demo]", "outreach.email: [recorded]")
    rules = Rules(Matrix.parse(strict.encode()), shipped_rules().notices)

    verdict = first(ANNA, rules=rules)

    assert isinstance(verdict, Refused)
    assert verdict.code == "evidence_not_enough"
    assert isinstance(first({**ANNA, "Newsletter": "no"}, rules=rules), Taken)


def test_how_clearly_somebody_agreed_belongs_to_a_yes_alone() -> None:
    content = acting(form={"column": "how"}, language={"value": "zh"}, method={"value": "letter"})

    yes, no = (first({**LONG, "act": act, "how": "separate"}, content=content) for act in ("given", "withdrawn"))

    assert isinstance(yes, Taken)
    assert isinstance(no, Taken)
    assert (yes.event["data"]["form"], yes.event["data"]["language"]) == ("separate", "zh")
    assert "form" not in no.event["data"]
    assert no.event["data"]["method"] == "letter"
