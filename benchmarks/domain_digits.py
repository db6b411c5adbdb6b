"""Six methods of adaptation on digits, beside the published accuracies.

    python benchmarks/domain_digits.py [--parts PART ...] [--runs FOLDER] [--quick]

MNIST to MNIST-M: the net, batches (64 + 64) and ramps of the DANN paper, 4,000 steps,
four passes over the source, for every method; 3 seeds. The optimizer is Adam, and each
convolution has batch normalisation, of each domain by itself; the row "DANN as
published" has the paper's SGD and none, and 6,000 steps. That row and the bound have
one seed; the part "mnist_m_published" is that row again with 20,000 steps and 3 seeds.
MNIST and USPS: 2,000 and 1,800 pictures drawn by the seed, the net of ADDA's section,
batches of 128 + 128; 3 seeds. "usps_mcd" has the net of MCD's authors, normalised, with
four batches of the extractor after each of the heads', and Adam at 0.0002; its source
alone is ADDA's net normalised. ADDA has fewer steps than published, 4,000 of 10,000;
MCD has its authors' 200 epochs of 14 turns, five batches each here. DRCN here is our
one-step form on the same small net with a mirrored decoder, not the authors' net, which
is 50 times as costly; their 91.8 and 73.7 are of the full sets, too.

Scores are of pictures that no net was adapted on. Labels of the target choose nothing:
steps are fixed, DANN and ADDA have the papers' settings, and the one weight of DAN,
Deep CORAL (both raised along DANN's ramp) and DRCN is the one of three that
`label_free_choice` takes in shorter runs of seed 0, with a sixth of both domains held
out: the densest predictions on the target where the source is still known. "Trained on
the target" is the bound that its labels give. A finished run is kept in the folder of
runs, and a restart goes on behind it.
"""

import argparse
import os
import pathlib

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
from digit_domains import Pair
from digit_domains import mnist_m
from digit_domains import usps_pair
from label_free_choice import label_free_choice
from results_file import write
from runs_folder import Runs

import tftransfer as tft
from tftransfer.core import chain
from tftransfer.domain import soft_neighbourhood_density
from tftransfer.domain import target_entropy

SETTINGS = {
    "mnist_m": {
        "batch": 64,
        "held_out": 1 / 6,
        "choice_steps": 1000,
        "rate": 1e-3,
        "weights": {"DAN": [0.03, 0.1, 0.3], "DeepCORAL": [1, 10, 100]},
        "steps": {
            **dict.fromkeys(("source only", "DANN", "DAN", "DeepCORAL"), 4000),
            "trained on the target": 4000,
            "DANN as published": 6000,
        },
    },
    "mnist_m_published": {
        "batch": 64,
        "held_out": 1 / 6,
        "weights": {},
        "steps": {"DANN as published": 20_000},
    },
    "usps": {
        "batch": 128,
        "held_out": 1 / 6,
        "choice_steps": 500,
        "weights": {"DRCN": [0.43, 4.3, 43]},
        "steps": {"source only": 1500, "DANN": 2000, "ADDA": 4000, "DRCN": 1500},
    },
    "usps_mcd": {
        "batch": 128,
        "held_out": 1 / 6,
        "rate": 2e-4,
        "constant": True,
        "weights": {},
        "steps": {"source only": 1500, "MCD": 14_000},
    },
}
SEEDS = 3
DIRECTIONS = (("MNIST", "USPS"), ("USPS", "MNIST"))
# Per cent; "DANN" of USPS is the row "gradient reversal" of ADDA's table.
PUBLISHED = {
    "MNIST to MNIST-M": {
        **{"source only": 52.25, "DANN": 76.66, "DANN as published": 76.66}
    },
    "MNIST to USPS": {"source only": 75.2, "DANN": 77.1, "ADDA": 89.4, "DRCN": 91.8},
    "USPS to MNIST": {"source only": 57.1, "DANN": 73.0, "ADDA": 90.1, "DRCN": 73.7},
}
_PLAIN = ("source only", "trained on the target")
# Of seed 0 alone: to compare with.
_ONCE = {"mnist_m": ("DANN as published", "trained on the target")}


