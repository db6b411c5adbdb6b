import numpy as np
import pytest

from tftransfer.features.row_store import RowStore


@pytest.mark.parametrize("rows", [None, 10, 12, 500])
def test_keeps_the_rows_in_order(rows):
    parts = np.split(np.arange(30, dtype=np.float32).reshape(10, 3), [4, 8])
    store = RowStore(rows)
    for part in parts:
        store.append(part)
    result = store.result()
    np.testing.assert_array_equal(result, np.concatenate(parts))
    assert result.base is None or len(result.base) <= 10 + 64


def test_a_known_number_of_rows_is_allocated_once():
    store = RowStore(6)
    store.append(np.zeros((2, 3)))
    first = store._array
    store.append(np.zeros((4, 3)))
    assert store.result() is first


def test_no_rows_raise():
    with pytest.raises(ValueError, match="at least one picture"):
        RowStore(3).result()
