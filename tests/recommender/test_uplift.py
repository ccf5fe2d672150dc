"""Control groups: who is in which, what each is served, and what the report makes of their answers."""

from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from consent.purposes import ANALYTICS
from consent.rules import shipped_rules
from events.fact import Fact
from events.shape import format_time
from profiles.facet import Cell, Suggestion
from profiles.permitted import permitted_facts
from recommender.catalogue_store import CatalogueStore
from recommender.explain import explain
from recommender.model_store import ModelStore
from recommender.receipt_sealing import InstallationSealing
from recommender.receipts import Made, Question, Receipts
from recommender.suggestion import DECISION_ID, SuggestionInput
from recommender.uplift import Arm, Experiment, ExperimentInvalid, arm_in, arm_of, load_experiment, marked, model_only
from recommender.uplift_report import LEAST, UpliftReport, newcombe, uplift, wilson
from tests.builders import DAY, HOUR, NOW, fact, pseudonym
from tests.noninterference.crowd import CATALOGUE, model
from tests.recommender.replaying import archived
from tests.recommender.worlds import agreed, log_of, person, subscribed

KEY = b"k" * 32
SPRING = Experiment.model_validate(
    {"version": 1, "name": "spring", "since": format_time(NOW - 100 * DAY), "shares": {"general": 0.2, "model": 0.3}}
)
MANY = 4000


def drawn(identity: str, *, experiment: Experiment = SPRING, key: bytes = KEY) -> Arm:
    return arm_of({}, canonical=identity, experiment=experiment, key=key)


def in_arm(arm: Arm) -> str:
    """Somebody who draws a group."""
    return next(name for number in range(MANY) if drawn(name := pseudonym(f"app:{number}")) == arm)


def presented(decision: str, service: str = "diapers", *, at: int = NOW) -> dict[str, Suggestion]:
    """A presentation as the facet keeps it."""
    return {f"{decision} {service}": Suggestion(presented=Cell(at, b"12345678", service))}


def asked(who: SuggestionInput, *, canonical: str, experiment: Experiment | None = SPRING, **more: Any) -> Made:
    return receipts(experiment).answer(
        who,
        Question(channel="desk", k=3, now=NOW, **more),
        identity=canonical,
        canonical=canonical,
        artifact=model(),
        catalogue=CATALOGUE,
    )


def receipts(experiment: Experiment | None = SPRING) -> Receipts:
    return Receipts(sealing=InstallationSealing(b"i" * 32), policy="rules", code="this", key=KEY, experiment=experiment)


def test_groups_are_drawn_in_their_shares_and_another_name_or_key_draws_anew() -> None:
    people = [pseudonym(f"app:{number}") for number in range(MANY)]
    arms = [drawn(each) for each in people]

    assert [round(arms.count(arm) / MANY, 1) for arm in ("general", "model", "full")] == [0.2, 0.3, 0.5]
    for other in ({"experiment": SPRING.model_copy(update={"name": "autumn"})}, {"key": b"l" * 32}):
        moved = sum(drawn(each, **other) != arm for each, arm in zip(people, arms, strict=True))
        assert moved > MANY / 3


def test_without_shares_everybody_is_served_in_full() -> None:
    nobody = Experiment.model_validate({"version": 1, "name": "spring", "since": format_time(NOW), "shares": {}})

    assert {drawn(pseudonym(f"app:{number}"), experiment=nobody) for number in range(MANY)} == {"full"}


def test_the_group_of_the_first_exposure_stays_whatever_is_linked_afterwards() -> None:
    first, other = in_arm("general"), in_arm("full")
    decision = marked("a" * 32, "spring/general", key=KEY)
    later = marked("b" * 32, "spring/full", key=KEY)
    exposed = presented(later, at=NOW) | presented(decision, at=NOW - DAY)

    assert arm_of(presented(later), canonical=first, experiment=SPRING, key=KEY) == "full"
    assert arm_of(exposed, canonical=other, experiment=SPRING, key=KEY) == "general"


