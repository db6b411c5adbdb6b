"""Every export format of fine-tuned nets on flowers17: size, accuracy, time, loss.

    python benchmarks/export_formats.py [--seeds 3] [--timing]

MobileNet 0.75 fine-tuned with all defaults, one net per seed; int8 calibrated on 200
training pictures. Accuracy and agreement on the 340 test pictures, where nothing was
chosen. The loss is in points against the float Keras model over all seeds, with a 95 %
bootstrap interval over pictures (a picture keeps its answers of all seeds together).
Milliseconds: one picture per call by `Predictor`, median of 200, of the same net
untrained; `--timing` measures them alone and keeps the rest.
"""

import argparse
import json
import os
import pathlib
import statistics
import tempfile
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
from results_file import FOLDER
from results_file import data_folder
from results_file import write

FORMATS = {
    "SavedModel": ("net", None),
    "ONNX": ("net.onnx", None),
    "OpenVINO": ("net.xml", None),
    "OpenVINO float16": ("half.xml", "float16"),
    "LiteRT": ("net.tflite", None),
    "LiteRT float16": ("half.tflite", "float16"),
    "LiteRT int8": ("int8.tflite", "int8"),
}


def trained(seed: int):
    import keras

    import tftransfer as tft

    keras.utils.set_random_seed(seed)
    folder = data_folder("flowers17") / "train"
    train, validation = tft.data.from_folder(folder, validation_split=0.2, seed=seed)
    backbone = tft.Backbone("mobilenet", alpha=0.75)
    model = tft.Classifier(backbone, 17, class_names=train.class_names)
    tft.fine_tune(model, train, validation)
    return model


def test_pictures(class_names):
    import tftransfer as tft

    data = tft.data.as_dataset(
        data_folder("flowers17") / "val", image_size=224, class_names=class_names
    )
    images, labels = zip(*data)
    return np.concatenate(images), np.concatenate(labels)


def probabilities(predictor, images) -> np.ndarray:
    parts = [
        predictor.probabilities(images[start : start + 20])
        for start in range(0, len(images), 20)
    ]
    return np.concatenate(parts)


def milliseconds(predictor, images, calls: int = 200) -> float:
    taken = []
    for call in range(calls + 20):
        image = images[call % len(images)][None]
        begin = time.perf_counter()
        predictor.probabilities(image)
        taken.append(time.perf_counter() - begin)
    return 1000 * statistics.median(taken[20:])


def timings(folder: pathlib.Path) -> dict[str, float]:
    """Return {format: milliseconds of a picture}."""
    import tftransfer as tft

    backbone = tft.Backbone("mobilenet", alpha=0.75, weights=None)
    model = tft.Classifier(backbone, 17)
    model.save(folder / "net.keras")
    images = np.random.default_rng(0).integers(0, 256, (220, 224, 224, 3), "uint8")
    found = {}
    for name, (file, quantize) in {"Keras": ("net.keras", None), **FORMATS}.items():
        if name != "Keras":
            options = {"representative": images} if quantize == "int8" else {}
            tft.export(model, folder / file, quantize=quantize, **options)
        predictor = tft.Predictor(folder / file, pictures=1)
        found[name] = milliseconds(predictor, images)
        print(name, found[name], flush=True)
    return found


def measure(seed: int, folder: pathlib.Path) -> dict:
    """Return {format: what was found} of one net."""
    import tftransfer as tft

    model = trained(seed)
    images, labels = test_pictures(model.class_names)
    model.save(folder / "net.keras")
    representative = data_folder("flowers17") / "train"
    found = {}
    for name, (file, quantize) in {"Keras": ("net.keras", None), **FORMATS}.items():
        path = folder / file
        row = {"size_mb": path.stat().st_size / 1e6 if path.exists() else None}
        if name != "Keras":
            options = {"representative": representative} if quantize == "int8" else {}
            result = tft.export(model, path, quantize=quantize, **options)
            row = {
                "size_mb": result.size_mb,
                "float_layers": list(result.float_layers),
            }
        predictor = tft.Predictor(path, pictures=1)
        scores = probabilities(predictor, images)
        best = scores.argmax(axis=1)
        row["right"] = (best == labels).tolist()
        row["best"] = best.tolist()
        if name == "Keras":
            reference = scores
        row["largest_difference"] = float(np.abs(scores - reference).max())
        found[name] = row
        print(seed, name, np.mean(row["right"]), row["size_mb"], flush=True)
    return found


def loss_with_interval(right: np.ndarray, reference: np.ndarray) -> tuple:
    """Return points lost and the ends of a 95 % bootstrap interval.

    Args:
        right: (seeds, pictures) bool.
        reference: The same of the float model.
    """
    lost = 100.0 * (reference.astype(float) - right).mean(axis=0)
    rng = np.random.default_rng(0)
    draws = rng.integers(0, len(lost), (10_000, len(lost)))
    low, high = np.quantile(lost[draws].mean(axis=1), [0.025, 0.975])
    return float(lost.mean()), float(low), float(high)


def table(raw: dict) -> str:
    runs = list(raw["seeds"].values())
    lines = [
        "| format | MB | accuracy | points lost, 95 % interval | same class | "
        "largest difference | ms a picture |",
        "|---|---|---|---|---|---|---|",
    ]
    reference = np.array([run["Keras"]["right"] for run in runs])
    chosen = np.array([run["Keras"]["best"] for run in runs])
    for name in ("Keras", *FORMATS):
        right = np.array([run[name]["right"] for run in runs])
        same = (np.array([run[name]["best"] for run in runs]) == chosen).mean()
        accuracy = 100 * right.mean(axis=1)
        lost, low, high = loss_with_interval(right, reference)
        apart = max(run[name]["largest_difference"] for run in runs)
        lines.append(
            f"| {name} | {runs[0][name]['size_mb']:.2f} | "
            f"{accuracy.mean():.1f} ± {accuracy.std():.1f} % | "
            f"{lost:.2f} ({low:.2f} to {high:.2f}) | {100 * same:.1f} % | "
            f"{apart:.0e} | {raw['ms'][name]:.1f} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    raw = {"seeds": {}}
    parser.add_argument("--timing", action="store_true", help="keep the rest")
    arguments = parser.parse_args()
    if arguments.timing:
        raw = json.loads((FOLDER / "export_formats.json").read_text())
        del raw["machine"]
    else:
        for seed in range(arguments.seeds):
            with tempfile.TemporaryDirectory() as folder:
                raw["seeds"][seed] = measure(seed, pathlib.Path(folder))
    with tempfile.TemporaryDirectory() as folder:
        raw["ms"] = timings(pathlib.Path(folder))
    write("export_formats", raw, table(raw))


if __name__ == "__main__":
    main()
