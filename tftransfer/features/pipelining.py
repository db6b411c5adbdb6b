"""Computing several batches at a time, their results in order."""

from collections import deque
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor


def map_in_order(compute: Callable, batches: Iterable, in_flight: int = 2) -> Iterator:
    """Yield `compute(batch)` for every batch, in order, `in_flight` at a time.

    Args:
        compute: Called from worker threads.
        batches: Read in the caller's thread, at most a few ahead of what is yielded.
        in_flight: Number of batches computed at a time.

    Example:
        >>> list(map_in_order(lambda x: 2 * x, [1, 2, 3]))
        [2, 4, 6]
    """
    pending = deque()
    with ThreadPoolExecutor(in_flight) as pool:
        for batch in batches:
            pending.append(pool.submit(compute, batch))
            if len(pending) > in_flight:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
