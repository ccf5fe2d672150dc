"""An act covers every verified identity; a no denies before it is on the log; what is left undone is done later."""

import asyncio
from collections.abc import Collection, Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from consent.act_records import ActRecord, ActRecords, MemoryActRecords
from consent.door import Part, RefusalReason, permits, subject_of
from consent.holds import ConsentStoreUnavailable, Hold, hold_of
from consent.memory_holds import MemoryHolds
from consent.purposes import PROFILE, SERVICE, SUGGEST
from consent.recording import IDENTITIES_MAX, ActRefused, Recorded, Recorder, plan_act
from consent.rules import shipped_rules
from consent.sweeper import GRACE_MS, PAUSE_MAX_MS, Sweeper, Tried, due
from events.acts import ConsentAct, ConsentGiven, ConsentWithdrawn
from events.admission import AHEAD_MAX_MS, payload_digest
from events.fact import decode_fact
from events.partitioning import partition_of
from events.shape import FROM_LOG
from tests.builders import DAY, NOW, PARTITIONS, pseudonym
from tests.consent.test_states import state_after
from tests.consent.written_log import WrittenLog
from tests.waiting import eventually

ANNA = tuple(sorted(pseudonym(clear) for clear in ("app:anna", "card:77", "phone:+49301234567")))


def act(kind: type[ConsentAct], purpose: str = PROFILE, act_id: str | None = "desk-1", **rest: Any) -> ConsentAct:
    return kind.model_validate({"purpose": purpose, "act_id": act_id, **rest}, context=FROM_LOG)


YES, NO = act(ConsentGiven), act(ConsentWithdrawn)


def plan(body: ConsentAct, *, identities: Collection[str] = ANNA, at: int = NOW, received_at: int = NOW) -> ActRecord:
    planned = plan_act(
        body, identities=identities, source="desk", occurred_at=at, received_at=received_at, partitions=PARTITIONS
    )
    assert isinstance(planned, ActRecord)
    return planned


class World:
    """A recorder on memory, its log, and a sweeper whose clock is `now`."""

    def __init__(self, *, records: ActRecords | None = None, holds: MemoryHolds | None = None) -> None:
        self.log = WrittenLog()
        self.holds = holds or MemoryHolds(partitions=PARTITIONS)
        self.records = records or MemoryActRecords()
        self.recorder = Recorder(records=self.records, holds=self.holds, log=self.log, partitions=PARTITIONS)
        self.now = NOW
        self.sweeper = Sweeper(recorder=self.recorder, partitions=lambda: range(PARTITIONS), clock=lambda: self.now)

    async def held(self) -> set[str]:
        return {identity for identity, purposes in (await self.holds.of(ANNA)).items() if purposes}

    def folded(self) -> dict[str, set[bytes]]:
        """The event keys each identity would have folded: a repeat counts once."""
        known: dict[str, set[bytes]] = {}
        for fact in self.log.facts:
            known.setdefault(fact.identity, set()).add(fact.event_key)
        return known


def test_an_act_is_one_fact_for_each_identity_under_one_key() -> None:
    facts = [decode_fact(fact) for fact in plan(YES).facts]
    assert tuple(fact.identity for fact in facts) == ANNA
    assert {fact.event_key for fact in facts} == {plan(YES).event_key}
    assert {fact.body for fact in facts} == {YES}


def test_as_many_identities_and_as_far_ahead_as_is_said() -> None:
    many = [pseudonym(f"app:{number}") for number in range(IDENTITIES_MAX)]

    assert len(plan(NO, identities=many).facts) == IDENTITIES_MAX
    assert plan(NO, at=NOW + AHEAD_MAX_MS).made_at == NOW


def test_a_no_to_what_is_no_purpose_holds_nothing() -> None:
    [no, *_] = (decode_fact(fact) for fact in plan(NO).facts)

    assert hold_of(no) is not None
    assert hold_of(replace(no, body=act(ConsentWithdrawn, purpose="no.such_purpose"))) is None


def test_the_same_act_said_again_later_is_the_same_event() -> None:
    again = plan(YES, identities=ANNA[:1], received_at=NOW + DAY)
    assert (again.event_key, again.digest, again.partition) == (
        plan(YES).event_key,
        plan(YES).digest,
        plan(YES).partition,
    )
    # A field that is new in a later version was not said in an earlier one, and changes nothing.
    assert again.digest == payload_digest(["consent.given", {"purpose": PROFILE, "act_id": "desk-1"}])
    assert plan(act(ConsentGiven, SUGGEST)).digest != plan(YES).digest
    assert plan(NO).digest != plan(YES).digest


