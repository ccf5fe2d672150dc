"""Checkpoints go where we cannot take them back; what does not get there is named and tried again."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from consent.ledger import Ledger
from consent.ledger_note import Checkpoint, read_checkpoint, sign_note
from consent.ledger_publish import RETRY_MS, FolderTarget, Target, UrlTarget, publish, target_of
from tests.builders import NOW
from tests.ledger.ledgers import SIGNER, THIEF, entries, open_ledger


@dataclass
class Witness:
    """A second party: what it was sent, and what it answers."""

    status: int = 200
    taken: list[tuple[str, str, str]] = field(default_factory=list)
    url: str = ""


@contextmanager
def listening(witness: Witness) -> Iterator[None]:
    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"])).decode()
            witness.taken.append((self.command, self.path, body))
            self.send_response(witness.status)
            self.end_headers()

        do_POST = do_PUT  # noqa: N815 - the name http.server asks for

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name it has there
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        witness.url = f"http://127.0.0.1:{server.server_port}"
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield
        server.shutdown()
        thread.join()


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    made = open_ledger(tmp_path / "ledger")
    made.append(entries(3))
    return made


def note_of(ledger: Ledger) -> str:
    return ledger.checkpoint([SIGNER], now_ms=NOW)


def test_a_folder_holds_every_checkpoint_and_the_last_one(ledger: Ledger, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    first = note_of(ledger)
    publish(ledger, first, [FolderTarget(outside)], now_ms=NOW)
    ledger.append(entries(9, start=3))
    last = note_of(ledger)
    [told] = publish(ledger, last, [FolderTarget(outside)], now_ms=NOW)

    assert {path.name: path.read_text() for path in outside.iterdir()} == {
        "checkpoint": last,
        f"checkpoint.{3:016d}": first,
        f"checkpoint.{12:016d}": last,
    }
    assert (told.size, told.failure) == (12, None)


@pytest.mark.parametrize("method", ["PUT", "POST"])
def test_a_url_is_sent_the_checkpoint(method: str, ledger: Ledger) -> None:
    witness = Witness()
    note = note_of(ledger)
    with listening(witness):
        target = target_of(f"{witness.url}/log/{{size}}?secret=1", method="POST" if method == "POST" else "PUT")
        [told] = publish(ledger, note, [target], now_ms=NOW)

    assert witness.taken == [(method, "/log/3?secret=1", note)]
    assert (told.target, told.size, told.failure) == (f"{witness.url}/log/{{size}}", 3, None)


def test_a_failure_is_kept_and_tried_again_after_a_while(ledger: Ledger) -> None:
    witness = Witness(status=503)
    note = note_of(ledger)
    with listening(witness):
        target: list[Target] = [UrlTarget(witness.url)]
        publish(ledger, note, target, now_ms=NOW)
        [kept] = publish(ledger, note, target, now_ms=NOW + RETRY_MS - 1)
        assert (kept.size, kept.failure, len(witness.taken)) == (None, "it answered with status 503", 1)
        assert ledger.publications() == [kept]

        witness.status = 201
        [told] = publish(ledger, note, target, now_ms=NOW + RETRY_MS)
        assert (told.size, told.failure, len(witness.taken)) == (3, None, 2)
        publish(ledger, note, target, now_ms=NOW + 2 * RETRY_MS)
        assert len(witness.taken) == 2


def test_one_target_that_fails_keeps_no_other_from_being_told(ledger: Ledger, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with socket.socket() as deaf:  # the port is taken, and nobody listens
        deaf.bind(("127.0.0.1", 0))
        gone = UrlTarget(f"http://127.0.0.1:{deaf.getsockname()[1]}")
        targets: list[Target] = [FolderTarget(tmp_path / "file"), gone, FolderTarget(tmp_path / "outside")]
        told = publish(ledger, note_of(ledger), targets, now_ms=NOW)

    assert [each.failure is None for each in told] == [False, False, True]
    assert "it cannot be reached" in str(told[1].failure)


def test_a_ledger_that_does_not_continue_what_was_published_is_not_published_over_it(
    ledger: Ledger, tmp_path: Path
) -> None:
    outside = FolderTarget(tmp_path / "outside")
    publish(ledger, note_of(ledger), [outside], now_ms=NOW)
    before = {path.name: path.read_text() for path in outside.folder.iterdir()}
    for count in (2, 3, 8):
        other = open_ledger(tmp_path / f"other-{count}", seed=7)
        other.append(entries(count))
        [told] = publish(other, note_of(other), [outside], now_ms=NOW)

        assert "that this ledger does not continue" in str(told.failure)
    assert {path.name: path.read_text() for path in outside.folder.iterdir()} == before


def test_a_published_checkpoint_is_never_written_over(ledger: Ledger, tmp_path: Path) -> None:
    outside = FolderTarget(tmp_path / "outside")
    outside.publish(note_of(ledger), size=3)
    forged = sign_note(Checkpoint(origin=SIGNER.name, size=3, root=bytes(32)).text(), [SIGNER])
    (outside.folder / "checkpoint").unlink()
    outside.folder.joinpath(f"checkpoint.{3:016d}").write_text(forged)

    [told] = publish(ledger, note_of(ledger), [outside], now_ms=NOW)

    assert told.failure == "another checkpoint of 3 entries was published: the ledger was forked"


def test_what_is_no_checkpoint_out_there_is_said(ledger: Ledger, tmp_path: Path) -> None:
    outside = FolderTarget(tmp_path)
    (tmp_path / "checkpoint").write_text("something else")

    [told] = publish(ledger, note_of(ledger), [outside], now_ms=NOW)

    assert told.failure == "what is there cannot be read: NoteInvalid"


def test_a_secret_in_a_url_is_not_told() -> None:
    assert target_of("https://user:secret@example.com:8443/log?token=secret").name == "https://example.com:8443/log"


@pytest.mark.parametrize("url", ["http://[bad/x", "http://", "http://\x00/"])
def test_a_url_that_is_none_is_a_failure_like_any(url: str, ledger: Ledger) -> None:
    [told] = publish(ledger, note_of(ledger), [UrlTarget(url)], now_ms=NOW)

    assert told.failure is not None


def test_another_key_beside_the_first_does_not_make_it_another_checkpoint(ledger: Ledger, tmp_path: Path) -> None:
    outside = FolderTarget(tmp_path / "outside")
    publish(ledger, note_of(ledger), [outside], now_ms=NOW)
    both = ledger.checkpoint([SIGNER, THIEF], now_ms=NOW)
    outside.publish(both, size=3)

    assert outside.last() == read_checkpoint(both)
