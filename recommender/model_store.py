"""The folder of models: publish, switch at once, roll back by name. What cannot be trusted is never served."""

import os
import tempfile
from contextlib import suppress
from pathlib import Path

from events.durable_files import replace_durably, sync_folder, write_durably
from recommender.artifact import Artifact, ArtifactInvalid, ArtifactMissing, decode_artifact, encode_artifact
from recommender.canonical import canonical_json
from recommender.model_folder import MODEL_NAME, ModelFolder
from recommender.served import served_by


class ModelStore(ModelFolder):
    """Puts artifacts into the folder, and reads them.

    The pointer is replaced in one step, so a reader sees the old model or the new one.
    """

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

    def load(self, name: str) -> Artifact:
        """The artifact, each file as its hash says and fit to serve; a subclass of ArtifactInvalid otherwise."""
        folder = self._folder / name
        if not MODEL_NAME.fullmatch(name) or not folder.is_dir():
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
