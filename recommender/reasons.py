"""Why a service is suggested, in words that are true of the facts named, or of our customers as a whole."""

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from consent.purposes import SENSITIVE, attribute_purpose, category_purpose
from profiles.facet import Cell
from recommender.artifact import Artifact
from recommender.catalogue import Catalogue, Service
from recommender.features import Feature
from recommender.needs import EVIDENCE_MAX, NeedFound
from recommender.suggestion import Reason, Wording

COMPANIONS_MIN: Final = 5
"""People who must have taken one service after another before we say that customers do."""
POPULAR_MIN: Final = 5
"""People who must have taken a service before we call it popular."""
REASONS_MAX: Final = 3

_POPULAR: Final = Reason(code="popular", text=Wording(en="Popular among our customers.", zh="深受我们客户的欢迎。"))
_ON_OFFER: Final = Reason(
    code="on_offer", text=Wording(en="Part of what we offer every customer.", zh="这是我们向每位客户提供的服务。")
)


class Telling(NamedTuple):
    """How a feature is told of; `holds` is the service it says the person has, None for any other feature."""

    text: Wording
    sensitive: bool
    sayable: bool
    holds: str | None = None


def telling(feature: str, catalogue: Catalogue) -> Telling | None:
    """How the feature of that name is told of; None where it cannot be said."""
    kind, _, value = feature.partition(":")
    if kind == "has" and value in catalogue.by_id:
        other = catalogue.by_id[value]
        text = Wording(
            en=f"Customers with “{other.name.en}” take this more often than others.",
            zh=f"拥有“{other.name.zh}”的客户更常选择此项服务。",
        )
        return Telling(text, other.sensitive, sayable=not other.sensitive, holds=value)
    if kind == "category":
        sensitive = category_purpose(value) == SENSITIVE
        text = Wording(en=f"Goes with purchases in “{value}”.", zh=f"与“{value}”类购买相配。")
        return Telling(text, sensitive, sayable=not sensitive)
    if kind == "topic":
        text = Wording(en=f"They contacted us about “{value}”.", zh=f"客户曾就“{value}”联系我们。")
        return Telling(text, sensitive=False, sayable=False)
    if kind == "described":
        attribute, _, stated = value.partition("=")
        text = Wording(en=f"They told us: {attribute} is {stated}.", zh=f"客户告知：{attribute}为{stated}。")
        return Telling(text, attribute_purpose(attribute) == SENSITIVE, sayable=False)
    return None


def need_reason(found: NeedFound) -> Reason:
    """The need in the catalogue's own words."""
    need, count = found.need, str(found.evidence.facts)
    return Reason(
        code=f"need:{need.id}",
        text=Wording(en=need.reason.en.replace("{count}", count), zh=need.reason.zh.replace("{count}", count)),
        evidence=found.evidence.keys,
        sensitive=need.sensitive,
        sayable=need.sayable,
    )


def model_reasons(
    service: str,
    spoken: tuple[str, ...],
    *,
    features: Mapping[str, Feature],
    tellings: Mapping[str, Telling | None],
    artifact: Artifact,
) -> Iterator[Reason]:
    """What of the person spoke for the service, as far as it can be said truly: strongest first."""
    for name in spoken:
        told, (_, cells) = tellings[name], features[name]
        if told is None or not cells or (told.holds is not None and not _goes_with(told.holds, service, artifact)):
            continue
        yield Reason(code=name, text=told.text, evidence=_keys(cells), sensitive=told.sensitive, sayable=told.sayable)


def general_reason(service: Service, artifact: Artifact, *, people: float) -> Reason:
    """What is true for everyone: popular where at least its fair share of the people (all takings) took it."""
    row = artifact.service_index.get(service.id)
    if row is None:
        return _ON_OFFER
    took = artifact.popularity.item(row)
    return _POPULAR if took >= POPULAR_MIN and took * len(artifact.popularity) >= people else _ON_OFFER


def _goes_with(held: str, service: str, artifact: Artifact) -> bool:
    """Tell whether more of those who had the one took the other later than of all customers."""
    index = artifact.service_index
    if held not in index or service not in index:
        return False
    both = artifact.companions.item(index[held], index[service])
    had, took = artifact.popularity.item(index[held]), artifact.popularity.item(index[service])
    return both >= COMPANIONS_MIN and both * artifact.manifest.people > took * had


def _keys(cells: tuple[Cell[object], ...]) -> tuple[str, ...]:
    if len(cells) == 1:
        return (cells[0].key.hex(),)
    newest = sorted(((cell.at, cell.key) for cell in cells), reverse=True)[:EVIDENCE_MAX]
    return tuple(key.hex() for _, key in newest)
