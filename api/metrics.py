"""What the HTTP process counts: by route, status and outcome, never by person."""

import math
from collections.abc import Mapping, Sequence
from typing import Final, Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

SECONDS: Final = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


class Lag(Protocol):
    """How many records one partition of a topic is behind; None where that is not known."""

    @property
    def topic(self) -> str: ...
    @property
    def partition(self) -> int: ...
    @property
    def lag(self) -> int | None: ...


class Metrics:
    """The counters of one API process, and how far behind the workers are."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._known: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
        self._requests = Counter(
            "rapport_http_requests", "requests answered", ("method", "route", "status"), registry=self._registry
        )
        self._seconds = Histogram(
            "rapport_http_request_seconds",
            "seconds until the answer",
            ("method", "route"),
            buckets=SECONDS,
            registry=self._registry,
        )
        self._events = Counter("rapport_events", "events sent to us, by outcome", ("outcome",), registry=self._registry)
        self._answers = Counter("rapport_suggestions", "suggestions answered", ("mode",), registry=self._registry)
        self._lag = Gauge(
            "rapport_lag_records",
            "records between the checkpoint and the end of the log; NaN where it is unknown",
            ("app", "topic", "partition"),
            registry=self._registry,
        )

        self._holds = Gauge(
            "rapport_holds_waiting",
            "withdrawals acknowledged and not yet folded; NaN where it is unknown",
            registry=self._registry,
        )

    def answered(self, *, method: str, route: str, status: int, seconds: float) -> None:
        """A request was answered; `route` is the template, never the path."""
        requests, durations = self._children(method, route, status)
        requests.inc()
        durations.observe(seconds)

    def _children(self, method: str, route: str, status: int) -> tuple[Counter, Histogram]:
        """Of the labels; looking one up costs the library more than counting."""
        known = self._known.get((method, route, status))
        if known is None:
            found = self._requests.labels(method, route, str(status)), self._seconds.labels(method, route)
            known = self._known[method, route, status] = found
        return known

    def event(self, outcome: str) -> None:
        """An event was accepted, or refused with a code."""
        self._events.labels(outcome).inc()

    def suggested(self, mode: str) -> None:
        """Suggestions were answered in a mode (general, personal)."""
        self._answers.labels(mode).inc()

    def behind(self, lags: Mapping[str, Sequence[Lag]]) -> None:
        """So far are the workers of each app behind; what is not in it any more is not told any more."""
        self._lag.clear()
        for app, lag in ((app, lag) for app, of_app in lags.items() for lag in of_app):
            self._lag.labels(app, lag.topic, str(lag.partition)).set(math.nan if lag.lag is None else lag.lag)

    def holding(self, holds: int | None) -> None:
        """So many withdrawals wait to be folded."""
        self._holds.set(math.nan if holds is None else holds)

    def text(self) -> bytes:
        """All of it in Prometheus' text format."""
        return generate_latest(self._registry)
