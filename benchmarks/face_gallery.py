"""Search of a face gallery beside faiss' exact index: time and memory.

1,000, 100,000 and 1,000,000 people of one embedding of 512 numbers, on disk. Search of
the 5 most similar people, for 1 and for 100 probes, by NumPy, by the gallery with
`index="faiss"` and by `faiss.IndexFlatIP` itself: the three in turn, medians. Then
opening, adding one person and removing one. One thread each, so that a machine that
others use measures the libraries. Needs 8 GiB of memory and 4 GiB of disk. With
`--people` sizes are measured one by one; the others stay in the results.
"""

import argparse
import gc
import json
import pathlib
import statistics
import tempfile
import time
from functools import partial

import faiss
import numpy as np
from results_file import FOLDER
from results_file import write
from threadpoolctl import threadpool_limits

from tftransfer.face import Gallery

_DIMENSION = 512
_K = 5


def main():
    """Measure every size and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--people", type=int, nargs="*", default=[10**3, 10**5, 10**6])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    raw = {"dimension": _DIMENSION, "k": _K, "threads": arguments.threads}
    raw |= {"faiss": faiss.__version__}
    earlier = FOLDER / "face_gallery.json"
    sizes = json.loads(earlier.read_text())["sizes"] if earlier.exists() else []
    for people in arguments.people:
        with threadpool_limits(arguments.threads):
            new = measured(people, arguments.rounds)
        sizes = sorted(
            [new, *(size for size in sizes if size["people"] != people)],
            key=lambda size: size["people"],
        )
        write("face_gallery", raw | {"sizes": sizes}, table(sizes, arguments.threads))


def measured(people: int, rounds: int) -> dict:
    """Return what one size takes, times in seconds and memory in MiB."""
    random = np.random.default_rng(0)
    rows = random.standard_normal((people, _DIMENSION), dtype=np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    chosen = random.integers(people, size=100)
    noise = random.standard_normal((100, _DIMENSION), dtype=np.float32)
    probes = rows[chosen] + 0.05 * noise
    probes /= np.linalg.norm(probes, axis=1, keepdims=True)
    names = [f"person {i}" for i in range(people)]
    with tempfile.TemporaryDirectory() as folder:
        found = _filling(pathlib.Path(folder) / "gallery", names, rows)
        found |= {"people": people, **_memory_of_faiss(rows)}
        del rows
        times = 3 if people < 10**6 else 1
        gallery, taken = _opened(pathlib.Path(folder) / "gallery", times)
        found |= taken
        index = faiss.IndexFlatIP(_DIMENSION)
        index.add(_all_rows(gallery))
        found |= _searches(gallery, index, probes, rounds)
        found |= _changes(pathlib.Path(folder) / "gallery", rounds)
    return found


def _filling(folder, names, rows) -> dict:
    with Gallery.open(folder, dimension=_DIMENSION, fingerprint="benchmark") as gallery:
        _, seconds = _timed(lambda: gallery.add_many(names, rows))
    files = sum(path.stat().st_size for path in folder.iterdir())
    return {"adding all": seconds, "on disk": files / 2**20}


def _memory_of_faiss(rows) -> dict:
    before = _resident("VmRSS")
    index = faiss.IndexFlatIP(_DIMENSION)
    _, seconds = _timed(lambda: index.add(rows))
    return {"faiss building": seconds, "faiss memory": _resident("VmRSS") - before}


def _opened(folder, times: int) -> tuple[Gallery, dict]:
    seconds = []
    for _ in range(times):
        gallery = None
        gc.collect()
        before = _resident("VmRSS")
        gallery, taken = _timed(lambda: Gallery.open(folder, read_only=True))
        seconds.append(taken)
    memory = _resident("VmRSS") - before
    return gallery, {"opening": statistics.median(seconds), "memory": memory}


def _all_rows(gallery: Gallery) -> np.ndarray:
    return np.concatenate([part.rows for part in gallery._rows.parts()])


def _searches(gallery, index, probes, rounds) -> dict:
    found = {}
    for count in (1, 100):
        asked = probes[:count]
        ways = {
            "numpy": partial(_search, gallery, "numpy", asked),
            "gallery with faiss": partial(_search, gallery, "faiss", asked),
            "IndexFlatIP": partial(index.search, asked, _K),
        }
        _reset_peak()
        before = _resident("VmRSS")
        ways["numpy"]()
        found[f"peak of {count}"] = _resident("VmHWM") - before
        _check_equal(ways)
        large = count * len(gallery) > 10**7
        found[f"search of {count}"] = _interleaved(
            ways, min(rounds, 3) if large else rounds
        )
    return found


def _search(gallery, index, probes):
    gallery.index = index
    return gallery.search(probes, k=_K)


def _check_equal(ways) -> None:
    """Stop where the ways do not find the same people."""
    similarities, names = ways["numpy"]()
    others, same = ways["gallery with faiss"]()
    products, rows = ways["IndexFlatIP"]()
    found = [[f"person {row}" for row in line] for line in rows]
    np.testing.assert_array_equal(names, same)
    np.testing.assert_array_equal(names, np.array(found, object))
    np.testing.assert_allclose(similarities, others, atol=1e-5)
    np.testing.assert_allclose(similarities, products, atol=1e-5)


def _interleaved(ways, rounds) -> dict:
    seconds = {name: [] for name in ways}
    order = list(ways)
    for turn in range(rounds):
        for name in order[turn % 3 :] + order[: turn % 3]:
            time.sleep(0.05)  # threads of the other library still wait for work
            seconds[name].append(_timed(ways[name])[1])
    return {
        name: {"median": statistics.median(s), "least": min(s), "most": max(s)}
        for name, s in seconds.items()
    }


def _changes(folder, rounds) -> dict:
    adding, removing = [], []
    with Gallery.open(folder) as gallery:
        for i in range(rounds):
            row = np.random.default_rng(i).normal(size=_DIMENSION)
            name = f"new {i}"
            adding.append(_timed(lambda n=name, r=row: gallery.add(n, r))[1])
            taken = _timed(lambda n=f"person {i}": gallery.remove(n))[1]
            removing.append(taken)
    return {
        "adding one": statistics.median(adding),
        "removing one": statistics.median(removing),
    }


def _timed(work):
    start = time.perf_counter()
    result = work()
    return result, time.perf_counter() - start


def _resident(what: str) -> float:
    """Return the process's memory, or its peak, in MiB."""
    for line in pathlib.Path("/proc/self/status").read_text().splitlines():
        if line.startswith(what):
            return int(line.split()[1]) / 1024
    raise SystemExit("needs Linux' /proc/self/status")


