"""`autocast` against PyTorch's: the dtype of the result of every call, for tensors of float32, of the fast dtype, and of both."""

from __future__ import annotations

import itertools
import warnings
from typing import Any

import pytest

import frazil as fz
import frazil.nn.functional

torch = pytest.importorskip("torch", reason="PyTorch is not installed: nothing to compare with")
pytestmark = pytest.mark.parity

#: Lines of either library (`T`, its functional `F`); `x(2, 3)` is a tensor of the next dtype.
CALLS = """
    x(2, 3) @ x(3, 4)
    x(3) @ x(3)
    T.matmul(x(2, 3), x(3))
    T.mm(x(2, 3), x(3, 4))
    T.bmm(x(2, 2, 3), x(2, 3, 2))
    T.mv(x(2, 3), x(3))
    T.dot(x(3), x(3))
    T.vdot(x(3), x(3))
    T.inner(x(2, 3), x(2, 3))
    T.outer(x(3), x(3))
    T.addmm(x(2, 4), x(2, 3), x(3, 4))
    T.addbmm(x(2, 2), x(2, 2, 3), x(2, 3, 2))
    T.baddbmm(x(2, 2, 2), x(2, 2, 3), x(2, 3, 2))
    T.addmv(x(2), x(2, 3), x(3))
    T.addr(x(2, 3), x(2), x(3))
    T.einsum('ij,jk->ik', x(2, 3), x(3, 2))
    T.einsum('i,i->i', x(3), x(3))
    T.einsum('ij->i', x(3, 3))
    T.einsum('i,j->ij', x(3), x(3))
    T.chain_matmul(x(2, 3), x(3, 2), x(2, 2))
    T.linalg.multi_dot([x(2, 3), x(3, 2), x(2, 2)])
    T.linalg.vecdot(x(2, 3), x(2, 3))
    T.tensordot(x(2, 3), x(3, 2), 1)
    T.kron(x(2, 2), x(2, 2))
    F.linear(x(2, 3), x(4, 3), x(4))
    F.linear(x(2, 3), x(4, 3))
    F.bilinear(x(2, 3), x(2, 3), x(4, 3, 3), x(4))
    F.conv1d(x(1, 2, 5), x(3, 2, 3), x(3))
    F.conv2d(x(1, 2, 5, 5), x(3, 2, 3, 3), x(3))
    F.conv3d(x(1, 2, 3, 3, 3), x(3, 2, 2, 2, 2), x(3))
    F.conv_transpose1d(x(1, 2, 5), x(2, 3, 3), x(3))
    F.conv_transpose2d(x(1, 2, 5, 5), x(2, 3, 3, 3), x(3))
    F.conv_transpose3d(x(1, 2, 3, 3, 3), x(2, 3, 2, 2, 2), x(3))
    F.prelu(x(2, 3), x(3))
    F.scaled_dot_product_attention(x(1, 2, 3, 4), x(1, 2, 3, 4), x(1, 2, 3, 4))
    T.nn.GRU(3, 4)(x(2, 1, 3))[0]
    T.nn.RNN(3, 4)(x(2, 1, 3))[0]
    T.nn.LSTMCell(3, 4)(x(2, 3))[0]
    T.nn.GRUCell(3, 4)(x(2, 3))
    T.nn.RNNCell(3, 4)(x(2, 3))
    T.nn.Linear(3, 4)(x(2, 3))
    T.nn.Conv2d(2, 3, 3)(x(1, 2, 5, 5))
    T.nn.TransformerEncoderLayer(4, 2, 8, batch_first=True)(x(1, 3, 4))
    T.nn.MultiheadAttention(4, 2)(x(3, 1, 4), x(3, 1, 4), x(3, 1, 4))[0]
    T.cdist(x(2, 3), x(4, 3))
    T.dist(x(3), x(3))
    F.pairwise_distance(x(2, 3), x(2, 3))
    F.cosine_similarity(x(2, 3), x(2, 3))
    T.renorm(x(2, 3), 2, 0, 1.0)
    T.cov(x(2, 3))
    T.corrcoef(x(2, 3))
    T.linalg.cross(x(2, 3), x(2, 3))
    T.trace(x(2, 2))
    T.matrix_power(x(2, 2), 2)
    T.addcmul(x(3), x(3), x(3))
    T.addcdiv(x(3), x(3), x(3))
    T.atan2(x(3), x(3))
    T.cat([x(3), x(3)])
    T.stack([x(3), x(3)])
    T.lerp(x(3), x(3), 0.5)
    T.where(x(3) > 0, x(3), x(3))
    x(3).index_put((T.tensor([0]),), x(1))
    x(3).scatter_add(0, T.tensor([0]), x(1))
    x(3).index_copy(0, T.tensor([0]), x(1))
    F.grid_sample(x(1, 1, 3, 3), x(1, 2, 2, 2), align_corners=False)
    F.interpolate(x(1, 1, 3, 3), scale_factor=2.0, mode='bilinear')
    F.interpolate(x(1, 1, 3, 3), scale_factor=2.0)
    F.embedding(T.tensor([0]), x(3, 2))
    F.embedding_bag(T.tensor([[0]]), x(3, 2))
    F.dropout(x(3), training=False)
    F.pad(x(1, 2, 5), (1, 1), mode='reflect')
    F.pad(x(1, 2, 5, 5), (1, 1, 1, 1), mode='reflect')
    F.pad(x(1, 2, 5), (1, 1), mode='replicate')
    F.pad(x(1, 2, 5), (1, 1))
    F.pad(x(1, 2, 5), (1, 1), mode='circular')
    F.avg_pool1d(x(1, 2, 4), 2)
    F.avg_pool2d(x(1, 2, 4, 4), 2)
    F.avg_pool3d(x(1, 2, 4, 4, 4), 2)
    F.max_pool2d(x(1, 2, 4, 4), 2)
    F.max_pool3d(x(1, 2, 4, 4, 4), 2)
    F.adaptive_avg_pool2d(x(1, 2, 4, 4), 2)
    F.adaptive_avg_pool3d(x(1, 2, 4, 4, 4), 2)
    F.lp_pool2d(x(1, 2, 4, 4), 2, 2)
    F.layer_norm(x(2, 3), (3,))
    T.nn.LayerNorm(3)(x(2, 3))
    F.group_norm(x(2, 4), 2)
    T.nn.GroupNorm(2, 4)(x(2, 4))
    F.rms_norm(x(2, 3), (3,))
    T.nn.BatchNorm1d(3)(x(4, 3))
    T.nn.InstanceNorm1d(3)(x(1, 3, 4))
    F.normalize(x(2, 3))
    F.local_response_norm(x(1, 2, 4), 2)
    F.softmax(x(2, 3), -1)
    F.log_softmax(x(2, 3), -1)
    x(2, 3).softmax(-1)
    x(2, 3).softmax(-1, dtype=T.float64)
    F.softmin(x(2, 3), -1)
    F.gumbel_softmax(x(2, 3))
    T.logsumexp(x(2, 3), -1)
    x(3).sum()
    x(2, 3).sum(1)
    x(3).sum(dtype=T.float64)
    x(3).mean()
    x(3).prod()
    x(2, 3).prod(1)
    x(3).cumsum(0)
    x(3).cumprod(0)
    x(3).var()
    x(3).std()
    T.norm(x(3))
    x(2, 3).norm(dim=1)
    T.linalg.vector_norm(x(3))
    T.linalg.matrix_norm(x(2, 3))
    T.linalg.norm(x(3))
    x(3).amax()
    x(3).max()
    x(3).median()
    T.quantile(x(3), 0.5)
    T.nansum(x(3))
    x(3).sort()[0]
    x(3).topk(2)[0]
    1 - x(3)
    1 / x(3)
    x(3) ** 2
    x(3).pow(2.5)
    2 ** x(3)
    T.pow(x(3), x(3))
    T.square(x(3))
    T.sqrt(abs(x(3)))
    x(3).add_(1)
    x(3) * x(3)
    x(3) / x(3)
    x(3).clamp(0, 1)
    x(3) == x(3)
    F.nll_loss(x(2, 3), T.tensor([0, 1]))
    F.cross_entropy(x(2, 3), T.tensor([0, 1]))
    F.cross_entropy(x(2, 3), x(2, 3))
    F.mse_loss(x(3), x(3))
    F.l1_loss(x(3), x(3))
    F.smooth_l1_loss(x(3), x(3))
    F.huber_loss(x(3), x(3))
    F.kl_div(x(2, 3), x(2, 3))
    F.binary_cross_entropy(x(3).sigmoid(), x(3).sigmoid())
    F.binary_cross_entropy_with_logits(x(3), x(3))
    F.poisson_nll_loss(x(3), x(3))
    F.gaussian_nll_loss(x(3), x(3), abs(x(3)) + 1)
    F.cosine_embedding_loss(x(2, 3), x(2, 3), T.tensor([1, -1]))
    F.hinge_embedding_loss(x(3), T.tensor([1, -1, 1]))
    F.margin_ranking_loss(x(3), x(3), T.tensor([1, -1, 1]))
    F.triplet_margin_loss(x(2, 3), x(2, 3), x(2, 3))
    F.multi_margin_loss(x(2, 3), T.tensor([0, 1]))
    F.multilabel_margin_loss(x(2, 3), T.tensor([[0, -1, 1], [1, -1, 0]]))
    F.multilabel_soft_margin_loss(x(2, 3), T.tensor([[0.0, 1, 1], [1, 1, 0]]))
    F.soft_margin_loss(x(3), T.tensor([1.0, -1, 1]))
    F.ctc_loss(F.log_softmax(x(4, 1, 3), -1), T.tensor([[1]]), T.tensor([4]), T.tensor([1]))
    F.fold(x(1, 4, 4), (3, 3), (2, 2))
    F.unfold(x(1, 1, 3, 3), (2, 2))
    F.pixel_shuffle(x(1, 4, 2, 2), 2)
    F.glu(x(4))
    T.linalg.cholesky(T.eye(2, dtype=x(1).dtype) * 2)
    T.linalg.inv(T.eye(2, dtype=x(1).dtype) * 2)
    T.linalg.det(T.eye(2, dtype=x(1).dtype) * 2)
    T.linalg.svdvals(x(2, 2))
    T.linalg.solve(T.eye(2, dtype=x(1).dtype) * 2, x(2, 2))
    T.fft.rfft(x(4)).real
    T.stft(x(16), 4, return_complex=True).real
""".strip().splitlines()
CALLS += [
    f"T.{name}(x(3))"
    for name in """exp expm1 log log10 log2 log1p reciprocal rsqrt sinh cosh tan acos asin erfinv sin cos tanh atan erf abs neg
    floor sign sigmoid relu digamma lgamma exp2 sinc logit""".split()
]
CALLS += [
    f"F.{name}(x(3))"
    for name in """gelu silu softplus mish elu celu selu hardtanh hardswish hardsigmoid leaky_relu logsigmoid softsign tanhshrink
    softshrink hardshrink relu6""".split()
]


