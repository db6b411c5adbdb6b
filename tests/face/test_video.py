"""Frames of a video come in time, in RGB, and what is no video is refused."""

import sys

import numpy as np
import pytest

from tftransfer.face import video_frames
from tftransfer.face.video import _frames


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    """Two seconds of ten frames each, red growing brighter, blue 0."""
    cv2 = pytest.importorskip("cv2", reason="OpenCV is not installed")
    path = tmp_path_factory.mktemp("video") / "red.avi"
    code = cv2.VideoWriter_fourcc(*"MJPG")
    writer = cv2.VideoWriter(str(path), code, 10.0, (32, 24))
    for number in range(20):
        frame = np.zeros((24, 32, 3), "uint8")
        frame[..., 2] = 10 * number + 30
        writer.write(frame)
    writer.release()
    return path


@pytest.mark.parametrize(
    ("every", "numbers"),
    [
        (0, range(20)),
        (0.5, (0, 5, 10, 15)),
        (1.0, (0, 10)),
        (0.25, (0, 3, 5, 8, 10, 13, 15, 18)),  # the first frame at or after its time
    ],
)
def test_frames_come_in_time_and_in_rgb(video, every, numbers):
    found = list(video_frames(video, every=every))
    np.testing.assert_allclose([s for s, _ in found], np.array(numbers) / 10)
    for number, (_, frame) in zip(numbers, found, strict=True):
        assert frame.shape == (24, 32, 3)
        assert frame.dtype == np.uint8
        assert abs(frame[..., 0].mean() - (10 * number + 30)) < 6
        assert frame[..., 2].mean() < 6


class Film:
    """A video of given times, as OpenCV gives them: seconds, or nan for none."""

    def __init__(self, times, rate):
        self.times, self.rate, self.place = times, rate, -1

    def grab(self):
        self.place += 1
        return self.place < len(self.times)

    def get(self, what):
        import cv2

        return self.rate if what == cv2.CAP_PROP_FPS else 1000 * self.times[self.place]

    def retrieve(self):
        return True, np.full((1, 1, 3), self.place, "uint8")


@pytest.mark.parametrize(
    ("times", "every", "expected"),
    [
        # Thirty frames in the first second, then one a second; OpenCV says 3 a second.
        ([*np.arange(30) / 30, 1, 2, 3, 4.5, 5], 1.0, [0, 1, 2, 3, 4.5, 5]),
        ([0, 0.4, 5.2, 5.6, 6.1], 1.0, [0, 5.2, 6.1]),  # none is owed for the gap
        ([np.nan, np.nan, 0.0, np.nan], 0, [0, 1 / 3, 2 / 3, 1]),  # by the rate
    ],
)
def test_times_are_the_files_where_the_rate_varies(times, every, expected):
    pytest.importorskip("cv2", reason="OpenCV is not installed")
    found = [seconds for seconds, _ in _frames(Film(times, 3.0), every, "a.mp4")]
    np.testing.assert_allclose(found, expected)


def test_what_is_no_video_is_refused(tmp_path):
    pytest.importorskip("cv2", reason="OpenCV is not installed")
    path = tmp_path / "no.mp4"
    path.write_bytes(b"no video")
    with pytest.raises(ValueError, match="no readable frame"):
        list(video_frames(path))


def test_times_are_checked(tmp_path):
    path = tmp_path / "no.mp4"
    path.write_bytes(b"")
    with pytest.raises(ValueError, match="0 or more"):
        list(video_frames(path, every=-1))


def test_absent_library_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", None)
    path = tmp_path / "no.mp4"
    path.write_bytes(b"")
    with pytest.raises(ImportError, match=r"tftransfer\[video\]"):
        list(video_frames(path))
