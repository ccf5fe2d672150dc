"""Figures on a card, as an agent reads them."""

import pytest

from commands.figures import money, span, trait_value

HOUR = 3600_000


@pytest.mark.parametrize(
    ("amount", "currency", "said"),
    [
        (6216, "EUR", "62.16 EUR"),
        (5, "EUR", "0.05 EUR"),
        (1_234_567, "CNY", "12,345.67 CNY"),
        (1899, "JPY", "1,899 JPY"),
        (1_500, "KWD", "1.500 KWD"),
        (0, "USD", "0.00 USD"),
    ],
)
def test_money_has_the_decimals_of_its_currency(amount: int, currency: str, said: str) -> None:
    assert money(amount, currency) == said


@pytest.mark.parametrize(
    ("ms", "said"),
    [
        (0, "0 ms"),
        (1999, "1999 ms"),
        (95_000, "95 s"),
        (391_666.67, "6.5 min"),
        (36 * HOUR, "36 h"),
        (72 * HOUR, "3 days"),
    ],
)
def test_a_time_is_told_in_a_unit_it_has_two_of(ms: float, said: str) -> None:
    assert span(ms) == said


def test_a_trait_is_told_in_words() -> None:
    assert trait_value("revenue", {"EUR": 6216, "JPY": 500}) == "62.16 EUR, 500 JPY"
    assert trait_value("wait", {"mean_ms": 391_666.67, "longest_ms": 660_000}) == "mean 6.5 min, longest 11 min"
    assert trait_value("repeat_purchase", {"returned": True, "mean_gap_days": 17.0}) == "returned yes, mean gap 17 days"
    assert trait_value("late_deliveries", {"late": 0, "share": 0.0}) == "late 0, share 0"
    assert trait_value("value_tier", "gold") == "gold"
    assert trait_value("nps", None) == "–"


def test_the_last_touchpoints_stand_below_each_other() -> None:
    touches = [
        {"type": "feedback.complaint_filed", "channel": "phone", "at": 1_795_368_289_568},
        {"type": "service.delivery_step", "channel": None, "at": 1_795_145_089_568},
    ]

    assert trait_value("last_touchpoints", touches).splitlines() == [
        "2026-11-22T17:24  feedback.complaint_filed by phone",
        "2026-11-20T03:24  service.delivery_step",
    ]
