"""Camera-size JPEGs to squares of 224: scaled decoding against decoding in full.

    python benchmarks/decoding.py [--repeats 7]

Twelve photographs enlarged to 12 megapixels (4000 x 3000) with noise, JPEG quality 90,
one thread, all sides in turn, medians. `ours` is `tft.data.decode_image`; `graph` the
decoder inside our SavedModels; the others decode every pixel and resize to the same
geometry.
"""

import argparse
import io
import os
import statistics
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
from PIL import Image
from results_file import data_folder
from results_file import write

SIZE, WIDTH, HEIGHT, COUNT = 224, 4000, 3000, 12


def photographs() -> list[bytes]:
    rng = np.random.default_rng(0)
    paths = sorted(data_folder("hymenoptera").rglob("*.jpg"))
    found = []
    for path in rng.choice(paths, COUNT, replace=False):
        image = Image.open(path).convert("RGB").resize((WIDTH, HEIGHT))
        noise = rng.normal(0, 4, (HEIGHT, WIDTH, 1))
        pixels = (np.asarray(image) + noise).clip(0, 255).astype("uint8")
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "JPEG", quality=90)
        found.append(buffer.getvalue())
    return found


def pillow_in_full(contents: bytes) -> np.ndarray:
    from tftransfer.data.decode import square

    image = Image.open(io.BytesIO(contents)).convert("RGB")
    return np.asarray(square(image, SIZE))


def tensorflow_in_full(contents: bytes) -> np.ndarray:
    import tensorflow as tf

    image = tf.io.decode_jpeg(contents, channels=3)
    short = round(SIZE * 256 / 224)
    size = (short, round(WIDTH * short / HEIGHT))
    image = tf.image.resize(image, size, antialias=True)
    return tf.image.resize_with_crop_or_pad(image, SIZE, SIZE).numpy()


def graph():
    import tensorflow as tf

    from tftransfer.serving.batches import decode_batch

    decode = tf.function(lambda contents: decode_batch(contents, image_size=SIZE)[0])
    return lambda contents: decode(tf.constant([contents]))[0].numpy()


def main() -> None:
    import tensorflow as tf

    from tftransfer.data import decode_image

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=7)
    repeats = parser.parse_args().repeats
    tf.config.threading.set_intra_op_parallelism_threads(1)
    pictures = photographs()
    sides = {
        "ours": lambda contents: decode_image(contents, image_size=SIZE),
        "graph": graph(),
        "Pillow in full": pillow_in_full,
        "TensorFlow in full": tensorflow_in_full,
    }
    expected = [pillow_in_full(p).astype(float) for p in pictures]
    rows = {side: [] for side in sides}
    for turn in range(repeats + 1):
        for side, decode in sides.items():
            begin = time.perf_counter()
            for contents in pictures:
                decode(contents)
            if turn:
                rows[side].append((time.perf_counter() - begin) / len(pictures))
    medians = {side: statistics.median(taken) for side, taken in rows.items()}
    lines = [
        "| decoder | ms a picture | times ours | mean difference of 255 from Pillow |",
        "|---|---|---|---|",
    ]
    differences = {}
    for side, seconds in medians.items():
        apart = [
            np.abs(sides[side](p).astype(float) - e).mean()
            for p, e in zip(pictures, expected)
        ]
        differences[side] = float(np.mean(apart))
        lines.append(
            f"| {side} | {1000 * seconds:.1f} | {seconds / medians['ours']:.1f} | "
            f"{differences[side]:.2f} |"
        )
    raw = {"seconds": rows, "differences": differences, "count": COUNT}
    write("decoding", raw, "\n".join(lines))


if __name__ == "__main__":
    main()
