"""NumPy kernels of the primitives, and of the composites that are worth one.

Signatures are those of `frazil.table.OPS`: arrays by position, canonical attributes by keyword. Results may be NumPy scalars
where NumPy gives them for 0-d; `writable` turns them into arrays when somebody wants to share their memory.
"""

from __future__ import annotations

import functools
import math
import operator
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from frazil.errors import ArgumentError, AssertError

from .rows import FEW_SUMMED, largest, ones_of, total
from .threads import BLOCK, split

Array = Any  # ndarray or NumPy scalar

# PyTorch computes with inf and NaN without a word, and so do we. A filter, because it costs nothing while all is finite
# (np.errstate costs more than a small kernel), and because the user's own NumPy code keeps its warnings.
warnings.filterwarnings("ignore", "(divide by zero|invalid value|overflow|underflow) encountered", RuntimeWarning, r"frazil\.")

KERNELS: dict[str, Callable[..., Any]] = {
    # NumPy's own functions, without a frame around them
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.divide,
    "maximum": np.maximum,
    "minimum": np.minimum,
    "atan2": np.arctan2,
    "hypot": np.hypot,
    "neg": np.negative,
    "abs": np.abs,
    "sign": lambda x: np.sign(x) if x.dtype != bool else copy(x),
    "exp": np.exp,
    "exp2": np.exp2,
    "expm1": np.expm1,
    "log": np.log,
    "log2": np.log2,
    "log10": np.log10,
    "log1p": np.log1p,
    "sqrt": np.sqrt,
    "reciprocal": np.reciprocal,
    "square": np.square,
    "sin": np.sin,
    "cos": np.cos,
    "tan": np.tan,
    "asin": np.arcsin,
    "acos": np.arccos,
    "atan": np.arctan,
    "sinh": np.sinh,
    "cosh": np.cosh,
    "tanh": np.tanh,
    "asinh": np.arcsinh,
    "acosh": np.arccosh,
    "atanh": np.arctanh,
    "eq": np.equal,
    "ne": np.not_equal,
    "lt": np.less,
    "le": np.less_equal,
    "gt": np.greater,
    "ge": np.greater_equal,
    "logical_and": np.logical_and,
    "logical_or": np.logical_or,
    "logical_xor": np.logical_xor,
    "logical_not": np.logical_not,
    "bitwise_and": np.bitwise_and,
    "bitwise_or": np.bitwise_or,
    "bitwise_xor": np.bitwise_xor,
    "bitwise_not": np.invert,
    "isnan": np.isnan,
    "isinf": np.isinf,
    "isfinite": np.isfinite,
}


def kernel(fn: Callable[..., Any]) -> Callable[..., Any]:
    """Put a function into the table under its name."""
    KERNELS[fn.__name__.rstrip("_") if fn.__name__ in _SPARED else fn.__name__] = fn
    return fn


_SPARED = {"slice_", "sum_"}


# -------------------------------------------------------------------------------------------------------------- elementwise


def _rounding(ufunc: Callable[[Array], Array]) -> Callable[[Array], Array]:
    def fn(x: Array) -> Array:
        return ufunc(x) if x.dtype.kind == "f" else copy(x)

    return fn


KERNELS["floor"] = _rounding(np.floor)
KERNELS["ceil"] = _rounding(np.ceil)
KERNELS["trunc"] = _rounding(np.trunc)
KERNELS["round_half_even"] = _rounding(np.rint)


def _of_numbers(ufunc: Callable[..., Array]) -> Callable[[Array, Array], Array]:
    def fn(a: Array, b: Array) -> Array:
        if a.dtype.kind == "b":  # NumPy would go on in int8
            raise TypeError("not defined for bool")
        return ufunc(a, b)

    return fn


def _dividing(name: str, ufunc: np.ufunc) -> Callable[[Array, Array], Array]:
    def fn(a: Array, b: Array) -> Array:
        if b.dtype.kind in "iu" and a.size and b.size and not b.all():
            raise ArgumentError(f"{name}: integers are divided by 0 (PyTorch's ZeroDivisionError)")
        return ufunc(a, b)

    return _of_numbers(fn)


def _power(a: Array, b: Array) -> Array:
    try:
        return np.power(a, b)
    except ValueError:  # integers to negative powers: the fractions are cut off
        below = b < 0
        ones = np.where(np.abs(a) == 1, np.where(b % 2 == 0, 1, a), 0)
        return np.where(below, ones, np.power(a, np.where(below, 0, b))).astype(np.result_type(a, b))


KERNELS["power"] = _of_numbers(_power)
KERNELS["floor_divide"] = _dividing("floor_divide", np.floor_divide)
KERNELS["remainder"] = _dividing("remainder", np.remainder)
KERNELS["fmod"] = _dividing("fmod", np.fmod)
KERNELS["bitwise_left_shift"] = _of_numbers(np.left_shift)
KERNELS["bitwise_right_shift"] = _of_numbers(np.right_shift)


@kernel
def where(c: Array, a: Array, b: Array) -> Array:
    if c.dtype.kind != "b":
        raise TypeError("the condition is not bool")
    if c.size > LARGE and c.flags.c_contiguous and a.dtype is b.dtype and a.itemsize <= 8 and _fits(a, c) and _fits(b, c):
        return _selected(c, a, b)
    return np.where(c, a, b)


def _fits(x: Array, c: Array) -> bool:
    return x.ndim <= c.ndim if x.size == 1 else x.shape == c.shape and x.flags.c_contiguous