@pytest.mark.parametrize(
    ("body", "identities", "occurred_at", "code"),
    [
        (act(ConsentGiven, "profile.sell"), ANNA, NOW, "unknown_purpose"),
        (act(ConsentGiven, act_id=None), ANNA, NOW, "no_act_id"),
        (YES, (), NOW, "no_identity"),
        (YES, tuple(pseudonym(f"app:{n}") for n in range(33)), NOW, "too_many_identities"),
        (YES, ANNA, NOW + DAY + 1, "bad_time"),
        (act(ConsentGiven, expires_at=NOW), ANNA, NOW, "bad_time"),
    ],
)
def test_an_act_that_cannot_count_is_refused(
    body: ConsentAct, identities: tuple[str, ...], occurred_at: int, code: str
) -> None:
    refused = plan_act(
        body,
        identities=identities,
        source="desk",
        occurred_at=occurred_at,
        received_at=NOW,
        partitions=PARTITIONS,
    )
    assert isinstance(refused, ActRefused)
    assert refused.code == code


async def test_a_yes_is_on_the_log_for_every_identity_and_holds_nothing() -> None:
    world = World()
    recorded = await world.recorder.record(plan(YES))
    assert isinstance(recorded, Recorded)
    assert [position.partition for position in recorded.positions] == [
        partition_of(identity.encode(), PARTITIONS) for identity in ANNA
    ]
    assert sorted(world.folded()) == list(ANNA)
    assert await world.held() == set()


class AwayHolds(MemoryHolds):
    async def place(self, holds: Sequence[Hold]) -> None:
        raise ConsentStoreUnavailable("the store does not answer")


async def test_a_yes_waits_for_no_holds() -> None:
    world = World(holds=AwayHolds(partitions=PARTITIONS))

    recorded = await world.recorder.record(plan(YES))

    assert isinstance(recorded, Recorded)
    assert recorded.is_on_log
    with pytest.raises(ConsentStoreUnavailable):
        await world.recorder.record(plan(act(ConsentWithdrawn, act_id="desk-2")))


async def test_a_no_denies_at_once_while_the_log_is_silent() -> None:
    world = World()
    world.log.takes = 0
    assert await world.recorder.record(plan(NO)) == Recorded(is_on_log=False)
    assert await world.held() == set(ANNA)
    held = await world.holds.of(ANNA)
    granted = {PROFILE: state_after([("given", NOW - DAY, NOW - DAY)])}
    for identity in ANNA:
        part = Part(identity, granted, held[identity])
        answer = permits(subject_of(parts=(part,), read_at=NOW, rules=shipped_rules()), PROFILE, at=NOW, known_at=NOW)
        assert answer.because is RefusalReason.HELD


async def test_a_yes_never_ends_a_hold() -> None:
    world = World()
    await world.recorder.record(plan(NO))
    await world.recorder.record(plan(act(ConsentGiven, act_id="desk-2"), at=NOW + 1, received_at=NOW + 1))
    assert await world.held() == set(ANNA)


async def test_a_hold_of_the_service_itself_stops_no_service() -> None:
    subject = subject_of(parts=(Part(ANNA[0], {}, frozenset({SERVICE})),), read_at=NOW, rules=shipped_rules())
    assert permits(subject, SERVICE, at=NOW, known_at=NOW)


async def test_a_finished_act_recorded_again_does_nothing_more() -> None:
    world = World()
    await world.recorder.record(plan(NO))
    for hold in await all_waiting(world):
        await world.holds.release(hold.name)
    assert await world.recorder.record(plan(NO, received_at=NOW + 5)) == Recorded(is_on_log=True)
    assert len(world.log.facts) == len(ANNA)
    assert await world.held() == set()


async def test_another_act_under_the_same_id_is_refused() -> None:
    world = World()
    await world.recorder.record(plan(YES))
    refused = await world.recorder.record(plan(NO))
    assert isinstance(refused, ActRefused)
    assert refused.code == "another_act"
    assert await world.held() == set()


async def all_waiting(world: World) -> list[Hold]:
    return [hold for partition in range(PARTITIONS) for hold in await world.holds.waiting(partition)]


class ProcessDied(BaseException):
    """Ends a call where a kill would."""


class MortalHolds(MemoryHolds):
    """Holds whose process dies after the first `survives` of one placing; then it lives on."""

    def __init__(self, *, survives: int) -> None:
        super().__init__(partitions=PARTITIONS)
        self.survives: int | None = survives

    async def place(self, holds: Sequence[Hold]) -> None:
        if self.survives is not None:
            await super().place(holds[: self.survives])
            self.survives = None
            raise ProcessDied
        await super().place(holds)


