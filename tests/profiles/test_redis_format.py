"""The page about the store and the code say the same."""

import pytest

from events.keys import FAMILIES, Family, checkpoint_key, facet_key, outbox_key
from events.position import Stream
from profiles.redis_library import FUNCTION, LIBRARY, library_code
from tests.profiles.redis_format import PAGE, documented_keys, row_of

STREAM = Stream("profiles", "rapport.events", 3)


def _lifetime(family: Family) -> str:
    seconds = family.lifetime_s
    if seconds is None:
        return "as long as its data"
    if seconds < 3600:
        return f"{seconds} seconds"
    days = seconds // (24 * 3600)
    return f"{days} day{'s' if days > 1 else ''}"


def test_the_page_names_every_family_and_no_other() -> None:
    assert {row.family for row in documented_keys()} == FAMILIES.keys()


@pytest.mark.parametrize("family", FAMILIES.values(), ids=lambda family: family.name)
def test_the_page_says_where_a_family_comes_from_and_how_long_it_lives(family: Family) -> None:
    rows = [row for row in documented_keys() if row.family == family.name]

    assert {row.origin for row in rows} == {family.origin}
    assert rows[0].lifetime == _lifetime(family)
    assert {row.lifetime for row in rows} <= {_lifetime(family), "as long as its data"}


def test_keys_of_the_profile_store_have_the_shape_the_page_gives() -> None:
    assert family_of(checkpoint_key(STREAM)) == "checkpoint"
    assert family_of(facet_key(3, "app:abcdefghijklmnopqrstuvwxyz")) == "facet"
    assert family_of(outbox_key(STREAM)) == "outbox"


def family_of(key: str) -> str | None:
    row = row_of(key)
    return None if row is None else row.family


@pytest.mark.parametrize(
    "key",
    [
        "other:{3}:facet:app:abcdefghijklmnopqrstuvwxyz",
        "rapport:{3}:facets:app:abcdefghijklmnopqrstuvwxyz",
        "rapport:facet:app:abcdefghijklmnopqrstuvwxyz",
        "rapport:{3}:facet:app:in-clear",
        "rapport:{3}:epochs",
        "rapport",
    ],
)
def test_a_key_that_is_not_ours_has_no_family(key: str) -> None:
    assert family_of(key) is None


def test_the_page_names_the_library_and_its_function() -> None:
    page = PAGE.read_text(encoding="utf-8")

    assert f"`{LIBRARY}`" in page
    assert f"`FCALL {FUNCTION}`" in page
    assert f"'{FUNCTION}'" in library_code()
