"""The op table: one entry per operation, everything else is derived from it.

A *composite* has a body made of other ops, and perhaps a kernel in some backends. A *primitive* has a rule, which computes the
shape and dtype of the result from those of its inputs, and a kernel in every backend. Entries are made by the decorators of
`define.py`. See core/README.md for what a vjp may name.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, final

import numpy as np

from . import dtypes
from .errors import ArgumentError
from .order import RULES
from .spelling import nearest

#: Name -> entry, in order of definition.
OPS: dict[str, Op] = {}

#: Name -> function, for compositions with a signature too free for the table (`fz.max`), listed in the docs beside the ops.
FUNCTIONS: dict[str, Callable[..., Any]] = {}

#: Method name -> function, for Tensor.
METHODS: dict[str, Callable[..., Any]] = {}


#: What an entry may say of the dtypes it takes: their kinds.
TAKES = {
    "floats": frozenset("fc"),
    "real floats": frozenset("f"),
    "numbers": frozenset("ifc"),
    "reals": frozenset("if"),
    "ordered": frozenset("bif"),
}

#: What PyTorch calls the tensors that entries call by a letter.
_FULL_NAMES = {"x": "input", "a": "input", "b": "other"}

#: What arguments are called too, in NumPy's programs or in other forms of PyTorch's: other name -> names of the signature.
OTHER_NAMES = {"axis": ("dim", "dims"), "axes": ("dims", "dim"), "keepdims": ("keepdim",), "x": ("input",), "a": ("input",)}
OTHER_NAMES |= {"x1": ("input",), "x2": ("other",), "axis0": ("dim0",), "axis1": ("dim1",), "tensor": ("other",)}
OTHER_NAMES |= {"split_size": ("split_size_or_sections",), "split_sizes": ("split_size_or_sections",), "size": ("shape",)}
OTHER_NAMES |= {"input": ("L", "b", "A"), "input2": ("tau", "L"), "input3": ("other",)}
OTHER_NAMES |= dict.fromkeys(("sections", "indices"), ("indices_or_sections",))

#: Functions whose factors came first in PyTorch before 1.5, as hand-written optimizers have them: `x.add_(-lr, g)`.
_LEADING_FACTORS: dict[str, tuple[str, ...]] = dict.fromkeys(("addmm", "addmv", "addr", "addbmm", "baddbmm"), ("beta", "alpha"))
_LEADING_FACTORS |= {"add": ("alpha",), "sub": ("alpha",), "addcmul": ("value",), "addcdiv": ("value",)}


def in_todays_order(name: str, args: Sequence[Any]) -> tuple[list[Any], dict[str, Any]] | None:
    """Arguments that have factors before the last tensors, in the order of today's signature; None where they have not.

    >>> from frazil.table import in_todays_order
    >>> in_todays_order("add", (x := object(), 0.5, y := object())) == ([x, y], {"alpha": 0.5})
    True
    """
    factors = _LEADING_FACTORS.get(name)
    if factors is None or len(args) < 3 or isinstance(args[-1], (int, float, complex)):
        return None
    given = [x for x in args if isinstance(x, (int, float, complex))]
    rest = [x for x in args if not isinstance(x, (int, float, complex))]
    if not 0 < len(given) <= len(factors) or len(rest) != (2 if factors == ("alpha",) else 3):
        return None
    return rest, dict(zip(factors, given, strict=False))


class Spec(NamedTuple):
    """The shape and dtype of a tensor: all that a rule sees of it."""

    shape: tuple[Any, ...]
    dtype: dtypes.dtype

    def __str__(self) -> str:
        return f"{self.dtype.name}[{', '.join(map(str, self.shape))}]"


@final
class Op:
    """One entry of the table. Calling the decorated function calls the op; this object describes it."""

    call: Callable[..., Any]  # the decorated function
    public: bool = True  # whether it is a function of `fz`

    def __init__(
        self,
        fn: Callable[..., Any],
        *,
        kind: str,
        vjp: Any = None,
        rule: Callable[..., Any] | None = None,
        canon: Callable[..., Any] | None = None,
        promote: str | None = None,
        promoted: Sequence[int] | None = None,
        takes: str | None = None,
        samples: Sequence[Any] | Callable[[], Sequence[Any]] = (),
        errors: Sequence[Any] | Callable[[], Sequence[Any]] = (),
        view: bool = False,
        outputs: int = 1,
        random: bool = False,
        exact: bool = False,
        layout: str | None = None,
    ) -> None:
        self.name = fn.__name__.rstrip("_")  # `sum_` spares the built-in
        self.fn = fn
        self.kind = kind
        self.body = fn if kind == "composite" else None
        self.rule = fn if kind == "primitive" else rule
        self.canon = canon
        self.promote = promote
        self.promoted = tuple(promoted) if promoted is not None else None
        self.takes = None if takes is None else TAKES[takes]
        # What kernels take: what promotes to floats comes to them as floats.
        as_kernels_take = {"float": TAKES["floats"], "number": TAKES["numbers"]}.get(promote or "") if takes is None else None
        self.kernel_takes = as_kernels_take or self.takes
        self._samples = samples
        self._errors = errors
        self.view = view
        self.outputs = outputs
        self.random = random
        self.exact = exact  # results are exact, so tests compare with ==
        self.layout = layout  # the rule of `order.py` by which results lie in memory; None: as the body does it, or in order
        self.order = RULES[layout or "rows"]
        self._read_signature()
        self._read_vjp(vjp)

    # What only tests and documentation ask for is made when they do: all of it would be a sixth of the time of an import.

    @functools.cached_property
    def samples(self) -> Sequence[S]:
        """Sample calls, on which every test of the table runs the op."""
        return self._samples() if callable(self._samples) else self._samples

    @functools.cached_property
    def errors(self) -> Sequence[E]:
        """Sample calls that must fail."""
        return self._errors() if callable(self._errors) else self._errors

    @functools.cached_property
    def doc(self) -> str:
        return inspect.getdoc(self.fn) or ""

    @functools.cached_property
    def signature(self) -> inspect.Signature:
        return inspect.signature(self.fn)

    def _read_signature(self) -> None:
        fn = inspect.unwrap(self.fn) if hasattr(self.fn, "__wrapped__") else self.fn
        code, given = fn.__code__, fn.__kwdefaults__ or {}  # `inspect.signature` would be a tenth of the time of an import
        names = code.co_varnames
        takes = code.co_argcount + code.co_kwonlyargcount
        neither = names[code.co_posonlyargcount : code.co_argcount]
        if code.co_flags & inspect.CO_VARKEYWORDS:
            neither += (names[takes + bool(code.co_flags & inspect.CO_VARARGS)],)
        if neither:
            raise ArgumentError(
                f"op {self.name}: parameter {neither[0]!r} must be positional-only (a tensor, before '/') or keyword-only "
                f"(an attribute, after '*')"
            )
        attributes = names[code.co_argcount : takes]
        self.packed = bool(code.co_flags & inspect.CO_VARARGS)  # takes a sequence of tensors first
        self.tensors: tuple[str, ...] = names[: code.co_argcount] + names[takes : takes + self.packed]
        self.optional = (fn.__defaults__ or ()).count(None)  # how many trailing tensors may be None
        # No calls in these, and lists in tuples, as a generator is called for each element: this runs for every op of an import.
        self.defaults: dict[str, Any] = {name: given[name] if name in given else None for name in attributes}
        self.required: tuple[str, ...] = tuple([name for name in attributes if name not in given])
        self.attributes = tuple(self.defaults)
        #: PyTorch's names of the tensors, by which a call may give them too.
        self.names = tuple([_FULL_NAMES[name] if name in _FULL_NAMES else name for name in self.tensors])

    def position(self, name: str) -> int | None:
        """Return which tensor a call means by `name`: an entry's own name, PyTorch's, or NumPy's."""
        for names in (self.tensors, self.names):
            if name in names:
                return names.index(name)
        return next((self.names.index(n) for n in OTHER_NAMES.get(name, ()) if n in self.names), None)

    def _read_vjp(self, vjp: Any) -> None:
        """Find out, from the parameter names of the vjp, what backward needs."""
        self.vjp = vjp
        self.joint = callable(vjp)
        functions = () if vjp is None else (vjp,) if self.joint else tuple(vjp)
        self.vjp_plans: list[tuple[Callable[..., Any], tuple[tuple[str, Any], ...]] | None] = []
        save: set[int] = set()
        self.save_output = False
        self.save_shapes = False
        for function in functions:
            if function is None:
                self.vjp_plans.append(None)
                continue
            code = function.__code__  # much cheaper than inspect.signature
            names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
            plan: list[tuple[str, Any]] = [("g", None) if name == "g" else self._source_of(name) for name in names]
            for kind, key in plan:
                if kind == "input":
                    save.add(key)
                elif kind in ("output", "part"):
                    self.save_output = True
                elif kind in ("shape", "shapes"):
                    self.save_shapes = True
            self.vjp_plans.append((function, tuple(plan)))
        self.save_inputs = frozenset(save)
        #: A packed op whose vjp wants the values of its tensors.
        self.saves_all = self.packed and bool(
            save or any(kind == "inputs" for plan in self.vjp_plans if plan for kind, _ in plan[1])
        )
        self.differentiable = bool(functions)
        #: Whether gradients take the way through the body: of a composite whose entry says nothing of them.
        self.through_body = self.body is not None and vjp is None

    def _source_of(self, name: str) -> tuple[str, Any]:
        if name == "y" and name not in self.tensors:
            return ("output", None)
        if name[:2] == "y_" and name[2:].isdigit():
            return ("part", int(name[2:]))
        if self.packed and name == self.tensors[-1]:
            return ("inputs", len(self.tensors) - 1)
        if self.packed and name == f"{self.tensors[-1]}_shapes":
            return ("shapes", len(self.tensors) - 1)
        if name in self.tensors:
            return ("input", self.tensors.index(name))
        if name.endswith("_shape") and name[:-6] in self.tensors:
            return ("shape", self.tensors.index(name[:-6]))
        if name in self.defaults:
            return ("attr", name)
        if name == "needs":
            return ("needs", None)
        raise ArgumentError(
            f"op {self.name}: its vjp names {name!r}, which is neither g, y, y_<i>, needs, a tensor "
            f"({', '.join(self.tensors)}; also <tensor>_shape) nor an attribute ({', '.join(self.attributes) or 'none'})"
        )

    def usage(self) -> str:
        """Return how a call of it is written, with PyTorch's names: `softplus(input, beta=1.0, threshold=20.0)`."""
        tensors = [f"*{n}" if p.kind is p.VAR_POSITIONAL else n for n, p in zip(self.names, self.signature.parameters.values())]  # noqa: B905
        for i in range(len(tensors) - self.optional, len(tensors)):
            tensors[i] += "=None"
        attributes = [name if name in self.required else f"{name}={default!r}" for name, default in self.defaults.items()]
        return f"{self.name}({', '.join([*tensors, *attributes])})"

    def __repr__(self) -> str:
        return f"<{self.kind} {self.name}{self.signature}>"


