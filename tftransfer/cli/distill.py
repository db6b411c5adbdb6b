"""`tftransfer distill`: a trained model teaches a smaller one."""

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


def distill(
    teacher: Annotated[
        pathlib.Path,
        typer.Argument(help="A folder of `train`, or a .keras file of a Classifier."),
    ],
    folder: Annotated[
        pathlib.Path,
        typer.Argument(
            metavar="DIR",
            help="Pictures, one sub-folder per class; or without sub-folders, then the "
            "teacher alone teaches.",
            show_default=False,
        ),
    ],
    student: Annotated[
        str, typer.Option(help="Backbone of the student; see `tftransfer backbones`.")
    ] = "mobilenet",
    alpha: options.Alpha = None,
    weights: Annotated[
        str, typer.Option(help="'none', 'imagenet', or the path of a weight file.")
    ] = "none",
    image_size: Annotated[
        int | None,
        typer.Option(help="Side of the student's pictures; the teacher's by default."),
    ] = None,
    batch_size: options.BatchSize = 32,
    epochs: Annotated[
        int | None, typer.Option(help="Of each student; chosen by default.", min=1)
    ] = None,
    learning_rate: Annotated[
        float | None,
        typer.Option(help="Highest rate; 1e-3, or 3e-4 for pretrained students."),
    ] = None,
    temperature: Annotated[
        float, typer.Option(help="Of the softened class probabilities.")
    ] = 4.0,
    attention: Annotated[
        str | None,
        typer.Option(
            help="Match attention there, too: 'stage3,stage5', or "
            "'stage3:stage4' for the student's and the teacher's endpoint.",
        ),
    ] = None,
    jacobian: Annotated[
        bool, typer.Option("--jacobian", help="Match gradients of the pictures, too.")
    ] = False,
    augment: options.Augment = "light",
    no_plain: Annotated[
        bool, typer.Option("--no-plain", help="No second student without a teacher.")
    ] = False,
    views: Annotated[
        int | None,
        typer.Option(
            help="Augmented views that the teacher answers; 8 or more by default.",
            min=1,
        ),
    ] = None,
    cache: Annotated[
        pathlib.Path | None,
        typer.Option(help="Folder for the teacher's answers; memory by default."),
    ] = None,
    patience: Annotated[
        int | None, typer.Option(help="Epochs without a better one before it ends.")
    ] = None,
    validation_split: options.ValidationSplit = 0.2,
    seed: options.Seed = 0,
    out: Annotated[
        pathlib.Path | None,
        typer.Option(help="Folder of the run; runs/NAME_OF_DIR-distilled by default."),
    ] = None,
    json_output: options.Json = False,
) -> None:
    """Distil a trained model into a smaller one and say what the teacher gave.

    A second student learns without it, for comparison. The same command goes on where
    an interrupted one stopped.
    """
    file = options.keras_file(teacher)
    options.check_folder(folder)
    options.check_backbone(student)
    pairs = _pairs(attention)
    out = out or pathlib.Path("runs") / f"{folder.resolve().name}-distilled"
    if learning_rate is None:
        learning_rate = 1e-3 if weights == "none" else 3e-4
    load_tensorflow()
    from tftransfer.cli.distill_output import write_run
    from tftransfer.cli.distill_run import DistillRun
    from tftransfer.cli.distill_run import losses_of

    job = DistillRun(
        file,
        folder,
        out,
        student={
            "student": student,
            "alpha": alpha,
            "weights": weights,
            "image size": image_size,
        },
        reading={
            "batch_size": batch_size,
            "validation_split": validation_split,
            "seed": seed,
        },
        schedule={
            "epochs": epochs,
            "learning_rate": learning_rate,
            "augment": augment,
            "patience": patience,
        },
        losses=losses_of(temperature, pairs, jacobian),
    )
    job.claim()
    try:
        if job.labelled and not no_plain:
            job.train_plain()
        job.distill(views=views, cache="auto" if cache is None else cache)
    except KeyboardInterrupt as error:
        raise Interrupted(job.keep()) from error
    with working("Measuring on the validation pictures, writing the report ..."):
        results, table = write_run(job)
    if json_output:
        answer_json(results)
        return
    _answer(results, table)


def _pairs(text: str | None) -> list[tuple[str, str]]:
    """Return (student endpoint, teacher endpoint) of 'stage3,stage4:stage5'."""
    pairs = []
    for part in (text or "").split(","):
        ends = [end.strip() for end in part.split(":")]
        if text is None:
            break
        if len(ends) > 2 or not all(ends):
            raise typer.BadParameter(
                "--attention takes endpoints such as 'stage3,stage5', or "
                f"'stage3:stage4' for the student's and the teacher's; not '{text}'."
            )
        pairs.append((ends[0], ends[-1]))
    return pairs


def _answer(results: dict, table: str) -> None:
    answer_table(table)
    if results["verdict"]:
        answer(f"\n{results['verdict']['text']}\n")
    for name, path in results["files"].items():
        answer(f"{name.replace('_', ' '):12} {path}")
    if results["verdict"] and results["verdict"]["warning"]:
        say("warning: the distilled student is not better than the plain one.")
