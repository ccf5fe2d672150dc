"""Traits of what a customer is worth and likes: RFM, value tier, lifecycle stage, category affinities."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Final

from consent.purposes import PROFILE, SENSITIVE, category_purpose
from profiles.facet import Cell, Placed
from profiles.traits.purchases import main_currency, net_by_currency, placed_in
from profiles.traits.trait import DAY_MS, KEPT_DAYS, NOTHING, Finding, Moment, Trait

RECENCY_DAYS: Final = (365, 180, 90, 30)
"""At most so many days since the last order for a score of 2, 3, 4, 5."""
FREQUENCY: Final = (2, 3, 6, 12)
"""At least so many orders for a score of 2, 3, 4, 5."""
MONEY: Final = (50_00, 200_00, 500_00, 1000_00)
"""At least so much, in minor units, for a score of 2, 3, 4, 5."""
MONEY_IN: Final[Mapping[str, tuple[int, int, int, int]]] = {
    "BRL": (300_00, 1200_00, 3000_00, 6000_00),
    "CNY": (400_00, 1600_00, 4000_00, 8000_00),
    "JPY": (8_000, 32_000, 80_000, 160_000),
}
"""The same where the currency is worth much less; JPY has no minor unit."""
TIERS: Final = ("basic", "bronze", "silver", "gold", "platinum")
"""By money score 1 to 5."""

NEW_DAYS: Final = 90
AT_RISK_DAYS: Final = 180
LAPSED_DAYS: Final = 365
LOYAL_ORDERS: Final = 4

HALF_LIFE_DAYS: Final = 90
AFFINITIES_MAX: Final = 10


def money_score(amount: int, currency: str) -> int:
    """1 to 5 for a sum in minor units."""
    return 1 + sum(amount >= cut for cut in MONEY_IN.get(currency, MONEY))


def _rfm(moment: Moment) -> Finding:
    placed = _placed(moment)
    if not placed:
        return NOTHING
    currency = main_currency(placed)
    days = (moment.now - placed[-1].at) // DAY_MS
    scores = {
        "recency": 1 + sum(days <= cut for cut in RECENCY_DAYS),
        "frequency": 1 + sum(len(placed) >= cut for cut in FREQUENCY),
        "money": money_score(net_by_currency(moment).get(currency, 0), currency),
    }
    return Finding({**scores, "score": "".join(map(str, scores.values()))}, len(placed), placed)


def _value_tier(moment: Moment) -> Finding:
    placed = _placed(moment)
    if not placed:
        return NOTHING
    currency = main_currency(placed)
    score = money_score(net_by_currency(moment).get(currency, 0), currency)
    return Finding(TIERS[score - 1], len(placed), placed)


def _lifecycle(moment: Moment) -> Finding:
    placed = _placed(moment)
    if not placed:
        return NOTHING
    return Finding(_stage([cell.at for cell in placed], moment.now), len(placed), placed)


def _stage(orders_at: Sequence[int], now: int) -> str:
    idle = now - orders_at[-1]
    if idle > LAPSED_DAYS * DAY_MS:
        return "lapsed"
    if idle > AT_RISK_DAYS * DAY_MS:
        return "at_risk"
    comebacks = [later for earlier, later in pairwise(orders_at) if later - earlier > LAPSED_DAYS * DAY_MS]
    if comebacks and now - comebacks[-1] <= AT_RISK_DAYS * DAY_MS:
        return "won_back"
    if now - orders_at[0] <= NEW_DAYS * DAY_MS:
        return "new"
    recent = [at for at in orders_at if now - at < LAPSED_DAYS * DAY_MS]
    return "loyal" if len(recent) >= LOYAL_ORDERS else "active"


def _affinities(moment: Moment) -> Finding:
    weights: dict[str, list[float]] = defaultdict(list)
    cells: list[Cell[Placed]] = []
    for placed in _placed(moment):
        categories = _categories(placed.value, sensitive=moment.sensitive)
        weight = 0.5 ** ((moment.now - placed.at) / (HALF_LIFE_DAYS * DAY_MS))
        for category in categories:
            weights[category].append(weight)
        cells += [placed] if categories else []
    if not cells:
        return NOTHING
    sums = {category: sum(parts) for category, parts in weights.items()}
    total = sum(sums.values())
    shares = {category: round(weight / total, 4) for category, weight in sums.items()}
    ranked = sorted(shares.items(), key=lambda pair: (-pair[1], pair[0]))
    return Finding(dict(ranked[:AFFINITIES_MAX]), len(cells), cells)


def _categories(placed: Placed, *, sensitive: bool) -> list[str]:
    # Sorted, as the orders are: sums of floats depend on their order in the last bits.
    named = sorted({line.category for line in placed.lines if line.category is not None})
    return [category for category in named if sensitive or category_purpose(category) != SENSITIVE]


def _placed(moment: Moment) -> list[Cell[Placed]]:
    return [placed for placed, _ in placed_in(moment)]


def _cuts(cuts: Sequence[int]) -> str:
    return ", ".join(map(str, cuts))


VALUE_TRAITS: Final = (
    Trait(
        name="rfm",
        purpose=PROFILE,
        window_days=730,
        formula=(
            f"recency: 2, 3, 4, 5 for at most {_cuts(RECENCY_DAYS)} days since the last order; frequency: for at least "
            f"{_cuts(FREQUENCY)} orders; money: for at least {_cuts(MONEY)} minor units less refunds in the currency "
            f"most orders are in ({'; '.join(f'{name}: {_cuts(cuts)}' for name, cuts in MONEY_IN.items())}); else 1"
        ),
        sources=("orders.placed", "orders.cancelled", "orders.refunds"),
        compute=_rfm,
    ),
    Trait(
        name="value_tier",
        purpose=PROFILE,
        window_days=365,
        formula=f"{', '.join(TIERS)} for a money score of 1 to 5 (see rfm) over this window",
        sources=("orders.placed", "orders.cancelled", "orders.refunds"),
        compute=_value_tier,
    ),
    Trait(
        name="lifecycle_stage",
        purpose=PROFILE,
        window_days=KEPT_DAYS,
        formula=(
            f"the first that holds: lapsed: no order for more than {LAPSED_DAYS} days; at_risk: for more than "
            f"{AT_RISK_DAYS}; won_back: in the last {AT_RISK_DAYS} days an order after a gap of more than "
            f"{LAPSED_DAYS}; new: first order at most {NEW_DAYS} days ago; loyal: at least {LOYAL_ORDERS} orders in "
            f"{LAPSED_DAYS} days; active"
        ),
        sources=("orders.placed", "orders.cancelled"),
        compute=_lifecycle,
    ),
    Trait(
        name="category_affinities",
        purpose=PROFILE,
        window_days=730,
        formula=(
            f"per category the sum over orders that hold it of 0.5^(age / {HALF_LIFE_DAYS} days), as a share of all; "
            f"the first {AFFINITIES_MAX}; categories that tell of children or health only with {SENSITIVE}"
        ),
        sources=("orders.placed", "orders.cancelled"),
        compute=_affinities,
    ),
)
