"""History: written once, read whole, never silently short."""

import logging
import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from events.fact import Fact, encode_fact
from events.history import History
from events.memory_log import MemoryRecord
from events.position import Position
from events.segments import HistoryDamaged
from tests.builders import DAY, NOW, fact, linked, purchased

P = 3
"""The partition most tests write."""


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path / "history")


def some_fact(offset: int) -> Fact:
    return purchased(f"order-{offset}", at=NOW + offset)


def records(*offsets: int) -> list[MemoryRecord]:
    return [MemoryRecord(at, NOW, b"key", encode_fact(some_fact(at))) for at in offsets]


def offsets_of(history: History, *, since_ms: int | None = None, until_ms: int | None = None) -> list[int]:
    return [position.offset for position, _ in history.facts(since_ms=since_ms, until_ms=until_ms)]


def files(history: History) -> list[str]:
    return sorted(path.name for path in history.folder.glob("epoch=*/partition=*/*.parquet"))


def only_file(history: History) -> Path:
    [path] = history.folder.glob("epoch=*/partition=*/*.parquet")
    return path


def test_facts_are_read_back_with_their_positions(history: History) -> None:
    history.append(1, P, 0, 5, records(0, 1, 4))
    assert list(history.facts()) == [(Position(1, P, at), some_fact(at)) for at in (0, 1, 4)]


def test_a_segment_is_named_by_epoch_partition_and_range(history: History) -> None:
    history.append(2, 7, 0, 500, records(0, 499))
    assert only_file(history) == (
        history.folder / "epoch=2" / "partition=07" / "0000000000000000-0000000000000500.parquet"
    )


def test_the_position_is_the_end_of_what_is_archived_without_a_hole(history: History) -> None:
    assert history.contiguous_end(1, P) == 0
    history.append(1, P, 0, 10, records(3))
    history.append(1, P, 10, 20, [])
    history.append(1, P, 30, 40, records(35))
    assert history.contiguous_end(1, P) == 20
    history.append(1, P, 20, 30, records(20))
    assert history.contiguous_end(1, P) == 40
    assert history.contiguous_end(1, P + 1) == 0
    assert history.contiguous_end(2, P) == 0


def test_a_history_whose_beginning_is_missing_has_no_position(history: History) -> None:
    history.append(1, P, 100, 200, records(150))
    assert history.contiguous_end(1, P) == 0


def test_writing_twice_is_harmless(history: History) -> None:
    history.append(1, P, 0, 10, records(1, 2))
    before = only_file(history).read_bytes()
    assert history.append(1, P, 0, 10, records(1, 2)) == []
    assert only_file(history).read_bytes() == before
    assert offsets_of(history) == [1, 2]


@pytest.mark.parametrize("second", [(0, 30), (5, 15), (10, 20), (15, 40), (0, 12)])
def test_overlapping_ranges_hold_each_offset_once(history: History, second: tuple[int, int]) -> None:
    start, end = second
    history.append(1, P, 10, 20, records(*range(10, 20)))
    history.append(1, P, start, end, records(*range(start, end)))
    assert offsets_of(history) == list(range(min(start, 10), max(end, 20)))


def test_overlapping_files_are_read_by_the_last_name(history: History, tmp_path: Path) -> None:
    other = History(tmp_path / "other")
    history.append(1, P, 0, 20, records(*range(20)))
    other.append(1, P, 5, 30, [record._replace(timestamp_ms=7) for record in records(*range(5, 30))])
    shutil.copy(only_file(other), only_file(history).parent)
    assert offsets_of(history) == list(range(30))


def test_epochs_partitions_and_offsets_come_in_order(history: History) -> None:
    for epoch, partition, start in [(10, 0, 0), (2, 11, 5), (2, 2, 0), (2, 11, 0), (1, 5, 0)]:
        history.append(epoch, partition, start, start + 5, records(start, start + 1))
    positions = [position for position, _ in history.facts()]
    assert positions == sorted(positions)
    assert len(positions) == 10
    assert {p.epoch for p, _ in history.facts(epochs=[2, 10])} == {2, 10}
    assert {p.partition for p, _ in history.facts(partitions=[5])} == {5}
    assert list(history.facts(epochs=[3])) == []


