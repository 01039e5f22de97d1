"""The inside of the tape: what keeps saved tensors, edges of gradients, and where a NaN comes from."""

from __future__ import annotations

import gc
import threading
import weakref
from typing import Any

import pytest

import frazil as fz
from frazil.autograd import graph
from frazil.tape import Node

PLAIN = Node.__init__


class Scaled(fz.autograd.Function):
    """3 x**2, of which both the argument and the result are saved."""

    @staticmethod
    def forward(ctx, x):
        y = x * x * 3
        ctx.save_for_backward(x, y)
        return y

    @staticmethod
    def backward(ctx, g):
        x, y = ctx.saved_tensors
        return g * y * 2 / x


#: Functions that save arguments, results, one of several results, several tensors at once, and tensors of one's own.
FUNCTIONS = {
    "arguments": lambda x: x * x.exp() + x.reshape(3, 2).T * 2,
    "results": lambda x: x.tanh().exp() * x.sigmoid(),
    "in place": lambda x: (x * 1).exp_() * 2 * x,
    "several": lambda x: fz.linalg.qr(x @ x.T + fz.eye(2, dtype=fz.float64)).R ** 2,
    "many": lambda x: fz.einsum("ij,ij,ij->ij", x, x, x) * fz.cat([x[:1], x[1:]]),
    "through bodies": lambda x: fz.nn.functional.softplus(x).sort(1)[0] ** 3,
    "matrices": lambda x: x @ x.T,
    "of one's own": Scaled.apply,
}


def made():
    return fz.tensor([[0.5, -1.5, 2.5], [1.0, 0.25, -0.75]], dtype=fz.float64, requires_grad=True)


def derivatives(f, x):
    """The gradient, and the gradient of its squares."""
    (g,) = fz.autograd.grad(f(x).sum(), x, create_graph=True)
    return g, fz.autograd.grad((g**2).sum(), x)[0]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_gradients_of_both_orders_are_the_same_through_hooks(name):
    f, x, kept = FUNCTIONS[name], made(), []
    expected = derivatives(f, x)

    def pack(t):
        assert not fz.is_grad_enabled()
        kept.append(t.tolist())
        return t.detach().numpy().copy()

    with graph.saved_tensors_hooks(pack, fz.from_numpy):
        found = derivatives(f, x)
    assert kept
    for a, b in zip(found, expected, strict=True):
        fz.testing.assert_close(a, b)
    assert Node.__init__ is PLAIN


def test_hooks_are_asked_for_a_tensor_once_in_a_backward():
    asked = []
    a, b = fz.randn(2, 2, requires_grad=True), fz.randn(2, 2, requires_grad=True)
    with graph.saved_tensors_hooks(lambda t: t, lambda t: asked.append(t) or t):
        loss = fz.sigmoid(a @ b).sum()
    for rounds in (1, 2):
        loss.backward(retain_graph=True)
        assert len(asked) == 3 * rounds  # both factors, and what sigmoid gave


def test_of_nested_hooks_the_innermost_hold_and_other_threads_have_none():
    seen = []
    hooks = lambda name: graph.saved_tensors_hooks(lambda t: seen.append(name) or t, lambda t: t)
    x = made()
    with hooks("outer"):
        with hooks("inner"):
            x.exp()
        x.exp()
        other = threading.Thread(target=lambda: x.exp())
        other.start()
        other.join()
    x.exp()
    assert seen == ["inner", "outer"]
    with graph.disable_saved_tensors_hooks("none here"), pytest.raises(RuntimeError, match="none here"), hooks("refused"):
        pass
    assert Node.__init__ is PLAIN


def test_wrong_hooks_are_refused():
    x = made()
    with graph.saved_tensors_hooks(lambda t: t, lambda t: 1):
        y = x.exp()
    with pytest.raises(TypeError, match="must return a Tensor, it returned a int"):
        y.sum().backward()
    with graph.saved_tensors_hooks(lambda t: t.mul_(2), lambda t: t), pytest.raises(RuntimeError, match="in place"):
        (x * 1).square()