def _selected(c: Array, a: Array, b: Array) -> Array:
    """`where` by bits, whose time does not depend on what is chosen: of random choices np.where takes five times as long."""
    y, word = np.empty(c.shape, a.dtype), np.dtype(f"i{a.itemsize}")
    condition, result = c.reshape(-1), y.reshape(-1).view(word)
    first, second = (x.reshape(-1).view(word) for x in (a, b))

    def work(start: int, stop: int) -> None:
        for i in range(start, stop, BLOCK):
            part = slice(i, min(i + BLOCK, stop))
            one, other = (x if len(x) == 1 else x[part] for x in (first, second))
            chosen = condition[part].astype(word)
            np.negative(chosen, out=chosen)
            block = np.bitwise_xor(one, other, out=result[part])
            np.bitwise_and(block, chosen, out=block)
            np.bitwise_xor(block, other, out=block)

    split(work, c.size, nbytes=4 * y.nbytes)
    return y


@kernel
def cast(x: Array, *, dtype: Any) -> Array:
    if 0 in x.strides:
        x = copy(x)
    if x.dtype.kind == "V" or dtype.name == "bfloat16":  # by way of float32, as PyTorch does
        x = (x.real if x.dtype.kind == "c" else x).astype(np.float32)
    if dtype.kind == "i" and x.dtype.kind == "f":
        with np.errstate(invalid="ignore"):
            return x.astype(dtype.numpy)
    if x.dtype.kind == "c" and dtype.kind in "if":
        x = x.real  # without NumPy's warning
    return x.astype(dtype.numpy)


def _lying_as(x: Array) -> Array:
    """Memory that lies as the result of one of NumPy's functions would, also where a dimension of x is repeated."""
    return np.nditer((x, None)).operands[1]


@kernel
def view_as_real(x: Array) -> Array:
    return x[..., None].view(_PART[x.dtype])


@kernel
def view_as_complex(x: Array) -> Array:
    if x.ndim == 0 or x.shape[-1] != 2:
        raise TypeError("no pairs")
    if x.size and x.strides[-1] != x.itemsize:
        raise ArgumentError("view_as_complex: the numbers of a pair must be neighbours in memory; call .contiguous()")
    return x.view(_WHOLE[x.dtype])[..., 0]


_PART = {np.dtype("complex64"): np.dtype("float32"), np.dtype("complex128"): np.dtype("float64")}
_WHOLE = {part: whole for whole, part in _PART.items()}


def _pairs(x: Array) -> Array:
    """Complex numbers as pairs, in order."""
    return np.ascontiguousarray(x)[..., None].view(_PART[x.dtype])


@kernel
def fourier(x: Array, dim: int, back: bool) -> Array:
    z = view_as_complex(_single(x))
    y = np.fft.ifft(z, axis=dim, norm="forward") if back else np.fft.fft(z, axis=dim)
    return _pairs(y.astype(z.dtype, copy=False)).astype(x.dtype, copy=False)


def _single(x: Array) -> Array:
    """What has a complex dtype, in order: half precision in float32."""
    return np.ascontiguousarray(x, np.float32 if x.dtype == np.float16 else None)


@kernel
def fourier_half(x: Array, dim: int) -> Array:
    single = _single(x)
    whole: Any = _WHOLE[single.dtype]
    return _pairs(np.fft.rfft(single, axis=dim).astype(whole, copy=False)).astype(x.dtype, copy=False)


@kernel
def fourier_from_half(x: Array, dim: int, n: int) -> Array:
    y = np.fft.irfft(view_as_complex(_single(x)), n, axis=dim, norm="forward")
    return np.ascontiguousarray(y.astype(x.dtype, copy=False))


KERNELS["conj_physical"] = lambda x: np.conj(x) if x.dtype.kind == "c" else copy(x)


@kernel
def copy(x: Array) -> Array:
    if 0 not in x.strides or not x.size:
        return np.array(x)
    y = _lying_as(x)
    np.copyto(y, x)
    return y


@kernel
def in_rows(x: Array) -> Array:
    return np.array(x, order="C")


@kernel
def relu(x: Array) -> Array:
    if x.size > LARGE and x.dtype in _INFINITY:
        return x.clip(_ZERO[x.dtype], _INFINITY[x.dtype])  # a third of the time: `maximum` by one number is not vectorised
    return np.maximum(x, _ZERO.get(x.dtype, 0))


#: Arrays of more elements are worth a dearer call.
LARGE = 1 << 13


_ZERO = {np.dtype(t): np.zeros((), t) for t in ("float16", "float32", "float64", "int64", "int32")}
_INFINITY = {np.dtype(t): np.array(np.inf, t) for t in ("float32", "float64")}
_ONE = {np.dtype(t): np.ones((), t) for t in ("float16", "float32", "float64", "complex64", "complex128")}
_BITS = {np.dtype(f): np.dtype(i) for f, i in (("float16", "int16"), ("float32", "int32"), ("float64", "int64"))}
_FAR = {np.dtype("float32"): np.array(-87, np.float32), np.dtype("float64"): np.array(-700.0)}


@kernel
def relu_grad(g: Array, y: Array) -> Array:
    bits = _BITS.get(g.dtype)
    if bits is None:
        return np.where(y <= 0, 0, g)
    kept = (y <= _ZERO[y.dtype]).astype(bits)  # no product: inf * 0 is NaN; no np.where: a tenth of the speed
    kept -= 1
    kept &= g.view(bits)
    return kept.view(g.dtype)


@kernel
def logaddexp(a: Array, b: Array) -> Array:
    if a.dtype.kind != "c":
        return np.logaddexp(a, b)
    less = a.real < b.real
    small: Array = np.where(less, a, b)
    large: Array = np.where(less, b, a)
    return np.where(np.isneginf(large.real), small, large + np.log1p(np.exp(small - large)))


@kernel
def sigmoid(x: Array) -> Array:
    if x.dtype == np.float16:
        return sigmoid(x.astype(np.float32)).astype(np.float16)
    if x.dtype.kind == "c":
        return np.reciprocal(np.exp(-x) + 1)
    one, far = _ONE[x.dtype], _FAR[x.dtype]
    y = np.asarray(np.negative(x))
    np.exp(y, out=y)
    y += one
    np.divide(one, y, out=y)
    if np.fmin.reduce(x, None, initial=np.inf) < far:  # where exp(-x) overflows, 1 + exp(-x) is exp(-x)
        np.exp(x, out=y, where=x < far)
    return y


