"""Changes of `trainable` that take effect inside one compiled `fit`.

Keras traces the training step once: on TensorFlow a later change of `trainable` is
ignored without a word (Keras 3.15 holds a warning for it that never fires). The mixin
here builds the optimizer for every variable that may ever train and remakes the step
when the flags of the layers change. On other backends a change raises.
"""

import keras


def all_trainable_variables(model, frozen_parts=()) -> list:
    """List every variable that may ever train, whatever the flags say now.

    Args:
        model: A built `keras.Model`.
        frozen_parts: Layers inside `model` that never train, such as a teacher.

    Returns:
        Variables in a fixed order, each once.
    """
    never = {id(v) for part in frozen_parts for v in part.variables}
    seen = {}
    for layer in model._flatten_layers():
        for variable in layer._trainable_variables:
            if id(variable) not in never:
                seen.setdefault(id(variable), variable)
    return list(seen.values())


class LiveTrainable:
    """Mixin before `keras.Model`: `layer.trainable = ...` holds from the next step."""

    def frozen_parts(self) -> tuple:
        """Parts that never train, such as a teacher; they get no optimizer state."""
        return ()

    def _trainable_flags(self) -> tuple[bool, ...]:
        return tuple(
            layer.trainable
            for layer in self._flatten_layers()
            if layer._trainable_variables
        )

    def build_optimizer(self) -> None:
        """Make the optimizer's state for every variable that may ever train."""
        optimizer = getattr(self, "optimizer", None)
        if optimizer is None or optimizer.built:
            return
        unbuilt = [
            layer.name
            for layer in self._flatten_layers(include_self=False)
            if not layer.built
        ]
        if unbuilt:
            raise ValueError(
                f"Expected every part of '{self.name}' to be built before training. "
                f"Received unbuilt: {unbuilt[:5]}. Give each an Input, or call it once."
            )
        variables = all_trainable_variables(self, self.frozen_parts())
        if keras.backend.backend() == "tensorflow":
            with self.distribute_strategy.scope():
                optimizer.build(variables)
        else:
            optimizer.build(self.trainable_variables)

    def _symbolic_build(self, *args, **kwargs):
        self.build_optimizer()
        return super()._symbolic_build(*args, **kwargs)

    def compile_from_config(self, config):
        self.compile(**keras.saving.deserialize_keras_object(config))
        self.build_optimizer()

    def make_train_function(self, force=False):
        if self.train_function is not None and not force:
            return
        self.build_optimizer()
        super().make_train_function(force=True)
        live = keras.backend.backend() == "tensorflow"
        inner, flags = self.train_function, self._trainable_flags()

        def checked(*args):
            nonlocal inner, flags
            now = self._trainable_flags()
            if now != flags:
                if not live:
                    raise RuntimeError(
                        "Expected `trainable` to stay as it was when `fit` began: on "
                        f"{keras.backend.backend()} a change inside one `fit` cannot "
                        "take effect. Compile again and call `fit` again, or use "
                        "TensorFlow."
                    )
                inner, flags = self._make_function(self.train_step), now
            return inner(*args)

        self.train_function = checked
