import asyncio
from dataclasses import dataclass

from api.services import nobody_counts
from consent.holds import ConsentStoreUnavailable
from tests.api.world import World
from tests.builders import consent, purchased


async def fine() -> None:
    return None


async def behind() -> str:
    return "partition 3 is 20000 records behind"


async def broken() -> str:
    raise OSError("redis://user:password@host")


async def silent() -> None:
    await asyncio.Event().wait()


async def test_a_process_that_answers_is_alive_whatever_it_rests_on(world: World) -> None:
    answer = await world.with_services(probes={"store": broken}).ask("GET", "/health", key=None)

    assert (answer.status_code, answer.json()) == (200, {"status": "alive"})


async def test_it_is_ready_when_nothing_speaks_against_it_and_a_missing_model_is_but_a_note(world: World) -> None:
    answer = await world.with_services(probes={"store": fine}).ask("GET", "/ready", key=None)

    assert answer.status_code == 200
    assert answer.json() == {
        "ready": True,
        "reasons": {},
        "notes": ["no model is trained yet: suggestions go by the catalogue alone"],
    }


async def test_it_is_not_ready_while_something_cannot_be_relied_on_and_says_what(world: World) -> None:
    probes = {"store": broken, "log": silent, "profiles": behind}

    answer = await world.with_services(probes=probes).ask("GET", "/ready", key=None)

    assert answer.status_code == 503
    assert answer.json()["reasons"] == {
        "store": "no answer (OSError)",
        "log": "no answer in time",
        "profiles": "partition 3 is 20000 records behind",
    }


async def test_metrics_count_by_route_and_never_by_person(world: World) -> None:
    ref = await world.ref("email:anna@example.org")
    await world.ask("GET", f"/v1/customers/{ref}")
    await world.suggestions("email:anna@example.org")
    await world.ask("GET", "/v1/customers/nobody", key=None)

    text = (await world.ask("GET", "/metrics", key="admin")).text

    assert 'rapport_http_requests_total{method="GET",route="/v1/customers/{ref}",status="200"} 1.0' in text
    assert 'rapport_http_requests_total{method="GET",route="/v1/customers/{ref}",status="401"} 1.0' in text
    assert 'rapport_suggestions_total{mode="general"} 1.0' in text
    assert ref not in text
    assert "anna" not in text


async def test_the_withdrawals_that_wait_are_counted_and_unknown_while_the_store_does_not_answer(world: World) -> None:
    async def three() -> int:
        return 3

    async def away() -> int:
        raise ConsentStoreUnavailable("the store is away")

    for holding, told in ((three, "3.0"), (away, "NaN"), (nobody_counts, "NaN")):
        text = (await world.with_services(holding=holding).ask("GET", "/metrics", key="admin")).text
        assert f"\nrapport_holds_waiting {told}\n" in text


@dataclass(frozen=True)
class Measured:
    topic: str
    partition: int
    lag: int | None


async def test_the_lag_of_the_workers_is_told_and_forgotten_when_they_are_silent(world: World) -> None:
    said = {"profiles": [Measured("rapport.events", 0, 12), Measured("rapport.events", 1, None)]}

    async def lags() -> dict[str, list[Measured]]:
        return said

    world.with_services(lags=lags)
    first = (await world.ask("GET", "/metrics", key="admin")).text
    said = {}
    second = (await world.ask("GET", "/metrics", key="admin")).text

    assert 'rapport_lag_records{app="profiles",partition="0",topic="rapport.events"} 12.0' in first
    assert 'rapport_lag_records{app="profiles",partition="1",topic="rapport.events"} NaN' in first
    assert "rapport_lag_records{" not in second


async def test_counters_are_told_while_the_lag_cannot_be_asked(world: World) -> None:
    async def lags() -> dict[str, list[Measured]]:
        raise OSError("redis://user:password@host")

    answer = await world.with_services(lags=lags).ask("GET", "/metrics", key="admin")

    assert answer.status_code == 200
    assert "password" not in answer.text


async def test_without_consent_history_changes_no_count(world: World) -> None:
    async def counts() -> list[str]:
        before = await _counts(world)
        await world.suggestions()
        after = await _counts(world)
        return [line for line in after if line not in before and "suggestions" in line]

    first = await counts()
    await world.happened(consent("given", "profile.build"), [purchased(f"order-{at}") for at in range(5)])
    second = await counts()

    assert [line.rpartition(" ")[0] for line in first] == [line.rpartition(" ")[0] for line in second]


async def _counts(world: World) -> list[str]:
    text = (await world.ask("GET", "/metrics", key="admin")).text
    return [line for line in text.splitlines() if "_seconds" not in line and "_created" not in line]
