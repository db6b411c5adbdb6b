"""`tftransfer demo`: the main job on what ships, without a network, in two minutes."""

import io
import pathlib
from typing import Annotated

import typer

from tftransfer.cli.console import answer
from tftransfer.cli.console import answer_table
from tftransfer.cli.console import load_tensorflow
from tftransfer.cli.console import working

_TEST = 600
_FEW = 400
_STEPS = (
    """
The pictures: 1,797 scans of handwritten digits, 8x8 pixels, from scikit-learn.
The backbone: `tiny`, a small net that ships inside this package. It learnt on MNIST:
digits of other writers, 28x28 pixels. It has never seen the pictures used here.
""",
    """
1. Does transfer pay? Three strategies get the same 5, then 20 pictures of each digit,
   twice (two seeds), and are tested on {test} others:
   from scratch    the same net from random weights;
   linear probe    the backbone as it is, a linear classifier on its features;
   fine-tuned      a new head first, then all layers, the lower the more slowly.
""",
    """
2. Fine-tune one model on {few} pictures. What is not asked for is chosen from their
   number, and said:
""",
    """
3. Measure it on the {test} test pictures; write a report and a SavedModel that serves.
""",
    """
4. Ask the SavedModel, with TensorFlow alone and as a server would, what one PNG shows.
""",
)


def demo(
    out: Annotated[
        pathlib.Path, typer.Option(help="Folder to write to.")
    ] = pathlib.Path("tftransfer-demo"),
) -> None:
    """Compare three strategies on scikit-learn's digits, train, report and serve.

    The backbone is `tiny`, which learnt on MNIST and ships inside the package; the
    pictures are 8x8 scans of digits by other writers.
    """
    load_tensorflow()
    import tftransfer as tft

    x, y = _digits()
    train, test = (x[_TEST:], y[_TEST:]), (x[:_TEST], y[:_TEST])
    out.mkdir(parents=True, exist_ok=True)
    _tell(0)
    _tell(1)
    found = tft.compare(
        tft.Backbone("tiny"),
        train,
        test,
        sizes=(5, 20),
        seeds=2,
        augment="none",  # a mirrored digit is another one
    )
    answer_table(found.table())
    answer(f"\n{found.verdict}")
    plot = found.plot(out / "comparison.png")
    _tell(2)
    model, history = _fine_tuned((train[0][:_FEW], train[1][:_FEW]))
    _tell(3)
    with working("Measuring and writing ..."):
        evaluation = tft.write_report(
            out / "report.html",
            model,
            test,
            history=history,
            title="Digits, fine-tuned",
        )
        result = tft.export(model, out / "saved_models" / "digits")
    low, high = evaluation.interval
    answer(
        f"accuracy {evaluation.accuracy:.1%} on {evaluation.count} test pictures "
        f"(95 % interval {low:.1%} to {high:.1%})"
    )
    _tell(4)
    _ask(result.path, x[0], truth=y[0])
    answer(
        f"\nWritten:\n  {plot}\n  {out / 'report.html'}\n  {result.path}\n"
        "Next, with your own pictures, a sub-folder per class: `tftransfer train DIR`."
    )


def _tell(step: int) -> None:
    answer(_STEPS[step].format(few=_FEW, test=_TEST).rstrip())


def _digits():
    """Return scikit-learn's digits: uint8 (1797, 8, 8) in [0, 255], and labels."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    return (digits.images * (255 / 16)).astype("uint8"), digits.target


def _fine_tuned(few):
    """Return a `Classifier` of ten digits trained on `few`, and its history."""
    import keras

    import tftransfer as tft
    from tftransfer.cli.progress import training_bar

    keras.utils.set_random_seed(0)
    names = [str(digit) for digit in range(10)]
    model = tft.Classifier(tft.Backbone("tiny"), 10, class_names=names)
    with training_bar(lines=False) as bar:
        history = tft.fine_tune(
            model,
            few,
            epochs=8,
            augment="none",
            callbacks=[bar],
            verbose=0,
            say=answer,
        )
    return model, history


def _ask(folder: pathlib.Path, picture, *, truth: int) -> None:
    """Send one picture as PNG to the SavedModel, as a server would."""
    import tensorflow as tf
    from PIL import Image

    encoded = io.BytesIO()
    Image.fromarray(picture).save(encoded, "PNG")
    loaded = tf.saved_model.load(str(folder))
    found = loaded.signatures["serving_default"](
        image_bytes=tf.constant([encoded.getvalue()])
    )
    label, score = found["labels"][0, 0].numpy().decode(), float(found["scores"][0, 0])
    answer(f"It says {label} ({score:.1%}); it is {truth}.")
