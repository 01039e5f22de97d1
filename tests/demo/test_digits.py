"""The digits in the wheel are the UCI test set, divided the same way every time."""

from __future__ import annotations

import hashlib
from importlib import resources

import numpy as np

from frazil.plugins import digits


def test_the_file_is_the_uci_test_set():
    with resources.files(digits).joinpath("digits.npz").open("rb") as file, np.load(file) as archive:
        images, labels = archive["images"], archive["labels"]
    assert (images.shape, labels.shape, images.max()) == ((1797, 8, 8), (1797,), 16)
    # Of scikit-learn's copy, made by the lines in plugins/digits/README.md.
    digest = hashlib.sha256(images.tobytes() + labels.tobytes()).hexdigest()
    assert digest == "87ff0c9e40dc7e2c0e34e7257799c2e3f3aec1a016363bb11cad869ec428a826"


def test_credit_and_licence_lie_beside_it():
    text = resources.files(digits).joinpath("README.md").read_text()
    assert "Alpaydin" in text and "10.24432/C50P49" in text and "CC BY 4.0" in text


def test_every_digit_is_held_out_equally_often_and_no_image_is_on_both_sides():
    training, held_out = digits.load()
    assert np.bincount(held_out.labels).tolist() == [50] * 10
    assert len(training.labels) == 1297
    places = [{image.tobytes() for image in part.images} for part in (training, held_out)]
    assert not places[0] & places[1]


def test_images_are_in_the_form_that_a_convolution_takes():
    for part in digits.load():
        assert part.images.shape[1:] == (1, 8, 8) and part.images.dtype == np.float32 and part.labels.dtype == np.int64
        assert part.images.min() == 0 and part.images.max() == 1
