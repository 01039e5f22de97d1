"""`grad_fn` is called as in PyTorch, where a program prints it or compares the name of its type."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import frazil as fz

from ..ops.cases import cases
from .test_ops import differentiable, run_both

torch = pytest.importorskip("torch", reason="PyTorch is the reference")
pytestmark = pytest.mark.parity

#: What programs write; `xp` is either library, `F` its functional.
EXPRESSIONS = """
x + y; x + 1; 1 + x; x - y; x - 1; 1 - x; x * y; x * 2; x / y; x / 2; 2 / x; -x; x ** 2; x ** 3.5; x ** y; 2 ** x;
x % 2; x % y; x // 2; x @ w; m @ v; v @ v; bm @ bm; b3 @ w; x.mm(w); bm.bmm(bm); xp.addmm(r, x, w); xp.dot(v, v);
xp.outer(v, v); xp.einsum('ij,jk->ik', x, w); x.sum(); x.sum(1); x.sum(1, keepdim=True); x.mean(); x.mean(0);
x.prod(); x.prod(1); x.max(); x.max(1)[0]; x.min(); x.min(1).values; x.amax(1); x.amin(1); x.std(); x.var(1);
x.norm(); x.norm(dim=1); x.norm(1); x.logsumexp(1); x.cumsum(1); x.cumprod(1); x.median(); x.median(1)[0]; x.exp();
x.log(); x.sqrt(); x.rsqrt(); x.abs(); x.sin(); x.cos(); x.tan(); x.tanh(); x.sigmoid(); x.relu(); x.erf();
x.floor(); x.round(); x.sign(); x.reciprocal(); x.square(); x.log1p(); x.expm1(); x.atan2(y); x.clamp(0, 1);
x.clamp(min=0); x.log2(); x.log10(); x.exp2(); x.asin(); x.acos(); x.atan(); x.sinh(); x.cosh(); x.lgamma();
x.trunc(); x.frac(); xp.where(x > 0, x, y); xp.maximum(x, y); xp.minimum(x, y); x.masked_fill(x > 0, 0.0);
x.masked_select(x > 0); xp.lerp(x, y, 0.5); xp.lerp(x, y, y); xp.addcmul(x, x, y); xp.addcdiv(x, x, y);
x.reshape(-1); x.view(-1); x.t(); x.T; x.mT; x.transpose(0, 1); x.permute(1, 0); x.unsqueeze(0); x[None];
x.unsqueeze(0).squeeze(0); x.unsqueeze(0).squeeze(); x.flatten(); b3.flatten(1); b3.flatten(0,1); x.expand(2, 2, 3);
x.repeat(2, 1); x.t().contiguous(); x.t().reshape(-1); x.clone(); x.detach().requires_grad_() * 1;
x.to(xp.float64); x.double(); x.half(); x.view_as(x); x.expand_as(x); x.unflatten(1, (3, 1));
x.movedim(0, 1); x.swapaxes(0, 1); x.flip(0); x.roll(1, 0); x.diagonal(); x.diag(); v.diag(); x.tril(); x.triu();
x.unfold(0, 2, 1); x.narrow(1, 0, 2); x.select(1, 0); x.unbind()[0]; x.split(1)[0]; x.chunk(2)[0];
xp.tensor_split(x, 2)[0]; x[0]; x[0, 1]; x[:, 0]; x[:, 1:]; x[1:]; x[..., 0]; x[i]; x[:, i]; x[x > 0]; x[::2];
x.index_select(0, i); x.gather(1, idx); x.scatter(1, idx, y); x.scatter_add(1, idx, y); x.index_add(0, i, y);
xp.take(x, i); xp.cat([x, y]); xp.stack([x, y]); xp.hstack([x, y]); xp.vstack([x, y]); xp.sort(x)[0];
xp.topk(x, 1)[0]; xp.kthvalue(x, 1)[0]; F.relu(x); F.leaky_relu(x); F.elu(x); F.gelu(x); F.silu(x); F.softplus(x);
F.softmax(x, -1); F.log_softmax(x, -1); F.sigmoid(x); F.tanh(x); F.hardtanh(x); F.relu6(x); F.hardswish(x);
F.hardsigmoid(x); F.mish(x); F.selu(x); F.celu(x); F.glu(b3, -2); F.logsigmoid(x); F.softsign(x); F.tanhshrink(x);
F.threshold(x, 0, 0); F.normalize(x); F.dropout(x, 0.5); F.softmin(x, -1); F.prelu(x, p1); F.hardshrink(x);
F.softshrink(x); F.rrelu(x); F.linear(x, w.t(), r); F.linear(x, w.t()); F.linear(b3, w.t(), r);
F.linear(v, w.t(), r); F.mse_loss(x, y); F.l1_loss(x, y); F.smooth_l1_loss(x, y); F.huber_loss(x, y);
F.binary_cross_entropy(x.sigmoid(), t01); F.binary_cross_entropy_with_logits(x, t01); F.cross_entropy(x, c);
F.nll_loss(x, c); F.kl_div(x, t01); F.cosine_similarity(x, y); F.mse_loss(x, y, reduction='none');
F.cosine_embedding_loss(x, y, s); F.hinge_embedding_loss(x, t01); F.margin_ranking_loss(v, v, v);
F.triplet_margin_loss(x, y, x); F.poisson_nll_loss(x, y); F.gaussian_nll_loss(x, y, t01); F.multi_margin_loss(x, c);
F.soft_margin_loss(x, t01); F.conv1d(c1, k1); F.conv2d(c2, k2); F.conv2d(c2, k2, kb); F.conv3d(c3, k3);
F.conv_transpose2d(c2, k2); F.max_pool1d(c1, 2); F.max_pool2d(c2, 2); F.max_pool3d(c3, 2); F.avg_pool1d(c1, 2);
F.avg_pool2d(c2, 2); F.avg_pool3d(c3, 2); F.adaptive_avg_pool2d(c2, 1); F.adaptive_avg_pool2d(c2, 2);
F.adaptive_max_pool2d(c2, 2); F.adaptive_avg_pool1d(c1, 1); F.interpolate(c2, scale_factor=2);
F.interpolate(c2, scale_factor=2, mode='bilinear'); F.interpolate(c1, scale_factor=2, mode='linear');
F.interpolate(c2, scale_factor=2, mode='bicubic'); F.pad(x, (1, 1)); F.pad(c2, (1, 1, 1, 1), mode='reflect');
F.pad(c2, (1, 1, 1, 1), mode='replicate'); F.pixel_shuffle(c4, 2); F.grid_sample(c2, grid);
F.affine_grid(theta, (1, 1, 2, 2)); F.unfold(c2, 2); F.fold(F.unfold(c2, 2), (4, 4), 2);
F.batch_norm(x, None, None, training=True); F.batch_norm(x, z3, o3); F.layer_norm(x, (3,)); F.group_norm(c4, 2);
F.instance_norm(c2); F.embedding(i, x); F.embedding_bag(i, x, o); F.local_response_norm(c2, 2); F.rms_norm(x, (3,));
F.scaled_dot_product_attention(b3, b3, b3); xp.fft.fft(x).real; xp.fft.rfft(x).abs(); xp.view_as_complex(b2);
xp.linalg.inv(sq); xp.linalg.det(sq); xp.linalg.cholesky(pd); xp.linalg.svd(x)[1]; xp.linalg.qr(sq)[0];
xp.linalg.solve(sq, sq); xp.linalg.eigh(pd)[0]; xp.linalg.norm(x); xp.trace(sq); xp.logdet(pd);
xp.linalg.slogdet(pd)[1]; xp.matrix_exp(sq); xp.cdist(x, y); xp.cross(x, y); xp.kron(x, y); z.add_(1); z.mul_(2);
z.relu_(); z.zero_(); z.copy_(x); z.fill_(1); z.clamp_(0); z.sigmoid_(); z.sub_(x); z.div_(2)
"""

#: Functions that PyTorch computes in one step, or in others -> what the last one is called here.
OTHERWISE = {
    "1 - x": "SubBackward0",
    "2 / x": "DivBackward0",
    "x // 2": "FloorDivideBackward0",
    "bm.bmm(bm)": "UnsafeViewBackward0",
    "xp.addmm(r, x, w)": "AddBackward0",
    "x.max(1)[0]": "SqueezeBackward1",
    "x.min(1).values": "SqueezeBackward1",
    "x.median()": "MaxBackward1",
    "x.median(1)[0]": "SelectBackward0",
    "x.masked_fill(x > 0, 0.0)": "WhereBackward0",
    "x.masked_select(x > 0)": "IndexBackward0",
    "x.t()": "TransposeBackward0",
    "x.T": "TransposeBackward0",
    "x.permute(1, 0)": "TransposeBackward0",
    "x.unsqueeze(0).squeeze()": "SqueezeBackward1",
    "x.repeat(2, 1)": "ViewBackward0",
    "x.t().reshape(-1)": "ViewBackward0",
    "x.unflatten(1, (3, 1))": "UnsqueezeBackward0",
    "x.movedim(0, 1)": "TransposeBackward0",
    "x.roll(1, 0)": "CatBackward0",
    "x.diag()": "CloneBackward0",
    "v.diag()": "DiagonalScatterBackward0",
    "x.unfold(0, 2, 1)": "CatBackward0",
    "x.unbind()[0]": "SelectBackward0",
    "xp.tensor_split(x, 2)[0]": "SplitBackward0",
    "x.index_select(0, i)": "IndexBackward0",
    "x.index_add(0, i, y)": "IndexPutBackward0",
    "xp.take(x, i)": "IndexBackward0",
    "xp.stack([x, y])": "CatBackward0",
    "xp.kthvalue(x, 1)[0]": "SelectBackward0",
    "F.rrelu(x)": "LeakyReluBackward0",
    "F.mse_loss(x, y)": "MeanBackward0",
    "F.smooth_l1_loss(x, y)": "MeanBackward0",
    "F.huber_loss(x, y)": "MeanBackward0",
    "F.binary_cross_entropy(x.sigmoid(), t01)": "MeanBackward0",
    "F.binary_cross_entropy_with_logits(x, t01)": "MeanBackward0",
    "F.mse_loss(x, y, reduction='none')": "MulBackward0",
    "F.multi_margin_loss(x, c)": "MeanBackward0",
    "F.soft_margin_loss(x, t01)": "MeanBackward0",
    "F.adaptive_avg_pool2d(c2, 2)": "AvgPool2DBackward0",
    "F.adaptive_max_pool2d(c2, 2)": "MaxPool2DWithIndicesBackward0",
    "F.adaptive_avg_pool1d(c1, 1)": "MeanBackward1",
    "F.pad(c2, (1, 1, 1, 1), mode='reflect')": "PadEdgesBackward0",
    "F.pad(c2, (1, 1, 1, 1), mode='replicate')": "PadEdgesBackward0",
    "F.grid_sample(c2, grid)": "ViewBackward0",
    "F.affine_grid(theta, (1, 1, 2, 2))": "AddBackward0",
    "F.unfold(c2, 2)": "ViewBackward0",
    "F.fold(F.unfold(c2, 2), (4, 4), 2)": "AddBackward0",
    "F.instance_norm(c2)": "NativeGroupNormBackward0",
    "F.embedding_bag(i, x, o)": "DivBackward0",
    "F.rms_norm(x, (3,))": "RmsNormBackward0",
    "F.scaled_dot_product_attention(b3, b3, b3)": "ScaledDotProductAttentionBackward0",
    "xp.trace(sq)": "SumBackward0",
    "xp.matrix_exp(sq)": "WhereBackward0",
    "xp.cdist(x, y)": "LinalgVectorNormBackward0",
    "xp.cross(x, y)": "CatBackward0",
    "xp.kron(x, y)": "ViewBackward0",
    "z.zero_()": "torch::autograd::CopySlices",
    "z.copy_(x)": "CloneBackward0",
    "z.fill_(1)": "torch::autograd::CopySlices",
}

#: Operations of the table of which the first sample is called otherwise.
OPS_OTHERWISE = {
    "asserted": "AssertedBackward0",
    "sign": "SignBackward0",
    "spread_root": "StdBackward0",
    "slice_scatter": "SliceScatterBackward0",
    "pieces": "SplitBackward0",
    "pad_edges": "PadEdgesBackward0",
    "sum": "SumBackward0",
    "mean": "MeanBackward0",
    "amax": "MaxBackward1",
    "amin": "MinBackward1",
    "sort_values": "SortBackward0",
    "sum_to_last": "SumToLastBackward0",
    "batch_norm_train": "NativeBatchNormBackward0",
    "rms_norm": "RmsNormBackward0",
    "scaled_dot_product_attention": "ScaledDotProductAttentionBackward0",
    "conv_input_grad": "ConvolutionBackward0",
    "ndtr": "NdtrBackward0",
    "floor_divide": "FloorDivideBackward0",
    "fourier": "FftC2CBackward0",
    "fourier_half": "FftR2CBackward0",
    "max_pool_grad": "MaxPoolGradBackward0",
    "avg_pool_grad": "AvgPoolGradBackward0",
    "resize_grad": "ResizeGradBackward0",
    "lstm": "LstmBackward0",
    "lstm_train": "LstmTrainBackward0",
    "gru": "GruBackward0",
    "gru_train": "GruTrainBackward0",
    "rnn": "RnnBackward0",
    "rnn_train": "RnnTrainBackward0",
}


def made(xp: Any) -> dict[str, Any]:
    rng = np.random.default_rng(0)

    def leaf(*shape: int) -> Any:
        return xp.tensor((rng.random(shape) + 0.1).astype("float32")).requires_grad_(True)

    square = rng.random((3, 3)).astype("float32")
    found = {"xp": xp, "F": xp.nn.functional, "x": leaf(2, 3), "y": leaf(2, 3), "w": leaf(3, 3), "m": leaf(2, 3), "v": leaf(3)}
    found |= {"r": leaf(3), "p1": leaf(1), "b3": leaf(2, 4, 3), "bm": leaf(2, 3, 3), "b2": leaf(2, 2), "sq": leaf(3, 3)}
    found |= {"c1": leaf(1, 2, 6), "c2": leaf(1, 2, 4, 4), "c3": leaf(1, 2, 4, 4, 4), "c4": leaf(1, 4, 2, 2), "k1": leaf(2, 2, 3)}
    found |= {"k2": leaf(2, 2, 3, 3), "k3": leaf(2, 2, 3, 3, 3), "kb": leaf(2), "grid": leaf(1, 2, 2, 2), "theta": leaf(1, 2, 3)}
    found |= {"i": xp.tensor([0, 1]), "idx": xp.tensor([[0, 1], [1, 2]]), "o": xp.tensor([0, 1]), "c": xp.tensor([0, 2])}
    found |= {
        "s": xp.tensor([1.0, -1.0]),
        "t01": xp.tensor([[0.0, 1.0, 0.5], [1.0, 0.0, 0.5]]),
        "z3": xp.zeros(3),
        "o3": xp.ones(3),
    }
    found["pd"] = xp.tensor(square @ square.T + np.eye(3, dtype="float32")).requires_grad_(True)
    found["z"] = found["x"] * 1
    return found


def node(xp: Any, text: str) -> Any:
    return eval(text, made(xp)).grad_fn


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("text", [part.strip() for part in EXPRESSIONS.replace("\n", " ").split(";")])
def test_names_of_what_programs_write(text: str) -> None:
    ours, theirs = node(fz, text), node(torch, text)
    assert (ours.name() == theirs.name()) == (text not in OTHERWISE), (ours.name(), theirs.name())
    assert ours.name() == OTHERWISE.get(text, theirs.name())
    assert type(ours).__name__ == ours.name().rpartition(":")[2]
    if text not in OTHERWISE:
        assert type(ours).__name__ == type(theirs).__name__
        assert str(ours).split(" object")[0] == str(theirs).split(" object")[0]


def first_samples() -> list[Any]:
    found: dict[str, Any] = {}
    for case in cases("float32", keep=differentiable):
        found.setdefault(case.values[0].op.name, case)
    return list(found.values())


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("case", first_samples())
def test_names_over_the_table(case: Any) -> None:
    _, _, ours, theirs = run_both(case, requires_grad=True)
    pairs = [(a.grad_fn.name(), b.grad_fn.name()) for a, b in zip(ours, theirs, strict=True) if a.grad_fn and b.grad_fn]
    assert all(a == b for a, b in pairs) == (case.op.name not in OPS_OTHERWISE), pairs
    if case.op.name in OPS_OTHERWISE:
        assert pairs[0][0] == OPS_OTHERWISE[case.op.name]


def test_tensors_print_them() -> None:
    for xp in (fz, torch):
        x = xp.ones(2, requires_grad=True)
        z = x * 1
        z[0] = 3.0
        assert str(x * 2) == "tensor([2., 2.], grad_fn=<MulBackward0>)"
        assert str(z) == "tensor([3., 1.], grad_fn=<CopySlices>)"
        assert repr((x * 2).grad_fn).startswith("<MulBackward0 object at 0x")
        (leaf, _), _ = (x * 2).grad_fn.next_functions
        assert leaf.name() == "torch::autograd::AccumulateGrad" and type(leaf).__name__ == "AccumulateGrad"
        assert type((x * 2).sum().grad_fn.next_functions[0][0]).__name__ == "MulBackward0"


def test_functions_of_ones_own() -> None:
    for xp in (fz, torch):

        class Twice(xp.autograd.Function):
            @staticmethod
            def forward(ctx: Any, x: Any) -> Any:
                return x * 2

            @staticmethod
            def backward(ctx: Any, g: Any) -> Any:
                return g * 2

        y = Twice.apply(xp.ones(2, requires_grad=True))
        assert y.grad_fn.name() == type(y.grad_fn).__name__ == "TwiceBackward"
        assert str(y) == "tensor([2., 2.], grad_fn=<TwiceBackward>)"


def test_a_node_that_was_looked_at_is_what_it_was() -> None:
    x = fz.tensor([2.0, 3.0], requires_grad=True)
    y = x * x
    assert y.grad_fn is y.grad_fn and isinstance(y.grad_fn, fz.autograd.graph.Node)
    values, order = y.sort()
    assert type(values.grad_fn).__name__ == "SortBackward0" and order.grad_fn is None
    (values * fz.tensor([1.0, 10.0])).sum().backward()
    assert x.grad.tolist() == [4.0, 60.0]
