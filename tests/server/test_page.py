"""The page: its files and headers, and a browser that uses it."""

import httpx
import numpy as np
import pytest
from PIL import Image

from tests.server.browser import browsing
from tests.server.browser import find_browser
from tests.server.fakes import OPEN
from tests.server.fakes import FakePredictor
from tests.server.fakes import running


def test_files_and_headers(client):
    for path, kind in (
        ("/", "text/html"),
        ("/page.css", "text/css"),
        ("/page.js", "text/javascript"),
        ("/page.json", "application/json"),
    ):
        answer = client.get(path)
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith(kind)
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'")
        assert "unsafe" not in policy
        assert "http" not in policy
    facts = client.get("/page.json").json()
    assert facts["name"] == "colours"
    assert facts["labels"] == 3
    assert facts["image_size"] == 16


def test_no_text_becomes_html(client):
    script = client.get("/page.js").text
    assert "innerHTML" not in script
    assert "insertAdjacentHTML" not in script
    assert (
        "https://" not in script + client.get("/").text + client.get("/page.css").text
    )


@pytest.fixture(scope="module")
def browser():
    program = find_browser()
    if program is None:
        pytest.skip("no chromium or google-chrome found on PATH")
    with browsing(program) as browser:
        yield browser


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Return {what: path} of pictures on disk."""
    folder = tmp_path_factory.mktemp("pictures")
    x, y = np.meshgrid(np.linspace(0, 1, 320), np.linspace(0, 1, 240))
    red = np.stack([200 + 40 * x, 30 + 40 * y, 40 + 30 * x * y], -1).astype("uint8")
    Image.fromarray(red).save(folder / "red.jpg")
    Image.fromarray(red[..., ::-1]).save(folder / "blue.png")
    whole = (folder / "red.jpg").read_bytes()
    (folder / "broken.jpg").write_bytes(whole[: len(whole) // 3])
    (folder / "notes.txt").write_text("no picture")
    return {path.name: str(path) for path in folder.iterdir()}


FIRST = "!!document.querySelector('article:not(.busy)')"


def _texts(browser, selector: str) -> list[str]:
    return browser.script(
        f"[...document.querySelectorAll({selector!r})].map(e => e.textContent)"
    )


def test_a_chosen_picture_is_answered(browser, client, files):
    browser.open(str(client.base_url))
    browser.wait_for("document.title == 'colours - tftransfer'")
    assert "version 3 · 3 labels · 16" in _texts(browser, "#facts")[0]
    browser.choose("#file", [files["red.jpg"]])
    browser.wait_for(FIRST)
    assert _texts(browser, "li span")[0] == OPEN
    shares = [float(text.removesuffix(" %")) for text in _texts(browser, "li b")]
    assert shares[0] > 50
    assert sum(shares) == pytest.approx(100, abs=0.2)
    widths = browser.script(
        "[...document.querySelectorAll('.bar i')].map(e => parseFloat(e.style.width))"
    )
    assert widths == pytest.approx(shares, abs=0.06)
    assert _texts(browser, ".note")[0].startswith("answered in ")
    assert browser.wait_for("document.querySelector('img').naturalWidth") == 320
    assert browser.complaints() == []


def test_dropped_pictures_answer_and_fail_for_themselves(browser, client, files):
    browser.open(str(client.base_url))
    names = ["blue.png", "broken.jpg", "notes.txt"]
    browser.drop(400, 200, [files[name] for name in names])
    browser.wait_for("document.querySelectorAll('article:not(.busy)').length == 3")
    assert _texts(browser, "h2") == names
    assert _texts(browser, "article.bad .note") == [
        "Undecodable: truncated or corrupt picture.",
        "Unknown format: expected JPEG, PNG, GIF, BMP or WebP.",
    ]
    assert _texts(browser, "article:not(.bad) li span")[0] == "blue"
    assert browser.complaints() == []


def test_the_keyboard_reaches_the_file_input(browser, client):
    browser.open(str(client.base_url))
    for kind in ("keyDown", "keyUp"):
        browser.call(
            "Input.dispatchKeyEvent",
            type=kind,
            key="Tab",
            code="Tab",
            windowsVirtualKeyCode=9,
        )
    assert browser.script("document.activeElement.id") == "file"


def test_an_error_of_the_server_and_a_server_that_is_gone(browser, files):
    def fail(images):
        raise RuntimeError("secret")

    with running(FakePredictor(before=fail)) as address:
        browser.open(address)
        browser.choose("#file", [files["red.jpg"]])
        browser.wait_for("!!document.querySelector('article.bad')")
        (text,) = _texts(browser, "article .note")
        assert text == "The model failed on this batch of pictures."
        assert httpx.get(address + "/healthz").status_code == 200
    browser.choose("#file", [files["blue.png"]])
    browser.wait_for("document.querySelectorAll('article.bad').length == 2")
    assert "does not answer" in _texts(browser, "article .note")[0]


def test_a_phone_shows_all_of_it(browser, client, files):
    size = {"width": 360, "height": 700, "deviceScaleFactor": 2, "mobile": True}
    browser.call("Emulation.setDeviceMetricsOverride", **size)
    browser.open(str(client.base_url))
    browser.choose("#file", [files["red.jpg"]])
    browser.wait_for(FIRST)
    assert browser.script("document.documentElement.scrollWidth") <= 360
    browser.call("Emulation.clearDeviceMetricsOverride")
