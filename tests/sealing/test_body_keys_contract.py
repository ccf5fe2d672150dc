"""What every place for keys keeps to: in memory, in a file, on a server."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from events.body_keys import EVIDENCE, BodyKeys, KeyName, Retired
from tests.builders import NOW, pseudonym
from tests.sealing.keys import KINDS, MAKER, keys_of

ANNA, BEN = pseudonym("app:anna"), pseudonym("app:ben")
NAMES = [KeyName(who, kind, "2026-1") for who in (ANNA, BEN) for kind in ("service.fulfil", EVIDENCE)]


@pytest.fixture(params=KINDS)
def keys(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[BodyKeys]:
    with keys_of(request.param, tmp_path, request) as made:
        yield made


def made(keys: BodyKeys, *names: KeyName) -> dict[KeyName, str]:
    return {name: stored.id for name, stored in keys.ensure({name: MAKER.make() for name in names or NAMES}).items()}


def test_a_key_is_made_once_and_found_by_name_and_by_id(keys: BodyKeys) -> None:
    assert keys.named(NAMES) == {}
    offered = {name: MAKER.make() for name in NAMES}
    assert keys.ensure(offered) == offered == keys.named(NAMES)
    assert keys.ensure({name: MAKER.make() for name in NAMES}) == offered
    assert keys.find([each.id for each in offered.values()]) == {each.id: each.wrapped for each in offered.values()}


def test_an_offer_that_came_second_is_never_found(keys: BodyKeys) -> None:
    first = made(keys)
    late = MAKER.make()
    assert keys.ensure({NAMES[0]: late})[NAMES[0]].id == first[NAMES[0]]
    assert keys.find([late.id]) == {}


def test_all_who_make_the_same_key_at_once_get_the_same(keys: BodyKeys) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: made(keys), range(24)))
    assert all(answer == answers[0] for answer in answers)


def test_a_key_that_was_never_made_is_not_one_that_is_gone(keys: BodyKeys) -> None:
    ids = made(keys)
    keys.destroy([ANNA])
    unknown = MAKER.make().id
    assert keys.find([ids[NAMES[0]], unknown]) == {ids[NAMES[0]]: None}


def test_destruction_takes_all_of_an_identity_but_what_is_spared(keys: BodyKeys) -> None:
    ids = made(keys)
    assert keys.destroy([ANNA], spared=[EVIDENCE]) == 1
    assert keys.destroy([ANNA], spared=[EVIDENCE]) == 0
    assert set(keys.named(NAMES)) == set(NAMES[1:])
    found = keys.find(ids.values())
    assert [found[ids[name]] is None for name in NAMES] == [True, False, False, False]


def test_whoever_comes_back_gets_a_new_key(keys: BodyKeys) -> None:
    old = made(keys)
    keys.destroy([ANNA])
    new = made(keys)
    assert new[NAMES[0]] != old[NAMES[0]]
    assert keys.find([old[NAMES[0]]]) == {old[NAMES[0]]: None}


def test_whatever_takes_keys_away_shows_in_the_number_of_destructions(keys: BodyKeys) -> None:
    made(keys)
    numbers = [keys.destructions()]
    assert keys.destroy([ANNA], spared=[EVIDENCE]) == 1
    numbers.append(keys.destructions())
    assert keys.age_out("service.fulfil", "2026-1") == 1
    numbers.append(keys.destructions())
    assert keys.retire([ANNA], because="request-1", until=NOW) == 1
    numbers.append(keys.destructions())
    assert len(set(numbers)) == len(numbers)
    keys.end([each.id for each in keys.retired()])
    made(keys)
    keys.destroy([pseudonym("app:nobody")])
    assert keys.destructions() == numbers[-1]


def test_a_retired_key_opens_nothing_and_is_kept_under_its_reason(keys: BodyKeys) -> None:
    ids = made(keys)
    wrapped = keys.named(NAMES)[NAMES[1]].wrapped
    keys.destroy([ANNA], spared=[EVIDENCE])
    assert keys.retire([ANNA], because="request-1", until=NOW) == 1
    assert keys.retire([ANNA], because="request-1", until=NOW) == 0
    assert keys.find([ids[NAMES[1]]]) == {ids[NAMES[1]]: None}
    assert keys.retired() == [Retired(ids[NAMES[1]], wrapped, "request-1", NOW)]
    assert ANNA not in keys.identities()
    assert keys.end([ids[NAMES[1]], ids[NAMES[3]]]) == 1
    assert keys.retired() == []
    assert keys.find([ids[NAMES[1]], ids[NAMES[3]]])[ids[NAMES[3]]] is not None


def test_a_kind_and_period_age_out_together(keys: BodyKeys) -> None:
    later = KeyName(ANNA, "service.fulfil", "2026-2")
    made(keys, *NAMES, later)
    assert keys.tally() == {("service.fulfil", "2026-1"): 2, (EVIDENCE, "2026-1"): 2, ("service.fulfil", "2026-2"): 1}
    assert keys.age_out("service.fulfil", "2026-1") == 2
    assert set(keys.named([*NAMES, later])) == {NAMES[1], NAMES[3], later}


def test_whoever_has_a_key_is_known(keys: BodyKeys) -> None:
    made(keys)
    assert keys.identities() == {ANNA, BEN}


def test_a_key_that_is_given_up_counts_as_destroyed_and_one_that_stands_does_not(keys: BodyKeys) -> None:
    ids, lost = made(keys), MAKER.make().id
    assert keys.give_up([lost, ids[NAMES[0]]]) == 1
    assert keys.find([lost]) == {lost: None}
    assert keys.find([ids[NAMES[0]]])[ids[NAMES[0]]] is not None


def test_how_far_erasures_were_done_is_remembered(keys: BodyKeys) -> None:
    assert keys.reached() == 0
    keys.reach(3)
    keys.reach(4)
    assert keys.reached() == 4


def test_nobody_is_asked_about_nothing(keys: BodyKeys) -> None:
    assert (keys.named([]), keys.ensure({}), keys.find([]), keys.destroy([]), keys.end([])) == ({}, {}, {}, 0, 0)


def test_what_was_destroyed_can_be_wiped(keys: BodyKeys) -> None:
    made(keys)
    keys.destroy([ANNA])
    assert keys.wipe() is None
