"""Past decisions made again from their receipts."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from recommender.canonical import content_hash
from recommender.catalogue import CatalogueInvalid
from recommender.catalogue_store import CatalogueStore
from recommender.decisions import Decision
from recommender.explain import LIMIT, SUGGESTED, Explained, explain
from recommender.model_store import ModelStore
from recommender.receipt_sealing import InputsUnreadable, InstallationSealing, KeyGone
from recommender.receipts import Receipts
from tests.builders import pseudonym
from tests.noninterference.crowd import CATALOGUE, model
from tests.recommender.replaying import RECEIPTS, archived, decided, replayed
from tests.servers import ROOT

pytestmark = pytest.mark.thorough

MANY = 1000


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    ModelStore(folder).publish(model())
    CatalogueStore(folder).keep(CATALOGUE)
    return folder


def stored(many: int) -> list[Decision]:
    """Decisions as they come back from a store."""
    made = [decided(seed) for seed in range(many)]
    return msgspec.msgpack.decode(msgspec.msgpack.encode(made), type=list[Decision])


@pytest.fixture(scope="module")
def receipts() -> list[Decision]:
    return stored(MANY)


@pytest.fixture(scope="module")
def few() -> list[Decision]:
    return stored(50)


def explained(receipt: Decision, folder: Path, receipts: Receipts = RECEIPTS) -> Explained:
    return explain(receipt, receipts=receipts, archive=archived(folder))


def with_(**changed: Any) -> Receipts:
    """The receipts of an installation that is another one in some way."""
    said = {"sealing": RECEIPTS.sealing, "policy": RECEIPTS.policy, "code": RECEIPTS.code, "key": RECEIPTS.key}
    return Receipts(**{**said, **changed})


def test_a_thousand_decisions_are_made_again_to_the_byte(receipts: list[Decision], kept: Path) -> None:
    found = replayed(receipts, kept)

    assert {(each.verdict, each.findings) for each in found} == {("same", ())}
    assert {each.mode for each in receipts} == {"general", "personal"}
    assert len({each.answer for each in receipts}) > MANY // 4


@pytest.mark.long
def test_another_process_makes_the_same_ones(receipts: list[Decision], kept: Path, tmp_path: Path) -> None:
    shutil.copytree(kept, tmp_path, dirs_exist_ok=True)
    (tmp_path / "receipts").write_bytes(msgspec.msgpack.encode(receipts))
    argv = [sys.executable, "-m", "tests.recommender.replaying", str(tmp_path)]

    done = subprocess.run(
        argv, cwd=ROOT, env={"PYTHONHASHSEED": "4711"}, capture_output=True, text=True, timeout=300, check=True
    )

    assert done.stdout == f"{MANY}/{MANY}"


def test_every_service_of_the_catalogue_has_its_fate(few: list[Decision], kept: Path) -> None:
    for receipt in few:
        found = explained(receipt, kept)

        assert sorted(fate.service for fate in found.funnel) == sorted(CATALOGUE.by_id)
        suggested = [fate for fate in found.funnel if fate.stage == SUGGESTED]
        assert tuple(fate.service for fate in suggested) == receipt.services
        assert [fate.place for fate in suggested] == list(range(1, len(suggested) + 1))
        assert found.answer is not None
        assert [fate.suggestion for fate in suggested] == found.answer["suggestions"]
        dropped = [fate for fate in found.funnel if fate.stage not in {SUGGESTED, LIMIT}]
        assert {(fate.service, fate.stage, fate.because) for fate in dropped} == {
            (each["service"], each["stage"], each["because"]) for each in found.answer["withheld"]
        }
        assert sum(fate.stage == LIMIT for fate in found.funnel) == found.answer["beyond"]


def test_another_version_of_the_program_is_named_and_the_bytes_are_compared_all_the_same(
    few: list[Decision], kept: Path
) -> None:
    found = explained(few[0], kept, with_(code="another", policy="others"))

    assert found.verdict == "same"
    assert [each.partition(":")[0] for each in found.findings] == ["code", "policy"]


def test_a_receipt_that_tells_of_another_answer_is_found_out(few: list[Decision], kept: Path) -> None:
    altered = replace(few[0], services=("diapers", "nothing"), answer=content_hash(b"other"))

    found = explained(altered, kept)

    assert found.verdict == "differs"
    assert found.findings == (f"services: diapers, nothing then, {', '.join(few[0].services)} now",)
    reworded = explained(replace(few[0], answer=content_hash(b"other")), kept)
    assert [each.partition(":")[0] for each in reworded.findings] == ["words or figures"]


class Erased:
    """Keys of people who were erased."""

    async def ready(self, _identity: str) -> None:
        raise NotImplementedError

    def seal(self, _identity: str, _content: bytes) -> bytes:
        raise NotImplementedError

    def open(self, _identity: str, _sealed: bytes) -> bytes:
        raise KeyGone("the key was destroyed")


@pytest.mark.parametrize(
    ("altered", "receipts_now", "why"),
    [
        ({"model": "0" * 32}, RECEIPTS, "model: there is no model"),
        ({"catalogue": "0" * 32}, RECEIPTS, "catalogue: catalogue 0000"),
        ({"catalogue": "../models"}, RECEIPTS, "catalogue: '../models' is no"),
        ({"inputs": b""}, RECEIPTS, "inputs: the receipt was written by a version that kept no inputs"),
        ({"inputs": b"x" * 40}, RECEIPTS, "inputs: the sealed inputs are damaged"),
        ({"identity": pseudonym("app:somebody-else")}, RECEIPTS, "inputs: the sealed inputs are damaged"),
        ({}, with_(sealing=InstallationSealing(b"j" * 32)), "inputs: the sealed inputs are damaged"),
        ({}, with_(sealing=Erased()), "inputs: the key was destroyed: the person was erased"),
    ],
)
def test_what_is_missing_is_named(
    few: list[Decision], kept: Path, altered: dict[str, Any], receipts_now: Receipts, why: str
) -> None:
    found = explained(replace(few[0], **altered), kept, receipts_now)

    assert (found.verdict, found.answer, found.funnel) == ("missing", None, ())
    [finding] = found.findings
    assert finding.startswith(why)


def test_inputs_that_are_of_another_form_are_unreadable() -> None:
    sealed = RECEIPTS.sealing.seal(pseudonym("app:42"), b"no frame")

    with pytest.raises(InputsUnreadable):
        RECEIPTS.inputs_of(replace(decided(0), inputs=sealed))


def test_a_catalogue_is_kept_once_under_its_hash_and_an_altered_one_is_refused(tmp_path: Path) -> None:
    store = CatalogueStore(tmp_path / "models")
    name = store.keep(CATALOGUE)
    [file] = (tmp_path / "models" / "catalogues").iterdir()
    written = file.stat().st_mtime_ns

    assert store.keep(CATALOGUE) == name == CATALOGUE.hash
    assert file.stat().st_mtime_ns == written
    assert store.load(name) == CATALOGUE
    file.write_bytes(file.read_bytes().replace(b"diapers", b"nappies"))
    with pytest.raises(CatalogueInvalid, match="altered"):
        store.load(name)
