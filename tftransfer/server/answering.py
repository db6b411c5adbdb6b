"""From pictures or pixels to the best labels, as our SavedModels answer."""

import dataclasses

import numpy as np

from tftransfer.server.batching import Batcher
from tftransfer.server.decoding import Decoder
from tftransfer.server.metrics import Metrics
from tftransfer.server.problems import RequestProblem
from tftransfer.server.settings import ServerSettings


@dataclasses.dataclass(frozen=True)
class Answer:
    """What the model says on the pictures of one request.

    Attributes:
        labels: `top_k` names per picture, best first; "" for a broken picture.
        scores: Their float32 probabilities; 0 for a broken picture.
        error: Why a picture is broken, "" where it is not.
    """

    labels: list[list[str]]
    scores: list[list[float]]
    error: list[str]


class Answerer:
    """Joins decoding, batching and ranking.

    Args:
        predictor: A `Predictor`.
        settings: Limits.
        metrics: Where to count.
    """

    def __init__(self, predictor, *, settings: ServerSettings, metrics: Metrics):
        self.predictor = predictor
        self.settings = settings
        self.metrics = metrics
        self.top_k = min(settings.top_k, len(predictor.labels))
        self.decoder = Decoder(
            image_size=predictor.image_size, max_pixels=settings.max_pixels
        )
        self.batcher = Batcher(predictor, settings=settings, metrics=metrics)

    async def answer(self, pictures: list[bytes] | np.ndarray) -> Answer:
        """Answer encoded pictures, or pixels (n, size, size, 3).

        Raises:
            RequestProblem: 413 for too many pictures, 503 when too many wait, 500 when
                the model fails.
        """
        count = len(pictures)
        if count > self.settings.max_pictures:
            raise RequestProblem(
                413,
                f"Expected at most {self.settings.max_pictures} pictures a request. "
                f"Received: {count}.",
            )
        with self.batcher.places(count):
            if isinstance(pictures, np.ndarray):
                squares, error = list(pictures), [""] * count
            else:
                squares, error = await self.decoder.decode(pictures)
            return await self._ranked(squares, error)

    async def _ranked(self, squares: list, error: list[str]) -> Answer:
        fine = [square for square in squares if square is not None]
        self.metrics.pictures.labels("broken").inc(len(squares) - len(fine))
        answers = iter(())
        if fine:
            answers = map(self._best, await self.batcher.probabilities(fine))
            self.metrics.pictures.labels("answered").inc(len(fine))
        nothing = ([""] * self.top_k, [0.0] * self.top_k)
        rows = [nothing if reason else next(answers) for reason in error]
        return Answer([row[0] for row in rows], [row[1] for row in rows], error)

    def _best(self, row: np.ndarray) -> tuple[list[str], list[float]]:
        # Stable: equal scores in the order of the classes, as TensorFlow's top_k.
        places = np.argsort(-row, kind="stable")[: self.top_k]
        # Nine digits hold every float32, and are what TensorFlow Serving writes.
        scores = [float(f"{row[place]:.9g}") for place in places]
        return [self.predictor.labels[place] for place in places], scores
