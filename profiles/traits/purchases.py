"""Traits of what was bought: orders, revenue, refunds, deliveries."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Final

from consent.purposes import PROFILE, SERVICE
from profiles.facet import Cell, Order, Placed, Sum
from profiles.traits.trait import DAY_MS, KEPT_DAYS, NOTHING, Finding, Moment, Trait, share


def placed_in(moment: Moment) -> list[tuple[Cell[Placed], Order]]:
    """Orders placed within the window and not cancelled by now, the oldest first."""
    found = [(order.placed, order) for order in moment.service.orders.values()]
    kept = [
        (placed, order)
        for placed, order in found
        if placed is not None and moment.covers(placed) and not _is_cancelled(placed, order, moment)
    ]
    return sorted(kept, key=lambda pair: (pair[0].at, pair[0].key))


def net_by_currency(moment: Moment) -> dict[str, int]:
    """Minor units per currency: orders of the window less what was refunded on them by now."""
    sums: dict[str, int] = defaultdict(int)
    for placed, order in placed_in(moment):
        sums[placed.value.currency] += placed.value.amount
        for refund in _refunds(order, moment):
            sums[refund.value.currency] -= refund.value.amount
    return dict(sums)


def main_currency(placed: Iterable[Cell[Placed]]) -> str:
    """The currency most orders are in; of several the first by name."""
    counts = Counter(cell.value.currency for cell in placed)
    return min(counts, key=lambda currency: (-counts[currency], currency))


def _is_cancelled(placed: Cell[Placed], order: Order, moment: Moment) -> bool:
    cancelled = order.cancelled
    return cancelled is not None and moment.knows(cancelled) and cancelled.at >= placed.at


def _refunds(order: Order, moment: Moment) -> list[Cell[Sum]]:
    return [refund for refund in order.refunds if moment.knows(refund)]


def _orders(moment: Moment) -> Finding:
    placed = _cells(moment)
    return Finding(len(placed), len(placed), placed)


def _revenue(moment: Moment) -> Finding:
    placed = _cells(moment)
    return Finding(_by_currency(placed), len(placed), placed) if placed else NOTHING


def _average_order(moment: Moment) -> Finding:
    placed = _cells(moment)
    if not placed:
        return NOTHING
    counts = Counter(cell.value.currency for cell in placed)
    # Half a minor unit is rounded up, in integers.
    averages = {name: (2 * total + counts[name]) // (2 * counts[name]) for name, total in _by_currency(placed).items()}
    return Finding(averages, len(placed), placed)


def _refunded(moment: Moment) -> Finding:
    refunds = [refund for order in moment.service.orders.values() for refund in order.refunds if moment.covers(refund)]
    sums: dict[str, int] = defaultdict(int)
    for refund in refunds:
        sums[refund.value.currency] += refund.value.amount
    return Finding(dict(sums), len(refunds), refunds) if refunds else NOTHING


def _late_deliveries(moment: Moment) -> Finding:
    arrived = [
        (order.delivered, order.promised)
        for order in moment.service.orders.values()
        if order.promised is not None and moment.covers(order.delivered)
    ]
    pairs = [(delivered, promised) for delivered, promised in arrived if delivered is not None]
    if not pairs:
        return NOTHING
    late = [delivered for delivered, promised in pairs if delivered.at > promised.value]
    return Finding({"late": len(late), "share": share(len(late), len(pairs))}, len(pairs), late)


def _repeat_purchase(moment: Moment) -> Finding:
    placed = _cells(moment)
    if not placed:
        return NOTHING
    gaps = len(placed) - 1
    mean_gap_days = round((placed[-1].at - placed[0].at) / gaps / DAY_MS, 1) if gaps else None
    return Finding({"returned": gaps > 0, "mean_gap_days": mean_gap_days}, len(placed), placed)


def _cells(moment: Moment) -> Sequence[Cell[Placed]]:
    return [placed for placed, _ in placed_in(moment)]


def _by_currency(placed: Iterable[Cell[Placed]]) -> dict[str, int]:
    sums: dict[str, int] = defaultdict(int)
    for cell in placed:
        sums[cell.value.currency] += cell.value.amount
    return dict(sums)


PURCHASE_TRAITS: Final = (
    Trait(
        name="orders",
        purpose=SERVICE,
        window_days=KEPT_DAYS,
        formula="number of orders placed and not cancelled",
        sources=("orders.placed", "orders.cancelled"),
        compute=_orders,
    ),
    Trait(
        name="revenue",
        purpose=SERVICE,
        window_days=KEPT_DAYS,
        formula="sum of their totals per currency, in minor units; refunds are not taken off",
        sources=("orders.placed", "orders.cancelled"),
        compute=_revenue,
    ),
    Trait(
        name="average_order",
        purpose=SERVICE,
        window_days=KEPT_DAYS,
        formula="revenue / orders per currency, in minor units, half a unit rounded up",
        sources=("orders.placed", "orders.cancelled"),
        compute=_average_order,
    ),
    Trait(
        name="refunds",
        purpose=SERVICE,
        window_days=365,
        formula="sum of refunds per currency, in minor units; the newest 16 of each order are kept",
        sources=("orders.refunds",),
        compute=_refunded,
    ),
    Trait(
        name="late_deliveries",
        purpose=SERVICE,
        window_days=365,
        formula="orders delivered later than promised, and their share of the delivered orders that had a promise",
        sources=("orders.delivered", "orders.promised"),
        compute=_late_deliveries,
    ),
    Trait(
        name="repeat_purchase",
        purpose=PROFILE,
        window_days=KEPT_DAYS,
        formula="whether there is a second order; days between first and last order / (orders - 1), to one place",
        sources=("orders.placed", "orders.cancelled"),
        compute=_repeat_purchase,
    ),
)
