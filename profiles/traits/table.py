"""All traits there are, computed through the door, and the page that documents them."""

from collections.abc import Mapping
from typing import Final

from consent.door import Allowed, Refused
from consent.purposes import SENSITIVE
from profiles.traits.purchases import PURCHASE_TRAITS
from profiles.traits.scores import SCORE_TRAITS
from profiles.traits.service import SERVICE_TRAITS
from profiles.traits.trait import Trait, TraitValue
from profiles.traits.value import VALUE_TRAITS
from profiles.view import PersonView

TRAITS: Final[Mapping[str, Trait]] = {
    trait.name: trait for trait in (*PURCHASE_TRAITS, *VALUE_TRAITS, *SERVICE_TRAITS, *SCORE_TRAITS)
}


def traits_of(view: PersonView, *, at: int, known_at: int) -> dict[str, TraitValue | Refused]:
    """Every trait of the person as of `at` (ms), or the door's reason where its purpose is refused."""
    purposes = {SENSITIVE, *(trait.purpose for trait in TRAITS.values())}
    answers = {purpose: view.permits(purpose, at=at, known_at=known_at) for purpose in purposes}
    return {trait.name: _trait_of(view, trait, answers, at=at) for trait in TRAITS.values()}


def _trait_of(
    view: PersonView, trait: Trait, answers: Mapping[str, Allowed | Refused], *, at: int
) -> TraitValue | Refused:
    answer = answers[trait.purpose]
    if isinstance(answer, Refused):
        return answer
    return trait.value(view.service, now=at, sensitive=bool(answers[SENSITIVE]))


def traits_page() -> str:
    """The reference page of all traits, as kept in `docs/reference/traits.md`."""
    return _HEAD + "".join(map(_row, TRAITS.values()))


def _row(trait: Trait) -> str:
    cells = (
        f"`{trait.name}`",
        trait.formula,
        f"{trait.window_days} days",
        ", ".join(trait.sources),
        f"`{trait.purpose}`",
    )
    return f"| {' | '.join(cells)} |\n"


_HEAD: Final = """# Traits

Computed from the person view when asked, never stored. Each comes with its sample size, its window and the keys of the
newest events it rests on; with an empty sample there is no value. A trait is computed only while the door allows its
purpose, and looks only at what had happened by then. This page is written from `profiles.traits.table.TRAITS` by
`python -m profiles.traits`; a test keeps it in step.

| trait | formula | window | from (service section) | purpose |
|---|---|---|---|---|
"""
