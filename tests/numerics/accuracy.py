"""How far elementwise ops and their gradients are from the truth, in ulps, over all magnitudes.

An absolute tolerance sees nothing of a tail: sigmoid(-20) = 0 is only 2e-9 off, and its logarithm is -inf. Here an error counts
in *ulps*, the distance of neighbouring numbers of the dtype where the true result lies. Truth comes from mpmath.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import product
from typing import Any, NamedTuple

import mpmath
import numpy as np
from mpmath import mp, mpf

import frazil as fz
from frazil.table import OPS

F = fz.nn.functional

Array = np.ndarray
#: Function of mpmath numbers.
Truth = Callable[..., Any]

#: Bits that truth is computed with: x - tanh(x) loses two thirds of them.
PRECISION = 420
#: Ulps that a value, and a value of a special function, may be off.
BUDGET, SPECIAL = 4.0, 8.0


class Case(NamedTuple):
    """An elementwise function: as frazil calls it, its true value, and its true slope by each operand (none: not measured).

    `condition` is how many times the rounding of an intermediate number counts in the value, where that is more than a few times;
    errors are divided by it. `slope_condition` is the same for slopes.
    """

    name: str
    function: Callable[..., fz.Tensor]
    value: Truth
    slopes: tuple[Truth, ...] = ()
    operands: int = 1
    budget: float = BUDGET
    condition: Truth | None = None
    slope_condition: Truth | None = None


class Worst(NamedTuple):
    """The largest error in ulps (times the condition), and where it is."""

    ulps: float
    at: tuple[float, ...]
    found: float
    truth: float

    def __str__(self) -> str:
        return f"{self.ulps:.3g} ulp at {', '.join(f'{x:.9g}' for x in self.at)}: {self.found:.9g}, right {self.truth:.17g}"


# --------------------------------------------------------------------------------------------------------------------- truth


def _sigmoid(x: Any) -> Any:
    return 1 / (1 + mp.exp(-x))


def _erfc(x: Any) -> Any:
    return mpf(0) if x > 200 else mpf(2) if x < -200 else mp.erfc(x)  # mpmath's own stops at 1e154


def _phi(x: Any) -> Any:
    return mp.exp(-x * x / 2) / mp.sqrt(2 * mp.pi)


def _cdf(x: Any) -> Any:
    return _erfc(-x / mp.sqrt(2)) / 2


def _softplus(x: Any) -> Any:
    return x if x > 20 else mp.log1p(mp.exp(x))


def _ramp(x: Any) -> Any:
    """1 + tanh(u), half of it, of the approximated gelu."""
    return _sigmoid(2 * mp.sqrt(2 / mp.pi) * (x + mpf("0.044715") * x**3))


def _ramp_slope(x: Any) -> Any:
    u = 2 * mp.sqrt(2 / mp.pi) * (1 + 3 * mpf("0.044715") * x * x)
    s = _ramp(x)
    return s + x * s * _ramp(-x) * u


def _mish_slope(x: Any) -> Any:
    t, s = mp.tanh(mp.log1p(mp.exp(x))), _sigmoid(x)
    return t + x * s * mp.sech(mp.log1p(mp.exp(x))) ** 2


def _power(a: Any, b: Any) -> Any:
    if a == 0:
        return mpf(1) if b == 0 else mpf(0) if b > 0 else mpf("nan")
    if a < 0:
        if b != mp.floor(b):
            return mpf("nan")
        odd = int(b) % 2
        return (-1 if odd else 1) * mp.exp(b * mp.log(-a))
    return mp.exp(b * mp.log(a))


def _logaddexp(a: Any, b: Any) -> Any:
    return max(a, b) + mp.log1p(mp.exp(-abs(a - b)))


def _logaddexp2(a: Any, b: Any) -> Any:
    return max(a, b) + mp.log1p(mpf(2) ** -abs(a - b)) / mp.log(2)


def _floor_divide(a: Any, b: Any) -> Any:
    return mp.floor(a / b)


def _trunc_divide(a: Any, b: Any) -> Any:
    """Of the quotient as float32 rounds it, which may be the next whole number: so PyTorch defines it."""
    quotient = mp.fdiv(a, b, prec=24)
    return mp.sign(quotient) * mp.floor(abs(quotient))


def _fmod(a: Any, b: Any) -> Any:
    left = abs(a) - mp.floor(abs(a) / abs(b)) * abs(b)
    return -left if a < 0 else left


def _remainder(a: Any, b: Any) -> Any:
    m = _fmod(a, b)
    return m + b if m != 0 and (m < 0) != (b < 0) else m


#: Why a condition is there.
REASONS = {
    "gelu": "x / sqrt(2) is rounded, and exp(-x^2 / 2) counts that x^2 times",
    "gelu (tanh)": "the argument of tanh is rounded, and exp(2 u) counts that 2 u times",
    "logaddexp": "its terms cancel where it is 0",
    "logaddexp2": "its terms cancel where it is 0",
    "addcmul": "its terms cancel where it is 0",
    "addcdiv": "its terms cancel where it is 0",
    "lerp": "its terms cancel where it is 0",
}
CONDITIONS: dict[str, Truth] = {
    "gelu": lambda x: 1 + x * x / 8,
    "gelu (tanh)": lambda x: 1 + mp.sqrt(2 / mp.pi) * abs(x + mpf("0.044715") * x**3) / 2,
    "logaddexp": lambda a, b: 1 + abs(max(a, b) / _logaddexp(a, b)),
    "logaddexp2": lambda a, b: 1 + abs(max(a, b) / _logaddexp2(a, b)),
    "addcmul": lambda x, a, b: 1 + _lost(x, a * b),
    "addcdiv": lambda x, a, b: 1 + _lost(x, a / b),
    "lerp": lambda a, b, w: 1 + _lost(a, w * b, -w * a),
}
SLOPE_REASONS = {
    "tanh": "from the result, as PyTorch: what was rounded to 1 has slope 0",
    "sigmoid": "from the result, as PyTorch: what was rounded to 1 has slope 0",
    "silu": "its terms cancel where it is 0",
    "mish": "its terms cancel where it is 0",
    "erf": "x^2 is rounded, and exp(-x^2) counts that x^2 times",
    "erfc": "x^2 is rounded, and exp(-x^2) counts that x^2 times",
    "gelu": "its terms cancel where it is 0, and exp(-x^2 / 2) counts the rounding of x^2",
    "gelu (tanh)": "its terms cancel where it is 0, and exp(2 u) counts the rounding of u",
    "logaddexp": "a - b is rounded, and exp(a - b) counts that a - b times",
}
SLOPE_CONDITIONS: dict[str, Truth] = {
    "tanh": lambda x: 1 / (1 - abs(mp.tanh(x))),
    "sigmoid": lambda x: 1 + mp.exp(x),
    "silu": lambda x: 1 + _cancelled(x, _sigmoid(x), _sigmoid(x) * (1 + x * _sigmoid(-x))),
    "mish": lambda x: 1 + _cancelled(x, mp.tanh(mp.log1p(mp.exp(x))), _mish_slope(x)),
    "erf": lambda x: 1 + x * x,
    "erfc": lambda x: 1 + x * x,
    "gelu": lambda x: 1 + x * x / 8 + _cancelled(x, _cdf(x), _cdf(x) + x * _phi(x)),
    "gelu (tanh)": lambda x: 1 + abs(x + mpf("0.044715") * x**3) / 2 + _cancelled(x, _ramp(x), _ramp_slope(x)),
    "logaddexp": lambda a, b: 1 + abs(a - b) / 4,
}


def _cancelled(x: Any, term: Any, total: Any) -> Any:
    """How much larger a term is than the sum that it is part of, for negative x."""
    return abs(term / total) if x < 0 else 0


def _lost(*terms: Any) -> Any:
    """How much larger terms are than their sum."""
    total = sum(terms)
    return max(map(abs, terms)) / abs(total) if total else mpf("inf")


_SELU, _SELU_ALPHA = mpf("1.0507009873554805"), mpf("1.6732632423543772")


def _unary() -> Iterator[Case]:
    one = lambda x: mpf(1)
    for name, value, slope in (
        ("exp", mp.exp, mp.exp),
        ("expm1", mp.expm1, mp.exp),
        ("exp2", lambda x: mpf(2) ** x, lambda x: mpf(2) ** x * mp.log(2)),
        ("log", mp.log, lambda x: 1 / x if x > 0 else mpf("nan")),
        ("log1p", mp.log1p, lambda x: 1 / (1 + x) if x > -1 else mpf("nan")),
        ("log2", lambda x: mp.log(x) / mp.log(2), lambda x: 1 / (x * mp.log(2)) if x > 0 else mpf("nan")),
        ("log10", lambda x: mp.log(x) / mp.log(10), lambda x: 1 / (x * mp.log(10)) if x > 0 else mpf("nan")),
        ("sqrt", mp.sqrt, lambda x: 1 / (2 * mp.sqrt(x))),
        ("rsqrt", lambda x: 1 / mp.sqrt(x), lambda x: -1 / (2 * x * mp.sqrt(x))),
        ("reciprocal", lambda x: 1 / x, lambda x: -1 / (x * x)),
        ("square", lambda x: x * x, lambda x: 2 * x),
        ("sin", mp.sin, mp.cos),
        ("cos", mp.cos, lambda x: -mp.sin(x)),
        ("tan", mp.tan, lambda x: mp.sec(x) ** 2),
        ("asin", mp.asin, lambda x: 1 / mp.sqrt(1 - x * x)),
        ("acos", mp.acos, lambda x: -1 / mp.sqrt(1 - x * x)),
        ("atan", mp.atan, lambda x: 1 / (1 + x * x)),
        ("sinh", mp.sinh, mp.cosh),
        ("cosh", mp.cosh, mp.sinh),
        ("tanh", mp.tanh, lambda x: mp.sech(x) ** 2),
        ("asinh", lambda x: mp.sign(x) * mp.asinh(abs(x)), lambda x: 1 / mp.sqrt(1 + x * x)),
        ("acosh", mp.acosh, lambda x: 1 / mp.sqrt((x - 1) * (x + 1)) if x > 1 else mpf("nan")),
        ("atanh", mp.atanh, lambda x: 1 / ((1 - x) * (1 + x)) if abs(x) < 1 else mpf("nan")),
        ("sigmoid", _sigmoid, lambda x: _sigmoid(x) * _sigmoid(-x)),
        ("neg", lambda x: -x, lambda x: mpf(-1)),
        ("abs", abs, lambda x: mp.sign(x)),
        ("sign", mp.sign, lambda x: mpf(0)),
        ("floor", mp.floor, lambda x: mpf(0)),
        ("ceil", mp.ceil, lambda x: mpf(0)),
        ("trunc", lambda x: mp.sign(x) * mp.floor(abs(x)), lambda x: mpf(0)),
        ("round_half_even", mp.nint, lambda x: mpf(0)),
        ("frac", lambda x: mp.sign(x) * (abs(x) - mp.floor(abs(x))), one),
        ("relu", lambda x: max(x, mpf(0)), lambda x: mpf(x > 0)),
        ("softplus", _softplus, lambda x: mpf(1) if x > 20 else _sigmoid(x)),
        ("silu", lambda x: x * _sigmoid(x), lambda x: _sigmoid(x) * (1 + x * _sigmoid(-x))),
        ("mish", lambda x: x * mp.tanh(mp.log1p(mp.exp(x))), _mish_slope),
        ("leaky_relu", lambda x: x if x > 0 else x * mpf("0.01"), lambda x: mpf(1) if x > 0 else mpf("0.01")),
        ("elu", lambda x: x if x > 0 else mp.expm1(x), lambda x: mpf(1) if x > 0 else mp.exp(x)),
        (
            "selu",
            lambda x: _SELU * (x if x > 0 else _SELU_ALPHA * mp.expm1(x)),
            lambda x: _SELU if x > 0 else _SELU * _SELU_ALPHA * mp.exp(x),
        ),
        ("celu", lambda x: x if x > 0 else mp.expm1(x), lambda x: mpf(1) if x > 0 else mp.exp(x)),
        ("hardtanh", lambda x: min(max(x, mpf(-1)), mpf(1)), lambda x: mpf(abs(x) < 1)),
        ("hardsigmoid", lambda x: min(max(x + 3, mpf(0)), mpf(6)) / 6, lambda x: mpf(abs(x) < 3) / 6),
        (
            "hardswish",
            lambda x: x * min(max(x + 3, mpf(0)), mpf(6)) / 6,
            lambda x: mpf(0) if x <= -3 else mpf(1) if x >= 3 else (2 * x + 3) / 6,
        ),
        ("softsign", lambda x: x / (1 + abs(x)), lambda x: 1 / (1 + abs(x)) ** 2),
        ("log_sigmoid", lambda x: -mp.log1p(mp.exp(-x)), lambda x: _sigmoid(-x)),
        ("hardshrink", lambda x: x if abs(x) > 0.5 else mpf(0), lambda x: mpf(abs(x) > 0.5)),
        (
            "softshrink",
            lambda x: mp.sign(x) * max(abs(x) - 0.5, mpf(0)),
            lambda x: mpf(abs(x) > 0.5),
        ),
        ("tanhshrink", lambda x: x - mp.tanh(x), lambda x: mp.tanh(x) ** 2),
    ):
        budget = SPECIAL if name in ("silu", "mish") else BUDGET
        yield Case(name, OPS[name].call, value, (slope,), budget=budget, slope_condition=SLOPE_CONDITIONS.get(name))
    root = 2 / mp.sqrt(mp.pi)
    for name, value, slope in (
        ("erf", mp.erf, lambda x: root * mp.exp(-x * x)),
        ("erfc", _erfc, lambda x: -root * mp.exp(-x * x)),
        ("gelu", lambda x: x * _cdf(x), lambda x: _cdf(x) + x * _phi(x)),
    ):
        conditions = CONDITIONS.get(name), SLOPE_CONDITIONS.get(name)
        yield Case(name, OPS[name].call, value, (slope,), 1, SPECIAL, *conditions)
    conditions = CONDITIONS["gelu (tanh)"], SLOPE_CONDITIONS["gelu (tanh)"]
    approximated = lambda x: F.gelu(x, approximate="tanh")
    yield Case("gelu (tanh)", approximated, lambda x: x * _ramp(x), (_ramp_slope,), 1, SPECIAL, *conditions)
    yield Case("logit", fz.logit, lambda x: mp.log(x / (1 - x)), (lambda x: 1 / (x * (1 - x)) if 0 <= x <= 1 else mpf("nan"),))
    yield Case("sinc", fz.sinc, mp.sincpi, budget=SPECIAL)
    yield Case("deg2rad", fz.deg2rad, lambda x: x * mp.pi / 180, (lambda x: mp.pi / 180,))
    yield Case("rad2deg", fz.rad2deg, lambda x: x * 180 / mp.pi, (lambda x: 180 / mp.pi,))
    yield Case("threshold", lambda x: F.threshold(x, 0.5, 20.0), lambda x: x if x > 0.5 else mpf(20), (lambda x: mpf(x > 0.5),))


def _binary() -> Iterator[Case]:
    for name, value, slopes in (
        ("add", lambda a, b: a + b, ()),
        ("sub", lambda a, b: a - b, ()),
        ("mul", lambda a, b: a * b, (lambda a, b: b, lambda a, b: a)),
        ("div", lambda a, b: a / b, (lambda a, b: 1 / b, lambda a, b: -a / (b * b))),
        ("maximum", max, ()),
        ("minimum", min, ()),
        ("floor_divide", _floor_divide, ()),
        ("remainder", _remainder, ()),
        ("fmod", _fmod, ()),
        ("atan2", mp.atan2, (lambda a, b: b / (a * a + b * b), lambda a, b: -a / (a * a + b * b))),
        (
            "power",
            _power,
            (
                lambda a, b: mpf(0) if b == 0 else b * _power(a, b - 1),
                lambda a, b: _power(a, b) * mp.log(a) if a > 0 else mpf(0) if a == 0 and b >= 0 else mpf("nan"),
            ),
        ),
        ("logaddexp", _logaddexp, (lambda a, b: _sigmoid(a - b), lambda a, b: _sigmoid(b - a))),
        ("hypot", mp.hypot, (lambda a, b: a / mp.hypot(a, b), lambda a, b: b / mp.hypot(a, b))),
        (
            "xlogy",
            lambda a, b: mpf(0) if a == 0 else a * mp.log(b),
            (lambda a, b: mp.log(b), lambda a, b: a / b if b >= 0 else mpf("nan")),
        ),
    ):
        yield Case(name, OPS[name].call, value, slopes, 2, BUDGET, CONDITIONS.get(name), SLOPE_CONDITIONS.get(name))
    yield Case("logaddexp2", fz.logaddexp2, _logaddexp2, (), 2, SPECIAL, CONDITIONS["logaddexp2"])
    yield Case("div (floor)", lambda a, b: fz.div(a, b, rounding_mode="floor"), _floor_divide, (), 2)
    yield Case("div (trunc)", lambda a, b: fz.div(a, b, rounding_mode="trunc"), _trunc_divide, (), 2)

    yield Case("prelu", lambda x, w: F.prelu(x[None], w)[0], lambda x, w: x if x > 0 else w * x, (), 2)
    yield Case("glu", lambda a, b: F.glu(fz.stack([a, b], 1), 1)[:, 0], lambda a, b: a * _sigmoid(b), (), 2, SPECIAL)


def _ternary() -> Iterator[Case]:
    for name, value in (
        ("addcmul", lambda x, a, b: x + a * b),
        ("addcdiv", lambda x, a, b: x + a / b),
        ("lerp", lambda a, b, w: a + w * (b - a)),
    ):
        yield Case(name, OPS[name].call, value, (), 3, BUDGET, CONDITIONS[name])


CASES: dict[str, Case] = {case.name: case for case in (*_unary(), *_binary(), *_ternary())}


# -------------------------------------------------------------------------------------------------------------------- points

#: Where functions turn, leave the dtype, or have zeros: points beside them are tried.
_PLACES = (
    (0.25, 0.3275, 0.5, 0.625, 1.0, 1.5, 1.9999, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 8.66, 9.0, 9.3, 10.0, 13.0, 14.4, 16.64)
    + (17.0, 18.7, 20.0, 30.0, 50.0, 87.3, 88.02, 88.72, 89.4, 100.0, 103.0, 103.97, 104.0, 106.0, 126.0, 128.0, 149.0)
    + (180.0, 360.0, 709.78, 745.1)
    + tuple(float(k * np.pi / 4) for k in (1, 2, 3, 4, 6, 8, 10, 11, 22, 33, 355))
)


@cache
def points(dtype: str, density: int = 1) -> Array:
    """Numbers of both signs and all exponents, and numbers beside places where functions turn. Larger `density`: more."""
    kind, info = np.dtype(dtype), np.finfo(dtype)
    random = np.random.default_rng(7)
    low, high = int(np.log2(float(info.smallest_normal))) - info.nmant, int(np.log2(float(info.max)))
    step = max(1, (high - low) // (140 * density))
    exponents = np.arange(low, high + 1, step)
    sizes = np.concatenate(
        [np.ldexp(1.0, exponents), *(np.ldexp(1 + random.random(len(exponents)), exponents) for _ in range(2))]
    )
    beside = np.array([p + d * float(np.spacing(kind.type(p))) for p in _PLACES for d in (-37, -1, 0, 1, 50)])
    spread = np.concatenate(
        [random.random(150 * density) * 4, random.random(150 * density) * 30, random.random(150 * density) * 110]
    )
    with np.errstate(over="ignore"):
        found = np.concatenate([sizes, beside, spread, [float(info.max)]]).astype(kind)
    found = np.unique(found[np.isfinite(found)])
    return np.concatenate([-found[::-1], [kind.type(0)], found])


@cache
def pairs(dtype: str, density: int = 1) -> tuple[Array, Array]:
    """Pairs of numbers: of all magnitudes, of like magnitude, and of few digits."""
    kind = np.dtype(dtype)
    random = np.random.default_rng(8)
    every = points(dtype)
    some = random.choice(every, 24 * density)
    digits = np.array([0.1, 0.3, 0.5, 1, 1.5, 2, 3, 7, 10, 25, 88, 1000], kind)
    few = np.concatenate([-digits, digits])
    near = random.normal(size=(2, 600 * density)).astype(kind)
    close = random.normal(size=(2, 300 * density)).astype(kind) * kind.type(10)
    columns = [np.array(list(product(some, some)), kind).T, np.array(list(product(few, few)), kind).T, near, close]
    a, b = np.concatenate(columns, axis=1)
    return a, b


@cache
def triples(dtype: str, density: int = 1) -> tuple[Array, ...]:
    """Pairs of numbers, and a third: another of all magnitudes, and one between 0 and 1."""
    random = np.random.default_rng(9)
    a, b = pairs(dtype, density)
    third = np.where(random.random(len(a)) < 0.5, random.permutation(a), random.random(len(a)).astype(dtype))
    return a, b, third.astype(dtype)


def operands(case: Case, dtype: str, density: int = 1) -> tuple[Array, ...]:
    """The numbers that the case is tried on."""
    return ((points(dtype, density),), pairs(dtype, density), triples(dtype, density))[case.operands - 1]


# --------------------------------------------------------------------------------------------------------------- measurement


def _number(truth: Truth, *numbers: float) -> tuple[float, float]:
    """The truth as the sum of two floats; NaN where there is none."""
    try:
        y = truth(*map(mpf, numbers))
    except ZeroDivisionError:
        return np.inf, np.nan  # a pole: nothing to compare with
    if isinstance(y, mpmath.mpc) or mp.isnan(y):
        return np.nan, 0.0
    if mp.isinf(y) or abs(y) > mpf(2) ** 1100:
        return float(mp.sign(y)) * np.inf, 0.0
    if abs(y) < mpf(2) ** -1200:
        return 0.0, 0.0
    high = float(y)
    return high, float(y - high) if np.isfinite(high) else 0.0


@cache
def truth_of(name: str, which: int, dtype: str, density: int = 1) -> tuple[Array, Array]:
    """The true values (`which` = -1) or slopes by operand `which` of a case, as sums of two arrays."""
    case = CASES[name]
    truth = case.value if which < 0 else case.slopes[which]
    with mp.workprec(PRECISION):
        found = [_number(truth, *numbers) for numbers in zip(*(a.tolist() for a in operands(case, dtype, density)), strict=True)]
    high, low = np.array(found).T
    if which >= 0:  # beyond the domain there is no slope to compare with
        low = np.where(np.isnan(high), np.nan, low)
    return high, low


def ulps(found: Array, truth: tuple[Array, Array]) -> Array:
    """How many ulps of its dtype `found` is from the truth; infinite where one is NaN and the other is not."""
    info = np.finfo(found.dtype)
    high, low = truth
    limit = float(info.max) if info.bits == 64 else np.ldexp(1.0, info.maxexp)  # infinity is the number behind the largest
    near, wide = np.clip(high, -limit, limit), np.clip(found.astype(np.float64), -limit, limit)
    exponents = np.frexp(np.where(np.isfinite(high), high, limit))[1] - 1
    exponents = np.clip(exponents, info.minexp, info.maxexp - 1)
    with np.errstate(all="ignore"):
        error = np.abs((wide - near) - np.where(np.abs(near) < limit, low, 0)) / np.ldexp(1.0, exponents - info.nmant)
    error = np.where(np.isnan(found) & np.isnan(high), 0, np.where(np.isnan(found) != np.isnan(high), np.inf, error))
    return np.where(np.isnan(low), 0, error)


@cache
def condition_of(name: str, slopes: bool, dtype: str, density: int = 1) -> Array:
    """The condition of values or slopes of a case at its operands; 1 where there is none."""
    case = CASES[name]
    condition = case.slope_condition if slopes else case.condition
    given = operands(case, dtype, density)
    if condition is None:
        return np.ones(len(given[0]))
    with mp.workprec(PRECISION):
        found = [_number(condition, *numbers)[0] for numbers in zip(*(a.tolist() for a in given), strict=True)]
    return np.array(found)


def worst(found: Array, truth: tuple[Array, Array], given: Sequence[Array], condition: Array | float = 1.0) -> Worst:
    """The largest error, errors being divided by the condition."""
    errors = ulps(found, truth) / condition
    i = int(errors.argmax())
    return Worst(float(errors[i]), tuple(float(a[i]) for a in given), float(found[i]), float(truth[0][i]))


def measure(
    name: str, dtype: str = "float32", device: Any = "cpu", density: int = 1, compute: Callable[..., Array] | None = None
) -> Worst:
    """The worst error of the values of a case, computed on a device of frazil or by `compute(function, *arrays)`."""
    case = CASES[name]
    given = operands(case, dtype, density)
    if compute is None:
        found = case.function(*(fz.tensor(a, device=device) for a in given)).cpu().numpy()
    else:
        found = compute(case.function, *given)
    return worst(found, truth_of(name, -1, dtype, density), given, condition_of(name, False, dtype, density))


def measure_slopes(name: str, dtype: str = "float32", device: Any = "cpu", density: int = 1) -> list[Worst]:
    """The worst error of the gradient by every operand of a case."""
    case = CASES[name]
    given = operands(case, dtype, density)
    with fz.enable_grad():
        tensors = [fz.tensor(a, device=device, requires_grad=True) for a in given]
        y = case.function(*tensors)
        y.backward(fz.ones_like(y))
    gradients = [t.grad.cpu().numpy() for t in tensors if t.grad is not None]
    condition = condition_of(name, True, dtype, density)
    return [worst(gradients[i], truth_of(name, i, dtype, density), given, condition) for i in range(len(case.slopes))]
