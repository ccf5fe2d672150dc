"""The run of a replay against an outlet in memory: what is sent, refused, repeated, and where it goes on."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from commands.replay_input import Input, InputUnreadable, Line, file_input, repeated, with_repeats
from commands.replay_run import Course, Precheck, Tally, run
from commands.replay_state import ReplayState, StateUnreadable, load_state, resume, save_state
from events.admission import INTAKE, Admission, Door
from events.pseudonyms import Pseudonyms
from streams.producer import DeliveryFailed

NOW_MS = 1_800_000_000_000


def event(number: int, **given: object) -> bytes:
    whole = {
        "specversion": "1.0",
        "id": f"e{number}",
        "source": "till",
        "type": "service.visited",
        "subject": f"app:{number}",
        "time": "2026-01-01T00:00:00Z",
        "data": {"place": "shop"},
    }
    return json.dumps(whole | given).encode()


class Outbound:
    """Takes records, and acknowledges the first `acknowledges` of them only."""

    def __init__(self, acknowledges: int | None = None) -> None:
        self.acknowledges = acknowledges
        self.sent: list[tuple[int, bytes, bytes]] = []

    @property
    def oldest(self) -> int | None:
        if self.acknowledges is None or len(self.sent) <= self.acknowledges:
            return None
        return self.sent[self.acknowledges][0]

    def send(self, *, place: int, key: bytes, value: bytes) -> None:
        self.sent.append((place, key, value))

    def first_unacknowledged(self) -> int | None:
        return self.oldest

    def flush(self) -> None:
        if self.oldest is not None:
            raise DeliveryFailed("the broker did not take a record")


def of(*raw: bytes) -> Input:
    return Input(
        name="lines", identifies="x", lines=lambda: (Line(number, each) for number, each in enumerate(raw, start=1))
    )


def ran(
    source: Input,
    outlet: Outbound,
    *,
    door: Door = INTAKE,
    start: int = 0,
    limit: int | None = None,
    stopping: Callable[[], bool] = lambda: False,
) -> Tally:
    admission = Admission(pseudonyms=Pseudonyms(b"0" * 16), partitions=1)
    precheck = Precheck(admission=admission, door=door, clock=lambda: NOW_MS)
    return run(source, precheck=precheck, outlet=outlet, course=Course(start=start, limit=limit, stopping=stopping))


def test_each_event_is_sent_as_it_stands_under_its_identity() -> None:
    outlet = Outbound()
    tally = ran(of(event(1), event(2)), outlet)
    assert outlet.sent == [(0, b"app:1", event(1)), (1, b"app:2", event(2))]
    assert (tally.ending, tally.sent, tally.acknowledged) == ("complete", 2, 2)


def test_what_admission_would_refuse_is_counted_by_code_with_its_first_lines_and_not_sent() -> None:
    outlet = Outbound()
    tally = ran(of(b"nonsense", event(1), *[event(2, type="no.such")] * 7), outlet)
    assert [place for place, _, _ in outlet.sent] == [1]
    assert tally.refused["not_json"].lines == [1]
    assert tally.refused["unknown_type"].count == 7
    assert tally.refused["unknown_type"].lines == [3, 4, 5, 6, 7]
    assert tally.acknowledged == 9


def test_a_consent_is_refused_at_the_open_intake_and_sent_to_the_one_bound_to_its_source() -> None:
    consent = event(1, type="consent.given", data={"purpose": "profile.build"})
    assert "type_not_allowed" in ran(of(consent), Outbound()).refused
    assert ran(of(consent), Outbound(), door=Door(name="till", source="till")).sent == 1
    assert "type_not_allowed" in ran(of(consent), Outbound(), door=Door(name="crm", source="crm")).refused


def test_a_run_with_a_limit_goes_on_behind_it_next_time() -> None:
    source, outlet = of(*map(event, range(5))), Outbound()
    first = ran(source, outlet, limit=2)
    assert (first.ending, first.acknowledged) == ("limit", 2)
    second = ran(source, outlet, start=first.acknowledged)
    assert (second.ending, second.acknowledged) == ("complete", 5)
    assert [value for _, _, value in outlet.sent] == list(map(event, range(5)))


def test_an_interrupted_run_goes_on_with_the_first_event_not_sent() -> None:
    source, outlet = of(*map(event, range(5))), Outbound()
    first = ran(source, outlet, stopping=lambda: len(outlet.sent) == 3)
    assert (first.ending, first.acknowledged) == ("interrupted", 3)
    ran(source, outlet, start=first.acknowledged)
    assert [value for _, _, value in outlet.sent] == list(map(event, range(5)))


def test_a_run_whose_records_are_not_acknowledged_goes_on_with_the_first_of_them() -> None:
    source, outlet = of(b"nonsense", *map(event, range(5))), Outbound(acknowledges=2)
    tally = ran(source, outlet)
    assert (tally.ending, tally.acknowledged) == ("undelivered", 3)


def test_refused_lines_before_an_unacknowledged_one_are_not_judged_again() -> None:
    tally = ran(of(b"nonsense", b"nonsense", event(1)), Outbound(acknowledges=0))
    assert tally.acknowledged == 2


def test_an_input_that_breaks_off_keeps_what_was_sent_of_it(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl.gz"
    path.write_bytes(gzip.compress(b"\n".join(event(number) for number in range(2000)))[:-200])
    tally = ran(file_input(path), Outbound())
    assert tally.ending == "unreadable"
    assert tally.acknowledged == tally.sent > 0


def test_a_share_of_the_lines_is_sent_again_later_and_the_seed_chooses_which() -> None:
    lines = [Line(number, b"") for number in range(10_000)]
    sent = list(repeated(lines, share=0.1, seed=7))
    again = [line.number for line in sent if line.again]
    assert [line for line in sent if not line.again] == lines
    assert len(set(again)) == len(again)
    assert 900 < len(again) < 1100
    assert sent == list(repeated(lines, share=0.1, seed=7))
    assert sent != list(repeated(lines, share=0.1, seed=8))
    assert all(sent.index(Line(number, b"")) < sent.index(Line(number, b"", again=True)) for number in again[:20])


def test_a_repeated_refusal_is_one_refusal() -> None:
    tally = ran(with_repeats(of(b"nonsense"), share=1.0, seed=0), Outbound())
    assert tally.refused_count == 1


@pytest.mark.parametrize("packed", [False, True])
def test_a_file_is_read_gzipped_or_not_and_blank_lines_are_passed_over(tmp_path: Path, packed: bool) -> None:  # noqa: FBT001
    path, raw = tmp_path / "events", b"one\n\n  \r\ntwo"
    path.write_bytes(gzip.compress(raw) if packed else raw)
    assert list(file_input(path).lines()) == [Line(1, b"one"), Line(4, b"two")]


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputUnreadable, match="missing"):
        file_input(tmp_path / "missing.jsonl")


def test_a_file_that_grew_is_the_same_input_and_another_first_line_is_another(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"one\n")
    before = file_input(path).identifies
    path.write_bytes(b"one\ntwo\n")
    assert file_input(path).identifies == before
    path.write_bytes(b"two\n")
    assert file_input(path).identifies != before


def test_repeats_make_a_file_that_grew_another_input(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"one\n")
    before = with_repeats(file_input(path), share=0.5, seed=0).identifies
    path.write_bytes(b"one\ntwo\n")
    assert with_repeats(file_input(path), share=0.5, seed=0).identifies != before


def test_a_state_is_followed_only_for_its_own_input_and_log() -> None:
    state = ReplayState(input="i", log="l", acknowledged=42)
    assert resume(state, input_id="i", log_id="l").at == 42
    assert resume(state, input_id="i", log_id="another").at == 0
    assert resume(state, input_id="another", log_id="l").at == 0
    assert resume(None, input_id="i", log_id="l").at == 0


def test_a_state_is_read_back_and_a_broken_one_is_not_followed(tmp_path: Path) -> None:
    path, state = tmp_path / "deep" / "state.json", ReplayState(input="i", log="l", acknowledged=42)
    assert load_state(path) is None
    save_state(path, state)
    assert load_state(path) == state
    path.write_text("{")
    with pytest.raises(StateUnreadable):
        load_state(path)
