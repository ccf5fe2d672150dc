"""The public description of the events: a JSON Schema per type and one page, both made from the models.

`python -m events.schemas` writes them under `docs/reference/`; with `--check` it only says which are stale.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from pydantic import TypeAdapter

from events.admission import CloudEvent
from events.examples import example
from events.shape import Code, Currency, IdentityText, RecordId
from events.vocabulary import BODIES, PRIVILEGED, RESERVED, TWO_SIDED

REFERENCE: Final = Path(__file__).parent.parent / "docs" / "reference"

_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

_WORDS: Final[Mapping[str, tuple[str, str]]] = {
    TypeAdapter(kind).json_schema()["pattern"]: (word, meaning)
    for kind, word, meaning in (
        (Code, "code", "a short machine word: letters, digits and `._/-`, at most 64"),
        (RecordId, "id", "the sender's id: printable ASCII without spaces, at most 96"),
        (IdentityText, "identity", "`namespace:value`, in clear"),
        (Currency, "currency", "three capital letters of ISO 4217"),
    )
}
"""Pattern of a kind of text -> its word in the reference and what that means."""

_INTRODUCTION: Final = """# Events

*Made from the models by `python -m events.schemas`; do not edit.*

An event is a [CloudEvents 1.0](https://cloudevents.io) event in JSON, sent to the topic `rapport.intake` or to
`POST /v1/events`. `subject` is the identity it is about as `namespace:value`, in clear; inside it becomes a pseudonym.
`source` and `id` together name an event: sent again it counts once. Times are RFC 3339 with a zone, at most 24 hours
ahead. Money is in minor units (cents) of a currency. Integers lie within ±2^53. An unknown field is refused. Extension
attributes (lower-case letters and digits) are allowed and not kept.

*Bound sources* marks types that are admitted only where the door itself knows the source: with an API key, or on an
intake topic of that source. *Both sides* marks types that are kept with both identities. *Reserved* types are written
by the system itself.

Every event may also say `channel`, `branch`, `team`, `agent` and `business_line`, each a code.

"""


def schema(event_type: str) -> dict[str, Any]:
    """The JSON Schema of a whole event of one type."""
    envelope = CloudEvent.model_json_schema()
    body = _body(event_type)
    definitions = {**envelope.pop("$defs", {}), **body.pop("$defs", {})}
    properties = envelope["properties"] | {"type": {"const": event_type, "title": "Type"}, "data": body}
    return {
        "$schema": _DIALECT,
        "$id": f"urn:rapport:event:{event_type}:{BODIES[event_type].version}",
        "title": event_type,
        "description": body["description"],
        "type": "object",
        "required": envelope["required"],
        "properties": properties,
        "patternProperties": {"^[a-z0-9]{1,20}$": {}},
        "additionalProperties": False,
        **({"$defs": definitions} if definitions else {}),
        "examples": [example(event_type)],
    }


def _body(event_type: str) -> dict[str, Any]:
    body = BODIES[event_type].model_json_schema()
    for field in body["properties"].values():
        if "patternProperties" in field:
            field["additionalProperties"] = False  # admission refuses other names; pydantic does not write that down
    return body


def page() -> str:
    """The reference page of all types."""
    sections = [_section(event_type) for event_type in BODIES]
    listed = [f"- [`{name}`](#{_anchor(name)}): {_summary(name)}" for name in BODIES]
    legend = [f"- *{word}*: {meaning}" for word, meaning in _WORDS.values()]
    return "\n".join([_INTRODUCTION + "Kinds of text:", *legend, "", "## Types", *listed, "", *sections])


def files() -> dict[Path, str]:
    """Everything that is made, by its path under `REFERENCE`."""
    made = {Path("schemas") / f"{name}.json": json.dumps(schema(name), indent=2) + "\n" for name in BODIES}
    return {**made, Path("events.md"): page()}


def stale(folder: Path, made: Mapping[Path, str]) -> list[Path]:
    """Paths under a folder that are missing, differ, or describe a type that is gone."""
    differing = [path for path, text in made.items() if not _holds(folder / path, text)]
    left = [path.relative_to(folder) for path in (folder / "schemas").glob("*.json")]
    return sorted({*differing, *(path for path in left if path not in made)})


def write(folder: Path, made: Mapping[Path, str]) -> None:
    """Bring a folder in step."""
    (folder / "schemas").mkdir(parents=True, exist_ok=True)
    for path in stale(folder, made):
        if path in made:
            (folder / path).write_text(made[path], encoding="utf-8")
        else:
            (folder / path).unlink()


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the references, or check them; 1 when a check finds a stale one."""
    parser = argparse.ArgumentParser(prog="python -m events.schemas", description=main.__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing, say what is stale")
    parser.add_argument("--folder", type=Path, default=REFERENCE, help="where the references lie")
    chosen = parser.parse_args(arguments)
    made = files()
    found = stale(chosen.folder, made)
    if not chosen.check:
        write(chosen.folder, made)
    word = "stale" if chosen.check else "written"
    sys.stdout.writelines(f"{word}: {path}\n" for path in found)
    return 1 if chosen.check and found else 0


def _holds(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text(encoding="utf-8") == text


def _section(event_type: str) -> str:
    body = _body(event_type)
    shared = {"channel", "branch", "team", "agent", "business_line"}
    fields = {name: field for name, field in body["properties"].items() if name not in shared}
    required = body.get("required", [])
    rows = [
        f"| `{name}` | {_kind(field, body.get('$defs', {}))} | {'yes' if name in required else ''} |"
        for name, field in fields.items()
    ]
    table = ["| field | what it holds | required |", "|---|---|---|", *rows, ""]
    shown = json.dumps(example(event_type), indent=2, ensure_ascii=False)
    marks = f"*{', '.join(_marks(event_type))}* · " if _marks(event_type) else ""
    links = f"{marks}[JSON Schema](schemas/{event_type}.json)"
    lines = [f"### {event_type}", body["description"], "", links, "", *table, "```json", shown, "```", ""]
    return "\n".join(lines)


def _marks(event_type: str) -> list[str]:
    groups = {"Bound sources": PRIVILEGED, "Both sides": TWO_SIDED, "Reserved": RESERVED}
    return [mark for mark, types in groups.items() if event_type in types]


def _kind(field: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    """A field's values in words."""
    if "$ref" in field:
        inner = definitions[field["$ref"].rpartition("/")[2]]
        return ", ".join(f"`{name}`: {_kind(part, definitions)}" for name, part in inner["properties"].items())
    if "anyOf" in field:
        arms = [_kind(arm, definitions) for arm in field["anyOf"] if arm.get("type") != "null"]
        return " or ".join(arms)
    if "enum" in field:
        return ", ".join(f"`{value}`" for value in field["enum"])
    if field["type"] == "array":
        return f"up to {field['maxItems']} of ({_kind(field['items'], definitions)})"
    if field["type"] == "object":
        [(name, value)] = field["patternProperties"].items()
        return f"up to {field['maxProperties']} of ({_plain({'pattern': name})}: {_kind(value, definitions)})"
    return _plain(field)


def _plain(field: Mapping[str, Any]) -> str:
    if field.get("format") == "date-time":
        return "time"
    if "pattern" in field:
        return _WORDS[field["pattern"]][0]
    if field["type"] == "integer":
        low, high = field.get("minimum"), field.get("maximum")
        return "integer" if low is None or low < 0 else "natural number" if high == 2**53 else f"{low} to {high}"
    return f"text up to {field['maxLength']} characters" if "maxLength" in field else str(field["type"])


def _summary(event_type: str) -> str:
    return str(BODIES[event_type].__doc__).strip().splitlines()[0]


def _anchor(event_type: str) -> str:
    return event_type.replace(".", "")


if __name__ == "__main__":
    sys.exit(main())
