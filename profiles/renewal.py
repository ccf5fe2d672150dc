"""Whom to ask again: agreements that end soon, have grown old, or have ended without anybody saying no.

Being on such a list allows nothing. Whoever does not answer stays as they are: silence is no yes.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple

from consent.door import Allowed, Refused
from consent.evidence import Evidence
from consent.purposes import OUTREACH_CHANNELS
from events.acts import Granting
from profiles.view import PersonView

ENDED: Final = frozenset({"expired", "superseded"})
"""Refusals of the door that come of time passing alone: the person agreed and never said no."""


class Renewal(NamedTuple):
    """An agreement to ask about again: why, since when it counted, when it ends or ended (ms, None: it does not).

    `may_write` are the channels on which the person may be written to; at a desk anybody may be asked.
    """

    because: str
    agreed_at: int
    ends_at: int | None
    may_write: tuple[str, ...]


def renewal_of(
    view: PersonView, evidence: Iterable[Evidence], *, purpose: str, now: int, soon_ms: int, old_ms: int
) -> Renewal | None:
    """Whether the person is to be asked about the purpose again, and why.

    None: they said no, never agreed, or it stands for long yet. `evidence` is that of the person's identities.
    """
    answer = view.permits(purpose, at=now, known_at=now)
    grants = [piece.fact for piece in evidence if agreed_to(piece, purpose)]
    last = max(grants, key=lambda fact: (fact.effective_at, fact.received_at), default=None)
    if last is None or not isinstance(last.body, Granting):
        return None
    agreed_at, ends_at = last.effective_at, last.body.expires_at
    because = _because(answer, agreed_at=agreed_at, ends_at=ends_at, now=now, soon_ms=soon_ms, old_ms=old_ms)
    return None if because is None else Renewal(because, agreed_at, ends_at, _channels(view, now))


def agreed_to(piece: Evidence, purpose: str) -> bool:
    """Tell whether the piece is a yes to the purpose."""
    return isinstance(piece.fact.body, Granting) and piece.fact.body.purpose == purpose


def _because(
    answer: Allowed | Refused, *, agreed_at: int, ends_at: int | None, now: int, soon_ms: int, old_ms: int
) -> str | None:
    if isinstance(answer, Refused):
        return answer.because.value if answer.because.value in ENDED else None
    if ends_at is not None and ends_at - now <= soon_ms:
        return "expiring"
    return "old" if now - agreed_at >= old_ms else None


def _channels(view: PersonView, now: int) -> tuple[str, ...]:
    return tuple(channel for channel in OUTREACH_CHANNELS if view.permits(f"outreach.{channel}", at=now, known_at=now))
