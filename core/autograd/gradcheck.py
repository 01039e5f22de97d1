"""Numerical checks of gradients."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..creation import tensor, zeros_like
from ..errors import AutogradError, DTypeError
from ..tensor import Tensor
from .engine import grad
from .modes import enable_grad, no_grad


def _as_tuple(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, (tuple, list)) else (value,)


def _outputs(fn: Callable[..., Any], inputs: Sequence[Any]) -> list[Tensor]:
    return [y for y in _as_tuple(fn(*inputs)) if isinstance(y, Tensor) and y.dtype.kind in "fc"]


def _random(rng: np.random.Generator, x: Tensor) -> Tensor:
    """Normal numbers of the shape and dtype of `x`."""
    array = rng.standard_normal(tuple(x.shape))
    if x.dtype.is_complex:
        array = array + 1j * rng.standard_normal(tuple(x.shape))
    return tensor(array, dtype=x.dtype, device=x.device)


def _product(a: Tensor, b: Tensor) -> float:
    """The sum of the products of all parts: of complex numbers those of the real and of the imaginary parts."""
    return float((a.conj() * b).real.sum().item())


def gradcheck(
    func: Callable[..., Any],
    inputs: Any,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
    *,
    directions: int = 2,
    seed: int = 0,
    constant: bool = False,
    **_unused: Any,
) -> bool:
    """Compare the gradients of `func` with central differences along random directions.

    Args:
        inputs: tensors (those that require grad must be float64 or complex128) and anything else.
        eps: step of the difference.
        directions: how many random directions to try per input.
        constant: whether a function none of whose results requires grad is right if differences are 0 too, instead of an error.

    Raises AutogradError with both numbers when they differ, or returns False with `raise_exception=False`.

    >>> import frazil as fz
    >>> x = fz.tensor([0.5, 1.0], dtype=fz.float64, requires_grad=True)
    >>> fz.autograd.gradcheck(lambda x: (x**3).sum(), x)
    True
    """
    given = _as_tuple(inputs)
    rng = np.random.default_rng(seed)
    checked = [i for i, x in enumerate(given) if isinstance(x, Tensor) and x.requires_grad]
    if not checked:
        raise AutogradError("gradcheck: none of the inputs requires grad")
    for i in checked:
        if given[i].dtype.name not in ("float64", "complex128"):
            raise DTypeError(
                f"gradcheck: input {i} is {given[i].dtype.name}; differences are only sharp enough in float64: .double()"
            )
    outs = _outputs(func, given)
    weights = [_random(rng, y) for y in outs]
    outs_rg = [(y, w) for y, w in zip(outs, weights, strict=True) if y.requires_grad]
    if not outs_rg and not constant:
        raise AutogradError("gradcheck: no output requires grad")
    leaves = [given[i] for i in checked]
    analytic: Sequence[Any] = [zeros_like(x) for x in leaves]
    if outs_rg:
        analytic = grad([y for y, _ in outs_rg], leaves, [w for _, w in outs_rg], allow_unused=True, materialize_grads=True)

    def projected(shifted: Sequence[Any]) -> float:
        with no_grad():
            return sum(_product(w, y) for y, w in zip(_outputs(func, shifted), weights, strict=True))

    for i, g in zip(checked, analytic, strict=True):
        for _ in range(directions):
            x = given[i]
            direction = _random(rng, x)
            moved = [list(given), list(given)]
            for sign, arguments in zip((1, -1), moved, strict=True):
                with no_grad():
                    arguments[i] = (x.detach() + direction * (sign * eps)).requires_grad_()
            numeric = (projected(moved[0]) - projected(moved[1])) / (2 * eps)
            found = _product(g, direction)
            if not np.isclose(found, numeric, rtol=rtol, atol=atol, equal_nan=True):
                if raise_exception:
                    raise AutogradError(
                        f"gradcheck: along a random direction of input {i}, the gradient gives {found:.9g}, central "
                        f"differences {numeric:.9g}"
                    )
                return False
    return True


def gradgradcheck(func: Callable[..., Any], inputs: Any, grad_outputs: Any = None, **options: Any) -> bool:
    """`gradcheck` of the gradient of `func`.

    >>> import frazil as fz
    >>> x = fz.tensor([0.5, 1.0], dtype=fz.float64, requires_grad=True)
    >>> fz.autograd.gradgradcheck(lambda x: (x**3).sum(), x)
    True
    """
    given = _as_tuple(inputs)
    checked = [i for i, x in enumerate(given) if isinstance(x, Tensor) and x.requires_grad]
    rng = np.random.default_rng(1)
    outs = [y for y in _outputs(func, given) if y.requires_grad]
    weights = [_random(rng, y).requires_grad_() for y in outs]

    def first(*arguments: Any) -> tuple[Any, ...]:
        values, seeds = arguments[: len(given)], arguments[len(given) :]
        results = [y for y in _outputs(func, values) if y.requires_grad]
        found = grad(
            results, [values[i] for i in checked], list(seeds), create_graph=True, allow_unused=True, materialize_grads=True
        )
        return tuple(g for g in found if g is not None)

    # Inside `first` gradients must be recorded even where gradcheck evaluates without recording.
    return gradcheck(enable_grad()(first), (*given, *weights), constant=True, **options)
