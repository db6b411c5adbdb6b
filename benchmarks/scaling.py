"""When does another replica stop paying? A cost model, and a simulation to check it.

    python benchmarks/scaling.py [--batch 32] [--setting cpu|gpu|both]

Synchronous data parallelism with a ring all-reduce, weak scaling: every replica keeps
its batch. Symbols: P trained parameters, M multiply-adds a picture, b pictures a
replica, R replicas, F sustained FLOP/s, W bytes/s of a link, a seconds of latency a
message, k buckets in which gradients leave while the backward pass still runs, s
relative spread of the compute time.

    gradient bytes      g = 4 P
    compute             c = 6 M b / F           (forward 2, backward 4 FLOPs a MAC)
    one bucket's ring   r = 2 (R-1) (g / (k R W) + a)
    all-reduce          k r
    slowest replica     c' = c (1 + s E_R),     E_R expected maximum of R normals
    step                max(c' + r,  c'/3 + 2 c'/(3k) + k r)

The step's first term is a backward pass that hides all buckets but the last, the second
a network that never waits. Efficiency is c / step. The simulation knows neither: it
moves every chunk of every bucket from worker to worker, each with its own compute time.
"""

import argparse
import dataclasses
import math
import os
import statistics

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
from results_file import write

REPLICAS = [2**i for i in range(11)]
SIMULATED = ["mobilenetv2", "efficientnetb0", "resnet50", "vgg16", "convnextbase"]
SHOWN = (2, 8, 64, 1024)


@dataclasses.dataclass(frozen=True)
class Setting:
    """Assumed hardware: stated, not measured here."""

    text: str
    flops: float
    bandwidth: float
    latency: float
    buckets: int = 8
    spread: float = 0.02


SETTINGS = {
    "cpu": Setting("CPU hosts, 0.2 TFLOP/s, 10 Gbit/s, 50 us", 0.2e12, 1.25e9, 50e-6),
    "gpu": Setting("GPUs, 50 TFLOP/s, 100 Gbit/s, 15 us", 50e12, 12.5e9, 15e-6),
}


@dataclasses.dataclass(frozen=True)
class Net:
    name: str
    parameters: int
    multiply_adds: int


def bucket_ring(net: Net, replicas: int, setting: Setting) -> float:
    chunk = 4 * net.parameters / setting.buckets / replicas
    return 2 * (replicas - 1) * (chunk / setting.bandwidth + setting.latency)


def compute(net: Net, batch: int, setting: Setting) -> float:
    return 6 * net.multiply_adds * batch / setting.flops


def predicted(net: Net, batch: int, replicas: int, setting: Setting) -> float:
    """Return seconds a step, by the formula."""
    mean = compute(net, batch, setting)
    if replicas == 1:
        return mean
    slowest = mean * (1 + setting.spread * _expected_maximum(replicas))
    ring, k = bucket_ring(net, replicas, setting), setting.buckets
    return max(slowest + ring, slowest / 3 + 2 * slowest / (3 * k) + k * ring)


def simulated(
    net: Net, batch: int, replicas: int, setting: Setting, rng, steps: int = 5
) -> float:
    """Return seconds a step: the median of `steps`, chunk by chunk."""
    mean, k = compute(net, batch, setting), setting.buckets
    message = setting.latency + 4 * net.parameters / k / replicas / setting.bandwidth
    found = []
    for _ in range(steps):
        each = mean * (1 + setting.spread * rng.standard_normal(replicas))
        free = np.zeros(replicas)  # when a worker's link has sent all before
        for bucket in range(1, k + 1) if replicas > 1 else ():
            ready = each / 3 + each * (2 / 3) * bucket / k
            free = np.maximum(free, ready)
            for _ in range(2 * (replicas - 1)):
                # A chunk leaves when the worker has it and its neighbour listens.
                free = np.maximum(free, np.roll(free, 1)) + message
        found.append(max(free.max(), each.max()))
    return statistics.median(found)


def _expected_maximum(count: int) -> float:
    """Return Blom's approximation of the largest of `count` standard normals."""
    return statistics.NormalDist().inv_cdf((count - 0.375) / (count + 0.25))


