"""Derivatives of functions of tensors, as `torch.autograd.functional`. `fz.func` has the same as transforms of functions.

A function takes tensors and returns a tensor or a tuple of them; results are nested in the same way.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import func as transforms
from ..creation import ones_like, zeros_like
from ..errors import ArgumentError, AutogradError, ShapeError
from ..spelling import tell_names as _tell_names
from ..state import STATE
from ..tensor import Tensor
from .engine import _run
from .modes import enable_grad

Tensors = Tensor | tuple[Tensor, ...]


def _tuple(who: str, what: str, given: Any) -> tuple[Tensor, ...]:
    several = tuple(given) if isinstance(given, (tuple, list)) else (given,)
    for x in several:
        if not isinstance(x, Tensor):
            raise ArgumentError(f"{who}: {what} are a tensor or a tuple of tensors, given a {type(x).__name__}")
    return several


def _entered(inputs: tuple[Tensor, ...], create_graph: bool) -> tuple[Tensor, ...]:
    """The inputs anew: followed by the tape of the caller with `create_graph`, else leaves."""
    return tuple(x.view_as(x) if create_graph and x.requires_grad else x.detach().requires_grad_() for x in inputs)


def _run_func(who: str, func: Callable[..., Any], inputs: Any, create_graph: bool) -> tuple[Any, tuple[Tensor, ...], Any]:
    """(whether the outputs are one tensor, the inputs anew, the outputs)."""
    given = _entered(_tuple(who, "inputs", inputs), create_graph)
    with enable_grad():
        found = func(*given)
    return isinstance(found, Tensor), given, _tuple(who, "the function's results", found)


def _checked(who: str, v: Any, like: tuple[Tensor, ...], of: str) -> list[Tensor]:
    if v is None:
        if len(like) != 1 or like[0].numel() != 1:
            raise ArgumentError(f"{who}: v can be left out only for one {of} of one element")
        return [ones_like(like[0])]
    given = _tuple(who, "v", v)
    if len(given) != len(like) or any(tuple(a.shape) != tuple(b.shape) for a, b in zip(given, like, strict=False)):
        raise ShapeError(
            f"{who}: v has the shapes of the {of}s, {[list(x.shape) for x in like]}, given {[list(x.shape) for x in given]}"
        )
    return list(given)


def _gradients(who: str, outputs: Any, inputs: Any, v: Any, create_graph: bool, strict: bool) -> list[Tensor]:
    pairs = [(y, g) for y, g in zip(outputs, v, strict=True) if y._rg]
    if strict and len(pairs) < len(outputs):
        raise AutogradError(f"{who}: with strict=True every result must depend on the inputs")
    found: list[Tensor | None] = [None] * len(inputs)
    if pairs:
        with enable_grad():
            found = _run(who, [y for y, _ in pairs], [g for _, g in pairs], True, create_graph, list(inputs))
    if strict and any(g is None for g in found):
        raise AutogradError(f"{who}: with strict=True the results must depend on every input")
    return [zeros_like(x) if g is None else g for g, x in zip(found, inputs, strict=True)]


def _shown(values: Any, one: bool, create_graph: bool) -> Any:
    found = tuple(x if create_graph else x.detach() for x in values)
    return found[0] if one else found


def vjp(
    func: Callable[..., Any], inputs: Tensors, v: Tensors | None = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """(func(*inputs), the gradient of the inputs when that of the result is `v`).

    Args:
        v: may be left out for a result of one element.
        create_graph: the results can be differentiated.
        strict: an error instead of zeros where a result does not depend on an input.

    >>> import frazil as fz
    >>> fz.autograd.functional.vjp(lambda x: x**2, fz.tensor([1.0, 2.0]), fz.ones(2))
    (tensor([1., 4.]), tensor([2., 4.]))
    """
    single, given, outputs = _run_func("vjp", func, inputs, create_graph)
    found = _gradients("vjp", outputs, given, _checked("vjp", v, outputs, "result"), create_graph, strict)
    return _shown(outputs, single, create_graph), _shown(found, isinstance(inputs, Tensor), create_graph)


def jvp(
    func: Callable[..., Any], inputs: Tensors, v: Tensors | None = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """(func(*inputs), its derivative in the direction `v`); arguments as in `vjp`.

    >>> import frazil as fz
    >>> fz.autograd.functional.jvp(lambda x: x**2, fz.tensor([1.0, 2.0]), fz.ones(2))
    (tensor([1., 4.]), tensor([2., 4.]))
    """
    single, given, outputs = _run_func("jvp", func, inputs, create_graph)
    direction = _checked("jvp", v, given, "input")
    seeds = tuple(zeros_like(y).requires_grad_() for y in outputs)
    grads = _gradients("jvp", outputs, given, seeds, True, strict)
    found = _gradients("jvp", grads, seeds, direction, create_graph, False)
    return _shown(outputs, single, create_graph), _shown(found, single, create_graph)


def _one_number(who: str, outputs: tuple[Tensor, ...]) -> None:
    if len(outputs) != 1 or outputs[0].numel() != 1:
        raise ShapeError(
            f"{who}: the function must return one tensor of one element, it returned {[list(y.shape) for y in outputs]}"
        )


def vhp(
    func: Callable[..., Any], inputs: Tensors, v: Tensors | None = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """(func(*inputs), v times the matrix of second derivatives) of a function that returns one number.

    >>> import frazil as fz
    >>> fz.autograd.functional.vhp(lambda x: (x**3).sum(), fz.tensor([1.0, 2.0]), fz.ones(2))
    (tensor(9.), tensor([ 6., 12.]))
    """
    single, given, outputs = _run_func("vhp", func, inputs, create_graph)
    _one_number("vhp", outputs)
    grads = _gradients("vhp", outputs, given, [ones_like(outputs[0])], True, strict)
    found = _gradients("vhp", grads, given, _checked("vhp", v, given, "input"), create_graph, strict)
    return _shown(outputs, single, create_graph), _shown(found, isinstance(inputs, Tensor), create_graph)


def hvp(
    func: Callable[..., Any], inputs: Tensors, v: Tensors | None = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """(func(*inputs), the matrix of second derivatives times v); that matrix is symmetric, so this is what `vhp` gives.

    >>> import frazil as fz
    >>> fz.autograd.functional.hvp(lambda x: (x**3).sum(), fz.tensor([1.0, 2.0]), fz.ones(2))
    (tensor(9.), tensor([ 6., 12.]))
    """
    return vhp(func, inputs, v, create_graph, strict)


def jacobian(
    func: Callable[..., Any],
    inputs: Tensors,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    strategy: str = "reverse-mode",
) -> Any:
    """The derivatives of every result by every input: tensors [*shape of result, *shape of input].

    For several results or inputs a tuple, or a tuple of tuples: first the results.

    Args:
        vectorize: accepted for PyTorch's sake: all rows are computed at once.
        strategy: "reverse-mode" (by rows) or "forward-mode" (by columns).

    >>> import frazil as fz
    >>> fz.autograd.functional.jacobian(lambda x: x.exp(), fz.zeros(2))
    tensor([[1., 0.],
            [0., 1.]])
    """
    if strategy not in ("reverse-mode", "forward-mode"):
        raise ArgumentError(f'jacobian: strategy is "reverse-mode" or "forward-mode", given {strategy!r}')
    several = _tuple("jacobian", "inputs", inputs)
    if strict:
        _, given, outputs = _run_func("jacobian", func, inputs, True)
        _gradients("jacobian", outputs, given, [ones_like(y) for y in outputs], False, True)
    given = tuple(x if create_graph else x.detach() for x in several)
    at = tuple(range(len(given)))
    transform = transforms.jacrev if strategy == "reverse-mode" else transforms.jacfwd
    before, STATE.grad = STATE.grad, create_graph and STATE.grad
    try:
        found = transform(func, at)(*given)
    finally:
        STATE.grad = before
    if isinstance(inputs, Tensor):
        return found[0] if isinstance(found[0], Tensor) else tuple(row[0] for row in found)
    return found


def hessian(
    func: Callable[..., Any],
    inputs: Tensors,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    outer_jacobian_strategy: str = "reverse-mode",
) -> Any:
    """The second derivatives of a function that returns one number: for several inputs a tuple of tuples.

    >>> import frazil as fz
    >>> fz.autograd.functional.hessian(lambda x: (x**3).sum(), fz.tensor([1.0, 2.0]))
    tensor([[ 6.,  0.],
            [ 0., 12.]])
    """
    _, _, outputs = _run_func("hessian", func, inputs, create_graph)
    _one_number("hessian", outputs)

    def slope(*given: Tensor) -> Any:
        at = tuple(range(len(given)))
        with enable_grad():
            found = transforms.grad(lambda *own: func(*own).reshape(()), at)(*given)
        return found[0] if len(given) == 1 and isinstance(inputs, Tensor) else found

    return jacobian(slope, inputs, create_graph, strict, vectorize, outer_jacobian_strategy)


_tell_names(__name__)
