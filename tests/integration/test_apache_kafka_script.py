"""Apache Kafka is fetched once, by whoever asks first."""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.servers import ROOT
from tests.waiting import until

MVN = """#!/bin/sh
echo fetched >> "{folder}/calls"
read -r _ < "{folder}/go"
"""


@pytest.fixture
def script(tmp_path: Path) -> Path:
    """A copy of the script with a folder of its own, beside a Maven that waits for a word and fetches nothing."""
    copy = tmp_path / "scripts" / "apache-kafka"
    copy.parent.mkdir()
    shutil.copy(ROOT / "scripts" / "apache-kafka", copy)
    for tool, text in {"mvn": MVN.format(folder=tmp_path), "java": "#!/bin/sh\n"}.items():
        (tmp_path / tool).write_text(text)
        (tmp_path / tool).chmod(0o755)
    os.mkfifo(tmp_path / "go")
    return copy


@contextmanager
def installing(script: Path, *, path: str) -> Iterator[subprocess.Popen[str]]:
    """The script at work; it and its Maven are gone after the block."""
    pipe = subprocess.PIPE
    process = subprocess.Popen(
        [script, "install"], env={"PATH": path}, text=True, stdout=pipe, stderr=pipe, start_new_session=True
    )
    with process:
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def waits(process: subprocess.Popen[str], lock: Path) -> bool:
    """Whether it has come as far as the lock."""
    fds = Path(f"/proc/{process.pid}/fd")
    return any(fd.readlink() == lock for fd in fds.iterdir() if fd.is_symlink())


@pytest.mark.skipif(shutil.which("flock") is None or not Path("/proc/self/fd").exists(), reason="needs flock and /proc")
def test_two_who_ask_at_once_fetch_it_once(script: Path, tmp_path: Path) -> None:
    path, lock = f"{tmp_path}:{os.defpath}", tmp_path / ".tools" / "apache-kafka" / "lock"
    with installing(script, path=path) as first, installing(script, path=path) as second:
        until((tmp_path / "calls").exists, what="the first one fetching")
        until(lambda: waits(first, lock) and waits(second, lock), what="both at the lock")
        (tmp_path / "go").write_text("on\n")
        said = [process.communicate(timeout=60)[0] for process in (first, second)]
    assert (tmp_path / "calls").read_text() == "fetched\n"
    assert len(set(said)) == 1
    assert [process.returncode for process in (first, second)] == [0, 0]
    assert sorted(each.name for each in lock.parent.iterdir()) == ["4.3.1", "lock"]


def test_what_is_missing_is_named(script: Path, tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    bare.mkdir()
    (bare / "dirname").symlink_to(str(shutil.which("dirname")))
    with installing(script, path=str(bare)) as process:
        _, said = process.communicate(timeout=60)
    assert process.returncode == 2
    assert said == "apache-kafka: java is not installed\n"
