"""Erasing a person: every place is emptied, whatever dies on the way, and nothing that is replayed brings them back."""

import json
from pathlib import Path

import pytest

from consent.ledger_entry import EntryUnknown
from consent.ledger_follower import fact_id
from consent.ledger_note import NoteInvalid
from consent.purposes import PURPOSES, SUGGEST
from consent.rights import STEPS, NotErasable, kinds_of, next_steps, suppression
from consent.rights_certificate import hash_of, read_certificate
from consent.telling import Confirmations, erasures_told
from profiles.facet import Facet
from profiles.rights import erased_at, tombstone
from tests.builders import HOUR, NOW, PARTITIONS, consent, pseudonym, purchased
from tests.ledger.ledgers import KEY as LEDGER_KEY
from tests.ledger.ledgers import THIEF
from tests.rights.erasing import CARD, CONSENT_TOPIC, KEY, ME, OTHER, SAID, Installation, Killed, lived_in, replayed


async def test_every_place_is_emptied_and_others_are_left_alone(home: Installation) -> None:
    others = await home.facet(OTHER)
    asked = home.ask(ME, CARD)

    done = await home.until_done()

    assert set(done.done) == set(STEPS)
    for identity in (ME, CARD):
        assert erased_at(await home.facet(identity)) == asked.asked_at
        assert [kept.type for _, kept in home.history.facts() if kept.identity == pseudonym(identity)] == [
            "rights.erased"
        ]
    assert home.residue.entries == {"decision:2": pseudonym(OTHER)}
    assert home.residue.files_written == 1
    assert await home.facet(OTHER) == others
    with home.evidence.reading() as evidence:
        found = evidence.of([pseudonym(ME), pseudonym(CARD), pseudonym(OTHER)])
    assert [len(pieces) for pieces in found.values()] == [0, 0, 1]
    assert home.accesses.of([pseudonym(ME)], limit=9) == []
    assert len(home.accesses.since(0, broke_glass=False, limit=9)) == 1


async def test_of_a_pseudonym_only_the_tombstones_in_history_are_left_on_disk(home: Installation) -> None:
    home.ask(ME, CARD)

    await home.until_done()
    home.restart()

    # Told to whoever asked, by the certificate.
    assert {name.partition("/")[0] for name in home.naming(ME)} == {"history"}
    assert home.naming(OTHER) != []


async def test_other_systems_are_told_of_every_identity_and_have_to_confirm_it(home: Installation) -> None:
    home.ask(ME, CARD)
    done = await home.until_done()

    told = {
        record.key: json.loads(record.value or b"")
        for partition in range(PARTITIONS)
        for record in home.world.log.records(CONSENT_TOPIC, partition)
    }
    assert told.keys() == {pseudonym(ME).encode(), pseudonym(CARD).encode()}
    assert all(each["stops"] == sorted(PURPOSES) for each in told.values())

    told_ids = {each["id"] for each in told.values()}
    assert {name for name, _ in erasures_told([done], since=0)} == told_ids
    confirmations = Confirmations(path=home.folder / "confirmations.sqlite", recipients=("crm",))
    assert confirmations.unconfirmed(home.evidence, home.requests.listed(), since=0)["crm"].noes == 2
    confirmations.confirm("crm", told_ids, at=NOW)
    assert confirmations.unconfirmed(home.evidence, home.requests.listed(), since=0)["crm"].noes == 0


async def test_nothing_is_destroyed_before_the_request_is_on_the_ledger(home: Installation) -> None:
    home.ask(ME)
    assert next_steps(()) == ["announced"]

    waiting = await home.carry_out()

    assert home.ledger.opening("erasure:request-1").entry["kind"] == "rights.erasure"
    assert set(waiting) == {"profiles", "history", "evidence", "ledger"}
    assert home.residue.entries["decision:1"] == pseudonym(ME)
    assert await home.facet(ME) != Facet()


async def test_the_ledger_still_verifies_and_says_nothing_of_them(home: Installation) -> None:
    before = home.ledger.checkpoint([home.places().signers[0]], now_ms=NOW)
    [(mine, _)] = [pair for pair in home.history.facts() if pair[1] == SAID[0]]
    home.ask(ME, CARD)

    await home.until_done()
    home.restart()

    after = home.ledger.checkpoint(home.places().signers, now_ms=NOW)
    assert before != after
    with pytest.raises(EntryUnknown):
        home.ledger.opening(fact_id(mine))


@pytest.mark.parametrize("count", [6, 7, 8])
async def test_replaying_all_of_history_brings_nobody_back(home: Installation, count: int) -> None:
    home.ask(ME, CARD)
    await home.until_done()
    await home.world.happened(*SAID[:count])  # what was sent before is sent again
    home.archive()

    assert replayed(home, ME) == await home.facet(ME)
    assert (await home.facet(ME)).service == Facet().service
    assert (await home.facet(ME)).consents == {}


