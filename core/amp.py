"""Mixed precision, as `torch.amp`: `autocast`, by PyTorch's lists of operations (`mixed.py`), and loss scaling."""

from __future__ import annotations

import functools
from collections.abc import Callable
from operator import and_
from typing import Any, TypeVar

from . import dtypes
from .autograd.modes import _Mode, no_grad
from .control import cond
from .creation import tensor
from .device import count_of
from .device import device as Device
from .dtypes import as_dtype, not_there
from .errors import FrazilError
from .mixed import Region, enter
from .ops.elementwise import isfinite, where
from .spelling import tell_names as _tell_names
from .state import STATE
from .tensor import Tensor
from .warn import warn

__all__ = ["GradScaler", "autocast", "custom_bwd", "custom_fwd", "is_autocast_available"]

F = TypeVar("F", bound=Callable[..., Any])


def is_autocast_available(device_type: str) -> bool:
    """Return whether `autocast` casts for devices of this type: there must be one.

    >>> import frazil as fz
    >>> fz.amp.is_autocast_available("cpu")
    True
    """
    try:
        return Device(device_type).backend.device_count() > 0
    except FrazilError:
        return False


def get_autocast_dtype(device_type: str) -> dtypes.dtype:
    """The dtype that `autocast` computes in: of the block around, else bfloat16 on the CPU and float16 elsewhere.

    >>> import frazil as fz
    >>> fz.get_autocast_dtype("cpu")
    frazil.bfloat16
    """
    region = STATE.autocast
    if region is not None and region.device_type == device_type:
        return region.fast
    return dtypes.bfloat16 if device_type == "cpu" else dtypes.float16


def is_autocast_enabled(device_type: str | None = None) -> bool:
    """Return whether operations are inside a block of `autocast` (for devices of this type).

    >>> import frazil as fz
    >>> with fz.autocast("cpu"):
    ...     fz.is_autocast_enabled("cpu")
    True
    """
    region = STATE.autocast
    return region is not None and device_type in (None, region.device_type)


def get_autocast_cpu_dtype() -> dtypes.dtype:
    """As `get_autocast_dtype("cpu")`.

    >>> import frazil as fz
    >>> fz.get_autocast_cpu_dtype()
    frazil.bfloat16
    """
    return get_autocast_dtype("cpu")


def get_autocast_gpu_dtype() -> dtypes.dtype:
    """As `get_autocast_dtype("cuda")`.

    >>> import frazil as fz
    >>> fz.get_autocast_gpu_dtype()
    frazil.float16
    """
    return get_autocast_dtype("cuda")


def is_autocast_cpu_enabled() -> bool:
    """As `is_autocast_enabled("cpu")`.

    >>> import frazil as fz
    >>> fz.is_autocast_cpu_enabled()
    False
    """
    return is_autocast_enabled("cpu")


def is_autocast_cache_enabled() -> bool:
    """Return whether parameters are cast only once in the block of `autocast` around; outside of one True.

    >>> import frazil as fz
    >>> with fz.autocast("cpu", cache_enabled=False): fz.is_autocast_cache_enabled()
    False
    """
    return STATE.autocast is None or STATE.autocast.keeps


def clear_autocast_cache() -> None:
    """Forget the parameters that were cast in the block of `autocast` around.

    >>> import frazil as fz
    >>> fz.clear_autocast_cache()
    """
    if STATE.autocast is not None:
        STATE.autocast.forget()


