"""A headless Chromium driven over a pipe by its DevTools protocol.

https://chromedevtools.github.io/devtools-protocol; no driver program in between, so
that a browser is all that a test needs.
"""

import base64
import contextlib
import fcntl
import itertools
import json
import os
import select
import shutil
import subprocess
import tempfile
import time

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_FLAGS = (
    "--headless=new --no-sandbox --disable-gpu --disable-dev-shm-usage --no-first-run "
    "--disable-background-networking --disable-extensions --remote-debugging-pipe "
    "--window-size=900,900 about:blank"
)


def find_browser() -> str | None:
    """Return the path of a Chromium, None where none is found."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Browser:
    """One page of a running browser.

    Attributes:
        events: What the browser told without being asked.
    """

    def __init__(self, write_to: int, read_from: int):
        self.events = []
        self._write_to, self._read_from = write_to, read_from
        self._buffer, self._numbers, self._session = b"", itertools.count(1), None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "DOM", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters) -> dict:
        """Return the result of a DevTools method."""
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._write_to, json.dumps(message).encode() + b"\0")
        while True:
            found = self._next_message()
            if found.get("id") == number:
                assert "error" not in found, found
                return found["result"]
            self.events.append(found)

    def script(self, text: str):
        """Return the value of a JavaScript expression, awaited."""
        found = self.call(
            "Runtime.evaluate", expression=text, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def wait_for(self, text: str, seconds: float = 10):
        """Return the value of a JavaScript expression once it is true."""
        end = time.monotonic() + seconds
        while not (value := self.script(text)):
            assert time.monotonic() < end, f"never: {text}"
            time.sleep(0.03)
        return value

    def open(self, address: str) -> None:
        """Load a page."""
        self.call("Page.navigate", url=address)
        self.wait_for(
            "document.readyState == 'complete' && location.href != 'about:blank'"
        )

    def choose(self, selector: str, paths: list[str]) -> None:
        """Choose files in a file input."""
        root = self.call("DOM.getDocument")["root"]["nodeId"]
        node = self.call("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.call("DOM.setFileInputFiles", files=paths, nodeId=node)

    def drop(self, x: int, y: int, paths: list[str]) -> None:
        """Drag files over a point and drop them there."""
        data = {"items": [], "files": paths, "dragOperationsMask": 1}
        for kind in ("dragEnter", "dragOver", "drop"):
            self.call("Input.dispatchDragEvent", type=kind, x=x, y=y, data=data)

    def picture(self) -> bytes:
        """Return the page as PNG."""
        return base64.b64decode(self.call("Page.captureScreenshot")["data"])

    def complaints(self) -> list[str]:
        """Return errors and warnings of the console, blocked resources among them."""
        entries = [e["params"]["entry"] for e in self.events if "Log.entry" in str(e)]
        thrown = [str(e) for e in self.events if "exceptionThrown" in e["method"]]
        return thrown + [e["text"] for e in entries if e["level"] != "verbose"]

    def _next_message(self) -> dict:
        while b"\0" not in self._buffer:
            assert select.select([self._read_from], [], [], 20)[0], "browser is silent"
            part = os.read(self._read_from, 1 << 20)
            assert part, "the browser has ended"
            self._buffer += part
        message, self._buffer = self._buffer.split(b"\0", 1)
        return json.loads(message)


@contextlib.contextmanager
def browsing(program: str):
    """Yield a `Browser` of a process that ends with the block."""
    theirs_in, ours_out = os.pipe()
    ours_in, theirs_out = os.pipe()
    # Away from 3 and 4, which the browser wants them to be.
    high = [fcntl.fcntl(end, fcntl.F_DUPFD, 20) for end in (theirs_in, theirs_out)]

    def in_place():
        os.dup2(high[0], 3)
        os.dup2(high[1], 4)

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        process = subprocess.Popen(
            [program, f"--user-data-dir={profile}", *_FLAGS.split()],
            preexec_fn=in_place,
            pass_fds=(3, 4),
            stderr=subprocess.DEVNULL,
        )
        for end in (theirs_in, theirs_out, *high):
            os.close(end)
        try:
            yield Browser(ours_out, ours_in)
        finally:
            process.terminate()
            process.wait(10)
            os.close(ours_out)
            os.close(ours_in)