async def test_who_comes_back_afterwards_starts_at_unknown(home: Installation) -> None:
    home.ask(ME)
    await home.until_done()
    home.world.now += HOUR

    await home.world.happened(purchased("o-9", at=home.world.now))
    home.archive()

    assert set((await home.facet(ME)).service.orders) == {"o-9"}
    assert replayed(home, ME) == await home.facet(ME)


async def test_an_erased_person_looks_like_nobody_at_the_desk(home: Installation) -> None:
    home.ask(ME, CARD)
    await home.until_done()

    erased, nobody = await home.world.card(ME), await home.world.card("app:never-seen")

    assert {name for name in erased if erased[name] != nobody[name]} <= {"ref", "identities", "canonical"}


async def test_what_somebody_did_after_coming_back_outlives_a_slow_erasure(home: Installation) -> None:
    home.ask(ME)
    await home.carry_out()  # the tombstone is on the log, nothing else is done
    home.world.now += HOUR
    await home.world.happened(
        purchased("o-9", at=home.world.now), consent("given", SUGGEST, at=home.world.now, event_id="new")
    )

    await home.until_done()

    assert set(replayed(home, ME).service.orders) == {"o-9"}
    with home.evidence.reading() as evidence:
        [kept] = evidence.of([pseudonym(ME)])[pseudonym(ME)]
    assert kept.fact.type == "consent.given"


async def test_the_certificate_says_what_went_and_what_stays_and_is_signed(home: Installation) -> None:
    home.ask(CARD, ME, left=["phone:+49301234567"])

    done = await home.until_done()

    assert done.certificate is not None
    said = read_certificate(done.certificate, LEDGER_KEY)
    assert [each["where"] for each in said["destroyed"]] == [name for name in STEPS if name != "certified"]
    [log, keys] = said["survives"]
    assert log == {"where": "the log", "what": "facts", "until": "its retention"}
    assert (keys["where"], keys["until"]) == ("keys", "2029-03-01T09:31:00.000Z")
    assert said["not_verified_and_left"] == ["phone"]
    assert said["identities"] == [
        {"kind": name.partition(":")[0], "hash": suppression(pseudonym(name), key=KEY).hex()} for name in (ME, CARD)
    ]
    entry = home.ledger.opening("erasure:request-1:certified").entry
    assert entry["content"] == {"certificate": hash_of(done.certificate)}
    with pytest.raises(NoteInvalid):
        read_certificate(done.certificate.replace("card", "kard"), LEDGER_KEY)
    with pytest.raises(NoteInvalid):
        read_certificate(done.certificate, THIEF.verifier)
    assert done.identities == ()


async def test_the_same_request_twice_is_one(home: Installation) -> None:
    assert home.ask(ME, CARD).id == home.ask(CARD, ME).id
    assert len(home.requests.listed()) == 1
    await home.until_done()
    home.world.now += HOUR
    assert home.ask(ME, CARD).id == "request-2"


def test_only_pseudonyms_are_erased() -> None:
    with pytest.raises(NotErasable):
        kinds_of(["email:jane@example.com"])


async def steps_of_one(folder: Path) -> int:
    """How often something is changed in the course of an erasure, counted before and after each."""
    home = Installation(folder)
    await lived_in(home)
    home.ask(ME, CARD)
    counted = 0

    def count() -> None:
        nonlocal counted
        counted += 1

    await home.until_done(home.mortal(count))
    return counted


@pytest.mark.thorough
async def test_it_goes_on_wherever_it_was_killed(tmp_path: Path) -> None:
    total = await steps_of_one(tmp_path / "whole")
    assert total >= 2 * len(STEPS)
    # To die after a change is to die before the next.
    for last in [*range(0, total, 2), total - 1]:
        home = Installation(tmp_path / f"killed-{last}")
        await lived_in(home)
        asked = home.ask(ME, CARD)
        left = last

        def dies() -> None:
            nonlocal left
            if left == 0:
                raise Killed
            left -= 1

        with pytest.raises(Killed):
            await home.until_done(home.mortal(dies))
        home.restart()
        done = await home.until_done()

        assert set(done.done) == set(STEPS)
        assert await home.facet(ME) == tombstone_of(home, asked.id)
        assert {name.partition("/")[0] for name in home.naming(ME)} == {"history"}
        assert home.residue.entries == {"decision:2": pseudonym(OTHER)}
        assert done.certificate is not None
        assert read_certificate(done.certificate, LEDGER_KEY)["request"] == asked.id


def tombstone_of(home: Installation, request: str) -> Facet:
    [first, *_] = [
        some for _, some in home.history.facts() if some.identity == pseudonym(ME) and some.type == "rights.erased"
    ]
    assert getattr(first.body, "request_id") == request  # noqa: B009 - it is an erasure
    return tombstone(first)
