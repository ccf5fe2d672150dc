"""How far a replay came, kept in a small file so that the next start goes on there."""

import os
from pathlib import Path
from typing import NamedTuple

import msgspec


class ReplayState(msgspec.Struct, frozen=True, kw_only=True):
    """Where a replay stands: the first `acknowledged` sends of this `input` are safe on this `log` (its topic's id)."""

    input: str
    log: str
    acknowledged: int


class Resume(NamedTuple):
    """The place to begin at, with the reason in words for the person at the terminal."""

    at: int
    reason: str


class StateUnreadable(Exception):
    """The file is not a replay's state; it is neither followed nor overwritten."""


def resume(known: ReplayState | None, *, input_id: str, log_id: str) -> Resume:
    """Where to begin: at the state's place only if both the input and the log are the ones it speaks of."""
    if known is None:
        return Resume(0, "from the start")
    if known.log != log_id:
        return Resume(0, "from the start: the topic is another one than last time")
    if known.input != input_id:
        return Resume(0, "from the start: the input or what is asked of it changed since last time")
    return Resume(known.acknowledged, f"after the {known.acknowledged} acknowledged before")


def load_state(path: Path) -> ReplayState | None:
    """The state in the file, None where there is no file. StateUnreadable."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=ReplayState)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError) as error:
        raise StateUnreadable(f"{path} is not a replay's state; name another file with --state or remove it") from error


def save_state(path: Path, state: ReplayState) -> None:
    """Replace the file in one step: a reader sees the old state or the new one. StateUnreadable where it cannot be."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f"{path.name}.new")
        draft.write_bytes(msgspec.json.encode(state))
        os.replace(draft, path)  # noqa: PTH105  the step that is atomic, by its name
    except OSError as error:
        raise StateUnreadable(f"{path} cannot be written: {error.strerror}") from error
