"""What a program computes, node by node, and how far another computation may be from it.

The measure is a run of the same graph in float64. How far float32 gets from that (the eager run), and how far the result moves
when what every node that rounds is given moves by a rounding error, say what rounding does to this program; another runtime may
be off by a few times that. What only chooses, moves or compares does not round: a tie in an input is a tie for everybody.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from frazil import dtypes
from frazil.autograd.modes import no_grad
from frazil.creation import tensor as make_tensor
from frazil.device import device
from frazil.errors import RecordError
from frazil.ops.complex_numbers import view_as_complex
from frazil.recorder.graph import Graph, Node, Value
from frazil.recorder.running import Watcher, device_for, execute
from frazil.recorder.trace import expand
from frazil.sizes import SymBool, decide
from frazil.table import OPS, Spec
from frazil.tensor import Tensor

#: Ops that choose, move or compare numbers, and round none.
EXACT = frozenset(
    "neg abs sign floor ceil trunc round_half_even eq ne lt le gt ge logical_and logical_or logical_xor logical_not bitwise_and "
    "bitwise_or bitwise_xor bitwise_not bitwise_left_shift bitwise_right_shift isnan isinf isfinite where clamp_numbers "
    "nan_to_num cast copy maximum minimum relu relu_grad hardtanh threshold hardshrink amax amin argmax argmin all any "
    "sort_values topk_values max_pool max_pool_indices max_pool_places fill sequence transfer depth_to_space gather_values "
    "scatter_values index index_put_values nonzero_positions embedding one_hot".split()
) | {name for name, op in OPS.items() if op.fn.__module__.endswith(".shape")}

#: Ops of which the sign of a zero that comes out is agreed; of sums and of most functions it is not, nor of onnxruntime's Where,
#: which adds up what it chooses from both sides.
SIGNED = frozenset("neg abs sqrt reciprocal floor ceil round_half_even mul div copy".split()) | {
    name for name, op in OPS.items() if op.fn.__module__.endswith(".shape")
}

#: Ops that files compute from numbers which are larger than the result, and how large: it is off by a rounding of those.
INNER: dict[str, Callable[..., Any]] = {
    **dict.fromkeys("sigmoid erfc elu selu celu".split(), lambda x, attrs: np.ones_like(x)),
    **dict.fromkeys(("silu", "gelu"), lambda x, attrs: np.abs(x)),
    "silu_grad": lambda g, x, attrs: np.abs(g) * (1 + np.abs(x)),
    "glu": lambda x, attrs: np.abs(np.split(x, 2, attrs["dim"])[0]),
}

#: Ops that add up products or squares of what they are given.
SUMS = (
    frozenset(
        name
        for name, op in OPS.items()
        if op.fn.__module__.rpartition(".")[2]
        in ("linalg", "norm", "attention", "conv", "pool", "reduction", "recurrent", "loss", "statistics", "resize")
    )
    - EXACT
)


#: Ops whose bodies are run instead: a rounding of a sum inside, or of a place, may be far more than one of what comes out.
OPENED = frozenset(
    name
    for name in SUMS
    if OPS[name].body is not None
    and OPS[name].fn.__module__.rpartition(".")[2] in ("norm", "pool", "reduction", "loss", "statistics", "resize")
)


def accumulates(node: Node) -> bool:
    """Return whether an op that writes adds up what goes to one place."""
    return node.op_name == "scatter_add_values" or bool(node.attrs.get("accumulate"))


def rounds_integers(node: Node) -> bool:
    """Return whether an op computes with integers as floats, to which they are rounded first."""
    dtype = node.attrs.get("dtype")
    return node.op_name in SUMS and isinstance(dtype, dtypes.dtype) and dtype.is_floating_point


#: A runtime may be this many times as far from the exact result as rounding alone explains.
FACTOR = 16

Values = dict[Value, np.ndarray]


class Sparing(Watcher):
    """Lets go of what no further node of the graph reads and nobody wants. (A training step of ResNet-18 with AdamW has 2 GB of
    values in float64, and is run up to nine times.)"""

    def __init__(self, graph: Graph, wanted: Collection[Value]) -> None:
        last: dict[Value, Node] = {}
        for node in graph.nodes:
            inside = [value for subgraph in node.subgraphs.values() for value in subgraph.outer_values()]
            last.update((value, node) for value in (*node.inputs, *inside, *node.outputs) if value is not None)
        self.over: dict[Node, list[Value]] = {}
        wanted = frozenset(wanted)
        for value, node in last.items():
            if value not in wanted:
                self.over.setdefault(node, []).append(value)

    def after(self, node: Node, values: dict[Value, Tensor]) -> None:
        for value in self.over.get(node, ()):
            values.pop(value, None)


def run_graph(
    graph: Graph, arrays: Sequence[np.ndarray], watcher: Watcher | None = None, wanted: Collection[Value] | None = None
) -> Values:
    """Every value of the graph, or only what is wanted, computed op by op, where its weights are."""
    place = device_for((), graph)
    wanted = None if wanted is None else frozenset(wanted)
    if watcher is None:
        watcher = Watcher() if wanted is None else Sparing(graph, wanted)
    with no_grad(), np.errstate(all="ignore"):
        env = execute(graph, [make_tensor(array, device=place) for array in arrays], watcher=watcher)
        return {value: host(tensor) for value, tensor in env.items() if wanted is None or value in wanted}


def needed_to_judge(values: Collection[Value]) -> set[Value]:
    """Return what has to be known of a run in the program's own dtypes to judge these values."""
    given = (v for value in values if value.producer is not None for v in value.producer.inputs if v is not None)
    return {*values, *given}


