"""The page about the store and the code say the same."""

import pytest

from events.keys import FAMILIES, Family, checkpoint_key, facet_key, global_key, outbox_key, partition_key
from events.position import Stream
from profiles.redis_library import FUNCTION, LIBRARY, library_code
from tests.profiles.redis_format import PAGE, documented_families, family_of

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
    assert documented_families().keys() == FAMILIES.keys()


@pytest.mark.parametrize("family", FAMILIES.values(), ids=lambda family: family.name)
def test_the_page_says_where_a_family_comes_from_and_how_long_it_lives(family: Family) -> None:
    row = documented_families()[family.name]

    assert (row.origin, row.lifetime) == (family.origin, _lifetime(family))


def test_keys_of_the_profile_store_have_the_shape_the_page_gives() -> None:
    assert family_of(checkpoint_key(STREAM)) == "checkpoint"
    assert family_of(facet_key(3, "app:abcdefghijklmnopqrstuvwxyz")) == "facet"
    assert family_of(outbox_key(STREAM)) == "outbox"


@pytest.mark.parametrize("name", sorted(FAMILIES.keys() - {"checkpoint", "facet", "outbox"}))
def test_keys_of_the_other_families_are_told_apart(name: str) -> None:
    keys = (
        [global_key(name, "20000")]
        if name in {"dead", "dead-key"}
        else [
            global_key(name),
            global_key(name, "more"),
            partition_key(name, 3, "more"),
        ]
    )

    assert {family_of(key) for key in keys} == {name}


@pytest.mark.parametrize("key", ["other:{3}:facet:app:x", "rapport:{3}:facets:app:x", "rapport:facet:app:x", "rapport"])
def test_a_key_that_is_not_ours_has_no_family(key: str) -> None:
    assert family_of(key) is None


def test_the_page_names_the_library_and_its_function() -> None:
    page = PAGE.read_text(encoding="utf-8")

    assert f"`{LIBRARY}`" in page
    assert f"`FCALL {FUNCTION}`" in page
    assert f"'{FUNCTION}'" in library_code()
