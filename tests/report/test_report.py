"""The HTML report: complete, safe, and in need of nothing else."""

import html.parser
import re
import types
import xml.etree.ElementTree as ElementTree

import keras
import numpy as np
import pytest

import tftransfer as tft
from tests.report.told import Told
from tests.report.told import some_case
from tests.report.told import told
from tftransfer.report import evaluate_classifier
from tftransfer.report import write_report
from tftransfer.report.confusion import cell_colours
from tftransfer.report.curves import draw_curves

NAMES = ["ant", "bee <script>alert(1)</script>", "wasp & co $x_1$"]
HISTORY = {"loss": [2.0, 1.0], "val_loss": [2.0, 1.5], "val_accuracy": [0.4, 0.7]}


class Page(html.parser.HTMLParser):
    """What a browser makes of the file: tags, what they load, the text they show."""

    EMPTY = ("meta", "img", "br", "path", "use", "rect", "image")

    def __init__(self, text):
        super().__init__()
        self.tags, self.loads, self.ids, self.words = [], [], [], []
        self.open = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        if tag not in self.EMPTY:
            self.open.append(tag)
        for name, value in attributes:
            if name in ("src", "href", "xlink:href", "srcset", "action", "data"):
                self.loads.append(value)
            if name == "id":
                self.ids.append(value)
            assert not name.startswith("on"), f"{tag} {name}"

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in self.EMPTY:
            self.open.pop()

    def handle_endtag(self, tag):
        if tag not in self.EMPTY:
            assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("script", "style"):
            self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


def read(path):
    text = path.read_text(encoding="utf-8")
    page = Page(text)
    assert page.open == []
    assert all(load.startswith(("#", "data:")) for load in page.loads)
    assert not re.search(r"@import|url\((?!#|&quot;#)", text)
    assert page.tags.count("script") == 1
    anchors = {load[1:] for load in page.loads if load.startswith("#")}
    assert anchors <= set(page.ids)
    assert len(page.ids) == len(set(page.ids))
    for picture in re.findall(r"<svg.*?</svg>", text, flags=re.DOTALL):
        ElementTree.fromstring(picture)
    return page


def dataset_of(logits, labels, names=None):
    return tft.data.as_dataset(told(logits, labels), image_size=8, class_names=names)


def test_the_report_is_one_complete_and_safe_file(tmp_path):
    dataset = dataset_of(*some_case(), names=NAMES)
    path = tmp_path / "deep" / "report.html"
    settings = {"rate": 1e-4, "note": "<b>bold</b> & more", "none": None}
    found = write_report(
        path,
        Told(3),
        dataset,
        history=HISTORY,
        settings=settings,
        train=dataset,
        title="Insects <i>",
    )
    page = read(path)
    assert not {"iframe", "link", "object", "embed"} & set(page.tags)
    low, high = found.interval
    for part in (
        "Insects <i>",
        f"{found.accuracy:.1%} accuracy, 95% interval {low:.1%} to {high:.1%}",
        f"{found.correct} / 90 pictures right",
        "trained on",
        "bee <script>alert(1)</script>",
        "wasp & co $x_1$",
        "<b>bold</b> & more",
        "Most often confused",
        "Look for wrong labels",
        "tensorflow",
        "0.0001",
    ):
        assert part in page.text, part
    pictures = [load for load in page.loads if load.startswith("data:image/jpeg")]
    assert len(pictures) == len(found.mistakes) > 0
    assert page.ids[0] == "summary"
    assert "curves" in page.ids


def test_no_history_no_settings_no_training_data(tmp_path):
    for history in (None, {}, {"loss": []}):
        write_report(tmp_path / "r.html", Told(3), told(*some_case()), history=history)
        page = read(tmp_path / "r.html")
        assert "curves" not in page.ids
        assert "None given." in page.text
        assert "trained on" not in page.text.replace("not trained on", "")


def test_a_model_without_mistakes(tmp_path):
    labels = np.arange(30) % 3
    found = write_report(
        tmp_path / "r.html", Told(3), told(9 * np.eye(3)[labels], labels)
    )
    assert found.accuracy == 1
    page = read(tmp_path / "r.html")
    assert "made no mistake" in page.text
    assert "No picture was confused" in page.text
    assert "100.0% accuracy" in page.text


def test_classes_that_never_occur(tmp_path):
    logits = 9 * np.eye(4)[[0, 0, 1]]
    write_report(tmp_path / "r.html", Told(4), told(logits, [0, 1, 1]))
    text = read(tmp_path / "r.html").text
    assert "nan" not in text.lower()
    assert "4 of 4 classes have fewer than ten pictures" in text


@pytest.mark.parametrize("classes", [2, 31, 64])
def test_many_classes(classes, tmp_path):
    names = [f"species number {number}" for number in range(classes)]
    data = dataset_of(*some_case(300, classes), names=names)
    write_report(tmp_path / "r.html", Told(classes), data)
    page = read(tmp_path / "r.html")
    assert page.text.count(names[-1]) >= 3
    widths = re.findall(
        r'<svg[^>]*width="([0-9.]+)pt"', (tmp_path / "r.html").read_text()
    )
    assert max(map(float, widths)) <= 1040 * 0.75


def test_a_history_of_fine_tune_shows_where_it_went_deeper(tmp_path):
    history = types.SimpleNamespace(
        history=HISTORY, plan=types.SimpleNamespace(head_epochs=1)
    )
    evaluation = evaluate_classifier(Told(3), told(*some_case()))
    write_report(tmp_path / "r.html", Told(3), evaluation=evaluation, history=history)
    assert "the head alone was trained" in read(tmp_path / "r.html").text
    history.plan.head_epochs = 2
    write_report(tmp_path / "r.html", Told(3), evaluation=evaluation, history=history)
    assert "the head alone" not in read(tmp_path / "r.html").text


def test_a_classifier_and_a_history_of_keras(tmp_path):
    model = tft.Classifier(
        tft.Backbone("tiny", weights=None), 2, class_names=["cat", "dog"]
    )
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    pictures = np.random.default_rng(0).integers(0, 256, (8, 32, 32, 3), "uint8")
    data = tft.data.as_dataset((pictures, np.arange(8) % 2), image_size=32)
    history = model.fit(data, validation_data=data, shuffle=False, verbose=0)
    write_report(tmp_path / "r.html", model, data, history=history)
    text = read(tmp_path / "r.html").text
    for part in ("cat", "dog", "tiny", "32 x 32", f"{model.deployed.count_params():,}"):
        assert part in text


def test_nothing_to_report(tmp_path):
    with pytest.raises(ValueError, match="neither"):
        write_report(tmp_path / "r.html", Told(3))
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ValueError, match="one epoch"):
        draw_curves({})


def test_cells_are_shares_of_their_row():
    colours = cell_colours(np.array([[3, 1, 0], [0, 0, 0], [0, 100, 100]]))
    strength = colours[..., 3]
    np.testing.assert_allclose(strength[0, :2], 0.15 + 0.85 * np.sqrt([0.75, 0.25]))
    assert np.all(strength[1] == 0)
    assert strength[2, 1] == strength[2, 2]
    assert not np.array_equal(colours[0, 0, :3], colours[0, 1, :3])
    np.testing.assert_array_equal(colours[0, 0, :3], colours[2, 2, :3])
