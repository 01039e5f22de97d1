"""Sorting by merging runs, and the positions of true elements. Equal elements keep their order; NaN is the largest."""

from __future__ import annotations

from functools import cache

import numpy as np

from ..dialect import C_TYPES, kind_of
from ..texts import Text, kernel, read, register, write
from .iterate import at, contiguous, copied, new, run_text
from .runtime import Array, Kernel, Runtime
from .scan import cumulative

_INT32, _INT64 = np.dtype(np.int32), np.dtype(np.int64)
#: Elements that one item sorts by insertion before runs are merged.
RUN = 16


# -------------------------------------------------------------------------------------------------------------------- texts


def _order(dtype: str, descending: bool) -> str:
    """The function `before(a, b)`."""
    comes = f"(a {'>' if descending else '<'} b)"
    if kind_of(dtype) == "f":
        comes = "(a > b || (a != a && b == b))" if descending else "(a < b || (b != b && a == a))"
    r = register(dtype)
    return f"DEVICE int before({r} a, {r} b) {{ return {comes}; }}"


@cache
def sort_runs(dtype: str, descending: bool) -> Text:
    """The order within every run of RUN elements of rows of n: an item per run."""
    key = read(dtype, "x", "base + at")
    return kernel(
        f"int n, int runs, const {C_TYPES[dtype]}* x, int offset, int* order",
        f"""  int row = item / runs, first = item % runs * {RUN}, base = offset + row * n;
  int last = min(first + {RUN}, n);
  order += row * n;
  for (int i = first; i < last; ++i) {{
    int at = i, j = i;
    {register(dtype)} key = {key};
    for (; j > first; --j) {{
      at = order[j - 1];
      if (!before(key, {key})) break;
      order[j] = at;
    }}
    order[j] = i;
  }}""",
        _order(dtype, descending),
    )


@cache
def merge_runs(dtype: str, descending: bool) -> Text:
    """Runs of `width` merged by twos: an item per element finds its place in the other run by bisection."""
    return kernel(
        f"int n, int width, const {C_TYPES[dtype]}* x, int offset, const int* order, int* merged",
        f"""  int row = item / n, p = item % n, run = p / width, own = run * width;
  int base = offset + row * n;
  order += row * n;
  int other = (run ^ 1) * width, low = min(other, n), high = min(other + width, n), from = low;
  {register(dtype)} key = {read(dtype, "x", "base + order[p]")};
  while (low < high) {{
    int middle = (low + high) / 2;
    {register(dtype)} v = {read(dtype, "x", "base + order[middle]")};
    if ((run & 1) ? !before(key, v) : before(v, key)) low = middle + 1; else high = middle;
  }}
  merged[row * n + min(own, other) + (p - own) + (low - from)] = order[p];""",
        _order(dtype, descending),
    )


@cache
def take_sorted(dtype: str) -> Text:
    """The first k of every row in order: values and int64 positions."""
    t = C_TYPES[dtype]
    value = read(dtype, "x", "offset + row * n + at")
    return kernel(
        f"int n, int k, const {t}* x, int offset, const int* order, {t}* values, i64* positions",
        f"""  int row = item / k, at = order[row * n + item % k];
  {write(dtype, "values", "item", value)};
  positions[item] = at;""",
    )


@cache
def true_positions(rank: int) -> Text:
    """The coordinates of true elements, in order; `count` holds how many there are up to and including each element."""
    coordinates = "\n".join(f"    y[at * {rank} + {d}] = left % n{d}; left /= n{d};" for d in reversed(range(rank)))
    sizes = "".join(f"int n{d}, " for d in range(rank))
    return kernel(
        f"{sizes}const u8* x, int offset, const i64* count, i64* y",
        f"""  if (x[offset + item]) {{
    i64 at = count[item] - 1;
    int left = item;
{coordinates}
  }}""",
    )


# ------------------------------------------------------------------------------------------------------------------ kernels


def kernels(runtime: Runtime) -> dict[str, Kernel]:
    """Kernels of sorting, and of positions."""
    sort = _Sort(runtime)
    return {name: getattr(sort, name) for name in ("sort_values", "topk_values", "nonzero_positions")}


class _Sort:
    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime

    def ordered(self, x: Array, k: int, dim: int, descending: bool) -> tuple[Array, Array]:
        """The first k along `dim` and where they were."""
        runtime = self.runtime
        if not x.shape:
            return copied(runtime, x), runtime.upload(np.zeros((), np.int64))
        dims = [*(d for d in range(len(x.shape)) if d != dim % len(x.shape)), dim % len(x.shape)]
        rows = contiguous(runtime, self._permuted(x, dims))
        shape = (*rows.shape[:-1], k)
        values, positions = new(runtime, shape, x.dtype), new(runtime, shape, _INT64)
        if values.size:
            n, order = rows.shape[-1], self._order(rows, descending)
            results = [runtime.address(a) for a in (order, values, positions)]
            run_text(runtime, take_sorted(x.dtype.name), values.size, n, k, *at(runtime, rows), *results)
        back = [dims.index(d) for d in range(len(dims))]
        return contiguous(runtime, self._permuted(values, back)), contiguous(runtime, self._permuted(positions, back))

    def _permuted(self, x: Array, dims: list[int]) -> Array:
        steps = self.runtime.steps(x)
        return self.runtime.view(x, tuple(x.shape[d] for d in dims), tuple(steps[d] for d in dims))

    def _order(self, rows: Array, descending: bool) -> Array:
        """For every row of a contiguous array the positions of its elements in order."""
        runtime, n, name = self.runtime, rows.shape[-1], rows.dtype.name
        order, spare = (new(runtime, rows.shape, _INT32) for _ in range(2))
        runs, given = -(-n // RUN), at(runtime, rows)
        run_text(runtime, sort_runs(name, descending), rows.size // n * runs, n, runs, *given, runtime.address(order))
        width = RUN
        while width < n:
            both = runtime.address(order), runtime.address(spare)
            run_text(runtime, merge_runs(name, descending), rows.size, n, width, *given, *both)
            order, spare, width = spare, order, 2 * width
        return order

    def sort_values(self, x: Array, *, dim: int = -1, descending: bool = False, stable: bool = True) -> tuple[Array, Array]:
        return self.ordered(x, x.shape[dim] if x.shape else 1, dim, descending)

    def topk_values(self, x: Array, *, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> tuple[Array, Array]:
        if x.shape and not 0 <= k <= x.shape[dim]:
            raise ValueError(f"k={k} of {x.shape[dim]}")
        return self.ordered(x, k, dim, largest)

    def nonzero_positions(self, x: Array) -> Array:
        runtime, rank = self.runtime, len(x.shape)
        mask = copied(runtime, x, np.dtype(bool))
        if not x.size or not rank:
            return runtime.upload(np.argwhere(runtime.download(mask)).astype(np.int64))
        counts = new(runtime, (x.size,), _INT64)
        run_text(runtime, cumulative("sum", "bool", "int64"), 1, x.size, 1, *at(runtime, mask), runtime.address(counts))
        found = int(runtime.download(runtime.view(counts, (1,), (1,), x.size - 1))[0])
        y = new(runtime, (found, rank), _INT64)
        given = [*x.shape, *at(runtime, mask), runtime.address(counts), runtime.address(y)]
        run_text(runtime, true_positions(rank), x.size, *given)
        return y