def net(inputs, *layers) -> keras.Model:
    return keras.Sequential([keras.Input(inputs), *layers])


def dense(inputs: int, *units: int) -> keras.Model:
    """Return layers of these units, ReLU after all but the last."""
    hidden = [keras.layers.Dense(n, "relu") for n in units[:-1]]
    return net((inputs,), *hidden, keras.layers.Dense(units[-1]))


def convolutions(*filters: int, normalised: bool = False) -> list:
    layers = []
    for count in filters:
        layers.append(keras.layers.Conv2D(count, 5))
        layers += [keras.layers.BatchNormalization()] if normalised else []
        layers += [keras.layers.ReLU(), keras.layers.MaxPooling2D()]
    return [*layers, keras.layers.Flatten()]


def decoder() -> keras.Model:
    """Return ADDA's net upside down: features (500,) to pictures (28, 28, 1)."""
    return net(
        (500,),
        keras.layers.Dense(800, "relu"),
        keras.layers.Reshape((4, 4, 50)),
        keras.layers.UpSampling2D(),
        keras.layers.Conv2DTranspose(20, 5, activation="relu"),
        keras.layers.UpSampling2D(),
        keras.layers.Conv2DTranspose(1, 5),
    )


def paper_model(method: str, weight: float | None):
    """Return the net of DANN's MNIST experiments, normalised, made into a method."""
    published = method == "DANN as published"
    extractor = net((28, 28, 3), *convolutions(32, 48, normalised=not published))
    head = dense(768, 100, 100, 10)
    if method.startswith("DANN"):
        judge = dense(768, 100, 1)
        return tft.DANN(extractor, head, judge, batch_norm="separate")
    if method == "DAN":
        return tft.DAN(extractor, head, mmd_weight=weight, batch_norm="separate")
    if method == "DeepCORAL":
        options = {"coral_weight": weight, "batch_norm": "separate"}
        return tft.DeepCORAL(extractor, head, **options)
    return chain(extractor, head)


def lenet_model(method: str, weight: float | None, trained, *, normalised: bool):
    """Return the net of ADDA's digits, made into a method.

    Args:
        method: Its name.
        weight: Of DRCN's reconstruction.
        trained: Path of the weights of the run "source only", where ADDA starts.
        normalised: Whether batch normalisation stands behind each convolution.
    """
    if method == "MCD":
        return mcd_model()
    hidden = convolutions(20, 50, normalised=normalised)
    extractor = net((28, 28, 1), *hidden, keras.layers.Dense(500, "relu"))
    head = net((500,), keras.layers.Dense(10))
    if method == "DRCN":
        dropped = net((500,), keras.layers.Dropout(0.5), keras.layers.Dense(10))
        return tft.DRCN(extractor, dropped, decoder(), reconstruction_weight=weight)
    if method == "DANN":
        return tft.DANN(extractor, head, dense(500, 500, 500, 1))
    plain = chain(extractor, head)
    if method == "ADDA":
        plain.load_weights(trained)
        return tft.ADDA(extractor, head, dense(10, 500, 500, 1), sees="scores")
    return plain


def mcd_model():
    """Return the net of MCD's authors for MNIST and USPS, with its turns."""
    extractor = net((28, 28, 1), *convolutions(32, 48, normalised=True))
    layers = []
    for units in (100, 100):
        layers += [keras.layers.Dropout(0.5), keras.layers.Dense(units)]
        layers += [keras.layers.BatchNormalization(), keras.layers.ReLU()]
    layers += [keras.layers.Dropout(0.5), keras.layers.Dense(10)]
    head = net((768,), *layers)
    return tft.MCD(extractor, head, extractor_steps=4, batch_norm="separate")


