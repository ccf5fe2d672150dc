"""A rebuild beside the test, and how far it is."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from redis import Redis

from embedded.process import Process, running
from embedded.service import Service
from events.keys import partition_key
from tests.installation import Installation
from tests.servers import ROOT


def places(made: Installation) -> list[int]:
    """The partitions of which something is rebuilt."""
    partitions = range(made.settings.partitions)
    with Redis.from_url(made.settings.redis) as client:
        return [at for at in partitions if client.exists(partition_key("rebuilt", at))]


@contextmanager
def command(made: Installation, *words: str) -> Iterator[Process]:
    """A command that runs beside the test."""
    argv = [sys.executable, "-c", "import cli; cli.main()", *words]
    log = made.settings.data / "command.log"
    with running(Service(name=words[0], argv=argv, environment=made.environment, folder=ROOT, log=log)) as process:
        yield process
