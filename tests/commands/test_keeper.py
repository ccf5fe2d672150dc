"""`rapport keeper`: what the officer asks is made from history, and goes on by itself once what was wrong is mended."""

import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Literal

import pytest

from commands.keeper import Keeping
from commands.ledger import DEFAULT_NAME, make_key
from commands.settings import LEDGER_KEY_FILE, Settings, settings_of
from consent.evidence_index import EvidenceIndex
from consent.ledger import Ledger
from consent.ledger_note import read_checkpoint
from consent.ledger_rules import entries_of, notice_id
from consent.notices import DEFAULT_NOTICES
from consent.rules import shipped_rules
from events.fact import encode_fact
from events.history import History
from events.memory_log import MemoryRecord
from events.shape import FROM_LOG
from tests.builders import NOW, consent
from tests.servers import ROOT

RULES = len(entries_of(shipped_rules()))


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_of(data=str(tmp_path), checkpoint_targets=(str(tmp_path / "outside"),))


def archive(settings: Settings, *acts: Literal["given", "withdrawn"], start: int = 0) -> None:
    facts = [consent(act, "profile.build", event_id=f"{act}-{start + n}") for n, act in enumerate(acts)]
    records = [MemoryRecord(start + n, NOW, b"key", encode_fact(each)) for n, each in enumerate(facts)]
    History(settings.history).append(1, 0, start, start + len(facts), records)


def kept(settings: Settings) -> tuple[int, int]:
    """How far the index of evidence is, and how many entries the ledger has beside the rules."""
    return EvidenceIndex(settings.evidence).next_offset(1, 0), Ledger(settings.ledger).size - RULES


def keeper(settings: Settings) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-c", "import cli; cli.main()", "keeper", "--once", "--data", str(settings.data)]
    environment = {"PATH": os.defpath, "RAPPORT_CHECKPOINT_TARGETS": f'["{settings.checkpoint_targets[0]}"]'}
    return subprocess.run(argv, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False)


def keep(settings: Settings) -> bool:
    """What `rapport keeper --once` does, without a process of its own; whether all of it went on."""
    if not (settings.data / LEDGER_KEY_FILE).exists():
        make_key(settings, DEFAULT_NAME)
    return Keeping(settings).round()


@pytest.mark.thorough
def test_what_was_archived_is_evidence_and_on_the_signed_and_published_ledger(settings: Settings) -> None:
    archive(settings, "given", "withdrawn")

    first, again = keeper(settings), keeper(settings)

    assert (first.returncode, again.returncode) == (0, 0), first.stderr + again.stderr
    assert kept(settings) == (2, 2)
    assert (settings.data / LEDGER_KEY_FILE).stat().st_mode & 0o077 == 0
    assert "signed with a new key: rapport.local/ledger+" in first.stderr
    assert "new key" not in again.stderr
    published = (Path(settings.checkpoint_targets[0]) / "checkpoint").read_text()
    assert read_checkpoint(published).size == RULES + 2


def test_one_that_cannot_go_on_leaves_the_other_alone_and_goes_on_once_it_is_mended(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    archive(settings, "given")
    assert keep(settings)
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
    assert read_checkpoint((Path(settings.checkpoint_targets[0]) / "checkpoint").read_text()).size == RULES + 2


def test_a_ledger_that_grows_is_signed_every_ten_seconds(settings: Settings) -> None:
    archive(settings, "given")
    assert keep(settings)
    now = NOW
    keeping = Keeping(settings, clock=lambda: now)
    signed = []
    for at, number in ((NOW, 1), (NOW + 9_999, 2), (NOW + 10_000, 3)):
        archive(settings, "given", start=number)
        now = at
        assert keeping.round()
        signed.append(read_checkpoint((Path(settings.checkpoint_targets[0]) / "checkpoint").read_text()).size)

    assert signed == [RULES + 2, RULES + 2, RULES + 4]


@pytest.mark.thorough
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
    assert keep(settings)
    assert kept(settings) == (1, 1)


def test_the_rules_consent_is_judged_by_are_on_the_ledger_word_for_word(settings: Settings) -> None:
    assert keep(settings)
    assert keep(settings)

    notice = settings.rules().notices.versions[0]
    with closing(Ledger(settings.ledger)) as ledger:
        assert ledger.size == RULES
        said = ledger.opening(notice_id(notice.hash)).entry["content"]
    assert type(notice).model_validate(said, context=FROM_LOG) == notice


def test_a_notice_that_was_altered_under_its_old_number_is_another_entry(settings: Settings, tmp_path: Path) -> None:
    assert keep(settings)
    own = tmp_path / "notices.yaml"
    shipped = DEFAULT_NOTICES.read_text(encoding="utf-8")
    title = settings.rules().notices.versions[0].texts.en.title
    own.write_text(shipped.replace(title, f"{title}, and more"), encoding="utf-8")

    assert Keeping(settings.model_copy(update={"notices": own})).round()

    with closing(Ledger(settings.ledger)) as ledger:
        assert ledger.size == RULES + shipped.count(title)
