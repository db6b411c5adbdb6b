"""Scratch, linear probe and fine-tuning with MobileNet 0.75 and all defaults.

    python benchmarks/transfer.py [--seeds 3]

Trained on the train folders of flowers17 and hymenoptera, tested once on their val
folders after the last epoch: nothing is chosen there. The defaults were chosen on parts
held out of the train folders. From scratch runs as many epochs as fine-tuning, far too
few for a net of this size to converge: it shows what the pretraining replaces.
"""

import argparse
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from results_file import data_folder
from results_file import write

import tftransfer as tft
from tftransfer.comparison import Comparison
from tftransfer.finetune.plan import plan_for

TASKS = [("flowers17", None), ("hymenoptera", None), ("flowers17", 5)]


def measure(name: str, per_class: int | None, seeds: int) -> Comparison:
    train, val = tft.data.from_folder(data_folder(name), cache=True, progress=False)
    classes = len(train.class_names)
    pictures = len(train.paths) if per_class is None else per_class * classes
    return tft.compare(
        tft.Backbone("mobilenet", alpha=0.75),
        train,
        val,
        sizes=[per_class],
        seeds=seeds,
        scratch_epochs=plan_for(pictures, 32).epochs,
        progress=False,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    raw, means, rows = {}, {}, []
    for name, per_class in TASKS:
        found = measure(name, per_class, arguments.seeds)
        title = name if per_class is None else f"{name}, {per_class} per class"
        raw[title] = found.to_json()
        means[title] = {c["strategy"]: c["mean"] for c in found.summary()}
        cells = found.table().splitlines()[-1].split("|")[2:-1]
        rows.append(f"| {title} | {found.test_pictures} |{'|'.join(cells)}|")
        # After each task: a killed run keeps what it has measured.
        write("transfer", raw, table(rows, means, arguments.seeds))


def table(rows: list[str], means: dict[str, dict], seeds: int) -> str:
    """Return the table and the gain of fine-tuning over the full sets in it."""
    gains = [m["fine_tune"] - m["probe"] for t, m in means.items() if "," not in t]
    lines = [
        "| data | test pictures | from scratch | linear probe | fine-tuned |",
        "|---|---|---|---|---|",
        *rows,
        "",
        f"Mean and standard deviation over {seeds} seeds. Fine-tuning minus probe, "
        f"mean of the full sets: {100 * sum(gains) / len(gains):+.2f} points.",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
