"""Handwritten digits that ship with frazil: the UCI test set, 1 797 images of 8x8. Credit and licence are in README.md."""

from __future__ import annotations

from importlib import resources
from typing import NamedTuple

import numpy as np

#: How many images of every digit are held out.
HELD_OUT_PER_DIGIT = 50


class Digits(NamedTuple):
    """Images, float32 [n, 1, 8, 8] from 0 (paper) to 1 (ink), and the digits they show, int64 [n]."""

    images: np.ndarray
    labels: np.ndarray


def load() -> tuple[Digits, Digits]:
    """1 297 images to train on and 500 held out, 50 of every digit; the same ones every time.

    The held-out ones are spread evenly over the file, so the people who wrote them also wrote images to train on.

    >>> from frazil.plugins import digits
    >>> train, held_out = digits.load()
    >>> train.images.shape, held_out.images.shape
    ((1297, 1, 8, 8), (500, 1, 8, 8))
    """
    with resources.files(__name__).joinpath("digits.npz").open("rb") as file, np.load(file) as archive:
        images, labels = archive["images"], archive["labels"].astype(np.int64)
    everything = Digits(images[:, None].astype(np.float32) / 16, labels)
    held_out = np.zeros(len(labels), bool)
    for digit in range(10):
        places = np.flatnonzero(labels == digit)
        held_out[places[np.linspace(0, len(places) - 1, HELD_OUT_PER_DIGIT).astype(int)]] = True
    return Digits(*(part[~held_out] for part in everything)), Digits(*(part[held_out] for part in everything))
