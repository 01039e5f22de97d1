"""`fx`: the graphs of programs are PyTorch's, node by node, and what is made of them runs."""

from __future__ import annotations

import copy
import importlib
import operator
from typing import Any

import numpy as np
import pytest

import frazil as fz
from frazil import fx

torch = pytest.importorskip("torch", reason="PyTorch is the reference")
pytestmark = pytest.mark.parity


def programs(xp: Any) -> dict[str, Any]:
    class Net(xp.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lin = xp.nn.Linear(3, 3)
            self.seq = xp.nn.Sequential(xp.nn.Linear(3, 3), xp.nn.ReLU())
            self.w = xp.nn.Parameter(xp.ones(3))
            self.register_buffer("b", xp.full((3,), 0.5))

        def forward(self, x: Any, scale: float = 2.0) -> Any:
            y = self.lin(x).sigmoid() + self.w
            a, c = y.chunk(2, dim=0)
            z = xp.cat([a, c], dim=0) * scale - self.b
            return self.seq(z).reshape(x.shape[0], -1).sum(dim=1), {"y": -y, "w": (self.w, [z[0], z[:, 1:]])}

    def plain(x: Any, y: Any) -> Any:
        return xp.exp(x) @ y.t() + (2 - x.mean()) ** 2

    def by_name(x: Any, *, dim: int = 1) -> Any:
        return x.softmax(dim=dim), x.T, 1 / x, x // 2, x > 0

    class Constant(xp.nn.Module):
        def forward(self, input: Any) -> Any:
            return xp.add(input, xp.ones(3)) + xp.ones(3)

    return {"module": Net(), "function": plain, "by name": by_name, "constants": Constant()}


def seen(graph: Any) -> list[Any]:
    found = []
    for node in graph.nodes:
        target = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", "?")
        found.append((node.op, node.name, target, str(node.args), str(node.kwargs), [u.name for u in node.users]))
    return found


@pytest.mark.parametrize("name", ["module", "function", "by name", "constants"])
def test_graphs_are_pytorch_s(name: str) -> None:
    ours, theirs = fx.symbolic_trace(programs(fz)[name]), torch.fx.symbolic_trace(programs(torch)[name])
    assert seen(ours.graph) == seen(theirs.graph)
    assert str(ours.graph).replace("frazil", "torch") == str(theirs.graph).rstrip()
    ours.graph.lint()


@pytest.mark.parametrize("name", ["module", "function", "by name", "constants"])
def test_they_compute_what_the_program_does(name: str) -> None:
    program = programs(fz)[name]
    args = (fz.randn(4, 3), fz.randn(4, 3))[: 2 if name == "function" else 1]
    traced = fx.symbolic_trace(program)
    expected = fz.utils._pytree.tree_leaves(program(*args))
    for way in (traced, copy.deepcopy(traced), fx.Interpreter(traced).run, fx.Transformer(traced).transform()):
        found = fz.utils._pytree.tree_leaves(way(*args))
        for a, b in zip(found, expected, strict=True):
            np.testing.assert_array_equal(a.detach().numpy(), b.detach().numpy())


@pytest.mark.parametrize("name", ["module", "function", "by name", "constants"])
def test_what_was_traced_is_traced_again(name: str) -> None:
    texts = []
    for xp in (fz, torch):
        lib = importlib.import_module(f"{xp.__name__}.fx")
        once = lib.symbolic_trace(programs(xp)[name])
        again = lib.symbolic_trace(once)
        again.graph.lint()
        texts.append(seen(again.graph))
        args = (xp.ones(4, 3), xp.ones(4, 3))[: 2 if name == "function" else 1]
        tree = importlib.import_module(f"{xp.__name__}.utils._pytree")
        for a, b in zip(tree.tree_leaves(again(*args)), tree.tree_leaves(once(*args)), strict=True):
            np.testing.assert_array_equal(a.detach().numpy(), b.detach().numpy())
    assert texts[0] == texts[1]


def test_a_graph_is_trained_saved_recorded() -> None:
    program = programs(fz)["module"]
    traced = fx.symbolic_trace(program)
    assert {n for n, _ in traced.named_parameters()} == {"lin.weight", "lin.bias", "w", "seq.0.weight", "seq.0.bias"}
    assert traced.lin.weight is program.lin.weight and set(traced.state_dict()) == set(program.state_dict())
    x = fz.randn(4, 3)
    traced(x)[0].sum().backward()
    assert program.lin.weight.grad is not None
    recorded = fz.jit.trace(traced, x)
    np.testing.assert_allclose(recorded(x)[0].detach(), program(x)[0].detach(), rtol=1e-6)


def test_nodes_are_replaced() -> None:
    for xp in (fz, torch):
        lib = importlib.import_module(f"{xp.__name__}.fx")
        traced = lib.symbolic_trace(programs(xp)["function"])
        graph = traced.graph
        for node in graph.nodes:
            if node.op == "call_function" and node.target is operator.add:
                with graph.inserting_after(node):
                    new = graph.call_function(xp.mul, node.args, node.kwargs)
                    node.replace_all_uses_with(new)
                graph.erase_node(node)
        first = next(iter(graph.nodes))
        with graph.inserting_before(next(n for n in graph.nodes if n.op == "output")):
            graph.call_method("cos", (first,))
        before = len(list(graph.nodes))
        assert graph.eliminate_dead_code() and len(list(graph.nodes)) == before - 1
        graph.lint()
        traced.recompile()
        x, y = xp.ones(2, 3), xp.ones(2, 3)
        assert traced(x, y)[0, 0].item() == pytest.approx(3 * np.e * 1.0, rel=1e-5)
        with pytest.raises(RuntimeError, match="Tried to erase Node x but it still had"):
            graph.erase_node(first)


def test_modules_are_replaced() -> None:
    for xp in (fz, torch):
        lib = importlib.import_module(f"{xp.__name__}.fx")
        traced = lib.symbolic_trace(xp.nn.Sequential(xp.nn.ReLU(), xp.nn.Identity()))
        for node in traced.graph.nodes:
            if node.op == "call_module" and isinstance(traced.get_submodule(node.target), xp.nn.ReLU):
                traced.add_submodule("tail.act", xp.nn.Tanh())
                node.target = "tail.act"
        traced.delete_all_unused_submodules()
        traced.recompile()
        assert [n for n, _ in traced.named_modules()] == ["", "1", "tail", "tail.act"]
        assert traced(xp.ones(1)).item() == pytest.approx(np.tanh(1.0))


def test_tracers_and_leaves() -> None:
    found = []
    for xp in (fz, torch):
        lib = importlib.import_module(f"{xp.__name__}.fx")

        class Whole(lib.Tracer):
            def is_leaf_module(self, m: Any, module_qualified_name: str) -> bool:
                return module_qualified_name == "seq" or super().is_leaf_module(m, module_qualified_name)

        program = programs(xp)["module"]
        graph = Whole().trace(program)
        found.append([(n.op, n.name) for n in graph.nodes])
        assert lib.GraphModule(program, graph)(xp.ones(2, 3))[0].shape == (2,)
    assert found[0] == found[1] and ("call_module", "seq") in found[0]


def put(name: str, xp: Any, lib: Any, x: Any) -> Any:
    """What a program puts into a graph, at a proxy or at a value."""
    return {
        "op": lambda: xp.relu(x),
        "function": lambda: xp.nn.functional.leaky_relu(x),
        "of layers only": lambda: xp.nn.functional.softmax(x, dim=0),
        "layer": lambda: xp.nn.LeakyReLU(0.25)(x),
        "layer of one op": lambda: xp.nn.ReLU()(x),
        "container": lambda: xp.nn.Sequential(xp.nn.ReLU(), xp.nn.Softplus())(x),
        "traced": lambda: lib.symbolic_trace(xp.nn.Tanh())(x),
        "inside a list": lambda: xp.cat([x, x * 2]).neg(),
        "method": lambda: x.sum(dim=0) / 2,
    }[name]()


PUT = ["op", "function", "of layers only", "layer", "layer of one op", "container", "traced", "inside a list", "method"]


@pytest.mark.parametrize("name", PUT)
def test_functions_and_layers_take_proxies_outside_of_a_trace(name: str) -> None:
    values, names = [], []
    for xp in (fz, torch):
        lib = importlib.import_module(f"{xp.__name__}.fx")
        graph = lib.Graph()
        graph.output(put(name, xp, lib, lib.Proxy(graph.placeholder("x"))).node)
        graph.lint()
        names.append([(node.op, node.name) for node in graph.nodes])
        x = xp.tensor([-1.0, 0.5, 2.0])
        values.append(lib.GraphModule(xp.nn.Module(), graph)(x).numpy())
        np.testing.assert_allclose(values[-1], put(name, xp, lib, x).numpy(), rtol=1e-6)
    assert names[0] == names[1]
    np.testing.assert_allclose(values[0], values[1], rtol=1e-6)


LAYERS = [
    "ReLU()", "LeakyReLU()", "Sigmoid()", "GELU()", "Softmax(-1)", "ELU()", "SiLU()", "Hardswish()", "Softplus()",
    "LogSoftmax(-1)", "ReLU6()", "Linear(2, 2)", "LayerNorm(2)", "GroupNorm(1, 2)", "Flatten()", "PReLU()",
    "Hardtanh()", "Mish()",
]  # fmt: skip


@pytest.mark.parametrize("name", LAYERS)
def test_layers_are_traced_through(name: str) -> None:
    """By a tracer for which they are no leaves: their calls become nodes, and those compute what the layers do."""
    found = []
    for xp in (fz, torch):
        lib = importlib.import_module(f"{xp.__name__}.fx")

        class Through(lib.Tracer):
            def is_leaf_module(self, m: Any, module_qualified_name: str) -> bool:
                return False

        layer = eval(f"nn.{name}", {"nn": xp.nn})
        graph = Through().trace(layer)
        found.append([(node.op, node.name) for node in graph.nodes])
        x = xp.tensor([[-1.0, 2.5], [0.5, 4.0]])
        np.testing.assert_allclose(lib.GraphModule(layer, graph)(x).detach().numpy(), layer(x).detach().numpy(), rtol=1e-6)
    assert found[0] == found[1]


def rewritten(xp: Any, name: str) -> tuple[Any, Any, Any]:
    """A program, a pattern and what it becomes."""

    def twice(x: Any, w1: Any, w2: Any) -> Any:
        m1 = xp.cat([xp.neg(w1), w2]).sum()
        m2 = xp.cat([xp.neg(w1), w2]).sum()
        return x + xp.max(m1) + xp.max(m2)

    def chained(x: Any, w1: Any, w2: Any) -> Any:
        return xp.relu(xp.relu(xp.relu(x) + w1) + w2)

    def read_inside(x: Any, w1: Any, w2: Any) -> Any:
        inner = xp.neg(w1)
        return xp.cat([inner, w2]).sum() + inner + x

    def several_users(x: Any, w1: Any, w2: Any) -> Any:
        y = xp.relu(x)
        z = xp.exp(w1)
        return y * w2 + y - z

    sums = (lambda a, b: xp.cat([xp.neg(a), b]).sum()), (lambda a, b: xp.stack([a, b]))
    return {
        "twice": (twice, *sums),
        "chained": (chained, lambda a: xp.relu(a), lambda a: xp.tanh(a) * 2),
        "chained, two at a time": (chained, lambda a, b: xp.relu(xp.relu(a) + b), lambda a, b: a - b),
        "read inside": (read_inside, *sums),
        "several users": (several_users, lambda a: xp.relu(a), lambda a: xp.sigmoid(a)),
        "same argument": (lambda x, w1, w2: x * x + x * w1, lambda a: a * a, lambda a: a.square()),
        "numbers": (lambda x, w1, w2: (x + 1) * (w1 + 2) * w2, lambda a: a + 1, lambda a: a - 5),
        "nowhere": (twice, lambda a: xp.cos(a), lambda a: xp.sin(a)),
    }[name]


REWRITTEN = ["twice", "chained", "chained, two at a time", "read inside", "several users", "same argument", "numbers", "nowhere"]


@pytest.mark.parametrize("name", REWRITTEN)
def test_patterns_are_replaced(name: str) -> None:
    codes, counts, values = [], [], []
    for xp in (fz, torch):
        lib = importlib.import_module(f"{xp.__name__}.fx")
        program, pattern, replacement = rewritten(xp, name)
        traced = lib.symbolic_trace(program)
        counts.append(len(lib.replace_pattern(traced, pattern, replacement)))
        traced.graph.lint()
        codes.append(str(traced.graph).replace("frazil", "torch").rstrip())
        values.append(traced(xp.tensor([1.0, -2.0]), xp.tensor([0.5, 3.0]), xp.tensor([2.0, 0.25])).numpy())
    assert counts[0] == counts[1] and codes[0] == codes[1]
    np.testing.assert_allclose(values[0], values[1], rtol=1e-6)


def test_patterns_of_modules_bring_theirs() -> None:
    class New(fz.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = fz.nn.Parameter(fz.full((2,), 3.0))
            self.act = fz.nn.Tanh()

        def forward(self, a: Any) -> Any:
            return self.act(a) * self.scale

    traced = fx.symbolic_trace(lambda x: fz.relu(x) + 1)
    fx.replace_pattern(traced, lambda a: fz.relu(a), fx.symbolic_trace(New()))
    assert traced(fz.ones(2)).tolist() == pytest.approx([3 * np.tanh(1) + 1] * 2)
    assert [name for name, _ in traced.named_parameters()] == ["scale"]


def test_patterns_without_a_computed_result_are_refused() -> None:
    traced = fx.symbolic_trace(lambda x: fz.relu(x))
    with pytest.raises(NotImplementedError, match="one result, which it computes"):
        fx.replace_pattern(traced, lambda a: a, lambda a: -a)
    with pytest.raises(ValueError, match="the pattern has 1 arguments, the replacement 2"):
        fx.replace_pattern(traced, lambda a: fz.relu(a), lambda a, b: a + b)


def test_shapes_are_noted() -> None:
    found = []
    for xp in (fz, torch):
        passes = importlib.import_module(f"{xp.__name__}.fx.passes.shape_prop")
        traced = importlib.import_module(f"{xp.__name__}.fx").symbolic_trace(programs(xp)["module"])
        passes.ShapeProp(traced).propagate(xp.ones(4, 3))
        rows = []
        for node in traced.graph.nodes:
            metas: list[Any] = []
            importlib.import_module(f"{xp.__name__}.fx.node").map_aggregate(node.meta.get("tensor_meta"), metas.append)
            known = [m for m in metas if hasattr(m, "shape")]
            rows.append((node.name, [(tuple(m.shape), str(m.dtype).split(".")[-1], m.requires_grad, m.stride) for m in known]))
        found.append(rows)
    assert [(n, [m[0::2] for m in ms]) for n, ms in found[0]] == [(n, [m[0::2] for m in ms]) for n, ms in found[1]]


def stretched(x: Any, by: int) -> Any:
    return x * by if by > 1 else x


fx.wrap("stretched")
fx.wrap("len")


def test_wrapped_functions_are_one_node() -> None:
    traced = fx.symbolic_trace(lambda x: stretched(x, len(x)))
    assert [n.name for n in traced.graph.nodes] == ["x", "len_1", "stretched", "output"]
    assert traced(fz.ones(3)).tolist() == [3.0, 3.0, 3.0]
    assert "len" not in globals() and stretched(1, 1) == 1


def test_fixed_arguments() -> None:
    def program(x: Any, flag: bool, power: int = 2) -> Any:
        return x**power if flag else x

    for xp in (fz, torch):
        lib = importlib.import_module(f"{xp.__name__}.fx")
        traced = lib.symbolic_trace(program, concrete_args={"flag": True})
        assert traced(xp.full((1,), 3.0), True).item() == 9.0
        with pytest.raises(AssertionError, match="flag has been specialized to have value True"):
            traced(xp.ones(1), False)


def test_what_cannot_be_traced() -> None:
    with pytest.raises(fx.TraceError, match="cannot be used as inputs to control flow"):
        fx.symbolic_trace(lambda x: x if x.sum() > 0 else -x)
    with pytest.raises(fx.TraceError, match="cannot be iterated"):
        fx.symbolic_trace(lambda x: sum(row for row in x))
    assert fz.relu(fz.tensor(-1.0)).item() == 0.0 and not fx.is_fx_tracing()
    assert fz.nn.Linear(2, 2)(fz.ones(2)).shape == (2,)  # what a trace changed is as it was, also after an error
    with pytest.raises(RuntimeError, match="nonexistent target nowhere"):
        graph = fx.Graph()
        graph.output(graph.call_module("nowhere", ()))
        fx.GraphModule(fz.nn.Module(), graph)


def test_tables(capsys: Any) -> None:
    fx.symbolic_trace(lambda x: x + 1).graph.print_tabular()
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["opcode", "name", "target", "args", "kwargs"] and len(lines) == 5
    assert fx.node.map_arg is fx.map_arg and fx.graph_module.GraphModule is fx.GraphModule


def test_copies_of_graphs_grow_by_themselves() -> None:
    for library in (fz, torch):
        graph = library.fx.symbolic_trace(library.nn.Sequential(library.nn.ReLU())).graph
        other = copy.deepcopy(graph)
        for name in ("first", "second"):
            other.placeholder(name)
        assert [node.name for node in other.nodes][-2:] == ["first", "second"] and len(list(graph.nodes)) == 3


def test_graphs_know_their_tracer_and_modules_of_two_graphs_start_by_themselves() -> None:
    """As torchvision's feature extractors do."""

    def made(library: Any) -> tuple[Any, Any]:
        copy_attribute = importlib.import_module(f"{library.__name__}.fx.graph_module")._copy_attr

        class Own(library.fx.Tracer):  # type: ignore[misc]
            pass

        class Two(library.fx.GraphModule):  # type: ignore[misc]
            def __init__(self, root: Any, graph: Any) -> None:
                super(library.fx.GraphModule, self).__init__()
                for node in graph.nodes:
                    if node.op == "call_module":
                        copy_attribute(root, self, node.target)
                self.graph = graph

        return Own, Two

    for library in (fz, torch):
        Own, Two = made(library)
        root = library.nn.Sequential(library.nn.Linear(2, 2), library.nn.ReLU())
        graph = Own().trace(root)
        assert graph._tracer_cls is Own and library.fx.Graph()._tracer_cls is None
        x = library.ones(1, 2)
        two = Two(root, graph)
        assert two(x).tolist() == root(x).tolist() and type(two).__name__ in ("Two", "GraphModuleImpl")


def test_graphs_that_are_written_by_hand_take_functions() -> None:
    for library in (fz, torch):
        graph = library.fx.Graph()
        tracer = library.fx.proxy.GraphAppendingTracer(graph)
        x, w = (library.fx.Proxy(graph.placeholder(name), tracer) for name in ("x", "w"))
        library._assert(x.shape[0] == 2, "two rows")
        y = library.einsum("ij,jk->ik", [library.tanh(x) + 1, w]).sum(dim=-1)
        graph.output(library.cat([y, library.nn.functional.relu(y)]).node)
        module = library.fx.GraphModule({}, graph)
        found = module(library.ones(2, 3), library.full((3, 2), 0.5))
        assert [round(v, 4) for v in found.tolist()] == [5.2848] * 4
        einsum = next(node for node in graph.nodes if getattr(node.target, "__name__", "") == "einsum")
        assert len(einsum.args) == 3
        with pytest.raises(AssertionError, match="two rows"):
            module(library.ones(3, 3), library.ones(3, 2))
