"""The container files say what the rest of the tree says."""

import re
from typing import Any

import pytest
import yaml

from embedded.store import store_service
from tests.house.tree import ROOMS, ROOT

SERVERS = {"kafka", "redis", "keys"}


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    composed = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return dict(composed["services"])


def test_every_process_waits_for_healthy_servers(services: dict[str, Any]) -> None:
    for name in services.keys() - SERVERS:
        assert {server: wait["condition"] for server, wait in services[name]["depends_on"].items()} == dict.fromkeys(
            SERVERS, "service_healthy"
        ), name


@pytest.mark.parametrize("setting", ["appendonly", "appendfsync", "save", "maxmemory-policy"])
def test_the_store_is_as_durable_as_the_embedded_one(services: dict[str, Any], setting: str, tmp_path: Any) -> None:
    def value(argv: list[str]) -> str:
        return argv[argv.index(f"--{setting}") + 1]

    embedded = store_service(port=6379, folder=tmp_path)

    for name in ("redis", "keys"):
        assert value(services[name]["command"]) == value(list(embedded.argv)), name


def test_only_this_machine_reaches_the_ports(services: dict[str, Any]) -> None:
    for name, service in services.items():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", [])), name


def test_the_image_holds_every_room() -> None:
    kept = (ROOT / ".dockerignore").read_text().splitlines()

    assert {f"!{room}" for room in ROOMS} <= set(kept)


def test_the_image_is_built_by_the_same_tool() -> None:
    pinned = re.compile(r"uv(?:==|_version=)([0-9.]+)")
    versions = {pinned.findall((ROOT / name).read_text())[0] for name in ("Dockerfile", "scripts/setup")}

    assert len(versions) == 1