def _reset_peak() -> None:
    pathlib.Path("/proc/self/clear_refs").write_text("5")


def table(sizes: list[dict], threads: int) -> str:
    """Return the results in Markdown."""
    lines = [
        f"Search of the {_K} most similar people, embeddings of {_DIMENSION} numbers, "
        "all exact and the same people found; medians in ms (least to most), the ways "
        f"in turn, {threads} thread{'s' * (threads > 1)} each.",
        "",
        "| people | probes | Gallery (NumPy) | Gallery (faiss) | faiss.IndexFlatIP |",
        "|---|---|---|---|---|",
    ]
    for size in sizes:
        for count in (1, 100):
            cells = [
                f"{1e3 * s['median']:.3g} ({1e3 * s['least']:.3g} to "
                f"{1e3 * s['most']:.3g})"
                for s in size[f"search of {count}"].values()
            ]
            lines.append(f"| {size['people']:,} | {count} | {' | '.join(cells)} |")
    lines += [
        "",
        "| people | on disk MiB | memory MiB | more while searching 1 / 100, MiB | "
        "faiss' memory MiB | enroll all at once s | open s | add one ms | remove one "
        "ms |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for size in sizes:
        lines.append(
            f"| {size['people']:,} | {size['on disk']:.0f} | {size['memory']:.0f} | "
            f"{size['peak of 1']:.0f} / {size['peak of 100']:.0f} | "
            f"{size['faiss memory']:.0f} | {size['adding all']:.2f} | "
            f"{size['opening']:.2f} | {1e3 * size['adding one']:.1f} | "
            f"{1e3 * size['removing one']:.1f} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
