"""Passes: each removes what it says, keeps what it must, and leaves a valid graph."""

import numpy as np
import pytest

import frazil as fz
from frazil import dtypes
from frazil.nn import functional as F
from frazil.recorder import passes
from frazil.recorder.graph import Graph, Guard, Node, Origin, State, Value
from frazil.recorder.passes import (
    drop_dead_code,
    eliminate_identities,
    fold_constants,
    merge_common_subexpressions,
    optimize,
    solve_guards,
)
from frazil.recorder.plan import Plan
from frazil.sizes import Symbol
from frazil.table import Spec

F32 = dtypes.float32


class Building:
    """Writes small graphs: `b.node("exp", x)` returns the result."""

    def __init__(self):
        self.graph = Graph("f")

    def input(self, name, shape=(3,), dtype=F32):
        self.graph.inputs.append(Value(name, Spec(shape, dtype), kind="input"))
        return self.graph.inputs[-1]

    def capture(self, name, tensor, kind="constant"):
        value = Value(name, Spec(tuple(tensor.shape), tensor.dtype), kind=kind, tensor=tensor)
        self.graph.captured.append(value)
        return value

    def node(self, op, *inputs, shape=(3,), dtype=F32, **attrs):
        out = Value(self.graph.unique_name(op), Spec(shape, dtype))
        self.graph.nodes.append(Node(op, inputs, attrs, [out]))
        return out

    def done(self, *outputs):
        self.graph.outputs = list(outputs)
        return self.graph.validate()


@pytest.fixture
def b():
    return Building()


def ops(graph):
    return [node.op_name for node in graph.nodes]


def test_dead_code_goes_and_what_is_needed_stays(b):
    n = Symbol("x0", text="x.shape[0]")
    found = Symbol("u0", text="the size of nonzero_positions")
    x = b.input("x", (n.size,))
    w, unused = b.capture("w", fz.ones(3), "param"), b.capture("unused", fz.ones(3), "param")
    state = b.capture("count", fz.zeros(()), "state")
    b.node("exp", x)
    where = b.node("nonzero_positions", x, shape=(found.size, 1), dtype=dtypes.int64)
    guarded = b.node("nonzero_positions", w, shape=(1,), dtype=dtypes.int64)
    sized = b.node("fill", shape=(found.size,), value=1.0, dtype=F32)
    b.graph.nodes[-1].attrs = {"shape": (found.size,), "value": 1.0, "dtype": F32}
    counted = b.node("add", state, w)
    b.graph.symbols = {n: Origin(x, 0), found: Origin(where, 0)}
    b.graph.states = [State(state, counted, state.tensor)]
    b.graph.guards = [Guard(n.size > 2, True)]
    graph = b.done(sized)
    assert drop_dead_code(graph)
    assert ops(graph) == ["nonzero_positions", "fill", "add"]
    assert graph.captured == [w, state] and unused not in graph.captured and guarded.name not in str(graph)
    assert not drop_dead_code(graph.validate())


def test_dead_code_follows_a_guard_on_a_data_dependent_size(b):
    found = Symbol("u0")
    x = b.input("x")
    where = b.node("nonzero_positions", x, shape=(found.size, 1), dtype=dtypes.int64)
    y = b.node("exp", x)
    b.graph.symbols = {found: Origin(where, 0)}
    b.graph.guards = [Guard(found.size > 2, True)]
    assert not drop_dead_code(b.done(y))


def test_dead_code_looks_into_branches(b):
    x, p = b.input("x"), b.input("p", (), dtypes.bool_)
    used, unused = b.node("exp", x), b.node("log", x)
    inner = Value("inner", Spec((3,), F32))
    dead = Value("dead", Spec((3,), F32))
    then = Graph("then", outputs=[inner], nodes=[Node("neg", [unused], {}, [dead]), Node("neg", [used], {}, [inner])])
    y = b.node("cond", p, then=then, orelse=Graph("orelse", outputs=[x]))
    graph = b.done(y)
    assert drop_dead_code(graph)
    assert ops(graph) == ["exp", "cond"] and ops(then) == ["neg"]


