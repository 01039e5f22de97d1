"""Stochastic gradient descent."""

from __future__ import annotations

from typing import Any

from ..creation import zeros_like
from ..ops.common import is_number
from ..ops.optim import sgd_momentum_step_, sgd_step_
from .optimizer import Optimizer, Params, check_options


class SGD(Optimizer):
    """Gradient descent, with momentum (also Nesterov's) and weight decay, as `torch.optim.SGD`.

    `foreach` and `fused` are accepted for PyTorch's sake; every step is fused. With `differentiable` it is recorded for backward.
    A learning rate given as a 0-d tensor stays a tensor.

    >>> import frazil as fz
    >>> w = fz.tensor([1.0, -1.0], requires_grad=True)
    >>> optimizer = fz.optim.SGD([w], lr=0.5)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w.tolist()
    [0.0, 0.0]
    """

    def __init__(
        self,
        params: Params,
        lr: Any = 1e-3,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: float = 0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        check_options(lr=lr, momentum=momentum, weight_decay=weight_decay)
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ValueError("Nesterov momentum requires a momentum and zero dampening")
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "dampening": dampening,
            "weight_decay": weight_decay,
            "nesterov": nesterov,
            "maximize": maximize,
            "foreach": foreach,
            "differentiable": differentiable,
            "fused": fused,
        }
        super().__init__(params, defaults)

    _takes_sparse = True

    def _update(self, group: dict[str, Any]) -> None:
        lr, momentum, dampening = group["lr"], group["momentum"], group["dampening"]
        weight_decay, nesterov, maximize = group["weight_decay"], group["nesterov"], group["maximize"]
        for param, grad in self._graded(group):
            if is_number(momentum, 0):
                sgd_step_(param, grad, lr, weight_decay=weight_decay, maximize=maximize)
                continue
            state = self.state[param]
            buffer = state.get("momentum_buffer")
            damped = dampening
            if buffer is None:
                buffer = state["momentum_buffer"] = zeros_like(param)
                damped = 0.0  # the first gradient counts in full
            sgd_momentum_step_(
                param,
                buffer,
                grad,
                lr,
                momentum=momentum,
                dampening=damped,
                weight_decay=weight_decay,
                nesterov=nesterov,
                maximize=maximize,
            )
