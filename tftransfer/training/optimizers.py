"""Optimizers with a learning rate per layer and a step count per variable.

A rate multiplier scales the *update*: scaling the gradient instead does nothing under
Adam, which divides it out again. `.learning_rate` stays what it was, so that schedules,
ReduceLROnPlateau and saved files work as with Keras' own optimizers.
"""

import re

import keras
from keras import ops

from tftransfer.core import nearest
from tftransfer.core import register


class RateMultipliers:
    """Mixin before a Keras optimizer: `multipliers` scale the rate of each variable.

    Args:
        *args: The optimizer's own arguments.
        multipliers: {layer name or regular expression: factor of 0 or more}. A key
            matches a variable when it equals a whole part of its path: "conv1" matches
            "conv1/kernel" and "model/conv1/kernel", not "conv10/kernel". The first key
            that matches decides; the others keep 1.
        **kwargs: The optimizer's own arguments.

    Raises:
        ValueError: When a factor is negative, or, on building, when a key matches no
            variable.
    """

    def __init__(self, *args, multipliers: dict[str, float] | None = None, **kwargs):
        super().__init__(*args, **kwargs)
        self.multipliers = dict(multipliers or {})
        negative = {key: f for key, f in self.multipliers.items() if f < 0}
        if negative:
            raise ValueError(f"Expected factors of 0 or more. Received: {negative}.")
        self._decay_factor = 1.0

    def build(self, variables):
        if self.built:
            return
        super().build(variables)
        paths = [getattr(v, "path", v.name) for v in variables]
        matched = {key: _matches(key, paths) for key in self.multipliers}
        for key, hits in matched.items():
            if not any(hits):
                names = dict.fromkeys(
                    part for path in paths for part in path.split("/")
                )
                raise ValueError(
                    f"Expected each key of `multipliers` to match a layer. Received: "
                    f"'{key}', which matches none of {len(paths)} variables. "
                    + nearest(key, names)
                )
        self._factors = [
            next((self.multipliers[k] for k, hits in matched.items() if hits[i]), 1.0)
            for i in range(len(paths))
        ]

    def _factor(self, variable) -> float:
        return self._factors[self._get_variable_index(variable)]

    def update_step(self, gradient, variable, learning_rate):
        factor = self._factor(variable)
        super().update_step(gradient, variable, learning_rate * factor)

    def _apply_weight_decay(self, variables):
        # Keras (3.15) reads `learning_rate` inside; it decays one factor at a time.
        by_factor = {}
        for variable in variables:
            by_factor.setdefault(self._factor(variable), []).append(variable)
        for factor, group in by_factor.items():
            self._decay_factor = factor
            try:
                super()._apply_weight_decay(group)
            finally:
                self._decay_factor = 1.0

    def _get_current_learning_rate(self):
        rate = super()._get_current_learning_rate()
        return rate if self._decay_factor == 1.0 else rate * self._decay_factor

    def get_config(self):
        return {**super().get_config(), "multipliers": self.multipliers}


def _matches(key: str, paths: list[str]) -> list[bool]:
    pattern = re.compile(rf"(^|/)(?:{key})(/|$)")
    return [pattern.search(path) is not None for path in paths]


class _StepPerVariable:
    """Mixin before Adam: bias correction by the steps that a variable has taken.

    Keras counts steps for the whole optimizer. A variable unfrozen at step 2,000 then
    starts without bias correction, at up to 6.1 times the asked rate. Scaling the rate
    by the ratio of the two corrections is exact.
    """

    def build(self, variables):
        if self.built:
            return
        super().build(variables)
        self._steps = [
            self.add_variable(
                shape=(), initializer="zeros", dtype="float32", name="step"
            )
            for _ in variables
        ]

    def update_step(self, gradient, variable, learning_rate):
        steps = self._steps[self._get_variable_index(variable)]
        own = self._correction(ops.cast(ops.add(steps, 1), "float32"))
        common = self._correction(ops.cast(self.iterations + 1, "float32"))
        self.assign_add(steps, ops.ones((), "float32"))
        super().update_step(gradient, variable, learning_rate * (own / common))

    def _correction(self, step):
        second = -ops.expm1(step * ops.log(ops.cast(self.beta_2, "float32")))
        first = -ops.expm1(step * ops.log(ops.cast(self.beta_1, "float32")))
        return ops.sqrt(second) / first


@register
class Adam(RateMultipliers, _StepPerVariable, keras.optimizers.Adam):
    """Adam with rate `multipliers` and bias correction per variable.

    Arguments as `keras.optimizers.Adam`, and `multipliers` as in `RateMultipliers`.

    Example:
        >>> from tftransfer.finetune import Adam
        >>> optimizer = Adam(1e-3, multipliers={"conv1": 0.1, "block2_.*": 0.3})

    References:
        Kingma & Ba, Adam, ICLR 2015, arXiv:1412.6980. Howard & Ruder, Universal
        Language Model Fine-tuning, ACL 2018, arXiv:1801.06146 (discriminative rates).
    """


@register
class AdamW(RateMultipliers, _StepPerVariable, keras.optimizers.AdamW):
    """AdamW with rate `multipliers`, which scale the weight decay's rate as well.

    Arguments as `keras.optimizers.AdamW`, and `multipliers` as in `RateMultipliers`.

    References:
        Loshchilov & Hutter, Decoupled Weight Decay Regularization, ICLR 2019,
        arXiv:1711.05101.
    """


@register
class SGD(RateMultipliers, keras.optimizers.SGD):
    """SGD with momentum and rate `multipliers`.

    Arguments as `keras.optimizers.SGD`, and `multipliers` as in `RateMultipliers`.
    """
