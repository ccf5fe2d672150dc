"""The description of the API is true: its examples work, and what is kept of it is what the code says."""

from typing import Any

import pytest

from api.auth import ROUTES
from api.documents import openapi_of
from commands.docs import main
from consent.rules import shipped_rules
from profiles.person import PersonReader
from tests.api.world import World
from tests.outreach.world import OutreachWorld, agreed, bought


@pytest.fixture
def document(world: World) -> dict[str, Any]:
    return openapi_of(world.app)


def test_every_route_is_described_but_the_description(document: dict[str, Any]) -> None:
    described = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}

    assert described == ROUTES.keys() - {("GET", "/openapi.json")}


def test_every_body_has_an_example(document: dict[str, Any]) -> None:
    for path, methods in document["paths"].items():
        for operation in methods.values():
            if "requestBody" in operation:
                [(_, described)] = operation["requestBody"]["content"].items()
                assert described["examples"], path


async def claimed_message(world: World) -> str:
    decided = OutreachWorld()
    [message] = await decided.told(*agreed("outreach.email"), *(bought(number) for number in range(3)))
    world.with_services(
        persons=PersonReader(decided.people, rules=shipped_rules()), outreach=decided.records, claims=decided.claims
    )
    answer = await world.ask("POST", f"/v1/outreach/{message['id']}/claim", key="marketing")
    assert answer.json()["go"] is True
    return str(message["id"])


async def test_every_example_works(world: World, document: dict[str, Any]) -> None:
    outreach = await claimed_message(world)
    decision = (await world.suggestions(k=50)).json()["decision"]
    ref = await world.ref()
    link = await world.ask("POST", f"/v1/customers/{ref}/preferences")
    token = link.json()["url"].rpartition("/")[2]
    tried = 0
    for path, methods in document["paths"].items():
        for operation in methods.values():
            for kind, described in operation.get("requestBody", {"content": {}})["content"].items():
                for name, example in described["examples"].items():
                    filled = path.format(ref=ref, decision=decision, outreach=outreach, token=token)
                    said = {"json" if kind == "application/json" else "data": example["value"]}
                    key = operation["x-roles"][0] if "x-roles" in operation else None
                    declared = {"Rapport-Purpose": "request"} if key == "privacy" else {}
                    answer = await world.ask("POST", filled, key=key, headers=declared, **said)
                    assert answer.status_code in {200, 202, 303}, (path, name, answer.text)
                    tried += 1
    assert tried >= 10


async def test_an_answer_has_the_members_it_is_described_with(world: World, document: dict[str, Any]) -> None:
    described = document["paths"]["/v1/customers/{ref}/suggestions"]["get"]["responses"]["200"]
    schema = described["content"]["application/json"]["schema"]
    answer = (await world.suggestions(k=50, channel="app")).json()

    assert answer.keys() == schema["properties"].keys()
    for member in ("suggestions", "withheld"):
        assert answer[member][0].keys() == schema["properties"][member]["items"]["properties"].keys()


async def test_the_description_is_served_without_a_key(world: World) -> None:
    answer = await world.ask("GET", "/openapi.json", key=None)

    assert answer.json()["info"]["title"] == "Rapport"


def test_what_is_kept_of_it_is_in_step() -> None:
    assert main(["--check"]) == 0, "run: make docs"
