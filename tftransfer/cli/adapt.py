"""`tftransfer adapt`: a classifier of labelled pictures for others without labels."""

import pathlib
from typing import Annotated

import typer

from tftransfer.cli import options
from tftransfer.cli.console import answer
from tftransfer.cli.console import answer_json
from tftransfer.cli.console import answer_table
from tftransfer.cli.console import load_tensorflow
from tftransfer.cli.console import say
from tftransfer.cli.console import working
from tftransfer.cli.guard import Interrupted


def adapt(
    source: Annotated[
        pathlib.Path,
        typer.Argument(
            metavar="SOURCE_DIR",
            help="Labelled pictures, one sub-folder per class.",
            show_default=False,
        ),
    ],
    target: Annotated[
        pathlib.Path,
        typer.Argument(
            metavar="TARGET_DIR",
            help="Pictures of the target, in any sub-folders; all of them train. "
            "Folders named as classes of the source are labels for the oracle alone.",
            show_default=False,
        ),
    ],
    labelled_target: Annotated[
        pathlib.Path | None,
        typer.Option(
            help="Few pictures of the target with labels, one sub-folder per class. "
            "They train; where they lie in TARGET_DIR, too, no score counts them.",
        ),
    ] = None,
    method: Annotated[
        str,
        typer.Option(help="dann, cdan, dan, jan, coral, mcd, adda or confusion."),
    ] = "dann",
    backbone: options.BackboneName = "mobilenet",
    alpha: options.Alpha = None,
    weights: options.Weights = "imagenet",
    image_size: options.ImageSize = None,
    batch_size: options.BatchSize = 32,
    epochs: Annotated[
        int | None, typer.Option(help="Of the adaptation; chosen by default.", min=1)
    ] = None,
    learning_rate: Annotated[
        float, typer.Option(help="Highest rate of the adaptation.")
    ] = 1e-4,
    source_epochs: Annotated[
        int | None,
        typer.Option(help="Of all layers on the source alone; chosen by default."),
    ] = None,
    head_epochs: Annotated[
        int | None, typer.Option(help="Before these, of the head alone.")
    ] = None,
    batch_norm: Annotated[
        str,
        typer.Option(help="auto, inference, joint, separate or specific."),
    ] = "auto",
    validator: Annotated[
        str,
        typer.Option(
            help="What chooses the epoch: information, snd, entropy, iwv, dev."
        ),
    ] = "information",
    augment: options.Augment = "light",
    patience: Annotated[
        int | None, typer.Option(help="Epochs without a better one before it ends.")
    ] = None,
    validation_split: options.ValidationSplit = 0.2,
    seed: options.Seed = 0,
    out: Annotated[
        pathlib.Path | None,
        typer.Option(help="Folder of the run; runs/SOURCE-to-TARGET by default."),
    ] = None,
    json_output: options.Json = False,
) -> None:
    """Train on a source, adapt to a target without labels, and say what that gave.

    The same command goes on where an interrupted one stopped.
    """
    options.check_folder(source)
    options.check_folder(target)
    if labelled_target is not None:
        options.check_folder(labelled_target)
    options.check_backbone(backbone)
    names = source.resolve().name, target.resolve().name
    out = out or pathlib.Path("runs") / "-to-".join(names)
    load_tensorflow()
    from tftransfer.cli.adapt_job import AdaptJob
    from tftransfer.cli.adapt_output import write_run
    from tftransfer.core import check_one_of
    from tftransfer.domain.carried import VALIDATORS
    from tftransfer.domain.method_table import METHODS

    check_one_of("--method", method, METHODS)  # now rather than after the source
    check_one_of("--validator", validator, VALIDATORS)
    if labelled_target is not None and not METHODS[method].reads_labels:
        raise ValueError(
            f"Expected no `--labelled-target` with '{method}', which reads no labels. "
            f"Received: '{labelled_target}'."
        )
    job = AdaptJob(
        source,
        target,
        out,
        labelled_target=labelled_target,
        net={
            "backbone": backbone,
            "alpha": alpha,
            "weights": weights,
            "image_size": image_size,
        },
        reading={
            "batch_size": batch_size,
            "validation_split": validation_split,
            "seed": seed,
        },
        augment=augment,
    )
    job.claim()
    try:
        job.train_source(epochs=source_epochs, head_epochs=head_epochs)
        job.adapt(
            method=method,
            epochs=epochs,
            learning_rate=learning_rate,
            batch_norm=batch_norm,
            validator=validator,
            patience=patience,
        )
    except KeyboardInterrupt as error:
        raise Interrupted(job.keep()) from error
    with working("Measuring on both domains, writing the report ..."):
        results, table = write_run(job)
    if json_output:
        answer_json(results)
        return
    answer_table(table)
    answer(f"\n{results['verdict']['text']}\n")
    for name, path in results["files"].items():
        answer(f"{name.replace('_', ' '):12} {path}")
    if results["verdict"]["warning"]:
        say("warning: nothing shows that the adapted classifier is better.")
