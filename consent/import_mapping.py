"""How the rows of another system's file tell of consents: a mapping that is data."""

from datetime import UTC, datetime
from typing import Annotated, Final, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml
from pydantic import Field, StringConstraints, ValidationError, model_validator

from events.fact import describe
from events.shape import TIME_MAX, Shape, parse_time

MAPPING_BYTES_MAX: Final = 256 * 1024

Column = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class MappingInvalid(ValueError):
    """The mapping cannot be followed; the text names the place."""


class From(Shape):
    """Where a field comes from: a `value` for all rows, or a `column`.

    `values` says what its words mean; a word that is not among them is refused. `default` stands for an empty cell.
    """

    column: Column | None = None
    value: str | None = None
    values: dict[str, str] | None = None
    default: str | None = None

    @model_validator(mode="after")
    def _is_one_of_both(self) -> Self:
        if (self.column is None) == (self.value is None):
            raise ValueError("either a column or a value")
        if self.value is not None and (self.values is not None or self.default is not None):
            raise ValueError("a value for all rows has neither values nor a default")
        return self


class Moment(Shape):
    """How times are written: RFC 3339 with a zone, unless there is a `format` (as in `strptime`) and its `zone`."""

    format: str | None = None
    zone: str | None = None

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if (self.format is None) != (self.zone is None):
            raise ValueError("a format needs a zone, and a zone a format")
        if self.zone is not None:
            try:
                ZoneInfo(self.zone)
            except (ZoneInfoNotFoundError, ValueError, OSError):
                raise ValueError("there is no such time zone") from None
        return self

    def read(self, text: str) -> int:
        """Milliseconds since 1970; ValueError where the text is no such time."""
        if self.format is None or self.zone is None:
            return parse_time(text)
        moment = datetime.strptime(text, self.format)  # noqa: DTZ007 - the zone is put on next
        milliseconds = round(moment.replace(tzinfo=ZoneInfo(self.zone)).astimezone(UTC).timestamp() * 1000)
        if not 0 <= milliseconds <= TIME_MAX:
            raise ValueError("a time before 1970 or after 9999 is not accepted")
        return milliseconds


class Acting(Shape):
    """One act a row may tell of. `act` says given, renewed, refused or withdrawn, or `skip` where nothing was said.

    `namespace` is that of the identity's values; without it they carry their own. Where `evidence` is mapped, a yes
    whose word there means nothing (`none`) has no proof and is refused.
    """

    namespace: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,23}$")] | None = None
    identity: From
    purpose: From
    act: From
    at: From
    expires_at: From | None = None
    channel: From | None = None
    notice: From | None = None
    language: From | None = None
    method: From | None = None
    by: From | None = None
    form: From | None = None
    jurisdiction: From | None = None
    branch: From | None = None
    agent: From | None = None
    evidence: From | None = None


class ImportMapping(Shape):
    """How the rows of a file tell of acts; the file is sent as `source`."""

    source: Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]{1,128}$")]
    delimiter: Annotated[str, StringConstraints(min_length=1, max_length=1)] = ","
    encoding: Literal["utf-8", "utf-16", "latin-1", "cp1252", "gb18030"] = "utf-8"
    times: Moment = Moment()
    acts: Annotated[tuple[Acting, ...], Field(min_length=1, max_length=64)]

    @classmethod
    def parse(cls, raw: bytes) -> Self:
        """The mapping in YAML bytes; MappingInvalid."""
        if len(raw) > MAPPING_BYTES_MAX:
            raise MappingInvalid(f"more than {MAPPING_BYTES_MAX} bytes")
        try:
            # Every word stays a word: YAML's own `yes` and `no` are those of the file, not true and false.
            return cls.model_validate(yaml.load(raw, Loader=yaml.BaseLoader))  # noqa: S506 - it makes strings only
        except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
            raise MappingInvalid("not YAML") from error
        except ValidationError as error:
            raise MappingInvalid(describe(error)) from None

    @property
    def columns(self) -> frozenset[str]:
        """Every column that is read."""
        fields = (getattr(acting, name) for acting in self.acts for name in _SOURCES)
        return frozenset(each.column for each in fields if each is not None and each.column is not None)


_SOURCES: Final = tuple(name for name in Acting.model_fields if name != "namespace")
