"""`torch.overrides`: calls that are handed to a mode, to subclasses of `Tensor`, or to objects that stand for tensors.

Nobody pays for it who does not use it: the public functions and the methods of `Tensor` are exchanged for ones that ask
(`_Asking`) when a mode is entered, while it lasts, or when the first instance of a subclass of `Tensor` is made, or the first
object with a `__torch_function__` is met, for good. A name that a program imported before (`from frazil import relu`) is not
asked about. Of attributes only those that are tensors are (`T`, `mT`, `H`, `mH`, `real`, `imag`, `data`).
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from inspect import isfunction
from types import MethodType
from typing import Any

from . import late
from .nn import functional
from .nn.parameter import Parameter
from .ops.shape import reshape
from .out import MADE
from .spelling import tell_names as _tell_names
from .table import FUNCTIONS, OPS
from .tensor import Tensor

__all__ = [
    "BaseTorchFunctionMode",
    "TorchFunctionMode",
    "handle_torch_function",
    "has_torch_function",
    "has_torch_function_unary",
    "has_torch_function_variadic",
    "is_tensor_like",
    "is_tensor_method_or_property",
]


class _Thread(threading.local):
    modes: tuple[TorchFunctionMode, ...] = ()
    subclasses: bool = True  # whether arguments are asked


_THREAD = _Thread()


# ------------------------------------------------------------------------------------------------------------------ who is asked


def not_asked(func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
    """`func(*args, **kwargs)`: what subclasses of Tensor name as `__torch_function__` that want not to be asked.

    >>> from frazil.overrides import not_asked
    >>> not_asked(max, (), (1, 2))
    2
    """
    return func(*args, **(kwargs or {}))


def brings_one(kind: type) -> bool:
    """Return whether arguments of this type are asked. Those of frazil's own classes are not, and tensors of PyTorch's neither,
    which take calls of its functions alone.

    >>> import frazil as fz
    >>> fz.overrides.brings_one(fz.Tensor), fz.overrides.brings_one(int)
    (False, False)
    """
    if getattr(kind, "__torch_function__", None) is not_asked:
        return False
    if not issubclass(kind, Tensor):
        return hasattr(kind, "__torch_function__") and not of_pytorch(kind.__torch_function__)
    own = kind.__module__.partition(".")[0] == "frazil" or issubclass(kind, Parameter)
    return not own or ("__torch_function__" in vars(kind) and kind not in (Tensor, Parameter))


def of_pytorch(function: Any) -> bool:
    """Return whether a function or method is PyTorch's own.

    >>> import frazil as fz
    >>> fz.overrides.of_pytorch(fz.add)
    False
    """
    owner = function if getattr(function, "__module__", None) else getattr(function, "__objclass__", None)
    return getattr(owner, "__module__", "").partition(".")[0] == "torch"


def _asked(arguments: Iterable[Any]) -> list[type]:
    """The types that are asked, subclasses first."""
    found: list[type] = []
    for argument in arguments:
        kind = type(argument)
        if kind is tuple or kind is list:
            for inner in map(type, argument):
                if inner not in found and brings_one(inner):
                    _insert(found, inner)
        elif kind not in found and brings_one(kind):
            _insert(found, kind)
    return found


def _insert(found: list[type], kind: type) -> None:
    later = next((i for i, other in enumerate(found) if issubclass(kind, other)), len(found))
    found.insert(later, kind)


def has_torch_function(relevant_args: Iterable[Any]) -> bool:
    """Return whether an argument brings a `__torch_function__` of its own, or a mode is on.

    >>> import frazil as fz
    >>> fz.overrides.has_torch_function((fz.ones(2), 3))
    False
    """
    return bool(_THREAD.modes) or any(brings_one(type(x)) for x in relevant_args)


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
    """Hand the call to the mode that is on, else to the first `__torch_function__` of the relevant arguments, subclasses first.
    TypeError where none takes it.

    >>> import frazil as fz
    >>> class Loud:
    ...     @classmethod
    ...     def __torch_function__(cls, func, types, args=(), kwargs=None): return func.__name__.upper()
    >>> fz.overrides.handle_torch_function(fz.add, (Loud(),), Loud(), 1)
    'ADD'
    """
    kinds = _asked(relevant_args)
    types = tuple(kinds)
    if _THREAD.modes:
        with _without_innermost() as mode:
            result = mode.__torch_function__(public_api, types, args, kwargs)
        if result is not NotImplemented:
            return result
    for kind in kinds:
        result = kind.__torch_function__(public_api, types, args, kwargs)  # type: ignore[attr-defined]
        if result is not NotImplemented:
            return result
    raise TypeError(
        f"no implementation found for {public_api.__name__} on types that implement __torch_function__: "
        f"{[kind.__name__ for kind in kinds]}"
    )


@contextmanager
def _without_innermost() -> Iterator[TorchFunctionMode]:
    before = _THREAD.modes
    _THREAD.modes = before[:-1]
    try:
        yield before[-1]
    finally:
        _THREAD.modes = before


@contextmanager
def nobody_asked(modes: bool = True) -> Iterator[None]:
    """Inside, arguments are not asked, nor `modes`.

    >>> from frazil.overrides import nobody_asked
    >>> with nobody_asked(): pass
    """
    before = _THREAD.modes, _THREAD.subclasses
    _THREAD.subclasses = False
    if modes:
        _THREAD.modes = ()
    try:
        yield
    finally:
        _THREAD.modes, _THREAD.subclasses = before


# ------------------------------------------------------------------------------------------------------------------- who asks


class _Asking:
    """A public function in whose place it stands, and to which it is equal: asks before it calls."""

    def __init__(self, function: Callable[..., Any], name: str, shown: str = "") -> None:
        self.__wrapped__ = function
        self.__name__ = self.__qualname__ = name
        self.__doc__ = function.__doc__
        self.__module__ = getattr(function, "__module__", "frazil")
        self._shown = shown  # the method that an operator is, for who is asked

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        thread = _THREAD
        if thread.modes or thread.subclasses:
            relevant = (*args, *kwargs.values())
            if thread.modes or _asked(relevant):
                given = relevant if thread.subclasses else ()
                if self.__name__ == "einsum" and len(args) == 2 and isinstance(args[1], (tuple, list)):
                    args = (args[0], *args[1])  # PyTorch tells of operands in a list as of others
                told = getattr(Tensor, self._shown) if self._shown else self
                return handle_torch_function(told, given, *args, **kwargs)
        return self.__wrapped__(*args, **kwargs)

    def __get__(self, instance: Any, owner: type) -> Any:
        return self if instance is None else MethodType(self, instance)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__wrapped__, name)

    def __eq__(self, other: object) -> bool:
        return other is self or other is self.__wrapped__

    def __hash__(self) -> int:
        return hash(self.__wrapped__)

    def __repr__(self) -> str:
        return repr(self.__wrapped__)

    def __reduce__(self) -> str | tuple[Any, ...]:
        return self.__name__


def unasking(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function itself, where another stands in its place that asks.

    >>> import frazil as fz
    >>> fz.overrides.unasking(fz.relu) == fz.relu
    True
    """
    return function.__wrapped__ if isinstance(function, _Asking) else function


