"""MCD: two heads that find where the target is unlike the source (Saito, 2018)."""

import math
import numbers

import keras
import numpy as np
from keras import ops

from tftransfer.core import GradientReversal
from tftransfer.core import as_logits
from tftransfer.core import call_with_frozen_weights
from tftransfer.core import kind_of_outputs
from tftransfer.core import register
from tftransfer.domain.batches import domains_of
from tftransfer.domain.domain_model import DomainModel
from tftransfer.domain.domain_model import check_fit
from tftransfer.domain.domain_model import check_several_classes
from tftransfer.losses import ClassBalanceLoss
from tftransfer.losses import ClassifierDiscrepancyLoss


@register
class MCD(DomainModel):
    """Maximum classifier discrepancy.

    loss = CE(y, h1(f(x_s))) + CE(y, h2(f(x_s))) on the source, minus, on the target,
    the discrepancy mean |softmax(h1(R(f(x)))) - softmax(h2(R(f(x))))|: the heads
    maximise it, the extractor f, through the reversal R, minimises it. This is the
    one-step form that the authors publish beside the one of three steps per batch;
    `repeats`, the reversal's factor, stands for the number of their extractor steps.
    Where the heads win, so that their answers differ on most of the target, they are
    sure everywhere and leave the extractor no gradient. `extractor_steps` is the remedy
    of the three steps: on one batch the heads maximise, on so many the extractor
    minimises, and the source is learned on all. The authors' heads normalise and drop
    out; plain ones win more easily.

    Heads agree, too, where the extractor sends the whole target to one class. The
    authors' remedy on large shifts is the class balance, KL(uniform || mean prediction
    on the batch's target) of either head, which heads and extractor lower alike.

    Args:
        extractor: A built model: input -> features.
        head: A built model: features -> logits or probabilities (batch, classes).
        second_head: Another of the same shapes; None for a copy of `head` with new
            random weights.
        discrepancy_weight: Factor of the discrepancy.
        repeats: Factor of the extractor's gradient of it, 0 or more; the setting
            "reversal" of callbacks. Optimizers that rescale gradients, as Adam does,
            undo much of it.
        extractor_steps: Batches on which the extractor minimises after one on which the
            heads maximise, the paper's 4; 0 for both on each batch. Batches, not
            updates: gradients accumulated over several batches mix the turns.
        balance_weight: Factor of the class balance, the authors' 0.01 or so; 0 for
            none; of each replica's own rows. It misleads where classes differ in size.
        batch_norm: As in `DANN`.
        head_output: "logits", "probabilities", or "auto", for both heads.
        **kwargs: `name`.

    Call arguments:
        x: {"source": (n, ...), "target": (m, ...)} of `tft.data.pair_domains` while
            training; else rows of the target.

    Returns:
        The logarithm of the mean of both heads' probabilities, (batch, classes), which
        are logits; while training, a dict that holds them as "prediction".

    Raises:
        TypeError: When a part is not built.
        ValueError: When shapes do not fit, or a head has one logit.

    Example:
        >>> import keras, tftransfer as tft
        >>> def part(inputs, units):
        ...     layers = [keras.Input((inputs,)), keras.layers.Dense(units)]
        ...     return keras.Sequential(layers)
        >>> tft.MCD(part(4, 8), part(8, 3)).deployed.output_shape
        (None, 3)

    References:
        Saito et al., Maximum Classifier Discrepancy for Unsupervised Domain Adaptation,
        CVPR 2018, arXiv:1712.02560.
    """

    def __init__(
        self,
        extractor: keras.Model,
        head: keras.Model,
        second_head: keras.Model | None = None,
        *,
        discrepancy_weight: float = 1.0,
        repeats: float = 1.0,
        extractor_steps: int = 0,
        balance_weight: float = 0.0,
        batch_norm: str = "joint",
        head_output: str = "auto",
        **kwargs,
    ):
        super().__init__(
            extractor, head, batch_norm=batch_norm, head_output=head_output, **kwargs
        )
        self.second_head = second_head or _another(head)
        self.discrepancy_weight, self.repeats = discrepancy_weight, repeats
        _check_count(extractor_steps)
        self.balance_weight, self.extractor_steps = balance_weight, int(extractor_steps)
        check_several_classes(head)
        check_fit(extractor, self.second_head)
        _check_apart(head, self.second_head)
        self._kind = kind_of_outputs(head, head_output, "head")
        self._reverse = GradientReversal(repeats)
        self.share_scalar("reversal", self._reverse.scale)
        self._turn = self._new_turn() if extractor_steps else None
        self._discrepancy = ClassifierDiscrepancyLoss()
        self._balance = ClassBalanceLoss()
        self.add_term("second_head")
        self.add_term("discrepancy", discrepancy_weight)
        if balance_weight:
            self.add_term("balance", balance_weight)
        self.finish_init()

    def _new_turn(self):
        return self.add_weight(
            shape=(),
            initializer="zeros",
            dtype="float32",
            trainable=False,
            aggregation="only_first_replica",
            name="turn",
        )

    def forward_train(self, x):
        domains = domains_of(x)
        source, target = self._passes(domains.source, domains.target)
        found = [self._scores(each, domains, source, target) for each in self._heads()]
        prediction, second = (scores.pop("taught") for scores in found)
        both = {name: [scores[name] for scores in found] for name in found[0]}
        if self._turn is not None:
            both["turn"] = ops.full((ops.shape(target)[0],), self._turn.value)
            self._turn.assign((self._turn + 1) % (1 + self.extractor_steps))
        return {"prediction": prediction, "second": second, **both}

    def _heads(self) -> tuple:
        return self.head, self.second_head

    def _scores(self, head, domains, source, target) -> dict:
        """Return a head's scores of labelled rows and of the target, reversed or not.

        What is taught goes straight: through the reversal the labels of target rows
        would drive the extractor away from them.
        """
        known, more, reversed_ = [source], {}, self._reverse(target)
        if self.balance_weight:
            more["straight"] = tail = head(target, training=True)
        elif domains.order is not None:
            known.append(domains.labelled_target(target))
        n = ops.shape(source)[0]
        if self._turn is not None:  # heads and extractor apart, each on its turn
            more["frozen"] = call_with_frozen_weights(head, reversed_, training=True)
            more["of_target"] = head(ops.stop_gradient(target), training=True)
            scores = head(ops.concatenate(known), training=True)
            rest = ops.shape(scores)[0]
        else:
            # One call: a head that normalises must not see a few rows by themselves.
            scores = head(ops.concatenate([*known, reversed_]), training=True)
            rest = ops.shape(scores)[0] - ops.shape(target)[0]
            more["of_target"] = scores[rest:]
        if not self.balance_weight:
            tail = scores[n:rest]
        return {"taught": domains.of_labels(scores[:n], tail), **more}

    def transfer_losses(self, x, y, outputs, sample_weight=None):
        terms = {
            "second_head": self._task_loss(y, outputs["second"], sample_weight),
            "discrepancy": -self._discrepancy_of(outputs),
        }
        if self.balance_weight:
            classes = self.head.output_shape[-1]
            shares = ops.full((classes,), 1 / classes)
            terms["balance"] = sum(
                self._balance(shares, as_logits(scores, self._kind))
                for scores in outputs["straight"]
            )
        return terms

    def _discrepancy_of(self, outputs):
        parted = [as_logits(each, self._kind) for each in outputs["of_target"]]
        if self._turn is None:
            return self._discrepancy(*parted)
        joined = [as_logits(each, self._kind) for each in outputs["frozen"]]
        of_heads = ops.cast(outputs["turn"] == 0, "float32")
        by_heads = self._discrepancy(*parted, sample_weight=of_heads)
        return by_heads + self._discrepancy(*joined, sample_weight=1 - of_heads)

    def answers_of(self, features):
        both = [head(features) for head in self._heads()]
        if self._kind == "probabilities":
            return (both[0] + both[1]) / 2
        halves = [ops.log_softmax(ops.cast(each, "float32")) for each in both]
        return ops.logaddexp(*halves) - math.log(2)

    def build_deployed(self):
        taken = self.extractor.inputs[0]
        inputs = keras.Input(batch_shape=taken.shape, dtype=taken.dtype)
        outputs = self.answers_of(self.extractor(inputs))
        return keras.Model(inputs, outputs, name=f"{self.name}_deployed")


def _another(head: keras.Model) -> keras.Model:
    """Return a copy of a head with new random weights and a name of its own."""
    copy = keras.models.clone_model(head)
    copy.name = f"{head.name}_2"
    for mine, its in zip(copy.weights, head.weights):
        values, others = map(ops.convert_to_numpy, (mine, its))
        # An initializer with a seed, or of constants: equal heads would never part.
        if values.ndim > 1 and (np.ptp(values) == 0 or np.array_equal(values, others)):
            mine.assign(keras.initializers.GlorotUniform()(mine.shape, mine.dtype))
    return copy


def _check_count(steps) -> None:
    if isinstance(steps, bool) or not isinstance(steps, numbers.Integral) or steps < 0:
        raise ValueError(
            "Expected `extractor_steps` as a whole number of 0 or more, the batches on "
            f"which the extractor minimises in turn. Received: {steps!r}."
        )


def _check_apart(head: keras.Model, other: keras.Model) -> None:
    classes = tuple(head.output_shape), tuple(other.output_shape)
    if head.name == other.name or classes[0] != classes[1]:
        raise ValueError(
            f"Expected two heads of the same classes and different names. Received: "
            f"'{head.name}' with {classes[0]} and '{other.name}' with {classes[1]}."
        )