def host(tensor: Tensor) -> np.ndarray:
    """The numbers of a tensor, on their own; complex ones as pairs along a last dimension, as they are in files."""
    array = np.array(dtypes.in_numpy(tensor.detach().cpu()._array()))
    return np.stack([array.real, array.imag], -1) if array.dtype.kind == "c" else array


def from_host(array: np.ndarray, like: Tensor) -> Tensor:
    """Return what `host` gave of a tensor, or other numbers in its place, as a tensor of its kind, on its device."""
    found = make_tensor(array, device=like.device)
    return view_as_complex(found) if like.dtype.is_complex else found


def eps_of(dtype: np.dtype[Any]) -> float:
    """The distance of 1 to the next number."""
    return float(np.finfo(dtype).eps) if dtype.kind == "f" else 0.0


def in_float64(graph: Graph) -> tuple[Graph, dict[Value, Value], dict[Value, dtypes.dtype]]:
    """The graph with all floats in float64, on the CPU, which has it, and with bodies for ops of `OPENED`; which value became
    which; and of which dtype the floats were."""
    pairs: dict[Value, Value] = {}
    copy = graph.copy(pairs)
    _open(copy, copy.captured, [guard.holds for guard in copy.guards])
    values = _all_values(copy)
    floats = {value: value.spec.dtype for value in values if value.spec.dtype.is_floating_point}
    for value in values:
        if value in floats:
            value.spec = Spec(value.spec.shape, dtypes.float64)
        if value.tensor is not None:
            numbers = host(value.tensor)
            value.tensor = make_tensor(numbers.astype(np.float64) if value in floats else numbers, device="cpu")
    _widen(copy)
    return copy, pairs, floats


def _open(graph: Graph, captured: list[Value], facts: Sequence[SymBool]) -> None:
    """Put the bodies of ops of `OPENED` in their place, where they are the same for all sizes of which the facts hold."""
    open_, graph.nodes = graph.nodes[::-1], []
    while open_:
        node = open_.pop()
        for subgraph in node.subgraphs.values():
            _open(subgraph, captured, facts)
        body = _body(node, facts)
        if body is None:
            graph.nodes.append(node)
            continue
        body.replace_all(dict(zip(body.inputs, (value for value in node.inputs if value is not None), strict=True)))
        captured += body.captured
        graph.symbols = {**body.symbols, **graph.symbols}
        results = [Node("copy", [inner], {}, [value]) for inner, value in zip(body.outputs, node.outputs, strict=True)]
        open_ += [*body.nodes, *results][::-1]


def _body(node: Node, facts: Sequence[SymBool]) -> Graph | None:
    """The body of an op of `OPENED`, if nothing in it depends on numbers, or on a size that the facts leave open. (That all take
    the same of two neighbours which are as near is seen to by lowerings.)"""
    if node.op_name not in OPENED or str(node.attrs.get("mode")).startswith("nearest"):
        return None
    try:
        body = expand(node)
    except RecordError:
        return None
    return body if all(decide(guard.holds, facts) for guard in body.guards) else None


