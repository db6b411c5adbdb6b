"""Who is it, of 1,000 people: detect, align, embed and search, beside deepface.

    taskset -c 0 python benchmarks/face_pipeline.py --net NET.keras [--repeats 9]

Needs `deepface`, `mtcnn` and a Keras model of aligned RGB faces in [0, 255], such as
MobileFaceNet. Both sides run the same nets: MTCNN with the weights and the thresholds
of mtcnn 1.0.0, and NET, which deepface gets as a client class of its own. deepface
turns faces by their eyes and cuts the box out, ours by five points.

Gallery: the first picture of each of the ten people of lfw10x10, each side's own
embedding of it, among random unit vectors, the same for both. Probes: the other
pictures, in memory as each side likes them best. Right: the largest face's nearest
enrolled person is the one shown.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
os.environ.setdefault("DEEPFACE_LOG_LEVEL", "40")
os.environ.setdefault("DEEPFACE_BACKEND_ENGINE", "tensorflow")

import numpy as np
from results_file import data_folder
from results_file import write

PEOPLE = 1000
TIMED = 2  # probes per person that are timed; all are scored
WARM_UP = 2
_CLOCKS = ("seconds", "cpu_seconds")  # per picture
SIDES = {
    "ours, OpenVINO": ("_ours", "openvino"),
    "ours, TensorFlow": ("_ours", "tensorflow"),
    "ours in batches, OpenVINO": ("_ours_many", "openvino"),
    "ours in batches, TensorFlow": ("_ours_many", "tensorflow"),
    "deepface, find": ("_deepface_find", None),
    "deepface, represent and a matrix product": ("_deepface_represent", None),
    "deepface, the same without alignment": ("_deepface_unaligned", None),
}


def pictures() -> tuple[dict, list, list]:
    """Return {person: picture to enroll}, probes and who they show; RGB uint8."""
    from tftransfer.face import as_photograph

    enrolled, probes, truth = {}, [], []
    for folder in sorted(data_folder("lfw10x10").iterdir()):
        if folder.is_dir():
            first, *others = map(as_photograph, sorted(folder.glob("*.jpg")))
            enrolled[folder.name] = first
            probes += others
            truth += [folder.name] * len(others)
    return enrolled, probes, truth


def strangers(count: int, dimension: int) -> np.ndarray:
    rows = np.random.default_rng(0).normal(size=(count, dimension))
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def side_named(name: str, net: str, enrolled: dict):
    """Return a function of prepared pictures -> names, and one that prepares them."""
    build, engine = SIDES[name]
    options = {} if engine is None else {"engine": engine}
    return globals()[build](net, enrolled, **options)


def _recognizer(net, enrolled, engine):
    import keras

    from tftransfer.face import MTCNN
    from tftransfer.face import Embedder
    from tftransfer.face import FaceRecognizer

    model = keras.saving.load_model(net, compile=False)
    found = FaceRecognizer(
        MTCNN(thresholds=(0.6, 0.7, 0.8), engine=engine),
        Embedder.from_model(model, alignment="five_points", engine=engine),
        threshold=0.3,
    )
    for name, picture in enrolled.items():
        found.enroll(name, picture)
    others = strangers(PEOPLE - len(enrolled), found.embedder.dimension)
    found.gallery.add_many([f"stranger {i}" for i in range(len(others))], others)
    return found


def _ours(net, enrolled, engine):
    recognizer = _recognizer(net, enrolled, engine)

    def run(probes):
        return [recognizer.identify(probe, k=1).candidates[0].name for probe in probes]

    return run, list


def _ours_many(net, enrolled, engine):
    recognizer = _recognizer(net, enrolled, engine)

    def run(probes):
        found = recognizer.identify_many(probes, k=1)
        return [result.found[0].candidates[0].name for result in found]

    return run, list


# deepface takes only its own names of models: the given net stands in for one of them.
_SAME = {"model_name": "ArcFace", "detector_backend": "mtcnn", "normalization": "raw"}


def _deepface(net: str):
    """Return deepface with `net` in the place of one of its models."""
    import keras
    from deepface import DeepFace
    from deepface.models.FacialRecognition import FacialRecognition
    from deepface.modules import modeling

    class GivenNet(FacialRecognition):
        def __init__(self):
            self.model = keras.saving.load_model(net, compile=False)
            self.model_name = _SAME["model_name"]
            self.input_shape = self.model.input_shape[1:3]
            self.output_shape = self.model.output_shape[-1]

        def forward(self, img):
            return super().forward(img[..., ::-1])  # deepface has BGR, the net RGB

    modeling.build_model("face_detector", "mtcnn")
    modeling.cached_models["facial_recognition"][_SAME["model_name"]] = GivenNet()
    return DeepFace


def _bgr(probes) -> list[np.ndarray]:
    return [np.ascontiguousarray(probe[..., ::-1]) for probe in probes]


def _largest(found: list[dict]) -> dict:
    return max(
        found, key=lambda face: face["facial_area"]["w"] * face["facial_area"]["h"]
    )


def _deepface_rows(deepface, enrolled, **options) -> tuple[list[str], np.ndarray]:
    rows = [
        _largest(deepface.represent(picture, **_SAME, **options))["embedding"]
        for picture in _bgr(enrolled.values())
    ]
    rows = np.array(rows)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    others = strangers(PEOPLE - len(rows), rows.shape[1])
    names = [*enrolled, *(f"stranger {i}" for i in range(len(others)))]
    return names, np.concatenate([rows, others])


def _deepface_find(net, enrolled):
    """Its `find` over its own file of embeddings, as for large databases."""
    deepface = _deepface(net)
    names, rows = _deepface_rows(deepface, enrolled)
    holder = tempfile.TemporaryDirectory()  # as long as `run` lives
    file = "ds_model_arcface_detector_mtcnn_aligned_normalization_raw_expand_0.npz"
    areas = {f"target_{side}": np.zeros(len(rows), np.int64) for side in "xywh"}
    np.savez(
        pathlib.Path(holder.name) / file,
        identity=np.array(names),
        hash=np.array([""] * len(rows)),
        embedding=rows,
        has_embedding=np.ones(len(rows), bool),
        **areas,
    )
    options = {"refresh_database": False, "return_type": "dict", "silent": True}
    options |= {"similarity_search": True, "k": 1}

    def run(probes):
        found = []
        for probe in probes:
            faces = deepface.find(probe, holder.name, **_SAME, **options)
            nearest = max(faces, key=lambda f: f[0]["source_w"] * f[0]["source_h"])
            found.append(str(nearest[0]["identity"]))
        return found

    return run, _bgr


def _deepface_represent(net, enrolled, **options):
    """Its embeddings, searched by hand: what its nets alone take."""
    deepface = _deepface(net)
    names, rows = _deepface_rows(deepface, enrolled, **options)

    def run(probes):
        found = []
        for probe in probes:
            face = _largest(deepface.represent(probe, **_SAME, **options))
            found.append(names[int((rows @ np.array(face["embedding"])).argmax())])
        return found

    return run, _bgr


def _deepface_unaligned(net, enrolled):
    return _deepface_represent(net, enrolled, align=False)


def measure(net: str, repeats: int) -> dict:
    """Return per side the seconds of each round, and how many probes are right."""
    enrolled, probes, truth = pictures()
    runs, ready, rows = {}, {}, {}
    for name in SIDES:
        runs[name], prepare = side_named(name, net, enrolled)
        ready[name] = prepare(probes)
        found = runs[name](ready[name])
        right = sum(one == other for one, other in zip(found, truth, strict=True))
        rows[name] = {"right": right, "probes": len(truth)}
        rows[name] |= {clock: [] for clock in _CLOCKS}
        print(name, rows[name], flush=True)
    each = len(truth) // len(enrolled)
    timed = [i for i in range(len(truth)) if i % each < TIMED]
    order = list(SIDES)
    for turn in range(repeats + WARM_UP):
        first = turn % len(order)
        for name in order[first:] + order[:first]:
            few = [ready[name][i] for i in timed]
            time.sleep(0.05)  # threads of the side before may still be spinning
            begin = time.perf_counter(), time.process_time()
            runs[name](few)
            end = time.perf_counter(), time.process_time()
            if turn >= WARM_UP:
                for clock, one, other in zip(_CLOCKS, begin, end):
                    rows[name][clock].append((other - one) / len(timed))
    return rows


def memory(net: str) -> dict:
    """Return the peak in MiB of a process that runs one side."""
    rows = {}
    for name in SIDES:
        command = [sys.executable, __file__, "--net", net, "--peak", name]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        rows[name] = json.loads(done.stdout.splitlines()[-1])
        print(name, rows[name], flush=True)
    return rows


def peak(name: str, net: str) -> None:
    enrolled, probes, _ = pictures()
    run, prepare = side_named(name, net, enrolled)
    run(prepare(probes))
    # Not `ru_maxrss`: a child inherits its parent's.
    status = pathlib.Path("/proc/self/status").read_text()
    (line,) = (row for row in status.splitlines() if row.startswith("VmHWM"))
    print(json.dumps(int(line.split()[1]) / 1024))


def table(raw: dict) -> str:
    lines = [
        f"One of {PEOPLE} people: detect, align, embed, search. Pictures of 250 x 250 "
        f"pixels in memory; {raw['cores']} core(s), every side alike. Milliseconds per "
        "picture of the processor's time, which other work on the machine hardly "
        "changes, and by the clock: medians of interleaved rounds. Rank-1 on all "
        "probes; peak of a process.",
        "",
        "deepface runs the same two nets, with its detector backend mtcnn. Where it "
        "aligns, it first adds a border of half the picture at each side, which makes "
        "four times the pixels to search, and turns faces by their eyes alone.",
        "",
        "| | processor ms | times ours | clock ms | right | peak MiB |",
        "|---|---|---|---|---|---|",
    ]
    medians = {
        name: [1000 * statistics.median(row[clock]) for clock in _CLOCKS]
        for name, row in raw["sides"].items()
    }
    ours = medians["ours, OpenVINO"][1]
    for name, row in raw["sides"].items():
        clock, processor = medians[name]
        times = f"{processor:.1f} | {processor / ours:.1f} | {clock:.1f}"
        right = f"{row['right']} of {row['probes']}"
        cells = f"{times} | {right} | {raw['memory'][name]:.0f}"
        lines.append(f"| {name} | {cells} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--net", required=True, help="a .keras file")
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--peak", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.peak:
        peak(arguments.peak, arguments.net)
        return
    raw = {
        "cores": len(os.sched_getaffinity(0)),
        # First: deepface sets variables of the environment that its own net fails with.
        "memory": memory(arguments.net),
        "sides": measure(arguments.net, arguments.repeats),
    }
    write("face_pipeline", raw, table(raw))


if __name__ == "__main__":
    main()
