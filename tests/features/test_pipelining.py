import threading

import pytest

from tftransfer.features.pipelining import map_in_order


def test_results_keep_the_order_whatever_ends_first():
    second_done = threading.Event()

    def compute(x):
        if x == 0:
            assert second_done.wait(10)
        if x == 1:
            second_done.set()
        return x

    assert list(map_in_order(compute, range(7))) == list(range(7))


def test_batches_are_read_only_a_few_ahead():
    read = []

    def batches():
        for i in range(100):
            read.append(i)
            yield i

    results = map_in_order(lambda x: x, batches())
    next(results)
    assert len(read) <= 4


def test_an_error_reaches_the_caller():
    def compute(x):
        raise ValueError(f"bad {x}")

    with pytest.raises(ValueError, match="bad 0"):
        list(map_in_order(compute, range(9)))