@kernel
def rsqrt(x: Array) -> Array:
    return np.divide(_ONE[x.dtype], np.sqrt(x))


_HALF = np.dtype(np.float16)


def _number(value: Any, dtype: Any) -> Any:
    """A number as NumPy takes it into an array: beyond float16 it is infinite, of which NumPy would warn."""
    return math.copysign(math.inf, value) if dtype == _HALF and value is not None and abs(value) >= 65520 else value


@kernel
def clamp_numbers(x: Array, *, min: Any, max: Any) -> Array:
    if x.dtype.kind in "iu" and (type(min) is float or type(max) is float):
        raise TypeError("an integer tensor cannot be clamped to fractions")
    return np.clip(x, _number(min, x.dtype), _number(max, x.dtype))


def halves_in_float32(fn: Callable[..., Any]) -> Callable[..., Any]:
    """A kernel whose first array says whether all floats are float16, which are then computed in float32."""

    @functools.wraps(fn)
    def outer(x: Array, *arrays: Array | None, **attributes: Any) -> Array:
        if x.dtype is not _HALF:
            return fn(x, *arrays, **attributes)
        wide = [a.astype(np.float32) if a is not None and a.dtype is _HALF else a for a in arrays]
        return fn(x.astype(np.float32), *wide, **attributes).astype(_HALF)

    return outer


# --------------------------------------------------------------------------------------------------------------- reductions


def _reduction(ufunc: np.ufunc) -> Callable[..., Any]:
    reduce: Any = ufunc.reduce

    def fn(x: Array, *, dim: Any = None, keepdim: bool = False) -> Array:
        return reduce(x, dim, None, None, keepdim)

    return fn


def _truth(ufunc: np.ufunc) -> Callable[..., Any]:
    reduce: Any = ufunc.reduce
    bytes_of = np.dtype(np.uint8)

    def fn(x: Array, *, dim: Any = None, keepdim: bool = False) -> Array:
        found = reduce(x, dim, None, None, keepdim)
        return found.astype(bytes_of) if x.dtype is bytes_of else found

    return fn


def _accumulating(ufunc: np.ufunc) -> Callable[..., Any]:
    reduce: Any = ufunc.reduce

    def fn(x: Array, *, dim: Any = None, keepdim: bool = False, dtype: Any = None) -> Array:
        if dtype is not None:
            return reduce(x, dim, dtype.numpy, None, keepdim)
        if x.dtype is _HALF:
            return reduce(x, dim, np.float32, None, keepdim).astype(_HALF)
        return reduce(x, dim, None if x.dtype.kind in "fc" else np.int64, None, keepdim)

    return fn


#: Elements that NumPy may add one after the other.
_IN_A_ROW = 1 << 11


