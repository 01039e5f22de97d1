"""What every op of the table must compute: plain NumPy in float64, one function per op, written from the definition.

`REFERENCE[name](*arrays, **attributes)` takes the inputs as NumPy arrays (floats as float64, None for a tensor left out) and
the canonical attributes, and gives the result (a tuple for several). It says nothing about dtypes: those are the business of the
op's rule. The ops of `OF_DTYPE` compute with the limits of the dtype: their reference takes floats as they are.
"""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

Array = np.ndarray

#: Op name -> function.
REFERENCE: dict[str, Callable[..., Any]] = {}

#: Ops that must see the dtype of their inputs.
OF_DTYPE = frozenset({"nan_to_num", "rms_norm"})


def reference(fn: Callable[..., Any]) -> Callable[..., Any]:
    """Register `fn` as the reference of the op of its name."""
    REFERENCE[fn.__name__.rstrip("_")] = fn
    return fn


def compute(name: str, *arrays: Any, **attributes: Any) -> Any:
    """The result of the op `name` by its reference, without NumPy's warnings about inf and NaN.

    >>> compute("sigmoid", np.array([0.0]))
    array([0.5])
    """
    with np.errstate(all="ignore"):
        return REFERENCE[name](*arrays, **attributes)


def each(fn: Callable[..., Any]) -> Callable[..., Any]:
    """A function of numbers, applied to every element; NaN where it is not defined."""

    def one(*numbers: Any) -> Any:
        try:
            return fn(*(n.item() for n in numbers))
        except (ValueError, ZeroDivisionError):
            return math.nan
        except OverflowError:
            return math.inf

    def every(*arrays: Any) -> Array:
        given = np.broadcast_arrays(*arrays)
        results = [one(*numbers) for numbers in zip(*(a.flat for a in given), strict=True)]
        return np.array(results, dtype=None if results else np.float64).reshape(given[0].shape)

    return every


# -------------------------------------------------------------------------------------------------------------- elementwise


def _with_limits(fn: Callable[[float], float], at_minus_inf: float, at_inf: float) -> Callable[[float], float]:
    """`fn`, with its limits at the infinities."""
    return lambda x: at_inf if x == math.inf else at_minus_inf if x == -math.inf else fn(x)


def _odd(fn: Callable[[float], float]) -> Callable[[float], float]:
    """An odd function with the sign of a large argument (`math.sinh` forgets it when it overflows)."""
    return lambda x: math.copysign(1.0, x) * each(fn)(np.float64(abs(x))).item()


