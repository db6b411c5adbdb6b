"""What a server allows: sizes, numbers and times, all of them limits."""

import dataclasses
import math


@dataclasses.dataclass(frozen=True)
class ServerSettings:
    """Limits of a server; the defaults suit one machine with a few cores.

    Attributes:
        top_k: Labels per answer; at most the number of classes are given.
        max_batch: Pictures that the model computes at once.
        batch_wait_ms: Milliseconds that a picture waits for others to join its batch.
        max_body_mb: Size of a request's body in 10^6 bytes.
        max_pixels: Width times height of a picture, read from its header.
        max_pictures: Pictures in one request.
        max_waiting: Pictures taken in and not yet answered, over all requests.
        request_timeout_s: Seconds from a request's first byte to its answer.

    Raises:
        ValueError: When a limit is not positive (`batch_wait_ms`: negative), or when
            `max_pictures` is more than `max_waiting`.

    Example:
        >>> ServerSettings(top_k=3).max_body
        16000000
    """

    top_k: int = 5
    max_batch: int = 32
    batch_wait_ms: float = 2
    max_body_mb: float = 16.0
    max_pixels: int = 25_000_000
    max_pictures: int = 128
    max_waiting: int = 256
    request_timeout_s: float = 30

    def __post_init__(self):
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            wanted = "a whole number" if field.type is int else "a number"
            kinds = int if field.type is int else int | float
            if isinstance(value, bool) or not isinstance(value, kinds):
                raise TypeError(
                    f"Expected {field.name} to be {wanted}. Received: {value!r}."
                )
            low = 0 if field.name == "batch_wait_ms" else math.ulp(0.0)
            if not low <= value < math.inf:
                raise ValueError(
                    f"Expected {field.name} to be positive. Received: {value}."
                )
        if self.max_pictures > self.max_waiting:
            raise ValueError(
                "Expected max_pictures to be at most max_waiting, or a full request "
                f"is never taken. Received: {self.max_pictures} and {self.max_waiting}."
            )

    @property
    def max_body(self) -> int:
        """Size of a request's body in bytes."""
        return int(self.max_body_mb * 1e6)
