"""What a method of domain adaptation finds in a batch of two domains."""

import dataclasses
import functools
from typing import Any

import keras
from keras import ops


@dataclasses.dataclass(frozen=True)
class Domains:
    """The rows of a batch by domain.

    Attributes:
        source: Labelled rows of the source (n, ...).
        target: Rows of the target (m, ...): the labelled ones, if any, come last.
        labelled: How many rows of `target` have labels, a scalar; None without any.
        order: Places of y's rows among (source, labelled target); None: all source.
        from_target: Whether each of y's rows is of the target; None: none is.
    """

    source: Any
    target: Any
    labelled: Any = None
    order: Any = None
    from_target: Any = None

    def of_labels(self, source, target):
        """Return the rows that have labels, in the order of y.

        Args:
            source: Values of the source rows (n, ...).
            target: Values of the target rows (m, ...).
        """
        if self.order is None:
            return source
        known = ops.concatenate([source, self.labelled_target(target)])
        return ops.take(known, self.order, axis=0)

    def labelled_target(self, target):
        """Return the rows that have labels of values of the target (m, ...)."""
        return target[ops.shape(target)[0] - self.labelled :]


class LabelledTargetFit:
    """Mixin before `keras.Model`: XLA is off for batches with labelled target rows.

    How many of a batch's rows those are is known at run time alone, and XLA, which
    Keras turns on by itself where there is a GPU, compiles for fixed numbers.
    """

    @functools.wraps(keras.Model.fit)
    def fit(self, x=None, *args, **kwargs):
        spec = getattr(x, "element_spec", None)
        inputs = spec[0] if isinstance(spec, tuple) else spec
        labelled = isinstance(inputs, dict) and "from_target" in inputs
        if labelled and self.compiled and self.jit_compile:
            self.jit_compile, self.train_function = False, None
        return super().fit(x, *args, **kwargs)


def domains_of(x) -> Domains:
    """Return the rows of a batch of `tft.data.pair_domains`.

    Args:
        x: {"source": ..., "target": ...}, and "from_target" (n,), booleans, where some
            rows of "source" are labelled rows of the target.

    Raises:
        ValueError: When it is no such dict; or has labelled rows of the target under
            JAX, which compiles for fixed numbers of rows.
    """
    if not isinstance(x, dict) or not {"source", "target"} <= set(x):
        found = sorted(x) if isinstance(x, dict) else type(x).__name__
        raise ValueError(
            "Expected batches of two domains, {'source': ..., 'target': ...}. "
            f"Received: {found}. Make them with `tft.data.pair_domains`."
        )
    if "from_target" not in x:
        return Domains(x["source"], x["target"])
    if keras.backend.backend() == "jax":
        raise ValueError(
            "Expected no labelled rows of the target under JAX, which would compile "
            "anew for each number of them in a batch. Received: 'from_target'. Use "
            "TensorFlow, or give these rows as one more source."
        )
    flags = ops.cast(x["from_target"], "bool")
    own = ops.nonzero(ops.logical_not(flags))[0]
    labelled = ops.nonzero(flags)[0]
    return Domains(
        ops.take(x["source"], own, axis=0),
        ops.concatenate([x["target"], ops.take(x["source"], labelled, axis=0)]),
        ops.shape(labelled)[0],
        ops.argsort(ops.concatenate([own, labelled])),
        flags,
    )
