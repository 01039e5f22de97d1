"""Running a rendered program over arrays: which dimension carries the lanes, which dimensions are one, and the launch.

Everything but addresses and offsets depends only on shapes and strides, so it is worked out once for each, and kept.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from frazil.errors import ShapeError

from ..dialect import REGISTER
from ..dims import Dim, merged
from ..loops import GROUP, Layout, group_size, lanes_of, render
from ..program import Program
from ..texts import GROUP as TEXT_GROUP
from ..texts import Text
from .runtime import Array, Kernel, Runtime, Sizes

#: Kernels count in 32 bits.
MOST = 2**31 - 1
#: Plans kept per device: programs whose sizes always change must not pile them up.
_PLANS = 8192
#: Elements of a reduction from which it is cut into parts when there are few rows.
SPLIT = 1 << 15
#: How many work-items (cpu) or groups (gpu) keep all cores busy.
_BUSY = {"cpu": 32, "gpu": 512}
_INT = np.dtype(np.int32)


class _Parts(NamedTuple):
    """A reduction in two steps: the plan fills partial results, over which the second program goes."""

    shape: Sizes
    dtypes: tuple[np.dtype[Any], ...]
    second: Program


class _Plan(NamedTuple):
    """A launch but for its addresses, offsets and numbers. `places` says which arguments are the arrays."""

    program: Program  # kept, so that no other gets its id
    function: Any = None  # None: there is nothing to do
    items: Sizes = ()
    group: Sizes = ()
    arguments: tuple[Any, ...] = ()
    places: Sizes = ()
    parts: _Parts | None = None


def run(
    runtime: Runtime,
    program: Program,
    shape: Sizes,
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
    arrays = (*inputs, *outputs)
    offsets = any(map(runtime.offset, arrays))
    key = (id(program), shape, reduced, dense, offsets, *[(a.shape, a.strides) for a in arrays])
    plan: _Plan | None = runtime.kept.get(key)
    if plan is None:
        if len(runtime.kept) > _PLANS:
            for old in [k for k, v in list(runtime.kept.items()) if isinstance(v, _Plan)]:
                runtime.kept.pop(old, None)
        plan = runtime.kept[key] = _Planner(runtime, program, shape, inputs, outputs, reduced, dense, offsets).plan()
    if plan.function is None:
        return
    if plan.parts is None:
        _launch(runtime, plan, arrays, offsets, numbers)
        return
    partial = [runtime.empty(plan.parts.shape, dtype, math.prod(plan.parts.shape)) for dtype in plan.parts.dtypes]
    _launch(runtime, plan, (*inputs, *partial), offsets, numbers)
    run(runtime, plan.parts.second, plan.parts.shape, partial, outputs, reduced=frozenset({1}), numbers=numbers)


def _launch(runtime: Runtime, plan: _Plan, arrays: Sequence[Array], offsets: bool, numbers: Sequence[Any]) -> None:
    arguments = [*plan.arguments, *map(number, numbers, plan.program.numbers)]
    for place, array in zip(plan.places, arrays, strict=True):
        arguments[place] = runtime.address(array)
        if offsets:
            arguments[place + 1] = runtime.offset(array)
    runtime.launch(plan.function, plan.items, plan.group, *arguments)


def number(value: Any, dtype: str) -> Any:
    """A number for a launch, as a NumPy scalar of the parameter's type; integers that do not fit wrap."""
    kind = _kind(dtype)
    try:
        return kind(value)
    except OverflowError:
        return np.asarray(value).astype(kind)[()]


@functools.cache
def _kind(dtype: str) -> Any:
    return np.dtype(dtype).type


def strides_in(runtime: Runtime, array: Array, shape: Sizes) -> Sizes:
    """Strides of `array` broadcast to `shape`, in elements."""
    own = tuple(0 if n == 1 else s for n, s in zip(array.shape, runtime.steps(array), strict=True))
    return (0,) * (len(shape) - len(own)) + own


