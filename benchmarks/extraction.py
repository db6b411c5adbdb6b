"""Features of many pictures, and of one: our engines, Keras, OpenVINO, PyTorch.

    python benchmarks/extraction.py [--repeats 4]

Speed: the same nets without weights, 224 x 224, from memory (uint8) and from JPEG files
of short side 256. All sides take turns in one run, another one first each time; medians
after one warm-up. `raw OpenVINO` is the limit: uint8 pictures in memory through an
AsyncInferQueue, 8 per request (32 are slower on each net). `torch` is timm's net of the
same name, channels last, with Pillow and torchvision's transforms in two worker
processes for files. Latency: one picture in memory per call, median of 125 in 5 blocks
that alternate.
"""

import argparse
import contextlib
import functools
import json
import os
import statistics
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
from results_file import data_folder
from results_file import write

NETS = {
    "mobilenetv2": "mobilenetv2_100",
    "resnet50": "resnet50",
    "efficientnetb0": "efficientnet_b0",
}
IN_MEMORY, IN_FILES, BATCH, SIZE = 512, 796, 32, 224
BLOCKS = 5


def pictures(count: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (count, SIZE, SIZE, 3), "uint8")


def files(count: int) -> list[str]:
    """Return the photographs of hymenoptera, short side 256, repeated to `count`."""
    found = sorted(str(p) for p in data_folder("hymenoptera").rglob("*.jpg"))
    return (found * (count // len(found) + 1))[:count]


def raw_openvino(backbone, piece: int):
    """Return a function of pictures: OpenVINO with nothing of ours around it."""
    import openvino

    from tftransfer.inference.openvino_function import converted

    net = openvino.preprocess.PrePostProcessor(converted(backbone))
    net.input().tensor().set_element_type(openvino.Type.u8)
    net = net.build()
    net.reshape([piece, SIZE, SIZE, 3])
    hint = "LATENCY" if piece == 1 else "THROUGHPUT"
    options = {"PERFORMANCE_HINT": hint, "INFERENCE_PRECISION_HINT": "f32"}
    compiled = openvino.Core().compile_model(net, "CPU", options)

    def one(images):
        return compiled(images)[0]

    def many(images):
        found = [None] * (len(images) // piece)

        def keep(request, place):
            found[place] = request.get_output_tensor(0).data.copy()

        queue = openvino.AsyncInferQueue(compiled)
        queue.set_callback(keep)
        for place in range(len(found)):
            queue.start_async(images[place * piece : (place + 1) * piece], place)
        queue.wait_all()
        return np.concatenate(found)

    return one if piece == 1 else many


def torch_net(name: str):
    import torch

    declare_torchvision()
    import timm

    net = timm.create_model(NETS[name], pretrained=False, num_classes=0).eval()
    return net.to(memory_format=torch.channels_last)


@functools.cache
def declare_torchvision():
    """Let timm import torchvision where its compiled part does not fit this torch.

    None of these operators is used here; without a declaration the import fails.
    """
    import torch

    library = torch.library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        with contextlib.suppress(RuntimeError):  # there already
            library.define(f"{name}(Tensor a, Tensor b, float c) -> Tensor")
    return library  # its declarations end with it; the cache keeps it


def torch_memory(net, images):
    import torch

    found = []
    with torch.inference_mode():
        for start in range(0, len(images), BATCH):
            x = torch.from_numpy(images[start : start + BATCH]).permute(0, 3, 1, 2)
            found.append(net(x.float().div_(255).sub_(0.5).div_(0.5)).numpy())
    return np.concatenate(found)


def torch_files(net, paths):
    import torch
    from PIL import Image
    from torchvision import transforms

    class Files(torch.utils.data.Dataset):
        steps = transforms.Compose(
            [
                transforms.Resize(256),
                transforms.CenterCrop(SIZE),
                transforms.ToTensor(),
                transforms.Normalize([0.5] * 3, [0.5] * 3),
            ]
        )

        def __len__(self):
            return len(paths)

        def __getitem__(self, index):
            return self.steps(Image.open(paths[index]).convert("RGB"))

    loader = torch.utils.data.DataLoader(Files(), batch_size=BATCH, num_workers=2)
    with torch.inference_mode():
        found = [
            net(x.contiguous(memory_format=torch.channels_last)).numpy() for x in loader
        ]
    return np.concatenate(found)


def keras_files(backbone, paths):
    """Keras' usual way: TensorFlow decodes and resizes, `predict` computes."""
    import keras
    import tensorflow as tf

    def load(path):
        image = tf.io.decode_jpeg(tf.io.read_file(path), channels=3)
        return keras.preprocessing.image.smart_resize(image, (SIZE, SIZE))

    data = tf.data.Dataset.from_tensor_slices(paths)
    data = data.map(load, num_parallel_calls=tf.data.AUTOTUNE).batch(BATCH)
    return backbone.predict(data.prefetch(2), verbose=0)


def speed(repeats: int) -> list[dict]:
    import tftransfer as tft

    images, paths = pictures(IN_MEMORY), files(IN_FILES)
    as_float = images.astype("float32")
    rows = []
    for name in NETS:
        backbone = tft.Backbone(name, weights=None)
        extractor = tft.FeatureExtractor(backbone)
        extract = functools.partial(extractor.extract, batch_size=BATCH, progress=False)
        net = torch_net(name)
        raw = raw_openvino(backbone, 8)
        memory = {
            "predict": lambda b=backbone: b.predict(as_float, BATCH, verbose=0),
            "ours": lambda e=extract: e(images),
            "ours OpenVINO": lambda e=extract: e(images, engine="openvino"),
            "raw OpenVINO": lambda r=raw: r(images),
            "torch": lambda n=net: torch_memory(n, images),
        }
        disk = {
            "predict": lambda b=backbone: keras_files(b, paths),
            "ours": lambda e=extract: e(paths),
            "ours OpenVINO": lambda e=extract: e(paths, engine="openvino"),
            "torch": lambda n=net: torch_files(n, paths),
        }
        expected = memory["predict"]()
        differences = {
            side: float(np.abs(expected - run()).max() / np.abs(expected).max())
            for side, run in memory.items()
            if side != "torch"
        }
        row = {"net": name, "differences": differences}
        row["memory"] = rates(memory, len(images), repeats)
        row["files"] = rates(disk, len(paths), repeats)
        rows.append(row)
        print(json.dumps(row), flush=True)
    return rows


def rates(sides: dict, count: int, repeats: int) -> dict:
    """Return {side: seconds of each repeat and pictures per second of the median}."""
    seconds = {side: [] for side in sides}
    order = list(sides)
    for turn in range(repeats + 1):
        # Threads of the side before may still be spinning: nobody is always second.
        for side in order[turn % len(order) :] + order[: turn % len(order)]:
            begin = time.perf_counter()
            sides[side]()
            seconds[side].append(time.perf_counter() - begin)
    return {
        side: {"seconds": taken[1:], "rate": count / statistics.median(taken[1:])}
        for side, taken in seconds.items()
    }


def latency() -> list[dict]:
    import tensorflow as tf
    import torch

    import tftransfer as tft

    rows = []
    image = pictures(1)
    as_float = tf.constant(image.astype("float32"))
    for name in NETS:
        backbone = tft.Backbone(name, weights=None)
        extractor = tft.FeatureExtractor(backbone)
        net = torch_net(name)
        torch.set_num_threads(os.cpu_count())
        call = tf.function(lambda x, b=backbone: b(x, training=False))
        sides = {
            "predict": lambda b=backbone: b.predict(as_float, verbose=0),
            "tf.function": lambda c=call: c(as_float).numpy(),
            "ours": functools.partial(extractor.as_function(), image),
            "ours OpenVINO": functools.partial(
                extractor.as_function("openvino"), image
            ),
            "raw OpenVINO": functools.partial(raw_openvino(backbone, 1), image),
            "torch": functools.partial(torch_memory, net, image),
        }
        seconds = {side: [] for side in sides}
        for _ in range(BLOCKS):
            for side, run in sides.items():
                seconds[side] += timed_block(run)
        medians = {side: 1000 * statistics.median(s) for side, s in seconds.items()}
        rows.append({"net": name, "milliseconds": medians, "seconds": seconds})
        print(name, medians, flush=True)
    return rows


def timed_block(run) -> list[float]:
    """Return seconds of 25 calls, after some while the other side's threads rest."""
    taken = []
    for _ in range(30):
        begin = time.perf_counter()
        run()
        taken.append(time.perf_counter() - begin)
    return taken[5:]


def tables(raw: dict) -> str:
    lines = []
    for where in ("memory", "files"):
        sides = list(raw["speed"][0][where])
        lines += [f"Pictures per second from {where}, batches of {BATCH}.", ""]
        lines += [f"| net | {' | '.join(sides)} | ours OpenVINO of the limit |"]
        lines += ["|" + "---|" * (len(sides) + 2)]
        for row in raw["speed"]:
            found = {side: row[where][side]["rate"] for side in sides}
            limit = row["memory"]["raw OpenVINO"]["rate"]
            cells = " | ".join(f"{rate:.1f}" for rate in found.values())
            share = found["ours OpenVINO"] / limit
            lines.append(f"| {row['net']} | {cells} | {share:.2f} |")
        lines.append("")
    sides = list(raw["latency"][0]["milliseconds"])
    lines += ["Milliseconds of one picture.", ""]
    lines += [f"| net | {' | '.join(sides)} |", "|" + "---|" * (len(sides) + 1)]
    for row in raw["latency"]:
        cells = " | ".join(f"{ms:.1f}" for ms in row["milliseconds"].values())
        lines.append(f"| {row['net']} | {cells} |")
    return "\n".join(lines).rstrip()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=4)
    arguments = parser.parse_args()
    raw = {"latency": latency(), "speed": speed(arguments.repeats)}
    write("extraction", raw, tables(raw))


if __name__ == "__main__":
    main()
