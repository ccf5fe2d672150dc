"""The guard: may we speak to this person about this now? One pure function; it answers with a reason."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from consent.door import Allowed, Because, Refused
from consent.purposes import SERVICE
from outreach.quiet_hours import quiet_until
from outreach.triggers import DESK, Policy, Trigger
from recommender.catalogue import Service
from recommender.suggestion import Restraints


@dataclass(frozen=True, slots=True)
class Send:
    """Speak, by this channel; `grounds` is what allowed it."""

    channel: str
    grounds: Because


@dataclass(frozen=True, slots=True)
class HoldUntil:
    """Ask again at that time (ms)."""

    at: int
    because: str


@dataclass(frozen=True, slots=True)
class Never:
    """Not on this occasion. `detail` names purposes at most, never data."""

    because: str
    detail: str = ""


Verdict = Send | HoldUntil | Never


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """All the guard looks at.

    `reach`: the trigger's channels in order, each with the door's answer. `needs`: the door's answers for purposes the
    service needs beside. `counted`: messages that count towards the cap, summed over all identities.
    `has_heard_enough` of offers, by suggestion or by message, as the catalogue's cap says. `arose_at`: when the
    occasion did (ms). `zone` is the person's time zone.
    """

    trigger: Trigger
    service: Service
    reach: Mapping[str, Allowed | Refused]
    needs: Mapping[str, Allowed | Refused] = field(default_factory=dict)
    restraints: Restraints = field(default_factory=Restraints)
    has_service: bool = False
    is_held_out: bool = False
    counted: int = 0
    has_heard_enough: bool = False
    zone: str
    arose_at: int
    now: int


def purpose_of(channel: str) -> str:
    """The purpose that speaking by a channel needs."""
    return SERVICE if channel == DESK else f"outreach.{channel}"


def unreachable(reach: Mapping[str, Allowed | Refused]) -> Never | None:
    """Never, where the door lets no channel pass. Asked before anything of the person is looked at."""
    refusals = [answer for answer in reach.values() if isinstance(answer, Refused)]
    if len(refusals) < len(reach):
        return None
    return Never(str(refusals[0].because), refusals[0].detail)


def guard(situation: Situation, policy: Policy) -> Verdict:
    """What to do, under the policy. A task for our own staff knows neither cap, quiet hours nor hold-out."""
    closed = unreachable(situation.reach) or _withheld(situation)
    if closed is not None:
        return closed
    send = next(
        Send(channel, answer.because) for channel, answer in situation.reach.items() if isinstance(answer, Allowed)
    )
    if situation.trigger.is_task:
        return send
    if situation.is_held_out:
        return Never("hold_out")
    if situation.has_heard_enough and not situation.service.helps:
        return Never("heard_enough", "suggestions and messages together")
    if situation.counted >= policy.cap.at_most:
        return Never("cap", f"{policy.cap.at_most} messages within {policy.cap.within_days} days")
    until = quiet_until(situation.now, quiet=policy.quiet, zone=situation.zone)
    if until is None:
        return send
    return Never("too_late") if _is_too_late(situation, until) else HoldUntil(until, "quiet_hours")


def _withheld(situation: Situation) -> Never | None:
    """Never, where a deny-only fact, the service or the time stands against it."""
    restraints, service = situation.restraints, situation.service
    if _is_too_late(situation, situation.now):
        return Never("too_late")
    if service.upsell and restraints.open_complaint:
        return Never("open_complaint")
    if situation.trigger.is_task:
        return None
    for purpose, answer in situation.needs.items():
        if isinstance(answer, Refused):
            return Never("needs", f"{purpose}: {answer.because}")
    if service.id in restraints.refused:
        return Never("declined")
    if service.id in restraints.told:
        return Never("already_told")
    return Never("already_taken") if situation.has_service and not service.repeatable else None


def _is_too_late(situation: Situation, at: int) -> bool:
    return not situation.trigger.is_fresh(situation.arose_at, at)
