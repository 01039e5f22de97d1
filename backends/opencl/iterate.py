"""Running a rendered program over arrays: which dimension carries the lanes, which dimensions are one, and the launch."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..render import OPENCL, Layout, Program, group_size, render
from ..render.dims import Dim, merged
from .array import Array
from .runtime import Runtime

_INT = np.int32
#: Elements of a reduction from which it is cut into parts when there are few rows.
SPLIT = 1 << 15


class Compiled(NamedTuple):
    """A kernel and how large its groups are."""

    kernel: Any
    group: tuple[int, int]


def compiled(runtime: Runtime, program: Program, layout: Layout) -> Compiled:
    """The kernel for a program and a layout, built once."""
    key = (program.key, layout)
    found = runtime.kernels.get(key)
    if found is None:
        text = render(program, layout, OPENCL)
        found = Compiled(runtime.compile(text, _arguments(program, layout)), group_size(layout))
        runtime.kernels[key] = found
    return found


def _arguments(program: Program, layout: Layout) -> list[Any]:
    types: list[Any] = [_INT] * (1 + layout.kept + layout.reduced + layout.split)
    for letter in layout.loads + layout.stores:
        types.append(None)
        count = layout.offsets + (0 if letter == "=" else layout.kept + layout.reduced + (letter == "g"))
        types += [_INT] * count
    return types + [np.dtype(d) for d in program.numbers]


def broadcast(*shapes: tuple[int, ...]) -> tuple[int, ...]:
    """The shape that arrays of these shapes have in common."""
    return np.broadcast_shapes(*shapes)


def strides_in(array: Array, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Strides of `array` broadcast to `shape`."""
    extra = len(shape) - len(array.shape)
    own = tuple(0 if n == 1 else s for n, s in zip(array.shape, array.steps(), strict=True))
    return (0,) * extra + own


def run(
    runtime: Runtime,
    program: Program,
    shape: tuple[int, ...],
    inputs: Sequence[Array],
    outputs: Sequence[Array],
    *,
    reduced: frozenset[int] = frozenset(),
    numbers: Sequence[Any] = (),
    dense: bool = True,
) -> None:
    """Run `program` over `shape`, reducing the dimensions `reduced`.

    Inputs broadcast to `shape`. Outputs are new contiguous arrays in the order of the iteration if `dense`: of the whole `shape`,
    or of the kept dimensions where a row is stored; otherwise any arrays of `shape`.
    """
    strided = [strides_in(a, shape) for a in inputs]
    level, of_row = program.levels()
    rows_only = program.reduces() and all(of_row[value] for value, _ in program.stores)
    if program.reduces() and not rows_only:
        dense = False
    if not dense:
        strided += [strides_in(a, shape) for a in outputs]
    dims = [Dim(n, tuple(s[d] for s in strided)) for d, n in enumerate(shape)]
    kept = merged([d for i, d in enumerate(dims) if i not in reduced])
    away = merged([d for i, d in enumerate(dims) if i in reduced])
    rows, length = math.prod(d.size for d in kept), math.prod(d.size for d in away)
    if not rows or (not length and not rows_only):
        return
    lanes, schedule = _choose(runtime, program, kept, away, rows, length)
    inner = kept if lanes == "K" else away
    last = inner[-1] if inner else Dim(1, (0,) * len(strided))
    kept_outer = kept[:-1] if lanes == "K" else kept
    away_outer = away if lanes == "K" else away[:-1]
    letters = "".join("c" if s == 1 or last.size == 1 else "s" if s == 0 else "g" for s in last.strides)
    stores = "=" * len(outputs) if dense else letters[len(inputs) :]
    if not dense:  # a store of one place per lane would be written by all of them
        stores = stores.replace("s", "g")
    offsets = any(a.offset for a in (*inputs, *outputs))
    parts = _parts(runtime, program, lanes, rows, length, last.size, away, rows_only, max(level, default=0))
    layout = Layout(schedule, lanes, len(kept_outer), len(away_outer), letters[: len(inputs)], stores, offsets, parts > 1)
    arguments: list[Any] = [last.size, *(d.size for d in kept_outer), *(d.size for d in away_outer)]
    if parts > 1:
        _run_in_parts(
            runtime, program, layout, arguments, parts, inputs, outputs, kept_outer, away_outer, last, lanes, rows, numbers
        )
        return
    _append_arrays(arguments, inputs, outputs, layout, kept_outer, away_outer, last)
    kernel, group = compiled(runtime, program, layout)
    runtime.launch(kernel, _items(layout, rows, last.size, 1), group, *arguments, *numbers)


def _append_arrays(
    arguments: list[Any],
    inputs: Sequence[Array],
    outputs: Sequence[Array],
    layout: Layout,
    kept: Sequence[Dim],
    away: Sequence[Dim],
    last: Dim,
) -> None:
    for i, (array, letter) in enumerate(zip((*inputs, *outputs), layout.loads + layout.stores, strict=True)):
        arguments.append(array.buffer)
        if layout.offsets:
            arguments.append(array.offset)
        if letter != "=":
            arguments += [d.strides[i] for d in kept] + [d.strides[i] for d in away]
            if letter == "g":
                arguments.append(last.strides[i])


