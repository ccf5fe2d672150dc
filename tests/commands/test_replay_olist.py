"""What the Olist rows become as events."""

import csv
import gzip
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from commands.olist import FILES, OlistUnreadable, read_olist
from commands.olist_events import OlistEvent, centavos, olist_events
from events.shape import parse_time

ORDER = {
    "order_id": "o1",
    "customer_id": "c1",
    "order_status": "delivered",
    "order_purchase_timestamp": "2017-10-02 10:56:33",
    "order_approved_at": "2017-10-02 11:07:15",
    "order_delivered_carrier_date": "2017-10-04 19:55:00",
    "order_delivered_customer_date": "2017-10-10 21:25:13",
    "order_estimated_delivery_date": "2017-10-18 00:00:00",
}
CUSTOMER = {
    "customer_id": "c1",
    "customer_unique_id": "anna",
    "customer_city": "são paulo",
    "customer_state": "SP",
}
ITEM = {"order_id": "o1", "order_item_id": "1", "product_id": "p1", "price": "29.9", "freight_value": "8.72"}
PAYMENT = {
    "order_id": "o1",
    "payment_sequential": "1",
    "payment_type": "credit_card",
    "payment_installments": "3",
    "payment_value": "38.62",
}
REVIEW = {
    "review_id": "r1",
    "order_id": "o1",
    "review_score": "4",
    "review_comment_title": "",
    "review_comment_message": "muito bom",
    "review_creation_date": "2017-10-11 00:00:00",
    "review_answer_timestamp": "2017-10-12 03:43:48",
}
PRODUCT = {"product_id": "p1", "product_category_name": "bebes"}
TRANSLATION = {"product_category_name": "bebes", "product_category_name_english": "baby"}

Tables = dict[str, Sequence[Mapping[str, str]]]


def tables(**given: Sequence[Mapping[str, str]]) -> Tables:
    whole: Tables = {
        "customers": [CUSTOMER],
        "orders": [ORDER],
        "order_items": [ITEM],
        "order_payments": [PAYMENT],
        "order_reviews": [REVIEW],
        "products": [PRODUCT],
        "category_translation": [TRANSLATION],
    }
    return whole | given


def written(folder: Path, whole: Tables) -> Path:
    for name, rows in whole.items():
        with gzip.open(folder / f"{name}.csv.gz", "wt", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, FILES[name])
            writer.writeheader()
            writer.writerows(rows)
    return folder


def events(folder: Path, *, grants: Sequence[str] = (), **given: Sequence[Mapping[str, str]]) -> list[OlistEvent]:
    return list(olist_events(read_olist(written(folder, tables(**given))), grants=grants))


def data_of(found: Sequence[OlistEvent], event_type: str) -> list[Any]:
    return [event.data for event in found if event.type == event_type]


def test_an_order_becomes_its_events_in_the_order_of_their_time(tmp_path: Path) -> None:
    found = events(tmp_path)
    assert [event.type for event in found] == [
        "identity.linked",
        "identity.described",
        "transaction.purchased",
        "transaction.paid",
        "service.delivery_step",
        "service.delivery_step",
        "feedback.survey_sent",
        "feedback.review_posted",
    ]
    assert [event.at for event in found] == sorted(event.at for event in found)


def test_money_is_exact_and_freight_is_part_of_the_total(tmp_path: Path) -> None:
    (purchased,) = data_of(events(tmp_path), "transaction.purchased")
    assert purchased["total"] == {"amount": 3862, "currency": "BRL"}
    assert purchased["lines"] == [{"item": "p1", "quantity": 1, "amount": 2990, "category": "baby"}]


@pytest.mark.parametrize(("text", "amount"), [("17.9", 1790), ("0.29", 29), ("1.15", 115), ("8", 800)])
def test_an_amount_is_read_without_rounding(text: str, amount: int) -> None:
    assert centavos(text) == amount


@pytest.mark.parametrize("text", ["", "1.005", "nan", "Infinity", "1,50"])
def test_an_amount_that_is_not_one_is_named(text: str) -> None:
    with pytest.raises(OlistUnreadable, match="amount"):
        centavos(text)


def test_times_are_read_three_hours_behind_greenwich_in_summer_too(tmp_path: Path) -> None:
    summer = {**ORDER, "order_purchase_timestamp": "2017-12-24 22:00:00"}
    (purchased,) = [e for e in events(tmp_path, orders=[summer]) if e.type == "transaction.purchased"]
    assert purchased.at == parse_time("2017-12-25T01:00:00Z")


