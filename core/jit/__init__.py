"""Recording programs: `fz.jit`."""

from collections.abc import Callable
from typing import Any, Final, TypeVar

from ..recorder.trace import Program, trace
from ..script import script
from ..spelling import tell_names as _tell_names
from ..state import STATE

__all__ = [
    "Final",
    "Program",
    "ScriptModule",
    "annotate",
    "export",
    "ignore",
    "is_scripting",
    "is_tracing",
    "script",
    "trace",
    "unused",
]

#: What `trace` and `script` of a module give, under the name that programs ask `isinstance` for.
ScriptModule = Program

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


_tell_names(__name__, ("annotations",))
