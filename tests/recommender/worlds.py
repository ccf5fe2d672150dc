"""Worlds whose right answer is known, and short ways to put facts into history and into a person view."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from consent.purposes import PROFILE, TRAIN
from consent.rules import shipped_rules
from events.fact import Fact
from events.position import Position
from profiles.facet import Facet
from profiles.fold import fold
from profiles.links import component_of
from profiles.permitted import permitted_facts
from profiles.view import Loaded, PersonView, view_of
from recommender.artifact import Artifact
from recommender.canonical import canonical_json
from recommender.catalogue import Catalogue, load_catalogue, parse_catalogue
from recommender.choices import histories
from recommender.personal import Ground
from recommender.reading import input_of
from recommender.suggest import suggest
from recommender.suggestion import Answer, SuggestionInput
from recommender.training import train_on
from recommender.training_making import Plan
from tests.builders import DAY, NOW, admitted, consent, fact, pseudonym

DEFAULT = load_catalogue()
KEY = b"a key for decisions in tests"
CODE = "test"
SMALL = Plan(feature_people_min=2, judged_people_min=5)


def log_of(facts: Iterable[Fact], *, epoch: int = 1) -> Callable[[], Iterator[tuple[Position, Fact]]]:
    """History as `permitted_facts` reads it: each identity on its partition, offsets in the order given."""
    ends: dict[int, int] = {}
    rows = []
    for some in facts:
        partition = admitted(some).partition
        offset = ends.get(partition, 0)
        ends[partition] = offset + 1
        rows.append((Position(epoch, partition, offset), some))
    rows.sort(key=lambda row: row[0])
    return lambda: iter(rows)


def view(*facts: Fact, identity: str = "app:42", at: int = NOW) -> PersonView:
    """The person after the facts, read at `at`."""
    facets: dict[str, Facet] = {pseudonym(identity): Facet()}
    for some in facts:
        facets[some.identity] = fold(facets.get(some.identity, Facet()), some).facet
    loaded = {each: Loaded(facet) for each, facet in facets.items()}
    graph = {each: facet.edges for each, facet in facets.items()}
    return view_of(
        pseudonym(identity), component_of(pseudonym(identity), graph), loaded, read_at=at, rules=shipped_rules()
    )


def person(*facts: Fact, identity: str = "app:42", at: int = NOW, catalogue: Catalogue = DEFAULT) -> SuggestionInput:
    """The person as the recommender may see them after the facts."""
    return input_of(view(*facts, identity=identity, at=at), catalogue=catalogue, ref="ref-1", now=at)


def answer(
    who: SuggestionInput, *, artifact: Artifact, catalogue: Catalogue, channel: str | None = "desk", k: int = 10
) -> Answer:
    """Suggestions for the person now."""
    return suggest(who, artifact=artifact, catalogue=catalogue, channel=channel, k=k, now=NOW, key=KEY)


def services(given: Answer) -> list[str]:
    """The services suggested, best first."""
    return [suggestion.service for suggestion in given.suggestions]


def agreed(*purposes: str, identity: str = "app:42", at: int = NOW - 400 * DAY) -> list[Fact]:
    """Grants of the purposes."""
    return [consent("given", purpose, identity=identity, at=at) for purpose in purposes]


def subscribed(service: str, *, identity: str = "app:42", at: int = NOW - DAY) -> Fact:
    """A running service taken up."""
    return fact("transaction.subscribed", identity=identity, at=at, subscription_id=f"sub-{service}", service=service)


def catalogue_of(*ids: str, needs: Sequence[dict[str, Any]] = (), **extra: dict[str, Any]) -> Catalogue:
    """A catalogue of plain services with these ids, and a fallback; `extra` adds fields by id (with _ for -)."""
    words = {"en": "words", "zh": "话"}
    entries = [
        {"id": each, "name": {"en": each, "zh": each}, "say": words, "issue": "serve", "group": "all"}
        | extra.get(each.replace("-", "_"), {})
        for each in ids
    ]
    fallback = {
        "id": "else",
        "name": words,
        "say": words,
        "issue": "serve",
        "group": "all",
        "fallback": True,
        "prior": 0,
    }
    content = {"version": 1, "staff_channels": ["desk"], "services": [*entries, fallback], "needs": list(needs)}
    return parse_catalogue(canonical_json(content))


def grounds(*purposes: str) -> tuple[Ground, ...]:
    """Purposes that allow."""
    return tuple(Ground(purpose=purpose, basis="consent") for purpose in purposes)


CHECKERBOARD = catalogue_of(*(f"s{number}" for number in range(10)))
"""Even customers take even services, odd ones odd; each misses one, and that one is the right answer."""


def missed_by(customer: int) -> str:
    """The service of the customer's colour that they have not taken yet."""
    return _colour(customer)[customer // 2 % 5]


def taken_by(customer: int) -> list[Fact]:
    """Consents, and the services of the customer's colour but one, a day apart, in an order of their own."""
    identity = f"app:{customer}"
    rotated = _colour(customer)[customer // 2 % 5 + 1 :] + _colour(customer)[: customer // 2 % 5]
    turned = rotated[::-1] if customer % 4 < 2 else rotated
    begun = NOW - 40 * DAY
    return [
        *agreed(TRAIN, PROFILE, identity=identity, at=begun - DAY),
        *(subscribed(each, identity=identity, at=begun + place * DAY) for place, each in enumerate(turned)),
    ]


def _colour(customer: int) -> list[str]:
    return [f"s{number}" for number in range(customer % 2, 10, 2)]


def trained(facts: Sequence[Fact], *, catalogue: Catalogue, plan: Plan = SMALL) -> Artifact:
    """A model of the facts, by the steps of a real training."""
    made = histories(permitted_facts(log_of(facts), purpose=TRAIN, at=NOW, rules=shipped_rules()))
    return train_on(made, catalogue=catalogue, code=CODE, plan=plan)
