"""Every reason is derived anew from the facts it names, over a population by chance; most are about the person."""

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from random import Random
from typing import Any, Final, NamedTuple

import pytest
from msgspec.structs import replace

from consent.purposes import PROFILE, SENSITIVE, SUGGEST, TRAIN
from consent.rules import shipped_rules
from events.fact import Fact
from profiles.permitted import permitted_facts
from recommender.artifact import Artifact
from recommender.catalogue import load_catalogue
from recommender.choices import histories
from recommender.reasons import COMPANIONS_MIN, telling
from recommender.suggestion import Answer, Reason
from tests.builders import DAY, HOUR, NOW, fact, money, purchased
from tests.recommender.deriving import GENERAL, Person, derives, lifts
from tests.recommender.worlds import agreed, answer, log_of, person, trained

CATALOGUE: Final = load_catalogue()
PEOPLE: Final = 240
K: Final = 10
RANK: Final = {"need": 4, "repeat": 3, "with": 2}
"""What a reason comes before: needs, own habit, what goes with what they have, then the rest."""

_GOODS: Final = (
    ("milk", "dairy"),
    ("bread", "bakery"),
    ("wine-six", "wine"),
    ("delivery-pass", "services"),
    ("recipe-box-2", "food"),
    ("baby-formula", "baby"),
    ("pills", "pharmacy"),
)
_TOPICS: Final = ("repayment", "cancel-card", "fees", "loan", "deposit", "delivery")
_SUBSCRIPTIONS: Final = ("savings", "household-insurance", "travel-insurance", "auto-repayment", "maintenance-contract")


class Told(NamedTuple):
    """One reason as it was given: to whom, and for which service (None: an open need)."""

    identity: str
    service: str | None
    reason: Reason


def life(number: int) -> list[Fact]:
    """What happened to one person, by chance; people of a kind do alike, so that there is something to learn."""
    chance, identity = Random(number), f"app:{number}"
    kind = number % 3
    told: list[Fact] = []
    for each in range(chance.randrange(1, 7)):
        told += _order(chance, identity, each, kind)
    for each in range(chance.randrange(4)):
        told.append(_contact(chance, identity, each))
    for each in range(chance.randrange(3)):
        told += _subscription(chance, identity, each, kind)
    told += _care(chance, identity)
    if chance.random() < 0.6:
        told.append(
            _said(identity, "identity.described", NOW - 90 * DAY, attributes={"plan": ("gold", "silver")[kind % 2]})
        )
    return told


def consents(number: int) -> list[Fact]:
    purposes = [SUGGEST, PROFILE, TRAIN, *([SENSITIVE] if number % 2 else [])]
    return agreed(*purposes, identity=f"app:{number}", at=NOW - 900 * DAY)


def _said(identity: str, event_type: str, at: int, **body: Any) -> Fact:
    return fact(
        event_type, identity=identity, at=at, event_id=f"{event_type} {at} {sorted(map(str, body.values()))}", **body
    )


def _order(chance: Random, identity: str, number: int, kind: int) -> Iterator[Fact]:
    at = NOW - chance.randrange(1, 420) * DAY - chance.randrange(DAY)
    goods = chance.choices(_GOODS, weights=[5, 3, 3 * (kind == 0) + 1, 3 * (kind == 1) + 1, 2, 2 * (kind == 2), 1], k=2)
    lines = [{"item": item, "category": category} for item, category in dict(goods).items()]
    order_id, promised = f"{identity}-{number}", at + 2 * DAY
    yield purchased(order_id, identity=identity, at=at, event_id=order_id, lines=lines, promised_at=promised)
    if chance.random() < 0.15:
        yield _said(identity, "transaction.cancelled", at + HOUR, order_id=order_id)
    elif chance.random() < 0.7:
        late = chance.randrange(-1, 4) * DAY
        yield _said(identity, "service.delivery_step", promised + late, order_id=order_id, step="delivered")


def _contact(chance: Random, identity: str, number: int) -> Fact:
    at, contact_id = NOW - chance.randrange(1, 40) * DAY, f"{identity}-{number}"
    topics = chance.sample(_TOPICS, 1) if chance.random() < 0.6 else ["repayment"]
    if chance.random() < 0.5:
        return _said(identity, "service.contact_started", at, contact_id=contact_id, topics=topics)
    reached = chance.random() < 0.8
    return _said(identity, "service.contact_ended", at, contact_id=contact_id, topics=topics, reached=reached)


