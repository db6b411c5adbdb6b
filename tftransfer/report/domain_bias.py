"""How biased two domains are in a net's features: Torralba and Efros, CVPR 2011.

"Name that dataset" needs no class label; "train on one, test on the other" needs the
target's, and is therefore called oracle. Logistic regression on z-scored features.
"""

import dataclasses

import numpy as np

from tftransfer.domain import cross_dataset_table
from tftransfer.domain import name_that_dataset
from tftransfer.domain.bias import CrossDatasetTable
from tftransfer.domain.bias import NamedDatasets

MOST = 500  # pictures of each domain, so that it takes seconds
FEWEST = 4  # of a class in each domain: two to train on, two to test on
_NO_LABELS = "the target has no labels"


@dataclasses.dataclass(frozen=True)
class DomainBias:
    """Both diagnoses of one net's features.

    Attributes:
        named: How well a classifier says of a feature which domain it is from.
        named_pictures: Pictures of each domain that were used, half of them to test on.
        table: Accuracies of training on each domain and testing on both; None where
            there are not enough labels.
        table_pictures: Most pictures of a domain that the table used.
        classes: Number of classes in the table.
        absent: Why there is no table; "" where there is one.
    """

    named: NamedDatasets
    named_pictures: int
    table: CrossDatasetTable | None
    table_pictures: int
    classes: int
    absent: str

    def numbers(self) -> dict:
        """Return what a JSON document says of it."""
        found = {
            "name_that_dataset": {
                "accuracy": self.named.accuracy,
                "chance": self.named.chance,
                "pictures_per_domain": self.named_pictures,
            }
        }
        if self.table is None:
            return found | {"oracle_cross_dataset_absent": self.absent}
        table = self.table
        found["oracle_cross_dataset"] = {
            "names": list(table.names),
            "scores": table.scores.tolist(),
            "self": table.self_scores.tolist(),
            "mean_others": table.mean_others.tolist(),
            "percent_drop": table.percent_drop.tolist(),
            "summary": table.summary,
            "classes": self.classes,
            "pictures_per_domain_at_most": self.table_pictures,
        }
        return found


def measure_bias(source: tuple, held_out: np.ndarray, target: tuple) -> DomainBias:
    """Run both diagnoses on features that one net made.

    Args:
        source: (features (n, d), labels (n,)) of pictures that did not train.
        held_out: Features (h, d) of target pictures that did not train.
        target: (features (m, d), labels (m,) or None) of all target pictures; labels
            below 0 are unknown. No label of the target trained the net, so that those
            pictures that trained without them count, too.
    """
    fewest = min(MOST, len(source[0]), len(held_out))
    named = name_that_dataset(
        {"source": _some(source[0]), "target": _some(held_out)}, random_state=0
    )
    classes, absent = _common_classes(source[1], target[1])
    if absent:
        return DomainBias(named, fewest, None, 0, 0, absent)
    sets = {
        name: _of_classes(*rows, classes)
        for name, rows in (("source", source), ("target", target))
    }
    table = cross_dataset_table(sets, random_state=0)
    most = max(len(labels) for _, labels in sets.values())
    return DomainBias(named, fewest, table, most, len(classes), "")


def _common_classes(source_labels, target_labels) -> tuple[np.ndarray, str]:
    """Return the classes of the table, and why there is none."""
    if target_labels is None or not (target_labels >= 0).any():
        return np.array([]), _NO_LABELS
    many = [
        set(values[counts >= FEWEST])
        for values, counts in (
            np.unique(labels[labels >= 0], return_counts=True)
            for labels in (source_labels, target_labels)
        )
    ]
    classes = np.array(sorted(many[0] & many[1]))
    if len(classes) < 2:
        return classes, (
            f"fewer than two classes have {FEWEST} pictures or more both in the "
            "source's validation and with labels in the target"
        )
    return classes, ""


def _of_classes(features, labels, classes) -> tuple[np.ndarray, np.ndarray]:
    """Return rows of these classes, of each at most its share of `MOST`."""
    share = max(FEWEST, MOST // len(classes))
    kept = [_spread(np.flatnonzero(labels == label), share) for label in classes]
    kept = np.concatenate(kept)
    return features[kept], labels[kept]


def _some(features: np.ndarray) -> np.ndarray:
    return features[_spread(np.arange(len(features)), MOST)]


def _spread(rows: np.ndarray, most: int) -> np.ndarray:
    # At random: files of one folder are often in an order of their own.
    order = np.random.default_rng(0).permutation(len(rows))
    return rows[np.sort(order[:most])]
