"""The tree against the published vectors of Certificate Transparency, and against the definition in RFC 6962."""

from collections.abc import Sequence
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent.ledger_tree import (
    EMPTY_ROOT,
    consistency_proof,
    inclusion_proof,
    is_consistent,
    is_included,
    leaf_hash,
    root_of,
)
from tests.ledger.ledgers import unhurried

# From the reference implementation of Certificate Transparency (google/certificate-transparency, transparency-dev).
INPUTS = [
    "",
    "00",
    "10",
    "2021",
    "3031",
    "40414243",
    "5051525354555657",
    "606162636465666768696a6b6c6d6e6f",
]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
LEAF_1 = "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7"
LEAF_4 = "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"
LEAF_6 = "b08693ec2e721597130641e8211e7eedccb4c26413963eee6c1e2ed16ffb1a5f"
NODE_2_3 = "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e"
NODE_4_5 = "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a"
NODE_6_7 = "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0"
NODE_4_7 = "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"
INCLUSIONS = [
    (0, 1, []),
    (0, 8, [LEAF_1, NODE_2_3, NODE_4_7]),
    (5, 8, [LEAF_4, NODE_6_7, ROOTS[3]]),
    (2, 3, [ROOTS[1]]),
    (1, 5, [ROOTS[0], NODE_2_3, LEAF_4]),
]
CONSISTENCIES = [
    (1, 1, []),
    (1, 8, [LEAF_1, NODE_2_3, NODE_4_7]),
    (6, 8, [NODE_4_5, NODE_6_7, ROOTS[3]]),
    (2, 5, [NODE_2_3, LEAF_4]),
    (6, 7, [NODE_4_5, LEAF_6, ROOTS[3]]),
]
LEAVES = [leaf_hash(bytes.fromhex(text)) for text in INPUTS]


def defined_root(hashes: Sequence[bytes]) -> bytes:
    """MTH as RFC 6962 writes it, over leaf hashes."""
    if not hashes:
        return sha256(b"").digest()
    if len(hashes) == 1:
        return hashes[0]
    half = max(2**power for power in range(20) if 2**power < len(hashes))
    return sha256(b"\x01" + defined_root(hashes[:half]) + defined_root(hashes[half:])).digest()


class Tree:
    """Leaf hashes in memory."""

    def __init__(self, hashes: Sequence[bytes]) -> None:
        self.hashes = hashes

    def subtree(self, start: int, end: int) -> bytes:
        return defined_root(self.hashes[start:end])


def hashes_of(count: int) -> list[bytes]:
    return [leaf_hash(number.to_bytes(4)) for number in range(count)]