REFERENCE.update(
    {
        "neg": lambda x: 0 - x if x.dtype.kind == "i" else -x,
        "abs": lambda x: np.where(x < 0, -x, x * 1),
        "sign": lambda x: np.where(np.isnan(x), x, (x > 0) * 1 - (x < 0) * 1),
        "exp": each(_with_limits(math.exp, 0.0, math.inf)),
        "expm1": each(_with_limits(math.expm1, -1.0, math.inf)),
        "exp2": each(lambda x: 2.0**x),
        "log": each(lambda x: -math.inf if x == 0 else math.log(x)),
        "log1p": each(lambda x: -math.inf if x == -1 else math.log1p(x)),
        "log2": each(lambda x: -math.inf if x == 0 else math.log2(x)),
        "log10": each(lambda x: -math.inf if x == 0 else math.log10(x)),
        "sqrt": each(math.sqrt),
        "rsqrt": each(lambda x: math.copysign(math.inf, x) if x == 0 else 1 / math.sqrt(x)),
        "reciprocal": each(lambda x: math.copysign(math.inf, x) if x == 0 else 1 / x),
        "square": lambda x: x * x,
        "sin": each(math.sin),
        "cos": each(math.cos),
        "tan": each(math.tan),
        "asin": each(math.asin),
        "acos": each(math.acos),
        "atan": each(math.atan),
        "sinh": each(_odd(math.sinh)),
        "cosh": each(lambda x: math.cosh(x)),
        "tanh": each(math.tanh),
        "asinh": each(math.asinh),
        "acosh": each(math.acosh),
        "atanh": each(lambda x: math.copysign(math.inf, x) if abs(x) == 1 else math.atanh(x)),
        "erf": each(math.erf),
        "erfc": each(math.erfc),
        "sigmoid": each(lambda x: 1 / (1 + math.exp(-x)) if x > -700 else 0.0 if x == x else x),
        "floor": each(lambda x: math.floor(x) if math.isfinite(x) else x),
        "ceil": each(lambda x: math.ceil(x) if math.isfinite(x) else x),
        "trunc": each(lambda x: math.trunc(x) if math.isfinite(x) else x),
        "round_half_even": each(lambda x: round(x) if math.isfinite(x) else x),
        "frac": lambda x: x - np.trunc(x),
        "isnan": lambda x: x != x,
        "isinf": lambda x: np.abs(x) == np.inf,
        "isfinite": lambda x: np.abs(x) < np.inf,
        "logical_not": lambda x: x == 0,
        "bitwise_not": lambda x: x == 0 if x.dtype.kind == "b" else -1 - x,
        "copy": lambda x: x,
        "in_rows": lambda x: x,
        "conj_physical": lambda x: np.conj(x),
        "view_as_real": lambda x: np.stack([x.real, x.imag], -1),
        "view_as_complex": lambda x: x[..., 0] + 1j * x[..., 1],
        "detach": lambda x: x,
        "add": lambda a, b: a + b,
        "sub": lambda a, b: a - b,
        "mul": lambda a, b: a * b,
        "div": lambda a, b: a / b,
        "maximum": lambda a, b: np.where(a != a, a, np.where(b != b, b, np.where(a > b, a, b))),
        "minimum": lambda a, b: np.where(a != a, a, np.where(b != b, b, np.where(a < b, a, b))),
        "floor_divide": each(lambda a, b: _floor_divide(a, b)),
        "remainder": each(lambda a, b: a % b),
        "fmod": each(lambda a, b: int(math.fmod(a, b)) if isinstance(a, int) and isinstance(b, int) else math.fmod(a, b)),
        "power": each(lambda a, b: a**b if not (isinstance(a, float) and a == 0 and b < 0) else math.inf),
        "atan2": each(math.atan2),
        "hypot": each(math.hypot),
        "spread_root": each(math.sqrt),
        "trunc_divide": lambda a, b: (
            np.trunc(a / b) if a.dtype.kind == "f" else (np.abs(a) // np.abs(b)) * np.sign(a) * np.sign(b)
        ),
        "logaddexp": each(lambda a, b: a + math.log(2) if a == b else max(a, b) + math.log1p(math.exp(-abs(a - b)))),
        "xlogy": each(lambda a, b: 0.0 if a == 0 and b == b else a * (-math.inf if b == 0 else math.log(b))),
        "lerp": each(lambda start, end, weight: end if weight == 1 else (1 - weight) * start + weight * end),
        "probability_loss": each(lambda p, t: (t - 1) * _floored_log(1 - p) - t * _floored_log(p)),
        "addcmul": lambda x, a, b, value: x + value * (a * b),
        "addcdiv": lambda x, a, b, value: x + value * (a / b),
        "eq": lambda a, b: a == b,
        "ne": lambda a, b: a != b,
        "lt": lambda a, b: a < b,
        "le": lambda a, b: a <= b,
        "gt": lambda a, b: a > b,
        "ge": lambda a, b: a >= b,
        "logical_and": lambda a, b: (a != 0) & (b != 0),
        "logical_or": lambda a, b: (a != 0) | (b != 0),
        "logical_xor": lambda a, b: (a != 0) != (b != 0),
        "bitwise_and": each(lambda a, b: a & b),
        "bitwise_or": each(lambda a, b: a | b),
        "bitwise_xor": each(lambda a, b: a ^ b),
        "bitwise_left_shift": each(lambda a, b: a << b),
        "bitwise_right_shift": each(lambda a, b: a >> b),
        "where": lambda c, a, b: np.where(c, a, b),
        "cast": lambda x, dtype: (
            np.trunc(x).astype(dtype.numpy) if dtype.kind == "i" and x.dtype.kind == "f" else x.astype(dtype.numpy)
        ),
        "fill": lambda shape, value, dtype: np.full(shape, value),
        "sequence": lambda start, stop, step, dtype: np.array(
            [start + i * step for i in range(math.ceil((stop - start) / step))]
        ),
        "size_to_tensor": lambda size, dtype: np.array(size),
        "transfer": lambda x, origin: x,
    }
)


# ---------------------------------------------------------------------------------------------------------- special functions


def _digamma(x: float) -> float:
    total = 0.0
    while x < 30:
        total -= math.copysign(math.inf, x) if x == 0 else 1 / x
        x += 1
    return total + math.log(x) - 1 / (2 * x) - 1 / (12 * x**2) + 1 / (120 * x**4) - 1 / (252 * x**6)


def _hurwitz(s: float, q: float) -> float:
    """The sum of (q + k)^-s, and an integral for its rest."""
    if not s > 1:
        return math.inf if s == 1 else math.nan
    if q <= 0 and q == math.floor(q):
        return math.inf
    if q < 0 and s != math.floor(s):
        return math.nan
    total = 0.0
    while q < 40:
        total += q**-s
        q += 1
    rest = q / (s - 1) + 0.5 + s / (12 * q) - s * (s + 1) * (s + 2) / (720 * q**3)
    rest += s * (s + 1) * (s + 2) * (s + 3) * (s + 4) / (30240 * q**5)
    return total + q**-s * rest


def _quantile(p: float) -> float:
    if not 0 < p < 1:
        return {0.0: -math.inf, 1.0: math.inf}.get(p, math.nan)
    return statistics.NormalDist().inv_cdf(p)


def _erfinv(x: float) -> float:
    y = _quantile((1 + x) / 2) / math.sqrt(2)
    return y - (math.erf(y) - x) * math.exp(y * y) * math.sqrt(math.pi) / 2 if abs(x) < 1 else y


def _erfcx(x: float) -> float:
    if x < 25:
        return math.exp(x * x) * math.erfc(x)
    return 1 / (math.sqrt(math.pi) * (x + 0.5 / (x + 1 / (x + 1.5 / (x + 2 / (x + 2.5 / x))))))


def _log_ndtr(x: float) -> float:
    if x < -5:
        return math.log(_erfcx(-x / math.sqrt(2)) / 2) - x * x / 2 if x > -math.inf else x
    return math.log1p(-math.erfc(x / math.sqrt(2)) / 2)


_POINTS, _SHARES = np.polynomial.legendre.leggauss(300)


def _integral(f: Callable[[Array], Array], high: float) -> float:
    """The integral of f from 0 to `high`."""
    return float(f((_POINTS + 1) * high / 2) @ _SHARES * high / 2)


def _bessel_i(n: int, x: float, scaled: bool) -> float:
    lost = abs(x) if scaled else 0.0
    return _integral(lambda t: np.exp(x * np.cos(t) - lost) * np.cos(n * t), math.pi) / math.pi


def _bessel_k(n: float, x: float, scaled: bool) -> float:
    if not x > 0:
        return math.inf if x == 0 else math.nan
    lost = x if scaled else 0.0
    return _integral(lambda t: np.exp(lost - x * np.cosh(t)) * np.cosh(n * t), math.asinh(800 / x))


def _bessel_j(n: float, x: float) -> float:
    """Schlaefli's integral, which holds for x > 0 and every order; for whole orders its second part is 0."""
    if x < 0 or n == int(n):
        return _integral(lambda t: np.cos(n * t - x * np.sin(t)), math.pi) / math.pi
    tail = _integral(lambda t: np.exp(-x * np.sinh(t) - n * t), math.asinh(800 / x))
    return _integral(lambda t: np.cos(n * t - x * np.sin(t)), math.pi) / math.pi - math.sin(n * math.pi) / math.pi * tail


def _bessel_y(n: int, x: float) -> float:
    if not x > 0:
        return -math.inf if x == 0 else math.nan
    tail = _integral(lambda t: (np.exp(n * t) + (-1) ** n * np.exp(-n * t)) * np.exp(-x * np.sinh(t)), math.asinh(800 / x))
    return (_integral(lambda t: np.sin(x * np.sin(t) - n * t), math.pi) - tail) / math.pi


def _airy(x: float) -> float:
    if abs(x) < 1e-12:
        return 3 ** (-2 / 3) / math.gamma(2 / 3)
    turn = 2 / 3 * abs(x) ** 1.5
    if x > 0:
        return math.sqrt(x / 3) / math.pi * _bessel_k(1 / 3, turn, False)
    return math.sqrt(-x) / 3 * (_bessel_j(1 / 3, turn) + _bessel_j(-1 / 3, turn))


REFERENCE.update(
    {
        "lgamma": each(lambda x: math.inf if x <= 0 and x == math.floor(x) else math.lgamma(x)),
        "digamma": each(lambda x: x if x == math.inf else math.nan if x < 0 and x == math.floor(x) else _digamma(x)),
        "zeta": each(_hurwitz),
        "polygamma_of": lambda x, n: (-1) ** (n + 1) * math.factorial(n) * each(lambda v: _hurwitz(n + 1.0, v))(x),
        "erfinv": each(_erfinv),
        "ndtri": each(_quantile),
        "erfcx": each(_erfcx),
        "ndtr": each(lambda x: math.erfc(-x / math.sqrt(2)) / 2),
        "log_ndtr": each(_log_ndtr),
        "i0": each(lambda x: _bessel_i(0, x, False)),
        "i0e": each(lambda x: _bessel_i(0, x, True)),
        "i1": each(lambda x: _bessel_i(1, x, False)),
        "i1e": each(lambda x: _bessel_i(1, x, True)),
        "modified_bessel_k0": each(lambda x: _bessel_k(0, x, False)),
        "modified_bessel_k1": each(lambda x: _bessel_k(1, x, False)),
        "scaled_modified_bessel_k0": each(lambda x: _bessel_k(0, x, True)),
        "scaled_modified_bessel_k1": each(lambda x: _bessel_k(1, x, True)),
        "bessel_j0": each(lambda x: _bessel_j(0, x)),
        "bessel_j1": each(lambda x: _bessel_j(1, x)),
        "bessel_y0": each(lambda x: _bessel_y(0, x)),
        "bessel_y1": each(lambda x: _bessel_y(1, x)),
        "spherical_bessel_j0": each(lambda x: 1.0 if x == 0 else 0.0 if abs(x) == math.inf else math.sin(x) / x),
        "airy_ai": each(_airy),
    }
)


def _floored_log(x: float) -> float:
    return max(math.log(x), -100.0) if x else -100.0


def _floor_divide(a: Any, b: Any) -> Any:
    if isinstance(b, float) and math.isinf(b) and math.isfinite(a):
        return 0.0 if a * b >= 0 else -1.0
    return a // b


@reference
def clamp_numbers(x: Array, min: Any, max: Any) -> Array:
    if min is not None:
        x = np.where(x < min, min, x)
    return x if max is None else np.where(x > max, max, x)


@reference
def nan_to_num(x: Array, nan: float, posinf: float | None, neginf: float | None) -> Array:
    if x.dtype.kind != "f":
        return x
    largest = np.finfo(x.dtype).max
    y = x.copy()
    y[x != x] = nan
    y[x == np.inf] = largest if posinf is None else posinf
    y[x == -np.inf] = -largest if neginf is None else neginf
    return y


# --------------------------------------------------------------------------------------------------------------- activation


def _softplus(x: Array) -> Array:
    return np.where(x > 30, x, np.log1p(np.exp(np.minimum(x, 30))))


def _sigmoid(x: Array) -> Array:
    return REFERENCE["sigmoid"](x)


REFERENCE.update(
    {
        "relu": lambda x: np.where(x < 0, 0, x),
        "relu_grad": lambda g, y: np.where(y <= 0, 0, g),
        "softplus": lambda x, beta, threshold: np.where(x * beta > threshold, x, _softplus(x * beta) / beta),
        "silu": lambda x: x * _sigmoid(x),
        "mish": lambda x: x * np.tanh(_softplus(x)),
        "leaky_relu": lambda x, negative_slope: np.where(x > 0, x, x * negative_slope),
        "elu": lambda x, alpha: np.where(x > 0, x, alpha * np.expm1(x)),
        "selu": lambda x: 1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * np.expm1(x)),
        "celu": lambda x, alpha: np.maximum(x, 0) + np.minimum(alpha * np.expm1(x / alpha), 0),
        "hardtanh": lambda x, min_val, max_val: np.where(x < min_val, min_val, np.where(x > max_val, max_val, x)),
        "hardsigmoid": lambda x: np.clip(x / 6 + 0.5, 0, 1),
        "hardswish": lambda x: x * np.clip(x / 6 + 0.5, 0, 1),
        "softsign": lambda x: x / (1 + np.abs(x)),
        "log_sigmoid": lambda x: -_softplus(-x),
        "log_odds": lambda x: np.log(x / (1 - x)),
        "hardshrink": lambda x, lambd: np.where((x >= -lambd) & (x <= lambd), 0, x),
        "softshrink": lambda x, lambd: np.where(x > lambd, x - lambd, np.where(x < -lambd, x + lambd, x * 0)),
        "tanhshrink": lambda x: x - np.tanh(x),
        "threshold": lambda x, threshold, value: np.where(x <= threshold, value, x),
    }
)


@reference
def gelu(x: Array, approximate: str) -> Array:
    if approximate == "tanh":
        return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))
    return x * each(lambda v: math.erfc(-v / math.sqrt(2)) / 2)(x)