@pytest.mark.parametrize(
    "shown",
    [
        presented("a" * 32),
        presented(marked("a" * 32, "autumn/general", key=KEY)),
        presented(marked("a" * 32, "spring/general", key=b"l" * 32)),
        presented(marked("a" * 32, "spring/general", key=KEY), at=SPRING.since - 1),
        presented("short"),
        {f"{marked('a' * 32, 'spring/general', key=KEY)} x": Suggestion(answered=Cell(NOW, b"1" * 8, ("x", "", None)))},
    ],
)
def test_what_is_no_exposure_of_this_experiment_freezes_nothing(shown: dict[str, Suggestion]) -> None:
    assert arm_of(shown, canonical=in_arm("full"), experiment=SPRING, key=KEY) == "full"


def test_a_mark_is_read_by_its_own_installation_and_experiment_alone() -> None:
    chance = Random(1)
    for arm in ("full", "model", "general"):
        decision = marked(f"{chance.randrange(16**32):032x}", f"spring/{arm}", key=KEY)

        assert len(decision) == 32
        assert arm_in(decision, experiment="spring", key=KEY) == arm
        assert arm_in(decision, experiment="autumn", key=KEY) is None
        assert arm_in(decision, experiment="spring", key=b"l" * 32) is None
    assert not any(arm_in(f"{chance.randrange(16**32):032x}", experiment="spring", key=KEY) for _ in range(MANY))


def test_each_group_is_served_what_it_is_for_and_made_again_so(tmp_path: Path) -> None:
    ModelStore(tmp_path).publish(model())
    for catalogue in (CATALOGUE, model_only(CATALOGUE)):
        CatalogueStore(tmp_path).keep(catalogue)
    who = person(*agreed("suggest.personal", "profile.build"), subscribed("auto-repayment"))
    plain = asked(who, canonical=in_arm("full"), experiment=None).answer

    made = {arm: asked(who, canonical=in_arm(arm), intent="cancel") for arm in ("full", "model", "general")}

    assert made["full"].answer.catalogue == CATALOGUE.hash == made["general"].answer.catalogue
    assert made["model"].answer.catalogue == model_only(CATALOGUE).hash != CATALOGUE.hash
    assert {arm: each.answer.mode for arm, each in made.items()} == {
        "full": "personal",
        "model": "personal",
        "general": "general",
    }
    assert made["general"].receipt.grounds == ()
    assert {each.receipt.arm for each in made.values()} == {"spring/full", "spring/model", "spring/general"}
    in_full = asked(who, canonical=in_arm("full")).answer
    assert in_full.suggestions == plain.suggestions
    assert in_full.decision[:-8] == plain.decision[:-8]
    for each in made.values():
        assert DECISION_ID.fullmatch(each.answer.decision)
        found = explain(each.receipt, receipts=receipts(None), archive=archived(tmp_path))
        assert (found.verdict, found.findings) == ("same", ())


def test_whoever_does_not_let_suggestions_be_personal_is_in_no_group() -> None:
    who = person(subscribed("auto-repayment"))

    tried, plain = (asked(who, canonical=in_arm("general"), experiment=each) for each in (SPRING, None))

    assert tried.rendered == plain.rendered
    assert tried.receipt.arm == ""


def test_an_experiment_is_read_from_a_file_and_one_that_is_none_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "spring.yaml"
    file.write_text('version: 1\nname: spring\nsince: "2026-01-01T00:00:00Z"\nshares: {general: 0.05}\n')

    assert load_experiment(file).shares.general == 0.05
    for wrong in ("shares: {general: 0.4, model: 0.4}", "shares: {general: 0.6}", "shares: {other: 0.1}", ":"):
        file.write_text(f'version: 1\nname: spring\nsince: "2026-01-01T00:00:00Z"\n{wrong}\n')
        with pytest.raises(ExperimentInvalid, match=r"spring\.yaml"):
            load_experiment(file)
    with pytest.raises(ExperimentInvalid):
        load_experiment(tmp_path / "none.yaml")


def answers(arm: Arm, person_: str, *said: str, number: int = 0) -> Iterator[Fact]:
    """A decision in a group, presented twice with two services, and the person's answers to the first one."""
    decision = marked(f"{arm[0].encode().hex()}{number:022x}" + "0" * 8, f"spring/{arm}", key=KEY)
    about: dict[str, Any] = {"identity": person_, "decision": decision}
    yield fact("feedback.suggestion_presented", **about, service="diapers", at=NOW - 2 * DAY)
    yield fact("feedback.suggestion_presented", **about, service="diapers", at=NOW - 2 * DAY + HOUR)
    yield fact("feedback.suggestion_presented", **about, service="pram", at=NOW - 2 * DAY)
    for place, word in enumerate(said):
        yield fact("feedback.suggestion_answered", **about, service="diapers", answer=word, at=NOW - DAY + place)


