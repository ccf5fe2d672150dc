"""Files that are on disk when the call returns, their names too."""

import os
from contextlib import suppress
from pathlib import Path


def write_durably(path: Path, content: bytes) -> None:
    """Write the content of a file; its name is durable once the folder is synced."""
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def replace_durably(path: Path, content: bytes) -> None:
    """Put the content in the file's place in one step."""
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    write_durably(scratch, content)
    scratch.replace(path)
    sync_folder(path.parent)


def make_private(path: Path) -> None:
    """Make an empty file that is its owner's alone, where there is none.

    One that is there is left closed: to close it again would drop every lock this process has on it, those of SQLite
    too, and let another process take away the log that SQLite still writes to here.
    """
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(folder: Path, *, root: Path) -> None:
    """Create a folder and those above it up to `root`."""
    if folder.is_dir():
        return
    folder.mkdir(parents=True, exist_ok=True)
    for parent in [folder, *folder.parents]:
        sync_folder(parent)
        if parent in {root, root.parent}:
            break
