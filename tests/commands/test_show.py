"""A person and what to offer them, as a terminal shows it."""

from typing import Any

from rich.console import Console

from commands.show import suggestion_panel


def shown(*factors: dict[str, float | None]) -> str:
    found: list[dict[str, Any]] = [
        {
            "service": f"s{place}",
            "name": {"en": "Automatic repayment"},
            "confidence": "high",
            "say": None,
            "reasons": [],
            "factors": each,
        }
        for place, each in enumerate(factors)
    ]
    answer = {"suggestions": found, "consent": [], "mode": "personal", "ranker": "blend", "valid_until": 0}
    console = Console(width=100)
    with console.capture() as seen:
        console.print(suggestion_panel(answer, title="What next?"))
    return seen.get()


def test_a_suggestion_shows_the_factors_of_its_score() -> None:
    said = shown({"propensity": 0.054545, "context": 600.0, "value": None, "lever": None})

    assert "s0, high, P 0.0545 × C 600" in said
    assert "V " not in said


def test_a_great_factor_is_written_out() -> None:
    assert "P 0.000991 × C 2,280" in shown({"propensity": 0.000991, "context": 2279.6, "value": None, "lever": None})


def test_value_and_lever_are_shown_where_they_weigh() -> None:
    said = shown({"propensity": 0.5, "context": 1.0, "value": 2.25, "lever": 1.1})

    assert "P 0.5 × C 1 × V 2.25 × L 1.1" in said
