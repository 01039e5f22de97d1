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
    return philox.random_raw(4 * blocks).astype("<u8", copy=False)


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


def random_uniform(state: np.ndarray, *, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """Uniform floats in [0, 1), of as many bits as the dtype holds below 1."""
    if dtype.name == "bfloat16":
        words = random_bits(state, n=math.prod(shape))
        return ((words >> 24).astype(np.float32) * np.float32(2**-8)).astype(dtype.numpy).reshape(shape)
    out = np.empty(math.prod(shape), dtype.name)
    if out.dtype == np.float64:
        _fill(state, out, 4, _uniform64)
    else:
        _fill(state, out, 8, _uniform32 if out.dtype == np.float32 else _uniform16)
    return out.reshape(shape)


def _uniform16(raw: np.ndarray, out: np.ndarray) -> None:
    words = raw.view("<u4")[: out.size]
    np.right_shift(words, 21, out=words)
    np.multiply(words, 2**-11, out=out, casting="same_kind")


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


def random_normal(state: np.ndarray, *, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """Standard normal floats, by pairs (Box and Muller), computed in float64."""
    out = np.empty(math.prod(shape), dtype.numpy)
    if out.dtype == np.float64:
        _fill(state, out, 4, _normal64)
    else:
        _fill(state, out, 8, _normal32)
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
    pairs = np.empty((radius.size, 2), out.dtype)
    wave = 0.25 - angle  # exact, so its sine is the cosine of the angle, as the op's body has it
    wave *= 2 * math.pi
    np.sin(wave, out=wave)
    wave *= radius
    pairs[:, 0] = wave
    angle *= 2 * math.pi
    np.sin(angle, out=wave)
    wave *= radius
    pairs[:, 1] = wave
    np.copyto(out, pairs.reshape(-1)[: out.size])


def random_int63(state: np.ndarray, *, shape: tuple[int, ...]) -> np.ndarray:
    """Uniform int64 in 0 .. 2**63 - 1."""
    out = np.empty(math.prod(shape), np.int64)
    _fill(state, out, 4, _int63)
    return out.reshape(shape)


def _int63(raw: np.ndarray, out: np.ndarray) -> None:
    np.bitwise_and(raw[: out.size], np.uint64(2**63 - 1), out=out.view(np.uint64))


def random_permutation(state: np.ndarray, *, n: int) -> np.ndarray:
    """0 .. n - 1 in the stable order of n random integers."""
    keys = random_int63(state, shape=(n,))
    order = np.argsort(keys)  # two to three times as fast as a stable sort, and the same unless keys are equal
    in_order = keys[order]
    return np.argsort(keys, kind="stable") if (in_order[1:] == in_order[:-1]).any() else order


def first_above(edges: np.ndarray, points: np.ndarray) -> np.ndarray:
    """For every point, how many of the ascending edges (last dimension) are not above it."""
    rows = zip(edges.reshape(-1, edges.shape[-1]), points.reshape(-1, points.shape[-1]), strict=True)
    found = [np.searchsorted(edge, point, side="right") for edge, point in rows]
    return np.stack(found).reshape(points.shape) if found else np.zeros(points.shape, np.int64)


KERNELS: dict[str, Callable[..., Any]] = {
    "random_bits": random_bits,
    "random_uniform": random_uniform,
    "random_normal": random_normal,
    "random_int63": random_int63,
    "random_permutation": random_permutation,
    "first_above": first_above,
}
