"""What the conformance kit asks of a backend, tier by tier. Every check is a function of the device that raises when it fails.

lifecycle    the backend opens, says what it can do, and arrays travel
primitives   each against the float64 reference, in every dtype and memory layout; the dtype too, and whose memory it is
ops          each composite through its fast kernel and through its body
gradients    of order 1 and 2, against NumPy's in the widest dtype
recording    a recorded op gives what the op gives, and its exported file too
training     small models end with NumPy's losses and weights
"""

from __future__ import annotations

import difflib
import importlib
import io
import re
from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from .. import nn, optim
from ..autograd.engine import grad
from ..backend import CONTRACT, Capabilities
from ..creation import full, ones, tensor
from ..device import MEMORY_KERNELS, device
from ..dtypes import ALL, finfo, in_numpy, of_native
from ..errors import DTypeError, FrazilError
from ..explain import spec
from ..nn import functional as F
from ..random import manual_seed, rand, randint, randn, randperm
from ..serialization import load, save
from ..table import OPS, Op
from ..tensor import Tensor
from ..utils.data import DataLoader
from .cases import FLOATS, LAYOUTS, Case, case, cases, packed, plain, samples_of, without_fast_kernels
from .close import TOLERANCES, assert_close, bfloat16_apart
from .scripts import of_check, of_values

TIERS = ("lifecycle", "primitives", "ops", "gradients", "recording", "training")

#: What a device must have, or comparisons and indices have no dtype.
NEEDED_DTYPES = ("bool", "int64", "float32")

#: Kernels that a device may have and that are not ops, beside `MEMORY_KERNELS`.
MAY_HAVE = ("add_", "sub_", "mul_", "div_", "strides", "is_contiguous", "reinterpret")

#: float16 has 11 bits, and the errors of a few roundings add up.
ROUGH = {"float16": {"rtol": 1e-2, "atol": 2e-2}}


@final
@dataclass(frozen=True)
class Check:
    """One question to a backend: `function(device, *arguments)`."""

    tier: str
    name: str
    function: Callable[..., None]
    arguments: tuple[Any, ...] = ()
    basic: bool = False  # without it, nothing else makes sense

    def __str__(self) -> str:
        return f"{self.tier}/{self.name}"

    @property
    def op(self) -> str | None:
        """The op that is asked about."""
        name = next((a.name if isinstance(a, Case) else a for a in self.arguments), None)
        return name if name in OPS else None

    def run(self, d: device) -> None:
        """Raise where the answer is wrong."""
        self.function(d, *self.arguments)

    def script(self, d: device) -> str:
        """A program that asks the same question, and fails in the same way."""
        if self.function is values:
            return of_values(d, *self.arguments)
        return of_check(d, self.function.__name__, self.arguments)


# ------------------------------------------------------------------------------------------------------------------ lifecycle


def opens(d: device) -> None:
    """The backend opens and says who it is."""
    backend = d.open()
    assert backend.contract == CONTRACT, f"it was written for contract {backend.contract}, this frazil has contract {CONTRACT}"
    assert backend.device_type == d.type, f"device_type is {backend.device_type!r}, its device is {d.type!r}"
    count = backend.device_count()
    assert type(count) is int and count > d.number, f"device_count() gives {count!r}, asked for is device {d.number}"
    text = backend.describe(d.number)
    assert isinstance(text, str) and text and "\n" not in text, f"describe() must give one line of text, it gives {text!r}"
    info = dict(backend.memory_info(d.number))
    wrong = {k: v for k, v in info.items() if k not in ("used", "free", "total") or type(v) is not int or v < 0}
    assert not wrong, f"memory_info() gives bytes for 'used', 'free' and 'total'; not {wrong}"
    backend.synchronize(d.number)


