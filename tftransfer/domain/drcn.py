"""DRCN: features from which the target can be redrawn (Ghifary et al., 2016)."""

import keras
from keras import ops

from tftransfer.core import check_range
from tftransfer.core import register
from tftransfer.domain.batches import domains_of
from tftransfer.domain.domain_model import DomainModel


@register
class ImpulseNoise(keras.layers.Layer):
    """Set values to `value` with probability `rate` while training.

    Args:
        rate: Share of the values, in [0, 1).
        value: What they become.
        seed: Of the draws.

    Call arguments:
        x: Tensor of any shape.

    Example:
        >>> import numpy as np
        >>> x = np.ones((1, 4), "float32")
        >>> float(keras.ops.sum(ImpulseNoise(0.5)(x, training=False)))
        4.0
    """

    def __init__(self, rate: float = 0.5, value: float = 0.0, seed=None, **kwargs):
        super().__init__(**kwargs)
        check_range("rate", rate, 0, 1, open_high=True)
        self.rate, self.value, self.seed = rate, value, seed
        if rate:
            self.seed_generator = keras.random.SeedGenerator(seed)
        self.built = True

    def call(self, x, training=False):
        if not training or not self.rate:
            return x
        kept = keras.random.uniform(ops.shape(x), seed=self.seed_generator) >= self.rate
        return ops.where(kept, x, ops.cast(self.value, x.dtype))

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        own = {"rate": self.rate, "value": self.value, "seed": self.seed}
        return {**super().get_config(), **own}


@register
class DRCN(DomainModel):
    """Deep reconstruction-classification network.

    loss = CE(y, head(f(x_s))) + reconstruction_weight * MSE(x_t, decoder(f(noise(x_t)))

    The shared encoder f classifies the source and lets a decoder redraw the target. The
    authors alternate an epoch of each and weigh them 0.7 and 0.3; here each step does
    both.

    Args:
        extractor: A built model, the encoder: input -> features.
        head: A built model: features -> logits or probabilities (batch, classes).
        decoder: A built model: features -> what the encoder's input looks like.
        reconstruction_weight: Factor of the reconstruction.
        noise: Layer before the encoder for rows that are redrawn, not for those that
            are classified; None for impulse noise that sets half of the values to 0.
        scale: What values of the input are divided by in the reconstruction's error:
            255 for pictures in [0, 255].
        head_output: "logits", "probabilities", or "auto".
        **kwargs: `name`.

    Call arguments:
        x: {"source": (n, ...), "target": (m, ...)} of `tft.data.pair_domains` while
            training; else rows of the target.

    Returns:
        The head's answers; while training, a dict that holds those for the labelled
        rows as "prediction". `reconstruct(x)` redraws rows.

    Raises:
        TypeError: When a part is not built.
        ValueError: When shapes do not fit.

    Example:
        >>> import keras, tftransfer as tft
        >>> def part(inputs, units):
        ...     layers = [keras.Input((inputs,)), keras.layers.Dense(units)]
        ...     return keras.Sequential(layers)
        >>> drcn = tft.DRCN(part(4, 8), part(8, 3), part(8, 4))
        >>> sorted(drcn.scalars)
        ['reconstruction_weight']

    References:
        Ghifary et al., Deep Reconstruction-Classification Networks for Unsupervised
        Domain Adaptation, ECCV 2016, arXiv:1607.03516.
    """

    def __init__(
        self,
        extractor: keras.Model,
        head: keras.Model,
        decoder: keras.Model,
        *,
        reconstruction_weight: float = 1.0,
        noise: keras.layers.Layer | None = None,
        scale: float = 1.0,
        head_output: str = "auto",
        **kwargs,
    ):
        super().__init__(extractor, head, head_output=head_output, **kwargs)
        taken, drawn = tuple(extractor.input_shape), tuple(decoder.output_shape)
        if taken != drawn:
            raise ValueError(
                f"Expected a decoder that gives the extractor's input, {taken}. "
                f"Received: one that gives {drawn}."
            )
        self.decoder, self.scale = decoder, scale
        self.reconstruction_weight = reconstruction_weight
        self.noise = noise or ImpulseNoise()
        self.add_term("reconstruction", reconstruction_weight)
        self._error = keras.losses.MeanSquaredError()
        self.finish_init()

    def reconstruct(self, x):
        """Return what the decoder draws of rows without noise, (batch, ...)."""
        return self.decoder(self.extractor(x, training=False), training=False)

    def forward_train(self, x):
        domains = domains_of(x)
        # Labelled rows of the target are classified as they are, with the source, and
        # redrawn from noise with the rest of the target.
        known = domains.of_labels(domains.source, domains.target)
        noisy = self.noise(domains.target, training=True)
        known, seen = self._passes(known, noisy)
        return {
            "prediction": self.head(known, training=True),
            "wanted": domains.target,
            "drawn": self.decoder(seen, training=True),
        }

    def transfer_losses(self, x, y, outputs, sample_weight=None):
        pair = (
            ops.cast(outputs[name], "float32") / self.scale
            for name in ("wanted", "drawn")
        )
        return {"reconstruction": self._error(*pair)}
