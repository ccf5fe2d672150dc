"""Leaving and choosing, by link: no login, no script, and no more steps to leave than to agree.

A link is followed by mail programs and scanners too, so a GET changes nothing. What a POST says goes the way of every
consent act. Whoever holds a link may do what it was made for; nothing here tells who the person is.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated, Final, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Path, Request
from pydantic import ValidationError
from starlette.responses import HTMLResponse, RedirectResponse, Response

from api.consents import Act, ConsentRoutes
from api.customers import Ref, person
from api.documents import CHOICE_EXAMPLES, form_examples
from api.gate import Gate, asked
from api.limits import Limits
from api.preference_page import (
    GENERAL,
    HEADERS,
    NO_TO_ALL,
    Choice,
    language_of,
    leave_page,
    left_page,
    preferences_page,
    problem_page,
)
from api.problems import KINDS, problem_of
from api.refusal import Refusal
from api.services import Services
from api.waiting import PAUSE_S
from consent.door import Allowed, RefusalReason, Refused
from consent.notices import Language
from consent.purposes import CHARACTERISTICS, PURPOSES
from consent.tokens import LEAVE_PATH, PREFERENCES_PATH, VISIT_MS, can_be_left
from events.acts import Form
from events.shape import Code, Shape, format_time
from events.tokens import TokenInvalid
from profiles.view import PersonView

Token = Annotated[str, Path(description="the token of the link")]
CHOICES: Final = tuple(filter(can_be_left, PURPOSES))
"""The purposes a person decides about, in the order they are shown."""
_LINK_PROBLEMS: Final[Mapping[str, str]] = {"unknown-link": "unknown", "link-expired": "expired"}


class Link(Shape):
    """A link to the person's preferences, for them alone: whoever has it may see and change what was agreed to."""

    url: str
    expires_at: str


class Chosen(Shape):
    """What the buttons beside a purpose say; `notice` is the text that stood there."""

    say: Literal["given", "refused", "withdrawn"]
    purpose: Code
    notice: Code