def ramp_of(method: str, weight: float | None) -> list:
    """Return DANN's ramp of lambda, also for the weights of DAN and Deep CORAL.

    MMD's own bandwidth makes its gradient large where features are still small.
    """
    names = {"DANN": "reversal", "DAN": "mmd_weight", "DeepCORAL": "coral_weight"}
    name = names.get(method.removesuffix(" as published"))
    return [tft.callbacks.DANNRamp(end=weight or 1.0, name=name)] if name else []


def optimizer_of(settings: dict, method: str, weight: float | None) -> tuple:
    """Return a method's optimizer and callbacks; as published, but for Adam's rate."""
    if settings.get("constant"):
        return keras.optimizers.Adam(settings["rate"]), []
    decayed = [tft.callbacks.InverseDecay(), *ramp_of(method, weight)]
    if method == "DANN as published" or (method == "DANN" and "rate" not in settings):
        return keras.optimizers.SGD(0.01, momentum=0.9), decayed
    if "rate" in settings:
        return keras.optimizers.Adam(settings["rate"]), decayed
    if method == "ADDA":
        return keras.optimizers.Adam(2e-4, beta_1=0.5), []
    return keras.optimizers.Adam(3e-4 if method == "DRCN" else 1e-3), []


class Experiment:
    """The runs of one pair of domains and one seed."""

    def __init__(self, part: str, runs: Runs, pair: Pair, name: str, seed: int):
        self.part, self.runs, self.pair = part, runs, pair
        self.name, self.seed, self.settings = name, seed, runs.settings

    def chosen(self) -> dict:
        """Return {method: weight}, chosen on held-out pictures."""
        found = {}
        for method, weights in self.settings["weights"].items():
            scores = {weight: self._candidate(method, weight) for weight in weights}
            found[method] = label_free_choice(scores)
        return found

    def results(self, weights: dict) -> dict:
        """Return {method: {"accuracy": in [0, 1], ...}}, running what has not run."""
        return {
            method: self.runs.once(
                f"{self.name}-{method}-{self.seed}".replace(" ", "_"),
                lambda m=method: self._scored(m, weights.get(m)),
            )
            for method in self.settings["steps"]
            if self.seed == 0 or method not in _ONCE.get(self.part, ())
        }

    def _candidate(self, method: str, weight: float) -> dict:
        share = self.settings["held_out"]
        pair, (x, y), of_target = self.pair.without_last(share)

        def measure():
            steps = self.settings["choice_steps"]
            model, last = self._trained(method, weight, pair, steps)
            probabilities = _probabilities(model, pair.scaled(of_target), "target")
            if not np.isfinite(probabilities).all():
                return {"source_accuracy": 0.0, "snd": 0.0, "diverged": True}
            of_source = _probabilities(model, pair.scaled(x), "source")
            right = np.argmax(of_source, axis=-1) == y
            return {
                "source_accuracy": float(right.mean()),
                "snd": soft_neighbourhood_density(probabilities),
                "entropy": target_entropy(probabilities),
                "last": last,
            }

        name = f"{self.name}-choice-{method}-{weight}".replace(" ", "_")
        return self.runs.once(name, measure)

    def _scored(self, method: str, weight: float | None) -> dict:
        steps = self.settings["steps"][method]
        model, last = self._trained(method, weight, self.pair, steps)
        if method == "source only":
            model.save_weights(self._weights)
        x, y = self.pair.test
        right = np.argmax(_logits(model, self.pair.scaled(x)), axis=-1) == y
        return {"accuracy": float(right.mean()), "weight": weight, "last": last}

    def _trained(self, method, weight, pair: Pair, steps: int) -> tuple:
        """Return the trained model and the last tenth's logs."""
        keras.utils.set_random_seed(self.seed)
        if self.part.startswith("usps"):
            normalised = self.part == "usps_mcd"
            model = lenet_model(method, weight, self._weights, normalised=normalised)
        else:
            model = paper_model(method, weight)
        if method == "trained on the target":
            pair = Pair(pair.target, pair.target, pair.test, pair.mean)
        data = pair.batches(self.settings["batch"], steps // 10, self.seed)
        if method in _PLAIN:
            data = data.map(lambda x, y: (x["source"], y))
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        optimizer, callbacks = optimizer_of(self.settings, method, weight)
        # XLA's convolutions are slower on CPUs.
        model.compile(optimizer, None if method == "ADDA" else loss, jit_compile=False)
        history = model.fit(
            data, epochs=10, callbacks=callbacks, shuffle=False, verbose=0
        ).history
        return model, {name: values[-1] for name, values in history.items()}

    @property
    def _weights(self) -> pathlib.Path:
        name = f"{self.name}-{self.seed}.weights.h5".replace(" ", "_")
        return self.runs.folder / name


def _probabilities(model, pictures, domain: str) -> np.ndarray:
    """Return a method's answers, normalised as it does for the domain."""
    parts = (pictures[i : i + 500] for i in range(0, len(pictures), 500))
    return np.concatenate([model.read(part, domain)[1] for part in parts])


def _logits(model, pictures) -> np.ndarray:
    deployed = getattr(model, "deployed", model)
    return deployed.predict(pictures, batch_size=500, verbose=0)


def run_part(part: str, settings: dict, seeds: int, folder, quick: bool) -> dict:
    """Return {pair: {"chosen": weights, "seeds": [results]}}."""
    runs, found = Runs(folder / part, settings), {}
    if part.startswith("mnist_m"):
        blended = mnist_m(quick)
        pairs = {"MNIST to MNIST-M": lambda seed: blended}
    else:
        pairs = {
            f"{source} to {target}": lambda seed, s=source, t=target: usps_pair(
                s, t, seed
            )
            for source, target in (DIRECTIONS[:1] if quick else DIRECTIONS)
        }
    for name, pair_of in pairs.items():
        chosen = Experiment(part, runs, pair_of(0), name, 0).chosen()
        results = [
            Experiment(part, runs, pair_of(seed), name, seed).results(chosen)
            for seed in range(seeds)
        ]
        found[name] = {"chosen": chosen, "seeds": results}
    return found


def table(found: dict) -> str:
    """Return a row per pair and method: published and ours, in per cent."""
    lines = [
        "| domains | method | weight | published | ours, % | each seed |",
        "|---|---|---|---|---|---|",
    ]
    for name, each in found.items():
        for method in each["seeds"][0]:
            runs = [seed[method] for seed in each["seeds"] if method in seed]
            values = [100 * run["accuracy"] for run in runs]
            spread = f" ± {np.std(values, ddof=1):.1f}" if len(values) > 1 else ""
            lines.append(
                f"| {name} | {method} | {each['chosen'].get(method, '')} | "
                f"{PUBLISHED[name].get(method, '')} | {np.mean(values):.1f}{spread} | "
                f"{', '.join(f'{value:.1f}' for value in values)} |"
            )
    lines += ["", "Mean and standard deviation over the seeds; none left out."]
    return "\n".join(lines)


def shortened(settings: dict) -> dict:
    steps = {name: 10 if name == "DRCN" else 20 for name in settings["steps"]}
    weights = {name: values[-1:] for name, values in settings["weights"].items()}
    return {**settings, "choice_steps": 10, "steps": steps, "weights": weights}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parts", nargs="+", choices=SETTINGS, default=[*SETTINGS])
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--runs", type=pathlib.Path, default="runs/domain_digits")
    parser.add_argument("--quick", action="store_true", help="a smoke run: no results")
    arguments = parser.parse_args()
    for part in arguments.parts:
        settings, seeds = SETTINGS[part], arguments.seeds
        if arguments.quick:
            settings, seeds = shortened(settings), 1
        folder = arguments.runs / ("quick" if arguments.quick else "full")
        found = run_part(part, settings, seeds, folder, arguments.quick)
        if arguments.quick:
            print(table(found))
        else:
            raw = {"settings": settings, "pairs": found}
            write(f"domain_{part}", raw, table(found))


if __name__ == "__main__":
    main()
