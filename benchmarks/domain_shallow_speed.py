"""Seconds and memory of the shallow adapters beside adapt, skada and POT.

    python benchmarks/domain_shallow_speed.py [--sizes 1000 4000 16000] [--repeats 3]

N source and N target rows of 512 features, float32; `fit`, then both domains mapped.
Every cell is a process of its own: seconds are the median of its repeats, three or as
many as begin within 15 seconds; memory is what the peak grew by after imports and
data. A minute, imports and data included, or 20 GiB, and a cell says so.
Peers that are not installed are left out, and said to be. Peers run with their own
defaults but for the dimension (30) and the kernel of TCA (RBF); ours also with the
linear kernel, and its RBF takes 1,000 landmarks where peers take all 2 N rows.
Transport is POT in all three, to one tolerance in double precision; ours iterates in
logarithms.
"""

import argparse
import importlib.util
import json
import os
import resource
import statistics
import subprocess
import sys
import time

import numpy as np
from results_file import write

FEATURES, CLASSES, COMPONENTS = 512, 10, 30
SECONDS, ENOUGH, GIB = 60, 15, 20
METHODS = {
    "CORAL": ("tftransfer", "adapt", "skada"),
    "GFK": ("tftransfer",),
    "subspace alignment": ("tftransfer", "adapt", "skada"),
    "TCA, RBF": ("tftransfer", "adapt", "skada"),
    "TCA, linear": ("tftransfer",),
    "JDA, linear": ("tftransfer",),
    "transport": ("tftransfer", "POT", "skada"),
    "MMD, unbiased": ("tftransfer",),
}
MODULES = {"POT": "ot"}


def rows(size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return source, labels and target: two Gaussians with other covariances."""
    generator = np.random.default_rng(0)
    mixing = np.eye(FEATURES) + generator.normal(size=(FEATURES, FEATURES)) / 20
    X, X_target = generator.normal(size=(2, size, FEATURES))
    X, X_target = X @ mixing, X_target @ mixing.T + 0.3
    return X.astype("f4"), np.arange(size) % CLASSES, X_target.astype("f4")


def ours(method: str, X, y, X_target):
    """Return what runs `method` of tftransfer once."""
    import tftransfer.domain as domain

    if method == "MMD, unbiased":
        return lambda: domain.squared_mmd(X, X_target)
    adapter = {
        "CORAL": domain.CORAL(),
        "GFK": domain.GFK(COMPONENTS),
        "subspace alignment": domain.SubspaceAlignment(COMPONENTS),
        "TCA, RBF": domain.TCA(COMPONENTS, kernel="rbf"),
        "TCA, linear": domain.TCA(COMPONENTS),
        "JDA, linear": domain.JDA(COMPONENTS),
        "transport": domain.OptimalTransport(),
    }[method]

    def run():
        adapter.fit_transform(X, y, X_target=X_target)
        adapter.transform(X_target)

    return run


def adapts(method: str, X, y, X_target):
    """Return what runs `method` of adapt once."""
    from adapt import feature_based

    adapter = {
        "CORAL": lambda: feature_based.CORAL(verbose=0),
        "subspace alignment": lambda: feature_based.SA(
            n_components=COMPONENTS, verbose=0
        ),
        "TCA, RBF": lambda: feature_based.TCA(
            n_components=COMPONENTS, kernel="rbf", verbose=0
        ),
    }[method]()

    def run():
        adapter.fit_transform(X, X_target)
        adapter.transform(X_target, domain="tgt")

    return run


def skadas(method: str, X, y, X_target):
    """Return what runs `method` of skada once."""
    import skada

    adapter = {
        "CORAL": lambda: skada.CORALAdapter(),
        "subspace alignment": lambda: skada.SubspaceAlignmentAdapter(COMPONENTS),
        "TCA, RBF": lambda: skada.TransferComponentAnalysisAdapter(
            kernel="rbf", n_components=COMPONENTS
        ),
        "transport": lambda: skada.EntropicOTMappingAdapter(
            reg_e=0.1, norm="median", tol=1e-6
        ),
    }[method]()
    stacked = np.vstack([X, X_target])
    if method == "transport":
        stacked = stacked.astype(np.float64)
    domains = np.repeat([1, -2], [len(X), len(X_target)])

    def run():
        adapter.fit(stacked, sample_domain=domains)
        adapter.transform(stacked, sample_domain=domains, allow_source=True)

    return run


def pots(method: str, X, y, X_target):
    """Return what runs POT's own entropic transport once."""
    import ot

    source, target = X.astype(np.float64), X_target.astype(np.float64)

    def run():
        solver = ot.da.SinkhornTransport(reg_e=0.1, norm="median", tol=1e-6)
        solver.fit_transform(Xs=source, Xt=target)

    return run


LIBRARIES = {"tftransfer": ours, "adapt": adapts, "skada": skadas, "POT": pots}


def one(library: str, method: str, size: int, repeats: int) -> None:
    """Print seconds and peak MiB of one cell as JSON; runs in its own process."""
    data = rows(size)
    run = LIBRARIES[library](method, *data)
    LIBRARIES[library](method, *(part[:50] for part in data))()  # lazy imports
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    resource.setrlimit(resource.RLIMIT_AS, (GIB * 2**30, GIB * 2**30))
    seconds = []
    for _ in range(repeats):
        begin = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - begin)
        if sum(seconds) > ENOUGH:
            break
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    print(json.dumps({"seconds": seconds, "peak_mib": peak / 1024}))


def measure(library: str, method: str, size: int, repeats: int) -> dict:
    """Run one cell in a new process and return what it says, or why it does not."""
    command = [sys.executable, __file__, "--one", library, method, str(size)]
    command += ["--repeats", str(repeats)]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=SECONDS, env=environment
        )
    except subprocess.TimeoutExpired:
        return {"failed": f"over {SECONDS} s"}
    if done.returncode == 0:
        return json.loads(done.stdout.splitlines()[-1])
    if "MemoryError" in done.stderr:
        return {"failed": f"over {GIB} GiB"}
    return {"failed": (done.stderr.strip().splitlines() or ["killed"])[-1][:80]}


def cell(result: dict) -> str:
    if "failed" in result:
        return result["failed"]
    seconds = statistics.median(result["seconds"])
    return f"{seconds:.2f} s, {result['peak_mib']:.0f} MiB"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[1000, 4000, 16000])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=[*METHODS])
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        library, method, size = arguments.one
        return one(library, method, int(size), arguments.repeats)
    heads = [f"{size:,} + {size:,} rows" for size in arguments.sizes]
    lines = [f"| method | library | {' | '.join(heads)} |"]
    lines.append("|---" * (2 + len(heads)) + "|")
    raw, absent = [], set()
    for method in arguments.methods:
        for library in METHODS[method]:
            if not importlib.util.find_spec(MODULES.get(library, library)):
                absent.add(library)
                continue
            cells = []
            for size in arguments.sizes:
                result = measure(library, method, size, arguments.repeats)
                raw.append({"method": method, "library": library, "n": size, **result})
                cells.append(cell(result))
            lines.append(f"| {method} | {library} | {' | '.join(cells)} |")
            print(lines[-1], flush=True)
    if absent:
        lines.append(f"\nNot installed and left out: {', '.join(sorted(absent))}.")
    write("domain_shallow_speed", {"cells": raw}, "\n".join(lines))


if __name__ == "__main__":
    main()
