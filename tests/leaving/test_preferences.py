"""The preference page: every purpose, its notice, what stands, and no more steps to leave than to agree."""

from collections.abc import Collection

import pytest

from api.preferences import CHOICES
from consent.holds import ConsentStoreUnavailable
from consent.memory_holds import MemoryHolds
from consent.rules import shipped_rules
from consent.tokens import VISIT_MS
from profiles.person import PersonReader, StoreFacets
from tests.api.world import World, problem
from tests.builders import DAY, NOW, PARTITIONS, consent, linked, pseudonym, purchased
from tests.leaving.browser import Browser, Page

ANNA = "app:42"
PURPOSE = "feedback.analyse"


async def visit(world: World, *, identity: str = ANNA, language: str = "en") -> tuple[Browser, Page]:
    answer = await world.ask("POST", f"/v1/customers/{await world.ref(identity)}/preferences")
    assert answer.status_code == 200, answer.text
    browser = Browser(world, answer.json()["url"], language=language)
    return browser, await browser.open()


async def stands(world: World, purpose: str = PURPOSE, *, identity: str = ANNA) -> dict[str, object]:
    answer = await world.ask("GET", f"/v1/customers/{await world.ref(identity)}/consents")
    found: dict[str, object] = answer.json()["consents"][purpose]
    return found


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_every_purpose_is_there_with_its_notice_and_two_buttons(world: World, language: str) -> None:
    _, page = await visit(world, language=language)

    assert page.language == language
    for purpose in CHOICES:
        notice = world.services.notices.current(purpose, at=NOW, known_at=NOW)
        assert notice is not None
        wording = notice.wording("zh" if language == "zh" else "en")
        assert wording.title in page.text
        assert wording.body in page.text
        assert page.button(say="given", purpose=purpose).said["notice"] == notice.ref
        assert page.says_no_to(purpose).said["notice"] == notice.ref


@pytest.mark.parametrize("purpose", CHOICES)
async def test_leaving_takes_as_many_requests_as_agreeing(patient: World, purpose: str) -> None:
    agreeing, page = await visit(patient)
    async with patient.folding():
        await agreeing.press(page.button(say="given", purpose=purpose))
        leaving, page = await visit(patient)
        await leaving.press(page.says_no_to(purpose))

    assert leaving.requests <= agreeing.requests
    assert (await stands(patient, purpose))["allowed"] is False


async def test_a_yes_is_told_once_it_is_folded(patient: World) -> None:
    browser, page = await visit(patient)
    assert "You have not said yes." in page.text

    async with patient.folding():
        page = await browser.press(page.button(say="given", purpose=PURPOSE))

    assert "You said yes." in page.text
    assert "Your choice is recorded." in page.text
    assert (await stands(patient))["allowed"] is True


async def test_a_yes_is_acknowledged_while_nothing_is_folded(world: World) -> None:
    browser, page = await visit(world)

    page = await browser.press(page.button(say="given", purpose=PURPOSE))

    assert browser.answer.status_code == 200
    assert "a yes counts within moments" in page.text
    assert "You said yes." not in page.text


class LateHolds(MemoryHolds):
    """Holds that are let go of only after they were seen a few times."""

    def __init__(self) -> None:
        super().__init__(partitions=PARTITIONS)
        self.seen = 0

    async def of(self, identities: Collection[str]) -> dict[str, frozenset[str]]:
        self.seen += 1
        return {identity: frozenset({PURPOSE} if self.seen < 6 else ()) for identity in identities}


async def test_a_yes_is_shown_once_an_earlier_no_is_let_go_of(patient: World) -> None:
    holds = LateHolds()
    patient.with_services(persons=PersonReader(StoreFacets(patient.store, holds, PARTITIONS), rules=shipped_rules()))
    browser, page = await visit(patient)

    async with patient.folding():
        page = await browser.press(page.button(say="given", purpose=PURPOSE))

    assert "You said yes." in page.text
    assert holds.seen >= 6


async def test_a_no_counts_at_once_also_while_the_log_is_silent(world: World) -> None:
    await world.happened(consent("given", PURPOSE, at=NOW - DAY))
    browser, page = await visit(world)
    await world.log.stop()

    page = await browser.press(page.says_no_to(PURPOSE))

    assert (await stands(world))["because"] == "held"
    assert "You said no." in page.text


async def test_an_act_names_the_notice_that_stood_beside_it(world: World) -> None:
    browser, page = await visit(world)
    await browser.press(page.button(say="given", purpose=PURPOSE))
    await world.fold()

    [fact] = [
        record.value for partition in range(PARTITIONS) for record in world.log.records("rapport.events", partition)
    ]
    notice = world.services.notices.current(PURPOSE, at=NOW, known_at=NOW)
    assert notice is not None
    assert fact is not None
    assert notice.ref.encode() in fact
    assert b"preferences" in fact


async def test_whoever_never_agreed_refuses_and_whoever_did_withdraws(world: World) -> None:
    _, page = await visit(world)
    assert page.says_no_to(PURPOSE).said["say"] == "refused"

    await world.happened(consent("given", PURPOSE, at=NOW - DAY))
    _, page = await visit(world)
    assert page.says_no_to(PURPOSE).said["say"] == "withdrawn"


