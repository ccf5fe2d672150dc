"""The inputs of a receipt are sealed under a key of the identity, and end with it."""

import asyncio
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from dataclasses import replace as dataclass_replace
from pathlib import Path

import pytest
from msgspec.structs import replace

from commands.sealing import receipt_sealing_of
from commands.settings import make_keyring, settings_of
from events.body_keys import EVIDENCE, BodyKeys, BodyKeysUnavailable, KeyMaker, KeyName, StoredKey, end_of, period_of
from events.memory_body_keys import MemoryBodyKeys
from events.sealing import REMEMBERED_S
from recommender.catalogue_store import CatalogueStore
from recommender.explain import explain
from recommender.model_store import ModelStore
from recommender.receipt_keys import AWAY_S, IdentitySealing
from recommender.receipt_sealing import InputsUnreadable, InstallationSealing, KeyGone
from tests.api.world import World, problem
from tests.builders import NOW, pseudonym
from tests.noninterference.crowd import CATALOGUE, model
from tests.recommender.replaying import RECEIPTS, archived, decided
from tests.sealing.keys import MAKER, keys_of

ANNA, BEN = pseudonym("app:anna"), pseudonym("app:ben")
EARLIER = InstallationSealing(b"i" * 32)
NAME = KeyName(ANNA, "service.fulfil", period_of(NOW))