def reported(*facts: Fact) -> UpliftReport:
    people = {each.identity for each in facts}
    grants = [each for name in sorted(people) for each in agreed(ANALYTICS, identity=name)]
    permitted = permitted_facts(log_of([*grants, *facts]), purpose=ANALYTICS, at=NOW, rules=shipped_rules())
    return uplift(permitted, experiment=SPRING, key=KEY)


def people(arm: Arm, count: int, yes: int) -> list[Fact]:
    return [
        each
        for number in range(count)
        for each in answers(arm, f"app:{arm}{number}", "accepted" if number < yes else "declined", number=number)
    ]


def test_a_presented_decision_counts_once_and_the_latest_answer_decides() -> None:
    facts = [
        *people("full", 20, 12),
        *people("general", 10, 2),
        *answers("full", "app:changed", "accepted", "declined", number=100),
        *answers("full", "app:again", "declined", "accepted", number=101),
        *answers("full", "app:anew", "declined", "ignored", "accepted", number=102),
        fact("feedback.suggestion_answered", identity="app:never", decision="0" * 32, service="x", answer="accepted"),
    ]

    found = reported(*facts)

    full, in_model, general = found.arms
    assert (full.people, full.presented, full.accepted) == (23, 23, 14)
    assert (general.people, general.presented, general.accepted) == (10, 10, 2)
    assert (in_model.people, in_model.rate, in_model.interval) == (None, None, None)
    [lift] = found.lifts
    assert lift.over == "general"
    assert lift.difference == pytest.approx(14 / 23 - 0.2)
    assert lift.interval == newcombe((14, 23), (2, 10))
    assert lift.interval.low < lift.difference < lift.interval.high


def test_a_group_of_few_people_is_not_told_however_many_decisions_they_saw() -> None:
    few = [each for number in range(50) for each in answers("model", f"app:{number % (LEAST - 1)}", number=number)]

    assert {each.people for each in reported(*few).arms} == {None}


def test_people_who_were_in_two_groups_are_left_out() -> None:
    both = [*answers("full", "app:full0", "accepted", number=500), *answers("general", "app:full0", number=501)]

    found = reported(*people("full", 20, 10), *both)

    assert (found.arms[0].people, found.mixed) == (19, None)


def test_only_people_who_let_themselves_be_counted_are() -> None:
    permitted = people("full", 20, 10)
    unpermitted = [
        fact(each.type, identity="app:unasked", at=each.occurred_at, **each.body.model_dump(exclude_none=True))
        for each in permitted
    ]
    history = log_of([*(g for e in sorted({p.identity for p in permitted}) for g in agreed(ANALYTICS, identity=e))])
    with_others = [*(fact_ for _, fact_ in history()), *permitted, *unpermitted]

    found = uplift(
        permitted_facts(log_of(with_others), purpose=ANALYTICS, at=NOW, rules=shipped_rules()),
        experiment=SPRING,
        key=KEY,
    )

    assert found == reported(*permitted)


@pytest.mark.parametrize(
    ("counts", "low", "high"), [((0, 10), 0.0, 0.2775), ((10, 10), 0.7225, 1.0), ((81, 263), 0.2553, 0.3662)]
)
def test_wilson_s_interval_is_the_published_one(counts: tuple[int, int], low: float, high: float) -> None:
    """Newcombe 1998 (Statistics in Medicine 17, 857), Table I, method 3."""
    assert wilson(*counts) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize(
    ("one", "other", "low", "high"),
    [((56, 70), (48, 80), 0.0524, 0.3339), ((9, 10), (3, 10), 0.1705, 0.8090), ((10, 10), (0, 20), 0.6791, 1.0)],
)
def test_newcombe_s_interval_is_the_published_one(
    one: tuple[int, int], other: tuple[int, int], low: float, high: float
) -> None:
    """Newcombe 1998 (Statistics in Medicine 17, 873), Table II, method 10."""
    assert newcombe(one, other) == pytest.approx((low, high), abs=5e-5)
