"""What was destroyed on a server of keys is in none of its files any more."""

from pathlib import Path

import pytest

from events.body_keys import EVIDENCE, BodyKeysUnavailable, KeyName
from events.redis_body_keys import RedisBodyKeys
from tests.builders import NOW, pseudonym
from tests.sealing.keys import MAKER
from tests.servers import embedded_store

pytestmark = pytest.mark.servers

ANNA, BEN = pseudonym("app:anna"), pseudonym("app:ben")
NAMES = [KeyName(who, kind, "2026-1") for who in (ANNA, BEN) for kind in ("service.fulfil", EVIDENCE)]


def holding(folder: Path, needle: bytes) -> bool:
    return any(needle in path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_the_append_only_file_holds_neither_name_nor_key_of_the_erased(tmp_path: Path) -> None:
    with embedded_store(tmp_path) as server:
        keys = RedisBodyKeys(server.url)
        stored = keys.ensure({name: MAKER.make() for name in NAMES})
        mine, evidence, others = (stored[name].wrapped for name in NAMES[:3])
        assert all(holding(tmp_path, needle) for needle in (ANNA.encode(), mine, evidence, others))

        keys.destroy([ANNA], spared=[EVIDENCE])
        keys.retire([ANNA], because="request-1", until=NOW)
        assert keys.wipe() is None

        assert [holding(tmp_path, needle) for needle in (ANNA.encode(), mine)] == [False, False]
        assert [holding(tmp_path, needle) for needle in (BEN.encode(), evidence, others)] == [True, True, True]

        assert keys.end([stored[NAMES[1]].id]) == 1
        assert keys.wipe() is None
        assert not holding(tmp_path, evidence)
        keys.close()


def test_a_server_that_is_gone_is_told_as_that(tmp_path: Path) -> None:
    with embedded_store(tmp_path) as server:
        keys = RedisBodyKeys(server.url)
        keys.ensure({NAMES[0]: MAKER.make()})
    with pytest.raises(BodyKeysUnavailable, match="did not answer"):
        keys.named(NAMES)
    with pytest.raises(BodyKeysUnavailable, match="did not answer"):
        keys.find([MAKER.make().id])
    keys.close()
