"""All kinds of rankers by name."""

from collections.abc import Mapping
from typing import Final

from recommender.rankers import ease, item_knn, lightfm_hybrid, logistic, own, popularity, segments
from recommender.rankers.protocol import RankerKind

RANKERS: Final[Mapping[str, RankerKind]] = {
    kind.name: kind
    for kind in (popularity.KIND, segments.KIND, own.KIND, item_knn.KIND, ease.KIND, logistic.KIND, lightfm_hybrid.KIND)
}
"""Name -> kind, the simplest first."""
