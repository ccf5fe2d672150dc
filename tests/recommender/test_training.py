"""Training in worlds whose right answer is known; equal rows, equal bytes; worse than popularity is not served."""

import os
import random
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest

from consent.purposes import PROFILE, SENSITIVE, SUGGEST, TRAIN
from consent.rules import shipped_rules
from events.fact import Fact
from recommender.artifact import Artifact, encode_artifact
from recommender.evaluation import Served, gate
from recommender.training import train
from tests.builders import DAY, HOUR, NOW, consent, fact, linked, purchased
from tests.recommender.worlds import (
    CHECKERBOARD,
    CODE,
    SMALL,
    agreed,
    answer,
    catalogue_of,
    log_of,
    missed_by,
    person,
    services,
    subscribed,
    taken_by,
    trained,
)

pytestmark = pytest.mark.thorough

CUSTOMERS = range(20)
CHECKED = [some for customer in CUSTOMERS for some in taken_by(customer)]


def files(facts: Sequence[Fact]) -> dict[str, bytes]:
    return encode_artifact(
        train(log_of(facts), catalogue=CHECKERBOARD, at=NOW, code=CODE, plan=SMALL, rules=shipped_rules()).artifact
    )


def first_for(customer: int, artifact: Artifact) -> str:
    identity = f"app:{customer}"
    who = person(*agreed(SUGGEST, identity=identity), *taken_by(customer), identity=identity)
    return services(answer(who, artifact=artifact, catalogue=CHECKERBOARD))[0]


@pytest.mark.parametrize("kinds", [SMALL.kinds, ("popularity", "ease"), ("popularity", "logistic")])
def test_on_the_checkerboard_everyone_is_offered_what_they_miss(kinds: tuple[str, ...]) -> None:
    artifact = trained(CHECKED, catalogue=CHECKERBOARD, plan=replace(SMALL, kinds=kinds))

    assert artifact.manifest.ranker != "popularity"
    assert [first_for(customer, artifact) for customer in CUSTOMERS] == [missed_by(each) for each in CUSTOMERS]


def test_people_of_a_segment_are_offered_what_their_segment_takes() -> None:
    #   gold takes s0, silver takes s1; a newcomer is known by the attribute alone
    def customer(number: int, plan: str, service: str) -> list[Fact]:
        identity = f"app:{number}"
        return [
            *agreed(TRAIN, PROFILE, identity=identity),
            fact("identity.described", identity=identity, at=NOW - 90 * DAY, attributes={"plan": plan}),
            subscribed(service, identity=identity, at=NOW - (200 - number) * 6 * HOUR),
        ]

    kinds = [("gold", "s0"), ("silver", "s1")]
    facts = [some for number in range(160) for some in customer(number, *kinds[number % 2])]
    artifact = trained(facts, catalogue=CHECKERBOARD)

    assert artifact.manifest.ranker != "popularity"
    for plan, service in kinds:
        described = fact("identity.described", at=NOW - DAY, attributes={"plan": plan})
        given = answer(person(*agreed(SUGGEST, PROFILE), described), artifact=artifact, catalogue=CHECKERBOARD)
        assert services(given)[0] == service
        assert given.suggestions[0].reasons[0].evidence == (described.event_key.hex(),)


def test_customers_with_one_service_are_told_what_others_took_after_it() -> None:
    def customer(number: int) -> list[Fact]:
        identity, pair = f"app:{number}", (("s0", "s2"), ("s1", "s3"))[number % 2]
        return [
            *agreed(TRAIN, PROFILE, identity=identity),
            *(
                subscribed(each, identity=identity, at=NOW - (200 - number) * 6 * HOUR + place * DAY)
                for place, each in enumerate(pair)
            ),
        ]

    artifact = trained([some for number in range(160) for some in customer(number)], catalogue=CHECKERBOARD)
    taken = subscribed("s0")

    given = answer(person(*agreed(SUGGEST, PROFILE), taken), artifact=artifact, catalogue=CHECKERBOARD)

    assert services(given)[0] == "s2"
    assert given.suggestions[0].reasons[0].text.en == "Customers with “s0” take this more often than others."
    assert given.suggestions[0].reasons[0].evidence == (taken.event_key.hex(),)


