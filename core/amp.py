"""Mixed precision, as `torch.amp`: tensors keep their dtypes, and loss scaling is there for programs with float16 parameters."""

from __future__ import annotations

from contextlib import ContextDecorator
from typing import Any

from .autograd.modes import no_grad
from .ops.elementwise import isfinite
from .spelling import tell_names as _tell_names
from .tensor import Tensor
from .warn import without_effect

__all__ = ["GradScaler", "autocast"]


class autocast(ContextDecorator):
    """Accepted for PyTorch's sake, as a context or a decorator: operations compute in the dtypes of their tensors, so float32
    stays float32. The first one in a process that is enabled warns of that; `model.half()` and `x.half()` do convert.

    >>> import frazil as fz
    >>> with fz.autocast(device_type="cpu", dtype=fz.float16, enabled=False):
    ...     print((fz.ones(2, 2) @ fz.ones(2, 2)).dtype)
    frazil.float32
    """

    def __init__(
        self, device_type: str = "cpu", dtype: Any = None, enabled: bool = True, cache_enabled: bool | None = None
    ) -> None:
        self.device, self.fast_dtype = device_type, dtype
        if enabled:
            without_effect(
                "autocast",
                "operations compute in the dtypes of their tensors. For half precision convert the model and its inputs, "
                "model.half() and x.half(); else leave autocast out, or pass enabled=False",
            )

    def __enter__(self) -> autocast:
        return self

    def __exit__(self, *exception: object) -> None:
        return None


class GradScaler:
    """Scales the loss so that gradients in float16 do not vanish, and leaves out steps whose gradients are not finite.

    As `torch.amp.GradScaler`: `scaler.scale(loss).backward()`, `scaler.step(optimizer)`, `scaler.update()`. The scale shrinks
    by `backoff_factor` after a step that was left out, and grows by `growth_factor` after `growth_interval` good ones in a row.

    >>> import frazil as fz
    >>> w = fz.tensor(1.0, requires_grad=True)
    >>> optimizer, scaler = fz.optim.SGD([w], lr=0.5), fz.amp.GradScaler(init_scale=4.0)
    >>> scaler.scale(w * w).backward(); w.grad
    tensor(8.)
    >>> scaler.step(optimizer); scaler.update(); w
    tensor(0., requires_grad=True)
    """

    def __init__(
        self,
        device: str = "cpu",
        init_scale: float = 2.0**16,
        growth_factor: float = 2.0,
        backoff_factor: float = 0.5,
        growth_interval: int = 2000,
        enabled: bool = True,
    ) -> None:
        if growth_factor <= 1.0 or backoff_factor >= 1.0:
            raise ValueError(
                f"GradScaler: growth_factor must be above 1 and backoff_factor below 1, given {growth_factor}, {backoff_factor}"
            )
        self._enabled = enabled
        self._scale = float(init_scale)
        self._growth_factor, self._backoff_factor, self._growth_interval = growth_factor, backoff_factor, growth_interval
        self._good_steps = 0
        #: optimizer -> whether its gradients, already unscaled, were finite
        self._unscaled: dict[int, bool] = {}

    def is_enabled(self) -> bool:
        """Return whether it does anything."""
        return self._enabled

    def get_scale(self) -> float:
        """By what losses are multiplied."""
        return self._scale if self._enabled else 1.0

    def scale(self, outputs: Any) -> Any:
        """A tensor, or a list or tuple of tensors, times the scale."""
        if not self._enabled:
            return outputs
        if isinstance(outputs, Tensor):
            return outputs * self._scale
        return type(outputs)(self.scale(output) for output in outputs)

    def unscale_(self, optimizer: Any) -> None:
        """Divide the gradients of the optimiser's parameters by the scale, for example before clipping them."""
        if not self._enabled:
            return
        if id(optimizer) in self._unscaled:
            raise RuntimeError("GradScaler: unscale_ was already called on this optimizer since the last update()")
        finite = True
        with no_grad():
            for group in optimizer.param_groups:
                for param in group["params"]:
                    if param.grad is not None:
                        param.grad.mul_(1.0 / self._scale)
                        finite = finite and bool(isfinite(param.grad).all())
        self._unscaled[id(optimizer)] = finite

    def step(self, optimizer: Any, *args: Any, **kwargs: Any) -> Any:
        """`optimizer.step()` on unscaled gradients, or nothing where they are not finite."""
        if not self._enabled:
            return optimizer.step(*args, **kwargs)
        if id(optimizer) not in self._unscaled:
            self.unscale_(optimizer)
        return optimizer.step(*args, **kwargs) if self._unscaled[id(optimizer)] else None

    def update(self, new_scale: Any = None) -> None:
        """Adapt the scale; call it once after all steps of an iteration."""
        if not self._enabled:
            return
        if new_scale is not None:
            self._scale = float(new_scale)
        elif not all(self._unscaled.values()):
            self._scale *= self._backoff_factor
            self._good_steps = 0
        else:
            self._good_steps += 1
            if self._good_steps == self._growth_interval:
                self._scale *= self._growth_factor
                self._good_steps = 0
        self._unscaled.clear()

    def state_dict(self) -> dict[str, Any]:
        """The scale and what changes it; empty where it is not enabled."""
        if not self._enabled:
            return {}
        return {
            "scale": self._scale,
            "growth_factor": self._growth_factor,
            "backoff_factor": self._backoff_factor,
            "growth_interval": self._growth_interval,
            "_growth_tracker": self._good_steps,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take back what `state_dict` gave."""
        if not self._enabled:
            return
        self._scale = float(state_dict["scale"])
        self._growth_factor, self._backoff_factor = state_dict["growth_factor"], state_dict["backoff_factor"]
        self._growth_interval, self._good_steps = state_dict["growth_interval"], state_dict["_growth_tracker"]


_tell_names(__name__)
