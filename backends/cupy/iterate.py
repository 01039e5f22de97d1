"""Running a rendered program over arrays: which dimension the threads go along, which dimensions are one, and the launch.

Everything but the addresses depends only on shapes and strides, so it is worked out once for each and kept.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from frazil.errors import ShapeError

from ..render import CUDA, Layout, Program, group_size, render
from ..render.dims import Dim, merged
from ..render.program import REGISTER
from .runtime import Array, Function, Runtime

Sizes = tuple[int, ...]

#: Kernels count in 32 bits.
MOST = 2**31 - 1
#: Plans kept per device; programs whose sizes always change must not pile them up.
_PLANS = 8192
#: Elements of a reduction from which it is cut into parts when there are few rows, and how many groups fill a GPU.
_SPLIT, _GROUPS = 1 << 15, 512


class _Parts(NamedTuple):
    """A reduction in two steps: the first plan fills partial results, over which the second program goes."""

    shape: Sizes
    dtypes: tuple[str, ...]
    second: Program


class _Plan(NamedTuple):
    """A launch but for its addresses and numbers. `places` says which arguments are the arrays."""

    function: Function | None  # None: there is nothing to do
    groups: Sizes = ()
    threads: Sizes = ()
    arguments: tuple[Any, ...] = ()
    places: Sizes = ()
    parts: _Parts | None = None


_NOTHING = _Plan(None)


def run(
    runtime: Runtime,
    program: Program,
    shape: Sizes,
    inputs: Sequence[Array],
    outputs: Sequence[Array],
    *,
    reduced: Sizes = (),
    numbers: Sequence[Any] = (),
    dense: bool = True,
) -> None:
    """Run `program` over `shape`, reducing the dimensions `reduced`.

    Inputs broadcast to `shape`. Outputs are new contiguous arrays in the order of the iteration if `dense`: of the whole `shape`,
    or of the kept dimensions where a row is stored; otherwise any arrays of `shape`. `numbers` are NumPy scalars.
    """
    key = (id(program), shape, reduced, dense, *[(a.shape, a.strides) for a in (*inputs, *outputs)])
    plan: _Plan | None = runtime.kept.get(key)
    if plan is None:
        if len(runtime.kept) > _PLANS:
            for old in [k for k, v in runtime.kept.items() if isinstance(v, _Plan)]:
                del runtime.kept[old]
        plan = runtime.kept[key] = _planned(runtime, program, shape, inputs, outputs, frozenset(reduced), dense)
    if plan.function is None:
        return
    if plan.parts is None:
        _launch(plan, (*inputs, *outputs), numbers)
        return
    partial = [runtime.xp.empty(plan.parts.shape, dtype) for dtype in plan.parts.dtypes]
    _launch(plan, (*inputs, *partial), numbers)
    run(runtime, plan.parts.second, plan.parts.shape, partial, outputs, reduced=(1,), numbers=numbers)


def _launch(plan: _Plan, arrays: Sequence[Array], numbers: Sequence[Any]) -> None:
    arguments = [*plan.arguments, *numbers]
    for place, array in zip(plan.places, arrays, strict=True):
        arguments[place] = array
    assert plan.function is not None
    plan.function(plan.groups, plan.threads, arguments)


def strides_in(array: Array, shape: Sizes) -> Sizes:
    """Strides of `array` broadcast to `shape`, in elements."""
    size = array.dtype.itemsize
    own = tuple(0 if n == 1 else s // size for n, s in zip(array.shape, array.strides, strict=True))
    return (0,) * (len(shape) - len(own)) + own


def _planned(
    runtime: Runtime,
    program: Program,
    shape: Sizes,
    inputs: Sequence[Array],
    outputs: Sequence[Array],
    reduced: frozenset[int],
    dense: bool,
) -> _Plan:
    level, of_row = program.levels()
    rows_only = program.reduces() and all(of_row[value] for value, _ in program.stores)
    dense = dense and (rows_only or not program.reduces())
    strided = [strides_in(a, shape) for a in (inputs if dense else (*inputs, *outputs))]
    dims = [Dim(n, tuple(s[d] for s in strided)) for d, n in enumerate(shape)]
    kept = merged([d for i, d in enumerate(dims) if i not in reduced])
    away = merged([d for i, d in enumerate(dims) if i in reduced])
    rows, length = math.prod(d.size for d in kept), math.prod(d.size for d in away)
    if rows * length > MOST:
        raise ShapeError(
            f"a kernel of the cupy backend goes over at most 2**31 - 1 elements; these are {rows * length}: work in parts"
        )
    if not rows or (not length and not rows_only):
        return _NOTHING
    along = _along(program, kept, away, rows, length)
    inner = kept if along == "K" else away
    last = inner[-1] if inner else Dim(1, (0,) * len(strided))
    kept_outer = kept[:-1] if along == "K" else kept
    away_outer = away if along == "K" else away[:-1]
    letters = "".join("c" if s == 1 or last.size == 1 else "s" if s == 0 else "g" for s in last.strides)
    # A store of one place per lane would be written by all of them.
    stores = "=" * len(outputs) if dense else letters[len(inputs) :].replace("s", "g")
    layout = Layout("gpu", along, len(kept_outer), len(away_outer), letters[: len(inputs)], stores)
    arguments: list[Any] = [last.size, *(d.size for d in kept_outer), *(d.size for d in away_outer)]
    parts = None
    count = _parts(program, along, rows, length, last.size, away, rows_only, max(level, default=0))
    blocks = 1
    if count > 1:
        first, second = program.halves()
        outer = away[0].size if away_outer else last.size
        part = -(-outer // count)
        blocks = -(-outer // part)
        n = last.size if along == "K" else 1
        parts = _Parts((rows // n, blocks, n), tuple(d for _, d in first.stores), second)
        layout = layout._replace(stores="=" * len(first.stores), split=True)
        arguments.append(part)
        program = first
    places = []
    for i, letter in enumerate(layout.loads + layout.stores):
        places.append(len(arguments))
        arguments.append(None)
        if letter != "=":
            arguments += [d.strides[i] for d in kept_outer] + [d.strides[i] for d in away_outer]
            if letter == "g":
                arguments.append(last.strides[i])
    threads = group_size(layout)
    items = rows if along == "R" else -(-rows // threads[0])
    function = runtime.function(render(program, layout, CUDA))
    return _Plan(function, (items, blocks), threads, tuple(arguments), tuple(places), parts)


def _along(program: Program, kept: list[Dim], away: list[Dim], rows: int, length: int) -> str:
    """Whether neighbouring threads go along the kept dimensions (a result each) or share a row."""
    if not program.reduces() or not away:
        return "K"
    if not kept:
        return "R"
    return "R" if length >= 64 and (away[-1].strides[0] == 1 or rows < 4096) else "K"


def _parts(program: Program, along: str, rows: int, length: int, n: int, away: list[Dim], rows_only: bool, level: int) -> int:
    """Into how many parts a reduction is cut, so that there is work for the whole GPU."""
    if not rows_only or level != 1 or program.kept is not None or rows * length < _SPLIT:
        return 1
    groups = rows if along == "R" else -(-rows // 256)
    outer = away[0].size if along == "K" or len(away) > 1 else n // 64
    return max(1, min(_GROUPS // groups, outer, rows * length // (_SPLIT // 4)))


# ------------------------------------------------------------------------------------------------------- as kernels want it


def program_of(runtime: Runtime, key: Any, write: Callable[[Program], None]) -> Program:
    """The program that `write` writes, written once per key."""
    found: Program | None = runtime.kept.get(key)
    if found is None:
        found = Program()
        write(found)
        runtime.kept[key] = found
    return found


def number(value: Any, dtype: str) -> Any:
    """A number for a launch, as a NumPy scalar of the parameter's type."""
    return np.asarray(value).astype(REGISTER.get(dtype, dtype))[()]


def over(
    runtime: Runtime, key: Any, write: Callable[[Program], None], shape: Sizes, inputs: Sequence[Array], **options: Any
) -> Any:
    """New arrays of `shape` with what the program stores: one, or a tuple."""
    program = program_of(runtime, key, write)
    outputs = [runtime.xp.empty(shape, dtype) for _, dtype in program.stores]
    run(runtime, program, shape, inputs, outputs, **options)
    return outputs[0] if len(outputs) == 1 else tuple(outputs)


def over_text(runtime: Runtime, text: str, items: int, arguments: Sequence[Any], *, group: int = 256) -> None:
    """Launch a text written by hand, a thread per item."""
    if items > MOST:
        raise ShapeError(f"a kernel of the cupy backend goes over at most 2**31 - 1 elements; these are {items}: work in parts")
    if items:
        runtime.function(text)((-(-items // group),), (group,), arguments)
