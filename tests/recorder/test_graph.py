"""The graph: prints like code, copies, replaces, and knows when it is broken."""

import linecache

import pytest

import frazil as fz
from frazil import dtypes
from frazil.errors import RecordError
from frazil.recorder.graph import Graph, Guard, Node, Origin, Scope, Source, State, Value, made_of
from frazil.sizes import Symbol
from frazil.table import Spec

F32 = dtypes.float32


def tiny():
    """A linear layer, a running count, and a guard, as a recorder would write them."""
    linecache.cache["/somewhere/model.py"] = (
        0,
        None,
        ["class Net:\n", "    def forward(self, x):\n", "        return relu(self.fc(x))\n"],
        "/somewhere/model.py",
    )
    batch = Symbol("x0", hint=4, text="x.shape[0]")
    x = Value("x", Spec((batch.size, 3), F32), kind="input")
    w = Value("fc.weight", Spec((2, 3), F32), kind="param", tensor=object())
    count = Value("count", Spec((), dtypes.int64), kind="state", tensor=object())
    line = Source("/somewhere/model.py", 3, "forward")
    fc = (Scope("", "Net"), Scope("fc", "Linear"))
    h = Value("linear", Spec((batch.size, 2), F32))
    y = Value("relu", Spec((batch.size, 2), F32))
    rows = Value("size", Spec((), dtypes.int64))
    new_count = Value("add", Spec((), dtypes.int64))
    nodes = [
        Node("linear", [x, w, None], {}, [h], source=line, scope=fc),
        Node("relu", [h], {}, [y], source=line, scope=fc[:1]),
        Node("size_to_tensor", [], {"size": 2 * batch.size, "dtype": dtypes.int64}, [rows], source=line, scope=fc[:1]),
        Node("add", [count, rows], {}, [new_count], source=line, scope=fc[:1]),
    ]
    return Graph(
        "forward",
        inputs=[x],
        outputs=[y],
        nodes=nodes,
        captured=[w, count],
        states=[State(count, new_count, count.tensor)],
        guards=[Guard(batch.size > 3, True, line)],
        symbols={batch: Origin(x, 0)},
    )


GOLDEN = """\
graph forward(x: float32[x0, 3]):
    param fc.weight: float32[2, 3]
    state count: int64[]
    guard x.shape[0] > 3 is True (model.py:3 in forward)

    # fc (Linear), model.py:3 in forward: return relu(self.fc(x))
    linear: float32[x0, 2] = linear(x, fc.weight, None)

    # Net, model.py:3 in forward: return relu(self.fc(x))
    relu: float32[x0, 2] = relu(linear)
    size: int64[] = size_to_tensor(size=2*x0, dtype=int64)
    add: int64[] = add(count, size)
    state count <- add
    return (relu)"""


def test_prints_like_code():
    assert str(tiny()) == GOLDEN


def test_prints_the_same_every_time():
    assert str(tiny()) == str(tiny())


def test_subgraphs_and_data_dependent_sizes_print():
    x = Value("x", Spec((5,), F32), kind="input")
    found = Symbol("u0", text="nonzero(x).shape[0]")
    indices = Value("nonzero", Spec((found.size, 1), dtypes.int64))
    pred = Value("pred", Spec((), dtypes.bool_), kind="input")
    t = Value("neg", Spec((5,), F32))
    then = Graph("then", outputs=[t], nodes=[Node("neg", [x], {}, [t])])
    orelse = Graph("orelse", outputs=[x])
    y = Value("cond", Spec((5,), F32))
    graph = Graph(
        "f",
        [x, pred],
        [y, indices],
        [Node("nonzero", [x], {}, [indices]), Node("cond", [pred], {"then": then, "orelse": orelse}, [y])],
        symbols={found: Origin(indices, 0)},
    ).validate()
    assert str(graph) == (
        "graph f(x: float32[5], pred: bool[]):\n"
        "    nonzero: int64[u0, 1] = nonzero(x)\n"
        "    cond: float32[5] = cond(pred)\n"
        "        then():\n"
        "            neg: float32[5] = neg(x)\n"
        "            return (neg)\n"
        "        orelse():\n"
        "            return (x)\n"
        "    return (cond, nonzero)"
    )
    assert then.outer_values() == [x] and graph.outer_values() == []


