"""Replaying what was set aside: in order per identity, counted once, and no no is lost."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from consent.holds import hold_of
from events.fact import encode_fact
from events.identity import Linked
from events.partitioning import partition_of
from streams.dead_letters import DeadLetter
from streams.frame import Frame, Handled, Record
from streams.memory_dead_letters import MemoryDeadLetters
from tests.builders import (
    DAY,
    HOUR,
    NOW,
    PARTITIONS,
    TRUSTED,
    consent,
    event,
    money,
    pseudonym,
    purchased,
)
from tests.streams.dead_letter_world import EVENTS, INTAKE, LetterWorld


@pytest.fixture
async def world() -> AsyncIterator[LetterWorld]:
    world = LetterWorld()
    await world.log.start()
    yield world
    await world.log.stop()


def link(other: str, *, subject: str = "app:42", at: int = NOW) -> dict[str, Any]:
    """What the open intake refuses, and a trusted door takes."""
    return event("identity.linked", subject=subject, other=other, strength="verified", reason="login", at=at)


async def set_aside(world: LetterWorld, *events: Any) -> list[DeadLetter]:
    for said in events:
        await world.send(said)
    await world.work()
    return await world.kept()


async def test_once_the_cause_is_mended_every_letter_counts_once_and_is_gone(world: LetterWorld) -> None:
    await set_aside(world, link("card:1"), link("card:2"), link("card:3", subject="app:7"))
    world.opened_to(TRUSTED)

    assert await world.replayed() == ["applied"] * 3

    assert await world.kept() == []
    assert len((await world.facet()).edges) == 2


async def test_what_is_refused_again_stays_in_its_place_and_holds_back_its_identity_alone(world: LetterWorld) -> None:
    before = await set_aside(
        world,
        link("card:1"),
        event("consent.given", purpose="profile.build", source="shop"),
        link("card:2"),
        link("card:3", subject="app:7"),
        b"{",
    )
    world.opened_to(TRUSTED)

    assert await world.replayed() == ["applied", "refused", "behind", "applied", "refused"]

    assert await world.kept() == [before[1], before[2], before[4]]


async def test_the_order_of_one_identity_is_kept_whatever_round_the_rest_takes(world: LetterWorld) -> None:
    letters = await set_aside(
        world, *(link(f"card:{at}", subject=subject) for at in range(5) for subject in ("app:1", "app:2"))
    )
    world.opened_to(TRUSTED)

    await world.replayed(letters[::-1])

    for subject in ("app:1", "app:2"):
        assert others_of(world, subject) == [pseudonym(f"card:{at}") for at in range(5)]


def others_of(world: LetterWorld, subject: str) -> list[str]:
    """To whom an identity was linked, in the order of the log."""
    name = pseudonym(subject).encode()
    records = [record for at in range(PARTITIONS) for record in world.log.records(EVENTS, at) if record.key == name]
    bodies = [each.fact().body for each in world.sealing.look_up([record.value for record in records])]
    return [body.other for body in bodies if isinstance(body, Linked)]


async def test_letters_replayed_twice_count_once(world: LetterWorld) -> None:
    letters = await set_aside(world, link("card:1"), link("card:2"))
    world.opened_to(TRUSTED)
    await world.replayed(letters)
    once, followed = await world.facet(), len(world.candidates)
    await world.letters.keep(letters)

    assert await world.replayed(letters) == ["applied", "applied"]

    assert (await world.facet(), len(world.candidates)) == (once, followed)


async def test_two_replays_at_once_count_once_and_keep_the_order(world: LetterWorld) -> None:
    letters = await set_aside(world, *(link(f"card:{at}") for at in range(6)))
    world.opened_to(TRUSTED)

    async with world.working():
        answers = await asyncio.gather(*(world.replayer().replay(letters) for _ in range(2)))

    assert {outcome for outcomes in answers for outcome in outcomes.values()} <= {"applied", "gone"}
    assert await world.kept() == []
    assert len((await world.facet()).edges) == 6
    assert len(world.candidates) == 12  # both halves of six links


class ProcessGoneError(Exception):
    """Nothing that comes after this is done."""


class DiesAfter:
    """A log that takes some records, and then the process is no more."""

    def __init__(self, world: LetterWorld, times: int) -> None:
        self.world = world
        self.left = times

    async def publish(self, **record: Any) -> int:
        self.left -= 1
        offset = await self.world.log.publish(**record)
        if self.left == 0:
            raise ProcessGoneError
        return offset


@pytest.mark.parametrize("dies_after", [1, 2, 3])
async def test_a_replay_that_dies_in_the_middle_is_run_again(world: LetterWorld, dies_after: int) -> None:
    letters = await set_aside(world, *(link(f"card:{at}") for at in range(4)))
    world.opened_to(TRUSTED)
    replayer = world.replayer(log=DiesAfter(world, dies_after))

    async with world.working():
        with pytest.raises(ProcessGoneError):
            await replayer.replay(letters)
    assert len(await world.kept()) == 4 - dies_after + 1

    assert set(await world.replayed()) == {"applied"}

    assert await world.kept() == []
    assert len((await world.facet()).edges) == 4
    assert len(world.candidates) == 8


class Away(MemoryDeadLetters):
    """Letters that cannot be dropped for a while: whoever would have done it is no more."""

    is_away = True

    async def drop(self, letter_id: str) -> None:
        if self.is_away:
            raise ProcessGoneError
        await super().drop(letter_id)


async def test_what_counted_but_could_not_be_dropped_does_not_count_again() -> None:
    letters = Away()
    world = LetterWorld(letters=letters)
    await world.log.start()
    await set_aside(world, link("card:1"))
    world.opened_to(TRUSTED)
    with pytest.raises(ProcessGoneError):
        await world.replayed()
    letters.is_away = False

    assert await world.replayed() == ["applied"]

    assert len(world.candidates) == 2


async def test_what_was_sent_anew_and_mended_meanwhile_is_not_undone(world: LetterWorld) -> None:
    wrong = event("transaction.purchased", order_id="o-1", total=money(10), event_id="till-1") | {"data": {}}
    letters = await set_aside(world, wrong)
    await world.send(event("transaction.purchased", order_id="o-1", total=money(10), event_id="till-1"))
    await world.work()

    assert await world.replayed(letters) == ["refused"]

    order = (await world.facet()).service.orders["o-1"].placed
    assert order is not None
    assert order.value.amount == 10


async def test_the_same_payload_sent_anew_meanwhile_counts_once(world: LetterWorld) -> None:
    said = link("card:1")
    letters = await set_aside(world, said)
    world.opened_to(TRUSTED)
    await world.send(said)
    await world.work()
    once = await world.facet()

    assert await world.replayed(letters) == ["applied"]

    assert await world.facet() == once


async def test_a_neighbour_that_was_replayed_earlier_makes_no_difference(world: LetterWorld) -> None:
    letters = await set_aside(world, link("card:1"), link("card:2", at=NOW - HOUR), link("card:3"))
    world.opened_to(TRUSTED)

    assert await world.replayed(letters[2:]) == ["applied"]
    assert await world.replayed() == ["applied", "applied"]

    assert len((await world.facet()).edges) == 3


async def test_a_yes_replayed_after_a_later_no_opens_nothing(world: LetterWorld) -> None:
    yes = event("consent.given", purpose="profile.build", at=NOW - DAY)
    letters = await set_aside(world, yes)
    world.opened_to(TRUSTED)
    await world.send(event("consent.withdrawn", purpose="profile.build", at=NOW))
    await world.work()
    world.now += HOUR

    assert await world.replayed(letters) == ["applied"]

    await world.send(event("identity.described", attributes={"hobby": "chess"}, at=NOW + HOUR))
    await world.work()
    assert (await world.facet()).build is None


async def test_nobody_takes_it_up_and_it_stays(world: LetterWorld) -> None:
    letters = await set_aside(world, link("card:1"), link("card:2"))

    outcomes = await world.replayer(wait_s=0.1).replay(letters)

    assert list(outcomes.values()) == ["unknown", "behind"]
    assert await world.kept() == letters


async def test_another_log_of_the_same_name_says_nothing_about_what_was_sent(world: LetterWorld) -> None:
    letters = await set_aside(world, link("card:1"))
    world.opened_to(TRUSTED)

    async with world.working():
        outcomes = await world.replayer(log_ids={INTAKE: "made anew"}, wait_s=0.1).replay(letters)

    assert list(outcomes.values()) == ["unknown"]
    assert await world.kept() == letters


async def test_a_letter_that_still_waits_in_the_outbox_is_waited_for(world: LetterWorld) -> None:
    letters = await set_aside(world, link("card:1"))
    partition = partition_of(b"app:42", PARTITIONS)
    offset = await world.send(link("card:1"), partition=partition)
    records = [Record(*record) for record in world.log.records(INTAKE, partition)]
    frame = Frame(topic=INTAKE, partition=partition, generation=1, start=0, end=offset + 1, records=records)
    assert await world.fold(frame) == Handled()

    class SentAlready:
        async def publish(self, **_record: Any) -> int:
            return offset

    outcomes = await world.replayer(log=SentAlready(), wait_s=0.1).replay(letters)

    assert list(outcomes.values()) == ["unknown"]
    assert await world.kept() == letters


class Overflowing(MemoryDeadLetters):
    """So many letters came that new ones are only counted."""

    is_full = False

    async def keep(self, letters: Sequence[DeadLetter]) -> None:
        if not self.is_full:
            await super().keep(letters)

    async def overflows(self, _day: int, /) -> bool:
        return self.is_full


async def test_a_letter_is_not_dropped_while_a_new_one_could_not_be_seen() -> None:
    letters = Overflowing()
    world = LetterWorld(letters=letters)
    await world.log.start()
    before = await set_aside(world, link("card:1"))
    letters.is_full = True

    assert await world.replayed() == ["unknown"]

    assert await world.kept() == before
    assert world.facts(INTAKE) == 1


async def test_a_record_whose_contents_were_not_kept_is_passed_over(world: LetterWorld) -> None:
    [letter] = await set_aside(world, b"x" * 400_000)

    assert await world.replayed() == ["not_kept"]

    assert await world.kept() == [letter]


async def test_a_letter_that_somebody_discarded_is_not_sent(world: LetterWorld) -> None:
    letters = await set_aside(world, link("card:1"))
    await world.letters.drop(letters[0].id)

    assert await world.replayed(letters) == ["gone"]

    assert world.facts(INTAKE) == 1


async def conflicting_no(world: LetterWorld) -> None:
    """A yes, and a no of another payload under the same event key: acknowledged, held, set aside."""
    await world.write(consent("given", "profile.build", event_id="act-1", at=NOW - HOUR))
    no = consent("withdrawn", "profile.build", event_id="act-1")
    hold = hold_of(no)
    assert hold is not None
    await world.holds.place([hold])
    await world.write(no)
    await world.work()
    assert await world.reasons() == [(1, "conflict")]


async def closed(world: LetterWorld) -> frozenset[str]:
    name = pseudonym("app:42")
    return (await world.holds.of([name]))[name]


async def test_a_no_in_a_conflict_counts_at_last_and_only_then_its_hold_ends(world: LetterWorld) -> None:
    await conflicting_no(world)
    assert await closed(world) == {"profile.build"}

    assert await world.replayed() == ["applied"]

    assert await closed(world) == frozenset()
    assert (await world.facet()).consents["profile.build"].no_received_at == NOW
    assert await world.kept() == []


async def test_a_no_whose_record_nobody_takes_up_stays_held(world: LetterWorld) -> None:
    await conflicting_no(world)

    outcomes = await world.replayer(wait_s=0.1).replay(await world.kept())

    assert list(outcomes.values()) == ["unknown"]
    assert await closed(world) == {"profile.build"}


async def test_another_no_under_the_same_key_is_held_on(world: LetterWorld) -> None:
    await conflicting_no(world)
    first = hold_of(consent("withdrawn", "profile.build", event_id="act-1"))
    assert first is not None
    await world.holds.release(first.name)
    other = hold_of(consent("refused", "feedback.analyse", event_id="act-1"))
    assert other is not None
    await world.holds.place([other])

    assert await world.replayed() == ["applied"]

    assert await closed(world) == {"feedback.analyse"}


async def test_a_yes_in_a_conflict_is_set_aside_again(world: LetterWorld) -> None:
    await world.write(consent("withdrawn", "profile.build", event_id="act-1"))
    await world.write(consent("given", "profile.build", event_id="act-1", at=NOW + HOUR))
    await world.work()

    assert await world.replayed() == ["refused"]

    assert not (await world.facet()).consents["profile.build"].grants


async def test_a_fact_that_lay_in_the_wrong_partition_goes_to_its_own(world: LetterWorld) -> None:
    some = purchased()
    stray = (world.streams[0].partition + PARTITIONS - 1) % PARTITIONS
    await world.log.publish(topic=EVENTS, key=some.identity.encode(), value=encode_fact(some), partition=stray)
    await world.work()
    assert await world.reasons() == [(0, "undecodable")]

    assert await world.replayed() == ["applied"]

    assert list((await world.facet()).service.orders) == ["order-1"]
