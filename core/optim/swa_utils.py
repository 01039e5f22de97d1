"""Averages of a model's weights over training, as `torch.optim.swa_utils`."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from ..autograd.modes import no_grad
from ..control import cond
from ..creation import tensor
from ..dtypes import int64
from ..errors import ArgumentError
from ..nn.module import Module
from ..nn.modules.batchnorm import _BatchNorm
from ..spelling import tell_names as _tell_names
from ..tensor import Tensor
from .lr_scheduler import LRScheduler, _per_group
from .optimizer import Optimizer

#: (averaged, current, how many models were averaged) -> averaged.
Average = Callable[[Any, Any, Any], Any]


def _check_decay(decay: float) -> None:
    if not 0.0 <= decay <= 1.0:
        raise ValueError(f"Invalid decay value {decay} provided. Please provide a value in [0,1] range.")


def get_ema_avg_fn(decay: float = 0.999) -> Average:
    """The function of an exponential moving average, for `AveragedModel(avg_fn=...)`.

    >>> from frazil.optim.swa_utils import get_ema_avg_fn
    >>> get_ema_avg_fn(0.9)(1.0, 2.0, 5)
    1.1
    """
    _check_decay(decay)

    def averaged(ema: Any, current: Any, count: Any) -> Any:
        return decay * ema + (1 - decay) * current

    return averaged


def get_swa_avg_fn() -> Average:
    """The function of an equal average, for `AveragedModel(avg_fn=...)`.

    >>> from frazil.optim.swa_utils import get_swa_avg_fn
    >>> get_swa_avg_fn()(1.0, 4.0, 2)
    2.0
    """

    def averaged(mean: Any, current: Any, count: Any) -> Any:
        return mean + (current - mean) / (count + 1)

    return averaged


def _for_lists(one: Average) -> Callable[[Sequence[Tensor], Sequence[Tensor], Any], None]:
    def update(averaged: Sequence[Tensor], current: Sequence[Tensor], count: Any) -> None:
        with no_grad():
            for mine, theirs in zip(averaged, current, strict=True):
                mine.copy_(one(mine, theirs, count) if mine.dtype.is_floating_point else theirs)

    return update


def get_ema_multi_avg_fn(decay: float = 0.999) -> Callable[[Sequence[Tensor], Sequence[Tensor], Any], None]:
    """As `get_ema_avg_fn`, for lists of tensors: `AveragedModel(multi_avg_fn=...)`.

    >>> import frazil as fz
    >>> mean = [fz.zeros(1)]
    >>> fz.optim.swa_utils.get_ema_multi_avg_fn(0.5)(mean, [fz.ones(1)], 1); mean
    [tensor([0.5000])]
    """
    return _for_lists(get_ema_avg_fn(decay))


def get_swa_multi_avg_fn() -> Callable[[Sequence[Tensor], Sequence[Tensor], Any], None]:
    """As `get_swa_avg_fn`, for lists of tensors: `AveragedModel(multi_avg_fn=...)`.

    >>> import frazil as fz
    >>> mean = [fz.zeros(1)]
    >>> fz.optim.swa_utils.get_swa_multi_avg_fn()(mean, [fz.ones(1)], 1); mean
    [tensor([0.5000])]
    """
    return _for_lists(get_swa_avg_fn())


class AveragedModel(Module):
    """A copy of a model whose weights are the average of what the model's were at every `update_parameters(model)`.

    Args:
        avg_fn: (averaged, current, count) -> averaged; an equal average if not given.
        multi_avg_fn: the same in place, for lists of tensors.
        use_buffers: average buffers too; else they are copied.

    Source: Izmailov et al., https://arxiv.org/abs/1803.05407.

    >>> import frazil as fz
    >>> model = fz.nn.Linear(1, 1, bias=False)
    >>> averaged = fz.optim.swa_utils.AveragedModel(model)
    >>> for value in (1.0, 3.0):
    ...     _ = fz.nn.init.constant_(model.weight, value)
    ...     averaged.update_parameters(model)
    >>> averaged.module.weight.item()
    2.0
    """

    n_averaged: Tensor

    def __init__(
        self,
        model: Module,
        device: Any = None,
        avg_fn: Average | None = None,
        multi_avg_fn: Callable[[Sequence[Tensor], Sequence[Tensor], Any], None] | None = None,
        use_buffers: bool = False,
    ) -> None:
        super().__init__()
        if avg_fn is not None and multi_avg_fn is not None:
            raise ArgumentError("AveragedModel: give avg_fn or multi_avg_fn, not both")
        self.module = copy.deepcopy(model)
        if device is not None:
            self.module = self.module.to(device)
        self.register_buffer("n_averaged", tensor(0, dtype=int64, device=device))
        self.avg_fn = avg_fn
        self.multi_avg_fn = multi_avg_fn
        self.use_buffers = use_buffers

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        return self.module(*args, **kwargs)

    def update_parameters(self, model: Module) -> None:
        """Take the weights that `model` has now into the average."""
        mine, theirs = list(self.module.parameters()), list(model.parameters())
        if self.use_buffers:
            mine, theirs = [*mine, *self.module.buffers()], [*theirs, *model.buffers()]  # type: ignore[list-item]
        current = [t.detach().to(m.device) for m, t in zip(mine, theirs, strict=True)]

        def begin() -> None:
            for m, t in zip(mine, current, strict=True):
                m.copy_(t)

        average = self.multi_avg_fn or _for_lists(self.avg_fn or get_swa_avg_fn())
        with no_grad():
            cond(self.n_averaged == 0, begin, lambda: average([m.detach() for m in mine], current, self.n_averaged))
            if not self.use_buffers:
                for b, t in zip(self.module.buffers(), model.buffers(), strict=True):
                    b.copy_(t.detach().to(b.device))
            self.n_averaged.add_(1)


def update_bn(loader: Iterable[Any], model: Module, device: Any = None) -> None:
    """Compute the running statistics of batch normalisation anew: their average over the batches of `loader`.

    A batch that is a list or tuple has the input first.

    >>> import frazil as fz
    >>> model = fz.nn.BatchNorm1d(1)
    >>> fz.optim.swa_utils.update_bn([fz.ones(4, 1), fz.ones(4, 1) * 3], model)
    >>> model.running_mean
    tensor([2.])
    """
    layers = [module for module in model.modules() if isinstance(module, _BatchNorm)]
    if not layers:
        return
    momenta = [layer.momentum for layer in layers]
    training = model.training
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None
    model.train()
    try:
        with no_grad():
            for batch in loader:
                given = batch[0] if isinstance(batch, (list, tuple)) else batch
                model(given if device is None else given.to(device))
    finally:
        for layer, momentum in zip(layers, momenta, strict=True):
            layer.momentum = momentum
        model.train(training)


class SWALR(LRScheduler):
    """Bring the learning rate to `swa_lr` in `anneal_epochs` steps, by a cosine ("cos") or a line ("linear"), and keep it.

    >>> import frazil as fz
    >>> optimizer = fz.optim.SGD([fz.ones(1, requires_grad=True)], lr=1.0)
    >>> scheduler = fz.optim.swa_utils.SWALR(optimizer, swa_lr=0.0, anneal_epochs=2, anneal_strategy="linear")
    >>> for _ in range(3):
    ...     optimizer.step(); scheduler.step(); print(optimizer.param_groups[0]["lr"])
    0.5
    0.0
    0.0
    """

    def __init__(
        self, optimizer: Optimizer, swa_lr: float, anneal_epochs: int = 10, anneal_strategy: str = "cos", last_epoch: int = -1
    ) -> None:
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(f"anneal_strategy must be one of 'cos' or 'linear', instead got {anneal_strategy}")
        if not isinstance(anneal_epochs, int) or anneal_epochs < 0:
            raise ValueError(f"anneal_epochs must be equal or greater than 0, got {anneal_epochs}")
        for group, rate in zip(optimizer.param_groups, _per_group(optimizer, "swa_lr", swa_lr), strict=True):
            group["swa_lr"] = rate
        self.anneal_epochs = anneal_epochs
        self._anneal_strategy = anneal_strategy
        super().__init__(optimizer, last_epoch)

    def anneal_func(self, t: float) -> float:
        """Return how much of the way to `swa_lr` is gone after the part `t` of the steps."""
        return (1 - math.cos(math.pi * t)) / 2 if self._anneal_strategy == "cos" else t

    def get_lr(self) -> list[Any]:
        """The learning rate of each group for this step."""
        step = self._step_count - 1
        if self.anneal_epochs == 0:
            step = max(1, step)
        before = self.anneal_func(max(0.0, min(1.0, (step - 1) / max(1, self.anneal_epochs))))
        now = self.anneal_func(max(0.0, min(1.0, step / max(1, self.anneal_epochs))))
        rates = []
        for group in self.optimizer.param_groups:
            start = group["swa_lr"] if before == 1 else (group["lr"] - before * group["swa_lr"]) / (1 - before)
            rates.append(group["swa_lr"] * now + start * (1 - now))
        return rates


_tell_names(__name__)
