"""`functorch`, by which programs know `fz.func` from before it was there, and modules as functions of their parameters."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

from .errors import ArgumentError
from .func import functional_call as _functional_call
from .func import functionalize, grad, grad_and_value, hessian, jacfwd, jacrev, jvp, stack_module_state, vjp, vmap
from .nn.module import Module
from .spelling import tell_names as _tell_names
from .tensor import Tensor

__all__ = [
    "combine_state_for_ensemble",
    "functionalize",
    "grad",
    "grad_and_value",
    "hessian",
    "jacfwd",
    "jacrev",
    "jvp",
    "make_functional",
    "make_functional_with_buffers",
    "vjp",
    "vmap",
]


def make_functional_with_buffers(
    model: Module, disable_autograd_tracking: bool = False
) -> tuple[Callable[..., Any], tuple[Tensor, ...], tuple[Tensor, ...]]:
    """Return `call(parameters, buffers, *args)`, which is `model(*args)` with these tensors, and the tensors of the model.

    Args:
        disable_autograd_tracking: the parameters returned do not require gradients.

    >>> import frazil as fz
    >>> call, params, buffers = fz.functorch.make_functional_with_buffers(fz.nn.Linear(2, 1, bias=False))
    >>> call((fz.ones(1, 2),), buffers, fz.ones(2))
    tensor([2.])
    """
    empty = copy.deepcopy(model)
    names = [name for name, _ in empty.named_parameters()], [name for name, _ in empty.named_buffers()]

    def call(parameters: Sequence[Tensor], buffers: Sequence[Tensor], *args: Any, **kwargs: Any) -> Any:
        given = [*zip(names[0], parameters, strict=True), *zip(names[1], buffers, strict=True)]
        return _functional_call(empty, dict(given), args, kwargs)

    parameters = tuple(p.detach() if disable_autograd_tracking else p for p in model.parameters())
    return call, parameters, tuple(model.buffers())


def make_functional(model: Module, disable_autograd_tracking: bool = False) -> tuple[Callable[..., Any], tuple[Tensor, ...]]:
    """As `make_functional_with_buffers`, of a model without buffers: `call(parameters, *args)`, and the parameters.

    >>> import frazil as fz
    >>> call, params = fz.functorch.make_functional(fz.nn.Linear(2, 1, bias=False))
    >>> call((fz.ones(1, 2),), fz.ones(2))
    tensor([2.])
    """
    if any(True for _ in model.buffers()):
        raise ArgumentError("make_functional: this model has buffers; use make_functional_with_buffers")
    call, parameters, _ = make_functional_with_buffers(model, disable_autograd_tracking)
    return lambda parameters, *args, **kwargs: call(parameters, (), *args, **kwargs), parameters


def combine_state_for_ensemble(
    models: Sequence[Module],
) -> tuple[Callable[..., Any], tuple[Tensor, ...], tuple[Tensor, ...]]:
    """As `make_functional_with_buffers`, of models of one kind, whose tensors are stacked for `vmap`.

    >>> import frazil as fz
    >>> call, params, buffers = fz.functorch.combine_state_for_ensemble([fz.nn.Linear(2, 1) for _ in range(3)])
    >>> fz.vmap(call, (0, 0, None))(params, buffers, fz.ones(2)).shape
    frazil.Size([3, 1])
    """
    parameters, buffers = stack_module_state(list(models))
    return make_functional_with_buffers(models[0])[0], tuple(parameters.values()), tuple(buffers.values())


_tell_names(__name__)