def capabilities(d: device) -> None:
    """It has the dtypes that every program needs, and a native one for each it claims."""
    found = d.backend.capabilities(d.number)
    assert isinstance(found, Capabilities), f"capabilities() must give a Capabilities, it gives {found!r}"
    unknown = sorted(set(found.dtypes) - set(ALL))
    assert not unknown, f"capabilities() claims {', '.join(unknown)}; frazil knows {', '.join(ALL)}"
    missing = [name for name in NEEDED_DTYPES if name not in found.dtypes]
    assert not missing, f"capabilities() lacks {', '.join(missing)}: comparisons give bool, indices are int64, programs float32"
    native = {*d.backend.native_dtypes().values(), "bfloat16"}  # of which a device may learn when there is one
    assert set(found.dtypes) <= native, f"native_dtypes() lacks {', '.join(sorted(set(found.dtypes) - native))}"


def kernels(d: device) -> None:
    """Its kernels are callables named as the ops they run."""
    table = d.backend.kernels(d.number)
    for name, kernel in table.items():
        is_step = name.endswith("_step_") and name[:-1] in OPS  # of an optimiser, in place
        if name not in OPS and name not in MEMORY_KERNELS + MAY_HAVE and not is_step:
            near = difflib.get_close_matches(name, [*OPS, *MEMORY_KERNELS, *MAY_HAVE], 1)
            raise AssertionError(
                f"there is a kernel {name!r}, but no such op" + (f": did you mean {near[0]!r}?" if near else "; see `frazil ops`")
            )
        assert callable(kernel), f"the kernel {name!r} is {kernel!r}, which cannot be called"
    if not d.aliases:
        writing = [name for name in table if name.endswith("_")]
        assert not writing, (
            f"capabilities() says aliases=False, so nothing may write into arrays, but there is {', '.join(writing)}"
        )


_TRAVELLERS: dict[str, Callable[[np.dtype], np.ndarray]] = {
    "matrix": lambda t: np.arange(6).reshape(2, 3).astype(t),
    "number": lambda t: np.asarray(1).astype(t),
    "empty": lambda t: np.zeros((0, 3), t),
    "transposed": lambda t: np.arange(6).reshape(2, 3).astype(t).T,
    "every second": lambda t: np.arange(8).astype(t)[::2],
    "backwards": lambda t: np.arange(5).astype(t)[::-1],
    "extremes": lambda t: (
        np.array([False, True]) if t.kind == "b"
        else np.array([np.iinfo(t).min, np.iinfo(t).max], t) if t.kind in "iu"
        else np.array([1 + 2j, -3j, complex(np.inf, -0.0)], t) if t.kind == "c"
        else np.array([finfo(of_native(t)).max, finfo(of_native(t)).tiny, -0.0, np.inf, np.nan], t)
    ),
}  # fmt: skip


def arrays_travel(d: device, dtype: str) -> None:
    """from_host and to_host keep values, shape and dtype, whatever the memory layout."""
    for what, make in _TRAVELLERS.items():
        given = make(ALL[dtype].numpy)
        array = d.from_host(given.copy(order="K"))
        assert isinstance(array.shape, tuple) and all(type(n) is int for n in array.shape), (
            f"{what}: the shape of a device array must be a tuple of int, it is {array.shape!r}"
        )
        known = {native: own.name for native, own in d.native.items()}
        assert known.get(array.dtype) == dtype, (
            f"{what}: from_host of a {dtype} array gives one whose dtype {array.dtype!r} stands for "
            f"{known.get(array.dtype, 'nothing')} in native_dtypes()"
        )
        found = d.to_host(array)
        assert isinstance(found, np.ndarray), f"{what}: to_host must give a NumPy array, it gives a {type(found).__name__}"
        assert_close(in_numpy(found), in_numpy(given), rtol=0, atol=0, equal_nan=True, msg=what)
        if given.dtype.kind == "f":
            assert (np.signbit(found) == np.signbit(given)).all(), f"{what}: a sign was lost, perhaps that of -0.0"


def arrays_are_copied(d: device) -> None:
    """Check that what travelled has memory of its own: a write on one side is not seen on the other."""
    given = np.arange(4, dtype=np.float32)
    array = d.from_host(given)
    given += 10
    found = d.to_host(array)
    assert_close(found, np.arange(4, dtype=np.float32), msg="from_host must copy: this is after a write into the NumPy array")
    if found.flags.writeable:
        found += 10
        again = d.to_host(array)
        assert_close(again, np.arange(4, dtype=np.float32), msg="to_host must copy: this is after a write into what it gave")


