"""`rapport keeper`: what the officer asks is made from history, and goes on by itself once what was wrong is mended."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Literal

import pytest

from commands.keeper import Keeping
from commands.settings import LEDGER_KEY_FILE, Settings, settings_of
from consent.evidence_index import EvidenceIndex
from consent.ledger import Ledger
from consent.ledger_note import read_checkpoint
from events.fact import encode_fact
from events.history import History
from events.memory_log import MemoryRecord
from tests.builders import NOW, consent
from tests.servers import ROOT


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_of(data=str(tmp_path), checkpoint_targets=(str(tmp_path / "outside"),))


def archive(settings: Settings, *acts: Literal["given", "withdrawn"], start: int = 0) -> None:
    facts = [consent(act, "profile.build", event_id=f"{act}-{start + n}") for n, act in enumerate(acts)]
    records = [MemoryRecord(start + n, NOW, b"key", encode_fact(each)) for n, each in enumerate(facts)]
    History(settings.history).append(1, 0, start, start + len(facts), records)


def kept(settings: Settings) -> tuple[int, int]:
    """How far the index of evidence is, and how many entries the ledger has."""
    return EvidenceIndex(settings.evidence).next_offset(1, 0), Ledger(settings.ledger).size


def keeper(settings: Settings) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-c", "import cli; cli.main()", "keeper", "--once", "--data", str(settings.data)]
    environment = {"PATH": os.defpath, "RAPPORT_CHECKPOINT_TARGETS": f'["{settings.checkpoint_targets[0]}"]'}
    return subprocess.run(argv, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False)


def test_what_was_archived_is_evidence_and_on_the_signed_and_published_ledger(settings: Settings) -> None:
    archive(settings, "given", "withdrawn")

    first, again = keeper(settings), keeper(settings)

    assert (first.returncode, again.returncode) == (0, 0), first.stderr + again.stderr
    assert kept(settings) == (2, 2)
    assert (settings.data / LEDGER_KEY_FILE).stat().st_mode & 0o077 == 0
    assert "signed with a new key: rapport.local/ledger+" in first.stderr
    assert "new key" not in again.stderr
    published = (Path(settings.checkpoint_targets[0]) / "checkpoint").read_text()
    assert read_checkpoint(published).size == 2


def test_one_that_cannot_go_on_leaves_the_other_alone_and_goes_on_once_it_is_mended(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    archive(settings, "given")
    assert keeper(settings).returncode == 0
    archive(settings, "withdrawn", start=1)
    key = settings.data / LEDGER_KEY_FILE
    written = key.read_text()
    key.write_text("no key\n")
    keeping = Keeping(settings)

    assert [keeping.round(), keeping.round()] == [False, False]
    assert kept(settings) == (2, 2)
    assert len([line for line in caplog.messages if "the ledger does not go on" in line]) == 1

    key.write_text(written)
    assert keeping.round()
    assert read_checkpoint((Path(settings.checkpoint_targets[0]) / "checkpoint").read_text()).size == 2


def test_a_ledger_that_grows_is_signed_every_ten_seconds(settings: Settings) -> None:
    archive(settings, "given")
    assert keeper(settings).returncode == 0
    now = NOW
    keeping = Keeping(settings, clock=lambda: now)
    signed = []
    for at, number in ((NOW, 1), (NOW + 9_999, 2), (NOW + 10_000, 3)):
        archive(settings, "given", start=number)
        now = at
        assert keeping.round()
        signed.append(read_checkpoint((Path(settings.checkpoint_targets[0]) / "checkpoint").read_text()).size)

    assert signed == [2, 2, 4]


def test_a_damaged_history_is_named_and_keeps_nothing_from_being_kept_later(settings: Settings) -> None:
    archive(settings, "given")
    [segment] = settings.history.glob("epoch=1/partition=*/*.parquet")
    whole = segment.read_bytes()
    segment.write_bytes(whole[:-40])

    refused = keeper(settings)

    assert refused.returncode == 1
    assert "HistoryDamaged" in refused.stderr
    assert "Traceback" not in refused.stderr
    segment.write_bytes(whole)
    assert keeper(settings).returncode == 0
    assert kept(settings) == (1, 1)