def _widen(graph: Graph) -> None:
    nodes = []
    for node in graph.nodes:
        nodes.append(node)
        if node.op_name.startswith("random_"):
            nodes += _cast_results(node)
        else:
            node.attrs = {name: _wide(attr) for name, attr in node.attrs.items()}
        for subgraph in node.subgraphs.values():
            _widen(subgraph)
    graph.nodes = nodes


def _wide(attr: Any) -> Any:
    return dtypes.float64 if isinstance(attr, dtypes.dtype) and attr.is_floating_point else attr


def _cast_results(node: Node) -> list[Node]:
    """Random numbers are drawn as they were, since another dtype would draw others, and cast."""
    casts = []
    for position, value in enumerate(node.outputs):
        dtype = node.attrs.get("dtype")
        if value.spec.dtype.is_floating_point and dtype is not None:
            drawn = Value(f"{value.name}.drawn", Spec(value.spec.shape, dtype), producer=node)
            node.outputs[position] = drawn
            casts.append(Node("cast", [drawn], {"dtype": dtypes.float64}, [value]))
    return casts


def moved(array: np.ndarray, eps: float, rng: np.random.Generator) -> np.ndarray:
    """The array with every element off by up to a rounding error."""
    return array * (1 + eps * rng.uniform(-1, 1, array.shape))


def _all_values(graph: Graph) -> list[Value]:
    inner = [value for node in graph.walk() for subgraph in node.subgraphs.values() for value in subgraph.inputs]
    return [*graph.inputs, *graph.captured, *inner, *(value for node in graph.walk() for value in node.outputs)]


class Shaken(Sparing):
    """Moves what every node that rounds is given by up to `scale` rounding errors."""

    def __init__(
        self,
        graph: Graph,
        wanted: Collection[Value],
        floats: Mapping[Value, dtypes.dtype],
        rng: np.random.Generator,
        scale: float,
    ) -> None:
        super().__init__(graph, wanted)
        self.floats, self.eps = floats, {value: dtypes.finfo(dtype).eps for value, dtype in floats.items()}
        self.rng, self.scale = rng, scale

    def before(self, node: Node, tensors: list[Tensor | None]) -> list[Tensor | None]:
        if node.op_name in EXACT and not accumulates(node):
            return tensors
        eps = [None if v is None else self.eps.get(v) for v in node.inputs]
        if rounds_integers(node):
            eps = [self.eps[node.outputs[0]] if e is None else e for e in eps]
        return [
            make_tensor(moved(host(t), self.scale * e, self.rng))
            if t is not None and e is not None and t.dtype.kind in "fi"
            else t
            for e, t in zip(eps, tensors, strict=True)
        ]

    def after(self, node: Node, values: dict[Value, Tensor]) -> None:
        if node.op_name in ("sum", "cumsum", *INNER) and node.outputs[0] in self.floats:
            given, result = node.inputs[0], node.outputs[0]
            assert given is not None
            if node.op_name in INNER:
                inner = INNER[node.op_name](*(host(values[x]) for x in node.inputs if x is not None), node.attrs)
                off = self.eps[result] * np.where(np.isfinite(inner), inner, 0) * self.rng.uniform(-1, 1, inner.shape)
            else:
                lost = lost_one_by_one(node, host(values[given]), self.floats[result])
                off = lost / FACTOR * self.rng.choice([-1, 1], lost.shape)
            values[result] = make_tensor(host(values[result]) + self.scale * off)
        super().after(node, values)


def lost_one_by_one(node: Node, given: np.ndarray, dtype: dtypes.dtype) -> np.ndarray:
    """Return what a sum loses at most where numbers are added one by one: each rounded to the same side, if they are equal."""
    narrow: Any = np.float64 if dtype is dtypes.float64 else np.float32  # float16 is added up in float32
    dims, kept = node.attrs["dim"], node.attrs.get("keepdim", True)
    axes = tuple(range(given.ndim)) if dims is None else (dims,) if isinstance(dims, int) else tuple(dims)
    others = [axis for axis in range(given.ndim) if axis not in axes]
    rows = given.transpose(*others, *axes).reshape(*(given.shape[axis] for axis in others), -1).astype(narrow)
    with np.errstate(all="ignore"):
        lost = np.abs(rows.cumsum(-1) - rows.cumsum(-1, dtype=np.longdouble if narrow is np.float64 else np.float64))
    lost = np.where(np.isfinite(lost), lost, 0).astype(np.float64)
    if node.op_name == "cumsum":
        return np.moveaxis(np.maximum.accumulate(lost, -1), -1, axes[0])
    largest: np.ndarray = lost.max(-1, initial=0.0)
    return np.expand_dims(largest, axes) if kept else largest


