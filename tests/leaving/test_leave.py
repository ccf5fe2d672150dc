"""The link in a message: one click, no login, one purpose."""

import logging

import pytest

from api.app import build_api
from api.limits import BURST_S, VISITOR_RATE, VISITORS_MAX, Limits
from consent.holds import ConsentStoreUnavailable
from consent.memory_holds import MemoryHolds
from consent.rules import shipped_rules
from consent.tokens import LEAVE_MS
from profiles.person import PersonReader
from tests.api.world import World, problem
from tests.builders import DAY, HOUR, NOW, PARTITIONS, consent, linked, pseudonym
from tests.leaving.browser import Browser, read
from tests.outreach.world import OutreachWorld, three
from tests.outreach.world import agreed as agreed_to

EMAIL = "outreach.email"
ANNA = "email:anna@example.test"
ONE_CLICK = {"List-Unsubscribe": "One-Click"}


def link(world: World, *, identity: str = ANNA, purpose: str = EMAIL) -> str:
    return world.services.links.leave(pseudonym(identity), purpose, now=world.now)


def path(url: str) -> str:
    return url.removeprefix("https://rapport.example")


async def because(world: World, purpose: str = EMAIL, *, identity: str = ANNA) -> str | None:
    answer = await world.ask("GET", f"/v1/customers/{await world.ref(identity)}/consents")
    found: str | None = answer.json()["consents"][purpose]["because"]
    return found


async def agreed(world: World, *, at: int = NOW - DAY, identity: str = ANNA) -> None:
    await world.happened(
        *(consent("given", each, identity=identity, at=at) for each in ("profile.build", "suggest.personal", EMAIL))
    )
    assert await because(world, identity=identity) is None


async def test_one_click_denies_before_anything_is_folded(world: World) -> None:
    await agreed(world)

    answer = await world.ask("POST", path(link(world)), key=None, data=ONE_CLICK)

    assert answer.status_code == 200
    assert await because(world) == "held"
    await world.fold()
    assert await because(world) == "withdrawn"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"data": ONE_CLICK},
        {"files": {"List-Unsubscribe": (None, "One-Click")}},
        {"content": b"\x00\xff", "headers": {"Content-Type": "text/odd"}},
    ],
)
async def test_whatever_a_mail_program_sends_along_it_is_a_no(world: World, body: dict[str, object]) -> None:
    await agreed(world)

    answer = await world.ask("POST", path(link(world)), key=None, **body)

    assert answer.status_code == 200
    assert await because(world) == "held"


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
async def test_a_mail_scanner_that_follows_the_link_changes_nothing(world: World, method: str) -> None:
    await agreed(world)

    await world.ask(method, path(link(world)), key=None)
    await world.fold()

    assert await because(world) is None
    assert not any(world.log.records("rapport.events", partition)[3:] for partition in range(PARTITIONS))


async def test_a_used_link_is_answered_the_same(world: World) -> None:
    await agreed(world)
    url = link(world)
    first = await world.ask("POST", path(url), key=None, data=ONE_CLICK)
    await world.fold()
    world.now += HOUR

    again = await world.ask("POST", path(url), key=None, data=ONE_CLICK)
    await world.fold()

    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert dict(again.headers) == dict(first.headers)
    assert await because(world) == "withdrawn"


async def test_an_old_link_still_works_after_a_newer_yes(world: World) -> None:
    await agreed(world)
    url = link(world)
    await world.ask("POST", path(url), key=None, data=ONE_CLICK)
    await world.fold()
    world.now += HOUR
    await world.happened(consent("given", EMAIL, identity=ANNA, at=world.now))
    assert await because(world) is None
    world.now += 1

    await world.ask("POST", path(url), key=None, data=ONE_CLICK)

    assert await because(world) == "held"
    await world.fold()
    assert await because(world) == "withdrawn"


async def test_it_takes_back_its_purpose_and_no_other(world: World) -> None:
    await agreed(world)

    await world.ask("POST", path(link(world)), key=None, data=ONE_CLICK)
    await world.fold()

    assert await because(world, "suggest.personal") is None


async def test_it_covers_the_whole_person(world: World) -> None:
    await world.happened(linked(ANNA, "app:42"))
    await agreed(world, identity="app:42")

    await world.ask("POST", path(link(world)), key=None, data=ONE_CLICK)

    assert await because(world, identity="app:42") == "held"


async def test_the_link_of_a_message_stops_that_very_message(world: World) -> None:
    decided = OutreachWorld()
    decided.people.holds = world.holds
    messages = await decided.told(*agreed_to(EMAIL), *three("coffee"))
    [message] = messages
    world.with_services(
        persons=PersonReader(decided.people, rules=shipped_rules()), outreach=decided.records, claims=decided.claims
    )

    left = await world.ask("POST", path(message["leave"]["url"]), key=None, data=ONE_CLICK)
    claim = await world.ask("POST", f"/v1/outreach/{message['id']}/claim", key="agent")

    assert left.status_code == 200
    assert (claim.json()["go"], claim.json()["because"]) == (False, "held")


