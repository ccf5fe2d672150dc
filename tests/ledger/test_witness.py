"""Witnesses cosign what continues the ledger they saw, and nothing else; a verifier demands as many as it trusts."""

import base64
import random
from hashlib import sha256
from pathlib import Path
from typing import Final

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from consent.ledger import CHECKPOINT
from consent.ledger_note import (
    COSIGNS,
    NoteInvalid,
    Signer,
    make_signer,
    open_checkpoint,
    read_signer,
    read_verifier,
    sign_note,
)
from consent.ledger_witness import WitnessRefused, bear_witness, cosign, cosigned_at, too_few
from tests.ledger.ledgers import KEY, SIGNER, THIEF, entries, ledger_of, unhurried
from tests.ledger.test_tampering import ATTACKS, Stage

W1: Final = make_signer("auditor.example/w1", b"1" * 32, use=COSIGNS)
W2: Final = make_signer("press.example/w2", b"2" * 32, use=COSIGNS)
FALSE: Final = make_signer("auditor.example/w1", b"3" * 32, use=COSIGNS)
"""Another key under the first one's name."""
NOTE: Final = sign_note("example.com/ledger\n7\n" + base64.b64encode(bytes(32)).decode() + "\n", [SIGNER])
TEXT: Final = NOTE.partition("\n\n")[0] + "\n"


def witnessed(
    folder: Path, seen: Path, *, witness: Signer = W1, at_s: int = 5, beside: str | None = None
) -> str | None:
    return bear_witness(folder, key=KEY, witness=witness, seen=seen, at_s=at_s, beside=beside)[0]


def test_a_cosignature_is_what_the_specification_says() -> None:
    """c2sp.org/tlog-cosignature, type 0x04: checked here with nothing of ours."""
    line = cosign(NOTE, W1, at_s=1679315147).splitlines()[-1]
    dash, name, encoded = line.split(" ")
    raw = base64.b64decode(encoded)
    public = W1.verifier.public

    assert (dash, name, len(raw)) == ("\N{EM DASH}", "auditor.example/w1", 4 + 8 + 64)
    assert raw[:4] == sha256(b"auditor.example/w1\n\x04" + public).digest()[:4]
    assert int.from_bytes(raw[4:12], "big") == 1679315147
    Ed25519PublicKey.from_public_bytes(public).verify(raw[12:], b"cosignature/v1\ntime 1679315147\n" + TEXT.encode())


def test_a_cosigned_note_is_the_ledger_s_still() -> None:
    cosigned = cosign(cosign(NOTE, W1, at_s=3), W2, at_s=4)

    assert open_checkpoint(cosigned, KEY) == open_checkpoint(NOTE, KEY)
    assert cosigned.startswith(NOTE)
    assert [cosigned_at(cosigned, each.verifier) for each in (W1, W2, FALSE)] == [3, 4, None]


def test_a_witness_that_cosigns_again_has_one_line() -> None:
    cosigned = cosign(cosign(cosign(NOTE, FALSE, at_s=2), W1, at_s=3), W1, at_s=9)

    assert cosigned.count("auditor.example/w1") == 2
    assert [cosigned_at(cosigned, each.verifier) for each in (W1, FALSE)] == [9, 2]


@given(st.integers(0, 4000), st.integers(0, 7))
@unhurried
def test_no_bit_of_a_cosigned_note_can_be_altered(at: int, bit: int) -> None:
    raw = bytearray(cosign(NOTE, W1, at_s=3).encode())
    raw[at % len(raw)] ^= 1 << bit
    # The line of the ledger is not what a witness vouches for.
    is_ledger_s = NOTE.encode().index(b"\n\n") + 2 <= at % len(raw) < len(NOTE.encode())
    try:
        found = cosigned_at(raw.decode(), W1.verifier)
    except (NoteInvalid, UnicodeDecodeError):
        found = None

    assert found is None or is_ledger_s


