"""Who is the same person: the state of a link from both its halves, and the person those links make.

A link is kept as two halves, one with each identity, and everything here is a function of the acts both halves know,
never of the order in which they came. Only a *whole, verified* link shares; any other standing link restricts.
`docs/decisions/0010-one-person.md` says why each rule is as it is.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from profiles.facet import Cell, Edge, LinkAct

MEMBERS_MAX: Final = 32
"""Identities one person may have."""
READ_MAX: Final = 128
"""Identities one read may look at, those that only restrict included."""
SHARED_LINKS_MAX: Final = 5
"""Verified links a shared identifier may have before none of them shares any more."""
SHARED: Final = frozenset({"phone", "email", "device"})
"""Namespaces whose values people share in a family or a firm."""
PERMANENT: Final = frozenset({"app", "customer", "card", "person", "account"})
"""Namespaces we issue ourselves, one per customer: two of them are one person only where a link names both."""

LinkState = Literal["none", "half", "probable", "verified"]
Apartness = Literal["half", "probable", "shared_too_widely", "two_permanent"]
Graph = Mapping[str, Mapping[str, Edge]]
"""Identity -> its halves of links, by the identity at the other end."""


@dataclass(frozen=True, slots=True, order=True)
class Link:
    """A whole link between two identities (`first` < `second`) and the key of the event that said so."""

    first: str
    second: str
    key: bytes


@dataclass(frozen=True, slots=True, order=True)
class Apart:
    """A standing link that does not share: the identity at the far end, and why."""

    identity: str
    because: Apartness


@dataclass(frozen=True, slots=True)
class Component:
    """One person: the identities verified as the same, those that only restrict, the links relied on; all sorted."""

    members: tuple[str, ...]
    restricting: tuple[str, ...] = ()
    links: tuple[Link, ...] = ()
    apart: tuple[Apart, ...] = ()

    @property
    def canonical(self) -> str:
        """The smallest pseudonym, the same whichever member was looked up."""
        return self.members[0]

    @property
    def link_hash(self) -> str:
        """Names the set of members and links; a candidate that carries another one is keyed again."""
        said = [*self.members, *(f"{link.first} {link.second} {link.key.hex()}" for link in self.links)]
        return hashlib.blake2b("\n".join(said).encode(), digest_size=12).hexdigest()


def link_state(here: Edge | None, there: Edge | None) -> LinkState:
    """The state of a link, given both halves in any order.

    The newest act known to either half decides. An end counts as soon as one half knows it; a link is whole once both
    know it, and half until then.
    """
    act = _newest_act(here, there)
    if act is None or act.value.strength is None:
        return "none"
    if not (_knows(here, act.key) and _knows(there, act.key)):
        return "half"
    return "verified" if act.value.strength == "verified" else "probable"


def neighbours(edges: Mapping[str, Edge], *, verified_only: bool = False) -> set[str]:
    """The identities an identity's own halves link it to at present."""
    strengths = ("verified",) if verified_only else ("verified", "probable")
    return {other for other, edge in edges.items() if edge.acts and edge.acts[0].value.strength in strengths}


def still_to_read(identity: str, graph: Graph) -> set[str]:
    """The identities whose halves are needed before `component_of` can answer; empty when it can."""
    if not graph.get(identity):
        return {identity} - graph.keys()
    near = _verified_closure({identity}, graph)
    ends = {other for member in near & graph.keys() for other in neighbours(graph[member])}
    restricting = _verified_closure(ends, graph) - near
    asked = {other for end in restricting & graph.keys() for other in _passed(end, graph)}
    return (near | ends | restricting | asked) - graph.keys()


def component_of(identity: str, graph: Graph) -> Component:
    """The person the identity belongs to, among the identities of a graph that is complete for it."""
    if not graph[identity]:
        return Component(members=(identity,))
    person = _persons(graph)
    members = person[identity]
    links: set[Link] = set()
    apart: set[Apart] = set()
    restricting: set[str] = set()
    for member in members:
        for other in neighbours(graph[member]):
            state = link_state(graph[member].get(other), graph[other].get(member))
            if other in members:
                if state == "verified":
                    links.add(_link(member, other, graph))
            elif state != "none":
                apart.add(Apart(other, _why_apart(member, other, state, graph)))
                restricting |= person[other]
    return Component(
        members=tuple(sorted(members)),
        restricting=tuple(sorted(restricting)),
        links=tuple(sorted(links)),
        apart=tuple(sorted(apart)),
    )


