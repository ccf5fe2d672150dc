"""Messages that were refused: decided against, put off, or stopped at the claim, each with its last word."""

from typing import Any

import pytest

from outreach.decision import Claim, Decision, VerdictName
from tests.builders import HOUR, NOW, linked, pseudonym
from tests.officer.desk import Desk


def decision(number: int, verdict: VerdictName, because: str, *, identity: str = "app:42", **more: Any) -> Decision:
    return Decision(
        format=1,
        id=f"0-{number:032x}",
        occasion="o",
        trigger="care-call",
        identity=pseudonym(identity),
        at=NOW + number,
        verdict=verdict,
        because=because,
        **more,
    )


async def denied(desk: Desk, *decisions: Decision) -> list[tuple[str, str, str]]:
    for each in decisions:
        assert await desk.outreach.write(each, before=None) == "written"
    desk.follow()
    told = await desk.told("denied")
    assert told["not_kept"]
    return [(each["verdict"], each["because"], each["detail"]) for each in told["decisions"]]


async def test_what_was_decided_against_or_put_off_is_told_with_its_reason(desk: Desk) -> None:
    found = await denied(
        desk,
        decision(1, "never", "no_consent", detail="a no to outreach.email stands"),
        decision(2, "hold", "quiet_hours"),
    )

    assert found == [("hold", "quiet_hours", ""), ("never", "no_consent", "a no to outreach.email stands")]


@pytest.mark.parametrize("go", [True, False])
async def test_a_message_that_was_stopped_at_the_claim_is_told_and_one_that_went_is_not(desk: Desk, go: bool) -> None:  # noqa: FBT001
    claim = Claim(at=NOW + HOUR, go=go, because="go" if go else "no_consent", receipt="r")
    sent = decision(1, "send", "due", claim=claim)

    assert await denied(desk, sent) == ([] if go else [("refused at claim", "no_consent", "")])


async def test_a_message_that_waits_for_its_sender_is_not_denied(desk: Desk) -> None:
    assert await denied(desk, decision(1, "send", "due")) == []


async def test_all_verified_identities_are_asked_about_and_no_others(desk: Desk) -> None:
    await desk.happened(*linked("app:42", "card:7"))
    found = await denied(
        desk,
        decision(1, "never", "cap", identity="card:7"),
        decision(2, "never", "cap", identity="app:other"),
    )

    assert found == [("never", "cap", "")]
