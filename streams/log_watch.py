"""Look whether the topics are still the logs they were when the worker started, and stop reading those that are not.

The client that fetches knows a topic by its name alone: deleted and made anew, it would be read on from where the old
one ended as soon as it has grown that far.
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping
from typing import Final

from streams.admin import TopicShape, difference
from streams.ownership import Ownership

_log = logging.getLogger(__name__)

LOOK_S: Final = 3.0


Look = Callable[[Collection[str]], Mapping[str, TopicShape]]
"""The topics that exist, as the broker shows them; blocks."""


def changed(followed: Mapping[str, TopicShape], found: Mapping[str, TopicShape]) -> dict[str, str]:
    """Why topics are not to be read on, by name; a person acts on it."""
    return {topic: why for topic, shape in followed.items() if (why := _change(topic, shape, found.get(topic)))}


def _change(topic: str, followed: TopicShape, found: TopicShape | None) -> str | None:
    if found is None:
        return f"topic {topic} is not there any more"
    if found.topic_id != followed.topic_id:
        return f"topic {topic} was deleted and made anew: it is another log; see `rapport log adopt`"
    if found.partitions != followed.partitions:
        return difference(topic, found.partitions, followed.partitions)
    return None


async def watch_logs(
    ownership: Ownership, *, followed: Mapping[str, TopicShape], look: Look, every_s: float = LOOK_S
) -> None:
    """Look again and again; a broker that does not answer has changed nothing."""
    told: dict[str, str] = {}
    while True:
        try:
            found = await asyncio.to_thread(look, list(followed))
        except Exception as error:  # noqa: BLE001  the watch outlives whatever the client raises
            _log.warning("the topics could not be looked at: %s", type(error).__name__)
        else:
            reasons = changed(followed, found)
            ownership.refuse(reasons)
            for topic in [topic for topic, reason in reasons.items() if told.get(topic) != reason]:
                # Said even where nothing of the topic is assigned to us: it may have been taken from everybody.
                _log.error("stopped: %s", reasons[topic])
            told = reasons
        await asyncio.sleep(every_s)
