"""What each op of the table is in PyTorch: functions of PyTorch tensors (None for one left out) and canonical attributes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed: nothing to compare with")
F = torch.nn.functional

#: Op name -> function, where the function is not `torch.<name>` with the same attributes.
TORCH: dict[str, Callable[..., Any]] = {}

#: Ops that are compared elsewhere, or that PyTorch does not have.
ELSEWHERE = {
    "sgd_step": "optimisers: test_optim.py",
    "sgd_momentum_step": "optimisers: test_optim.py",
    "adam_step": "optimisers: test_optim.py",
    "amsgrad_step": "optimisers: test_optim.py",
    "random_bits": "another stream than PyTorch's",
    "random_uniform": "another stream than PyTorch's",
    "random_normal": "another stream than PyTorch's",
    "random_int63": "another stream than PyTorch's",
    "random_permutation": "another stream than PyTorch's",
    "view_write": "writes through views: tests/tensor/test_views.py",
    "transfer": "moves between devices",
    "size_to_tensor": "only in recordings",
}


def _dtype(dtype: Any) -> Any:
    return None if dtype is None else getattr(torch, dtype.name)


def _all_dims(fn: Callable[..., Any]) -> Callable[..., Any]:
    """For functions that do not take dim=None."""
    return lambda x, dim, **rest: fn(x, dim=tuple(range(x.ndim)) if dim is None else dim, **rest)


def _prod(x: Any, dim: Any, keepdim: bool, dtype: Any) -> Any:
    if dim is None:
        y = torch.prod(x, dtype=_dtype(dtype))
        return y.reshape((1,) * x.ndim) if keepdim else y
    for d in reversed(dim):
        x = torch.prod(x, dim=d, keepdim=keepdim, dtype=_dtype(dtype))
    return x


def _slices(starts: Any, stops: Any, steps: Any) -> Any:
    return tuple(slice(*bounds) for bounds in zip(starts, stops, steps, strict=True))


def _slice_scatter(x: Any, src: Any, starts: Any, stops: Any, steps: Any) -> Any:
    y = x.clone()
    y[_slices(starts, stops, steps)] = src
    return y


def _spatial(name: str) -> Callable[[Any], Any]:
    return lambda x: getattr(F, f"{name}{x.ndim - 2}d")


def _gradient(fn: Callable[[Any], Any], at: Any, dy: Any) -> Any:
    """The gradient of fn at `at`, itself differentiable with respect to dy."""
    x = at.detach().requires_grad_()
    return torch.autograd.grad(fn(x), x, dy, create_graph=True)[0]


def _conv_input_grad(dy: Any, w: Any, size: Any, **options: Any) -> Any:
    shape = (dy.shape[0], w.shape[1] * options["groups"], *size)
    return _gradient(lambda x: _spatial("conv")(x)(x, w, **options), torch.zeros(shape, dtype=dy.dtype), dy)


def _batch_norm_train(x: Any, weight: Any, bias: Any, eps: float) -> Any:
    dims = (0, *range(2, x.ndim))
    mean = x.mean(dims)
    if not x.numel():  # PyTorch refuses it
        return x, mean, mean
    y = torch.ops.aten.native_batch_norm(x, weight, bias, None, None, True, 0.0, eps)[0]
    return y, mean, x.var(dims, correction=0)


def _batch_norm_train_grad(g: Any, x: Any, weight: Any, eps: float) -> Any:
    _, mean, inverse = torch.ops.aten.native_batch_norm(x, weight, None, None, None, True, 0.0, eps)
    wanted = [True, True, True]
    return torch.ops.aten.native_batch_norm_backward(g, x, weight, None, None, mean, inverse, True, eps, wanted)


def _conv_weight_grad(dy: Any, x: Any, kernel_size: Any, **options: Any) -> Any:
    shape = (dy.shape[1], x.shape[1] // options["groups"], *kernel_size)
    return _gradient(lambda w: _spatial("conv")(x)(x, w, **options), torch.zeros(shape, dtype=dy.dtype), dy)


def _avg_pool(x: Any, kernel_size: Any, stride: Any, padding: Any, ceil_mode: bool, count_include_pad: bool) -> Any:
    return _spatial("avg_pool")(x)(x, kernel_size, stride, padding, ceil_mode, count_include_pad)


def _avg_pool_grad(dy: Any, size: Any, **options: Any) -> Any:
    return _gradient(lambda x: _avg_pool(x, **options), torch.zeros((*dy.shape[:2], *size), dtype=dy.dtype), dy)


def _resize(x: Any, size: Any, scales: Any, mode: str, align_corners: bool) -> Any:
    target = {"size": size} if None in scales else {"scale_factor": scales}
    return F.interpolate(x, **target, mode=mode, align_corners=None if mode.startswith("nearest") else align_corners)


def _pad_edges(x: Any, pads: Any, mode: str) -> Any:
    used = [n for pair in reversed(pads[1:]) for n in pair]  # PyTorch pads neither batch nor channels
    return F.pad(x[None], used, mode)[0]


def _max_pool_grad(dy: Any, x: Any, y: Any, **options: Any) -> Any:
    return _gradient(lambda x: _spatial("max_pool")(x)(x, **options), x, dy)


def _cross_entropy_grad(g: Any, x: Any, target: Any, weight: Any, **options: Any) -> Any:
    return _gradient(lambda x: F.cross_entropy(x, target, weight, **options), x, g)


TORCH.update(
    {
        "power": torch.pow,
        "round_half_even": torch.round,
        "copy": torch.clone,
        "sign": lambda x: torch.where(torch.isnan(x), x, torch.sign(x)),  # 0 in PyTorch; NaN in NumPy and ONNX, and here
        "cast": lambda x, dtype: x.to(_dtype(dtype)),
        "clamp_numbers": torch.clamp,
        "relu_grad": lambda g, y: torch.ops.aten.threshold_backward(g, y, 0),
        **{name: getattr(F, name) for name in ("softplus", "gelu", "silu", "mish", "leaky_relu", "elu", "celu", "hardtanh")},
        **{name: getattr(F, name) for name in ("hardsigmoid", "hardswish", "softsign", "hardshrink", "softshrink", "tanhshrink")},
        "log_sigmoid": F.logsigmoid,
        "threshold": F.threshold,
        "glu": F.glu,
        "sum": lambda x, dim, keepdim, dtype: torch.sum(x, dim, keepdim, dtype=_dtype(dtype)),
        "mean": lambda x, dim, keepdim, dtype: torch.mean(x, dim, keepdim, dtype=_dtype(dtype)),
        "prod": _prod,
        "amax": _all_dims(torch.amax),
        "amin": _all_dims(torch.amin),
        "all": _all_dims(torch.all),
        "any": _all_dims(torch.any),
        "logsumexp": _all_dims(torch.logsumexp),
        "cumsum": lambda x, dim, dtype: torch.cumsum(x, dim, dtype=_dtype(dtype)),
        "cumprod": lambda x, dim, dtype: torch.cumprod(x, dim, dtype=_dtype(dtype)),
        "variance": torch.var,
        "vector_norm": lambda x, p, dim, keepdim: torch.linalg.vector_norm(x, p, dim, keepdim),
        "sort_values": torch.sort,
        "topk_values": torch.topk,
        "reshape": torch.reshape,
        "expand": lambda x, shape: x.expand(shape),
        "slice": lambda x, **bounds: x[_slices(**bounds)],
        "slice_scatter": _slice_scatter,
        "cat": lambda *tensors, dim: torch.cat(tensors, dim),
        "pad_constant": lambda x, pads, value: F.pad(x, [n for pair in reversed(pads) for n in pair], value=value),
        "gather_values": lambda x, index, dim: torch.gather(x, dim, index),
        "scatter_values": lambda x, index, src, dim: torch.scatter(x, dim, index, src),
        "scatter_add_values": lambda x, index, src, dim: torch.scatter_add(x, dim, index, src),
        "index": lambda x, *indices: x[tuple(slice(None) if i is None else i for i in indices)],
        "index_put_values": lambda x, values, *indices, accumulate: torch.ops.aten.index_put(x, indices, values, accumulate),
        "nonzero_positions": torch.nonzero,
        "embedding": F.embedding,
        "one_hot": F.one_hot,
        "linear": F.linear,
        "linear_weight_grad": lambda g, x: g.reshape(-1, g.shape[-1]).T @ x.reshape(-1, x.shape[-1]),
        "sum_to_last": lambda x: x.sum(tuple(range(x.ndim - 1))) if x.ndim > 1 else x.clone(),
        "conv": lambda x, w, bias, **options: _spatial("conv")(x)(x, w, bias, **options),
        "conv_input_grad": _conv_input_grad,
        "biased_conv_input_grad": lambda dy, w, bias, **options: (
            _conv_input_grad(dy, w, **options) + bias.reshape(-1, *[1] * (dy.ndim - 2))
        ),
        "conv_weight_grad": _conv_weight_grad,
        "max_pool": lambda x, **options: _spatial("max_pool")(x)(x, **options),
        "max_pool_indices": lambda x, **options: _spatial("max_pool")(x)(x, **options, return_indices=True)[1],
        "max_pool_grad": _max_pool_grad,
        "avg_pool": _avg_pool,
        "avg_pool_grad": _avg_pool_grad,
        "resize": _resize,
        "depth_to_space": lambda x, factor: F.pixel_shuffle(x, factor),
        "pad_edges": _pad_edges,
        "softmax_grad": lambda g, y, dim: torch.ops.aten._softmax_backward_data(g, y, dim, y.dtype),
        "batch_norm": lambda x, mean, var, weight, bias, eps: F.batch_norm(x, mean, var, weight, bias, eps=eps),
        "batch_norm_train": _batch_norm_train,
        "batch_norm_train_grad": _batch_norm_train_grad,
        "layer_norm": lambda x, weight, bias, normalized_shape, eps: F.layer_norm(x, normalized_shape, weight, bias, eps),
        "rms_norm": lambda x, weight, normalized_shape, eps: F.rms_norm(x, normalized_shape, weight, eps),
        "group_norm": lambda x, weight, bias, num_groups, eps: F.group_norm(x, num_groups, weight, bias, eps),
        "nll_loss": F.nll_loss,
        "cross_entropy": F.cross_entropy,
        "class_cross_entropy_grad": _cross_entropy_grad,
        "soft_cross_entropy_grad": _cross_entropy_grad,
        "first_above": lambda edges, points: torch.searchsorted(edges, points, right=True),
        "fill": lambda shape, value, dtype: torch.full(shape, value, dtype=_dtype(dtype)),
        "sequence": lambda start, stop, step, dtype: torch.arange(start, stop, step, dtype=_dtype(dtype)),
        "isfinite": torch.isfinite,
        "prelu": F.prelu,
        "select": lambda x, dim, index: torch.select(x, dim, index),
    }
)


def torch_op(name: str) -> Callable[..., Any]:
    """PyTorch's function for an op."""
    return TORCH.get(name) or getattr(torch, name)
