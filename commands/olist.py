"""Reads the Olist files: gzipped CSV, joined per order. What the rows mean as events is in `olist_events`."""

import csv
import gzip
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

Row = dict[str, str]

FILES: Final[Mapping[str, tuple[str, ...]]] = {
    "customers": ("customer_id", "customer_unique_id", "customer_city", "customer_state"),
    "orders": (
        "order_id",
        "customer_id",
        "order_status",
        "order_purchase_timestamp",
        "order_approved_at",
        "order_delivered_carrier_date",
        "order_delivered_customer_date",
        "order_estimated_delivery_date",
    ),
    "order_items": ("order_id", "order_item_id", "product_id", "price", "freight_value"),
    "order_payments": ("order_id", "payment_sequential", "payment_type", "payment_installments", "payment_value"),
    "order_reviews": (
        "review_id",
        "order_id",
        "review_score",
        "review_comment_title",
        "review_comment_message",
        "review_creation_date",
        "review_answer_timestamp",
    ),
    "products": ("product_id", "product_category_name"),
    "category_translation": ("product_category_name", "product_category_name_english"),
}
"""File -> the columns that are read."""


class OlistUnreadable(Exception):
    """A file is missing, broken, or holds something its column does not allow; the text names the file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OlistOrder:
    """One order with everything the files say about it; `customer` is issued per order, the person is named in it."""

    order: Row
    customer: Row
    items: Sequence[Row]
    payments: Sequence[Row]
    reviews: Sequence[Row]


@dataclass(frozen=True, slots=True, kw_only=True)
class Olist:
    """The data set: orders, and the category of each product (English where there is a translation)."""

    orders: Sequence[OlistOrder]
    categories: Mapping[str, str]


def read_olist(folder: Path) -> Olist:
    """The data set in a folder of `<file>.csv.gz`. OlistUnreadable."""
    customers = {row["customer_id"]: row for row in _rows(folder, "customers")}
    items, payments, reviews = (_by_order(folder, name) for name in ("order_items", "order_payments", "order_reviews"))
    orders = []
    for row in _rows(folder, "orders"):
        customer = customers.get(row["customer_id"])
        if customer is None:
            raise OlistUnreadable(f"orders: the customer of order {row['order_id']} is not in customers")
        order_id = row["order_id"]
        orders.append(
            OlistOrder(
                order=row,
                customer=customer,
                items=items.get(order_id, ()),
                payments=payments.get(order_id, ()),
                reviews=reviews.get(order_id, ()),
            )
        )
    return Olist(orders=orders, categories=_categories(folder))


def _categories(folder: Path) -> dict[str, str]:
    english = {
        row["product_category_name"]: row["product_category_name_english"]
        for row in _rows(folder, "category_translation")
    }
    return {
        row["product_id"]: english.get(row["product_category_name"], row["product_category_name"])
        for row in _rows(folder, "products")
        if row["product_category_name"]
    }


def _by_order(folder: Path, name: str) -> dict[str, list[Row]]:
    rows: dict[str, list[Row]] = {}
    for row in _rows(folder, name):
        rows.setdefault(row["order_id"], []).append(row)
    return rows


def _rows(folder: Path, name: str) -> Iterator[Row]:
    path = folder / f"{name}.csv.gz"
    try:
        with gzip.open(path, "rt", encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            if missing := set(FILES[name]) - set(reader.fieldnames or ()):
                raise OlistUnreadable(f"{path.name}: no column {', '.join(sorted(missing))}")
            for row in reader:
                if None in row or None in row.values():
                    raise OlistUnreadable(f"{path.name}: line {reader.line_num} has another number of fields")
                yield row
    except FileNotFoundError as error:
        raise OlistUnreadable(f"{path.name} is not in {folder}") from error
    except (OSError, EOFError, zlib.error, UnicodeDecodeError, csv.Error) as error:
        raise OlistUnreadable(f"{path.name} cannot be read: {error}") from error
