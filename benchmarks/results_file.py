"""Where results go: raw numbers as JSON and a table beside them."""

import contextlib
import datetime
import importlib.metadata
import json
import os
import pathlib
import platform

_PEERS = (
    "openvino",
    "onnxruntime",
    "torch",
    "timm",
    "adapt",
    "skada",
    "POT",
    "mtcnn",
    "facenet-pytorch",
    "deepface",
    "faiss-cpu",
)
FOLDER = pathlib.Path(__file__).parent / "results"


def data_folder(name: str) -> pathlib.Path:
    """Return the folder of a data set, below TFTRANSFER_DATA or ../shared/data."""
    beside = pathlib.Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = pathlib.Path(os.environ.get("TFTRANSFER_DATA", beside)) / name
    if not folder.exists():
        raise SystemExit(f"{name} absent: set TFTRANSFER_DATA to the data's folder")
    return folder


def machine() -> dict:
    """Return what the numbers were measured on."""
    versions = {}
    for name in ("tensorflow", "keras", "numpy", "scikit-learn", "pillow", *_PEERS):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[name] = importlib.metadata.version(name)
    return {
        "date": datetime.date.today().isoformat(),
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "memory_gib": round(
            os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
        ),
        "python": platform.python_version(),
        **versions,
    }


def _cpu() -> str:
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor()


def write(name: str, raw: dict, table: str) -> None:
    """Write results/NAME.json and results/NAME.md, the machine named in both."""
    where = machine()
    FOLDER.mkdir(exist_ok=True)
    document = {"machine": where, **raw}
    (FOLDER / f"{name}.json").write_text(json.dumps(document, indent=1) + "\n")
    facts = ", ".join(f"{key} {value}" for key, value in where.items())
    (FOLDER / f"{name}.md").write_text(f"{table}\n\nMeasured with: {facts}.\n")
    print(table, flush=True)
