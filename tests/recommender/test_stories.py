"""The stories the default catalogue has to tell."""

from consent.purposes import PROFILE, SENSITIVE, SUGGEST
from events.fact import Fact
from recommender.artifact import untrained
from recommender.catalogue import load_catalogue
from recommender.suggestion import Answer
from tests.builders import DAY, HOUR, NOW, complaint, fact, linked, purchased
from tests.recommender.worlds import CODE, agreed, answer, person, services

CATALOGUE = load_catalogue()
CONSENT = agreed(SUGGEST, PROFILE)


def asked(*facts: Fact, identity: str = "app:42", channel: str = "desk", k: int = 5) -> Answer:
    who = person(*facts, identity=identity)
    return answer(who, artifact=untrained(CATALOGUE, code=CODE), catalogue=CATALOGUE, channel=channel, k=k)


def codes(given: Answer) -> set[str]:
    return {reason.code for each in given.suggestions for reason in each.reasons}


def formula(number: int, identity: str) -> Fact:
    lines = [{"item": "baby-formula", "category": "baby", "amount": 1500}]
    return purchased(f"f-{number}", identity=identity, at=NOW - number * DAY, lines=lines)


def test_baby_formula_by_app_and_card_speaks_for_diapers_where_that_may_be_known() -> None:
    link = linked("app:42", "card:7", at=NOW - 300 * DAY)
    bought = [formula(1, "app:42"), formula(2, "card:7"), formula(3, "app:42")]

    told = asked(*CONSENT, *agreed(SENSITIVE), *link, *bought)
    untold = asked(*CONSENT, *link, *bought)

    first = told.suggestions[0]
    assert first.service == "diapers"
    assert first.reasons[0].text.en == "Bought baby food 3 times in a week."
    assert set(first.reasons[0].evidence) == {some.event_key.hex() for some in bought}
    assert "diapers" in services(untold)
    assert not any(reason.sensitive for each in untold.suggestions for reason in each.reasons)


def test_on_arrival_at_the_shop_the_pram_comes_first() -> None:
    here = fact("service.visited", at=NOW - HOUR, place="shop-1")

    given = asked(*CONSENT, *agreed(SENSITIVE), formula(1, "app:42"), formula(20, "app:42"), here, channel="store")

    assert services(given)[0] == "pram"


def test_three_contacts_about_repayment_come_before_the_gift_for_staying() -> None:
    calls = [
        fact("service.contact_started", at=NOW - days * DAY, contact_id=f"c-{days}", topics=["repayment"])
        for days in (3, 9, 20)
    ]
    leaving = fact("service.contact_started", at=NOW - HOUR, contact_id="c-0", topics=["cancel-card"])

    given = services(asked(*CONSENT, *calls, leaving))

    assert given[0] == "auto-repayment"
    assert given.index("auto-repayment") < given.index("retention-gift")


def test_a_machine_that_runs_hot_asks_for_an_engineer() -> None:
    machine = "machine:77"
    hot = fact("service.alert_raised", identity=machine, at=NOW - HOUR, alert_id="a", kind="hot", severity="critical")

    given = asked(*agreed(SUGGEST, PROFILE, identity=machine), hot, identity=machine)

    assert given.suggestions[0].service == "engineer-visit"
    assert given.suggestions[0].reasons[0].evidence == (hot.event_key.hex(),)


def test_where_is_my_loan_asks_for_a_call_back() -> None:
    call = fact("service.contact_started", at=NOW - HOUR, contact_id="c", topics=["loan"])

    assert services(asked(*CONSENT, call))[0] == "loan-status-callback"


def test_a_valued_customer_with_an_open_complaint_is_sold_nothing_even_where_needs_speak_for_it() -> None:
    given = asked(*CONSENT, *agreed(SENSITIVE), *(formula(n, "app:42") for n in (1, 2, 3)), complaint(at=NOW - HOUR))

    assert not any(CATALOGUE.by_id[each].upsell for each in services(given))


def test_new_lapsing_and_loyal_customers_are_told_different_things() -> None:
    newcomer = [purchased("o", at=NOW - 3 * DAY)]
    lapsing = [purchased(f"o-{days}", at=NOW - days * DAY) for days in (300, 250, 200)]
    loyal = [
        *(purchased(f"o-{days}", at=NOW - days * DAY) for days in (200, 100, 5)),
        fact("feedback.survey_answered", at=NOW - DAY, survey_id="s", kind="nps", score=10),
    ]

    assert services(asked(*CONSENT, *newcomer))[0] == "guided-start"
    assert services(asked(*CONSENT, *lapsing))[0] == "win-back-voucher"
    assert services(asked(*CONSENT, *loyal))[0] == "referral"
    assert codes(asked(*newcomer)) | codes(asked(*lapsing)) | codes(asked(*loyal)) <= {"popular", "on_offer"}


def test_the_same_person_has_one_answer_on_each_identity_until_the_link_ends() -> None:
    link = linked("app:42", "card:7", at=NOW - 300 * DAY)
    call = fact("service.contact_started", identity="card:7", at=NOW - HOUR, contact_id="c", topics=["loan"])

    assert services(asked(*CONSENT, *link, call)) == services(asked(*CONSENT, *link, call, identity="card:7"))
    assert asked(*CONSENT, call).suggestions == asked(*CONSENT).suggestions