def _items(layout: Layout, rows: int, lanes: int, parts: int) -> tuple[int, int]:
    group, _ = group_size(layout)
    if layout.lanes == "R":
        return (rows * group if layout.schedule == "gpu" else -(-rows // group) * group), parts
    width = 16 if layout.schedule == "cpu" else 1
    return -(-(rows // lanes * -(-lanes // width)) // group) * group, parts


def _choose(runtime: Runtime, program: Program, kept: list[Dim], away: list[Dim], rows: int, length: int) -> tuple[str, str]:
    """Which kind of dimension carries the lanes, and the schedule."""
    schedule = runtime.schedule
    if not program.reduces():
        if schedule == "cpu" and kept and kept[-1].size < 8 and len(kept) > 1:
            schedule = "gpu"  # most lanes of a vector would be idle: an element per item
        return "K", schedule
    if not away:
        return "K", schedule
    if not kept:
        return "R", schedule
    if schedule == "gpu":
        return ("R" if length >= 64 and (away[-1].strides[0] == 1 or rows < 4096) else "K"), schedule
    if away[-1].strides[0] == 1 and away[-1].size >= 8:
        return "R", schedule
    return ("K" if kept[-1].size >= 8 or away[-1].size < 8 else "R"), schedule


def _parts(
    runtime: Runtime, program: Program, lanes: str, rows: int, length: int, n: int, away: list[Dim], rows_only: bool, level: int
) -> int:
    """Into how many parts a reduction is cut, so that there is work for all cores."""
    if not rows_only or level != 1 or program.kept is not None or rows * length < SPLIT:
        return 1
    items = rows if lanes == "R" else -(-rows // 16) if runtime.schedule == "cpu" else rows // GPU_GROUP + 1
    wanted = 32 if runtime.schedule == "cpu" else 512
    outer = away[0].size if lanes == "K" or len(away) > 1 else n // 64
    return max(1, min(wanted // items, outer, rows * length // (SPLIT // 4)))


GPU_GROUP = 256


def _run_in_parts(
    runtime: Runtime,
    program: Program,
    layout: Layout,
    arguments: list[Any],
    parts: int,
    inputs: Sequence[Array],
    outputs: Sequence[Array],
    kept: Sequence[Dim],
    away: Sequence[Dim],
    last: Dim,
    lanes: str,
    rows: int,
    numbers: Sequence[Any],
) -> None:
    """First the reductions of every part, then those of the parts, and what follows."""
    first, second = program.halves()
    outer = away[0].size if away else last.size
    part = -(-outer // parts)
    if not away:
        part = -(-part // 16) * 16
    parts = -(-outer // part)
    n = last.size if lanes == "K" else 1
    shape = (rows // n, parts, n)
    partial = [runtime.empty(shape, np.dtype(d), math.prod(shape)) for _, d in first.stores]
    layout = layout._replace(stores="=" * len(partial))
    arguments.append(part)
    _append_arrays(arguments, inputs, partial, layout, kept, away, last)
    kernel, group = compiled(runtime, first, layout)
    runtime.launch(kernel, _items(layout, rows, last.size, parts), group, *arguments, *numbers)
    run(runtime, second, shape, partial, outputs, reduced=frozenset({1}), numbers=numbers)


# ------------------------------------------------------------------------------------------------------- as kernels want it


def programs(runtime: Runtime, key: Any, factory: Callable[[Program], None]) -> Program:
    """The program that `factory` writes, written once per key."""
    found = runtime.kernels.get(key)
    if found is None:
        found = Program()
        factory(found)
        runtime.kernels[key] = found
    return found


def contiguous(runtime: Runtime, array: Array) -> Array:
    """The array itself if it is contiguous, else a copy."""
    return array if array.strides is None else copied(runtime, array)


def copied(runtime: Runtime, array: Array, dtype: np.dtype[Any] | None = None) -> Array:
    """A new contiguous array with the same values, cast to `dtype`."""
    target = dtype or array.dtype
    source_name, name = array.dtype.name, target.name

    def factory(p: Program) -> None:
        x = p.load(source_name)
        p.store(x, name)

    program = programs(runtime, ("copy", source_name, name), factory)
    result = runtime.empty(array.shape, target, array.size)
    run(runtime, program, array.shape, [array], [result])
    return result


def write(runtime: Runtime, target: Array, source: Array) -> None:
    """`source`, broadcast and cast, into the memory of `target`."""
    source_name, name = source.dtype.name, target.dtype.name
    program = programs(runtime, ("copy", source_name, name), lambda p: p.store(p.load(source_name), name))
    run(runtime, program, target.shape, [source], [target], dense=False)
