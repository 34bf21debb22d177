"""Metrics in OpenMetrics text for a scraper; docs/metrics.md describes each.

Durations and counts are those of the process that answers; gauges come from the stores and are the same for all.
"""

import hmac
import logging
import threading
from collections.abc import Iterator, Mapping
from time import monotonic, perf_counter

from fastapi import Request, Response
from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.openmetrics.exposition import generate_latest
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from functions.api.health import ReadinessChecks
from functions.api.http.access import bearer_token
from functions.api.http.problem import DEFAULT_DETAILS
from functions.api.http.route import make_router
from shared import bootstrap
from shared.bootstrap import Ports
from shared.domain.error import CortexError, NotFound, Unauthenticated
from shared.services.installation import gauge, usage
from shared.services.installation.gauge import Gauges

router = make_router("Metrics", prefix="")

MEDIA_TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8"
CACHE_SECONDS = 10.0
"""Seconds for which gauges are reused without reading the stores."""
LATENCY_BUCKETS_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
OTHER_METHOD = "other"
_LOG = logging.getLogger(__name__)


@router.get("/metrics", include_in_schema=False)
def metrics(request: Request) -> Response:
    """Return all metrics. 401 without the scrape token; 404 where none is set."""
    meter: Meter = request.app.state.meter
    meter.admit(request)
    return Response(meter.text(), media_type=MEDIA_TYPE)


class Meter(Collector):
    """Counts what the process does, and reads gauges from the stores."""

    def __init__(self, ports: Ports, checks: ReadinessChecks, *, token: str | None, configured: str) -> None:
        self._ports, self._checks = ports, checks
        self._token, self._configured = token, configured
        self._registry = CollectorRegistry()
        self._durations = Histogram(
            "cortex_http_request_duration_seconds",
            "Time until the first byte of the answer",
            ("route", "method", "status"),
            buckets=LATENCY_BUCKETS_SECONDS,
            registry=self._registry,
        )
        self._registry.register(self)
        self._turn = threading.Lock()
        self._read: tuple[float, Gauges | None] = (-CACHE_SECONDS, None)

    def admit(self, request: Request) -> None:
        """Authenticate a scraper; NotFound when no scrape token is set, Unauthenticated for a wrong one."""
        if self._token is None:
            raise NotFound(DEFAULT_DETAILS[404])
        if not hmac.compare_digest(bearer_token(request).encode(), self._token.encode()):
            raise Unauthenticated("the scrape token is missing or wrong")

    def text(self) -> bytes:
        """Return all metrics as text. Source: OpenMetrics 1.0, "Text format"."""
        exposition: bytes = generate_latest(self._registry)  # type: ignore[no-untyped-call]
        return exposition

    def observe(self, scope: Scope, status: int, seconds: float) -> None:
        """Count an answer under the template of its path, so that ids in it make no new series."""
        route = getattr(scope.get("route"), "path", OTHER_METHOD)
        method = scope["method"] if scope["method"] in METHODS else OTHER_METHOD
        self._durations.labels(route, method, f"{status // 100}xx").observe(seconds)

    def describe(self) -> Iterator[Metric]:
        """See `Collector`: describe nothing, so that registering does not read the stores."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics; see `Collector`."""
        throttled = CounterMetricFamily("cortex_throttled_requests", "Answers 429 to this process", labels=["source"])
        for source, number in bootstrap.throttling_counts().items():
            throttled.add_metric([source], number)
        yield throttled
        yield from self._charged()
        checks = self._checks.look()
        yield _gauge(
            "cortex_ready",
            "Whether a store can be written and read",
            "check",
            {name: int(check.ready) for name, check in checks.items()},
        )
        found = self._gauges()
        yield GaugeMetricFamily("cortex_gauges_read", "Whether the gauges could be read", value=found is not None)
        if found is not None:
            yield from _families(found)

    def _charged(self) -> Iterator[Metric]:
        units = CounterMetricFamily(
            "cortex_document_request_units", "Request units that Cosmos DB charged this process", labels=["operation"]
        )
        charged = usage.summary(documents=self._ports.documents).documents
        for operation, spent in charged.items():
            units.add_metric([operation], spent.units)
        yield units

    def _gauges(self) -> Gauges | None:
        """Return the gauges, at most `CACHE_SECONDS` old; None while a store does not answer."""
        with self._turn:
            at, found = self._read
            if monotonic() - at < CACHE_SECONDS:
                return found
            try:
                found = gauge.read(
                    documents=self._ports.documents,
                    queue=self._ports.queue,
                    now=self._ports.now,
                    configured=self._configured,
                )
            except CortexError as error:
                _LOG.warning("the gauges cannot be read: %s", error)
                found = None
            self._read = (monotonic(), found)
            return found


class MeterMiddleware:
    """Times every answer until its first byte: a stream lasts as long as its reader wants."""

    def __init__(self, app: ASGIApp, meter: Meter) -> None:
        self._app = app
        self._meter = meter

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request and observe the time of its answer; see the ASGI specification."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = perf_counter()

        async def timed(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._meter.observe(scope, message["status"], perf_counter() - began)
            await send(message)

        await self._app(scope, receive, timed)


def _families(found: Gauges) -> Iterator[Metric]:
    yield GaugeMetricFamily("cortex_tenants", "Known tenants", value=found.tenants)
    yield _gauge("cortex_queue_messages", "Messages in a queue, visible or invisible", "queue", found.queues)
    yield _gauge("cortex_poison_messages", "Messages that failed on every delivery", "queue", found.poison)
    if found.last_scan_age is not None:
        age = found.last_scan_age.total_seconds()
        text = "Age of the last ended scan, of the tenant where it is oldest"
        yield GaugeMetricFamily("cortex_last_scan_age_seconds", text, value=age)
    text = "Differences that the last scans, where they were verifications, raised an alarm for"
    yield GaugeMetricFamily("cortex_scan_alarms", text, value=found.scan_alarms)
    yield _gauge("cortex_workflows_active", "Scans, remediations and imports that have not ended", "kind", found.active)
    yield _gauge("cortex_workflows_stuck", "Active ones, restarted since their last progress", "kind", found.stuck)
    waiting = GaugeMetricFamily("cortex_workflows_waiting", "Active ones that wait", labels=["kind", "reason"])
    for kind, reasons in found.waiting.items():
        for reason, number in reasons.items():
            waiting.add_metric([kind, reason], number)
    yield waiting


def _gauge(name: str, text: str, label: str, numbers: Mapping[str, int]) -> Metric:
    family = GaugeMetricFamily(name, text, labels=[label])
    for key, number in numbers.items():
        family.add_metric([key], number)
    return family
