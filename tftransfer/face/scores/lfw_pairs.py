"""LFW's lists of pairs: pairs.txt of View 2, pairsDevTrain.txt and pairsDevTest.txt."""

import dataclasses
import os
import pathlib

import numpy as np


@dataclasses.dataclass(frozen=True)
class LFWPairs:
    """Pairs of picture files.

    Args:
        first: Paths, n of them.
        second: Paths, n of them.
        same: bool (n,): whether a pair shows one person.
        folds: int64 (n,): fold of each pair, from 0; all 0 in the lists of View 1.
    """

    first: list[pathlib.Path]
    second: list[pathlib.Path]
    same: np.ndarray
    folds: np.ndarray

    def __len__(self):
        return len(self.first)


def read_lfw_pairs(
    path: str | os.PathLike,
    folder: str | os.PathLike,
    *,
    ending: str = ".jpg",
    check_files: bool = True,
) -> LFWPairs:
    """Read a list of pairs and find its pictures, FOLDER/NAME/NAME_0001.jpg.

    Args:
        path: pairs.txt ("10 300", then for each fold 300 lines "name i j" and 300 lines
            "name i other j", tab-separated), or pairsDevTrain.txt or pairsDevTest.txt
            ("500", then the same once).
        folder: The pictures' folder, lfw or lfw-deepfunneled.
        ending: Of the pictures' file names.
        check_files: Whether every picture must be there.

    Returns:
        Pairs in the order of the list, unshuffled.

    Raises:
        FileNotFoundError: When the list or pictures are absent.
        ValueError: When a line or the number of lines is not as above.

    References:
        http://vis-www.cs.umass.edu/lfw/README.txt; Huang, Ramesh, Berg and
        Learned-Miller, Labeled Faces in the Wild, University of Massachusetts Amherst,
        technical report 07-49, 2007.
    """
    path, folder = pathlib.Path(path), pathlib.Path(folder)
    lines = path.read_text(encoding="utf-8").splitlines()
    while lines and not lines[-1].strip():
        lines.pop()
    folds, pairs = _counts(path, lines)
    if len(lines) != 1 + 2 * folds * pairs:
        raise ValueError(
            f"Expected {1 + 2 * folds * pairs} lines in '{path}', as its first one "
            f"says. Received: {len(lines)}."
        )
    first, second, same = [], [], []
    for number, line in enumerate(lines[1:], 2):
        is_same = (number - 2) // pairs % 2 == 0
        one, other = _pair(path, number, line, is_same)
        first.append(_file(folder, *one, ending))
        second.append(_file(folder, *other, ending))
        same.append(is_same)
    if check_files:
        _check_files([*first, *second])
    numbers = np.arange(len(same)) // (2 * pairs)
    return LFWPairs(first, second, np.array(same, bool), numbers)


def _counts(path, lines: list[str]) -> tuple[int, int]:
    words = lines[0].split() if lines else []
    if len(words) not in (1, 2) or not all(w.isdigit() and int(w) for w in words):
        raise ValueError(
            f"Expected '{path}' to begin with its numbers of folds and pairs, such as "
            f"'10 300' or '500'. Received: {lines[0][:80] if lines else 'no line'!r}."
        )
    return (1, int(words[0])) if len(words) == 1 else (int(words[0]), int(words[1]))


def _pair(path, number: int, line: str, is_same: bool):
    words = line.split("\t") if "\t" in line else line.split()
    places = (1, 2) if is_same else (1, 3)
    whole = len(words) == places[1] + 1 and all(words[i].isdigit() for i in places)
    if not whole:
        expected = "'name number number'" if is_same else "'name number name number'"
        raise ValueError(
            f"Expected {expected} in line {number} of '{path}'. Received: "
            f"{line[:80]!r}."
        )
    other = words[0] if is_same else words[2]
    return (words[0], int(words[1])), (other, int(words[places[1]]))


def _file(folder: pathlib.Path, name: str, number: int, ending: str) -> pathlib.Path:
    return folder / name / f"{name}_{number:04d}{ending}"


def _check_files(paths: list[pathlib.Path]) -> None:
    missing = [path for path in dict.fromkeys(paths) if not path.is_file()]
    if missing:
        raise FileNotFoundError(
            f"Expected the pictures of all pairs. Received: {len(missing)} are absent, "
            f"such as '{missing[0]}'. Give the folder that holds a folder per person."
        )
