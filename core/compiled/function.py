"""`fz.compile`: a function that is recorded on its first call, and replayed afterwards."""

from __future__ import annotations

import functools
import inspect
import threading
from collections.abc import Callable
from types import MethodType
from typing import Any, final

from .. import dtypes
from ..errors import FrazilError, RecordError
from ..nn.module import Module
from ..pytree import flatten
from ..recorder.graph import Source
from ..state import STATE
from ..tensor import Tensor
from ..warn import warn
from .choice import Choice
from .reach import TooMuch
from .recording import Recording
from .watched import Numbers, SideEffect

#: A function is recorded at most this often.
MOST_RECORDINGS = 8

#: This many kinds of calls are found at once, sizes and all; others by looking through the recordings.
MOST_LOOKS = 1_000

#: Arguments that are compared by value; others by identity.
_VALUES = (int, float, complex, bool, str, bytes, type(None), dtypes.dtype)


class _Signature:
    """Calls of one kind: their recordings, or why they run eagerly."""

    __slots__ = ("eager", "recordings")

    def __init__(self) -> None:
        self.recordings: list[Recording] = []
        self.eager: str | None = None


@final
class Compiled:
    """A compiled function: call it like the function that it was made of.

    `fn` is that function. What was recorded is told by `fz.compile.explain`.
    """

    def __init__(self, fn: Callable[..., Any], engine: str, fullgraph: bool, dynamic: bool) -> None:
        self.fn = fn
        self.engine, self.fullgraph, self.dynamic = engine, fullgraph, dynamic
        self.causes: list[str] = []  # of each recording after the first
        self.eager_calls = 0
        self.recordings = 0
        self._choice = Choice(engine)
        self._numbers = Numbers()
        self._signatures: dict[Any, _Signature] = {}
        self._quick: dict[Any, Recording] = {}  # calls that look the same, sizes too -> the recording that took the last one
        self._last: Any = None  # the names and values of the last new signature
        self._lock = threading.RLock()
        self._told = False
        if not isinstance(fn, Module):
            functools.update_wrapper(self, fn)

    def __repr__(self) -> str:
        return f"<compiled {_name(self.fn)}>"

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        """The method of an object, compiled for it alone."""
        if instance is None:
            return self
        name = f"_compiled_{_name(self.fn)}"
        space = getattr(instance, "__dict__", None)
        if space is None:
            return MethodType(self.fn, instance)
        found = space.get(name)
        if found is None or found.fn.__func__ is not self.fn:
            found = space[name] = Compiled(MethodType(self.fn, instance), self.engine, self.fullgraph, self.dynamic)
        return found

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if STATE.recorder is not None:
            return self.fn(*args, **kwargs)
        tensors: list[Tensor] = []
        autocast = STATE.autocast and STATE.autocast.key
        key: list[Any] = [STATE.grad, STATE.inference, STATE.device, dtypes.get_default_dtype(), autocast]
        for a in args if not kwargs else (*args, *_by_name(kwargs, key)):
            if isinstance(a, Tensor):  # as `_add_tensor`, without a call
                array = a._a
                tensors.append(a)
                key += (array.dtype, len(array.shape), a._dev, a._rg, a.is_contiguous())
            else:
                self._add(a, key, tensors)
        look = (*key, *[t._a.shape for t in tensors])
        recording = self._quick.get(look)
        if recording is not None and recording.fits(at_first_sight=True) and not recording.shares_memory(tensors):
            return recording.run(tensors)
        return self._slowly(look, tuple(key), args, kwargs, tensors)

    @staticmethod
    def _add_tensor(t: Tensor, key: list[Any], tensors: list[Tensor]) -> None:
        array = t._a
        tensors.append(t)
        key += (array.dtype, len(array.shape), t._dev, t._rg, t.is_contiguous())

    def _add(self, argument: Any, key: list[Any], tensors: list[Tensor]) -> None:
        """Add an argument that is no tensor to the key, the tensors in it too."""
        if isinstance(argument, _VALUES):
            key += (type(argument), argument if argument == argument else "nan")
            return
        leaves, tree = flatten(argument)
        if tree.kind is not None:
            key.append(str(tree))
        for leaf in leaves:
            if isinstance(leaf, Tensor):
                self._add_tensor(leaf, key, tensors)
            elif isinstance(leaf, _VALUES):
                key += (type(leaf), leaf if leaf == leaf else "nan")
            else:
                key += (type(leaf), id(leaf))  # a recording holds it

    # --- new signatures, and recordings that do not fit

    def _slowly(self, look: Any, key: Any, args: tuple[Any, ...], kwargs: dict[str, Any], tensors: list[Tensor]) -> Any:
        signature = self._signatures.get(key) or _Signature()
        if signature.eager is not None:
            self.eager_calls += 1
            return self.fn(*args, **kwargs)
        cause = self._cause(key, args, kwargs)
        for i, recording in enumerate(signature.recordings):
            refused = recording.takes(tensors)
            if refused is None and recording.fits():
                if recording.shares_memory(tensors):
                    self.eager_calls += 1
                    return self.fn(*args, **kwargs)
                if i:
                    signature.recordings = [recording, *(r for r in signature.recordings if r is not recording)]
                if len(self._quick) >= MOST_LOOKS:
                    self._quick.clear()
                self._quick[look] = recording
                return recording.run(tensors)
            if not i:
                cause = f"of the condition that {refused}" if refused else recording.reach.why
        if self.recordings >= MOST_RECORDINGS:
            self._give_up(signature, cause)
            return self.fn(*args, **kwargs)
        with self._lock:
            signature = self._signatures.setdefault(key, signature)
            found = self._record(signature, key, args, kwargs, tensors, cause)
        return self.fn(*args, **kwargs) if found is None else found.run(tensors) if isinstance(found, Recording) else found[0]

    def _give_up(self, signature: _Signature, cause: str) -> None:
        """Too many recordings: from now on what is not recorded runs eagerly."""
        self.eager_calls += 1
        if not self._told:
            self._told = True
            text = (
                f"compile: {_name(self.fn)} was recorded {MOST_RECORDINGS} times, and would be recorded again because {cause}. "
                "It runs eagerly where no recording fits. Pass what keeps changing as a tensor, or leave it out of the function"
            )
            if self.fullgraph:
                raise RecordError(text)
            warn(text)

    def _record(
        self, signature: _Signature, key: Any, args: tuple[Any, ...], kwargs: dict[str, Any], tensors: list[Tensor], cause: str
    ) -> Any:
        """The recording; or (the result of the call,) where it had to run first; None where it runs eagerly."""
        try:
            return self._recorded(signature, key, args, kwargs, cause)
        except SideEffect:
            pass  # what a first call makes for the later ones: the state of an optimiser, a table
        except Exception as error:
            return self._eagerly(signature, args, kwargs, error)
        result = self.fn(*args, **kwargs)
        self.eager_calls += 1
        try:
            self._recorded(signature, key, args, kwargs, cause)
        except Exception as error:
            self._refuse(signature, error)
        return (result,)

    def _recorded(self, signature: _Signature, key: Any, args: tuple[Any, ...], kwargs: dict[str, Any], cause: str) -> Recording:
        def recorded() -> Recording:
            return Recording(self.fn, args, kwargs, dynamic=self.dynamic, choice=self._choice, numbers=self._numbers)

        try:
            recording = recorded()
        except SideEffect:
            raise
        except Exception:
            if not self._numbers.may_be_counted_on():
                raise
            recording = recorded()
        signature.recordings = [recording, *signature.recordings]
        self.recordings += 1
        if self.recordings > 1:
            self.causes.append(cause)
        self._last = (key, _described(args, kwargs))
        return recording

    def _eagerly(self, signature: _Signature, args: tuple[Any, ...], kwargs: dict[str, Any], error: Exception) -> Any:
        """Run a call that cannot be recorded. Where that fails as well, the program itself is at fault."""
        if not isinstance(error, (RecordError, TooMuch)):
            result = self.fn(*args, **kwargs)
            self.eager_calls += 1
            self._refuse(signature, error)
            return (result,)
        self._refuse(signature, error)
        self.eager_calls += 1
        return None

    def _refuse(self, signature: _Signature, error: Exception) -> None:
        told = str(error)
        if isinstance(error, SideEffect):
            told = f"a call changes something that a recording would not change again: {told}"
            told += "" if "\n  at " in told else _defined(self.fn)
        elif not isinstance(error, (FrazilError, TooMuch)):
            told = f"{type(error).__name__}: {told}"
        if self.fullgraph:
            raise RecordError(
                f"compile: {_name(self.fn)} cannot be recorded, and fullgraph=True was asked for: {told}"
            ) from error
        signature.eager = told
        warn(f"compile: {_name(self.fn)} cannot be recorded, and runs eagerly: {told}")

    def _cause(self, key: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
        """Say how a call differs from the last one that was recorded."""
        if self._last is None or self._last[0] == key:
            return "something has changed"
        before, now = self._last[1], _described(args, kwargs)
        for name in now:
            if before.get(name) != now[name]:
                return f"argument {name} went from {before.get(name, 'nothing')} to {now[name]}"
        return "gradients are recorded now" if key[0] and not self._last[0][0] else "the mode or default has changed"

    def told(self) -> list[tuple[Recording | None, str | None]]:
        """Every recording, and the reason of every kind of call that runs eagerly."""
        found: list[tuple[Recording | None, str | None]] = []
        for signature in self._signatures.values():
            found += [(recording, None) for recording in reversed(signature.recordings)]
            if signature.eager is not None:
                found.append((None, signature.eager))
        return found


def _by_name(kwargs: dict[str, Any], key: list[Any]) -> Any:
    key.append(tuple(kwargs))
    return kwargs.values()


def _described(args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, str]:
    """Name -> what it is, for every argument."""
    found = {}
    named = {**{str(i): a for i, a in enumerate(args)}, **kwargs}
    for name, argument in named.items():
        leaves, tree = flatten(argument)
        for i, leaf in enumerate(leaves):
            label = name if tree.kind is None else f"{name}[{i}]"
            if isinstance(leaf, Tensor):
                grad = ", requires_grad" if leaf._rg else ""
                order = "" if leaf.is_contiguous() else ", not contiguous"
                found[label] = f"{leaf.dtype.name} with {leaf.ndim} dimensions on {leaf._dev}{grad}{order}"
            else:
                found[label] = repr(leaf) if isinstance(leaf, _VALUES) else f"a {type(leaf).__name__}"
    return found


def _name(fn: Any) -> str:
    if isinstance(fn, Module):
        return type(fn).__name__
    return str(getattr(fn, "__name__", type(fn).__name__))


def _defined(fn: Any) -> str:
    """Where a function begins, as a further line of a message: what a call has changed is seen after it, without the line."""
    fn = inspect.unwrap(fn.forward if isinstance(fn, Module) else fn)
    code = getattr(fn, "__code__", None)
    return Source(code.co_filename, code.co_firstlineno, code.co_name).below if code is not None else ""
