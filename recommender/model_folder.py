"""The folder of models by their names: which there are, which one is served, when each was made.

Whoever schedules trainings or erases people asks no more than that, and does without the libraries a model is made by.
"""

import json
import re
import shutil
from pathlib import Path
from typing import Any, Final

from events.durable_files import sync_folder
from recommender.artifact import ArtifactInvalid

CURRENT: Final = "current"
MODEL_NAME: Final = re.compile(r"[0-9a-f]{32}")


class ModelFolder:
    """Artifacts as folders named by their content, beside a pointer file that says which one is served.

    Records of what a training counted stand beside the artifacts and are no part of them.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._pointer = folder / CURRENT

    def names(self) -> list[str]:
        """The artifacts there are, the latest written first."""
        if not self._folder.is_dir():
            return []
        found = [entry for entry in self._folder.iterdir() if entry.is_dir() and MODEL_NAME.fullmatch(entry.name)]
        return [entry.name for entry in sorted(found, key=lambda entry: (-entry.stat().st_mtime_ns, entry.name))]

    def current(self) -> str | None:
        """The name of the model to serve; None before the first. ArtifactInvalid where the pointer holds no name."""
        try:
            name = self._pointer.read_text(encoding="ascii").strip()
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise ArtifactInvalid(f"the pointer {CURRENT} cannot be read") from error
        if not MODEL_NAME.fullmatch(name):
            raise ArtifactInvalid(f"the pointer {CURRENT} names no model")
        return name

    def record(self, name: str) -> dict[str, Any] | None:
        """What was recorded of the training; None where nothing is, or nothing that can be read."""
        try:
            record = json.loads((self._folder / f"{name}.record.json").read_bytes())
        except (OSError, ValueError):
            return None
        return record if isinstance(record, dict) else None

    def made_at(self, name: str) -> int:
        """The snapshot (ms) that a model was last made from; -1 where no record tells."""
        snapshot = (self.record(name) or {}).get("snapshot")
        return snapshot if isinstance(snapshot, int) else -1

    def remove(self, name: str) -> None:
        """Let go of a model that is not served, and of its record. ArtifactInvalid for the one that is."""
        if name == self.current():
            raise ArtifactInvalid(f"model {name} is served: switch to another one first")
        (self._folder / f"{name}.record.json").unlink(missing_ok=True)
        shutil.rmtree(self._folder / name, ignore_errors=True)
        sync_folder(self._folder)
