"""Verification, identification and strangers on lfw10x10, by a net of embeddings.

    python benchmarks/face_lfw.py --net mobilefacenet.keras [--seed 0]

All pairs of the pictures, ten folds, the threshold of each from the other nine; rank 1
with one and three enrolled pictures; half of the people as strangers. The same without
alignment, on squares round the box, shows what the landmarks are worth.
"""

import argparse
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
from results_file import data_folder
from results_file import write

import tftransfer as tft

TARGETS = {"verification": 0.997, "rank_1": 1.0}


def measured(net, folder, alignment: str, seed: int) -> dict:
    embedder = tft.face.Embedder.from_model(net, alignment=alignment)
    recognizer = tft.face.FaceRecognizer(tft.face.MTCNN(), embedder)
    found = tft.face.evaluate_people(recognizer, folder, seed)
    return {
        "pictures": found.pictures,
        "left_out": found.left_out,
        "pairs": found.pairs,
        "accuracies": found.accuracy.accuracies.tolist(),
        "accuracy": found.accuracy.mean,
        "standard_error": found.accuracy.standard_error,
        "chance": found.chance,
        "equal_error_rate": found.equal_error_rate,
        "tar_at_far": found.tar_at_far,
        "rank_1": found.rank_1,
        "open_set": found.open_set,
    }


def table(found: dict) -> str:
    rows = [["measure", "target", *found]]
    each = list(found.values())
    rows.append(
        ["verification, ten folds", f"{TARGETS['verification']:.1%}"]
        + [f"{r['accuracy']:.2%} ± {r['standard_error']:.2%}" for r in each]
    )
    rows.append(["verification, one answer for all pairs", ""])
    rows[-1] += [f"{r['chance']:.2%}" for r in each]
    rows.append(["equal error rate", ""])
    rows[-1] += [f"{r['equal_error_rate']:.2%}" for r in each]
    for far in each[0]["tar_at_far"]:
        rows.append([f"true accepts at {far:g} false accepts", ""])
        rows[-1] += [f"{r['tar_at_far'][far]:.1%}" for r in each]
    for count in each[0]["rank_1"]:
        name = f"rank 1, {count} picture{'s' * (count > 1)} enrolled"
        rows.append([name, f"{TARGETS['rank_1']:.0%}"])
        rows[-1] += [_with_spread(r["rank_1"][count]) for r in each]
    for far in each[0]["open_set"]:
        rows.append([f"named rightly, {far:g} of strangers named", ""])
        rows[-1] += [_with_spread(r["open_set"][far]) for r in each]
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([lines[0], "|---" * len(rows[0]) + "|", *lines[1:]])


def _with_spread(mean_and_spread) -> str:
    return "{:.1%} ± {:.1%}".format(*mean_and_spread)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--net", required=True, help="a .keras model of embeddings")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    net = keras.saving.load_model(arguments.net, compile=False)
    folder = data_folder("lfw10x10")
    names = {"five_points": "aligned by five points", "crop": "square round the box"}
    found = {
        name: measured(net, folder, alignment, arguments.seed)
        for alignment, name in names.items()
    }
    text = table(found)
    print(text)
    pairs = found["aligned by five points"]["pairs"]
    note = (
        f"\n\n{pairs[0]} pairs of one person, {pairs[1]} of two. Folds share people "
        "and pictures, as ten people allow no others; standard error over folds, "
        "spread over 20 draws of the enrolled pictures."
    )
    write("face_lfw", {"seed": arguments.seed, "runs": found}, text + note)


if __name__ == "__main__":
    main()
