"""Workers that have come to the end of what they were sent."""

from functools import partial

from commands.lag_board import read_board, read_outboxes
from commands.logs import PROFILES
from commands.settings import HISTORY
from commands.up_drain import Drained
from tests.installation import Installation
from tests.integration.leasing import leases
from tests.waiting import until


def worked_off(made: Installation, *, keeps_history: bool = True) -> None:
    """Return once the workers that run have done all that was sent, and whatever followed from it.

    Who counts what is folded knows neither that the intake's checkpoint stands nor that a repeat, a hold's own fact or
    an entry of an outbox is not still on its way; a worker stopped there leaves it undone.
    """
    settings = made.settings
    topics = {PROFILES: [*settings.topics_read, settings.decisions_topic], HISTORY: [settings.events_topic]}
    for app in (PROFILES, HISTORY) if keeps_history else (PROFILES,):
        drained = Drained(
            lags=partial(read_board, settings, app=app),
            waiting=partial(read_outboxes, settings, app=app, topics=topics[app]),
            topics=topics[app],
            partitions=settings.partitions,
        )
        until(drained, within_s=120, what=f"the end of what {app} has to do")


def without_workers(made: Installation) -> None:
    """Return once no worker holds a lease: one that was killed, or could not say so, does for a while."""
    until(lambda: not [each for each in leases(made) if each["name"].startswith("worker ")], what="the workers' leases")