def unknown(name: str, known: Sequence[str]) -> str:
    """Return what to say of an argument that is not one of `known`."""
    return f"unknown argument {name!r}" + (nearest(name, known) or ".")


# ------------------------------------------------------------------------------------------------------------------- samples


class Arg(NamedTuple):
    """One tensor of a sample: random values of a shape and kind, or given values."""

    shape: tuple[int, ...]
    kind: str = "f"
    low: float = -2.0
    high: float = 2.0
    values: Any = None

    def make(self, rng: np.random.Generator, float_dtype: str = "float64", int_dtype: str = "int64") -> np.ndarray:
        """The NumPy array this stands for."""
        if self.values is not None:
            array = np.asarray(self.values)
            return array.astype(float_dtype) if array.dtype.kind == "f" else array
        if self.kind == "f":
            return np.asarray(rng.uniform(self.low, self.high, self.shape)).astype(float_dtype)
        if self.kind == "i":
            return np.asarray(rng.integers(int(self.low), int(self.high) + 1, self.shape)).astype(int_dtype)
        return np.asarray(rng.random(self.shape) < 0.5)


def floats(*shape: int, low: float = -2.0, high: float = 2.0) -> Arg:
    """Random floats in [low, high)."""
    return Arg(shape, "f", low, high)


def ints(*shape: int, low: int = -5, high: int = 5) -> Arg:
    """Random integers from low to high, both included."""
    return Arg(shape, "i", low, high)