def _total(x: Array, dim: Any, keepdim: bool) -> Array:
    """The sum of floats. NumPy adds pairwise only along contiguous memory; other long dimensions are added in parts."""
    if x.size > _IN_A_ROW and x.ndim > 1:
        for d in range(x.ndim) if dim is None else dim:
            n = x.shape[d]
            if n > _IN_A_ROW and x.strides[d] != x.itemsize:
                size = math.isqrt(n)
                whole = n - n % size
                before = (slice(None),) * d
                split = x[(*before, slice(0, whole))].reshape(*x.shape[:d], whole // size, size, *x.shape[d + 1 :])
                parts = [np.add.reduce(split, d + 1), np.add.reduce(x[(*before, slice(whole, n))], d, keepdims=True)]
                return _total(np.concatenate(parts, d), dim, keepdim)
    summed: Any = np.add.reduce  # its types want `keepdims` as a literal
    return summed(x, dim, keepdims=keepdim)


@kernel
def sum_(x: Array, *, dim: Any = None, keepdim: bool = False, dtype: Any = None) -> Array:
    if dtype is not None:
        x = x.astype(dtype.numpy, copy=False)
    kind = x.dtype
    if kind is _HALF:
        return _total(x.astype(np.float32), dim, keepdim).astype(_HALF)
    if kind.kind in "fc":
        return _total(x, dim, keepdim)
    summed: Any = np.add.reduce
    return summed(x, dim, np.int64 if dtype is None else dtype.numpy, keepdims=keepdim)


KERNELS["prod"] = _accumulating(np.multiply)
KERNELS["amax"] = _reduction(np.maximum)
KERNELS["amin"] = _reduction(np.minimum)
KERNELS["all"] = _truth(np.logical_and)
KERNELS["any"] = _truth(np.logical_or)


@kernel
def mean(x: Array, *, dim: Any = None, keepdim: bool = False, dtype: Any = None) -> Array:
    if dtype is not None:
        x = x.astype(dtype.numpy)
    if x.dtype.kind not in "fc":
        raise TypeError("mean of integers")
    shape = x.shape
    count = math.prod(shape if dim is None else [shape[d] for d in dim])
    if x.dtype is _HALF:  # neither the sum nor the count need be one
        return (_total(x.astype(np.float32), dim, keepdim) / np.float32(count or np.nan)).astype(_HALF)
    total = _total(x, dim, keepdim)
    if not count:
        return total * x.dtype.type(np.nan)
    if type(total) is np.ndarray:
        return np.divide(total, x.dtype.type(count), out=total)
    return total / x.dtype.type(count)


@kernel
def argmax(x: Array, *, dim: Any = None, keepdim: Any = False) -> Array:
    return np.asarray(np.argmax(x, axis=dim if x.ndim else None, keepdims=keepdim)).astype(np.int64)


@kernel
def argmin(x: Array, *, dim: Any = None, keepdim: Any = False) -> Array:
    return np.asarray(np.argmin(x, axis=dim if x.ndim else None, keepdims=keepdim)).astype(np.int64)


#: What running totals are kept in, as PyTorch does on the CPU.
_RUNNING = {np.dtype(np.float16): np.float32, np.dtype(np.float32): np.float64}


def _scan(ufunc: np.ufunc) -> Callable[..., Any]:
    accumulate: Any = ufunc.accumulate

    def fn(x: Array, *, dim: int, dtype: Any = None) -> Array:
        target = np.dtype(dtype.numpy if dtype is not None else x.dtype if x.dtype.kind in "fc" else np.int64)
        wide = _RUNNING.get(target)
        if not x.ndim:
            return np.array(x, target)
        if wide is not None and x.size > LARGE and x.flags.c_contiguous:
            rest = math.prod(x.shape[dim + 1 :])
            if rest == 1 or rest >= _LONG_LINE:
                return _running(ufunc, x.reshape(-1, x.shape[dim], rest), target, wide).reshape(x.shape)
        return accumulate(x, dim, target) if wide is None else accumulate(x, dim, wide).astype(target)

    return fn


#: Lines of so many elements are added one after the other.
_LONG_LINE = 1 << 8


def _running(ufunc: np.ufunc, x: Array, target: Any, wide: Any) -> Array:
    """Running totals along the middle dimension: line by line where the last one is long, else of rows that stay in the cache."""
    y: Array = np.empty(x.shape, target)

    def lines(start: int, stop: int) -> None:
        for given, made in zip(x[start:stop], y[start:stop], strict=True):
            total = given[0].astype(wide)
            made[0] = total
            for i in range(1, len(given)):
                ufunc(total, given[i], out=total)
                made[i] = total

    def rows(start: int, stop: int) -> None:
        step = max(1, (1 << 15) // x.shape[1])
        for i in range(start, stop, step):
            part = slice(i, min(i + step, stop))
            totals = x[part, :, 0].astype(wide)
            ufunc.accumulate(totals, 1, out=totals)
            y[part, :, 0] = totals

    split(rows if x.shape[2] == 1 else lines, len(x), nbytes=2 * y.nbytes)
    return y


KERNELS["cumsum"] = _scan(np.add)
KERNELS["cumprod"] = _scan(np.multiply)


# -------------------------------------------------------------------------------------------------------------------- shape


@kernel
def reshape(x: Array, *, shape: Any) -> Array:
    return x.reshape(shape)


@kernel
def permute(x: Array, *, dims: Any) -> Array:
    return x.transpose(dims)


@kernel
def expand(x: Array, *, shape: Any) -> Array:
    x = np.asarray(x)
    extra = len(shape) - x.ndim
    strides = (0,) * extra + tuple(
        0 if n == 1 and m != 1 else s for n, m, s in zip(x.shape, shape[extra:], x.strides, strict=True)
    )
    if x.flags.forc:
        return np.ndarray(shape, x.dtype, x, 0, strides)  # as below, in a third of the time
    y = np.broadcast_to(x, shape)
    y.flags.writeable = x.flags.writeable  # core knows which writes make sense
    return y


@kernel
def slice_(x: Array, *, starts: Any, stops: Any, steps: Any) -> Array:
    return x[(*map(slice, starts, stops, steps), ...)]  # the dots keep 0-d results arrays, which share memory


@kernel
def select(x: Array, *, dim: int, index: int) -> Array:
    return x[(slice(None),) * dim + (index, ...)]  # the dots as above


@kernel
def slice_scatter(x: Array, src: Array, *, starts: Any, stops: Any, steps: Any) -> Array:
    y = copy(x)
    y[tuple(map(slice, starts, stops, steps))] = src
    return y


@kernel
def diagonal(x: Array, *, offset: int, dim1: int, dim2: int) -> Array:
    d = np.diagonal(x, offset, dim1, dim2)
    d.flags.writeable = x.flags.writeable  # NumPy hands out diagonals for reading only
    return d


@kernel
def diagonal_scatter(x: Array, src: Array, *, offset: int, dim1: int, dim2: int) -> Array:
    y = copy(x)
    diagonal(y, offset=offset, dim1=dim1, dim2=dim2)[...] = src
    return y


@kernel
def cat(*arrays: Array, dim: int) -> Array:
    parts = [a for a in arrays if a.shape != (0,)] or list(arrays[:1])
    for i, a in enumerate(parts):
        if 0 in a.strides:  # repeated elements would seem to lie in another order
            parts[i] = copy(a)
    return np.concatenate(parts, dim)


@kernel
def flip(x: Array, *, dims: Any) -> Array:
    return copy(np.flip(x, dims)) if dims else copy(x)


@kernel
def pad_constant(x: Array, *, pads: Any, value: Any = 0.0) -> Array:
    y = np.full(tuple(n + a + b for n, (a, b) in zip(x.shape, pads, strict=True)), _number(value, x.dtype), x.dtype)
    y[tuple(slice(a, a + n) for n, (a, _) in zip(x.shape, pads, strict=True))] = x
    return y


# ----------------------------------------------------------------------------------------------------------------- indexing


def _along(index: Array, dim: int) -> tuple[Array, ...]:
    """Open index arrays that go with `index` along `dim`."""
    ndim = index.ndim
    return tuple(
        index if d == dim else np.arange(index.shape[d]).reshape([-1 if i == d else 1 for i in range(ndim)]) for d in range(ndim)
    )


def _check_range(index: Array, n: int, name: str, least: int = 0) -> None:
    if index.size and (index.min() < least or index.max() >= n):
        raise IndexError(f"an index is out of range for a dimension of size {n} (found {index.min()} to {index.max()})")


def _check_source(index: Array, src: Array) -> None:
    if src.shape != index.shape:  # NumPy would repeat a size of 1
        raise ValueError("src must have the shape of the index")


def _row_index(index: Array, dim: int) -> Array | None:
    """The one row of an index that is expanded over all dimensions but the first, as programs do that pick whole rows."""
    rows = dim == 0 and index.ndim > 1 and index.size and not any(index.strides[1:])
    return index[(slice(None), *(0,) * (index.ndim - 1))] if rows else None


#: Of such long rows each is worth calls of its own.
_LONG_ROW = 1 << 9


def _is_shared(x: Array, index: Array, dim: int) -> bool:
    """Whether many rows have the same long index, as channels do: a row and its index stay in the cache."""
    last = dim == index.ndim - 1 and index.shape[dim] >= _LONG_ROW and 0 in index.strides[:-1]
    return last and index.shape[:-1] == x.shape[:-1] and index.strides[dim] == index.itemsize


def _once(index: Array) -> Array:
    """The index without repetitions along dimensions that it was expanded over."""
    return index[tuple(slice(None) if step else slice(0, 1) for step in index.strides)]


@kernel
def gather_values(x: Array, index: Array, *, dim: int) -> Array:
    if not x.ndim:
        return np.array(x)
    if index.dtype.kind != "i" or index.dtype.itemsize < 4 or x.ndim != index.ndim:
        raise TypeError("gather")
    row = _row_index(index, dim)
    if row is not None and x.shape[1:] == index.shape[1:]:
        _check_range(row, x.shape[0], "gather")
        return x.take(row, 0)
    if _is_shared(x, index, dim):
        _check_range(_once(index), x.shape[dim], "gather")
        found = np.empty(index.shape, x.dtype)
        for place in np.ndindex(index.shape[:-1]):
            x[place].take(index[place], out=found[place], mode="clip")
        return found
    _check_range(index, x.shape[dim], "gather")
    if x.flags.c_contiguous and index.size > LARGE:  # one index is several times as fast as one for each dimension
        return x.reshape(-1).take(_positions(index, dim, x.shape))
    return x[_along(index, dim)]


@kernel
def scatter_values(x: Array, index: Array, src: Array, *, dim: int) -> Array:
    y = copy(x)
    if not y.ndim:
        return np.array(src)
    _check_source(index, src)
    _check_range(index, x.shape[dim], "scatter")
    if y.flags.c_contiguous and index.size > LARGE:
        y.reshape(-1)[_positions(index, dim, y.shape).reshape(-1)] = src.reshape(-1)
    else:
        y[_along(index, dim)] = src
    return y


@kernel
def scatter_add_values(x: Array, index: Array, src: Array, *, dim: int) -> Array:
    y = copy(x)
    if not y.ndim:
        return y + src
    _check_source(index, src)
    row = _row_index(index, dim)
    if row is not None and y.shape[1:] == index.shape[1:] and y.flags.c_contiguous:
        _add_rows(y.reshape(len(y), -1), row, src.reshape(len(row), -1), "scatter_add")
        return y
    if _is_shared(y, index, dim) and y.dtype.char in "fd":
        _check_range(_once(index), x.shape[dim], "scatter_add")
        for place in np.ndindex(index.shape[:-1]):
            y[place] += np.bincount(index[place], src[place], x.shape[dim])
        return y
    _check_range(index, x.shape[dim], "scatter_add")
    return _fold_at(np.add, y, _positions(index, dim, y.shape), src, _wide(y, src))


@kernel
def scatter_max_values(x: Array, index: Array, src: Array, *, dim: int) -> Array:
    y = copy(x)
    if not y.ndim:
        return np.maximum(y, src)
    _check_source(index, src)
    _check_range(index, x.shape[dim], "scatter_max")
    return _fold_at(np.maximum, y, _positions(index, dim, y.shape), src)


def _positions(index: Array, dim: int, shape: tuple[int, ...]) -> Array:
    """Where each element of `index`, along `dim`, lies in an array of `shape` in C order."""
    if any(n > m for d, (n, m) in enumerate(zip(index.shape, shape, strict=True)) if d != dim):
        raise ValueError(f"index {list(index.shape)} is larger than {list(shape)} beside dim {dim}")
    place: Array = np.intp(0)
    for d in range(index.ndim):
        if d != dim:
            ones = [-1 if i == d else 1 for i in range(index.ndim)]
            place = place + (np.arange(index.shape[d]) * math.prod(shape[d + 1 :])).reshape(ones)
    stride = math.prod(shape[dim + 1 :])
    return (index if stride == 1 else index * np.intp(stride)) + place


def _fold_at(fold: np.ufunc, y: Array, positions: Array, values: Array, wide: Any = None) -> Array:
    """Fold `values` into y, our own, at `positions` of its elements in C order, repeated ones as often as they come.

    `ufunc.at` is several times as fast with one index as with one for each dimension.
    """
    positions = positions.reshape(-1)
    if wide is not None and y.flags.c_contiguous and fold is np.add and 2 * positions.size <= y.size:
        totals, flat = np.zeros(y.size, wide), y.reshape(-1)  # memory that is not touched costs nothing
        np.add.at(totals, positions, values.astype(wide).reshape(-1))
        flat[positions] = flat[positions] + totals[positions]
        return y
    flat = y.astype(wide or y.dtype, order="C").reshape(-1)
    fold.at(flat, positions, values.astype(flat.dtype, copy=False).reshape(-1))
    np.copyto(y, flat.reshape(y.shape), casting="unsafe")
    return y


#: Sums of more terms than this are kept in a wider dtype, where many may meet in one place.
_MANY = 1 << 10


def _wide(y: Array, values: Array) -> Any:
    return _RUNNING.get(y.dtype) if np.size(values) > _MANY or y.dtype is _HALF else None


def _add_at(y: Array, key: Any, values: Array) -> Array:
    """y[key] += values, repeated places as often as they come; y is our own."""
    wide = _wide(y, values)
    total = y if wide is None else y.astype(wide)
    np.add.at(total, key, values if wide is None else values.astype(wide))
    return total if wide is None else total.astype(y.dtype)


@kernel
def index(x: Array, *indices: Any) -> Array:
    if indices[-1].dtype.kind in "iu" and all(i is None for i in indices[:-1]):
        return x.take(indices[-1], len(indices) - 1, mode="raise")
    for i in indices:
        if i is not None and i.dtype.kind not in "iu":
            raise IndexError("indices must be integers")
    y = x[tuple(slice(None) if i is None else i for i in indices)]
    return y if y.flags.c_contiguous else np.ascontiguousarray(y)


@kernel
def index_put_values(x: Array, values: Array, *indices: Any, accumulate: bool = False) -> Array:
    y = copy(x)
    key: Any = tuple(slice(None) if i is None else i for i in indices)
    if not accumulate:
        y[key] = values
        return y
    rows = _rows_of(y, indices) if y.flags.c_contiguous and np.size(values) > _FEW_VALUES else None
    if rows is None:
        return _add_at(y, key, values)
    shape, row = rows
    if np.shape(values) != shape:
        values = np.broadcast_to(values, shape)
    _add_rows(y.reshape(-1, math.prod(y.shape[len(indices) :])), row, np.ascontiguousarray(values).reshape(len(row), -1))
    return y


#: So few values are added faster one by one.
_FEW_VALUES = 1 << 8


def _rows_of(y: Array, indices: tuple[Any, ...]) -> tuple[tuple[int, ...], Array] | None:
    """The shape of y[indices], and its rows, of what follows the indices, among those of y, where the indices stand together."""
    first = next(d for d, i in enumerate(indices) if i is not None)
    last = y.shape[len(indices) :]
    if any(i is None for i in indices[first:]) or not math.prod(last):
        return None
    row: Array = np.intp(0)
    for i, n in zip(indices[first:], y.shape[first:], strict=False):
        _check_range(i, n, "index_put", -n)
        row = row * n + (i if not i.size or i.min() >= 0 else np.where(i < 0, i + np.intp(n), i))
    shape = (*y.shape[:first], *row.shape, *last)
    for d in reversed(range(first)):
        outer = np.arange(y.shape[d]) * math.prod(y.shape[d + 1 : len(indices)])
        row = outer.reshape(-1, *[1] * row.ndim) + row
    return shape, row.reshape(-1)


#: To so few rows so many values are added by a product, of rows so long: it computes as many numbers for each value as there are
#: rows. Its other factor has few elements, for they take memory, and sums that are long lose digits.
_FEW_ROWS = 64
_LONG_ROWS = 16
_LARGE_SUM = 1 << 14
_LARGE_CHOICE = 1 << 18

#: Repetitions of a row that are added for all rows at once; what comes more often is summed row by row.
_ROUNDS = 32


def _add_rows(y: Array, rows: Array, values: Array, name: str = "index_put") -> None:
    """y[rows] += values with repetitions, in the memory of y: a product for few rows, by positions where rows are short, else
    the first of every row at once, then the second ones and so on."""
    if not rows.size:
        return
    _check_range(rows, len(y), name)
    pays = len(y) <= _FEW_ROWS and y.shape[1] >= _LONG_ROWS and values.size >= _LARGE_SUM
    if pays and len(y) * len(rows) <= _LARGE_CHOICE and y.dtype.char in "fd":
        chosen = np.zeros((len(y), len(rows)), y.dtype)
        chosen[rows, np.arange(len(rows))] = 1
        totals = chosen.dot(values.astype(y.dtype, copy=False))
        if np.isfinite(totals).all():  # else what is infinite in one row is NaN in the others
            y += totals
            return
    width = y.shape[1]
    if width < _LONG_ROWS:
        positions = rows if width == 1 else rows[:, None] * width + np.arange(width)
        _fold_at(np.add, y, positions, values, _wide(y, values))
        return
    order = np.argsort(rows, kind="stable")
    ordered = rows[order]
    starts = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1])))
    counts = np.diff(starts, append=len(rows))
    often = np.argsort(-counts, kind="stable")
    starts, counts = starts[often], counts[often]
    wide = _RUNNING.get(y.dtype) if counts[0] > _MANY or y.dtype is _HALF else y.dtype
    totals = values[order[starts]].astype(wide, copy=False)
    for turn in range(1, min(counts[0], _ROUNDS)):
        more = np.searchsorted(-counts, -turn)  # rows that come more often than that
        totals[:more] += values[order[starts[:more] + turn]]
    for i in range(np.searchsorted(-counts, -_ROUNDS)):
        totals[i] += np.add.reduce(values[order[starts[i] + _ROUNDS : starts[i] + counts[i]]], 0, wide)
    places = ordered[starts]
    y[places] = y[places] + totals


