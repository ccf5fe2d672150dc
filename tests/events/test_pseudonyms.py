"""Pseudonyms: one for each identity however it is written, and none that gives it away."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.pseudonyms import PSEUDONYM, IdentityInvalid, Pseudonyms, canonical, split_identity

KEY = bytes(range(32))
HERE = Pseudonyms(key=KEY, region="DE")

GOLDEN = {
    "app:42": "app:a4hla3ixvmhvici7s66x3orp3m",
    "phone:+49 30 123456": "phone:7y77hrgagf3eshy3icobnewh74",
    "phone:030 123456": "phone:7y77hrgagf3eshy3icobnewh74",
    "email:Jane.Doe@Example.COM": "email:bvvdt5fo7vrfi3x35442lsbkqq",
    "card:ÅNGSTRÖM 1": "card:mrimvlcar5pfynhwtuydz7spa4",
}


def test_golden_values_stay_what_they_are() -> None:
    assert {identity: HERE.of(identity) for identity in GOLDEN} == GOLDEN


@pytest.mark.parametrize(
    "written",
    [
        "+4930123456",
        "+49 30 123456",
        "0049 30 123456",
        "030 123456",
        "030/12 34 56",
        "(030) 123456",
        "+49 (0)30 123456",
    ],
)
def test_a_phone_number_is_one_number_however_it_is_written(written: str) -> None:
    assert HERE.of(f"phone:{written}") == HERE.of("phone:+4930123456")


def test_a_phone_number_without_a_country_is_read_in_the_configured_one() -> None:
    abroad = Pseudonyms(key=KEY, region="FR")
    assert abroad.of("phone:01 23 45 67 89") == abroad.of("phone:+33123456789")
    assert HERE.of("phone:01 23 45 67 89") != abroad.of("phone:01 23 45 67 89")
    assert HERE.of("phone:+33123456789") == abroad.of("phone:+33123456789")


@pytest.mark.parametrize(
    "written", ["JANE@EXAMPLE.COM", " jane@example.com ", "ｊａｎｅ＠example.com", "Jane@Example.com"]
)
def test_an_email_address_is_one_address_however_it_is_written(written: str) -> None:
    assert HERE.of(f"email:{written}") == HERE.of("email:jane@example.com")


def test_other_values_are_composed_and_trimmed_and_keep_their_case() -> None:
    assert HERE.of("card: A\u030angstro\u0308m ") == HERE.of("card:Ångström")
    assert HERE.of("card:ABC") != HERE.of("card:abc")


def test_namespaces_and_keys_keep_people_apart() -> None:
    assert HERE.of("app:42").partition(":")[2] != HERE.of("card:42").partition(":")[2]
    assert HERE.of("app:42") != Pseudonyms(key=KEY[::-1], region="DE").of("app:42")


def test_the_border_of_namespace_and_value_cannot_be_moved() -> None:
    assert HERE.of("a:b:c") != HERE.of("ab:c")
    assert HERE.of("a:b:c").startswith("a:")


@pytest.mark.parametrize(
    "identity",
    [
        "",
        "42",
        ":42",
        "app:",
        "app:   ",
        "App:42",
        "1app:42",
        "app.x:42",
        "a" * 25 + ":42",
        "app:" + "x" * 257,
        "app:" + "x" * 65536,
        "app:a\nb",
        "app:a\x00b",
        "app:a\x85b",
        "app:a\u2028b",
        "app:a\ud800b",
        "phone:1",
        "phone:not a number",
        "phone:" + "1" * 40,
        "email:jane",
        "email:@example.com",
        "email:jane@host",
    ],
)
def test_what_is_no_identity_is_refused_without_repeating_it(identity: str) -> None:
    with pytest.raises(IdentityInvalid) as raised:
        HERE.of(identity)
    value = identity.partition(":")[2].strip()
    assert len(value) < 3 or value not in str(raised.value)


@given(st.sampled_from(["app", "email", "phone", "card"]), st.text(min_size=1, max_size=300))
def test_any_text_ends_in_a_pseudonym_or_a_refusal(namespace: str, value: str) -> None:
    try:
        pseudonym = HERE.of(f"{namespace}:{value}")
    except IdentityInvalid:
        return
    assert PSEUDONYM.fullmatch(pseudonym)
    assert pseudonym.isascii()


@given(st.text(max_size=40), st.text(max_size=20))
def test_a_canonical_form_is_its_own(name: str, host: str) -> None:
    for namespace, value in [("app", name), ("email", f"{name}@{host}.de")]:
        try:
            split_identity(f"{namespace}:{value}")
            form = canonical(namespace, value, region="DE")
        except IdentityInvalid:
            continue
        assert canonical(namespace, form, region="DE") == form


def test_a_pseudonym_given_as_a_clear_identity_becomes_another_one() -> None:
    inside = HERE.of("app:42")
    assert HERE.of(inside) != inside


def test_a_short_key_is_refused() -> None:
    with pytest.raises(ValueError, match="16 bytes"):
        Pseudonyms(key=b"short")


def test_neither_key_nor_identities_show_when_pseudonyms_are_printed() -> None:
    secret = Pseudonyms(key=b"very secret key of ours", region="DE")
    secret.of("app:somebody")
    assert "somebody" not in repr(secret)
    assert "secret" not in repr(secret)


def test_the_fingerprint_tells_keys_and_regions_apart() -> None:
    prints = {Pseudonyms(key=key, region=region).fingerprint for key in (KEY, KEY[::-1]) for region in ("DE", "FR")}
    assert len(prints) == 4
    assert not any(KEY.hex()[:8] in found for found in prints)
