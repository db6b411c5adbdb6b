"""Feature extraction against `keras.Model.predict` on the same nets, and its memory.

    python benchmarks/extraction.py [--repeats 5]

Speed: 256 pictures of 224x224 from memory, batch 32; the sides alternate, medians of
the repeats after one warm-up each; "openvino" is `extract(engine="openvino")`. Memory:
JPEG files on disk, in a process of its own per count, peak resident size.
"""

import argparse
import os
import resource
import statistics
import subprocess
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from results_file import data_folder
from results_file import write

NETS = ("mobilenet", "mobilenetv2", "resnet50", "efficientnetb0")
PICTURES, BATCH = 256, 32
COUNTS = (1000, 2000, 5000, 10_000)


def speed(repeats: int) -> list[dict]:
    import numpy as np

    import tftransfer as tft

    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 256, (PICTURES, 224, 224, 3), "uint8")
    rows = []
    for name in NETS:
        backbone = tft.Backbone(name, weights=None)
        extractor = tft.FeatureExtractor(backbone)
        as_float = pictures.astype("float32")
        sides = {
            "predict": lambda b=backbone, x=as_float: b.predict(
                x, batch_size=BATCH, verbose=0
            ),
            "extract": lambda e=extractor: e.extract(
                pictures, batch_size=BATCH, progress=False
            ),
            "openvino": lambda e=extractor: e.extract(
                pictures, batch_size=BATCH, progress=False, engine="openvino"
            ),
        }
        expected = sides["predict"]()
        # Relative: the activations of an untrained deep net may be tiny.
        differences = {
            side: float(np.abs(expected - run()).max() / np.abs(expected).max())
            for side, run in sides.items()
            if side != "predict"
        }
        times = {side: [] for side in sides}
        for _ in range(repeats):
            for side, run in sides.items():
                begin = time.perf_counter()
                run()
                times[side].append(time.perf_counter() - begin)
        rates = {s: PICTURES / statistics.median(t) for s, t in times.items()}
        rows.append({"net": name, "differences": differences, "seconds": times} | rates)
        print(rows[-1], flush=True)
    return rows


def memory(count: int) -> None:
    """Extract `count` pictures and print the peak in MiB: runs in its own process."""
    import tftransfer as tft

    files = sorted(str(p) for p in data_folder("flowers17").rglob("*.jpg"))
    paths = (files * (count // len(files) + 1))[:count]
    backbone = tft.Backbone(
        "mobilenet", alpha=0.25, weights=None, input_shape=(128, 128, 3)
    )
    begin = time.perf_counter()
    found = tft.FeatureExtractor(backbone).extract(paths, progress=False)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(peak, found.nbytes / 2**20, time.perf_counter() - begin)


def memory_rows() -> list[dict]:
    rows = []
    for count in COUNTS:
        command = [sys.executable, __file__, "--memory", str(count)]
        output = subprocess.run(command, capture_output=True, text=True, check=True)
        peak, result, seconds = map(float, output.stdout.split())
        rows.append(
            {"pictures": count, "peak_mib": peak, "result_mib": result, "s": seconds}
        )
        print(rows[-1], flush=True)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--memory", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.memory:
        memory(arguments.memory)
        return
    raw = {"memory": memory_rows(), "speed": speed(arguments.repeats)}
    lines = [
        "| net | `predict` images/s | `extract` | times | OpenVINO | times | "
        "largest relative difference |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in raw["speed"]:
        cells = "".join(
            f" {row[side]:.1f} | {row[side] / row['predict']:.2f} |"
            for side in ("extract", "openvino")
        )
        difference = max(row["differences"].values())
        lines.append(
            f"| {row['net']} | {row['predict']:.1f} |{cells} {difference:.0e} |"
        )
    lines += ["", "| pictures from files | peak MiB | of it features | seconds |"]
    lines += ["|---|---|---|---|"]
    for row in raw["memory"]:
        lines.append(
            f"| {row['pictures']} | {row['peak_mib']:.0f} | {row['result_mib']:.1f} | "
            f"{row['s']:.1f} |"
        )
    write("extraction", raw, "\n".join(lines))


if __name__ == "__main__":
    main()
