"""`rapport up` as a process, with what a test sees of it: its ready file, its words, every process under it."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from tests.asking import answered
from tests.servers import ROOT
from tests.waiting import until

PARTITIONS = 4
READY_WITHIN_S = 240.0
_RAPPORT = (sys.executable, "-c", "import cli; cli.main()")
_ENVIRONMENT = {"PATH": os.defpath, "COLUMNS": "400"}


@dataclass(frozen=True)
class Up:
    """One run; `said` is its output so far."""

    process: subprocess.Popen[bytes]
    output: Path
    ready_file: Path
    seen: set[tuple[int, str]] = field(default_factory=set)

    @property
    def said(self) -> str:
        return self.output.read_text(errors="replace")

    def ready(self) -> dict[str, Any]:
        """The ready file, once it is there."""
        until(
            lambda: self.ready_file.exists() or self.process.poll() is not None,
            within_s=READY_WITHIN_S,
            what="the ready file",
        )
        assert self.process.poll() is None, self.said
        told: dict[str, Any] = json.loads(self.ready_file.read_text())
        return told

    def ended(self, number: signal.Signals | None = None, *, within_s: float = 180.0) -> int:
        """Its exit status, after a signal where one is given."""
        if number is not None:
            os.kill(self.process.pid, number)
        return self.process.wait(within_s)

    def family(self) -> set[tuple[int, str]]:
        """Every process under it, by id and by when it started."""
        parents = {pid: fields for pid in _pids() if (fields := _stat(pid)) is not None}
        found = {self.process.pid}
        while more := {pid for pid, (parent, _) in parents.items() if parent in found} - found:
            found |= more
        family = {(pid, parents[pid][1]) for pid in found if pid in parents}
        self.seen.update(family)
        return family


def alive(family: set[tuple[int, str]]) -> set[int]:
    """Which of these processes still run."""
    return {pid for pid, since in family if (fields := _stat(pid)) is not None and fields[1] == since}


@contextmanager
def up(folder: Path, *words: str, environment: Mapping[str, str] | None = None) -> Iterator[Up]:
    """A run on `folder / "data"`; whatever the test did, it is gone after the block."""
    ready_file, output = folder / "ready" / "up.json", folder / "up.log"
    argv = [*_RAPPORT, "up", "--data", str(folder / "data"), "--no-demo"]
    argv += ["--port", "0", "--partitions", str(PARTITIONS), "--ready-file", str(ready_file), *words]
    with output.open("wb") as out:
        process = subprocess.Popen(argv, cwd=ROOT, env={**_ENVIRONMENT, **(environment or {})}, stdout=out, stderr=out)
    run = Up(process, output, ready_file)
    try:
        yield run
    finally:
        run.family()
        for pid in alive(run.seen):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.wait()


def rapport(*words: str, data: Path) -> subprocess.CompletedProcess[str]:
    """One command on a data folder, run to its end."""
    argv = [*_RAPPORT, *words, "--data", str(data)]
    return subprocess.run(argv, env=_ENVIRONMENT, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)


class Caller:
    """Somebody with the keys of a run; to be closed."""

    def __init__(self, ready: dict[str, Any]) -> None:
        self._keys = ready["keys"]
        self._client = httpx.Client(base_url=ready["api"], timeout=60)

    def close(self) -> None:
        self._client.close()

    def ask(self, method: str, path: str, *, role: str = "agent", **rest: Any) -> httpx.Response:
        return self._client.request(method, path, headers={"Authorization": f"Bearer {self._keys[role]}"}, **rest)

    def customer(self, identity: str, *, after: str | None = None) -> dict[str, Any]:
        """The person as an agent reads it."""
        ref = self.ask("POST", "/v1/customers/lookup", json={"identity": identity}).json()["ref"]
        params = {"after": after} if after else {}
        answer = answered(lambda: self.ask("GET", f"/v1/customers/{ref}", params=params))
        assert answer.status_code == httpx.codes.OK, answer.text
        found: dict[str, Any] = answer.json()
        return found


def _pids() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def _stat(pid: int) -> tuple[int, str] | None:
    """(parent, start time) of a process that has not ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else (int(fields[1]), fields[19])
