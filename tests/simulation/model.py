"""What has to be true, worked out from the log alone and with nothing of the product's fold, door or links.

It reads each record once, as it is appended, and knows of every identity which facts count, in which order.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from consent.purposes import PURPOSES
from events.acts import ConsentAct, Granting
from events.fact import Fact, FactUndecodable, decode_fact
from events.feedback import ComplaintFiled
from events.identity import Linked, Unlinked
from events.partitioning import partition_of
from events.service import CaseEscalated, CaseResolved
from events.transactions import Purchased
from streams.frame import Record

NEEDS: Final[Mapping[str, tuple[str, ...]]] = {
    "suggest.personal": ("suggest.personal", "profile.build"),
    "outreach.push": ("outreach.push", "suggest.personal", "profile.build"),
    "outreach.email": ("outreach.email", "suggest.personal", "profile.build"),
}
"""Purpose -> all that have to be agreed to for it."""

Place = tuple[int, int]
"""(epoch, offset)."""
ActName = tuple[str, bytes]
"""(identity, event key)."""


class Entry(NamedTuple):
    """A fact that counts, and where it stands."""

    place: Place
    fact: Fact


class LetterName(NamedTuple):
    """The record that a dead letter is about."""

    topic: str
    epoch: int
    partition: int
    offset: int


class Counted(NamedTuple):
    """What is known of one identity in the end, counted by hand."""

    orders: Mapping[str, int]
    complaints: frozenset[str]
    resolved: frozenset[str]
    escalated: frozenset[str]
    grants: frozenset[tuple[str, bytes]]
    latest_noes: Mapping[str, tuple[int, int]]
    links: Mapping[str, str | None]


@dataclass
class Model:
    """The log as read so far; `folded` is how far the store says that each partition is."""

    partitions: int
    known: dict[str, list[Entry]] = field(default_factory=lambda: defaultdict(list))
    letters: dict[LetterName, str] = field(default_factory=dict)
    folded: dict[int, Place] = field(default_factory=dict)
    noes: dict[ActName, Fact] = field(default_factory=dict)
    on_log: set[ActName] = field(default_factory=set)
    _digests: dict[ActName, bytes] = field(default_factory=dict)

    def appended(self, topic: str, *, epoch: int, partition: int, record: Record) -> None:
        """A record stands on `rapport.events`: it counts, or repeats one that does, or is a dead letter."""
        letter = LetterName(topic, epoch, partition, record.offset)
        try:
            fact = decode_fact(record.value)
        except FactUndecodable:
            self.letters[letter] = "undecodable"
            return
        if record.key != fact.identity.encode() or partition_of(record.key, self.partitions) != partition:
            self.letters[letter] = "undecodable"
            return
        name = (fact.identity, fact.event_key)
        self.on_log.add(name)
        if name in self._digests:
            if self._digests[name] != fact.digest:
                self.letters[letter] = "conflict"
        elif isinstance(fact.body, ConsentAct) and fact.body.purpose not in PURPOSES:
            self.letters[letter] = "unknown_purpose"
        else:
            self._digests[name] = fact.digest
            self.known[fact.identity].append(Entry((epoch, record.offset), fact))

    def recent(self, identity: str, *, until: Place) -> bytes:
        """The window of known events a facet has when the log is folded to a place."""
        entries = self.known.get(identity, ())
        return b"".join(each.fact.event_key + each.fact.digest for each in entries if each.place < until)

    def folded_facts(self, identity: str) -> list[Fact]:
        """The facts of an identity that the store has folded by now."""
        return [each.fact for each in self.known.get(identity, ()) if each.place < self._until(identity)]

    def as_first_told(self, fact: Fact) -> Fact:
        """The fact as it counts: said again under the same key, at another time, it is still what was said first."""
        entries = self.known.get(fact.identity, ())
        return next((each.fact for each in entries if each.fact.event_key == fact.event_key), fact)

    def is_folded(self, name: ActName) -> bool:
        """Tell whether the fact is folded by now."""
        return any(fact.event_key == name[1] for fact in self.folded_facts(name[0]))

    def person(self, identity: str) -> frozenset[str]:
        """The identities that whole, verified links make one person by now, as both halves know them."""
        reached, waiting = {identity}, [identity]
        while waiting:
            here = waiting.pop()
            for other, act in self._links(here).items():
                if other not in reached and act is not None and self._links(other).get(here) == act:
                    reached.add(other)
                    waiting.append(other)
        return frozenset(reached)

    def kin(self, identity: str) -> frozenset[str]:
        """Every identity that any link on the log ever led to."""
        reached, waiting = {identity}, [identity]
        while waiting:
            said = (entry.fact.body for entry in self.known.get(waiting.pop(), ()))
            near = {body.other for body in said if isinstance(body, Linked)} - reached
            reached |= near
            waiting += sorted(near)
        return frozenset(reached)

    def standing_noes(self, identities: Iterable[str]) -> list[Fact]:
        """Every no that binds the identities by now: folded, or acknowledged."""
        wanted = set(identities)
        told = [fact for (identity, _), fact in self.noes.items() if identity in wanted]
        folded = [fact for each in wanted for fact in self.folded_facts(each) if _is_no(fact)]
        return told + folded

    def grants(self, identities: Iterable[str]) -> list[Fact]:
        """Every yes of the identities that is folded by now."""
        return [fact for each in set(identities) for fact in self.folded_facts(each) if isinstance(fact.body, Granting)]

    def counted(self, identity: str) -> Counted:
        """All facts of the log about an identity, counted."""
        facts = [each.fact for each in self.known.get(identity, ())]
        orders: dict[str, tuple[tuple[int, bytes], int]] = {}
        latest_noes: dict[str, tuple[int, int]] = {}
        for fact in facts:
            if isinstance(fact.body, Purchased):
                said = (fact.order, fact.body.total.amount)
                orders[fact.body.order_id] = max(said, orders.get(fact.body.order_id, said))
            elif isinstance(fact.body, ConsentAct) and not isinstance(fact.body, Granting):
                before = latest_noes.get(fact.body.purpose, (-1, -1))
                latest_noes[fact.body.purpose] = (
                    max(before[0], fact.effective_at),
                    max(before[1], fact.received_at),
                )
        return Counted(
            orders={order_id: amount for order_id, (_, amount) in orders.items()},
            complaints=frozenset(f.body.case_id for f in facts if isinstance(f.body, ComplaintFiled)),
            resolved=frozenset(f.body.case_id for f in facts if isinstance(f.body, CaseResolved)),
            escalated=frozenset(f.body.case_id for f in facts if isinstance(f.body, CaseEscalated)),
            grants=frozenset((f.body.purpose, f.event_key) for f in facts if isinstance(f.body, Granting)),
            latest_noes=latest_noes,
            links={other: strength for other, (_, strength) in _newest_links(facts).items()},
        )

    def _until(self, identity: str) -> Place:
        return self.folded.get(partition_of(identity.encode(), self.partitions), (0, 0))

    def _links(self, identity: str) -> dict[str, bytes | None]:
        """The other ends, each with the event of the newest act; None where that ended the link."""
        newest = _newest_links(self.folded_facts(identity))
        return {other: at[1] if strength == "verified" else None for other, (at, strength) in newest.items()}


def may(purpose: str, *, grants: Iterable[Fact], noes: Iterable[Fact], at: int) -> bool:
    """Tell whether some yes to all that the purpose needs is later than every no, in both times. At most too kind."""
    said, against = list(grants), list(noes)
    return all(_agreed(need, said, against, at) for need in NEEDS[purpose])


def _agreed(purpose: str, grants: list[Fact], noes: list[Fact], at: int) -> bool:
    against = [no for no in noes if isinstance(no.body, ConsentAct) and no.body.purpose == purpose]
    return any(
        grant.body.purpose == purpose
        and grant.effective_at <= at
        and (not grant.body.expires_at or at < grant.body.expires_at)
        and all(grant.effective_at > no.effective_at and grant.received_at > no.received_at for no in against)
        for grant in grants
        if isinstance(grant.body, Granting)
    )


def _is_no(fact: Fact) -> bool:
    return isinstance(fact.body, ConsentAct) and not isinstance(fact.body, Granting)


def _newest_links(facts: Iterable[Fact]) -> dict[str, tuple[tuple[int, bytes], str | None]]:
    newest: dict[str, tuple[tuple[int, bytes], str | None]] = {}
    for fact in facts:
        if isinstance(fact.body, Linked | Unlinked):
            strength = fact.body.strength if isinstance(fact.body, Linked) else None
            said = ((fact.effective_at, fact.event_key), strength)
            before = newest.get(fact.body.other)
            if before is None or said[0] > before[0]:
                newest[fact.body.other] = said
    return newest
