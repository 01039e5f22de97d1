"""Tangents and edges of gradients are PyTorch's."""

from __future__ import annotations

import importlib

import numpy as np
import pytest

import frazil as fz

torch = pytest.importorskip("torch")

pytestmark = [
    pytest.mark.parity,
    pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning", "ignore:Anomaly Detection:UserWarning"),
]

FUNCTIONS = {
    "elementwise": lambda lib, x: lib.tanh(x) * lib.sigmoid(x) + lib.sqrt(x * x + 1),
    "reductions": lambda lib, x: lib.logsumexp(x, 1) * x.amax(1) + x.prod(1),
    "products": lambda lib, x: x @ x.T + lib.softmax(x, 0).sum(),
    "indices": lambda lib, x: lib.sort(x, 1)[0][:, [2, 0]] * x[:, None, 1],
    "in place": lambda lib, x: (x * 2).exp_().mul(x),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_tangents_and_gradients_through_hooks(name):
    rng = np.random.default_rng(0)
    x, t = rng.standard_normal((2, 3)), rng.standard_normal((2, 3))
    found = []
    for lib, tensor in ((torch, torch.from_numpy), (fz, fz.from_numpy)):
        forward_ad, graph = (importlib.import_module(f"{lib.__name__}.autograd.{name}") for name in ("forward_ad", "graph"))
        with forward_ad.dual_level():
            primal, tangent = forward_ad.unpack_dual(FUNCTIONS[name](lib, forward_ad.make_dual(tensor(x.copy()), tensor(t))))
        leaf = tensor(x.copy()).requires_grad_()
        with graph.saved_tensors_hooks(lambda v: v.detach().clone(), lambda v: v):
            (g,) = lib.autograd.grad(FUNCTIONS[name](lib, leaf).sum(), leaf, create_graph=True)
        (second,) = lib.autograd.grad(g.sum(), graph.get_gradient_edge(leaf))
        found.append([v.detach().numpy() for v in (primal, tangent, g, second)])
    for ours, theirs in zip(*found[::-1], strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("check_nan", [True, False])
def test_anomalies(check_nan):
    for lib in (torch, fz):
        x = lib.zeros(2, requires_grad=True)
        with lib.autograd.detect_anomaly(check_nan=check_nan):
            y = (lib.sqrt(x) * 0).sum()
            if check_nan:
                with pytest.raises(RuntimeError, match="(?i)sqrt.*nan"):
                    y.backward()
            else:
                y.backward()
                assert x.grad.isnan().all()


def test_a_graph_that_saved_nothing_is_not_used_up() -> None:
    for library in (fz, torch):
        x = library.ones(3, requires_grad=True)
        shared = x + 1
        for scale in (2.0, 3.0):  # each with operations of its own, which save
            (g,) = library.autograd.grad((shared * shared.detach() * scale).sum(), x)
            assert g.tolist() == [2 * scale] * 3
        y = (x + 1).sum()
        assert all(library.autograd.grad(y, x)[0].tolist() == [1, 1, 1] for _ in range(2))
        z = (x * x).sum()
        z.backward()
        with pytest.raises(RuntimeError):
            z.backward()


_ONCE = {
    "cat": lambda lib, x: lib.cat([x, x]),
    "view": lambda lib, x: x.view(1, 3),
    "exp": lambda lib, x: x.exp(),
    "relu": lambda lib, x: x.relu(),
    "sum": lambda lib, x: x.sum(),
    "index": lambda lib, x: x[lib.tensor([0, 1])],
    "linear": lambda lib, x: lib.nn.functional.linear(x, lib.ones(2, 3)),
    "neg": lambda lib, x: -x,
    "softmax": lambda lib, x: x.softmax(0),
    "where": lambda lib, x: lib.where(x > 0, x, 0.0),
}


@pytest.mark.parametrize("name", _ONCE)
def test_a_second_backward_is_refused_where_pytorch_refuses_it(name: str) -> None:
    refused = []
    for library in (fz, torch):
        y = _ONCE[name](library, library.ones(3, requires_grad=True))
        y.backward(library.ones_like(y))
        try:
            y.backward(library.ones_like(y))
            refused.append(False)
        except RuntimeError:
            refused.append(True)
    assert refused[0] == refused[1]
