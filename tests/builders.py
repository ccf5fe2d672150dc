"""Events and facts for tests: by hand (`event`, `fact`, `purchased`) and by chance (`bodies`, `facts`, `events`).

Identities are written in clear (`app:42`) and become pseudonyms under `PSEUDONYMS`; times are milliseconds since 1970.
"""

import json
import types
from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin, get_type_hints

from annotated_types import Ge, Le, MaxLen, MinLen
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy
from pydantic import BaseModel, StringConstraints
from pydantic.fields import FieldInfo

from consent.accesses import Access
from consent.purposes import SENSITIVE
from events.admission import Admission, Admitted, Door, event_key, payload_digest
from events.fact import Fact
from events.feedback import SCORE_RANGE
from events.pseudonyms import PSEUDONYM, Pseudonyms
from events.shape import FROM_LOG, Body, IdentityText, Time, format_time
from events.vocabulary import BODIES, TWO_SIDED

NOW: Final = 1_772_357_400_000
"""2026-03-01T09:30:00Z, the hour at which things happen unless a test says otherwise."""
MINUTE: Final = 60_000
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR

PARTITIONS: Final = 8
PSEUDONYMS: Final = Pseudonyms(key=b"a key for tests only", region="DE")
ADMISSION: Final = Admission(pseudonyms=PSEUDONYMS, partitions=PARTITIONS)
TRUSTED: Final = Door(name="tests", source="crm")
"""A door bound to the source `crm`, which may publish every type that is not reserved."""


