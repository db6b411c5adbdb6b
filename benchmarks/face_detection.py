"""MTCNN beside mtcnn 1.0.0 and facenet-pytorch: the same faces, how fast, how much.

    python benchmarks/face_detection.py [--repeats 9]

Needs `mtcnn`, `facenet-pytorch`, `torch` and `torchvision`; `scikit-image` for the
astronaut. Agreement: every face of mtcnn 1.0.0 with its default thresholds on lfw10x10,
dlib_faces and the astronaut. Recall and precision: against the boxes of dlib_faces at
overlap 0.5, all sides with thresholds 0.6, 0.7, 0.7. Speed: all sides take turns in one
process with one oneDNN setting, pictures in memory as each side likes them best;
medians after two rounds. Memory: the peak of a process that loads one side and runs it.
"""

import argparse
import contextlib
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time
import xml.etree.ElementTree

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

import numpy as np
from PIL import Image
from results_file import data_folder
from results_file import write

THRESHOLDS = (0.6, 0.7, 0.7)
OURS = {"ours, OpenVINO": "openvino", "ours, TensorFlow": "tensorflow"}
PEERS = ("mtcnn", "facenet-pytorch")
GROUP = "2007_007763.jpg"  # 7 faces
WARM_UP = 2


def sides(names=(*OURS, *PEERS)) -> dict:
    """Return {side: function of a list of RGB pictures -> (n, 5) boxes of each}."""
    found = {}
    for name in names:
        if name in OURS:
            found[name] = _ours(OURS[name])
        else:
            found[name] = {"mtcnn": _mtcnn, "facenet-pytorch": _facenet}[name]()
    return found


def _ours(engine: str):
    from tftransfer.face import MTCNN

    detector = MTCNN(thresholds=THRESHOLDS, engine=engine)

    def run(pictures):
        return [
            np.array([[*face.box, face.probability] for face in faces]).reshape(-1, 5)
            for faces in detector.detect_batch(pictures)
        ]

    return run


def _mtcnn():
    import mtcnn

    detector = mtcnn.MTCNN()
    options = {"threshold_onet": THRESHOLDS[2], "output_type": "numpy"}

    # A list would be padded to its largest picture: slower, and with other faces.
    def run(pictures):
        found = [
            detector.detect_faces(picture, box_format="xyxy", **options)
            for picture in pictures
        ]
        return [faces[:, 1:6] for faces in found]

    return run


def _facenet():
    from torchvision_nms import facenet_mtcnn

    detector = facenet_mtcnn()(keep_all=True, thresholds=list(THRESHOLDS))

    # It takes lists of one size only.
    def run(pictures):
        found = []
        for picture in pictures:
            boxes, scores = detector.detect(picture)
            rows = [] if boxes is None else np.column_stack([boxes, scores])
            found.append(np.array(rows, "float64").reshape(-1, 5))
        return found

    return run


def photographs() -> dict:
    """Return the pictures that sides are compared on, by name."""
    from tftransfer.face import as_photograph

    found = {}
    for name in ("lfw10x10", "dlib_faces"):
        folder = data_folder(name)
        for path in sorted(folder.rglob("*.jpg")):
            found[f"{name}/{path.name}"] = as_photograph(path)
    with contextlib.suppress(ImportError):
        from skimage import data

        found["astronaut"] = data.astronaut()
    return found


def agreement() -> dict:
    """Return how far our faces are from mtcnn 1.0.0's, both with its thresholds."""
    import mtcnn

    from tftransfer.face import MTCNN
    from tftransfer.face.detection.suppression import overlaps

    pictures = photographs()
    peer = mtcnn.MTCNN()
    rows = {}
    for side, engine in OURS.items():
        detector = MTCNN(thresholds=(0.6, 0.7, 0.8), engine=engine)
        shares, distances, counts = [], [], [0, 0]
        for picture in pictures.values():
            ours = detector.detect(picture)
            theirs = peer.detect_faces(picture, output_type="numpy", box_format="xyxy")
            counts = [counts[0] + len(ours), counts[1] + len(theirs)]
            boxes = np.array([face.box for face in ours]).reshape(-1, 4)
            for row in theirs:
                share = overlaps(row[None, 1:5], boxes)[0]
                points = np.stack([row[6:11], row[11:16]], axis=1)
                nearest = ours[share.argmax()].landmarks
                shares.append(float(share.max()))
                distances.append(float(np.abs(nearest - points).max()))
        rows[side] = {
            "pictures": len(pictures),
            "faces": counts[0],
            "faces of mtcnn": counts[1],
            "least overlap": min(shares),
            "farthest landmark": max(distances),
        }
        print(side, rows[side], flush=True)
    return rows


def recall() -> dict:
    """Return true and false faces of each side on dlib_faces, by its boxes."""
    from tftransfer.face import as_photograph
    from tftransfer.face.detection.suppression import overlaps

    folder = data_folder("dlib_faces")
    tree = xml.etree.ElementTree.parse(folder / "training_with_face_landmarks.xml")
    truth, pictures = [], []
    for image in tree.iter("image"):
        sizes = [
            [float(box.get(k)) for k in ("left", "top", "width", "height")]
            for box in image.iter("box")
        ]
        left, top, width, height = np.array(sizes).T
        truth.append(np.stack([left, top, left + width, top + height], axis=1))
        pictures.append(as_photograph(folder / image.get("file")))
    rows = {}
    for side, run in sides().items():
        hits = found = 0
        for boxes, faces in zip(truth, run(pictures)):
            share = overlaps(boxes, faces[:, :4])
            # One face per box: the pair that overlaps most goes first.
            while share.size and share.max() >= 0.5:
                box, face = np.unravel_index(share.argmax(), share.shape)
                share[box], share[:, face] = 0, 0
                hits += 1
            found += len(faces)
        boxes = sum(map(len, truth))
        rows[side] = {"boxes": boxes, "found": found, "right": hits}
        print(side, rows[side], flush=True)
    return rows