@reference
def gelu_grad(g: Array, x: Array, approximate: str) -> Array:
    if approximate == "tanh":  # by an imaginary step, which loses no digits
        return g * REFERENCE["gelu"](x + 1e-30j, approximate).imag / 1e-30
    density = np.exp(-x * x / 2) / np.sqrt(2 * np.pi)
    return g * (each(lambda v: math.erfc(-v / math.sqrt(2)) / 2)(x) + x * density)


@reference
def silu_grad(g: Array, x: Array) -> Array:
    s = _sigmoid(x)
    return g * s * (1 + x * (1 - s))


@reference
def prelu(x: Array, weight: Array) -> Array:
    slope = weight if weight.size == 1 or x.ndim < 2 else weight.reshape(1, -1, *[1] * (x.ndim - 2))
    return np.where(x > 0, x, slope * x)


@reference
def glu(x: Array, dim: int) -> Array:
    a, b = np.split(x, 2, dim)
    return a * _sigmoid(b)


# --------------------------------------------------------------------------------------------------------------- reductions


def _groups(x: Array, dim: Any, keepdim: bool) -> Iterator[tuple[tuple[int, ...], Array]]:
    """(place in the result, the elements that are brought together there) for a reduction over `dim`."""
    dims = tuple(range(x.ndim)) if dim is None else dim
    rest = [range(1) if i in dims else range(n) for i, n in enumerate(x.shape)]
    for place in itertools.product(*rest):
        chosen = x[tuple(slice(None) if i in dims else p for i, p in enumerate(place))]
        yield tuple(p for i, p in enumerate(place) if keepdim or i not in dims), chosen.reshape(-1)


def _truth_of(x: Array) -> Any:
    return np.uint8 if x.dtype == np.uint8 else bool


def _reduced(x: Array, dim: Any, keepdim: bool, fn: Callable[[list[Any]], Any]) -> Array:
    dims = tuple(range(x.ndim)) if dim is None else dim
    shape = [1 if i in dims else n for i, n in enumerate(x.shape) if keepdim or i not in dims]
    y = np.zeros(shape, object)
    for place, elements in _groups(x, dim, keepdim):
        y[place] = fn(elements.tolist())
    return np.array(y.tolist(), dtype=None if y.size else np.float64).reshape(shape)


def _product(numbers: list[Any]) -> Any:
    result = 1
    for n in numbers:
        result = result * n
    return result


def _largest(numbers: list[Any]) -> Any:
    return next((n for n in numbers if n != n), max(n for n in numbers if n == n) if any(n == n for n in numbers) else None)


def _first_place(numbers: list[Any], of: Callable[[list[Any]], Any]) -> int:
    missing = [i for i, n in enumerate(numbers) if n != n]
    return missing[0] if missing else numbers.index(of(numbers))


def _smallest(numbers: list[Any]) -> Any:
    return next((n for n in numbers if n != n), min(n for n in numbers if n == n) if any(n == n for n in numbers) else None)


def _one(dim: int | None) -> tuple[int, ...] | None:
    return None if dim is None else (dim,)


def _scan(fn: Callable[[Any, Any], Any]) -> Callable[..., Array]:
    def scan(x: Array, dim: int, dtype: Any = None) -> Array:
        if not x.ndim:
            return x
        y = np.moveaxis(x.astype(np.int64) if x.dtype.kind == "b" else x.copy(), dim, 0)
        for i in range(1, len(y)):
            y[i] = fn(y[i - 1], y[i])
        return np.moveaxis(y, 0, dim)

    return scan


def _mean(numbers: list[Any]) -> float:
    return sum(numbers) / len(numbers) if numbers else math.nan


def _log_sum_exp(numbers: list[float]) -> float:
    top = max(numbers)
    return top if math.isinf(top) else top + math.log(math.fsum(math.exp(n - top) for n in numbers))


REFERENCE.update(
    {
        "sum": lambda x, dim, keepdim, dtype: _reduced(x, dim, keepdim, sum),
        "mean": lambda x, dim, keepdim, dtype: _reduced(x, dim, keepdim, _mean),
        "prod": lambda x, dim, keepdim, dtype: _reduced(x, dim, keepdim, _product),
        "amax": lambda x, dim, keepdim: _reduced(x, dim, keepdim, _largest),
        "amin": lambda x, dim, keepdim: _reduced(x, dim, keepdim, _smallest),
        "argmax": lambda x, dim, keepdim: _reduced(x, _one(dim) if x.ndim else None, keepdim, lambda n: _first_place(n, max)),
        "argmin": lambda x, dim, keepdim: _reduced(x, _one(dim) if x.ndim else None, keepdim, lambda n: _first_place(n, min)),
        "all": lambda x, dim, keepdim: _reduced(x, dim, keepdim, all).astype(_truth_of(x)),
        "any": lambda x, dim, keepdim: _reduced(x, dim, keepdim, any).astype(_truth_of(x)),
        "cumsum": _scan(lambda a, b: a + b),
        "cumprod": _scan(lambda a, b: a * b),
        "logsumexp": lambda x, dim, keepdim: _reduced(x, dim, keepdim, _log_sum_exp),
    }
)


@reference
def variance(x: Array, dim: Any, correction: float, keepdim: bool) -> Array:
    return _reduced(x, dim, keepdim, lambda n: sum((v - _mean(n)) ** 2 for v in n) / (len(n) - correction))


@reference
def vector_norm(x: Array, p: float, dim: Any, keepdim: bool) -> Array:
    def norm(numbers: list[float]) -> float:
        sizes = [abs(n) for n in numbers]
        if math.isinf(p):
            return max(sizes) if p > 0 else min(sizes)
        if p == 0:
            return float(sum(n != 0 for n in sizes))
        return float(sum(n**p for n in sizes) ** (1 / p))

    return _reduced(x, dim, keepdim, norm)


def _sorted_places(row: list[Any], descending: bool) -> list[int]:
    """Stable; NaN counts as the largest."""
    found = sorted(range(len(row)), key=lambda i: (row[i] != row[i], 0 if row[i] != row[i] else row[i]))
    if not descending:
        return found
    return sorted(range(len(row)), key=lambda i: (row[i] == row[i], 0 if row[i] != row[i] else -row[i]))


@reference
def sort_values(x: Array, dim: int, descending: bool, stable: bool) -> tuple[Array, Array]:
    if not x.ndim:
        return x, np.zeros((), np.int64)
    order = np.apply_along_axis(lambda row: _sorted_places(row.tolist(), descending), dim, x) if x.size else x.astype(np.int64)
    return np.take_along_axis(x, order, dim), order


@reference
def topk_values(x: Array, k: int, dim: int, largest: bool, sorted: bool) -> tuple[Array, Array]:
    found, order = sort_values(x, dim, largest, True)
    first = np.arange(k)
    return found.take(first, dim), order.take(first, dim)


# -------------------------------------------------------------------------------------------------------- shapes and indices


def _slices(starts: Any, stops: Any, steps: Any) -> tuple[slice, ...]:
    return tuple(slice(*bounds) for bounds in zip(starts, stops, steps, strict=True))


def _diagonal_places(
    shape: tuple[int, ...], offset: int, dim1: int, dim2: int
) -> Iterator[tuple[tuple[int, ...], tuple[int, ...]]]:
    """(place in the diagonal, place in the tensor)."""
    rest = [d for d in range(len(shape)) if d not in (dim1, dim2)]
    for place in itertools.product(*(range(n) for n in shape)):
        if place[dim2] - place[dim1] == offset:
            along = min(place[dim1], place[dim2])
            yield (*(place[d] for d in rest), along), place


@reference
def diagonal(x: Array, offset: int, dim1: int, dim2: int) -> Array:
    places = list(_diagonal_places(x.shape, offset, dim1, dim2))
    size = max((p[-1] + 1 for p, _ in places), default=0)
    y = np.zeros((*(n for d, n in enumerate(x.shape) if d not in (dim1, dim2)), size), x.dtype)
    for to, source in places:
        y[to] = x[source]
    return y


@reference
def diagonal_scatter(x: Array, src: Array, offset: int, dim1: int, dim2: int) -> Array:
    y = x.copy()
    for source, to in _diagonal_places(x.shape, offset, dim1, dim2):
        y[to] = src[source]
    return y


@reference
def slice_scatter(x: Array, src: Array, starts: Any, stops: Any, steps: Any) -> Array:
    y = x.copy()
    y[_slices(starts, stops, steps)] = src
    return y


@reference
def view_write(base: Array, new: Array, path: Any) -> Array:
    y = base.copy()
    region = y
    for step, attributes in path:
        if step == "slice":
            region = region[_slices(**attributes)]
        elif step == "select":
            region = np.moveaxis(region, attributes["dim"], 0)[attributes["index"]]
        elif step == "diagonal":
            region = np.lib.stride_tricks.as_strided(np.diagonal(region, *attributes.values()), writeable=True)
        else:
            region = region.reshape(attributes["shape"]) if step == "reshape" else region.transpose(attributes["dims"])
    region[...] = new
    return y


