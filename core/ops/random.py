"""Random numbers as functions of a generator's state: pure ops, so they record, export and repeat.

`state` is int64[2]: the seed, and the number of blocks drawn so far; core/random.py defines the stream, and moves the state on.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import dtypes
from ..define import op, primitive
from ..errors import DTypeError, ShapeError
from ..table import E, S, Spec, floats, ints, values
from ..tensor import Tensor
from ..transfer import move, where_float64_is
from .common import prod, require_float
from .elementwise import cast, log, sin, sqrt
from .reduction import argsort, sum_
from .shape import cat, reshape, slice, unsqueeze

_STATE = values(np.array([42, 7]))
_FAR_STATE = values(np.array([-3, 2**32 - 1]))

#: Bits of a uniform number: as many as its dtype holds below 1.
_UNIFORM_BITS = {"bfloat16": 8, "float16": 11, "float32": 24, "float64": 53}


def _check_state(name: str, state: Spec) -> None:
    if state.dtype is not dtypes.int64 or len(state.shape) != 1 or state.shape[0] != 2:
        raise ShapeError(f"{name}: the state of a generator is int64[2] (seed, blocks drawn), given {state}")


def _check_dtype(name: str, dtype: dtypes.dtype) -> None:
    if dtype.name not in _UNIFORM_BITS:
        raise DTypeError(f"{name}: random numbers are float16, bfloat16, float32 or float64, asked for {dtype.name}")


def uniform_words(n: Any, dtype: dtypes.dtype) -> Any:
    """Return how many words n uniform numbers take."""
    return 2 * n if dtype is dtypes.float64 else n


def normal_words(n: Any, dtype: dtypes.dtype) -> Any:
    """Return how many words n normal numbers take: they come in pairs."""
    return (n + 1) // 2 * (4 if dtype is dtypes.float64 else 2)


def int63_words(n: Any) -> Any:
    """Return how many words n integers take."""
    return 2 * n


@primitive(
    samples=lambda: [S(_STATE, n=16), S(_FAR_STATE, n=13), S(_STATE, n=0)],
    errors=lambda: [
        E(S(ints(3), n=1), r"random_bits: the state of a generator is int64\[2\].*given int64\[3\]"),
        E(S(floats(2), n=1), "random_bits: the state of a generator"),
    ],
    exact=True,
    methods=[],
    public=False,
)
def random_bits(state, /, *, n):
    """int64[n]: words of 32 bits, 0 to 2**32 - 1, from the first block that was not drawn yet."""
    _check_state("random_bits", state)
    return Spec((n,), dtypes.int64)


def _every_second(words: Tensor, first: int, count: Any) -> Tensor:
    """words[first::2], of which there are 2 * count."""
    return slice(words, starts=(first,), stops=(2 * count,), steps=(2,))


def _top(bits: int) -> int:
    """A mask for the upper `bits` of a word, which leaves a whole number that a float of this many bits holds exactly."""
    return 2**32 - 2 ** (32 - bits)


def _fraction(words: Tensor, count: Any, bits: int) -> Tensor:
    """float64 in [0, 1) of the upper `bits` of `count` pairs of words. Every step is exact."""
    low, high = _every_second(words, 0, count), _every_second(words, 1, count)
    return cast(high, dtype=dtypes.float64) * 2.0**-32 + cast(low & _top(bits - 32), dtype=dtypes.float64) * 2.0**-64


def _typed(name: str) -> Any:
    def rule(state: Spec, *, shape: Any, dtype: dtypes.dtype) -> Spec:
        _check_state(name, state)
        _check_dtype(name, dtype)
        return Spec(tuple(shape), dtype)

    return rule


_FLOATS = [
    S(_STATE, shape=(3, 5), dtype=dtypes.float32),
    S(_FAR_STATE, shape=(7,), dtype=dtypes.float64),
    S(_STATE, shape=(9,), dtype=dtypes.float16),
    S(_STATE, shape=(), dtype=dtypes.float32),
    S(_STATE, shape=(0, 3), dtype=dtypes.float32),
]


@op(rule=_typed("random_uniform"), samples=_FLOATS, exact=True, methods=[], public=False)
def random_uniform(state, /, *, shape, dtype):
    """Uniform numbers in [0, 1), with as many random bits as the dtype holds below 1: 8 (bfloat16), 11, 24 or 53 (float64)."""
    _check_dtype("random_uniform", dtype)
    n = prod(shape)
    words = random_bits(state, n=uniform_words(n, dtype))
    if dtype is dtypes.float64:
        flat = _fraction(words, n, 53)
    else:
        flat = cast(cast(words & _top(_UNIFORM_BITS[dtype.name]), dtype=dtypes.float32) * 2.0**-32, dtype=dtype)
    return reshape(flat, shape=tuple(shape))


@op(rule=_typed("random_normal"), samples=_FLOATS, methods=[], public=False)
def random_normal(state, /, *, shape, dtype):
    """Standard normal numbers, by pairs from two uniform ones (G. E. P. Box and M. E. Muller, 1958), computed in float64.

    The uniform numbers are the middles of 2**32 (float64: 2**52) intervals: never 0 or 1, and no angle is a multiple of a right
    one, where the last bits of a sine are the library's choice.
    """
    _check_dtype("random_normal", dtype)
    n = prod(shape)
    pairs = (n + 1) // 2
    words = random_bits(state, n=normal_words(n, dtype))
    device, words = words._dev, where_float64_is(words)
    if dtype is dtypes.float64:
        middles = _fraction(words, 2 * pairs, 52) + 2.0**-53
    else:
        middles = (cast(words, dtype=dtypes.float64) + 0.5) * 2.0**-32
    near, far = _every_second(middles, 0, pairs), _every_second(middles, 1, pairs)
    radius = sqrt(log(near) * -2.0)
    # The cosine is the sine of the complement, which is exact: onnxruntime has no float64 Cos before 1.29.
    cosine, sine = (sin(turn * (2 * math.pi)) for turn in (0.25 - far, far))
    both = cat([unsqueeze(cosine * radius, 1), unsqueeze(sine * radius, 1)], dim=1)
    flat = slice(reshape(both, shape=(2 * pairs,)), starts=(0,), stops=(n,), steps=(1,))
    return reshape(move(cast(flat, dtype=dtype), device), shape=tuple(shape))


def _int63_rule(state: Spec, *, shape: Any) -> Spec:
    _check_state("random_int63", state)
    return Spec(tuple(shape), dtypes.int64)


@op(
    rule=_int63_rule,
    samples=lambda: [S(_STATE, shape=(3, 5)), S(_FAR_STATE, shape=(7,)), S(_STATE, shape=(0,))],
    exact=True,
    methods=[],
    public=False,
)
def random_int63(state, /, *, shape):
    """int64: uniform in 0 .. 2**63 - 1."""
    n = prod(shape)
    words = random_bits(state, n=int63_words(n))
    low, high = _every_second(words, 0, n), _every_second(words, 1, n)
    return reshape((high & (2**31 - 1)) * 2**32 + low, shape=tuple(shape))


def _permutation_rule(state: Spec, *, n: Any) -> Spec:
    _check_state("random_permutation", state)
    return Spec((n,), dtypes.int64)


@op(
    rule=_permutation_rule,
    samples=lambda: [S(_STATE, n=9), S(_FAR_STATE, n=1), S(_STATE, n=0)],
    exact=True,
    methods=[],
    public=False,
)
def random_permutation(state, /, *, n):
    """int64[n]: 0 .. n - 1 in the stable order of n random integers."""
    return argsort(random_int63(state, shape=(n,)), stable=True)


def _first_above_rule(edges: Spec, points: Spec) -> Spec:
    require_float("first_above", edges, points)
    if edges.shape[:-1] != points.shape[:-1] or not edges.shape:
        raise ShapeError(f"first_above: edges {edges} and points {points} must agree in all dimensions but the last")
    return Spec(points.shape, dtypes.int64)


@op(
    rule=_first_above_rule,
    samples=lambda: [
        S.of([0.1, 0.4, 0.4, 1.0], [0.0, 0.1, 0.39, 0.4, 0.9]),
        S.of([[0.5, 1.0], [0.0, 2.0]], [[0.2, 0.6, 0.9], [0.0, 1.0, 1.9]]),
    ],
    errors=lambda: [E(S((2, 3), (4, 3)), "first_above: .*must agree")],
    exact=True,
    methods=[],
    public=False,
)
def first_above(edges, points, /):
    """int64: for every point, how many of the ascending edges (last dimension) are not above it."""
    _first_above_rule(Spec(tuple(edges._a.shape), edges.dtype), Spec(tuple(points._a.shape), points.dtype))
    passed = unsqueeze(edges, -2) <= unsqueeze(points, -1)
    return sum_(cast(passed, dtype=dtypes.int64), dim=(len(points._a.shape),))
