"""Figures for Prometheus. No label holds a caller, a database, a question or an id."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from route_sql.api.envelope import Served
from route_sql.api.forms.answers import TurnState
from route_sql.graph.state import Answer

METHODS = ("GET", "HEAD", "POST", "DELETE", "OPTIONS")
SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)


class Metrics:
    """The figures of one server."""

    def __init__(self) -> None:
        """Begin with all figures at 0."""
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "route_sql_requests", "Requests answered.", ["method", "route", "status"], registry=self.registry
        )
        self._seconds = Histogram(
            "route_sql_request_seconds", "Seconds of a request.", ["route"], buckets=SECONDS, registry=self.registry
        )
        self._runs = Counter("route_sql_runs", "Runs by how they ended.", ["state"], registry=self.registry)
        self._answers = Counter("route_sql_answers", "Answers by their status.", ["status"], registry=self.registry)
        self._run_seconds = Histogram(
            "route_sql_run_seconds", "Seconds of a run, its wait included.", buckets=SECONDS, registry=self.registry
        )
        self._calls = Counter("route_sql_model_calls", "Calls of the model.", ["node"], registry=self.registry)
        self._tokens = Counter("route_sql_model_tokens", "Tokens of the model.", ["kind"], registry=self.registry)

    def watch(self, running: Callable[[], float], waiting: Callable[[], float]) -> None:
        """Show the questions that run and that wait, as they are when the figures are read."""
        Gauge("route_sql_running", "Questions worked on.", registry=self.registry).set_function(running)
        Gauge("route_sql_waiting", "Questions that wait.", registry=self.registry).set_function(waiting)

    def count(self, request: Served) -> None:
        """Count a request."""
        method = request.method if request.method in METHODS else "other"
        self._requests.labels(method, request.route, str(request.status)).inc()
        self._seconds.labels(request.route).observe(request.seconds)

    def count_run(self, state: TurnState, seconds: float, answer: Answer | None) -> None:
        """Count a run that has ended, and what its answer cost."""
        self._runs.labels(state).inc()
        self._run_seconds.observe(seconds)
        if answer is None:
            return
        self._answers.labels(answer["status"]).inc()
        for call in answer["ledger"]:
            self._calls.labels(call["node"]).inc()
            self._tokens.labels("prompt").inc(call["prompt_tokens"])
            self._tokens.labels("cached").inc(call["cached_tokens"] or 0)
            self._tokens.labels("written").inc(call["completion_tokens"])
