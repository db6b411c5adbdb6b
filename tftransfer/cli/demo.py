"""`tftransfer demo`: the main job on what ships, without a network, in two minutes."""

import io
import pathlib
from typing import Annotated

import typer

from tftransfer.cli.console import answer
from tftransfer.cli.console import load_tensorflow
from tftransfer.cli.console import say

_TEST = 600


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
    import keras

    import tftransfer as tft

    x, y = _digits()
    train, test = (x[_TEST:], y[_TEST:]), (x[:_TEST], y[:_TEST])
    names = [str(digit) for digit in range(10)]
    say("1. From scratch, linear probe or fine-tuned? Two seeds each.")
    found = tft.compare(
        tft.Backbone("tiny"),
        train,
        test,
        sizes=(5, 20),
        seeds=2,
        augment="none",  # a mirrored digit is another one
    )
    answer(found.table())
    answer(found.verdict)
    out.mkdir(parents=True, exist_ok=True)
    found.plot(out / "comparison.png")

    say("\n2. Fine-tune one model on 400 pictures.")
    keras.utils.set_random_seed(0)
    model = tft.Classifier(tft.Backbone("tiny"), 10, class_names=names)
    few = train[0][:400], train[1][:400]
    history = tft.fine_tune(model, few, epochs=8, augment="none", verbose=0, say=say)

    say("\n3. Report and SavedModel.")
    evaluation = tft.write_report(
        out / "report.html", model, test, history=history, title="Digits, fine-tuned"
    )
    result = tft.export(model, out / "saved_models" / "digits")
    low, high = evaluation.interval
    answer(
        f"accuracy {evaluation.accuracy:.1%} on {evaluation.count} test pictures "
        f"(95 % interval {low:.1%} to {high:.1%})"
    )
    _ask(result.path, x[0], names[y[0]])
    answer(
        f"\ncomparison {out / 'comparison.png'}\nreport     {out / 'report.html'}\n"
        f"SavedModel {result.path}"
    )


def _digits():
    """Return scikit-learn's digits: uint8 (1797, 8, 8) and labels."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    return (digits.images * (255 / 16)).astype("uint8"), digits.target


def _ask(folder: pathlib.Path, picture, truth: str) -> None:
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
    say("\n4. Ask the SavedModel, by TensorFlow alone, what one PNG shows.")
    answer(f"it says {label} ({score:.1%}); it is {truth}")
