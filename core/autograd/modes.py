"""Per-thread modes: whether operations are recorded for backward."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar, final

from ..dispatch import count_inference
from ..state import STATE, asked

F = TypeVar("F", bound=Callable[..., Any])


class _Mode:
    """A context manager that is also a decorator, for plain and generator functions."""

    def __call__(self, fn: F) -> F:
        if inspect.isclass(fn):
            raise TypeError(f"{type(self).__name__} decorates functions; decorate the methods of {fn.__name__} instead")
        if inspect.isgeneratorfunction(fn):
            return self._wrap_generator(fn)

        @functools.wraps(fn)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            with self._fresh():
                return fn(*args, **kwargs)

        return wrapper  # type: ignore[return-value]

    def _wrap_generator(self, fn: F) -> F:
        # The mode holds while the generator runs, not while it waits.
        @functools.wraps(fn)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            generator = fn(*args, **kwargs)
            value = None
            while True:
                try:
                    with self._fresh():
                        item = generator.send(value)
                except StopIteration as stop:
                    return stop.value
                value = yield item

        return wrapper  # type: ignore[return-value]

    def _fresh(self) -> Any:
        raise NotImplementedError


class _GradMode(_Mode):
    _value = True

    def __new__(cls, fn: Callable[..., Any] | None = None) -> Any:
        mode = super().__new__(cls)
        return mode if fn is None else mode(fn)  # @no_grad without parentheses

    def __enter__(self) -> None:
        self._before = STATE.grad
        STATE.grad = self._value and not STATE.inference
        self._levels = STATE.level and STATE.level.set_grad(self._value)

    def __exit__(self, *_: object) -> None:
        STATE.grad = self._before
        for level, value in self._levels or ():
            level.grad = value

    def _fresh(self) -> Any:
        return type(self)()


@final
class no_grad(_GradMode):
    """Nothing inside is recorded for backward. A context manager or a decorator; per thread.

    >>> import frazil as fz
    >>> x = fz.ones(2, requires_grad=True)
    >>> with fz.no_grad():
    ...     (x * 2).requires_grad
    False
    """

    _value = False


@final
class enable_grad(_GradMode):
    """The opposite of `no_grad`, to be used inside it.

    >>> import frazil as fz
    >>> with fz.no_grad(), fz.enable_grad():
    ...     fz.is_grad_enabled()
    True
    """

    _value = True


@final
class set_grad_enabled(_Mode):
    """Switch recording for backward on or off, at once; as a context manager, until its end.

    >>> import frazil as fz
    >>> with fz.set_grad_enabled(False):
    ...     fz.is_grad_enabled()
    False
    """

    def __init__(self, mode: bool) -> None:
        self.mode = bool(mode)
        self._before = STATE.grad
        STATE.grad = self.mode

    def __call__(self, fn: F) -> F:
        STATE.grad = self._before  # as a decorator it only acts inside the function
        return super().__call__(fn)

    def __enter__(self) -> None:
        STATE.grad = self.mode

    def __exit__(self, *_: object) -> None:
        STATE.grad = self._before

    def _fresh(self) -> Any:
        return set_grad_enabled(self.mode)


@final
class inference_mode(_Mode):
    """As `no_grad`, for code that only predicts: no backward may later need what is made inside, nothing outside write to it.

    AutogradError where it does: `.clone()` is a tensor as any other. `enable_grad` has no effect inside.

    >>> import frazil as fz
    >>> with fz.inference_mode():
    ...     features = fz.ones(2)
    >>> features.is_inference(), (features * 2).is_inference()
    (True, False)
    """

    mode: bool

    def __new__(cls, mode: Any = True) -> Any:
        self = super().__new__(cls)
        if callable(mode):
            self.mode = True
            return self(mode)
        self.mode = bool(mode)
        return self

    def __init__(self, mode: Any = True) -> None:
        pass

    def __enter__(self) -> None:
        self._before = STATE.grad, STATE.inference
        STATE.inference = self.mode
        STATE.grad = not self.mode
        count_inference(self.mode)

    def __exit__(self, *_: object) -> None:
        STATE.grad, STATE.inference = self._before
        count_inference(-self.mode)

    def _fresh(self) -> Any:
        return inference_mode(self.mode)


def is_grad_enabled() -> bool:
    """Return whether operations are recorded for backward in this thread.

    >>> import frazil as fz
    >>> fz.is_grad_enabled()
    True
    """
    asked()
    return STATE.grad


def is_inference_mode_enabled() -> bool:
    """Return whether this thread is inside `inference_mode`.

    >>> import frazil as fz
    >>> fz.is_inference_mode_enabled()
    False
    """
    return STATE.inference


@final
class set_multithreading_enabled(_Mode):
    """Accepted for PyTorch's sake: backward runs in the thread that calls it, whatever is set.

    >>> import frazil as fz
    >>> x = fz.ones(2, requires_grad=True)
    >>> with fz.autograd.set_multithreading_enabled(False):
    ...     (x * 2).sum().backward()
    >>> x.grad
    tensor([2., 2.])
    """

    def __init__(self, mode: bool) -> None:
        self.mode = bool(mode)

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        pass

    def _fresh(self) -> Any:
        return self