@kernel
def edges_before(edges: Array, points: Array, *, right: bool) -> Array:
    if not edges.ndim or edges.shape[:-1] != points.shape[:-1]:
        raise ValueError("searchsorted")
    if (edges[..., 1:] < edges[..., :-1]).any():  # counted all the same: a file does
        edges = np.sort(edges, axis=-1)
    side: Any = "right" if right else "left"
    if edges.ndim == 1:
        return np.searchsorted(edges, points, side).astype(np.int64, copy=False)
    found = np.empty(points.shape, np.int64)
    for place in np.ndindex(*edges.shape[:-1]):
        found[place] = np.searchsorted(edges[place], points[place], side)
    return found


@kernel
def first_above(edges: Array, points: Array) -> Array:
    if edges.dtype.kind != "f" or points.dtype.kind != "f":
        raise TypeError("first_above")
    return edges_before(edges, points, right=True)


@kernel
def nonzero_positions(x: Array) -> Array:
    return np.argwhere(x).astype(np.int64)


@kernel
def asserted(x: Array, holds: Array, *, message: str) -> Array:
    if holds.dtype.kind != "b":
        raise TypeError("asserted")
    if not holds:
        raise AssertError(f"the program stops here: {message}")
    return copy(x)


@kernel
def embedding(indices: Array, weight: Array) -> Array:
    if indices.dtype.kind != "i" or indices.dtype.itemsize < 4 or weight.ndim != 2:
        raise TypeError("embedding")
    if indices.size and indices.min() < 0:
        raise IndexError(f"an index is out of range for a dimension of size {weight.shape[0]} (found {indices.min()})")
    return weight.take(indices, 0)


