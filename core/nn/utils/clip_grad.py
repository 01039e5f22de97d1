"""Keeping gradients from exploding."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from ... import ops
from ...autograd.modes import no_grad
from ...creation import tensor as make_tensor
from ...tensor import Tensor


def _gradients(parameters: Tensor | Iterable[Tensor]) -> list[Tensor]:
    parameters = [parameters] if isinstance(parameters, Tensor) else parameters
    return [parameter.grad for parameter in parameters if parameter.grad is not None]


@no_grad()
def get_total_norm(
    tensors: Tensor | Iterable[Tensor], norm_type: float = 2.0, error_if_nonfinite: bool = False, foreach: bool | None = None
) -> Tensor:
    """The norm of all tensors, as if they were one vector; `norm_type` may be infinity."""
    tensors = [t.abs() if t.dtype.is_complex else t for t in ([tensors] if isinstance(tensors, Tensor) else tensors)]
    power = float(norm_type)
    if not tensors:
        return make_tensor(0.0)
    total: Any
    if math.isinf(power):
        total = ops.stack([t.abs().max().to(tensors[0].device) for t in tensors]).max()
    elif power == 2.0:
        total = ops.stack([(t * t).sum().to(tensors[0].device) for t in tensors]).sum().sqrt()
    else:
        parts = [(t.abs() ** power).sum().to(tensors[0].device) for t in tensors]
        total = ops.stack(parts).sum() ** (1.0 / power)
    if error_if_nonfinite and not bool(total.isfinite()):
        raise RuntimeError(
            f"The total norm of order {power} for gradients from `parameters` is non-finite, so it cannot be clipped. To "
            "disable this error and scale the gradients by the non-finite norm anyway, set `error_if_nonfinite=False`"
        )
    return total


@no_grad()
def clip_grads_with_norm_(
    parameters: Tensor | Iterable[Tensor], max_norm: float, total_norm: Tensor, foreach: bool | None = None
) -> None:
    """Scale all gradients, in place, by `max_norm / total_norm` where that is below 1."""
    scale: Any = (float(max_norm) / (total_norm + 1e-6)).clamp(max=1.0)
    for grad in _gradients(parameters):
        grad.mul_(scale.to(grad.device))


def clip_grad_norm_(
    parameters: Tensor | Iterable[Tensor],
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """Scale the gradients, in place, so that their norm as one vector is at most `max_norm`; returns the norm before.

    >>> import frazil as fz
    >>> w = fz.zeros(2, requires_grad=True)
    >>> w.grad = fz.tensor([3.0, 4.0])
    >>> fz.nn.utils.clip_grad_norm_([w], max_norm=1.0), w.grad
    (tensor(5.), tensor([0.6000, 0.8000]))
    """
    parameters = [parameters] if isinstance(parameters, Tensor) else list(parameters)
    total = get_total_norm(_gradients(parameters), norm_type, error_if_nonfinite)
    clip_grads_with_norm_(parameters, max_norm, total)
    return total


def clip_grad_norm(
    parameters: Tensor | Iterable[Tensor],
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """`clip_grad_norm_` by its old name."""
    return clip_grad_norm_(parameters, max_norm, norm_type, error_if_nonfinite, foreach)


@no_grad()
def clip_grad_value_(parameters: Tensor | Iterable[Tensor], clip_value: float, foreach: bool | None = None) -> None:
    """Clip every element of the gradients, in place, to [-clip_value, clip_value]."""
    for grad in _gradients(parameters):
        grad.clamp_(-clip_value, clip_value)
