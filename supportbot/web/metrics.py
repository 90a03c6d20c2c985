"""What the service counts, as Prometheus text; the only importer of prometheus_client."""

from __future__ import annotations

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram
from prometheus_client.exposition import generate_latest

from supportbot.conversation import Answer, Outcome

MEDIA_TYPE = CONTENT_TYPE_LATEST
SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 20, 45, 90)


class Metrics:
    """Counters of one service; they start at 0 when it starts."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._questions = Counter(
            "supportbot_questions_total",
            "Questions that got their final answer",
            ["door", "outcome"],
            registry=self._registry,
        )
        self._seconds = Histogram(
            "supportbot_answer_seconds",
            "Seconds from a question's arrival to its final answer",
            ["door"],
            buckets=SECONDS,
            registry=self._registry,
        )
        self._dollars = Counter(
            "supportbot_cost_usd_total", "Dollars spent on the model", registry=self._registry
        )
        self._limited = Counter(
            "supportbot_questions_limited_total",
            "Questions refused because a limit was reached",
            ["limit"],
            registry=self._registry,
        )
        for outcome in Outcome:
            self._questions.labels("http", outcome)

    def answered(self, door: str, answer: Answer) -> None:
        """Count a final answer."""
        self._questions.labels(door, answer.outcome).inc()
        self._seconds.labels(door).observe(answer.timings.total_ms / 1000)
        self._dollars.inc(answer.usage.cost_usd)

    def limited(self, limit: str) -> None:
        """Count a question that was refused: `limit` is "visitor" or "key"."""
        self._limited.labels(limit).inc()

    def text(self) -> bytes:
        """Return all counters in the text form that Prometheus reads."""
        return generate_latest(self._registry)