def test_a_copy_is_equal_and_independent():
    graph = tiny()
    copy = graph.copy().validate()
    assert str(copy) == str(graph)
    assert not {value for node in copy.nodes for value in node.outputs} & {v for n in graph.nodes for v in n.outputs}
    assert copy.captured[0].tensor is graph.captured[0].tensor
    copy.nodes[1].op_name = "gelu"
    assert str(graph) == GOLDEN


def test_a_copy_of_a_graph_with_subgraphs_reads_its_own_values():
    x = Value("x", Spec((), F32), kind="input")
    h = Value("h", Spec((), F32))
    inner = Value("inner", Spec((), F32))
    y = Value("y", Spec((), F32))
    body = Graph("then", outputs=[inner], nodes=[Node("neg", [h], {}, [inner])])
    graph = Graph("f", [x], [y], [Node("exp", [x], {}, [h]), Node("cond", [x], {"then": body}, [y])])
    copy = graph.copy().validate()
    assert copy.nodes[1].attrs["then"].nodes[0].inputs[0] is copy.nodes[0].outputs[0]


def test_replace_reaches_results_subgraphs_and_origins():
    graph = tiny()
    x, y = graph.inputs[0], graph.outputs[0]
    other = Value("other", x.spec, kind="input")
    graph.inputs.append(other)
    graph.replace_all({x: other, y: graph.nodes[0].outputs[0]})
    assert graph.nodes[0].inputs[0] is other
    assert graph.outputs == [graph.nodes[0].outputs[0]]
    assert next(iter(graph.symbols.values())).value is other


def test_users_and_unique_names():
    graph = tiny()
    assert [n.op_name for n in graph.users()[graph.inputs[0]]] == ["linear"]
    assert graph.unique_name("relu") == "relu_1"
    assert graph.unique_name("new") == "new"


@pytest.mark.parametrize(
    ("breakage", "message"),
    [
        (lambda g: g.nodes.reverse(), "is read by .* before it exists"),
        (lambda g: setattr(g.nodes[1].outputs[0], "name", "x"), "two values are named x"),
        (lambda g: g.symbols.clear(), r"the size x.shape\[0\] is used by .* but comes from nowhere"),
        (lambda g: g.outputs.append(Value("ghost", Spec((), F32))), "the result ghost is never computed"),
        (lambda g: g.nodes.append(g.nodes[0]), "is defined twice"),
    ],
)
def test_a_broken_graph_is_refused(breakage, message):
    graph = tiny().validate()
    breakage(graph)
    with pytest.raises(RecordError, match=message):
        graph.validate()


def test_a_recorded_loop_prints_like_code():
    """What carries, what the body gives, and the numbers of small constants."""

    def halve(x):
        return fz.while_loop(lambda x: x.sum() > 1e-6, lambda x: (x / 2,), (x,))

    assert [line for line in str(fz.jit.trace(halve, fz.ones(3))).splitlines() if "# " not in line] == [
        "graph halve(x: float32[x0]):",
        "    constant c: float32[] = 1e-06",
        "    constant c_1: float32[] = 2.0",
        "",
        "    sum: float32[] = sum(x, dim=None, keepdim=False, dtype=None)",
        "    gt: bool[] = gt(sum, c)",
        "",
        "    loop: float32[x0] = loop(None, gt, x)",
        "        body(i: int64[], carried: float32[x0]):",
        "            div: float32[x0] = div(carried, c_1)",
        "            sum_2: float32[] = sum(div, dim=None, keepdim=False, dtype=None)",
        "            gt_2: bool[] = gt(sum_2, c)",
        "            return (gt_2, div)",
        "    return (loop)",
    ]


def test_what_a_value_is_made_of_comes_before_it_and_once():
    x, unread = (Value(name, Spec((2,), F32), kind="input") for name in ("x", "unread"))
    twice, both, other = (Value(name, Spec((2,), F32)) for name in ("twice", "both", "other"))
    Node("add", [x, x], {}, [twice])
    Node("mul", [unread, x], {}, [other])
    Node("mul", [twice, x], {}, [both])
    assert list(made_of(both)) == [x, twice, both]
    assert set(made_of(both, known=[twice])) == {x, twice, both} and list(made_of(twice, known=[twice])) == [twice]
