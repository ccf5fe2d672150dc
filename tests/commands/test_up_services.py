"""What `rapport up` tells the processes it starts."""

import os
import subprocess
import sys
from pathlib import Path

from commands.settings import Settings
from commands.up_services import Run, environment, services
from tests.servers import ROOT


def test_every_setting_reaches_the_processes_that_are_started(tmp_path: Path) -> None:
    settings = Settings(
        data=tmp_path,
        pseudonym_key="ab" * 32,
        redis_cluster=True,
        bound_sources=("till", "crm"),
        checkpoint_targets=("https://example.com/log", str(tmp_path)),
        session_timeout_s=30,
        instance_id="worker-1",
    )
    read = "from commands.settings import Settings; print(Settings().model_dump_json())"

    said = subprocess.run(
        [sys.executable, "-c", read],
        cwd=ROOT,
        env={"PATH": os.defpath, **environment(settings)},
        capture_output=True,
        text=True,
        check=True,
    )

    told = Settings.model_validate_json(said.stdout)
    assert told == settings.model_copy(update={"instance_id": None, "pseudonym_key": told.pseudonym_key})
    assert environment(settings)["RAPPORT_PSEUDONYM_KEY"] == "ab" * 32


def run(tmp_path: Path, *, train_every: str | None) -> Run:
    settings = Settings(data=tmp_path, redis="redis://127.0.0.1:1/0", kafka="127.0.0.1:1")
    return Run(settings=settings, own_store_port=None, own_broker_port=None, train_every=train_every)


def test_a_model_is_made_anew_while_it_runs(tmp_path: Path) -> None:
    [trainer] = [each for each in services(run(tmp_path, train_every="30m")) if each.name == "trainer"]

    assert (list(trainer.argv[-4:]), trainer.finishes) == (["train", "--json", "--every", "30m"], False)
    assert trainer.restart is not None


def test_it_trains_at_its_start_alone_where_that_is_asked_for(tmp_path: Path) -> None:
    names = [each.name for each in services(run(tmp_path, train_every=None))]

    assert "train" in names
    assert "trainer" not in names
