"""Learning-rate schedules, as `torch.optim.lr_scheduler`.

A schedule changes `group["lr"]` of its optimiser's parameter groups. Most are chainable: they scale the current rate, so that
several can act on one optimiser. A learning rate that is a 0-d tensor is changed in place and stays a tensor.
"""

from __future__ import annotations

import math
import warnings
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from ..spelling import tell_keywords_of_classes as _tell_keywords
from ..spelling import tell_names as _tell_names
from ..tensor import Tensor
from .optimizer import Optimizer
from .options import Option

__all__ = [
    "ChainedScheduler",
    "ConstantLR",
    "CosineAnnealingLR",
    "CosineAnnealingWarmRestarts",
    "CyclicLR",
    "ExponentialLR",
    "LRScheduler",
    "LambdaLR",
    "LinearLR",
    "MultiStepLR",
    "MultiplicativeLR",
    "OneCycleLR",
    "PolynomialLR",
    "ReduceLROnPlateau",
    "SequentialLR",
    "StepLR",
]


def _snapshot(value: Any) -> Any:
    return value.detach().clone() if isinstance(value, Tensor) else value


def _set(group: dict[str, Any], key: str, value: Any) -> None:
    """Write `group[key]`; a tensor stays the same object, so a recorded step sees the change."""
    current = group[key]
    if not isinstance(current, Tensor):
        group[key] = value
    elif isinstance(value, Tensor):
        current.copy_(value)
    else:
        current.fill_(value)


def _per_group(optimizer: Optimizer, name: str, value: Any) -> list[Any]:
    """`value` for every parameter group: one for all, or a list with one each."""
    count = len(optimizer.param_groups)
    if not isinstance(value, (list, tuple)):
        return [value] * count
    if len(value) != count:
        raise ValueError(
            f"expected {count} values for {name}, got {len(value)}: give one number, or one for each parameter group"
        )
    return list(value)


class LRScheduler:
    """Base class: a subclass computes the rates of epoch `self.last_epoch` in `get_lr`, from `group["lr"]` or from
    `self.base_lrs`.

    A schedule goes on where another one ended by `last_epoch`, the epoch that was finished, or by `load_state_dict`. Either
    way its rates are those of the run that was not interrupted.
    """

    _not_saved: tuple[str, ...] = ("optimizer", "_first_lr")

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"{type(optimizer).__name__} is not an Optimizer")
        self.optimizer = optimizer
        for i, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                group.setdefault("initial_lr", _snapshot(group["lr"]))
            elif "initial_lr" not in group:
                raise KeyError(f"param 'initial_lr' is not specified in param_groups[{i}] when resuming an optimizer")
        self.base_lrs = [_snapshot(group["initial_lr"]) for group in optimizer.param_groups]
        self.last_epoch = last_epoch
        self._step_count = 0
        self._is_initial = True
        self._get_lr_called_within_step = False
        self._last_lr: list[Any] = []
        self.step()
        self._is_initial = False
        self._first_lr = self._last_lr

    def state_dict(self) -> dict[str, Any]:
        """Everything but the optimiser and functions, which cannot be saved."""
        return {key: value for key, value in self.__dict__.items() if key not in self._not_saved}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take back what `state_dict` gave."""
        self.__dict__.update(state_dict)
        # Making this schedule may have changed a rate that the optimiser had taken back before: that is undone.
        for group, first, last in zip(self.optimizer.param_groups, self._first_lr, self._last_lr, strict=True):
            if group["lr"] == first:
                _set(group, "lr", last)

    def get_last_lr(self) -> list[Any]:
        """The learning rate of every parameter group, as set last."""
        return self._last_lr

    def get_lr(self) -> list[Any]:
        """The learning rates of epoch `last_epoch`; called by `step`."""
        raise NotImplementedError(f"{type(self).__name__} must define get_lr")

    def _lr_at(self) -> list[Any]:
        """The learning rates of epoch `last_epoch`, whatever the current ones are; a subclass of a program's own calls it
        `_get_closed_form_lr`."""
        return self._get_closed_form_lr() if hasattr(self, "_get_closed_form_lr") else self.get_lr()

    def _lr_resumed(self) -> list[Any]:
        """The learning rates of epoch `last_epoch` for a schedule that begins with it.

        The optimiser has the rate of this epoch, of the last one, or the initial one, by when it was saved; any other rate
        has been set by somebody else too (another schedule, the user), and stays.
        """
        self.last_epoch -= 1
        before = self._lr_at()
        self.last_epoch += 1
        rates = []
        for rate, base, old, new in zip(self._current(), self.base_lrs, before, self._lr_at(), strict=True):
            own = any(math.isclose(rate, known, rel_tol=1e-6) for known in (base, old, new))
            rates.append(new if own else rate)
        return rates

    def step(self, epoch: int | None = None) -> None:
        """Go on by one epoch (or to `epoch`) and set the learning rates. To be called after the optimiser's `step`."""
        if self._step_count == 1 and not self.optimizer._steps_taken:
            warnings.warn(
                "Detected call of `lr_scheduler.step()` before `optimizer.step()`: call them in the opposite order, or the "
                "first value of the learning rate schedule is skipped",
                UserWarning,
                stacklevel=2,
            )
        self._step_count += 1
        self._get_lr_called_within_step = True  # which get_lr of a program's own may ask
        try:
            if epoch is None:
                self.last_epoch += 1
                begins = self._step_count == 1 and self.last_epoch > 0
                rates = self._lr_resumed() if begins else self.get_lr()
            else:
                self.last_epoch = epoch
                rates = self._lr_at()
        finally:
            self._get_lr_called_within_step = False
        self._set_rates(rates)

    def _set_rates(self, rates: Sequence[Any]) -> None:
        for group, rate in zip(self.optimizer.param_groups, rates, strict=True):
            _set(group, "lr", rate)
        self._remember()

    def _remember(self) -> None:
        self._last_lr = [_snapshot(group["lr"]) for group in self.optimizer.param_groups]

    def _current(self) -> list[Any]:
        return [group["lr"] for group in self.optimizer.param_groups]


