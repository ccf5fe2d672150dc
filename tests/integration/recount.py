"""What the Olist files say per person, counted with nothing of the product's: the other side of the comparison."""

import csv
import gzip
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple


class Figures(NamedTuple):
    """One person's sums; revenue in centavos, items and freight."""

    orders: int = 0
    revenue: int = 0
    deliveries: int = 0
    late: int = 0
    reviews: int = 0
    score_sum: int = 0


def recount(folder: Path) -> dict[str, Figures]:
    """Figures by customer_unique_id."""
    person_of_customer = {row["customer_id"]: row["customer_unique_id"] for row in _rows(folder, "customers")}
    person_of_order: dict[str, str] = {}
    sums: defaultdict[str, list[int]] = defaultdict(lambda: [0] * len(Figures._fields))
    for row in _rows(folder, "orders"):
        person = person_of_order[row["order_id"]] = person_of_customer[row["customer_id"]]
        delivered, promised = row["order_delivered_customer_date"], row["order_estimated_delivery_date"]
        sums[person][0] += 1
        sums[person][2] += delivered != ""
        sums[person][3] += delivered > promised
    for row in _rows(folder, "order_items"):
        sums[person_of_order[row["order_id"]]][1] += _hundredths(row["price"]) + _hundredths(row["freight_value"])
    for row in _rows(folder, "order_reviews"):
        sums[person_of_order[row["order_id"]]][4] += 1
        sums[person_of_order[row["order_id"]]][5] += int(row["review_score"])
    return {person: Figures(*figures) for person, figures in sums.items()}


def _hundredths(text: str) -> int:
    whole, _, fraction = text.partition(".")
    assert len(fraction) <= 2
    return int(whole) * 100 + int(fraction.ljust(2, "0"))


def _rows(folder: Path, name: str) -> Iterator[dict[str, str]]:
    with gzip.open(folder / f"{name}.csv.gz", "rt", encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)
