"""The privacy officer over HTTP: a person's history, what was permitted on a day, who looked, what was refused, rates.

Answers come from the evidence, which is made from history and may be some seconds behind; `read_to` says how far it
is, and `after` waits for a write. Whoever looks at a person says what for, and that is noted first.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request

from api.customers import After, Ref
from api.gate import Gate
from api.looking import Purpose, Reason, note_look
from api.officer_cards import (
    Accesses,
    Denied,
    History,
    PermittedThen,
    Rates,
    Renewals,
    Sense,
    access_card,
    denied_of,
    identity_card,
    relied_on,
    renewal_card,
    sense_of,
    timeline,
)
from api.officer_rates import RatesOfTheDay
from api.refs import REF_CHARACTERS_MAX
from api.refusal import Refusal
from api.services import Services
from consent.accesses import Access
from consent.answer_figures import DAY_MS
from consent.evidence import Evidence
from consent.evidence_reading import EvidenceReading
from consent.purposes import PURPOSES
from events.partitioning import partition_of
from events.position import Position
from events.shape import Code, Time
from events.tokens import decode_token
from profiles.at_time import members_at, person_at
from profiles.renewal import agreed_to, renewal_of

ACCESSES_MAX: Final = 500
PAGE_MAX: Final = 500
SOON_DAYS: Final = 30
OLD_DAYS: Final = 730

Moment = Annotated[Time | None, Query(description="RFC 3339, such as 2026-03-01T09:30:00Z")]
Days = Annotated[int, Query(ge=1, le=36_500)]


@dataclass(frozen=True, slots=True)
class OfficerRoutes:
    """What only a privacy key may ask."""

    services: Services
    day: RatesOfTheDay = field(default_factory=RatesOfTheDay)

    def mount(self, router: APIRouter) -> None:
        """Add the routes."""
        for path, endpoint, summary in (
            ("/v1/officer/people/{ref}/history", self.history, "See all evidence about a person as a timeline"),
            ("/v1/officer/people/{ref}/permitted", self.permitted, "See what was permitted on a day, and why"),
            ("/v1/officer/people/{ref}/accesses", self.looks_at, "See who looked at a person, and what for"),
            ("/v1/officer/people/{ref}/denied", self.denied, "See which messages were refused, and why"),
            ("/v1/officer/accesses", self.looks, "See who looked at anybody, or broke the glass"),
            ("/v1/officer/rates", self.rates, "See how people answer, without telling of a few"),
            ("/v1/officer/renewals", self.renewals, "List whom to ask again"),
        ):
            router.add_api_route(path, endpoint, methods=["GET"], summary=summary, tags=["officer"])

    async def history(
        self, ref: Ref, request: Request, *, after: After = None, purpose: Purpose = None, reason: Reason = None
    ) -> History:
        """Acts, links, restrictions and rights of all identities that are verified as the person today."""
        identity = await self._looking(request, ref, what="history", purpose=purpose, reason=reason, after=after)
        return await asyncio.to_thread(self.history_of, identity, now=self.services.clock())

    def history_of(self, identity: str, *, now: int) -> History:
        """The evidence about the person an identity (a pseudonym) belongs to now (ms). Blocks."""
        refs = self.services.refs
        with self.services.evidence.reading() as evidence:
            members = members_at(identity, evidence.of, at=now)
            pieces = list(chain.from_iterable(evidence.of(members).values()))
            return History(
                identities=tuple(identity_card(each, refs) for each in members),
                timeline=timeline(pieces, refs),
                read_to=self._read_to(evidence, members),
            )

    async def permitted(
        self,
        ref: Ref,
        request: Request,
        *,
        at: Moment = None,
        known_at: Moment = None,
        after: After = None,
        purpose: Purpose = None,
        reason: Reason = None,
    ) -> PermittedThen:
        """Twice: going by what was known at that moment, and by what is known at `known_at` (now, if not said)."""
        identity = await self._looking(request, ref, what="permitted", purpose=purpose, reason=reason, after=after)
        now = self.services.clock()
        day, known = now if at is None else at, now if known_at is None else known_at
        if day > now or known > now:
            raise Refusal("invalid", "what will be permitted is not known before")
        return await asyncio.to_thread(self.permitted_at, identity, at=day, known_at=known)

    def permitted_at(self, identity: str, *, at: int, known_at: int) -> PermittedThen:
        """What was permitted at a moment, as it was known then and as it was known at another (ms). Blocks."""
        refs, rules = self.services.refs, self.services.persons.rules
        everything: dict[str, list[Evidence]] = {}
        senses: list[Sense] = []
        with self.services.evidence.reading() as evidence:
            for known in (at, known_at):
                view = person_at(identity, evidence.of, at=at, known_at=known, rules=rules)
                found = evidence.of((*view.members, *view.person.restricting))
                said = list(chain.from_iterable(found.values()))
                senses.append(sense_of(view, said, at=at, known_at=known, refs=refs))
                everything |= found
            pieces = list(chain.from_iterable(everything.values()))
            return PermittedThen(
                as_known=senses[0],
                in_hindsight=senses[1],
                relied_on=timeline(relied_on(senses, pieces), refs),
                read_to=self._read_to(evidence, everything),
            )

    async def looks_at(self, ref: Ref, request: Request, *, purpose: Purpose = None, reason: Reason = None) -> Accesses:
        """The latest looks at any of the person's identities, this one included.

        Of suggestions those of the last 30 days; they are noted with the receipt.
        """
        identity = await self._looking(request, ref, what="accesses", purpose=purpose, reason=reason)
        now = self.services.clock()

        def read() -> tuple[Sequence[str], list[Access]]:
            with self.services.evidence.reading() as evidence:
                members = members_at(identity, evidence.of, at=now)
            return members, self.services.accesses.of(members, limit=ACCESSES_MAX)

        members, found = await asyncio.to_thread(read)
        found += [look.access for look in await self.services.decisions.looks_at(members)]
        # A look at suggestions that broke the glass is noted in both places.
        latest = sorted(dict.fromkeys(found), key=lambda access: -access.at)[:ACCESSES_MAX]
        return Accesses(accesses=tuple(access_card(each, self.services.refs) for each in latest))

    async def denied(
        self, ref: Ref, request: Request, *, after: After = None, purpose: Purpose = None, reason: Reason = None
    ) -> Denied:
        """Messages of the last 90 days that were decided against, put off, or refused at the claim."""
        identity = await self._looking(request, ref, what="denied", purpose=purpose, reason=reason, after=after)
        now = self.services.clock()

        def read() -> tuple[str, ...]:
            with self.services.evidence.reading() as evidence:
                return members_at(identity, evidence.of, at=now)

        return denied_of(await self.services.outreach.decisions_of(await asyncio.to_thread(read)))

    async def looks(
        self,
        request: Request,
        *,
        since: Moment = None,
        broke_glass: Annotated[bool, Query()] = False,
        purpose: Purpose = None,
        reason: Reason = None,
    ) -> Accesses:
        """The latest looks since a moment (one day ago, if not said)."""
        await note_look(self.services, request, what="all accesses", purpose=purpose, reason=reason, must_declare=True)
        begin = self.services.clock() - DAY_MS if since is None else since
        found = await asyncio.to_thread(
            self.services.accesses.since, begin, broke_glass=broke_glass, limit=ACCESSES_MAX
        )
        return Accesses(accesses=tuple(access_card(each, self.services.refs) for each in found))

    async def rates(self) -> Rates:
        """By purpose, channel and notice, of all that was known when the day (UTC) began."""
        return await asyncio.to_thread(self.day.rates, self.services.evidence, now=self.services.clock())

    async def renewals(
        self,
        request: Request,
        *,
        about: Annotated[Code, Query(description="the purpose to ask about again")],
        soon_days: Days = SOON_DAYS,
        old_days: Days = OLD_DAYS,
        start: Annotated[
            str | None, Query(max_length=REF_CHARACTERS_MAX, description="`next` of the page before")
        ] = None,
        limit: Annotated[int, Query(ge=1, le=PAGE_MAX)] = PAGE_MAX,
        purpose: Purpose = None,
        reason: Reason = None,
    ) -> Renewals:
        """People whose agreement ended by itself, ends soon or has grown old. Whoever said no is not among them.

        A page looks at `limit` identities, so it may hold fewer people, or none, before the end.
        """
        if about not in PURPOSES:
            raise Refusal("invalid", "there is no such purpose")
        await note_look(self.services, request, what="renewals", purpose=purpose, reason=reason, must_declare=True)
        first = "" if start is None else self.services.refs.open(start)
        return await asyncio.to_thread(
            self.renewals_from, first, about, soon_days=soon_days, old_days=old_days, limit=limit
        )

    def renewals_from(self, first: str, purpose: str, *, soon_days: int, old_days: int, limit: int) -> Renewals:
        """The page after an identity (a pseudonym, or nothing) by name. Blocks."""
        now, refs, cards = self.services.clock(), self.services.refs, []
        with self.services.evidence.reading() as evidence:
            names = evidence.agreed_once(purpose, after=first, limit=limit)
            for name in names:
                view = person_at(name, evidence.of, at=now, known_at=now, rules=self.services.persons.rules)
                agreed = {
                    member: found for member, found in evidence.of(view.members).items() if _any_yes(found, purpose)
                }
                if name != min(agreed):
                    continue  # the person is listed once, under the first identity that agreed
                pieces = list(chain.from_iterable(agreed.values()))
                renewal = renewal_of(
                    view, pieces, purpose=purpose, now=now, soon_ms=soon_days * DAY_MS, old_ms=old_days * DAY_MS
                )
                if renewal is not None:
                    cards.append(renewal_card(name, renewal, refs))
        return Renewals(renewals=tuple(cards), next=refs.seal(names[-1]) if len(names) == limit else None)

    async def _looking(
        self,
        request: Request,
        ref: str,
        *,
        what: str,
        purpose: str | None,
        reason: str | None,
        after: str | None = None,
    ) -> str:
        """The identity that is looked at, once that was noted and the evidence has come as far as asked."""
        identity = self.services.refs.open(ref)
        if after is not None:
            ends, positions = await asyncio.to_thread(self._ends), decode_token(after)
            if not all(_is_taken(position, ends) for position in positions):
                raise Refusal("not-folded-yet", "what `after` names is not among the evidence yet")
        await note_look(
            self.services,
            request,
            what=what,
            identity=identity,
            purpose=purpose,
            reason=reason,
            must_declare=True,
        )
        return identity

    def _ends(self) -> Mapping[tuple[int, int], int]:
        with self.services.evidence.reading() as evidence:
            return evidence.ends()

    def _read_to(self, evidence: EvidenceReading, identities: Iterable[str]) -> tuple[str, ...]:
        """The next place to be read in each partition that one of the identities lies in."""
        partitions = self.services.admission.partitions
        mine = {partition_of(identity.encode(), partitions) for identity in identities}
        return tuple(str(Position(*where, end)) for where, end in sorted(evidence.ends().items()) if where[1] in mine)


def build(services: Services, gate: Gate) -> APIRouter:
    """The routes of this module behind the gate."""
    router = APIRouter(route_class=gate.route_class())
    OfficerRoutes(services).mount(router)
    return router


def _any_yes(pieces: Iterable[Evidence], purpose: str) -> bool:
    return any(agreed_to(piece, purpose) for piece in pieces)


def _is_taken(position: Position, ends: Mapping[tuple[int, int], int]) -> bool:
    """A later epoch lies behind every position of an earlier one."""
    return any(
        partition == position.partition and (epoch, end) > (position.epoch, position.offset)
        for (epoch, partition), end in ends.items()
    )
