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
        super().__init__(
            f"Expected a whole gallery. Received damaged files: {told}. Restore them "
            "from a copy, or read what is whole with `Gallery.open(folder, "
            "on_damage='skip')` and keep it with `save(new_folder)`."
        )
