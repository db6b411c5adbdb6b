"""How two domains go through one extractor: the policies of batch normalisation."""

import keras
from keras import ops

from tftransfer.core import check_one_of
from tftransfer.core import replica_rows

BATCH_NORM = ("joint", "separate", "specific", "inference")
APART = ("separate", "specific")  # the source has averages of its own


class Passes:
    """Runs source and target through an extractor.

    What normalises a row in training, and what the deployed extractor, which sees the
    target, normalises with:

    - "joint": both domains in one batch; moving averages of the mixture.
    - "separate": each domain its own batch; moving averages of the target alone, as in
      AdaBN (Li et al., 2016, arXiv:1603.04779).
    - "specific": as "separate", and the source has scales and shifts of its own, as in
      DSBN (Chang et al., CVPR 2019, arXiv:1906.03950).
    - "inference": the moving averages, which stay as they are; Dropout inside the
      extractor is off, too.

    Args:
        model: The `TransferModel` that owns the variables which the source has for
            itself: moving averages, and with "specific" scales and shifts.
        extractor: A built model.
        policy: One of the above.
    """

    def __init__(self, model, extractor: keras.Model, policy: str):
        check_one_of("batch_norm", policy, BATCH_NORM)
        self._extractor, self._policy = extractor, policy
        self._own, self._scales = {}, []
        if policy not in APART:
            return
        # Not by what is trainable now: a frozen layer counts its scale among the other
        # variables, and may be thawed later.
        for layer in _batch_norms(extractor):
            for variable in layer._non_trainable_variables:
                self._copy(model, variable, trainable=False)
            if policy == "specific":
                for variable in layer._trainable_variables:
                    own = self._copy(model, variable, trainable=True)
                    self._scales.append((layer, own))

    def _copy(self, model, variable, trainable: bool):
        """Give the source a variable of its own that starts as this one; returns it."""
        start = keras.initializers.Constant(ops.convert_to_numpy(variable))
        own = self._own[id(variable)] = model.add_weight(
            shape=variable.shape,
            initializer=start,
            trainable=trainable,
            autocast=False,  # as in the layer: an average of squares overflows
            name=f"source_{variable.path.replace('/', '_')}",
        )
        return own

    def scales(self, trainable: bool) -> list:
        """Return the source's scales and shifts whose layer is trainable, or not."""
        return [own for layer, own in self._scales if layer.trainable == trainable]

    def __call__(self, source, target) -> tuple:
        """Return the features (of the source, of the target) in training."""
        if self._policy in ("joint", "inference"):
            rows = ops.shape(source)[0]
            both = ops.concatenate([source, target])
            features = self._extractor(both, training=self._policy == "joint")
            return features[:rows], features[rows:]
        return self._of_source(source), self._extractor(target, training=True)

    def inferred(self, rows, domain: str):
        """Return the features of a domain's rows as in inference."""
        if domain == "source" and self._own:
            return self._by_its_own(rows, False)[0]
        return self._extractor(rows, training=False)

    def _of_source(self, rows):
        """Return the source's features in training, and move its averages."""
        count = None
        if replica_rows() is not None:
            # A replica may have labelled rows of the target and none of the source: a
            # row of zeros stands in, or averages, of nothing, would be NaN.
            count = ops.shape(rows)[0]
            missing = ops.zeros((ops.maximum(1 - count, 0), *ops.shape(rows)[1:]))
            rows = ops.concatenate([rows, ops.cast(missing, rows.dtype)])
        features, after = self._by_its_own(rows, True)
        for variable, value in zip(self._state(), after, strict=True):
            own = self._own.get(id(variable))
            if own is not None and not own.trainable:
                if count is not None:
                    value = ops.where(count > 0, value, own.value)
                own.assign(value)
            elif "seed_generator" in variable.path:
                variable.assign(value)  # or both passes drop the same units
        return features if count is None else features[:count]

    def _state(self) -> list:
        return self._extractor.non_trainable_variables

    def _by_its_own(self, rows, training: bool) -> tuple:
        """Run the source by its own variables: the extractor's do not see it."""
        return self._extractor.stateless_call(
            [self._value(v) for v in self._extractor.trainable_variables],
            [self._value(v) for v in self._state()],
            rows,
            training=training,
        )

    def _value(self, variable):
        return self._own.get(id(variable), variable).value


def _batch_norms(extractor: keras.Model) -> list:
    return [
        layer
        for layer in extractor._flatten_layers()
        if isinstance(layer, keras.layers.BatchNormalization)
    ]
