"""Who is at work on an installation's store."""

import json
import time
from typing import Any

from redis import Redis

from events.keys import global_key
from tests.installation import Installation


def leases(made: Installation) -> list[dict[str, Any]]:
    """Who holds a lease on the store now."""
    with Redis.from_url(made.settings.redis) as client:
        held: Any = client.zrangebyscore(global_key("lease"), time.time() * 1000, "+inf")
    return [json.loads(each) for each in held]
