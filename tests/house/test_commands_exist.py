"""What the Makefile and the container files call is there: each command, each option, each setting, each module."""

import re
import shlex
from importlib.util import find_spec
from typing import Any, cast

import pytest
import yaml
from typer.main import get_command

import cli
from commands.settings import Settings
from tests.house.tree import ROOT

COMPOSED = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
MAKEFILE = (ROOT / "Makefile").read_text()
OURS = {name: service for name, service in COMPOSED["services"].items() if "build" in service}


def parsed(words: list[str]) -> dict[str, Any]:
    """The options of a command line as the command would get them; a KeyError or UsageError where there is none."""
    command: Any = get_command(cli.build(None))
    name, rest = "rapport", words
    while hasattr(command, "commands"):
        name, *rest = rest
        command = command.commands[name]
    options: dict[str, Any] = command.make_context(name, rest).params
    return options


def written_in_compose() -> list[list[str]]:
    """The commands that its head tells people to type."""
    told = re.findall(
        r"^# +docker compose run --rm \w+ (.*?)(?: {2,}.*)?$", (ROOT / "docker-compose.yml").read_text(), re.MULTILINE
    )
    return [shlex.split(line) for line in told]


@pytest.mark.parametrize("name", OURS)
def test_every_container_runs_a_command_that_exists(name: str) -> None:
    parsed(OURS[name]["command"])


def test_the_containers_run_every_process_of_rapport_up() -> None:
    commands = [service["command"] for service in OURS.values()]

    apps = {str(parsed(words)["app"]) for words in commands if words[0] == "worker"}
    assert (apps, {words[0] for words in commands}) == ({"profiles", "history"}, {"worker", "keeper", "train", "api"})


def test_the_commands_that_the_compose_file_tells_exist() -> None:
    assert written_in_compose()
    for words in written_in_compose():
        parsed(words)


def test_the_list_of_commands_tells_what_each_tells_of_itself() -> None:
    listed, real = (cast("Any", get_command(app)) for app in (cli.listing(), cli.build(None)))
    told, tell = ({name: each.help for name, each in there.commands.items()} for there in (listed, real))

    assert list(told.items()) == list(tell.items())
    assert all(told.values())


def test_the_api_is_published_where_it_listens() -> None:
    api = OURS["api"]
    [(_, outside, inside)] = [port.split(":") for port in api["ports"]]

    assert {outside, inside, str(parsed(api["command"])["port"])} == {str(Settings.model_fields["port"].default)}


@pytest.mark.parametrize("name", OURS)
def test_every_variable_of_a_container_is_a_setting(name: str) -> None:
    settings = {f"RAPPORT_{field.upper()}" for field in Settings.model_fields}

    assert set(OURS[name]["environment"]) <= settings
    assert {"RAPPORT_KAFKA", "RAPPORT_REDIS", "RAPPORT_DATA", "RAPPORT_PSEUDONYM_KEY"} <= set(OURS[name]["environment"])


def test_the_containers_find_the_servers_where_these_listen() -> None:
    settings = OURS["worker"]["environment"]
    advertised = COMPOSED["services"]["kafka"]["environment"]["KAFKA_ADVERTISED_LISTENERS"]

    assert f"INSIDE://{settings['RAPPORT_KAFKA']}" in advertised.split(",")
    assert settings["RAPPORT_REDIS"].startswith("redis://redis:6379/")


def test_every_command_of_the_makefile_exists() -> None:
    called = re.findall(r"\.venv/bin/rapport ([^$\n]*)", MAKEFILE)
    assert called
    for line in called:
        parsed(shlex.split(line))


def test_every_module_that_the_makefile_runs_exists() -> None:
    modules = re.findall(r"\$\(PYTHON\) -m ([\w.]+)", MAKEFILE)

    assert [module for module in modules if find_spec(module) is None] == []


@pytest.mark.parametrize("option", ["--ready-file", "--kafka", "--redis", "--data", "--port"])
def test_make_run_takes_the_arguments_that_are_promised(option: str) -> None:
    assert "rapport up $(ARGS)" in MAKEFILE
    parsed(["up", option, "1"])