def test_what_is_saved_on_the_host_is_let_go_with_the_graph():
    x = made()
    kept = []
    with graph.save_on_cpu():
        y = (x * 2).sin().exp()
        kept.append(weakref.ref(y.grad_fn))
    fz.testing.assert_close(fz.autograd.grad(y.sum(), x)[0], fz.autograd.grad((x * 2).sin().exp().sum(), x)[0])
    gc.disable()
    try:
        del y
        assert kept[0]() is None
    finally:
        gc.enable()


def test_nodes_say_where_gradients_go_and_what_is_saved():
    x = made()
    y = x * 2
    z = y.exp()
    values, indices = z.sort(1)
    ((node, number),) = values.grad_fn.next_functions
    assert (node, number) == (z.grad_fn, 0) and isinstance(node, graph.Node) and node.name() == "ExpBackward0"
    assert indices.grad_fn is None and repr(values).count("grad_fn=<")
    (leaf, _), nothing = y.grad_fn.next_functions
    assert leaf.variable is x and leaf.name() == "torch::autograd::AccumulateGrad" and nothing == (None, 0)
    assert leaf in {y.grad_fn.next_functions[0][0]}
    assert z.grad_fn._saved_result.tolist() == z.tolist() and y.grad_fn._saved_other.item() == 2
    assert (x * y).grad_fn._saved_self is x and x.cumsum(1).grad_fn._saved_dim == 1
    for wrong in ("_saved_nonsense", "_saved_other", "nonsense"):
        with pytest.raises(AttributeError, match=wrong):
            getattr(z.grad_fn, wrong)
    z.sum().backward()
    with pytest.raises(RuntimeError, match="retain_graph"):
        _ = z.grad_fn._saved_result


def test_edges_stand_for_tensors():
    x = made()
    y = x * 2
    first, second = fz.var_mean(y * 1)
    z = first * second
    edges = [graph.get_gradient_edge(t) for t in (x, y, first, second)]
    expected = fz.autograd.grad(z, [x, y, first, second], retain_graph=True)
    for a, b in zip(fz.autograd.grad(z, edges, retain_graph=True), expected, strict=True):
        fz.testing.assert_close(a, b)
    fz.autograd.backward(graph.get_gradient_edge(z), fz.ones((), dtype=fz.float64), inputs=[edges[0]])
    fz.testing.assert_close(x.grad, expected[0])
    with pytest.raises(RuntimeError, match="a gradient is needed"):
        fz.autograd.backward(graph.get_gradient_edge(x * 1))
    with pytest.raises(RuntimeError, match="materialize_grads"):
        fz.autograd.grad(x.sum(), edges[1], materialize_grads=True)
    with pytest.raises(RuntimeError, match="does not require grad"):
        graph.get_gradient_edge(fz.ones(1))


def test_the_first_nan_of_a_backward_is_told_with_the_forward_line():
    x = fz.zeros(2, requires_grad=True)
    with fz.autograd.detect_anomaly():
        y = (x.sqrt() * 0 + x).exp()
        with pytest.raises(
            RuntimeError, match=r"backward of sqrt: .* input x \(float32\[2\]\) has NaN.*test_graph.py:\d+ in test_the"
        ):
            y.sum().backward()
        (x + 1).sqrt().sum().backward()
    assert Node.__init__ is PLAIN
    y = x.sqrt() * 0
    with fz.autograd.set_detect_anomaly(True), pytest.raises(RuntimeError, match="line is not known"):
        y.sum().backward(retain_graph=True)
    with fz.autograd.detect_anomaly(check_nan=False):
        y.sum().backward(retain_graph=True)
    y.sum().backward()
    assert x.grad.isnan().all()