@pytest.mark.parametrize("survives", [0, 1, 2, 3])
async def test_a_no_cut_off_among_its_holds_is_completed_by_the_sweeper(survives: int) -> None:
    world = World(holds=MortalHolds(survives=survives))
    with pytest.raises(ProcessDied):
        await world.recorder.record(plan(NO))
    world.now += GRACE_MS
    await world.sweeper.sweep()
    assert await world.held() == set(ANNA)
    assert sorted(world.folded()) == list(ANNA)


@pytest.mark.parametrize("body", [YES, NO])
@pytest.mark.parametrize("appended", [0, 1, 2])
async def test_an_act_half_on_the_log_is_completed_and_counts_once(body: ConsentAct, appended: int) -> None:
    world = World()
    world.log.takes = appended
    assert await world.recorder.record(plan(body)) == Recorded(is_on_log=False)
    world.log.takes = None
    world.now += GRACE_MS - 1
    assert (await world.sweeper.sweep()).published == 0
    world.now += 1
    await world.sweeper.sweep()
    assert world.folded() == {identity: {plan(body).event_key} for identity in ANNA}
    assert [record for p in range(PARTITIONS) for record in await world.records.pending(p)] == []


class ForgetfulRecords(MemoryActRecords):
    """Records that cannot be marked as done."""

    async def finish(self, record: ActRecord) -> None:
        raise ConsentStoreUnavailable("no answer")


async def test_an_act_that_could_not_be_marked_done_is_recorded_all_the_same() -> None:
    world = World(records=ForgetfulRecords())
    recorded = await world.recorder.record(plan(YES))
    assert isinstance(recorded, Recorded)
    assert recorded.is_on_log


async def test_an_act_begun_by_a_newer_version_is_not_acknowledged() -> None:
    world = World()
    newer = replace(plan(NO), facts=(b"newer",))
    await world.records.begin(newer)
    with pytest.raises(ConsentStoreUnavailable):
        await world.recorder.record(plan(NO))
    world.now += GRACE_MS
    assert (await world.sweeper.sweep()).published == 0
    assert await world.records.pending(newer.partition) == [newer]


async def test_the_fact_of_a_hold_is_published_until_it_is_released() -> None:
    world = World()
    await world.recorder.record(plan(NO, identities=ANNA[:1]))
    world.log.facts.clear()
    world.now += GRACE_MS
    swept = await world.sweeper.sweep()
    assert (swept.published, swept.waiting, swept.oldest_at) == (1, 1, NOW)
    assert (await world.sweeper.sweep()).published == 0
    world.now += 2 * GRACE_MS
    assert (await world.sweeper.sweep()).published == 1
    [hold] = [each for part in range(PARTITIONS) for each in await world.holds.waiting(part)]
    await world.holds.release(hold.name)
    world.now += PAUSE_MAX_MS
    assert await world.sweeper.sweep() == (0, 0, None)
    assert world.sweeper._tried == {}
    assert {fact.event_key for fact in world.log.facts} == {plan(NO).event_key}


async def test_a_fact_the_log_will_not_take_does_not_keep_others_from_it() -> None:
    world = World()
    world.log.takes = 0
    await world.recorder.record(plan(NO))
    world.log.takes = None
    world.log.refused = {ANNA[0]}
    world.now += GRACE_MS
    await world.sweeper.sweep()
    assert sorted(world.folded()) == list(ANNA[1:])
    assert await world.held() == set(ANNA)


def test_a_hold_is_tried_ever_more_seldom_but_never_given_up() -> None:
    hold = Hold(identity=ANNA[0], purpose=PROFILE, event_key=b"8 bytes!", fact=b"", made_at=NOW)
    pauses = []
    for times in (1, 2, 3, 1000):
        tried = {hold.name: Tried(times, NOW)}
        pauses.append(
            next(wait for wait in range(0, PAUSE_MAX_MS + 1, 2000) if due([hold], tried=tried, at=NOW + wait))
        )
    assert pauses == [2 * GRACE_MS, 4 * GRACE_MS, 8 * GRACE_MS, PAUSE_MAX_MS]


async def test_the_sweeper_goes_on_after_the_log_was_silent() -> None:
    world = World()
    world.log.takes = 0
    await world.recorder.record(plan(NO))
    world.now += GRACE_MS
    running = asyncio.create_task(world.sweeper.run(every_s=0.001))

    async def refused_twice() -> bool:
        return world.log.asked >= 3

    await eventually(refused_twice, what="two sweeps while the log was silent")
    world.log.takes = None

    async def all_there() -> bool:
        return sorted(world.folded()) == list(ANNA)

    await eventually(all_there)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
