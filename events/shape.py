"""The small shapes every event is made of: codes, identities, money, times."""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, ClassVar, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, ValidationInfo, WithJsonSchema

INTEGER_MAX: Final = 2**53
"""Integers beyond ±2^53 do not survive every JSON reader, so none is admitted."""

FROM_LOG: Final = {"from_log": True}
"""Validation context for bodies read back from the log, where times are already integers."""

TIME_MAX: Final = 253_402_300_799_999
"""The last millisecond of the year 9999; no later time can be written in RFC 3339."""

_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_DAY_MS: Final = 24 * 3600 * 1000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def parse_time(text: str) -> int:
    """Milliseconds since 1970 of an RFC 3339 time with a zone; ValueError says what is wrong with it.

    A leap second is the last millisecond of the second before it, as no clock of ours has it.
    """
    if not _RFC3339.fullmatch(text):
        raise ValueError("a time must be RFC 3339 with a zone, such as 2026-03-01T09:30:00Z")
    is_leap = text[17:19] == "60"
    try:
        moment = datetime.fromisoformat(f"{text[:17]}59{text[19:]}".upper() if is_leap else text.upper())
    except (ValueError, OverflowError):
        raise ValueError("there is no such day or time of day") from None
    milliseconds = (moment - _EPOCH) // timedelta(milliseconds=1)
    if is_leap:
        milliseconds = milliseconds // 1000 * 1000 + 999
        if (milliseconds + 1) % _DAY_MS:
            raise ValueError("a leap second comes at the end of a day in UTC")
    if not 0 <= milliseconds <= TIME_MAX:
        raise ValueError("a time before 1970 or after 9999 is not accepted")
    return milliseconds


def format_time(milliseconds: int) -> str:
    """RFC 3339 in UTC with milliseconds, the inverse of `parse_time`."""
    moment = datetime.fromtimestamp(milliseconds // 1000, tz=UTC).replace(microsecond=milliseconds % 1000 * 1000)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _read_time(value: Any, info: ValidationInfo) -> int:
    if isinstance(value, str):
        return parse_time(value)
    if info.context is FROM_LOG and type(value) is int and 0 <= value <= TIME_MAX:
        return value
    raise ValueError("a time must be RFC 3339 text with a zone")


Time = Annotated[int, BeforeValidator(_read_time), WithJsonSchema({"type": "string", "format": "date-time"})]
"""A time: RFC 3339 text outside, milliseconds since 1970 inside."""

Code = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]{0,63}$")]
"""A short machine word: a channel, a topic, a category."""

RecordId = Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]{1,96}$")]
"""The sender's id of an order, a case, a survey: printable ASCII without spaces."""

IdentityText = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,23}:[^\x00-\x1f\x7f]{1,256}$")]
"""`namespace:value`, in clear outside and as a pseudonym inside."""

Text = Annotated[str, StringConstraints(max_length=8000)]
"""Free text as a person wrote it; folded only under `feedback.analyse`."""

Integer = Annotated[int, Field(strict=True, ge=-INTEGER_MAX, le=INTEGER_MAX)]
Natural = Annotated[int, Field(strict=True, ge=0, le=INTEGER_MAX)]
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]


class Shape(BaseModel):
    """Frozen, closed: an unknown field is an error rather than something silently lost."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Money(Shape):
    """An amount in minor units (cents) of an ISO 4217 currency; never negative: a refund is its own event."""

    amount: Natural
    currency: Currency


class Body(Shape):
    """What every event may say beside its own fields: where and through whom it happened."""

    event_type: ClassVar[str]
    version: ClassVar[int] = 1

    channel: Code | None = None
    branch: Code | None = None
    team: Code | None = None
    agent: Code | None = None
    business_line: Code | None = None
