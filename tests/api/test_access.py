"""Every route is walked with every role; what the table does not say is refused."""

import pytest

from api.auth import ROUTES, Role, authenticate, make_key
from api.gate import Gate
from api.metrics import Metrics
from api.refusal import Refusal
from tests.api.world import Keys, World, problem
from tests.builders import NOW

NOBODYS = dict.fromkeys(("ref", "decision", "outreach", "token", "request"), "none")


@pytest.mark.parametrize(("method", "path"), list(ROUTES))
async def test_a_route_lets_in_the_roles_of_the_table_and_no_other(world: World, method: str, path: str) -> None:
    allowed = ROUTES[method, path].roles

    for role in [*Role, None]:
        answer = await world.ask(method, path.format(**NOBODYS), key=role and role.value)

        if allowed is None or role in allowed:
            assert answer.status_code not in {401, 403}, role
        else:
            assert answer.status_code == (401 if role is None else 403), role


async def test_every_route_of_the_table_is_served(world: World) -> None:
    for method, path in ROUTES:
        answer = await world.ask(method, path.format(**NOBODYS), key="admin")
        assert not (answer.status_code == 404 and "no-such-route" in answer.text), (method, path)


def test_a_route_that_is_not_in_the_table_cannot_be_built() -> None:
    gate = Gate(keys=Keys(), metrics=Metrics(), timeout_s=1)

    async def answer(_request: object) -> object:
        return None

    with pytest.raises(KeyError):
        gate.guard(answer, method="GET", path="/v1/everything")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "Bearer",
        "Bearer x",
        "Basic {key}",
        "Bearer {key}x",
        "Bearer rapport_00000000_{key}",
        "{key}",
        "Bearer é_é_é",
    ],
)
def test_nothing_but_the_very_key_opens(wrong: str) -> None:
    keys = Keys()
    key = keys.add(Role.AGENT)

    assert authenticate(f"Bearer {key}", keys).role is Role.AGENT
    with pytest.raises(Refusal) as refused:
        authenticate(wrong.format(key=key), keys)
    assert refused.value.kind == "unauthenticated"


def test_a_key_is_kept_as_a_hash_only() -> None:
    new = make_key(name="desk 7", role=Role.AGENT, now=NOW)

    assert new.shown not in new.kept.model_dump_json()
    assert new.shown.split("_", 2)[2] not in new.kept.model_dump_json()


async def test_a_revoked_key_opens_nothing(world: World) -> None:
    world.keys.kept.clear()

    answer = await world.ask("GET", "/v1/customers/nobody")

    assert problem(answer) == "unauthenticated"
    assert answer.headers["www-authenticate"] == "Bearer"


async def test_an_unknown_path_or_method_is_a_problem(world: World) -> None:
    assert problem(await world.ask("GET", "/v1/nothing")) == "no-such-route"
    assert problem(await world.ask("DELETE", "/v1/events")) == "method-not-allowed"


async def test_a_parameter_that_is_misspelt_or_doubled_is_refused(world: World) -> None:
    ref = await world.ref()

    assert problem(await world.ask("GET", f"/v1/customers/{ref}?aftr=x")) == "invalid"
    assert problem(await world.ask("GET", f"/v1/customers/{ref}/suggestions?k=1&k=2")) == "invalid"
