"""`tftransfer train`: a folder of pictures to a model, a report and a model card."""

import pathlib
from typing import Annotated

import typer

from tftransfer.cli import options
from tftransfer.cli.console import answer
from tftransfer.cli.console import answer_json
from tftransfer.cli.console import load_tensorflow
from tftransfer.cli.console import say
from tftransfer.cli.console import to_json
from tftransfer.cli.console import working
from tftransfer.cli.guard import Interrupted
from tftransfer.cli.options import written
from tftransfer.distribute.cluster import set_cluster


def train(
    folder: options.Folder,
    backbone: options.BackboneName = "mobilenet",
    alpha: options.Alpha = None,
    weights: options.Weights = "imagenet",
    image_size: options.ImageSize = None,
    batch_size: options.BatchSize = 32,
    epochs: options.Epochs = None,
    head_epochs: Annotated[
        int | None, typer.Option(help="Epochs of the head alone; chosen by default.")
    ] = None,
    learning_rate: Annotated[
        float | None, typer.Option(help="Highest rate of the deeper phase.")
    ] = None,
    frozen_until: Annotated[
        str | None, typer.Option(help="Endpoint below which nothing trains.")
    ] = None,
    augment: options.Augment = "light",
    class_weight: Annotated[
        str | None, typer.Option(help="'balanced' weighs rare classes up.")
    ] = None,
    label_smoothing: Annotated[
        float | None,
        typer.Option(help="In [0, 1); 0 for a teacher, who has more to tell so."),
    ] = None,
    patience: Annotated[
        int | None, typer.Option(help="Epochs without a better one before it ends.")
    ] = None,
    mixed_precision: Annotated[
        bool,
        typer.Option("--mixed-precision", help="float16 where it is safe; for GPUs."),
    ] = False,
    validation_split: options.ValidationSplit = 0.2,
    seed: options.Seed = 0,
    out: Annotated[
        pathlib.Path | None,
        typer.Option(help="Folder of the run; runs/NAME_OF_DIR by default."),
    ] = None,
    export_to: Annotated[
        pathlib.Path | None,
        typer.Option("--export", help="Write a SavedModel too, as `export` does."),
    ] = None,
    workers: Annotated[
        str | None,
        typer.Option(help="host:port of all workers, with commas; the chief first."),
    ] = None,
    index: Annotated[
        int | None, typer.Option(help="Place of this worker among them, from 0.")
    ] = None,
    strategy: Annotated[
        str, typer.Option(help="auto, mirrored, multi_worker, tpu or cpu:N.")
    ] = "auto",
    json_output: options.Json = False,
) -> None:
    """Train a classifier on a folder of pictures.

    The same command goes on where an interrupted one stopped.
    """
    if (workers is None) != (index is None):
        raise typer.BadParameter("--workers and --index go together.")
    if workers is not None:
        set_cluster([address.strip() for address in workers.split(",")], index)
    if class_weight not in (None, "balanced"):
        raise typer.BadParameter(f"--class-weight is 'balanced', not '{class_weight}'.")
    options.check_folder(folder)
    options.check_backbone(backbone)
    out = out or pathlib.Path("runs") / folder.resolve().name
    settings = {
        "backbone": backbone,
        "alpha": alpha,
        "weights": weights,
        "image size": image_size,
        "batch size": batch_size,
        "class weight": class_weight,
        "mixed precision": mixed_precision,
        "validation split": validation_split,
        "seed": seed,
    }
    load_tensorflow()
    import keras

    from tftransfer.cli.run_folder import claim
    from tftransfer.cli.run_folder import pictures_digest
    from tftransfer.distribute import is_chief
    from tftransfer.distribute import strategy as distribution
    from tftransfer.finetune import Classifier

    target = _free_version(export_to)
    if mixed_precision:
        keras.config.set_dtype_policy("mixed_float16")
    keras.utils.set_random_seed(seed)
    with distribution(strategy, say=say) as distributed:
        net, training, validation = options.net_and_folder(
            folder,
            backbone=backbone,
            alpha=alpha,
            weights=weights,
            image_size=image_size,
            batch_size=batch_size,
            validation_split=validation_split,
            seed=seed,
        )
        names = list(training.class_names)
        model = Classifier(net, len(names), class_names=names)
    chief = is_chief(distributed)
    if chief:
        digest = pictures_digest(folder, training, validation)
        claim(out / "checkpoint", settings | {"digest of the pictures": digest})
        say(
            f"{len(training.paths)} training and {len(validation.paths)} validation "
            f"pictures of {len(training.class_names)} classes."
        )
    history = _fitted(
        model,
        training,
        validation,
        out,
        epochs=epochs,
        head_epochs=head_epochs,
        learning_rate=learning_rate,
        frozen_until=frozen_until,
        augment=augment,
        class_weight=_weights(training, class_weight),
        label_smoothing=label_smoothing,
        patience=patience,
    )
    if not chief:
        return  # the chief measures, writes and answers
    settings = {"folder": str(folder), "augmentation": augment} | settings
    with working("Measuring on the validation pictures, writing the report ..."):
        results = _write(out, model, history, training, validation, settings)
    if target is not None:
        from tftransfer.serving import export

        results["files"]["saved_model"] = str(export(model, target).path)
    _answer(results, json_output)