def test_without_consent_the_checkerboard_gives_everyone_the_same() -> None:
    artifact = trained(CHECKED, catalogue=CHECKERBOARD)
    given = {
        tuple(
            services(answer(person(*taken_by(each), identity=f"app:{each}"), artifact=artifact, catalogue=CHECKERBOARD))
        )
        for each in CUSTOMERS
    }

    assert len(given) == 1


def test_the_same_rows_in_another_order_give_the_same_bytes() -> None:
    shuffled = list(CUSTOMERS)
    random.Random(3).shuffle(shuffled)
    other_order = [some for customer in shuffled for some in taken_by(customer)]

    assert files(other_order) == files(CHECKED)


def test_facts_that_came_late_give_the_same_bytes() -> None:
    late = [some for customer in CUSTOMERS for some in (*taken_by(customer)[:2], *reversed(taken_by(customer)[2:]))]

    assert files(late) == files(CHECKED)


def test_what_customers_are_said_to_take_is_borne_out_by_enough_of_them() -> None:
    #   eighty take s2 after s0, eighty s3 after s1; three take s2 after s1, too few to speak of
    pairs = [(("s0", "s2"), ("s1", "s3"))[number % 2] for number in range(160)] + [("s1", "s2")] * 3
    facts = [
        some
        for number, pair in enumerate(pairs)
        for some in (
            *agreed(TRAIN, PROFILE, identity=f"app:{number}"),
            *(
                subscribed(each, identity=f"app:{number}", at=NOW - (200 - number) * 6 * HOUR + place * DAY)
                for place, each in enumerate(pair)
            ),
        )
    ]
    artifact = trained(facts, catalogue=CHECKERBOARD)
    told = set()
    for held in ("s0", "s1", "s2", "s3"):
        who = person(*agreed(SUGGEST, PROFILE), subscribed(held))
        for each in answer(who, artifact=artifact, catalogue=CHECKERBOARD).suggestions:
            told |= {(reason.code, each.service) for reason in each.reasons if reason.code.startswith("with:")}

    assert artifact.manifest.ranker != "popularity"
    assert told == {("with:s0", "s2"), ("with:s1", "s3")}
    assert sorted(artifact.arrays["companions.counts"]) == [80, 80]