def other_dtypes_are_refused(d: device) -> None:
    """A dtype that the device does not have is refused in words, not by the vendor library."""
    x = plain(np.zeros(2, np.float32), d)
    ways: dict[str, Callable[[Any], Any]] = {
        "from_host": lambda dtype: plain(np.zeros(2, dtype.numpy), d),
        "the kernel fill": lambda dtype: full((2,), 0, dtype=dtype, device=d),
        "the kernel cast": x.to,
    }
    for name in sorted(set(ALL) - set(d.capabilities().dtypes)):
        for way, ask in ways.items():
            try:
                ask(ALL[name])
            except DTypeError as error:
                assert name in str(error), f"the refusal of {name} does not name it: {error}"
            else:
                raise AssertionError(f"capabilities() does not have {name}, but {way} takes it")


def writes_are_seen_by_views(d: device) -> None:
    """A write through a view is seen by its base and by other views; copies stay as they were."""
    base = plain(np.arange(24, dtype=np.float32).reshape(4, 6), d)
    expected = np.arange(24, dtype=np.float32).reshape(4, 6)
    row, turned, wide = base[1], base.t(), base.reshape(2, 12)
    kept, before = base.clone(), expected.copy()
    row[::2] = 7.0
    expected[1, ::2] = 7
    turned += 1
    expected += 1
    base.diagonal().mul_(2.0)
    np.fill_diagonal(expected, 2 * expected.diagonal())
    assert_close(base.cpu().numpy(), expected, msg="the base after writes through its views")
    assert_close(turned.cpu().numpy(), expected.T, msg="the transposed view")
    assert_close(wide.cpu().numpy(), expected.reshape(2, 12), msg="the reshaped view")
    assert_close(row.cpu().numpy(), expected[1], msg="the row")
    assert_close(kept.cpu().numpy(), before, msg="the clone")


#: Ways to see a [2, 3, 4], which NumPy and frazil spell alike, and what they are reshaped to.
_SEEN: dict[str, tuple[Callable[[Any], Any], tuple[int, ...]]] = {
    "itself": (lambda x: x, (4, 6)),
    "transposed": (lambda x: x.swapaxes(1, 2), (24,)),
    "transposed, in front": (lambda x: x.swapaxes(1, 2), (2, 2, 2, 3)),
    "a part": (lambda x: x[:, 1:], (2, 8)),
    "a part of rows": (lambda x: x[:, :, 1:], (2, 9)),
    "every second": (lambda x: x[:, ::2], (4, 4)),
    "of one layer": (lambda x: x[1].swapaxes(0, 1), (12,)),
    "a diagonal": (lambda x: x[0].diagonal(), (1, 3)),
}


def reshapes_are_views_or_copies_as_those_of_numpy(d: device) -> None:
    """A write to what `reshape` gives is seen by the base, or is not, as the tensor lies: on every device, as in recordings."""
    for name, (see, shape) in _SEEN.items():
        expected = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
        base = plain(expected.copy(), d)
        seen, there = see(base), see(expected)
        seen.reshape(shape).add_(1.0)
        there = there.reshape(shape)
        there.setflags(write=True)  # which NumPy takes from diagonals
        there += 1
        assert_close(base.cpu().numpy(), expected, msg=f"{name}: the base after a write to what reshape(x, {shape}) gave")
        assert seen.is_contiguous() == see(expected).flags.c_contiguous, f"{name}: is_contiguous() is {seen.is_contiguous()}"


def host_memory_stays(d: device) -> None:
    """Writing into a tensor never changes the data that it was made of."""
    data = np.arange(4, dtype=np.float32)
    x = tensor(data, device=d)
    x += 1
    x[0] = 5.0
    assert_close(data, np.arange(4, dtype=np.float32), msg="the NumPy array after a write into the tensor made of it")


