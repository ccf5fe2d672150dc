"""The world behind a server that really listens, and the command line and curl in front of it."""

import asyncio
import json
import shlex
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from typer.testing import CliRunner, Result

import cli
from api.auth import Role
from commands.api import http_server
from consent.tokens import Links
from embedded.ports import LOOPBACK, free_port
from tests.api.world import World
from tests.waiting import eventually


@dataclass(frozen=True)
class Served:
    """A world that is served at `url`; `ready` is the file commands find it by."""

    world: World
    url: str
    ready: Path

    async def rapport(self, *words: str, typed: str = "") -> Result:
        """One command of the command line, and what is typed when it asks."""
        asked = [*words, "--ready-file", str(self.ready)]
        return await asyncio.to_thread(CliRunner().invoke, cli.build(words[0]), asked, input=typed)

    async def told(self, *words: str) -> Any:
        """What a command answers a program."""
        done = await self.rapport(*words, "--json")
        assert done.exit_code == 0, (done.output, done.exception)
        return json.loads(done.stdout)

    async def curl(self, line: str) -> str:
        """What a line of curl prints."""
        program, *words = shlex.split(line)
        assert program == "curl"
        started = await asyncio.create_subprocess_exec(
            program, "--silent", "--show-error", "--fail", *words, stdout=asyncio.subprocess.PIPE
        )
        said, _ = await started.communicate()
        assert started.returncode == 0, line
        return said.decode()


@asynccontextmanager
async def served(world: World, folder: Path) -> AsyncIterator[Served]:
    """The world while it is served."""
    port = free_port()
    url = f"http://{LOOPBACK}:{port}"
    world.with_services(links=Links(tokens=world.services.links.tokens, public_url=url))
    ready = folder / "ready.json"
    ready.write_text(json.dumps({"api": url, "keys": {role.value: world.keys.shown[role.value] for role in Role}}))
    server = http_server(world.app, host=LOOPBACK, port=port)
    serving = asyncio.create_task(server.serve())

    async def answers() -> bool:
        try:
            async with httpx.AsyncClient(base_url=url, timeout=5) as client:
                return (await client.get("/health")).status_code == 200
        except httpx.HTTPError:
            return False

    try:
        await eventually(answers, what="the server")
        yield Served(world, url, ready)
    finally:
        server.stop()  # type: ignore[no-untyped-call]
        await asyncio.wait_for(serving, 60)
