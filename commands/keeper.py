"""`rapport keeper`: makes from history what the privacy officer asks: the index of evidence, and the signed ledger."""

import logging
import signal
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from threading import Event
from typing import Annotated, Final

import typer

from commands.clock import now_ms
from commands.fact_keys import aged_out
from commands.ledger import DEFAULT_NAME, make_key, signers_of
from commands.options import DataFolderOption
from commands.rights_places import PLACE_ERRORS, ErasureSweep
from commands.sealing import opening_of
from commands.settings import LEDGER_KEY_FILE, Settings, SettingsInvalid, settings_of
from consent.accesses import AccessesUnavailable, AccessLog
from consent.evidence import EVIDENCE_TYPES, EvidenceUnavailable
from consent.evidence_index import EvidenceIndex
from consent.ledger import Ledger
from consent.ledger_accesses import put_down
from consent.ledger_entry import LedgerError
from consent.ledger_follower import LEDGER_TYPES, LedgerFollower
from consent.ledger_publish import publish, target_of
from consent.ledger_rules import put_rules_down
from consent.versioned_data import DataInvalid
from events.following import Follower, follow
from events.history import History
from events.sealing import IN_CLEAR, Seals
from events.segments import HistoryDamaged

_log = logging.getLogger(__name__)

PAUSE_S: Final = 1.0
ERASED_EVERY_S: Final = 0.2
"""How often it is looked whether anybody asked to be erased: that does not wait for a whole round."""
AGED_EVERY_MS: Final = 3_600_000
SIGNED_EVERY_MS: Final = 10_000
"""Each checkpoint is a file with whoever keeps them: no more of them than are of use."""

CANNOT_GO_ON: Final = (
    AccessesUnavailable,
    DataInvalid,
    HistoryDamaged,
    EvidenceUnavailable,
    LedgerError,
    SettingsInvalid,
    OSError,
    *PLACE_ERRORS,
)
"""What keeps a follower from going on: it is said, and tried again; the other one goes on."""


def keeper(
    *,
    data: DataFolderOption = None,
    once: Annotated[bool, typer.Option(help="take what is archived by now, and end")] = False,
) -> None:
    """Keep the index of evidence and the ledger up with history, and sign and publish the ledger, until SIGTERM."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    settings = settings_of(data=data)
    if not (settings.data / LEDGER_KEY_FILE).exists():
        _log.info("the ledger is signed with a new key: %s", make_key(settings, DEFAULT_NAME).verifier)
    keeping = Keeping(settings)
    if once:
        is_well = keeping.round()
        while keeping.waited():
            is_well = keeping.round()
        if not is_well:
            raise typer.Exit(1)
        return
    ended = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    try:
        while not ended.is_set():
            keeping.round()
            until = time.monotonic() + PAUSE_S
            while not ended.wait(ERASED_EVERY_S) and time.monotonic() < until:
                keeping.erase()
    finally:
        keeping.end()


@dataclass
class Keeping:
    """Both followers of one installation's history. `clock` tells ms."""

    settings: Settings
    clock: Callable[[], int] = now_ms
    _signed_at: int | None = field(default=None, init=False)
    _aged_at: int | None = field(default=None, init=False)
    _ledger: Ledger | None = field(default=None, init=False)
    _opening: Seals = field(default=IN_CLEAR, init=False)
    _erasures: ErasureSweep = field(init=False)
    _said: dict[str, str] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        self._erasures = ErasureSweep(self.settings)

    def round(self) -> bool:
        """Take what was archived since, then sign and publish; False where something could not go on."""
        history = self._history()
        done = [
            self._tried("evidence", lambda: self._evidence_taken(history)),
            self._tried("accesses", self._accesses_put_down),
            self._tried("ledger", lambda: self._taken_and_signed(history)),
            self.erase(),
            self._tried("ageing out", self._aged_out),
        ]
        return all(done)

    def erase(self) -> bool:
        """Go on with every erasure that was asked for; False where one could not."""
        return self._tried("erasures", self._erasures.round)

    def waited(self) -> bool:
        """Wait for the model that an erasure is waiting for; False where none is being made."""
        return self._erasures.retraining.waited()

    def end(self) -> None:
        """Leave no process behind."""
        self._erasures.retraining.end()

    def _history(self) -> History:
        """History, opened; looked at anew for as long as the installation has no secret to open it with."""
        if self._opening is IN_CLEAR:
            self._opening = opening_of(self.settings)
        return History(self.settings.history, self._opening)

    def _aged_out(self) -> None:
        """Destroy the keys that are due; their terms are months, so it is looked for once an hour."""
        now = self.clock()
        if self._aged_at is None or now - self._aged_at >= AGED_EVERY_MS:
            gone = aged_out(self.settings, now=now)
            if any(gone.values()):
                _log.info("aged out: %s", ", ".join(f"{count} {what}" for what, count in gone.items()))
            self._aged_at = now

    def _evidence_taken(self, history: History) -> None:
        _taken(history, EvidenceIndex(self.settings.evidence, self._opening), EVIDENCE_TYPES)

    def _accesses_put_down(self) -> None:
        accesses = AccessLog(self.settings.accesses)
        if accesses.path.exists():
            with self._open_ledger() as ledger:
                put_down(accesses, ledger)

    def _taken_and_signed(self, history: History) -> None:
        with self._open_ledger() as ledger:
            _taken(history, LedgerFollower(ledger), LEDGER_TYPES)
            now = self.clock()
            if self._signed_at is None or now - self._signed_at >= SIGNED_EVERY_MS:
                note = ledger.checkpoint(signers_of(self.settings), now_ms=now)
                publish(ledger, note, [target_of(each) for each in self.settings.checkpoint_targets], now_ms=now)
                self._signed_at = now

    @contextmanager
    def _open_ledger(self) -> Iterator[Ledger]:
        """The ledger with the rules of now on it; opened anew after a failure, to look at what is on disk again."""
        held, self._ledger = self._ledger, None
        ledger = held or Ledger(self.settings.ledger)
        with ExitStack() as failed:
            failed.callback(ledger.close)
            if held is None:
                put_rules_down(self.settings.rules(), ledger)
            yield ledger
            failed.pop_all()
        self._ledger = ledger

    def _tried(self, what: str, keep: Callable[[], None]) -> bool:
        try:
            keep()
        except CANNOT_GO_ON as error:
            said = f"{type(error).__name__}: {error}"
            if self._said.get(what) != said:
                _log.error("the %s does not go on, and is tried again: %s", what, said)
            self._said[what] = said
            return False
        if self._said.pop(what, None) is not None:
            _log.info("the %s goes on", what)
        return True


def _taken(history: History, follower: Follower, types: Collection[str]) -> None:
    moved = follow(history, follower, types=types)
    if moved:
        _log.info("%s: %d offsets taken", type(follower).__name__, moved)