#: The older name of the base class.
_LRScheduler = LRScheduler


class _MultipleLR(LRScheduler):
    """A rate that is a known multiple of the initial one at every epoch."""

    def multiple(self, epoch: int) -> float:
        """Multiple of the initial rate at `epoch`."""
        raise NotImplementedError

    def growth(self, epoch: int) -> float:
        """What the rate is multiplied by at `epoch` after the first: with PyTorch's formula, so rates are its to the last bit."""
        return self.multiple(epoch) / self.multiple(epoch - 1)

    def get_lr(self) -> list[Any]:
        if self.last_epoch == 0:
            now = self.multiple(0)
            return [rate if now == 1 else rate * now for rate in self._current()]
        growth = self.growth(self.last_epoch)
        return self._current() if growth == 1 else [rate * growth for rate in self._current()]

    def _lr_at(self) -> list[Any]:
        now = self.multiple(self.last_epoch)
        return [rate * now for rate in self.base_lrs]


class StepLR(_MultipleLR):
    """Multiply the rate by `gamma` every `step_size` epochs.

    >>> import frazil as fz
    >>> optimizer = fz.optim.SGD([fz.zeros(1, requires_grad=True)], lr=1.0)
    >>> scheduler = fz.optim.lr_scheduler.StepLR(optimizer, step_size=2, gamma=0.5)
    >>> rates = []
    >>> for _ in range(5):
    ...     rates += scheduler.get_last_lr()
    ...     optimizer.step()
    ...     scheduler.step()
    >>> rates
    [1.0, 1.0, 0.5, 0.5, 0.25]
    """

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1, last_epoch: int = -1) -> None:
        self.step_size = step_size
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def multiple(self, epoch: int) -> float:
        return self.gamma ** (epoch // self.step_size)

    def growth(self, epoch: int) -> float:
        return 1.0 if epoch % self.step_size else self.gamma


class MultiStepLR(_MultipleLR):
    """Multiply the rate by `gamma` at every epoch in `milestones`."""

    def __init__(self, optimizer: Optimizer, milestones: Iterable[int], gamma: float = 0.1, last_epoch: int = -1) -> None:
        self.milestones = Counter(milestones)
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def multiple(self, epoch: int) -> float:
        return self.gamma ** bisect_right(sorted(self.milestones.elements()), epoch)

    def growth(self, epoch: int) -> float:
        return self.gamma ** self.milestones[epoch] if epoch in self.milestones else 1.0


class ConstantLR(_MultipleLR):
    """Multiply the rate by `factor` for the first `total_iters` epochs."""

    def __init__(self, optimizer: Optimizer, factor: float = 1.0 / 3, total_iters: int = 5, last_epoch: int = -1) -> None:
        if not 0 < factor <= 1:
            raise ValueError(f"ConstantLR: factor must be above 0 and at most 1, given {factor}")
        self.factor = factor
        self.total_iters = total_iters
        super().__init__(optimizer, last_epoch)

    def multiple(self, epoch: int) -> float:
        return self.factor if epoch < self.total_iters else 1.0

    def growth(self, epoch: int) -> float:
        return 1.0 / self.factor if epoch == self.total_iters else 1.0


class LinearLR(_MultipleLR):
    """Multiply the rate by a factor that goes from `start_factor` to `end_factor` in `total_iters` equal steps."""

    def __init__(
        self,
        optimizer: Optimizer,
        start_factor: float = 1.0 / 3,
        end_factor: float = 1.0,
        total_iters: int = 5,
        last_epoch: int = -1,
    ) -> None:
        if not 0 < start_factor <= 1:
            raise ValueError(f"LinearLR: start_factor must be above 0 and at most 1, given {start_factor}")
        if not 0 <= end_factor <= 1:
            raise ValueError(f"LinearLR: end_factor must be between 0 and 1, given {end_factor}")
        self.start_factor = start_factor
        self.end_factor = end_factor
        self.total_iters = total_iters
        super().__init__(optimizer, last_epoch)

    def multiple(self, epoch: int) -> float:
        done = min(epoch, self.total_iters) / self.total_iters
        return self.start_factor + (self.end_factor - self.start_factor) * done

    def growth(self, epoch: int) -> float:
        if epoch > self.total_iters:
            return 1.0
        way = self.end_factor - self.start_factor
        return 1.0 + way / (self.total_iters * self.start_factor + (epoch - 1) * way)


class ExponentialLR(_MultipleLR):
    """Multiply the rate by `gamma` every epoch."""

    def __init__(self, optimizer: Optimizer, gamma: float, last_epoch: int = -1) -> None:
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def multiple(self, epoch: int) -> float:
        return self.gamma**epoch

    def growth(self, epoch: int) -> float:
        return self.gamma


class PolynomialLR(_MultipleLR):
    """Lower the rate to 0 in `total_iters` epochs, as the power `power` of what remains of them."""

    def __init__(self, optimizer: Optimizer, total_iters: int = 5, power: float = 1.0, last_epoch: int = -1) -> None:
        self.total_iters = total_iters
        self.power = power
        super().__init__(optimizer, last_epoch)

    def multiple(self, epoch: int) -> float:
        return (1.0 - min(epoch, self.total_iters) / self.total_iters) ** self.power

    def growth(self, epoch: int) -> float:
        if epoch > self.total_iters:
            return 1.0
        return ((1.0 - epoch / self.total_iters) / (1.0 - (epoch - 1) / self.total_iters)) ** self.power


class _FunctionLR(LRScheduler):
    """A schedule given by a function of the epoch, or one for each parameter group."""

    _not_saved = ("optimizer", "_first_lr", "lr_lambdas")

    def __init__(
        self,
        optimizer: Optimizer,
        lr_lambda: Callable[[int], float] | Sequence[Callable[[int], float]],
        last_epoch: int = -1,
    ) -> None:
        self.lr_lambdas = _per_group(optimizer, "lr_lambda", lr_lambda)
        super().__init__(optimizer, last_epoch)

    def state_dict(self) -> dict[str, Any]:
        """Everything but the optimiser and plain functions; of callable objects, their attributes."""
        kept = [None if hasattr(fn, "__code__") else dict(vars(fn)) for fn in self.lr_lambdas]
        return {**super().state_dict(), "lr_lambdas": kept}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take back what `state_dict` gave; functions stay those given at construction."""
        state = dict(state_dict)
        for fn, attributes in zip(self.lr_lambdas, state.pop("lr_lambdas"), strict=True):
            if attributes is not None:
                vars(fn).update(attributes)
        super().load_state_dict(state)


class LambdaLR(_FunctionLR):
    """The initial rate times `lr_lambda(epoch)`.

    >>> import frazil as fz
    >>> optimizer = fz.optim.SGD([fz.zeros(1, requires_grad=True)], lr=0.5)
    >>> fz.optim.lr_scheduler.LambdaLR(optimizer, lambda epoch: 1 / (epoch + 1)).get_last_lr()
    [0.5]
    """

    def get_lr(self) -> list[Any]:
        return [base * fn(self.last_epoch) for base, fn in zip(self.base_lrs, self.lr_lambdas, strict=True)]


class MultiplicativeLR(_FunctionLR):
    """The current rate times `lr_lambda(epoch)`, from the second epoch on."""

    def get_lr(self) -> list[Any]:
        if self.last_epoch == 0:
            return self._current()
        return [rate * fn(self.last_epoch) for rate, fn in zip(self._current(), self.lr_lambdas, strict=True)]

    def _lr_at(self) -> list[Any]:
        epochs = range(1, self.last_epoch + 1)
        return [base * math.prod(map(fn, epochs)) for base, fn in zip(self.base_lrs, self.lr_lambdas, strict=True)]


class CosineAnnealingLR(LRScheduler):
    """Follow a half cosine from the initial rate to `eta_min` in `T_max` epochs, and back again.

    Source: Loshchilov and Hutter, SGDR, https://arxiv.org/abs/1608.03983, without restarts.
    """

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0, last_epoch: int = -1) -> None:
        self.T_max = T_max
        self.eta_min = eta_min
        super().__init__(optimizer, last_epoch)

    def _height(self, epoch: int) -> float:
        """From 2 at the top of the cosine to 0 at its bottom."""
        return 1 + math.cos(math.pi * epoch / self.T_max)

    def get_lr(self) -> list[Any]:
        if self.last_epoch == 0:
            return self._current()
        if (self.last_epoch - 1 - self.T_max) % (2 * self.T_max) == 0:  # coming from the bottom there is nothing to scale
            pairs = zip(self._current(), self.base_lrs, strict=True)
            return [rate + (base - self.eta_min) * (1 - math.cos(math.pi / self.T_max)) / 2 for rate, base in pairs]
        growth = self._height(self.last_epoch) / self._height(self.last_epoch - 1)
        return [growth * (rate - self.eta_min) + self.eta_min for rate in self._current()]

    def _lr_at(self) -> list[Any]:
        height = self._height(self.last_epoch)
        return [self.eta_min + (base - self.eta_min) * height / 2 for base in self.base_lrs]


class CosineAnnealingWarmRestarts(LRScheduler):
    """Follow half cosines down to `eta_min`, the first of `T_0` epochs, each next one `T_mult` times as long.

    `step(epoch)` takes fractions of an epoch. Source: Loshchilov and Hutter, SGDR, https://arxiv.org/abs/1608.03983.
    """

    def __init__(self, optimizer: Optimizer, T_0: int, T_mult: int = 1, eta_min: float = 0.0, last_epoch: int = -1) -> None:
        if T_0 <= 0 or not isinstance(T_0, int):
            raise ValueError(f"Expected positive integer T_0, but got {T_0}")
        if T_mult < 1 or not isinstance(T_mult, int):
            raise ValueError(f"Expected integer T_mult >= 1, but got {T_mult}")
        self.T_0 = T_0
        self.T_i = T_0
        self.T_mult = T_mult
        self.eta_min = eta_min
        self.T_cur: float = -1
        if last_epoch >= 0:
            self._find_cycle(last_epoch)
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Any]:
        height = (1 + math.cos(math.pi * self.T_cur / self.T_i)) / 2
        return [self.eta_min + (base - self.eta_min) * height for base in self.base_lrs]

    def step(self, epoch: float | None = None) -> None:
        """Go on by one epoch, or to `epoch`, which may be a fraction."""
        if epoch is None:
            epoch = self.last_epoch + 1
            self.T_cur += 1
            if self.T_cur >= self.T_i:
                self.T_cur -= self.T_i
                self.T_i *= self.T_mult
        else:
            if epoch < 0:
                raise ValueError(f"Expected non-negative epoch, but got {epoch}")
            self._find_cycle(epoch)
        self.last_epoch = math.floor(epoch)
        self._set_rates(self.get_lr())

    def _find_cycle(self, epoch: float) -> None:
        self.T_cur, self.T_i = epoch, self.T_0
        if self.T_mult == 1:
            self.T_cur = epoch % self.T_0
        while self.T_cur >= self.T_i:
            self.T_cur -= self.T_i
            self.T_i *= self.T_mult


def _momentum_key(optimizer: Optimizer) -> str:
    for key in ("betas", "momentum"):
        if key in optimizer.defaults:
            return key
    raise ValueError("optimizer must support momentum or beta1 with `cycle_momentum` option enabled")


def _set_momentum(group: dict[str, Any], key: str, value: float) -> None:
    Option(group, key, 0 if key == "betas" else None).hold(value)


class OneCycleLR(LRScheduler):
    """One cycle: up from `max_lr / div_factor` to `max_lr`, then down to `1 / final_div_factor` of the start; momentum the
    opposite way.

    Stepped after every batch, `total_steps` (or `epochs * steps_per_epoch`) times. Source: Smith and Topin, Super-Convergence,
    https://arxiv.org/abs/1708.07120.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        max_lr: float | list[float],
        total_steps: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: str = "cos",
        cycle_momentum: bool = True,
        base_momentum: float | list[float] = 0.85,
        max_momentum: float | list[float] = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
        last_epoch: int = -1,
    ) -> None:
        if total_steps is None:
            if epochs is None or steps_per_epoch is None:
                raise ValueError("You must define either total_steps OR (epochs AND steps_per_epoch)")
            total_steps = epochs * steps_per_epoch
        if total_steps <= 0 or not isinstance(total_steps, int):
            raise ValueError(f"Expected positive integer total_steps, but got {total_steps}")
        if not 0 <= pct_start <= 1:
            raise ValueError(f"Expected float between 0 and 1 pct_start, but got {pct_start}")
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(f"anneal_strategy must be one of 'cos' or 'linear', instead got {anneal_strategy}")
        self.total_steps = total_steps
        up = ("initial_lr", "max_lr", "max_momentum", "base_momentum")
        if three_phase:
            plan = [
                (pct_start * total_steps - 1, *up),
                (2 * pct_start * total_steps - 2, "max_lr", "initial_lr", "base_momentum", "max_momentum"),
                (total_steps - 1, "initial_lr", "min_lr", "max_momentum", "max_momentum"),
            ]
        else:
            plan = [(pct_start * total_steps - 1, *up), (total_steps - 1, "max_lr", "min_lr", "base_momentum", "max_momentum")]
        keys = ("end_step", "start_lr", "end_lr", "start_momentum", "end_momentum")
        self._schedule_phases: list[dict[str, Any]] = [dict(zip(keys, phase, strict=True)) for phase in plan]
        self._anneal_func_type = anneal_strategy
        self.cycle_momentum = cycle_momentum
        self.use_beta1 = cycle_momentum and _momentum_key(optimizer) == "betas"
        if last_epoch == -1:
            tops = _per_group(optimizer, "max_lr", max_lr)
            for group, top in zip(optimizer.param_groups, tops, strict=True):
                group["initial_lr"] = top / div_factor
                group["max_lr"] = top
                group["min_lr"] = group["initial_lr"] / final_div_factor
            if cycle_momentum:
                low, high = (
                    _per_group(optimizer, n, v) for n, v in (("base_momentum", base_momentum), ("max_momentum", max_momentum))
                )
                for group, base, top in zip(optimizer.param_groups, low, high, strict=True):
                    _set_momentum(group, _momentum_key(optimizer), top)
                    group["max_momentum"], group["base_momentum"] = top, base
        super().__init__(optimizer, last_epoch)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take back what `state_dict` gave, and the momentum that belongs to it."""
        super().load_state_dict(state_dict)
        self.get_lr()

    def _between(self, start: Any, end: Any, done: float) -> Any:
        if self._anneal_func_type == "linear":
            return start + (end - start) * done
        return end + (start - end) * ((1 + math.cos(math.pi * done)) / 2)

    def get_lr(self) -> list[Any]:
        if self.last_epoch > self.total_steps:
            raise ValueError(f"Tried to step {self.last_epoch} times. The specified number of total steps is {self.total_steps}")
        begin = 0.0
        for phase in self._schedule_phases:
            if self.last_epoch <= phase["end_step"] or phase is self._schedule_phases[-1]:
                break
            begin = phase["end_step"]
        done = (self.last_epoch - begin) / (phase["end_step"] - begin)
        if self.cycle_momentum:
            for group in self.optimizer.param_groups:
                value = self._between(group[phase["start_momentum"]], group[phase["end_momentum"]], done)
                _set_momentum(group, "betas" if self.use_beta1 else "momentum", value)
        groups = self.optimizer.param_groups
        return [self._between(group[phase["start_lr"]], group[phase["end_lr"]], done) for group in groups]


class CyclicLR(LRScheduler):
    """Go between `base_lr` and `max_lr` in straight lines, over and over; stepped after every batch.

    `mode`: "triangular", "triangular2" (each cycle half as high) or "exp_range" (height `gamma ** iteration`); or a function
    `scale_fn` of the cycle or of the iteration (`scale_mode`). Source: Smith, Cyclical Learning Rates, https://arxiv.org/abs/1506.01186.
    """

    _not_saved = ("optimizer", "_first_lr", "_scale_fn_custom")

    def __init__(
        self,
        optimizer: Optimizer,
        base_lr: float | list[float],
        max_lr: float | list[float],
        step_size_up: int = 2000,
        step_size_down: int | None = None,
        mode: str = "triangular",
        gamma: float = 1.0,
        scale_fn: Callable[[float], float] | None = None,
        scale_mode: str = "cycle",
        cycle_momentum: bool = True,
        base_momentum: float | list[float] = 0.8,
        max_momentum: float | list[float] = 0.9,
        last_epoch: int = -1,
    ) -> None:
        if mode not in ("triangular", "triangular2", "exp_range") and scale_fn is None:
            raise ValueError("mode is invalid and scale_fn is None")
        self.max_lrs = _per_group(optimizer, "max_lr", max_lr)
        down = step_size_up if step_size_down is None else step_size_down
        self.total_size = float(step_size_up + down)
        self.step_ratio = step_size_up / self.total_size
        self.mode = mode
        self.gamma = gamma
        self.scale_mode = "iterations" if scale_fn is None and mode == "exp_range" else scale_mode
        self._scale_fn_custom = scale_fn
        self.cycle_momentum = cycle_momentum
        if cycle_momentum:
            self.use_beta1 = _momentum_key(optimizer) == "betas"
            self.base_momentums = _per_group(optimizer, "base_momentum", base_momentum)
            self.max_momentums = _per_group(optimizer, "max_momentum", max_momentum)
            if last_epoch == -1:
                for group, low, high in zip(optimizer.param_groups, self.base_momentums, self.max_momentums, strict=True):
                    group["max_momentum"], group["base_momentum"] = high, low
        if last_epoch == -1:
            for group, low in zip(optimizer.param_groups, _per_group(optimizer, "base_lr", base_lr), strict=True):
                _set(group, "lr", low)
        super().__init__(optimizer, last_epoch)
        self.base_lrs = _per_group(optimizer, "base_lr", base_lr)

    def state_dict(self) -> dict[str, Any]:
        """Everything but the optimiser and a plain `scale_fn`; of a callable object, its attributes."""
        fn = self._scale_fn_custom
        kept = None if fn is None or hasattr(fn, "__code__") else dict(vars(fn))
        return {**super().state_dict(), "_scale_fn_custom": kept}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take back what `state_dict` gave, and the momentum that belongs to it; a `scale_fn` stays the one given."""
        state = dict(state_dict)
        kept = state.pop("_scale_fn_custom", None)
        if kept is not None:
            vars(self._scale_fn_custom).update(kept)
        super().load_state_dict(state)
        self.get_lr()

    def scale_fn(self, x: float) -> float:
        """The height of a cycle, or in an iteration (`scale_mode`), as a part of the first."""
        if self._scale_fn_custom is not None:
            return self._scale_fn_custom(x)
        return {"triangular": 1.0, "triangular2": 0.5 ** (x - 1), "exp_range": self.gamma**x}[self.mode]

    def get_lr(self) -> list[Any]:
        cycle = math.floor(1 + self.last_epoch / self.total_size)
        position = 1.0 + self.last_epoch / self.total_size - cycle
        up = position / self.step_ratio if position <= self.step_ratio else (position - 1) / (self.step_ratio - 1)
        scale = self.scale_fn(cycle if self.scale_mode == "cycle" else self.last_epoch)
        if self.cycle_momentum:
            ranges = zip(self.optimizer.param_groups, self.base_momentums, self.max_momentums, strict=True)
            for group, low, high in ranges:
                _set_momentum(group, "betas" if self.use_beta1 else "momentum", high - (high - low) * up * scale)
        return [low + (high - low) * up * scale for low, high in zip(self.base_lrs, self.max_lrs, strict=True)]


