"""Receipts of seeded decisions, and a process of its own that makes every one of them again.

`python -m tests.recommender.replaying FOLDER` answers how many came to the same bytes, as `same/all`.
"""

import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from random import Random
from typing import Final

import msgspec

from recommender.catalogue_store import CatalogueStore
from recommender.decisions import Decision
from recommender.explain import Archive, Explained, explain
from recommender.model_store import ModelStore
from recommender.receipt_sealing import InstallationSealing
from recommender.receipts import Question, Receipts
from tests.builders import DAY, NOW, pseudonym
from tests.noninterference.crowd import CATALOGUE, model
from tests.noninterference.histories import history, private_facts
from tests.noninterference.refusals import PERSON
from tests.recommender.worlds import agreed, person

RECEIPTS: Final = Receipts(sealing=InstallationSealing(b"i" * 32), policy="rules", code="this", key=b"k" * 32)
CHANNELS: Final = (None, "desk", "app", "store")
PURPOSES: Final = ("suggest.personal", "profile.build", "data.sensitive")


def decided(seed: int) -> Decision:
    """The receipt of one decision: about somebody who agreed to some, none or all, asked anyhow."""
    chance = Random(seed)
    told = [
        *agreed(*PURPOSES[: chance.randrange(4)], identity=PERSON),
        *private_facts(chance, PERSON),
        *history(chance, PERSON),
    ]
    chance.shuffle(told)
    now = NOW + chance.randrange(DAY)
    made = RECEIPTS.answer(
        person(*told, identity=PERSON, at=now),
        Question(channel=chance.choice(CHANNELS), k=chance.randrange(1, 12), now=now),
        identity=pseudonym(PERSON),
        canonical=pseudonym(PERSON),
        artifact=model(),
        catalogue=CATALOGUE,
    )
    return made.receipt


def archived(folder: Path) -> Archive:
    """What is kept in a folder of models; each is read once."""
    models, catalogues = cache(ModelStore(folder).load), cache(CatalogueStore(folder).load)
    return Archive(model=lambda name, _catalogue: models(name), catalogue=catalogues)


def replayed(receipts: Sequence[Decision], folder: Path) -> list[Explained]:
    """What came of making them again from what is kept."""
    archive = archived(folder)
    return [explain(receipt, receipts=RECEIPTS, archive=archive) for receipt in receipts]


if __name__ == "__main__":
    kept = Path(sys.argv[1])
    found = replayed(msgspec.msgpack.decode((kept / "receipts").read_bytes(), type=list[Decision]), kept)
    sys.stdout.write(f"{sum(each.verdict == 'same' for each in found)}/{len(found)}")