def threads_do_not_disturb_each_other(d: device) -> None:
    """Eight threads computing at once all get their own results."""

    def work(seed: int) -> None:
        a = np.random.default_rng(seed).standard_normal((16, 16)).astype(np.float32)
        x = plain(a, d)
        for _ in range(5):
            assert_close(
                (x * 2.0 + x).sum(1).cpu().numpy(), (3 * a.astype(np.float64)).sum(1).astype(np.float32), rtol=1e-5, atol=1e-4
            )

    with ThreadPoolExecutor(8) as pool:
        for future in [pool.submit(work, seed) for seed in range(16)]:
            future.result()


def _lifecycle(d: device) -> Iterator[Check]:
    for function in (opens, capabilities, kernels):
        yield Check("lifecycle", function.__name__, function, basic=True)
    for name in (n for n in ALL if n in d.capabilities().dtypes):
        yield Check("lifecycle", f"arrays_travel-{name}", arrays_travel, (name,), basic=True)
    if d.type != "cpu":
        yield Check("lifecycle", "arrays_are_copied", arrays_are_copied)
    yield Check("lifecycle", "a_kernel_runs", values, (case("add", 0),), basic=True)
    for function in (
        other_dtypes_are_refused,
        writes_are_seen_by_views,
        reshapes_are_views_or_copies_as_those_of_numpy,
        host_memory_stays,
        threads_do_not_disturb_each_other,
    ):
        yield Check("lifecycle", function.__name__, function)


# -------------------------------------------------------------------------------------------------------- primitives and ops


def values(d: device, c: Case, layout: str = "plain", fast: bool = True) -> None:
    """The op gives what the reference gives: shape, dtype, values; and its inputs stay as they were."""
    tensors = c.tensors(d, LAYOUTS[layout])
    if fast:
        results = c.call(d, *tensors)
    else:
        with without_fast_kernels(d):
            results = c.call(d, *tensors)
    assert len(results) == len(c.specs), f"{c.name} has {len(c.specs)} results, the kernel gives {len(results)}"
    for i, (y, wanted, expected) in enumerate(zip(results, c.specs, c.expected, strict=True)):
        which = f"result {i} of {c.name}" if len(results) > 1 else c.name
        assert isinstance(y._a.shape, tuple), f"{which}: the shape of an array must be a tuple, it is {y._a.shape!r}"
        native = d.backend.native_dtypes()
        assert y._a.dtype in native, (
            f"{which}: the kernel gives an array of dtype {y._a.dtype!r}, which is not in native_dtypes()"
        )
        found = native[y._a.dtype]
        assert found == wanted.dtype.name, (
            f"{which}: the kernel gives {found}, the rule says {wanted.dtype.name} for these inputs"
        )
        tolerance = {"rtol": 0, "atol": 0} if c.op.exact else ROUGH.get(c.dtype, {}) if c.floats else {}
        assert_close(y.cpu().numpy(), expected, equal_nan=True, msg=which, **tolerance)
    for i, (t, given) in enumerate(zip(tensors, c.arrays, strict=True)):
        if t is not None:
            assert_close(t.cpu().numpy(), given, rtol=0, atol=0, equal_nan=True, msg=f"input {i} after the call")


def in_bfloat16(d: device, c: Case) -> None:
    """The op in bfloat16 is the op in float32, rounded once: they are neighbours at most."""
    bfloat = ALL["bfloat16"]
    given = [t if t is None or t.dtype is not ALL["float32"] else t.to(bfloat) for t in c.tensors(d)]
    wide = [t if t is None or t.dtype is not bfloat else t.to(ALL["float32"]) for t in given]
    for i, (y, expected) in enumerate(zip(c.call(d, *given), c.call(d, *wide), strict=True)):
        which = f"result {i} of {c.name}" if c.op.outputs > 1 else c.name
        wanted = bfloat if expected.dtype is ALL["float32"] else expected.dtype
        assert y.dtype is wanted, f"{which} of bfloat16 is {y.dtype.name}, expected {wanted.name}"
        found, right = (in_numpy(t.to(wanted).cpu()._a) for t in (y, expected))
        if wanted is not bfloat:
            assert_close(found, right, rtol=0, atol=0, equal_nan=True, msg=which)
            continue
        apart = bfloat16_apart(found, right)
        assert apart <= 1, (
            f"{which} of bfloat16 is {apart} numbers of bfloat16 from float32, rounded:\n{found}\nexpected\n{right}"
        )


