import keras
import pytest
from keras.src.utils import file_utils

from tests.backbones.large_nets import marks_of
from tftransfer.backbones import Backbone
from tftransfer.backbones import WeightsNotFoundError
from tftransfer.backbones import published
from tftransfer.backbones.applications import check_options
from tftransfer.backbones.catalogue import ARCHITECTURES
from tftransfer.backbones.catalogue import find_architecture
from tftransfer.backbones.published import published_file

CASES = [(row.name, {}, None) for row in ARCHITECTURES.values() if row.application]
CASES += [("mobilenet", {"alpha": a}, None) for a in (0.25, 0.5, 0.75)]
CASES += [("mobilenet", {}, 160), ("mobilenet", {}, 96), ("mobilenetv2", {}, 96)]
CASES += [("mobilenetv2", {"alpha": a}, None) for a in (0.35, 1.3)]
CASES += [
    (f"mobilenetv3{size}", options, None)
    for size in ("small", "large")
    for options in ({"alpha": 0.75}, {"minimalistic": True})
]


class _AskedError(Exception):
    pass


@pytest.mark.filterwarnings("ignore:`input_shape`")
@pytest.mark.parametrize(
    ("name", "options", "size"),
    [pytest.param(*case, marks=marks_of(case[0])) for case in CASES],
)
def test_is_the_file_that_keras_applications_fetches(
    name, options, size, monkeypatch, weightless
):
    def get_file(fname, origin, file_hash=None, **_):
        raise _AskedError(fname, origin, file_hash)

    monkeypatch.setattr(file_utils, "get_file", get_file)
    row = find_architecture(name)
    shape = (size or row.image_size, size or row.image_size, 3)
    application = getattr(keras.applications, row.application)
    with pytest.raises(_AskedError) as asked:
        application(include_top=False, input_shape=shape, **options)
    ours = published_file(row, check_options(row, options), shape)
    assert (ours.name, ours.url, ours.checksum) == asked.value.args


@pytest.fixture
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setattr(published, "keras_home", lambda: str(tmp_path))
    return tmp_path / "models"


def test_without_network_and_cache_the_error_says_what_to_do(empty_cache, monkeypatch):
    def get_file(name, url, **_):
        raise Exception(f"URL fetch failure on {url}: None -- unreachable")

    monkeypatch.setattr(keras.utils, "get_file", get_file)
    with pytest.raises(WeightsNotFoundError) as caught:
        Backbone("resnet50")
    text = str(caught.value)
    name = "resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5"
    assert (
        f"https://storage.googleapis.com/tensorflow/keras-applications/resnet/{name}"
        in text
    )
    assert str(empty_cache / name) in text
    assert isinstance(caught.value, OSError)


def test_download_gets_the_checksum_and_a_limit(empty_cache, monkeypatch):
    seen = {}

    def get_file(name, url, **arguments):
        seen.update(arguments, timeout=published.socket.getdefaulttimeout())

    monkeypatch.setattr(keras.utils, "get_file", get_file)
    row = find_architecture("vgg16")
    published.fetch(published_file(row, {}, (224, 224, 3)))
    assert seen["file_hash"] == "6d6bbae143d832006294945121d1f1fc"
    assert seen["cache_subdir"] == "models"
    assert seen["timeout"] == 15
    assert published.socket.getdefaulttimeout() is None


def test_a_cached_file_needs_no_network(empty_cache, monkeypatch):
    monkeypatch.setattr(keras.utils, "get_file", None)
    empty_cache.mkdir()
    file = published_file(find_architecture("vgg16"), {}, (224, 224, 3))
    (empty_cache / file.name).touch()
    assert published.fetch(file) == empty_cache / file.name


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("mobilenet", {"alpha": 0.6}),
        ("mobilenet", {"depth_multiplier": 2}),
        ("mobilenetv3small", {"alpha": 0.75, "minimalistic": True}),
    ],
)
def test_options_without_published_weights_raise(name, options):
    with pytest.raises(ValueError, match="with published weights"):
        Backbone(name, **options)


def test_real_imagenet_weights_know_a_picture(data_dir):
    if not (published.cache_folder() / "mobilenet_7_5_224_tf_no_top.h5").exists():
        pytest.skip("the weights of MobileNet alpha 0.75 are not in the Keras cache")
    backbone = Backbone("mobilenet", alpha=0.75)
    net = keras.applications.MobileNet(alpha=0.75, include_top=False, pooling="avg")
    picture = keras.random.uniform((1, 224, 224, 3), 0, 255, seed=0)
    expected = net(picture / 127.5 - 1.0)
    assert float(keras.ops.max(keras.ops.abs(backbone(picture) - expected))) < 1e-4
