import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.refs import Refs, RefUnknown
from tests.builders import pseudonym, pseudonyms

REFS = Refs(b"k" * 32)


@given(pseudonyms)
def test_a_reference_is_read_back(identity: str) -> None:
    assert REFS.open(REFS.seal(identity)) == identity


@given(st.text(max_size=200))
def test_a_text_that_is_not_a_reference_is_refused(text: str) -> None:
    with pytest.raises(RefUnknown):
        REFS.open(text)


def test_one_identity_has_one_reference() -> None:
    assert REFS.seal(pseudonym("app:42")) == Refs(b"k" * 32).seal(pseudonym("app:42"))


def test_another_installation_cannot_read_it() -> None:
    with pytest.raises(RefUnknown):
        Refs(b"other key ".ljust(32)).open(REFS.seal(pseudonym("app:42")))


def test_a_reference_with_one_character_changed_is_refused() -> None:
    ref = REFS.seal(pseudonym("app:42"))

    for at in range(len(ref)):
        for other in {*string.ascii_letters, *string.digits, "-", "_"} - {ref[at]}:
            with pytest.raises(RefUnknown):
                REFS.open(ref[:at] + other + ref[at + 1 :])


def test_a_clear_identity_is_never_sealed() -> None:
    with pytest.raises(ValueError, match="pseudonym"):
        REFS.seal("app:42")


def test_a_reference_does_not_show_the_pseudonym() -> None:
    assert pseudonym("app:42").split(":")[1] not in REFS.seal(pseudonym("app:42")).lower()
