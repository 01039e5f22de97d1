"""Results lie in memory as PyTorch's do, which decides what is a view of what: every op of the table, and functions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import frazil as fz
from frazil.table import OPS
from frazil.testing import kernel_arguments

from ..ops.cases import KEPT, Case, packed
from .torch_ops import ELSEWHERE, torch, torch_op

pytestmark = pytest.mark.parity

#: Where this begins a reason, whether results lie otherwise is up to the machine.
DEPENDS = "depends on which of PyTorch's kernels runs"

#: Ops whose results lie otherwise, and why. Gradients follow the input in PyTorch, of which these ops know the shape only, or
#: not even that.
OTHERWISE = {
    "diagonal_scatter": "PyTorch copies the gaps of a tensor with gaps too",
    "conj_physical": "of a real tensor itself in PyTorch",
    "max_pool_places": "1 dimension: PyTorch puts the channels last only where indices are asked for",
    "index": "indices that do not lie in order; `x[...]` does it as PyTorch",
    "scaled_dot_product_attention": DEPENDS,
    **dict.fromkeys(("fourier", "fourier_half", "fourier_from_half"), "of pairs, by the plan of PyTorch's own transforms"),
    "gru_train": "the last state, by PyTorch's cell",
    "conv": f"{DEPENDS}, in 3 dimensions by stride and padding",
    **{
        f"{name}_grad": "a gradient"
        for name in (
            "avg_pool max_pool batch_norm_train conv_input biased_conv_input conv_weight gelu group_norm relu silu"
        ).split()
    },
    "scaled_dot_product_attention_grad": f"a gradient, and {DEPENDS}",
}

OF_ANY = """
    x*2; x+1; x.exp(); F.relu(x); F.gelu(x); F.silu(x); F.log_softmax(x,-1); F.softmax(x,1); x.clone(); xp.zeros_like(x);
    xp.ones_like(x); xp.empty_like(x); xp.full_like(x,2.); xp.rand_like(x); xp.randn_like(x); x.to(xp.float64); x.double();
    x.long(); x>0; ~(x>0); xp.where(x>0,x,-x); xp.where(x>0,x,0.); x.masked_fill(x>0,1.); x.masked_fill(x>0,float('inf'));
    x.cumsum(0); x.cumsum(-1); x.cumprod(1); x.sort(0)[0]; x.sort(-1)[1]; x.argsort(1); x.topk(2,1)[0]; x.topk(2,0)[1];
    x.kthvalue(1,0)[0]; x.median(0)[0]; x.sum(0); x.sum(1,keepdim=True); x.mean(0); x.amax(0); x.max(0)[0]; x.max(1)[1];
    x.min(1)[0]; x.argmax(0); x.std(0); x.var(1); x.norm(dim=0); x.prod(0); x.flip(0); x.flip(0,1); x.roll(1,0); x.roll(1);
    x.rot90(); x.tril(); x.triu(); xp.cat([x,x]); xp.cat([x,x],1); xp.stack([x,x]); x.repeat(*[2]*x.ndim); x.tile(2);
    x.repeat_interleave(2,0); x.repeat_interleave(2,1); x.index_select(0,I); x.index_select(1,I); x.index_add(0,I,x[:2]);
    x.index_copy(0,I,x[:2]); x.index_fill(0,I,1.); x.gather(0,xp.zeros_like(x,dtype=xp.int64));
    x.scatter(0,xp.zeros_like(x,dtype=xp.int64),x); x.scatter_add(1,xp.zeros_like(x,dtype=xp.int64),x); x[I]; x[:,I];
    x[x>0]; x.take_along_dim(xp.zeros_like(x,dtype=xp.int64),0); x.unfold(0,2,1); x.unfold(0,2,1).clone();
    x.unfold(0,2,1)*2; x.contiguous(); x.flatten(); x.reshape(-1); x.reshape(-1,2); x.clamp(-1,1); x.clamp(min=0);
    x.clamp(xp.zeros_like(x),xp.ones_like(x)); xp.maximum(x,y); x+y; y+x; x*y; x/y; y-x; x.pow(2); x.pow(y); xp.atan2(x,y);
    xp.lerp(x,y,0.5); xp.lerp(x,y,x); x.addcmul(x,y); x.addcdiv(y,y); xp.where(y>0,x,y); x==y; x.logical_and(y);
    xp.fmod(x,y); xp.remainder(x,2.); x.floor_divide(y); xp.hypot(x,y); F.mse_loss(x,y,reduction='none');
    F.l1_loss(x,y,reduction='none'); F.smooth_l1_loss(x,y,reduction='none'); F.huber_loss(x,y,reduction='none');
    F.binary_cross_entropy_with_logits(x,y,reduction='none');
    F.binary_cross_entropy(x.sigmoid(),y.sigmoid(),reduction='none'); F.kl_div(x,y,reduction='none');
    F.soft_margin_loss(x,y,reduction='none'); F.logsigmoid(x); F.softplus(x); F.elu(x); F.selu(x); F.celu(x);
    F.leaky_relu(x); F.prelu(x,xp.ones(x.shape[1])); F.prelu(x,xp.ones(1)); F.hardtanh(x); F.hardswish(x); F.hardsigmoid(x);
    F.mish(x); F.tanhshrink(x); F.softsign(x); F.softmin(x,0); F.threshold(x,0.,1.); F.dropout(x,0.5,False);
    F.dropout(x,0.5,True); F.normalize(x); F.normalize(x,dim=-1); F.layer_norm(x,x.shape[-1:]); F.layer_norm(x,x.shape[1:]);
    F.rms_norm(x,x.shape[-1:]); F.pad(x,(1,1)); F.pad(x,(1,0,0,1)); F.one_hot(xp.zeros_like(x,dtype=xp.int64),3);
    F.linear(x,xp.ones(5,x.shape[-1])); x@xp.ones(x.shape[-1],5); xp.einsum('ab...->ba...',x)*2; xp.nan_to_num(x);
    xp.nonzero(x>0); xp.heaviside(x,y); x.sigmoid(); x.tanh(); x.erf(); x.rsqrt(); x.abs(); -x; x.sign(); x.floor();
    x.round(); x.isnan(); x.lgamma(); x.logit(); xp.special.i0(x); xp.i0(x); xp.erfinv(x); x.diff(dim=0); xp.logaddexp(x,y);
    x.copysign(y); x.square(); x.relu(); x.logsumexp(0); x.quantile(0.5,0); xp.bernoulli(x.sigmoid()); x.half();
    x.type_as(y); x.movedim(0,-1)*1; x.diagonal()*1; xp.diag_embed(x); x.unsqueeze(1)*2; x[...,0]*2; x[:,1:]*2;
    x.narrow(0,0,2).clone(); x.expand(2,*x.shape).clone(); x.expand(2,*x.shape)*2; xp.rand(1).expand_as(x)+x;
    x.masked_scatter(x>0,y); x.renorm(2,0,1.); x.add(y,alpha=2); x.sub(1); xp.rsub(x,y); x.mul(2).add_(1);
    x.clone().clamp_(0); x.cos_(); x.bool(); x.deg2rad(); x.frac(); x.trunc(); x.exp2(); x.log1p(); xp.nanmean(x,0);
    x.nansum(0); xp.cdist(x,x); x.softmax(0); xp.linalg.norm(x,dim=0); x.aminmax(dim=0)[0]; xp.bucketize(x,xp.zeros(2));
    xp.isclose(x,y); x.index_put((I,),x[:2]); xp.meshgrid(x[0].flatten(),x[0].flatten(),indexing='ij')[0]*1;
    x.new_zeros(x.shape); x.detach(); x.detach().clone(); xp.complex(x,y); xp.tensor_split(x,2)[0]*2; x.chunk(2,1)[0]*2;
    xp.vstack([x,x]); xp.hstack([x,x]); xp.dstack([x,x]); xp.atleast_3d(x)*2; x.swapaxes(0,1)*2;
    xp.outer(x[0].flatten(),x[0].flatten()); xp.tensordot(x,x,([0],[0])); xp.vander(x[0].flatten()); xp.polar(x.abs(),y);
    F.embedding(xp.zeros_like(x,dtype=xp.int64),xp.ones(3,4)); F.cosine_similarity(x,y,1); F.pairwise_distance(x,y);
    F.gumbel_softmax(x); F.cross_entropy(x,xp.zeros_like(x[:,0],dtype=xp.int64),reduction='none');
    F.nll_loss(x,xp.zeros_like(x[:,0],dtype=xp.int64),reduction='none');
    x.scatter_reduce(0,xp.zeros_like(x,dtype=xp.int64),x,'amax'); F.batch_norm(x,None,None,training=True);
    F.batch_norm(x,xp.zeros(x.shape[1]),xp.ones(x.shape[1])); F.group_norm(x,1);
    F.cross_entropy(x,xp.zeros_like(x[:,0],dtype=xp.int64),reduction='none')
