"""API keys in a file: hashes only, readable by its owner only, replaced in one step and read anew when it changed."""

import fcntl
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import Field, ValidationError

from api.auth import ApiKey
from events.shape import Shape

KEYS_MAX: Final = 10_000
_Stamp = tuple[int, int, int]


class KeysUnreadable(Exception):
    """The file of keys is there and cannot be used: nobody is let in until it can."""


class _Kept(Shape):
    format: Literal[1] = 1
    keys: Annotated[tuple[ApiKey, ...], Field(max_length=KEYS_MAX)] = ()


class KeyFile:
    """See `api.auth.ApiKeys`. A key that was revoked is refused by the next request, without a restart."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp: _Stamp | None = None
        self._keys: Mapping[str, ApiKey] = {}

    def get(self, key_id: str) -> ApiKey | None:
        """See `ApiKeys`; KeysUnreadable where the file cannot be used."""
        return self.all().get(key_id)

    def all(self) -> Mapping[str, ApiKey]:
        """All keys by id; none where there is no file yet. KeysUnreadable where the file cannot be used."""
        try:
            found = self._path.stat()
            stamp = (found.st_mtime_ns, found.st_size, found.st_ino)
            if stamp != self._stamp:
                kept = _Kept.model_validate_json(self._path.read_bytes())
                self._keys, self._stamp = {key.id: key for key in kept.keys}, stamp
        except FileNotFoundError:
            self._keys, self._stamp = {}, None
        except (OSError, ValidationError) as error:
            self._stamp = None
            raise KeysUnreadable(f"{self._path} cannot be used: {type(error).__name__}") from error
        return self._keys

    def add(self, *added: ApiKey) -> None:
        """Let keys in from now on."""
        with self._alone():
            self._write([*self.all().values(), *added])

    def revoke(self, *key_ids: str) -> list[str]:
        """Let keys in no longer; those that were there."""
        with self._alone():
            known = self.all()
            gone = [key_id for key_id in key_ids if key_id in known]
            self._write(key for key in known.values() if key.id not in gone)
        return gone

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Nobody else changes the file meanwhile: a key revoked by one command must not come back with another's."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._path.with_name(f".{self._path.name}.lock"), os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            # What was read before the lock may be of the same instant and size as what stands there now.
            self._stamp = None
            yield
        finally:
            os.close(descriptor)

    def _write(self, keys: Iterable[ApiKey]) -> None:
        content = _Kept(keys=tuple(keys)).model_dump_json(indent=1, exclude_defaults=False)
        fresh = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(content + "\n")
            file.flush()
            os.fsync(descriptor)
        fresh.replace(self._path)
        folder = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
