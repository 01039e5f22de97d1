"""Calls of TorchScript that are plain in Python: `fork` and `wait`, `freeze` and `optimize_for_inference`."""

from __future__ import annotations

import copy
import io
from collections.abc import Callable, Sequence
from typing import Any

from ..errors import ArgumentError
from ..futures import Future
from ..nn.module import Module
from ..recorder.trace import Program
from .saved import ScriptModule, load, save


def fork(func: Callable[..., Any], *args: Any, **kwargs: Any) -> Future[Any]:
    """A call as a `Future`. It is made at once, as PyTorch makes it outside of TorchScript; what it raises is raised here.

    >>> import frazil as fz
    >>> fz.jit.wait(fz.jit.fork(fz.add, fz.ones(2), 1))
    tensor([2., 2.])
    """
    later: Future[Any] = Future()
    later.set_result(func(*args, **kwargs))
    return later


def wait(future: Future[Any]) -> Any:
    """The result of what `fork` gave.

    >>> import frazil as fz
    >>> fz.jit.wait(fz.jit.fork(len, [1, 2]))
    2
    """
    return future.wait()


def freeze(mod: Any, preserved_attrs: Sequence[str] | None = None, optimize_numerics: bool = True) -> Any:
    """A copy of a traced or scripted module in evaluation, with parameters of its own that have no gradients: what becomes of
    the original does not reach it. (In PyTorch they are no parameters any more; `fz.onnx.export` makes such a file.)

    Args:
        preserved_attrs: accepted; all attributes are kept.
        optimize_numerics: accepted; numbers stay as they are.

    RuntimeError for a module in training, or one that is neither traced nor scripted.

    >>> import frazil as fz
    >>> layer = fz.nn.Linear(2, 1, bias=False).eval()
    >>> frozen = fz.jit.freeze(fz.jit.trace(layer, fz.ones(1, 2)))
    >>> before = frozen(fz.ones(1, 2))
    >>> with fz.no_grad(): _ = layer.weight.zero_()
    >>> bool(frozen(fz.ones(1, 2)) == before), before.requires_grad
    (True, False)
    """
    if not isinstance(mod, ScriptModule):
        raise ArgumentError(f"freeze: expected what jit.trace or jit.script of a module gives, given a {type(mod).__name__}")
    if _trains(mod):
        raise ArgumentError("freeze: this module is in training; call .eval() before it is traced or frozen")
    if isinstance(mod, Program):
        file = io.BytesIO()
        save(mod, file)
        file.seek(0)
        frozen: Module = load(file)
    else:
        frozen = copy.deepcopy(mod)
    return frozen.requires_grad_(False)


def _trains(mod: Any) -> bool:
    module = mod.fn if isinstance(mod, Program) else mod
    return isinstance(module, Module) and module.training


def optimize_for_inference(mod: Any, other_methods: Sequence[str] | None = None) -> Any:
    """As `freeze`, of a module that is put into evaluation where it is not; `fz.compile` makes programs faster.

    >>> import frazil as fz
    >>> layer = fz.jit.script(fz.nn.Dropout())
    >>> fz.jit.optimize_for_inference(layer)(fz.ones(2))
    tensor([1., 1.])
    """
    return freeze(mod if isinstance(mod, Program) else mod.eval())
