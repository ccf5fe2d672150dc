import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pydantic import ValidationError

from api.auth import ORDINARY_TYPES, Role, authenticate, make_key
from api.key_file import KeyFile, KeysUnreadable
from api.refusal import Refusal
from commands.keys import demo_keys
from commands.settings import settings_of
from tests.builders import NOW


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "api-keys.json"


def test_a_key_that_was_added_opens_and_is_not_in_the_file(path: Path) -> None:
    new = make_key(name="desk 7", role=Role.AGENT, now=NOW)

    KeyFile(path).add(new.kept)

    assert authenticate(f"Bearer {new.shown}", KeyFile(path)) == new.kept
    assert new.shown.split("_", 2)[2] not in path.read_text()
    assert path.stat().st_mode & 0o077 == 0


def test_keys_added_and_revoked_at_the_same_time_are_all_heeded(path: Path) -> None:
    new = [make_key(name=f"desk {each}", role=Role.AGENT, now=NOW).kept for each in range(24)]
    old = [make_key(name=f"old {each}", role=Role.AGENT, now=NOW).kept for each in range(24)]
    KeyFile(path).add(*old)

    def change(each: int) -> None:
        KeyFile(path).add(new[each])
        KeyFile(path).revoke(old[each].id)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(change, range(24)))

    assert set(KeyFile(path).all()) == {key.id for key in new}


def test_a_key_revoked_by_another_process_opens_nothing_from_the_next_request_on(path: Path) -> None:
    new = make_key(name="desk 7", role=Role.AGENT, now=NOW)
    KeyFile(path).add(new.kept)
    served = KeyFile(path)
    assert authenticate(f"Bearer {new.shown}", served) == new.kept

    assert KeyFile(path).revoke(new.kept.id, "00000000") == [new.kept.id]

    with pytest.raises(Refusal):
        authenticate(f"Bearer {new.shown}", served)


def test_no_file_means_nobody(path: Path) -> None:
    assert KeyFile(path).all() == {}


@pytest.mark.parametrize("content", ["", "{", "[]", '{"format": 2}', '{"format": 1, "keys": [{}]}'])
def test_a_file_that_cannot_be_read_lets_nobody_in(path: Path, content: str) -> None:
    new = make_key(name="desk 7", role=Role.AGENT, now=NOW)
    KeyFile(path).add(new.kept)
    served = KeyFile(path)
    assert served.get(new.kept.id)

    path.write_text(content)

    with pytest.raises(KeysUnreadable):
        served.get(new.kept.id)


@pytest.mark.parametrize(
    ("role", "source"), [(Role.INGEST, None), (Role.AGENT, "crm"), (Role.INGEST, "rapport.api"), (Role.INGEST, "a b")]
)
def test_a_key_bound_to_nothing_or_too_much_is_not_made(role: Role, source: str | None) -> None:
    with pytest.raises(ValidationError):
        make_key(name="x", role=role, source=source, now=NOW)


def test_an_ingest_key_publishes_ordinary_types_unless_it_says_more() -> None:
    door = make_key(name="till", role=Role.INGEST, source="till", now=NOW).kept.door

    assert door.types == ORDINARY_TYPES
    assert door.publishes("transaction.purchased")
    assert not door.publishes("consent.given")


def test_demo_keys_are_one_per_role_and_replace_those_before(path: Path) -> None:
    KeyFile(path).add(make_key(name="desk 7", role=Role.AGENT, now=NOW).kept)
    settings = settings_of(data=path.parent)
    first, second = demo_keys(settings), demo_keys(settings)

    assert set(second) == set(Role)
    assert authenticate(f"Bearer {second[Role.AGENT]}", KeyFile(path)).role is Role.AGENT
    with pytest.raises(Refusal):
        authenticate(f"Bearer {first[Role.AGENT]}", KeyFile(path))
    assert len(json.loads(path.read_text())["keys"]) == len(Role) + 1