def in_complex(d: device, c: Case) -> None:
    """The op of complex numbers in complex64 is NumPy's in complex128, rounded."""
    expected = c.expected_of_complex or ()
    for i, (y, wide) in enumerate(zip(c.of_complex(d, "complex64"), expected, strict=True)):
        which = f"result {i} of {c.name}" if c.op.outputs > 1 else c.name
        wanted = _NARROWER.get(wide.dtype.name, wide.dtype.name)
        assert y.dtype.name in (wanted, wide.dtype.name), f"{which} of complex64 is {y.dtype.name}, expected {wanted}"
        right = wide.numpy().astype(y.dtype.numpy)
        largest = float(np.abs(right[np.isfinite(right)]).max(initial=1)) if right.dtype.kind in "fc" else 1.0
        rtol, atol = TOLERANCES.get(y.dtype.name, (0.0, 0.0))
        # Rounding is relative to the largest numbers that cancelled.
        assert_close(y.cpu().numpy(), right, rtol=rtol, atol=atol * largest, equal_nan=True, msg=which)


_NARROWER = {"complex128": "complex64", "float64": "float32"}


def memory(d: device, c: Case) -> None:
    """Results have memory of their own (views excepted): a write into one changes no input."""
    tensors = c.tensors(d)
    for i, y in enumerate(c.call(d, *tensors)):
        array = d.kernels["writable"](y._a)
        d.kernels["copy_"](array, d.from_host(np.asarray(1 - d.to_host(array).astype(np.float64)).astype(y.dtype.numpy)))
        for k, (t, given) in enumerate(zip(tensors, c.arrays, strict=True)):
            if t is not None:
                assert_close(
                    t.cpu().numpy(), given, rtol=0, atol=0, equal_nan=True,
                    msg=f"result {i} of {c.name} shares memory with input {k}, which a write into the result changed",
                )  # fmt: skip


def refuses(d: device, name: str, position: int) -> None:
    """A call that makes no sense is refused: the kernel raises, whatever it likes, and the rule says why."""
    op, error = OPS[name], OPS[name].errors[position]
    tensors = [None if a is None else plain(a, d) for a in error.sample.arrays(0, "float32")]
    try:
        op.call(*packed(op, tensors), **error.sample.attrs)
    except FrazilError as refusal:
        assert re.search(error.match, str(refusal)), f"expected a refusal that says {error.match!r}, it says: {refusal}"
    else:
        given = ", ".join("None" if t is None else str(spec(t)) for t in tensors)
        raise AssertionError(
            f"{name} of {given} makes no sense and must be refused (as: {error.match}), but the kernel computes something: "
            "let it raise any exception where shapes or dtypes do not fit"
        )


#: What the other checks stand on is asked first.
_FIRST = ("reshape", "permute", "expand", "slice", "cast", "copy", "fill", "add", "mul", "sum")


def _in_order(kind: str) -> list[Op]:
    ops = [op for op in OPS.values() if op.kind == kind]
    return sorted(ops, key=lambda op: _FIRST.index(op.name) if op.name in _FIRST else len(_FIRST))


@final
class _Dtypes:
    """Which calls have only dtypes that a device has. Those of a body are known when it has run: not asked where it has all."""

    def __init__(self, has: Set[str]) -> None:
        self._has = has
        self._all = set(ALL) <= has

    def these(self, names: Iterable[str]) -> bool:
        return self._all or set(names) <= self._has

    def call(self, c: Case) -> bool:
        return self._all or c.outer_dtypes <= self._has

    def body(self, c: Case) -> bool:
        return self._all or c.inner_dtypes <= self._has

    def whole(self, c: Case, native: bool) -> bool:
        return self.call(c) if native else self.body(c)