def test_keys_are_for_one_use() -> None:
    assert read_verifier(str(W1.verifier), use=COSIGNS) == W1.verifier
    assert read_signer(W1.written(), use=COSIGNS) == W1
    for read in (
        lambda: read_verifier(str(W1.verifier)),
        lambda: read_verifier(str(KEY), use=COSIGNS),
        lambda: read_signer(W1.written()),
        lambda: cosign(NOTE, SIGNER, at_s=1),
    ):
        with pytest.raises(NoteInvalid, match=r"the key of a (ledger|witness)"):
            read()
    assert cosigned_at(NOTE, KEY) is None


@pytest.mark.parametrize(("demanded", "holds"), [(0, True), (1, True), (2, False)])
def test_as_many_as_are_demanded_have_to_have_cosigned(demanded: int, *, holds: bool) -> None:
    note = cosign(cosign(NOTE, W1, at_s=1), FALSE, at_s=2)
    lacking = too_few(note, [W1.verifier, W2.verifier, W1.verifier], demanded=demanded)

    assert (lacking is None) is holds
    assert holds or lacking == "1 of 2 witnesses cosigned the checkpoint, 2 have to; not press.example/w2"


def test_a_ledger_that_grew_is_cosigned_again_and_what_was_seen_is_kept(tmp_path: Path) -> None:
    stage, seen = Stage(tmp_path / "ledger"), tmp_path / "w1.note"
    stage.written(entries(9), seed=1)
    first = witnessed(stage.folder, seen)
    stage.written(entries(30), seed=1)
    second = witnessed(stage.folder, seen, at_s=8)

    assert first is not None
    assert second is not None
    assert seen.read_text(encoding="utf-8") == second
    assert open_checkpoint(second, KEY).size == 30
    assert cosigned_at(second, W1.verifier) == 8


@pytest.mark.parametrize("kind", ATTACKS)
def test_a_ledger_that_was_rewritten_and_signed_again_is_not_cosigned(kind: str, tmp_path: Path) -> None:
    for seed in range(5):
        stage, seen, rng = Stage(tmp_path / "ledger"), tmp_path / f"{seed}.note", random.Random(seed)
        told = entries(20)
        stage.written(told, seed=seed)
        before = witnessed(stage.folder, seen)
        stage.written(ATTACKS[kind].rewrite(told, rng) + entries(9, start=500), seed=seed, signer=ATTACKS[kind].signer)

        assert witnessed(stage.folder, seen) is None
        assert seen.read_text(encoding="utf-8") == before


def test_a_second_witness_adds_a_line_to_the_same_checkpoint_only(tmp_path: Path) -> None:
    ledger_of(tmp_path / "ledger", 9)
    first = witnessed(tmp_path / "ledger", tmp_path / "w1.note")
    both = witnessed(tmp_path / "ledger", tmp_path / "w2.note", witness=W2, beside=first)

    assert both is not None
    assert too_few(both, [W1.verifier, W2.verifier], demanded=2) is None
    for other in (NOTE, cosign((tmp_path / "ledger" / CHECKPOINT).read_text(), FALSE, at_s=1).replace(KEY.name, "x")):
        with pytest.raises((WitnessRefused, NoteInvalid)):
            witnessed(tmp_path / "ledger", tmp_path / "w2.note", witness=W2, beside=other)


def test_what_the_witness_saw_has_to_be_a_checkpoint_of_that_ledger(tmp_path: Path) -> None:
    ledger_of(tmp_path / "ledger", 9)
    (tmp_path / "w1.note").write_text(sign_note(TEXT, [THIEF]), encoding="utf-8")

    with pytest.raises(NoteInvalid):
        witnessed(tmp_path / "ledger", tmp_path / "w1.note")
    with pytest.raises(WitnessRefused, match="cannot be read"):
        witnessed(tmp_path / "nothing", tmp_path / "w2.note")
