"""Optimiser steps: the new value of a parameter and of its optimiser state, from the old ones and the gradient.

The table holds the functional forms, so a training step records and exports. `*_step_` writes the new values into the old
tensors: with the fused kernel of the device where there is one, by way of the functional form otherwise.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from ..alias import assign
from ..define import op
from ..dtypes import float64
from ..state import RECORDINGS, STATE
from ..table import S, floats, values
from ..tensor import Tensor
from ..views import bump
from .common import is_number

_STATE = floats(3, 4, low=0.0, high=1.0)
_STEP = values(3.0)
_LR = values(0.1)
_BETA = values(0.9)
_NUMBERS = (0.8, 0.99, 1e-8, 0.1)


def _regularised(param: Any, grad: Any, weight_decay: Any, maximize: bool) -> Any:
    """The gradient to follow downwards, weight decay included."""
    if maximize:
        grad = -grad
    return grad if is_number(weight_decay, 0) else grad + param * weight_decay


@op(
    promote="common",
    promoted=(0, 2),
    methods=(),
    public=False,
    samples=lambda: [S((3, 4), (3, 4), _LR), S((5,), (5,), _LR, weight_decay=0.1, maximize=True)],
)
def sgd_step(param, grad, lr, /, *, weight_decay: float = 0.0, maximize: bool = False):
    """A step of gradient descent: `param - lr * grad`."""
    return param - lr * _regularised(param, grad, weight_decay, maximize)


@op(
    promote="common",
    promoted=(0, 3),
    methods=(),
    public=False,
    outputs=2,
    samples=lambda: [
        S((3, 4), (3, 4), (3, 4), _LR, momentum=0.9),
        S((3, 4), (3, 4), (3, 4), _LR, momentum=0.9, dampening=0.5, weight_decay=0.1, maximize=True),
        S((3, 4), (3, 4), (3, 4), _LR, momentum=0.9, nesterov=True),
    ],
)
def sgd_momentum_step(
    param,
    momentum_buffer,
    grad,
    lr,
    /,
    *,
    momentum: float,
    dampening: float = 0.0,
    weight_decay: float = 0.0,
    nesterov: bool = False,
    maximize: bool = False,
):
    """A step of gradient descent with momentum: (new parameter, new momentum buffer)."""
    grad = _regularised(param, grad, weight_decay, maximize)
    momentum_buffer = momentum_buffer * momentum + (grad if is_number(dampening, 0) else grad * (1.0 - dampening))
    direction = grad + momentum_buffer * momentum if nesterov else momentum_buffer
    return param - lr * direction, momentum_buffer


def one_minus_power(beta: Any, step: Any) -> Any:
    """1 - beta ** step, without cancellation for a beta near 1."""
    if is_number(beta, 0):
        return 1.0
    return -(step * (beta.log() if isinstance(beta, Tensor) else math.log(beta))).expm1()


def _moments(param: Any, exp_avg: Any, exp_avg_sq: Any, grad: Any, lr: Any, options: dict[str, Any]) -> tuple[Any, Any, Any]:
    """Parameter after decoupled weight decay, and both moments."""
    decoupled = options["decoupled"]
    grad = _regularised(param, grad, 0.0 if decoupled else options["weight_decay"], options["maximize"])
    if decoupled and not is_number(options["weight_decay"], 0):
        param = param * (1.0 - lr * options["weight_decay"])
    exp_avg = exp_avg + (grad - exp_avg) * (1.0 - options["beta1"])
    exp_avg_sq = exp_avg_sq * options["beta2"] + grad * grad * (1.0 - options["beta2"])
    return param, exp_avg, exp_avg_sq


def _adam_move(param: Any, exp_avg: Any, second: Any, step: Any, lr: Any, beta1: float, beta2: float, eps: float) -> Any:
    if param.dtype is float64:
        step = step.to(float64)  # counters are float32
    scale = lr / one_minus_power(beta1, step)
    spread = one_minus_power(beta2, step)
    return param - scale * (exp_avg / ((second / spread).sqrt() + eps))


@op(
    promote="common",
    promoted=(0, 5),
    methods=(),
    public=False,
    outputs=4,
    samples=lambda: [
        S((3, 4), (3, 4), _STATE, _STEP, (3, 4), _LR),
        S((3, 4), (3, 4), _STATE, _STEP, (3, 4), _LR, weight_decay=0.1, maximize=True, beta1=0.5),
        S((3, 4), (3, 4), _STATE, _STEP, (3, 4), _LR, weight_decay=0.1, decoupled=True),
    ],
)
def adam_step(
    param,
    exp_avg,
    exp_avg_sq,
    step,
    grad,
    lr,
    /,
    *,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    decoupled: bool = False,
    maximize: bool = False,
):
    """A step of Adam (https://arxiv.org/abs/1412.6980): (new parameter, first moment, second moment, step count).

    `decoupled` weight decay makes it AdamW (https://arxiv.org/abs/1711.05101).
    """
    step = step + 1.0
    options = {"beta1": beta1, "beta2": beta2, "weight_decay": weight_decay, "decoupled": decoupled, "maximize": maximize}
    param, exp_avg, exp_avg_sq = _moments(param, exp_avg, exp_avg_sq, grad, lr, options)
    return _adam_move(param, exp_avg, exp_avg_sq, step, lr, beta1, beta2, eps), exp_avg, exp_avg_sq, step


@op(
    promote="common",
    promoted=(0, 5),
    methods=(),
    public=False,
    outputs=4,
    samples=lambda: [
        S((3, 4), (3, 4), _STATE, _STEP, (3, 4), _LR, _BETA, _BETA, _LR, _LR, numbers=_NUMBERS, maximize=True),
        S((3, 4), (3, 4), _STATE, _STEP, (3, 4), _LR, _BETA, numbers=_NUMBERS, decoupled=True),
        S((3, 4), (3, 4), _STATE, _STEP, (3, 4), _LR, None, None, None, _LR, numbers=_NUMBERS),
    ],
)
def scheduled_adam_step(
    param,
    exp_avg,
    exp_avg_sq,
    step,
    grad,
    lr,
    beta1=None,
    beta2=None,
    eps=None,
    weight_decay=None,
    /,
    *,
    numbers: tuple[float, float, float, float],
    decoupled: bool = False,
    maximize: bool = False,
):
    """A step of Adam as `adam_step`, of which some numbers change from step to step: those are 0-d tensors, and the others are in
    `numbers`, at the same places."""
    given = zip(("beta1", "beta2", "eps", "weight_decay"), (beta1, beta2, eps, weight_decay), numbers, strict=True)
    options = {name: number if tensor is None else tensor for name, tensor, number in given}
    step_of = adam_step.op.fn  # type: ignore[attr-defined]
    return step_of(param, exp_avg, exp_avg_sq, step, grad, lr, **options, decoupled=decoupled, maximize=maximize)


@op(
    promote="common",
    promoted=(0, 6),
    methods=(),
    public=False,
    outputs=5,
    samples=lambda: [S((3, 4), (3, 4), _STATE, _STATE, _STEP, (3, 4), _LR)],
)
def amsgrad_step(
    param,
    exp_avg,
    exp_avg_sq,
    max_exp_avg_sq,
    step,
    grad,
    lr,
    /,
    *,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    decoupled: bool = False,
    maximize: bool = False,
):
    """A step of AMSGrad (https://openreview.net/forum?id=ryQu7f-RZ): as `adam_step`, dividing by the largest second moment so
    far, which is the fourth result."""
    step = step + 1.0
    options = {"beta1": beta1, "beta2": beta2, "weight_decay": weight_decay, "decoupled": decoupled, "maximize": maximize}
    param, exp_avg, exp_avg_sq = _moments(param, exp_avg, exp_avg_sq, grad, lr, options)
    largest = max_exp_avg_sq.maximum(exp_avg_sq)
    return _adam_move(param, exp_avg, largest, step, lr, beta1, beta2, eps), exp_avg, exp_avg_sq, largest, step


def _in_place(step: Callable[..., Any]) -> Callable[..., None]:
    """The form of `step` that writes its results into the tensors it was given first."""
    name = step.op.name + "_"  # type: ignore[attr-defined]
    count = step.op.outputs  # type: ignore[attr-defined]

    def update(*tensors: Any, **options: Any) -> None:
        written: Sequence[Tensor] = tensors[:count]
        device = written[0]._dev
        # a step that is recorded, by a recorder or for backward, is so through its functional form
        recorded = STATE.grad or (RECORDINGS[0] and STATE.recorder is not None)
        kernel = None if recorded else device.kernels.get(name)
        if kernel is not None:
            for tensor in written:
                if not tensor._a.shape:  # the array of a 0-d tensor may be an immutable scalar
                    tensor._a = device.kernels["writable"](tensor._a)
            kernel(*[t._a if isinstance(t, Tensor) else t for t in tensors], **options)
            for tensor in written:
                bump(tensor)
            return
        if STATE.grad:  # what backward keeps must not be written to
            tensors = (*[t.clone() for t in written], *tensors[count:])
        results = step(*tensors, **options)
        for tensor, result in zip(written, results if count > 1 else (results,), strict=True):
            assign(name, tensor, result)

    update.__name__ = update.__qualname__ = name
    update.__doc__ = f"`{step.op.name}`, written into its first {count} tensor(s)."  # type: ignore[attr-defined]
    return update


sgd_step_ = _in_place(sgd_step)
sgd_momentum_step_ = _in_place(sgd_momentum_step)
adam_step_ = _in_place(adam_step)
scheduled_adam_step_ = _in_place(scheduled_adam_step)
amsgrad_step_ = _in_place(amsgrad_step)