@dataclass(frozen=True)
class Judgement:
    """The comparison of a value that was found: its largest error, that in units of what rounding explains (above 1: wrong),
    and whether elements differ that nothing can be said of."""

    error: float
    excess: float
    beyond: bool = False


@dataclass
class Exact:
    """The values of a graph on some inputs: in its own dtypes, in float64, and (`moved`, run when needed) in float64 with every
    rounding moved, one way and the other, so that a decision on the edge goes both ways."""

    own: Values
    values: Values
    shake: Callable[[Sequence[int]], list[Values]]

    @cached_property
    def moved(self) -> list[Values]:
        """Of every value, where roundings may take it."""
        return self.shake([0])

    @cached_property
    def moved_again(self) -> list[Values]:
        """The same, more often: of a deep program some roundings turn a ReLU or the place of a maximum, and most turn none."""
        return self.shake([1, 2, 3])

    @cached_property
    def moved_far(self) -> list[Values]:
        """The same by `FACTOR` times as much, which is what a runtime may be off by anywhere: what that turns, it may turn. (The
        roundings of a sum of thousands, in a convolution or over a batch, are together that many times one rounding.)"""
        return self.shake([4, 5, 6])

    def at_first_sight(self, value: Value, found: np.ndarray, dtype: np.dtype[Any]) -> Judgement:
        """As `judge`, without further runs, which can only excuse more."""
        return self._judge(value, found, dtype, [self.own])

    def excess(self, value: Value, found: np.ndarray, dtype: np.dtype[Any]) -> tuple[float, float]:
        """The largest error of `found`, and that error in units of what is allowed (above 1: too much)."""
        judged = self.judge(value, found, dtype)
        return judged.error, judged.excess

    def judge(self, value: Value, found: np.ndarray, dtype: np.dtype[Any]) -> Judgement:
        """Compare `found`, of a value that is of `dtype` in the program.

        Two differences are no errors: of a decision that rounding before it takes one way or the other, and where the program
        itself is of another kind (NaN, infinity, number) than in float64, so that it left the range of its dtype on the way.
        """
        judged = self.at_first_sight(value, found, dtype)
        if judged.excess > 1 or judged.beyond:
            judged = self._judge(value, found, dtype, [self.own, *self.moved])
        if judged.excess > 1:
            judged = self._judge(value, found, dtype, [self.own, *self.moved, *self.moved_again])
        if judged.excess > 1:
            judged = self._judge(value, found, dtype, [self.own, *self.moved, *self.moved_again], self.moved_far)
        return judged

    def _judge(
        self, value: Value, found: np.ndarray, dtype: np.dtype[Any], others: list[Values], far: Sequence[Values] = ()
    ) -> Judgement:
        exact = self.values[value]
        own = self.own.get(value, exact)
        weighted = [(run[value], 1.0) for run in others if value in run] + [(run[value], 1 / FACTOR) for run in far]
        if found.shape != exact.shape:
            undecided = any(run.shape != exact.shape for run, _ in weighted)
            return Judgement(np.inf, 0.0 if undecided else np.inf, undecided)
        weighted = [(run, weight) for run, weight in weighted if run.shape == exact.shape]
        if exact.dtype.kind != "f":
            differs = found != exact
            unsure = np.zeros(exact.shape, bool)
            for run, _ in weighted:
                unsure |= run != exact
            wrong = float(np.count_nonzero(differs & ~unsure))
            return Judgement(wrong, np.inf if wrong else 0.0, bool((differs & unsure).any()))
        errors = [(distance(run, exact), weight) for run, weight in weighted]
        noise = np.max([np.zeros(exact.shape), *(weight * np.where(np.isfinite(e), e, 0) for e, weight in errors)], axis=0)
        noise = self.of_its_part(value, noise)
        error = distance(found, exact)
        if own.shape == exact.shape:
            error = np.minimum(error, distance(found, own))
        size = np.abs(np.where(np.isfinite(exact), exact, 0))
        info = np.finfo(dtype)
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            rounding = max(FACTOR, self.added_one_by_one(value) / 2) * float(info.eps) * size
            allowed = FACTOR * noise + rounding + float(info.tiny)
            differs = ~np.isfinite(error)
            near = (size + allowed >= float(info.max) / 2) & ~np.isnan(found)
            lost, vague = np.zeros(exact.shape, bool), differs & near
            if self.overflows(value, float(info.max)):
                vague |= differs
            for e, _ in errors:
                lost |= ~np.isfinite(e)
                vague |= differs & (e > size / 64 + float(info.tiny))
            ratio = np.where((error == 0) | lost | vague, 0.0, error / allowed)
        beyond = bool((vague | (lost & (error > allowed))).any())
        return Judgement(float(error.max(initial=0.0)), float(ratio.max(initial=0.0)), beyond)

    def of_its_part(self, value: Value, noise: np.ndarray) -> np.ndarray:
        """For each element the largest noise of the part that it is in. Roundings of a sum hit one element in one run and another
        in the next, so what one may be off by, those computed with it may be too; what is only joined to it may not."""
        node = value.producer
        given = [] if node is None else [self.own.get(v) if v is not None else None for v in node.inputs]
        largest = lambda part: np.full(part.shape, part.max(initial=0.0))
        if node is not None and node.op_name == "cat" and all(a is not None for a in given):
            dim = node.attrs["dim"]
            ends = np.cumsum([a.shape[dim] for a in given if a is not None])
            return np.concatenate([largest(part) for part in np.split(noise, ends[:-1], dim)], dim)
        if node is not None and node.op_name == "where" and given[0] is not None:
            first, second = (np.where(given[0] == side, noise, 0.0) for side in (True, False))
            return np.where(given[0], largest(first), largest(second))
        return largest(noise)

    def floats_into(self, value: Value) -> list[np.ndarray]:
        """Return what the node that makes the value is given, as far as it is known."""
        node = value.producer
        if node is None:
            return []
        kinds = "fiu" if rounds_integers(node) else "f"
        return [self.own[v] for v in node.inputs if v is not None and v in self.own and self.own[v].dtype.kind in kinds]

    def added_one_by_one(self, value: Value) -> int:
        """Return how many numbers may go to one place, each rounded to the same side (if they are equal, they are)."""
        node = value.producer
        if node is None or not accumulates(node):
            return 0
        shapes = [self.own[v].shape for v in node.inputs if v in self.own and self.own[v].dtype.kind == "i"]
        return math.prod(np.broadcast_shapes(*shapes))

    def overflows(self, value: Value, most: float) -> bool:
        """Return whether the op adds up products or squares, which may be too large in one order of the steps and not in
        another."""
        node = value.producer
        if node is None or (node.op_name not in SUMS and not accumulates(node)):
            return False
        sizes = [np.abs(a[np.isfinite(a)].astype(np.float64)).max(initial=0.0) for a in self.floats_into(value)]
        return max(sizes, default=0.0) ** 2 * FACTOR >= most