class _Planner:
    """Works out the plan of one launch."""

    def __init__(
        self,
        runtime: Runtime,
        program: Program,
        shape: Sizes,
        inputs: Sequence[Array],
        outputs: Sequence[Array],
        reduced: frozenset[int],
        dense: bool,
        offsets: bool,
    ) -> None:
        self.runtime, self.program, self.offsets = runtime, program, offsets
        self.inputs, self.outputs = len(inputs), len(outputs)
        level, of_row = program.levels()
        self.level = max(level, default=0)
        self.rows_only = program.reduces() and all(of_row[value] for value, _ in program.stores)
        self.dense = dense and (self.rows_only or not program.reduces())
        strided = [strides_in(runtime, a, shape) for a in (inputs if self.dense else (*inputs, *outputs))]
        dims = [Dim(n, tuple(s[d] for s in strided)) for d, n in enumerate(shape)]
        self.kept = merged([d for i, d in enumerate(dims) if i not in reduced])
        self.away = merged([d for i, d in enumerate(dims) if i in reduced])
        self.rows, self.length = math.prod(d.size for d in self.kept), math.prod(d.size for d in self.away)

    def plan(self) -> _Plan:
        require_countable(self.rows * self.length)
        if not self.rows or (not self.length and not self.rows_only):
            return _Plan(self.program)
        lanes, schedule = self.choice()
        inner = self.kept if lanes == "K" else self.away
        last = inner[-1] if inner else Dim(1, (0,) * (self.inputs + (0 if self.dense else self.outputs)))
        kept = self.kept[:-1] if lanes == "K" else self.kept
        away = self.away if lanes == "K" else self.away[:-1]
        letters = "".join("c" if s == 1 or last.size == 1 else "s" if s == 0 else "g" for s in last.strides)
        # A store of one place per lane would be written by all of them.
        stores = "=" * self.outputs if self.dense else letters[self.inputs :].replace("s", "g")
        layout = Layout(schedule, lanes, len(kept), len(away), letters[: self.inputs], stores, self.offsets)
        arguments: list[Any] = [last.size, *(d.size for d in kept), *(d.size for d in away)]
        program, parts, blocks = self.program, None, self.parts(lanes, last.size)
        if blocks > 1:
            program, second = program.halves()
            outer = away[0].size if away else last.size
            part = -(-outer // blocks)
            if not away:
                part = -(-part // 16) * 16
            blocks = -(-outer // part)
            n = last.size if lanes == "K" else 1
            parts = _Parts((self.rows // n, blocks, n), tuple(np.dtype(d) for _, d in program.stores), second)
            layout = layout._replace(stores="=" * len(program.stores), split=True)
            arguments.append(part)
        places = []
        for i, letter in enumerate(layout.loads + layout.stores):
            places.append(len(arguments))
            arguments += [None, 0] if self.offsets else [None]
            if letter != "=":
                arguments += [d.strides[i] for d in kept] + [d.strides[i] for d in away]
                if letter == "g":
                    arguments.append(last.strides[i])
        function, group = compiled(self.runtime, program, layout)
        items = (self.items(layout, last.size), blocks)
        return _Plan(self.program, function, items, group, tuple(arguments), tuple(places), parts)

    def items(self, layout: Layout, lanes: int) -> int:
        """Work-items, in whole groups."""
        group, _ = group_size(layout)
        if layout.lanes == "R":
            return self.rows * group if layout.schedule == "gpu" else -(-self.rows // group) * group
        width = lanes_of(layout.schedule, self.runtime.dialect)
        return -(-(self.rows // lanes * -(-lanes // width)) // group) * group

    def choice(self) -> tuple[str, str]:
        """Which kind of dimension carries the lanes, and the schedule."""
        schedule, kept, away = self.runtime.schedule, self.kept, self.away
        if not self.program.reduces():
            if schedule == "cpu" and kept and kept[-1].size < 8 and len(kept) > 1:
                schedule = "gpu"  # most lanes of a vector would be idle: an element per item
            return "K", schedule
        if not away:
            return "K", schedule
        if not kept:
            return "R", schedule
        if schedule == "gpu":
            return ("R" if self.length >= 64 and (away[-1].strides[0] == 1 or self.rows < 4096) else "K"), schedule
        if away[-1].strides[0] == 1 and away[-1].size >= 8:
            return "R", schedule
        return ("K" if kept[-1].size >= 8 or away[-1].size < 8 else "R"), schedule

    def parts(self, lanes: str, n: int) -> int:
        """Into how many parts a reduction is cut, so that there is work for all cores."""
        rows, away, schedule = self.rows, self.away, self.runtime.schedule
        if not self.rows_only or self.level != 1 or self.program.kept is not None or rows * self.length < SPLIT:
            return 1
        items = rows if lanes == "R" else -(-rows // 16) if schedule == "cpu" else rows // GROUP + 1
        outer = away[0].size if lanes == "K" or len(away) > 1 else n // 64
        return max(1, min(_BUSY[schedule] // items, outer, rows * self.length // (SPLIT // 4)))


def require_countable(elements: int) -> None:
    """Refuse what kernels cannot count."""
    if elements > MOST:
        raise ShapeError(f"a kernel goes over at most 2**31 - 1 elements; these are {elements}: work in parts")


def compiled(runtime: Runtime, program: Program, layout: Layout) -> tuple[Any, Sizes]:
    """The kernel for a program and a layout, built once, and how large its groups are."""
    key = (program.key, layout)
    found = runtime.kept.get(key)
    if found is None:
        function = runtime.compile(render(program, layout, runtime.dialect), argument_types(program, layout))
        found = runtime.kept[key] = function, group_size(layout)
    return found


def argument_types(program: Program, layout: Layout) -> list[Any]:
    """The types of the arguments of a rendered kernel: NumPy dtypes, None for an address."""
    types: list[Any] = [_INT] * (1 + layout.kept + layout.reduced + layout.split)
    for letter in layout.loads + layout.stores:
        types.append(None)
        count = layout.offsets + (0 if letter == "=" else layout.kept + layout.reduced + (letter == "g"))
        types += [_INT] * count
    return types + [np.dtype(d) for d in program.numbers]


# ------------------------------------------------------------------------------------------------------- as kernels want it


def program_of(runtime: Runtime, key: Any, write: Callable[[Program], None]) -> Program:
    """The program that `write` writes, written once per key."""
    found: Program | None = runtime.kept.get(key)
    if found is None:
        found = Program()
        write(found)
        runtime.kept[key] = found
    return found


def new(runtime: Runtime, shape: Sizes, dtype: Any) -> Array:
    """A new contiguous array with any values."""
    return runtime.empty(tuple(shape), np.dtype(dtype), math.prod(shape))


def over(
    runtime: Runtime, key: Any, write: Callable[[Program], None], shape: Sizes, inputs: Sequence[Array], **options: Any
) -> Any:
    """A new array of `shape` with what a program stores, or a tuple of them."""
    program = program_of(runtime, key, write)
    outputs = tuple(new(runtime, shape, dtype) for _, dtype in program.stores)
    run(runtime, program, shape, inputs, outputs, **options)
    return outputs[0] if len(outputs) == 1 else outputs


def contiguous(runtime: Runtime, array: Array) -> Array:
    """The array itself if it is contiguous, else a copy."""
    return array if runtime.is_contiguous(array) else copied(runtime, array)


def copied(runtime: Runtime, array: Array, dtype: np.dtype[Any] | None = None) -> Array:
    """A new contiguous array with the same values, cast to `dtype`."""
    result = runtime.empty(array.shape, array.dtype if dtype is None else dtype, array.size)
    run(runtime, _copying(runtime, array, result), array.shape, [array], [result])
    return result


def write(runtime: Runtime, target: Array, source: Array) -> None:
    """`source`, broadcast and cast, into the memory of `target`."""
    run(runtime, _copying(runtime, source, target), target.shape, [source], [target], dense=False)


def _copying(runtime: Runtime, source: Array, target: Array) -> Program:
    names = source.dtype.name, target.dtype.name
    return program_of(runtime, ("copy", *names), lambda p: p.store(p.load(names[0]), names[1]))


def filled(runtime: Runtime, shape: Sizes, value: int, dtype: Any) -> Array:
    """A new array of one number, which is written into the kernel."""
    name = np.dtype(dtype).name
    return over(runtime, ("filled", value, name), lambda p: p.store(p.const(value, name), name), shape, [])


def shaped(runtime: Runtime, array: Array, shape: Sizes) -> Array:
    """A contiguous array with the same elements in another shape; a copy where `array` is not contiguous."""
    if math.prod(shape) != array.size:
        raise ValueError(f"{array.shape} does not fit {shape}")
    return runtime.reshaped(contiguous(runtime, array), tuple(shape))


def in_registers(runtime: Runtime, kernel: Kernel) -> Kernel:
    """`kernel`, with what is narrow cast before and after: for kernels of several launches, and those of libraries."""

    @functools.wraps(kernel)
    def call(*arrays: Array | None, **attrs: Any) -> Any:
        narrow: set[np.dtype[Any]] = {a.dtype for a in arrays if a is not None and a.dtype.name in REGISTER}
        if not narrow:
            return kernel(*arrays, **attrs)
        (dtype,) = narrow
        wide = np.dtype(REGISTER[dtype.name])
        found = kernel(*(copied(runtime, a, wide) if a is not None and a.dtype is dtype else a for a in arrays), **attrs)
        rounded = [copied(runtime, y, dtype) if y.dtype == wide else y for y in (found if isinstance(found, tuple) else (found,))]
        return tuple(rounded) if isinstance(found, tuple) else rounded[0]

    return call


# ------------------------------------------------------------------------------------------------- kernels written by hand


def at(runtime: Runtime, array: Array) -> tuple[Any, int]:
    """Return what a text is given for an array that it reads: address and offset."""
    return runtime.address(array), runtime.offset(array)


def run_text(runtime: Runtime, text: Text, items: int, *arguments: Any) -> None:
    """Launch a kernel written by hand, a work-item per item."""
    require_countable(items)
    if items:
        runtime.launch(text_kernel(runtime, text), (-(-items // TEXT_GROUP) * TEXT_GROUP,), (TEXT_GROUP,), items, *arguments)


def text_kernel(runtime: Runtime, text: Text) -> Any:
    """The kernel of a text, built once."""
    kernel = runtime.kept.get(text)
    if kernel is None:
        types = [None if a is None else np.dtype(a) for a in text.arguments]
        kernel = runtime.kept[text] = runtime.compile(text.in_dialect(runtime.dialect), types)
    return kernel