def _of_ops(d: device, kind: str, allowed: _Dtypes) -> Iterator[Check]:
    tier = "primitives" if kind == "primitive" else "ops"
    has = d.capabilities().dtypes
    floats, narrow, wholes = [name for name in FLOATS[::-1] if name in has], "bfloat16" in has, "complex64" in has
    for op in _in_order(kind):
        native = op.name in d.backend.kernels(d.number)
        for position in range(len(samples_of(op.name))):
            for dtype in sorted(floats, key=("float32", "float64", "float16").index):
                c = case(op.name, position, dtype)
                if not (c.floats or dtype == "float32") or (dtype == "float16" and not c.given):
                    continue
                if native and allowed.call(c):
                    yield Check(tier, str(c), values, (c,))
                if op.body is not None and allowed.body(c):
                    yield Check(tier, f"{c}-body", values, (c, "plain", False))
                elif not native and op.body is None and allowed.call(c):
                    yield Check(tier, str(c), values, (c,))
            c = case(op.name, position, "float32")
            if narrow and not position and c.given and c.floats and "dtype" not in c.sample.attrs and allowed.whole(c, native):
                yield Check(tier, f"{c}-bfloat16", in_bfloat16, (c,))
            if wholes and position < 3 and c.given and c.floats and op.tensors and c.expected_of_complex is not None:
                yield Check(tier, f"{c}-complex64", in_complex, (c,))
            if d.aliases and native and op.tensors and allowed.call(c):
                if c.given:
                    for layout in ("transposed", "every_second"):
                        yield Check(tier, f"{c}-{layout}", values, (c, layout))
                if c.given and not op.view:
                    yield Check(tier, f"{c}-memory", memory, (c,))
        if native:
            for position, error in enumerate(op.errors):
                if op.tensors and allowed.these(a.dtype.name for a in error.sample.arrays(0, "float32") if a is not None):
                    yield Check(tier, f"{op.name}-refuses-{position}", refuses, (op.name, position))
        if op.body is None:
            yield from _of_integers(d, op)


def _of_integers(d: device, op: Op) -> Iterator[Check]:
    """A sample or two in the other integer dtypes of the device, where the rule of the op allows it."""
    with_integers = [i for i, s in enumerate(op.samples) if any(a is not None and a.kind == "i" for a in s.args)]
    for name in (n for n, t in ALL.items() if t.kind == "i" and n != "int64" and n in d.capabilities().dtypes):
        for position in (with_integers or range(len(op.samples)))[:2]:
            c = case(op.name, position, name)
            if op.tensors and c.defined and c.outer_dtypes <= d.capabilities().dtypes:
                yield Check("primitives", str(c), values, (c,))


# ------------------------------------------------------------------------------------------------------------------ gradients


def _derivatives(c: Case, d: device) -> tuple[list[Tensor | None], list[Tensor | None]]:
    """Gradients of a weighted sum of the results, and of a weighted sum of those gradients."""
    tensors = c.tensors(d)
    leaves = [t.requires_grad_() for i, t in enumerate(tensors) if t is not None and c.differentiable(i)]
    rng = np.random.default_rng(1)

    def weighted(ys: Iterable[Tensor | None]) -> Tensor | None:
        terms = [
            (y * plain(rng.uniform(0.5, 1.5, y.shape).astype(y.dtype.numpy), d)).sum()
            for y in ys
            if y is not None and y.requires_grad and y.dtype.is_floating_point
        ]
        return sum(terms[1:], terms[0]) if terms else None

    total = weighted(c.call(d, *tensors))
    if total is None:
        return [], []
    first = list(grad(total, leaves, create_graph=True, allow_unused=True))
    again = weighted(first)
    return first, [] if again is None else list(grad(again, leaves, allow_unused=True))


def gradients(d: device, c: Case) -> None:
    """First and second derivatives are those that NumPy's primitives give in float64."""
    found = _derivatives(c, d)
    cpu = device("cpu")
    with without_fast_kernels(cpu):
        wanted = _derivatives(case(c.name, c.position, "float64"), cpu)
    for order, results, expected in zip(("first", "second"), found, wanted, strict=True):
        for i, (g, w) in enumerate(zip(results, expected, strict=True)):
            assert (g is None) == (w is None), f"the {order} derivative by tensor {i}: one of the two is None"
            if g is not None and w is not None:
                e = w.detach().numpy()
                scale = float(np.abs(e[np.isfinite(e)]).max(initial=1.0))
                rtol, atol = TOLERANCES[c.dtype]
                # Rounding is relative to the largest numbers that cancelled.
                assert_close(
                    g.detach().cpu().numpy(), e.astype(ALL[c.dtype].numpy), rtol=rtol, atol=atol * scale, equal_nan=True,
                    msg=f"the {order} derivative by tensor {i}",
                )  # fmt: skip