def edges_fingerprint(graph: Graph) -> bytes:
    """16 bytes that change whenever a present link of any identity does."""
    digest = hashlib.blake2b(digest_size=16)
    for identity in sorted(graph):
        acts = ((other, edge.acts[0].key) for other, edge in graph[identity].items() if edge.acts)
        digest.update(identity.encode() + b"\x00")
        for other, key in sorted(acts):
            digest.update(other.encode() + key)
    return digest.digest()


def _newest_act(here: Edge | None, there: Edge | None) -> Cell[LinkAct] | None:
    acts = [edge.acts[0] for edge in (here, there) if edge is not None and edge.acts]
    return max(acts, key=lambda act: (act.at, act.key), default=None)


def _knows(edge: Edge | None, key: bytes) -> bool:
    return edge is not None and any(act.key == key for act in edge.acts)


def _link(one: str, other: str, graph: Graph) -> Link:
    first, second = sorted((one, other))
    return Link(first, second, graph[first][second].acts[0].key)


def _namespace(identity: str) -> str:
    return identity.partition(":")[0]


def _is_permanent(identity: str) -> bool:
    return _namespace(identity) in PERMANENT


def _is_shared_too_widely(identity: str, graph: Graph) -> bool:
    if _namespace(identity) not in SHARED:
        return False
    return len(neighbours(graph[identity], verified_only=True)) > SHARED_LINKS_MAX


def _passed(identity: str, graph: Graph) -> set[str]:
    """The far ends of an identity's verified halves, none where the identity is shared too widely."""
    return set() if _is_shared_too_widely(identity, graph) else neighbours(graph[identity], verified_only=True)


def _is_passable(one: str, other: str, graph: Graph) -> bool:
    if any(_is_shared_too_widely(end, graph) for end in (one, other)):
        return False
    return link_state(graph[one].get(other), graph[other].get(one)) == "verified"


def _verified_closure(identities: set[str], graph: Graph) -> set[str]:
    """All that whole, verified links lead to among what was read; far ends not yet read are included, not passed."""
    reached, waiting = set(identities), [identity for identity in identities if identity in graph]
    while waiting:
        here = waiting.pop()
        for other in _passed(here, graph) - reached:
            if other not in graph or _is_passable(here, other, graph):
                reached.add(other)
                waiting.extend({other} & graph.keys())
    return reached


def _persons(graph: Graph) -> dict[str, frozenset[str]]:
    """Every identity's person. An identifier that leads to two different permanent ones belongs to neither."""
    pairs = [(one, other) for one in graph for other in _passed(one, graph) & graph.keys() if one < other]
    passable = [pair for pair in pairs if _is_passable(*pair, graph)]
    within = [(one, other) for one, other in passable if _is_permanent(one) == _is_permanent(other)]
    across = [(one, other) for one, other in passable if _is_permanent(one) != _is_permanent(other)]
    groups = _grouped(graph, within)
    claims: dict[frozenset[str], set[frozenset[str]]] = {}
    for pair in across:
        permanent, passing = sorted(pair, key=_is_permanent, reverse=True)
        claims.setdefault(groups[passing], set()).add(groups[permanent])
    unambiguous = [
        (one, other) for one, other in across if len(claims[groups[other if _is_permanent(one) else one]]) == 1
    ]
    return _grouped(graph, [*within, *unambiguous])


def _grouped(identities: Iterable[str], pairs: Iterable[tuple[str, str]]) -> dict[str, frozenset[str]]:
    """The connected groups the pairs make, by member."""
    groups = {identity: {identity} for identity in identities}
    for one, other in pairs:
        if groups[one] is not groups[other]:
            groups[one] |= groups[other]
            for member in groups[other]:
                groups[member] = groups[one]
    frozen = {id(group): frozenset(group) for group in groups.values()}
    return {identity: frozen[id(group)] for identity, group in groups.items()}


def _why_apart(member: str, other: str, state: LinkState, graph: Graph) -> Apartness:
    if state == "half":
        return "half"
    if state == "probable":
        return "probable"
    if any(_is_shared_too_widely(end, graph) for end in (member, other)):
        return "shared_too_widely"
    return "two_permanent"
