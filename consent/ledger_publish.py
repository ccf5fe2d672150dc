"""Publishing checkpoints where we cannot change them any more: a folder of somebody else's, a URL.

A target that fails is tried again, and what went wrong stays to be seen until it works. What it was told before is
held to the ledger first, where it can be read back: a ledger that does not continue it is not published over it.
"""

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, Protocol

import httpx

from consent.ledger import CHECKPOINT, Ledger
from consent.ledger_note import Checkpoint, NoteInvalid, read_checkpoint
from consent.ledger_openings import Publication
from events.durable_files import replace_durably

_log = logging.getLogger(__name__)

RETRY_MS: Final = 10_000
"""A target that failed is left alone for so long."""
_TIMEOUT_S: Final = 10.0


class PublicationFailed(Exception):
    """A target did not take a checkpoint; the text says why."""


class Target(Protocol):
    """Somewhere outside; `name` is shown and holds no secret."""

    @property
    def name(self) -> str: ...

    def last(self) -> Checkpoint | None:
        """What it was told last, None where it cannot say. PublicationFailed when that is no checkpoint."""
        ...

    def publish(self, note: str, *, size: int) -> None:
        """Tell it; PublicationFailed when it did not take it."""
        ...


@dataclass(frozen=True, slots=True)
class FolderTarget:
    """A folder, on another machine's disk for one: a file for every checkpoint, and the last one as `checkpoint`."""

    folder: Path

    @property
    def name(self) -> str:
        """The folder."""
        return str(self.folder)

    def last(self) -> Checkpoint | None:
        """See `Target`."""
        try:
            return read_checkpoint((self.folder / CHECKPOINT).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except (NoteInvalid, OSError, UnicodeDecodeError) as error:
            raise PublicationFailed(f"what is there cannot be read: {type(error).__name__}") from None

    def publish(self, note: str, *, size: int) -> None:
        """See `Target`. One that is there already is never written over."""
        kept = self.folder / f"{CHECKPOINT}.{size:016d}"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            if not kept.exists():
                replace_durably(kept, note.encode())
            elif read_checkpoint(kept.read_text(encoding="utf-8")) != read_checkpoint(note):
                raise PublicationFailed(f"another checkpoint of {size} entries was published: the ledger was forked")
            replace_durably(self.folder / CHECKPOINT, note.encode())
        except (NoteInvalid, UnicodeDecodeError):
            raise PublicationFailed(f"{kept.name} is there and is no checkpoint") from None
        except OSError as error:
            raise PublicationFailed(f"it cannot be written: {error.strerror}") from None


@dataclass(frozen=True, slots=True)
class UrlTarget:
    """A URL that takes a checkpoint as text; `{size}` in it becomes the number of entries."""

    url: str
    method: Literal["PUT", "POST"] = "PUT"

    @property
    def name(self) -> str:
        """Where it goes, without what may be secret in it."""
        scheme, _, rest = self.url.partition("://")
        authority, slash, path = re.split(r"[?#]", rest, maxsplit=1)[0].partition("/")
        return f"{scheme}://{authority.rpartition('@')[2]}{slash}{path}"

    def last(self) -> Checkpoint | None:
        """See `Target`: it is only told."""
        return None

    def publish(self, note: str, *, size: int) -> None:
        """See `Target`."""
        headers = {"content-type": "text/plain; charset=utf-8"}
        try:
            answer = httpx.request(
                self.method,
                self.url.replace("{size}", str(size)),
                content=note.encode(),
                headers=headers,
                timeout=_TIMEOUT_S,
            )
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise PublicationFailed(f"it cannot be reached: {type(error).__name__}") from None
        if not answer.is_success:
            raise PublicationFailed(f"it answered with status {answer.status_code}")


def target_of(text: str, *, method: Literal["PUT", "POST"] = "PUT") -> Target:
    """The target a setting or an argument names: an http or https URL, else a folder."""
    return UrlTarget(text, method) if text.startswith(("http://", "https://")) else FolderTarget(Path(text))


def is_due(told: Publication | None, *, size: int, now_ms: int) -> bool:
    """Whether a target is to be told of a checkpoint of this size now."""
    if told is None:
        return True
    if told.failure is not None:
        return now_ms - told.at >= RETRY_MS
    return told.size != size


def publish(ledger: Ledger, note: str, targets: Sequence[Target], *, now_ms: int) -> list[Publication]:
    """Tell every target that is due; how far each of them is now. None keeps another from being told."""
    size = read_checkpoint(note).size
    before = {told.target: told for told in ledger.publications()}
    answers = []
    for target in targets:
        told = before.get(target.name)
        if is_due(told, size=size, now_ms=now_ms):
            failure = _failure(ledger, note, target, size=size)
            reached = size if failure is None else told.size if told else None
            told = Publication(target=target.name, size=reached, at=now_ms, failure=failure)
            ledger.keep_publication(told)
        if told is not None:
            answers.append(told)
    return answers


def _failure(ledger: Ledger, note: str, target: Target, *, size: int) -> str | None:
    try:
        _check_continued(ledger, target.last(), size=size)
        target.publish(note, size=size)
    except PublicationFailed as error:
        _log.error("checkpoint of %d entries not published to %s: %s", size, target.name, error)
        return str(error)
    return None


def _check_continued(ledger: Ledger, last: Checkpoint | None, *, size: int) -> None:
    if last is not None and (last.size > size or ledger.root(last.size) != last.root):
        raise PublicationFailed(f"it holds a checkpoint of {last.size} entries that this ledger does not continue")
