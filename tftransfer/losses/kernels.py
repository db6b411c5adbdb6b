"""Sums of Gaussian kernels between the rows of batches."""

from keras import ops


def squared_distances(rows):
    """Return the squared Euclidean distances (n, n) of rows (n, d), 0 or more."""
    # Distances do not change with the origin; near it less is cancelled.
    rows = rows - ops.stop_gradient(ops.mean(rows, axis=0, keepdims=True))
    squares = ops.sum(ops.square(rows), axis=1)
    inner = ops.matmul(rows, ops.transpose(rows))
    return ops.maximum(squares[:, None] + squares[None] - 2 * inner, 0.0)


def kernel_values(distances, bandwidth, multipliers):
    """Return the sum over `multipliers` of exp(-distance / (multiplier * bandwidth)).

    Args:
        distances: Squared, (n, n) of all rows with each other.
        bandwidth: A number; or "mean": the mean distance of different rows, detached.
        multipliers: Factors above 0.
    """
    if isinstance(bandwidth, str):
        bandwidth = mean_distance(distances)
    return sum(ops.exp(-distances / (factor * bandwidth)) for factor in multipliers)


def mean_distance(distances):
    """Return the mean over different rows, detached; never 0, so that it divides."""
    rows = ops.shape(distances)[0]
    pairs = ops.cast(ops.maximum(rows * (rows - 1), 1), distances.dtype)
    mean = ops.sum(ops.stop_gradient(distances)) / pairs
    return ops.maximum(mean, 1e-12)


def mean_of_pairs(kernel, estimator: str):
    """Return the mean of a kernel matrix (n, n), "unbiased" without its diagonal."""
    rows = ops.shape(kernel)[0]
    if estimator == "biased":
        return mean_or_zero(kernel)
    pairs = ops.cast(ops.maximum(rows * (rows - 1), 1), kernel.dtype)
    return (ops.sum(kernel) - ops.sum(ops.diagonal(kernel))) / pairs


def linear_time(layers: list[tuple]):
    """Return the linear-time estimate of MMD^2, (1,), from disjoint quadruples.

    Args:
        layers: [(source rows (n, d), target rows (m, d), bandwidth, multipliers), ...],
            whose kernels are multiplied.
    """
    products = [1.0] * 4
    for x, z, bandwidth, multipliers in layers:
        quadruples = ops.minimum(ops.shape(x)[0], ops.shape(z)[0]) // 2
        x, z = x[: 2 * quadruples], z[: 2 * quadruples]
        x1, x2, z1, z2 = x[::2], x[1::2], z[::2], z[1::2]
        gaps = [
            ops.sum(ops.square(a - b), axis=1)
            for a, b in ((x1, x2), (z1, z2), (x1, z2), (x2, z1))
        ]
        if isinstance(bandwidth, str):
            mean = sum(mean_or_zero(ops.stop_gradient(gap)) for gap in gaps) / 4
            bandwidth = ops.maximum(mean, 1e-12)
        products = [
            product * kernel_values(gap, bandwidth, multipliers)
            for product, gap in zip(products, gaps, strict=True)
        ]
    within_x, within_z, across, back = products
    return ops.reshape(mean_or_zero(within_x + within_z - across - back), (1,))


def mean_or_zero(values):
    """Return the mean of all values; 0 of none, as of a last batch of one row."""
    count = ops.cast(ops.maximum(ops.size(values), 1), values.dtype)
    return ops.sum(values) / count
