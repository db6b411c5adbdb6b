"""Frames of a video file, through OpenCV, the extra `video`."""

import os
import pathlib
from collections.abc import Iterator

import numpy as np

VIDEOS = (".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".webm")


def video_frames(
    path: str | os.PathLike, *, every: float = 1.0
) -> Iterator[tuple[float, np.ndarray]]:
    """Read frames of a video, one at a time.

    Args:
        path: A file that OpenCV reads, such as .mp4 or .avi.
        every: Seconds from one frame to the next; 0 for all frames.

    Yields:
        (seconds from the start, uint8 (height, width, 3) RGB in [0, 255]).

    Raises:
        FileNotFoundError: When there is no such file.
        ImportError: When OpenCV is not installed.
        ValueError: When the file has no readable frame, or `every` is below 0.

    Example:
        >>> next(video_frames("no/such.mp4"))
        Traceback (most recent call last):
        FileNotFoundError: Expected the path of a video. Received: 'no/such.mp4', ...
    """
    path = pathlib.Path(path)
    if not path.is_file():
        raise FileNotFoundError(
            f"Expected the path of a video. Received: '{path}', where there is no file."
        )
    if not every >= 0:
        raise ValueError(f"Expected `every` to be 0 or more. Received: {every!r}.")
    video = _cv2().VideoCapture(str(path))
    try:
        yield from _frames(video, every, path)
    finally:
        video.release()


def _frames(video, every: float, path) -> Iterator[tuple[float, np.ndarray]]:
    cv2 = _cv2()
    rate = video.get(cv2.CAP_PROP_FPS)
    rate = rate if np.isfinite(rate) and rate > 0 else 25.0  # files that do not say
    number, due = 0, 0.0
    while video.grab():
        seconds = number / rate
        if seconds >= due - 1e-9:
            fine, frame = video.retrieve()
            if fine:
                yield seconds, np.ascontiguousarray(frame[..., ::-1])
            due += every
        number += 1
    if number == 0:
        raise ValueError(
            f"Expected a video that OpenCV reads. Received: '{path}', which has no "
            "readable frame."
        )


def _cv2():
    try:
        import cv2
    except ImportError as error:
        raise ImportError(
            "Videos are read by OpenCV: `pip install 'tftransfer[video]'`."
        ) from error
    return cv2
