"""The numbers a file is tried on beyond those like the example's: both sides of comparisons, ends of dtypes, NaN, ties."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from frazil.recorder.graph import Graph, Node, Value
from frazil.sizes import SymBool, SymFloat, SymInt, symbols_of

from .samples import sample

#: Input name -> the least and the greatest number that make sense for it.
Ranges: TypeAlias = Mapping[str, tuple[float, float]]

#: Ops that compare their operands, or whose result jumps where an operand passes a constant.
_COMPARE = frozenset(
    "eq ne lt le gt ge maximum minimum remainder fmod floor_divide bitwise_and bitwise_or bitwise_xor power where".split()
)

#: Ops with the constants they compare with among their attributes.
_COMPARE_ATTRIBUTES = frozenset("size_to_tensor clamp_numbers hardtanh threshold hardshrink softshrink".split())

#: Ops whose result has a size that the data decide, but never larger than that of their input.
_NO_LARGER = frozenset(["nonzero_positions"])

#: A constant of more elements is a table and no bound.
_FEW = 8

#: Numbers that become sizes or rounds stay below this; other integers that Python computes with, below `_MOST`.
_LARGEST_SIZE = 64
_MOST = 2**31

#: Tries of one class for inputs of one element, which see one number each time.
_TURNS = 24


@dataclass(frozen=True)
class Try:
    """Inputs to try. `otherwise` are milder ones of the same class, for programs that refuse these."""

    label: str
    arrays: list[np.ndarray]
    otherwise: list[np.ndarray] | None = None


@dataclass(frozen=True)
class Comparisons:
    """The numbers that a graph compares data with, and at how many places integers and floats are compared."""

    numbers: tuple[float, ...]
    integers: int
    floats: int


def comparisons(graph: Graph) -> Comparisons:
    """Constants and bounds in comparisons of data, in branches and bodies too."""
    inputs = set(graph.inputs)
    numbers: dict[float, None] = {}
    counts = {"i": 0, "f": 0}
    for node in graph.walk():
        found: list[float] = []
        kind = _kind_of(node)
        if node.op_name in _COMPARE:
            constants = [v for v in node.inputs if v is not None and v.kind == "constant" and v.tensor is not None]
            for value in constants:
                if value.tensor.numel() <= _FEW:  # type: ignore[union-attr]
                    found += np.ravel(value.tensor.detach().cpu()._array()).tolist()  # type: ignore[union-attr]
            compares = node.op_name in ("eq", "ne", "lt", "le", "gt", "ge")
            if compares and (found or any(v in inputs for v in node.inputs)):
                counts[kind] += 1
        elif node.op_name in _COMPARE_ATTRIBUTES:
            sizes = [a for a in node.attrs.values() if isinstance(a, SymBool)]
            if node.op_name != "size_to_tensor" or any(s.hint is None for a in sizes for s in a.symbols):
                found += [n for attr in node.attrs.values() for n in _numbers_in(attr)]
                counts[kind if node.op_name != "size_to_tensor" else "i"] += 1
        numbers.update((n, None) for n in found if n == n and abs(n) != np.inf)
    return Comparisons(tuple(numbers), counts["i"], counts["f"])


def _kind_of(node: Node) -> str:
    return "f" if any(v is not None and v.spec.dtype.is_floating_point for v in node.inputs) else "i"


def _numbers_in(value: Any) -> Iterator[float]:
    """The numbers that are written in a size or condition."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        yield value
    elif isinstance(value, SymBool):
        yield from _numbers_in(value.lhs)
        yield from _numbers_in(value.rhs)
    elif isinstance(value, SymFloat):
        for arg in value.args:
            yield from _numbers_in(arg)
    elif isinstance(value, SymInt):
        for monomial, coefficient in value.terms:
            yield coefficient
            for atom, _ in monomial:
                for arg in getattr(atom, "args", ()):
                    yield from _numbers_in(arg)