async def test_one_step_makes_the_suggestions_general(world: World) -> None:
    await world.happened(
        purchased(at=NOW - DAY),
        *(consent("given", each, at=NOW - DAY) for each in ("profile.build", "suggest.personal")),
    )
    assert (await world.suggestions()).json()["mode"] == "personal"
    browser, page = await visit(world)

    await browser.press(page.button(say="general"))

    assert (await world.suggestions()).json()["mode"] == "general"


async def test_one_step_says_no_to_everything(world: World) -> None:
    await world.happened(*(consent("given", each, at=NOW - DAY) for each in CHOICES))
    browser, page = await visit(world)

    await browser.press(page.button(say="no-to-all"))

    for purpose in CHOICES:
        assert (await stands(world, purpose))["allowed"] is False, purpose
    assert (await stands(world, "service.fulfil"))["allowed"] is True


async def test_what_is_said_covers_every_verified_identity(world: World) -> None:
    await world.happened(linked(ANNA, "phone:+49301234567"), consent("given", PURPOSE, at=NOW - DAY))
    browser, page = await visit(world, identity="phone:+49301234567")

    await browser.press(page.says_no_to(PURPOSE))

    assert (await stands(world, identity=ANNA))["because"] == "held"


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"say": "given"},
        {"say": "given", "purpose": PURPOSE},
        {"say": "given", "purpose": PURPOSE, "notice": "feedback/99"},
        {"say": "given", "purpose": PURPOSE, "notice": "training/1"},
        {"say": "given", "purpose": "service.fulfil", "notice": "service/1"},
        {"say": "renewed", "purpose": PURPOSE, "notice": "feedback/1"},
        {"say": "given", "purpose": PURPOSE, "notice": "feedback/1", "identity": "app:43"},
        {"say": "general", "purpose": PURPOSE},
    ],
)
async def test_what_no_button_says_is_refused_and_changes_nothing(world: World, said: dict[str, str]) -> None:
    browser, _ = await visit(world)

    answer = await world.ask("POST", browser.url.removeprefix("https://rapport.example"), key=None, data=said)

    assert answer.status_code == (415 if not said else 422)
    assert not any(world.log.records("rapport.events", partition) for partition in range(PARTITIONS))


async def test_a_body_that_is_no_form_is_refused(world: World) -> None:
    browser, _ = await visit(world)
    path = browser.url.removeprefix("https://rapport.example")
    form = {"Content-Type": "application/x-www-form-urlencoded"}

    assert problem(await world.ask("POST", path, key=None, json={"say": "general"})) == "not-a-form"
    assert problem(await world.ask("POST", path, key=None, content=b"say=%ff", headers=form)) == "not-a-form"
    assert problem(await world.ask("POST", path, key=None, content=b"a=1&" * 99, headers=form)) == "not-a-form"
    assert problem(await world.ask("POST", path, key=None, content=b"say=general&say=x", headers=form)) == "invalid"
    assert problem(await world.ask("POST", path, key=None, content=b"x" * 20_000, headers=form)) == "too-large"


class DeafHolds(MemoryHolds):
    async def place(self, holds: object) -> None:
        raise ConsentStoreUnavailable("down")


async def test_a_choice_that_could_not_be_kept_is_not_said_to_be_recorded(world: World) -> None:
    browser, page = await visit(world)
    recorder = world.services.recorder
    deaf = type(recorder)(
        records=recorder.records, holds=DeafHolds(partitions=PARTITIONS), log=world.log, partitions=PARTITIONS
    )
    world.with_services(recorder=deaf)

    page = await browser.press(page.says_no_to(PURPOSE))

    assert browser.answer.status_code == 503
    assert "did not work" in page.text


async def test_a_link_ends_after_thirty_days(world: World) -> None:
    browser, _ = await visit(world)
    world.now += VISIT_MS

    page = await browser.open()

    assert (browser.answer.status_code, "too old" in page.text) == (410, True)


async def test_only_an_agent_or_the_privacy_officer_makes_a_link(world: World) -> None:
    path = f"/v1/customers/{await world.ref()}/preferences"

    for role in ("agent", "privacy"):
        assert (await world.ask("POST", path, key=role)).status_code == 200
    for other in ("marketing", "ingest", "admin", None):
        assert (await world.ask("POST", path, key=other)).status_code in {401, 403}


async def test_the_page_tells_nothing_of_who_the_person_is(world: World) -> None:
    await world.happened(linked(ANNA, "phone:+49301234567"), purchased("order-77", at=NOW - DAY))
    browser, _ = await visit(world)

    for word in (
        "app:42",
        "4930",
        "order-77",
        *(pseudonym(each).split(":")[1] for each in (ANNA, "phone:+49301234567")),
    ):
        assert word not in browser.answer.text


async def test_a_garbled_after_shows_the_page_all_the_same(world: World) -> None:
    browser, _ = await visit(world)

    await browser.open("?lang=en&after=nonsense")

    assert browser.answer.status_code == 200