@dataclass(frozen=True, slots=True)
class PreferenceRoutes:
    """Links, and what they lead to."""

    services: Services
    limits: Limits

    def mount(self, router: APIRouter) -> None:
        """Add the routes."""
        router.add_api_route(
            "/v1/customers/{ref}/preferences",
            self.link,
            methods=["POST"],
            response_model=Link,
            summary="Make a link to the person's preferences, to be given to them",
            tags=["preferences"],
        )
        for path, method, answer, summary in (
            (LEAVE_PATH, "GET", self.leaving, "Ask whether to take the purpose of this link back"),
            (LEAVE_PATH, "POST", self.leave, "Take the purpose of this link back, in one click (RFC 8058)"),
            (PREFERENCES_PATH, "GET", self.preferences, "See every purpose with its notice and what stands"),
        ):
            router.add_api_route(
                path, answer, methods=[method], response_class=HTMLResponse, summary=summary, tags=["preferences"]
            )
        router.add_api_route(
            PREFERENCES_PATH,
            self.choose,
            methods=["POST"],
            status_code=303,
            response_class=Response,
            summary="Say yes or no",
            openapi_extra=form_examples(CHOICE_EXAMPLES),
            tags=["preferences"],
        )

    async def link(self, ref: Ref) -> Link:
        """The link works for thirty days, on every device, without a login."""
        now = self.services.clock()
        url = self.services.links.preferences(self.services.refs.open(ref), now=now)
        return Link(url=url, expires_at=format_time(now + VISIT_MS))

    async def leaving(self, token: Token, request: Request) -> Response:
        """A page with one button. Nothing is changed by looking at it."""

        async def answer(language: Language) -> Response:
            leave = self.services.links.tokens.leave(token, now=self.services.clock())
            return _html(leave_page(leave.purpose, language=language))

        return await self._told(request, answer)

    async def leave(self, token: Token, request: Request) -> Response:
        """Any body will do, mail programs send `List-Unsubscribe=One-Click`. It denies from its acknowledgement.

        Doing it again is another no to what is closed already, and is answered the same.
        """

        async def answer(language: Language) -> Response:
            leave = self.services.links.tokens.leave(token, now=self.services.clock())
            self.limits.let_in_visitor(leave.identity)
            await self._say(leave.identity, Act(act="withdrawn", purpose=leave.purpose, channel="link"))
            return _html(left_page(leave.purpose, language=language))

        return await self._told(request, answer)

    async def preferences(self, token: Token, request: Request) -> Response:
        """A page with a yes and a no for each purpose, one step each."""

        async def answer(language: Language) -> Response:
            identity = self._visitor(token)
            after = asked(request).query.get("after")
            choices = await self._choices(identity, after=after or None)
            return _html(preferences_page(choices, language=language, is_saved=after is not None))

        return await self._told(request, answer)

    async def choose(self, token: Token, request: Request) -> Response:
        """Records what the buttons of the page say, and leads back to it."""

        async def answer(language: Language) -> Response:
            identity, said = self._visitor(token), asked(request).said
            after = ""
            for act in self._acts(said, language):
                written = await self._say(identity, act)
                # A no counts already. A yes is shown once it does.
                after = written if written is not None and act.act == "given" else ""
            query = urlencode({"lang": language, "after": after})
            return RedirectResponse(f"?{query}", 303, headers=HEADERS)

        return await self._told(request, answer)

    def _visitor(self, token: str) -> str:
        identity = self.services.links.tokens.visit(token, now=self.services.clock()).identity
        self.limits.let_in_visitor(identity)
        return identity

    async def _say(self, identity: str, act: Act) -> str | None:
        return (await ConsentRoutes(self.services).record(self.services.refs.seal(identity), act)).after

    async def _choices(self, identity: str, *, after: str | None) -> list[Choice]:
        ref = self.services.refs.seal(identity)
        if after is not None:
            # Whoever just said yes sees it. Where that takes longer, the page says what stands without it.
            with suppress(TimeoutError, Refusal, TokenInvalid):
                async with asyncio.timeout(self.services.freshness.wait_s):
                    await self._counts(ref, after)
        return self._stand(await person(self.services, ref, after=None))

    async def _counts(self, ref: str, after: str) -> None:
        """Return once what was said is folded, and no earlier no is on its way any more."""
        view = await person(self.services, ref, after=after)
        while any(_is_held(choice.answer) for choice in self._stand(view)):
            await asyncio.sleep(PAUSE_S)
            view = await person(self.services, ref, after=None)

    def _stand(self, view: PersonView) -> list[Choice]:
        now = self.services.clock()
        return [
            Choice(purpose, notice, view.permits(purpose, at=now, known_at=now))
            for purpose, notice in self.services.notices.told_of(CHOICES, at=now, known_at=now)
        ]

    def _acts(self, said: Mapping[str, str], language: Language) -> list[Act]:
        """What a button said, with the notice that stood beside it."""
        if said == {"say": GENERAL}:
            return [Act(act="withdrawn", purpose=CHARACTERISTICS, channel=_PAGE)]
        if said == {"say": NO_TO_ALL}:
            return [Act(act="withdrawn", purpose=purpose, channel=_PAGE) for purpose in CHOICES]
        try:
            chosen = Chosen.model_validate(said)
        except ValidationError:
            raise Refusal("invalid", "there is no such choice") from None
        notice = self.services.notices.by_ref(chosen.notice)
        if chosen.purpose not in CHOICES or notice is None or chosen.purpose not in notice.purposes:
            raise Refusal("invalid", "there is no such choice")
        # Each purpose has buttons of its own beside its notice: a yes is to this alone.
        form: Form | None = "separate" if chosen.say == "given" else None
        shown = {"notice": chosen.notice, "language": language}
        return [Act(act=chosen.say, purpose=chosen.purpose, form=form, channel=_PAGE, **shown)]

    async def _told(self, request: Request, answer: Callable[[Language], Awaitable[Response]]) -> Response:
        """The answer, or a page that says what is wrong."""
        language = language_of(asked(request).query.get("lang"), request.headers.get("accept-language"))
        try:
            return await answer(language)
        except Exception as error:  # noqa: BLE001 - each has its fate in the table of problems, told on a page
            problem = problem_of(error)
            response = _html(problem_page(_LINK_PROBLEMS.get(problem.kind, "failed"), language=language))
            response.status_code = problem.status
            if (wait := KINDS[problem.kind].retry_after_s) is not None:
                response.headers["Retry-After"] = str(problem.extra.get("retry_after", wait))
            return response


_PAGE: Final = "preferences"


def build(services: Services, gate: Gate) -> APIRouter:
    """The routes of this module behind the gate."""
    router = APIRouter(route_class=gate.route_class())
    PreferenceRoutes(services, gate.limits).mount(router)
    return router


def _is_held(answer: Allowed | Refused) -> bool:
    return isinstance(answer, Refused) and answer.because is RefusalReason.HELD


def _html(page: str) -> HTMLResponse:
    return HTMLResponse(page, headers=HEADERS)
