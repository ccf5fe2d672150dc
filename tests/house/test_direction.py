"""What import-linter cannot say, or says for packages only."""

import ast

from tests.house.tree import ROOMS, product

READS_SETTINGS = {"commands", "cli"}


def test_no_two_rooms_import_each_other() -> None:
    arrows = {
        (source.room, imported.split(".")[0])
        for source in product()
        for imported in source.imports()
        if imported.split(".")[0] in ROOMS
    }
    both = sorted((a, b) for a, b in arrows if a < b and (b, a) in arrows)
    assert not both, f"Move what both need to the lower room, or hand it in as an argument: {both}"


def test_nobody_imports_the_command_line() -> None:
    callers = [source.name for source in product() if source.room != "cli" and "cli" in source.imports()]
    assert not callers, "cli.py only mounts commands; call what the command calls:\n" + "\n".join(callers)


def test_only_redis_adapters_import_redis() -> None:
    others = [
        source.name
        for source in product()
        if any(imported.split(".")[0] == "redis" for imported in source.imports())
        and "redis" not in source.stem
        and source.room != "commands"
    ]
    assert not others, (
        "Put it into the room's redis_* adapter behind its contract; other rooms add reads to a pipeline handed in:\n"
        + "\n".join(others)
    )


def test_only_the_composition_reads_the_environment() -> None:
    readers = [
        f"{source.name}:{node.lineno}"
        for source in product()
        if source.room not in READS_SETTINGS
        for node in source.nodes
        if isinstance(node, ast.Attribute) and node.attr in {"environ", "getenv", "environb"}
    ]
    assert not readers, "Take the setting as an argument; commands/ reads it:\n" + "\n".join(readers)
