import base64
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.refs import Refs, RefUnknown
from consent.purposes import PURPOSES
from consent.tokens import Leave, LinkExpired, Links, LinkUnknown, Tokens, Visit, can_be_left
from events.sealed_text import NotSealedHere, SealedText
from tests.builders import DAY, NOW, pseudonym, pseudonyms

KEY = b"t" * 32
TOKENS = Tokens(KEY)
ANNA = pseudonym("email:anna@example.test")
EMAIL = "outreach.email"
LEAVE = Leave(ANNA, EMAIL, NOW + DAY)
LEFT = sorted(filter(can_be_left, PURPOSES))


@given(pseudonyms, st.sampled_from(LEFT), st.integers(NOW + 1, NOW + 400 * DAY))
def test_a_token_says_whose_purpose_it_takes_back_and_until_when(identity: str, purpose: str, until: int) -> None:
    leave, visit = Leave(identity, purpose, until), Visit(identity, until)

    assert TOKENS.leave(TOKENS.of_leave(leave), now=NOW) == leave
    assert TOKENS.visit(TOKENS.of_visit(visit), now=NOW) == visit


@given(st.text(max_size=300))
def test_a_text_that_is_no_token_opens_nothing(text: str) -> None:
    for read in (TOKENS.leave, TOKENS.visit):
        with pytest.raises(LinkUnknown):
            read(text, now=NOW)


def test_a_token_with_one_character_changed_opens_nothing() -> None:
    token = TOKENS.of_leave(LEAVE)

    for at in range(len(token)):
        for other in {*string.ascii_letters, *string.digits, "-", "_", "="} - {token[at]}:
            with pytest.raises(LinkUnknown):
                TOKENS.leave(token[:at] + other + token[at + 1 :], now=NOW)


def test_a_token_cut_short_or_made_longer_opens_nothing() -> None:
    token = TOKENS.of_leave(LEAVE)

    for other in (*(token[:at] for at in range(len(token))), *(token + each for each in ("A", "=", "AAAA"))):
        with pytest.raises(LinkUnknown):
            TOKENS.leave(other, now=NOW)


def test_a_token_of_one_kind_is_none_of_another() -> None:
    leave, visit, ref = TOKENS.of_leave(LEAVE), TOKENS.of_visit(Visit(ANNA, NOW + DAY)), Refs(KEY).seal(ANNA)

    for text in (visit, ref):
        with pytest.raises(LinkUnknown):
            TOKENS.leave(text, now=NOW)
    for text in (leave, ref):
        with pytest.raises(LinkUnknown):
            TOKENS.visit(text, now=NOW)
    for text in (leave, visit):
        with pytest.raises(RefUnknown):
            Refs(KEY).open(text)


def test_each_kind_is_sealed_for_a_use_of_its_own_whatever_it_holds() -> None:
    leave, visit = TOKENS._leave, TOKENS._visit

    assert leave.open(leave.seal(b"the same")) == b"the same"
    for one, other in ((leave, visit), (visit, leave), (leave, SealedText(KEY, b"rapport ref 1"))):
        with pytest.raises(NotSealedHere):
            one.open(other.seal(b"the same"))


def test_another_installation_cannot_read_it() -> None:
    with pytest.raises(LinkUnknown):
        Tokens(b"u" * 32).leave(TOKENS.of_leave(LEAVE), now=NOW)


def test_a_token_ends_when_it_said() -> None:
    token = TOKENS.of_leave(LEAVE)

    assert TOKENS.leave(token, now=NOW + DAY - 1) == LEAVE
    with pytest.raises(LinkExpired):
        TOKENS.leave(token, now=NOW + DAY)


def test_a_token_shows_neither_the_identity_nor_the_purpose() -> None:
    token = TOKENS.of_leave(LEAVE)
    content = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))

    for word in (ANNA.split(":")[1], "email", EMAIL):
        assert word.encode() not in content
        assert word not in token.lower()


def test_the_same_leave_is_the_same_token_so_that_a_message_is_the_same_bytes() -> None:
    assert Tokens(KEY).of_leave(LEAVE) == TOKENS.of_leave(LEAVE)


@pytest.mark.parametrize("purpose", ["service.fulfil", "legal.records", "world.domination"])
def test_there_is_no_token_for_what_nobody_can_take_back(purpose: str) -> None:
    with pytest.raises(ValueError, match="taken back"):
        TOKENS.of_leave(Leave(ANNA, purpose, NOW + DAY))


def test_a_clear_identity_is_never_sealed() -> None:
    with pytest.raises(ValueError, match="pseudonym"):
        TOKENS.of_leave(Leave("email:anna@example.test", EMAIL, NOW + DAY))
    with pytest.raises(ValueError, match="pseudonym"):
        TOKENS.of_visit(Visit("email:anna@example.test", NOW + DAY))


def test_a_link_leads_to_the_service_as_people_reach_it() -> None:
    links = Links(tokens=TOKENS, public_url="https://rapport.example")
    leave, preferences = links.leave(ANNA, EMAIL, now=NOW), links.preferences(ANNA, now=NOW)

    assert TOKENS.leave(leave.removeprefix("https://rapport.example/v1/leave/"), now=NOW).purpose == EMAIL
    assert TOKENS.visit(preferences.removeprefix("https://rapport.example/v1/preferences/"), now=NOW).identity == ANNA
    assert links.is_private
    assert not Links(tokens=TOKENS, public_url="http://rapport.example").is_private