def test_the_id_of_the_order_is_linked_for_sure_to_the_lasting_id(tmp_path: Path) -> None:
    linked, described, *rest = events(tmp_path)
    assert linked.subject == "olist_order:c1"
    assert linked.data == {"other": "olist:anna", "strength": "verified", "reason": "same-customer"}
    assert described.subject == "olist:anna"
    assert described.data == {"attributes": {"city": "são paulo", "state": "SP", "country": "BR"}}
    assert {event.subject for event in rest} == {"olist_order:c1"}


def test_a_review_id_that_stands_at_two_orders_is_two_reviews(tmp_path: Path) -> None:
    other = {**ORDER, "order_id": "o2", "customer_id": "c2"}
    found = events(
        tmp_path,
        orders=[ORDER, other],
        customers=[CUSTOMER, {**CUSTOMER, "customer_id": "c2"}],
        order_reviews=[REVIEW, {**REVIEW, "order_id": "o2"}],
    )
    assert len({event.id for event in found}) == len(found)
    assert len({survey["survey_id"] for survey in data_of(found, "feedback.survey_sent")}) == 2


def test_an_order_without_items_costs_nothing_and_is_still_an_order(tmp_path: Path) -> None:
    (purchased,) = data_of(events(tmp_path, order_items=[]), "transaction.purchased")
    assert purchased["total"]["amount"] == 0
    assert purchased["lines"] == []


def test_a_cancelled_order_is_cancelled_at_the_last_moment_known_of_it(tmp_path: Path) -> None:
    row = {**ORDER, "order_status": "canceled", "order_delivered_customer_date": ""}
    (cancelled,) = [e for e in events(tmp_path, orders=[row]) if e.type == "transaction.cancelled"]
    assert cancelled.at == parse_time("2017-10-04T19:55:00-03:00")
    assert cancelled.data == {"order_id": "o1", "reason": "canceled"}


def test_a_payment_nobody_approved_is_dated_to_the_purchase(tmp_path: Path) -> None:
    (paid,) = [e for e in events(tmp_path, orders=[{**ORDER, "order_approved_at": ""}]) if e.type == "transaction.paid"]
    assert paid.at == parse_time("2017-10-02T10:56:33-03:00")


def test_a_category_without_translation_keeps_its_name(tmp_path: Path) -> None:
    (purchased,) = data_of(events(tmp_path, category_translation=[]), "transaction.purchased")
    assert purchased["lines"][0]["category"] == "bebes"


def test_the_same_rows_give_the_same_events(tmp_path: Path) -> None:
    assert events(tmp_path, grants=["profile.build"]) == events(tmp_path, grants=["profile.build"])


def test_a_demo_consent_stands_before_the_first_fact_of_each_identity_and_is_marked(tmp_path: Path) -> None:
    early = {**REVIEW, "review_creation_date": "2017-10-01 00:00:00"}
    earlier = {**ORDER, "order_id": "o2", "customer_id": "c2", "order_purchase_timestamp": "2017-10-01 12:00:00"}
    found = events(
        tmp_path,
        grants=["profile.build", "model.train"],
        orders=[ORDER, earlier],
        customers=[CUSTOMER, {**CUSTOMER, "customer_id": "c2"}],
        order_reviews=[early],
    )
    assert [event.at for event in found] == sorted(event.at for event in found)
    for subject in ("olist:anna", "olist_order:c1", "olist_order:c2"):
        mine = [event for event in found if event.subject == subject]
        grants, facts = mine[:2], mine[2:]
        assert [grant.data for grant in grants] == [
            {"purpose": "model.train", "evidence": "demo"},
            {"purpose": "profile.build", "evidence": "demo"},
        ]
        assert max(grant.at for grant in grants) < min(fact.at for fact in facts)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(OlistUnreadable, match=r"customers\.csv\.gz"):
        read_olist(tmp_path)


def test_a_file_cut_off_in_the_middle_is_named(tmp_path: Path) -> None:
    written(tmp_path, tables())
    path = tmp_path / "orders.csv.gz"
    path.write_bytes(path.read_bytes()[:-12])
    with pytest.raises(OlistUnreadable, match=r"orders\.csv\.gz cannot be read"):
        read_olist(tmp_path)


def test_an_order_of_nobody_is_named(tmp_path: Path) -> None:
    with pytest.raises(OlistUnreadable, match="o1"):
        events(tmp_path, customers=[])


def test_a_value_that_cannot_be_read_is_named_with_its_order(tmp_path: Path) -> None:
    with pytest.raises(OlistUnreadable, match="order o1: a time"):
        events(tmp_path, orders=[{**ORDER, "order_approved_at": "yesterday"}])
