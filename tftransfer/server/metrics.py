"""What a server counts, in the form that Prometheus reads."""

import time

from prometheus_client import CollectorRegistry
from prometheus_client import Counter
from prometheus_client import Gauge
from prometheus_client import Histogram
from prometheus_client import generate_latest

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_SIZES = (1, 2, 4, 8, 16, 32, 64, 128)
_PROTOCOLS = {"v1": "tensorflow_serving", "v2": "kserve"}


class Metrics:
    """Counters of one server, in a registry of their own.

    Attributes:
        requests: Answers by protocol and HTTP status.
        seconds: From a request's arrival to its answer's end, by protocol.
        pictures: Pictures by outcome, "answered" or "broken".
        batches: Pictures per call of the model.
        queue: Pictures taken in and not yet answered.
    """

    def __init__(self):
        self._registry = CollectorRegistry()
        names = {"namespace": "tftransfer", "registry": self._registry}
        by = ("protocol", "status")
        self.requests = Counter("requests", "Answers sent.", by, **names)
        self.seconds = Histogram(
            "request_seconds",
            "Seconds until the answer was sent.",
            ("protocol",),
            buckets=_SECONDS,
            **names,
        )
        self.pictures = Counter("pictures", "Pictures.", ("outcome",), **names)
        self.batches = Histogram(
            "batch_pictures", "Pictures per batch.", buckets=_SIZES, **names
        )
        self.queue = Gauge("waiting_pictures", "Pictures not yet answered.", **names)

    def text(self) -> bytes:
        """Return all of them as Prometheus' text."""
        return generate_latest(self._registry)


class CountRequests:
    """ASGI middleware that counts answers and measures their time.

    Args:
        app: The application inside.
        metrics: Where to count.
    """

    def __init__(self, app, *, metrics: Metrics):
        self.app = app
        self.metrics = metrics

    async def __call__(self, scope, receive, send):
        """Answer, and count the answer."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        first = scope["path"].split("/")[1:2]
        protocol = _PROTOCOLS.get(first[0] if first else "", "other")
        begin = time.perf_counter()
        status = "none"

        async def counted(message):
            nonlocal status
            if message["type"] == "http.response.start":
                status = str(message["status"])
            await send(message)

        try:
            await self.app(scope, receive, counted)
        finally:
            self.metrics.requests.labels(protocol, status).inc()
            passed = time.perf_counter() - begin
            self.metrics.seconds.labels(protocol).observe(passed)
