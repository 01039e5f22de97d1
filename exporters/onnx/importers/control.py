"""Control flow: If, Loop, Scan. Branches and bodies read the values around them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import onnx_ir as ir

import frazil as fz
from frazil.control import cond, loop, scan
from frazil.errors import ArgumentError, FrazilError, ShapeError
from frazil.sizes import SymBool, SymInt
from frazil.state import STATE
from frazil.tensor import Tensor

from ..arrays import Sizes, dtype_of, is_numbers, known_equal, number, raw
from .registry import importer


def _truth(value: Any) -> Any:
    """A bool, a comparison of sizes, or a tensor of one element."""
    if isinstance(value, Tensor):
        return value.reshape(()) if value.ndim else value
    found = raw(value).reshape(-1)
    if len(found) != 1:
        raise ShapeError(f"a condition must be one truth value, given {list(value.shape)}")
    return found[0] if isinstance(value, Sizes) else bool(found[0])


@importer("If", blocks=True)
def branch(node: Any, env: Mapping[Any, Any], condition: Any) -> tuple[Any, ...]:
    then, otherwise = (node[name].bound(env) for name in ("then_branch", "else_branch"))
    flag = _truth(condition)
    if STATE.recorder is None or isinstance(flag, bool):
        return tuple((then if bool(flag) else otherwise)())
    if (found := _rounds_if_any(node, env, flag)) is not None:
        return found
    branches = (node.later(lambda: [node.tensor(x) for x in then()]), node.later(lambda: [node.tensor(x) for x in otherwise()]))
    return tuple(cond(flag, *branches))


def _rounds_if_any(node: Any, env: Mapping[Any, Any], flag: Any) -> tuple[Any, ...] | None:
    """What a Scan gives that stands in an If because there may be nothing to run over, as frazil writes it: the recording asks
    again by itself."""
    block = node["then_branch"]
    if [step.view.op_type for step in block.steps] != ["Scan"] or block.outputs != block.steps[0].outputs:
        return None
    scan, inputs = block.steps[0].view, block.steps[0].inputs
    if scan.opset < 9 or not isinstance(flag, SymBool) or not all(value in env for value in inputs):
        return None
    given = [env[value] for value in inputs]
    carried = len(given) - scan["num_scan_inputs"]
    count = given[carried].shape[(scan.get("scan_input_axes") or [0])[0]]
    if not isinstance(count, SymInt) or not _alike(flag.zero, SymBool(">", count, 0).zero):
        return None
    nothing = [node.tensor(x) for x in node["else_branch"].bound(env)()]
    found = [node.tensor(x) for x in block.bound(env)()]
    kept = all(a is b for a, b in zip(nothing, given[:carried], strict=False))
    rows = zip(nothing[carried:], found[carried:], strict=True)
    empty = all(a.dtype is b.dtype and known_equal(a.shape, (0, *b.shape[1:])) for a, b in rows)
    return tuple(found) if kept and empty else None


def _alike(a: Any, b: Any) -> bool:
    """Whether two conditions on a size are one."""
    return a is not None and b is not None and a[0] == b[0] and a[1] is b[1]


@importer("Loop", blocks=True)
def rounds(node: Any, env: Mapping[Any, Any], limit: Any, condition: Any, *carried: Any) -> tuple[Any, ...]:
    """Carried values first, then what every round leaves behind, stacked."""
    block = node["body"]
    body, count = block.bound(env), len(carried)
    if len(block.inputs) != count + 2 or len(block.outputs) < count + 1:
        raise ArgumentError(f"Loop: the body takes {len(block.inputs)} values where {count + 2} are given")
    most = None if limit is None else number(limit) if is_numbers(limit) else limit.reshape(())
    if STATE.recorder is None:
        return _rounds(node, body, None if most is None else int(most), condition, carried)
    endless = condition is None or (is_numbers(condition) and _truth(condition) is True)
    always = endless and always_goes_on(block)

    def step(i: Any, *state: Any) -> Any:
        i = i if isinstance(i, Tensor) else fz.tensor(i, device=node.device)
        given = state if always else state[1:]
        flag = fz.tensor(True, device=node.device) if always else state[0]
        following, *values = (node.tensor(x) for x in body(i, flag, *given))
        kept = values[:count] if always else [following.reshape(()), *values[:count]]
        return kept, values[count:]

    start = [node.tensor(x) for x in carried]
    if not always:
        first = fz.tensor(True, device=node.device) if condition is None else node.tensor(condition).reshape(())
        start = [first, *start]
    keeps_on = None if always else (lambda flag, *_: flag)
    last, rows = loop(keeps_on, node.later(step), start, limit=most)
    found = last if always else last[1:]
    if rows is None:
        trial = lambda: body(np.asarray(0, np.int64), np.asarray(True), *carried)[1 + count :]
        rows = _no_rows(node, block.outputs[1 + count :], trial)
    return (*found, *rows)


def always_goes_on(block: Any) -> bool:
    """Return whether the body of a Loop never ends it."""
    return block.outputs[0] is block.inputs[1] or _is_true(block, block.outputs[0])


def _is_true(block: Any, value: Any) -> bool:
    """Whether a result of a block is its condition handed on, or a constant that is true."""
    step = next((step for step in block.steps if value in step.outputs), None)
    if step is None:
        return value in block.constants and bool(block.constants[value].reshape(-1)[0])
    if step.view.op_type == "Identity":
        return step.inputs[0] is block.inputs[1] or _is_true(block, step.inputs[0])
    return step.view.op_type == "Constant" and "value" in step.view and bool(step.view["value"].reshape(-1)[0])


def _rounds(node: Any, body: Any, limit: int | None, condition: Any, carried: Any) -> tuple[Any, ...]:
    count, state = len(carried), list(carried)
    rows: list[list[Any]] = []
    goes_on = True if condition is None else bool(_truth(condition))
    i = 0
    while goes_on and (limit is None or i < limit):
        following, *values = body(np.asarray(i, np.int64), np.asarray(True), *state)
        goes_on, state = bool(_truth(following)), values[:count]
        rows.append(values[count:])
        i += 1
    if not rows:
        trial = lambda: body(np.asarray(0, np.int64), np.asarray(True), *state)[1 + count :]
        return (*state, *_no_rows(node, node["body"].outputs[1 + count :], trial))
    return (*state, *(fz.stack([node.tensor(x) for x in column]) for column in zip(*rows, strict=True)))


def _no_rows(node: Any, values: Sequence[ir.Value], trial: Callable[[], Sequence[Any]]) -> list[Any]:
    """What no round leaves behind. Where the file does not declare its shape, a round tells that is tried and thrown away."""
    shapes = [None if v.shape is None else tuple(n if isinstance(n, int) else None for n in v.shape) for v in values]
    kinds = [v.dtype for v in values]
    if not all(kind is not None and shape is not None and None not in shape for kind, shape in zip(kinds, shapes, strict=True)):
        with contextlib.suppress(FrazilError), fz.no_grad():
            rows = [node.tensor(x) for x in trial()]
            return [fz.zeros((0, *row.shape), dtype=row.dtype, device=node.device) for row in rows]
    dtypes = [fz.float32 if kind is None else dtype_of(kind) for kind in kinds]
    return [
        fz.zeros((0, *(n or 0 for n in shape or ())), dtype=dtype, device=node.device)
        for shape, dtype in zip(shapes, dtypes, strict=True)
    ]


@importer("Scan", blocks=True)
def scanned(node: Any, env: Mapping[Any, Any], *given: Any) -> tuple[Any, ...]:
    """Bodies over slices. Version 8 has a first input of lengths, and a batch in front of everything."""
    body, slices = node["body"].bound(env), node["num_scan_inputs"]
    if node.opset < 9:
        return _batches(node, body, given[1:], slices)
    return tuple(_scan(node, body, [node.tensor(x) for x in given], slices))


def _scan(node: Any, body: Any, given: list[Any], slices: int) -> list[Any]:
    carried = len(given) - slices
    init, xs = given[:carried], given[carried:]
    axes = node.get("scan_input_axes") or [0] * slices
    turned = node.get("scan_input_directions", node.get("directions")) or [0] * slices
    results = len(node["body"].outputs) - carried
    reverse = bool(xs) and all(turned)
    xs = [x if axis % x.ndim == 0 else x.movedim(axis, 0) for x, axis in zip(xs, axes, strict=True)]
    xs = [x.flip(0) if back and not reverse else x for x, back in zip(xs, turned, strict=True)]

    def combine(state: Any, here: Any) -> Any:
        values = [node.tensor(x) for x in body(*state, *here)]
        return values[:carried], values[carried:]

    out_turned = node.get("scan_output_directions") or [0] * results
    if isinstance(xs[0].shape[0], int) and xs[0].shape[0] == 0 and STATE.recorder is None:
        first = [fz.zeros(x.shape[1:], dtype=x.dtype, device=node.device) for x in xs]
        last, rows = init, _no_rows(node, node["body"].outputs[carried:], lambda: body(*init, *first)[carried:])
    else:
        last, rows = scan(node.later(combine), init, xs, reverse=reverse)
    # the rows stand in the order of the slices, the file wants them in the order of the rounds, unless it turns them
    rows = [row.flip(0) if bool(back) != reverse else row for row, back in zip(rows, out_turned, strict=True)]
    axes = node.get("scan_output_axes") or [0] * results
    return [*last, *(row if axis == 0 else row.movedim(0, axis) for row, axis in zip(rows, axes, strict=True))]


def _batches(node: Any, body: Any, given: Any, slices: int) -> tuple[Any, ...]:
    tensors = [node.tensor(x) for x in given]
    found = [_scan(node, body, [x[i] for x in tensors], slices) for i in range(tensors[0].shape[0])]
    return tuple(fz.stack(column) for column in zip(*found, strict=True))
