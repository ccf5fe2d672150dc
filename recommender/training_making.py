"""From what was fitted, counted and judged to an artifact; and the plan all of it goes by."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from recommender.artifact import BLEND, POPULARITY, Arrays, Artifact, make_artifact
from recommender.blend import Blend
from recommender.calibration import Calibration
from recommender.catalogue import Catalogue
from recommender.interactions import Interactions
from recommender.manifest import Calibrated, Weight
from recommender.rankers.registry import RANKERS
from recommender.served import CALIBRATION, RANKER

Progress = Callable[[str, int, int], None]
"""Called with the step, what of it is done, and of how many."""


def quiet(_step: str, _done: int, _total: int) -> None:
    """Progress that nobody watches."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How to train and judge.

    `kinds` of rankers compete. A feature is used when at least `feature_people_min` people have it. Beyond
    `choose_share` of all takings the newer ones are chosen by, beyond `cut_share` judged by, on at least
    `judged_people_min` people.
    """

    kinds: tuple[str, ...] = tuple(RANKERS)
    feature_people_min: int = 5
    choose_share: float = 0.7
    cut_share: float = 0.85
    judged_people_min: int = 20
    judged_people_max: int = 2000

    def said(self) -> dict[str, int | float]:
        """The numbers, as they stand in the manifest."""
        return {name: getattr(self, name) for name in sorted(self.__slots__) if name != "kinds"}


def made(
    *,
    counts: Arrays,
    blend: Blend | None,
    calibration: Calibration | None,
    data: Interactions,
    catalogue: Catalogue,
    plan: Plan,
    **said: Any,
) -> Artifact:
    """The artifact of a blend (None: popularity serves) fitted on the data, with what was `counted` of them."""
    of_ranker = {} if blend is None else {f"{RANKER}.{name}": array for name, array in blend.arrays().items()}
    of_calibration = {} if calibration is None else calibration.arrays()
    defaults: dict[str, Any] = {
        "code": "",
        "policy": "",
        "ranker": POPULARITY if blend is None else BLEND,
        "gate": "",
        "window": None,
        "cut_off": None,
        "examples": len(data),
        "people": len(data.people),
        "metrics": {},
        "left_out": {},
        "calibrated": Calibrated(on="nothing"),
    }
    return make_artifact(
        arrays={**counts, **of_ranker, **{f"{CALIBRATION}.{name}": array for name, array in of_calibration.items()}},
        catalogue=catalogue.hash,
        plan=plan.said(),
        parts={} if blend is None else _parts(blend),
        services=data.items,
        features=data.feature_names,
        **{**defaults, **said},
    )


def _parts(blend: Blend) -> dict[str, Weight]:
    return {label: Weight(repeat=blend.repeat.get(label, 0.0), new=blend.new.get(label, 0.0)) for label in blend.parts}
