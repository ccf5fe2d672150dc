"""Outreach in the event process: candidates, decisions and timers over the adapters of one worker."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from commands.settings import Keyring, Settings
from consent.redis_holds import RedisHolds
from consent.tokens import Links, Tokens
from events.fact import Fact
from events.log import EventLog
from events.position import Position
from outreach.addressing import Addressing
from outreach.assessment import Assessment
from outreach.candidates import candidates, encode_candidate
from outreach.deciding import Decider, Topics
from outreach.redis_records import RedisRecords
from outreach.redis_timers import RedisTimers
from outreach.triggers import Triggers, load_triggers
from profiles.person import PersonReader
from profiles.redis_facets import RedisFacets
from profiles.redis_store import RedisStore
from recommender.catalogue import load_catalogue


@dataclass(frozen=True, kw_only=True)
class OutreachPlant:
    """The triggers, and the decider over this installation's store and log."""

    triggers: Triggers
    decider: Decider = field(repr=False)

    def candidates(self, fact: Fact, position: Position) -> Sequence[bytes]:
        """See `streams.fold_work.Candidates`."""
        return [encode_candidate(candidate) for candidate in candidates(fact, position, self.triggers)]


def outreach_plant(
    settings: Settings, keyring: Keyring, *, store: RedisStore, holds: RedisHolds, log: EventLog
) -> OutreachPlant:
    """Outreach by the triggers and the catalogue that the settings name; CatalogueInvalid or TriggersInvalid."""
    catalogue = load_catalogue(settings.catalogue)
    triggers = load_triggers(catalogue, settings.triggers)
    persons = PersonReader(RedisFacets(store.client, holds, partitions=settings.partitions), settings.rules())
    decider = Decider(
        addressing=Addressing(persons, triggers),
        assessment=Assessment(triggers, catalogue),
        records=RedisRecords(store.client, partitions=settings.partitions),
        timers=RedisTimers(store.client),
        log=log,
        topics=Topics(decisions=settings.decisions_topic, outreach=settings.outreach_topic),
        links=Links(tokens=Tokens(keyring.link_key), public_url=settings.people_url),
        partitions=settings.partitions,
        key=keyring.decision_key,
    )
    return OutreachPlant(triggers=triggers, decider=decider)
