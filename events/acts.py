"""Consent acts: given, refused, withdrawn, renewed; and the rights types reserved for later."""

from typing import Annotated, ClassVar, Final, Literal

from pydantic import Field, StringConstraints

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
    """Reserved: the identity's facts before this position are forgotten, and whatever was heard of before it."""

    event_type: ClassVar[str] = "rights.erased"

    request_id: RecordId
    identities: Annotated[tuple[IdentityText, ...], Field(max_length=64)] = ()


FACET_CHARACTERS_MAX: Final = 900_000
"""So that the record fits on the log."""
NO_FACET: Final = "AA=="
"""What stands for a facet where it is left out: no facet can be read from it."""


class Refolded(Body):
    """Reserved: the facet was folded anew from history, as if the facts of the keys in `without` had never been.

    The keys are in hexadecimal; `facet` is the facet as it is stored, in base64.
    """

    event_type: ClassVar[str] = "rights.refolded"

    request_id: RecordId
    without: Annotated[tuple[Code, ...], Field(min_length=1, max_length=64)]
    facet: Annotated[str, StringConstraints(max_length=FACET_CHARACTERS_MAX)]

    def as_evidence(self) -> "Refolded":
        """That it was done, and without what; not what the person's facet became."""
        return self.model_copy(update={"facet": NO_FACET})
