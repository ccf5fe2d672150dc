from tests.chaos.commits import AFTER, BEFORE, CommitTap, Partition

COMMIT = (
    b"*7\r\n$5\r\nFCALL\r\n$17\r\nrapport_v1_commit\r\n$1\r\n2\r\n"
    b"$45\r\nrapport:{3}:checkpoint:profiles:rapport.events\r\n$41\r\nrapport:{3}:outbox:profiles:rapport.events\r\n"
    b"$0\r\n\r\n$2\r\n[]\r\n"
)
PLACE = Partition("rapport.events", 3)


def test_a_commit_counts_once_the_store_says_that_it_stands() -> None:
    tap = CommitTap()
    tap.asked(1, COMMIT)
    assert (tap.total, tap.doing) == (0, "commit of rapport.events[3]")

    tap.answered(1, b"$-1\r\n")

    assert (tap.total, tap.applied[PLACE], tap.doing) == (1, 1, "between two calls to the store")


def test_a_commit_that_mismatched_or_failed_does_not_count() -> None:
    tap = CommitTap()
    for answer in (b"$2\r\n[]\r\n", b"-ERR no\r\n"):
        tap.asked(1, COMMIT)
        tap.answered(1, answer)

    assert (tap.total, tap.fenced) == (0, 1)


def test_an_answer_to_something_else_does_not_count() -> None:
    tap = CommitTap()
    tap.asked(1, COMMIT)
    tap.asked(2, b"*2\r\n$3\r\nGET\r\n$1\r\nx\r\n")
    tap.answered(2, b"$-1\r\n")
    tap.closed(1)
    tap.asked(1, b"*2\r\n$3\r\nGET\r\n$1\r\nx\r\n")
    tap.answered(1, b"$-1\r\n")

    assert tap.total == 0


def test_a_commit_is_held_before_the_store_has_it_or_before_the_worker_knows() -> None:
    tap = CommitTap()
    tap.arm(BEFORE)
    assert tap.asked(1, COMMIT)
    assert tap.caught.is_set()
    tap.closed(1)

    tap.arm(AFTER)
    assert not tap.asked(2, COMMIT)
    assert tap.answered(2, b"$-1\r\n")
    assert (tap.total, tap.caught.is_set()) == (1, True)


def test_a_new_process_begins_with_nothing_applied() -> None:
    tap = CommitTap()
    tap.asked(1, COMMIT)
    tap.answered(1, b"$-1\r\n")
    tap.arm(BEFORE)

    tap.started()

    assert (tap.total, tap.applied.total()) == (1, 0)
    assert not tap.asked(2, COMMIT)
