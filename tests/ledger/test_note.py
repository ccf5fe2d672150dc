"""Signed notes against the published examples of the Go reference implementation and of C2SP."""

import re
import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent.ledger_note import (
    Checkpoint,
    NoteInvalid,
    make_signer,
    open_checkpoint,
    open_note,
    read_checkpoint,
    read_signer,
    read_verifier,
    sign_note,
)
from tests.ledger.ledgers import KEY, SIGNER, THIEF, unhurried
from tests.servers import ROOT

# golang.org/x/mod/sumdb/note
VKEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
SKEY = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
SIGNED = "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM="
NOTE = f"{TEXT}\n— PeterNeumann {SIGNED}\n"
# c2sp.org/signed-note
C2SP_VKEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
C2SP_NOTE = (
    "This is an example message.\n\n"
    "— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
)
CHECKPOINT = Checkpoint(origin=KEY.name, size=7, root=bytes(32))


def test_the_published_key_signs_the_published_note_byte_for_byte() -> None:
    signer = read_signer(SKEY)

    assert sign_note(TEXT, [signer]) == NOTE
    assert (str(signer.verifier), signer.written()) == (VKEY, SKEY)


@pytest.mark.parametrize(("key", "note"), [(VKEY, NOTE), (C2SP_VKEY, C2SP_NOTE)])
def test_the_published_notes_open(key: str, note: str) -> None:
    assert open_note(note, read_verifier(key)) == note.partition("\n\n")[0] + "\n"


def test_the_example_on_the_page_opens_with_the_key_beside_it() -> None:
    page = (ROOT / "docs" / "explanation" / "ledger.md").read_text(encoding="utf-8")
    key, shown = re.findall(r"`(example\.com/consent\+\S+)`.*?```text\n(.*?)   ```", page, re.DOTALL)[0]

    assert open_checkpoint(textwrap.dedent(shown), read_verifier(key)).size == 20_852_163


def test_a_checkpoint_is_what_was_signed() -> None:
    note = sign_note(CHECKPOINT.text(), [THIEF, SIGNER])

    assert note.splitlines()[:3] == [KEY.name, "7", "A" * 43 + "="]
    assert open_checkpoint(note, KEY) == open_checkpoint(note, THIEF.verifier) == CHECKPOINT


def test_a_note_of_another_key_of_that_name_does_not_open() -> None:
    with pytest.raises(NoteInvalid, match="not signed with the key"):
        open_note(sign_note(CHECKPOINT.text(), [THIEF]), KEY)


def test_the_first_signature_under_a_key_decides() -> None:
    right, wrong = sign_note(CHECKPOINT.text(), [SIGNER]), sign_note(f"{KEY.name}\n8\nAAAA\n", [SIGNER])
    forged = CHECKPOINT.text() + "\n" + wrong.rpartition("\n\n")[2] + right.rpartition("\n\n")[2]

    with pytest.raises(NoteInvalid, match="does not fit"):
        open_note(forged, KEY)


def test_a_checkpoint_of_another_ledger_does_not_count() -> None:
    other = Checkpoint(origin="example.com/other", size=7, root=bytes(32))

    with pytest.raises(NoteInvalid, match="another ledger"):
        open_checkpoint(sign_note(other.text(), [SIGNER]), KEY)


@unhurried
@given(st.data())
def test_no_change_of_a_letter_goes_unnoticed(data: st.DataObject) -> None:
    note = sign_note(CHECKPOINT.text(), [SIGNER])
    at = data.draw(st.integers(0, len(note) - 1))
    letter = data.draw(st.characters(exclude_characters=note[at]))
    changed = note[:at] + letter + note[at + 1 :]

    try:
        found = open_checkpoint(changed, KEY)
    except NoteInvalid:
        return
    # The last letters of base64 carry bits that stand for nothing.
    assert found == CHECKPOINT
    assert at > note.index("— ")


@pytest.mark.parametrize(
    "note",
    [
        "",
        "\n",
        "text",
        "text\n\n",
        "\n\n",
        "text\n\n— name\n",
        "text\n\n- PeterNeumann x08go/ZJ\n",
        "te\x00xt\n\n— n AAAAAAA=\n",
        NOTE.removesuffix("\n"),
        NOTE + "\n",
        NOTE + "\ud800",
        TEXT + "\n" + "— other AAAAAAA=\n" * 101,
        "x" * 70_000,
    ],
)
def test_what_is_no_note_is_refused_with_a_word(note: str) -> None:
    with pytest.raises(NoteInvalid):
        open_note(note, read_verifier(VKEY))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x\n1\n",
        "\n1\nAAAA\n",
        "x\n01\n" + "A" * 43 + "=\n",
        "x\n-1\n" + "A" * 43 + "=\n",
        "x\n1\nAAAA\n",
        "x\n1\n?\n",
    ],
)
def test_what_is_no_checkpoint_is_refused_with_a_word(text: str) -> None:
    with pytest.raises(NoteInvalid):
        read_checkpoint(text)


@pytest.mark.parametrize("cut", range(0, len(VKEY), 3))
def test_a_damaged_public_key_is_refused(cut: int) -> None:
    with pytest.raises(NoteInvalid):
        read_verifier(VKEY[:cut] + VKEY[cut + 1 :])


@pytest.mark.parametrize("cut", range(0, len(SKEY), 3))
def test_a_damaged_secret_key_is_refused(cut: int) -> None:
    with pytest.raises(NoteInvalid):
        read_signer(SKEY[:cut] + SKEY[cut + 1 :])


def test_a_secret_is_not_taken_for_a_public_key_nor_shown() -> None:
    with pytest.raises(NoteInvalid, match="secret"):
        read_verifier(SKEY)
    with pytest.raises(NoteInvalid):
        read_signer(VKEY)
    assert "AYEK" not in repr(read_signer(SKEY))


@pytest.mark.parametrize("name", ["", "two words", "a+b", "line\nbreak"])
def test_a_name_that_does_not_fit_into_a_note_is_refused(name: str) -> None:
    with pytest.raises(NoteInvalid):
        make_signer(name, bytes(32))
