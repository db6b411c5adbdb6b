"""Frames of a video file, through OpenCV, the extra `video`."""

import math
import os
import pathlib
from collections.abc import Iterator

import numpy as np

VIDEOS = (".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".webm")

_HAIR = 1e-6  # seconds: times are sums of rounded ones


def video_frames(
    path: str | os.PathLike, *, every: float = 1.0
) -> Iterator[tuple[float, np.ndarray]]:
    """Read frames of a video, one at a time.

    Times are those that the file gives its frames, also where these come at a varying
    rate, as of screens and telephones.

    Args:
        path: A file that OpenCV reads, such as .mp4 or .avi.
        every: Seconds from one frame to the next, of a grid that begins at 0: the first
            frame at or after each of its times; 0 for all frames.

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
    seconds, due = None, 0.0
    while video.grab():
        seconds = _time(video.get(cv2.CAP_PROP_POS_MSEC) / 1000, seconds, 1 / rate)
        if seconds >= due - _HAIR:
            fine, frame = video.retrieve()
            if fine:
                yield seconds, np.ascontiguousarray(frame[..., ::-1])
            if every:
                due = every * (math.floor((seconds + _HAIR) / every) + 1)
    if seconds is None:
        raise ValueError(
            f"Expected a video that OpenCV reads. Received: '{path}', which has no "
            "readable frame."
        )


def _time(said: float, before: float | None, step: float) -> float:
    """Return a frame's time in seconds: the file's, or a step on where that is none."""
    if before is None:
        return said if math.isfinite(said) and said > 0 else 0.0
    return said if math.isfinite(said) and said > before else before + step


def _cv2():
    try:
        import cv2
    except ImportError as error:
        raise ImportError(
            "Videos are read by OpenCV: `pip install 'tftransfer[video]'`."
        ) from error
    return cv2
