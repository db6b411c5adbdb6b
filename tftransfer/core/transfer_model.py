"""TransferModel: the one base of every method.

A method is a `keras.Model` made of plain parts that the caller passes in. The base owns
what is the same for all of them: which output training and prediction see, the sum of
the weighted terms, a metric per term, and the saving of nested parts.
"""

import inspect

import keras
from keras import ops
from keras.src.losses.loss import unscale_loss_for_distribution

from tftransfer.core.gradients import differentiated_after
from tftransfer.core.live_trainable import LiveTrainable
from tftransfer.core.replicas import ReplicatedSteps
from tftransfer.core.replicas import replica_share
from tftransfer.core.workers import WorkerFit


class _Untracked:
    """Holds a derived model out of sight of Keras, which would save it twice."""

    def __init__(self, value):
        self.value = value


class TransferModel(LiveTrainable, WorkerFit, ReplicatedSteps, keras.Model):
    """Base of every method: total = task loss + sum over terms of weight * term.

    Where a method calls `weigh_task`, the task loss has a factor, too.

    A method implements

    - `forward_train(x) -> dict`: the training outputs, with `"prediction"` among them;
    - `transfer_losses(x, y, outputs, sample_weight) -> {term: scalar}`: each scalar
      is the result of a `keras.losses.Loss` object: `tf.distribute` needs its scaling;
    - `build_deployed() -> keras.Model`: the part that serves.

    and in `__init__` stores every constructor argument under its own name, calls
    `self.add_term(name, weight)` per term, and ends with `self.finish_init()`. All of
    `fit`, `evaluate`, `predict`, callbacks, `.keras` files and live changes of
    `trainable` then work as in any Keras model. With `training=True` the model returns
    the dict; otherwise the deployed prediction, so that validation on plain `(x, y)`
    works. A term that compares the rows of a batch has a constructor argument
    `across_replicas=False`; where it is set, `transfer_losses` computes the term from
    `gather_replicas(...)` of all that it reads.

    Args:
        **kwargs: `name` and `dtype`, as for every Keras model.
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.term_weights = {}
        self.task_weight = None
        self._term_metrics = []
        self._scalars = {}
        self._deployed = _Untracked(None)

    # What a method implements ------------------------------------------------------

    def forward_train(self, x) -> dict:
        """Return the training outputs, a dict that holds "prediction"."""
        raise NotImplementedError(
            f"{type(self).__name__} must implement `forward_train(x) -> dict`."
        )

    def transfer_losses(self, x, y, outputs: dict, sample_weight=None) -> dict:
        """Return {term: scalar} for every term of `add_term`; none by default."""
        return {}

    def build_deployed(self) -> keras.Model:
        """Return the functional model that serves: plain input -> prediction."""
        raise NotImplementedError(
            f"{type(self).__name__} must implement `build_deployed() -> keras.Model`."
        )

    def inference_parts(self) -> tuple:
        """Return the parts that run as in inference during training, too; none."""
        return ()

    def evaluation_input(self, x):
        """Map a training input to the deployed model's; the identity by default."""
        return x

    def infer(self, x):
        """Return the prediction outside training; the deployed model's by default."""
        return self.deployed(self.evaluation_input(x), training=False)

    # What a method calls in `__init__` ---------------------------------------------

    def add_term(self, name: str, weight: float = 1.0) -> None:
        """Declare a loss term, its weight variable and its metric `<name>_loss`.

        Args:
            name: The term's key in what `transfer_losses` returns.
            weight: Factor in the total; a variable, `self.term_weights[name]`, that a
                callback may change within one `fit`.

        Raises:
            ValueError: When the weight is negative or the term exists already.
        """
        if weight < 0 or name in self.term_weights:
            raise ValueError(
                f"Expected a new term with a weight of 0 or more. Received: '{name}' "
                f"with {weight}; declared already: {sorted(self.term_weights)}."
            )
        self.term_weights[name] = self.add_scalar(f"{name}_weight", weight)
        self._term_metrics.append(keras.metrics.Mean(name=f"{name}_loss"))

    def add_measure(self, name: str):
        """Return a metric of training steps that takes no part in the loss.

        A method's `transfer_losses` gives it the value of each step:
        `self.measure.update_state(value, sample_weight=replica_share())`.

        Args:
            name: Its name in the logs.
        """
        measure = keras.metrics.Mean(name=name)
        self._term_metrics.append(measure)
        return measure

    def weigh_task(self, weight: float) -> None:
        """Give the task loss a factor, the variable `self.task_weight`.

        It counts in training; validation reports the task loss itself.

        Raises:
            ValueError: When the weight is negative.
        """
        if weight < 0:
            raise ValueError(f"Expected a weight of 0 or more. Received: {weight}.")
        self.task_weight = self.add_scalar("task_weight", weight)

    def add_scalar(self, name: str, value: float):
        """Return a variable for a setting that callbacks may change within one `fit`.

        Args:
            name: Its name, in saved files, too, and for `tft.callbacks.Ramp`.
            value: What it starts from.
        """
        variable = self.add_weight(
            shape=(),
            initializer=keras.initializers.Constant(value),
            trainable=False,
            name=name,
        )
        self.share_scalar(name, variable)
        return variable

    def share_scalar(self, name: str, variable) -> None:
        """Let callbacks change a scalar variable that a part owns, as a setting."""
        self._scalars[name] = variable

    def finish_init(self) -> None:
        """Declare that all parts and variables exist; connects the deployed model."""
        self._deployed.value = self.build_deployed()
        self.built = True

    # What the base does with it ----------------------------------------------------

    @property
    def deployed(self) -> keras.Model:
        """The model that serves; it shares its weights with this one."""
        return self._deployed.value

    @property
    def scalars(self) -> dict:
        """{name: variable} of the settings that a callback may change within a fit."""
        return dict(self._scalars)

    @property
    def trainable_variables(self):
        return self._without_frozen_parts(super().trainable_variables)

    @property
    def trainable_weights(self):  # what the training step reads
        return self._without_frozen_parts(super().trainable_weights)

    def _without_frozen_parts(self, variables) -> list:
        never = {id(v) for part in self.frozen_parts() for v in part.variables}
        return [v for v in variables if id(v) not in never]

    def call(self, x, training=None):
        if training:
            return self.forward_train(x)
        return self.infer(x)

    def compute_loss(
        self, x=None, y=None, y_pred=None, sample_weight=None, training=True
    ):
        outputs = y_pred if _of_training(y_pred) else {"prediction": y_pred}
        total = self._task_loss(y, outputs["prediction"], sample_weight)
        if training and self.task_weight is not None:
            total = ops.cast(self.task_weight, total.dtype) * total
        for value in self._added_losses():
            added = self._aggregate_additional_loss(value)
            total = total + ops.cast(added, total.dtype)
        if not training:
            return total
        if not self.term_weights:
            return total
        terms = self.transfer_losses(x, y, outputs, sample_weight)
        if set(terms) != set(self.term_weights):
            raise ValueError(
                f"Expected `transfer_losses` to return {sorted(self.term_weights)}. "
                f"Received: {sorted(terms)}."
            )
        metrics = {metric.name: metric for metric in self._term_metrics}
        for name, value in terms.items():
            metrics[f"{name}_loss"].update_state(
                unscale_loss_for_distribution(value), sample_weight=replica_share()
            )
            weight = ops.cast(self.term_weights[name], value.dtype)
            total = total + ops.cast(weight * value, total.dtype)
        return differentiated_after(total)

    def _task_loss(self, y, prediction, sample_weight):
        if self._compile_loss is None:
            return ops.zeros(())
        found = self._compile_loss(y, prediction, sample_weight)
        return ops.zeros(()) if found is None else found

    def _added_losses(self) -> list:
        """Return what layers and regularisers add, but for parts that never train."""
        never = {
            id(value)
            for part in self.frozen_parts()
            for layer in part._flatten_layers()
            for value in layer._get_own_losses()
        }
        return [value for value in self.losses if id(value) not in never]

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        training = _of_training(y_pred)
        prediction = y_pred["prediction"] if training else y_pred
        if y is None and self._compile_metrics is not None:
            raise ValueError(
                "Expected labels, which the `metrics` of `compile` compare with. "
                "Received: data without. Leave `metrics` out where there are none."
            )
        results = super().compute_metrics(x, y, prediction, sample_weight)
        if training:
            return results
        terms = {metric.name for metric in self._term_metrics}
        return {name: value for name, value in results.items() if name not in terms}

    def _get_metrics_result_or_logs(self, logs):
        # Validation logs lack the terms; what remains is still read from the metrics,
        # which are whole under tf.distribute where a step's logs are one replica's.
        results = self.get_metrics_result()
        if isinstance(logs, dict) and set(logs) <= set(results):
            return {name: results[name] for name in logs}
        return logs

    def get_config(self):
        config = {"name": self.name}
        for name in _constructor_arguments(type(self)):
            value = self.constructor_value(name)
            config[name] = keras.saving.serialize_keras_object(value)
        return config

    def constructor_value(self, name: str):
        """Return a constructor argument for `get_config`; the attribute by default."""
        return getattr(self, name)

    @classmethod
    def from_config(cls, config, custom_objects=None):
        return cls(**{k: _deserialized(v, custom_objects) for k, v in config.items()})


def _of_training(y_pred) -> bool:
    """Tell what `forward_train` returns from a net's own dict of outputs."""
    return isinstance(y_pred, dict) and "prediction" in y_pred


def _deserialized(value, custom_objects):
    if isinstance(value, list):
        return [_deserialized(item, custom_objects) for item in value]
    if isinstance(value, dict) and "class_name" in value:
        return keras.saving.deserialize_keras_object(value, custom_objects)
    return value


def _constructor_arguments(cls: type) -> list[str]:
    kinds = inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL
    parameters = inspect.signature(cls.__init__).parameters.values()
    return [p.name for p in parameters if p.name != "self" and p.kind not in kinds]