def _has_gradient(c: Case) -> bool:
    return any(c.differentiable(i) for i in range(len(c.sample.args))) and any(s.dtype.is_floating_point for s in c.specs)


def _gradients(d: device, allowed: _Dtypes) -> Iterator[Check]:
    for dtype in ("float64", "float32"):
        if dtype in d.capabilities().dtypes:
            for c in cases([dtype], keep=lambda c: c.given and c.floats):
                if _has_gradient(c) and allowed.body(c):
                    yield Check("gradients", str(c), gradients, (c,))


# ------------------------------------------------------------------------------------------------------------------ recording


def recorded(d: device, c: Case) -> None:
    """A recording of the op, run on the device, gives what the op gives."""
    program = c.recorded(d)
    found = program(*(t for t in c.tensors(d) if t is not None))
    for y, z in zip(found if isinstance(found, tuple) else (found,), c.call(d, *c.tensors(d)), strict=True):
        assert y.device is d, f"the recording ran on {y.device}, its inputs are on {d}"
        assert_close(y, z, equal_nan=True)


def exported(d: device, c: Case) -> None:
    """The ONNX file of the op, run by onnxruntime, gives what the op gives on the device."""
    onnx: Any = importlib.import_module("frazil").onnx  # only the plugin manager knows the exporters
    given = [t for t in c.tensors(d) if t is not None]
    # Not verified with numbers of its own: gradients, for one, only make sense for inputs that belong together.
    report = onnx.export(c.recorded(d), tuple(given), verify=False)
    for y, z in zip(report.run(*given), c.call(d, *c.tensors(d)), strict=True):
        expected = z.cpu().numpy()
        largest = np.abs(expected[np.isfinite(expected)]).max(initial=1) if expected.dtype.kind == "f" else 0
        assert_close(y, expected, rtol=1e-5, atol=1e-6 * float(largest), equal_nan=True, msg="onnxruntime's and the device's")


def _recording(d: device, allowed: _Dtypes) -> Iterator[Check]:
    for name, op in OPS.items():
        if not op.tensors:
            continue
        for c in cases_of(name):
            if allowed.body(c):
                yield Check("recording", str(c), recorded, (c,))
        if op.samples and allowed.body(case(name, 0)):
            yield Check("recording", f"{name}-exported", exported, (case(name, 0),))


def cases_of(name: str) -> list[Case]:
    """The samples of the table for one op, in float32."""
    return [case(name, i) for i in range(len(OPS[name].samples))]


# ------------------------------------------------------------------------------------------------------------------- training


# A parameter that does not matter (a bias before a normalisation) has a gradient of rounding errors, which Adam makes large.


class _Perceptron(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Dropout(0.25), nn.Linear(16, 3))

    def forward(self, x: Tensor) -> Any:
        return self.layers(x)

    def optimizer(self) -> Any:
        return optim.SGD(self.parameters(), lr=0.1, momentum=0.9)

    shape = (6,)


class _ConvNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1, 4, 3, padding=1, bias=False),
            nn.BatchNorm2d(4),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(36, 3),
        )

    def forward(self, x: Tensor) -> Any:
        return self.layers(x)

    def optimizer(self) -> Any:
        return optim.Adam(self.parameters(), lr=0.01)

    shape = (1, 7, 7)


class _Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.query, self.key, self.value = nn.Linear(4, 4), nn.Linear(4, 4, bias=False), nn.Linear(4, 4)
        self.norm, self.head = nn.LayerNorm(4), nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Any:
        y = F.scaled_dot_product_attention(self.query(x), self.key(x), self.value(x))
        return self.head(F.gelu(self.norm(x + y)).mean(1))

    def optimizer(self) -> Any:
        return optim.AdamW(self.parameters(), lr=0.01)

    shape = (5, 4)


