"""Orders of a few people: sent, folded, archived."""

from typing import Any

from commands.opened_history import history_of
from tests.builders import event, money
from tests.installation import Installation

PEOPLE = 20


def orders(count: int, *, first: int = 0, people: int = PEOPLE) -> list[dict[str, Any]]:
    """Orders by number; the same number is the same event."""
    return [
        event(
            "transaction.purchased",
            subject=f"app:{number % people}",
            event_id=f"order-{number}",
            source="crm",
            order_id=f"order-{number}",
            total=money(100),
        )
        for number in range(first, first + count)
    ]


def folded(installation: Installation) -> int:
    """How many orders are in the profiles."""
    return sum(len(facet.service.orders) for facet in installation.facets([f"app:{at}" for at in range(PEOPLE)]))


def archived(installation: Installation) -> int:
    """How many facts history holds, those of every log."""
    return len(list(history_of(installation.settings).facts()))
