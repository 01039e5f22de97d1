"""`export_loop`: an epoch of training steps as one `Loop`."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from frazil import dtypes
from frazil.autograd.modes import no_grad
from frazil.control import loop
from frazil.creation import arange, tensor, zeros
from frazil.errors import ArgumentError
from frazil.nn import Module
from frazil.pytree import flatten, unflatten
from frazil.random import randperm
from frazil.recorder.trace import Program, identifier, leaf_names_of, trace
from frazil.tensor import Tensor

from .export import ExportReport, as_arguments
from .stage import Stage
from .training import write_training

_ORDERS = ("drawn", "given", None)


def export_loop(
    step: Callable[..., Any],
    data: Any,
    path: str | os.PathLike[str] | None = None,
    *,
    batch_size: int,
    permutation: str | None = "drawn",
    stop: Callable[[Any], Any] | None = None,
    evaluate: Callable[..., Any] | None = None,
    held_out: Any = None,
    objects: Mapping[str, Any] | None = None,
    input_names: Sequence[str] | None = None,
    output_names: Sequence[str] | None = None,
    opset_version: int = 21,
    verify: bool | str = True,
    epochs: int = 2,
    schedule_steps: int = 10_000,
    optimize: bool = True,
) -> ExportReport:
    """Write an epoch of training steps as one file, whose `Loop` slices the batches: a call of it is as many steps as there are.

    State goes in and comes out as in `export_step`, and `TrainingSession` runs the file: `session.step(x, y)` with all of the
    data is an epoch, and returns what every step returned, stacked.

    Args:
        step: a function that makes one training step on a batch, as for `export_step`.
        data: example data, a tuple of tensors that have as many rows each; how many is free in the file.
        batch_size: rows of a batch. Rows that do not fill the last batch are left out.
        permutation: how rows are put into batches: "drawn": by `fz.randperm`, from the generator whose state is `random_state`;
            "given": by a further input `permutation` (int64), the numbers of the rows to go through; None: as they stand.
        stop: given what a step returned, tells whether the epoch ends with it: a tensor of one truth value.
        evaluate: a function of `held_out` that is called after the last step, without gradients and with all modules in
            evaluation mode. What it returns comes after what the steps returned.
        held_out: example data for `evaluate`, further inputs of the file whose rows are as free.
        epochs: this many run in onnxruntime and in Python from the same state and are compared, as the steps of `export_step`.

    >>> import frazil as fz
    >>> model = fz.nn.Linear(2, 1)
    >>> optimizer = fz.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    >>> def step(x, y):
    ...     loss = fz.nn.functional.mse_loss(model(x), y)
    ...     optimizer.zero_grad()
    ...     loss.backward()
    ...     optimizer.step()
    ...     return loss
    >>> report = fz.onnx.export_loop(step, (fz.randn(12, 2), fz.randn(12, 1)), "epoch.onnx", batch_size=4)
    >>> fz.onnx.TrainingSession("epoch.onnx").step(fz.randn(20, 2), fz.randn(20, 1)).shape
    (5,)
    """
    if (evaluate is None) != (held_out is None):
        raise ArgumentError("export_loop: evaluate is called with held_out: give both, or neither")
    leaves, tree = flatten(as_arguments(data))
    kept, kept_tree = flatten(as_arguments(held_out) if evaluate is not None else ())
    _check(leaves, batch_size, permutation)
    given = list(input_names) if input_names is not None else None
    names = given[: len(leaves)] if given is not None else _names(step, tree, len(leaves))
    stage = Stage(step, objects, schedule_steps, () if evaluate is None else (evaluate,))
    batch = unflatten(tree, [t[:batch_size] for t in leaves])
    one = stage.record(tuple(batch), {}, {"input_names": names, "dynamic_shapes": None})
    args = list(leaves)
    free = {name: {0: "rows"} for name in names}
    if permutation == "given":
        args.append(_reversed(len(leaves[0])))
        names.append("permutation")
        free["permutation"] = {0: "chosen"}
    if evaluate is not None:
        called = given[len(leaves) :] if given is not None else _names(evaluate, kept_tree, len(kept))
        called = [f"held_out_{name}" if name in names else name for name in called]
        args += kept
        names += called
        free.update((name, {0: "held_out"}) for name in called)
        evaluate = _evaluation(evaluate, kept_tree, list(stage.modules.values()))
    made = _Epoch(tree, len(leaves), batch_size, permutation, one, stop, evaluate)
    recorded, eager = made.of(one, len(args)), made.of(step, len(args))
    eager.__wrapped__ = step  # type: ignore[attr-defined]  # where to look for what it changes
    with stage:
        traced = trace(recorded, tuple(args), input_names=names, dynamic_shapes=free)
    program = stage.named(traced, eager)
    # What the recording of the step knew of it is true of the epoch.
    program.differentiates, program.asks, program.gradients = one.differentiates, one.asks, one.gradients
    if output_names is None and len(program.graph.outputs) == 1:
        output_names = ["losses"]
    options = {"output_names": output_names, "opset_version": opset_version, "optimize": optimize}
    return write_training(stage, program, eager, path, tuple(args), {}, (), verify, epochs, options)


def _check(leaves: Sequence[Any], batch_size: int, permutation: str | None) -> None:
    if not leaves or not all(isinstance(t, Tensor) and t.ndim for t in leaves):
        raise ArgumentError("export_loop: data are tensors of at least one dimension, whose rows are the examples")
    rows = [t.shape[0] for t in leaves]
    if len(set(rows)) > 1:
        raise ArgumentError(f"export_loop: the tensors of the data have different numbers of rows: {rows}")
    if not 1 <= batch_size <= rows[0]:
        raise ArgumentError(f"export_loop: batch_size is from 1 to the rows of the example ({rows[0]}), given {batch_size}")
    if permutation not in _ORDERS:
        raise ArgumentError(f"export_loop: permutation is 'drawn', 'given' or None, given {permutation!r}")


def _names(step: Any, tree: Any, count: int) -> list[str]:
    whole = flatten((unflatten(tree, [tensor(0)] * count), {}))[1]
    return [identifier(name) for name in leaf_names_of(step, whole)]


def _reversed(rows: int) -> Tensor:
    """An example of a permutation; no random number is drawn for it."""
    return arange(rows - 1, -1, -1)


def _evaluation(evaluate: Callable[..., Any], tree: Any, modules: Sequence[Module]) -> Callable[..., Any]:
    """`evaluate` of tensors in a row, without gradients, and with modules in evaluation mode as long as it runs."""

    def evaluated(*given: Tensor) -> Any:
        training = [part for module in modules for part in module.modules() if part.training]
        for part in training:
            part.training = False
        try:
            with no_grad():
                return evaluate(*unflatten(tree, list(given)))
        finally:
            for part in training:
                part.training = True

    return evaluated


@dataclass(frozen=True)
class _Epoch:
    """What an epoch is made of, whether the step or its recording goes through it."""

    tree: Any  #: how a batch is put together of its tensors
    tensors: int  #: how many these are; in front of all other inputs
    batch_size: int
    permutation: str | None
    recorded: Program  #: one step: tells what a step would return
    stop: Callable[[Any], Any] | None
    evaluate: Callable[..., Any] | None  #: of all tensors after the data (and the permutation)

    def of(self, run: Callable[..., Any], inputs: int) -> Callable[..., Any]:
        """All batches through `run`, as a function of so many inputs."""

        def epoch(*given: Tensor) -> Any:
            found = self._steps(run, given)
            return found if self.evaluate is None else (found, self.evaluate(*given[self._before_held_out :]))

        parameters = [inspect.Parameter(f"x{i}", inspect.Parameter.POSITIONAL_ONLY) for i in range(inputs)]
        epoch.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        return epoch

    @property
    def _before_held_out(self) -> int:
        return self.tensors + (self.permutation == "given")

    def _steps(self, run: Callable[..., Any], given: Sequence[Tensor]) -> Any:
        data, order = given[: self.tensors], self._order(given)
        rounds = order.shape[0] // self.batch_size
        batches = order[: rounds * self.batch_size].reshape(rounds, self.batch_size)

        def body(i: Any, *_: Any) -> Any:
            result = run(*unflatten(self.tree, [t[batches[i]] for t in data]))
            return () if self.stop is None else (~_truth(self.stop(result)),), result

        if self.stop is None:
            _, found = loop(None, body, (), limit=rounds)
        else:
            _, found = loop(lambda goes_on: goes_on, body, (tensor(True),), limit=rounds)
        if found is not None:
            return found
        graph = self.recorded.graph  # no batch is full: nothing, of the shapes that steps return
        return unflatten(graph.out_tree, [zeros((0, *v.spec.shape), dtype=v.spec.dtype) for v in graph.outputs])

    def _order(self, given: Sequence[Tensor]) -> Tensor:
        if self.permutation == "given":
            return given[self.tensors]
        rows, device = given[0].shape[0], given[0].device
        return randperm(rows, device=device) if self.permutation else arange(rows, device=device)


def _truth(told: Any) -> Tensor:
    if not isinstance(told, Tensor) or told.numel() != 1 or told.dtype is not dtypes.bool_:
        what = f"{told.dtype.name}{list(told.shape)}" if isinstance(told, Tensor) else repr(told)
        raise ArgumentError(f"export_loop: stop returns one truth value as a tensor, as `loss < 0.1` is, given {what}")
    return told.reshape(())
