"""What suggestions bring: standing control groups, frozen at a person's first exposure.

Whoever lets suggestions be personal may be drawn into a group that is served less: `general` as if nothing were known
of them, `model` without open needs and without the reason of the contact. The group stands in the decision's id, as a
keyed mark that only this installation can read. So what was presented says on the log in which group it was, and that
is looked up nowhere: it comes with the person.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import Field, model_validator

from events.data_files import DataFiles
from events.shape import Code, Shape, Time
from profiles.facet import Suggestion
from recommender.catalogue import Catalogue

Arm = Literal["full", "model", "general"]
ARMS: Final[tuple[Arm, ...]] = ("full", "model", "general")

_FILE_BYTES_MAX: Final = 64 * 1024
_MARK_DIGITS: Final = 8
"""Hex digits at the end of a decision's id that tell the group; those before them tell decisions apart."""

Share = Annotated[float, Field(ge=0, le=0.5)]


class ExperimentInvalid(ValueError):
    """The file describes no experiment; the text names the place."""


_FILES: Final = DataFiles(bytes_max=_FILE_BYTES_MAX, invalid=ExperimentInvalid)


class Shares(Shape):
    """The share of people in each control group; everybody else is served in full."""

    general: Share = 0.0
    model: Share = 0.0


class Experiment(Shape):
    """A standing comparison. Another `name` draws everybody anew; exposures before `since` do not count."""

    version: Literal[1]
    name: Code
    since: Time
    shares: Shares

    @model_validator(mode="after")
    def _leaves_somebody(self) -> Self:
        if self.shares.general + self.shares.model > 0.5:
            raise ValueError("at least half of the people are served in full")
        return self


def load_experiment(path: Path) -> Experiment:
    """The experiment in a YAML file; ExperimentInvalid with the place otherwise."""
    return _FILES.shaped(Experiment, _FILES.parse(_FILES.read(path), name=path.name), name=path.name)


def drawn(identity: str, *, use: bytes, key: bytes = b"") -> float:
    """A number in [0, 1) that an identity always draws for one use (at most 16 bytes)."""
    digest = hashlib.blake2b(identity.encode(), digest_size=8, person=use, key=key).digest()
    return int.from_bytes(digest) / 2**64


def arm_of(suggestions: Mapping[str, Suggestion], *, canonical: str, experiment: Experiment, key: bytes) -> Arm:
    """The group of a person: that of their first exposure, whatever was linked since; before one it is drawn.

    `suggestions` are those of the person view. Chance is a hash of the canonical identity: facets do not keep which
    identity is the oldest, and what a measurement needs is that the group stays once somebody was exposed.
    """
    exposed = (
        (record.presented.at, record.presented.key, arm)
        for record_id, record in suggestions.items()
        if record.presented is not None
        and record.presented.at >= experiment.since
        and (arm := arm_in(record_id.partition(" ")[0], experiment=experiment.name, key=key)) is not None
    )
    if (first := min(exposed, default=None)) is not None:
        return first[2]
    chance = drawn(f"{experiment.name} {canonical}", use=b"uplift", key=key)
    if chance < experiment.shares.general:
        return "general"
    return "model" if chance < experiment.shares.general + experiment.shares.model else "full"


def marked(decision: str, group: str, *, key: bytes) -> str:
    """The id of a decision with a group (`experiment/arm`) in its last digits."""
    name = decision[:-_MARK_DIGITS]
    return name + _mark(name, group, key)


def arm_in(decision: str, *, experiment: str, key: bytes) -> Arm | None:
    """The group that was marked in an id; None where none of the experiment was."""
    name, mark = decision[:-_MARK_DIGITS], decision[-_MARK_DIGITS:]
    return next((arm for arm in ARMS if _mark(name, f"{experiment}/{arm}", key) == mark), None)


def _mark(name: str, group: str, key: bytes) -> str:
    return hashlib.blake2b(
        f"{name} {group}".encode(), key=key, digest_size=_MARK_DIGITS // 2, person=b"uplift mark"
    ).hexdigest()


def model_only(catalogue: Catalogue) -> Catalogue:
    """The catalogue without needs and contexts, as the group `model` is served by it."""
    if catalogue.hash not in _MODEL_ONLY:
        bare = {**catalogue.model_dump(mode="json"), "needs": (), "contexts": ()}
        _MODEL_ONLY[catalogue.hash] = Catalogue.model_validate(bare)
    return _MODEL_ONLY[catalogue.hash]


_MODEL_ONLY: Final[dict[str, Catalogue]] = {}
"""By the hash of the catalogue they were made from; a process serves few."""
