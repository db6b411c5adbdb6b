"""compare: from scratch, linear probe and fine-tuning on the same pictures."""

import time
from collections.abc import Sequence

import numpy as np

from tftransfer.comparison.result import Comparison
from tftransfer.comparison.strategies import STRATEGIES
from tftransfer.comparison.strategies import Task
from tftransfer.core.progress import progress_bar
from tftransfer.core.validation import check_one_of
from tftransfer.data import as_dataset
from tftransfer.data import source_of


def compare(
    backbone,
    train,
    test,
    *,
    strategies: Sequence[str] = ("scratch", "probe", "fine_tune"),
    sizes: Sequence[int | None] = (None,),
    seeds: int | Sequence[int] = 3,
    epochs: int | None = None,
    scratch_epochs: int | None = None,
    progress: bool = True,
    **fine_tune_options,
) -> Comparison:
    """Train each strategy at each size with each seed, and test it.

    A seed decides which pictures are taken, their order and the first weights; it is
    the same for all strategies. Nothing is chosen on the test pictures: each model is
    tested once, after its last epoch.

    Args:
        backbone: A pretrained `Backbone`; it is copied for every run.
        train: Labelled training pictures: a dataset of `tft.data.from_folder`, or what
            `tft.data.as_dataset` takes, such as `(array, labels)` or a folder.
        test: The pictures that accuracy is measured on, of the same classes.
        strategies: Among "scratch" (the same net from random weights), "probe" (linear
            SVM on mirror-averaged features) and "fine_tune".
        sizes: Training pictures per class; None takes all.
        seeds: Number of seeds, or the seeds themselves.
        epochs: Epochs of fine-tuning's second phase; None as `fine_tune` chooses.
        scratch_epochs: Epochs from scratch; None takes three times those of
            fine-tuning.
        progress: Whether to show a bar.
        **fine_tune_options: Given to `tft.fine_tune`.

    Returns:
        A `Comparison` with the rows, a table, a plot and a verdict.

    Raises:
        TypeError: When a dataset's order cannot be repeated.
        ValueError: When a strategy is unknown, a class has fewer pictures than a size
            asks for, or labels do not fit together.

    Example:
        >>> import tftransfer as tft
        >>> from sklearn.datasets import load_digits
        >>> digits = load_digits(n_class=2)
        >>> x, y = (15 * digits.images).astype("uint8"), digits.target
        >>> found = compare(tft.Backbone("tiny"), (x[:40], y[:40]), (x[40:], y[40:]),
        ...                 strategies=["probe"], seeds=1, progress=False)
        >>> found.rows[0]["accuracy"] > 0.95
        True

    References:
        Rosenstein et al., To Transfer or Not To Transfer, NIPS Workshop 2005, for
        negative transfer.
    """
    for strategy in strategies:
        check_one_of("strategies", strategy, list(STRATEGIES))
    seeds = list(range(seeds)) if isinstance(seeds, int) else list(seeds)
    side = backbone.image_size
    train = source_of(as_dataset(train, image_size=side)).replace(shuffle=True)
    test = source_of(as_dataset(test, image_size=side)).replace(shuffle=False)
    _check(train, test, sizes, seeds)
    task = Task(
        backbone=backbone,
        train=train,
        test=test,
        epochs=epochs,
        scratch_epochs=scratch_epochs,
        options=fine_tune_options,
    )
    # Grouped by size and strategy, as the tables are.
    runs = [(n, name, s) for n in sizes for name in strategies for s in seeds]
    rows = []
    with progress_bar(progress, transient=False) as bar:
        shown = bar.add_task("comparing", total=len(runs))
        for per_class, strategy, seed in runs:
            bar.update(shown, description=f"{strategy}, seed {seed}")
            rows.append(_run(task, strategy, per_class, seed))
            bar.advance(shown)
    return Comparison(rows, len(test))


def _run(task: Task, strategy: str, per_class: int | None, seed: int) -> dict:
    chosen = _chosen(task.train.labels, per_class, seed)
    begin = time.perf_counter()
    predicted = STRATEGIES[strategy](task, chosen, seed)
    return {
        "strategy": strategy,
        "per_class": per_class,
        "pictures": len(chosen),
        "seed": seed,
        "accuracy": float(np.mean(predicted == task.test.labels)),
        "seconds": round(time.perf_counter() - begin, 2),
    }


def _chosen(labels: np.ndarray, per_class: int | None, seed: int) -> np.ndarray:
    """Return the indices of the training pictures of a run, sorted."""
    if per_class is None:
        return np.arange(len(labels))
    generator = np.random.default_rng(seed)
    return np.sort(
        np.concatenate(
            [
                generator.choice(np.flatnonzero(labels == label), per_class, False)
                for label in np.unique(labels)
            ]
        )
    )


def _check(train, test, sizes, seeds) -> None:
    if train.labels is None or test.labels is None:
        raise ValueError("Expected labelled pictures for training and test.")
    if not seeds or not sizes or not len(test):
        raise ValueError(
            "Expected one seed, one size and one test picture or more. Received: "
            f"{len(seeds)}, {len(list(sizes))} and {len(test)}."
        )
    if not set(np.unique(test.labels)) <= set(np.unique(train.labels)):
        raise ValueError(
            "Expected test labels among the training labels. Received others: "
            f"{sorted(set(test.labels.tolist()) - set(train.labels.tolist()))}."
        )
    smallest = np.unique(train.labels, return_counts=True)[1].min()
    for size in sizes:
        if size is not None and not 2 <= size <= smallest:
            raise ValueError(
                f"Expected `sizes` of 2 to {smallest}, the pictures of the smallest "
                f"class, or None for all. Received: {size}."
            )
