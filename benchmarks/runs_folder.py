"""Long benchmarks in pieces: a file per finished run, which a restart skips."""

import json
import pathlib
import time
from collections.abc import Callable


class Runs:
    """A folder of finished runs, one JSON file each.

    Args:
        folder: Where the files lie; made when absent.
        settings: What all runs in it share. A file made with others is refused.
    """

    def __init__(self, folder: pathlib.Path, settings: dict):
        self.folder = pathlib.Path(folder)
        self.settings = settings
        self.folder.mkdir(parents=True, exist_ok=True)

    def once(self, name: str, measure: Callable[[], dict]) -> dict:
        """Return what `measure` gave, from its file where it has run before."""
        file = self.folder / f"{name}.json"
        if file.exists():
            found = json.loads(file.read_text())
            if found["settings"] != self.settings:
                raise SystemExit(f"{file} was made with {found['settings']}: remove it")
            return found
        begin = time.perf_counter()
        found = measure()
        seconds = round(time.perf_counter() - begin, 1)
        found = {"settings": self.settings, **found, "seconds": seconds}
        partial = file.with_suffix(".partial")
        partial.write_text(json.dumps(found) + "\n")
        partial.replace(file)
        shown = {key: value for key, value in found.items() if key != "settings"}
        print(name, shown, flush=True)
        return found
