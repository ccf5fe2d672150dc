"""All the ways in which a person's data may not be used for a purpose: what both worlds of a pair have in common."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from functools import cache
from random import Random
from typing import Any, Final, Literal

from consent.holds import Hold, hold_of
from consent.purposes import PURPOSES, SUGGEST
from events.fact import Fact
from tests.builders import DAY, NOW, consent, fact, linked, pseudonym
from tests.noninterference.people import Held

PERSON: Final = pseudonym("app:42")
CARD: Final = pseudonym("card:7")
NEIGHBOUR: Final = pseudonym("phone:+49301234567")

Tie = Literal["none", "household", "probable", "half"]
TIES: Final[tuple[Tie, ...]] = ("none", "household", "probable", "half")
"""How the neighbour hangs together with the person; no tie lends anything."""

_GIVEN: Final = NOW - 300 * DAY
_TAKEN_BACK: Final = NOW - 2 * DAY


@dataclass(frozen=True, kw_only=True)
class Common:
    """What both worlds of a pair share: acts before and after everything else, holds, and who hangs together."""

    refusal: str
    before: tuple[Fact, ...] = ()
    after: tuple[Fact, ...] = ()
    held: Held = field(default_factory=dict)
    identities: tuple[str, ...] = (PERSON,)

    def holds(self) -> list[Hold]:
        """The holds as the store keeps them."""
        noes = [withdrawn(purpose, identity=who) for who, held in self.held.items() for purpose in held]
        return [hold for no in noes if (hold := hold_of(no)) is not None]


def common(chance: Random, *, purpose: str = SUGGEST) -> Common:
    """One way in which the purpose is refused to a person who may have agreed to much else."""
    refusal = chance.choice(sorted(REFUSALS))
    made = REFUSALS[refusal](purpose)
    closed = {purpose, *PURPOSES[purpose].needs}
    others = sorted(each for each in PURPOSES.keys() - closed if not each.startswith("outreach."))
    beside = [given(other) for other in chance.sample(others, chance.randrange(4))]
    return Common(
        refusal=refusal,
        before=(*made.before, *beside),
        after=made.after,
        held=made.held,
        identities=made.identities,
    )


def closing(chance: Random, closed: frozenset[str], *, opened: Collection[str]) -> Common:
    """A person who agreed to the opened purposes; each of the closed ones was never asked for, is held, or expired."""
    ways = {purpose: chance.choice(("never asked", "held", "expired")) for purpose in sorted(closed)}
    past = [given(each, expires_at=_TAKEN_BACK) for each, way in ways.items() if way == "expired"]
    held = frozenset(each for each, way in ways.items() if way == "held")
    return Common(
        refusal=", ".join(f"{purpose} {way}" for purpose, way in ways.items()),
        before=(*past, *(given(each) for each in sorted({*opened, *held} - (closed - held)))),
        held={PERSON: held},
    )


@cache
def given(purpose: str, *, identity: str = PERSON, at: int = _GIVEN, expires_at: int | None = None) -> Fact:
    """A yes to a purpose."""
    more = {} if expires_at is None else {"expires_at": expires_at}
    return consent("given", purpose, identity=identity, at=at, **more)


@cache
def withdrawn(purpose: str, *, identity: str = PERSON) -> Fact:
    """A yes taken back two days ago."""
    return consent("withdrawn", purpose, identity=identity, at=_TAKEN_BACK)


@cache
def agreed(purpose: str, *, identity: str = PERSON) -> tuple[Fact, ...]:
    """A yes to a purpose and to all it needs."""
    needed = (each for need in PURPOSES[purpose].needs for each in agreed(need, identity=identity))
    return (*needed, given(purpose, identity=identity))


@cache
def tied(tie: Tie, identity: str = PERSON) -> tuple[Fact, ...]:
    """The neighbour's tie to the person."""
    match tie:
        case "none":
            return ()
        case "household":
            said: dict[str, Any] = {"at": _GIVEN, "event_id": "one roof", "kind": "household"}
            there = fact("identity.related", identity=NEIGHBOUR, other=identity, **said)
            back = fact("identity.related", identity=identity, other=NEIGHBOUR, inverse=True, **said)
            return there, back
        case "probable":
            return linked(identity, NEIGHBOUR, strength="probable", at=_GIVEN)
        case "half":
            return linked(identity, NEIGHBOUR, at=_GIVEN)[1:]


def _never_asked(_purpose: str) -> Common:
    return Common(refusal="")


def _refused(purpose: str) -> Common:
    return Common(refusal="", before=(consent("refused", purpose, identity=PERSON, at=_GIVEN),))


def _withdrawn(purpose: str) -> Common:
    return Common(refusal="", before=agreed(purpose), after=(withdrawn(purpose),))


def _late_yes(purpose: str) -> Common:
    """A yes from before the no is heard of after it."""
    late = consent("given", purpose, identity=PERSON, at=_TAKEN_BACK - DAY, received_at=_TAKEN_BACK + DAY)
    return Common(refusal="", before=agreed(purpose), after=(withdrawn(purpose), late))


def _expired(purpose: str) -> Common:
    needs = agreed(purpose)[:-1]
    return Common(refusal="", before=(*needs, given(purpose, expires_at=_TAKEN_BACK)))


def _held(purpose: str) -> Common:
    return Common(refusal="", before=agreed(purpose), held={PERSON: frozenset({purpose})})


def _need_taken_back(purpose: str) -> Common:
    closing = (PURPOSES[purpose].needs or (purpose,))[0]
    return Common(refusal="", before=agreed(purpose), after=(withdrawn(closing),))


def _need_held(purpose: str) -> Common:
    closing = (PURPOSES[purpose].needs or (purpose,))[0]
    return Common(refusal="", before=agreed(purpose), held={PERSON: frozenset({closing})})


def _restricted(purpose: str) -> Common:
    flag = fact("identity.described", identity=PERSON, at=_GIVEN, attributes={"restricted": True})
    return Common(refusal="", before=(*agreed(purpose), flag))


def _minor(purpose: str) -> Common:
    flag = fact("identity.described", identity=PERSON, at=_GIVEN, attributes={"minor": True})
    return Common(refusal="", before=(*agreed(purpose), flag))


def _another_identity_s_no(purpose: str) -> Common:
    link = linked(PERSON, CARD, at=_GIVEN)
    no = withdrawn(purpose, identity=CARD)
    return Common(refusal="", before=(*link, *agreed(purpose)), after=(no,), identities=(PERSON, CARD))


def _probably_another_s_no(purpose: str) -> Common:
    link = linked(PERSON, CARD, strength="probable", at=_GIVEN)
    return Common(refusal="", before=(*link, *agreed(purpose)), after=(withdrawn(purpose, identity=CARD),))


def _another_identity_s_hold(purpose: str) -> Common:
    half = linked(PERSON, CARD, at=_GIVEN)[:1]
    return Common(refusal="", before=(*half, *agreed(purpose)), held={CARD: frozenset({purpose})})


REFUSALS: Final[dict[str, Callable[[str], Common]]] = {
    "never asked": _never_asked,
    "refused": _refused,
    "withdrawn": _withdrawn,
    "withdrawn, and an older yes came late": _late_yes,
    "expired": _expired,
    "held": _held,
    "a needed purpose withdrawn": _need_taken_back,
    "a needed purpose held": _need_held,
    "restricted": _restricted,
    "a minor": _minor,
    "another identity's no": _another_identity_s_no,
    "a probable identity's no": _probably_another_s_no,
    "a half linked identity's hold": _another_identity_s_hold,
}
"""Name of a refusal -> what makes it so."""
