"""What an erasure waits for: models, files, acts; and the store that was put back from before it."""

from dataclasses import replace
from pathlib import Path

import pytest

from commands.rights_restored import ask_again
from profiles.rights import erased_at
from recommender.artifact import ArtifactInvalid, untrained
from recommender.model_store import ModelStore
from tests.api.world import CATALOGUE
from tests.builders import HOUR, NOW, pseudonym, purchased
from tests.rights.erasing import CARD, ME, OTHER, Installation, MemoryResidue


async def test_a_store_put_back_from_before_is_emptied_by_the_log(home: Installation) -> None:
    copy = home.world.store.snapshot()
    home.ask(ME, CARD)
    await home.until_done()
    gone = await home.facet(ME)

    await home.put_back(copy)

    assert await home.facet(ME) == gone


async def test_a_store_put_back_from_before_is_emptied_where_the_log_does_not_reach_back(home: Installation) -> None:
    copy, entries = home.world.store.snapshot(), dict(home.residue.entries)
    home.ask(ME, CARD)
    await home.until_done()
    home.world.store.restore(copy)
    home.residue.entries, home.residue.number = entries, 0

    assert await ask_again(home.places(), is_caught_up=no) == []
    again = await ask_again(home.places(), is_caught_up=yes)

    assert {each.identities for each in again} == {(pseudonym(ME),), (pseudonym(CARD),)}
    await home.until_done()
    assert [erased_at(await home.facet(each)) is not None for each in (ME, CARD, OTHER)] == [True, True, False]
    assert home.residue.entries == {"decision:2": pseudonym(OTHER)}
    assert await ask_again(home.places(), is_caught_up=yes) == []


async def test_the_files_of_a_store_put_back_from_before_are_written_anew_until_it_is_done(home: Installation) -> None:
    class Managed(MemoryResidue):
        async def rewrite_files(self) -> str | None:
            return "the store refuses BGREWRITEAOF to this user: let its operator do that"

    copy, entries = home.world.store.snapshot(), dict(home.residue.entries)
    home.ask(ME, CARD)
    await home.until_done()
    await home.put_back(copy)
    managed = Managed(home.world.store)
    managed.entries = dict(entries)

    assert await ask_again(replace(home.places(), residue=managed), is_caught_up=yes) == []
    assert (managed.entries, managed.number) == ({"decision:2": pseudonym(OTHER)}, 0)

    home.residue.entries, home.residue.number = entries, 0
    written = home.residue.files_written
    assert await ask_again(home.places(), is_caught_up=yes) == []
    assert (home.residue.files_written, home.residue.number) == (written + 1, home.requests.latest())


async def test_who_came_back_is_left_alone_when_the_log_empties_the_store_again(home: Installation) -> None:
    copy, entries = home.world.store.snapshot(), dict(home.residue.entries)
    home.ask(ME, CARD)
    await home.until_done()
    home.world.now += HOUR
    await home.world.happened(purchased("o-9", at=home.world.now))
    await home.put_back(copy)
    home.residue.entries, home.residue.number = entries, 0

    assert await ask_again(home.places(), is_caught_up=yes) == []

    assert set((await home.facet(ME)).service.orders) == {"o-9"}
    assert home.residue.entries == {"decision:2": pseudonym(OTHER)}
    assert await home.residue.reached() == home.requests.latest()


async def yes() -> bool:
    return True


async def no() -> bool:
    return False


async def test_a_model_made_with_the_person_is_not_kept(home: Installation) -> None:
    with_them = home.models.current()
    home.ask(ME)

    await home.until_done()

    assert home.models.current() != with_them
    assert home.models.names() == [home.models.current()]


async def test_nothing_is_certified_while_a_model_made_with_the_person_is_served(home: Installation) -> None:
    with_them = home.models.current()
    home.ask(ME)
    failing = replace(home.places(), retrain=lambda: "the training failed")
    await home.go_on(failing, rounds=3)
    waiting = await home.carry_out(failing)

    assert (home.models.current(), [each.certificate for each in home.requests.listed()]) == (with_them, [None])
    assert {name: each.why for name, each in waiting.items()} == {"models": "the training failed"}
    await home.until_done()


def test_the_model_that_is_served_is_never_removed(tmp_path: Path) -> None:
    models = ModelStore(tmp_path)
    name = models.publish(untrained(CATALOGUE, code="served"), record={"snapshot": NOW})

    with pytest.raises(ArtifactInvalid, match="is served"):
        models.remove(name)

    assert (models.current(), models.made_at(name), models.made_at("0" * 32)) == (name, NOW, -1)


async def test_files_that_the_store_may_not_write_anew_are_waited_for(home: Installation) -> None:
    class Managed(MemoryResidue):
        async def rewrite_files(self) -> str | None:
            return "the store refuses BGREWRITEAOF to this user: let its operator do that"

    home.ask(ME)
    managed = replace(home.places(), residue=Managed(home.world.store))
    await home.carry_out(managed)
    await home.world.fold()

    assert "operator" in (await home.carry_out(managed))["store_files"].why
    await home.until_done()


async def test_an_act_that_is_still_being_recorded_is_waited_for(home: Installation) -> None:
    home.ask(ME)
    home.residue.is_act_open = True
    await home.carry_out()
    await home.world.fold()
    waiting = await home.carry_out()
    assert "still being recorded" in waiting["store"].why

    home.residue.is_act_open = False
    await home.until_done()
