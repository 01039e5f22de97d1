"""Complex numbers: made of pairs of real ones, and taken apart.

Two views are all that a backend brings: a complex tensor seen as pairs, and pairs seen as one. The other ops take complex
tensors as they are, and the engine turns their gradients as Wirtinger's calculus has it (`tape.py`).
"""

from __future__ import annotations

import math
from typing import Any

from .. import dtypes
from ..alias import SCATTER
from ..define import function, op
from ..dtypes import PARTS, WHOLE
from ..errors import DTypeError, ShapeError
from ..table import OPS, S, Spec
from ..tensor import Tensor
from ..views import lying
from .common import require_one_dtype, specs
from .elementwise import abs_, atan2, clone, cos, eq, in_rows, isnan, lt, sin, where, zeros_like
from .shape import broadcast_tensors, stack


def _as_real(x: Spec) -> Spec:
    if x.dtype not in PARTS:
        raise DTypeError(f"view_as_real: x must be complex, given {x}; a real tensor has no imaginary part to show")
    return Spec((*x.shape, 2), PARTS[x.dtype])


def _as_complex(x: Spec) -> Spec:
    if x.dtype not in WHOLE:
        raise DTypeError(f"view_as_complex: x must be float32 or float64, given {x}; convert it with .float()")
    if not x.shape or x.shape[-1] != 2:
        raise ShapeError(f"view_as_complex: the last dimension holds real and imaginary parts, so it must be 2; given {x}")
    return Spec(x.shape[:-1], WHOLE[x.dtype])


@op(vjp=lambda g: view_as_complex(in_pairs(g)), rule=_as_real, view=True, methods=["_pairs"])
def view_as_real(x, /):
    """A complex tensor seen as pairs: a last dimension of 2 with real and imaginary parts.

    >>> import frazil as fz
    >>> fz.view_as_real(fz.tensor([1 + 2j]))
    tensor([[1., 2.]])
    """
    _as_real(*specs(x))
    raise _without_complex("view_as_real", x.dtype.name, x)


@op(vjp=lambda g: view_as_real(g), rule=_as_complex, view=True, methods=[])
def view_as_complex(x, /):
    """Pairs along the last dimension seen as complex numbers.

    >>> import frazil as fz
    >>> fz.view_as_complex(fz.tensor([[1.0, 2.0]]))
    tensor([1.+2.j])
    """
    found = _as_complex(*specs(x))
    raise _without_complex("view_as_complex", found.dtype.name, x)


def _without_complex(name: str, dtype: str, x: Tensor) -> Exception:
    """The error of a device, or a file, that has no complex numbers."""
    if x._dev.recording:
        return DTypeError(
            f"{name}: a file has no complex numbers, such as {dtype}: compute with pairs of real ones, or make them before and "
            "pass what is real in"
        )
    return dtypes.not_there(dtype, x.device, x.device.capabilities().dtypes)


SCATTER["view_as_real"] = lambda before, new, attrs: view_as_complex(in_pairs(new))
SCATTER["view_as_complex"] = lambda before, new, attrs: view_as_real(new)


def in_pairs(x: Tensor) -> Tensor:
    """The tensor in memory where the numbers of a pair are neighbours."""
    unknown = x._dev.recording and lying(x) is None
    return in_rows(x) if unknown or not x.is_contiguous() else x


@function(name="complex", methods=[], out=True, layout="like")
def complex_(real: Tensor, imag: Tensor) -> Tensor:
    """The complex numbers with these real and imaginary parts.

    >>> import frazil as fz
    >>> fz.complex(fz.tensor([1.0]), fz.tensor([2.0]))
    tensor([1.+2.j])
    """
    require_one_dtype("complex", real, imag)
    return view_as_complex(in_pairs(stack(broadcast_tensors(real, imag), dim=-1)))


@function(layout="like", methods=[], out=True)
def polar(abs: Tensor, angle: Tensor) -> Tensor:
    """The complex numbers with these sizes and angles.

    >>> import frazil as fz
    >>> fz.polar(fz.tensor([2.0]), fz.tensor([0.0]))
    tensor([2.+0.j])
    """
    require_one_dtype("polar", abs, angle)
    return complex_(abs * cos(angle), abs * sin(angle))


@function(methods=[])
def real(input: Tensor) -> Tensor:
    """The real parts, a view; of a real tensor itself.

    >>> import frazil as fz
    >>> fz.real(fz.tensor([1 + 2j]))
    tensor([1.])
    """
    return input.real


@function(methods=[])
def imag(input: Tensor) -> Tensor:
    """The imaginary parts of a complex tensor, a view.

    >>> import frazil as fz
    >>> fz.imag(fz.tensor([1 + 2j]))
    tensor([2.])
    """
    return input.imag


@op(vjp=lambda g: conj_physical(g), samples=lambda: [S(3, 4), S(), S(0)], inplace=True, layout="elementwise")
def conj_physical(x, /):
    """The complex conjugate, in memory of its own.

    >>> import frazil as fz
    >>> fz.conj_physical(fz.tensor([1 + 2j]))
    tensor([1.-2.j])
    """
    return complex_(real(x), -imag(x)) if x.dtype.is_complex else clone(x)


@function()
def conj(input: Tensor) -> Tensor:
    """The complex conjugate: of a real tensor itself.

    >>> import frazil as fz
    >>> fz.conj(fz.tensor([1 + 2j]))
    tensor([1.-2.j])
    """
    return conj_physical(input) if input.dtype.is_complex else input


@function(out=True)
def angle(input: Tensor) -> Tensor:
    """The angles of complex numbers in the plane; of real ones 0, and pi below 0.

    >>> import frazil as fz
    >>> fz.angle(fz.tensor([1j, -1.0]))
    tensor([1.5708, 3.1416])
    """
    if input.dtype.is_complex:
        return atan2(imag(input), real(input))
    if not input.dtype.is_floating_point:
        input = input.to(dtypes.get_default_dtype())
    return where(isnan(input), input, where(lt(input, 0), math.pi, zeros_like(input)))


@function(out=True, inplace=True)
def sgn(input: Tensor) -> Tensor:
    """x / |x|, and 0 at 0: the sign of real numbers, the direction of complex ones.

    >>> import frazil as fz
    >>> fz.sgn(fz.tensor([3j, 0]))
    tensor([0.+1.j, 0.+0.j])
    """
    if not input.dtype.is_complex:
        return OPS["sign"].call(input)
    size: Any = abs_(input)
    zero = eq(size, 0)
    return where(zero, 0, input / where(zero, 1, size))