def bools(*shape: int) -> Arg:
    """Random booleans."""
    return Arg(shape, "b")


def values(data: Any) -> Arg:
    """Given values; floats take the dtype under test."""
    array = np.asarray(data)
    return Arg(array.shape, array.dtype.kind, values=array)


class S:
    """A sample call of an op: `S(3, 4)` one float tensor of that shape, `S((3, 4), (4,), dim=1)` several, or any `Arg`s.

    `S.of([...])` gives values. `grad=False` leaves the sample out of gradient checks (kinks, ties, NaN).
    """

    def __init__(self, *args: Any, grad: bool = True, **attrs: Any) -> None:
        if all(isinstance(a, int) for a in args):
            args = (floats(*args),)
        self.args: list[Any] = [floats(*a) if type(a) is tuple else a for a in args]
        self.attrs = attrs
        self.grad = grad

    @classmethod
    def of(cls, *data: Any, grad: bool = False, **attrs: Any) -> S:
        """A sample with given values."""
        return cls(*(values(d) for d in data), grad=grad, **attrs)

    @classmethod
    def none(cls, **attrs: Any) -> S:
        """A sample of an op without tensors."""
        sample = cls(grad=False, **attrs)
        sample.args = []
        return sample

    @classmethod
    def ints(cls, *shape: int, low: int = -5, high: int = 5, **attrs: Any) -> S:
        """A sample with one integer tensor."""
        return cls(ints(*shape, low=low, high=high), grad=False, **attrs)

    @classmethod
    def bools(cls, *shape: int, **attrs: Any) -> S:
        """A sample with one boolean tensor."""
        return cls(bools(*shape), grad=False, **attrs)

    def arrays(self, seed: int = 0, float_dtype: str = "float64", int_dtype: str = "int64") -> list[np.ndarray | None]:
        """The NumPy inputs of this sample; the same for the same seed."""
        rng = np.random.default_rng(seed)
        return [None if a is None else a.make(rng, float_dtype, int_dtype) for a in self.args]

    def __repr__(self) -> str:
        def show(a: Any) -> str:
            if a is None:
                return "None"
            return f"{a.kind}{list(a.shape)}" + ("" if a.values is None else "!")

        parts = [show(a) for a in self.args] + [f"{k}={v}" for k, v in self.attrs.items()]
        return f"S({', '.join(parts)})"


class E(NamedTuple):
    """A sample call that must fail with a message matching the regular expression `match`."""

    sample: S
    match: str