def nets() -> list[Net]:
    """Count every backbone of the catalogue, without memory for its weights."""
    import keras

    import tftransfer as tft
    from tftransfer.backbones.catalogue import ARCHITECTURES

    found = []
    for name in ARCHITECTURES:
        with keras.StatelessScope(initialize_variables=False):
            backbone = tft.Backbone(name, weights=None)
            parameters = sum(math.prod(v.shape) for v in backbone.trainable_variables)
        layers = backbone._flatten_layers(include_self=False, recursive=True)
        found.append(Net(name, parameters, sum(map(_multiply_adds, layers))))
        keras.utils.clear_session(free_memory=False)
        print(found[-1], flush=True)
    return found


def _multiply_adds(layer) -> int:
    import keras

    kernels = [
        getattr(layer, name, None)
        for name in ("kernel", "depthwise_kernel", "pointwise_kernel")
    ]
    if isinstance(layer, keras.layers.Dense):
        positions = math.prod(layer.output.shape[1:-1])
    elif any(kernel is not None for kernel in kernels):
        positions = math.prod(layer.output.shape[1:3])
    else:
        return 0
    return positions * sum(math.prod(k.shape) for k in kernels if k is not None)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--setting", choices=[*SETTINGS, "both"], default="both")
    arguments = parser.parse_args()
    wanted = SETTINGS if arguments.setting == "both" else [arguments.setting]
    counted = nets()
    raw, parts = {"nets": [dataclasses.asdict(net) for net in counted]}, []
    for key in wanted:
        setting = SETTINGS[key]
        rows = [_row(net, arguments.batch, setting) for net in counted]
        check = _check(counted, arguments.batch, setting)
        raw[key] = {"setting": dataclasses.asdict(setting), "rows": rows} | check
        parts.append(_table(rows, check, arguments.batch, setting))
    write("scaling", raw, "\n\n".join(parts))


def _row(net: Net, batch: int, setting: Setting) -> dict:
    seconds = {r: predicted(net, batch, r, setting) for r in REPLICAS}
    efficiency = {r: seconds[1] / seconds[r] for r in REPLICAS}
    return {
        "net": net.name,
        "gradient_mb": 4 * net.parameters / 1e6,
        "gmac": net.multiply_adds / 1e9,
        "compute_ms": 1e3 * seconds[1],
        "all_reduce_ms": {
            r: 1e3 * setting.buckets * bucket_ring(net, r, setting) for r in REPLICAS
        },
        "efficiency": efficiency,
        "stops": max(r for r in REPLICAS if efficiency[r] >= 0.8),
    }


def _check(counted: list[Net], batch: int, setting: Setting) -> dict:
    rng = np.random.default_rng(0)
    found = []
    for net in (net for net in counted if net.name in SIMULATED):
        for replicas in REPLICAS:
            formula = predicted(net, batch, replicas, setting)
            moved = simulated(net, batch, replicas, setting, rng)
            found.append(
                {
                    "net": net.name,
                    "replicas": replicas,
                    "formula_s": formula,
                    "simulated_s": moved,
                    "difference": formula / moved - 1,
                }
            )
    worst = max(found, key=lambda each: abs(each["difference"]))
    return {"simulation": found, "worst": worst}


def _table(rows: list[dict], check: dict, batch: int, setting: Setting) -> str:
    shown = "".join(f" {r} replicas |" for r in SHOWN)
    lines = [
        f"{setting.text}; {batch} pictures a replica, {setting.buckets} buckets, "
        f"compute times spread by {setting.spread:.0%}. All-reduce in ms / efficiency:",
        "",
        f"| net | gradients MB | GMAC a picture | compute ms |{shown} 80 % up to |",
        f"|---|---|---|---|{'---|' * len(SHOWN)}---|",
    ]
    for row in rows:
        cells = "".join(
            f" {row['all_reduce_ms'][r]:.1f} / {row['efficiency'][r]:.0%} |"
            for r in SHOWN
        )
        lines.append(
            f"| {row['net']} | {row['gradient_mb']:.1f} | {row['gmac']:.2f} | "
            f"{row['compute_ms']:.1f} |{cells} {row['stops']} |"
        )
    differences = [abs(each["difference"]) for each in check["simulation"]]
    worst = check["worst"]
    lines += [
        "",
        f"Formula against simulation, {len(differences)} cases: median difference "
        f"{statistics.median(differences):.1%}, largest "
        f"{worst['difference']:+.1%} ({worst['net']}, {worst['replicas']} replicas).",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