# ------------------------------------------------------------------------------------------------------------------- linalg


@kernel
def matmul(a: Array, b: Array) -> Array:
    if a.dtype is _HALF:  # NumPy would add in float16, without BLAS
        return matmul(a.astype(np.float32), b.astype(np.float32)).astype(_HALF)
    if a.ndim == 2 and b.ndim == 2:
        return a.dot(b)  # the same product with half the overhead
    if b.ndim == 2 and a.ndim > 2 and a.flags.c_contiguous:
        return a.reshape(math.prod(a.shape[:-1]), a.shape[-1]).dot(b).reshape(*a.shape[:-1], b.shape[1])
    return np.matmul(a, b, order="C")


#: For so few rows and a weight of so many elements OpenBLAS takes 0.3 (AVX-512) to 0.9 of the time if they are columns.
FEW_COLUMNS = 32
LARGE_WEIGHT = 1 << 16


@kernel
@halves_in_float32
def linear(x: Array, weight: Array, bias: Array | None = None) -> Array:
    if weight.size >= LARGE_WEIGHT and x.ndim == 2 and 1 < len(x) <= FEW_COLUMNS:
        y = np.array(weight.dot(x.T).T, order="C")
    else:
        y = x.dot(weight.T) if x.ndim == 2 else matmul(x, weight.T)
    if bias is None:
        return y
    return np.add(y, bias, out=y) if type(y) is np.ndarray and y.ndim else y + bias


