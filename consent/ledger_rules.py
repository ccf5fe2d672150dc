"""What consent was judged by, on the ledger: every version of the matrix and of the notices, word for word.

A version that is altered later under its old number is another entry, so both stand there, in the order they came.
"""

from consent.ledger import Ledger
from consent.ledger_entry import Entry
from consent.rules import Rules


def put_rules_down(rules: Rules, ledger: Ledger) -> None:
    """Put down every version that is not on the ledger yet."""
    ledger.append(entries_of(rules))


def entries_of(rules: Rules) -> list[Entry]:
    """An entry for each version, in the order they became known."""
    matrix = [
        (each.known_from, Entry(id=matrix_id(each.hash), kind="matrix", content=each.model_dump(mode="json")))
        for each in rules.matrix.versions
    ]
    notices = [
        (each.known_from, Entry(id=notice_id(each.hash), kind="notice", content=each.model_dump(mode="json")))
        for each in rules.notices.versions
    ]
    return [entry for _, entry in sorted([*matrix, *notices], key=lambda known: (known[0], known[1].id))]


def matrix_id(content_hash: str) -> str:
    """The id of the entry for a version of the matrix, by its hash."""
    return f"matrix:{content_hash}"


def notice_id(content_hash: str) -> str:
    """The id of the entry for a version of a notice, by its hash."""
    return f"notice:{content_hash}"
