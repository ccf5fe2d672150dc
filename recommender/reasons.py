"""Why a service is suggested, in words that are true of the facts named, or of our customers as a whole."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Final, NamedTuple

from consent.purposes import SENSITIVE, attribute_purpose, category_purpose
from profiles.facet import Cell
from recommender.artifact import Artifact
from recommender.catalogue import Catalogue, Service
from recommender.features import Feature
from recommender.needs import EVIDENCE_MAX, Evidence, NeedFound
from recommender.personal import Owned, Taking
from recommender.suggestion import Reason, Wording

COMPANIONS_MIN: Final = 5
"""People who must have taken one service after another before we say that customers do."""
POPULAR_MIN: Final = 5
"""People who must have taken a service before we call it popular."""
REASONS_MAX: Final = 3
_EVIDENCE_MAX: Final = 5
"""Facts named for what any one of them shows; the newest ones."""

_OF_ALL: Final = {
    "orders:one": Wording(en="Ordered once within the last year.", zh="近一年下单一次。"),
    "orders:few": Wording(en="Ordered two or three times within the last year.", zh="近一年下单两到三次。"),
    "orders:many": Wording(en="Ordered more than three times within the last year.", zh="近一年下单三次以上。"),
    "complaint:open": Wording(en="They have a complaint that is open.", zh="客户有一项投诉尚未解决。"),
    "complaint:solved": Wording(en="A complaint of theirs was solved.", zh="客户的一项投诉已解决。"),
    "satisfaction:high": Wording(en="They were satisfied when last asked.", zh="客户最近一次评价为满意。"),
    "satisfaction:low": Wording(en="They were not satisfied when last asked.", zh="客户最近一次评价为不满意。"),
}

_POPULAR: Final = Reason(code="popular", text=Wording(en="Popular among our customers.", zh="深受我们客户的欢迎。"))
_ON_OFFER: Final = Reason(
    code="on_offer", text=Wording(en="Part of what we offer every customer.", zh="这是我们向每位客户提供的服务。")
)


class Telling(NamedTuple):
    """How a feature is told of; `holds` is the service it says the person has, None for any other feature."""

    code: str
    text: Wording
    sensitive: bool
    sayable: bool
    holds: str | None = None


def telling(feature: str, catalogue: Catalogue) -> Telling | None:
    """How the feature of that name is told of; None where it cannot be said.

    A `segment:` is a feature that others share who take the service more often; a service that a person `has` is told
    as one that goes `with` others.
    """
    kind, _, value = feature.partition(":")
    if kind == "segment":
        shared = _of_feature(value, catalogue)
        return None if shared is None or shared.holds else shared._replace(code=feature, text=_shared(shared.text))
    return _of_feature(feature, catalogue)


def _of_feature(feature: str, catalogue: Catalogue) -> Telling | None:
    kind, _, value = feature.partition(":")
    if kind in ("has", "with") and value in catalogue.by_id:
        other = catalogue.by_id[value]
        text = Wording(
            en=f"Customers with “{other.name.en}” take this more often than others.",
            zh=f"拥有“{other.name.zh}”的客户更常选择此项服务。",
        )
        return Telling(f"with:{value}", text, other.sensitive, sayable=not other.sensitive, holds=value)
    if kind == "category":
        sensitive = category_purpose(value) == SENSITIVE
        text = Wording(en=f"They have bought in “{value}”.", zh=f"客户购买过“{value}”类商品。")
        return Telling(feature, text, sensitive, sayable=not sensitive)
    if kind == "topic":
        text = Wording(en=f"They contacted us about “{value}”.", zh=f"客户曾就“{value}”联系我们。")
        return Telling(feature, text, sensitive=False, sayable=False)
    if kind == "described":
        attribute, _, stated = value.partition("=")
        text = Wording(en=f"They told us: {attribute} is {stated}.", zh=f"客户告知：{attribute}为{stated}。")
        return Telling(feature, text, attribute_purpose(attribute) == SENSITIVE, sayable=False)
    if (words := _OF_ALL.get(feature)) is not None:
        return Telling(feature, words, sensitive=False, sayable=kind == "orders")
    return None


def _shared(text: Wording) -> Wording:
    return Wording(
        en=f"{text.en} Customers like that take this more often than others.",
        zh=f"{text.zh}这类客户更常选择此项服务。",
    )


def need_reason(found: NeedFound) -> Reason:
    """The need in the catalogue's own words."""
    need, count = found.need, _said(found.evidence)
    return Reason(
        code=f"need:{need.id}",
        text=Wording(en=need.reason.en.replace("{count}", count), zh=need.reason.zh.replace("{count}", count)),
        evidence=found.evidence.keys,
        sensitive=need.sensitive,
        sayable=need.sayable,
    )