def distance(found: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """Elementwise |found - expected|; 0 where both are NaN or the same infinity, infinite where only one is."""
    found, expected = found.astype(np.float64), expected.astype(np.float64)
    with np.errstate(invalid="ignore"):
        error = np.abs(found - expected)
    same = (found == expected) | (np.isnan(found) & np.isnan(expected))
    return np.where(same, 0.0, np.where(np.isnan(error), np.inf, error))


class Oracle:
    """Runs one graph in float64 as often as needed."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.wide, self.pairs, self.floats = in_float64(graph)

    def exact(self, arrays: Sequence[np.ndarray], own: Values, seed: int = 0, wanted: Collection[Value] | None = None) -> Exact:
        """Run the graph in float64; `own` are its values in its dtypes, `wanted` those that will be judged (None: all)."""
        inputs = [a.astype(np.float64) if a.dtype.kind == "f" else a for a in arrays]
        pairs = self.pairs if wanted is None else {value: self.pairs[value] for value in wanted}
        kept = set(pairs.values())

        def run(watcher: Watcher) -> Values:
            with device("cpu"):
                found = run_graph(self.wide, inputs, watcher, kept)
            return {value: found[twin] for value, twin in pairs.items() if twin in found}

        def shaken(time: int, sign: int) -> Values:
            rng = np.random.default_rng([seed, time] if time else seed)
            return run(Shaken(self.wide, kept, self.floats, rng, sign * FACTOR if time > 3 else sign))

        def shake(times: Sequence[int]) -> list[Values]:
            return [shaken(time, sign) for time in times for sign in (1, -1)]

        return Exact(own, run(Sparing(self.wide, kept)), shake)
