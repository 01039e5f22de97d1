"""Recording programs: `fz.jit`."""

from collections.abc import Callable
from typing import Any, Final, TypeVar

from ..recorder.trace import Program, trace
from ..script import script
from ..spelling import tell_names as _tell_names
from ..state import STATE
from .forks import fork, freeze, optimize_for_inference, wait
from .saved import RecursiveScriptModule, ScriptModule, load, save

__all__ = [
    "Final",
    "Program",
    "RecursiveScriptModule",
    "ScriptModule",
    "annotate",
    "export",
    "fork",
    "freeze",
    "ignore",
    "interface",
    "is_scripting",
    "is_tracing",
    "load",
    "optimize_for_inference",
    "save",
    "script",
    "script_if_tracing",
    "script_method",
    "trace",
    "unused",
    "wait",
]

F = TypeVar("F", bound=Callable[..., Any])


def is_tracing() -> bool:
    """Return whether a recording is going on.

    >>> import frazil as fz
    >>> seen = []
    >>> program = fz.jit.trace(lambda x: seen.append(fz.jit.is_tracing()) or x + 1, fz.ones(2))
    >>> seen, fz.jit.is_tracing()
    ([True], False)
    """
    return STATE.recorder is not None


def is_scripting() -> bool:
    """Always False: in PyTorch it is True in TorchScript, a language of its own. Scripted functions stay Python here.

    >>> import frazil as fz
    >>> fz.jit.is_scripting()
    False
    """
    return False


def ignore(fn: Any = None, **options: Any) -> Any:
    """Decorator, accepted for PyTorch's sake: TorchScript would not compile the function. Nothing changes here.

    >>> import frazil as fz
    >>> @fz.jit.ignore
    ... def shout(text): return text.upper()
    >>> shout("ice")
    'ICE'
    """
    return (lambda f: f) if fn is None else fn


def script_method(fn: F) -> F:
    """Decorator: `script` of a method, by PyTorch's older name.

    >>> import frazil as fz
    >>> class Shift(fz.jit.ScriptModule):
    ...     @fz.jit.script_method
    ...     def forward(self, x): return x + 1 if x.sum() > 0 else x - 1
    >>> program = fz.jit.trace(Shift(), fz.ones(2))
    >>> program(-fz.ones(2))
    tensor([-2., -2.])
    """
    return script(fn)


def script_if_tracing(fn: F) -> F:
    """Decorator: `script`, which is at work only while a recording is going on.

    >>> import frazil as fz
    >>> @fz.jit.script_if_tracing
    ... def flipped(x): return -x if x.sum() < 0 else x
    >>> fz.jit.trace(flipped, fz.ones(2))(fz.tensor([-1.0, -2.0]))
    tensor([1., 2.])
    """
    return script(fn)


def interface(cls: F) -> F:
    """Decorator of a class that says which methods modules have: in Python any that have them will do. Nothing changes.

    >>> import frazil as fz
    >>> @fz.jit.interface
    ... class Layer:
    ...     def forward(self, x: fz.Tensor) -> fz.Tensor: ...
    """
    return cls


_script_if_tracing = script_if_tracing


class TracerWarning(Warning):
    """Warnings of `torch.jit.trace`, by which programs filter: recordings here raise instead, or keep a guard."""


def _overload(fn: F) -> F:
    """Decorator: one of several signatures, which TorchScript takes apart and Python does not. The last definition counts."""
    return fn


_overload_method = _overload


def unused(fn: F) -> F:
    """As `ignore`.

    >>> import frazil as fz
    >>> fz.jit.unused(len)([1, 2])
    2
    """
    return fn


def export(fn: F) -> F:
    """As `ignore`; PyTorch compiles such methods although `forward` does not call them.

    >>> import frazil as fz
    >>> fz.jit.export(len)([1, 2])
    2
    """
    return fn


def annotate(the_type: Any, the_value: Any) -> Any:
    """`the_value`; the type is for readers.

    >>> import frazil as fz
    >>> fz.jit.annotate(list[fz.Tensor], [])
    []
    """
    return the_value


def _get_trace_graph(*args: Any, **kwargs: Any) -> Any:
    """NotImplementedError: there are no graphs of TorchScript, for which libraries import this name."""
    raise NotImplementedError(
        "torch.jit._get_trace_graph: there are no graphs of TorchScript; fz.jit.trace(f, *inputs).graph is what a program does, "
        "and fz.utils.flop_counter.FlopCounterMode counts its products"
    )


_tell_names(__name__, ("annotations",))
