"""How a person's consent is told: every purpose with the door's answer and its reason."""

from consent.door import Allowed, Refused
from consent.purposes import PURPOSES
from events.shape import Shape
from profiles.view import PersonView


class Standing(Shape):
    """The door's answer for one purpose.

    Allowed: `basis` and, where acts were relied on, their event keys (hex) and the weakest grade of evidence. Refused:
    `because` as a code, `detail` in words. `state`, where it is told, is that of the consent or of another basis, in
    the words of the Data Privacy Vocabulary: what happened, while `allowed` is what may be done.
    """

    allowed: bool
    state: str | None = None
    basis: str | None = None
    evidence: str | None = None
    relied_on: tuple[str, ...] = ()
    because: str | None = None
    detail: str | None = None


def standing_of(answer: Allowed | Refused, *, state: str | None = None) -> Standing:
    """An answer of the door as it is told."""
    if isinstance(answer, Refused):
        return Standing(allowed=False, state=state, because=answer.because.value, detail=answer.detail)
    because = answer.because
    keys = tuple(key.hex() for key in because.relied_on)
    return Standing(allowed=True, state=state, basis=because.basis, evidence=because.evidence, relied_on=keys)


def standings(view: PersonView, *, at: int, known_at: int) -> dict[str, Standing]:
    """Every purpose there is, as of a moment (ms), going by what was known at another."""
    return {
        purpose: standing_of(
            view.permits(purpose, at=at, known_at=known_at), state=view.status(purpose, at=at, known_at=known_at)
        )
        for purpose in PURPOSES
    }
