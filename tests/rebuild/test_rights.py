"""A rebuild works with the rights that the page lists, and no others."""

import pytest

from commands.rebuild_primary import PrimaryMove
from embedded import resp
from embedded.ports import LOOPBACK
from events.position import Checkpoint, Position, Stream
from profiles.facet import Facet
from profiles.rebuild import Closed
from profiles.redis_rebuild import RedisRebuild
from profiles.redis_store import RedisStore
from profiles.store import Commit, Committed
from tests.builders import pseudonym
from tests.profiles.redis_format import listed_rights
from tests.rebuild.test_primary import AFTER, filled
from tests.servers import Valkey

pytestmark = pytest.mark.servers

ANNA = pseudonym("app:42")
STREAM = Stream("profiles", "rapport.events", 0)
STANDS = Checkpoint(epoch=1, offset=1, topic_id="t")


async def test_a_rebuild_and_a_move_need_no_other_rights_than_the_page_lists(valkey: Valkey) -> None:
    valkey.flush()
    user = "rebuilder"
    resp.ask(LOOPBACK, valkey.port, "ACL", "SETUSER", user, "reset", "on", ">word", "~rapport:*", *listed_rights())
    store = await RedisStore.connect(valkey.url.replace("//", f"//{user}:word@"))
    try:
        await filled(store.client)
        commit = Commit(stream=STREAM, expected=None, next=STANDS, facets={ANNA: Facet()})
        assert await store.commit(commit) == Committed()
        rebuild, closed = RedisRebuild(store.client), Closed("replacing", STANDS)
        assert await rebuild.add(0, expected=None, following=Position(1, 0, 1), facets={ANNA: Facet()})
        assert {each async for each in rebuild.identities("rebuilt")} == {(0, ANNA)}
        assert await rebuild.change(STREAM, STANDS, closed)
        assert await rebuild.prune(STREAM, closed, [pseudonym("app:43")]) == 0
        assert await rebuild.move(STREAM, closed, [ANNA]) == 1
        assert await rebuild.reopen(STREAM, closed, STANDS, is_done=True)
        await rebuild.forget(0)
        assert await rebuild.sweep(0, [ANNA]) == 0
        assert await PrimaryMove(store.client, store.client, AFTER).run()
    finally:
        await store.close()
        resp.ask(LOOPBACK, valkey.port, "ACL", "DELUSER", user)