MODELS: dict[str, type[Any]] = {"perceptron": _Perceptron, "convnet": _ConvNet, "attention": _Attention}


def _trained(name: str, d: device, steps: int) -> tuple[list[np.ndarray], list[float], list[np.ndarray]]:
    """Weights before, losses, weights after."""
    manual_seed(0)
    rng = np.random.default_rng(0)
    with d:
        model = MODELS[name]()
        optimizer = model.optimizer()
        before = [p.detach().cpu().numpy().copy() for p in model.parameters()]
        losses = []
        for _ in range(steps):
            x = plain(rng.standard_normal((8, *model.shape)).astype(np.float32), d)
            target = plain(rng.integers(0, 3, 8), d)
            loss = F.cross_entropy(model(x), target)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        return before, losses, [p.detach().cpu().numpy() for p in model.parameters()]


def trains(d: device, name: str, steps: int = 12) -> None:
    """From bit-equal weights and dropout masks, the losses and weights of NumPy's training."""
    found, wanted = _trained(name, d, steps), _trained(name, device("cpu"), steps)
    for i, (a, b) in enumerate(zip(found[0], wanted[0], strict=True)):
        assert_close(a, b, rtol=0, atol=0, msg=f"parameter {i} before training")
    assert_close(np.array(found[1]), np.array(wanted[1]), rtol=1e-4, atol=1e-4, msg="the losses")
    for i, (a, b) in enumerate(zip(found[2], wanted[2], strict=True)):
        assert_close(a, b, rtol=1e-4, atol=1e-4, msg=f"parameter {i} after {steps} steps")


def random_numbers_are_numpys(d: device) -> None:
    """The same seed gives bit-equal numbers, masks and orders, also when they are drawn in turns."""

    def drawn(where: device) -> dict[str, np.ndarray]:
        manual_seed(3)
        with where:
            loader: DataLoader[Any] = DataLoader(range(20), batch_size=20, shuffle=True)
            numbers = {
                "rand": rand(7),
                "the order of a DataLoader": next(iter(loader)),
                "randn": randn(7),
                "randint": randint(0, 1000, (7,)),
                "randperm": randperm(7),
                "dropout": F.dropout(ones(50), 0.5),
            }
        return {what: t.cpu().numpy() for what, t in numbers.items()}

    found, wanted = drawn(d), drawn(device("cpu"))
    for what, numbers in wanted.items():
        # The logarithm and the sine in a normal number may round differently.
        rtol, atol = TOLERANCES["float32"] if what == "randn" else (0.0, 0.0)
        assert_close(found[what], numbers, rtol=rtol, atol=atol, msg=what)


def saved_weights_travel(d: device) -> None:
    """A state dict saved on the device loads on the CPU, and back."""
    with d:
        model = _Perceptron()
    file = io.BytesIO()
    save(model.state_dict(), file)
    file.seek(0)
    there = load(file, map_location="cpu")
    for key, t in model.state_dict().items():
        assert_close(there[key].numpy(), t.cpu().numpy(), rtol=0, atol=0, msg=key)
        assert there[key].device.type == "cpu" and t.device is d


def _training(d: device) -> Iterator[Check]:
    yield Check("training", "random_numbers_are_numpys", random_numbers_are_numpys)
    yield Check("training", "saved_weights_travel", saved_weights_travel)
    for name in MODELS:
        yield Check("training", name, trains, (name,))


# ------------------------------------------------------------------------------------------------------------------------ all


def checks(d: device, tiers: Sequence[str] = TIERS) -> list[Check]:
    """Every question to this device, in order. Calls with a dtype that it does not claim to have are left out."""
    allowed = _Dtypes(d.capabilities().dtypes)
    found: list[Check] = []
    for tier in tiers:
        match tier:
            case "lifecycle":
                found += _lifecycle(d)
            case "primitives":
                found += _of_ops(d, "primitive", allowed)
            case "ops":
                found += _of_ops(d, "composite", allowed)
            case "gradients":
                found += _gradients(d, allowed)
            case "recording":
                found += _recording(d, allowed)
            case "training":
                found += _training(d)
    return found