"""

OF_MATRICES = """
    x@x.t(); x.t()@x; xp.mm(x.t(),x); F.bilinear(x,x,xp.ones(2,x.shape[1],x.shape[1])); xp.linalg.svd(x)[0];
    xp.linalg.qr(x)[0]; xp.linalg.inv(x@x.t()+xp.eye(x.shape[0])); xp.linalg.solve(x@x.t()+xp.eye(x.shape[0]),x);
    xp.linalg.cholesky(x@x.t()+xp.eye(x.shape[0])); xp.linalg.eigh(x@x.t())[1]; xp.linalg.pinv(x)
"""

OF_LINES = """
    F.avg_pool1d(x,2); F.max_pool1d(x,2); F.max_pool1d(x,2,return_indices=True)[0]; F.adaptive_avg_pool1d(x,2);
    F.adaptive_max_pool1d(x,2); F.lp_pool1d(x,2.,2); F.conv1d(x,xp.ones(4,x.shape[1],2));
    F.conv_transpose1d(x,xp.ones(x.shape[1],4,2)); F.interpolate(x,scale_factor=2);
    F.interpolate(x,scale_factor=2,mode='linear'); F.instance_norm(x); F.pad(x,(1,1),mode='reflect');
    F.pad(x,(1,1),mode='replicate'); F.pad(x,(1,1),mode='circular'); x.bmm(x.mT); x@x.mT; xp.baddbmm(xp.zeros(1),x,x.mT);
    F.scaled_dot_product_attention(x,x,x); F.max_unpool1d(*F.max_pool1d(x,2,return_indices=True),2);
    F.local_response_norm(x,2); F.channel_shuffle(x,1); F.feature_alpha_dropout(x,0.5,True); F.dropout1d(x,0.5,True);
    F.unfold(x,2); F.fold(xp.ones(1,4,4),(3,3),2); F.avg_pool2d(x,2); F.max_pool2d(x,2)
