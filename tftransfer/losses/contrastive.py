"""ContrastiveRepresentationLoss: which teacher row is mine (CRD, Tian, 2020)."""

import keras
from keras import ops

from tftransfer.core import register
from tftransfer.losses.distillation_loss import DistillationLoss
from tftransfer.losses.distillation_loss import paired
from tftransfer.losses.soft_target import check_temperature
from tftransfer.losses.unit import unit_vectors


@register
class ContrastiveRepresentationLoss(DistillationLoss):
    """Cross-entropy of finding the teacher's embedding of the same input in the batch.

    loss = sum over pairs of mean over i of -log softmax_j(u_i . v_j / T)[i] - log
    softmax_j(v_i . u_j / T)[i], with T the `temperature`; u and v are linear embeddings
    of student and teacher to `embedding_dim`, scaled to unit length. `Distiller` trains
    both and saves them beside the student. Both directions are added, as in the
    authors' code.

    It differs from the paper in this: its negatives are the other rows of the batch, of
    whatever class, in place of 16,384 rows of other classes from a memory of the data
    set; and the critic is the softmax over the batch (InfoNCE) in place of h = e^s /
    (e^s + N / M), N negatives of a data set of M. That critic needs e^s divided by a
    constant, which the authors estimate on their first batch from those 16,384: from a
    batch it is noise, and without it h is about 1 - N / M at s = 0. The softmax
    normalises itself and has the same optimum, s = log of the ratio of joint to
    independent density; log(batch) less half the loss bounds the mutual information of
    the two from below. So large batches help; under `tf.distribute` use
    `across_replicas`.

    In a batch of one row the loss is 0. A `sample_weight` weighs what each row finds; a
    row of weight 0 still is a negative of the others.

    Args:
        pairs: [(student layer, teacher layer), ...]; the paper takes the layer before
            the scores. (None, None), the default, for the logits. Of maps the mean over
            positions is taken. See `DistillationLoss`.
        embedding_dim: Width of both embeddings. Defaults to 128, the paper's.
        temperature: T above 0. Inside a `Distiller` it is a variable that a callback
            may change. Defaults to 0.07, the authors'.
        name: Name of the loss and of its term.
        **kwargs: `reduction`.

    Call arguments:
        y_true: The teacher's embeddings (batch, features), or maps (batch, height,
            width, features); a list with one per pair. Any length.
        y_pred: The student's, of the same number of features, likewise.

    Returns:
        The mean over the batch.

    Raises:
        ValueError: When the temperature or `embedding_dim` is not above 0, an input is
            neither map nor vector, or, without a `Distiller`, widths differ.

    Example:
        >>> import numpy as np
        >>> from tftransfer.losses import ContrastiveRepresentationLoss
        >>> loss = ContrastiveRepresentationLoss(temperature=1.0)
        >>> round(float(loss(np.eye(2), np.eye(2))), 4)  # 2 log(1 + 1 / e)
        0.6265

    References:
        Tian, Krishnan & Isola, Contrastive Representation Distillation, ICLR 2020,
        arXiv:1910.10699. van den Oord et al., Representation Learning with Contrastive
        Predictive Coding, 2018, arXiv:1807.03748.
    """

    default_weight = 0.8  # the paper's, of its own critic
    in_batch = True

    def __init__(
        self,
        pairs=((None, None),),
        *,
        embedding_dim: int = 128,
        temperature: float = 0.07,
        name="contrastive",
        **kwargs,
    ):
        super().__init__(pairs, name=name, **kwargs)
        check_temperature(temperature)
        if embedding_dim < 1:
            raise ValueError(
                f"Expected `embedding_dim` above 0. Received: {embedding_dim}."
            )
        self.embedding_dim = embedding_dim
        self.temperature = temperature

    def teacher_values(self, features, gradient=None):
        # Means before the embedding, which is linear: the same, and less to cache.
        vectors = [_vectors(feature) for feature in features]
        return vectors[0] if len(vectors) == 1 else vectors

    def student_adapters(self, student_shapes, teacher_shapes):
        return [keras.layers.Dense(self.embedding_dim) for _ in student_shapes]

    def teacher_adapters(self, student_shapes, teacher_shapes):
        return [keras.layers.Dense(self.embedding_dim) for _ in teacher_shapes]

    def call(self, y_true, y_pred):
        return sum(self._found(t, s) for t, s in paired(y_true, y_pred))

    def _found(self, teacher, student):
        teacher, student = _vectors(teacher), _vectors(student)
        if teacher.shape[-1] != student.shape[-1]:
            raise ValueError(
                "Expected embeddings of equal width. Received: "
                f"{tuple(teacher.shape)} of the teacher and {tuple(student.shape)} of "
                "the student. A `tft.Distiller` learns an embedding of each; called "
                "alone, the loss needs layers of your own on the features."
            )
        temperature = ops.cast(self.temperature, student.dtype)
        teacher, student = unit_vectors(teacher), unit_vectors(student)
        scores = ops.matmul(student, ops.transpose(teacher)) / temperature
        both = ops.log_softmax(scores, axis=1) + ops.log_softmax(scores, axis=0)
        return -ops.diagonal(both)

    def get_config(self):
        return {
            **super().get_config(),
            "embedding_dim": self.embedding_dim,
            "temperature": self.temperature,
        }


def _vectors(features):
    """Return (batch, features), of maps the mean over positions, in float32."""
    features = ops.cast(features, "float32")
    if len(features.shape) == 4:
        return ops.mean(features, axis=(1, 2))
    if len(features.shape) != 2:
        raise ValueError(
            "Expected vectors (batch, features) or maps (batch, height, width, "
            f"features). Received: {tuple(features.shape)}."
        )
    return features
