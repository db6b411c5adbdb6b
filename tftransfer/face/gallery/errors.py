"""What can be wrong with a gallery on disk."""

from collections.abc import Iterable


class GalleryLocked(OSError):
    """Another gallery object has this folder open for writing."""


class DamagedGallery(ValueError):
    """Files of a gallery are missing, cut short or changed.

    Args:
        problems: Pairs of a file's path and what is wrong with it.

    Attributes:
        problems: The same, paths as strings.
    """

    def __init__(self, problems: Iterable[tuple]):
        self.problems = [(str(path), reason) for path, reason in problems]
        told = "; ".join(f"'{path}' {reason}" for path, reason in self.problems)
        # An older manifest is valid, and what was added since then looks like the rest
        # of a killed change, which the next writer removes.
        super().__init__(
            f"Expected a whole gallery. Received damaged files: {told}. Read what is "
            "whole with `Gallery.open(folder, on_damage='skip')` and keep it with "
            "`save(new_folder)` first; then use that one, or restore the WHOLE folder "
            "from a copy. Never put back an older manifest alone: opened for writing, "
            "the gallery would lose whoever was added after that copy."
        )
