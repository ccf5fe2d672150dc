"""How people answer: per purpose, channel and notice, how many gave, refused and withdrew, or were only asked.

Nothing below a threshold may be learned, neither from one figure nor from the difference of two. So every figure that
is told is a whole multiple of the threshold, rounded down, totals are sums of what is told, and there is one report a
day: what is told says nothing about the rest that was cut off. `docs/decisions/0081-evidence.md` has the reasons.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple

from consent.evidence_index import EvidenceIndex

LEAST: Final = 10
"""The smallest number of people that is told."""
DAY_MS: Final = 24 * 3600 * 1000

_LAST_ANSWERS: Final = """
SELECT purpose, channel, notice, said, count(*) FROM (
    SELECT act.purpose, act.channel, act.notice, act.said, row_number() OVER (
        PARTITION BY act.purpose, identity.household
        ORDER BY act.said IN ('requested', 'deferred'), act.effective_at DESC, act.received_at DESC, act.grants,
            act.epoch DESC, act.offset DESC
    ) AS place
    FROM act JOIN identity ON identity.id = act.identity WHERE act.received_at < ?
) WHERE place = 1 GROUP BY purpose, channel, notice, said
"""


class Answers(NamedTuple):
    """How many people's last answer about a purpose was this one, over this channel, to this notice (None: unsaid)."""

    purpose: str
    channel: str | None
    notice: str | None
    said: str
    people: int


class Figure(NamedTuple):
    """What is told of one purpose, channel and notice: people by their last answer, and the share that agrees.

    Each count is at least that many, and fewer than the threshold more.
    """

    purpose: str
    channel: str | None
    notice: str | None
    people: dict[str, int]
    share_agreeing: float


class Report(NamedTuple):
    """Figures of all that was known before `before` (ms), and the same summed up for each purpose."""

    before: int
    least: int
    figures: tuple[Figure, ...]
    purposes: tuple[Figure, ...]


def last_answers(index: EvidenceIndex, *, before: int) -> list[Answers]:
    """Each household's last answer about each purpose, of all received before a moment (ms). EvidenceUnavailable."""
    with index.reading() as evidence:
        return [Answers(*row) for row in evidence.connection.execute(_LAST_ANSWERS, (before,))]


def report_of(answers: Iterable[Answers], *, before: int, least: int = LEAST) -> Report:
    """What may be told of the answers."""
    cells: dict[tuple[str, str | None, str | None], dict[str, int]] = {}
    purposes: dict[str, dict[str, int]] = {}
    for purpose, channel, notice, said, people in sorted(answers, key=_order):
        told = people // least * least
        if told:
            cells.setdefault((purpose, channel, notice), {})[said] = told
            total = purposes.setdefault(purpose, {})
            total[said] = total.get(said, 0) + told
    return Report(
        before=before,
        least=least,
        figures=tuple(Figure(*names, people, _share(people)) for names, people in cells.items()),
        purposes=tuple(Figure(purpose, None, None, people, _share(people)) for purpose, people in purposes.items()),
    )


def day_before(now: int) -> int:
    """The moment (ms) today's report speaks of: the beginning of the day in UTC."""
    return now - now % DAY_MS


def _share(people: dict[str, int]) -> float:
    agreeing = people.get("given", 0) + people.get("renewed", 0)
    return round(agreeing / sum(people.values()), 3)


def _order(answers: Answers) -> tuple[str, str, str, str]:
    return (answers.purpose, answers.channel or "", answers.notice or "", answers.said)
