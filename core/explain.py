"""What errors say: values in words, and why a kernel raised."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import dtypes
from .errors import ArgumentError, DimError, DTypeError, FrazilError, ShapeError
from .state import STATE
from .table import Op, Spec
from .tensor import Tensor


def describe(value: Any) -> str:
    """`float32[3, 4] on cpu` for a tensor, something as short for anything else."""
    if isinstance(value, Tensor):
        return str(spec(value)) + (f" on {value._dev}" if str(value._dev) != "cpu" else "")
    if value is None or isinstance(value, (bool, int, float, str, complex)):
        return repr(value)
    if isinstance(value, np.ndarray):
        return f"a NumPy array {value.dtype}{list(value.shape)}"
    of_pytorch = type(value).__module__.partition(".")[0] == "torch"  # whose tensors are called as frazil's are
    return f"a {'torch.' if of_pytorch else ''}{type(value).__name__}"


def kinds(args: Any) -> str:
    """Several values, as `describe` says them."""
    return ", ".join(describe(a) for a in args) or "nothing"


def where(tensors: list[Any]) -> str:
    """Return what the tensors are, and the device of each."""
    return ", ".join(f"{spec(t)} on {t._dev}" for t in tensors if isinstance(t, Tensor))


def spec(tensor: Tensor) -> Spec:
    """Return what a rule sees of `tensor`."""
    return Spec(tuple(tensor._a.shape), tensor._dev.native[tensor._a.dtype])


def noted(op: Op, tensors: Any, attrs: dict[str, Any], error: FrazilError) -> FrazilError:
    """The error, with the call that raised it (the innermost call only)."""
    if not getattr(error, "__notes__", None):
        names = op.tensors if not op.packed else [f"{op.tensors[-1]}[{i}]" for i in range(len(tensors))]
        parts = [f"{n}: {describe(t)}" for n, t in zip(names, tensors, strict=False) if t is not None]
        parts += [f"{k}={v!r}" for k, v in attrs.items() if v != op.defaults.get(k)]
        error.add_note(f"in {op.name}({', '.join(parts)})")
    return error


def held(op: Op, tensors: Any, attrs: dict[str, Any]) -> None:
    """Refuse what the rule of `op` refuses: a body might compute something for it, or speak of the ops that it is made of."""
    rule: Any = op.rule
    try:
        rule(*(None if t is None else spec(t) for t in tensors), **attrs)
    except FrazilError as reason:
        raise noted(op, tensors, attrs, reason) from None


#: What a kernel's own error is told as.
_OWN_ERRORS: dict[type[Exception], type[Exception]] = {
    IndexError: DimError,
    ValueError: ShapeError,
    TypeError: DTypeError,
    NotImplementedError: NotImplementedError,
}


def explain(op: Op, tensors: Any, attrs: dict[str, Any], error: Exception, device: Any = None) -> Exception:
    """Return why a kernel raised: the rule of the op knows better than the kernel. `device`: where, if no tensor tells."""
    if isinstance(error, FrazilError):
        return noted(op, tensors, attrs, error)
    if op.rule is not None:
        try:
            op.rule(*(None if t is None else spec(t) for t in tensors), **attrs)
        except FrazilError as reason:
            return noted(op, tensors, attrs, reason)
        except Exception:  # the rule itself stumbled over arguments that the kernel had refused: the kernel's word counts
            pass
    if op.body is not None:
        before, STATE.grad = STATE.grad, False
        try:
            op.body(*tensors, **attrs)
        except FrazilError as reason:
            return noted(op, tensors, attrs, reason)
        except Exception:  # as above
            pass
        finally:
            STATE.grad = before
    if isinstance(error, (MemoryError, KeyboardInterrupt)):
        return error
    if isinstance(error, AttributeError) and any(t is None for t in tensors):
        return noted(op, tensors, attrs, ArgumentError(f"{op.name}: a tensor is asked for, given None"))
    device = next((t._dev for t in tensors if isinstance(t, Tensor)), device)
    asked = attrs.get("dtype")
    if device is not None and not device.recording and isinstance(asked, dtypes.dtype):
        has = device.capabilities().dtypes
        if asked.name not in has:
            return noted(op, tensors, attrs, dtypes.not_there(asked.name, device, has))
    known = _OWN_ERRORS.get(type(error), RuntimeError)(f"{op.name}: {error}")
    parts = [describe(t) for t in tensors if t is not None]
    known.add_note(f"in {op.name}({', '.join(parts + [f'{k}={v!r}' for k, v in attrs.items()])})")
    return known