async def test_without_one_click_it_is_one_button(world: World) -> None:
    await agreed(world)
    browser = Browser(world, link(world))
    page = await browser.open()
    [button] = page.buttons

    done = await browser.press(button)

    assert "offers by e-mail" in done.text.lower()
    assert not done.buttons
    assert await because(world) == "held"


@pytest.mark.parametrize(
    ("language", "words"), [("zh-CN,zh;q=0.9", "您已拒绝"), ("en", "You said no"), ("fr", "You said no")]
)
async def test_it_speaks_the_language_of_the_browser(world: World, language: str, words: str) -> None:
    answer = await world.ask("POST", path(link(world)), key=None, headers={"Accept-Language": language})

    assert words in read(answer.text).text


async def test_a_no_is_taken_while_the_log_is_silent(world: World) -> None:
    await agreed(world)
    await world.log.stop()

    assert (await world.ask("POST", path(link(world)), key=None, data=ONE_CLICK)).status_code == 200
    assert await because(world) == "held"


async def test_a_no_is_taken_where_too_many_hang_together_to_tell_who_it_is(world: World) -> None:
    for other in range(40):
        await world.happened(linked("app:42", f"loyalty:{other}"))
    assert problem(await world.ask("GET", f"/v1/customers/{await world.ref('app:42')}")) == "person-too-large"

    answer = await world.ask("POST", path(link(world, identity="app:42")), key=None, data=ONE_CLICK)

    assert answer.status_code == 200
    assert (await world.holds.of([pseudonym("app:42")]))[pseudonym("app:42")] == frozenset({EMAIL})


class DeafHolds(MemoryHolds):
    async def place(self, holds: object) -> None:
        raise ConsentStoreUnavailable("down")


async def test_a_no_that_could_not_be_kept_is_not_said_to_be_done(world: World) -> None:
    recorder = world.services.recorder
    deaf = type(recorder)(
        records=recorder.records, holds=DeafHolds(partitions=PARTITIONS), log=world.log, partitions=PARTITIONS
    )

    answer = await world.with_services(recorder=deaf).ask("POST", path(link(world)), key=None, data=ONE_CLICK)

    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    assert "could not record it" in answer.text


async def test_a_link_that_is_too_old_says_so_and_changes_nothing(world: World) -> None:
    await agreed(world)
    url = link(world)
    world.now += LEAVE_MS
    held = await world.holds.of([pseudonym(ANNA)])

    for method in ("GET", "POST"):
        answer = await world.ask(method, path(url), key=None)
        assert (answer.status_code, "too old" in answer.text) == (410, True)
    assert await world.holds.of([pseudonym(ANNA)]) == held


async def test_a_link_we_did_not_make_is_none(world: World) -> None:
    preferences = world.services.links.preferences(pseudonym(ANNA), now=NOW).rpartition("/")[2]

    for token in ("x", preferences, await world.ref(ANNA), link(world)[:-1].rpartition("/")[2]):
        answer = await world.ask("POST", f"/v1/leave/{token}", key=None)
        assert (answer.status_code, "not work" in answer.text) == (404, True)


async def test_neither_the_link_nor_whose_it_is_stands_in_a_log_line(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    url = link(world)
    for method, where in (("GET", url), ("POST", url), ("POST", url[:-1])):
        await world.ask(method, path(where), key=None)
    await world.log.stop()
    await world.ask("POST", path(url), key=None)

    own = [record.getMessage() for record in caplog.records if not record.name.startswith(("httpx", "asyncio"))]
    assert own, "the silent log is told"
    assert not [line for line in own if url[-20:-1] in line or pseudonym(ANNA).split(":")[1] in line]


async def test_no_metric_names_a_link(world: World) -> None:
    url = link(world)
    await world.ask("POST", path(url), key=None)

    told = (await world.ask("GET", "/metrics", key="admin")).text
    assert "/v1/leave/{token}" in told
    assert path(url) not in told


class Clock:
    """Seconds that pass when a test says so."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


async def test_one_link_that_is_called_all_the_time_keeps_nobody_else_out(world: World) -> None:
    clock = Clock()
    world.app = build_api(world.services, Limits(clock=clock))
    for _ in range(VISITOR_RATE * BURST_S):
        assert (await world.ask("POST", path(link(world)), key=None)).status_code == 200

    refused = await world.ask("POST", path(link(world)), key=None)

    assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
    assert (await world.ask("POST", path(link(world, identity="email:bo@example.test")), key=None)).status_code == 200
    clock.now += 1
    assert (await world.ask("POST", path(link(world)), key=None)).status_code == 200


def test_visitors_who_stayed_away_are_forgotten_and_those_who_press_on_are_not() -> None:
    clock = Clock()
    limits = Limits(clock=clock)
    for number in range(VISITORS_MAX):
        limits.let_in_visitor(str(number))
    clock.now += BURST_S
    for _ in range(VISITOR_RATE):
        limits.let_in_visitor("0")

    limits.let_in_visitor("one more")

    assert set(limits._visitors) == {"0", "one more"}
