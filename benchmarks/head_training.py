"""Twenty epochs of head training against the loop of Keras' transfer-learning guide.

    python benchmarks/head_training.py [--repeats 3]

The guide (keras.io/guides/transfer_learning): frozen base called with training=False,
pooling, dropout, dense layer, `fit`. Same net (MobileNet 0.75), same pictures, Adam,
batch 32; the guide's pictures are decoded once and kept in memory by `.cache()`, ours
are read from the files. Tracing counts on both sides. Medians of alternating runs.
"""

import argparse
import os
import statistics
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
from results_file import data_folder
from results_file import write

import tftransfer as tft

EPOCHS = 20


def guide(folder) -> float:
    """Return the training accuracy of the guide's loop."""
    data = keras.utils.image_dataset_from_directory(
        folder, image_size=(224, 224), batch_size=32, seed=0, verbose=False
    )
    data = data.cache().prefetch(2)
    base = keras.applications.MobileNet(
        alpha=0.75, include_top=False, input_shape=(224, 224, 3)
    )
    base.trainable = False
    inputs = keras.Input((224, 224, 3))
    x = keras.layers.Rescaling(1 / 127.5, offset=-1)(inputs)
    x = keras.layers.GlobalAveragePooling2D()(base(x, training=False))
    outputs = keras.layers.Dense(2)(keras.layers.Dropout(0.2)(x))
    model = keras.Model(inputs, outputs)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(), loss, metrics=["accuracy"])
    history = model.fit(data, epochs=EPOCHS, verbose=0)
    return history.history["accuracy"][-1]


def ours(folder) -> float:
    """Return the training accuracy of `fine_tune`'s head phase."""
    data = tft.data.as_dataset(folder, image_size=224, shuffle=True)
    model = tft.Classifier(tft.Backbone("mobilenet", alpha=0.75), 2)
    history = tft.fine_tune(
        model, data, epochs=0, head_epochs=EPOCHS, verbose=0, say=None
    )
    return history.history["accuracy"][-1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    folder = data_folder("hymenoptera") / "train"
    times, accuracies = {"guide": [], "ours": []}, {}
    for _ in range(arguments.repeats):
        for name, run in {"guide": guide, "ours": ours}.items():
            keras.utils.set_random_seed(0)
            begin = time.perf_counter()
            accuracies[name] = run(folder)
            times[name].append(time.perf_counter() - begin)
            print(name, times[name][-1], accuracies[name], flush=True)
    medians = {name: statistics.median(values) for name, values in times.items()}
    table = "\n".join(
        [
            f"| {EPOCHS} epochs of head training, 245 pictures | seconds | "
            "training accuracy |",
            "|---|---|---|",
            f"| the guide's loop | {medians['guide']:.1f} | "
            f"{accuracies['guide']:.3f} |",
            f"| `fine_tune`, cached trunk | {medians['ours']:.1f} | "
            f"{accuracies['ours']:.3f} |",
            f"| times | {medians['guide'] / medians['ours']:.1f} | |",
        ]
    )
    write("head_training", {"seconds": times, "accuracy": accuracies}, table)


if __name__ == "__main__":
    main()
