"""All kinds of rankers by name."""

from collections.abc import Mapping
from typing import Final

from recommender.rankers import popularity
from recommender.rankers.protocol import RankerKind

RANKERS: Final[Mapping[str, RankerKind]] = {kind.name: kind for kind in (popularity.KIND,)}
"""Name -> kind, the simplest first."""
