"""Pictures of several requests joined to batches, computed one batch after another."""

import asyncio
import concurrent.futures
import contextlib
import itertools
import logging

import numpy as np

from tftransfer.server.metrics import Metrics
from tftransfer.server.problems import RequestProblem
from tftransfer.server.settings import ServerSettings

_logger = logging.getLogger(__name__)


class Batcher:
    """Computes probabilities of single pictures, many at once.

    Args:
        predictor: Its `probabilities` is called in one thread, with up to `max_batch`
            pictures.
        settings: Limits.
        metrics: Where batch sizes and the queue's length are counted.
    """

    def __init__(self, predictor, *, settings: ServerSettings, metrics: Metrics):
        self.predictor = predictor
        self.settings = settings
        self.metrics = metrics
        self._queue: dict[asyncio.Future, np.ndarray] = {}  # in order of arrival
        self._arrived = asyncio.Event()
        self._waiting = 0
        self._thread = concurrent.futures.ThreadPoolExecutor(1, "model")
        self._task: asyncio.Task | None = None

    def start(self) -> None:
        """Begin to compute; called once, inside the event loop."""
        self._task = asyncio.create_task(self._compute_forever())

    async def stop(self) -> None:
        """End after the batch at hand."""
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        self._thread.shutdown(wait=False, cancel_futures=True)

    @contextlib.contextmanager
    def places(self, count: int):
        """Take `count` places among the waiting pictures while the block runs.

        Raises:
            RequestProblem: 503 when so many are not free.
        """
        if self._waiting + count > self.settings.max_waiting:
            raise RequestProblem(
                503,
                f"{self._waiting} pictures are waiting, {self.settings.max_waiting} at "
                "most. Try again later.",
                retry_after=1,
            )
        self._set_waiting(self._waiting + count)
        try:
            yield
        finally:
            self._set_waiting(self._waiting - count)

    async def probabilities(self, images: list[np.ndarray]) -> np.ndarray:
        """Return (n, classes) for n pictures (size, size, 3), in their order.

        Raises:
            RequestProblem: 500 when the model fails on a batch with one of them.
        """
        loop = asyncio.get_running_loop()
        futures = [loop.create_future() for _ in images]
        self._queue.update(zip(futures, images))
        self._arrived.set()
        try:
            return np.stack(await asyncio.gather(*futures))
        finally:
            for future in futures:  # of a request that was given up
                self._queue.pop(future, None)
                future.cancel()

    def _set_waiting(self, count: int) -> None:
        self._waiting = count
        self.metrics.queue.set(count)

    async def _compute_forever(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            batch = await self._next_batch()
            if not batch:
                continue
            images = list(batch.values())
            try:
                rows = await loop.run_in_executor(self._thread, self._compute, images)
            except Exception:  # the server outlives what a model does
                _logger.exception("The model failed on a batch of %d.", len(batch))
                self._fail(batch)
                continue
            for row, future in zip(rows, batch):
                if not future.done():
                    future.set_result(row)
            del batch, images, rows  # or the last batch stays in memory

    async def _next_batch(self) -> dict[asyncio.Future, np.ndarray]:
        """Return the pictures that wait and those that come within `batch_wait_ms`."""
        await self._arrival()
        loop = asyncio.get_running_loop()
        end = loop.time() + self.settings.batch_wait_ms / 1000
        while len(self._queue) < self.settings.max_batch and end > loop.time():
            self._arrived.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._arrived.wait(), end - loop.time())
        first = list(itertools.islice(self._queue, self.settings.max_batch))
        return {future: self._queue.pop(future) for future in first}

    async def _arrival(self) -> None:
        while not self._queue:
            self._arrived.clear()
            await self._arrived.wait()

    def _compute(self, images: list[np.ndarray]) -> np.ndarray:
        self.metrics.batches.observe(len(images))
        rows = np.asarray(self.predictor.probabilities(np.stack(images)))
        wanted = (len(images), len(self.predictor.labels))
        if rows.shape != wanted or not np.isfinite(rows).all():
            raise ValueError(
                f"Expected finite probabilities of shape {wanted}. "
                f"Received: shape {rows.shape}."
            )
        return rows

    def _fail(self, batch: dict[asyncio.Future, np.ndarray]) -> None:
        for future in batch:
            if not future.done():
                future.set_exception(
                    RequestProblem(500, "The model failed on this batch of pictures.")
                )
