"""Why a service is suggested, in words that are true of the facts named, or of our customers as a whole."""

from collections.abc import Iterator, Mapping
from typing import Final

from consent.purposes import SENSITIVE, attribute_purpose, category_purpose
from profiles.facet import Cell
from recommender.artifact import Artifact
from recommender.catalogue import Catalogue, Need, Service, Words
from recommender.features import Feature
from recommender.needs import EVIDENCE_MAX, NeedFound
from recommender.suggestion import Reason

COMPANIONS_MIN: Final = 5
"""People who must have taken one service after another before we say that customers do."""
REASONS_MAX: Final = 3

_POPULAR: Final = Words(en="Popular among our customers.", zh="深受我们客户的欢迎。")
_OPEN_TO_ALL: Final = Words(en="Part of what we offer every customer.", zh="这是我们向每位客户提供的服务。")


def need_reason(found: NeedFound) -> Reason:
    """The need in the catalogue's own words."""
    need = found.need
    return Reason(
        code=f"need:{need.id}",
        text=_filled(need, found.evidence.facts),
        evidence=found.evidence.keys,
        sensitive=need.sensitive,
        sayable=need.sayable,
    )


def model_reasons(
    service: Service,
    spoken: tuple[str, ...],
    *,
    features: Mapping[str, Feature],
    artifact: Artifact,
    catalogue: Catalogue,
) -> Iterator[Reason]:
    """What of the person spoke for the service, as far as it can be said truly: strongest first."""
    for name in spoken:
        kind, _, value = name.partition(":")
        _, cells = features[name]
        if not cells:
            continue
        if kind == "has" and value in catalogue.by_id and _goes_with(value, service.id, artifact):
            other = catalogue.by_id[value]
            yield Reason(
                code=name,
                text=Words(
                    en=f"Customers with “{other.name.en}” take this more often than others.",
                    zh=f"拥有“{other.name.zh}”的客户更常选择此项服务。",
                ),
                evidence=_keys(cells),
                sensitive=other.sensitive,
                sayable=not other.sensitive,
            )
        elif kind == "category":
            sensitive = category_purpose(value) == SENSITIVE
            yield Reason(
                code=name,
                text=Words(en=f"Goes with purchases in “{value}”.", zh=f"与“{value}”类购买相配。"),
                evidence=_keys(cells),
                sensitive=sensitive,
                sayable=not sensitive,
            )
        elif kind == "topic":
            text = Words(en=f"They contacted us about “{value}”.", zh=f"客户曾就“{value}”联系我们。")
            yield Reason(code=name, text=text, evidence=_keys(cells), sayable=False)
        elif kind == "described":
            attribute, _, stated = value.partition("=")
            text = Words(en=f"They told us: {attribute} is {stated}.", zh=f"客户告知：{attribute}为{stated}。")
            sensitive = attribute_purpose(attribute) == SENSITIVE
            yield Reason(code=name, text=text, evidence=_keys(cells), sensitive=sensitive, sayable=False)


def general_reason(service: Service, artifact: Artifact) -> Reason:
    """What is true for everyone: popular where at least its fair share of people took it, else simply on offer."""
    row = artifact.service_index.get(service.id)
    total = float(artifact.popularity.sum())
    if row is not None and total > 0 and float(artifact.popularity[row]) * len(artifact.popularity) >= total:
        return Reason(code="popular", text=_POPULAR)
    return Reason(code="on_offer", text=_OPEN_TO_ALL)


def _goes_with(held: str, service: str, artifact: Artifact) -> bool:
    """Tell whether more of those who had the one took the other later than of all customers."""
    index = artifact.service_index
    if held not in index or service not in index:
        return False
    both = float(artifact.companions[index[held], index[service]])
    had = float(artifact.popularity[index[held]])
    took, people = float(artifact.popularity[index[service]]), artifact.manifest.people
    return both >= COMPANIONS_MIN and both * people > took * had


def _keys(cells: tuple[Cell[object], ...]) -> tuple[str, ...]:
    newest = sorted(((cell.at, cell.key) for cell in cells), reverse=True)[:EVIDENCE_MAX]
    return tuple(key.hex() for _, key in newest)


def _filled(need: Need, count: int) -> Words:
    filled = {language: text.replace("{count}", str(count)) for language, text in need.reason.model_dump().items()}
    return Words(**filled)