@pytest.fixture(params=["memory", "sqlite"])
def keys(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[BodyKeys]:
    with keys_of(request.param, tmp_path, request) as made:
        yield made


@dataclass
class Clocks:
    """The time of a test."""

    seconds: float = 0.0
    ms: int = NOW


class Counting(MemoryBodyKeys):
    """Keys that count how often they are asked, and may be out of reach."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0
        self.by: set[int] = set()
        self.made_by: set[int] = set()
        self.is_away = False

    def destructions(self) -> int:
        self.asked += 1
        self.by.add(threading.get_ident())
        if self.is_away:
            raise BodyKeysUnavailable("away")
        return super().destructions()

    def ensure(self, offered: Mapping[KeyName, StoredKey]) -> dict[KeyName, StoredKey]:
        self.made_by.add(threading.get_ident())
        return super().ensure(offered)


class Far(Counting):
    """Keys on another machine."""

    is_near = False


def process(keys: BodyKeys, clocks: Clocks | None = None, maker: KeyMaker = MAKER) -> IdentitySealing:
    """The sealing of a process that was started just now."""
    time = clocks or Clocks()
    return IdentitySealing(keys=keys, maker=maker, earlier=EARLIER, now=lambda: time.ms, clock=lambda: time.seconds)


def test_what_was_sealed_opens_in_every_process_until_the_key_of_the_identity_is_destroyed(keys: BodyKeys) -> None:
    sealing, others = process(keys), process(keys)
    for_anna, for_ben = sealing.seal(ANNA, b"hers"), sealing.seal(BEN, b"his")
    assert (others.open(ANNA, for_anna), others.open(BEN, for_ben)) == (b"hers", b"his")

    keys.destroy([ANNA], spared=[EVIDENCE])

    for each in (sealing, others, process(keys)):
        with pytest.raises(KeyGone):
            each.open(ANNA, for_anna)
        assert each.open(BEN, for_ben) == b"his"


def test_the_key_is_that_of_the_contract_s_facts_of_the_quarter(keys: BodyKeys) -> None:
    clocks = Clocks()
    sealing = process(keys, clocks)
    sealed = sealing.seal(ANNA, b"x")

    assert keys.tally() == {NAME[1:]: 1}
    assert sealed.startswith(keys.named([NAME])[NAME].id.encode())
    clocks.ms = end_of(NAME.period)
    later = sealing.seal(ANNA, b"x")
    assert later[:32] != sealed[:32]
    assert sealing.open(ANNA, sealed) == sealing.open(ANNA, later) == b"x"
    assert keys.age_out(NAME.kind, NAME.period) == 1
    assert sealing.open(ANNA, later) == b"x"


def test_nothing_is_sealed_under_a_key_that_is_known_to_be_destroyed(keys: BodyKeys) -> None:
    clocks = Clocks()
    sealing = process(keys, clocks)
    sealing.seal(ANNA, b"before")
    keys.destroy([ANNA])

    clocks.seconds += REMEMBERED_S + 0.1

    assert sealing.open(ANNA, sealing.seal(ANNA, b"after she came back")) == b"after she came back"


@pytest.mark.parametrize(("gone", "keys_made"), [([ANNA], 4), ([BEN], 1)])
def test_keys_are_remembered_until_one_is_destroyed(gone: list[str], keys_made: int) -> None:
    keys, clocks = Counting(), Clocks()
    sealing = process(keys, clocks)
    ids = []
    for _ in range(4):
        ids += [sealing.seal(ANNA, b"x")[:32] for _ in range(10)]
        clocks.seconds += REMEMBERED_S + 0.1
        keys.destroy(gone)

    assert keys.asked == 4
    assert len(set(ids)) == keys_made


async def test_whoever_is_ready_does_not_ask_again() -> None:
    keys = Counting()
    sealing = process(keys)
    await sealing.ready(ANNA)
    asked = keys.asked

    sealing.seal(ANNA, b"x")
    await sealing.ready(ANNA)

    assert (keys.asked, asked) == (1, 1)


async def test_a_key_that_is_near_is_looked_up_at_once_and_only_made_in_a_thread() -> None:
    keys = Counting()
    await process(keys).ready(ANNA)
    assert threading.get_ident() not in keys.made_by

    keys.by.clear()
    sealing = process(keys)
    await sealing.ready(ANNA)

    assert keys.by == {threading.get_ident()}
    assert sealing.open(ANNA, sealing.seal(ANNA, b"x")) == b"x"


async def test_nobody_waits_on_the_event_loop_while_a_thread_makes_a_key() -> None:
    made, begun, here = threading.Event(), threading.Event(), threading.get_ident()

    class Slow(Counting):
        def ensure(self, offered: Mapping[KeyName, StoredKey]) -> dict[KeyName, StoredKey]:
            begun.set()
            assert threading.get_ident() != here
            assert made.wait(60)
            return super().ensure(offered)

    sealing = process(Slow())
    first = asyncio.create_task(sealing.ready(ANNA))
    assert await asyncio.to_thread(begun.wait, 60)
    second = asyncio.create_task(sealing.ready(BEN))
    asyncio.get_running_loop().call_soon(made.set)
    await asyncio.gather(first, second)

    assert sealing.open(BEN, sealing.seal(BEN, b"x")) == b"x"


async def test_keys_that_do_not_answer_let_nothing_be_sealed() -> None:
    keys = Counting()
    keys.is_away = True

    with pytest.raises(BodyKeysUnavailable):
        await process(keys).ready(ANNA)
    with pytest.raises(BodyKeysUnavailable):
        process(keys).seal(ANNA, b"x")


async def test_nobody_queues_behind_keys_that_are_away_and_they_are_asked_again_soon() -> None:
    keys, clocks = Counting(), Clocks()
    sealing = process(keys, clocks)
    keys.is_away = True
    for _ in range(5):
        with pytest.raises(BodyKeysUnavailable):
            await sealing.ready(ANNA)
    assert keys.asked == 1

    keys.is_away = False
    clocks.seconds += AWAY_S
    await sealing.ready(ANNA)
    assert sealing.open(ANNA, sealing.seal(ANNA, b"x")) == b"x"


def test_what_is_not_as_it_was_sealed_does_not_open_and_says_why() -> None:
    keys = MemoryBodyKeys()
    sealing = process(keys)
    sealed = sealing.seal(ANNA, b"x")
    sealing.seal(BEN, b"x")

    for identity, bytes_, why in (
        (BEN, sealed, "damaged, or were sealed for another identity"),
        (ANNA, sealed[:-1] + bytes([sealed[-1] ^ 1]), "damaged, or were sealed for another identity"),
        (ANNA, b"\xff" + sealed[1:], "damaged, or were sealed under another key"),
        (ANNA, b"", "damaged, or were sealed under another key"),
        (ANNA, MAKER.make().id.encode() + sealed[32:], "the keys do not hold"),
    ):
        with pytest.raises(InputsUnreadable, match=why):
            sealing.open(identity, bytes_)


def test_a_receipt_of_an_earlier_version_still_opens() -> None:
    assert process(MemoryBodyKeys()).open(ANNA, EARLIER.seal(ANNA, b"x")) == b"x"


def test_a_decision_is_made_again_until_its_person_is_erased(tmp_path: Path) -> None:
    ModelStore(tmp_path).publish(model())
    CatalogueStore(tmp_path).keep(CATALOGUE)
    keys = MemoryBodyKeys()
    sealing = process(keys)
    made = decided(0)
    receipt = replace(made, inputs=sealing.seal(made.identity, RECEIPTS.sealing.open(made.identity, made.inputs)))
    ours = dataclass_replace(RECEIPTS, sealing=sealing)

    assert explain(receipt, receipts=ours, archive=archived(tmp_path)).verdict == "same"
    keys.destroy([receipt.identity], spared=[EVIDENCE])
    gone = explain(receipt, receipts=ours, archive=archived(tmp_path))

    assert gone.verdict == "missing"
    assert gone.findings == ("inputs: the key was destroyed: the person was erased, and the decision with them",)


async def test_the_route_seals_for_who_was_asked_about_and_other_requests_do_not_wait_for_the_key(
    tmp_path: Path,
) -> None:
    keys, world = Far(), World(tmp_path)
    ours = dataclass_replace(RECEIPTS, sealing=process(keys))

    answer = await world.with_services(receipts=ours).suggestions()
    kept = await world.decisions.get(answer.json()["decision"])

    assert kept is not None
    assert ours.inputs_of(kept).question.k == 3
    assert threading.get_ident() not in keys.by
    keys.destroy([kept.identity])
    with pytest.raises(KeyGone):
        ours.inputs_of(kept)


async def test_while_the_keys_do_not_answer_there_is_no_suggestion(tmp_path: Path) -> None:
    keys, world = Counting(), World(tmp_path)
    keys.is_away = True

    answer = await world.with_services(receipts=dataclass_replace(RECEIPTS, sealing=process(keys))).suggestions()

    assert (answer.status_code, problem(answer)) == (503, "store-unavailable")
    assert await world.decisions.looks_at([ANNA, pseudonym("app:42")]) == []


def test_switched_off_new_receipts_need_no_key_of_an_identity_and_old_ones_still_open(tmp_path: Path) -> None:
    settings = settings_of(data=tmp_path)
    keyring = make_keyring(settings)
    sealed = receipt_sealing_of(settings, keyring).seal(ANNA, b"x")
    off = receipt_sealing_of(settings.model_copy(update={"sealing": False}), keyring)

    assert off.open(ANNA, sealed) == b"x"
    assert InstallationSealing(keyring.receipt_key).open(ANNA, off.seal(ANNA, b"y")) == b"y"