def feeding(graph: Graph, wanted: Callable[[Node], Sequence[Value | None]]) -> set[Value]:
    """The inputs of the graph that what `wanted` gives for any of its nodes is computed from."""
    reads: dict[Value, set[Value]] = {}
    goals: set[Value] = set()

    def walk(inner: Graph) -> None:
        for node in inner.nodes:
            sources = {v for v in node.inputs if v is not None}
            for body in node.subgraphs.values():
                walk(body)
                sources |= {*body.outer_values(), *body.outputs}
                given = node.inputs[2:] if node.op_name == "loop" else node.inputs
                carried = body.inputs[1:] if node.op_name == "loop" else body.inputs
                for inside, outside in zip(carried, given, strict=False):
                    reads.setdefault(inside, set()).update(v for v in (outside,) if v is not None)
            for value in node.outputs:
                reads.setdefault(value, set()).update(sources)
            goals.update(v for v in wanted(node) if v is not None)

    walk(graph)
    seen: set[Value] = set()
    open_ = list(goals)
    while open_:
        value = open_.pop()
        if value not in seen:
            seen.add(value)
            open_ += reads.get(value, ())
    return {value for value in graph.inputs if value in seen}


def _sized(graph: Graph) -> tuple[set[Value], set[Value]]:
    """The inputs whose numbers become sizes or numbers of rounds, and those that become numbers of Python."""
    origins = {s: o.value for g in _graphs(graph) for s, o in g.symbols.items() if o.axis is None}
    used = {
        s
        for node in graph.walk()
        if node.op_name != "size_to_tensor"
        for s in symbols_of([a for a in node.attrs.values() if not isinstance(a, Graph)])
    }
    used.update(s for node in graph.walk() for v in node.outputs for s in symbols_of(v.spec.shape))
    sizes = [origins[s] for s in used if s in origins]

    def grows(node: Node) -> Sequence[Value | None]:
        if node.op_name == "loop":
            return node.inputs[:1]
        shapes = [s for v in node.outputs for s in symbols_of(v.spec.shape)]
        unknown = any(s.hint is None and not s.parts for s in shapes)
        return node.inputs if unknown and not node.subgraphs and node.op_name not in _NO_LARGER else ()

    made = {v: node for node in graph.walk() for v in node.outputs}
    direct = set(graph.inputs).intersection([*sizes, *origins.values()])
    as_size = feeding(graph, lambda node: [*grows(node), *(v for v in node.outputs if v in sizes)])
    as_number = feeding(graph, lambda node: [v for v in node.outputs if v in made and v in origins.values()])
    return as_size | (direct & set(sizes)), as_number | direct


def _graphs(graph: Graph) -> Iterator[Graph]:
    yield graph
    for node in graph.walk():
        yield from node.subgraphs.values()


