"""The calls that a backend is tried on: every sample of the op table in every dtype, and sizes next to those of vectors."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, final

import numpy as np

from ..autograd.modes import no_grad
from ..device import KernelTable, device
from ..dispatch import run
from ..dtypes import ALL, dtype
from ..errors import FrazilError
from ..recorder.trace import Program, trace
from ..state import STATE
from ..table import OPS, Op, S, Spec, bools, floats, ints
from ..tensor import Tensor, wrap
from .kernels import kernel_arguments
from .reference import OF_DTYPE, REFERENCE, compute

#: Dtypes that floats of a sample take, the widest last.
FLOATS = ("float16", "float32", "float64")

# ------------------------------------------------------------------------------------------------------------- more samples

#: Next to a multiple of every usual vector and work-group length.
_LENGTHS = (1, 7, 33, 257, 1023)

#: An order among equals can only be seen where there are equals.
_TIES = ints(9, 17, low=0, high=3)


def _elementwise(op: Op) -> bool:
    """Whether the op takes tensors of any shape that broadcast, and no attributes, so that any shape is a sample."""
    subject = op.fn.__module__.rpartition(".")[2]
    plain = not op.attributes and not op.packed and op.name != "prelu"
    return plain and subject in ("elementwise", "special", "activation") and op.promote is not None


def _more(op: Op) -> Iterator[S]:
    """Samples beside those of the table: odd sizes, broadcasting, ties."""
    if _elementwise(op):
        args = next((s.args for s in op.samples if all(a is not None and a.values is None for a in s.args)), None)
        if args is None:
            return
        for n in _LENGTHS:
            yield S(*(a._replace(shape=(n,)) for a in args), grad=False)
        if len(args) == 2:
            a, b = args
            for left, right in (((5, 1, 3), (7, 1)), ((1,), (2, 9)), ((3, 33), ()), ((4, 1), (4, 65))):
                yield S(a._replace(shape=left), b._replace(shape=right), grad=False)
    yield from _MORE.get(op.name, ())


_REDUCED = [S((7, 129), dim=d, grad=False) for d in (0, 1)] + [S((3, 5, 9), dim=(0, 2), grad=False), S((1025,), grad=False)]
_NEAR_ONE = [S(floats(*s.args[0].shape, low=0.9, high=1.1), **s.attrs) for s in _REDUCED]
_TRUTH = [S(bools(7, 129), dim=1), S(bools(7, 129), dim=0), S(bools(1025))]
_FIRST_OF = [S(_TIES, dim=0, grad=False), S(_TIES, dim=1, grad=False), S(_TIES, grad=False)]
_RUNNING = [S(floats(7, 129, low=0.9, high=1.1), dim=d, grad=False) for d in (0, 1)]
_ALONG = [S((7, 129), dim=d, grad=False) for d in (0, 1)]

_MORE: dict[str, Sequence[S]] = {
    "sum": _NEAR_ONE,
    "prod": _NEAR_ONE,
    "mean": _NEAR_ONE,
    "amax": _REDUCED,
    "amin": _REDUCED,
    "all": _TRUTH,
    "any": _TRUTH,
    "argmax": _FIRST_OF,
    "argmin": _FIRST_OF,
    "sort_values": [S(_TIES, dim=d, descending=down, grad=False) for d in (0, 1) for down in (False, True)],
    "topk_values": [S(_TIES, k=5, dim=1, largest=large, grad=False) for large in (False, True)],
    "max_pool_indices": [
        S.of(
            np.array([[[[1, 1, 0, 2, 2], [1, 1, 0, 2, 2], [0, 0, 0, 0, 0]]]], float),
            kernel_size=(2, 2), stride=(1, 1), padding=(0, 0), dilation=(1, 1), ceil_mode=False,
        )
    ],
    "cumsum": _RUNNING,
    "cumprod": _RUNNING,
    "softmax": _ALONG,
    "log_softmax": _ALONG,
    "relu_grad": [S.of([1.0, 2.0, 3.0, 4.0], [0.0, -1.0, 2.0, 0.0])],
    "matmul": [S((33, 17), (17, 65), grad=False), S((1, 257), (257, 1), grad=False), S((3, 5, 7), (7, 9), grad=False)],
}  # fmt: skip


@cache
def samples_of(name: str) -> tuple[S, ...]:
    """The samples of an op: those of the table first, in their order."""
    op = OPS[name]
    return (*op.samples, *_more(op))


#: Ops that no program sees, of which NumPy's kernels order complex numbers.
_OF_ORDER = ("relu_grad", "first_above")


# -------------------------------------------------------------------------------------------------------------------- layouts


def plain(a: np.ndarray, d: device) -> Tensor:
    """The array on the device."""
    return wrap(d.from_host(np.array(a, order="C")), d)


def transposed(a: np.ndarray, d: device) -> Tensor:
    """The same values, as a view of memory in which the first dimension is the fastest."""
    return run(OPS["permute"], [plain(a.T, d)], {"dims": tuple(reversed(range(a.ndim)))}, d)


def every_second(a: np.ndarray, d: device) -> Tensor:
    """The same values, as a view of every second element of a larger memory."""
    wide = a
    for axis in range(a.ndim):
        wide = np.repeat(wide, 2, axis)
    attrs = {"starts": (1,) * a.ndim if a.size else (0,) * a.ndim, "stops": wide.shape, "steps": (2,) * a.ndim}
    return run(OPS["slice"], [plain(wide, d)], attrs, d)


#: How values lie in the memory of a device whose views share memory.
LAYOUTS: dict[str, Callable[[np.ndarray, device], Tensor]] = {
    "plain": plain,
    "transposed": transposed,
    "every_second": every_second,
}

# ---------------------------------------------------------------------------------------------------------------------- cases


@final
@dataclass(frozen=True)
class Case:
    """A sample of an op, with the dtype that its floats take; an integer dtype is taken by floats and integers."""

    name: str
    position: int
    dtype: str

    def __str__(self) -> str:
        written = self.floats or self.dtype != "float32"
        return f"{self.name}-{self.position}" + (f"-{self.dtype}" if written else "")

    @property
    def op(self) -> Op:
        return OPS[self.name]

    @property
    def sample(self) -> S:
        return samples_of(self.name)[self.position]

    @property
    def floats(self) -> bool:
        return ALL[self.dtype].kind == "f" and any(a is not None and a.kind == "f" for a in self.sample.args)

    @property
    def given(self) -> bool:
        """Return whether the sample stands in the table, and is not one of ours."""
        return self.position < len(self.op.samples)

    @cached_property
    def arrays(self) -> list[np.ndarray | None]:
        """The inputs. Not to be written to."""
        if ALL[self.dtype].kind == "f":
            return self.sample.arrays(0, self.dtype)
        sign = np.asarray if ALL[self.dtype].is_signed else np.abs

        def whole(a: np.ndarray) -> np.ndarray:
            return sign(np.trunc(3 * a) if a.dtype.kind == "f" else a).astype(self.dtype)

        return [a if a is None or a.dtype.kind == "b" else whole(a) for a in self.sample.arrays(0)]

    def tensors(self, d: device, layout: Callable[[np.ndarray, device], Tensor] = plain) -> list[Tensor | None]:
        """The inputs on a device."""
        return [None if a is None else layout(a, d) for a in self.arrays]

    def call(self, d: device, *tensors: Tensor | None) -> tuple[Tensor, ...]:
        """The results, always as a tuple."""
        if not self.op.tensors:
            results = run(self.op, [], self.sample.attrs, d)
        else:
            results = self.op.call(*packed(self.op, tensors), **self.sample.attrs)
        return results if self.op.outputs > 1 else (results,)

    def differentiable(self, i: int) -> bool:
        """Return whether a gradient with respect to tensor i is defined."""
        arg = self.sample.args[i]
        if not self.sample.grad or arg is None or arg.kind != "f":
            return False
        plans = self.op.vjp_plans
        return self.op.joint or not plans or i >= len(plans) or plans[i] is not None

    def recorded(self, d: device, **options: Any) -> Program:
        """The call on the device as a program of the tensors that are given."""
        given = [t for t in self.tensors(d) if t is not None]

        def program(*stand_ins: Tensor) -> Any:
            rest = iter(stand_ins)
            where = d if STATE.recorder is None else STATE.recorder.device
            return self.call(where, *(None if a is None else next(rest) for a in self.arrays))

        names = [f"x{i}_" for i in range(len(given))]
        return trace(program, tuple(given), input_names=names, **options)

    @cached_property
    def specs(self) -> list[Spec]:
        """Shape and dtype of every result, by the rules; the number of a `nonzero` is a symbol."""
        return [v.spec for v in self.recorded(device("cpu"), dynamic_shapes=None).graph.outputs]

    @cached_property
    def defined(self) -> bool:
        """Return whether the rule of the op allows the dtype."""
        try:
            return bool(self.specs)
        except FrazilError:
            return False

    @cached_property
    def expected(self) -> list[np.ndarray]:
        """The results by the float64 reference, in the dtypes of the results."""
        cpu = device("cpu")
        if self.name in REFERENCE:
            _, attributes = kernel_arguments(self.op, *packed(self.op, self.tensors(cpu)), **self.sample.attrs)
            wide = self.arrays if self.name in OF_DTYPE else [_wide(a) for a in self.arrays]
            left_out = [None] * (0 if self.op.packed else len(self.op.tensors) - len(wide))
            results = compute(self.name, *wide, *left_out, **attributes)
        else:  # the op of a plugin: its body, or its own kernel, on the CPU
            with no_grad():
                results = tuple(y.numpy() for y in self.call(cpu, *self.tensors(cpu)))
            results = results if self.op.outputs > 1 else results[0]
        with np.errstate(all="ignore"):
            return [
                np.asarray(y).astype(s.dtype.numpy)
                for y, s in zip(results if self.op.outputs > 1 else (results,), self.specs, strict=True)
            ]

    @cached_property
    def complex_arrays(self) -> list[np.ndarray | None]:
        """The inputs with complex numbers in the place of floats, in complex128. Not to be written to."""
        rng = np.random.default_rng(self.position)
        return [
            a + 1j * rng.uniform(-2, 2, a.shape) if a is not None and a.dtype.kind == "f" else a for a in self.sample.arrays(0)
        ]

    def of_complex(self, d: device, dtype: str) -> tuple[Tensor, ...]:
        """The results for complex inputs of a dtype."""
        arrays = [a.astype(dtype) if a is not None and a.dtype.kind == "c" else a for a in self.complex_arrays]
        return self.call(d, *(None if a is None else plain(a, d) for a in arrays))

    @cached_property
    def expected_of_complex(self) -> tuple[Tensor, ...] | None:
        """The results for complex inputs by NumPy in complex128; None where the op has none, or by an order alone, which complex
        numbers do not have."""
        if self.name in _OF_ORDER or self.op.fn.__module__.rpartition(".")[2] in ("recurrent", "optim"):
            return None
        try:
            with no_grad(), np.errstate(all="ignore"):
                return self.of_complex(device("cpu"), "complex128")
        except FrazilError:
            return None

    @cached_property
    def outer_dtypes(self) -> frozenset[str]:
        """Names of the dtypes of inputs, attributes and results."""
        of_inputs = {a.dtype.name for a in self.arrays if a is not None}
        of_attributes = {v.name for v in self.sample.attrs.values() if isinstance(v, dtype)}
        return frozenset(of_inputs | of_attributes | {s.dtype.name for s in self.specs})

    @cached_property
    def inner_dtypes(self) -> frozenset[str]:
        """Names of all dtypes that come up where the op runs through its body."""
        cpu = device("cpu")
        with no_grad(), kernels_seen(cpu) as seen, without_fast_kernels(cpu):
            self.call(cpu, *self.tensors(cpu))
        return frozenset(seen.dtypes) | self.outer_dtypes


def _wide(a: np.ndarray | None) -> np.ndarray | None:
    """As the reference takes it."""
    return a if a is None or a.dtype.kind not in "fiu" else a.astype(np.float64 if a.dtype.kind == "f" else np.int64)


def packed(op: Op, tensors: Sequence[Any]) -> list[Any]:
    """Positional arguments for a call: an op that takes a sequence of tensors gets one."""
    if not op.packed:
        return list(tensors)
    head = len(op.tensors) - 1
    return [*tensors[:head], list(tensors[head:])]


@cache
def case(name: str, position: int, dtype: str = "float32") -> Case:
    """The case of these coordinates; one object, so what it knows is computed once."""
    return Case(name, position, dtype)


def cases(dtypes: Sequence[str], *, keep: Callable[[Case], bool] = lambda c: True) -> Iterator[Case]:
    """All samples of all ops, in all floating dtypes given. Samples without floats come once."""
    for name in OPS:
        for position in range(len(samples_of(name))):
            for i, name_of_dtype in enumerate(dtypes):
                found = case(name, position, name_of_dtype)
                if (not i or found.floats) and keep(found):
                    yield found


# -------------------------------------------------------------------------------------------------------------- kernel tables


@final
class Seen:
    """Names of what ran on a device: names of ops that have a kernel, names of dtypes of results."""

    def __init__(self) -> None:
        self.ops: set[str] = set()
        self.dtypes: set[str] = set()


class _Watched(KernelTable):
    """A kernel table that tells what is taken from it."""

    def __init__(self, d: device, seen: Seen, below: KernelTable) -> None:
        super().__init__(d)
        self._seen = seen
        self._below = below

    def __missing__(self, name: str) -> Any:
        kernel = self._below[name]
        if kernel is None or name not in OPS:
            return kernel

        def watched(*arrays: Any, **attrs: Any) -> Any:
            self._seen.ops.add(name)
            results = kernel(*arrays, **attrs)
            for y in results if isinstance(results, tuple) else (results,):
                self._seen.dtypes.add(self._device.native[y.dtype].name)
            return results

        self[name] = watched
        return watched

    def get(self, name: str, default: Any = None) -> Any:
        return self[name] if name in self._below and name in OPS else self._below.get(name, default)


class _Plain(KernelTable):
    """A kernel table without fast kernels: every composite runs its body."""

    def __init__(self, d: device, below: KernelTable) -> None:
        super().__init__(d)
        self._below = below

    def __missing__(self, name: str) -> Any:
        return None if name in OPS and OPS[name].body is not None else self._below[name]

    def get(self, name: str, default: Any = None) -> Any:
        return None if name in OPS and OPS[name].body is not None else self._below.get(name, default)


@contextmanager
def _table(d: device, table: KernelTable) -> Iterator[None]:
    before, d.kernels = d.kernels, table
    try:
        yield
    finally:
        d.kernels = before


@contextmanager
def kernels_seen(d: device) -> Iterator[Seen]:
    """Collect what runs on `d` inside.

    >>> import frazil as fz
    >>> with kernels_seen(device("cpu")) as seen:
    ...     fz.ones(2) + 1
    tensor([2., 2.])
    >>> sorted(seen.ops)
    ['add', 'fill']
    """
    seen = Seen()
    d.open()
    with _table(d, _Watched(d, seen, d.kernels)):
        yield seen


@contextmanager
def without_fast_kernels(d: device) -> Iterator[None]:
    """Inside, every composite runs its body on `d`."""
    d.open()
    with _table(d, _Plain(d, d.kernels)):
        yield
