"""Time and memory of `FeatureExtractor.extract` as the pictures grow in number.

    python benchmarks/growth.py

MobileNetV2 at 224 x 224, JPEG files of short side 256, a process per count, median of
3 runs in it; compiled before the clock starts.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from extraction import files
from results_file import write

COUNTS = (1000, 2000, 4000, 8000)
REPEATS = 3


def measure(count: int, engine: str) -> None:
    """Extract `count` files; print seconds and MiB as JSON: runs in its own process."""
    import tftransfer as tft

    backbone = tft.Backbone("mobilenetv2", weights=None)
    extractor = tft.FeatureExtractor(backbone)
    extractor.extract(files(64), progress=False, engine=engine)
    seconds = []
    for _ in range(REPEATS):
        begin = time.perf_counter()
        found = extractor.extract(files(count), progress=False, engine=engine)
        seconds.append(time.perf_counter() - begin)
    taken = {
        "s": statistics.median(seconds),
        "seconds": seconds,
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "result_mib": found.nbytes / 2**20,
    }
    print(json.dumps(taken))


def rows() -> list[dict]:
    found = []
    for engine in ("tensorflow", "openvino"):
        for count in COUNTS:
            command = [sys.executable, __file__, "--measure", f"{count}", engine]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            taken = json.loads(done.stdout.splitlines()[-1])
            found.append({"engine": engine, "pictures": count, **taken})
            print(found[-1], flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--measure", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        measure(int(arguments.measure[0]), arguments.measure[1])
        return
    raw = {"growth": rows()}
    lines = [
        "| engine | pictures | seconds | per 1,000 | peak MiB | of it features |",
        "|---|---|---|---|---|---|",
    ]
    for row in raw["growth"]:
        each = 1000 * row["s"] / row["pictures"]
        lines.append(
            f"| {row['engine']} | {row['pictures']} | {row['s']:.1f} | {each:.2f} | "
            f"{row['peak_mib']:.0f} | {row['result_mib']:.1f} |"
        )
    write("growth", raw, "\n".join(lines))


if __name__ == "__main__":
    main()
