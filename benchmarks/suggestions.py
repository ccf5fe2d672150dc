"""`python -m benchmarks suggestions`: the suggestion route beside a bare one on the same server.

Both check the same keys and read the same store; the bare one does it in a single pipeline with its receipt and
answers bytes of the same length that were made beforehand.
"""

import argparse
import json
import random
import statistics
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import Any, Final

import httpx
import psutil
import uvloop
from rich.console import Console
from rich.table import Table

from api.auth import Role
from api.refs import Refs
from benchmarks.http_load import Ask, closed_loop, get, open_loop, percentile
from benchmarks.redis_people import value_of
from benchmarks.serving_world import artifact_of, catalogue_of, seed_people, write_catalogue
from commands.clock import now_ms
from commands.keys import demo_keys
from commands.sealing import body_keys_of
from commands.settings import Keyring, Settings, make_keyring, settings_of
from commands.up_services import environment
from consent.purposes import SERVICE
from embedded.ports import LOOPBACK, free_ports
from embedded.process import running
from embedded.service import Service
from events.body_keys import KeyMaker, KeyName, period_of
from events.keys import global_key
from events.pseudonyms import Pseudonyms
from recommender.model_store import ModelStore
from tests.servers import ROOT, embedded_broker, embedded_store

PARTITIONS: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How much to measure. Times in seconds."""

    people: int = 100_000
    services: int = 1000
    rounds: int = 5
    seconds: float = 5.0


@dataclass(frozen=True, slots=True)
class Route:
    """A route under load: where it listens, and what it is asked."""

    port: int
    ask: Ask
    process: psutil.Process


@contextmanager
def routes(plan: Plan, folder: Path) -> Iterator[dict[str, Route]]:
    """Both routes on one seeded store."""
    with embedded_store(folder / "store") as store, embedded_broker(folder) as kafka:
        port, bare_port = free_ports(2)
        catalogue = catalogue_of(plan.services)
        write_catalogue(catalogue, folder / "catalogue.yaml")
        settings = settings_of(
            kafka=kafka,
            redis=store.url,
            data=folder / "data",
            partitions=PARTITIONS,
            port=port,
            catalogue=folder / "catalogue.yaml",
        )
        keyring = make_keyring(settings)
        key = demo_keys(settings)[Role.AGENT]
        ModelStore(settings.models).publish(artifact_of(catalogue), record={})
        pseudonyms = Pseudonyms(keyring.pseudonym_key, settings.region)
        persons = seed_people(store.url, people=plan.people, partitions=PARTITIONS, pseudonyms=pseudonyms)
        _make_keys([name for person in persons for name in person], settings, keyring)
        refs = Refs(keyring.ref_key)
        order = random.Random(1).sample(persons, min(len(persons), 20_000))
        paths = [f"/v1/customers/{refs.seal(person[0])}/suggestions?channel=desk" for person in order]
        api = [sys.executable, "-c", "import cli; cli.main()", "api"]
        with running(_service("api", api, settings, folder, port=port)) as ours:
            answer = _answer(port, paths[0], key=key)
            (settings.data / "bare-answer").write_bytes(answer)
            (settings.data / "bare-receipt").write_bytes(_receipt(store.url, answer))
            bare = [sys.executable, "-m", "benchmarks.bare_route", str(bare_port), str(settings.data)]
            bare_paths = [f"/bare/{','.join(person)}" for person in order]
            with running(_service("bare", bare, settings, folder, port=bare_port)) as least:
                yield {
                    "bare": Route(bare_port, _asking(bare_paths, port=bare_port, key=key), psutil.Process(least.pid)),
                    "ours": Route(port, _asking(paths, port=port, key=key), psutil.Process(ours.pid)),
                }


def _make_keys(identities: Sequence[str], settings: Settings, keyring: Keyring) -> None:
    """The keys that stand for whoever had a fact in this quarter; without them the first receipt makes one."""
    keys, maker, period = body_keys_of(settings), KeyMaker(keyring.body_key_wrap), period_of(now_ms())
    keys.ensure({KeyName(each, SERVICE, period): maker.make() for each in identities})


def _service(name: str, argv: list[str], settings: Any, folder: Path, *, port: int) -> Service:
    return Service(
        name=name,
        argv=argv,
        environment=environment(settings),
        folder=ROOT,
        log=folder / f"{name}.log",
        ready=partial(_answers, port),
        ready_timeout_s=120.0,
    )


def _answers(port: int) -> bool:
    try:
        httpx.get(f"http://{LOOPBACK}:{port}/health", timeout=1)
    except httpx.HTTPError:
        return False
    return True


def _answer(port: int, path: str, *, key: str) -> bytes:
    """A personal answer of ours, by the model that was published."""
    response = httpx.get(f"http://{LOOPBACK}:{port}{path}", headers={"Authorization": f"Bearer {key}"})
    said = response.json()
    if response.status_code != httpx.codes.OK or (said["mode"], said["ranker"]) != ("personal", "blend"):
        raise RuntimeError(f"the route does not do its whole work: {response.text[:300]}")
    return response.content


def _receipt(url: str, answer: bytes) -> bytes:
    """The receipt that was kept for the answer."""
    found = value_of(url, global_key("decision", json.loads(answer)["decision"]))
    assert found is not None, "the answer left no receipt"
    return found


def _asking(paths: Sequence[str], *, port: int, key: str) -> Ask:
    requests = cycle([get(path, port=port, key=key) for path in paths])
    return lambda: next(requests)


async def measure(under: dict[str, Route], plan: Plan) -> dict[str, list[dict[str, float]]]:
    """Per route and round: requests/s as fast as it goes, and latency (ms) at half of the slower route's median."""
    for route in under.values():
        await closed_loop(route.ask, port=route.port, seconds=min(1.0, plan.seconds))
    found: dict[str, list[dict[str, float]]] = {name: [] for name in under}
    for _ in range(plan.rounds):
        for name, route in under.items():
            before = _cpu(route.process)
            load = await closed_loop(route.ask, port=route.port, seconds=plan.seconds)
            cpu_us = (_cpu(route.process) - before) / load.answered * 1e6
            found[name].append({"requests_per_s": load.rate, "cpu_us": cpu_us, "failed": load.failed})
    half = min(statistics.median(each["requests_per_s"] for each in rounds) for rounds in found.values()) / 2
    for place in range(plan.rounds):
        for name, route in under.items():
            load = await open_loop(route.ask, port=route.port, rate=half, seconds=plan.seconds)
            found[name][place] |= {
                "p50_ms": percentile(load.latencies, 0.5) * 1e3,
                "p99_ms": percentile(load.latencies, 0.99) * 1e3,
                "at_per_s": half,
                "failed": found[name][place]["failed"] + load.failed,
            }
    return found