#: Operators that are told as the methods that they are.
_SHOWN = {
    "__add__": "add", "__radd__": "add", "__sub__": "sub", "__mul__": "mul", "__rmul__": "mul", "__truediv__": "div",
    "__matmul__": "matmul", "__neg__": "neg", "__abs__": "abs", "__pow__": "pow", "__invert__": "bitwise_not",
    "__iadd__": "add_", "__isub__": "sub_", "__imul__": "mul_",
}  # fmt: skip
#: Methods of Python's that are asked about; others are the class's own business.
_DUNDERS = {
    *_SHOWN, "__rsub__", "__rtruediv__", "__floordiv__", "__rfloordiv__", "__mod__", "__rmod__", "__rpow__", "__rmatmul__",
    "__and__", "__or__", "__xor__", "__lt__", "__le__", "__gt__", "__ge__", "__eq__", "__ne__", "__getitem__", "__setitem__",
    "__len__", "__iter__", "__bool__", "__float__", "__int__", "__contains__", "__itruediv__", "__ipow__",
}  # fmt: skip
_PROPERTIES = ("T", "mT", "H", "mH", "real", "imag", "data")
_SPACES = ("frazil.fft", "frazil.linalg", "frazil.special")

_lock = threading.RLock()
_users = [0]
_undo: list[tuple[Callable[..., Any], Any, Any]] = []


def _count(more: int) -> None:
    """Exchange the functions while somebody wants to be asked."""
    with _lock:
        _users[0] += more
        if _users[0] and not _undo:
            _exchange()
        elif not _users[0]:
            while _undo:
                setter, name, before = _undo.pop()
                setter(name, before)


def _exchange() -> None:
    late.load_all()
    facade = sys.modules["frazil"]
    names = {
        *(name for name, op in OPS.items() if op.public),
        *FUNCTIONS,
        *MADE,
        *late.HOMES,
        "tensor",
        "empty_like",
        "full_like",
    }
    names |= {"zeros_like", "ones_like", "rand_like", "randn_like", "randint_like", "as_tensor", "asarray", "from_numpy"}
    spaces = [(vars(facade), sorted(names))]
    for space in (functional, *(sys.modules[n] for n in _SPACES if n in sys.modules)):
        spaces.append((vars(space), [name for name in vars(space) if not name.startswith("_")]))
    asking: dict[Any, _Asking] = {}
    for names_of, found in spaces:
        for name in found:
            function = names_of[name] if name in names_of else getattr(facade, name, None)
            if callable(function) and not isinstance(function, (type, _Asking)):
                _put(names_of, name, asking.setdefault(function, _Asking(function, name)), function)
    for module in [module for name, module in sys.modules.items() if name.startswith("frazil.nn.modules.")]:
        for name, function in [*vars(module).items()]:  # the calls of layers are those of a program
            known = (
                vars(functional).get(name) if hasattr(function, "op") else asking.get(function) if isfunction(function) else None
            )
            if isinstance(known, _Asking):
                _put(vars(module), name, known, function)
    for name, method in [*vars(Tensor).items()]:
        if name in _PROPERTIES:
            getter = _Asking(method.fget, "__get__")
            _set(name, property(getter, method.fset, method.fdel, method.__doc__), method)
        elif callable(method) and (name in _DUNDERS or not name.startswith("_")) and name not in ("as_subclass", "name"):
            if not isinstance(method, (classmethod, staticmethod, type)):
                _set(name, _Asking(method, name, _SHOWN.get(name, "")), method)


