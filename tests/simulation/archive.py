"""History in memory, with the contract of the one in files: what is archived stays as it is."""

from collections.abc import Iterator, Sequence

from streams.frame import Record


class MemoryArchive:
    """See `streams.archive_work.Archive`."""

    def __init__(self) -> None:
        self._ranges: dict[tuple[int, int], int] = {}
        self._records: dict[tuple[int, int], list[Record]] = {}

    def contiguous_end(self, epoch: int, partition: int) -> int:
        return self._ranges.get((epoch, partition), 0)

    def append(self, epoch: int, partition: int, start: int, end: int, records: Sequence[Record]) -> None:
        here = self._ranges.get((epoch, partition), 0)
        if start > here:
            raise ValueError("a hole in history")
        self._records.setdefault((epoch, partition), []).extend(each for each in records if each.offset >= here)
        self._ranges[epoch, partition] = max(here, end)

    def of(self, epoch: int, partition: int) -> Sequence[Record]:
        """What is archived of a partition of one log."""
        return self._records.get((epoch, partition), ())

    def records(self, partition: int) -> Iterator[Record]:
        """Everything archived of a partition, through all epochs."""
        for epoch, each in sorted(self._records):
            if each == partition:
                yield from self._records[epoch, each]
