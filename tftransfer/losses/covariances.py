"""The squared distance of two samples' covariances, made of columns or of rows."""

from keras import ops

_MANY = 1024  # columns, whose covariance takes 4 MiB


def covariance_distance(source, target):
    """Return ||C_s - C_t||_F^2, a scalar, with the covariances of n - 1.

    Args:
        source: Rows (n, d), float32, d known.
        target: Rows (m, d), float32.
    """
    d = source.shape[1]
    rows = ops.shape(source)[0] + ops.shape(target)[0]

    def by_columns():
        return ops.sum(ops.square(_covariance(source) - _covariance(target)))

    def by_rows():
        return _by_rows(source, target)

    if isinstance(rows, int):
        return by_rows() if rows < d else by_columns()
    # In a graph any number of rows may come; few columns are not worth two branches.
    return by_columns() if d <= _MANY else ops.cond(rows < d, by_rows, by_columns)


def _by_rows(source, target):
    """Return the same as ||C_s||^2 + ||C_t||^2 - 2 <C_s, C_t>, of products of rows.

    The three nearly cancel where the samples are nearly equal. What the rounding leaves
    of the value then, some 1e-7 of ||C_s||^2, could be below 0; gradients lose no more
    than by columns.
    """
    n = ops.shape(source)[0]
    both = ops.concatenate([_scaled(source), _scaled(target)])
    squares = ops.square(ops.matmul(both, ops.transpose(both)))
    within = ops.sum(squares[:n, :n]) + ops.sum(squares[n:, n:])
    value = within - 2 * ops.sum(squares[:n, n:])
    return value + ops.stop_gradient(ops.maximum(-value, 0.0))


def _covariance(rows):
    scaled = _scaled(rows)
    return ops.matmul(ops.transpose(scaled), scaled)


def _scaled(rows):
    """Return centred rows over sqrt(n - 1): the sum of their squares is a covariance.

    Of a single row it is 0.
    """
    others = ops.cast(ops.maximum(ops.shape(rows)[0] - 1, 1), "float32")
    return (rows - ops.mean(rows, axis=0, keepdims=True)) / ops.sqrt(others)
