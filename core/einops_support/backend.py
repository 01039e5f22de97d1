"""What einops calls on tensors of frazil. Imported when einops is there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .. import creation
from ..state import STATE
from ..table import FUNCTIONS, OPS
from ..tensor import Tensor


def define(abstract: type) -> type:
    """The backend: a subclass of einops' own, which is how einops finds it."""
    return type("FrazilBackend", (FrazilBackend, abstract), {})


class FrazilBackend:
    """The methods that einops calls."""

    framework_name = "frazil"

    def is_appropriate_type(self, tensor: Any) -> bool:
        """Return whether it is a tensor of frazil."""
        return isinstance(tensor, Tensor)

    def from_numpy(self, x: Any) -> Tensor:
        """A tensor; one of floats is differentiable, as einops' own tests want it."""
        t: Tensor = creation.tensor(x)
        return t.requires_grad_(t.is_floating_point())

    def to_numpy(self, x: Tensor) -> Any:
        """Its numbers."""
        return x.detach().cpu().numpy()

    def arange(self, start: Any, stop: Any) -> Tensor:
        """Whole numbers."""
        return creation.arange(start, stop)

    def shape(self, x: Tensor) -> Any:
        """The shape. While recording a list: einops keeps what it found out by shapes, and a kept size would be one number for
        ever; what has no hash it does not keep."""
        return tuple(x._a.shape) if STATE.recorder is None else list(x._a.shape)

    def reshape(self, x: Tensor, shape: Sequence[Any]) -> Tensor:
        """The elements in another shape."""
        return x.reshape(*shape)

    def transpose(self, x: Tensor, axes: Sequence[int]) -> Tensor:
        """The axes in another order."""
        return x.permute(axes)

    def reduce(self, x: Tensor, operation: str, axes: Sequence[int]) -> Tensor:
        """The axes reduced to one number each."""
        if operation in ("any", "all", "prod"):
            for axis in sorted(axes, reverse=True):
                x = getattr(x, operation)(dim=axis)
            return x
        return getattr(x, {"min": "amin", "max": "amax"}.get(operation, operation))(dim=tuple(axes))

    def stack_on_zeroth_dimension(self, tensors: Sequence[Tensor]) -> Tensor:
        """The tensors along a new first axis."""
        return FUNCTIONS["stack"](list(tensors))

    def add_axis(self, x: Tensor, new_position: int) -> Tensor:
        """A new axis of size 1."""
        return x.unsqueeze(new_position)

    def add_axes(self, x: Tensor, n_axes: int, pos2len: dict[int, Any]) -> Tensor:
        """New axes along which it is repeated, without a copy."""
        sizes: list[Any] = [-1] * n_axes
        for position, length in pos2len.items():
            x = x.unsqueeze(position)
            sizes[position] = length
        return x.expand(*sizes)

    def tile(self, x: Tensor, repeats: Sequence[Any]) -> Tensor:
        """The tensor this many times along every axis."""
        return x.repeat(*repeats)

    def concat(self, tensors: Sequence[Tensor], axis: int) -> Tensor:
        """The tensors one after the other."""
        return OPS["cat"].call(list(tensors), dim=axis)

    def is_float_type(self, x: Tensor) -> bool:
        """Return whether means can be taken."""
        return x.is_floating_point()

    def layers(self) -> Any:
        """`einops.layers.frazil`."""
        import importlib

        return importlib.import_module("einops.layers.frazil")

    def einsum(self, pattern: str, *x: Tensor) -> Tensor:
        """The sum of products that the pattern says."""
        return FUNCTIONS["einsum"](pattern, *x)
