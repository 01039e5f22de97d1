"""What operations on complex numbers mean in real ones: each as a composition over real and imaginary parts, said once.

Who has no complex numbers computes with `Parts`: a file, whose graph is rewritten (`recorder/real.py`), and devices. An op that
only moves or adds numbers is applied to both parts, whatever its attributes. An op with a meaning of its own has it here. Of any
other, the body is made of these. Formulas are those of NumPy's kernels, with the same care for numbers that are huge or tiny; a
number that is not finite stays so, but which of its parts are NaN is not agreed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, final

from . import dtypes
from .dtypes import PARTS
from .ops.complex_numbers import complex_
from .ops.elementwise import (
    abs_,
    asinh,
    atan2,
    bitwise_not,
    cast,
    clamp_numbers,
    cos,
    cosh,
    div,
    eq,
    exp,
    expm1,
    ge,
    hypot,
    log,
    log1p,
    logical_and,
    logical_or,
    sin,
    sinh,
    sqrt,
    tanh,
    where,
    zeros_like,
)  # fmt: skip
from .ops.linalg import matmul
from .ops.reduction import cumsum, prod, sum_
from .ops.shape import broadcast_tensors, select, stack
from .ops.special import copysign
from .table import OPS
from .tensor import Tensor


@final
class Parts:
    """A complex tensor as real ones. `im` is None where the numbers are known to be real, `pairs` the tensor of pairs that the
    parts were taken from, if they were."""

    __slots__ = ("im", "pairs", "re")

    def __init__(self, re: Tensor, im: Tensor | None = None, pairs: Tensor | None = None) -> None:
        self.re, self.im, self.pairs = re, im, pairs

    @classmethod
    def of_pairs(cls, pairs: Tensor) -> Parts:
        """Those along the last dimension."""
        return cls(select(pairs, dim=-1, index=0), select(pairs, dim=-1, index=1), pairs)

    def both(self) -> tuple[Tensor, Tensor]:
        """Return the parts; zeros where the imaginary one was left out."""
        return self.re, zeros_like(self.re) if self.im is None else self.im

    def as_pairs(self) -> Tensor:
        """Return the real tensor with a last dimension of 2."""
        return stack(self.both(), dim=-1) if self.pairs is None else self.pairs


#: Op name -> its meaning: tensors (`Parts` where they are complex) and attributes -> tensors and `Parts`.
MEANINGS: dict[str, Callable[..., Any]] = {}

#: Ops that are applied to both parts: they move numbers, add them, or multiply them by real ones.
EACH = frozenset(
    """neg sum mean cumsum reshape permute expand slice slice_scatter select diagonal diagonal_scatter cat pieces flip
    pad_constant pad_edges tril triu copy in_rows detach gather_values scatter_values scatter_add_values index
    index_put_values embedding transfer view_write where resize depth_to_space sum_to_last fill""".split()
)


def meaning(op_name: str) -> Callable[..., Any] | None:
    """Return what computes the op on parts, if anything but its body does.

    >>> import frazil as fz
    >>> from frazil.complex_parts import Parts, meaning
    >>> found = meaning("mul")(Parts(fz.tensor(1.0), fz.tensor(2.0)), Parts(fz.tensor(0.0), fz.tensor(1.0)))
    >>> found.re, found.im
    (tensor(-2.), tensor(1.))
    """
    if op_name in EACH:
        return lambda *tensors, **attrs: _each(OPS[op_name], tensors, attrs)
    return MEANINGS.get(op_name)


def _each(op: Any, tensors: Sequence[Any], attrs: dict[str, Any]) -> Any:
    """The op on all real parts, and on all imaginary ones."""
    found = _on_part(op, tensors, attrs, 0)
    if isinstance(attrs.get("dtype"), dtypes.dtype) and not attrs["dtype"].is_complex:
        return found
    whole = any(isinstance(t, Parts) and t.im is not None for t in tensors) or _number(attrs.get("value", 0), 1) != 0
    parts = [found, _on_part(op, tensors, attrs, 1) if whole else None]
    if op.outputs > 1 or op.name == "pieces":
        return tuple(Parts(re, im) for re, im in zip(parts[0], parts[1] or [None] * len(parts[0]), strict=True))
    return Parts(*parts)


def _on_part(op: Any, tensors: Sequence[Any], attrs: dict[str, Any], which: int) -> Any:
    given = [t.both()[which] if isinstance(t, Parts) else t for t in tensors]
    attrs = {name: PARTS.get(value, value) if isinstance(value, dtypes.dtype) else value for name, value in attrs.items()}
    if "value" in attrs:
        attrs["value"] = _number(attrs["value"], which)
    return op.call(given, **attrs) if op.packed and len(op.tensors) == 1 else op.call(*given, **attrs)


def _number(value: Any, which: int) -> Any:
    if isinstance(value, complex):
        return (value.real, value.imag)[which]
    return 0 if which else value


def _means(*names: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        MEANINGS.update(dict.fromkeys(names, function))
        return function

    return register


# ----------------------------------------------------------------------------------------------------- made of parts, and taken


@_means("view_as_complex")
def _view_as_complex(pairs: Tensor) -> Parts:
    return Parts.of_pairs(pairs)


@_means("view_as_real")
def _view_as_real(z: Parts) -> Tensor:
    return z.as_pairs()


@_means("cast")
def _cast(z: Any, *, dtype: Any) -> Any:
    if not isinstance(z, Parts):
        return Parts(cast(z, dtype=PARTS[dtype]))
    if dtype.is_complex:
        return Parts(cast(z.re, dtype=PARTS[dtype]), None if z.im is None else cast(z.im, dtype=PARTS[dtype]))
    return _not_zero(z) if dtype is dtypes.bool_ else cast(z.re, dtype=dtype)


@_means("conj_physical")
def _conj(z: Parts) -> Parts:
    return Parts(z.re, None if z.im is None else -z.im)


@_means("abs")
def _abs(z: Parts) -> Tensor:
    return abs_(z.re) if z.im is None else hypot(z.re, z.im)


def _angle(z: Parts) -> Tensor:
    re, im = z.both()
    return atan2(im, re)


# -------------------------------------------------------------------------------------------------------------------- arithmetic


def _sum(name: str) -> None:
    call = OPS[name].call

    @_means(name)
    def add(a: Parts, b: Parts) -> Parts:
        re = call(a.re, b.re)
        if b.im is None:
            return Parts(re, None if a.im is None else broadcast_tensors(a.im, re)[0])
        if a.im is None:
            im = broadcast_tensors(b.im, re)[0]
            return Parts(re, im if name == "add" else -im)
        return Parts(re, call(a.im, b.im))


_sum("add")
_sum("sub")


@_means("mul")
def _mul(a: Parts, b: Parts) -> Parts:
    return _product(a, b, OPS["mul"].call)


@_means("matmul")
def _matmul(a: Parts, b: Parts) -> Parts:
    return _product(a, b, matmul)


def _product(a: Parts, b: Parts, times: Callable[..., Tensor]) -> Parts:
    if a.im is None or b.im is None:
        crossed = [times(x, y) for x, y in ((a.im, b.re), (a.re, b.im)) if x is not None and y is not None]
        return Parts(times(a.re, b.re), crossed[0] if crossed else None)
    return Parts(times(a.re, b.re) - times(a.im, b.im), times(a.re, b.im) + times(a.im, b.re))


@_means("div")
def _div(a: Parts, b: Parts) -> Parts:
    """Smith's division: the smaller part of the divisor over the larger one, so that no square overflows."""
    if b.im is None:
        return Parts(div(a.re, b.re), None if a.im is None else div(a.im, b.re))
    c, d = b.re, b.im
    upright = ge(abs_(c), abs_(d))
    large, small = where(upright, c, d), where(upright, d, c)
    ratio = small / where(eq(large, 0), 1, large)
    size = large + small * ratio
    re, im = a.both()
    first, second = where(upright, re, im), where(upright, im, re)
    turned = second - first * ratio
    return Parts((first + second * ratio) / size, where(upright, turned, -turned) / size)