def test_equal_nodes_become_one(b):
    n = Symbol("x0")
    x = b.input("x", (n.size,))
    b.graph.symbols = {n: Origin(x, 0)}
    first, second = b.node("exp", x), b.node("exp", x)
    total = b.node("add", first, second)
    a = b.node("slice", total, starts=(0,), stops=((2 * n.size) // 2 - 1,), steps=(1,))
    c = b.node("slice", total, starts=(0,), stops=(n.size - 1,), steps=(1,))
    graph = b.done(b.node("mul", a, c))
    assert merge_common_subexpressions(graph)
    assert ops(graph.validate()) == ["exp", "add", "slice", "mul"]


@pytest.mark.parametrize("pair", [(1, 1.0), (1, True), (0.0, -0.0), ("a", "b"), (None, 0)])
def test_attributes_that_differ_in_kind_keep_nodes_apart(b, pair):
    x = b.input("x")
    results = [b.node("clamp_numbers", x, min=value, max=None) for value in pair]
    assert not merge_common_subexpressions(b.done(b.node("add", *results)))


def test_nan_equals_nan_as_an_attribute(b):
    x = b.input("x")
    results = [b.node("clamp_numbers", x, min=float("nan"), max=None) for _ in range(2)]
    assert merge_common_subexpressions(b.done(b.node("add", *results)))


def test_weights_of_equal_value_stay_two_and_one_weight_becomes_one(b):
    x, shared = b.input("x"), fz.ones(3)
    names = [b.capture("a", shared, "param"), b.capture("b", shared, "param"), b.capture("c", fz.ones(3), "param")]
    for weight in names:
        x = b.node("mul", x, weight)
    graph = b.done(x)
    assert merge_common_subexpressions(graph)
    assert [value.name for value in graph.captured] == ["a", "c"]


def test_random_and_data_dependent_nodes_are_never_merged(b, monkeypatch):
    random = next((name for name, op in fz.table.OPS.items() if op.random), None)
    if random is None:
        random = "exp"
        monkeypatch.setattr(fz.table.OPS["exp"], "random", True)
    x = b.input("x")
    results = [b.node(random, x), b.node(random, x)]
    sizes = [Symbol("u0"), Symbol("u1")]
    found = [b.node("nonzero_positions", x, shape=(size.size, 1), dtype=dtypes.int64) for size in sizes]
    b.graph.symbols = {size: Origin(value, 0) for size, value in zip(sizes, found, strict=True)}
    assert not merge_common_subexpressions(b.done(*results, *found))


def test_constants_are_computed_once(b):
    x, c = b.input("x"), b.capture("c", fz.tensor([1.0, 2.0, 3.0]))
    doubled = b.node("add", c, c)
    ones = b.node("fill", shape=(3,), value=1.0, dtype=F32)
    b.graph.nodes[-1].attrs = {"shape": (3,), "value": 1.0, "dtype": F32}
    graph = b.done(b.node("mul", x, b.node("sub", doubled, ones)))
    assert fold_constants(graph)
    assert ops(graph.validate()) == ["mul"]
    (folded,) = graph.captured
    assert folded.kind == "constant" and folded.tensor.tolist() == [1.0, 3.0, 5.0]


def test_parameters_state_sizes_and_big_results_are_not_folded(b):
    n = Symbol("x0")
    x = b.input("x", (n.size,))
    b.graph.symbols = {n: Origin(x, 0)}
    weight = b.capture("w", fz.ones(3), "param")
    counter = b.capture("count", fz.zeros(3), "constant")
    results = [
        b.node("exp", weight),
        b.node("exp", counter),
        b.node("expand", b.capture("one", fz.ones(1)), shape=(n.size,)),
        b.node("expand", b.capture("wide", fz.ones(1)), shape=(passes.FOLD_BYTES_OUT,)),
        b.node("exp", b.capture("large", fz.ones(passes.FOLD_BYTES_IN)), shape=(passes.FOLD_BYTES_IN,)),
    ]
    b.graph.nodes[2].attrs = {"shape": (n.size,)}
    b.graph.nodes[2].outputs[0].spec = Spec((n.size,), F32)
    b.graph.nodes[3].outputs[0].spec = Spec((passes.FOLD_BYTES_OUT,), F32)
    b.graph.states = [State(counter, results[1], counter.tensor)]
    assert not fold_constants(b.done(*results))


def test_creation_ops_alone_stay(b):
    ones = b.node("fill", shape=(3,), value=1.0, dtype=F32)
    b.graph.nodes[-1].attrs = {"shape": (3,), "value": 1.0, "dtype": F32}
    assert not fold_constants(b.done(ones))


def test_identities_go(b):
    n = Symbol("x0")
    x = b.input("x", (n.size, 3))
    b.graph.symbols = {n: Origin(x, 0)}
    y = x
    for op, attrs in [
        ("cast", {"dtype": F32}),
        ("copy", {}),
        ("expand", {"shape": (n.size, 3)}),
        ("permute", {"dims": (0, 1)}),
        ("slice", {"starts": (0, 0), "stops": (n.size, 3), "steps": (1, 1)}),
        ("pad_constant", {"pads": ((0, 0), (0, 0)), "value": 0.0}),
    ]:
        y = b.node(op, y, shape=(n.size, 3))
        b.graph.nodes[-1].attrs = attrs
    graph = b.done(b.node("exp", y, shape=(n.size, 3)))
    assert eliminate_identities(graph)
    assert ops(graph.validate()) == ["exp"]


@pytest.mark.parametrize("stride", [1, 2, 3])
def test_a_relu_masks_the_gradient_before_the_max_pool_spreads_it(stride: int) -> None:
    def loss(x: fz.Tensor) -> fz.Tensor:
        return (F.max_pool2d(F.relu(x), 2, stride, padding=1) * 3.0).square().sum()

    x = fz.randn(2, 3, 7, 6)
    x[0, 0] = -1.0  # windows without anything positive, and equals
    x[0, 1] = 2.0
    x[0, 2, 3, 3], x[1, 1, 2, 2] = float("nan"), float("inf")
    program = fz.jit.trace(fz.func.grad(loss), (x,))
    graph = optimize(program.graph)
    names = ops(graph.validate())
    assert names.index("relu_grad") < names.index("max_pool_grad")
    assert next(node for node in graph.nodes if node.op_name == "relu_grad").inputs[1].producer.op_name == "max_pool"
    (found,) = Plan(graph, graph.outputs).run([x], on_arrays=False)
    np.testing.assert_array_equal(found.numpy(), fz.func.grad(loss)(x).numpy())


def test_a_spread_gradient_that_is_read_elsewhere_stays() -> None:
    def both(x: fz.Tensor) -> fz.Tensor:
        active = F.relu(x)
        g = fz.func.grad(lambda a: F.max_pool2d(a, 2).square().sum())(active)
        return g + fz.ops.relu_grad(g, active)

    graph = optimize(fz.jit.trace(both, (fz.randn(1, 1, 4, 4),)).graph)
    assert ops(graph.validate()).index("max_pool_grad") < ops(graph).index("relu_grad")


def test_what_only_looks_like_an_identity_stays(b):
    x = b.input("x", (3, 3))
    turned = b.node("permute", x, shape=(3, 3), dims=(1, 0))
    shifted = b.node("pad_constant", x, shape=(3, 3), pads=((1, -1), (0, 0)), value=0.0)
    half = b.node("cast", x, shape=(3, 3), dtype=dtypes.float16)
    assert not eliminate_identities(b.done(turned, shifted, half))


def test_reshapes_and_permutes_join(b):
    x = b.input("x", (2, 3, 4))
    flat = b.node("reshape", x, shape=(24,))
    b.graph.nodes[-1].attrs = {"shape": (24,)}
    back = b.node("reshape", flat, shape=(2, 3, 4))
    b.graph.nodes[-1].attrs = {"shape": (2, 3, 4)}
    once = b.node("permute", back, shape=(3, 4, 2), dims=(1, 2, 0))
    twice = b.node("permute", once, shape=(4, 2, 3), dims=(1, 2, 0))
    graph = optimize(b.done(twice))
    assert ops(graph.validate()) == ["permute"]
    assert graph.nodes[0].attrs["dims"] == (2, 0, 1) and graph.nodes[0].inputs == graph.inputs


def test_optimize_leaves_the_original_alone(b):
    x = b.input("x")
    b.node("exp", x)
    graph = b.done(x)
    before = str(graph)
    assert ops(optimize(graph)) == [] and str(graph) == before


def test_equations_among_guards_are_solved():
    n, m, k = Symbol("n"), Symbol("m"), Symbol("k")
    solved = solve_guards(
        [
            Guard(m.size == n.size, True),
            Guard(2 * n.size == 8, True),
            Guard(k.size > 3, True),
            Guard(k.size == 5, False),
            Guard(n.size * k.size == 40, True),
        ]
    )
    assert solved == {m: 4, n: 4, k: 10}
    assert solve_guards([Guard(2 * n.size == 7, True)]) == {}
    assert solve_guards([Guard(n.size * m.size == 12, True)]) == {}