def dtype_of(library: Any, call: str, dtypes: tuple[str, ...], fast: str) -> str:
    """Name of the dtype of the result, or of the error."""
    turn = itertools.cycle(getattr(library, name) for name in dtypes)
    names = {"T": library, "F": library.nn.functional, "x": lambda *sizes: (library.ones(*sizes) * 0.5).to(next(turn))}
    with warnings.catch_warnings(), library.autocast("cpu", dtype=getattr(library, fast)):
        warnings.simplefilter("ignore")
        try:
            return str(eval(call, names).dtype).rpartition(".")[2]
        except Exception as error:
            return f"{type(error).__name__}: {error}"


@pytest.mark.parametrize("fast", ["bfloat16", "float16"])
def test_results_have_the_dtypes_of_pytorch(fast: str) -> None:
    wrong, same = [], 0
    for dtypes in (("float32",), (fast,), ("float32", fast)):
        for call in CALLS:
            theirs = dtype_of(torch, call, dtypes, fast)
            if "Error" in theirs:  # what PyTorch does not take may be more here
                continue
            ours = dtype_of(fz, call, dtypes, fast)
            same += ours == theirs
            if ours != theirs:
                wrong.append(f"{call} of {dtypes}: {ours}, PyTorch {theirs}")
    assert not wrong and same > 550, "\n".join(wrong)