def _free_version(export_to: pathlib.Path | None) -> pathlib.Path | None:
    """Return the folder to export to; raises now rather than after the training."""
    if export_to is None:
        return None
    from tftransfer.serving.versions import version_folder

    return version_folder(export_to)


def _fitted(model, training, validation, out: pathlib.Path, **fine_tune_options):
    from tftransfer.cli.progress import training_bar
    from tftransfer.cli.run_folder import has_epochs
    from tftransfer.finetune import fine_tune

    try:
        with training_bar() as bar:
            history = fine_tune(
                model,
                training,
                validation,
                checkpoint=out / "checkpoint",
                callbacks=[bar],
                verbose=0,
                say=say,
                **fine_tune_options,
            )
    except KeyboardInterrupt as error:
        if not has_epochs(out / "checkpoint"):
            raise Interrupted("No epoch was finished; nothing was kept.") from error
        path = written(out / "model.keras", model.save)
        raise Interrupted(
            f"The best finished epoch is in '{path}'. The same command goes on from "
            f"'{out / 'checkpoint'}'."
        ) from error
    return history


def _weights(training, class_weight: str | None) -> dict[int, float] | None:
    if class_weight is None:
        return None
    import numpy as np

    counts = np.bincount(training.labels)
    return {i: float(counts.sum() / (len(counts) * n)) for i, n in enumerate(counts)}


def _write(out, model, history, training, validation, settings) -> dict:
    """Write model, report, card and numbers; returns the numbers."""
    import dataclasses

    from tftransfer.report import environment
    from tftransfer.report import evaluate_classifier
    from tftransfer.report import write_model_card
    from tftransfer.report import write_report

    evaluation = evaluate_classifier(model, validation)
    plan = dataclasses.asdict(history.plan)
    settings = {k: v for k, v in (settings | plan).items() if v is not None}
    shared = {"settings": settings, "title": f"Classifier of {out.resolve().name}"}
    report = {"history": history, "train": training, **shared}
    files = {
        "model": written(out / "model.keras", model.save),
        "report": written(
            out / "report.html",
            lambda part: write_report(part, model, evaluation=evaluation, **report),
        ),
        "model_card": written(
            out / "model_card.md",
            lambda part: write_model_card(part, model, evaluation, **shared),
        ),
        "results": out / "results.json",
    }
    results = {
        "accuracy": evaluation.accuracy,
        "interval": list(evaluation.interval),
        "validation_pictures": evaluation.count,
        "best_epoch": history.best,
        "class_names": list(evaluation.class_names),
        "history": history.history,
        "settings": settings,
        "environment": environment(),
        "files": {name: str(path) for name, path in files.items()},
    }
    text = to_json(results)
    written(files["results"], lambda part: part.write_text(text, encoding="utf-8"))
    return results


def _answer(results: dict, as_json: bool) -> None:
    if as_json:
        answer_json(results)
        return
    low, high = results["interval"]
    answer(
        f"accuracy {results['accuracy']:.1%} on {results['validation_pictures']} "
        f"validation pictures (95 % interval {low:.1%} to {high:.1%})"
    )
    for name, path in results["files"].items():
        answer(f"{name.replace('_', ' '):12} {path}")