def _cpu(process: psutil.Process) -> float:
    used = process.cpu_times()
    return float(used.user + used.system)


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Measure, print the table, and answer the figures."""
    parser = argparse.ArgumentParser(prog="benchmarks suggestions", description=__doc__)
    for name, default in asdict(Plan()).items():
        parser.add_argument(f"--{name}", type=type(default), default=default)
    plan = Plan(**vars(parser.parse_args(argv)))
    with tempfile.TemporaryDirectory() as folder, routes(plan, Path(folder)) as under:
        found = uvloop.run(measure(under, plan))
    Console().print(table(found))
    return {"plan": asdict(plan), "rounds": found}


def table(found: dict[str, list[dict[str, float]]]) -> Table:
    """Medians with their spread, and the ratio to the bare route."""
    shown = Table("route", "requests/s", "x bare", "CPU µs each", "p50 ms", "p99 ms", "x bare", "failed")
    medians = {
        name: {figure: statistics.median(each[figure] for each in rounds) for figure in rounds[0]}
        for name, rounds in found.items()
    }
    for name, rounds in found.items():
        rates = [each["requests_per_s"] for each in rounds]
        middle, bare = medians[name], medians["bare"]
        shown.add_row(
            name,
            f"{middle['requests_per_s']:.0f} ({min(rates):.0f}-{max(rates):.0f})",
            f"{middle['requests_per_s'] / bare['requests_per_s']:.2f}",
            f"{middle['cpu_us']:.0f}",
            f"{middle['p50_ms']:.1f}",
            f"{middle['p99_ms']:.1f}",
            f"{middle['p99_ms'] / bare['p99_ms']:.2f}",
            f"{sum(each['failed'] for each in rounds):.0f}",
        )
    shown.caption = f"latencies at {medians['ours']['at_per_s']:.0f} requests/s"
    return shown


if __name__ == "__main__":
    main()
