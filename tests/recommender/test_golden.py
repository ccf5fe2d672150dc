"""Decisions kept as files: what these people are answered does not change unnoticed.

After a wanted change: `python -m tests.recommender.test_golden` writes them anew; read the
difference before committing.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from consent.purposes import PROFILE, SENSITIVE, SUGGEST
from recommender.artifact import untrained
from recommender.catalogue import load_catalogue
from recommender.suggest import suggest
from recommender.suggestion import SuggestionInput, render
from tests.builders import DAY, HOUR, NOW, complaint, fact, purchased
from tests.recommender.worlds import CODE, KEY, agreed, person

FOLDER = Path(__file__).with_name("golden")


def _baby() -> SuggestionInput:
    lines = [{"item": "baby-formula", "category": "baby", "amount": 1500}]
    bought = [purchased(f"f-{days}", at=NOW - days * DAY, lines=lines) for days in (1, 2, 3)]
    return person(*agreed(SUGGEST, PROFILE, SENSITIVE), *bought)


def _leaving() -> SuggestionInput:
    calls = [
        fact("service.contact_started", at=NOW - days * DAY, contact_id=f"c-{days}", topics=["repayment"])
        for days in (3, 9, 20)
    ]
    leaving = fact("service.contact_started", at=NOW - HOUR, contact_id="c-0", topics=["cancel-card"])
    return person(*agreed(SUGGEST, PROFILE), *calls, leaving)


CASES: Final[dict[str, Callable[[], SuggestionInput]]] = {
    "nobody-asked": lambda: person(purchased(at=NOW - DAY)),
    "open-complaint": lambda: person(*agreed(SUGGEST, PROFILE), complaint(at=NOW - HOUR)),
    "formula-three-times": _baby,
    "repayment-then-cancel": _leaving,
}


def decided(case: str) -> str:
    """The answer as a file holds it."""
    catalogue = load_catalogue()
    given = suggest(
        CASES[case](),
        artifact=untrained(catalogue, code=CODE),
        catalogue=catalogue,
        channel="desk",
        k=3,
        now=NOW,
        key=KEY,
    )
    return json.dumps(json.loads(render(given)), indent=1, sort_keys=True, ensure_ascii=False) + "\n"


@pytest.mark.parametrize("case", CASES)
def test_the_decision_is_the_one_on_file(case: str) -> None:
    assert decided(case) == (FOLDER / f"{case}.json").read_text(encoding="utf-8")


if __name__ == "__main__":
    for name in CASES:
        (FOLDER / f"{name}.json").write_text(decided(name), encoding="utf-8")
