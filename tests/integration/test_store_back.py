"""A store put back from a copy under a running worker to which nothing comes any more."""

import pytest
import redis

from tests.installation import Installation
from tests.integration.brokers import on_each_broker
from tests.integration.orders import folded, orders
from tests.waiting import until

pytestmark = pytest.mark.servers

Copy = dict[bytes, bytes]


def copied(store: redis.Redis) -> Copy:
    found = ((name, store.dump(name)) for name in store.scan_iter())
    return {name: value for name, value in found if value is not None}


def put_back(store: redis.Redis, copy: Copy) -> None:
    with store.pipeline(transaction=True) as pipeline:
        pipeline.flushall()
        for name, value in copy.items():
            pipeline.restore(name, 0, value)
        pipeline.execute()


@on_each_broker
def test_a_worker_at_rest_folds_again_what_the_copy_lacks(installation: Installation) -> None:
    with installation.worker() as worker, redis.Redis.from_url(installation.settings.redis) as store:
        installation.send(orders(300))
        until(lambda: folded(installation) == 300, what="300 orders in the profiles")
        copy = copied(store)
        installation.send(orders(400, first=300))
        until(lambda: folded(installation) == 700, what="700 orders in the profiles")
        until(lambda: installation.done() >= 700, what="the log at its end")

        put_back(store, copy)

        until(lambda: folded(installation) == 700, what="what the copy lacks, with nothing sent any more")
        assert worker.exit_status is None