def jobs() -> dict:
    """Return the pictures of each timing: a group picture cut and enlarged."""
    folder = data_folder("dlib_faces")
    group = Image.open(folder / GROUP).convert("RGB")  # 500 x 375
    square = group.crop((90, 0, 465, 375)).resize((512, 512), Image.Resampling.BICUBIC)
    wide = group.crop((0, 47, 500, 328)).resize((1920, 1080), Image.Resampling.BICUBIC)
    mixed = [
        np.asarray(image.resize([round(side * scale) for side in image.size]))
        for image in (Image.open(path).convert("RGB") for path in folder.glob("*.jpg"))
        for scale in (0.5, 0.8, 1.2, 1.6)
    ]
    return {
        "512 x 512": [np.asarray(square)],
        "1920 x 1080": [np.asarray(wide)],
        "16 of mixed sizes": mixed,
    }


def speed(repeats: int) -> dict:
    runs = sides()
    rows = {}
    for job, pictures in jobs().items():
        seconds = {side: [] for side in runs}
        order = list(runs)
        for turn in range(repeats + WARM_UP):
            # Threads of the side before may still be spinning: nobody is always second.
            first = turn % len(order)
            for side in order[first:] + order[:first]:
                time.sleep(0.05)
                begin = time.perf_counter()
                found = runs[side](pictures)
                seconds[side].append(time.perf_counter() - begin)
                rows.setdefault(job, {}).setdefault(side, {})["faces"] = sum(
                    map(len, found)
                )
        for side, taken in seconds.items():
            rows[job][side]["seconds"] = taken[WARM_UP:]
            rows[job][side]["median"] = statistics.median(taken[WARM_UP:])
        print(job, {k: row["median"] for k, row in rows[job].items()}, flush=True)
    return rows


def memory() -> dict:
    """Return the peak in MiB of a process per side and job."""
    rows = {}
    for job in jobs():
        for side in (*OURS, *PEERS):
            command = [sys.executable, __file__, "--peak", side, job]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            peak = json.loads(done.stdout.splitlines()[-1])
            rows.setdefault(job, {})[side] = peak
        print(job, rows[job], flush=True)
    return rows


def peak(side: str, job: str) -> None:
    """Print the peak of this process: before the pictures, and after three rounds."""
    (run,) = sides([side]).values()
    pictures = jobs()[job]
    loaded = _peak_mib()
    for _ in range(3):
        run(pictures)
    print(json.dumps({"loaded": loaded, "whole": _peak_mib()}))


def _peak_mib() -> float:
    # Not `ru_maxrss`: a child inherits its parent's.
    status = pathlib.Path("/proc/self/status").read_text()
    (line,) = (row for row in status.splitlines() if row.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def tables(raw: dict) -> str:
    names = (*OURS, *PEERS)
    lines = ["Faces of mtcnn 1.0.0 with its thresholds, found by ours.", ""]
    lines += ["| | pictures | faces | mtcnn's | least overlap | farthest landmark |"]
    lines += ["|---|---|---|---|---|---|"]
    for side, row in raw["agreement"].items():
        share, far = row["least overlap"], row["farthest landmark"]
        counts = f"{row['pictures']} | {row['faces']} | {row['faces of mtcnn']}"
        lines.append(f"| {side} | {counts} | {share:.5f} | {far:.4f} px |")
    lines += ["", "Against the boxes of dlib_faces, overlap 0.5, thresholds 0.6, 0.7, "]
    lines[-1] += "0.7."
    lines += ["", "| | boxes | found | right | recall | precision |"]
    lines += ["|---|---|---|---|---|---|"]
    for side, row in raw["recall"].items():
        shares = [row["right"] / row["boxes"], row["right"] / row["found"]]
        counts = f"{row['boxes']} | {row['found']} | {row['right']}"
        lines.append(f"| {side} | {counts} | {shares[0]:.3f} | {shares[1]:.3f} |")
    lines += ["", "Milliseconds, medians; in brackets how many times as long as ours."]
    lines += ["", "| | faces | " + " | ".join(names) + " |"]
    lines += ["|" + "---|" * (len(names) + 2)]
    for job, row in raw["speed"].items():
        ours = [row[side]["median"] for side in OURS]
        cells = [f"{1000 * row[side]['median']:.0f}" for side in OURS]
        for side in PEERS:
            times = " and ".join(f"{row[side]['median'] / own:.1f}" for own in ours)
            cells.append(f"{1000 * row[side]['median']:.0f} ({times})")
        faces = ", ".join(str(row[side]["faces"]) for side in names)
        lines.append(f"| {job} | {faces} | {' | '.join(cells)} |")
    lines += ["", "Peak memory in MiB, of which for detecting beyond loading."]
    lines += ["", "| | " + " | ".join(names) + " |", "|" + "---|" * (len(names) + 1)]
    for job, row in raw["memory"].items():
        cells = [
            f"{row[side]['whole']:.0f} ({row[side]['whole'] - row[side]['loaded']:.0f})"
            for side in names
        ]
        lines.append(f"| {job} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--peak", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.peak:
        peak(*arguments.peak)
        return
    raw = {"speed": speed(arguments.repeats), "memory": memory()}
    raw |= {"agreement": agreement(), "recall": recall()}
    write("face_detection", raw, tables(raw))


if __name__ == "__main__":
    main()