# ------------------------------------------------------------------------------------------------------ softmax, norm, loss


@kernel
@halves_in_float32
def softmax(x: Array, *, dim: int) -> Array:
    if not x.ndim or not x.size:
        return np.exp(x - x)
    y = np.subtract(x, largest(x, dim))
    np.exp(y, out=y)
    y /= total(y, dim)
    return y


@kernel
@halves_in_float32
def softmax_grad(g: Array, y: Array, *, dim: int) -> Array:
    if not y.ndim:
        return g * 0
    r = np.multiply(g, y)
    r -= y * total(r, dim)
    return r


def _class_rows(x: Array, target: Array, ignore_index: int) -> tuple[Array, int, Array, Array | None]:
    """Logits as a matrix, which of its dimensions is that of the classes, classes as a vector, and which count (None: all)."""
    classes, kept = _classes(x, target, ignore_index)
    dim = int(x.ndim < 3)
    # pixels stay neighbours: NumPy is fast along what is long
    logits = x.reshape(1, *x.shape) if x.ndim < 2 else x if dim else np.moveaxis(x, 1, 0).reshape(x.shape[1], len(classes))
    return logits, dim, classes, kept


def _classes(x: Array, target: Array, ignore_index: int) -> tuple[Array, Array | None]:
    """Classes as a vector, and which count (None: all)."""
    if x.dtype.kind != "f" or target.shape != (x.shape[:1] + x.shape[2:] if x.ndim > 1 else ()):
        raise ValueError("the shapes of x and target do not belong together")
    classes, count, kept = target.reshape(-1), x.shape[int(x.ndim > 1)], None
    if classes.size:
        low, high = classes.min(), classes.max()
        if low <= ignore_index <= high:
            kept = classes != ignore_index
            classes = np.where(kept, classes, 0)
            low, high = classes.min(), classes.max()
        if low < 0 or high >= count:
            raise IndexError(f"a class is out of range: x has {count} classes, the target goes from {low} to {high}")
    return classes, kept


def _at_classes(classes: Array, dim: int) -> tuple[Array, Array]:
    """Where the class of each sample is in the matrix of logits."""
    every = np.arange(len(classes))
    return (every, classes) if dim else (classes, every)


@kernel
@halves_in_float32
def cross_entropy(
    x: Array,
    target: Array,
    weight: Array | None = None,
    *,
    reduction: str = "mean",
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
) -> Array:
    if reduction not in ("mean", "sum", "none"):
        raise ValueError("unknown reduction")
    if target.dtype.kind == "f":
        return _soft_cross_entropy(x, target, weight, reduction, label_smoothing)
    logits, dim, classes, kept = _class_rows(x, target, ignore_index)
    logp = log_softmax(logits, dim=dim)
    losses = -logp[_at_classes(classes, dim)]
    weights = None if weight is None else weight[classes]
    if weights is not None:
        losses *= weights
    if label_smoothing:
        spread = np.add.reduce(logp if weight is None else logp * (weight if dim else weight[:, None]), dim)
        losses = losses * (1 - label_smoothing) - spread * (label_smoothing / logits.shape[dim])
    return _reduced(losses.astype(x.dtype, copy=False), weights, kept, target, reduction)


def _reduced(losses: Array, weights: Array | None, kept: Array | None, target: Array, reduction: str) -> Array:
    """Losses of samples with weights, of which those count that are kept."""
    if kept is not None:
        losses = np.where(kept, losses, losses.dtype.type(0))
        weights = kept.astype(losses.dtype) if weights is None else weights * kept
    if reduction == "none":
        return losses.reshape(target.shape)
    every = np.add.reduce(losses)
    if reduction == "mean":
        every = every / (losses.dtype.type(len(losses)) if weights is None else np.add.reduce(weights))
    return every.astype(losses.dtype, copy=False)