class autocast(_Mode):
    """Operations inside compute in `dtype` where that is fast and good enough, in float32 where it is not, by PyTorch's lists:
    matrix products and convolutions are in the fast dtype, losses in float32, and the rest takes its tensors as they are. A
    context or a decorator, per thread. Tensors of other devices, and float64, are not touched.

    Args:
        device_type: "cpu", "cuda" or "opencl". The lists are those of PyTorch for the CPU, or those for CUDA.
        dtype: bfloat16 or float16; default: bfloat16 on the CPU, float16 elsewhere.
        enabled: False turns casting off for a block inside.
        cache_enabled: cast a parameter only once until the outermost block ends.

    >>> import frazil as fz
    >>> x, w = fz.ones(2, 2), fz.ones(2, 2, requires_grad=True)
    >>> with fz.autocast("cpu", dtype=fz.bfloat16):
    ...     y = x @ w
    ...     loss = fz.nn.functional.mse_loss(y, x)
    >>> y.dtype, loss.dtype
    (frazil.bfloat16, frazil.float32)
    >>> loss.backward(); w.grad.dtype
    frazil.float32
    """

    def __init__(
        self, device_type: str = "cpu", dtype: Any = None, enabled: bool = True, cache_enabled: bool | None = None
    ) -> None:
        if not isinstance(device_type, str):
            raise ValueError(f"Expected `device_type` of type `str`, got: `{type(device_type)}`")
        self.device = device_type.partition(":")[0]
        self.fast_dtype = get_autocast_dtype(self.device) if dtype is None else as_dtype(dtype)
        self._enabled, self._cache_enabled = enabled, cache_enabled is not False
        self._outer: list[Region | None] = []
        if not enabled:
            return
        if not is_autocast_available(self.device):
            warn(f"autocast: there is no device of type {self.device!r} here, so nothing is cast")
            self._enabled = False
        elif self.fast_dtype not in dtypes.HALVES:
            warn(f"autocast: computes in bfloat16 or float16, asked for {self.fast_dtype.name}, so nothing is cast")
            self._enabled = False
        elif self.fast_dtype.name not in (has := Device(self.device).capabilities().dtypes):
            raise not_there(self.fast_dtype.name, self.device, has)

    def __enter__(self) -> autocast:
        outer: Region | None = STATE.autocast
        inside = Region(self.device, self.fast_dtype, outer, self._cache_enabled) if self._enabled else None
        self._outer.append(enter(inside))
        return self

    def __exit__(self, *exception: object) -> None:
        enter(self._outer.pop())

    def _fresh(self) -> autocast:
        return self


def custom_fwd(fwd: F | None = None, *, device_type: str = "cuda", cast_inputs: Any = None) -> Any:
    """For `forward` of an `autograd.Function`: with `cast_inputs`, a dtype, inputs of `device_type` are cast to it and nothing
    is cast inside; without, `backward` under `custom_bwd` casts as `forward` did.

    >>> import frazil as fz
    >>> class Double(fz.autograd.Function):
    ...     @staticmethod
    ...     @fz.amp.custom_fwd(device_type="cpu", cast_inputs=fz.float32)
    ...     def forward(ctx, x):
    ...         return x * 2
    ...     @staticmethod
    ...     @fz.amp.custom_bwd(device_type="cpu")
    ...     def backward(ctx, g):
    ...         return g * 2
    >>> with fz.autocast("cpu"):
    ...     Double.apply(fz.ones(1).bfloat16()).dtype
    frazil.float32
    """
    if fwd is None:
        return functools.partial(custom_fwd, device_type=device_type, cast_inputs=cast_inputs)

    @functools.wraps(fwd)
    def forward(ctx: Any, *args: Any, **kwargs: Any) -> Any:
        enabled = is_autocast_enabled(device_type)
        ctx._dtype, ctx._fwd_used_autocast = get_autocast_dtype(device_type), enabled and cast_inputs is None
        if cast_inputs is None or not enabled:
            return fwd(ctx, *args, **kwargs)

        def cast(value: Any) -> Any:
            if type(value) in (tuple, list):
                return type(value)(map(cast, value))
            if type(value) is dict:
                return {name: cast(item) for name, item in value.items()}
            takes = isinstance(value, Tensor) and value.dtype.is_floating_point and value.dtype is not dtypes.float64
            return value.to(cast_inputs) if takes and value._dev.type == device_type else value

        with autocast(device_type, enabled=False):
            return fwd(ctx, *cast(args), **cast(kwargs))

    return forward


