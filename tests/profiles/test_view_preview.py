"""What a link would change, told before it is made."""

import pytest

from consent.purposes import PROFILE, TRAIN
from consent.rules import shipped_rules
from events.fact import Fact
from profiles.links import MEMBERS_MAX, SHARED_LINKS_MAX
from profiles.person import PersonReader
from profiles.preview import Change, PermitChange
from tests.builders import NOW, consent, linked, pseudonym, purchased
from tests.profiles.world import LATER, World

APP, CARD, PHONE, CRM = (pseudonym(name) for name in ("app:42", "card:7", "phone:+4930123456", "crm:9"))


async def preview(one: str, other: str, *facts: Fact) -> Change:
    return await PersonReader(World(*facts), rules=shipped_rules()).preview(one, other, now=LATER)


async def test_a_preview_tells_who_would_be_one_person_and_what_both_would_hold() -> None:
    facts = [
        purchased("o-1", identity=APP),
        purchased("o-1", identity=CARD, at=NOW + 1),
        purchased("o-2", identity=CARD),
        *linked(APP, CRM),
    ]
    change = await preview(APP, CARD, *facts)
    assert (change.joins, change.because, change.leaves) == (True, None, ())
    assert change.members == tuple(sorted((APP, CARD, CRM)))
    assert change.records == {"orders": (1, 2, 2), "touch": (1, 1, 1)}


async def test_a_preview_tells_which_permits_would_be_gained_and_lost() -> None:
    facts = [
        consent("given", TRAIN, identity=APP),
        consent("given", PROFILE, identity=APP),
        consent("refused", PROFILE, identity=CARD, at=NOW + 1),
    ]
    assert (await preview(APP, CARD, *facts)).permits == {
        TRAIN: PermitChange(first=True, second=False, after=True),
        PROFILE: PermitChange(first=True, second=False, after=False),
    }


async def test_a_preview_is_what_the_link_then_does() -> None:
    facts = [purchased("o-1", identity=APP), purchased("o-2", identity=CARD)]
    change = await preview(APP, CARD, *facts)
    view = await PersonReader(World(*facts, *linked(APP, CARD)), rules=shipped_rules()).read(APP, now=LATER)
    assert (change.members, change.records["orders"][2]) == (view.members, len(view.service.orders))


async def test_a_preview_of_a_link_that_would_not_join_says_why_and_whom_it_would_cut_off() -> None:
    # The phone belongs to the card's person until it leads to another customer as well.
    change = await preview(APP, PHONE, *linked(CARD, PHONE))
    assert (change.joins, change.because, change.leaves) == (False, "two_permanent", (CARD,))


async def test_a_preview_tells_who_would_fall_away_when_a_shared_identifier_has_too_many_links() -> None:
    others = [pseudonym(f"crm:{number}") for number in range(SHARED_LINKS_MAX)]
    facts = [half for other in others for half in linked(PHONE, other)]
    change = await preview(PHONE, CRM, *facts)
    assert (change.joins, change.because, change.members) == (False, "shared_too_widely", (PHONE,))
    assert change.leaves == tuple(sorted(others))


@pytest.mark.parametrize("size", [MEMBERS_MAX - 1, MEMBERS_MAX])
async def test_a_preview_of_a_person_that_would_be_too_large_says_so(size: int) -> None:
    facts = [half for number in range(size - 1) for half in linked(CRM, f"olist_order:{number}")]
    change = await preview(CRM, APP, *facts)
    assert (change.joins, change.because) == ((True, None) if size < MEMBERS_MAX else (False, "too_large"))