@kernel
@halves_in_float32
def nll_loss(x: Array, target: Array, weight: Array | None = None, *, reduction: str = "mean", ignore_index: int = -100) -> Array:
    if reduction not in ("mean", "sum", "none") or target.dtype.kind != "i":
        raise ValueError("nll_loss")
    classes, kept = _classes(x, target, ignore_index)
    samples = x.shape[0] if x.ndim > 1 else 1
    planes = x.reshape(samples, x.shape[int(x.ndim > 1)], len(classes) // max(samples, 1))
    chosen = classes.reshape(samples, planes.shape[2])
    losses = -planes[np.arange(samples)[:, None], chosen, np.arange(planes.shape[2])].reshape(-1)
    weights = None if weight is None else weight[classes]
    if weights is not None:
        losses *= weights
    return _reduced(losses, weights, kept, target, reduction)


def _soft_cross_entropy(x: Array, target: Array, weight: Array | None, reduction: str, label_smoothing: float) -> Array:
    if x.shape != target.shape:
        raise ValueError("the shapes of x and target do not belong together")
    dim = 1 if x.ndim > 1 else 0
    logp = log_softmax(x, dim=dim)
    goal = target * (1 - label_smoothing) + label_smoothing / x.shape[dim] if label_smoothing else target
    terms = logp * goal.astype(x.dtype, copy=False)
    if weight is not None:
        terms *= weight.reshape([-1 if d == dim else 1 for d in range(x.ndim)])
    losses = -np.add.reduce(terms, dim)
    if reduction == "none":
        return losses
    every = np.add.reduce(losses, None)
    return every if reduction == "sum" else every / x.dtype.type(losses.size)


@kernel
@halves_in_float32
def class_cross_entropy_grad(
    g: Array, x: Array, target: Array, weight: Array | None = None, *, reduction: str, ignore_index: int, label_smoothing: float
) -> Array:
    logits, dim, classes, kept = _class_rows(x, target, ignore_index)
    z = softmax(logits, dim=dim)
    places = _at_classes(classes, dim)
    if weight is None and not label_smoothing:
        z[places] -= 1
    else:
        goal = np.zeros_like(z)
        goal[places] = 1 if weight is None else weight[classes]
        if label_smoothing:
            goal *= 1 - label_smoothing
            goal += label_smoothing / z.shape[dim] * (1 if weight is None else weight if dim else weight[:, None])
        z *= np.add.reduce(goal, dim, keepdims=True)
        z -= goal
    scale: Any = g
    if reduction == "none":
        scale = np.expand_dims(g.reshape(-1), dim)
    elif reduction == "mean":
        weights = None if weight is None else weight[classes]
        if kept is not None:
            weights = kept.astype(x.dtype) if weights is None else weights * kept
        scale = g / (x.dtype.type(len(classes)) if weights is None else np.add.reduce(weights))
    z *= scale
    if kept is not None:
        z[np.s_[~kept] if dim else np.s_[:, ~kept]] = 0
    if dim:
        return z.reshape(x.shape)
    return np.ascontiguousarray(np.moveaxis(z.reshape(x.shape[1], x.shape[0], *x.shape[2:]), 0, 1))


@kernel
@halves_in_float32
def log_softmax(x: Array, *, dim: int) -> Array:
    if not x.ndim or not x.size:
        return x - x
    y = np.subtract(x, largest(x, dim))
    y -= np.log(total(np.exp(y), dim))
    return y


@kernel
@halves_in_float32
def linear_weight_grad(g: Array, x: Array) -> Array:
    if g.ndim != 2:
        g, x = g.reshape(-1, g.shape[-1]), x.reshape(-1, x.shape[-1])
    return g.T.dot(x)


@kernel
def sum_to_last(x: Array) -> Array:
    rows = x if x.ndim == 2 else x.reshape(-1, x.shape[-1])
    if len(rows) <= FEW_SUMMED and rows.dtype.char in "fd":
        return ones_of(len(rows), rows.dtype).dot(rows)
    return sum_(rows, dim=(0,))


# ----------------------------------------------------------------------------------------------------------------- creation


@kernel
def fill(*, shape: Any, value: Any, dtype: Any) -> Array:
    return np.zeros(shape, dtype.numpy) if value == 0 else np.full(shape, _number(value, dtype.numpy), dtype.numpy)


@kernel
def size_to_tensor(*, size: Any, dtype: Any) -> Array:
    return np.asarray(size, dtype.numpy)


@kernel
def sequence(*, start: Any, stop: Any, step: Any, dtype: Any) -> Array:
    if all(isinstance(n, int) for n in (start, stop, step)):
        return np.arange(start, stop, step, dtype=np.int64).astype(dtype.numpy, copy=False)
    n = max(0, math.ceil((stop - start) / step))
    return (start + np.arange(n) * step).astype(dtype.numpy)


# ------------------------------------------------------------------------------------------------------ in place and memory


def _inplace(ufunc: np.ufunc) -> Callable[..., Any]:
    def fn(x: Array, *others: Array) -> Array:
        if type(x) is not np.ndarray:
            return ufunc(x, *others)
        return ufunc(x, *others, out=x)

    return fn


for _name in ("add", "sub", "mul", "div"):
    KERNELS[_name + "_"] = _inplace(KERNELS[_name])  # type: ignore[arg-type]


@kernel
def copy_(x: Array, source: Array) -> Array:
    if type(x) is not np.ndarray:
        return np.array(source, x.dtype)
    np.copyto(x, source, casting="unsafe")
    return x


@kernel
def writable(x: Array) -> Array:
    return x if type(x) is np.ndarray else np.array(x)


@kernel
def reinterpret(x: Array, *, dtype: Any) -> Array:
    """The memory of `x` as numbers of another dtype."""
    return x.view(dtype)


@kernel
def shares_memory(a: Array, b: Array) -> bool:
    return a.flags.c_contiguous or np.may_share_memory(a, b)


@kernel
def strides(x: Array) -> tuple[int, ...]:
    size = x.dtype.itemsize
    return tuple(n // size for n in x.strides)


KERNELS["is_contiguous"] = operator.attrgetter("flags.c_contiguous")


#: Kernels that are not elementwise and yet leave results in the order of what they are made of.
FOLLOW_ORDER = (
    *("sum", "mean", "amax", "amin", "any", "all", "prod", "cumsum", "cumprod", "softmax", "softmax_grad", "log_softmax"),
    *("scaled_dot_product_attention", "scaled_dot_product_attention_grad", "class_cross_entropy_grad"),
    *("gather_values", "scatter_values", "scatter_add_values", "scatter_max_values"),
)