def _subscription(chance: Random, identity: str, number: int, kind: int) -> Iterator[Fact]:
    at, name = NOW - chance.randrange(20, 800) * DAY, f"{identity}-{number}"
    service = _SUBSCRIPTIONS[(kind + number) % 5] if chance.random() < 0.8 else chance.choice(_SUBSCRIPTIONS)
    yield _said(identity, "transaction.subscribed", at, subscription_id=name, service=service, price=money(100))
    if chance.random() < 0.2:
        yield _said(identity, "transaction.cancelled", at + 9 * DAY, subscription_id=name)


def _care(chance: Random, identity: str) -> Iterator[Fact]:
    if chance.random() < 0.25:
        at = NOW - chance.randrange(3, 40) * DAY
        yield _said(identity, "feedback.complaint_filed", at, case_id=f"{identity}-c", topics=["quality"])
        if chance.random() < 0.8:
            yield _said(identity, "service.case_resolved", at + DAY, case_id=f"{identity}-c")
    for kind, most in (("nps", 10), ("csat", 5)):
        if chance.random() < 0.3:
            at, score = NOW - chance.randrange(1, 200) * DAY, chance.randrange(1, most + 1)
            yield _said(
                identity, "feedback.survey_answered", at, survey_id=f"{identity}-{kind}", kind=kind, score=score
            )
    for number in range(chance.choice([0, 0, 0, 1, 3])):
        at, alert = NOW - chance.randrange(1, 170) * DAY, f"{identity}-{number}"
        yield _said(identity, "service.alert_raised", at, alert_id=alert, kind="hot", severity="warning")
    if chance.random() < 0.2:
        yield _said(identity, "service.visited", NOW - HOUR, place="shop-1")
    for number in range(chance.choice([0, 0, 1, 2])):
        said = {
            "decision": f"p{number}",
            "service": chance.choice(["satisfaction-survey", "care-call", "guided-start"]),
        }
        at = NOW - chance.randrange(2, 300) * DAY
        answered = chance.choice(["accepted", "accepted", "declined", "ignored"])
        yield _said(identity, "feedback.suggestion_answered", at, **said, answer=answered)


@cache
def population() -> dict[str, list[Fact]]:
    return {f"app:{number}": life(number) for number in range(PEOPLE)}


@cache
def model() -> Artifact:
    everything = [each for number in range(PEOPLE) for each in (*consents(number), *life(number))]
    return trained(everything, catalogue=CATALOGUE)


@cache
def answers() -> dict[str, Answer]:
    people = {
        identity: person(*consents(number), *told, identity=identity)
        for number, (identity, told) in enumerate(population().items())
    }
    return {name: answer(who, artifact=model(), catalogue=CATALOGUE, k=K) for name, who in people.items()}


@cache
def given() -> tuple[Told, ...]:
    """Every reason that says something of the person."""
    by_service = [
        Told(name, each.service, reason)
        for name, found in answers().items()
        for each in found.suggestions
        for reason in each.reasons
        if reason.code not in GENERAL
    ]
    needs = [Told(name, None, reason) for name, found in answers().items() for reason in found.needs]
    return (*by_service, *needs)


def known_by(told: Iterable[Fact]) -> Person:
    return Person(facts={some.event_key.hex(): some for some in told}, catalogue=CATALOGUE, at=NOW)


def known(identity: str) -> Person:
    return known_by(population()[identity])


@pytest.mark.thorough
def test_every_reason_is_derived_anew_from_the_facts_it_names() -> None:
    everything = [each for number in range(PEOPLE) for each in (*consents(number), *life(number))]
    permitted = histories(permitted_facts(log_of(everything), purpose=TRAIN, at=NOW, rules=shipped_rules()))
    goes_with = lifts([known_by(told) for told in permitted.values()], at_least=COMPANIONS_MIN)

    wrong = [
        each for each in given() if not derives(each.reason, each.service, known(each.identity), goes_with=goes_with)
    ]

    assert not wrong, f"{len(wrong)} of {len(given())}, the first {wrong[0]}"


