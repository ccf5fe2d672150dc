"""Erased, a person's facts cannot be opened wherever a copy of them lies: on the log, in history, in a backup."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from commands.rights_keys import erase_again, keys_refusal
from consent.retention import load_retention
from events.body_keys import EVIDENCE, BodyGone, BodyKeys, KeyName, period_of
from events.fact import Fact, FactUndecodable
from events.history import History
from events.memory_log import MemoryRecord
from events.sealing import Sealing
from events.sqlite_body_keys import SqliteBodyKeys
from profiles.facet import Facet
from profiles.rights import erased_at
from tests.api.world import EVENTS
from tests.builders import NOW, PARTITIONS, fact, pseudonym, purchased
from tests.rights.erasing import CARD, KEY, ME, OTHER, Installation, lived_in, replayed
from tests.sealing.keys import sealing_over

CANARY = "canary-7f3a9c"
SPOKEN = fact("feedback.complaint_filed", identity=ME, case_id=CANARY, text=f"my {CANARY} died")


@pytest.fixture
async def home(tmp_path: Path) -> Installation:
    made = Installation(tmp_path)
    await lived_in(made)
    await made.world.happened(SPOKEN)
    made.archive()
    made.follow()
    return made


def on_the_log(home: Installation) -> list[MemoryRecord]:
    return [record for partition in range(PARTITIONS) for record in home.world.log.records(EVENTS, partition)]


def opened(sealing: Sealing, records: list[MemoryRecord]) -> Iterator[tuple[str, Fact | None]]:
    """Whom each record is about, and the fact; None for one that nobody can open."""
    for record, envelope in zip(records, sealing.look_up([each.value for each in records]), strict=True):
        try:
            yield (record.key or b"").decode(), envelope.fact()
        except BodyGone:
            yield (record.key or b"").decode(), None


def holding(folder: Path, needle: bytes) -> list[str]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return sorted(str(path.relative_to(folder)) for path in files if needle in path.read_bytes())


async def test_a_value_of_a_sealed_fact_stands_neither_on_the_log_nor_in_history(home: Installation) -> None:
    assert [found.body for _, found in home.history.facts() if found.type == SPOKEN.type] == [SPOKEN.body]
    assert all(CANARY.encode() not in (record.value or b"") for record in on_the_log(home))
    assert holding(home.folder / "history", CANARY.encode()) == []
    # Nor the digest of what was sent, by which a guess at it could be tried.
    assert all(SPOKEN.digest not in (record.value or b"") for record in on_the_log(home))


async def test_after_an_erasure_the_log_itself_tells_nothing_more_of_the_person(home: Installation) -> None:
    records = on_the_log(home)
    home.ask(ME, CARD)

    await home.until_done()

    told = list(opened(sealing_over(home.keys), records))
    assert {who for who, found in told if found is None} == {pseudonym(ME), pseudonym(CARD)}
    assert {who for who, found in told if found is not None} == {pseudonym(OTHER)}


async def test_what_was_told_cannot_be_opened_before_anything_else_of_an_erasure_is_done(home: Installation) -> None:
    home.ask(ME, CARD)

    await home.carry_out()

    told = [(who, found.type) for who, found in opened(sealing_over(home.keys), on_the_log(home)) if found is not None]
    mine = {name for who, name in told if who == pseudonym(ME)}
    assert mine == {"consent.given", "identity.linked", "rights.erased"}


async def test_the_file_of_the_keys_holds_neither_name_nor_key_of_the_erased(home: Installation) -> None:
    period = period_of(NOW)
    names = [KeyName(pseudonym(who), "service.fulfil", period) for who in (ME, OTHER)]
    mine, others = (home.keys.named(names)[name].wrapped for name in names)
    keys = home.folder / "keys"
    assert holding(keys, pseudonym(ME).encode()) != []
    home.ask(ME, CARD)

    await home.until_done()

    for needle in (mine, pseudonym(ME).encode(), pseudonym(CARD).encode()):
        assert holding(keys, needle) == []
    assert holding(keys, others) != []


async def test_replaying_the_whole_log_leaves_a_tombstone_and_nothing_else(home: Installation, tmp_path: Path) -> None:
    home.ask(ME, CARD)
    await home.until_done()
    fresh = History(tmp_path / "anew", sealing_over(home.keys))
    for partition in range(PARTITIONS):
        if records := home.world.log.records(EVENTS, partition):
            fresh.append(1, partition, 0, len(records), records)

    home.history = fresh

    for identity in (ME, CARD):
        facet = replayed(home, identity)
        assert erased_at(facet) is not None
        assert (facet.service, facet.consents) == (Facet().service, {})
    assert replayed(home, OTHER).service.orders


async def test_whoever_comes_back_is_sealed_under_a_new_key_and_read(home: Installation) -> None:
    home.ask(ME, CARD)
    await home.until_done()
    home.seconds += 10
    home.world.now += 1000

    back = purchased("o-9", identity=ME, at=home.world.now)
    await home.world.happened(back)
    home.archive()

    assert set((await home.facet(ME)).service.orders) == {"o-9"}
    assert [found for _, found in home.history.facts() if found.type == "transaction.purchased"][-1] == back


async def test_a_process_that_remembers_a_destroyed_key_opens_nothing_after_five_seconds(home: Installation) -> None:
    records, seconds = on_the_log(home), [0.0]
    other_process = sealing_over(home.keys, clock=lambda: seconds[0])
    assert all(found is not None for _, found in opened(other_process, records))

    home.keys.destroy([pseudonym(ME)])
    seconds[0] = 5.0

    gone = {who for who, found in opened(other_process, records) if found is None}
    assert gone == {pseudonym(ME)}


async def test_keys_put_back_from_a_copy_are_destroyed_again_before_they_open_anything(home: Installation) -> None:
    home.keys.close()
    shutil.copytree(home.folder / "keys", home.folder / "copy")
    records = on_the_log(home)
    home.ask(ME, CARD)
    await home.until_done()

    restored = SqliteBodyKeys(home.folder / "copy" / "bodies.sqlite")

    assert "put back" in (await keys_refusal(restored, home.requests) or "")
    assert await keys_refusal(home.keys, home.requests) is None
    assert pseudonym(ME) in restored.identities()
    assert erase_again(restored, home.requests, load_retention(), key=KEY) == 2
    assert {who for who, found in opened(sealing_over(restored), records) if found is not None} == {pseudonym(OTHER)}
    assert {each.because for each in restored.retired()} == {"request-1"}
    assert erase_again(restored, home.requests, load_retention(), key=KEY) == 0
    assert await keys_refusal(restored, home.requests) is None
    restored.close()
    assert holding(home.folder / "copy", pseudonym(ME).encode()) == []


async def test_an_erasure_that_goes_on_keeps_what_opens_acts_until_the_ledger_has_them(home: Installation) -> None:
    home.ask(ME, CARD)
    await home.carry_out()
    await home.world.fold()
    await home.carry_out()
    [pending] = home.requests.pending()
    assert pending.done.keys() >= {"keys", "store"}

    assert erase_again(home.keys, home.requests, load_retention(), key=KEY) == 0

    kinds = {kind for kind, _ in home.keys.tally()}
    assert pseudonym(ME) in home.keys.identities()
    assert EVIDENCE in kinds


async def test_evidence_is_kept_out_of_use_until_the_day_the_certificate_names(home: Installation) -> None:
    home.ask(ME, CARD)

    done = await home.until_done()

    until = load_retention().evidence_until(done.asked_at)
    kept = home.keys.retired()
    assert {(each.because, each.until) for each in kept} == {(done.id, until)}
    assert len(kept) == done.done["evidence_keys"].found["keys"] == 2
    assert all(value is None for value in home.keys.find([each.id for each in kept]).values())


def test_no_key_opens_what_another_one_sealed_and_no_bit_may_change(tmp_path: Path) -> None:
    keys: BodyKeys = SqliteBodyKeys(tmp_path / "bodies.sqlite")
    sealing = sealing_over(keys)
    [mine, others] = sealing.seal([SPOKEN, purchased("o-1", identity=OTHER)])
    [envelope] = sealing.look_up([mine])
    assert envelope.fact() == SPOKEN

    [theirs] = sealing.look_up([others])
    with pytest.raises(FactUndecodable, match="no key"):
        envelope._replace(key=theirs.key).fact()
    refused = 0
    for place in range(len(mine) * 8):
        damaged = bytearray(mine)
        damaged[place // 8] ^= 1 << place % 8
        try:
            [read] = sealing.look_up([bytes(damaged)])
            read.fact()
        except FactUndecodable:
            refused += 1
    assert refused == len(mine) * 8


def test_each_kind_of_fact_has_a_key_of_its_own(tmp_path: Path) -> None:
    keys = SqliteBodyKeys(tmp_path / "bodies.sqlite")
    act = fact("consent.given", identity=ME, purpose="profile.build")

    sealing_over(keys).seal([SPOKEN, act, purchased("o-1", identity=ME)])

    assert keys.tally() == {("service.fulfil", period_of(NOW)): 1, (EVIDENCE, period_of(NOW)): 1}
