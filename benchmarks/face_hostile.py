"""Hostile input to faces: what was thrown, what came of it, and at what memory.

    python benchmarks/face_hostile.py [--fuzzed 1000] [--damaged 300]

Needs the weights of MTCNN (extra `face`) and matplotlib, whose picture of Grace Hopper
is broken. Every picture goes through `as_photograph`, `MTCNN.detect_batch` and
`FaceRecognizer`'s `enroll`, `verify`, `find_all` and `identify_many`, on a gallery on
disk whose people are compared after each. Every damaged folder is opened and used. A
group is a process of its own, whose peak memory is read; one that hangs is ended.
"""

import argparse
import collections
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import numpy as np
from results_file import write

from tests.face import hostile_pictures
from tests.face import hostile_throws
from tests.face.hostile_throws import REFUSED
from tests.face.hostile_throws import RESULT

TIMEOUT = 1800  # seconds of a group
_ALLOWED = 9_400  # side of a square within the limit of pixels


def made(folder: pathlib.Path):
    """Return the recognizer of a new folder that knows three people, and a picture."""
    import keras

    from tftransfer.face import MTCNN
    from tftransfer.face import Embedder
    from tftransfer.face import FaceRecognizer

    keras.utils.set_random_seed(0)
    net = keras.Sequential(
        [
            keras.Input((32, 32, 3)),
            keras.layers.Rescaling(1 / 127.5, -1),
            keras.layers.Conv2D(16, 5, strides=4, activation="relu"),
            keras.layers.Flatten(),
            keras.layers.Dense(32),
        ]
    )
    embedder = Embedder.from_model(net, alignment="five_points")
    recognizer = FaceRecognizer.create(folder, MTCNN(), embedder)
    recognizer.threshold = 0.5
    recognizer.save_settings()
    known = np.asarray(hostile_pictures.hopper())
    recognizer.enroll("Grace", known)
    rows = np.random.default_rng(0).normal(size=(2, recognizer.embedder.dimension))
    recognizer.gallery.add_many(["Ada", "Zoë"], rows)
    return recognizer, known


def pictures_of(group: str, count: int):
    """Return pairs (name, picture) to throw."""
    files = hostile_pictures.originals(hostile_pictures.hopper())
    if group == "fuzzed pictures":
        return hostile_pictures.fuzzed(files, count)
    if group == "bombs":
        return hostile_pictures.bombs().items()
    if group == "whole pictures of all kinds":
        return files.items()
    if group == "a few pixels or lines":
        return hostile_pictures.thin().items()
    if group == "arrays and objects":
        return hostile_pictures.no_pictures().items()
    rows = hostile_pictures.zeros((4 * _ALLOWED + 1) * _ALLOWED)
    allowed = hostile_pictures.png(_ALLOWED, _ALLOWED, rows, colours=6)
    return [(f"RGBA of {_ALLOWED:,} x {_ALLOWED:,}", allowed)]


_THROWN = (
    "whole pictures of all kinds",
    "fuzzed pictures",
    "bombs",
    "a few pixels or lines",
    "arrays and objects",
    "the largest picture that is allowed",
)
_DAMAGED = {
    "gallery": "gallery/[!l]*",
    "recognizer.json": "recognizer.json",
    "embedder": "embedder/*",
}


def throw(group: str, count: int, folder: pathlib.Path) -> dict:
    recognizer, known = made(folder)
    hostile_throws.thrown(recognizer, known, known)  # all that is loaded late
    before = hostile_throws.people_in(recognizer.gallery)
    told, wrong, slowest, base = collections.Counter(), [], 0.0, _peak_mib()
    thrown = 0
    for name, picture in pictures_of(group, count):
        thrown += 1
        begin = time.perf_counter()
        found = hostile_throws.thrown(recognizer, picture, known)
        slowest = max(slowest, time.perf_counter() - begin)
        told.update(result for result in found.values() if result in (RESULT, REFUSED))
        wrong += [
            f"{name}: {entry}: {result}"
            for entry, result in found.items()
            if result not in (RESULT, REFUSED)
        ]
    recognizer.close()
    again = hostile_throws.opened(folder, known, before)
    wrong += [] if again == RESULT else [f"the folder afterwards: {again}"]
    return _row(thrown, told, wrong, slowest, base)