@pytest.mark.thorough
def test_the_reasons_are_of_every_kind() -> None:
    kinds = {each.reason.code.partition(":")[0] for each in given()}
    needs = {each.reason.code for each in given() if each.reason.code.startswith("need:")}

    assert kinds >= {"need", "repeat", "with", "segment"}
    assert len(given()) > 2 * PEOPLE
    assert len(needs) >= 12, f"only {sorted(needs)}"


@pytest.mark.thorough
def test_four_of_five_personal_answers_say_something_of_the_person() -> None:
    personal = [found for found in answers().values() if found.mode == "personal"]
    about = [
        found for found in personal if any(reason.evidence for each in found.suggestions[:3] for reason in each.reasons)
    ]

    assert len(personal) == PEOPLE
    assert len(about) >= 0.8 * PEOPLE, f"{len(about)} of {PEOPLE}"


@pytest.mark.thorough
def test_reasons_come_in_order_and_each_once() -> None:
    for found in answers().values():
        for each in found.suggestions:
            codes = [reason.code for reason in each.reasons]
            assert len(set(codes)) == len(codes) <= 3
            assert codes == sorted(codes, key=lambda code: -RANK.get(code.partition(":")[0], 1))


@pytest.mark.thorough
def test_nobody_s_reason_tells_of_children_or_health_unless_they_agreed() -> None:
    sensitive = {identity for identity, _, reason in given() if reason.sensitive}

    assert sensitive
    assert all(int(identity.removeprefix("app:")) % 2 for identity in sensitive)


@pytest.mark.thorough
def test_every_reason_is_told_in_english_and_in_chinese() -> None:
    for each in given():
        assert "{" not in each.reason.text.en + each.reason.text.zh
        assert each.reason.text.en.isascii() or "“" in each.reason.text.en
        assert any("一" <= sign <= "鿿" for sign in each.reason.text.zh)


def others(told: Told) -> Sequence[str]:
    """Facts of the person that the reason does not rest on."""
    return [key for key in known(told.identity).facts if key not in told.reason.evidence]


@pytest.mark.thorough
@pytest.mark.parametrize("kind", ["need", "repeat", "with", "segment"])
def test_what_derives_reasons_would_notice_a_wrong_one(kind: str) -> None:
    yes, no = (lambda *_: True), (lambda *_: False)
    found = [each for each in given() if each.reason.code.startswith(f"{kind}:") and each.service and others(each)]
    for each in found[:20]:
        person_of = known(each.identity)
        evidence = each.reason.evidence
        assert derives(each.reason, each.service, person_of, goes_with=yes)
        assert not derives(replace(each.reason, evidence=()), each.service, person_of, goes_with=yes)
        assert not derives(replace(each.reason, evidence=(evidence[0],) * 2), each.service, person_of, goes_with=yes)
        assert not derives(each.reason, "anything-else", person_of, goes_with=no)
        with pytest.raises(KeyError):
            derives(replace(each.reason, evidence=("0" * 16,)), each.service, person_of, goes_with=yes)
    assert found


@pytest.mark.parametrize(
    ("feature", "code", "english"),
    [
        ("has:savings-plan", "with:savings-plan", "Customers with “Savings plan” take this more often than others."),
        ("with:savings-plan", "with:savings-plan", "Customers with “Savings plan” take this more often than others."),
        ("category:dairy", "category:dairy", "They have bought in “dairy”."),
        ("orders:few", "orders:few", "Ordered two or three times within the last year."),
        (
            "segment:described:plan=gold",
            "segment:described:plan=gold",
            "They told us: plan is gold. Customers like that take this more often than others.",
        ),
    ],
)
def test_what_a_ranker_names_is_told_in_words(feature: str, code: str, english: str) -> None:
    told = telling(feature, CATALOGUE)

    assert told is not None
    assert (told.code, told.text.en) == (code, english)


@pytest.mark.parametrize(
    "feature", ["everyone", "orders:none", "has:no-such", "segment:everyone", "segment:has:pram", "odd"]
)
def test_what_cannot_be_said_is_not_said(feature: str) -> None:
    assert telling(feature, CATALOGUE) is None