def _put(space: dict[str, Any], name: str, asking: _Asking, before: Any) -> None:
    _undo.append((space.__setitem__, name, before))
    space[name] = asking


def _set(name: str, new: Any, before: Any) -> None:
    _undo.append((lambda name, value: setattr(Tensor, name, value), name, before))
    setattr(Tensor, name, new)


_noticed = [False]
#: How many are on inside which functions are not exchanged, and whether that is to be done after the last.
_held = [0, False]


def notice() -> None:
    """Ask arguments from now on: there is a subclass of `Tensor`, or another class that takes calls.

    >>> from frazil.overrides import notice
    """
    with _lock:
        if _held[0]:
            _held[1] = True
        elif not _noticed[0]:
            _noticed[0] = True
            _count(1)


@contextmanager
def not_exchanged() -> Iterator[None]:
    """Inside, `notice` waits until the end: for who exchanges the same functions meanwhile, and puts back what was there.

    >>> from frazil.overrides import not_exchanged
    >>> with not_exchanged(): pass
    """
    with _lock:
        _held[0] += 1
    try:
        yield
    finally:
        with _lock:
            _held[0] -= 1
            if _held[1] and not _held[0]:
                _held[1] = False
                notice()


def taken_over(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """A call that an argument takes which is no tensor: the first that is met."""
    notice()
    return handle_torch_function(function, (*args, *kwargs.values()), *args, **kwargs)


def of_subclass(cls: type[Tensor], func: Any, args: Any, kwargs: Any) -> Any:
    """Do as `Tensor.__torch_function__` does: the call, whose tensors become instances of `cls`."""
    if of_pytorch(func):
        return NotImplemented
    with nobody_asked(modes=False):
        result = func(*args, **(kwargs or {}))
        if func.__name__ == "tensor":  # whose result is a new tensor, whatever it is made of
            return result
        given = [value for value in (*args, *(kwargs or {}).values()) if isinstance(value, Tensor)]
        return _converted(result, cls, given)


def _converted(result: Any, cls: type[Tensor], given: list[Tensor]) -> Any:
    if isinstance(result, Tensor):
        if isinstance(result, cls):
            return result
        if any(result is value for value in given):
            return as_subclass(result, cls)
        result.__class__ = cls
        return result
    if isinstance(result, (tuple, list)) and any(isinstance(part, Tensor) for part in result):
        parts = [_converted(part, cls, given) for part in result]
        return type(result)(*parts) if hasattr(result, "_fields") else type(result)(parts)
    return result


def as_subclass(self: Tensor, cls: type[Tensor]) -> Any:
    """The same memory, and place on the tape, as an instance of a subclass of `Tensor`."""
    notice()
    with nobody_asked():
        y = reshape(self, shape=tuple(self._a.shape))
    y.__class__ = cls
    return y


# ---------------------------------------------------------------------------------------------------------------------- modes


class TorchFunctionMode:
    """A context in which the calls of this thread are handed to `__torch_function__`, of a subclass. There the mode is off, so
    that `func(*args, **kwargs)` is the call itself; a mode around this one is asked then.

    >>> import frazil as fz
    >>> class Doubling(fz.overrides.TorchFunctionMode):
    ...     def __torch_function__(self, func, types, args=(), kwargs=None):
    ...         found = func(*args, **(kwargs or {}))
    ...         return found * 2 if func is fz.relu else found
    >>> with Doubling(): fz.relu(fz.ones(2)), fz.tanh(fz.zeros(1))
    (tensor([2., 2.]), tensor([0.]))
    """

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        raise NotImplementedError("TorchFunctionMode: a subclass says in __torch_function__ what becomes of a call")

    def __enter__(self) -> Any:
        _count(1)
        _THREAD.modes = (*_THREAD.modes, self)
        return self

    def __exit__(self, *_: object) -> None:
        _THREAD.modes = _THREAD.modes[:-1]
        _count(-1)

    @classmethod
    def push(cls, *args: Any, **kwargs: Any) -> Any:
        """A new mode, by an old name of its constructor."""
        return cls(*args, **kwargs)


class BaseTorchFunctionMode(TorchFunctionMode):
    """A mode that lets every call be what it is."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """The call itself."""
        return func(*args, **(kwargs or {}))


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
