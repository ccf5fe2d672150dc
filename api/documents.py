"""What OpenAPI says beyond the code: examples that work, who may use a route, how failures look."""

from collections.abc import Mapping
from typing import Any, Final, get_args

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from api.auth import ROUTES
from api.problems import KINDS, MEDIA_TYPE, URN
from events.admission import CloudEvent
from recommender.suggestion import Stage

Examples = Mapping[str, Any]

_PURCHASE: Final = {
    "specversion": "1.0",
    "id": "till-7-20260301-0042",
    "source": "crm",
    "type": "transaction.purchased",
    "subject": "app:42",
    "time": "2026-03-01T09:30:00Z",
    "data": {
        "order_id": "order-1042",
        "channel": "store",
        "branch": "berlin-3",
        "total": {"amount": 2990, "currency": "EUR"},
        "lines": [{"item": "formula-1", "category": "baby", "quantity": 1, "amount": 2990}],
    },
}
_CALL: Final = {
    "specversion": "1.0",
    "id": "call-881",
    "source": "crm",
    "type": "service.contact_started",
    "subject": "phone:+49 30 1234567",
    "time": "2026-03-01T09:31:00Z",
    "data": {"contact_id": "call-881", "channel": "phone", "topics": ["loan/status"]},
}

EVENT_EXAMPLES: Final[Examples] = {"one event": _PURCHASE, "a batch": [_PURCHASE, _CALL]}
LOOKUP_EXAMPLES: Final[Examples] = {
    "by app account": {"identity": "app:42"},
    "by phone": {"identity": "phone:030 1234567"},
}
CONSENT_EXAMPLES: Final[Examples] = {
    "a yes": {
        "act": "given",
        "purpose": "suggest.personal",
        "act_id": "desk-7-0001",
        "channel": "desk",
        "agent": "a-12",
    },
    "a yes to what was shown": {
        "act": "given",
        "purpose": "data.sensitive",
        "form": "separate",
        "notice": "sensitive/1",
        "language": "en",
        "method": "web-form",
    },
    "a yes that ends": {"act": "given", "purpose": "profile.build", "expires_at": "2099-01-01T00:00:00Z"},
    "a no": {"act": "withdrawn", "purpose": "suggest.personal", "channel": "phone"},
}
PRESENTED_EXAMPLES: Final[Examples] = {
    "said at the desk": {"services": ["delivery-flat-rate"], "channel": "desk", "agent": "a-12"}
}
SENT_EXAMPLES: Final[Examples] = {"just now": {}, "earlier": {"at": "2026-03-01T09:32:00Z"}}
RIGHT_EXAMPLES: Final[Examples] = {
    "a restriction": {"right": "restriction"},
    "an objection taken back": {"right": "objection", "ended": True},
}
CONFIRM_EXAMPLES: Final[Examples] = {"one": {"ids": ["0123456789abcdef0123456789abcdef"]}}
CHOICE_EXAMPLES: Final[Examples] = {
    "a yes": {"say": "given", "purpose": "profile.build", "notice": "profile/1"},
    "a no": {"say": "withdrawn", "purpose": "profile.build", "notice": "profile/1"},
    "nothing personal": {"say": "general"},
    "no to everything": {"say": "no-to-all"},
}
ANSWER_EXAMPLES: Final[Examples] = {
    "accepted": {"service": "delivery-flat-rate", "answer": "accepted"},
    "declined": {"service": "delivery-flat-rate", "answer": "declined", "reason": "too-expensive"},
}

DESCRIPTION: Final = """Events in, one profile per person, the next best service out, as far as consent allows.

Every answer that rests on something just written can be asked for with `after=` and the token the write gave. Failures
are problem details (RFC 9457); a 503 says in `Retry-After` when to try again, and sending it again is harmless."""


def examples(named: Examples) -> dict[str, Any]:
    """Named examples of a JSON body, as an addition to what the model says."""
    return {"requestBody": {"content": {"application/json": {"examples": _values(named)}}}}


def form_examples(named: Examples) -> dict[str, Any]:
    """The request body of a form, with named examples."""
    content = {"schema": {"type": "object", "additionalProperties": _TEXT}, "examples": _values(named)}
    return {"requestBody": {"required": True, "content": {"application/x-www-form-urlencoded": content}}}


def event_body(named: Examples) -> dict[str, Any]:
    """The request body of the intake: one event, or an array of them."""
    event = CloudEvent.model_json_schema()
    content = {"schema": {"oneOf": [event, {"type": "array", "items": event, "minItems": 1, "maxItems": 1000}]}}
    return {"required": True, "content": {"application/json": {**content, "examples": _values(named)}}}


