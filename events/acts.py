"""Consent acts: given, refused, withdrawn, renewed; and the rights types reserved for later."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from events.shape import Body, Code, IdentityText, RecordId, Time


class ConsentAct(Body):
    """One act about one purpose.

    `act_id` is shared by the facts of one act that covers several identities; `evidence` grades how it is proven.
    """

    purpose: Code
    act_id: RecordId | None = None
    jurisdiction: Code | None = None
    notice: Code | None = None
    evidence: Literal["recorded", "imported", "demo"] = "recorded"


class Granting(ConsentAct):
    """An act that allows, until `expires_at` where that is given."""

    expires_at: Time | None = None


class ConsentGiven(Granting):
    """The person agreed."""

    event_type: ClassVar[str] = "consent.given"


class ConsentRenewed(Granting):
    """The person agreed again."""

    event_type: ClassVar[str] = "consent.renewed"


class ConsentRefused(ConsentAct):
    """The person was asked and said no."""

    event_type: ClassVar[str] = "consent.refused"


class ConsentWithdrawn(ConsentAct):
    """The person took an agreement back."""

    event_type: ClassVar[str] = "consent.withdrawn"


class Erased(Body):
    """Reserved: the identity's facts are forgotten from this position on."""

    event_type: ClassVar[str] = "rights.erased"

    request_id: RecordId
    identities: Annotated[tuple[IdentityText, ...], Field(max_length=64)] = ()


class Refolded(Body):
    """Reserved: the facet was folded anew from history without a wrong fact."""

    event_type: ClassVar[str] = "rights.refolded"

    request_id: RecordId
