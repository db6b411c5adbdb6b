"""Whether TensorFlow's oneDNN switch should be on, as TensorFlow has it on x86 CPUs.

    python benchmarks/onednn.py [--repeats 3]

`predict` and `extract` on 128 pictures from memory in a process with
TF_ENABLE_ONEDNN_OPTS=0 and in one with 1, twice in turn; medians.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from extraction import BATCH
from extraction import pictures
from extraction import rates
from results_file import write

NETS = ("mobilenet", "mobilenetv2", "resnet50", "efficientnetb0")
PICTURES = 128
SIDES = ("predict", "extract")


def measure(repeats: int) -> None:
    """Print pictures per second as JSON: runs in a process of its own."""
    import tftransfer as tft

    images = pictures(PICTURES)
    found = {}
    for name in NETS:
        backbone = tft.Backbone(name, weights=None)
        extract = tft.FeatureExtractor(backbone).extract
        sides = {
            "predict": lambda b=backbone: b.predict(images, BATCH, verbose=0),
            "extract": lambda e=extract: e(images, progress=False),
        }
        measured = rates(sides, PICTURES, repeats)
        found[name] = {side: row["rate"] for side, row in measured.items()}
    print(json.dumps(found))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        measure(arguments.repeats)
        return
    raw = {"0": [], "1": []}
    command = [sys.executable, __file__, "--measure", f"--repeats={arguments.repeats}"]
    for value in ("0", "1", "0", "1"):
        environment = {**os.environ, "TF_ENABLE_ONEDNN_OPTS": value}
        done = subprocess.run(
            command, capture_output=True, text=True, check=True, env=environment
        )
        raw[value].append(json.loads(done.stdout.splitlines()[-1]))
        print(value, raw[value][-1], flush=True)
    lines = [
        "| net | predict, off | on | times | extract, off | on | times |",
        "|---|---|---|---|---|---|---|",
    ]
    for name in NETS:
        cells = []
        for side in SIDES:
            off, on = (
                statistics.mean(run[name][side] for run in raw[value])
                for value in ("0", "1")
            )
            cells += [f"{off:.1f}", f"{on:.1f}", f"{on / off:.2f}"]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    write("onednn", {"rates": raw}, "\n".join(lines))


if __name__ == "__main__":
    main()
