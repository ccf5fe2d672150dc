"""A person as of a past day: the same fold, the same links and the same door, over the evidence known by then.

Two times are asked with. `at`: what had taken effect by then. `known_at`: what we had heard of by then. With both the
same day it is what was permitted as we knew it; with `known_at` today it is what was permitted in hindsight.
"""

from collections.abc import Callable, Collection, Mapping, Sequence

from consent.evidence import Evidence
from consent.rules import Rules
from events.acts import Refolded
from events.fact import Fact
from profiles.facet import Facet
from profiles.fold import fold
from profiles.links import MEMBERS_MAX, READ_MAX, Component, component_of, still_to_read
from profiles.person import PersonTooLarge
from profiles.view import Loaded, PersonView, view_of

EvidenceOf = Callable[[Collection[str]], Mapping[str, Sequence[Evidence]]]
"""Gives the evidence about each identity, in the order of the log."""


def person_at(identity: str, evidence_of: EvidenceOf, *, at: int, known_at: int, rules: Rules) -> PersonView:
    """The person an identity (a pseudonym) belonged to at a moment, by what was known at another (ms).

    Only its `permits` and links tell of that day: profiles are not rebuilt. PersonTooLarge as for a read today.
    """
    person, loaded = _linked(identity, evidence_of, at=at, known_at=known_at)
    return view_of(identity, person, loaded, read_at=known_at, rules=rules)


def members_at(identity: str, evidence_of: EvidenceOf, *, at: int) -> tuple[str, ...]:
    """The identities that were one person with this one at a moment (ms), itself included; else as `person_at`."""
    return _linked(identity, evidence_of, at=at, known_at=at)[0].members


def _linked(
    identity: str, evidence_of: EvidenceOf, *, at: int, known_at: int
) -> tuple[Component, Mapping[str, Loaded]]:
    loaded: dict[str, Loaded] = {}
    while missing := still_to_read(identity, {name: each.facet.edges for name, each in loaded.items()}):
        if len(loaded) + len(missing) > READ_MAX:
            raise PersonTooLarge(f"more than {READ_MAX} identities hung together")
        found = evidence_of(sorted(missing))
        for name in missing:
            loaded[name] = Loaded(_folded([piece.fact for piece in found.get(name, ())], at=at, known_at=known_at))
    person = component_of(identity, {name: each.facet.edges for name, each in loaded.items()})
    if len(person.members) > MEMBERS_MAX:
        raise PersonTooLarge(f"more than {MEMBERS_MAX} identities were linked to one person")
    return person, loaded


def is_known(fact: Fact, *, at: int, known_at: int) -> bool:
    """Tell whether the fact had taken effect at `at` and was known at `known_at` (ms)."""
    return fact.effective_at <= at and fact.received_at <= known_at


def _folded(facts: Sequence[Fact], *, at: int, known_at: int) -> Facet:
    # What a facet became when it was folded anew is not evidence; that it was, and without what, is. A fact that was
    # found to be wrong has been wrong all along, so it counts on no day for those who know.
    wrong = {
        bytes.fromhex(key)
        for fact in facts
        if isinstance(fact.body, Refolded) and fact.received_at <= known_at
        for key in fact.body.without
    }
    facet = Facet()
    for fact in facts:
        is_right = fact.event_key not in wrong and not isinstance(fact.body, Refolded)
        if is_right and is_known(fact, at=at, known_at=known_at):
            facet = fold(facet, fact).facet
    return facet
