"""PyTorch's private checks, `torch._check(n > 0, lambda: "...")`, which programs use in place of `assert`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .overrides import taken_over
from .recorder.asserts import require
from .state import STATE
from .tensor import Tensor


def _fail(kind: type[Exception], name: str, condition: Any, message: Any) -> None:
    if STATE.recorder is not None and require(STATE.recorder, condition):
        return
    if not condition:
        raise kind((message() if callable(message) else message) or f"{name}: the condition does not hold")


def _assert(condition: Any, message: str | None) -> None:
    """AssertionError with `message` where `condition` does not hold.

    >>> import frazil as fz
    >>> fz._assert(fz.ones(1).sum() > 0, "nothing is there")
    """
    if hasattr(type(condition), "__torch_function__") and not isinstance(condition, Tensor):
        taken_over(_assert, (condition, message), {})  # where a graph is written by hand it becomes a node
        return
    _fail(AssertionError, "_assert", condition, message)


def _assert_async(condition: Any, message: str | None = None) -> None:
    """RuntimeError with `message` where the tensor `condition` is zero or false.

    >>> import frazil as fz
    >>> fz._assert_async(fz.ones(1).sum() > 0)
    """
    _fail(RuntimeError, "_assert_async", condition, message)


def _check(cond: Any, message: Callable[[], str] | None = None) -> None:
    """RuntimeError with what `message` gives where `cond` does not hold.

    >>> import frazil as fz
    >>> fz._check(2 < 1, lambda: "two is more")
    Traceback (most recent call last):
    ...
    RuntimeError: two is more
    """
    _fail(RuntimeError, "_check", cond, message)


def _check_value(cond: Any, message: Callable[[], str] | None = None) -> None:
    """As `_check`, with ValueError."""
    _fail(ValueError, "_check_value", cond, message)


def _check_index(cond: Any, message: Callable[[], str] | None = None) -> None:
    """As `_check`, with IndexError."""
    _fail(IndexError, "_check_index", cond, message)


def _check_type(cond: Any, message: Callable[[], str] | None = None) -> None:
    """As `_check`, with TypeError."""
    _fail(TypeError, "_check_type", cond, message)


def _check_is_size(i: Any, message: Callable[[], str] | None = None, *, max: Any = None) -> None:
    """RuntimeError where `i` is no size: negative, or above `max`."""
    _fail(RuntimeError, "_check_is_size", i >= 0 and (max is None or i <= max), message)


def _check_tensor_all(cond: Any, message: Callable[[], str] | None = None) -> None:
    """RuntimeError where an element of the tensor `cond` is false."""
    _fail(RuntimeError, "_check_tensor_all", cond.all(), message)
