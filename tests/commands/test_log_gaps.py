"""Where reading goes on in a log that lost its beginning."""

from commands.log_gaps import Gap, beyond
from events.position import Checkpoint
from streams.folding import LogIdentity

LOG = LogIdentity(epoch=2, topic_id="t")
REACHED = Checkpoint(epoch=2, offset=40, topic_id="t", fingerprint="f", incarnation=3)


def test_a_log_that_holds_what_comes_next_is_read_on() -> None:
    assert beyond(REACHED, log=LOG, partition=0, first=0) is None
    assert beyond(REACHED, log=LOG, partition=0, first=40) is None


def test_a_log_that_begins_later_is_read_from_there() -> None:
    assert beyond(REACHED, log=LOG, partition=0, first=60) == Checkpoint(
        epoch=2, offset=60, topic_id="t", incarnation=3
    )


def test_another_log_of_the_same_name_is_read_from_its_start() -> None:
    another = LogIdentity(epoch=2, topic_id="another")
    assert beyond(REACHED, log=another, partition=0, first=5) == Checkpoint(
        epoch=2, offset=5, topic_id="another", incarnation=3
    )


def test_a_log_never_read_is_a_gap_only_where_its_start_is_gone() -> None:
    assert beyond(None, log=LOG, partition=0, first=0) is None
    assert beyond(None, log=LOG, partition=0, first=7) == Checkpoint(epoch=2, offset=7, topic_id="t")


def test_a_gap_is_named_by_its_offsets() -> None:
    assert str(Gap("rapport.events", 3, 40, 60)) == "rapport.events[3]: 40 to 59"
    assert str(Gap("rapport.intake", 3, 40, None)).startswith("rapport.intake[3]: another log, and what the old one")
