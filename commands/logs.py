"""Which logs the topics are: interim."""

import asyncio

from commands.settings import Keyring, Settings
from profiles.redis_store import RedisStore
from streams.admin import topic_ids
from streams.folding import LogIdentity


async def log_identities(settings: Settings, *, keyring: Keyring, store: RedisStore) -> dict[str, LogIdentity]:
    """The log behind each topic."""
    ids = await asyncio.to_thread(topic_ids, settings.brokers, settings.topics)
    return {topic: LogIdentity(epoch=1, topic_id=topic_id) for topic, topic_id in ids.items()}
