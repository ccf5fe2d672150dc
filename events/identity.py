"""Identity: links between identities of one person, relations between different ones, described attributes."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints
from pydantic.json_schema import SkipJsonSchema

from events.shape import Body, Code, IdentityText, Integer

RelationKind = Literal["owns", "contact_of", "household"]
Attribute = Annotated[str, StringConstraints(max_length=256)] | Annotated[bool, Field(strict=True)] | Integer


class Linked(Body):
    """The subject and `other` are the same person, for sure or probably."""

    event_type: ClassVar[str] = "identity.linked"

    other: IdentityText
    strength: Literal["verified", "probable"]
    reason: Code


class Unlinked(Body):
    """The subject and `other` are not the same person after all."""

    event_type: ClassVar[str] = "identity.unlinked"

    other: IdentityText
    reason: Code


class Related(Body):
    """The subject owns, is a contact of, or shares a household with `other`; neither facts nor consent flow along.

    `inverse` is set by admission on the half that is kept with `other`.
    """

    event_type: ClassVar[str] = "identity.related"

    other: IdentityText
    kind: RelationKind
    ended: bool = False
    inverse: SkipJsonSchema[bool] = False


class Described(Body):
    """Attributes as somebody stated them; each is folded under its own purpose."""

    event_type: ClassVar[str] = "identity.described"

    attributes: Annotated[dict[Code, Attribute], Field(min_length=1, max_length=32)]
