"""The topics of a worker, made where they are missing, and looked at for what would mislead it."""

import asyncio
import logging

from commands.settings import Settings
from streams.admin import ensure_topics, stamped_by_senders, wait_for_broker

_log = logging.getLogger(__name__)


async def topics_ready(settings: Settings) -> str:
    """Wait for the broker, make the topics, and warn of an intake whose times are the senders' own.

    The id of the broker's cluster.
    """
    cluster = await asyncio.to_thread(wait_for_broker, settings.brokers)
    await asyncio.to_thread(ensure_topics, settings.brokers, settings.topics, replication=settings.replication)
    for topic in await asyncio.to_thread(stamped_by_senders, settings.brokers, settings.intakes):
        _log.warning(
            "topic %s tells when its senders say they sent, not when it took a record: set message.timestamp.type to "
            "LogAppendTime, or what comes late passes for heard of in time",
            topic,
            extra={"reason": topic},
        )
    return cluster
