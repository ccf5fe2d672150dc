"""How a message says that one may leave: for e-mail in the headers mail programs know (RFC 8058)."""

from typing import Any

import pytest

from consent.tokens import Links
from outreach.message import message_of
from tests.builders import DAY, pseudonym
from tests.outreach.world import ANNA, CATALOGUE, EMAIL, LINKS, PUSH, TRIGGERS, OutreachWorld, agreed, three

HTTP = Links(tokens=LINKS.tokens, public_url="http://127.0.0.1:8080")


async def told(purpose: str) -> tuple[OutreachWorld, dict[str, Any]]:
    world = OutreachWorld()
    [message] = await world.told(*agreed(purpose), *three("coffee"))
    return world, message


async def test_an_e_mail_carries_the_headers_for_one_click() -> None:
    world, message = await told(EMAIL)
    headers, url = message["leave"]["headers"], message["leave"]["url"]
    [decision] = await world.decisions(ANNA)

    assert headers == {"List-Unsubscribe": f"<{url}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}
    assert url.startswith("https://rapport.example/v1/leave/")
    leave = LINKS.tokens.leave(url.rpartition("/")[2], now=decision.at + 399 * DAY)
    assert (leave.identity, leave.purpose) == (pseudonym(ANNA), EMAIL)


async def test_another_channel_carries_the_link_alone() -> None:
    _, message = await told(PUSH)

    assert message["leave"].keys() == {"url"}
    assert LINKS.tokens.leave(message["leave"]["url"].rpartition("/")[2], now=0).purpose == PUSH


@pytest.mark.parametrize("line_end", ["\r", "\n", " ", ",", ">"])
async def test_the_header_is_one_line_with_one_link(line_end: str) -> None:
    _, message = await told(EMAIL)

    assert line_end not in message["leave"]["url"]


async def test_one_click_is_promised_over_https_only() -> None:
    world, _ = await told(EMAIL)
    [decision] = await world.decisions(ANNA)

    message = message_of(
        decision,
        trigger=TRIGGERS.by_id[decision.trigger],
        service=CATALOGUE.by_id[decision.service or ""],
        links=HTTP,
    )

    assert b"http://127.0.0.1:8080/v1/leave/" in message
    assert b"List-Unsubscribe-Post" not in message


async def test_the_same_decision_is_the_same_message() -> None:
    assert (await told(EMAIL))[1] == (await told(EMAIL))[1]