"""

OF_IMAGES = """
    F.avg_pool2d(x,2); F.max_pool2d(x,2); F.max_pool2d(x,2,return_indices=True)[1]; F.adaptive_avg_pool2d(x,2);
    F.adaptive_avg_pool2d(x,1); F.adaptive_max_pool2d(x,2); F.lp_pool2d(x,2.,2); F.conv2d(x,xp.ones(4,x.shape[1],2,2));
    F.conv2d(x,xp.ones(x.shape[1],1,2,2),groups=x.shape[1]); F.conv2d(x,xp.ones(4,x.shape[1],1,1));
    F.conv_transpose2d(x,xp.ones(x.shape[1],4,2,2)); F.interpolate(x,scale_factor=2);
    F.interpolate(x,scale_factor=2,mode='bilinear'); F.interpolate(x,scale_factor=2,mode='bicubic');
    F.interpolate(x,size=(2,2),mode='area'); F.instance_norm(x); F.pad(x,(1,1,1,1),mode='reflect');
    F.pad(x,(1,1,1,1),mode='replicate'); F.pad(x,(1,1,1,1),mode='circular'); F.pixel_shuffle(xp.cat([x]*4,1),2);
    F.pixel_unshuffle(x[...,:2,:2],2); x@x.mT; F.scaled_dot_product_attention(x,x,x);
    F.max_unpool2d(*F.max_pool2d(x,2,return_indices=True),2); F.local_response_norm(x,2); F.channel_shuffle(x,1);
    F.dropout2d(x,0.5,True); F.unfold(x,2); F.grid_sample(x,xp.zeros(x.shape[0],2,2,2),align_corners=False);
    F.upsample(x,scale_factor=2)