def examples(number: int) -> settings:
    """So many examples of a property; a fifth of them where few are asked for, by `--hypothesis-profile=quick`."""
    return settings(max_examples=-(-number // 5) if settings.get_current_profile_name() == "quick" else number)


def pseudonym(identity: str) -> str:
    """The pseudonym of a clear identity; a pseudonym stays what it is."""
    return identity if PSEUDONYM.fullmatch(identity) else PSEUDONYMS.of(identity)


def event(
    event_type: str,
    *,
    subject: str = "app:42",
    at: int = NOW,
    event_id: str | None = None,
    source: str = "crm",
    **data: Any,
) -> dict[str, Any]:
    """A CloudEvent as a sender writes it; without an id its content gives it one."""
    said = {"type": event_type, "subject": subject, "time": format_time(at), "data": data}
    return {
        "specversion": "1.0",
        "id": event_id or payload_digest(said).hex(),
        "source": source,
        **said,
    }


def raw(said: Any) -> bytes:
    """An event as bytes."""
    return json.dumps(said).encode()


def fact(
    event_type: str,
    *,
    identity: str = "app:42",
    at: int = NOW,
    received_at: int | None = None,
    event_id: str | None = None,
    source: str = "crm",
    **body: Any,
) -> Fact:
    """A fact; the same arguments give the same fact, others another event key. It is received when it happens."""
    said = event(event_type, subject=identity, at=at, event_id=event_id, source=source, **body)
    if event_type in TWO_SIDED:
        body["other"] = pseudonym(body["other"])
    return Fact(
        type=event_type,
        event_key=event_key(source, said["id"]),
        digest=payload_digest(said),
        identity=pseudonym(identity),
        occurred_at=at,
        received_at=at if received_at is None else received_at,
        source=source,
        body=BODIES[event_type].model_validate(body, context=FROM_LOG),
    )


def admitted(some: Fact) -> Admitted:
    """A fact with its partition among PARTITIONS."""
    return ADMISSION.place(some)


def money(amount: int, currency: str = "EUR") -> dict[str, Any]:
    """An amount in cents."""
    return {"amount": amount, "currency": currency}


def purchased(order_id: str = "order-1", *, amount: int = 1000, **rest: Any) -> Fact:
    """An order over `amount` cents."""
    return fact("transaction.purchased", order_id=order_id, total=money(amount), **rest)


def case_opened(case_id: str = "case-1", **rest: Any) -> Fact:
    """A request that needs work."""
    return fact("service.case_opened", case_id=case_id, **rest)


def complaint(case_id: str = "case-1", **rest: Any) -> Fact:
    """A complaint that is open until its case is resolved."""
    return fact("feedback.complaint_filed", case_id=case_id, **rest)


def linked(identity: str, other: str, *, strength: str = "verified", **rest: Any) -> tuple[Fact, Fact]:
    """Both halves of a link, as admission makes them."""
    return _halves("identity.linked", identity, other, {"strength": strength, "reason": "tests", **rest})


def unlinked(identity: str, other: str, **rest: Any) -> tuple[Fact, Fact]:
    """Both halves of the end of a link."""
    return _halves("identity.unlinked", identity, other, {"reason": "tests", **rest})


def _halves(event_type: str, identity: str, other: str, rest: Mapping[str, Any]) -> tuple[Fact, Fact]:
    # Both halves of one event carry its key, whatever they hold.
    event_id = rest.get("event_id") or payload_digest([event_type, identity, other, dict(rest)]).hex()
    shared = {**rest, "event_id": event_id}
    return (
        fact(event_type, identity=identity, other=other, **shared),
        fact(event_type, identity=other, other=identity, **shared),
    )


Said = Literal["requested", "deferred", "given", "renewed", "refused", "withdrawn", "revoked", "invalidated"]


def consent(act: Said, purpose: str, **rest: Any) -> Fact:
    """A consent act about one purpose; a yes is as clear as a sensitive purpose takes it."""
    if act in {"given", "renewed"} and purpose == SENSITIVE:
        rest.setdefault("form", "separate")
    return fact(f"consent.{act}", purpose=purpose, **rest)


def shown(identity: str, *, at: int = NOW, **rest: Any) -> Access:
    """An agent's look at suggestions for an identity."""
    said = {"key": "0" * 8, "role": "agent", "purpose": "answer", "reason": "", "broke_glass": False, **rest}
    return Access(at=at, what="suggestions", identity=pseudonym(identity), **said)


# By chance: strategies built from the models themselves, so that a new field is drawn without anyone adding it here.

clear_identities: Final = st.builds(
    "{}:{}".format, st.sampled_from(["app", "card", "crm"]), st.from_regex(r"[A-Za-z0-9]{1,12}", fullmatch=True)
)
pseudonyms: Final = clear_identities.map(pseudonym)
times: Final = st.integers(min_value=0, max_value=NOW + 365 * DAY)


def bodies(event_type: str) -> SearchStrategy[Body]:
    """Any valid body of a type, as it is read back from the log."""
    model = BODIES[event_type]
    return _contents(event_type, outside=False).map(lambda content: model.model_validate(content, context=FROM_LOG))


@st.composite
def facts(draw: DrawFn, event_type: str | None = None, *, identity: str | None = None) -> Fact:
    """Any fact, of one type or of all, about one identity or any."""
    kind = event_type or draw(st.sampled_from(sorted(BODIES)))
    return Fact(
        type=kind,
        event_key=draw(st.binary(min_size=8, max_size=8)),
        digest=draw(st.binary(min_size=4, max_size=4)),
        identity=pseudonym(identity) if identity else draw(pseudonyms),
        occurred_at=draw(times),
        received_at=draw(times),
        source=draw(st.sampled_from(["crm", "shop", "bank/core"])),
        body=draw(bodies(kind)),
    )


@st.composite
def events(draw: DrawFn, event_type: str, *, subject: str = "app:subject") -> dict[str, Any]:
    """Any event of a type that admission takes at the door TRUSTED."""
    data = draw(_contents(event_type, outside=True))
    return event(event_type, subject=subject, at=draw(times.filter(lambda at: at <= NOW)), **data)


@cache
def _contents(event_type: str, *, outside: bool) -> SearchStrategy[dict[str, Any]]:
    drawn = _fields(BODIES[event_type], outside=outside)
    if event_type == "transaction.cancelled":
        return drawn.filter(lambda body: ("order_id" in body) != ("subscription_id" in body))
    if event_type == "feedback.survey_answered":
        return st.tuples(drawn, st.integers(0, 1000)).map(lambda pair: {**pair[0], "score": _score(*pair)})
    return drawn


def _score(body: Mapping[str, Any], chance: int) -> int:
    low, high = SCORE_RANGE[body["kind"]]
    return low + chance % (high - low + 1)


def _fields(model: type[BaseModel], *, outside: bool) -> SearchStrategy[dict[str, Any]]:
    hints = get_type_hints(model, include_extras=True)
    required: dict[str, SearchStrategy[Any]] = {}
    optional: dict[str, SearchStrategy[Any]] = {}
    for name, field in model.model_fields.items():
        if outside and name == "inverse":
            continue  # admission's own
        drawn = _values(_without_none(hints[name]), outside=outside)
        (required if field.is_required() else optional)[name] = drawn
    return st.fixed_dictionaries(required, optional=optional)


def _without_none(hint: Any) -> Any:
    rest = [arm for arm in get_args(hint) if arm is not type(None)]
    return rest[0] if get_origin(hint) in {Union, types.UnionType} and len(rest) == 1 else hint


def _values(hint: Any, *, outside: bool) -> SearchStrategy[Any]:
    """Values of one annotation."""
    if hint == Time:
        return times.map(format_time) if outside else times
    if hint == IdentityText:
        return clear_identities if outside else pseudonyms
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return _constrained(arguments[0], _constraints(arguments[1:]), outside=outside)
    if origin is Literal:
        return st.sampled_from(arguments)
    if origin in {Union, types.UnionType}:
        return st.one_of(*(_values(arm, outside=outside) for arm in arguments))
    if origin in {tuple, dict}:
        return _constrained(hint, {}, outside=outside)
    if isinstance(hint, type) and issubclass(hint, BaseModel):
        return _fields(hint, outside=outside)
    return _constrained(hint, {}, outside=outside)


def _constraints(metadata: tuple[Any, ...]) -> dict[str, Any]:
    flat = [part for item in metadata for part in (item.metadata if isinstance(item, FieldInfo) else [item])]
    found: dict[str, Any] = {}
    for part in flat:
        if isinstance(part, StringConstraints):
            found |= {"pattern": part.pattern, "longest": part.max_length}
        for kind, name in ((Ge, "ge"), (Le, "le"), (MinLen, "min_length"), (MaxLen, "max_length")):
            if isinstance(part, kind):
                found[name] = getattr(part, name)
    return found


def _constrained(base: Any, limits: Mapping[str, Any], *, outside: bool) -> SearchStrategy[Any]:
    if base is str and limits.get("pattern"):
        return st.from_regex(limits["pattern"].removeprefix("^").removesuffix("$"), fullmatch=True)
    if base is str:
        return st.text(max_size=min(limits.get("longest") or 64, 64))
    if base is int:
        return st.integers(limits.get("ge"), limits.get("le"))
    if base is bool:
        return st.booleans()
    few = {"min_size": limits.get("min_length", 0), "max_size": min(limits.get("max_length", 4), 4)}
    if get_origin(base) is tuple:
        return st.lists(_values(get_args(base)[0], outside=outside), **few)
    key, value = get_args(base)
    return st.dictionaries(_values(key, outside=outside), _values(value, outside=outside), **few)
