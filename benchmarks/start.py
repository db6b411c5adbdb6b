"""How long the program takes to answer `--help`, and what it does not wait for.

    python benchmarks/start.py [--repeats 9]

Medians of processes of their own, after one warm-up each.
"""

import argparse
import statistics
import subprocess
import sys
import time

from results_file import write

COMMANDS = {
    "`tftransfer --help`": ["-m", "tftransfer.cli.main", "--help"],
    "`tftransfer backbones`": ["-m", "tftransfer.cli.main", "backbones"],
    "`import tftransfer`": ["-c", "import tftransfer"],
    "`import tensorflow`": ["-c", "import tensorflow"],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=9)
    repeats = parser.parse_args().repeats
    times = {}
    for name, command in COMMANDS.items():
        times[name] = []
        for _ in range(repeats + 1):
            begin = time.perf_counter()
            subprocess.run([sys.executable, *command], capture_output=True, check=True)
            times[name].append(time.perf_counter() - begin)
    rows = [f"| {n} | {statistics.median(t[1:]):.2f} |" for n, t in times.items()]
    write("start", {"seconds": times}, "\n".join(["| | seconds |", "|---|---|", *rows]))


if __name__ == "__main__":
    main()
