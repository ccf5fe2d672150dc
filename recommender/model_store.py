"""The folder of models: publish, switch at once, roll back by name. What cannot be trusted is never served."""

import json
import os
import re
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from events.durable_files import replace_durably, sync_folder, write_durably
from recommender.artifact import Artifact, ArtifactInvalid, ArtifactMissing, decode_artifact, encode_artifact
from recommender.canonical import canonical_json
from recommender.served import served_by

CURRENT: Final = "current"
_NAME: Final = re.compile(r"[0-9a-f]{32}")


class ModelStore:
    """Artifacts as folders named by their content, beside a pointer file that says which one is served.

    The pointer is replaced in one step, so a reader sees the old model or the new one. Records of what a training
    counted stand beside the artifacts and are no part of them.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._pointer = folder / CURRENT

    def publish(self, artifact: Artifact, *, record: dict[str, object] | None = None) -> str:
        """Write the artifact and switch to it; its name. `record` is kept as `<name>.record.json`."""
        name = self.add(artifact, record=record)
        self._switch(name)
        return name

    def add(self, artifact: Artifact, *, record: dict[str, object] | None = None) -> str:
        """Write the artifact without serving it; its name. An artifact that stands there already stays as it is."""
        self._folder.mkdir(parents=True, exist_ok=True)
        target = self._folder / artifact.name
        if not self._stands(artifact.name):
            if target.exists():
                target.rename(self._folder / f"{artifact.name}.broken-{os.getpid()}-{target.stat().st_mtime_ns}")
            self._write(artifact, target)
        if record is not None:
            replace_durably(self._folder / f"{artifact.name}.record.json", canonical_json(record))
        return artifact.name

    def names(self) -> list[str]:
        """The artifacts there are, the latest written first."""
        if not self._folder.is_dir():
            return []
        found = [entry for entry in self._folder.iterdir() if entry.is_dir() and _NAME.fullmatch(entry.name)]
        return [entry.name for entry in sorted(found, key=lambda entry: (-entry.stat().st_mtime_ns, entry.name))]

    def current(self) -> str | None:
        """The name of the model to serve; None before the first. ArtifactInvalid where the pointer holds no name."""
        try:
            name = self._pointer.read_text(encoding="ascii").strip()
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise ArtifactInvalid(f"the pointer {CURRENT} cannot be read") from error
        if not _NAME.fullmatch(name):
            raise ArtifactInvalid(f"the pointer {CURRENT} names no model")
        return name

    def load(self, name: str) -> Artifact:
        """The artifact, each file as its hash says and fit to serve; a subclass of ArtifactInvalid otherwise."""
        folder = self._folder / name
        if not _NAME.fullmatch(name) or not folder.is_dir():
            raise ArtifactMissing(f"there is no model {name[:32]}")
        try:
            files = {entry.name: entry.read_bytes() for entry in folder.iterdir() if entry.is_file()}
        except OSError as error:
            raise ArtifactInvalid(f"model {name} cannot be read: {error.strerror}") from error
        artifact = decode_artifact(files, name=name)
        served_by(artifact)
        return artifact

    def roll_back(self, name: str) -> None:
        """Serve an earlier model, once it is found sound; a subclass of ArtifactInvalid otherwise."""
        self.load(name)
        self._switch(name)

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

    def _stands(self, name: str) -> bool:
        with suppress(ArtifactInvalid):
            self.load(name)
            return True
        return False

    def _switch(self, name: str) -> None:
        replace_durably(self._pointer, name.encode())

    def _write(self, artifact: Artifact, target: Path) -> None:
        with tempfile.TemporaryDirectory(dir=self._folder, prefix=".writing-") as scratch:
            folder = Path(scratch) / artifact.name
            folder.mkdir()
            for file, content in encode_artifact(artifact).items():
                write_durably(folder / file, content)
            sync_folder(folder)
            folder.rename(target)
        sync_folder(self._folder)


class ServedModel:
    """The model a server answers with; asked now and then whether another one is current.

    One that cannot be trusted is named in `problem` and the model held stays.
    """

    def __init__(self, store: ModelStore, *, fallback: Artifact) -> None:
        self._store = store
        self.artifact = fallback
        self.problem: str | None = None

    def refresh(self) -> bool:
        """Switch to the current model if it is another; tell whether it was. Costs one small read otherwise."""
        try:
            name = self._store.current()
            if name is None or name == self.artifact.name:
                self.problem = None
                return False
            self.artifact = self._store.load(name)
        except ArtifactInvalid as error:
            self.problem = str(error)
            return False
        self.problem = None
        return True
