"""From the person view to what the guard looks at; nothing of the person is looked at before the door was asked."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace

from consent.door import Allowed, Refused
from consent.purposes import SENSITIVE
from outreach.decision import Decision
from outreach.guard import Situation, purpose_of
from outreach.occasions import Occasion
from outreach.quiet_hours import zone_or
from outreach.triggers import Policy, Trigger, Triggers
from profiles.facet import Attribute
from profiles.view import PersonView
from recommender.caps import Told, offers_heard, told_to
from recommender.catalogue import Catalogue
from recommender.personal import holdings
from recommender.reading import restraints_of


@dataclass(frozen=True, slots=True)
class Assessment:
    """Assesses occasions by the installation's triggers, policy and catalogue."""

    triggers: Triggers
    catalogue: Catalogue

    @property
    def policy(self) -> Policy:
        """The policy of every message."""
        return self.triggers.policy

    def situation(
        self,
        trigger: Trigger,
        occasion: Occasion,
        view: PersonView,
        *,
        now: int,
        known: Collection[Decision],
        is_held_out: bool = False,
    ) -> Situation:
        """What the guard is asked about. `known` are the decisions that count beside this one."""
        service = self.catalogue.by_id[occasion.service]
        needs = {*service.requires, *((SENSITIVE,) if service.sensitive or occasion.sensitive else ())}
        restraints = restraints_of(view, catalogue=self.catalogue, now=now)
        zone = view.service.attributes.get("timezone", Attribute()).stated
        return Situation(
            trigger=trigger,
            service=service,
            reach=reach_of(trigger, view, now=now),
            needs={purpose: view.permits(purpose, at=now, known_at=now) for purpose in sorted(needs)},
            restraints=replace(restraints, told=restraints.told | self._offered(known, now)),
            has_service=not trigger.is_task and service.id in holdings(view.service, self.catalogue),
            is_held_out=is_held_out,
            counted=len(self.counted(known, view, now=now)),
            has_heard_enough=self._has_heard_enough(known, view, now),
            zone=zone_or("" if zone is None else zone.value, self.policy.time_zone),
            arose_at=occasion.at,
            now=now,
        )

    def counted(self, known: Iterable[Decision], view: PersonView, *, now: int) -> set[str]:
        """The ids of messages that count towards the cap, summed over all identities of the person.

        What was sent counts even where the decision behind it is lost.
        """
        since = now - self.policy.cap.window_ms
        decided = {decision.id for decision in known if decision.takes_of_cap and decision.at > since}
        tasks = {trigger.id for trigger in self.triggers.triggers if trigger.is_task}
        sent = {
            outreach_id
            for outreach_id, message in view.service.messages.items()
            if message.sent is not None and message.sent.at > since and message.sent.value[0] not in tasks
        }
        return decided | sent

    def _has_heard_enough(self, known: Iterable[Decision], view: PersonView, now: int) -> bool:
        """Tell whether the cap on offers is reached: by what they were told, and by messages still on their way."""
        cap = self.catalogue.cap
        told = list(told_to(view.service))
        told += [Told(each.at, each.service, each.id) for each in known if each.takes_of_cap]
        return offers_heard(told, helps=self.catalogue.helping, since=now - cap.window_ms) >= cap.at_most

    def _offered(self, known: Iterable[Decision], now: int) -> set[str]:
        """Services that another message of the same window speaks of already."""
        since = now - self.policy.cap.window_ms
        return {each.service for each in known if each.service and each.takes_of_cap and each.at > since}


def reach_of(trigger: Trigger, view: PersonView, *, now: int) -> Mapping[str, Allowed | Refused]:
    """The trigger's channels in order, each with the door's answer."""
    return {channel: view.permits(purpose_of(channel), at=now, known_at=now) for channel in trigger.channels}