@_means("power")
def _power(a: Parts, b: Parts) -> Parts:
    known = getattr(b.re._a, "constant", None) if b.im is None else None
    if known is not None and known.shape == () and known in (1, 2, 3):
        found = a
        for _ in range(int(known) - 1):
            found = _mul(found, a)
        return found
    if a.im is None and b.im is None:
        a = Parts(*a.both())  # a negative base has a complex root
    found = _exp(_mul(b, _log(a)))
    base, exponent = _is_zero(a), _is_zero(b)
    one, zero = where(exponent, 1, found.re), broadcast_tensors(base, found.re)[0]
    return Parts(where(zero, where(exponent, 1, 0), one), where(logical_or(zero, exponent), 0, found.both()[1]))


@_means("eq")
def _eq(a: Parts, b: Parts) -> Tensor:
    if a.im is None and b.im is None:
        return eq(a.re, b.re)
    return logical_and(eq(a.re, b.re), eq(a.both()[1], b.both()[1]))


def _is_zero(z: Parts) -> Tensor:
    return eq(z.re, 0) if z.im is None else logical_and(eq(z.re, 0), eq(z.im, 0))


def _not_zero(z: Parts) -> Tensor:
    return bitwise_not(_is_zero(z))


@_means("nonzero_positions")
def _nonzero(z: Parts) -> Tensor:
    found: Tensor = OPS["nonzero_positions"].call(_not_zero(z))
    return found


@_means("prod")
def _prod(z: Parts, *, dim: Any, keepdim: bool, dtype: Any = None) -> Any:
    """Sizes are multiplied, angles are added."""
    z = _cast(z, dtype=dtype) if dtype is not None else z
    if not isinstance(z, Parts) or z.im is None:
        re = z.re if isinstance(z, Parts) else z
        return Parts(prod(re, dim=dim, keepdim=keepdim)) if isinstance(z, Parts) else prod(re, dim=dim, keepdim=keepdim)
    return _polar(prod(_abs(z), dim=dim, keepdim=keepdim), sum_(_angle(z), dim=dim, keepdim=keepdim))


