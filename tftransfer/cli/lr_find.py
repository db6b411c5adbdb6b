"""`tftransfer lr-find`: a learning rate for these pictures."""

import pathlib
from typing import Annotated

import typer

from tftransfer.cli import options
from tftransfer.cli.console import answer
from tftransfer.cli.console import answer_json
from tftransfer.cli.console import load_tensorflow
from tftransfer.cli.console import working


def lr_find(
    folder: options.Folder,
    backbone: options.BackboneName = "mobilenet",
    alpha: options.Alpha = None,
    weights: options.Weights = "imagenet",
    image_size: options.ImageSize = None,
    batch_size: options.BatchSize = 32,
    low: Annotated[float, typer.Option(help="First rate.")] = 1e-6,
    high: Annotated[float, typer.Option(help="Last rate.")] = 1.0,
    steps: Annotated[int, typer.Option(help="Steps of training.", min=10)] = 100,
    validation_split: options.ValidationSplit = 0.2,
    seed: options.Seed = 0,
    out: Annotated[pathlib.Path, typer.Option(help="Plot to write.")] = pathlib.Path(
        "learning_rate.png"
    ),
    json_output: options.Json = False,
) -> None:
    """Train with a rising learning rate and suggest one; all layers train."""
    options.check_folder(folder)
    options.check_backbone(backbone)
    load_tensorflow()
    import keras

    from tftransfer.finetune import AdamW
    from tftransfer.finetune import Classifier
    from tftransfer.finetune import discriminative_rates
    from tftransfer.finetune import lr_find as find_rate
    from tftransfer.losses import ClassificationLoss

    keras.utils.set_random_seed(seed)
    net, training, _ = options.net_and_folder(
        folder,
        backbone=backbone,
        alpha=alpha,
        weights=weights,
        image_size=image_size,
        batch_size=batch_size,
        validation_split=validation_split,
        seed=seed,
    )
    classes = len(training.class_names)
    model = Classifier(net, classes)
    rates = AdamW(low, multipliers=discriminative_rates(net))
    model.compile(rates, ClassificationLoss(classes))
    with working(f"Training {steps} steps at rising learning rates ..."):
        found = find_rate(model, training, low=low, high=high, steps=steps)
    options.written(out, found.plot)
    if json_output:
        answer_json(
            {
                "suggestion": found.suggestion,
                "rates": found.rates.tolist(),
                "losses": found.losses.tolist(),
                "plot": str(out),
            }
        )
    else:
        answer(f"suggested learning rate {found.suggestion:.1e}; plot: {out}")
