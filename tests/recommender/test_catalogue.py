"""The catalogue is refused, with the place, where it contradicts itself."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from recommender.catalogue import DEFAULT_CATALOGUE, CatalogueInvalid, load_catalogue, parse_catalogue

WORDS = {"en": "words", "zh": "话"}
VISITED = {"op": "visited", "within_days": 1}


def service(service_id: str, **more: Any) -> dict[str, Any]:
    return {"id": service_id, "name": WORDS, "say": WORDS, "issue": "serve", "group": "all"} | more


def content(*services: dict[str, Any], needs: Any = (), **more: Any) -> bytes:
    fallback = service("else", fallback=True)
    return yaml.safe_dump({"version": 1, "services": [*services, fallback], "needs": list(needs)} | more).encode()


def context(**more: Any) -> dict[str, Any]:
    return {"id": "c", "issues": {"serve": 2}} | more


def need(*when: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"id": "n", "when": list(when), "suggests": {"a": 1.0}, "reason": WORDS} | more


def test_the_default_catalogue_is_valid_and_covers_every_issue() -> None:
    catalogue = load_catalogue()

    assert {entry.issue for entry in catalogue.services} == {"sell", "serve", "retain", "nurture"}
    assert len(catalogue.services) >= 20
    assert {"diapers", "auto-repayment", "engineer-visit", "care-call", "guided-start"} <= catalogue.by_id.keys()


def test_the_default_catalogue_holds_tasks_for_our_own_staff_and_what_calls_for_each() -> None:
    catalogue = load_catalogue()
    tasks = {"call-back", "loan-status-callback", "engineer-visit", "fee-explanation", "deposit-return", "care-call"}

    assert all(catalogue.by_id[task].kind == "transactional" for task in tasks)
    assert tasks <= {service for each in catalogue.needs for service in each.suggests}


def test_in_the_default_catalogue_value_and_levers_weigh_nothing() -> None:
    assert load_catalogue().arbitration.model_dump() == {"value_weight": 0, "lever_weight": 0}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"at_most: 12", b"at_most: 13"),
        (b"lever_weight: 0", b"lever_weight: 1"),
        (b"issues: {retain: 3}", b"issues: {retain: 4}"),
        (b"behind: [cancel]", b"behind: []"),
        (b"pram: 500", b"pram: 499"),
    ],
)
def test_the_hash_changes_with_how_the_services_are_weighed(before: bytes, after: bytes) -> None:
    raw = DEFAULT_CATALOGUE.read_bytes()

    assert raw.count(before) == 1
    assert parse_catalogue(raw.replace(before, after)).hash != parse_catalogue(raw).hash


def test_everything_that_is_sold_is_marked_as_upsell() -> None:
    assert all(entry.upsell for entry in load_catalogue().services if entry.issue == "sell")


def test_the_hash_changes_with_what_the_catalogue_says_and_not_with_how_it_is_written() -> None:
    raw = DEFAULT_CATALOGUE.read_bytes()
    rewritten = yaml.safe_dump(yaml.safe_load(raw), sort_keys=True, allow_unicode=True).encode()

    assert parse_catalogue(rewritten).hash == parse_catalogue(raw).hash
    assert parse_catalogue(raw.replace(b"Loyalty gift", b"Loyalty present")).hash != parse_catalogue(raw).hash


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        (b"[1, 2", "not YAML"),
        (b"\xff\xfe\x00", "not YAML"),
        (b"", "valid dictionary"),
        (content(service("a"), service("a")), "share an id"),
        (content(service("a", prerequisites=["b"])), "names b"),
        (content(service("a", requires=["no.purpose"])), "names no.purpose"),
        (content(service("a", starts="2026-02-01", ends="2026-01-01")), "ends before it starts"),
        (content(service("a", fallback=True, upsell=True)), "a fallback must fit everyone"),
        (content(service("a", value=-1)), "value"),
        (content(service("a", surprise=1)), "Extra inputs"),
        (content(service("a"), needs=[need({"op": "holds", "services": ["b"]})]), "names b"),
        (content(service("a"), needs=[need({"op": "lacks", "services": ["a"]})]), "rests on no fact"),
        (content(service("a"), needs=[need({"op": "eval", "code": "1"})]), "op"),
        (
            content(service("a"), needs=[need({"op": "visited", "within_days": 1}, reason=WORDS | {"en": "{at}"})]),
            "{count}",
        ),
        (content(service("a"), needs=[need({"op": "bought", "categories": ["baby"], "within_days": 7})]), "sensitive"),
        (content(service("a"), needs=[need({"op": "described", "attribute": "health", "equals": "x"})]), "sensitive"),
        (content(service("a", fallback=True, regions=["north"])), "a fallback must fit everyone"),
        (content(service("a", fallback=True, cap={"at_most": 1, "within_days": 1})), "a fallback must fit everyone"),
        (content(service("a", cap={"at_most": 1})), "services.0.cap.within_days: Field required"),
        (content(service("a", lever=11)), "services.0.lever"),
        (content(service("a", regions=["North Sea"])), r"services.0.regions.0: String should match"),
        (content(service("a", declined_rest_days=0)), "services.0.declined_rest_days"),
        (content(service("a"), arbitration={"value_weight": 1.5}), "arbitration.value_weight"),
        (content(service("a"), contexts=[context(groups={"nowhere": 2})]), "context c: names nowhere, which is not a"),
        (content(service("a"), contexts=[context(issues={})]), "context c: raises nothing"),
        (content(service("a"), contexts=[context(issues={"serve": 0.5})]), "contexts.0.issues.serve"),
        (content(service("a"), contexts=[context(words=["x"]), context(id="x")]), "shares x with another"),
        (content(service("a"), needs=[need(VISITED, suggests={"a": 0.5})]), "needs.0.suggests.a"),
        (content(service("a"), needs=[need(VISITED, behind=["c"])]), "is behind c, which is not a context"),
        (
            content(service("a"), needs=[need({"op": "described", "attribute": "arrears", "equals": True})]),
            "only remove",
        ),
        (content(service("a"), needs=[need({"op": "described", "attribute": "minor", "equals": True})]), "only remove"),
        (b"version: 1\nservices:\n- " + yaml.safe_dump(service("a"), default_flow_style=True).encode(), "fallback"),
    ],
)
def test_a_catalogue_that_contradicts_itself_is_refused(raw: bytes, problem: str) -> None:
    with pytest.raises(CatalogueInvalid, match=problem.replace("{", r"\{")):
        parse_catalogue(raw)


def test_a_catalogue_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(CatalogueInvalid, match=r"missing\.yaml"):
        load_catalogue(tmp_path / "missing.yaml")