@_means("cumprod")
def _cumprod(z: Parts, *, dim: Any, dtype: Any = None) -> Parts:
    z = _cast(z, dtype=dtype) if dtype is not None else z
    return _polar(OPS["cumprod"].call(_abs(z), dim=dim), cumsum(_angle(z), dim=dim))


def _polar(size: Tensor, angle: Tensor) -> Parts:
    return Parts(size * cos(angle), size * sin(angle))


# --------------------------------------------------------------------------------------------------------------------- functions


@_means("exp")
def _exp(z: Parts) -> Parts:
    return Parts(exp(z.re)) if z.im is None else _polar(exp(z.re), z.im)


@_means("expm1")
def _expm1(z: Parts) -> Parts:
    re, im = z.both()
    half = sin(im * 0.5)
    return Parts(expm1(re) * cos(im) - 2 * half * half, exp(re) * sin(im))


@_means("log")
def _log(z: Parts) -> Parts:
    return Parts(log(_abs(z)), _angle(z))


@_means("log1p")
def _log1p(z: Parts) -> Parts:
    return _log(Parts(z.re + 1, z.im))


@_means("sqrt", "spread_root")
def _sqrt(z: Parts) -> Parts:
    re, im = z.both()
    half = sqrt((abs_(re) * 0.5) + hypot(re, im) * 0.5)
    other = abs_(im) / where(eq(half, 0), 1, half * 2)
    right = ge(re, 0)
    return Parts(where(right, half, other), copysign(where(right, other, half), im))


@_means("sin")
def _sin(z: Parts) -> Parts:
    re, im = z.both()
    return Parts(sin(re) * cosh(im), cos(re) * sinh(im))


@_means("cos")
def _cos(z: Parts) -> Parts:
    re, im = z.both()
    return Parts(cos(re) * cosh(im), -(sin(re) * sinh(im)))


@_means("sinh")
def _sinh(z: Parts) -> Parts:
    re, im = z.both()
    return Parts(sinh(re) * cos(im), cosh(re) * sin(im))


@_means("cosh")
def _cosh(z: Parts) -> Parts:
    re, im = z.both()
    return Parts(cosh(re) * cos(im), sinh(re) * sin(im))


@_means("tanh")
def _tanh(z: Parts) -> Parts:
    re, im = z.both()
    t, s, c = tanh(re), sin(im), cos(im)
    size = c * c + t * t * (s * s)
    return Parts(t / size, s * c * ((1 - t) * (1 + t)) / size)


@_means("tan")
def _tan(z: Parts) -> Parts:
    return _unturned(_tanh(_turned(z)))


@_means("asinh")
def _asinh(z: Parts) -> Parts:
    re, im = z.both()
    a, b = _sqrt(Parts(1 - im, re)), _sqrt(Parts(1 + im, -re))
    return Parts(asinh(a.re * b.im - b.re * a.im) * -1, atan2(im, a.re * b.re - a.im * b.im))


@_means("asin")
def _asin(z: Parts) -> Parts:
    return _unturned(_asinh(_turned(z)))


@_means("acos")
def _acos(z: Parts) -> Parts:
    re, im = z.both()
    a, b = _sqrt(Parts(1 - re, -im)), _sqrt(Parts(1 + re, im))
    return Parts(2 * atan2(a.re, b.re), asinh(b.re * a.im - b.im * a.re))


@_means("acosh")
def _acosh(z: Parts) -> Parts:
    re, im = z.both()
    a, b = _sqrt(Parts(re - 1, im)), _sqrt(Parts(re + 1, im))
    return Parts(asinh(a.re * b.re + a.im * b.im), 2 * atan2(a.im, b.re))


@_means("atanh")
def _atanh(z: Parts) -> Parts:
    most = dtypes.finfo(z.re.dtype).max
    re, im = (clamp_numbers(part, min=-most, max=most) for part in z.both())
    size = abs_(re)
    near = (1 - size) * (1 - size) + im * im
    return Parts(copysign(log1p(size / near * 4) * 0.25, re), atan2(im, (1 - size) * 0.5 * (1 + size) - im * 0.5 * im) * 0.5)


@_means("atan")
def _atan(z: Parts) -> Parts:
    return _unturned(_atanh(_turned(z)))


def _turned(z: Parts) -> Parts:
    """i z."""
    re, im = z.both()
    return Parts(-im, re)


def _unturned(z: Parts) -> Parts:
    """-i z."""
    re, im = z.both()
    return Parts(im, -re)


def joined(found: Any) -> Any:
    """Return the complex tensor of parts; anything else as it is."""
    return complex_(*found.both()) if isinstance(found, Parts) else found
