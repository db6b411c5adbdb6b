"""What a folder of `train` was started with, so that resuming goes on with the same.

`fine_tune` checks the settings it knows; the split, the backbone and the pictures are
chosen before it. With another seed, say, pictures that were trained on would validate.
"""

import hashlib
import json
import os
import pathlib

from tftransfer.cli.console import to_json
from tftransfer.cli.options import written


def claim(checkpoint: pathlib.Path, settings: dict) -> None:
    """Note a run's settings in its checkpoint folder, before its first epoch.

    Args:
        checkpoint: The folder that `fine_tune` keeps its state in.
        settings: JSON-safe; all that the run depends on and `fine_tune` does not know.

    Raises:
        ValueError: When the folder holds finished epochs of a run with others.
    """
    file = checkpoint / "command.json"
    if has_epochs(checkpoint) and file.exists():
        before = json.loads(file.read_text(encoding="utf-8"))
        changed = [key for key, value in settings.items() if before.get(key) != value]
        if changed:
            shown = ", ".join(
                f"{key} ({before.get(key)} then, {settings[key]} now)"
                for key in changed
            )
            raise ValueError(
                f"Expected '{checkpoint}' to hold a run of this command or nothing. "
                f"Received one that was started otherwise: {shown}. Give the same "
                "options to go on, another `--out`, or remove that folder."
            )
    text = to_json(settings)
    written(file, lambda part: part.write_text(text, encoding="utf-8"))


def has_epochs(checkpoint: pathlib.Path) -> bool:
    """Say whether an epoch was finished there."""
    return (checkpoint / "state.json").exists()


def pictures_digest(folder: pathlib.Path, *datasets) -> str:
    """Return a short digest of all pictures' names and sizes, however they are split.

    Names count relative to `folder`, so that the folder may move.
    """
    paths = sorted(path for dataset in datasets for path in dataset.paths)
    digest = hashlib.sha256()
    for path in paths:
        name, size = os.path.relpath(path, folder), os.path.getsize(path)
        digest.update(os.fsencode(f"{name}\0{size}\n"))
    return digest.hexdigest()[:12]