def openapi_of(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document of the app, with keys, roles and problems."""
    document = get_openapi(title=app.title, version=app.version, description=DESCRIPTION, routes=app.routes)
    document["paths"]["/v1/customers/{ref}/suggestions"] = {"get": _suggestions()}
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    schemas["Problem"] = _PROBLEM
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    document["components"]["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            _complete(operation, method=method.upper(), path=path)
    document["paths"] = dict(sorted(document["paths"].items()))
    return document


def _complete(operation: dict[str, Any], *, method: str, path: str) -> None:
    access = ROUTES[method, path]
    operation["responses"].pop("422", None)
    operation["responses"]["default"] = {
        "description": "A problem",
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    if access.roles is not None:
        operation["security"] = [{"key": []}]
        operation["x-roles"] = sorted(access.roles)


def _values(named: Examples) -> dict[str, Any]:
    return {name: {"value": value} for name, value in named.items()}


def _suggestions() -> dict[str, Any]:
    """The hot path is a plain route, which FastAPI does not describe."""
    query = {
        "k": {"type": "integer", "minimum": 1, "maximum": 50, "default": 3},
        "channel": _TEXT,
        "intent": _TEXT,
        "after": _TEXT,
    }
    named = [{"name": "ref", "in": "path", "required": True, "schema": _TEXT}]
    named += [{"name": name, "in": "query", "required": False, "schema": schema} for name, schema in query.items()]
    named += [
        {"name": name, "in": "header", "required": False, "schema": _TEXT, "description": description}
        for name, description in (
            ("Rapport-Purpose", "what you look at the person for"),
            ("Rapport-Reason", "why you look all the same; percent-encoded"),
        )
    ]
    return {
        "tags": ["suggestions"],
        "summary": "Ask what to offer next, and why",
        "operationId": "suggestions",
        "parameters": named,
        "responses": {
            "200": {"description": "Suggestions, best first", "content": {"application/json": {"schema": _ANSWER}}}
        },
    }


def _object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties)}


def _list(items: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}


_TEXT: Final[dict[str, Any]] = {"type": "string"}
_MAYBE_TEXT: Final[dict[str, Any]] = {"type": ["string", "null"]}
_NUMBER: Final[dict[str, Any]] = {"type": "number"}
_MAYBE_NUMBER: Final[dict[str, Any]] = {"type": ["number", "null"]}
_WORDS: Final = _object(en=_TEXT, zh=_TEXT)
_REASON: Final = _object(
    code=_TEXT,
    text=_WORDS,
    evidence={**_list(_TEXT), "description": "event keys (hex); none where it speaks of all customers"},
    sensitive={"type": "boolean"},
    sayable={"type": "boolean"},
)
_ANSWER: Final = _object(
    decision={**_TEXT, "description": "names this answer when it is presented or answered"},
    mode={"enum": ["general", "personal"]},
    channel=_MAYBE_TEXT,
    intent={**_MAYBE_TEXT, "description": "what the person wants of the present contact, as it was given"},
    k={"type": "integer"},
    contexts={**_list(_TEXT), "description": "the reasons of the contact that counted, by intent or topic"},
    needs={**_list(_REASON), "description": "the open needs that may be told on this channel"},
    suggestions=_list(
        _object(
            service=_TEXT,
            name=_WORDS,
            say={"anyOf": [_WORDS, {"type": "null"}]},
            score={"type": "number", "description": "the product of its factors"},
            factors=_object(propensity=_NUMBER, context=_NUMBER, value=_MAYBE_NUMBER, lever=_MAYBE_NUMBER),
            confidence={"enum": ["high", "medium", "low"]},
            reasons=_list(_REASON),
        )
    ),
    withheld=_list(_object(service=_TEXT, stage={"enum": list(get_args(Stage))}, because=_TEXT)),
    beyond={"type": "integer", "description": "services that would have followed, had more been asked for"},
    consent=_list(_object(purpose=_TEXT, basis=_TEXT, evidence=_list(_TEXT))),
    ranker=_TEXT,
    model=_TEXT,
    catalogue=_TEXT,
    valid_until={"type": "integer", "description": "ms since 1970"},
)
_PROBLEM: Final = {
    **_object(type={"enum": [URN + kind for kind in sorted(KINDS)]}, title=_TEXT, status={"type": "integer"}),
    "description": "RFC 9457 problem details",
    "additionalProperties": True,
}
