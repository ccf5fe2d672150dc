"""The rights of a person over HTTP, for the privacy officer: what an erasure would do, asking for it, how far it is.

Nothing is erased by this process. A request is kept durably, and `rapport keeper` carries it out. Restriction and
objection are facts: they close doors once they are folded, for every identity that is verified as the person.
"""

import asyncio
import secrets
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Path, Request

from api.auth import OWN_SOURCE
from api.customers import Ref, person
from api.documents import RIGHT_EXAMPLES, examples
from api.gate import Gate, asked
from api.looking import Purpose, Reason, note_look
from api.refusal import Refusal
from api.services import Services
from consent.rights import STEPS, Erasure, kinds_of, next_steps, suppression
from consent.rights_certificate import SURVIVORS
from consent.rights_requests import Asked
from events.identity import Described
from events.log import LogError
from events.own_facts import fact_of_occurrence
from events.position import Position
from events.shape import Shape, format_time
from events.tokens import encode_token
from profiles.view import PersonView

RequestId = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$", description="what asking for the erasure answered")]


class StepCard(Shape):
    """One place: what becomes of it, and whether that is done. `found` counts what was there."""

    does: str
    done_at: str | None = None
    found: Mapping[str, int] | None = None


class SurvivorCard(Shape):
    """Something that an erasure leaves."""

    where: str
    what: str
    until: str


class Plan(Shape):
    """What an erasure would do. Identities are named by kind; those that are not verified as the person stay."""

    identities: tuple[str, ...]
    not_verified_and_left: tuple[str, ...]
    steps: dict[str, StepCard]
    holds_now: dict[str, int]
    survives: tuple[SurvivorCard, ...]


class ErasureCard(Shape):
    """How far an erasure is. The certificate is a signed note; `rapport rights verify` checks it anywhere."""

    request: str
    asked_at: str
    identities: tuple[str, ...]
    not_verified_and_left: tuple[str, ...]
    status: Literal["under_way", "done"]
    steps: dict[str, StepCard]
    next: tuple[str, ...]
    certificate: str | None


class Erasures(Shape):
    """Erasures, the latest first."""

    erasures: tuple[ErasureCard, ...]


class Right(Shape):
    """What a person asked for: `restriction` of all but contract and law, or `objection` to being written to."""

    right: Literal["restriction", "objection"]
    ended: bool = False


class RightNoted(Shape):
    """Noted for so many identities; it holds once it is folded: hand `after` to a read to be sure of it."""

    identities: int
    after: str


_ATTRIBUTES: Final[Mapping[str, str]] = {"restriction": "restricted", "objection": "suppressed"}
_RESTRICTED: Final = Described(attributes={"restricted": True})