"""

OF_VOLUMES = """
    F.avg_pool3d(x,2); F.max_pool3d(x,2); F.adaptive_avg_pool3d(x,2); F.adaptive_max_pool3d(x,2);
    F.conv3d(x,xp.ones(4,x.shape[1],2,2,2)); F.conv_transpose3d(x,xp.ones(x.shape[1],4,2,2,2));
    F.interpolate(x,scale_factor=2); F.interpolate(x,scale_factor=2,mode='trilinear'); F.instance_norm(x);
    F.pad(x,(1,1,1,1,1,1),mode='replicate'); F.pad(x,(1,1,1,1,1,1)); F.pad(x,(1,1,1,1,1,1),mode='reflect')
"""

#: Functions that may have nothing to do, and then give a new tensor, or the tensor itself.
OF_NOTHING = """
    x.tile(1); x.repeat(*[1]*x.ndim); xp.stack([x]); xp.stack([x],-1); xp.cat([x]); F.pad(x,(0,0)); x.roll(0,0); x.rot90(0);
    x.rot90(4); x.flip([]); x.flip(0); x.repeat_interleave(1,0); F.normalize(x); xp.block_diag(x); xp.kron(x,xp.ones(1,1));
    F.interpolate(x,scale_factor=1); F.interpolate(x,size=x.shape[2:]); F.dropout(x,0.); F.dropout(x,0.5,False);
    F.dropout2d(x,0.5,False); F.alpha_dropout(x,0.5,False); F.unfold(x,1); F.fold(F.unfold(x,1),x.shape[2:],1); x.sum(());
    x.cumsum(0); xp.einsum('...->...',x); xp.einsum('ij->ij',x); xp.einsum('ij->ji',x); xp.einsum('ii->i',x);
    xp.tensordot(x,xp.ones(1,1),1); x.clamp(min=None,max=1e9); x.nan_to_num(); x.conj(); x.resolve_conj(); x.float();
    x.to(x.dtype); x.type_as(x); x.clone(); x.contiguous(); x.to(xp.float32,copy=True); xp.asarray(x); xp.as_tensor(x);
    x.detach(); x.data; xp.atleast_1d(x); xp.atleast_2d(x); xp.atleast_3d(x); x.squeeze(); x.view_as(x); x.reshape_as(x);
    x.expand_as(x); x.movedim(0,0); x.transpose(0,0); x.diff(n=0); xp.cartesian_prod(x.flatten());
    xp.meshgrid(x.flatten(),indexing='ij')[0]; xp.broadcast_tensors(x)[0]; x.take_along_dim(xp.zeros_like(x).long(),0);
    x[...]; x[[0]]; x[xp.ones_like(x).bool()]; x.masked_select(xp.ones_like(x).bool()); x.index_select(0,xp.tensor([0]));
    x.sort(0)[0]; x.topk(1,0)[0]; x.unfold(0,1,1); x.sum(0); x.mean(0,keepdim=True); x.amax(0); x.max(0)[0]; x.prod(0);
    x.logsumexp(0); x.median(0)[0]; x.mode(0)[0]; x.norm(dim=0); x.tril(); x.triu(); x.diagonal(); x.diag_embed();
    F.avg_pool2d(x,1); F.max_pool2d(x,1); F.adaptive_avg_pool2d(x,x.shape[-2:]); F.adaptive_avg_pool2d(x,1);
    F.adaptive_max_pool2d(x,1); xp.hstack([x]); xp.vstack([x]); xp.dstack([x]); xp.column_stack([x]); x.add(0); x*1; x/1;
    x**1; x.pow(1); x.round(); x.abs(); x.trace(); xp.where(xp.ones_like(x).bool(),x,x); xp.nn.Identity()(x);
    xp.nn.Flatten()(x); F.threshold(x,-9,0.); x.renorm(2,0,1e9); x.split(1)[0]; x.chunk(1)[0]; x.tensor_split(1)[0];
    x.unbind(0)[0]; x.select(0,0); x.narrow(0,0,1); x.swapaxes(0,0); x.ravel(); x.flatten(); x.unflatten(0,(1,-1));
    x.flatten(0,0); x.view(x.shape); x.reshape(x.shape); x.mT; x.H; x.mH; x.adjoint(); x.T; x.fliplr(); x.flipud();
    x.permute(*range(x.ndim)); xp.squeeze(x,0); x.unsqueeze(0); x.expand(2,*x.shape); xp.linalg.multi_dot([x,x]);
    xp.linalg.matrix_power(x,1); xp.chain_matmul(x); xp.addmm(x,x,x,alpha=0); x.positive(); +x; xp.lerp(x,x,0.);
    x.copysign(x); x.maximum(x); x.fmax(x); x.corrcoef(); x.cov(); F.glu(xp.cat([x,x],0),0); x.logcumsumexp(0);
    x.cummax(0)[0]; x.scatter(0,xp.zeros_like(x).long()[:0],x); x.index_add(0,xp.tensor([],dtype=xp.int64),x[:0]);
    x.index_copy(0,xp.tensor([],dtype=xp.int64),x[:0]); x.index_fill(0,xp.tensor([],dtype=xp.int64),0.);
    x.masked_fill(xp.zeros_like(x).bool(),0.); x.bernoulli(0.); x.gather(0,xp.zeros_like(x).long()); F.pixel_shuffle(x,1);
    F.pixel_unshuffle(x,1); F.channel_shuffle(x,1); F.native_channel_shuffle(x,1); F.local_response_norm(x,1);
    F.instance_norm(x); xp.fft.fftshift(x); xp.fft.ifftshift(x); x.nanmedian(0)[0]; x.slice_scatter(x);
    x.select_scatter(x[0],0,0); x.diagonal_scatter(x.diagonal()); x.as_strided(x.shape,x.stride());
    xp.view_as_complex(xp.stack([x,x],-1)).real; x.new_tensor(1.); xp.squeeze(x); xp.flatten(x,0); xp.clip(x,-9,9);
    x.msort(); x.argsort(); x.quantile(0.5,0); x.sum_to_size(x.shape); x.trunc(); x.ceil(); x.cpu(); x.mul(1);
    x.dsplit(1)[0]; x.hsplit(1)[0]; x.vsplit(1)[0]