def test_anomalies_are_found_in_functions_of_many_samples_and_told_of_errors():
    def f(x):
        return (x.sqrt() * 0).sum()

    with fz.autograd.detect_anomaly(), pytest.raises(RuntimeError, match="sqrt"):
        fz.func.vmap(fz.func.grad(f))(fz.tensor([[1.0], [0.0]]))

    class Broken(fz.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, g):
            raise ValueError("no")

    with fz.autograd.detect_anomaly(), pytest.raises(ValueError, match="no") as caught:
        Broken.apply(fz.ones(1, requires_grad=True)).sum().backward()
    assert "In backward of Broken, its forward ran at test_graph.py" in caught.value.__notes__[0]
    mode = fz.autograd.set_detect_anomaly(True)
    try:
        assert Node.__init__ is not PLAIN
    finally:
        fz.autograd.set_detect_anomaly(False)
    assert mode.mode and Node.__init__ is PLAIN


def test_a_recorded_program_is_the_same_with_hooks_and_anomalies():
    def f(x):
        with graph.save_on_cpu(), fz.autograd.detect_anomaly():
            return fz.func.grad(lambda v: v.exp().sum())(x)

    recorded = fz.jit.trace(f, (fz.ones(2),))
    fz.testing.assert_close(recorded(fz.zeros(2)), fz.ones(2))


def test_hooks_of_nodes_see_and_replace_gradients():
    x = fz.ones(2, requires_grad=True)
    y = x * 3
    z = y.exp()
    seen: list[Any] = []
    z.grad_fn.register_hook(lambda inputs, outputs: seen.append((len(inputs), outputs[0].tolist())))
    y.grad_fn.register_prehook(lambda outputs: (outputs[0] * 0 + 1,))
    y.register_hook(lambda g: seen.append(g.ndim))  # of the tensor: before those of its node
    leaf = y.grad_fn.next_functions[0][0]
    leaf.register_prehook(lambda outputs: (outputs[0] + 1,))
    with leaf.register_hook(lambda inputs, outputs: seen.append((inputs, outputs[0].tolist()))):
        z.sum().backward(retain_graph=True)
    assert seen == [(1, [1.0, 1.0]), 1, ((), [4.0, 4.0])]
    y.grad_fn.register_hook(lambda inputs, outputs: (inputs[0] * 2, inputs[1]))
    x.grad = None
    z.sum().backward()
    assert x.grad.tolist() == [7.0, 7.0] and len(seen) == 5


def test_a_hook_of_a_node_with_several_results_sees_all():
    class Both(fz.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2, x * 3

        @staticmethod
        def backward(ctx, a, b):
            return a * 2 + b * 3

    x = fz.ones(1, requires_grad=True)
    a, b = Both.apply(x)
    node = graph.get_gradient_edge(a).node
    seen: list[Any] = []
    node.register_prehook(lambda outputs: (outputs[0], outputs[1] * 10))
    node.register_hook(lambda inputs, outputs: seen.append([g.tolist() for g in (*inputs, *outputs)]))
    (a + b).sum().backward()
    assert seen == [[[32.0], [1.0], [10.0]]] and x.grad.tolist() == [32.0]


def test_one_hook_for_several_tensors():
    x, w = fz.ones(2, requires_grad=True), fz.ones(1, requires_grad=True)
    y = x * 3
    seen: list[Any] = []
    every = fz.autograd.graph.register_multi_grad_hook([x, y, w], seen.append)
    fz.autograd.graph.register_multi_grad_hook([x, y], lambda g: seen.append(g.tolist()), mode="any")
    for _ in range(2):
        y.sum().backward(retain_graph=True)
    assert [s if isinstance(s[0], float) else [g if g is None else g.tolist() for g in s] for s in seen] == [
        [1.0, 1.0],
        [[3.0, 3.0], [1.0, 1.0], None],
    ] * 2
    every.remove()
    y.sum().backward()
    assert len(seen) == 5
    with pytest.raises(ValueError, match="mode is 'all' or 'any'"):
        fz.autograd.graph.register_multi_grad_hook([x], seen.append, mode="some")


def test_a_program_keeps_things_with_a_node():
    y = fz.ones(2, requires_grad=True) * 3
    y.grad_fn.metadata["line"] = 7
    assert y.grad_fn.metadata == {"line": 7}