def test_the_empty_tree_is_the_hash_of_nothing() -> None:
    assert (
        root_of([]) == EMPTY_ROOT == bytes.fromhex("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    )


@pytest.mark.parametrize("size", range(1, 9))
def test_the_root_is_the_published_one(size: int) -> None:
    assert root_of(LEAVES[:size]).hex() == ROOTS[size - 1]


@pytest.mark.parametrize(("index", "size", "proof"), INCLUSIONS)
def test_an_inclusion_proof_is_the_published_one_and_holds(index: int, size: int, proof: list[str]) -> None:
    made = inclusion_proof(index, size=size, subtree=Tree(LEAVES).subtree)

    assert [each.hex() for each in made] == proof
    assert is_included(LEAVES[index], index=index, size=size, proof=made, root=bytes.fromhex(ROOTS[size - 1]))


@pytest.mark.parametrize(("old", "new", "proof"), CONSISTENCIES)
def test_a_consistency_proof_is_the_published_one_and_holds(old: int, new: int, proof: list[str]) -> None:
    made = consistency_proof(old, new, subtree=Tree(LEAVES).subtree)
    old_root, new_root = bytes.fromhex(ROOTS[old - 1]), bytes.fromhex(ROOTS[new - 1])

    assert [each.hex() for each in made] == proof
    assert is_consistent(old=old, old_root=old_root, new=new, new_root=new_root, proof=made)


@pytest.mark.parametrize("size", [*range(40), 127, 128, 129])
def test_the_root_is_the_one_that_the_standard_defines(size: int) -> None:
    assert root_of(hashes_of(size)) == defined_root(hashes_of(size))


@unhurried
@given(st.data(), st.integers(1, 70))
def test_every_leaf_is_shown_and_no_other_is(data: st.DataObject, size: int) -> None:
    hashes = hashes_of(size)
    root = defined_root(hashes)
    index = data.draw(st.integers(0, size - 1))
    other = data.draw(st.integers(0, size - 1))
    proof = inclusion_proof(index, size=size, subtree=Tree(hashes).subtree)

    assert is_included(hashes[index], index=index, size=size, proof=proof, root=root)
    assert is_included(hashes[other], index=index, size=size, proof=proof, root=root) == (other == index)
    assert is_included(hashes[index], index=other, size=size, proof=proof, root=root) == (other == index)
    assert not is_included(hashes[index], index=index, size=size, proof=[*proof, root], root=root)
    assert not proof or not is_included(hashes[index], index=index, size=size, proof=proof[:-1], root=root)


@unhurried
@given(st.data(), st.integers(1, 70))
def test_a_tree_continues_each_of_its_beginnings_and_no_other(data: st.DataObject, new: int) -> None:
    old = data.draw(st.integers(1, new))
    hashes = hashes_of(new)
    changed = data.draw(st.integers(0, old - 1))
    forged = [*hashes[:changed], leaf_hash(b"forged"), *hashes[changed + 1 :]]
    proof = consistency_proof(old, new, subtree=Tree(hashes).subtree)
    roots = {"old_root": defined_root(hashes[:old]), "new_root": defined_root(hashes)}

    assert is_consistent(old=old, new=new, proof=proof, **roots)
    assert not is_consistent(
        old=old, new=new, proof=proof, old_root=defined_root(forged[:old]), new_root=roots["new_root"]
    )
    made_for_the_forged = consistency_proof(old, new, subtree=Tree(forged).subtree)
    assert not is_consistent(
        old=old, new=new, proof=made_for_the_forged, old_root=roots["old_root"], new_root=defined_root(forged)
    )
    assert not is_consistent(old=old, new=new, proof=[*proof, hashes[0]], **roots)


@pytest.mark.parametrize(("index", "size"), [(0, 0), (3, 3), (-1, 3)])
def test_there_is_no_proof_of_a_leaf_outside_the_tree(index: int, size: int) -> None:
    with pytest.raises(ValueError, match="no leaf"):
        inclusion_proof(index, size=size, subtree=Tree(LEAVES).subtree)
    assert not is_included(LEAVES[0], index=index, size=size, proof=[], root=LEAVES[0])


def test_a_smaller_tree_continues_nothing() -> None:
    with pytest.raises(ValueError, match="cannot continue"):
        consistency_proof(5, 4, subtree=Tree(LEAVES).subtree)
    assert not is_consistent(old=5, old_root=LEAVES[0], new=4, new_root=LEAVES[0], proof=[LEAVES[0]])


def test_a_proof_that_ends_below_the_root_shows_nothing() -> None:
    """Whoever may choose the root could else pass off an inner node as one."""
    inner = bytes.fromhex(ROOTS[1])
    assert is_included(LEAVES[0], index=0, size=2, proof=[bytes.fromhex(LEAF_1)], root=inner)
    assert not is_included(LEAVES[0], index=0, size=8, proof=[bytes.fromhex(LEAF_1)], root=inner)

    first = bytes.fromhex(ROOTS[0])
    assert is_consistent(old=1, old_root=first, new=2, new_root=inner, proof=[bytes.fromhex(LEAF_1)])
    assert not is_consistent(old=1, old_root=first, new=8, new_root=inner, proof=[bytes.fromhex(LEAF_1)])
