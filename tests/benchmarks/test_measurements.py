"""Each measurement at a tiny size: that it runs to its end, whatever the figures."""

from pathlib import Path

import msgspec
import pytest

from benchmarks import latency, pipeline, recovery, workers
from benchmarks.pipeline import CONTENDERS
from benchmarks.results import Results
from benchmarks.servers import EMBEDDED

pytestmark = pytest.mark.servers


def kept(path: Path) -> Results:
    return msgspec.json.decode(path.read_bytes(), type=Results)


def test_every_contender_leaves_what_its_model_says(tmp_path: Path) -> None:
    pipeline.main(
        events=20_000,
        people=500,
        person_max=100,
        rounds=1,
        contenders="",
        fsync="always",
        label="",
        kafka=EMBEDDED,
        again=False,
        results=tmp_path,
    )
    runs = kept(tmp_path / "pipeline-always.json").runs
    assert [run["contender"] for run in runs] == list(CONTENDERS)
    assert all(run["events_per_s"] > 0 and run["client_us"] > 0 for run in runs)


def test_latency_is_told_of_both(tmp_path: Path) -> None:
    latency.main(
        rate=200,
        seconds=1,
        warm_up=0.5,
        people=50,
        rounds=1,
        fsync="always",
        kafka=EMBEDDED,
        again=False,
        results=tmp_path,
    )
    runs = kept(tmp_path / "latency-always.json").runs
    assert [run["contender"] for run in runs] == ["ours", "raw loop"]
    assert all(run["records"] == 200 and run["p50"] <= run["p99"] <= run["most"] for run in runs)


def test_two_workers_share_a_log_and_end_exact(apache_kafka: str, tmp_path: Path) -> None:
    # The embedded broker does not tell who holds which partitions.
    workers.main(events=3000, people=300, rounds=1, kafka=apache_kafka, again=False, results=tmp_path)
    assert [run["workers"] for run in kept(tmp_path / "workers.json").runs] == [1, 2]


def test_a_worker_and_a_store_come_back_exact_after_a_kill(tmp_path: Path) -> None:
    chosen = "worker killed, a new member; store killed"
    recovery.main(rate=100, rounds=1, kafka=EMBEDDED, again=False, results=tmp_path, cases=chosen)
    runs = kept(tmp_path / "recovery.json").runs
    assert [run["case"] for run in runs] == chosen.split("; ")
    assert all(run["recovered_s"] > 0 for run in runs)
