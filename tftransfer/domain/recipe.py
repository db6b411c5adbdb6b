"""adapt: a classifier of the source made one of an unlabelled target, in one call."""

import os

import keras

from tftransfer.callbacks import DANNRamp
from tftransfer.callbacks import DomainCollapse
from tftransfer.core import check_one_of
from tftransfer.core import weights_digest
from tftransfer.core.workers import is_multi_worker
from tftransfer.data.augment import PRESETS
from tftransfer.domain.adapt_data import check_classifier
from tftransfer.domain.adapt_data import read
from tftransfer.domain.adapt_plan import AdaptPlan
from tftransfer.domain.adapt_plan import plan_for
from tftransfer.domain.adapt_run import AdaptRun
from tftransfer.domain.carried import VALIDATORS
from tftransfer.domain.method_table import METHODS
from tftransfer.domain.method_table import build_method
from tftransfer.domain.target_scores import NEED_SOURCE


def adapt(
    classifier,
    source,
    target,
    validation=None,
    *,
    method: str = "dann",
    method_options: dict | None = None,
    epochs: int | None = None,
    learning_rate: float = 1e-4,
    batch_size: int = 32,
    augment: str = "light",
    batch_norm: str = "auto",
    validator: str = "information",
    labelled_target=None,
    patience: int | None = None,
    checkpoint: str | os.PathLike | None = None,
    callbacks: list = (),
    seed: int = 0,
    verbose: int | str = "auto",
    say=print,
) -> keras.callbacks.History:
    """Adapt a classifier that was trained on a source to a target without labels.

    The classifier's backbone is the method's extractor and its head the method's head;
    afterwards it has the weights of the best epoch. The best one is chosen without
    target labels, and the weights that the classifier came with are among those to
    choose from: what looks no better is not kept.

    Of ADDA it gets the target's encoder. Of MCD's two heads it gets the one that is
    right more often on `validation`, of equals the one of lower loss, in each epoch
    that is scored as at the end; without `validation` the first.

    Args:
        classifier: A `Classifier` that is trained on the source. All its layers train,
            also where `fine_tune` froze them. It is not compiled anew.
        source: Labelled pictures: a dataset of `tft.data.from_folder`, or what
            `tft.data.as_dataset` takes but a `tf.data.Dataset` of other origin.
        target: Pictures of the target in the same forms; of a folder all that lie
            below it. Labels that come along are dropped before anything reads them. A
            fifth, of a small target up to 32 pictures or half of them, is held out to
            choose the epoch.
        validation: Labelled pictures of the source that do not train. Needed for "iwv"
            and "dev", and wanted for all: epochs that lost more than a tenth of the
            accuracy on them are none to choose. Read by averages of the source's own
            where `batch_norm` keeps some; the classifier gets those of the target.
        method: "dann", "cdan", "dan", "jan", "coral", "mcd", "adda" or "confusion".
        method_options: Further arguments of the method, such as `domain_weight`. MCD
            gets `balance_weight` 0.01 where nothing else is said.
        epochs: Passes over the source; None for about 600 steps, in 10 to 40.
        learning_rate: Highest rate of the one cycle for the classifier's parts; a
            discriminator learns at ten times that (Ganin et al.).
        batch_size: Pictures of each domain per step, where `source` has no batches.
        augment: Preset of `tft.data.augmentation` for both domains.
        batch_norm: As in `DANN`; "auto" is "inference", which leaves the averages of
            the pretrained backbone as they are and suits a few hundred steps best. With
            ADDA it means the statistics of the target's batches.
        validator: What chooses the epoch, without a target label: "information" of the
            target's answers, which are to be sure and not all alike (higher is better);
            "snd", their density (higher), or "entropy" (lower), which both like a net
            that gives few classes to all; "iwv" or "dev", the source's mistakes
            weighted as the target has their like (lower), seconds per epoch.
        labelled_target: Few pictures of the target with labels, which train like those
            of the source; not with ADDA.
        patience: Epochs without a better one after which it ends; None runs all.
        checkpoint: Folder for the run's state: the same call after a killed process,
            with the classifier as it was, goes on from the last finished epoch and ends
            on the same weights.
        callbacks: Keras callbacks; their `model` is the method.
        seed: Of the orders and of what is held out; first weights of a discriminator
            are those of `keras.utils.set_random_seed`.
        verbose: As in `keras.Model.fit`.
        say: Called with the text of the plan and of the end; None says nothing.

    Returns:
        The history. `history.plan` is the `AdaptPlan`; `history.start` the scores of
        the classifier as it came; `history.best` says which epoch's weights it has now,
        `history.best["epoch"]` 0 where it kept those; `history.head` which head, from
        0. "val_score" is what chose, higher is better.

    Raises:
        TypeError: When the classifier is none of this package, or the epochs of a
            domain cannot be repeated.
        ValueError: When classes or sizes do not agree, a domain is empty, an argument
            is out of range, or the checkpoint belongs to another run.

    Example:
        >>> import numpy as np
        >>> import tftransfer as tft
        >>> x = np.random.default_rng(0).integers(0, 256, (12, 32, 32, 3), "uint8")
        >>> model = tft.Classifier(tft.Backbone("tiny", weights=None), num_classes=2)
        >>> history = tft.adapt(
        ...     model, (x, [0, 1] * 6), 255 - x, method="coral", epochs=1, verbose=0
        ... )
        adapt: coral, 12 source pictures, 6 of the target without labels, 1 steps ...
        >>> history.best["epoch"] in (0, 1)
        True

    References:
        Ganin et al., JMLR 17, 2016, arXiv:1505.07818, whose lambda rises over the run;
        so do the weights of DAN and JAN here. Choosing without labels: Shi & Sha, ICML
        2012, arXiv:1206.6438 ("information"); Saito et al., ICCV 2021, arXiv:2108.10860
        ("snd"); You et al., ICML 2019 ("dev").
    """
    check_classifier(classifier)
    check_one_of("augment", augment, PRESETS)
    _check(classifier, method, validator, validation, labelled_target)
    reading = {"batch_size": batch_size, "augment": augment, "seed": seed}
    data = read(classifier, source, target, validation, labelled_target, **reading)
    options = method_options or {}
    settings = {
        "classifier": weights_digest(classifier)[:12],
        "options": keras.tree.map_structure(
            keras.saving.serialize_keras_object, dict(options)
        ),
        "validated": validation is not None,
        "seed": seed,
    }
    building = {"batch_norm": batch_norm, "seed": seed, "options": options}
    with classifier.distribute_strategy.scope():
        model = build_method(method, classifier, **building)
    plan = _plan(
        data,
        method=method,
        epochs=epochs,
        rate=learning_rate,
        augment=augment,
        batch_norm="target" if method == "adda" else model.batch_norm,
        validator=validator,
    )
    run = AdaptRun(classifier, model, data, plan, checkpoint, settings, say)
    fit_options = {"callbacks": list(callbacks), "verbose": verbose}
    return run(_watching(method, run), patience=patience, **fit_options)


