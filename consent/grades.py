"""Which evidence is enough: a policy as data says by purpose which grades of evidence a yes may rest on."""

from pathlib import Path
from typing import Annotated, Final, Self, get_args

import yaml
from pydantic import Field, ValidationError, field_validator

from consent.purposes import PURPOSES
from events.acts import ConsentAct
from events.fact import describe
from events.shape import Shape

DEFAULT_GRADES: Final = Path(__file__).with_name("grades.yaml")
GRADES_BYTES_MAX: Final = 64 * 1024
GRADES: Final = frozenset(get_args(ConsentAct.model_fields["evidence"].annotation))
"""The grades an act can have."""

Accepted = Annotated[frozenset[str], Field(min_length=1)]


class GradesInvalid(ValueError):
    """The policy names what there is not, or is none; the text names the place."""


class Grades(Shape):
    """The grades that are enough for a purpose: its own, else the `default`."""

    default: Accepted
    purposes: dict[str, Accepted] = Field(default_factory=dict)

    @classmethod
    def load(cls, path: Path = DEFAULT_GRADES) -> Self:
        """The policy in a YAML file; GradesInvalid."""
        try:
            raw = path.read_bytes()
        except OSError as error:
            raise GradesInvalid(f"{path}: {error.strerror or error}") from error
        if len(raw) > GRADES_BYTES_MAX:
            raise GradesInvalid(f"{path.name}: more than {GRADES_BYTES_MAX} bytes")
        try:
            return cls.model_validate(yaml.safe_load(raw))
        except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
            raise GradesInvalid(f"{path.name}: not YAML") from error
        except ValidationError as error:
            raise GradesInvalid(f"{path.name}: {describe(error)}") from None

    @field_validator("default", "purposes")
    @classmethod
    def _are_known(
        cls, value: frozenset[str] | dict[str, frozenset[str]]
    ) -> frozenset[str] | dict[str, frozenset[str]]:
        rows = value if isinstance(value, dict) else {"default": value}
        if isinstance(value, dict) and (unknown := sorted(value.keys() - PURPOSES.keys())):
            raise ValueError(f"there is no purpose {', '.join(unknown)}")
        if odd := sorted({grade for row in rows.values() for grade in row} - GRADES):
            raise ValueError(f"there is no grade {', '.join(odd)}")
        return value

    def accepts(self, purpose: str, grade: str) -> bool:
        """Tell whether a yes to the purpose may rest on evidence of that grade."""
        return grade in self.purposes.get(purpose, self.default)
