"""Public functions and methods, called in all the ways PyTorch programs call them: each line is run in both libraries."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import frazil as fz
from frazil.late import load_all
from frazil.table import FUNCTIONS, METHODS, OPS

from .test_ops import same, torch

pytestmark = pytest.mark.parity

RNG = np.random.default_rng(7)
#: Names that the lines below may use.
VALUES: dict[str, np.ndarray] = {
    "x": RNG.uniform(-2, 2, (3, 4)),
    "y": RNG.uniform(-2, 2, (3, 4)),
    "p": RNG.uniform(0.2, 3, (3, 4)),
    "u": RNG.uniform(0.05, 0.95, (3, 4)),
    "v": RNG.uniform(-2, 2, 4),
    "v2": RNG.uniform(-2, 2, 4),
    "r": RNG.uniform(-2, 2, 3),
    "w": RNG.uniform(-2, 2, (4, 5)),
    "q": RNG.uniform(-2, 2, (4, 4)),
    "s": np.array(1.5),
    "b": RNG.uniform(-2, 2, (2, 3, 4)),
    "c": RNG.uniform(-2, 2, (2, 4, 5)),
    "o": RNG.uniform(-2, 2, (1, 3, 1)),
    "e": np.zeros((0, 3)),
    "special": np.array([1.0, np.nan, np.inf, -np.inf, -0.0, 2.5]),
    "i": RNG.integers(-9, 9, (3, 4)),
    "k": RNG.integers(1, 5, (3, 4)),
    "j": np.array([2, 0, 1, 2]),
    "rows": np.array([[0, 2, 1, 1], [1, 0, 0, 2]]),
    "columns": np.array([[0, 3], [1, 1], [2, 0]]),
    "m": RNG.random((3, 4)) < 0.5,
    "m2": RNG.random((3, 4)) < 0.5,
    "mr": np.array([True, False, True]),
    "sorted_": np.array([-1.0, 0.0, 0.5, 1.5]),
    "img": RNG.uniform(-1, 1, (2, 3, 6, 5)),
    "sig": RNG.uniform(-1, 1, (2, 3, 8)),
    "vol": RNG.uniform(-1, 1, (1, 2, 4, 4, 4)),
    "k2": RNG.uniform(-1, 1, (4, 3, 3, 3)),
    "k1": RNG.uniform(-1, 1, (4, 3, 3)),
    "k3": RNG.uniform(-1, 1, (3, 2, 2, 2, 2)),
    "kt2": RNG.uniform(-1, 1, (3, 4, 3, 3)),
    "kt1": RNG.uniform(-1, 1, (3, 4, 3)),
    "kt3": RNG.uniform(-1, 1, (2, 3, 2, 2, 2)),
}

ARITHMETIC = """
x + y; x - y; x * y; x / p; x // p; x % p; x ** 2; x ** 3; p ** 0.5; p ** -1; p ** y; 2 ** x; x ** 1; x ** 0; x ** 2.0
1 + x; 1 - x; 3 * x; 1 / p; 7 // p; 7 % p; x + 1; x - 2.5; x / 2; x * 2.0; -x; +x; abs(x); x @ w; s + x; x - s; v * x
i + 1; i - 1; i * 2; i / 2; i // 2; i % 3; i // k; i % k; i ** 2; 2 ** k; i + 1.5; i * True; -i; abs(i); 1 - i; 10 // k; 10 % k
5 / k
i & 6; i | 1; i ^ 3; ~i; k << 2; i >> 1; 1 << k; m & m2; m | m2; m ^ m2; ~m; m & True; 1 | i; True ^ m
x == y; x != y; x < y; x <= y; x > y; x >= y; x > 0; 0 > x; i == 3; i != 3.5; m == m2; x == x
xp.add(x, y); xp.add(x, y, alpha=2); x.add(y, alpha=0.5); xp.add(input=x, other=1); x.add(2); i.add(i, alpha=3)
xp.sub(x, y, alpha=2); x.sub(1); xp.subtract(x, y); x.subtract(y); xp.mul(x, 2); x.mul(y); xp.multiply(x, y); x.multiply(2)
xp.div(x, p); x.div(2); xp.div(x, p, rounding_mode="floor"); x.div(p, rounding_mode="trunc"); i.div(k, rounding_mode="trunc")
i.div(k, rounding_mode="floor"); xp.divide(x, p); x.true_divide(p); xp.true_divide(i, 2); x.divide(2)
xp.div(x, 0.5, rounding_mode="trunc")
xp.floor_divide(i, k); i.floor_divide(2); xp.remainder(x, p); x.remainder(0.7); xp.remainder(i, 3); xp.fmod(x, p); x.fmod(0.7)
i.fmod(3)
xp.pow(x, 2); x.pow(3); xp.pow(2, x); xp.pow(p, y); p.pow(exponent=0.5); i.pow(2); xp.pow(input=p, exponent=1.5)
xp.float_power(i, 2)
xp.neg(x); x.neg(); xp.negative(x); x.negative(); xp.positive(x); x.positive(); xp.abs(x); x.abs(); xp.absolute(x); x.absolute()
xp.maximum(x, y); x.maximum(y); xp.minimum(x, y); x.minimum(y); xp.fmax(special, special.flip(0))
xp.fmin(special, special.flip(0))
xp.atan2(x, y); x.atan2(y); xp.arctan2(x, y); x.arctan2(y); xp.hypot(x, y); x.hypot(y); xp.logaddexp(x, y); x.logaddexp(y)
xp.logaddexp2(x, y); xp.xlogy(p, p); p.xlogy(p); xp.copysign(x, y); xp.rsub(x, y); xp.rsub(x, 1); xp.heaviside(x, y)
xp.lerp(x, y, 0.3); x.lerp(y, u); xp.lerp(x, end=y, weight=0.5); xp.addcmul(x, y, p); x.addcmul(y, p, value=0.5)
xp.addcdiv(x, y, p, value=2); x.addcdiv(y, p); xp.addcdiv(x, y, p)
xp.add(x, 0.5, y); x.add(2, y); xp.sub(x, 0.5, y); x.sub(2, y); xp.addcmul(x, 0.5, y, p); x.addcdiv(0.5, y, p)
x.clone().add_(0.5, y); x.clone().sub_(2, y); x.clone().addcmul_(0.5, y, p); x.clone().addcdiv_(-2, y, p)
x[:1, :1].addcdiv(0.5, y[:1, :1], p[:1, :1])
xp.addmm(0.5, q, 2, q, q); xp.addmm(0.5, q, q, q); q.addmm(0.5, 2, q, q); q.addmm(0.5, q, q); q.clone().addmm_(0.5, q, q)
xp.addmv(0.5, v, 2, q, v); v.addmv(0.5, q, v); xp.addr(0.5, q, 2, v, v); q.addr(0.5, 2, v, v)
xp.baddbmm(0.5, q[None], 2, q[None], q[None]); q.addbmm(0.5, 2, q[None], q[None])
"""

UNARY = """
xp.exp(x); x.exp(); i.exp(); xp.expm1(x); x.expm1(); xp.exp2(x); x.exp2(); xp.log(p); p.log(); k.log(); xp.log2(p); p.log2()
xp.log10(p)
p.log10(); xp.log1p(p); p.log1p(); xp.sqrt(p); p.sqrt(); k.sqrt(); xp.rsqrt(p); p.rsqrt(); xp.reciprocal(p); p.reciprocal()
xp.square(x); x.square()
xp.sin(x); x.sin(); xp.cos(x); x.cos(); xp.tan(x); x.tan(); xp.asin(u); u.asin(); xp.arcsin(u); u.arcsin(); xp.acos(u); u.acos()
xp.arccos(u)
u.arccos(); xp.atan(x); x.atan(); xp.arctan(x); x.arctan(); xp.sinh(x); x.sinh(); xp.cosh(x); x.cosh(); xp.tanh(x); x.tanh()
xp.asinh(x); x.asinh()
xp.arcsinh(x); x.arcsinh(); xp.acosh(p + 1); p.add(1).acosh(); xp.arccosh(p + 1); (p + 1).arccosh(); xp.atanh(u); u.atanh()
xp.arctanh(u); u.arctanh()
xp.erf(x); x.erf(); xp.erfc(x); x.erfc(); xp.sigmoid(x); x.sigmoid(); xp.relu(x); x.relu(); xp.selu(x); xp.celu(x)
xp.prelu(b, r); x.prelu(s.reshape(1))
xp.softmax(x, 1); x.softmax(-1); xp.softmax(x, dim=0); x.softmax(dim=-1, dtype=xp.float64); xp.softmax(i.float(), dim=-1)
xp.log_softmax(x, 1); x.log_softmax(dim=0); xp.logit(u); u.logit(); u.logit(eps=0.2); xp.sinc(x); xp.deg2rad(x); xp.rad2deg(x)
xp.floor(x); x.floor(); xp.ceil(x); x.ceil(); xp.trunc(x); x.trunc(); xp.fix(x); x.fix(); xp.round(x); x.round()
xp.round(x, decimals=1); x.round(decimals=2)
xp.frac(x); x.frac(); xp.sign(x); x.sign(); i.sign(); x.sgn(); xp.sgn(x); xp.signbit(x); x.signbit(); i.floor(); i.round()
xp.isnan(special); special.isnan(); xp.isinf(special); special.isinf(); xp.isfinite(special); special.isfinite()
xp.isposinf(special); xp.isneginf(special)
xp.isreal(x); xp.nan_to_num(special); special.nan_to_num(1.0, 2.0, -3.0); xp.nan_to_num(special, nan=5.0, posinf=1.0)
xp.clamp(x, -1, 1); x.clamp(min=0); x.clamp(max=0.5); xp.clamp(x, min=y); x.clamp(y, 1.5 + y.abs()); xp.clip(x, -1, 1)
x.clip(0); i.clamp(0, 3)
xp.clamp_min(x, 0.5); x.clamp_min(0.5); xp.clamp_max(x, 0.5); x.clamp_max(0.5); x.clamp(min=-p, max=p); i.clamp(max=2)
xp.logical_and(m, m2); m.logical_and(m2); xp.logical_or(m, m2); m.logical_or(m2); xp.logical_xor(m, m2); m.logical_xor(m2)
xp.logical_not(m)
m.logical_not(); xp.logical_and(x, i); xp.logical_not(i); xp.bitwise_and(i, k); i.bitwise_and(3); xp.bitwise_or(i, k)
i.bitwise_or(3)
xp.bitwise_xor(i, k); i.bitwise_xor(3); xp.bitwise_not(i); i.bitwise_not(); xp.bitwise_left_shift(k, 2); k.bitwise_left_shift(1)
xp.bitwise_right_shift(i, 1); i.bitwise_right_shift(k)
xp.eq(x, y); x.eq(y); xp.ne(i, 3); i.ne(3); xp.not_equal(i, k); i.not_equal(k); xp.lt(x, 0); x.lt(y); xp.less(x, y); x.less(y)
xp.le(x, y); x.le(0)
xp.less_equal(x, y); x.less_equal(y); xp.gt(x, y); x.gt(0); xp.greater(x, y); x.greater(y); xp.ge(x, y); x.ge(0)
xp.greater_equal(x, y); x.greater_equal(0)
xp.clone(x); x.clone(); xp.where(m, x, y); xp.where(m, x, 0.0); xp.where(m, 1.0, x); xp.where(m, i, 0); x.where(m, y)
xp.where(m); xp.where(mr[:, None], x, s)
xp.where(m, 1, 2); xp.where(m, 1.5, 2); x.where(m, 0.5)
"""

REDUCTIONS = """
xp.sum(x); x.sum(); x.sum(0); x.sum(dim=1); x.sum(dim=(0, 1)); x.sum(1, keepdim=True); x.sum(-1, True); x.sum([0]); i.sum()
m.sum(); m.sum(0)
x.sum(axis=0); x.sum(dtype=xp.float64); i.sum(dtype=xp.float32); e.sum(); e.sum(0); e.sum(1); s.sum(); s.sum(0)
b.sum((0, -1), keepdim=True); m.sum(dim=1, dtype=xp.int32)
xp.mean(x); x.mean(); x.mean(0); x.mean(dim=1, keepdim=True); b.mean((0, 2)); i.float().mean(); i.mean(dtype=xp.float32)
b.mean([2, 1]); x.mean(axis=1)
xp.prod(x); x.prod(); x.prod(1); x.prod(dim=0, keepdim=True); i.prod(); m.prod(); xp.prod(i, 0, dtype=xp.float32)
xp.amax(x); x.amax(); x.amax(1); x.amax((0, 1)); x.amax(dim=0, keepdim=True); xp.amin(x, 1); x.amin((0,)); i.amax(1)
special.amax(); xp.aminmax(x); xp.aminmax(x, dim=0)
xp.max(x); x.max(); x.max(0); x.max(dim=1, keepdim=True); xp.max(x, y); x.max(y); i.max(1); x.max(1).values; x.max(1)[1]
x.max(-1).indices; m.max(); b.max(1)
xp.min(x); x.min(); x.min(0); x.min(dim=1, keepdim=True); xp.min(x, y); x.min(y); i.min(1); s.max(0); s.min(0); special.max(0)
xp.argmax(x); x.argmax(); x.argmax(1); x.argmax(dim=0, keepdim=True); x.argmax(-1); xp.argmin(x); x.argmin(1)
x.argmin(dim=-1, keepdim=True)
xp.all(m); m.all(); m.all(0); m.all(dim=1, keepdim=True); xp.any(m); m.any(1); x.any(); i.all(); m.any(dim=(0, 1)); m.all(-1)
xp.var(x); x.var(); x.var(0); x.var(dim=1, unbiased=False); x.var(1, keepdim=True); x.var(dim=1, correction=0); x.var(False)
b.var((0, 1)); x.var(correction=2)
xp.std(x); x.std(); x.std(0); x.std(dim=1, unbiased=False); x.std(1, keepdim=True); x.std(dim=0, correction=0)
x.std(unbiased=False)
xp.var_mean(x); xp.var_mean(x, 1); xp.std_mean(x); xp.std_mean(x, dim=1, keepdim=True); xp.var_mean(x, dim=0, unbiased=False)
xp.norm(x); x.norm(); x.norm(2); x.norm(p=1); x.norm(dim=1); x.norm(2, 1); x.norm(p=2, dim=1, keepdim=True)
x.norm(float("inf")); x.norm(3, dim=0); x.norm(0, 1)
xp.norm(x, p="fro"); x.norm(p=2, dim=(0, 1)); xp.dist(x, y); x.dist(y, 1); xp.logsumexp(x, 1); x.logsumexp(dim=(0, 1))
x.logsumexp(0, keepdim=True); x.logsumexp(-1)
xp.cumsum(x, 0); x.cumsum(1); x.cumsum(dim=-1); i.cumsum(0); m.cumsum(1); x.cumsum(0, dtype=xp.float64); xp.cumprod(x, 1)
x.cumprod(dim=0); i.cumprod(1)
xp.diff(x); xp.diff(x, dim=0); x.diff(n=2); xp.trapz(x); xp.trapezoid(y, x)
xp.sort(x); x.sort(); x.sort(0); x.sort(dim=1, descending=True); xp.sort(x, stable=True); x.sort(descending=True).values
xp.argsort(x); x.argsort(0); x.argsort(descending=True)
xp.argsort(x, dim=-1, descending=True); xp.msort(x); xp.topk(x, 2); x.topk(3, 1); x.topk(2, dim=0, largest=False); x.topk(k=1)
x.topk(2)[0]; x.topk(2).indices
xp.kthvalue(x, 2); x.kthvalue(2, 0); xp.median(x); x.median(1); x.median(dim=0, keepdim=True); xp.quantile(x, 0.3)
x.quantile(0.5, dim=1); xp.quantile(x, u[0], 1)
x.quantile(0.25, dim=0, keepdim=True); xp.nansum(special[:2]); xp.nanmean(special[:2])
xp.count_nonzero(i); i.count_nonzero(dim=1); xp.bincount(j); j.bincount(minlength=6); xp.bincount(j, weights=v)
xp.histc(x, 4, -2, 2); xp.unique(i); i.unique()
i.unique(return_inverse=True); i.unique(return_counts=True); xp.unique(i, return_inverse=True, return_counts=True)
xp.unique(rows, dim=1); xp.unique(i % 3, dim=0); xp.unique(special, return_inverse=True, return_counts=True)
xp.unique_consecutive(j.sort()[0]); xp.unique_consecutive(j, return_inverse=True, return_counts=True)
xp.allclose(x, x); xp.allclose(x, y); x.allclose(x + 1e-9); xp.isclose(x, y); x.isclose(x, rtol=0)
xp.isclose(special, special, equal_nan=True); xp.isclose(i, i + 1, atol=1)
xp.equal(x, x); x.equal(y); xp.isin(i, j); xp.isin(i, 3); xp.cov(x); xp.cov(x, correction=0); xp.corrcoef(x)
xp.searchsorted(sorted_, x); xp.searchsorted(sorted_, v, right=True); xp.searchsorted(sorted_, 0.3); xp.bucketize(x, sorted_)
xp.bucketize(v, sorted_, right=True)
xp.searchsorted(sorted_, v, side="right"); xp.searchsorted(sorted_, v, out_int32=True)
"""

SHAPES = """
x.reshape(2, 6); x.reshape((4, 3)); x.reshape(-1); xp.reshape(x, (2, -1)); x.view(12); x.view(2, 2, 3); x.view(-1, 2)
x.view((6, 2)); x.view_as(x.reshape(4, 3)); x.reshape_as(w[:3, :4])
x.flatten(); b.flatten(1); b.flatten(0, 1); xp.flatten(b, start_dim=1); s.flatten(); x.ravel(); xp.ravel(x)
x.unflatten(1, (2, 2)); xp.unflatten(x, 1, (2, -1))
x.t(); xp.t(x); x.T; x.mT; b.mT; x.H; x.transpose(0, 1); xp.transpose(b, -1, 0); b.permute(2, 0, 1); b.permute((1, 0, 2))
xp.permute(b, (2, 1, 0)); b.swapaxes(0, 1); b.swapdims(0, 2)
xp.swapaxes(b, 0, 1); xp.movedim(b, 0, -1); b.movedim((0, 1), (1, 2)); b.moveaxis(0, 1); xp.moveaxis(b, 0, 1); b.adjoint()
x.unsqueeze(0); x.unsqueeze(-1); xp.unsqueeze(x, 1); o.squeeze(); o.squeeze(0); o.squeeze(-1); o.squeeze(1); o.squeeze((0, 2))
xp.squeeze(o); xp.squeeze(o, dim=0)
o.expand(2, 3, 4); o.expand(-1, 3, 2); o.expand((5, 1, 3, 1)); o.expand_as(b[:, :, :1]); v.expand(3, 4)
xp.broadcast_to(v, (3, 4)); v.broadcast_to((2, 4)); xp.broadcast_tensors(x, v)
xp.broadcast_shapes((3, 1), (4,)); x.repeat(2, 1); x.repeat((1, 2)); v.repeat(3); v.repeat(2, 3); xp.tile(x, (2,))
x.tile((2, 2)); x.tile(2, 1)
xp.repeat_interleave(x, 2); x.repeat_interleave(2, 0); x.repeat_interleave(3, dim=1); x.repeat_interleave(j[:3], 0)
xp.repeat_interleave(v, j)
xp.cat([x, y]); xp.cat((x, y), 1); xp.cat([x, y], dim=-1); xp.cat([x, i]); xp.cat(tensors=[x, y]); xp.concat([x, y])
xp.concatenate([x, y], 1); xp.cat([x, y], axis=1)
xp.stack([x, y]); xp.stack((x, y), 1); xp.stack([x, y], dim=-1); xp.hstack([x, y]); xp.vstack([v, v2]); xp.dstack([x, y])
xp.hstack((v, v2)); xp.column_stack([v, v2]); xp.row_stack([v, v2])
x.split(2); x.split(2, 1); xp.split(x, [1, 2]); x.split((1, 3), dim=1); x.chunk(2); x.chunk(3, dim=1); xp.chunk(x, 2, 1)
xp.tensor_split(x, 2); x.tensor_split((1, 2), 1); x.unbind(); x.unbind(1); xp.unbind(x, dim=0)
xp.hsplit(x, 2); xp.vsplit(x, 3); xp.dsplit(b, 2); x.hsplit([1, 3]); xp.atleast_1d(s); xp.atleast_2d(v); xp.atleast_3d(x)
xp.atleast_2d(s, v)
xp.flip(x, (0,)); x.flip(0, 1); x.flip([1]); x.flip(-1); xp.fliplr(x); x.fliplr(); xp.flipud(x); x.flipud(); xp.roll(x, 1)
x.roll(1, 0); x.roll((1, -1), (0, 1)); x.roll(shifts=2, dims=1); xp.rot90(x); x.rot90(2); x.rot90(-1, (1, 0))
b.rot90(1, [1, 2])
xp.tril(x); x.tril(1); xp.triu(x, -1); x.triu(diagonal=1); m.tril(); i.triu(); xp.diag(v); xp.diag(x); v.diag(1); x.diag(-1)
xp.diagonal(b, 0, 1, 2); x.diagonal(); x.diagonal(offset=1); b.diagonal(dim1=0, dim2=2)
xp.diag_embed(x); v.diag_embed(1); v.diag_embed(-1); xp.diag_embed(x, 0, 0, 2); xp.diagflat(x); xp.trace(q); q.trace()
x.unfold(1, 2, 1); x.unfold(0, 2, 1); v.unfold(0, 3, 1); xp.block_diag(x, w, s)
xp.meshgrid(v, r, indexing="ij"); xp.meshgrid(v, r, indexing="xy"); xp.meshgrid([r, v, r], indexing="xy")
xp.cartesian_prod(v, r); xp.combinations(v); xp.combinations(v, 3); xp.vander(v); xp.vander(v, 3, True)
x.narrow(1, 1, 2); xp.narrow(x, 0, 1, 2); x.narrow(dim=1, start=-2, length=2); x.select(0, 1); xp.select(x, 1, -1)
x.select(dim=1, index=2)
x.size(); x.size(0); x.size(-1); x.shape; x.shape[0]; x.dim(); x.ndim; x.ndimension(); x.numel(); x.nelement(); xp.numel(x)
x.element_size(); x.nbytes; x.itemsize; len(x); x.stride(); x.t().stride(); x.stride(0); x.is_contiguous()
x.t().is_contiguous(); x.t().contiguous().stride()
x.dtype; i.dtype; m.dtype; x.is_floating_point(); xp.is_floating_point(i); xp.is_tensor(x); xp.is_complex(x); x.is_complex()
x.is_signed(); xp.is_nonzero(s); s.is_nonzero(); x.tolist(); i.tolist(); s.item(); i[0, 0].item(); m.any().item(); float(s)
int(i[0, 0]); bool(s)
"""

INDEXING = """
x[0]; x[-1]; x[1, 2]; x[1][2]; x[0:2]; x[:, 1:]; x[::2]; x[..., 0]; x[..., None]; x[None]; x[:, None, 1]; x[1:, ::3]; x[-2:]
x[:-1]; x[5:]; x[:, -3:-1]; b[..., 1:, 0]; b[1, ..., 2]; b[0, :, None]; s[None]; s[...]; s[()]; x[()]
x[j[:2]]; x[:, j]; x[[0, 2]]; x[[0, 2], [1, 3]]; x[j[:3], j[:3]]; x[j[:2], 1]; x[1, j]; x[None, j[:2]]; b[:, j[:3], 1]
b[0, j[:2]]; b[:, [0, 2]]; b[[1, 0], :, [2, 3]]; b[1:, j[:2], ::2]; x[rows[:, :2]]; x[xp.tensor(1)]; x[:, xp.tensor([-1, 0])]
x[m]; x[mr]; x[:, x[0] > 0]; x[mr, 1]; x[mr][:, 1:]; b[:, m]; b[0][m]; x[x > 0]; x[~m]; i[i > 0]; x[mr, :2]
x[[True, False, True]]; x[m & m2]; b[1, mr]
xp.gather(x, 0, rows); x.gather(1, columns); xp.gather(x, dim=1, index=columns); xp.take(x, rows); x.take(j)
xp.take_along_dim(x, columns, 1); x.take_along_dim(columns, dim=1); xp.take_along_dim(x, j)
xp.index_select(x, 0, j); x.index_select(1, j); x.index_select(dim=0, index=j); xp.masked_select(x, m)
x.masked_select(mr[:, None]); xp.masked_fill(x, m, 0.5); x.masked_fill(m, -1); x.masked_fill(mr[:, None], s)
x.masked_fill(mask=m, value=2.0)
x.masked_scatter(m, y); xp.masked_scatter(x, m, y); xp.nonzero(m); m.nonzero(); m.nonzero(as_tuple=True); xp.argwhere(m)
m.argwhere(); i.nonzero()
x.scatter(0, rows[:, :4], y[:2]); x.scatter(1, columns[:, :1], 7.0); xp.scatter(x, 1, columns[:, :1], y[:, :1])
x.scatter(dim=1, index=columns[:, :1], value=1.5); x.scatter(1, columns, y[:, :2], reduce="add")
xp.scatter_add(x, 0, rows, y[:2]); x.scatter_add(1, columns, y[:, :2]); x.scatter_add(dim=0, index=rows, src=y[:2])
x.scatter_reduce(0, rows, y[:2], reduce="sum"); x.scatter_reduce(0, rows, y[:2], reduce="mean")
x.scatter_reduce(0, rows, y[:2], reduce="sum", include_self=False)
x.scatter_reduce(0, rows, y[:2], "amax"); x.scatter_reduce(0, rows, y[:2], "amin")
x.scatter_reduce(0, rows, y[:2], "amax", include_self=False); x.scatter_reduce(0, rows, y[:2], "amin", include_self=False)
xp.index_add(x, 0, j, xp.stack([y[0], y[1], y[2], y[0]])); x.index_add(1, j, y); x.index_add(0, j[:2], y[:2], alpha=2)
x.index_copy(0, j[:3], y); xp.index_copy(x, 1, j[:1], y[:, :1]); x.index_fill(0, j[:1], 1.5); xp.index_fill(x, 1, j, -1)
x.index_put((j[:3],), y); x.index_put([j[:2], j[2:]], v[:2]); x.index_put((j, j), v, accumulate=True)
xp.index_put(x, (j[:3],), y)
x.diagonal_scatter(v[:3]); x.select_scatter(v, 0, 1); x.slice_scatter(y[:2], 0, 1, 3)
"""

PRODUCTS = """
xp.matmul(x, w); x.matmul(w); x @ v; v @ w; v @ v2; b @ c; b @ w; x @ c; xp.mm(x, w); x.mm(w); xp.bmm(b, c); b.bmm(c)
xp.mv(x, v); x.mv(v); xp.dot(v, v2); v.dot(v2); i @ i.t(); xp.vdot(v, v2); xp.inner(x, y); xp.inner(v, v2)
xp.outer(v, r); v.outer(r); xp.ger(v, r); v.ger(r); xp.addmm(y[:, :3] @ x[:, :3].t(), x, y.t())
xp.addmm(r[:, None], x, w, beta=0.5, alpha=2); v[:1].addmm(x, w); xp.addmv(r, x, v); r.addmv(x, v, beta=2); xp.baddbmm(s, b, c)
s.baddbmm(b, c, alpha=0.5); xp.addbmm(x @ w, b, c); xp.addr(xp.outer(v, r), v2, r)
xp.kron(x, q); x.kron(q); xp.tensordot(x, w, 1); xp.tensordot(b, c, dims=([2], [1])); xp.tensordot(b, b, 3)
xp.chain_matmul(x, w); xp.cross(x[:, :3], y[:, :3], 1); xp.cross(x[:, :3], y[:, :3])
xp.einsum("ij,jk->ik", x, w); xp.einsum("ij,jk", x, w); xp.einsum("bij,bjk->bik", b, c); xp.einsum("ij->ji", x)
xp.einsum("ii->i", q); xp.einsum("ii", q); xp.einsum("ij->", x); xp.einsum("...ij,...jk->...ik", b, c)
xp.einsum("i,j->ij", v, r); xp.einsum("bij,kj->bik", b, q); xp.einsum("ij,ij->i", x, y); xp.einsum("i,i", v, v2)
xp.einsum("bij,bjk,kl->bl", b, c, w.t()); xp.einsum("b...,b...->b", b, b); xp.einsum("ij,j->i", [x, v])
xp.einsum(x, [0, 1], w, [1, 2], [0, 2]); xp.einsum(x, [30, 1], w, [1, 2]); xp.einsum(q, [3, 3])
xp.einsum(b, [..., 1, 0], [..., 0])
xp.det(q); q.det(); xp.slogdet(q); q.slogdet().logabsdet; xp.logdet(q @ q.T); q.T.matmul(q).logdet(); xp.inverse(q); q.inverse()
xp.pinverse(x); x.T.pinverse(); xp.cholesky((q @ q.T).add(xp.ones(1)).inverse()); (q @ q.T).cholesky(upper=True)
xp.cholesky_solve(q, (q @ q.T).cholesky()); (q @ q.T).cholesky().cholesky_inverse(); q.cholesky_solve(q.T.matmul(q).cholesky())
xp.real(x); xp.conj(x); x.conj(); xp.resolve_conj(x); x.resolve_conj(); xp.resolve_neg(x); x.resolve_neg()
xp.ldexp(x, y); x.ldexp(y); xp.cumulative_trapezoid(x); xp.cumulative_trapezoid(x, y, dim=0); xp.cumulative_trapezoid(x, dx=0.5)
xp.split_with_sizes(x, [1, x.shape[1] - 1], dim=1); x.split_with_sizes((x.shape[0],))
xp.svd(x)[1]; x.svd().S; xp.qr(x.T)[1].abs(); x.T.qr()[1].abs(); xp.norm(x, "nuc"); x.norm("nuc", (0, 1), True)
q.matrix_power(-2); xp.matrix_power(q, -1)
xp.cdist(x, y); xp.cdist(x, y, p=1); xp.matrix_power(q, 3); xp.matrix_power(q, 0); q.matrix_power(2); xp.renorm(x, 2, 0, 1.0)
"""

NEURAL = """
xp.conv1d(sig, k1); xp.conv1d(sig, k1, r[[0, 1, 2, 0]], 2, 1); xp.conv2d(img, k2, padding=1)
xp.conv2d(img, k2, v, stride=(2, 1), padding="valid"); xp.conv2d(img, k2, padding="same", dilation=2)
xp.conv3d(vol, k3, r, 1, 1)
xp.conv_transpose1d(sig, kt1, stride=2); xp.conv_transpose2d(img, kt2, v, 2, 1, 1); xp.conv_transpose3d(vol, kt3)
F.max_pool1d(sig, 2); F.max_pool2d(img, 2); F.max_pool2d(img, 3, 2, 1, ceil_mode=True)
F.max_pool2d(img, 2, return_indices=True); F.max_pool3d(vol, 2); xp.max_pool2d(img, 2); xp.max_pool1d(sig, 2)
xp.max_pool3d(vol, 2)
F.avg_pool1d(sig, 2); F.avg_pool2d(img, 2, padding=1); F.avg_pool2d(img, 3, 2, 1, count_include_pad=False); F.avg_pool3d(vol, 2)
xp.avg_pool1d(sig, 2)
F.adaptive_avg_pool1d(sig, 3); F.adaptive_avg_pool2d(img, 1); F.adaptive_avg_pool2d(img, (3, 2))
F.adaptive_avg_pool2d(img, (None, 2)); F.adaptive_avg_pool3d(vol, 2); xp.adaptive_avg_pool1d(sig, 2)
F.pad(x, (1, 2)); F.pad(x, (1, 0, 0, 2), value=3.0); F.pad(x, (-1, 1)); F.pad(sig, (2, 1), mode="reflect")
F.pad(img, (1, 2, 2, 1), mode="replicate"); F.pad(sig, (2, 1), "circular"); F.pad(img, (1, 1, 2, 0), mode="reflect")
F.pad(i, (0, 0, 1, 1))
F.one_hot(j); F.one_hot(j, 5); F.linear(x, w.t()); F.linear(x, w.t(), xp.zeros(5).to(x)); F.embedding(rows, x); F.softplus(x)
F.softplus(x, 2, 1); F.gelu(x); F.gelu(x, approximate="tanh"); F.silu(x); F.elu(x, 0.5); F.leaky_relu(x, 0.2)
F.hardtanh(x, -0.5, 0.5); F.relu6(x * 4); F.glu(x); F.glu(x, 1); F.cosine_similarity(x, y)
xp.dropout(x, 0.5, False); xp.dropout(x, 0.0, True); xp.cosine_similarity(x, y); xp.pairwise_distance(x, y)
"""

CREATION = """
xp.zeros(2, 3); xp.zeros((2, 3)); xp.zeros([2]); xp.zeros(size=(2, 2)); xp.zeros(2, dtype=xp.int64); xp.zeros(()); xp.ones(2)
xp.ones((2, 2), dtype=xp.float64); xp.full((2, 2), 3); xp.full((2,), 1.5); xp.full((2,), True)
xp.full((2, 2), 3, dtype=xp.float32); xp.full([], 2.0); xp.full(size=(2,), fill_value=1)
xp.zeros_like(x); xp.ones_like(i); xp.full_like(x, 7); xp.zeros_like(x, dtype=xp.int64); xp.ones_like(x, dtype=xp.bool)
xp.empty(0); xp.empty(2, 0); xp.empty_like(e); xp.empty((0, 2), dtype=xp.int32)
xp.arange(5); xp.arange(1, 5); xp.arange(1, 10, 2); xp.arange(5.0); xp.arange(0, 1, 0.25); xp.arange(5, 0, -2)
xp.arange(3, dtype=xp.float32); xp.arange(start=1, end=4); xp.arange(end=3); xp.range(1, 4); xp.range(0, 1, 0.5); xp.arange(0)
xp.linspace(0, 1, 5); xp.linspace(-1, 1, steps=3); xp.linspace(0, 10, 4, dtype=xp.float64); xp.linspace(3, 1, 3)
xp.linspace(0, 1, 1); xp.logspace(0, 2, 3); xp.logspace(0, 3, 4, base=2); xp.linspace(0, 5, 6, dtype=xp.int64)
xp.eye(3); xp.eye(2, 3); xp.eye(2, dtype=xp.int64); xp.tril_indices(3, 3); xp.triu_indices(3, 4, 1)
xp.tril_indices(row=2, col=3, offset=-1)
xp.tensor(1); xp.tensor(1.5); xp.tensor(True); xp.tensor([1, 2]); xp.tensor([1.0, 2]); xp.tensor([[1, 2], [3, 4]])
xp.tensor([]); xp.tensor([True, False]); xp.tensor([1, 2], dtype=xp.float64); xp.tensor((1, 2.5)); xp.tensor([1, 2.5, True])
xp.tensor(x); xp.tensor(np.ones(2)); xp.tensor(np.float32(1.5)); xp.tensor([np.float64(1.5)])
xp.tensor([xp.tensor(1.0), xp.tensor(2.0)]); xp.tensor([s, 2.0]); xp.tensor([s.float(), 1e-7]); xp.tensor([1.0, s.double()])
xp.tensor([s.half(), 2]); xp.tensor([s.half(), 2.0]); xp.tensor([[1.0, 2.0], [s.double(), 3.0]])
xp.tensor([s.int(), 2.5]); xp.tensor([np.float32(1), 1.0]); xp.tensor([1.0, np.float64(2)]); xp.tensor([xp.ones(1), 2.0])
xp.tensor([xp.ones(1), xp.ones(1, 1)]); xp.as_tensor([s.float(), 1]); xp.tensor([1j, s.double()])
xp.as_tensor([1, 2]); xp.as_tensor(x); xp.as_tensor(np.zeros(2)); xp.asarray([1.5]); xp.from_numpy(np.arange(3))
xp.scalar_tensor(2); xp.as_tensor([1, 2], dtype=xp.float32)
xp.Tensor([1, 2]); xp.Tensor(2, 3).shape; xp.Tensor(x).dtype; xp.FloatTensor([1, 2]); xp.LongTensor([1, 2])
xp.DoubleTensor([1.5]); xp.IntTensor([1]); xp.ByteTensor([1, 2]); xp.BoolTensor([True]); xp.HalfTensor([1.5])
xp.LongTensor(range(3)); xp.LongTensor(2, 3).shape; xp.ShortTensor([1])
xp.CharTensor([1]); xp.Tensor().shape; isinstance(i, xp.LongTensor)
isinstance(x, xp.FloatTensor); isinstance(x, xp.LongTensor)
x.new_zeros(2, 3); x.new_zeros((2,)); x.new_ones(2); i.new_ones((2, 2)); x.new_full((2,), 3); i.new_full((2,), 2.5)
i.new_tensor([1.5, 2.5]); x.new_tensor([1, 2]); x.new_empty(0); x.new_zeros(2, dtype=xp.int64); x.new(2, 3).shape; x.new([1, 2])
i.new([1, 2]); x.new_zeros(size=(2,))
x.float(); x.double(); x.half(); x.long(); x.int(); x.short(); x.bool(); x.byte(); x.char(); i.float(); m.float(); m.long()
x.to(xp.float64); x.to(dtype=xp.int32); x.to("cpu"); x.to("cpu", xp.float64); x.to(i); x.type(xp.float64); x.type_as(i); x.cpu()
i.to(xp.bool); x.type(xp.LongTensor); x.to(xp.device("cpu"), dtype=xp.float16)
x.type("torch.DoubleTensor") if xp.__name__ == "torch" else x.type("frazil.DoubleTensor")
xp.result_type(i, 1.5); xp.result_type(x, i); xp.result_type(s, i); xp.promote_types(xp.int32, xp.float16)
xp.can_cast(xp.float32, xp.int64); xp.can_cast(xp.int32, xp.float32); xp.get_default_dtype(); xp.finfo(xp.float32).eps
xp.finfo(xp.float16).max; xp.iinfo(xp.int32).min; xp.finfo(xp.float64).tiny; xp.float32.is_floating_point; xp.int8.itemsize
xp.float == xp.float32; xp.long == xp.int64
"""

IN_PLACE = """
a.add_(y); a.add_(1); a.add_(y, alpha=2); a.sub_(y); a.sub_(y, alpha=0.5); a.mul_(2); a.mul_(y); a.div_(p)
a.div_(2, rounding_mode="floor"); a.pow_(2); a.neg_(); a.abs_(); a.zero_(); a.fill_(3); a.fill_(s); a.copy_(y); a.copy_(v)
a.copy_(i)
a.clamp_(-1, 1); a.clamp_(min=0); a.clip_(0, 1); a.clamp_min_(0.5); a.clamp_max_(0.5); a.exp_(); a.sigmoid_(); a.tanh_()
a.relu_(); a.floor_(); a.ceil_(); a.round_(); a.trunc_(); a.sin_(); a.cos_(); a.square_(); a.erf_(); a.frac_(); a.sign_()
a.expm1_(); a.nan_to_num_(); a.sqrt_().nan_to_num_(0.0); a.abs_().log_(); a.abs_().rsqrt_(); a.abs_().log1p_(); a.abs_().log2_()
a.abs_().log10_(); a.reciprocal_(); a.atan_(); a.tan_(); a.sinh_(); a.cosh_(); a.clamp_(-1, 1).asin_(); a.clamp_(-1, 1).acos_()
a.masked_fill_(m, 0.5); a.masked_scatter_(m, y); a.index_fill_(0, j[:1], 2.0); a.index_add_(0, j[:3], y)
a.index_copy_(1, j[:2], y[:, :2]); a.index_put_((j[:3],), y); a.scatter_(1, columns[:, :1], 5.0)
a.scatter_(1, columns[:, :1], y[:, :1]); a.scatter_add_(1, columns, y[:, :2]); a.lerp_(y, 0.3); a.addcmul_(y, p)
a.addcdiv_(y, p, value=-1); a.cumsum_(0); a.cumprod_(1); a.tril_(); a.triu_(1); a.maximum(y); a.floor_divide_(2)
a.remainder_(0.7); a.fmod_(0.7); a.multiply_(2); a.negative_(); a.subtract_(1); a.divide_(2); a.true_divide_(2); a.unsqueeze_(0)
a.t_(); a.transpose_(0, 1); a.unsqueeze_(1).squeeze_(1); a.squeeze_(); a.swapaxes_(0, 1); a.fill_diagonal_(7.0); a.put_(j, v)
a.logical_not_(); a.eq_(y); a.lt_(0); a.ge_(0); a.addmm_(a @ a.t(), y); a.take(j)
a.absolute_(); a.arctan_(); a.le_(y); a.gt_(y); a.ne_(y); a.not_equal_(y); a.greater_(y); a.greater_equal_(0); a.less_(y)
a.less_equal_(y); a.sgn_(); a.fix_(); a.erfc_(); a.hypot_(y); a.copysign_(y); a.atan2_(y); a.arctan2_(y); a.asinh_()
a.arcsinh_(); a.exp2_(); a.renorm_(2, 0, 1.0); a.swapdims_(0, 1)
a.clamp_(0.1, 0.9).logit_(); a.clamp_(-0.9, 0.9).atanh_(); a.clamp_(-0.9, 0.9).arctanh_(); a.clamp_(-1, 1).arcsin_()
a.clamp_(-1, 1).arccos_(); a.add_(5).acosh_(); a.add_(5).arccosh_(); a.xlogy_(p)
a.scatter_reduce_(0, rows, y[:2], reduce="sum"); ai.bitwise_left_shift_(k); ai.bitwise_right_shift_(1); r.clone().addmv_(x, v)
(b @ c).baddbmm_(b, c); a.double().float_power_(2)
ai.bitwise_and_(3); ai.bitwise_or_(1); ai.bitwise_xor_(5); ai.bitwise_not_(); ai.add_(1); ai.mul_(k); ai.floor_divide_(2)
ai.remainder_(3); ai.pow_(2); ai.clamp_(0, 2); ai.copy_(x); ai.fill_(2); am.logical_not_(); am.fill_(True); am.logical_and_(m2)
am.logical_or_(m2); am.logical_xor_(m2); am.bitwise_not_(); am.copy_(i)
"""

STATEMENTS = """
a[0] = 5
a[0] += 1
a[:, 1] = v[:3]
a[1:, ::2] *= 2
a[m] = 0
a[m] = -1.5
a[mr] = 7
a[m] += 1
a[m] = y[m]
a[mr] = y[:2]
a[j[:2]] = y[:2]
a[[0, 2]] = 1.5
a[:, j] = 3
a[j[:3], j[:3]] = r
a[..., -1] = 0
a[None] = y
a[0, 0] = s
a[1] = i[1]
a += y; a -= 1; a *= 2; a /= 2; a //= 2; a %= 0.7; a **= 2
ai += 1; ai -= k; ai *= 2; ai //= 2; ai %= 3; ai &= 3; ai |= 8; ai ^= 1; ai <<= 2; ai >>= 1
am &= m2; am |= m2; am ^= m2
z = a.view(-1); z[0] = 5
z = a.t(); z[0] = 5; z += 1
z = a[1:]; z.mul_(2); z[0, 0] = 9
z = a.reshape(2, 6)[1]; z.zero_()
z = a.unsqueeze(0).expand(1, 3, 4)[0]; z[0].fill_(1) if False else None
z = a.diagonal(); z.fill_(4)
z = a.narrow(1, 1, 2).select(0, 1); z.fill_(4)
z, z2 = a.split(2); z.fill_(1); z2.add_(z[:1])
z = a.detach(); z[0] = 3
a.data[0] = 3
a.data = y.clone(); a[0] = 1
z = a.chunk(2, 1)[1]; z.copy_(y[:, :2])
z = a.T; z[:, 0] = 1
z = a.unbind(1)[2]; z += 10
z = a.squeeze().permute(1, 0); z[2] = 0
z = a.flatten(); z[3] = 8
z = a[j[:2]]; z[0] = 100
z = a.clone(); z[0] = 100
z = a.t().reshape(-1); z[0] = 100
"""

RARE = """
x.cummax(1); xp.cummax(x, 0); special.cummax(0); x.cummin(-1); xp.cummin(i, dim=1); m.cummax(1); s.cummin(0)
x.logcumsumexp(1); xp.logcumsumexp(special, 0); xp.logcumsumexp(input=b, dim=1)
xp.gradient(x); xp.gradient(x, dim=1, spacing=0.5); xp.gradient(x, spacing=(sorted_[:3] * 2, sorted_), edge_order=2)
xp.gradient(x, spacing=[2.0, 3.0], dim=(0, 1)); xp.gradient(i, spacing=(sorted_,), dim=1)
x.mode(1).values; xp.mode(rows, 1, True).values; xp.mode(rows, dim=1).indices; i.mode().values
x.nanmedian(); special.nanmedian(); x.nanmedian(1); xp.nanmedian(special.view(2, 3), 1, True)[0]; i.nanmedian(0).values
special[:2].nanquantile(0.5); xp.nanquantile(x, u[0], dim=1, keepdim=True, interpolation="lower"); x.nanquantile(0.3, 0)
x.detach().histogram(4); xp.histogram(x.detach(), 3, range=(-1.0, 1.0), density=True)
xp.histogram(x.detach(), sorted_, weight=p.detach())
xp.histogramdd(x.detach(), [2, 1, 3, 1]); xp.histogramdd(x[:, :2].detach(), (2, 3), range=[-1.0, 1.0, 0.0, 2.0], density=True)
xp.unravel_index(k, (2, 3)); xp.unravel_index(j, (4,)); xp.nonzero_static(m, size=9); i.nonzero_static(size=3, fill_value=7)
xp._shape_as_tensor(a)
xp.gcd(i, k); i.gcd(k); xp.lcm(i, k); i.lcm(j); ai.gcd_(k); ai.lcm_(k)
xp.frexp(x); p.frexp(); xp.frexp(special[[0, 4, 5]]); x.nextafter(y); xp.nextafter(special, v[0]); a.nextafter_(y)
x.index_reduce(0, j[:3], y, "prod"); xp.index_reduce(x, 1, j, p, "mean", include_self=False); a.index_reduce_(1, j, y, "amax")
x.put(j, v); xp.put(x, rows, y[1:], accumulate=True); a.put_(j, v); a.put_(rows - 12, y[1:], True)
x.sum_to_size(1, 4); b.sum_to_size(3, 1); x.is_same_size(y); xp.is_same_size(x, b)
xp.segment_reduce(x, "sum", lengths=xp.tensor([1, 0, 2]))
xp.segment_reduce(x, "mean", offsets=xp.tensor([0, 1, 3]), initial=1.0)
xp.segment_reduce(x, "max", lengths=xp.tensor([[1, 3], [2, 2], [4, 0]]), axis=1); xp.segment_reduce(r, "prod", lengths=j[2:])
xp.pdist(x); xp.pdist(x, 1.0); xp.pdist(w, p=float("inf")); xp.pdist(x[:1])
xp.fake_quantize_per_tensor_affine(x, 0.25, 1, -2, 6)
xp.fake_quantize_per_channel_affine(x, v.detach().abs().float(), j.int(), 1, -3, 4)
x.as_strided((2, 2), (1, 5), 2); xp.as_strided(x, (3, 2), (2, 1)); v.as_strided((2, 3), (0, 1)); x[1:].as_strided((2,), (4,))
xp.as_strided_copy(x, (2, 3), (3, 1)); x.as_strided_scatter(q[:2, :2], (2, 2), (4, 1)).shape
xp.empty_strided((2, 3), (1, 2)).stride(); x.new_empty_strided((2, 3), (4, 1)).stride()
xp.empty_permuted((2, 3, 4), (1, 0, 2)).stride()
xp.alias_copy(x); xp.detach_copy(i); xp.diagonal_copy(b, 0, 1, 2); xp.expand_copy(o, (2, 3, 4)); xp.narrow_copy(x, 1, 1, 2)
x.narrow_copy(0, 1, 1); xp.permute_copy(b, (2, 0, 1)); xp.select_copy(x, 1, 2); xp.slice_copy(x, 1, 1, 4, 2)
xp.split_copy(x, 2, 1)
xp.split_with_sizes_copy(x, [1, 3], 1); xp.squeeze_copy(o); xp.t_copy(x); xp.transpose_copy(b, 0, 2); xp.unbind_copy(x, 1)
xp.unfold_copy(v, 0, 2, 1); xp.unsqueeze_copy(x, 1); xp.view_copy(x, (2, 6))
a.heaviside_(y.detach()); a.deg2rad_(); a.rad2deg_(); a.sinc_(); a.ldexp_(k); a[:, :3].addr_(r, v[:3])
a.addbmm_(b, q.expand(2, 4, 4))
a.abs().polygamma_(1); a.resize_(2, 6); a.resize_(2, 2); a.resize_as_(v); a.set_(y.detach()); a.apply_(lambda z: z + 1)
a.map_(y.detach(), lambda z, z2: z * z2); a.as_strided_((2, 2), (1, 2)); a.set_().shape; a.is_set_to(a)
a.map2_(x.detach(), y.detach(), lambda i, j, k: i + j * k)
a.untyped_storage().nbytes(); a[1:].storage().size(); a.retains_grad; a.output_nr; a.is_conj(); a.is_neg(); a.is_inference()
a.is_pinned(); a.get_device(); a.is_shared(); a.is_mps; a.is_xla; a.is_quantized; a.is_distributed()
"""

FORMS = """
xp.matrix_exp(q); q.matrix_exp(); xp.linalg.matrix_exp(b[:, :, :3]); xp.lu(q); q.lu(); xp.lu(b, get_infos=True)
xp.linalg.lu(b); xp.linalg.lu_factor(q).LU; xp.linalg.lu_factor_ex(w).pivots; xp.lu_unpack(*xp.linalg.lu_factor(b))
xp.lu_solve(w, *xp.linalg.lu_factor(q)); w.lu_solve(*xp.linalg.lu_factor(q)); xp.linalg.lu_solve(*xp.linalg.lu_factor(q), w)
xp.geqrf(w.detach()); w.detach().geqrf(); xp.orgqr(w[:, :3], v[:3]); w[:, :3].orgqr(v[:3]); xp.ormqr(q, v, w)
q.ormqr(v, w, True, True)
xp.triangular_solve(w, q + 9 * xp.eye(4)).solution; w.triangular_solve(q + 9 * xp.eye(4), False, transpose=True)
xp.lobpcg(xp.diag(p[0].double()))[0]; xp.svd_lowrank(w.detach(), 4)[1]; xp.pca_lowrank(w.detach(), 3)[1]
xp.linalg.cholesky_ex(q @ q.mT + xp.eye(4)); xp.linalg.solve_ex(q, w); xp.linalg.eigvals(q.detach()).abs().sort().values
xp.linalg.householder_product(w[:, :3], v[:3]); xp.linalg.ldl_factor(q.detach()); xp.linalg.matmul(x, w)
xp.linalg.ldl_solve(*xp.linalg.ldl_factor(q.detach() + q.detach().mT), w.detach())
xp.relu_(a); xp.sigmoid_(a); xp.clamp_(a, -1, 1); xp.clamp_(a, min=0); xp.abs_(a); xp.exp_(input=a); xp.neg_(a)
xp.fill_(a, 3); xp.zero_(a)
xp.threshold_(a, 0.0, 2.0); xp.celu_(a); xp.selu_(a); xp.gcd_(ai, k); xp.index_put_(a, (j[:2],), y[:2]); xp.detach_(a)
xp.square_(a)
xp.embedding(w, j); xp.embedding(w, j, 0); xp.embedding_bag(w, j, j[:2].sort().values, mode=1)[0]
xp.constant_pad_nd(x, (1, -1, 0, 2), 3.0)
xp.kl_div(x, u); xp.kl_div(x, u, 2, log_target=True); xp.cosine_embedding_loss(x, y, r.sign(), 0.1, 2)
xp.hinge_embedding_loss(x, y.sign()); xp.margin_ranking_loss(x, y, p.sign(), 0.5, 0); xp.triplet_margin_loss(x, y, p, swap=True)
xp.poisson_nll_loss(x, p, True, False, 1e-8, 1); xp.binary_cross_entropy_with_logits(x, u, None, p[0].detach(), 1)
xp.batch_norm(x, None, None, None, None, True, 0.1, 1e-5, False)
xp.instance_norm(sig, None, None, None, None, True, 0.1, 1e-5, False)
xp.native_batch_norm(x, None, None, None, None, True, 0.1, 1e-5)[0]; xp.native_layer_norm(x, (4,), v, None, 1e-5)
xp.native_group_norm(img, None, None, 2, 3, 30, 3, 1e-5); xp.rms_norm(x, (4,), v); xp.pixel_shuffle(b.view(1, 4, 2, 3), 2)
xp.pixel_unshuffle(b[None, :, :2], 2); xp.channel_shuffle(b[None].view(1, 4, 2, 3), 2); xp.hardshrink(x)
xp.threshold(x, 0.5, 9.0)
xp.rrelu(x); xp.grid_sampler(img, u[None, :, :2, None].expand(2, 3, 2, 2), 0, 0, False)
xp.affine_grid_generator(b[:, :2, :3], (2, 3, 4, 5), True)
xp.max_pool1d_with_indices(sig, 2); xp.adaptive_max_pool1d(sig, 3)
xp.conv_tbc(sig, k1.permute(2, 1, 0)[:2].reshape(2, 4, 3).repeat(1, 2, 1), r)
xp.convolution(img, k2, None, (1, 2), (1, 1), (1, 1), False, (0, 0), 1)
xp.convolution(img, kt2, None, (2, 2), (1, 1), (1, 1), True, (1, 0), 1)
xp.lstm_cell(x, (y, p), q.repeat(4, 1), q.repeat(4, 1))
xp.gru_cell(x, y, q.repeat(3, 1), q.repeat(3, 1), v.repeat(3), v2.repeat(3))
xp.rnn_tanh_cell(x, y, q, q, v, v2); xp.rnn_relu_cell(x, y, q, q)
xp.gru(b, y[None], [q.repeat(3, 1), q.repeat(3, 1)], False, 1, 0.0, False, False, False)
xp.lstm(b, (y[None, :2], p[None, :2]), [q.repeat(4, 1)] * 2 + [v.repeat(4)] * 2, True, 1, 0.0, False, False, True)
xp.rnn_tanh(b, y[None], [q, q, v, v2], True, 1, 0.0, False, False, False)
xp.rnn_relu(b, xp.stack([y, p]), [q, q] * 2, False, 1, 0.0, False, True, False)
xp.frobenius_norm(x, (0, 1)); xp.nuclear_norm(x); xp.nuclear_norm(b, (1, 2), True); xp.norm_except_dim(b, 2, 1); xp.fill(x, 2)
xp.fill(x, s)
xp.detach(x); xp.unsafe_split(x, 2, 1); xp.unsafe_chunk(x, 2, 1); xp.unsafe_split_with_sizes(x, [1, 3], 1); xp.get_device(x)
xp.is_signed(x)
xp.is_conj(x); xp.is_neg(x); xp.is_inference(x); xp.is_distributed(x); xp.alpha_dropout(x, 0.5, False)
xp.feature_dropout(x, 0.5, False)
x.resize(2, 6); x.resize_as(x.mT); x.dim_order(); x.mT.dim_order(); b.permute(2, 0, 1).dim_order(); x.hardshrink(0.7)
x.hardshrink(lambd=0.1); x.const_data_ptr() > 0; xp.sym_int(-3.7); xp.sym_float(2)
xp.sym_not(0); xp.sym_ite(True, 1, 2); xp.sym_max(1, 2.0); xp.sym_max(3, 2.0); xp.sym_min(1, 2.0); xp.sym_min(a=4, b=2)
xp.cholesky_inverse(input=q @ q.mT + xp.eye(4)); xp.matrix_exp(input=q); xp.orgqr(input=w[:, :3], input2=v[:3])
xp.ormqr(input=q, input2=v, input3=w); xp.triangular_solve(input=w, A=q + 9 * xp.eye(4)).solution
xp.cholesky_solve(input=w, input2=xp.linalg.cholesky(q @ q.mT + xp.eye(4))); xp.unsafe_split(input=x, split_size=2, dim=1)
xp.nanmean(input=x, dtype=xp.float64); x.nanmean(dim=0, keepdim=True, dtype=xp.float64)
xp.zeros(7, 3).fill_diagonal_(2.0, wrap=True); xp.zeros(9, 2).fill_diagonal_(2.0, True); xp.zeros(3, 3, 3).fill_diagonal_(2.0)
xp.zeros(2, 5).fill_diagonal_(2.0, wrap=True); xp.zeros(4, 0).fill_diagonal_(1.0, wrap=True)
xp.sym_sqrt(9); xp.sym_sum([1, 2.5]); xp.embedding_renorm_(a, xp.tensor([2, 0, 2]), 0.5, 2.0)
xp.is_storage(x.storage()); xp.is_storage(x)
xp.is_anomaly_enabled(); xp.is_anomaly_check_nan_enabled(); xp.get_autocast_cpu_dtype() == xp.bfloat16
xp.get_autocast_gpu_dtype() == xp.float16; xp.is_autocast_cpu_enabled(); xp.is_autocast_cache_enabled(); xp.clear_autocast_cache()
xp.jit.wait(xp.jit.fork(xp.add, x, y, alpha=2)); F.max_pool1d_with_indices(sig, 2); F.max_pool2d_with_indices(img, 2, 1)
F.max_pool3d_with_indices(vol, 2); F.adaptive_max_pool1d_with_indices(sig, 2); F.adaptive_max_pool2d_with_indices(img, 2)
F.adaptive_max_pool3d_with_indices(vol, (1, 2, 2))
xp.nn.NLLLoss2d()(img[:, :3].log_softmax(1), img[:, 0].long().clamp(0, 2)); xp.func.functionalize(lambda z: z.clone().mul_(2))(x)
xp.feature_alpha_dropout(x, 0.5, False); xp.dropout_(a, 0.5, False); xp.native_dropout(x, 0.5, False)[1]
"""

SPECIAL = """
xp.lgamma(p); p.lgamma(); a.abs_().lgamma_(); xp.digamma(p); p.digamma(); a.abs_().digamma_(); xp.erfinv(u)
u.erfinv(); a.mul_(0.1).erfinv_(); xp.i0(x); x.i0(); a.i0_(); xp.igamma(p.detach(), p + 0.5)
p.detach().igamma(p + 1); a.abs_().igamma_(p + 1); xp.igammac(p.detach(), p + 0.5); p.detach().igammac(p + 1)
a.abs_().igammac_(p + 1); xp.mvlgamma(p + 1, 2); p.mvlgamma(1); a.abs_().mvlgamma_(1); xp.polygamma(1, p)
p.polygamma(2)
"""

GROUPS = [RARE, FORMS, SPECIAL, ARITHMETIC, UNARY, REDUCTIONS, SHAPES, INDEXING, PRODUCTS, NEURAL, CREATION, IN_PLACE]
LINES = [line.strip() for group in GROUPS for part in group.strip().splitlines() for line in part.split("; ")]
DIFFERENTIABLE = {
    "x",
    "y",
    "p",
    "u",
    "v",
    "v2",
    "r",
    "w",
    "q",
    "s",
    "b",
    "c",
    "o",
    "img",
    "sig",
    "vol",
    "k1",
    "k2",
    "k3",
    "kt1",
    "kt2",
    "kt3",
}

#: Lines that PyTorch's own gradient cannot do.
NO_GRADIENT = {
    "x // p", "7 // p", "7 % p", "xp.heaviside(x, y)", "xp.bincount(j, weights=v)", "xp.vander(v)", "xp.vander(v, 3, True)",
    'x.scatter(1, columns, y[:, :2], reduce="add")',
    # the means and deviations alone have no gradient in PyTorch, and one beside the first result: see test_op_db.py
    "xp.native_group_norm(img, None, None, 2, 3, 30, 3, 1e-5)",
}  # fmt: skip


def namespace(xp: Any, dtype: str, requires_grad: bool) -> dict[str, Any]:
    """What a line sees. `a`, `ai` and `am` are fresh tensors to change."""
    names: dict[str, Any] = {"xp": xp, "F": xp.nn.functional, "np": np}
    for name, array in VALUES.items():
        array = array.astype(dtype) if array.dtype.kind == "f" else array
        names[name] = xp.tensor(array.copy())
        if requires_grad and name in DIFFERENTIABLE:
            names[name].requires_grad_()
    names |= {"a": xp.tensor(VALUES["x"].astype(dtype)), "ai": xp.tensor(VALUES["i"]), "am": xp.tensor(VALUES["m"])}
    return names


def tensors_in(result: Any, kind: Any) -> list[Any]:
    if isinstance(result, kind):
        return [result]
    return [t for part in result for t in tensors_in(part, kind)] if isinstance(result, (tuple, list)) else []


@pytest.mark.filterwarnings("ignore")  # PyTorch's, about its old names
@pytest.mark.parametrize("line", LINES)
def test_line(line):
    ours, theirs = namespace(fz, "float32", False), namespace(torch, "float32", False)
    same(eval(line, ours), eval(line, theirs), rtol=1e-5, atol=1e-5)
    for name in ("a", "ai", "am"):
        same(ours[name], theirs[name], rtol=1e-5, atol=1e-5)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("line", [line for line in LINES if line not in NO_GRADIENT])
def test_gradient_of_line(line):
    ours, theirs = namespace(fz, "float64", True), namespace(torch, "float64", True)
    found = tensors_in(eval(line, ours), fz.Tensor)
    wanted = tensors_in(eval(line, theirs), torch.Tensor)
    assert not any(y.requires_grad and not z.requires_grad for y, z in zip(found, wanted, strict=True))
    rng = np.random.default_rng(0)
    for y, z in zip(found, wanted, strict=True):
        if z.requires_grad:
            direction = rng.standard_normal(tuple(y.shape))
            if y.requires_grad:  # PyTorch also gives zeros, for example for signs
                y.backward(fz.tensor(direction), retain_graph=True)
            z.backward(torch.tensor(direction), retain_graph=True)
    for name in DIFFERENTIABLE:
        if theirs[name].grad is not None and (ours[name].grad is not None or theirs[name].grad.any()):
            same(ours[name].grad, theirs[name].grad, rtol=1e-6, atol=1e-8)
        else:
            assert ours[name].grad is None or not ours[name].grad.numpy().any()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("line", sorted(NO_GRADIENT))
def test_lines_that_are_left_out_cannot_be_compared(line):
    with pytest.raises((RuntimeError, AssertionError)):
        test_gradient_of_line(line)


@pytest.mark.parametrize("statement", [s.strip() for s in STATEMENTS.strip().splitlines()])
def test_statement(statement):
    ours, theirs = namespace(fz, "float32", False), namespace(torch, "float32", False)
    exec(statement, ours)
    exec(statement, theirs)
    for name in ("a", "ai", "am", "z", "z2"):
        if name in theirs:
            same(ours[name], theirs[name])


#: Random numbers are another stream than PyTorch's: see tests/random. Complex numbers and transforms: see test_complex_fft.py.
WITHOUT_LINE = {
    "angle", "bartlett_window", "blackman_window", "cdouble", "cfloat", "complex", "conj_physical", "conj_physical_",
    "hamming_window", "hann_window", "imag", "istft", "kaiser_window", "polar", "stft", "view_as_complex", "view_as_real",
    "bfloat16",  # see test_bfloat16.py
    "bernoulli", "bernoulli_", "cauchy_", "exponential_", "geometric_", "log_normal_", "multinomial", "normal_", "random_",
    "uniform_", "poisson", "binomial", "view_as_complex_copy", "view_as_real_copy", "indices_copy", "values_copy",
    "crow_indices_copy", "col_indices_copy",
    "chalf", "hash_tensor",  # refused in words; see test_rare.py
}  # fmt: skip


def test_every_public_name_has_a_line():
    load_all()
    text = "; ".join(LINES) + STATEMENTS
    public = set(FUNCTIONS) | {name for name in METHODS if not name.startswith("__")} | {n for n, op in OPS.items() if op.public}
    in_torch = {name for name in public if hasattr(torch, name) or hasattr(torch.Tensor, name)}
    missing = {name for name in in_torch if f".{name}(" not in text}
    assert missing == WITHOUT_LINE
