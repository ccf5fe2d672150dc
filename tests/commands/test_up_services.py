"""What `rapport up` tells the processes it starts."""

import os
import subprocess
import sys
from pathlib import Path

from commands.settings import Settings
from commands.up_services import environment
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
