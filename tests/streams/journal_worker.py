"""A worker for the tests: writes what it is handed to a file, which is its checkpoint store too.

One line per frame, written at once, so that a kill -9 leaves whole lines. Records may ask for trouble by their value,
and the variable TROUBLE asks for it elsewhere; INSTANCE names a static group member.
"""

import asyncio
import fcntl
import json
import logging
import os
import sys
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from streams.admin import is_embedded, wait_for_broker
from streams.app import StreamSettings, build_app, run_worker
from streams.frame import Answer, Frame, Handled, SeekTo, Stopped
from streams.ownership import Ownership
from tests.waiting import until


class Journal:
    """Frames by (topic, partition), compare-and-append on the checkpoint."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.raised: set[bytes] = set()

    def lines(self) -> list[dict[str, Any]]:
        if not self.path.exists():
            return []
        return [json.loads(line) for line in self.path.read_text().splitlines()]

    def checkpoint(self, topic: str, partition: int) -> int | None:
        ends = [line["end"] for line in self.lines() if (line["topic"], line["partition"]) == (topic, partition)]
        return max(ends, default=None)

    async def committed(self, topic: str, partitions: Collection[int], /) -> Mapping[int, int | None]:
        if os.environ.get("TROUBLE") == "checkpoints":
            raise ConnectionError("someone's data")
        return {partition: self.checkpoint(topic, partition) for partition in partitions}

    async def __call__(self, frame: Frame, /) -> Answer:
        for record in frame.records:
            if (trouble := self.trouble(record.value or b"", record.offset)) is not None:
                return trouble
        return self.append(frame)

    def trouble(self, value: bytes, offset: int) -> Answer | None:
        if value == b"stop":
            return Stopped(f"asked to at {offset}")
        if value == b"always raise":
            raise ValueError("someone's data")
        if value == b"slow":
            Path(f"{self.path}.slow").touch()
            until(Path(f"{self.path}.go").exists, what="the word to go on")
        if value.startswith((b"raise once", b"seek once")) and value not in self.raised:
            self.raised.add(value)
            if value.startswith(b"seek"):
                return SeekTo(10)
            raise ValueError("someone's data")
        return None

    def append(self, frame: Frame) -> Answer:
        with self.path.open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            checkpoint = self.checkpoint(frame.topic, frame.partition)
            if checkpoint is not None and checkpoint < frame.start:
                return SeekTo(checkpoint)
            fresh = [r for r in frame.records if checkpoint is None or r.offset >= checkpoint]
            line = {"topic": frame.topic, "partition": frame.partition, "start": frame.start, "end": frame.end}
            line |= {"offsets": [r.offset for r in fresh], "values": [(r.value or b"").decode() for r in fresh]}
            file.write(json.dumps(line) + "\n")
        return Handled()


async def companion(_: Ownership) -> None:
    """Lasts as long as the worker, unless asked to break off."""
    if os.environ.get("TROUBLE") != "companion":
        await asyncio.Event().wait()
    raise ConnectionError("someone's data")


def main(brokers: str, name: str, path: str, *topics: str) -> int:
    logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    journal = Journal(Path(path))
    settings = StreamSettings(
        instance_id=os.environ.get("INSTANCE"),
        retry_delays_s=(0.05, 0.1),
        frame_records=50,
        is_filled_late=is_embedded(wait_for_broker([brokers])),
    )
    app = build_app(
        name,
        brokers=[brokers],
        routes=dict.fromkeys(topics, journal),
        checkpoints=journal,
        partitions=4,
        settings=settings,
        companions=[companion],
    )
    return run_worker(app)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
