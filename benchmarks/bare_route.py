"""The least a suggestion route can be: the product's server and key check, one pipeline, an answer made beforehand.

Run as a process by `benchmarks.suggestions`, with the settings of the installation and the answer in a file.
"""

import asyncio
import secrets
import signal
import sys
from pathlib import Path

import uvloop
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api.auth import ROUTES, authorize
from api.key_file import KeyFile
from commands.api import STORE_TIMEOUT_S, http_server
from commands.garbage import look_for_garbage_rarely
from commands.settings import KEYS_FILE, Settings, settings_of
from events.keys import FAMILIES, facet_key, global_key, partition_key
from events.partitioning import partition_of
from profiles.redis_store import redis_client

ACCESS = ROUTES["GET", "/v1/customers/{ref}/suggestions"]


def app_of(settings: Settings, *, answer: bytes, receipt: bytes) -> Starlette:
    """`GET /bare/{identities}`: reads the holds and facets of the identities, writes a receipt, answers the bytes."""
    keys = KeyFile(settings.data / KEYS_FILE)
    client = redis_client(settings.redis, cluster=False, timeout_s=STORE_TIMEOUT_S)
    lifetime = FAMILIES["decision"].lifetime_s

    async def bare(request: Request) -> Response:
        authorize(request.headers.get("authorization"), access=ACCESS, keys=keys)
        async with client.pipeline(transaction=False) as pipeline:
            for identity in request.path_params["identities"].split(","):
                partition = partition_of(identity.encode(), settings.partitions)
                pipeline.hvals(partition_key("hold", partition, identity))
                pipeline.get(facet_key(partition, identity))
            pipeline.set(global_key("decision", secrets.token_hex(16)), receipt, ex=lifetime)
            await pipeline.execute()
        return Response(answer, media_type="application/json")

    return Starlette(routes=[Route("/bare/{identities}", bare)])


async def serve(settings: Settings, *, answer: bytes, receipt: bytes) -> None:
    """Serve until SIGTERM, as `rapport api` does."""
    look_for_garbage_rarely()
    server = http_server(app_of(settings, answer=answer, receipt=receipt), host=settings.host, port=settings.port)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, server.stop)
    await server.serve()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        folder = Path(sys.argv[2])
        runner.run(
            serve(
                settings_of(port=int(sys.argv[1])),
                answer=(folder / "bare-answer").read_bytes(),
                receipt=(folder / "bare-receipt").read_bytes(),
            )
        )
