"""Restyler on small digits in another look: source only, and redrawn first.

    python benchmarks/domain_restyling.py [--seeds 3] [--pages FOLDER]

Source: 900 of scikit-learn's digits, white on black, at 16 x 16. Target: 897 others,
|background - digit| over a ramp of orange, or over patches of the two photographs that
scikit-learn ships; 700 train without labels, 197 are scored. One setting, of which
nothing was tuned: U-Net of 32 and 64 filters, patches judged after two halvings, Adam
1e-3 with the paper's beta_1 of 0.5, 40 epochs, all weights 1. `--pages` keeps each
run's report.
"""

import argparse
import os
import pathlib

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
from results_file import write
from sklearn.datasets import load_digits
from sklearn.datasets import load_sample_images

import tftransfer as tft
from tftransfer.domain import Restyler
from tftransfer.domain import encoder_decoder
from tftransfer.domain import patch_discriminator
from tftransfer.report import write_restyling_report

SIDE, EPOCHS, BATCH = 16, 40, 32
SOURCE, TRAINING = 900, 700


def ramp(rng) -> np.ndarray:
    """Return orange, from dark above to light below."""
    light = np.linspace(0.3, 0.9, SIDE, dtype="float32")[:, None, None]
    orange = np.array([255, 153, 77], "float32")
    return np.broadcast_to(light * orange, (SIDE, SIDE, 3))


def domains(seed: int, background) -> tuple:
    """Return source pictures and labels, target pictures and labels, in [0, 255]."""
    x, y = load_digits(return_X_y=True)
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(x))
    digits = np.kron(x[order].reshape(-1, 8, 8), np.ones((2, 2)))[..., None] * 255 / 16
    digits = np.repeat(digits, 3, axis=-1).astype("float32")
    target = np.stack([np.abs(background(rng) - each) for each in digits[SOURCE:]])
    return digits[:SOURCE], y[order[:SOURCE]], target, y[order[SOURCE:]]


def patch(rng) -> np.ndarray:
    """Return a float32 patch of a photograph, half its sides as there are pixels."""
    images = load_sample_images().images
    image = images[rng.integers(len(images))]
    top, left = (rng.integers(side - 2 * SIDE) for side in image.shape[:2])
    found = image[top : top + 2 * SIDE, left : left + 2 * SIDE].astype("float32")
    return found.reshape(SIDE, 2, SIDE, 2, 3).mean(axis=(1, 3))


BACKGROUNDS = {"ramp": ramp, "photographs": patch}


def classifier() -> keras.Model:
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((SIDE, SIDE, 3)),
            layers.Rescaling(1 / 255),
            layers.Conv2D(16, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(32, 3, activation="relu"),
            layers.Flatten(),
            layers.Dense(10),
        ]
    )


def run(seed: int, name: str, pages: pathlib.Path) -> dict:
    """Return what the report of one seed and background says."""
    keras.utils.set_random_seed(seed)
    source, labels, target, true = domains(seed, BACKGROUNDS[name])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    net = classifier()
    net.compile(keras.optimizers.Adam(1e-3), loss)
    net.fit(source, labels, epochs=30, batch_size=BATCH, verbose=0)
    shape = (SIDE, SIDE, 3)
    generator = encoder_decoder(shape, filters=(32, 64))
    model = Restyler(generator, patch_discriminator(shape), net, scale=255.0)
    model.compile(keras.optimizers.Adam(1e-3, beta_1=0.5), loss)
    reading = {"image_size": SIDE, "batch_size": BATCH, "shuffle": True, "seed": seed}
    pairs = tft.data.pair_domains(
        tft.data.as_dataset((source, labels), **reading),
        tft.data.as_dataset(target[:TRAINING], **reading),
    )
    history = model.fit(pairs, epochs=EPOCHS, verbose=0)
    path = pages / f"{name}-{seed}.html"
    scored = [(target[TRAINING:], true[TRAINING:])]
    return write_restyling_report(
        path, model, scored, source=[source[:6]], history=history
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--pages", type=pathlib.Path, default="runs/domain_restyling")
    arguments = parser.parse_args()
    found = {
        name: [run(seed, name, arguments.pages) for seed in range(arguments.seeds)]
        for name in BACKGROUNDS
    }
    lines = ["| digits over | classified | accuracy, % | each seed | information |"]
    lines.append("|---|---|---|---|---|")
    for background, runs in found.items():
        for name in ("as they are", "redrawn"):
            values = [100 * each[name]["oracle_accuracy"] for each in runs]
            told = np.mean([each[name]["information"] for each in runs])
            spread = f"{np.mean(values):.1f} ± {np.std(values, ddof=1):.1f}"
            each = ", ".join(f"{value:.1f}" for value in values)
            lines.append(f"| {background} | {name} | {spread} | {each} | {told:.2f} |")
    write("domain_restyling", {"runs": found}, "\n".join(lines))


if __name__ == "__main__":
    main()