def test_facts_can_be_asked_for_by_when_they_happened(history: History) -> None:
    facts = [purchased(f"order-{at}", at=NOW + at * DAY, received_at=NOW) for at in (5, 1, 3, 0)]
    history.append(1, P, 0, 4, [MemoryRecord(at, NOW, None, encode_fact(one)) for at, one in enumerate(facts)])
    assert offsets_of(history, since_ms=NOW + DAY) == [0, 1, 2]
    assert offsets_of(history, until_ms=NOW + 3 * DAY) == [1, 3]
    assert offsets_of(history, since_ms=NOW + DAY, until_ms=NOW + 3 * DAY) == [1]
    assert offsets_of(history, until_ms=0) == []


@pytest.mark.parametrize("value", [None, b"", b"\xff\xff", b'{"type": "no fact"}'])
def test_what_is_no_fact_is_kept_and_passed_over(history: History, value: bytes | None) -> None:
    history.append(1, P, 0, 3, [*records(0), MemoryRecord(1, NOW, None, value), *records(2)])
    assert offsets_of(history) == [0, 2]
    assert offsets_of(history, since_ms=0) == [0, 2]
    assert history.contiguous_end(1, P) == 3
    assert history.remove(1, P, [1]) == 1


def test_a_fact_is_found_by_its_event_key(history: History) -> None:
    history.append(1, P, 0, 3, records(0, 1, 2))
    history.append(2, P, 0, 3, records(1, 2))
    assert history.find(some_fact(1).event_key, P) == (Position(1, P, 1), some_fact(1))
    assert history.find(some_fact(1).event_key, P + 1) is None
    assert history.find(b"nothing!", P) is None


def test_two_halves_of_a_link_in_one_partition_are_told_apart(history: History) -> None:
    halves = linked("app:1", "app:2")
    history.append(1, P, 0, 2, [MemoryRecord(at, NOW, None, encode_fact(half)) for at, half in enumerate(halves)])
    for at, half in enumerate(halves):
        assert history.find(half.event_key, P, identity=half.identity) == (Position(1, P, at), half)


def test_rows_are_removed_under_the_same_name(history: History) -> None:
    history.append(1, P, 0, 10, records(*range(10)))
    history.append(1, P, 10, 20, records(*range(10, 20)))
    names = files(history)
    assert history.remove(1, P, [3, 15, 99]) == 2
    assert files(history) == names
    assert offsets_of(history) == [at for at in range(20) if at not in {3, 15}]
    assert history.remove(1, P, [3, 15]) == 0


def test_a_removed_row_does_not_come_back_when_it_is_archived_again(history: History) -> None:
    history.append(1, P, 0, 10, records(*range(10)))
    history.remove(1, P, [4])
    history.append(1, P, 0, 10, records(*range(10)))
    history.append(1, P, 0, 15, records(*range(15)))
    assert 4 not in offsets_of(history)


def test_a_removed_row_is_gone_from_the_bytes_on_disk(history: History) -> None:
    secret = fact("feedback.review_posted", review_id="r1", score=1, text="my secret words")
    history.append(1, P, 0, 2, [*records(0), MemoryRecord(1, NOW, None, encode_fact(secret))])
    history.remove(1, P, [1])
    left = [path for path in history.folder.rglob("*") if path.is_file() and path.name != ".lock"]
    assert left == [only_file(history)]
    assert [some for _, some in history.facts()] == [some_fact(0)]


def test_many_small_segments_become_few(history: History) -> None:
    for at in range(100):
        history.append(1, P, at, at + 1, records(at))
    assert len(files(history)) <= 8
    assert offsets_of(history) == list(range(100))
    assert history.contiguous_end(1, P) == 100


def test_segments_with_a_hole_between_them_are_not_merged(history: History) -> None:
    for at in range(20):
        history.append(1, P, at * 2, at * 2 + 1, records(at * 2))
    assert len(files(history)) == 20


def test_a_reader_follows_a_merge_that_happens_meanwhile(history: History) -> None:
    for at in range(7):
        history.append(1, P, at, at + 1, records(at))
    reading = history.facts()
    seen = [next(reading)[0].offset]
    history.append(1, P, 7, 8, records(7))
    assert len(files(history)) == 1
    seen += [position.offset for position, _ in reading]
    assert seen == list(range(8))


