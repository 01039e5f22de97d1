"""PyTorch's functions over lists of tensors, `torch._foreach_add_(params, grads, alpha=-0.1)`, which optimisers of libraries use.

They are made from the methods of Tensor by one rule: an argument that is a list goes to the tensors one by one, others to all.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .errors import ArgumentError
from .linalg import vector_norm
from .state import STATE
from .tensor import Tensor

PREFIX = "_foreach_"
#: Those whose third argument is one by keyword in the method.
_BY_KEYWORD = {"addcmul": "value", "addcdiv": "value"}
#: Those whose method has another name, or where a number is meant that the method takes as a tensor only.
_OF_NUMBERS = {"maximum": "clamp_min", "minimum": "clamp_max"}


def named(name: str) -> Any:
    """The function over lists called `name`; None where no method is behind it.

    >>> import frazil as fz
    >>> params = [fz.ones(2), fz.zeros(1)]
    >>> fz._foreach_add_(params, [fz.ones(2), fz.ones(1)], alpha=2)
    >>> params
    [tensor([3., 3.]), tensor([2.])]
    >>> fz._foreach_norm(params)
    [tensor(4.2426), tensor(2.)]
    """
    operation = name.removeprefix(PREFIX)
    base = operation.rstrip("_")
    if base != "norm" and not hasattr(Tensor, operation):
        return None
    in_place = operation != base

    def over_lists(self: Sequence[Any] | Any, *args: Any, **kwargs: Any) -> list[Tensor] | None:
        if not isinstance(self, (list, tuple)):  # _foreach_pow(2.0, exponents)
            self = [self] * len(args[0])
        if base in _BY_KEYWORD and len(args) == 3:
            *args, value = args  # type: ignore[assignment]
            kwargs = {**kwargs, _BY_KEYWORD[base]: value}
        results = []
        for i, tensor in enumerate(self):
            own = [_one(name, value, i, len(self)) for value in args]
            options = {key: _one(name, value, i, len(self)) for key, value in kwargs.items()}
            results.append(_call(operation, base, tensor, own, options))
        return None if in_place else results

    over_lists.__name__ = over_lists.__qualname__ = name
    over_lists.__doc__ = f"`x.{operation}(...)` of every tensor x of a list."
    return over_lists


def _one(name: str, value: Any, i: int, length: int) -> Any:
    if not isinstance(value, (list, tuple)):
        return value
    if len(value) != length:
        raise ArgumentError(f"{name}: expected {length} values, one for each tensor, given {len(value)}")
    return value[i]


def _call(operation: str, base: str, tensor: Any, args: list[Any], options: dict[str, Any]) -> Any:
    if base == "norm":
        return vector_norm(tensor, *args, **options)
    if base in _BY_KEYWORD and isinstance(options.get("value"), Tensor) and STATE.recorder is None:
        options = {"value": options["value"].item()}
    if base in _OF_NUMBERS and args and not isinstance(args[0], Tensor):
        operation = operation.replace(base, _OF_NUMBERS[base])
    if not isinstance(tensor, Tensor):
        tensor = args[0].new_tensor(tensor)
    return getattr(tensor, operation)(*args, **options)
