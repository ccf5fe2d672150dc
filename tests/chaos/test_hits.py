from dataclasses import replace

import pytest

from tests.chaos.hits import Hit, table

COUNTED = Hit(
    number=1, fault="kill worker", at_s=12.3, victim="worker-1", applied=3, folded=900, backlog=40, back_s=4.21
)


@pytest.mark.parametrize(
    "hit",
    [
        replace(COUNTED, applied=0),
        replace(COUNTED, backlog=0),
        replace(COUNTED, fault="freeze worker"),
    ],
)
def test_a_kill_of_an_idle_victim_does_not_count(hit: Hit) -> None:
    assert COUNTED.is_counted
    assert not hit.is_counted


def test_the_table_says_where_each_hit_struck() -> None:
    head, _, first, second = table(
        [COUNTED, Hit(number=2, fault="kill store", at_s=20, doing="MGET", note="for 3 s")]
    ).splitlines()

    assert [word.strip() for word in head.split("|")[1:-1]][:5] == ["#", "at s", "fault", "victim", "counted"]
    cells = [cell.strip() for cell in first.split("|")[1:-1]]
    assert cells == ["1", "12", "kill worker", "worker-1", "yes", "900", "3", "40", "4.2", ""]
    assert second.rstrip(" |").endswith("MGET; for 3 s")