class _Composite(LRScheduler):
    """A schedule made of others."""

    _not_saved = ("optimizer", "_first_lr", "_schedulers")
    _schedulers: list[LRScheduler]

    def state_dict(self) -> dict[str, Any]:
        """The state of this schedule and of those it is made of."""
        return {**super().state_dict(), "_schedulers": [scheduler.state_dict() for scheduler in self._schedulers]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take back what `state_dict` gave."""
        state = dict(state_dict)
        rates = [_snapshot(rate) for rate in self._current()]
        for scheduler, part in zip(self._schedulers, state.pop("_schedulers"), strict=True):
            scheduler.load_state_dict(part)
        for group, rate in zip(self.optimizer.param_groups, rates, strict=True):
            _set(group, "lr", rate)
        super().load_state_dict(state)


class SequentialLR(_Composite):
    """Use one schedule after another; `milestones[i]` is the epoch at which schedule `i + 1` takes over.

    >>> import frazil as fz
    >>> from frazil.optim.lr_scheduler import ConstantLR, ExponentialLR, SequentialLR
    >>> optimizer = fz.optim.SGD([fz.zeros(1, requires_grad=True)], lr=1.0)
    >>> parts = [ConstantLR(optimizer, factor=0.5, total_iters=2), ExponentialLR(optimizer, gamma=0.5)]
    >>> scheduler = SequentialLR(optimizer, parts, milestones=[2])
    >>> rates = []
    >>> for _ in range(4):
    ...     rates += scheduler.get_last_lr()
    ...     optimizer.step()
    ...     scheduler.step()
    >>> rates
    [0.5, 0.5, 1.0, 0.5]
    """

    def __init__(
        self, optimizer: Optimizer, schedulers: Sequence[LRScheduler], milestones: Sequence[int], last_epoch: int = -1
    ) -> None:
        _check_same_optimizer(optimizer, schedulers)
        if len(milestones) != len(schedulers) - 1:
            raise ValueError(
                "Sequential Schedulers expects number of schedulers provided to be one more than the number of milestone "
                f"points, but got number of schedulers {len(schedulers)} and the number of milestones to be equal to "
                f"{len(milestones)}"
            )
        self._schedulers = list(schedulers)
        self._milestones = list(milestones)
        self.optimizer = optimizer
        self.last_epoch = last_epoch + 1
        # Every schedule has taken its first step when it was made: take all back and start with the first alone.
        for group in optimizer.param_groups:
            _set(group, "lr", group["initial_lr"])
        self.recursive_undo()
        active = bisect_right(self._milestones, self.last_epoch)
        scheduler = self._schedulers[active]
        for part in (scheduler, *getattr(scheduler, "_schedulers", ())):
            part._step_count = 0
        if last_epoch == -1:
            scheduler.step()
        else:
            scheduler.step(self.last_epoch - (self._milestones[active - 1] if active else 0))
        self._last_lr = self._first_lr = scheduler.get_last_lr()

    def recursive_undo(self, sched: Any = None) -> None:
        """Count the step that schedules took when they were made as not taken: those of this one, or `sched`."""
        sched = self if sched is None else sched
        if hasattr(sched, "_schedulers"):
            for part in sched._schedulers:
                self.recursive_undo(part)
        else:
            sched.last_epoch -= 1

    def step(self, epoch: int | None = None) -> None:
        """Go on by one epoch."""
        if epoch is not None:
            raise ValueError("SequentialLR.step takes no epoch")
        self.last_epoch += 1
        active = bisect_right(self._milestones, self.last_epoch)
        scheduler = self._schedulers[active]
        if active > 0 and self._milestones[active - 1] == self.last_epoch:
            scheduler.step(0)
        else:
            scheduler.step()
        self._last_lr = scheduler.get_last_lr()


class ChainedScheduler(_Composite):
    """Several chainable schedules that all step at every step."""

    def __init__(self, schedulers: Sequence[LRScheduler], optimizer: Optimizer | None = None) -> None:
        if not schedulers:
            raise ValueError("ChainedScheduler expects at least one scheduler to be chained, but got no scheduler.")
        self.optimizer = optimizer or schedulers[0].optimizer
        _check_same_optimizer(self.optimizer, schedulers)
        self._schedulers = list(schedulers)
        self._last_lr = self._first_lr = self._schedulers[-1].get_last_lr()

    def step(self, epoch: int | None = None) -> None:
        """Step all of them."""
        if epoch is not None:
            raise ValueError("ChainedScheduler.step takes no epoch")
        for scheduler in self._schedulers:
            scheduler.step()
        self._last_lr = self._schedulers[-1].get_last_lr()


def _check_same_optimizer(optimizer: Optimizer, schedulers: Sequence[LRScheduler]) -> None:
    for i, scheduler in enumerate(schedulers):
        if getattr(scheduler, "optimizer", None) is not optimizer:
            raise ValueError(f"all schedulers must belong to the same optimizer, but the scheduler at index {i} has another one")


class ReduceLROnPlateau(LRScheduler):
    """Multiply the rate by `factor` when a measured value has not improved for more than `patience` epochs.

    >>> import frazil as fz
    >>> optimizer = fz.optim.SGD([fz.zeros(1, requires_grad=True)], lr=1.0)
    >>> scheduler = fz.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=1)
    >>> for loss in [3.0, 2.0, 2.5, 2.5]:
    ...     scheduler.step(loss)
    >>> scheduler.get_last_lr()
    [0.1]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        mode: str = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: str = "rel",
        cooldown: int = 0,
        min_lr: float | list[float] = 0,
        eps: float = 1e-8,
    ) -> None:
        if factor >= 1.0:
            raise ValueError("Factor should be < 1.0.")
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"{type(optimizer).__name__} is not an Optimizer")
        if mode not in ("min", "max"):
            raise ValueError(f"mode {mode} is unknown!")
        if threshold_mode not in ("rel", "abs"):
            raise ValueError(f"threshold mode {threshold_mode} is unknown!")
        self.optimizer = optimizer
        self.factor = factor
        self.default_min_lr = None if isinstance(min_lr, (list, tuple)) else min_lr
        self.min_lrs = _per_group(optimizer, "min_lr", min_lr)
        self.patience = patience
        self.cooldown = cooldown
        self.eps = eps
        self.mode = mode
        self.threshold = threshold
        self.threshold_mode = threshold_mode
        self.last_epoch = 0
        self.mode_worse = math.inf if mode == "min" else -math.inf
        self._reset()
        self._remember()
        self._first_lr = self._last_lr

    def _reset(self) -> None:
        self.best = self.mode_worse
        self.cooldown_counter = 0
        self.num_bad_epochs = 0

    def step(self, metrics: Any, epoch: int | None = None) -> None:  # type: ignore[override]
        """Take in the value measured after an epoch."""
        current = float(metrics)
        self.last_epoch = self.last_epoch + 1 if epoch is None else epoch
        if self._is_better(current, self.best):
            self.best = current
            self.num_bad_epochs = 0
        else:
            self.num_bad_epochs += 1
        if self.in_cooldown:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        if self.num_bad_epochs > self.patience:
            self._reduce_lr(self.last_epoch)
            self.cooldown_counter = self.cooldown
            self.num_bad_epochs = 0
        self._remember()

    @property
    def in_cooldown(self) -> bool:
        """Return whether a reduction was so recent that bad epochs are not counted yet."""
        return self.cooldown_counter > 0

    def _is_better(self, a: float, best: float) -> bool:
        """Whether `a` improves on `best` by more than the threshold."""
        sign = 1 if self.mode == "max" else -1
        if self.threshold_mode == "rel":
            return sign * (a - best * (1 + sign * self.threshold)) > 0
        return sign * (a - best) > self.threshold

    def _reduce_lr(self, epoch: int) -> None:
        if len(self.min_lrs) != len(self.optimizer.param_groups):
            if self.default_min_lr is None:
                raise RuntimeError(
                    f"ReduceLROnPlateau: there are {len(self.optimizer.param_groups)} parameter groups, and min_lr was given for "
                    f"{len(self.min_lrs)}; give the others theirs in `min_lrs`"
                )
            self.min_lrs = [self.default_min_lr] * len(self.optimizer.param_groups)
        for group, floor in zip(self.optimizer.param_groups, self.min_lrs, strict=True):
            old = float(group["lr"])
            new = max(old * self.factor, floor)
            if old - new > self.eps:
                _set(group, "lr", new)


_tell_names(__name__)
_tell_keywords(__name__, LRScheduler)
