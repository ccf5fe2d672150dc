"""How a person's consent is told: every purpose with the door's answer and its reason."""

from consent.door import Allowed, Refused
from consent.purposes import PURPOSES
from events.shape import Shape
from profiles.view import PersonView


class Standing(Shape):
    """The door's answer for one purpose.

    Allowed: `basis` and, where acts were relied on, their event keys (hex) and the weakest grade of evidence. Refused:
    `because` as a code, `detail` in words.
    """

    allowed: bool
    basis: str | None = None
    evidence: str | None = None
    relied_on: tuple[str, ...] = ()
    because: str | None = None
    detail: str | None = None


def standing_of(answer: Allowed | Refused) -> Standing:
    """An answer of the door as it is told."""
    if isinstance(answer, Refused):
        return Standing(allowed=False, because=answer.because.value, detail=answer.detail)
    because = answer.because
    keys = tuple(key.hex() for key in because.relied_on)
    return Standing(allowed=True, basis=because.basis, evidence=because.evidence, relied_on=keys)


def standings(view: PersonView, *, now: int) -> dict[str, Standing]:
    """Every purpose there is, as of now (ms)."""
    return {purpose: standing_of(view.permits(purpose, at=now, known_at=now)) for purpose in PURPOSES}
