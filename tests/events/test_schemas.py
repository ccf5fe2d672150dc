"""The public description of the events is in step with the models, and its examples work."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from events.admission import EventRefused
from events.examples import example
from events.schemas import REFERENCE, files, main, schema, stale
from events.vocabulary import BODIES, RESERVED, TWO_SIDED
from tests.builders import ADMISSION, NOW, TRUSTED, raw


def test_the_committed_references_are_in_step_with_the_models() -> None:
    assert stale(REFERENCE, files()) == [], "run `python -m events.schemas`"


@pytest.mark.parametrize("event_type", sorted(BODIES.keys() - RESERVED))
def test_every_example_is_admitted(event_type: str) -> None:
    answer = ADMISSION.admit(raw(example(event_type)), door=TRUSTED, received_at=NOW)
    assert not isinstance(answer, EventRefused), answer
    assert len(answer) == (2 if event_type in TWO_SIDED else 1)


@pytest.mark.parametrize("event_type", sorted(RESERVED))
def test_an_example_of_a_reserved_type_has_a_valid_body_and_is_not_admitted(event_type: str) -> None:
    BODIES[event_type].model_validate(example(event_type)["data"])
    answer = ADMISSION.admit(raw(example(event_type)), door=TRUSTED, received_at=NOW)
    assert isinstance(answer, EventRefused)
    assert answer.code == "type_not_allowed"


@pytest.mark.parametrize("event_type", sorted(BODIES))
def test_every_example_keeps_to_its_schema(event_type: str) -> None:
    described = schema(event_type)
    check(example(event_type), described, described.get("$defs", {}))


@pytest.mark.parametrize("event_type", sorted(BODIES))
def test_an_example_shows_what_the_type_adds(event_type: str) -> None:
    own = set(BODIES[event_type].__annotations__) - {"event_type", "inverse"}
    shown = set(example(event_type)["data"])
    assert own & shown or not own
    assert set(schema(event_type)["properties"]["data"].get("required", ())) <= shown


def test_what_only_admission_sets_is_not_described() -> None:
    assert "inverse" not in schema("identity.related")["properties"]["data"]["properties"]


@pytest.mark.parametrize(
    "change",
    [
        {"specversion": "2.0"},
        {"type": "service.visited"},
        {"source": "two words"},
        {"Extension": 1},
        {"data": {}},
        {"data": {"attributes": {}}},
        {"data": {"attributes": {"two words": 1}}},
        {"data": {"attributes": {"x": 1.5}}},
        {"data": {"attributes": {"x": "y"}, "unknown": 1}},
    ],
)
def test_a_schema_refuses_what_admission_refuses(change: dict[str, Any]) -> None:
    said, described = example("identity.described") | change, schema("identity.described")
    with pytest.raises(AssertionError):
        check(said, described, {})
    if "type" not in change:
        assert isinstance(ADMISSION.admit(raw(said), door=TRUSTED, received_at=NOW), EventRefused)


def test_writing_brings_a_folder_in_step(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = ["--folder", str(tmp_path)]
    assert main([*folder, "--check"]) == 1
    assert not list(tmp_path.iterdir())
    assert main(folder) == 0
    assert main([*folder, "--check"]) == 0

    (tmp_path / "events.md").write_text("older")
    (tmp_path / "schemas" / "service.gone.json").write_text("{}")
    capsys.readouterr()
    assert main([*folder, "--check"]) == 1
    assert capsys.readouterr().out.splitlines() == ["stale: events.md", "stale: schemas/service.gone.json"]
    assert main(folder) == 0
    assert main([*folder, "--check"]) == 0
    assert len(list((tmp_path / "schemas").iterdir())) == len(BODIES)
    assert json.loads((tmp_path / "schemas" / "service.visited.json").read_text())["title"] == "service.visited"


# As much of JSON Schema as the schemas use, so that an unknown keyword is an error here rather than passed over.

NOTES = {"title", "description", "default", "examples", "$schema", "$id", "$defs", "format"}


def check(value: Any, described: dict[str, Any], definitions: dict[str, Any]) -> None:
    for keyword, limit in sorted(described.items(), key=lambda item: item[0] != "type"):
        if keyword not in NOTES:
            holds(keyword, limit, value, described, definitions)


def holds(keyword: str, limit: Any, value: Any, described: dict[str, Any], definitions: dict[str, Any]) -> None:
    match keyword:
        case "$ref":
            check(value, definitions[limit.rpartition("/")[2]], definitions)
        case "anyOf":
            assert any(fits(value, arm, definitions) for arm in limit)
        case "properties" | "items" | "patternProperties" | "additionalProperties":
            inside(keyword, value, described, definitions)
        case _:
            assert SIMPLE[keyword](value, limit), f"{keyword} {limit}"


def fits(value: Any, described: dict[str, Any], definitions: dict[str, Any]) -> bool:
    try:
        check(value, described, definitions)
    except AssertionError:
        return False
    return True


def inside(keyword: str, value: Any, described: dict[str, Any], definitions: dict[str, Any]) -> None:
    if keyword == "items":
        for item in value:
            check(item, described["items"], definitions)
        return
    for name, part in value.items():
        schemas = [inner for known, inner in described.get("properties", {}).items() if known == name]
        schemas += [
            inner for pattern, inner in described.get("patternProperties", {}).items() if re.search(pattern, name)
        ]
        assert schemas or described.get("additionalProperties", True), "an unknown property"
        for inner in schemas:
            check(part, inner, definitions)


KINDS: dict[str, Any] = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "integer": int,
    "null": type(None),
}

SIMPLE: dict[str, Any] = {
    "type": lambda value, kind: isinstance(value, KINDS[kind]) and (kind != "integer" or value is not True),
    "const": lambda value, only: value == only,
    "enum": lambda value, known: value in known,
    "pattern": lambda value, pattern: re.search(pattern, value) is not None,
    "required": lambda value, names: set(names) <= value.keys(),
    "minLength": lambda value, length: len(value) >= length,
    "maxLength": lambda value, length: len(value) <= length,
    "minItems": lambda value, count: len(value) >= count,
    "maxItems": lambda value, count: len(value) <= count,
    "minProperties": lambda value, count: len(value) >= count,
    "maxProperties": lambda value, count: len(value) <= count,
    "minimum": lambda value, least: value >= least,
    "maximum": lambda value, most: value <= most,
}
