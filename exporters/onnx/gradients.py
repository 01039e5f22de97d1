"""`export_grad`: a function with its gradients as one file."""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from frazil.autograd import grad
from frazil.autograd.modes import enable_grad
from frazil.creation import zeros_like
from frazil.errors import ArgumentError
from frazil.nn import Module
from frazil.pytree import flatten, unflatten
from frazil.recorder.trace import Program, identifier, leaf_names_of
from frazil.tensor import Tensor

from .export import ExportReport, as_arguments, export, record
from .uses import find


def export_grad(
    fn: Callable[..., Any],
    args: Any = (),
    path: str | os.PathLike[str] | None = None,
    *,
    wrt: Sequence[str] | None = None,
    kwargs: Mapping[str, Any] | None = None,
    input_names: Sequence[str] | None = None,
    output_names: Sequence[str] | None = None,
    dynamic_shapes: Any = "auto",
    **options: Any,
) -> ExportReport:
    """Write a function and its gradients: outputs are what `fn` returns, then `grad.x` for every `x` it is differentiated by.

    Args:
        fn: a function or Module whose first result is one number, the loss.
        args: example arguments, as in `export`.
        wrt: names of inputs and parameters to differentiate by; default: all floating and complex inputs, and all parameters that
            require gradients. Parameters are named by their paths, those of a function's modules after the variable:
            "model.fc.weight".
        output_names: for what `fn` returns.
        options: others of `export`: `training=True` for modules in train mode, `verify`, `samples`, ...

    >>> import frazil as fz
    >>> model = fz.nn.Linear(3, 1)
    >>> def loss(x, y):
    ...     return fz.nn.functional.mse_loss(model(x), y)
    >>> report = fz.onnx.export_grad(loss, (fz.ones(4, 3), fz.zeros(4, 1)), wrt=["x", "model.bias"], dynamic_shapes=None)
    >>> report.outputs
    ['output: float32[]', 'grad.x: float32[4, 3]', 'grad.model.bias: float32[1]']
    """
    args = as_arguments(args)
    program, names = record_grad(fn, args, kwargs, wrt=wrt, input_names=input_names, dynamic_shapes=dynamic_shapes)
    return export(program, path=path, output_names=named_outputs(program, names, output_names), **options)


def record_grad(
    fn: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any] | None,
    *,
    wrt: Sequence[str] | None = None,
    input_names: Sequence[str] | None = None,
    dynamic_shapes: Any = "auto",
) -> tuple[Program, list[str]]:
    """The program that gives the results and the gradients, and what it differentiates by."""
    leaves, tree = flatten((args, dict(kwargs or {})))
    tensors = [i for i, leaf in enumerate(leaves) if isinstance(leaf, Tensor)]
    all_names = leaf_names_of(fn, tree)
    called = list(input_names) if input_names is not None else [identifier(all_names[i]) for i in tensors]
    floats = {name: i for name, i in zip(called, tensors, strict=True) if leaves[i].dtype.kind in "fc"}
    parameters = parameters_of(fn)
    unknown = [name for name in wrt or () if name not in floats and name not in parameters]
    if unknown:
        there = ", ".join([*floats, *parameters])
        raise ArgumentError(f"export_grad: wrt: there is no {unknown[0]!r} with a gradient; there are {there}")
    by_inputs = {name: i for name, i in floats.items() if wrt is None or name in wrt}
    by_parameters = {name: t for name, t in parameters.items() if wrt is None or name in wrt}

    def graded(*args: Any, **kwargs: Any) -> Any:
        given, nesting = flatten((args, kwargs))
        given = list(given)
        for i in by_inputs.values():
            given[i] = given[i].detach().requires_grad_()
        a, k = unflatten(nesting, given)
        with enable_grad():
            result = fn(*a, **k)
            found = flatten(result, none_is_leaf=False)[0]
            if not found or not isinstance(found[0], Tensor) or found[0].ndim:
                raise ArgumentError(
                    "export_grad: the first result must be one number to differentiate, a 0-d tensor; take its sum() or mean()"
                )
            wanted = [given[i] for i in by_inputs.values()] + list(by_parameters.values())
            gradients = grad(found[0], wanted, allow_unused=True)
        results = [zeros_like(t) if g is None else g for t, g in zip(wanted, gradients, strict=True)]
        return result, results

    if not isinstance(fn, Module):
        functools.update_wrapper(graded, fn, updated=())  # so that the recorder looks at what `fn` reads
    graded.__signature__ = inspect.signature(fn.forward if isinstance(fn, Module) else fn)  # type: ignore[attr-defined]
    program = record(graded, args, kwargs, input_names, dynamic_shapes)
    return program, [*by_inputs, *by_parameters]


def parameters_of(fn: Any) -> dict[str, Tensor]:
    """The parameters that `fn` may use and that require gradients, by name."""
    if isinstance(fn, Module):
        return {path: t for path, t in fn.named_parameters() if t.requires_grad}
    found: dict[int, tuple[str, Tensor]] = {}
    seen = find(fn)
    for name, module in seen.of(Module).items():
        for path, t in module.named_parameters():
            found.setdefault(id(t), (f"{name}.{path}", t))
    for name, t in seen.of(Tensor).items():
        found.setdefault(id(t), (name, t))
    return {name: t for name, t in found.values() if t.requires_grad and t.is_leaf}


def named_outputs(program: Program, gradients: Sequence[str], output_names: Sequence[str] | None) -> list[str]:
    """Names for all outputs of a program with gradients."""
    count = len(program.graph.outputs) - len(gradients)
    own = list(output_names or (["output"] if count == 1 else [f"output_{i}" for i in range(count)]))
    if len(own) != count:
        raise ArgumentError(f"export_grad: {len(own)} output names for {count} outputs")
    return own + [f"grad.{name}" for name in gradients]