def test_what_a_crash_left_of_a_merge_is_read_once_and_cleared_away(history: History, tmp_path: Path) -> None:
    for at in range(7):
        history.append(1, P, at, at + 1, records(at))
    left = tmp_path / "left"
    shutil.copytree(history.folder, left)
    history.append(1, P, 7, 8, records(7))
    folder = only_file(history).parent
    for path in left.rglob("*.parquet"):
        shutil.copy(path, folder)
    assert offsets_of(history) == list(range(8))
    history.append(1, P, 8, 9, records(8))
    assert len(files(history)) == 2
    assert offsets_of(history) == list(range(9))


def test_a_half_written_file_of_a_crash_is_not_read_and_cleared_away(history: History) -> None:
    history.append(1, P, 0, 5, records(0))
    torn = only_file(history).parent / ".0000000000000005-0000000000000010.parquet.tmp"
    torn.write_bytes(b"PAR1 and no more")
    assert history.contiguous_end(1, P) == 5
    history.append(1, P, 5, 10, records(5))
    assert not torn.exists()
    assert offsets_of(history) == [0, 5]


def test_writers_at_the_same_time_leave_each_offset_once(history: History) -> None:
    def write(start: int) -> None:
        for at in range(start, start + 30):
            history.append(1, P, at, at + 10, records(*range(at, at + 10)))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, [0, 0, 10, 20]))
    assert offsets_of(history) == list(range(59))


@pytest.mark.parametrize("keep", [0, 4, 100, -20, -1])
def test_a_truncated_file_is_an_error_with_its_name(history: History, keep: int) -> None:
    history.append(1, P, 0, 50, records(*range(50)))
    path = only_file(history)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(HistoryDamaged, match=path.name):
        list(history.facts())


def test_no_flipped_bit_of_the_data_goes_unnoticed(history: History) -> None:
    history.append(1, P, 0, 200, records(*range(200)))
    path = only_file(history)
    whole = path.read_bytes()
    expected = list(history.facts())
    for at in range(0, len(whole), 37):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x10]) + whole[at + 1 :])
        try:
            read = list(history.facts())
        except HistoryDamaged:
            continue
        assert read == expected


def test_rows_that_went_missing_within_a_file_are_an_error(history: History) -> None:
    history.append(1, P, 0, 50, records(*range(50)))
    path = only_file(history)
    pq.write_table(pq.ParquetFile(path).read().slice(0, 49), path)
    with pytest.raises(HistoryDamaged, match="holds 49 rows, 50 were written"):
        list(history.facts())


def test_a_file_under_another_files_name_is_an_error(history: History) -> None:
    history.append(1, P, 0, 50, records(*range(50)))
    path = only_file(history)
    path.rename(path.with_name("0000000000000000-0000000000000060.parquet"))
    with pytest.raises(HistoryDamaged, match="was written as"):
        list(history.facts())


@pytest.mark.parametrize("name", ["0-5.parquet", "0000000000000009-0000000000000005.parquet", "notes.parquet"])
def test_a_name_that_means_nothing_is_an_error(history: History, name: str) -> None:
    history.append(1, P, 0, 50, records(0))
    (only_file(history).parent / name).write_bytes(b"")
    with pytest.raises(HistoryDamaged, match="not the name"):
        history.contiguous_end(1, P)


def test_a_damaged_segment_does_not_keep_later_facts_from_being_archived(
    history: History, caplog: pytest.LogCaptureFixture
) -> None:
    history.append(1, P, 0, 1, records(0))
    path = only_file(history)
    path.write_bytes(path.read_bytes()[:-9])
    with caplog.at_level(logging.ERROR):
        for at in range(1, 9):
            history.append(1, P, at, at + 1, records(at))
    assert path.name in caplog.text
    assert history.contiguous_end(1, P) == 9
    with pytest.raises(HistoryDamaged):
        list(history.facts())


@pytest.mark.parametrize(
    ("start", "end", "offsets"), [(5, 5, []), (5, 4, []), (-1, 4, []), (0, 4, [4]), (2, 4, [1]), (0, 9, [3, 3])]
)
def test_records_outside_their_range_are_refused(
    history: History, start: int, end: int, offsets: Sequence[int]
) -> None:
    with pytest.raises(ValueError, match="offsets must"):
        history.append(1, P, start, end, records(*offsets))
    assert files(history) == []