class Values:
    """Draws inputs of every class for one graph, of the shapes of `examples`.

    What may be claimed: an element that is NaN, an infinity or a number in the program is that in the file, and numbers agree as
    far as rounding explains. Not compared: the sign of a zero, but where no sum or function is in the program; what
    a computation gives that leaves the range of its dtype on the way, where only the order of its steps decides; and a decision
    that rounding before it takes one way or the other.
    """

    def __init__(self, graph: Graph, examples: Sequence[np.ndarray], ranges: Ranges, rng: np.random.Generator) -> None:
        self.graph, self.examples, self.rng = graph, examples, rng
        self.ranges = [ranges.get(value.name) for value in graph.inputs]
        self.compared = comparisons(graph)
        sizes, numbers = _sized(graph)
        self.size = [value in sizes for value in graph.inputs]
        self.number = [value in numbers for value in graph.inputs]

    def ordinary(self, shapes: Sequence[Sequence[int]] | None = None) -> list[np.ndarray]:
        """Numbers like those of the example."""
        given = [a.shape for a in self.examples] if shapes is None else shapes
        return [sample(a, s, self.rng, r) for a, s, r in zip(self.examples, given, self.ranges, strict=True)]

    def tries(self) -> Iterator[Try]:
        """Every class that these inputs have."""
        if any(a.dtype.kind in "iu" and a.size for a in self.examples):
            yield from self._integers("integers at comparisons", self._near)
        if any(a.dtype.kind == "b" and a.size for a in self.examples):
            for truth in (True, False):
                arrays = [np.full_like(a, truth) if a.dtype.kind == "b" else a for a in self.ordinary()]
                yield Try("all true" if truth else "all false", arrays)
        if any(a.dtype.kind == "f" and a.size for a in self.examples):
            if self.compared.floats:
                yield from self._floats("floats at comparisons", self._thresholds)
            if any(within is not None for within in self.ranges):
                yield from self._floats("ends of the ranges", lambda i, a: list(self.ranges[i] or ()))
            yield from self._other_signs()
            yield from self._floats("NaN", lambda i, a: [np.nan], wild=True)
            yield from self._floats("infinities", lambda i, a: [np.inf, -np.inf], wild=True)
            yield from self._floats("tiny", _tiny)
            yield from self._floats("large", lambda i, a: [s * n for n in (20.0, 1e2, 1e3, 1e4) for s in (1, -1)], wild=True)
            yield from self._floats("huge", _huge, wild=True)
        if any(a.size > 1 and a.dtype.kind in "fiu" for a in self.examples):
            yield Try("ties", [_tied(a, self.rng) for a in self.ordinary()])
        if any(a.dtype.kind in "iu" and a.size for a in self.examples):
            yield from self._integers("integers at the ends", self._ends)

    def targeted(self) -> Iterator[list[np.ndarray]]:
        """Inputs that may take another branch, without end: every input scaled, turned, filled with one number, or mixed."""
        while True:
            yield [self._turned(i, a) for i, a in enumerate(self.ordinary())]

    def _turned(self, i: int, array: np.ndarray) -> np.ndarray:
        rng, way = self.rng, int(self.rng.integers(6))
        if way == 0 or not array.size or self.ranges[i] is not None:
            return array
        if array.dtype.kind == "b":
            return np.full_like(array, way % 2 == 0)
        if array.dtype.kind in "iu":
            near = self._near(i, array)
            low, high = self._bounds(i, array, 4 * max(map(abs, near)) + 4)
            if way == 1:
                return np.full_like(array, rng.choice(near))
            return (
                rng.choice(near, array.shape).astype(array.dtype)
                if way == 2
                else rng.integers(low, high, array.shape, array.dtype)
            )
        scale = (10.0 ** rng.uniform(-2, 2)) * rng.choice([-1, 1])
        if way == 1 and self.compared.numbers:
            c = float(rng.choice(self.compared.numbers)) / rng.choice([1, array.size])
            return np.full_like(array, c + rng.choice([-1, 0, 1]) * max(abs(c), 1) / 64)
        return np.asarray(array * scale).astype(array.dtype) if way < 4 else np.full_like(array, rng.standard_normal() * scale)

    # --- integers

    def _near(self, i: int, array: np.ndarray) -> list[int]:
        """Both sides of every number that the program compares with, and of zero."""
        found = {-1, 0, 1, 2}
        if self.examples[i].size:
            found |= {int(self.examples[i].min()), int(self.examples[i].max())}
        for n in (*self.compared.numbers, *(self.ranges[i] or ())):
            c = int(n)
            found |= {c - 1, c, c + 1, -c}
        return self._allowed(i, array, found)

    def _ends(self, i: int, array: np.ndarray) -> list[int]:
        if self.size[i] or self.number[i]:
            low, high = self._bounds(i, array, _MOST)
        else:
            low, high = np.iinfo(array.dtype).min, np.iinfo(array.dtype).max
        return self._allowed(i, array, {int(low), int(low) + 1, int(high) - 1, int(high), -1, 0})

    def _bounds(self, i: int, array: np.ndarray, most: int) -> tuple[int, int]:
        """The least and greatest number that may be drawn."""
        info = np.iinfo(array.dtype)
        if self.size[i]:
            largest = int(np.abs(self.examples[i]).max(initial=0))
            most = min(most, max(2 * largest + 3, _LARGEST_SIZE))
        elif self.number[i]:
            most = min(most, _MOST)
        return max(int(info.min), -most), min(int(info.max), most)

    def _allowed(self, i: int, array: np.ndarray, numbers: set[int]) -> list[int]:
        info, within = np.iinfo(array.dtype), self.ranges[i]
        low, high = (int(info.min), int(info.max)) if within is None else (int(np.ceil(within[0])), int(np.floor(within[1])))
        if self.size[i]:
            limits = self._bounds(i, array, _MOST)
            low, high = max(low, limits[0]), min(high, limits[1])
        found = sorted(n for n in numbers if low <= n <= high)
        return found or [int(np.clip(0, low, high))]

    def _integers(self, label: str, numbers: Callable[[int, np.ndarray], list[int]]) -> Iterator[Try]:
        orders: dict[int, np.ndarray] = {}
        for i, a in enumerate(self.examples):
            if a.dtype.kind in "iu" and a.size:
                orders[i] = self.rng.permutation(np.array(numbers(i, a), dtype=object))
        turns = max(-(-len(order) // self.examples[i].size) for i, order in orders.items())
        for turn in range(min(turns, _TURNS)):
            arrays, milder = self.ordinary(), self.ordinary()
            for i, order in orders.items():
                arrays[i] = self._mixed(arrays[i], np.roll(order, -turn * arrays[i].size))
                low, high = int(self.examples[i].min()), int(self.examples[i].max())
                inside = [n for n in order if low <= n <= high]
                if inside:
                    milder[i] = self._mixed(milder[i], np.array(inside, dtype=object))
            yield Try(label, arrays, milder)

    def _mixed(self, array: np.ndarray, numbers: Any) -> np.ndarray:
        """The numbers, as many as there is room for, at random places among those of the array; of one element: the first."""
        flat = array.ravel().copy()
        count = min(len(numbers), flat.size)
        places = self.rng.permutation(flat.size)[:count]
        flat[places] = np.array([int(n) for n in numbers[:count]], dtype=flat.dtype)
        return flat.reshape(array.shape)

    # --- floats

    def _thresholds(self, i: int, array: np.ndarray) -> list[float]:
        kind = array.dtype.type
        found: dict[float, None] = {}
        for n in self.compared.numbers:
            for c in (kind(n), kind(-n)):
                found.update((float(x), None) for x in (np.nextafter(c, kind(-np.inf)), c, np.nextafter(c, kind(np.inf))))
        return list(found)

    def _floats(self, label: str, numbers: Callable[[int, np.ndarray], list[float]], *, wild: bool = False) -> Iterator[Try]:
        """Some elements of every float input; then of those with one element, each number in turn. `wild` ones never for what
        becomes a size."""
        choices = {}
        for i, a in enumerate(self.examples):
            if a.dtype.kind == "f" and a.size and not (wild and (self.size[i] or self.number[i])):
                within = self.ranges[i]
                found = [n for n in numbers(i, a) if within is None or within[0] <= n <= within[1]]
                if found:
                    choices[i] = found
        many = [i for i in choices if self.examples[i].size > 1]
        if many:
            # tiny numbers are lost beside others; the rest stand among ordinary ones
            counts = {i: self.examples[i].size if label == "tiny" else -(-self.examples[i].size // 4) for i in many}
            turns = max(-(-len(choices[i]) // counts[i]) for i in many)
            orders = {i: self.rng.permutation(choices[i]) for i in many}
            for turn in range(min(turns, _TURNS)):
                arrays = self.ordinary()
                for i in many:
                    flat = arrays[i].ravel().copy()
                    places = self.rng.permutation(flat.size)[: counts[i]]
                    with np.errstate(over="ignore"):
                        flat[places] = np.resize(np.roll(orders[i], -turn * counts[i]), counts[i])
                    arrays[i] = flat.reshape(arrays[i].shape)
                yield Try(label, arrays)
        for i in choices:
            if i not in many:
                for n in choices[i][:_TURNS]:
                    arrays = self.ordinary()
                    with np.errstate(over="ignore"):
                        arrays[i] = np.full_like(arrays[i], n)
                    yield Try(label, arrays)

    def _other_signs(self) -> Iterator[Try]:
        arrays, found = self.ordinary(), False
        for i, a in enumerate(self.examples):
            if a.dtype.kind == "f" and a.size and self.ranges[i] is None and (a.min() >= 0 or a.max() <= 0):
                arrays[i], found = np.negative(arrays[i], out=np.empty_like(arrays[i])), True
        if found:
            yield Try("other signs", arrays)


def _tiny(_: int, array: np.ndarray) -> list[float]:
    info = np.finfo(array.dtype)
    return [s * float(n) for n in (0.0, info.smallest_subnormal, info.tiny, info.eps / 8, info.eps) for s in (1.0, -1.0)]


def _huge(_: int, array: np.ndarray) -> list[float]:
    most = float(min(np.finfo(array.dtype).max, np.finfo(np.float32).max))
    return [s * n for n in (most**0.25, most**0.5, most / 4, most) for s in (1.0, -1.0)]


def _tied(array: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Three numbers of the array, again and again."""
    if array.size < 2 or array.dtype.kind == "b":
        return array
    return rng.choice(rng.choice(array.ravel(), 3), array.shape)
