"""What a model says of itself: what it was fitted on, how its parts did, and which of them serves."""

from typing import Annotated, Final, Literal

from pydantic import Field

from events.shape import Code, Natural, Shape

ARTIFACT_FORMAT: Final = 2

Task = Literal["repeat", "new", "served"]
"""By the ranker's own order: anything, or only what is new to the person. Or by what the funnel then serves."""


class Measured(Shape):
    """A mean over people, with the ends of its 95 % bootstrap interval."""

    value: float
    low: float
    high: float


class Metrics(Shape):
    """How one ranker did after the cut-off: means over people, and recall in the first three averaged over services."""

    ndcg_at_10: Measured
    hit_rate_at_3: Measured
    macro_recall_at_3: float
    people: Natural
    targets: Natural


class Weight(Shape):
    """What a part of the blend is worth, for what people had before and for what they had not."""

    repeat: float
    new: float


class Calibrated(Shape):
    """What the probabilities were learnt from, and how they did on pairs of a person and a service seen later.

    `on`: answers to presented suggestions, choices within `horizon` (ms), or nothing. `ece` is the expected calibration
    error over ten bins; `brier_skill` how much smaller the Brier score is than that of the base rate alone.
    """

    on: Literal["answers", "choices", "nothing"]
    horizon: Natural = 0
    pairs: Natural = 0
    positives: Natural = 0
    judged_pairs: Natural = 0
    ece: float | None = None
    brier_skill: float | None = None


class Manifest(Shape):
    """What the arrays are and where they come from. Times are ms; `arrays` maps a file to the hash of its bytes.

    `ranker` is what serves: `popularity`, one of the `parts`, or `blend`. `left_out` are kinds of rankers that were not
    for these data, and why. `metrics` tell of each part and task. `policy` is the hash of the consent rules.
    """

    format: Literal[2]
    code: str
    catalogue: str
    policy: str
    ranker: str
    gate: str
    window: tuple[Natural, Natural] | None
    cut_off: Natural | None
    examples: Natural
    people: Natural
    plan: dict[str, int | float]
    parts: dict[str, Weight]
    left_out: dict[str, str]
    metrics: dict[str, dict[Task, Metrics]]
    calibrated: Calibrated
    services: tuple[Code, ...]
    features: Annotated[tuple[str, ...], Field(max_length=1_000_000)]
    arrays: dict[str, str]
