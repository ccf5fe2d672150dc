"""The client that commands ask the API with: patient where a moment later helps, and no longer than it is told."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from api.auth import Role
from commands.client import ApiUnusable, Client
from tests.waiting import HANGS_S

REFUSED = {"allowed": False, "detail": "no"}
HELD = {"suggest.personal": {**REFUSED, "because": "held"}, "model.train": {**REFUSED, "because": "never_asked"}}
GIVEN = {"suggest.personal": {"allowed": True, "because": None}, "model.train": {**REFUSED, "because": "never_asked"}}


class Api(httpx.BaseTransport):
    """Gives its answers one after the other, the last one again and again."""

    def __init__(self, *answers: httpx.Response) -> None:
        self.answers = list(answers)
        self.asked = 0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.asked += 1
        given = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return httpx.Response(given.status_code, headers=given.headers, content=given.content, request=request)


def standing(consents: dict[str, Any]) -> httpx.Response:
    return httpx.Response(200, json={"consents": consents})


def later() -> httpx.Response:
    return httpx.Response(503, headers={"Retry-After": "0"}, json={"title": "Not folded yet"})


def asking(api: Api, ask: Callable[[Client], Any], *, patience_s: float = HANGS_S) -> Any:
    with httpx.Client(transport=api, base_url="http://api") as http:
        return ask(Client(http, dict.fromkeys(Role, "key"), patience_s))


def test_a_yes_is_read_back_once_the_no_before_it_is_let_go_of() -> None:
    api = Api(standing(HELD), standing(HELD), standing(GIVEN))

    assert asking(api, lambda client: client.consents("ref", after="token")) == GIVEN
    assert api.asked == 3


def test_whoever_just_looks_sees_a_no_that_is_on_its_way() -> None:
    api = Api(standing(HELD), standing(GIVEN))

    assert asking(api, lambda client: client.consents("ref")) == HELD


def test_a_no_that_stays_on_its_way_is_told_in_the_end() -> None:
    api = Api(standing(HELD))

    assert asking(api, lambda client: client.consents("ref", after="token"), patience_s=0) == HELD


def test_what_is_not_folded_yet_is_asked_for_again() -> None:
    api = Api(later(), later(), httpx.Response(200, json={"known": True}))

    assert asking(api, lambda client: client.card("ref", after="token")) == {"known": True}
    assert api.asked == 3


def test_what_is_not_folded_in_the_end_is_said() -> None:
    with pytest.raises(ApiUnusable, match="Not folded yet"):
        asking(Api(later()), lambda client: client.card("ref", after="token"), patience_s=0)
