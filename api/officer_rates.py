"""The rates that are told, one report a day, and counted no more often than people ask."""

from dataclasses import dataclass, field
from threading import Lock
from typing import Final

from api.officer_cards import Rates, rates_of
from consent.answer_figures import day_before, last_answers, report_of
from consent.evidence_index import EvidenceIndex

KEPT_MS: Final = 600_000


@dataclass(slots=True)
class RatesOfTheDay:
    """The rates as they were last told, for a while: to count everybody anew takes seconds where there are many."""

    _told: tuple[int, Rates] | None = None
    _counting: Lock = field(default_factory=Lock)

    def rates(self, index: EvidenceIndex, *, now: int) -> Rates:
        """The rates of the day that `now` (ms) lies in. Blocks; whoever asks meanwhile waits for the same ones."""
        with self._counting:
            before, known = day_before(now), self._told
            if known is not None and before <= known[0] and now - known[0] < KEPT_MS:
                return known[1]
            rates = rates_of(report_of(last_answers(index, before=before), before=before))
            self._told = (now, rates)
            return rates
