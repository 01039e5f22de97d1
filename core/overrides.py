"""`torch.overrides`: functions of a program's own that hand their calls to arguments with a `__torch_function__`.

frazil's ops do not ask arguments for it: an object that stands for a tensor is told by the error which type was expected.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from .spelling import tell_names as _tell_names
from .tensor import Tensor

__all__ = [
    "handle_torch_function",
    "has_torch_function",
    "has_torch_function_unary",
    "has_torch_function_variadic",
    "is_tensor_like",
    "is_tensor_method_or_property",
]


def has_torch_function(relevant_args: Iterable[Any]) -> bool:
    """Return whether an argument brings a `__torch_function__`.

    >>> import frazil as fz
    >>> fz.overrides.has_torch_function((fz.ones(2), 3))
    False
    """
    return any(hasattr(type(x), "__torch_function__") for x in relevant_args)


def has_torch_function_unary(arg: Any) -> bool:
    """As `has_torch_function`, of one argument.

    >>> import frazil as fz
    >>> fz.overrides.has_torch_function_unary(fz.ones(2))
    False
    """
    return has_torch_function((arg,))


def has_torch_function_variadic(*args: Any) -> bool:
    """As `has_torch_function`, of the arguments one by one.

    >>> import frazil as fz
    >>> fz.overrides.has_torch_function_variadic(fz.ones(2), None)
    False
    """
    return has_torch_function(args)


def handle_torch_function(public_api: Callable[..., Any], relevant_args: Iterable[Any], *args: Any, **kwargs: Any) -> Any:
    """Hand the call to the first `__torch_function__` of the relevant arguments, subclasses first. TypeError where none
    takes it.

    >>> import frazil as fz
    >>> class Loud:
    ...     @classmethod
    ...     def __torch_function__(cls, func, types, args=(), kwargs=None): return func.__name__.upper()
    >>> fz.overrides.handle_torch_function(fz.add, (Loud(),), Loud(), 1)
    'ADD'
    """
    asked: list[type] = []
    for argument in relevant_args:
        kind = type(argument)
        if hasattr(kind, "__torch_function__") and kind not in asked:
            later = next((i for i, other in enumerate(asked) if issubclass(kind, other)), len(asked))
            asked.insert(later, kind)
    for kind in asked:
        result = kind.__torch_function__(public_api, tuple(asked), args, kwargs)
        if result is not NotImplemented:
            return result
    raise TypeError(
        f"no implementation found for {public_api.__name__} on types that implement __torch_function__: "
        f"{[kind.__name__ for kind in asked]}"
    )


def is_tensor_like(inp: Any) -> bool:
    """Return whether `inp` is a Tensor, or brings a `__torch_function__`.

    >>> import frazil as fz
    >>> fz.overrides.is_tensor_like(fz.ones(1)), fz.overrides.is_tensor_like([1.0])
    (True, False)
    """
    return isinstance(inp, Tensor) or hasattr(inp, "__torch_function__")


def is_tensor_method_or_property(func: Any) -> bool:
    """Return whether `func` is one of Tensor's own.

    >>> import frazil as fz
    >>> fz.overrides.is_tensor_method_or_property(fz.Tensor.add), fz.overrides.is_tensor_method_or_property(len)
    (True, False)
    """
    return getattr(Tensor, getattr(func, "__name__", ""), None) is func


_tell_names(__name__)
