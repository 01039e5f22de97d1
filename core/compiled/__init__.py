"""`fz.compile`: programs are recorded once, and run by an engine from then on. See docs/compile.md."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..errors import ArgumentError
from ..nn.module import Module
from ..pytree import flatten
from ..tensor import Tensor
from ..warn import without_effect
from .engines import Engine, names
from .explain import Explanation, explained
from .function import Compiled
from .module import CompiledModule

#: Backends of PyTorch that programs ask for; frazil chooses among its engines instead.
_OF_PYTORCH = ("inductor", "eager", "aot_eager", "cudagraphs", "onnxrt", "openxla", "tvm")


def compile(
    model: Callable[..., Any] | None = None,
    *,
    engine: str = "auto",
    fullgraph: bool = False,
    dynamic: bool | None = True,
    backend: Any = None,
    mode: str | None = None,
    options: Any = None,
    disable: bool = False,
) -> Any:
    """A function that records what `model` does on its first call and runs the recording from then on. Also a decorator.

    `model` is a function, a method or a Module, for inference, for gradients, or a whole training step with
    `optimizer.step()`. A compiled module is the module in everything but its calls. Results are those of the eager program,
    random numbers too; parameters, buffers, gradients and optimiser state are changed where they are. Sizes may change
    from call to call; where the program decides on them, or where anything else that it reads is another one, it is recorded
    again, at most 8 times. What cannot be recorded runs eagerly, after one warning that shows the line.

    Args:
        engine: "numpy" (the kernels of the device, without anything between them), "onnxruntime", or one of a plugin; "auto"
            takes the fastest on the first real arguments, among those whose results agree.
        fullgraph: whether a function that cannot be recorded is an error.
        dynamic: whether sizes may change. False: every size is recorded on its own.
        backend, mode, options: accepted for PyTorch's sake; a backend that is the name of an engine means that.
        disable: gives the function itself.

    >>> import frazil as fz
    >>> @fz.compile
    ... def f(x): return fz.relu(x) * 2
    >>> f(fz.tensor([-1.0, 1.0])), f(fz.tensor([3.0]))
    (tensor([0., 2.]), tensor([6.]))
    >>> print(str(fz.compile.explain(f)).splitlines()[0])
    f: recorded once, called 2 times, never eagerly
    """
    if isinstance(backend, str) and backend in names():
        engine = backend
    elif backend is not None and backend not in _OF_PYTORCH:
        if not callable(backend):
            raise ArgumentError(f"compile: there is no engine {backend!r}; there are auto, {', '.join(names())}")
        without_effect("compile(backend=...)", "a function that takes PyTorch's graphs cannot take frazil's; write an Engine")

    def compiled(made: Callable[..., Any]) -> Any:
        if disable or isinstance(made, (Compiled, CompiledModule)):
            return made
        if not callable(made):
            raise ArgumentError(f"compile: expected a function or a Module, given a {type(made).__name__}")
        found = Compiled(made, engine, fullgraph, dynamic is not False)
        return CompiledModule(made, found) if isinstance(made, Module) else found

    return compiled if model is None else compiled(model)


def explain(fn: Any, *args: Any, **kwargs: Any) -> Explanation:
    """Tell what was recorded of a compiled function, which engine runs it, how long it takes, and why it was recorded again.

    With arguments it is called with them first, and the parts of that call are timed.

    >>> import frazil as fz
    >>> f = fz.compile(lambda x: x + 1, engine="numpy")
    >>> fz.compile.explain(f, fz.ones(2)).recordings[0].engine
    'numpy'
    """
    if isinstance(fn, CompiledModule):
        fn = fn._compiled
    if not isinstance(fn, Compiled):
        fn = Compiled(fn, "auto", False, True)
    if args or kwargs:
        before = {id(recording): recording.runs for recording, _ in fn.told() if recording is not None}
        fn(*args, **kwargs)
        tensors = [leaf for leaf in flatten((args, kwargs))[0] if isinstance(leaf, Tensor)]
        for recording, _ in fn.told():
            if recording is not None and recording.runs > before.get(id(recording), 0):
                recording.time_parts(tensors)
    return explained(fn)


compile.explain = explain  # type: ignore[attr-defined]

__all__ = ["Compiled", "CompiledModule", "Engine", "Explanation", "compile", "explain"]
