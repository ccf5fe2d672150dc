import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from embedded.process import NotReady, Process, running
from embedded.restart import RestartPolicy
from embedded.service import Service
from embedded.supervisor import Happening, Supervisor
from tests.servers import ROOT
from tests.waiting import HANGS_S, until

ON_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="the kernel ends the children on Linux only")


class World:
    """A supervisor in a process of its own, with two children that wait."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.supervisor = subprocess.Popen(
            [sys.executable, str(ROOT / "tests" / "embedded" / "world_of_sleepers.py"), str(folder)],
            stderr=subprocess.PIPE,
            text=True,
        )
        until((folder / "ready").exists, what="a supervisor that is ready")

    def child(self, name: str) -> int:
        return int((self.folder / name).read_text())

    def told(self) -> list[str]:
        return (self.folder / "told").read_text().splitlines()

    def kill(self, name: str) -> None:
        """Kill a child and forget what it said of itself."""
        pid = self.child(name)
        (self.folder / name).unlink()
        os.kill(pid, signal.SIGKILL)

    def end(self) -> tuple[int, str]:
        _, errors = self.supervisor.communicate(timeout=60)
        return self.supervisor.returncode, errors


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    started = World(tmp_path)
    yield started
    started.supervisor.kill()
    started.supervisor.communicate()


def runs(pid: int) -> bool:
    # One that ended and that nobody has asked about yet is still listed, as a zombie.
    with suppress(ProcessLookupError, FileNotFoundError):
        os.kill(pid, 0)
        stat = Path(f"/proc/{pid}/stat")
        return sys.platform != "linux" or stat.read_text().rpartition(")")[2].split()[0] != "Z"
    return False


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGHUP], ids=["asked to stop", "the terminal is closed"])
def test_services_start_in_order_and_stop_in_reverse(world: World, ending: signal.Signals) -> None:
    children = [world.child("first"), world.child("second")]

    world.supervisor.send_signal(ending)

    assert world.end() == (0, "")
    assert (world.folder / "ended").read_text().split() == ["second", "first"]
    assert world.told()[:6] == [
        f"{what} {name}" for name in ("step", "first", "second") for what in ("starting", "ready")
    ]
    assert not any(runs(pid) for pid in children)


def test_ctrl_c_twice_is_no_more_than_once(world: World) -> None:
    world.supervisor.send_signal(signal.SIGINT)
    world.supervisor.send_signal(signal.SIGINT)

    assert world.end() == (0, "")
    assert (world.folder / "ended").read_text().split() == ["second", "first"]


@ON_LINUX
def test_a_killed_supervisor_leaves_no_child(world: World) -> None:
    children = [world.child("first"), world.child("second")]

    world.supervisor.kill()

    until(lambda: not any(runs(pid) for pid in children), what="the end of the children")


def test_a_crashed_service_is_started_again(world: World) -> None:
    world.kill("second")

    until(lambda: world.told().count("ready second") == 2, what="a second that is back")
    assert "crashed second" in world.told()
    assert runs(world.child("second"))


def test_a_service_that_crashes_too_often_ends_the_run(world: World) -> None:
    for _ in range(3):
        until((world.folder / "second").exists, what="a second that is back")
        world.kill("second")

    status, errors = world.end()
    assert status == 1
    assert "second was ended by SIGKILL; it crashed 3 times within 60 s" in errors
    assert not runs(world.child("first"))


def test_a_service_without_restarts_ends_the_run(world: World) -> None:
    world.kill("first")

    status, errors = world.end()
    assert status == 1
    assert "first was ended by SIGKILL; it is not restarted" in errors
    assert not runs(world.child("second"))


def test_a_service_that_ends_early_is_not_ready() -> None:
    with (
        pytest.raises(NotReady, match="hasty ended with status 3 before it was ready"),
        running(Service(name="hasty", argv=[sys.executable, "-c", "raise SystemExit(3)"], ready=lambda: False)),
    ):
        pass


def test_a_service_that_is_never_ready_is_ended() -> None:
    idle = Service(
        name="idle",
        argv=[sys.executable, "-c", "import signal; signal.pause()"],
        ready=lambda: False,
        ready_timeout_s=0.2,
    )
    with pytest.raises(NotReady, match=r"idle was not ready after 0\.2 s"), running(idle):
        pass


def test_a_service_that_ignores_the_signal_is_killed_with_its_children(tmp_path: Path) -> None:
    stubborn = (
        "import os, pathlib, signal, subprocess, sys; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        "child = subprocess.Popen([sys.executable, '-c', 'import signal; signal.pause()']);"
        "pathlib.Path('child').write_text(str(child.pid)); signal.pause()"
    )
    service = Service(
        name="stubborn",
        argv=[sys.executable, "-c", stubborn],
        folder=tmp_path,
        ready=lambda: (tmp_path / "child").exists() and bool((tmp_path / "child").read_text()),
        stop_timeout_s=0.2,
    )
    process = Process(service)
    process.wait_ready()
    child = int((tmp_path / "child").read_text())

    assert process.stop() is False

    assert process.exit_status == -signal.SIGKILL
    until(lambda: not runs(child), what="the end of its child")


def test_the_stop_signal_waits_until_the_service_is_drained(tmp_path: Path) -> None:
    asked: list[int] = []

    def drained() -> bool:
        asked.append(len(asked))
        return len(asked) == 3

    idle = Service(name="idle", argv=[sys.executable, "-c", "import signal; signal.pause()"], drained=drained)
    process = Process(idle)

    assert process.stop()

    assert len(asked) == 3


def test_every_service_is_ended_even_when_one_cannot_say_whether_it_is_drained() -> None:
    def confused() -> bool:
        raise ConnectionError("nobody to ask")

    idle = [sys.executable, "-c", "import signal; signal.pause()"]
    services = [Service(name="below", argv=idle), Service(name="above", argv=idle, drained=confused)]
    told: list[Happening] = []
    supervisor = Supervisor(services, tell=told.append)
    supervisor.start()

    with pytest.raises(ConnectionError):
        supervisor.stop()

    assert [each.service for each in told if each.what == "stopping"] == ["above", "below"]
    assert told[-1] == Happening("below", "stopped")


def test_a_service_that_crashes_while_a_later_one_starts_is_started_again(tmp_path: Path) -> None:
    once, again = tmp_path / "once", tmp_path / "again"
    code = f"""
import pathlib, signal, sys
once, again = pathlib.Path({str(once)!r}), pathlib.Path({str(again)!r})
if not once.exists():
    once.touch(); sys.exit(1)
again.touch(); signal.pause()
"""
    policy = RestartPolicy(backoff_s=0.05)
    crashing = Service(name="crashing", argv=[sys.executable, "-c", code], restart=policy)
    waiting = Service(
        name="waiting",
        argv=[sys.executable, "-c", "import signal; signal.pause()"],
        ready=again.exists,
        ready_timeout_s=HANGS_S,
    )
    told: list[Happening] = []
    supervisor = Supervisor([crashing, waiting], tell=told.append)
    try:
        supervisor.start()
    finally:
        supervisor.stop()

    assert ("crashing", "restarting") in [(happening.service, happening.what) for happening in told]