def _check(classifier, method, validator, validation, labelled_target) -> None:
    """Raise where arguments of `adapt` do not go together."""
    check_one_of("method", method, METHODS)
    check_one_of("validator", validator, VALIDATORS)
    if is_multi_worker(classifier.distribute_strategy):
        raise ValueError(
            "Expected one process. Received a job of several workers, which `adapt` "
            "does not divide its domains among."
        )
    if validation is None and validator in NEED_SOURCE:
        raise ValueError(
            f"Expected `validation` pictures of the source for '{validator}', which "
            "weighs mistakes on them. Received: None. 'information' needs none."
        )
    if labelled_target is not None and not METHODS[method].reads_labels:
        raise ValueError(
            f"Expected no `labelled_target` with '{method}', which reads no labels."
        )


def _plan(data, **chosen) -> AdaptPlan:
    train = data.train
    few = train.labelled_target
    return plan_for(
        len(train.labelled),
        train.labelled.batch_size,
        target_pictures=len(train.target),
        held_out=len(data.held_out.source),
        labelled_target=0 if few is None else len(few),
        weight_decay=1e-4,
        smoothing=0.1,
        **chosen,
    )


def _watching(method: str, run: AdaptRun) -> list:
    """Return the callbacks that the method asks for."""
    ramp, model = METHODS[method].ramp, run.model
    found = []
    if ramp is not None:
        end = float(keras.ops.convert_to_numpy(model.scalars[ramp]))
        found.append(DANNRamp(end=end, name=ramp))
    if hasattr(model, "discriminator"):
        before = run.state.values["history"].get("domain_accuracy", [])
        found.append(DomainCollapse(before=before))
    return found
