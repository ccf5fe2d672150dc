"""Consent acts: asked, deferred, given, renewed, refused, withdrawn, revoked, invalidated; and the rights types.

The fields are those of ISO/IEC TS 27560 that belong to one act; what belongs to the purpose, the notice or the
controller stands with those. `consent.consent_record` puts them together.
"""

from typing import Annotated, ClassVar, Final, Literal

from pydantic import Field, StringConstraints

from events.shape import Body, Code, IdentityText, RecordId, Time

Form = Literal["implied", "expressed", "explicit", "separate", "written"]
"""How clearly somebody agreed, weakest first. `separate`: to this alone, beside nothing else (PIPL 14, 23, 29)."""


class ConsentAct(Body):
    """One act about one purpose.

    `act_id` is shared by the facts of one act that covers several identities; `evidence` grades how it is proven.
    `notice` is what the person was shown, as `id/version`, and `notice_hash` what it said then; `language` is the one
    it was read in. `by` is whoever decided, `method` how they said so (a form, a call, a letter).
    """

    purpose: Code
    act_id: RecordId | None = None
    jurisdiction: Code | None = None
    notice: Code | None = None
    notice_hash: Code | None = None
    language: Code | None = None
    evidence: Literal["recorded", "imported", "demo"] = "recorded"
    by: Literal["subject", "guardian", "controller", "authority"] = "subject"
    method: Code | None = None


class Asking(ConsentAct):
    """The person was asked and has not decided. It changes no answer; it tells that they were asked."""


class Granting(ConsentAct):
    """An act that allows, until `expires_at` where that is given. A guardian (`by`) agrees for a minor."""

    expires_at: Time | None = None
    form: Form = "expressed"


class Closing(ConsentAct):
    """An act that closes the purpose, at once and until a later grant."""


class ConsentRequested(Asking):
    """The person was shown a notice and asked."""

    event_type: ClassVar[str] = "consent.requested"


class ConsentDeferred(Asking):
    """The person put the question aside without an answer; that is neither a yes nor a no."""

    event_type: ClassVar[str] = "consent.deferred"


class ConsentGiven(Granting):
    """The person agreed."""

    event_type: ClassVar[str] = "consent.given"


class ConsentRenewed(Granting):
    """The person agreed again."""

    event_type: ClassVar[str] = "consent.renewed"


class ConsentRefused(Closing):
    """The person was asked and said no."""

    event_type: ClassVar[str] = "consent.refused"


class ConsentWithdrawn(Closing):
    """The person took an agreement back."""

    event_type: ClassVar[str] = "consent.withdrawn"


class ConsentRevoked(Closing):
    """We, or somebody else who is not the person, ended an agreement."""

    event_type: ClassVar[str] = "consent.revoked"


class ConsentInvalidated(Closing):
    """An authority, a court or an audit found that an agreement never was a valid one."""

    event_type: ClassVar[str] = "consent.invalidated"


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