def damage(group: str, count: int, folder: pathlib.Path) -> dict:
    from tftransfer.face import MTCNN

    recognizer, known = made(folder)
    truth = hostile_throws.people_in(recognizer.gallery)
    recognizer.close()
    # The settings hold the detector's: there it is made anew.
    options = {} if group == "recognizer.json" else {"detector": MTCNN()}
    hostile_throws.opened(folder, known, truth, **options)
    told, wrong, slowest, base = collections.Counter(), [], 0.0, _peak_mib()
    for name, copy in hostile_throws.damaged(folder, _DAMAGED[group], count):
        begin = time.perf_counter()
        result = hostile_throws.opened(copy, known, truth, **options)
        slowest = max(slowest, time.perf_counter() - begin)
        told[result] += 1
        wrong += [] if result in (RESULT, REFUSED) else [f"{name}: {result}"]
        if group == "gallery":
            result = hostile_throws.salvaged(copy / "gallery", truth)
            told[result] += 1
            wrong += [] if result in (RESULT, REFUSED) else [f"{name}: {result}"]
    again = hostile_throws.opened(folder, known, truth, **options)
    wrong += [] if again == RESULT else [f"the folder afterwards: {again}"]
    return _row(count, told, wrong, slowest, base)


def _row(thrown, told, wrong, slowest, base) -> dict:
    return {
        "thrown": thrown,
        "results": told[RESULT],
        "refused": told[REFUSED],
        "wrong": wrong,
        "slowest_seconds": slowest,
        "base_mib": base,
        "peak_mib": _peak_mib(),
    }


def _peak_mib() -> float:
    # Not `ru_maxrss`: a child inherits its parent's.
    status = pathlib.Path("/proc/self/status").read_text()
    (line,) = (row for row in status.splitlines() if row.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def run(group: str, count: int) -> None:
    """Print the row of one group."""
    with tempfile.TemporaryDirectory() as holder:
        function = throw if group in _THROWN else damage
        print(json.dumps(function(group, count, pathlib.Path(holder) / "faces")))


def table(rows: dict) -> str:
    lines = [
        "Pictures: each goes through six functions, each of which gives a result or a "
        "clear error. Damaged folders: each opens with the same people or is refused; "
        "of a damaged gallery what is whole is then read. Wrong: another error, "
        "another gallery than before, changed files. Seconds: the slowest, all its "
        "functions together. Memory: the process before and at its peak.",
        "",
        "| thrown | how many | results | clear errors | wrong | slowest | MiB before | "
        "peak |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for group, row in rows.items():
        cells = f"{row['thrown']} | {row['results']} | {row['refused']}"
        cells += f" | {len(row['wrong'])} | {row['slowest_seconds']:.1f} s"
        cells += f" | {row['base_mib']:.0f} | {row['peak_mib']:.0f}"
        name = group if group in _THROWN else f"damaged {group}"
        lines.append(f"| {name} | {cells} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fuzzed", type=int, default=1000)
    parser.add_argument("--damaged", type=int, default=300)
    parser.add_argument("--group", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    counts = {group: arguments.fuzzed for group in _THROWN}
    counts |= {group: arguments.damaged for group in _DAMAGED}
    if arguments.group:
        run(arguments.group, counts[arguments.group])
        return
    rows = {}
    for group in counts:
        command = [sys.executable, __file__, "--group", group]
        command += ["--fuzzed", str(arguments.fuzzed)]
        command += ["--damaged", str(arguments.damaged)]
        done = subprocess.run(
            command, stdout=subprocess.PIPE, text=True, check=True, timeout=TIMEOUT
        )
        rows[group] = json.loads(done.stdout.splitlines()[-1])
        print(group, rows[group], flush=True)
    write("face_hostile", {"groups": rows}, table(rows))


if __name__ == "__main__":
    main()