def custom_bwd(bwd: F | None = None, *, device_type: str = "cuda") -> Any:
    """For `backward` of an `autograd.Function` whose `forward` is under `custom_fwd`: it casts as that did.

    >>> import frazil as fz
    >>> fz.amp.custom_bwd(lambda ctx, g: g, device_type="cpu").__name__
    '<lambda>'
    """
    if bwd is None:
        return functools.partial(custom_bwd, device_type=device_type)

    @functools.wraps(bwd)
    def backward(ctx: Any, *args: Any, **kwargs: Any) -> Any:
        with autocast(device_type, dtype=ctx._dtype, enabled=ctx._fwd_used_autocast):
            return bwd(ctx, *args, **kwargs)

    return backward


class GradScaler:
    """Scales the loss so that gradients in float16 do not vanish, and leaves out steps whose gradients are not finite.

    As `torch.amp.GradScaler`: `scaler.scale(loss).backward()`, `scaler.step(optimizer)`, `scaler.update()`. The scale shrinks
    by `backoff_factor` after a step that was left out, and grows by `growth_factor` after `growth_interval` good ones in a row.
    Where it is for CUDA, as without a device, and there is none, it warns and does nothing.

    >>> import frazil as fz
    >>> w = fz.tensor(1.0, requires_grad=True)
    >>> optimizer, scaler = fz.optim.SGD([w], lr=0.5), fz.amp.GradScaler("cpu", init_scale=4.0)
    >>> scaler.scale(w * w).backward(); w.grad
    tensor(8.)
    >>> scaler.step(optimizer); scaler.update(); w
    tensor(0., requires_grad=True)
    """

    def __init__(
        self,
        device: str = "cuda",
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
        if enabled and device == "cuda" and not count_of("cuda"):
            warn("GradScaler is enabled, but CUDA is not available: it is switched off; for another device name it")
            enabled = False
        self._enabled = enabled
        self._growth_factor, self._backoff_factor, self._growth_interval = growth_factor, backoff_factor, growth_interval
        # Tensors, so that a recorded step changes them: it decides for itself whether its gradients are finite.
        device = device if enabled else "cpu"
        self._scale = tensor(float(init_scale), dtype=dtypes.float32, device=device)
        self._growth_tracker = tensor(0, dtype=dtypes.int32, device=device)
        #: optimizer -> whether its gradients, already unscaled, are finite (None: it has none), and whether it has made its step
        self._checked: dict[int, tuple[Tensor | None, bool]] = {}

    def is_enabled(self) -> bool:
        """Return whether it does anything."""
        return self._enabled

    def get_scale(self) -> float:
        """By what losses are multiplied."""
        return self._scale.item() if self._enabled else 1.0

    def get_growth_factor(self) -> float:
        """By what the scale is multiplied when it grows."""
        return self._growth_factor

    def set_growth_factor(self, new_factor: float) -> None:
        """Change by what the scale is multiplied when it grows."""
        self._growth_factor = new_factor

    def get_backoff_factor(self) -> float:
        """By what the scale is multiplied after gradients that were not finite."""
        return self._backoff_factor

    def set_backoff_factor(self, new_factor: float) -> None:
        """Change by what the scale is multiplied after gradients that were not finite."""
        self._backoff_factor = new_factor

    def get_growth_interval(self) -> int:
        """After how many good steps in a row the scale grows."""
        return self._growth_interval

    def set_growth_interval(self, new_interval: int) -> None:
        """Change after how many good steps in a row the scale grows."""
        self._growth_interval = new_interval

    def scale(self, outputs: Any) -> Any:
        """A tensor, or a list or tuple of tensors, times the scale."""
        if not self._enabled:
            return outputs
        if isinstance(outputs, Tensor):
            return outputs * self._scale.to(outputs.device)
        return type(outputs)(map(self.scale, outputs))

    def unscale_(self, optimizer: Any) -> None:
        """Divide the gradients of the optimiser's parameters by the scale, for example before clipping them."""
        if not self._enabled:
            return
        if id(optimizer) in self._checked:
            stepped = self._checked[id(optimizer)][1]
            raise RuntimeError(
                "unscale_() is being called after step()."
                if stepped
                else "unscale_() has already been called on this optimizer since the last update()."
            )
        with no_grad():
            inverse = 1.0 / self._scale
            finite: Tensor | None = None
            for group in optimizer.param_groups:
                for param in group["params"]:
                    if param.grad is None:
                        continue
                    if param.grad.dtype is dtypes.float16:
                        raise ValueError("Attempting to unscale FP16 gradients.")
                    param.grad.mul_(inverse.to(param.device))
                    found = isfinite(param.grad).all().to(self._scale.device)
                    finite = found if finite is None else finite & found
        self._checked[id(optimizer)] = finite, False

    def step(self, optimizer: Any, *args: Any, **kwargs: Any) -> Any:
        """`optimizer.step()` on unscaled gradients, or nothing where they are not finite."""
        if not self._enabled:
            return optimizer.step(*args, **kwargs)
        if "closure" in kwargs:
            raise RuntimeError("Closure use is not currently supported if GradScaler is enabled.")
        if id(optimizer) not in self._checked:
            self.unscale_(optimizer)
        finite, stepped = self._checked[id(optimizer)]
        if stepped:
            raise RuntimeError("step() has already been called since the last update().")
        if finite is None:
            raise AssertionError("No inf checks were recorded for this optimizer.")
        self._checked[id(optimizer)] = finite, True
        return cond(finite, lambda: optimizer.step(*args, **kwargs), lambda: None)

    def update(self, new_scale: Any = None) -> None:
        """Adapt the scale; call it once after all steps of an iteration."""
        if not self._enabled:
            return
        checks = [finite for finite, _ in self._checked.values() if finite is not None]
        if new_scale is not None:
            self._scale.copy_(new_scale if isinstance(new_scale, Tensor) else tensor(float(new_scale)))
        elif not checks:
            raise AssertionError("No inf checks were recorded prior to update.")
        else:
            finite = functools.reduce(and_, checks)
            good, grown = self._growth_tracker + 1, self._scale * self._growth_factor
            due = good == self._growth_interval
            self._growth_tracker.copy_(where(finite & ~due, good, 0))
            self._scale.copy_(where(finite, where(due & isfinite(grown), grown, self._scale), self._scale * self._backoff_factor))
        self._checked.clear()

    def numbers(self) -> dict[str, Tensor]:
        """The two that steps change, by their names in `state_dict`: 0-d tensors, not copies."""
        return {"scale": self._scale, "_growth_tracker": self._growth_tracker}

    def state_dict(self) -> dict[str, Any]:
        """The scale and what changes it; empty where it is not enabled."""
        if not self._enabled:
            return {}
        return {
            "scale": self.get_scale(),
            "growth_factor": self._growth_factor,
            "backoff_factor": self._backoff_factor,
            "growth_interval": self._growth_interval,
            "_growth_tracker": self._growth_tracker.item(),
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take back what `state_dict` gave."""
        if not self._enabled:
            return
        if not state_dict:
            raise RuntimeError(
                "The source state dict is empty, possibly because it was saved from a disabled instance of GradScaler."
            )
        self._scale.fill_(float(state_dict["scale"]))
        self._growth_factor, self._backoff_factor = state_dict["growth_factor"], state_dict["backoff_factor"]
        self._growth_interval = state_dict["growth_interval"]
        self._growth_tracker.fill_(int(state_dict["_growth_tracker"]))


__path__: list[str] = []  # PyTorch has modules below this one, of which `places` knows
_tell_names(__name__)
