"""What to watch in domain adaptation: the discriminator, and label-free validation."""

import warnings

import keras
import numpy as np

from tftransfer.core import check_one_of
from tftransfer.domain.domain_model import check_several_classes
from tftransfer.domain.target_scores import NAMES
from tftransfer.domain.target_scores import NEED_SOURCE
from tftransfer.domain.target_scores import target_scores


class DomainCollapse(keras.callbacks.Callback):
    """Warn when the discriminator stopped to be of use.

    Its accuracy, "domain_accuracy" in the logs, is that of guessing (0.5) from the
    start: it never learnt, and there is nothing to hide from. Or it is 1.0 for long:
    the features do not follow, and the gradient that reaches them says little.

    Args:
        epochs: For how many epochs in a row.
        margin: How far from 0.5 and 1.0 still counts.
        before: Accuracies of the epochs that an interrupted run has behind it.

    Raises:
        ValueError: When the model has no "domain_accuracy".

    Example:
        >>> watch = DomainCollapse(epochs=2)
        >>> [watch.verdict([0.5, 0.51]), watch.verdict([0.7, 0.5])]
        ['guesses', None]
    """

    def __init__(self, epochs: int = 3, margin: float = 0.02, *, before: list = ()):
        super().__init__()
        if epochs < 1 or not 0 <= margin < 0.25:
            raise ValueError(
                "Expected `epochs` of 1 or more and `margin` in [0, 0.25). Received: "
                f"{epochs} and {margin}."
            )
        self.epochs, self.margin = epochs, margin
        self._curve, self._warned = list(before), set()

    def verdict(self, curve) -> str | None:
        """Return "guesses", "certain" or None for the accuracies of the epochs."""
        if len(curve) < self.epochs:
            return None
        if all(abs(value - 0.5) <= self.margin for value in curve):
            return "guesses"
        late = curve[-self.epochs :]
        return "certain" if min(late) >= 1 - self.margin else None

    def warning(self, curve) -> str | None:
        """Return the text of the warning for the accuracies of the epochs, or None."""
        found = self.verdict(curve)
        return None if found is None else _MEANING[found].format(curve[-1])

    def on_epoch_end(self, epoch, logs=None):
        if "domain_accuracy" not in (logs or {}):
            raise ValueError(
                "Expected a model with a discriminator, such as `tft.DANN`, whose logs "
                f"have 'domain_accuracy'. Received: {sorted(logs or {})}."
            )
        self._curve.append(float(logs["domain_accuracy"]))
        found = self.verdict(self._curve)
        if found is None or found in self._warned:
            return
        self._warned.add(found)
        warnings.warn(self.warning(self._curve), stacklevel=2)


_MEANING = {
    "guesses": (
        "The discriminator has guessed since the first epoch (accuracy {:.2f}): it "
        "does not learn, so nothing is adapted. Give it more units or a higher rate, "
        "or raise lambda later (`tft.callbacks.DANNRamp`)."
    ),
    "certain": (
        "The discriminator tells every row's domain (accuracy {:.2f}): the features do "
        "not hide it. Raise lambda, lower the rate, or take a smaller discriminator; "
        "batch normalisation apart for each domain can give it away, too."
    ),
}


class TargetValidation(keras.callbacks.Callback):
    """Score each epoch without target labels; `EarlyStopping` can watch the scores.

    Before other callbacks in the list, so that they see them. The logs get "val_" and:
    "information" (`answer_information`, higher is better), "entropy" (`target_entropy`,
    lower), "snd" (`soft_neighbourhood_density`, higher), "iwv" and "dev"
    (`reweighted_risk` and `dev_risk` of mistakes on the source, lower), "a_distance"
    (`proxy_a_distance` of the features: how far apart the domains are, not how good the
    answers). They are NaN where the net's answers are, which diverged.

    Args:
        source: Held-out batches (x, y) of the source, y class numbers or one-hot, in
            any order; needed for "iwv", "dev" and "a_distance".
        target: Batches of the target, x or (x, y); labels are dropped unread.
        validators: Which of them.
        every: Epochs from one to the next; the first and the last always count.

    Raises:
        TypeError: When the model reads no domains, as `Restyler` does not, or the data
            is no dataset.
        ValueError: When a validator is none of these, `source` is missing, or the
            model's head has one logit.

    Example:
        >>> import tensorflow as tf
        >>> batches = tf.data.Dataset.from_tensor_slices(np.ones((8, 4))).batch(4)
        >>> TargetValidation(None, batches, validators=["snd"]).validators
        ('snd',)
    """

    def __init__(self, source, target, *, validators=("information", "snd"), every=1):
        super().__init__()
        self.validators = tuple(validators)
        for name in self.validators:
            check_one_of("validators", name, NAMES)
        if source is None and set(self.validators) & set(NEED_SOURCE):
            raise ValueError(
                f"Expected held-out batches of the source for {self.validators}. "
                "Received: None."
            )
        for name, data in (("source", source), ("target", target)):
            if data is not None and not hasattr(data, "map"):
                raise TypeError(
                    f"Expected `{name}` as a batched tf.data.Dataset. Received: "
                    f"{type(data).__name__}. Arrays: `tf.data.Dataset."
                    "from_tensor_slices(arrays).batch(100)`."
                )
        self._source, self.every = source, every
        self._target = target.map(lambda *batch: batch[0])

    def on_train_begin(self, logs=None):
        _check_reads(self.model)

    def on_epoch_end(self, epoch, logs=None):
        last = epoch + 1 == self.params.get("epochs")
        if logs is None or (epoch % self.every and not last):
            return
        logs.update({f"val_{k}": v for k, v in self.scores(self.model).items()})

    def scores(self, model) -> dict:
        """Return {validator: score} of a model of `tftransfer.domain`."""
        _check_reads(model)
        features, probabilities, _ = _seen(model, self._target, "target")
        source = None
        if set(self.validators) & set(NEED_SOURCE):
            of_source, answers, labels = _seen(model, self._source, "source")
            source = labels, of_source, answers
        return target_scores(self.validators, features, probabilities, source)


def _check_reads(model) -> None:
    if not hasattr(model, "read"):
        raise TypeError(
            "Expected a model that gives features and answers of both domains, such as "
            f"`tft.DANN`. Received: {type(model).__name__}. Score the answers of its "
            "`deployed` with the functions: `tft.domain.answer_information` and others."
        )
    check_several_classes(model.head)


def _seen(model, batches, domain: str) -> tuple:
    """Return flat features, probabilities and labels, if any, of all rows.

    One pass: the rows of a shuffled dataset come in another order next time.
    """
    found, labels = [], []
    for batch in batches:
        x, *rest = batch if isinstance(batch, tuple) else (batch,)
        found.append(model.read(x, domain))
        labels += [_numbers(np.asarray(rest[0]))] if rest else []
    features, probabilities = (np.concatenate(each) for each in zip(*found))
    labels = np.concatenate(labels) if labels else None
    return features.reshape(len(features), -1), probabilities, labels


def _numbers(labels: np.ndarray) -> np.ndarray:
    """Return labels (n,), (n, 1) or one-hot (n, classes) as class numbers (n,)."""
    one_hot = labels.ndim > 1 and labels.shape[-1] > 1
    return labels.argmax(axis=-1) if one_hot else np.ravel(labels)
