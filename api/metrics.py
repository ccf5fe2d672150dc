"""What the HTTP process counts: by route, status and outcome, never by person."""

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

SECONDS: Final = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


class Metrics:
    """The counters of one API process."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
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

    def answered(self, *, method: str, route: str, status: int, seconds: float) -> None:
        """A request was answered; `route` is the template, never the path."""
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(method, route).observe(seconds)

    def event(self, outcome: str) -> None:
        """An event was accepted, or refused with a code."""
        self._events.labels(outcome).inc()

    def suggested(self, mode: str) -> None:
        """Suggestions were answered in a mode (general, personal)."""
        self._answers.labels(mode).inc()

    def text(self) -> bytes:
        """All of it in Prometheus' text format."""
        return generate_latest(self._registry)
