"""Distiller: a student taught by one teacher or several (Hinton, 2015, and after)."""

import copy
import functools

import keras
from keras import ops
from keras import tree

from tftransfer.core import TransferModel
from tftransfer.core import gather_replicas
from tftransfer.core import register
from tftransfer.distillation.adapters import Adapters
from tftransfer.distillation.arguments import checked_losses
from tftransfer.distillation.arguments import chosen_weights
from tftransfer.distillation.arguments import shares
from tftransfer.distillation.arguments import teacher_layer
from tftransfer.distillation.arguments import unique_names
from tftransfer.distillation.net import Net
from tftransfer.distillation.scores import average
from tftransfer.losses import DistillationLoss

_FORMS = ({"student", "teacher"}, {"student", "teacher_outputs"})


@register
class Distiller(TransferModel):
    """Train a student on labels and on what its teacher makes of the same inputs.

    loss = a * task(y, student(x)) + sum over k of b_k * losses_k(teacher(x),
    student(x)), with a the `student_loss_weight`, b the `loss_weights` and the task
    loss that of `compile`; without one (`loss=None`) no labels are needed. The student
    runs once per step, whatever is read of it. The teacher runs as in inference and is
    left as it was: weights, `trainable` and BatchNorm averages.

    Args:
        student: The model to train: a functional or Sequential one, or a
            `TransferModel` such as `tft.Classifier`. `distiller.student` is the same
            object: deploy it as any model.
        teacher: A trained model, or a list of them. Their class probabilities are
            averaged; layers are read of the first, or of the k-th where a loss's pair
            names `(k, layer)`.
        losses: `tft.losses.DistillationLoss` objects, kept as `distillation_losses`.
            Defaults to `[SoftTargetLoss()]`.
        loss_weights: A factor per loss. Defaults to each loss's `default_weight`.
        student_loss_weight: Factor of the task loss, 0 or more. Defaults to 0.1 beside
            a `SoftTargetLoss` of weight 0.9, as in Zagoruyko & Komodakis; else to 1.
        teacher_weights: Shares of several teachers; they are scaled to a sum of 1.
            Defaults to equal ones.
        student_output: "logits", "probabilities", or "auto", which reads it off the
            last layer. Temperatures act on logits, of probabilities on the logarithm.
        teacher_output: The same, for all teachers.
        student_preprocessing: Layer that maps `x` to the student's input. None: `x` as
            it is, or resized where its height and width are not the student's.
        teacher_preprocessing: The same for the teachers; a list with one each.
        across_replicas: Under `tf.distribute`, whether losses that compare the rows of
            a batch see those of all replicas.
        **kwargs: `name`.

    Call arguments:
        x: The input of both; or {"student": ..., "teacher": ...} where they differ; or
            {"student": ..., "teacher_outputs": ...} of `teacher_outputs` or
            `tft.distillation.cache_teacher`, with which the teacher does not run.

    Returns:
        The student's output; while training, a dict that holds it as "prediction".

    Raises:
        TypeError: When a loss is no `DistillationLoss`.
        ValueError: When layers, shapes or numbers of classes do not fit, or it cannot
            be told whether a net ends in logits.

    Example:
        >>> import keras, numpy as np, tftransfer as tft
        >>> def net(units):
        ...     layers = [keras.layers.Dense(units, "relu"), keras.layers.Dense(3)]
        ...     return keras.Sequential([keras.Input((4,)), *layers])
        >>> distiller = tft.Distiller(net(2), teacher=net(16))
        >>> distiller.compile("adam")  # no labels: the teacher alone
        >>> history = distiller.fit(np.ones((8, 4)), verbose=0)
        >>> sorted(history.history)
        ['loss', 'soft_target_loss']

    References:
        Hinton, Vinyals & Dean, Distilling the Knowledge in a Neural Network, 2015,
        arXiv:1503.02531. Zagoruyko & Komodakis, ICLR 2017, arXiv:1612.03928.
    """

    def __init__(
        self,
        student: keras.Model,
        teacher: keras.Model | list[keras.Model],
        losses: list[DistillationLoss] | None = None,
        *,
        loss_weights: list[float] | None = None,
        student_loss_weight: float | None = None,
        teacher_weights: list[float] | None = None,
        student_output: str = "auto",
        teacher_output: str = "auto",
        student_preprocessing: keras.layers.Layer | None = None,
        teacher_preprocessing=None,
        across_replicas: bool = False,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.student, self.teacher = student, teacher
        self.distillation_losses = checked_losses(losses)
        self.loss_weights, self.teacher_weights = loss_weights, teacher_weights
        self.student_loss_weight = student_loss_weight
        self.student_output, self.teacher_output = student_output, teacher_output
        self.student_preprocessing = student_preprocessing
        self.teacher_preprocessing = teacher_preprocessing
        self.across_replicas = across_replicas
        self._shares = shares(teacher_weights, len(self.teachers))
        self._declare_terms()
        self._student_net, self._teacher_nets = self._nets()
        self._connect_adapters()
        self.finish_init()

    @property
    def teachers(self) -> list[keras.Model]:
        """The teachers, also where there is one."""
        return list(self.teacher) if _is_list(self.teacher) else [self.teacher]

    def frozen_parts(self) -> tuple:
        return tuple(self.teachers)

    def _declare_terms(self):
        task, weights = chosen_weights(
            self.distillation_losses, self.loss_weights, self.student_loss_weight
        )
        self.weigh_task(task)
        self._terms = {}
        for name, loss, weight in zip(
            unique_names(self.distillation_losses),
            self.distillation_losses,
            weights,
            strict=True,
        ):
            self.add_term(name, weight)
            own = copy.copy(loss)  # the caller's keeps its number
            if hasattr(loss, "temperature"):
                own.temperature = self.add_scalar(
                    f"{name}_temperature", loss.temperature
                )
            self._terms[name] = own

    def _nets(self) -> tuple[Net, list[Net]]:
        losses = self._terms.values()
        gradients = any(loss.needs_gradient for loss in losses)
        pairs = [pair for loss in losses for pair in loss.pairs]
        student = Net(
            self.student,
            [layer for layer, _ in pairs],
            role="student",
            output=self.student_output,
            preprocessing=self.student_preprocessing,
            gradients=gradients,
        )
        before = self.teacher_preprocessing
        before = before if _is_list(before) else [before] * len(self.teachers)
        read = [teacher_layer(layer, len(self.teachers)) for _, layer in pairs]
        teachers = [
            Net(
                teacher,
                [layer for number, layer in read if number == k or layer is None],
                role="teacher",
                output=self.teacher_output,
                preprocessing=preprocessing,
                gradients=gradients,
            )
            for k, (teacher, preprocessing) in enumerate(
                zip(self.teachers, before, strict=True)
            )
        ]
        return student, teachers

    def _connect_adapters(self) -> None:
        """Make what losses learn beside the student, and try every term on shapes."""
        students = self._student_net.shapes
        teachers = [net.shapes for net in self._teacher_nets]
        self._adapters = {
            name: Adapters(name, loss, students, teachers)
            for name, loss in self._terms.items()
        }
        # Keras saves and trains the layers of a flat list.
        self.adapters = [
            layer for each in self._adapters.values() for layer in each.layers
        ]

    def teacher_outputs(self, x) -> dict:
        """Return all that the losses read of the teacher, computed once.

        `{"student": x, "teacher_outputs": distiller.teacher_outputs(x)}` trains as `x`
        does. Of a large `x` use `tft.distillation.cache_teacher`.

        Args:
            x: A batch as in training: a tensor, or a dict with "teacher".

        Returns:
            {term: tensor (batch, ...), or lists and dicts of such}.
        """
        x = x["teacher"] if _is_form(x) else x
        own = {}
        scores = []
        for k, net in enumerate(self._teacher_nets):
            found, logits = net.read(x, False, functools.partial(self._targets, k))
            own |= found
            scores.append(logits)
        if len(scores) > 1 and scores[0] is not None:
            together = ops.stack(scores, axis=1)
            own |= {n: together for n, t in self._terms.items() if _reads_scores(t)}
        # Tuples: tf.data would make tensors of lists.
        own = {name: _tupled(value) for name, value in own.items()}
        return tree.map_structure(ops.stop_gradient, own)

    def _targets(self, k: int, output, features, gradient) -> tuple:
        """Return {term: target} of the terms that read teacher `k`, and its logits."""
        found = {}
        for name, loss in self._terms.items():
            places = [teacher_layer(layer) for _, layer in loss.pairs]
            if {number for number, _ in places} == {k}:
                values = [features[layer] for _, layer in places]
                found[name] = loss.teacher_values(values, gradient)
        return found, features[None] if self._teacher_nets[k].kind else None

    def forward_train(self, x):
        if _is_form(x) and "teacher_outputs" in x:
            targets = x["teacher_outputs"]
        else:
            targets = self.teacher_outputs(x)
        x = x["student"] if _is_form(x) else x
        return self._student_net.read(x, True, functools.partial(self._values, targets))

    def _values(self, targets: dict, output, features, gradient) -> dict:
        """Return the training outputs: the prediction, and what each term compares."""
        outputs = {"prediction": output}
        for name, loss in self._terms.items():
            target, adapters = targets[name], self._adapters[name]
            values = [features[layer] for layer, _ in loss.pairs]
            values = loss.student_values(adapters.student(values), target, gradient)
            outputs[name] = {"teacher": adapters.teacher(target), "student": values}
        return outputs

    def transfer_losses(self, x, y, outputs, sample_weight=None):
        terms = {}
        for name, loss in self._terms.items():
            pair, weight = outputs[name], sample_weight
            if loss.needs_labels and y is not None:
                pair = {**pair, "labels": y}
            if loss.in_batch and self.across_replicas:
                pair, weight = gather_replicas((pair, weight))
            target = self._single(loss, pair["teacher"])
            if "labels" in pair:
                target = {"teacher": target, "labels": pair["labels"]}
            terms[name] = loss(target, pair["student"], weight)
        return terms

    def _single(self, loss, target):
        """Average the scores of several teachers, softened as the loss softens them."""
        if len(self.teachers) == 1 or not _reads_scores(loss):
            return target
        return average(target, self._shares, getattr(loss, "temperature", 1.0))

    def evaluation_input(self, x):
        return self._student_net.prepared(x["student"] if _is_form(x) else x)

    def build_deployed(self):
        return self._student_net.model

    def get_config(self):
        config = super().get_config()
        serialize = keras.saving.serialize_keras_object
        config["losses"] = [serialize(loss) for loss in self.distillation_losses]
        return config


def _is_list(value) -> bool:
    return isinstance(value, list | tuple)


def _is_form(x) -> bool:
    """Say whether `x` gives student and teacher something of their own."""
    return isinstance(x, dict) and set(x) in _FORMS


def _tupled(value):
    if isinstance(value, dict):
        return {key: _tupled(item) for key, item in value.items()}
    return tuple(_tupled(item) for item in value) if _is_list(value) else value


def _reads_scores(loss) -> bool:
    return all(layer is None for _, layer in loss.pairs)