class Known(NamedTuple):
    """What reasons may rest on: of the person, what they took that may be told of; and of our customers.

    `held` are the latest of the takings `own`.
    """

    own: Owned
    held: Mapping[str, Taking]
    features: Mapping[str, Feature]
    tellings: Mapping[str, Telling | None]
    artifact: Artifact

    def cells(self, name: str) -> tuple[Cell[object], ...]:
        """The facts that a feature rests on."""
        kind, _, value = name.partition(":")
        if kind in ("has", "with"):
            taking = self.held.get(value)
            return () if taking is None else (Cell(taking.at, taking.key, None),)
        return self.features.get(value if kind == "segment" else name, (0.0, ()))[1]


def reasons_for(
    service: Service, spoken: Iterable[str] | None, *, needs: Iterable[NeedFound], known: Known
) -> Iterator[Reason]:
    """What of the person speaks for the service, each reason once: open needs, own habit, then what goes with it.

    `spoken` are the names of what the ranker went by, strongest first; None where none was asked.
    """
    by_need = (need_reason(each) for each in needs if service.id in each.need.suggests)
    told: set[str] = set()
    for reason in chain(by_need, _repeated(service, known), _modelled(service, spoken, known)):
        if reason.code not in told:
            told.add(reason.code)
            yield reason


def _repeated(service: Service, known: Known) -> Iterator[Reason]:
    if service.id not in known.own:
        return
    # An order with two lines of it is one taking.
    times = sorted({each.moment for each in known.own[service.id]}, reverse=True)
    yield Reason(
        code=f"repeat:{service.id}",
        text=_taken_before(len(times)),
        evidence=tuple(key.hex() for _, key in times),
        sensitive=service.sensitive,
        sayable=not service.sensitive,
    )


def _taken_before(times: int) -> Wording:
    if times == 1:
        return Wording(en="They have taken it before.", zh="客户曾选择过此项服务。")
    return Wording(en=f"They have taken it {times} times before.", zh=f"客户曾{times}次选择此项服务。")


def _modelled(service: Service, spoken: Iterable[str] | None, known: Known) -> Iterator[Reason]:
    """What the ranker went by, as far as it can be said truly; where none was asked, what it goes with of theirs."""
    for name in _companions(service, known) if spoken is None else spoken:
        told, cells = known.tellings[name], known.cells(name)
        if told is not None and cells:
            yield Reason(
                code=told.code, text=told.text, evidence=_keys(cells), sensitive=told.sensitive, sayable=told.sayable
            )


def _companions(service: Service, known: Known) -> Iterator[str]:
    return (f"with:{other}" for other in sorted(known.held) if _goes_with(other, service.id, known.artifact))


def general_reason(service: Service, artifact: Artifact, *, people: float) -> Reason:
    """What is true for everyone: popular where at least its fair share of the people (all takings) took it."""
    row = artifact.service_index.get(service.id)
    if row is None:
        return _ON_OFFER
    took = artifact.popularity.item(row)
    return _POPULAR if took >= POPULAR_MIN and took * len(artifact.popularity) >= people else _ON_OFFER


def _said(evidence: Evidence) -> str:
    return str(evidence.facts) if evidence.facts <= EVIDENCE_MAX else f"{EVIDENCE_MAX}+"


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
    newest = sorted({(cell.at, cell.key) for cell in cells}, reverse=True)[:_EVIDENCE_MAX]
    return tuple(key.hex() for _, key in newest)
