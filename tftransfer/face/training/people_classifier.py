"""PeopleClassifier: crops of faces to known people, or to none of them."""

import keras
import numpy as np
from keras import ops

from tftransfer.core import check_range
from tftransfer.core import register
from tftransfer.finetune import Classifier


@register
class PeopleClassifier(Classifier):
    """A `Classifier` of people that knows below which probability a face is unknown.

    `train_head` makes it. It is saved as `.keras`, exported by `tft.export` and used by
    all that takes a `Classifier`; threshold and names travel with it.

    Args:
        backbone: A `Backbone`: crops -> embeddings (batch, d).
        head: A built model: embeddings -> logits (batch, number of people).
        class_names: The people, in label order.
        threshold: Least probability of the most probable person, in [0, 1], at which it
            is named; may be set later.
        **kwargs: `name`.

    Call arguments:
        x: Crops (batch, height, width, 3), RGB in [0, 255], as `backbone` wants them
            aligned.

    Returns:
        Logits (batch, number of people), float32.

    Raises:
        ValueError: When head and names do not fit or the threshold is out of range.

    Example:
        >>> import keras, tftransfer as tft
        >>> backbone = tft.Backbone("tiny", weights=None)
        >>> layers = [keras.Input((128,)), keras.layers.Dense(2)]
        >>> head = keras.Sequential(layers)
        >>> model = PeopleClassifier(backbone, head, ["Ada", "Alan"], threshold=1.0)
        >>> [name for name, _ in model.identify(np.zeros((1, 32, 32, 3), "uint8"))]
        [None]
    """

    def __init__(
        self,
        backbone: keras.Model,
        head: keras.Model,
        class_names: list[str],
        *,
        threshold: float = 0.0,
        **kwargs,
    ):
        check_range("threshold", threshold, 0, 1)
        names = list(class_names)
        super().__init__(backbone, len(names), head=head, class_names=names, **kwargs)
        self.threshold = threshold

    def probabilities(self, crops, *, batch_size: int = 64) -> np.ndarray:
        """Return float32 (n, people) of crops (n, height, width, 3), rows sum to 1."""
        logits = self.deployed.predict(crops, batch_size=batch_size, verbose=0)
        return ops.convert_to_numpy(ops.softmax(logits, axis=-1))

    def identify(self, crops, *, batch_size: int = 64) -> list:
        """Name the people on crops.

        Args:
            crops: (n, height, width, 3), RGB in [0, 255].
            batch_size: Crops at a time.

        Returns:
            [(name, probability), ...], one per crop; the name is None where the
            probability is below `threshold`: unknown.
        """
        if not len(crops):
            return []
        found = self.probabilities(crops, batch_size=batch_size)
        return [
            (
                self.class_names[row.argmax()] if row.max() >= self.threshold else None,
                float(row.max()),
            )
            for row in found
        ]