"""

#: Functions whose results lie otherwise, and why.
FUNCTIONS_OTHERWISE = {
    "x.unfold(0,2,1)": "a copy where PyTorch gives a view of overlapping windows",
    "F.max_pool1d(x,2,return_indices=True)[0]": "without indices and gradient PyTorch lays it in order",
    "F.channel_shuffle(x,1)": "of one group the input itself",
    "xp.stack([x,x])": "of images with the channels last: PyTorch splits a dimension of what is joined",
    "F.scaled_dot_product_attention(x,x,x)": DEPENDS,
    **dict.fromkeys(
        (
            "xp.linalg.svd(x)[0]", "xp.linalg.qr(x)[0]", "xp.linalg.inv(x@x.t()+xp.eye(x.shape[0]))",
            "xp.linalg.solve(x@x.t()+xp.eye(x.shape[0]),x)", "xp.linalg.cholesky(x@x.t()+xp.eye(x.shape[0]))",
            "xp.linalg.eigh(x@x.t())[1]",
        ),
        "LAPACK's order of columns",
    ),
}  # fmt: skip

SHAPES = {2: (4, 6), 3: (2, 4, 6), 4: (2, 4, 6, 8), 5: (2, 3, 4, 4, 6)}

#: Where dimensions have one element, elements may lie in order in several ways, of which some ops take notice.
WITH_ONES = {
    3: [(1, 4, 6), (2, 1, 6), (2, 4, 1), (1, 4, 1)],
    4: [(1, 4, 6, 8), (2, 1, 6, 8), (2, 4, 1, 8), (2, 4, 1, 1), (1, 4, 1, 1)],
}
OF_ONES = """
    x*2; x+y; y+x; x.clone(); x.relu(); x.pow(2.); x.sum(1,keepdim=True); x.flip(0); x.roll(1,0); x[:,I]; x[I];
    xp.cat([x,x],1); xp.stack([x,x]); F.conv1d(x,xp.ones(4,x.shape[1],3),padding=1);
    F.conv1d(x,xp.ones(4,x.shape[1],3),stride=2,padding=2); F.avg_pool1d(x,2,1,1); F.max_pool1d(x,2,1,1);
    F.conv_transpose1d(x,xp.ones(x.shape[1],4,2),stride=2); F.avg_pool2d(x,3,1,1); F.max_pool2d(x,3,1,1);
    F.conv2d(x,xp.ones(4,x.shape[1],3,3),padding=1); F.pixel_shuffle(xp.cat([x]*4,1),2)
