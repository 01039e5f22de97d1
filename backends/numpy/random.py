"""Counter-based random numbers: NumPy's own Philox4x64-10, which is written in C, set to any block of its stream.

core/random.py defines the stream. Every kernel works through it in chunks that stay in the cache; chunks are spread over threads.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from .threads import split

#: Blocks of a chunk: 8 words of 32 bits each.
CHUNK = 2048

_U64 = (1 << 64) - 1
_local = threading.local()


def _raw(seed: int, first: int, blocks: int) -> np.ndarray:
    """Blocks first .. first + blocks of the stream, as 64-bit words in the order of the 32-bit words they hold."""
    try:
        philox, state, counter, key = _local.philox
    except AttributeError:
        philox = np.random.Philox(key=0, counter=0)  # whose other words of key and counter stay 0
        state = philox.state
        counter, key = state["state"]["counter"], state["state"]["key"]
        _local.philox = philox, state, counter, key
    counter[0] = first & _U64
    key[0] = seed & _U64
    philox.state = state
    return philox.random_raw(4 * blocks).astype("<u8", copy=False)  # type: ignore[no-any-return]


def _fill(state: np.ndarray, out: np.ndarray, per_block: int, convert: Callable[[np.ndarray, np.ndarray], None]) -> None:
    """Fill the flat array `out`, of which a block gives `per_block` elements; `convert` makes them from 64-bit words."""
    seed, counter = state.tolist()

    def work(start: int, stop: int) -> None:
        for block in range(start, stop, CHUNK):
            part = out[block * per_block : min(block + CHUNK, stop) * per_block]
            convert(_raw(seed, counter + block, -(-part.size // per_block)), part)

    split(work, -(-out.size // per_block), nbytes=16 * out.nbytes)


def random_bits(state: np.ndarray, *, n: int) -> np.ndarray:
    """n words of 32 bits, as int64."""
    out = np.empty(n, np.int64)
    _fill(state, out, 8, lambda raw, part: np.copyto(part, raw.view("<u4")[: part.size]))
    return out


def uniform(state: np.ndarray, *, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """Uniform floats in [0, 1): multiples of 2**-24 (float32, from one word each) or 2**-53 (float64, from two)."""
    out = np.empty(math.prod(shape), dtype.name)
    if out.dtype == np.float32:
        _fill(state, out, 8, _uniform32)
    else:
        _fill(state, out, 4, _uniform64)
    return out.reshape(shape)


def _uniform32(raw: np.ndarray, out: np.ndarray) -> None:
    words = raw.view("<u4")[: out.size]
    np.right_shift(words, 8, out=words)
    np.copyto(out, words.view("<i4"))
    np.multiply(out, np.float32(2**-24), out=out)


def _uniform64(raw: np.ndarray, out: np.ndarray) -> None:
    words = raw[: out.size]
    np.right_shift(words, 11, out=words)
    np.copyto(out, words.view("<i8"))
    np.multiply(out, 2**-53, out=out)


def normal(state: np.ndarray, *, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """Standard normal floats, by pairs (Box and Muller), computed in float64."""
    out = np.empty(math.prod(shape), dtype.name)
    if out.dtype == np.float32:
        _fill(state, out, 8, _normal32)
    else:
        _fill(state, out, 4, _normal64)
    return out.reshape(shape)


def _normal32(raw: np.ndarray, out: np.ndarray) -> None:
    words = raw.view("<u4")
    _box_muller(words[0::2].astype(np.float64), words[1::2].astype(np.float64), 2**-32, out)


def _normal64(raw: np.ndarray, out: np.ndarray) -> None:
    np.right_shift(raw, 12, out=raw)
    words = raw.view("<i8")
    _box_muller(words[0::2].astype(np.float64), words[1::2].astype(np.float64), 2**-52, out)


def _box_muller(radius: np.ndarray, angle: np.ndarray, unit: float, out: np.ndarray) -> None:
    radius += 0.5  # the middle of the interval that the integer stands for: never 0 or 1, no multiple of a quarter
    radius *= unit
    np.log(radius, out=radius)
    radius *= -2.0
    np.sqrt(radius, out=radius)
    angle += 0.5
    angle *= unit
    angle *= 2 * math.pi
    pairs = np.empty((radius.size, 2), out.dtype)
    wave = np.cos(angle)
    wave *= radius
    pairs[:, 0] = wave
    np.sin(angle, out=wave)
    wave *= radius
    pairs[:, 1] = wave
    np.copyto(out, pairs.reshape(-1)[: out.size])
