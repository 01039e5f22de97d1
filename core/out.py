"""`out=`: where a result is to be written, for every function that PyTorch gives it to.

Ops take it in `dispatch.general_call`, Python functions by `function(out=True)`, and those that make tensors from nothing, here.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, final

from . import dtypes
from .errors import ArgumentError, AutogradError, DTypeError, ShapeError
from .explain import describe
from .spelling import shown_as, unknown_keyword
from .state import RECORDINGS, STATE
from .tensor import Tensor
from .views import bump, check_overlap
from .warn import warn

#: Functions that make tensors from nothing.
MADE = frozenset("arange empty eye full linspace logspace ones rand randint randn randperm range zeros".split())

#: What accumulates in the dtype of `out`, and so writes to any.
WIDENING = frozenset(("cumprod", "cumsum", "nansum", "prod", "sum"))

#: What wants `out` to have the very dtype of the result, as all with several results do; others write to what holds it.
EXACT = frozenset(
    "any all argmax argmin amax amin bmm bucketize clamp cross diag dot gather index_select log_softmax masked_select "
    "matmul matrix_power mm mv nonzero norm quantile renorm round searchsorted softmax take tril triu where addmm addmv "
    "baddbmm addbmm vdot scatter scatter_add index_add index_copy take_along_dim multinomial".split()
)


def write_out(name: str, out: Any, result: Any) -> Any:
    """Put the result (a tensor, or a tuple of them) of `name` into `out`, and return it in the result's form."""
    if isinstance(result, tuple):
        if not isinstance(out, (tuple, list)) or len(out) != len(result):
            raise ArgumentError(f"{name}: out= must be a tuple of {len(result)} tensors, for its {len(result)} results")
        written = [_write(name, _tensor(name, o), r, exact=True) for o, r in zip(out, result, strict=True)]
        return type(result)(*written) if hasattr(result, "_fields") else tuple(written)
    return _write(name, _tensor(name, out), result, exact=name in EXACT)


def _tensor(name: str, out: Any) -> Tensor:
    if not isinstance(out, Tensor):
        raise ArgumentError(f"{name}: out= must be a tensor, given a {type(out).__name__}")
    return out


def _write(name: str, out: Tensor, y: Tensor, *, exact: bool) -> Tensor:
    if STATE.grad and (y._rg or out._rg):
        raise AutogradError(f"{name}: out= cannot be recorded for backward; leave it out, or compute inside `with fz.no_grad():`")
    if y.dtype is not out.dtype and (exact or not dtypes.can_cast(y.dtype, out.dtype)):
        raise DTypeError(
            f"{name}: a result of {y.dtype.name} cannot be written to out={describe(out)}; "
            f"give an out of {y.dtype.name}, or convert the inputs"
        )
    if y._dev is not out._dev and not (RECORDINGS[0] and STATE.recorder is not None):
        raise ArgumentError(f"{name}: the result is on {y._dev}, and out={describe(out)} is not; make out there")
    if tuple(out._a.shape) == tuple(y._a.shape):
        check_overlap(name, out)
        return out.copy_(y)
    if out._base is not None:
        raise ShapeError(
            f"{name}: out={describe(out)} is a view, and cannot take the shape {list(y._a.shape)} of the result; give a tensor "
            "of that shape"
        )
    if 0 not in out._a.shape:
        warn(
            f"{name}: out={describe(out)} takes the shape of the result, {list(y._a.shape)}; give an out of that shape, or "
            "of no elements"
        )
    if RECORDINGS[0] and STATE.recorder is not None:
        STATE.recorder.adopt(out)
    fresh = y.to(out.dtype).clone()
    out._a, out._dev = fresh._a, fresh._dev
    bump(out)
    return out


@final
class WithOut(inspect.Signature):
    """The signature of a function with `out` at its end, read when somebody asks for it."""

    __slots__ = ("function",)

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function

    def __getattr__(self, name: str) -> Any:  # the slots of a Signature, as long as they are empty
        plain = inspect.signature(self.function)
        rest = list(plain.parameters.values())
        at = next((i for i, p in enumerate(rest) if p.kind is p.VAR_KEYWORD), len(rest))
        out = inspect.Parameter("out", inspect.Parameter.KEYWORD_ONLY, default=None, annotation="Any")
        super().__init__([*rest[:at], out, *rest[at:]], return_annotation=plain.return_annotation)
        return object.__getattribute__(self, name)

    def replace(self, **changes: Any) -> inspect.Signature:  # type: ignore[override]
        plain = inspect.Signature(list(self.parameters.values()), return_annotation=self.return_annotation)
        return plain.replace(**changes)


def made(function: Callable[..., Any], name: str) -> Callable[..., Any]:
    """`function`, which makes a tensor from nothing, with `out=`: without `dtype` it makes that of `out`."""

    def call(*args: Any, out: Any = None, **given: Any) -> Any:
        try:
            if out is None:
                return function(*args, **given)
            if given.get("dtype") not in (None, out.dtype):
                raise DTypeError(f"{name}: dtype={given['dtype']} differs from that of out, {out.dtype}; leave dtype out")
            return write_out(name, out, function(*args, **given | {"dtype": out.dtype, "device": out.device}))
        except TypeError as error:
            told = given and unknown_keyword(error, call, name)
            if told:
                raise told from None
            raise

    call.__signature__ = WithOut(function)  # type: ignore[attr-defined]
    return shown_as(call, function)