@reference
def pieces(x: Array, dim: int, shapes: Any) -> tuple[Array, ...]:
    rows = iter(np.moveaxis(x, dim, 0))
    return tuple(np.stack([next(rows) for _ in range(shape[dim])], dim) if shape[dim] else np.zeros(shape) for shape in shapes)


@reference
def cat(*arrays: Array, dim: int) -> Array:
    parts = [a for a in arrays if a.shape != (0,)]
    rows = [row for a in parts for row in np.moveaxis(a, dim, 0)]
    return np.stack(rows, dim) if rows else arrays[0]


@reference
def pad_constant(x: Array, pads: Any, value: float) -> Array:
    return np.pad(x, pads, constant_values=value)


def _triangle(x: Array, keep: Callable[[int, int], bool]) -> Array:
    y = x.copy()
    for *_, i, j in itertools.product(*(range(n) for n in x.shape)):
        if not keep(i, j):
            y[..., i, j] = 0
    return y


def _along(index: Array, dim: int) -> Iterator[tuple[tuple[int, ...], tuple[int, ...]]]:
    """(place in the index, place that it names along `dim`)."""
    for place in np.ndindex(*index.shape):
        yield place, tuple(int(index[place]) if d == dim else p for d, p in enumerate(place))


@reference
def gather_values(x: Array, index: Array, dim: int) -> Array:
    y = np.zeros(index.shape, x.dtype)
    for place, source in _along(index, dim):
        y[place] = x[source]
    return y


@reference
def scatter_values(x: Array, index: Array, src: Array, dim: int) -> Array:
    y = x.copy()
    for place, to in _along(index, dim):
        y[to] = src[place]
    return y


@reference
def scatter_add_values(x: Array, index: Array, src: Array, dim: int) -> Array:
    y = x.copy()
    for place, to in _along(index, dim):
        y[to] += src[place]
    return y


@reference
def scatter_max_values(x: Array, index: Array, src: Array, dim: int) -> Array:
    y = x.copy()
    for place, to in _along(index, dim):
        y[to] = np.maximum(y[to], src[place])
    return y


def _places(x: Array, indices: Any) -> Array:
    """The flat places that x[indices] reads, in the shape of the result."""
    flat = np.arange(x.size).reshape(x.shape)
    return np.asarray(flat[tuple(slice(None) if i is None else i for i in indices)])


@reference
def index_put_values(x: Array, values: Array, *indices: Array, accumulate: bool) -> Array:
    y = x.copy().reshape(-1)
    places = _places(x, indices)
    for place, value in zip(places.flat, np.broadcast_to(values, places.shape).flat, strict=True):
        y[place] = y[place] + value if accumulate else value
    return y.reshape(x.shape)


@reference
def one_hot(x: Array, num_classes: int) -> Array:
    return np.array([[int(c == v) for c in range(num_classes)] for v in x.flat]).reshape(*x.shape, num_classes)


def _select(x: Array, dim: int, index: int) -> Array:
    return np.moveaxis(x, dim, 0)[index]


REFERENCE.update(
    {
        "reshape": lambda x, shape: np.array(list(x.flat), x.dtype).reshape(shape),
        "permute": lambda x, dims: np.moveaxis(x, dims, range(x.ndim)),
        "expand": lambda x, shape: np.zeros(shape, x.dtype) + x,
        "slice": lambda x, starts, stops, steps: x[_slices(starts, stops, steps)],
        "select": _select,
        "flip": lambda x, dims: x[tuple(slice(None, None, -1) if d in dims else slice(None) for d in range(x.ndim))],
        "tril": lambda x, diagonal: _triangle(x, lambda i, j: j - i <= diagonal),
        "triu": lambda x, diagonal: _triangle(x, lambda i, j: j - i >= diagonal),
        "index": lambda x, *indices: x.reshape(-1)[_places(x, indices)],
        "nonzero_positions": lambda x: np.array([p for p in np.ndindex(*x.shape) if x[p] != 0], np.int64).reshape(-1, x.ndim),
        "asserted": lambda x, holds, message: x,
        "embedding": lambda indices, weight: np.array([weight[i] for i in indices.flat]).reshape(*indices.shape, weight.shape[1]),
    }
)


# ------------------------------------------------------------------------------------------------------------------ products


@reference
def matmul(a: Array, b: Array) -> Array:
    left, right = (a[None] if a.ndim == 1 else a), (b[:, None] if b.ndim == 1 else b)
    y = (left[..., :, :, None] * right[..., None, :, :]).sum(-2)
    y = y[..., 0, :] if a.ndim == 1 else y
    return np.asarray(y[..., 0] if b.ndim == 1 else y)


@reference
def linear(x: Array, weight: Array, bias: Array | None) -> Array:
    return matmul(x, weight.T) + (0 if bias is None else bias)


REFERENCE["linear_weight_grad"] = lambda g, x: g.reshape(-1, g.shape[-1]).T @ x.reshape(-1, x.shape[-1])
REFERENCE["sum_to_last"] = lambda x: x.reshape(-1, x.shape[-1]).sum(0)


@reference
def fourier(x: Array, dim: int, back: bool) -> Array:
    n, z = x.shape[dim], np.moveaxis(x[..., 0] + 1j * x[..., 1], dim, -1)
    roots = np.exp((2j if back else -2j) * np.pi * (np.outer(np.arange(n), np.arange(n)) % n) / n)
    y = np.moveaxis((z[..., None, :] * roots).sum(-1), -1, dim)
    return np.stack([y.real, y.imag], -1)


