"""Sparse tensors: what they print and hold, and a graph network (T. Kipf and M. Welling, 2017) that trains alike."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import frazil as fz

torch = pytest.importorskip("torch", reason="PyTorch is not installed: nothing to compare with")
pytestmark = [pytest.mark.parity, pytest.mark.filterwarnings("ignore:Sparse:UserWarning")]

NODES, FEATURES, HIDDEN, CLASSES, STEPS = 30, 8, 16, 3, 20
RNG = np.random.default_rng(0)
_ENDS = RNG.integers(0, NODES, (2, 90))
EDGES = np.unique(np.concatenate([_ENDS, _ENDS[::-1], np.stack([np.arange(NODES)] * 2)], 1), axis=1)
X, Y = RNG.normal(size=(NODES, FEATURES)).astype("float32"), RNG.integers(0, CLASSES, NODES)
SHAPES = ((FEATURES, HIDDEN), (HIDDEN,), (HIDDEN, CLASSES), (CLASSES,))
WEIGHTS = [0.3 * RNG.normal(size=shape).astype("float32") for shape in SHAPES]
KEPT = 2 * (RNG.random((STEPS, NODES, HIDDEN)) > 0.5).astype("float32")  # dropout, the same in both libraries


def normalised(t: Any, edges: Any, weights: Any) -> Any:
    degrees = t.zeros(NODES, device=weights.device).index_add(0, edges[0], weights).pow(-0.5)
    return t.sparse_coo_tensor(edges, degrees[edges[0]] * weights * degrees[edges[1]], (NODES, NODES))


def network(t: Any) -> Any:
    class Convolution(t.nn.Module):
        def __init__(self, n: int, m: int) -> None:
            super().__init__()
            self.weight, self.bias = t.nn.Parameter(t.empty(n, m)), t.nn.Parameter(t.empty(m))

        def forward(self, x: Any, a: Any) -> Any:
            return t.spmm(a, t.mm(x, self.weight)) + self.bias

    class Network(t.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = Convolution(FEATURES, HIDDEN), Convolution(HIDDEN, CLASSES)

        def forward(self, x: Any, edges: Any, weights: Any, kept: Any = None) -> Any:
            a = normalised(t, edges, weights)
            hidden = t.nn.functional.relu(self.first(x, a))
            return t.nn.functional.log_softmax(self.second(hidden if kept is None else hidden * kept, a), dim=1)

    made = Network()
    with t.no_grad():
        for p, w in zip(made.parameters(), WEIGHTS, strict=True):
            p.copy_(t.tensor(w))
    return made


def trained(t: Any, device: str) -> tuple[Any, list[float], np.ndarray]:
    model = network(t).to(device)
    x, y, edges = (t.tensor(a, device=device) for a in (X, Y, EDGES))
    weights = t.ones(EDGES.shape[1], device=device, requires_grad=True)
    optimizer, losses = t.optim.Adam(model.parameters(), lr=0.01, weight_decay=5e-4), []
    for kept in KEPT:
        optimizer.zero_grad()
        loss = t.nn.functional.nll_loss(model(x, edges, weights, t.tensor(kept, device=device)), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return model, losses, weights.grad.cpu().numpy()


@pytest.mark.parametrize("device", ["cpu", "opencl"])
def test_a_graph_network_trains_alike_and_is_exported(device: str, tmp_path: Path) -> None:
    if device == "opencl" and not _opencl():
        pytest.skip("no OpenCL device builds a kernel here")
    model, losses, gradient = trained(fz, device)
    _, expected, expected_gradient = trained(torch, "cpu")
    np.testing.assert_allclose(losses, expected, rtol=1e-5)
    np.testing.assert_allclose(gradient, expected_gradient, rtol=1e-4, atol=1e-6)
    model.eval()
    x, edges, weights = (fz.tensor(a, device=device) for a in (X, EDGES, np.ones(EDGES.shape[1], "float32")))
    path = tmp_path / "gcn.onnx"
    axes = {"edges": {1: "e"}, "weights": {0: "e"}}
    fz.onnx.export(model, (x, edges, weights), path, input_names=["x", "edges", "weights"], dynamic_axes=axes)
    fewer = fz.onnx.load(path)(fz.tensor(X), fz.tensor(EDGES[:, 20:]), fz.ones(EDGES.shape[1] - 20))
    found = model(x, edges[:, 20:], weights[20:]).detach().cpu()
    np.testing.assert_allclose(fewer.detach().numpy(), found.numpy(), rtol=1e-4, atol=1e-5)


def _opencl() -> bool:
    from frazil.backends.opencl import OpenCLBackend

    return bool(OpenCLBackend().device_count())


def results(t: Any) -> list[Any]:
    """What the same lines give in both libraries."""
    i, v = t.tensor([[0, 1, 1, 0], [2, 0, 2, 2]]), t.tensor([3.0, 4.0, 5.0, 6.0])
    a = t.sparse_coo_tensor(i, v, (2, 3))
    c, x = a.coalesce(), t.ones(3, 2)
    csr, rows = a.to_sparse_csr(), t.tensor([[0.0, 0.0], [1.0, 2.0]]).to_sparse(1)
    shown = [a, c, csr, rows, a.double(), a.int(), 2 * a, a / 2, -c, a.t(), c + c, csr + csr, 2 * csr, csr.to_sparse()]
    shown += [t.sparse.sum(a), t.sparse.sum(a, 0), t.sparse.sum(a, 1), t.sparse.softmax(a, 1), t.sparse.log_softmax(c, 0)]
    shown += [
        t.sparse.mm(a, a.t()),
        t.sparse.addmm(t.ones(2, 2), a, x, beta=2, alpha=3),
        t.ones(2, 2) @ a,
        csr @ x,
        c * t.ones(2, 3),
    ]
    shown += [
        t.sparse_coo_tensor(i, v, (2, 3), requires_grad=True),
        t.sparse_coo_tensor(size=(2, 3)),
        c.indices(),
        csr.crow_indices(),
    ]
    shown += [t.sparse_csr_tensor([0, 1, 3], [2, 0, 2], [3.0, 4.0, 5.0]), a.layout, csr.layout, t.ones(2).layout]
    shown += [
        a.is_sparse,
        csr.is_sparse,
        a.is_coalesced(),
        c.is_coalesced(),
        rows.is_coalesced(),
        a.sparse_dim(),
        rows.dense_dim(),
    ]
    leaf = t.sparse_coo_tensor(i, v, (2, 3), requires_grad=True)
    t.sparse.mm(leaf, x).sum().backward()
    return [*shown, leaf.grad.coalesce(), leaf.is_leaf, a.detach().requires_grad]


def test_results_and_texts_are_pytorchs() -> None:
    for i, (found, expected) in enumerate(zip(results(fz), results(torch), strict=True)):
        assert str(found) == str(expected).replace("torch", "frazil"), i


@pytest.mark.filterwarnings("ignore:torch.sparse.SparseTensor")
@pytest.mark.parametrize("name", ["FloatTensor", "DoubleTensor", "LongTensor"])
def test_the_old_constructors_take_indices_values_and_sizes(name: str) -> None:
    made = []
    for library in (torch, fz):
        kind = getattr(library.sparse, name)
        values = getattr(library, name)([1, 2, 3])
        indices = library.LongTensor([[0, 1, 1], [2, 0, 0]])
        full = kind(indices, values, library.Size([2, 4]))
        assert isinstance(full, kind) and not isinstance(full, library.sparse.ShortTensor)
        made.append([t.to_dense().tolist() for t in (full, kind(indices, values), kind(2, 3), kind(library.Size([2])), kind())])
        made[-1].append(str(full.dtype).partition(".")[2])
    assert made[0] == made[1]


VALUES = np.random.default_rng(3).standard_normal((2, 3, 4)).astype("float32")
LINES = """
s.index_select(0, k); s.index_select(1, xp.tensor([3, 3, 0])); xp.cat([s, t]); xp.cat([s, t, s], dim=1); s.mul(t); s * t
s * (t * 0)
s.sqrt(); s.abs(); xp.tanh(t); xp.relu(t); t.floor(); t.ceil(); t.trunc(); t.sign(); t.sgn(); t.erf(); t.isnan(); t.frac()
t.square(); t.sin(); s.log1p(); t.expm1(); t.sinh(); t.atan(); t.asinh(); t.sparse_mask(s); x.sparse_mask(s)
t.to_sparse_csr().abs()
twice.sqrt(); twice.square(); t.to_sparse_csr() * s.to_sparse_csr()
""".replace("\n", ";")


#: Of which PyTorch has no gradient.
NO_GRADIENT = ("index_select", "cat", "s.sqrt")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("line", [part.strip() for part in LINES.split(";") if part.strip()])
def test_more_functions_of_sparse_tensors(line):
    found = []
    for xp in (fz, torch):
        x, y = xp.tensor(VALUES[0]).requires_grad_(), xp.tensor(VALUES[1])
        twice = xp.sparse_coo_tensor(xp.tensor([[0, 0], [1, 1]]), xp.tensor([4.0, 5.0]), (2, 2))
        names = {"xp": xp, "x": x, "s": x.relu().to_sparse(), "t": y.to_sparse(), "k": xp.tensor([2, 0]), "twice": twice}
        result = eval(line, names)
        assert result.layout in (xp.sparse_coo, xp.sparse_csr)
        dense = result.to_dense()
        slope = None
        if dense.requires_grad and result.layout == xp.sparse_coo:
            if xp is torch and any(n in line for n in NO_GRADIENT):
                with pytest.raises(RuntimeError, match="Could not run|Sparse division requires"):
                    xp.autograd.grad((dense * dense).sum(), x)
            else:
                (slope,) = xp.autograd.grad((dense * dense).sum(), x)
        found.append((str(dense.dtype).partition(".")[2], dense.requires_grad, dense.detach().numpy(), slope))
    (kind, flows, a, g), (wanted, flows_there, b, h) = found
    assert (kind, flows) == (wanted, flows_there)
    np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
    if h is not None:
        np.testing.assert_allclose(g.numpy(), h.numpy(), rtol=1e-4, atol=1e-5)


#: What PyTorch makes of a matrix `s` and a batch `b`, beside dense ones.
PARTS = """
s[1]; s[-1]; s[0, 1]; s[:, 1]; s[None]; list(s); s.select(1, 1); s.unbind(0); s.pow(2); s**2; s.norm(); s.norm(1); xp.norm(s)
s.permute(1, 0); xp.zeros_like(s); xp.any(s); s.any(); xp.stack([s, s]); xp.stack([s, s], 1); xp.bmm(b, xp.ones(2, 3, 4)); s // 2
s.clone().mul_(2); s.clone().add_(s, alpha=2); s.clone().sub_(s); s.clone().div_(2); s.clone().zero_(); s.clone().copy_(s * 2)
s.clone().neg_(); s.detach_(); s.sparse_resize_((3, 3), 2, 0); s.sparse_resize_and_clear_((3, 3), 2, 0)
s.resize_as_(xp.eye(3).to_sparse()); s.stride(); s.is_contiguous(); s.narrow_copy(1, 1, 2); s.unsqueeze(0)
s.unsqueeze(-1); s.sum(dim=1, keepdim=True)
s.mH; s.swapaxes(0, 1)
s.new_zeros(2); s.new_tensor([1.0]); s.is_same_size(s); s.deg2rad(); s.positive(); s.isinf(); s.conj(); s.nan_to_num(); xp.t(s)
xp.nn.functional.linear(d, s); xp.transpose(s, 0, 1); xp.neg(s); xp.clone(s); xp.select(s, 0, 1)
""".replace("\n", ";")


def shown(xp: Any, result: Any) -> Any:
    if isinstance(result, (tuple, list)):
        return [shown(xp, part) for part in result]
    if not isinstance(result, xp.Tensor):
        return result
    layout, dtype = (str(name).partition(".")[2] for name in (result.layout, result.dtype))
    return layout, dtype, list(result.shape), np.array(result.to_dense().tolist(), complex).round(5).tolist()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("line", [part.strip() for part in PARTS.split(";") if part.strip()])
def test_parts_shapes_and_changes_of_sparse_tensors(line: str) -> None:
    found = []
    for xp in (fz, torch):
        d = xp.tensor([[0.0, 2.0, 0.0], [3.0, 0.0, 4.0]])
        found.append(shown(xp, eval(line, {"xp": xp, "d": d, "s": d.to_sparse(), "b": xp.stack([d, d * 2]).to_sparse()})))
    assert found[0] == found[1]


def test_numbers_between_complex_ends():
    for line in ("xp.linspace(0, 1j, 3)", "xp.linspace(1j, 2, 4)", "xp.linspace(0, 1, 3)"):
        a, b = (eval(line, {"xp": xp}) for xp in (fz, torch))
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-6)
        assert str(a.dtype)[7:] == str(b.dtype)[6:]


@pytest.mark.parametrize("reduce", ["sum", "mean", "amax", "amin", "max", "min"])
def test_products_of_sparse_rows_are_reduced_as_in_pytorch(reduce: str) -> None:
    a = RNG.standard_normal((5, 4)) * (RNG.random((5, 4)) > 0.5)
    a[2] = 0
    b = RNG.standard_normal((4, 3))
    found = {}
    for t in (torch, fz):
        x, y = t.tensor(a), t.tensor(b, requires_grad=True)
        z = t.sparse.mm(x.to_sparse_csr(), y, reduce)
        (z * z).sum().backward()
        found[t] = [z.detach().numpy(), y.grad.numpy()]
    for ours, theirs in zip(found[fz], found[torch], strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", ["xlogy", "xlog1py", "zeta", *(f"shifted_chebyshev_polynomial_{kind}" for kind in "tuvw")])
def test_special_functions_of_two_take_a_number_on_either_side(name: str) -> None:
    x = np.array([0.5, 1.0, 3.0], np.float32)
    for given in ((x, 2), (2, x), (x.astype(np.int64), 2), (2, x.astype(np.int64))):
        ours, theirs = (
            getattr(t.special, name)(*(t.tensor(part) if isinstance(part, np.ndarray) else part for part in given))
            for t in (fz, torch)
        )
        np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=2e-6)
        assert ours.dtype.name == str(theirs.dtype).removeprefix("torch.")
