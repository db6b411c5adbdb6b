"""Error texts say what was expected, what came and what to do."""

import pytest

from tftransfer.core import check_image_shape
from tftransfer.core import check_one_of
from tftransfer.core import check_range
from tftransfer.core import nearest


def test_nearest_names_close_options_or_all():
    assert nearest("conv9", ["conv4", "fc"]) == "Nearest: 'conv4'."
    assert nearest("zzz", ["conv4", "fc"]) == "Valid: 'conv4', 'fc'."


@pytest.mark.parametrize(
    ("check", "text"),
    [
        (lambda: check_one_of("mode", "tff", ["tf", "torch"]), "`mode`.*'tff'.*'tf'"),
        (lambda: check_range("rate", 2.0, 0, 1), r"`rate` in \[0, 1\].*2.0"),
        (lambda: check_range("rate", 1, 0, 1, open_high=True), r"\[0, 1\).*1"),
        (lambda: check_image_shape("x", (4, 8, 8, 1)), r"\(4, 8, 8, 1\).*repeat"),
    ],
)
def test_value_errors(check, text):
    with pytest.raises(ValueError, match=text):
        check()


def test_type_error_for_what_is_no_number():
    with pytest.raises(TypeError, match="'a'"):
        check_range("rate", "a", 0, 1)


def test_good_values_pass():
    check_one_of("mode", "tf", ["tf", "torch"])
    check_range("rate", 1.0, 0, 1)
    check_image_shape("x", (None, 8, 8, 3))