@reference
def fourier_half(x: Array, dim: int) -> Array:
    whole = fourier(np.stack([x, 0 * x], -1), dim, False)
    return whole.take(range(x.shape[dim] // 2 + 1), dim)


@reference
def fourier_from_half(x: Array, dim: int, n: int) -> Array:
    mirrored = [n - k for k in range(n // 2 + 1, n)]
    mirror = x.take(mirrored, dim) * np.array([1.0, -1.0])
    return fourier(np.concatenate([x, mirror], dim), dim, True)[..., 0]


def _taps(x_size: Any, out: Any, kernel: Any, stride: Any, padding: Any, dilation: Any) -> Iterator[tuple[Any, Any, Any]]:
    """(place in the result, place in the kernel, place in the input), for all taps that fall into the input."""
    for o in np.ndindex(*out):
        for k in np.ndindex(*kernel):
            i = tuple(a * s - p + b * d for a, b, s, p, d in zip(o, k, stride, padding, dilation, strict=True))
            if all(0 <= a < n for a, n in zip(i, x_size, strict=True)):
                yield o, k, i


def _links(out_channels: int, in_channels: int, groups: int) -> Iterator[tuple[int, int, int]]:
    """(output channel, input channel, its position among the channels of its group)."""
    for f in range(out_channels):
        group = f // (out_channels // groups)
        for c in range(in_channels // groups):
            yield f, group * (in_channels // groups) + c, c


def _conv_size(size: Any, kernel: Any, stride: Any, padding: Any, dilation: Any) -> list[int]:
    return [(n + 2 * p - d * (k - 1) - 1) // s + 1 for n, k, s, p, d in zip(size, kernel, stride, padding, dilation, strict=True)]


@reference
def conv(x: Array, w: Array, bias: Array | None, stride: Any, padding: Any, dilation: Any, groups: int) -> Array:
    out = _conv_size(x.shape[2:], w.shape[2:], stride, padding, dilation)
    y = np.zeros((len(x), len(w), *out))
    for o, k, i in _taps(x.shape[2:], out, w.shape[2:], stride, padding, dilation):
        for f, c, position in _links(len(w), x.shape[1], groups):
            y[(slice(None), f, *o)] += x[(slice(None), c, *i)] * w[(f, position, *k)]
    return y if bias is None else y + bias.reshape(-1, *[1] * len(out))


@reference
def conv_input_grad(dy: Array, w: Array, size: Any, stride: Any, padding: Any, dilation: Any, groups: int) -> Array:
    dx = np.zeros((len(dy), w.shape[1] * groups, *size))
    for o, k, i in _taps(size, dy.shape[2:], w.shape[2:], stride, padding, dilation):
        for f, c, position in _links(len(w), dx.shape[1], groups):
            dx[(slice(None), c, *i)] += dy[(slice(None), f, *o)] * w[(f, position, *k)]
    return dx


@reference
def biased_conv_input_grad(dy: Array, w: Array, bias: Array, **attributes: Any) -> Array:
    return REFERENCE["conv_input_grad"](dy, w, **attributes) + bias.reshape(-1, *[1] * (dy.ndim - 2))


@reference
def conv_weight_grad(dy: Array, x: Array, kernel_size: Any, stride: Any, padding: Any, dilation: Any, groups: int) -> Array:
    dw = np.zeros((dy.shape[1], x.shape[1] // groups, *kernel_size))
    for o, k, i in _taps(x.shape[2:], dy.shape[2:], kernel_size, stride, padding, dilation):
        for f, c, position in _links(len(dw), x.shape[1], groups):
            dw[(f, position, *k)] += (dy[(slice(None), f, *o)] * x[(slice(None), c, *i)]).sum()
    return dw


# ------------------------------------------------------------------------------------------------------------------- pooling


def _windows(
    size: Any, kernel_size: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool
) -> tuple[list[int], dict[Any, Any]]:
    """The size of the result, and the places of the input in each of its windows."""
    out = []
    for n, k, s, p, d in zip(size, kernel_size, stride, padding, dilation, strict=True):
        starts = [
            a for a in range(-p, n + p, s) if a + d * (k - 1) < n + p or (ceil_mode and a < n and a - s + d * (k - 1) < n + p - 1)
        ]
        out.append(len(starts))
    found: dict[Any, Any] = {o: [] for o in np.ndindex(*out)}
    for o, _, i in _taps(size, out, kernel_size, stride, padding, dilation):
        found[o].append(i)
    return out, found


def _maxima(x: Array, kernel_size: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool) -> Iterator[tuple[Any, Any]]:
    """(place in the result, place of its maximum): the first of equals, the last NaN."""
    _, windows = _windows(x.shape[2:], kernel_size, stride, padding, dilation, ceil_mode)
    for n, c in np.ndindex(*x.shape[:2]):
        for o, places in windows.items():
            best = places[0]
            for place in places[1:]:
                if x[(n, c, *place)] > x[(n, c, *best)] or np.isnan(x[(n, c, *place)]):
                    best = place
            yield (n, c, *o), (n, c, *best)


@reference
def max_pool(x: Array, **options: Any) -> Array:
    out, _ = _windows(x.shape[2:], *options.values())
    y = np.zeros((*x.shape[:2], *out))
    for to, source in _maxima(x, **options):
        y[to] = x[source]
    return y


@reference
def max_pool_indices(x: Array, **options: Any) -> Array:
    out, _ = _windows(x.shape[2:], *options.values())
    y = np.zeros((*x.shape[:2], *out), np.int64)
    for to, source in _maxima(x, **options):
        y[to] = np.ravel_multi_index(source[2:], x.shape[2:])
    return y


@reference
def max_pool_places(x: Array, **options: Any) -> Array:
    out, _ = _windows(x.shape[2:], *options.values())
    y = np.zeros((*x.shape[:2], *out), np.int64)
    for to, source in _maxima(x, **options):
        y[to] = np.ravel_multi_index(source, x.shape)
    return y


@reference
def max_pool_grad(dy: Array, x: Array, y: Array, **options: Any) -> Array:
    dx = np.zeros(x.shape)
    for source, to in _maxima(x, **options):
        dx[to] += dy[source]
    return dx


def _mean_weights(
    size: Any, kernel_size: Any, stride: Any, padding: Any, ceil_mode: bool, count_include_pad: bool
) -> tuple[list[int], Any]:
    """The size of the result, and (place in it, place in the input, weight) of all taps."""
    ones = [1] * len(size)
    out, windows = _windows(size, kernel_size, stride, padding, ones, ceil_mode)
    taps = []
    for o, places in windows.items():
        count = len(places)
        if count_include_pad:  # windows are cut at the end of the padding
            count = math.prod(
                min(a * s - p + k, n + p) - (a * s - p)
                for a, s, p, k, n in zip(o, stride, padding, kernel_size, size, strict=True)
            )
        taps += [(o, place, 1 / count) for place in places]
    return out, taps


@reference
def avg_pool(x: Array, kernel_size: Any, stride: Any, padding: Any, ceil_mode: bool, count_include_pad: bool) -> Array:
    out, taps = _mean_weights(x.shape[2:], kernel_size, stride, padding, ceil_mode, count_include_pad)
    y = np.zeros((*x.shape[:2], *out))
    for o, i, weight in taps:
        y[(..., *o)] += weight * x[(..., *i)]
    return y


@reference
def resize(x: Array, size: Any, scales: Any, mode: str, align_corners: bool) -> Array:
    """One dimension after the other, by the matrix that maps old elements to new ones."""
    for axis, (n, scale) in enumerate(zip(size, scales, strict=True), 2):
        weights = _resizing(x.shape[axis], n, scale, mode, align_corners)
        x = np.moveaxis(np.tensordot(weights, x, (1, axis)), 0, axis)
    return x


@reference
def resize_grad(dy: Array, size: Any, scales: Any, mode: str, align_corners: bool) -> Array:
    for axis, (old, scale) in enumerate(zip(size, scales, strict=True), 2):
        weights = _resizing(old, dy.shape[axis], scale, mode, align_corners)
        dy = np.moveaxis(np.tensordot(weights, dy, (0, axis)), 0, axis)
    return dy


def _resizing(old: int, n: int, scale: float | None, mode: str, align_corners: bool) -> Array:
    """What each of the old elements (columns) gives to the new ones (rows)."""
    ratio = old / n if scale is None else 1 / scale
    weights = np.zeros((n, old))
    for row, i in zip(weights, range(n), strict=True):
        if mode.startswith("nearest"):
            row[min(math.floor((i + (0.5 if mode == "nearest-exact" else 0)) * ratio), old - 1)] = 1
            continue
        place = i * (old - 1) / max(n - 1, 1) if align_corners else (i + 0.5) * ratio - 0.5
        for j in range(math.floor(place) - 1, math.floor(place) + 3):
            row[min(max(j, 0), old - 1)] += _cubic(place - j) if mode == "bicubic" else max(0.0, 1 - abs(place - j))
    return weights


def _cubic(d: float, a: float = -0.75) -> float:
    """Keys' kernel (1981)."""
    d = abs(d)
    if d <= 1:
        return (a + 2) * d**3 - (a + 3) * d**2 + 1
    return a * (d**3 - 5 * d**2 + 8 * d - 4) if d < 2 else 0.0


@reference
def depth_to_space(x: Array, factor: int) -> Array:
    batch, channels, height, width = x.shape
    y = np.zeros((batch, channels // factor**2, height * factor, width * factor), x.dtype)
    for row, column in itertools.product(range(factor), repeat=2):
        y[:, :, row::factor, column::factor] = x[:, row * factor + column :: factor**2]
    return y


@reference
def pad_edges(x: Array, pads: Any, mode: str) -> Array:
    names: dict[str, Any] = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}
    return np.pad(x, pads, names[mode])


@reference
def avg_pool_grad(
    dy: Array, size: Any, kernel_size: Any, stride: Any, padding: Any, ceil_mode: bool, count_include_pad: bool
) -> Array:
    _, taps = _mean_weights(size, kernel_size, stride, padding, ceil_mode, count_include_pad)
    dx = np.zeros((*dy.shape[:2], *size))
    for o, i, weight in taps:
        dx[(..., *i)] += weight * dy[(..., *o)]
    return dx


# ------------------------------------------------------------------------------------------- softmax, normalisation, losses


@reference
def softmax(x: Array, dim: int) -> Array:
    return np.exp(log_softmax(x, dim))


@reference
def log_softmax(x: Array, dim: int) -> Array:
    if not x.ndim:
        return x - x
    top = x.max(dim, keepdims=True, initial=-np.inf)
    return x - top - np.log(np.exp(x - top).sum(dim, keepdims=True))


@reference
def softmax_grad(g: Array, y: Array, dim: int) -> Array:
    """The Jacobian diag(y) - y y^T of every row, times g."""
    rows_g, rows_y = np.moveaxis(g, dim, -1), np.moveaxis(y, dim, -1)
    result = np.zeros(rows_y.shape)
    for place in np.ndindex(*rows_y.shape[:-1]):
        row = rows_y[place]
        result[place] = (np.diag(row) - np.outer(row, row)) @ rows_g[place]
    return np.moveaxis(result, -1, dim)


def _channels(v: Array | None, x: Array, default: float) -> Array:
    """One number per channel (dimension 1), to go with x."""
    v = np.full(x.shape[1], default) if v is None else v
    return v.reshape(1, -1, *[1] * (x.ndim - 2))


@reference
def batch_norm(x: Array, mean: Array, var: Array, weight: Array | None, bias: Array | None, eps: float) -> Array:
    normal = (x - _channels(mean, x, 0)) / np.sqrt(_channels(var, x, 1) + eps)
    return normal * _channels(weight, x, 1) + _channels(bias, x, 0)


@reference
def batch_norm_train(x: Array, weight: Array | None, bias: Array | None, eps: float) -> tuple[Array, Array, Array]:
    dims = (0, *range(2, x.ndim))
    count = np.float64(x.shape[0] * math.prod(x.shape[2:]))
    mean = x.sum(dims) / count
    var = ((x - _channels(mean, x, 0)) ** 2).sum(dims) / count
    return batch_norm(x, mean, var, weight, bias, eps), mean, var


@reference
def batch_norm_train_grad(g: Array, x: Array, weight: Array | None, eps: float) -> tuple[Array, Array, Array]:
    """By the Jacobian of every channel: normal = c / sqrt(c.c / n + eps), where c is x less its mean."""
    gx, gw, gb = np.zeros(x.shape), np.zeros(x.shape[1]), g.sum((0, *range(2, x.ndim)))
    for k in range(x.shape[1] if x.size else 0):
        c = (x[:, k] - x[:, k].mean()).ravel()
        n, spread = len(c), np.sqrt(x[:, k].var() + eps)
        centring = np.eye(n) - 1 / n
        jacobian = (np.eye(n) / spread - np.outer(c, c) / (n * spread**3)) @ centring
        gx[:, k] = (g[:, k].ravel() @ jacobian).reshape(x[:, k].shape) * (1 if weight is None else weight[k])
        gw[k] = g[:, k].ravel() @ c / spread
    return gx, gw, gb


@reference
def layer_norm(x: Array, weight: Array | None, bias: Array | None, normalized_shape: Any, eps: float) -> Array:
    y = np.zeros(x.shape)
    for place in np.ndindex(*x.shape[: x.ndim - len(normalized_shape)]):
        part = x[place]
        normal = (part - part.mean()) / np.sqrt(part.var() + eps)
        y[place] = normal * (1 if weight is None else weight) + (0 if bias is None else bias)
    return y


@reference
def layer_norm_grad(g: Array, x: Array, weight: Array | None, normalized_shape: Any, eps: float) -> tuple[Array, Array, Array]:
    """By the Jacobian of every row: normal = c / sqrt(c.c / n + eps), where c is the row less its mean."""
    gx, gw, gb = np.zeros(x.shape), np.zeros(normalized_shape), np.zeros(normalized_shape)
    for place in np.ndindex(*x.shape[: x.ndim - len(normalized_shape)]):
        c = (x[place] - x[place].mean()).ravel()
        n, spread = len(c), np.sqrt(x[place].var() + eps)
        jacobian = (np.eye(n) / spread - np.outer(c, c) / (n * spread**3)) @ (np.eye(n) - 1 / n)
        weighted = g[place] if weight is None else g[place] * weight
        gx[place] = (weighted.ravel() @ jacobian).reshape(normalized_shape)
        gw += g[place] * (c / spread).reshape(normalized_shape)
        gb += g[place]
    return gx, gw, gb


@reference
def rms_norm(x: Array, weight: Array | None, normalized_shape: Any, eps: float | None) -> Array:
    y = np.zeros(x.shape)
    eps = np.finfo(x.dtype).eps if eps is None else eps
    for place in np.ndindex(*x.shape[: x.ndim - len(normalized_shape)]):
        part = x[place].astype(np.float64)
        y[place] = part / np.sqrt((part * part).mean() + eps) * (1 if weight is None else weight)
    return y


@reference
def group_norm(x: Array, weight: Array | None, bias: Array | None, num_groups: int, eps: float) -> Array:
    y = np.zeros(x.shape)
    size = x.shape[1] // num_groups
    for n in range(len(x)):
        for first in range(0, x.shape[1], size):
            part = x[n, first : first + size]
            y[n, first : first + size] = (part - part.mean()) / np.sqrt(part.var() + eps)
    return y * _channels(weight, x, 1) + _channels(bias, x, 0)


@reference
def group_norm_grad(g: Array, x: Array, weight: Array | None, num_groups: int, eps: float) -> tuple[Array, Array, Array]:
    """By `layer_norm_grad` of every group, whose weight is each channel's own."""
    gx, gw, gb = np.zeros(x.shape), np.zeros(x.shape[1]), np.zeros(x.shape[1])
    size = x.shape[1] // num_groups
    for n in range(len(x)):
        for first in range(0, x.shape[1], size):
            at = n, slice(first, first + size)
            own = None if weight is None else np.broadcast_to(_channels(weight, x, 1)[0, at[1]], x[at].shape)
            gx[at], each, shares = layer_norm_grad(g[at], x[at], own, x[at].shape, eps)
            gw[at[1]] += each.reshape(size, -1).sum(1)
            gb[at[1]] += shares.reshape(size, -1).sum(1)
    return gx, gw, gb


def _classes_last(x: Array) -> Array:
    return np.moveaxis(x, 1, -1) if x.ndim > 1 else x


def _reduce_loss(losses: Array, reduction: str, divisor: float) -> Array:
    return losses if reduction == "none" else losses.sum() / (divisor if reduction == "mean" else 1)


@reference
def ctc_paths(scores: Array, leaps: Array, live: Array, start: Array) -> Array:
    found, before = [], np.zeros(start.shape[:1], bool)
    for score, go in zip(scores, live, strict=True):
        start = start.copy()
        for n in np.flatnonzero(go):
            old = start[n].copy()
            for s in range(len(old)):
                came = [old[s]] if not before[n] else [old[s], *old[s - 1 : s][:1], *(old[s - 2 : s - 1] if leaps[n, s] else ())]
                start[n, s] = max(np.logaddexp.reduce(came) + score[n, s], -1e30)
        found.append(start)
        before = go
    return np.stack(found)


@reference
def ctc_total(scores: Array, leaps: Array, inputs: Array, lengths: Array) -> Array:
    start = np.full(scores.shape[1:], -1e30)
    start[:, :2] = 0
    paths = ctc_paths(scores, leaps, np.arange(len(scores))[:, None] < inputs, start)[-1]
    return np.array([np.logaddexp.reduce(row[max(2 * n - 1, 0) : 2 * n + 1]) for row, n in zip(paths, lengths, strict=True)])


@reference
def nll_loss(x: Array, target: Array, weight: Array | None, reduction: str, ignore_index: int) -> Array:
    rows = _classes_last(x)
    weight = np.ones(rows.shape[-1]) if weight is None else weight
    losses, total = np.zeros(target.shape), 0.0
    for place in np.ndindex(*target.shape):
        c = target[place]
        if c != ignore_index:
            losses[place] = -weight[c] * rows[place][c]
            total += weight[c]
    return _reduce_loss(losses, reduction, total)


def _goal(target: Array, classes: int, label_smoothing: float) -> Array:
    """The probability each class should have, classes last."""
    if target.dtype.kind == "f":
        return _classes_last(target) * (1 - label_smoothing) + label_smoothing / classes
    goal = np.full((*target.shape, classes), label_smoothing / classes)
    for place in np.ndindex(*target.shape):
        if 0 <= target[place] < classes:
            goal[place][target[place]] += 1 - label_smoothing
    return goal


@reference
def cross_entropy(
    x: Array, target: Array, weight: Array | None, reduction: str, ignore_index: int, label_smoothing: float
) -> Array:
    rows = _classes_last(x)
    classes = rows.shape[-1]
    weight = np.ones(classes) if weight is None else weight
    losses = np.zeros(rows.shape[:-1])
    total = 0.0
    for place in np.ndindex(*losses.shape):
        log_p = log_softmax(rows[place], 0)
        if target.dtype.kind == "i" and target[place] == ignore_index:
            continue
        losses[place] = -(weight * _goal(target, classes, label_smoothing)[place] * log_p).sum()
        total += weight[target[place]] if target.dtype.kind == "i" else 1
    return _reduce_loss(losses, reduction, total)


def _cross_entropy_grad(
    g: Array, x: Array, target: Array, weight: Array | None, reduction: str, ignore_index: int, label_smoothing: float
) -> Array:
    """d loss / d x of one sample is p * sum(weight * goal) - weight * goal."""
    rows = _classes_last(x)
    classes = rows.shape[-1]
    weight = np.ones(classes) if weight is None else weight
    result = np.zeros(rows.shape)
    total = 0.0
    for place in np.ndindex(*rows.shape[:-1]):
        if target.dtype.kind == "i" and target[place] == ignore_index:
            continue
        goal = weight * _goal(target, classes, label_smoothing)[place]
        result[place] = softmax(rows[place], 0) * goal.sum() - goal
        total += weight[target[place]] if target.dtype.kind == "i" else 1
    result = result * (g[..., None] if reduction == "none" else g) / (total if reduction == "mean" else 1)
    return np.moveaxis(result, -1, 1) if x.ndim > 1 else result


REFERENCE["class_cross_entropy_grad"] = REFERENCE["soft_cross_entropy_grad"] = _cross_entropy_grad


# ---------------------------------------------------------------------------------------------------------------- optimisers


@reference
def sgd_step(param: Array, grad: Array, lr: Array, weight_decay: float, maximize: bool) -> Array:
    return param - lr * ((-grad if maximize else grad) + weight_decay * param)


@reference
def sgd_momentum_step(
    param: Array,
    momentum_buffer: Array,
    grad: Array,
    lr: Array,
    momentum: float,
    dampening: float,
    weight_decay: float,
    nesterov: bool,
    maximize: bool,
) -> tuple[Array, Array]:
    grad = (-grad if maximize else grad) + weight_decay * param
    buffer = momentum * momentum_buffer + (1 - dampening) * grad
    return param - lr * (grad + momentum * buffer if nesterov else buffer), buffer


@reference
def adam_step(
    param: Array, exp_avg: Array, exp_avg_sq: Array, step: Array, grad: Array, lr: Array, **options: Any
) -> tuple[Array, ...]:
    """Algorithm 1 of the Adam paper; `decoupled`: algorithm 2 of the AdamW paper."""
    param, m, v, _, step = amsgrad_step(
        param, exp_avg, exp_avg_sq, np.zeros(param.shape), step, grad, lr, **options, amsgrad=False
    )
    return param, m, v, step


@reference
def scheduled_adam_step(
    param: Array,
    exp_avg: Array,
    exp_avg_sq: Array,
    step: Array,
    grad: Array,
    lr: Array,
    *scheduled: Array | None,
    numbers: tuple[float, ...],
    **options: Any,
) -> tuple[Array, ...]:
    named: dict[str, Any] = dict(zip(("beta1", "beta2", "eps", "weight_decay"), numbers, strict=True))
    named |= {name: number for name, number in zip(named, scheduled, strict=False) if number is not None}
    return adam_step(param, exp_avg, exp_avg_sq, step, grad, lr, **named, **options)


@reference
def amsgrad_step(
    param: Array,
    exp_avg: Array,
    exp_avg_sq: Array,
    max_exp_avg_sq: Array,
    step: Array,
    grad: Array,
    lr: Array,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float,
    decoupled: bool,
    maximize: bool,
    amsgrad: bool = True,
) -> tuple[Array, ...]:
    t = step + 1
    grad = -grad if maximize else grad
    if decoupled:
        param = param - lr * weight_decay * param
    else:
        grad = grad + weight_decay * param
    m = beta1 * exp_avg + (1 - beta1) * grad
    v = beta2 * exp_avg_sq + (1 - beta2) * grad**2
    largest = np.maximum(max_exp_avg_sq, v)
    m_hat = m / (1 - beta1**t)
    v_hat = (largest if amsgrad else v) / (1 - beta2**t)
    return param - lr * m_hat / (np.sqrt(v_hat) + eps), m, v, largest, t


# -------------------------------------------------------------------------------------------------------------- random numbers

_U64 = 2**64 - 1


def _philox_words(state: Array, n: int) -> list[int]:
    """The next n words of 32 bits of the stream: Philox4x64-10 as printed by Salmon et al., Random123, 2011."""
    seed, first = (int(v) & _U64 for v in state)
    words: list[int] = []
    for block in range(-(-n // 8)):
        counter, key = [(first + block + 1) & _U64, 0, 0, 0], [seed, 0]
        for _ in range(10):
            a, b = 0xD2E7470EE14C6C93 * counter[0], 0xCA5A826395121157 * counter[2]
            counter = [(b >> 64) ^ counter[1] ^ key[0], b & _U64, (a >> 64) ^ counter[3] ^ key[1], a & _U64]
            key = [(key[0] + 0x9E3779B97F4A7C15) & _U64, (key[1] + 0xBB67AE8584CAA73B) & _U64]
        words += [half for word in counter for half in (word & 0xFFFFFFFF, word >> 32)]
    return words[:n]


def _pairs(words: list[int]) -> list[int]:
    """Two words as one of 64 bits, the low half first."""
    return [low | high << 32 for low, high in zip(words[::2], words[1::2], strict=True)]


@reference
def random_bits(state: Array, n: int) -> Array:
    return np.array(_philox_words(state, n), np.int64)


@reference
def random_uniform(state: Array, shape: Any, dtype: Any) -> Array:
    n = math.prod(shape)
    if dtype.name == "float64":
        numbers = [(word >> 11) * 2.0**-53 for word in _pairs(_philox_words(state, 2 * n))]
    else:
        bits = {"float32": 24, "float16": 11}[dtype.name]
        numbers = [(word >> (32 - bits)) * 2.0**-bits for word in _philox_words(state, n)]
    return np.array(numbers).reshape(shape)


@reference
def random_normal(state: Array, shape: Any, dtype: Any) -> Array:
    n = math.prod(shape)
    pairs = (n + 1) // 2
    if dtype.name == "float64":
        uniform = [((word >> 12) + 0.5) * 2.0**-52 for word in _pairs(_philox_words(state, 4 * pairs))]
    else:
        uniform = [(word + 0.5) * 2.0**-32 for word in _philox_words(state, 2 * pairs)]
    numbers: list[float] = []
    for u, v in zip(uniform[::2], uniform[1::2], strict=True):
        radius = math.sqrt(-2 * math.log(u))
        numbers += [radius * math.cos(2 * math.pi * v), radius * math.sin(2 * math.pi * v)]
    return np.array(numbers[:n]).reshape(shape)


@reference
def random_int63(state: Array, shape: Any) -> Array:
    return np.array([word & (2**63 - 1) for word in _pairs(_philox_words(state, 2 * math.prod(shape)))], np.int64).reshape(shape)


@reference
def random_permutation(state: Array, n: int) -> Array:
    keys = random_int63(state, (n,)).tolist()
    return np.array(sorted(range(n), key=keys.__getitem__), np.int64)


@reference
def edges_before(edges: Array, points: Array, right: bool) -> Array:
    found = np.zeros(points.shape, np.int64)
    for place in np.ndindex(*points.shape):
        above = [edge > points[place] if right else edge >= points[place] for edge in edges[place[:-1]]]
        found[place] = len(above) - sum(above)
    return found


@reference
def first_above(edges: Array, points: Array) -> Array:
    found = np.zeros(points.shape, np.int64)
    for place in np.ndindex(*points.shape):
        found[place] = sum(edge <= points[place] for edge in edges[place[:-1]])
    return found


def _attention_rows(
    q: Array, k: Array, v: Array, mask: Any, keep: Any, is_causal: bool, scale: float | None, enable_gqa: bool
) -> Iterator[tuple[Any, ...]]:
    """For every row of every query: its place, the places of its keys and values, its weights before and after `keep`."""
    heads = [x.shape[:-2] for x in (q, k, v)]
    share = q.shape[-3] // k.shape[-3] if enable_gqa else 1
    if enable_gqa:
        heads = [heads[0], *((*h[:-1], h[-1] * share) for h in heads[1:])]
    area = (q.shape[-2], k.shape[-2])
    batch = np.broadcast_shapes(*heads, *(x.shape[:-2] for x in (mask, keep) if x is not None))
    mask, keep = (None if x is None else np.broadcast_to(x, (*batch, *area)) for x in (mask, keep))
    scale = q.shape[-1] ** -0.5 if scale is None else scale

    def place_in(x: Array, at: tuple[int, ...]) -> tuple[int, ...]:
        at = at[len(at) - (x.ndim - 2) :]
        at = (*at[:-1], at[-1] // share) if share > 1 and x is not q else at
        return tuple(0 if n == 1 else i for i, n in zip(at, x.shape, strict=False))

    for at in np.ndindex(*batch):
        in_q, in_k, in_v = (place_in(x, at) for x in (q, k, v))
        for row in range(area[0]):
            scores = k[in_k] @ q[in_q][row] * scale
            if mask is not None:
                m = mask[at][row]
                scores = np.where(m, scores, -math.inf) if m.dtype == bool else scores + m
            if is_causal:
                scores = np.where(np.arange(area[1]) <= row, scores, -math.inf)
            raised = np.exp(scores - scores.max(initial=-math.inf)) if (scores > -math.inf).any() else np.zeros(area[1])
            weights = raised / raised.sum() if raised.any() else raised
            yield (*at, row), in_q, in_k, in_v, weights, 1.0 if keep is None else keep[at][row], scale


@reference
def scaled_dot_product_attention(q: Array, k: Array, v: Array, mask: Any, keep: Any, **options: Any) -> Array:
    found = {
        at: (weights * kept) @ v[in_v] for at, _, _, in_v, weights, kept, _ in _attention_rows(q, k, v, mask, keep, **options)
    }
    y = np.zeros((*(n + 1 for n in max(found)), v.shape[-1]))  # the last place of all is the largest in every dimension
    for at, row in found.items():
        y[at] = row
    return y


@reference
def scaled_dot_product_attention_grad(
    g: Array, y: Array, q: Array, k: Array, v: Array, mask: Any, keep: Any, **options: Any
) -> tuple[Array, Array, Array]:
    batch = g.shape[:-2]
    shared = (*batch[:-1], k.shape[-3]) if options["enable_gqa"] else batch
    share = batch[-1] // shared[-1]
    gq, gk, gv = (np.zeros((*b, *x.shape[-2:])) for b, x in zip((batch, shared, shared), (q, k, v), strict=True))
    for (*at, row), in_q, in_k, in_v, weights, kept, scale in _attention_rows(q, k, v, mask, keep, **options):
        there = (*at[:-1], at[-1] // share)
        slope = g[(*at, row)]
        slopes = weights * (v[in_v] @ slope * kept - slope @ y[(*at, row)]) * scale
        gq[(*at, row)] = slopes @ k[in_k]
        gk[there] += np.outer(slopes, q[in_q][row])
        gv[there] += np.outer(weights * kept, slope)
    return gq, gk, gv


# --- recurrent: row by row of the batch, each to its own end --------------------------------------------------------------------


def _walk(x: Array, lengths: Array | None, reverse: bool) -> Iterator[tuple[int, range]]:
    """For every row of the batch [time, batch, ...]: its position, and its steps in the order they are taken."""
    for row in range(x.shape[1]):
        steps = range(x.shape[0] if lengths is None else int(lengths[row]))
        yield row, steps[::-1] if reverse else steps


def _or_zeros(state: Array | None, batch: int, hidden: int) -> Array:
    return np.zeros((batch, hidden)) if state is None else state[0].copy()


def _times(weight: Array, x: Array, bias: Array | None) -> Array:
    return weight @ x + (0 if bias is None else bias)


def _in_both_directions(train: Callable[..., Any], x: Array, *others: Any, states: int, **attributes: Any) -> tuple[Array, ...]:
    """A layer by its reference for one direction."""
    weights, begin, lengths, back = others[:4], others[4 : 4 + states], others[4 + states], others[5 + states :]
    parts = []
    for i, own in enumerate((weights, back)):
        if own[0] is not None:
            own_begin = [None if s is None else s[i : i + 1] for s in begin]
            parts.append(train(x, *own, *own_begin, lengths, reverse=bool(i), **attributes))
    return tuple(np.concatenate([p[k] for p in parts], axis=0 if k else 2) for k in range(1 + states))


@reference
def lstm(x: Array, *others: Any) -> tuple[Array, ...]:
    return _in_both_directions(lstm_train, x, *others, states=2)


@reference
def lstm_train(
    x: Array, w_ih: Array, w_hh: Array, b_ih: Any, b_hh: Any, h0: Any, c0: Any, lengths: Any, reverse: bool
) -> tuple[Array, ...]:
    (time, batch, _), hidden = x.shape, w_hh.shape[1]
    h, c = _or_zeros(h0, batch, hidden), _or_zeros(c0, batch, hidden)
    y, gates = np.zeros((time, batch, hidden)), np.zeros((time, batch, 4 * hidden))
    cells = np.broadcast_to(c, y.shape).copy()  # before its first step a row has what it begins with
    for row, steps in _walk(x, lengths, reverse):
        for t in steps:
            z = _times(w_ih, x[t, row], b_ih) + _times(w_hh, h[row], b_hh)
            i, f, g, o = (np.tanh(part) if k == 2 else _sigmoid(part) for k, part in enumerate(np.split(z, 4)))
            c[row] = f * c[row] + i * g
            h[row] = y[t, row] = o * np.tanh(c[row])
            gates[t, row] = np.concatenate([i, f, g, o])
            cells[t, row] = c[row]
        if not reverse:
            cells[len(steps) :, row] = c[row]
    return y, h[None], c[None], gates, cells


@reference
def lstm_train_grad(
    gates: Array,
    cells: Array,
    before: Array,
    w_hh: Array,
    lengths: Any,
    gy: Any,
    gh: Any,
    gc: Any,
    ggates: Any,
    gcells: Any,
    reverse: bool,
) -> tuple[Array, ...]:
    time, batch, hidden = cells.shape
    d, dh, dc = np.zeros(gates.shape), _or_zeros(gh, batch, hidden), _or_zeros(gc, batch, hidden)
    for row, steps in _walk(cells, lengths, not reverse):
        beyond = [] if gcells is None else [gcells[t, row] for t in range(time) if t not in steps]
        if not reverse:  # cells behind the end are the last one once more
            dc[row] += sum(beyond)
        for t in steps:
            i, f, g, o = np.split(gates[t, row], 4)
            dh[row] += 0 if gy is None else gy[t, row]
            dc[row] += 0 if gcells is None else gcells[t, row]
            dc[row] += dh[row] * o * (1 - np.tanh(cells[t, row]) ** 2)
            parts = [dc[row] * g, dc[row] * before[t, row], dc[row] * i, dh[row] * np.tanh(cells[t, row])]
            extra = np.zeros(4 * hidden) if ggates is None else ggates[t, row]
            slopes = np.concatenate([i * (1 - i), f * (1 - f), 1 - g**2, o * (1 - o)])
            d[t, row] = (np.concatenate(parts) + extra) * slopes
            dc[row] *= f
            dh[row] = w_hh.T @ d[t, row]
        if reverse:  # and before the beginning they are the first one
            dc[row] += sum(beyond)
    return d, dh[None], dc[None]


@reference
def gru(x: Array, *others: Any) -> tuple[Array, ...]:
    return _in_both_directions(gru_train, x, *others, states=1)


@reference
def gru_train(
    x: Array, w_ih: Array, w_hh: Array, b_ih: Any, b_hh: Any, h0: Any, lengths: Any, reverse: bool
) -> tuple[Array, ...]:
    (time, batch, _), hidden = x.shape, w_hh.shape[1]
    h, y, gates = _or_zeros(h0, batch, hidden), np.zeros((time, batch, hidden)), np.zeros((time, batch, 4 * hidden))
    for row, steps in _walk(x, lengths, reverse):
        for t in steps:
            r, u, n = np.split(_times(w_ih, x[t, row], b_ih), 3)
            hr, hu, hn = np.split(_times(w_hh, h[row], b_hh), 3)
            r, u = _sigmoid(r + hr), _sigmoid(u + hu)
            n = np.tanh(n + r * hn)
            h[row] = y[t, row] = (1 - u) * n + u * h[row]
            gates[t, row] = np.concatenate([r, u, n, hn])
    return y, h[None], gates


@reference
def gru_train_grad(
    gates: Array, before: Array, w_hh: Array, lengths: Any, gy: Any, gh: Any, ggates: Any, reverse: bool
) -> tuple[Array, ...]:
    time, batch, hidden = before.shape
    d_input, d_hidden = np.zeros((2, time, batch, 3 * hidden))
    dh = _or_zeros(gh, batch, hidden)
    for row, steps in _walk(before, lengths, not reverse):
        for t in steps:
            r, u, n, hn = np.split(gates[t, row], 4)
            extra = np.split(np.zeros(4 * hidden) if ggates is None else ggates[t, row], 4)
            dh[row] += 0 if gy is None else gy[t, row]
            dn = (dh[row] * (1 - u) + extra[2]) * (1 - n**2)
            du = (dh[row] * (before[t, row] - n) + extra[1]) * u * (1 - u)
            dr = (dn * hn + extra[0]) * r * (1 - r)
            d_input[t, row] = np.concatenate([dr, du, dn])
            d_hidden[t, row] = np.concatenate([dr, du, dn * r + extra[3]])
            dh[row] = dh[row] * u + w_hh.T @ d_hidden[t, row]
    return d_input, d_hidden, dh[None]


@reference
def rnn(x: Array, *others: Any, nonlinearity: str) -> tuple[Array, ...]:
    return _in_both_directions(rnn_train, x, *others, states=1, nonlinearity=nonlinearity)


@reference
def rnn_train(
    x: Array, w_ih: Array, w_hh: Array, b_ih: Any, b_hh: Any, h0: Any, lengths: Any, nonlinearity: str, reverse: bool
) -> tuple[Array, ...]:
    (time, batch, _), hidden = x.shape, w_hh.shape[1]
    h, y = _or_zeros(h0, batch, hidden), np.zeros((time, batch, hidden))
    for row, steps in _walk(x, lengths, reverse):
        for t in steps:
            z = _times(w_ih, x[t, row], b_ih) + _times(w_hh, h[row], b_hh)
            h[row] = y[t, row] = np.tanh(z) if nonlinearity == "tanh" else np.maximum(z, 0)
    return y, h[None]


@reference
def rnn_train_grad(
    y: Array, w_hh: Array, lengths: Any, gy: Any, gh: Any, nonlinearity: str, reverse: bool
) -> tuple[Array, Array]:
    d, dh = np.zeros(y.shape), _or_zeros(gh, *y.shape[1:])
    for row, steps in _walk(y, lengths, not reverse):
        for t in steps:
            dh[row] += 0 if gy is None else gy[t, row]
            d[t, row] = dh[row] * (1 - y[t, row] ** 2 if nonlinearity == "tanh" else y[t, row] > 0)
            dh[row] = w_hh.T @ d[t, row]
    return d, dh[None]