@pytest.mark.long
def test_another_process_gives_the_same_bytes() -> None:
    program = (
        "from tests.recommender.worlds import CHECKERBOARD, taken_by, trained\n"
        "print(trained([some for each in range(20) for some in taken_by(each)], catalogue=CHECKERBOARD).name)"
    )
    names = {
        subprocess.run(
            [sys.executable, "-c", program],
            cwd=Path(__file__).parents[2],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }

    assert names == {f"{trained(CHECKED, catalogue=CHECKERBOARD).name}\n"}


def test_repeated_facts_change_nothing() -> None:
    assert files([*CHECKED, *CHECKED[::3]]) == files(CHECKED)


def test_a_person_who_may_not_be_trained_on_leaves_no_trace() -> None:
    stranger = [
        *agreed(PROFILE, SUGGEST, identity="app:999"),
        *(subscribed(f"s{each}", identity="app:999", at=NOW - (30 - each) * DAY) for each in range(10)),
        purchased("o", identity="app:999", at=NOW - DAY, lines=[{"item": "x", "category": "rare"}]),
        fact("identity.described", identity="app:999", attributes={"town": "Nowhere"}),
    ]
    withdrew = [
        *(msgspec.structs.replace(some, identity=stranger[0].identity) for some in taken_by(0)),
        consent("withdrawn", TRAIN, identity="app:999", at=NOW - DAY),
    ]

    assert files([*stranger, *CHECKED]) == files(CHECKED)
    assert files([*stranger, *withdrew, *CHECKED]) == files(CHECKED)


def test_a_sensitive_service_is_counted_only_of_people_who_allow_that() -> None:
    marked = catalogue_of("plain", "secret", secret={"sensitive": True})
    took = [
        some
        for person in range(8)
        for some in (
            *agreed(TRAIN, PROFILE, *([SENSITIVE] if person < 3 else []), identity=f"app:{person}"),
            subscribed("secret", identity=f"app:{person}", at=NOW - 2 * DAY),
            subscribed("plain", identity=f"app:{person}", at=NOW - DAY),
        )
    ]

    artifact = train(log_of(took), catalogue=marked, at=NOW, code=CODE, plan=SMALL, rules=shipped_rules()).artifact

    people = dict(zip(artifact.manifest.services, artifact.popularity.tolist(), strict=True))
    assert (people["plain"], people["secret"]) == (8, 3)


def test_a_withdrawal_that_is_not_on_the_log_yet_already_counts() -> None:
    held = {taken_by(3)[0].identity: frozenset({TRAIN})}
    without = [some for customer in CUSTOMERS if customer != 3 for some in taken_by(customer)]

    made = train(
        log_of(CHECKED), catalogue=CHECKERBOARD, at=NOW, code=CODE, plan=SMALL, held=held, rules=shipped_rules()
    )

    assert encode_artifact(made.artifact) == files(without)


def test_people_left_out_are_counted_in_the_record_and_not_in_the_artifact() -> None:
    made = train(
        log_of([*CHECKED, subscribed("s0", identity="app:999")]),
        catalogue=CHECKERBOARD,
        at=NOW,
        code=CODE,
        plan=SMALL,
        rules=shipped_rules(),
    )

    assert made.record["people_refused"] == 1
    assert made.record["people_permitted"] == len(CUSTOMERS)
    assert b"refused" not in b"".join(encode_artifact(made.artifact).values())


def test_linked_identities_train_as_one_person() -> None:
    link = linked("app:0", "card:0", at=NOW - 200 * DAY)
    split = [
        msgspec.structs.replace(some, identity=link[1].identity) if place > 3 else some
        for place, some in enumerate(taken_by(0))
    ]

    made = train(
        log_of([*split, *link, *CHECKED[6:]]),
        catalogue=CHECKERBOARD,
        at=NOW,
        code=CODE,
        plan=SMALL,
        rules=shipped_rules(),
    )

    assert made.artifact.manifest.people == len(CUSTOMERS)
    assert made.artifact.manifest.examples == 80


def test_a_model_that_is_not_better_than_popularity_is_not_served() -> None:
    #   everyone takes s7: popularity is always right, so a model can only be as good
    facts = [
        some
        for number in range(160)
        for some in (
            *agreed(TRAIN, PROFILE, identity=f"app:{number}"),
            fact(
                "service.contact_started",
                identity=f"app:{number}",
                at=NOW - 200 * DAY,
                contact_id="c",
                topics=["hello"],
            ),
            subscribed("s7", identity=f"app:{number}", at=NOW - (190 - number) * DAY),
        )
    ]

    manifest = trained(facts, catalogue=CHECKERBOARD).manifest

    assert manifest.ranker == "popularity"
    assert manifest.gate.startswith("nothing beats popularity")
    served = {name: told["served"].ndcg_at_10.value for name, told in manifest.metrics.items() if "served" in told}
    assert served["popularity"] == max(served.values())


def reached(*ndcg: float) -> Served:
    """What a candidate reached with one person after the other."""
    return Served(ndcg=np.array(ndcg), hit=np.zeros(len(ndcg)), macro_recall=0.0, targets=len(ndcg))


def test_the_gate_wants_enough_people_and_a_better_figure() -> None:
    popularity = reached(*[0.3] * 20)

    assert gate({"popularity": popularity, "ease": reached(*[0.4] * 20)}, people_min=20)[0] == "ease"
    assert gate({"popularity": popularity, "ease": reached(*[0.3] * 20)}, people_min=20)[0] == "popularity"
    assert gate({"popularity": reached(0.3), "ease": reached(0.4)}, people_min=20)[0] == "popularity"
    assert gate({"popularity": popularity}, people_min=20)[0] == "popularity"


def test_a_blend_that_is_clearly_worse_than_one_of_its_parts_is_not_served() -> None:
    popularity, part = reached(*[0.1] * 40), reached(*[0.5, 0.4] * 20)
    worse, as_good = reached(*[0.4, 0.35] * 20), reached(*[0.4, 0.49] * 20)

    assert gate({"popularity": popularity, "ease": part, "blend": worse}, people_min=20)[0] == "ease"
    assert gate({"popularity": popularity, "ease": part, "blend": as_good}, people_min=20)[0] == "blend"


def test_a_ranker_that_is_not_for_the_data_is_left_out_and_named() -> None:
    #   nobody shares a feature with so many others, so there are no segments
    plan = replace(SMALL, kinds=("popularity", "segment_popularity"), feature_people_min=1000)

    manifest = trained(CHECKED, catalogue=CHECKERBOARD, plan=plan).manifest

    assert manifest.ranker == "popularity"
    assert manifest.features == ()
    assert manifest.left_out == {"segment_popularity": "nothing is known of the people but what they took"}


def test_a_history_without_anybody_s_choice_trains_popularity() -> None:
    manifest = trained([], catalogue=CHECKERBOARD).manifest

    assert (manifest.ranker, manifest.examples, manifest.window) == ("popularity", 0, None)


def test_features_few_people_have_are_not_learnt() -> None:
    rare = fact("identity.described", identity="app:0", at=NOW - 60 * DAY + 1, attributes={"town": "Nowhere"})
    early = agreed(PROFILE, identity="app:0", at=NOW - 90 * DAY)

    manifest = trained([*early, rare, *CHECKED], catalogue=CHECKERBOARD).manifest

    assert "orders:none" in manifest.features
    assert not any("Nowhere" in name for name in manifest.features)


def test_other_facts_do_not_stand_in_for_sensitive_ones_that_may_not_be_used() -> None:
    #   s2 is sensitive; whoever has s0 tends to take it, and only data.sensitive may let that speak
    marked = catalogue_of(*(f"s{number}" for number in range(10)), s2={"sensitive": True})
    artifact = trained(CHECKED, catalogue=marked)

    def share(*purposes: str, held: str) -> float:
        who = person(*agreed(SUGGEST, PROFILE, *purposes), subscribed(held))
        given = answer(who, artifact=artifact, catalogue=marked)
        return next(each.score for each in given.suggestions if each.service == "s2")

    assert artifact.manifest.ranker != "popularity"
    assert share(held="s0") == share(held="s1")
    assert share(SENSITIVE, held="s0") > share(SENSITIVE, held="s1")


def test_a_sensitive_service_that_was_taken_speaks_for_nothing_where_that_may_not_be_used() -> None:
    #   who has s0 tends to take s2; nobody may say "because you have s0" without data.sensitive
    words = {"en": "They have it.", "zh": "已有"}
    needs = [{"id": "has-s0", "when": [{"op": "holds", "services": ["s0"]}], "suggests": {"s4": 1.0}, "reason": words}]
    marked = catalogue_of(*(f"s{number}" for number in range(10)), needs=needs, s0={"sensitive": True})
    artifact = trained(CHECKED, catalogue=marked)

    def said(*purposes: str, held: str) -> dict[str, object]:
        given = answer(
            person(*agreed(SUGGEST, PROFILE, *purposes), subscribed(held)), artifact=artifact, catalogue=marked
        )
        return {each.service: (each.score, each.reasons) for each in given.suggestions if each.service in ("s2", "s4")}

    fresh = "s-not-of-the-catalogue"
    assert artifact.manifest.ranker != "popularity"
    assert said(held="s0") == said(held=fresh)
    assert said(SENSITIVE, held="s0") != said(SENSITIVE, held=fresh)


def test_a_service_new_to_the_catalogue_is_offered_by_its_starting_evidence() -> None:
    grown = catalogue_of(*(f"s{number}" for number in range(10)), "fresh", fresh={"prior": 1000})
    artifact = trained(CHECKED, catalogue=CHECKERBOARD)

    for consents in ([], agreed(SUGGEST, PROFILE)):
        assert services(answer(person(*consents), artifact=artifact, catalogue=grown))[0] == "fresh"


def test_progress_is_told_per_epoch() -> None:
    told: list[tuple[str, int, int]] = []

    train(
        log_of(CHECKED),
        catalogue=CHECKERBOARD,
        at=NOW,
        code=CODE,
        plan=SMALL,
        progress=lambda *step: told.append(step),
        rules=shipped_rules(),
    )

    assert told[:2] == [("reading", 0, 1), ("reading", 1, 1)]
    assert told[-1][0] == "fitting"
    assert told[-1][1] == told[-1][2]