@dataclass(frozen=True, slots=True)
class RightsRoutes:
    """What only a privacy key may ask for."""

    services: Services

    def mount(self, router: APIRouter) -> None:
        """Add the routes."""
        people = "/v1/rights/people/{ref}"
        options: dict[str, Any] = {"tags": ["rights"]}
        router.add_api_route(
            f"{people}/plan", self.plan, methods=["GET"], summary="See what an erasure would do", **options
        )
        router.add_api_route(
            f"{people}/erasure",
            self.erase,
            methods=["POST"],
            status_code=202,
            summary="Ask for the erasure of a person",
            **options,
        )
        router.add_api_route(
            f"{people}/rights",
            self.exercise,
            methods=["POST"],
            status_code=202,
            summary="Note a restriction or an objection",
            openapi_extra=examples(RIGHT_EXAMPLES),
            **options,
        )
        router.add_api_route(
            "/v1/rights/erasures", self.erasures, methods=["GET"], summary="See all erasures", **options
        )
        router.add_api_route(
            "/v1/rights/erasures/{request}",
            self.status,
            methods=["GET"],
            summary="See how far an erasure is, and its certificate",
            **options,
        )

    async def plan(self, ref: Ref, request: Request, *, purpose: Purpose = None, reason: Reason = None) -> Plan:
        """A dry run: nothing is changed."""
        view = await self._looking(request, ref, what="erasure plan", purpose=purpose, reason=reason)
        members = view.members
        decided = await self.services.outreach.decisions_of(members)

        def held() -> dict[str, int]:
            with self.services.evidence.reading() as evidence:
                pieces = sum(map(len, evidence.of(members).values()))
            return {"pieces of evidence": pieces, "looks": len(self.services.accesses.of(members, limit=10_000))}

        records = {kind: len(getattr(view.service, kind)) for kind in view.service.__struct_fields__[1:]}
        counts = {**records, "messages decided": len(decided), **await asyncio.to_thread(held)}
        return Plan(
            identities=kinds_of(members),
            not_verified_and_left=kinds_of(view.person.restricting),
            steps={name: StepCard(does=step.does) for name, step in STEPS.items()},
            holds_now={name: count for name, count in counts.items() if count},
            survives=tuple(SurvivorCard(**each._asdict()) for each in SURVIVORS),
        )

    async def erase(self, ref: Ref, request: Request, *, purpose: Purpose = None, reason: Reason = None) -> ErasureCard:
        """It is carried out by itself from then on, whatever stops on the way. Asking again answers the same one.

        Until then the person is restricted: only contract and law go on.
        """
        view = await self._looking(request, ref, what="erasure", purpose=purpose, reason=reason)
        key = asked(request).key
        erasure = await asyncio.to_thread(
            self.services.rights.open,
            Asked(
                id=secrets.token_hex(16),
                identities=view.members,
                left=view.person.restricting,
                hashes=[suppression(each, key=self.services.suppression_key) for each in view.members],
                at=self.services.clock(),
                by=key.id if key else "",
            ),
        )
        # Heard of no later than the erasure, so whoever comes back is not restricted by it.
        with suppress(LogError):  # the erasure itself closes every door, once the log is there
            await self._note(view.members, _RESTRICTED, now=erasure.asked_at, name=erasure.id)
        return erasure_card(erasure)

    async def exercise(
        self, ref: Ref, said: Right, request: Request, *, purpose: Purpose = None, reason: Reason = None
    ) -> RightNoted:
        """One fact for every identity that is verified as the person."""
        view = await self._looking(request, ref, what=said.right, purpose=purpose, reason=reason)
        body = Described(attributes={_ATTRIBUTES[said.right]: not said.ended})
        positions = await self._note(view.members, body, now=self.services.clock(), name=secrets.token_hex(16))
        return RightNoted(identities=len(positions), after=encode_token(positions))

    async def _note(self, identities: Sequence[str], body: Described, *, now: int, name: str) -> list[Position]:
        facts = [
            fact_of_occurrence(body, identity=identity, source=OWN_SOURCE, name=name, at=now, now=now)
            for identity in identities
        ]
        return await self.services.log.append([self.services.admission.place(fact) for fact in facts])

    async def erasures(self) -> Erasures:
        """All that were ever asked for; whom they were about is not known any more once they are done."""
        found = await asyncio.to_thread(self.services.rights.listed)
        return Erasures(erasures=tuple(map(erasure_card, found)))

    async def status(self, request: RequestId) -> ErasureCard:
        """Step by step; the certificate once all of them are done."""
        found = await asyncio.to_thread(self.services.rights.find, request)
        if found is None:
            raise Refusal("unknown-request")
        return erasure_card(found)

    async def _looking(
        self, request: Request, ref: str, *, what: str, purpose: str | None, reason: str | None
    ) -> PersonView:
        identity = self.services.refs.open(ref)
        await note_look(
            self.services,
            request,
            what=what,
            identity=identity,
            purpose=purpose,
            reason=reason,
            must_declare=True,
        )
        return await person(self.services, ref, after=None)


def erasure_card(erasure: Erasure) -> ErasureCard:
    """How far an erasure is, as it is told."""
    done = erasure.done
    steps = {
        name: StepCard(
            does=step.does,
            done_at=format_time(done[name].at) if name in done else None,
            found=dict(done[name].found) if name in done else None,
        )
        for name, step in STEPS.items()
    }
    return ErasureCard(
        request=erasure.id,
        asked_at=format_time(erasure.asked_at),
        identities=erasure.kinds,
        not_verified_and_left=erasure.left,
        status="under_way" if erasure.certificate is None else "done",
        steps=steps,
        next=tuple(next_steps(done)),
        certificate=erasure.certificate,
    )


def build(services: Services, gate: Gate) -> APIRouter:
    """The routes of this module behind the gate."""
    router = APIRouter(route_class=gate.route_class())
    RightsRoutes(services).mount(router)
    return router