"""


TEXTS = [(2, OF_ANY + ";" + OF_MATRICES), (3, OF_ANY + ";" + OF_LINES), (4, OF_ANY + ";" + OF_IMAGES), (5, OF_VOLUMES)]


def orders(ndim: int) -> Iterator[Any]:
    """How a tensor may lie: its dimensions from the slowest to the fastest, a part of a larger one, one row repeated."""
    found = [tuple(range(ndim)), tuple(range(ndim))[::-1], (*range(ndim - 2), ndim - 1, ndim - 2)]
    if ndim > 2:
        found += [(0, *range(2, ndim), 1), (1, 0, *range(2, ndim))]
    yield from dict.fromkeys(found)
    yield from ("a part", "repeated")


def laid(xp: Any, a: np.ndarray, order: Any) -> Any:
    """A tensor with the values of an array, lying so in memory, also in dimensions of one element."""
    if order is None or a.ndim < 2 or (isinstance(order, tuple) and len(order) != a.ndim):
        return xp.tensor(a)
    if order == "a part":
        return xp.tensor(np.repeat(a, 2, -1))[..., ::2]
    if order == "repeated":
        return xp.tensor(a)[:1].expand(a.shape)
    turned = a.transpose(order)
    return xp.tensor(turned.ravel()).reshape(turned.shape).permute(*np.argsort(order).tolist())


def differs(ours: Any, theirs: Any) -> bool:
    """Whether two tensors lie differently where that can be seen."""
    if tuple(ours.shape) != tuple(theirs.shape) or 0 in theirs.shape:
        return False
    return any(n > 1 and a != b for n, a, b in zip(theirs.shape, ours.stride(), theirs.stride(), strict=True))


def compared(case: Case, order: Any, chosen: set[int]) -> tuple[Any, Any] | None:
    """The results of both on inputs that lie so; None where PyTorch does not take them."""
    arrays = case.arrays()
    lie = [order if i in chosen else None for i in range(len(arrays))]
    ours, theirs = ([None if a is None else laid(xp, a, o) for a, o in zip(arrays, lie, strict=True)] for xp in (fz, torch))
    _, attributes = kernel_arguments(case.op, *packed(case.op, ours), **case.sample.attrs)
    missing = 0 if case.op.packed else len(case.op.tensors) - len(theirs)
    try:
        results = torch_op(case.op.name)(*theirs, *[None] * missing, **attributes)
    except (RuntimeError, TypeError, ValueError, IndexError):
        return None
    return case.call(*ours), tuple(results) if case.op.outputs > 1 else (results,)


def op_lying_otherwise(op: Any) -> tuple[int, list[str]]:
    """How many results of an op on inputs that lie in every way were compared, and what lies otherwise in PyTorch."""
    count, wrong = 0, []
    for sample in op.samples:
        case = Case(op, sample, "float32")
        places = [i for i, a in enumerate(case.arrays()) if a is not None and a.ndim > 1]
        for order in orders(max((case.arrays()[i].ndim for i in places), default=0)) if places else ():
            for chosen in {frozenset(places), *(frozenset([i]) for i in places)}:
                found = compared(case, order, set(chosen))
                count += found is not None
                if found is not None and any([differs(*both) for both in zip(*found, strict=True)][: KEPT.get(op.name)]):
                    wrong.append(f"{op.name} {case.sample} {order} {sorted(chosen)}")
    return count, wrong


@pytest.mark.filterwarnings("ignore")
def test_results_of_every_op():
    found = [op_lying_otherwise(op) for op in OPS.values() if op.name not in ELSEWHERE and op.name not in OTHERWISE]
    wrong = [text for _, texts in found for text in texts]
    assert sum(count for count, _ in found) > 2500 and not wrong, "\n".join(wrong)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", [name for name, reason in OTHERWISE.items() if DEPENDS not in reason])
def test_ops_that_lie_otherwise_do(name):
    _, wrong = op_lying_otherwise(OPS[name])
    assert wrong


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("text", [text for text, reason in FUNCTIONS_OTHERWISE.items() if DEPENDS not in reason])
def test_functions_that_lie_otherwise_do(text):
    ndims = [ndim for ndim, texts in TEXTS if text in map(str.strip, texts.split(";"))]
    assert any(lying_otherwise([text], SHAPES[ndim])[1] for ndim in ndims)


def evaluated(text: str, xp: Any, x: Any, y: Any) -> Any:
    with xp.no_grad():
        return eval(text, {"xp": xp, "F": xp.nn.functional, "x": x, "y": y, "I": xp.tensor([1, 0])})


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("ndim", "texts"), TEXTS)
def test_results_of_functions(ndim, texts):
    count, wrong = lying_otherwise(others_of(texts), SHAPES[ndim])
    assert count > 50 and not wrong, "\n".join(wrong)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("ndim", "texts"), [(3, OF_ONES + ";" + OF_LINES), (4, OF_ONES + ";" + OF_IMAGES)])
def test_results_of_functions_of_what_has_one_element_in_a_dimension(ndim, texts):
    found = [lying_otherwise(others_of(texts), shape) for shape in WITH_ONES[ndim]]
    wrong = [text for _, texts in found for text in texts]
    assert sum(count for count, _ in found) > 400 and not wrong, "\n".join(wrong)


def others_of(texts: str) -> list[str]:
    return [text for text in map(str.strip, texts.split(";")) if text and text not in FUNCTIONS_OTHERWISE]


def lying_otherwise(texts: list[str], shape: tuple[int, ...]) -> tuple[int, list[str]]:
    """How many results of functions of a tensor that lies in every way were compared, and what lies otherwise in PyTorch."""
    rng = np.random.default_rng(0)
    a, b = (rng.uniform(-1, 1, shape).astype("float32") for _ in range(2))
    count, wrong = 0, []
    for text in texts:
        for order in orders(len(shape)):
            try:
                theirs = evaluated(text, torch, laid(torch, a, order), torch.tensor(b))
            except (RuntimeError, TypeError, ValueError, IndexError):
                continue
            ours = evaluated(text, fz, laid(fz, a, order), fz.tensor(b))
            count += 1
            if differs(ours, theirs):
                wrong.append(f"{text} of {shape} {order}: {ours.stride()}, in PyTorch {theirs.stride()}")
    return count, wrong


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (1, 4, 1, 1), (2, 3, 4, 5), (1,), ()])
def test_results_share_memory_where_pytorch_s_do(shape):
    a, count, wrong = np.random.default_rng(0).uniform(0.1, 1, shape).astype("float32"), 0, []
    a = np.asarray(a)
    for text in filter(None, map(str.strip, OF_NOTHING.split(";"))):
        shared = []
        for xp in (fz, torch):
            x = xp.tensor(a)
            try:
                y = evaluated(text, xp, x, x)
            except (RuntimeError, TypeError, ValueError, IndexError, AttributeError):
                break
            shared.append(np.shares_memory(y.numpy(), x.numpy()))
        count += len(shared) == 2
        if len(shared) == 2 and shared[0] != shared[1]:
            wrong.append(f"{text}: {'a view' if shared[0] else 'new'}, not so in PyTorch")
    assert count > 60 and not wrong, "\n".join(wrong)


def equations(smallest: int) -> Iterator[tuple[str, list[np.ndarray]]]:
    """Products of two tensors, some of whose labels are summed: of both, and of several elements."""
    rng = np.random.default_rng(smallest)
    for _ in range(2000):
        terms = ["".join(rng.permutation(list("abcd"))[: rng.integers(1, 4)]) for _ in range(2)]
        labels = sorted({*terms[0], *terms[1]})
        output = "".join(rng.permutation([c for c in labels if rng.random() < 0.7]).tolist())
        sizes = {c: int(rng.integers(smallest, 4)) for c in labels}
        summed = [c for c in labels if c not in output]
        if summed and all(c in terms[0] and c in terms[1] and sizes[c] > 1 for c in summed):
            yield f"{','.join(terms)}->{output}", [rng.uniform(-1, 1, [sizes[c] for c in term]) for term in terms]


@pytest.mark.parametrize("smallest", [1, 2])
def test_products_by_equations(smallest):
    """Labels of one element count to the second tensor: that may let all lie in order."""
    wrong, tried = [], 0
    for equation, arrays in equations(smallest):
        ours, theirs = (xp.einsum(equation, *map(xp.tensor, arrays)) for xp in (fz, torch))
        np.testing.assert_allclose(ours.numpy(), theirs.numpy(), atol=1e-12)
        tried += 1
        if differs(ours, theirs):
            wrong.append((equation, [a.shape for a in arrays], ours.stride(), theirs.stride()))
    assert tried > 100
    assert not wrong


def operands(rng: np.random.Generator, sizes: list[int]) -> Any:
    """Makes a tensor that broadcasts to these sizes, perhaps permuted, perhaps repeating elements."""
    ndim = int(rng.integers(0, len(sizes) + 1))
    full = sizes[len(sizes) - ndim :]
    shape = [n if rng.random() < 0.7 else 1 for n in full]
    order = rng.permutation(ndim).tolist() if rng.random() < 0.6 else [*range(ndim)]
    array = rng.uniform(-1, 1, [shape[d] for d in order])
    repeated = [n if rng.random() < 0.5 else m for n, m in zip(full, shape, strict=True)] if rng.random() < 0.2 else shape

    def make(xp: Any) -> Any:
        t = xp.tensor(array)
        return t.permute([order.index(d) for d in range(ndim)]).expand(repeated) if ndim else t

    return make


ELEMENTWISE = {
    1: "x.tanh(); 1-x; x*2+1; x.abs()",
    2: "x+y; x*y; x>y; xp.maximum(x,y); xp.atan2(x,y); x/y; x.masked_fill(y>0,1.); (x>0)&(y>0); xp.logaddexp(x,y); x.float()*y",
    3: "xp.where(x>0,y,z); xp.addcmul(x,y,z)",
}


@pytest.mark.parametrize("count", ELEMENTWISE)
def test_operands_that_broadcast_or_repeat(count):
    """The first operand does not decide alone where it has fewer elements than the result."""
    rng = np.random.default_rng(count)
    wrong = []
    for text in ELEMENTWISE[count].split(";"):
        call = eval(f"lambda xp, {', '.join('xyz'[:count])}: {text}")
        for _ in range(150):
            sizes = rng.integers(2, 5, rng.integers(1, 5)).tolist()
            makers = [operands(rng, sizes) for _ in range(count)]
            ours, theirs = (call(xp, *[make(xp) for make in makers]) for xp in (fz, torch))
            if differs(ours, theirs):
                wrong.append((text, [(make(torch).shape, make(torch).stride()) for make in makers], ours.stride()))
    assert not wrong
