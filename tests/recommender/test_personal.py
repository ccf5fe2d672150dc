"""What the recommender may know of a person on personal grounds: nothing sensitive without that ground of its own."""

from consent.purposes import PROFILE, SENSITIVE
from profiles.facet import Attribute, AttributeSection, Cell, Order, ServiceSection
from recommender.catalogue import Catalogue
from recommender.personal import PersonalFacts, standing_takings
from tests.builders import NOW, fact, purchased
from tests.recommender.worlds import DEFAULT, grounds, view

BABY = {"item": "F-1", "category": "baby", "quantity": 1, "amount": 500}
BREAD = {"item": "B-1", "category": "food", "quantity": 1, "amount": 200}


def bought(*orders: list[dict[str, object]]) -> ServiceSection:
    """What somebody has who placed these orders, and one of whom only the arrival of a parcel is known."""
    placed = [
        purchased(order_id=f"o{number}", event_id=f"o{number}", lines=lines) for number, lines in enumerate(orders)
    ]
    arrived = fact("service.delivery_step", order_id="parcel", step="delivered")
    return view(*placed, arrived).service


def lines_of(facts: PersonalFacts) -> dict[str, list[str]]:
    return {
        order_id: [] if order.placed is None else [line.item for line in order.placed.value.lines]
        for order_id, order in facts.service.orders.items()
    }


def test_sensitive_lines_are_taken_out_of_every_order_and_nothing_else_is() -> None:
    service = bought([BREAD], [BABY], [BREAD, BABY])

    closed = PersonalFacts(service=service, grounds=grounds(PROFILE))
    opened = PersonalFacts(service=service, grounds=grounds(PROFILE, SENSITIVE))

    assert lines_of(closed) == {"o0": ["B-1"], "o1": [], "o2": ["B-1"], "parcel": []}
    assert lines_of(opened) == {"o0": ["B-1"], "o1": ["F-1"], "o2": ["B-1", "F-1"], "parcel": []}
    assert closed.service.orders["parcel"] == service.orders["parcel"] != Order()


def test_sensitive_attributes_are_not_there_without_their_ground() -> None:
    said = AttributeSection(attributes={"children": Attribute(stated=Cell(NOW, b"12345678", 2))})

    assert PersonalFacts(service=ServiceSection(), sensitive=said, grounds=grounds(PROFILE)).sensitive is None
    assert PersonalFacts(service=ServiceSection(), sensitive=said, grounds=grounds(SENSITIVE)).sensitive == said


def test_a_line_takes_a_service_once_however_often_the_catalogue_names_it() -> None:
    said = DEFAULT.model_dump(mode="json")
    named = ({"items": ["B-1", "B-1"]}, {"categories": ["food", "food"]}, {"items": ["B-1"], "categories": ["food"]})
    for service, counts in zip(said["services"], named, strict=False):
        service["counts"] = counts

    taken = standing_takings(bought([BREAD]), Catalogue.model_validate(said))

    assert [len(taken[service["id"]]) for service in said["services"][:3]] == [1, 1, 1]
