"""An earlier model is gone back to while all its members stay; once one left, it is refused and a new one trained."""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from commands.opened_history import history_of
from commands.settings import Settings, settings_of
from commands.train import train_once
from commands.train_models import app
from events.fact import Fact, encode_fact
from recommender.canonical import canonical_json
from recommender.model_store import ModelStore
from recommender.training_making import quiet
from streams.frame import Record
from tests.builders import NOW, admitted, consent
from tests.recommender.worlds import CHECKERBOARD, taken_by
from tests.servers import embedded_store

pytestmark = pytest.mark.servers
LEAVES = consent("withdrawn", "model.train", identity="app:3", at=NOW)


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[Settings]:
    catalogue = tmp_path / "catalogue.yaml"
    catalogue.write_bytes(canonical_json(CHECKERBOARD.model_dump(mode="json")))
    with embedded_store(tmp_path / "store") as server:
        found = settings_of(redis=server.url, data=str(tmp_path / "data"))
        yield found.model_copy(update={"catalogue": catalogue})


def told(settings: Settings, *facts: Fact) -> None:
    """More of history, each identity in its partition."""
    history, rows = history_of(settings), defaultdict(list)
    for fact in facts:
        rows[admitted(fact).partition % settings.partitions].append(fact)
    for partition, found in rows.items():
        start = history.contiguous_end(1, partition)
        records = [
            Record(start + place, NOW, fact.identity.encode(), encode_fact(fact)) for place, fact in enumerate(found)
        ]
        history.append(1, partition, start, start + len(found), records)


def roll_back(settings: Settings, name: str) -> tuple[int, str]:
    words = ["rollback", name, "--redis", settings.redis, "--data", str(settings.data)]
    done = CliRunner().invoke(app, words, env={"RAPPORT_CATALOGUE": str(settings.catalogue)})
    return done.exit_code, done.output


def test_a_model_is_gone_back_to_until_somebody_in_it_has_left(settings: Settings) -> None:
    store = ModelStore(settings.models)
    told(settings, *(fact for customer in range(20) for fact in taken_by(customer)))
    first = train_once(settings, quiet).artifact.name
    told(settings, *taken_by(21))
    second = train_once(settings, quiet).artifact.name

    assert store.current() == second != first
    assert roll_back(settings, first) == (0, f"{first} is served\n")
    assert store.current() == first

    told(settings, LEAVES)
    code, said = roll_back(settings, second)

    assert code == 1
    assert f"{second} is not served: 1 of those it was trained on have left since. Trained anew instead" in said
    assert store.current() not in {first, second}
