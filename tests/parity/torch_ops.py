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
    "ctc_paths": "a step of F.ctc_loss: test_more_names.py",
    "ctc_total": "a step of F.ctc_loss: test_more_names.py",
    "sgd_step": "optimisers: test_optim.py",
    "sgd_momentum_step": "optimisers: test_optim.py",
    "adam_step": "optimisers: test_optim.py",
    "scheduled_adam_step": "optimisers: tests/compile/test_options.py",
    "amsgrad_step": "optimisers: test_optim.py",
    "random_bits": "another stream than PyTorch's: tests/random/test_stream.py",
    "random_uniform": "another stream than PyTorch's: tests/random/test_stream.py",
    "random_normal": "another stream than PyTorch's: tests/random/test_stream.py",
    "random_int63": "another stream than PyTorch's: tests/random/test_stream.py",
    "random_permutation": "another stream than PyTorch's: tests/random/test_generator.py",
    "bessel_j0": "PyTorch's is off by 2e-7 in float64: tests/numerics/test_special.py",
    "polygamma_of": "PyTorch's is large at the poles, where it has no end: tests/numerics/test_special.py; test_functions.py",
    "detach": "the recorded form of Tensor.detach",
    "view_write": "writes through views: test_aliasing.py",
    "transfer": "moves between devices: tests/conformance/test_transfer.py",
    "size_to_tensor": "symbolic sizes, only in recordings: tests/onnx/test_size_programs.py",
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


def _spread_root(x: Any) -> Any:
    """The last step of torch.std, whose backward fills 0 in where the result is 0 (`std_backward`)."""
    return torch.where(x == 0, x.detach(), torch.sqrt(x.masked_fill(x == 0, 1)))


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
    if not x.numel():  # the operator refuses it, and the layer's gradients are these
        return torch.zeros_like(x), torch.zeros(x.shape[1], dtype=x.dtype), torch.zeros(x.shape[1], dtype=x.dtype)
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


def _resize_grad(dy: Any, size: Any, scales: Any, mode: str, align_corners: bool) -> Any:
    x = torch.zeros(*dy.shape[:2], *size, dtype=dy.dtype)
    return _gradient(lambda x: _resize(x, tuple(dy.shape[2:]), scales, mode, align_corners), x, dy)


def _depth_to_space(x: Any, factor: int) -> Any:
    if not x.numel():  # where PyTorch's gradient fails
        return x.reshape(x.shape[0], x.shape[1] // factor**2, x.shape[2] * factor, x.shape[3] * factor)
    return F.pixel_shuffle(x, factor)


def _pad_edges(x: Any, pads: Any, mode: str) -> Any:
    used = [n for pair in reversed(pads[1:]) for n in pair]  # PyTorch pads neither batch nor channels
    return F.pad(x[None], used, mode)[0]


def _max_pool_places(x: Any, **options: Any) -> Any:
    inside = _spatial("max_pool")(x)(x, **options, return_indices=True)[1]
    planes = torch.arange(x.shape[0] * x.shape[1]).reshape(*x.shape[:2], *[1] * (x.ndim - 2))
    return inside + planes * x[0, 0].numel() if x.numel() else inside


def _max_pool_grad(dy: Any, x: Any, y: Any, **options: Any) -> Any:
    return _gradient(lambda x: _spatial("max_pool")(x)(x, **options), x, dy)


def _layer_norm_grad(g: Any, x: Any, weight: Any, normalized_shape: Any, eps: float) -> Any:
    scale = torch.ones(normalized_shape, dtype=x.dtype) if weight is None else weight.detach()
    leaves = [t.detach().requires_grad_() for t in (x, scale, torch.zeros_like(scale))]
    return torch.autograd.grad(F.layer_norm(leaves[0], normalized_shape, *leaves[1:], eps), leaves, g)


def _group_norm_grad(g: Any, x: Any, weight: Any, num_groups: int, eps: float) -> Any:
    scale = torch.ones(x.shape[1], dtype=x.dtype) if weight is None else weight.detach()
    leaves = [t.detach().requires_grad_() for t in (x, scale, torch.zeros_like(scale))]
    return torch.autograd.grad(F.group_norm(leaves[0], num_groups, *leaves[1:], eps), leaves, g)


def _attention(q: Any, k: Any, v: Any, mask: Any, keep: Any, **options: Any) -> Any:
    if options["is_causal"] and mask is not None:  # PyTorch wants one of the two
        mask, options["is_causal"] = mask & torch.ones(q.shape[-2], k.shape[-2], dtype=torch.bool).tril(), False
    if keep is None:
        return F.scaled_dot_product_attention(q, k, v, mask, **options)
    keys = torch.eye(k.shape[-2], dtype=k.dtype).expand(*k.shape[:-1], -1)  # with these as values, the result is the weights
    weights = F.scaled_dot_product_attention(q, k, keys, mask, **options) * keep
    return weights @ (v.repeat_interleave(q.shape[-3] // v.shape[-3], -3) if options["enable_gqa"] else v)


def _attention_grad(
    g: Any, y: Any, q: Any, k: Any, v: Any, mask: Any, keep: Any, is_causal: bool, scale: Any, enable_gqa: bool
) -> Any:
    """By autograd, with any `y` (as PyTorch's own backward of its fused kernels takes it): the weights are exp(scores) over
    a sum that is held fixed, and what the sum contributes is the product of g and y."""
    leaves = [t.detach().requires_grad_() for t in (q, k, v)]
    q, k, v = leaves
    if enable_gqa:
        k, v = (t.repeat_interleave(q.shape[-3] // t.shape[-3], -3) for t in (k, v))
    scores = q @ k.mT * (q.shape[-1] ** -0.5 if scale is None else scale)
    if is_causal:
        scores = scores.masked_fill(torch.ones(scores.shape[-2:], dtype=torch.bool).triu(1), -torch.inf)
    if mask is not None:
        scores = scores.masked_fill(~mask, -torch.inf) if mask.dtype is torch.bool else scores + mask
    total = scores.detach().logsumexp(-1, keepdim=True)
    weights = torch.exp(scores - total.masked_fill(total == -torch.inf, 0))
    results = (weights if keep is None else weights * keep) @ v
    return torch.autograd.grad((results * g).sum() - (weights * (g * y).sum(-1, keepdim=True)).sum(), leaves)


def _recurrent(kind: str, states: int) -> Callable[..., Any]:
    """A layer of torch.nn with the given weights; rows of different lengths are packed."""

    def layer(x: Any, *others: Any, **options: Any) -> Any:
        weights, begin, lengths, back = others[:4], others[4 : 4 + states], others[4 + states], others[5 + states :]
        names = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
        given = dict(zip((*names, *(f"{name}_reverse" for name in names)), (*weights, *back), strict=True))
        given = {name: w for name, w in given.items() if w is not None}
        module = getattr(torch.nn, kind)(
            x.shape[2], weights[1].shape[1], bias="bias_ih_l0" in given, bidirectional="weight_ih_l0_reverse" in given, **options
        )
        assert given.keys() == dict(module.named_parameters()).keys()
        rows = torch.nn.utils.rnn
        inputs = x if lengths is None else rows.pack_padded_sequence(x, lengths, enforce_sorted=False)
        first = None if begin[0] is None else begin[0] if states == 1 else begin
        y, last = torch.func.functional_call(module, given, (inputs, first))
        if lengths is not None:
            y, _ = rows.pad_packed_sequence(y, total_length=x.shape[0])
        return (y, last) if states == 1 else (y, *last)

    return layer


def _through_time(step: Callable[..., Any], like: Any, begin: Any, lengths: Any, reverse: bool) -> list[Any]:
    """y and the last states, then what every step keeps: `step(t, state)` gives the next state, and the gates (or None)."""
    state, rows = begin, [[] for _ in like]
    for t in reversed(range(len(like))) if reverse else range(len(like)):
        new, gates = step(t, state)
        row = [new[0], *(() if gates is None else (gates,))]
        if lengths is not None:
            valid = (t < lengths)[:, None]
            row = [torch.where(valid, part, 0.0) for part in row]
            new = [torch.where(valid, after, before) for after, before in zip(new, state, strict=True)]
        state, rows[t] = new, [*row, *new[1:]]
    y, *kept = (torch.stack(parts) for parts in zip(*rows, strict=True))
    return [y, *(s[None] for s in state), *kept]


def _begin(x: Any, w_hh: Any, *states: Any) -> list[Any]:
    """The first states, without their first dimension."""
    return [x.new_zeros(x.shape[1], w_hh.shape[1]) if s is None else s[0] for s in states]


def _lstm_train(x: Any, w_ih: Any, w_hh: Any, b_ih: Any, b_hh: Any, h0: Any, c0: Any, lengths: Any, reverse: bool) -> list[Any]:
    def step(t: int, state: Any) -> Any:
        i, f, g, o = (F.linear(x[t], w_ih, b_ih) + F.linear(state[0], w_hh, b_hh)).chunk(4, 1)
        gates = torch.cat([i.sigmoid(), f.sigmoid(), g.tanh(), o.sigmoid()], 1)
        return torch.lstm_cell(x[t], state, w_ih, w_hh, b_ih, b_hh), gates

    return _through_time(step, x, _begin(x, w_hh, h0, c0), lengths, reverse)


def _gru_train(x: Any, w_ih: Any, w_hh: Any, b_ih: Any, b_hh: Any, h0: Any, lengths: Any, reverse: bool) -> list[Any]:
    def step(t: int, state: Any) -> Any:
        (r, u, n), (hr, hu, hn) = F.linear(x[t], w_ih, b_ih).chunk(3, 1), F.linear(state[0], w_hh, b_hh).chunk(3, 1)
        r, u = (r + hr).sigmoid(), (u + hu).sigmoid()
        gates = torch.cat([r, u, (n + r * hn).tanh(), hn], 1)
        return [torch.gru_cell(x[t], state[0], w_ih, w_hh, b_ih, b_hh)], gates

    return _through_time(step, x, _begin(x, w_hh, h0), lengths, reverse)


def _rnn_train(
    x: Any, w_ih: Any, w_hh: Any, b_ih: Any, b_hh: Any, h0: Any, lengths: Any, nonlinearity: str, reverse: bool
) -> list[Any]:
    cell = getattr(torch, f"rnn_{nonlinearity}_cell")
    return _through_time(
        lambda t, state: ([cell(x[t], state[0], w_ih, w_hh, b_ih, b_hh)], None), x, _begin(x, w_hh, h0), lengths, reverse
    )


def _at(value: Any, expression: Any) -> Any:
    """The value that is given, with the gradient of the expression: gradient ops take any values for what forward saved."""
    return value + (expression - expression.detach())


def _slope(nonlinearity: str, y: Any) -> Any:
    """The slope where the result is y, as PyTorch's own backward has it."""
    one = torch.ones_like(y)
    return torch.ops.aten.threshold_backward(one, y, 0) if nonlinearity == "relu" else _BACKWARD[nonlinearity](one, y)


_BACKWARD = {"sigmoid": torch.ops.aten.sigmoid_backward, "tanh": torch.ops.aten.tanh_backward}


def _back_through_time(
    step: Callable[..., Any], like: Any, leaves: list[Any], begin: int, lengths: Any, reverse: bool, grads: Any
) -> Any:
    """The gradients of the leaves, the last of which are the first states [1, batch, hidden]."""
    results = _through_time(step, like, [s[0] for s in leaves[begin:]], lengths, reverse)
    chosen = [(y, g) for y, g in zip(results, grads, strict=True) if g is not None]
    return torch.autograd.grad([y for y, _ in chosen], leaves, [g for _, g in chosen], materialize_grads=True)


def _exactly(fn: Callable[..., Any]) -> Callable[..., Any]:
    """In float64, then rounded: where gates have any value, states grow, and the rounding errors of two would add up."""

    def call(*tensors: Any, **attributes: Any) -> Any:
        wide = [t.double() if t is not None and t.is_floating_point() else t for t in tensors]
        return [result.to(tensors[0].dtype) for result in fn(*wide, **attributes)]

    return call


def _leaf(like: Any, *shape: int) -> Any:
    return like.new_zeros(shape).requires_grad_()


def _lstm_train_grad(
    gates: Any,
    cells: Any,
    before: Any,
    w_hh: Any,
    lengths: Any,
    gy: Any,
    gh: Any,
    gc: Any,
    ggates: Any,
    gcells: Any,
    reverse: bool,
) -> Any:
    entering, *_ = leaves = [_leaf(gates, *gates.shape), *(_leaf(gates, 1, *cells.shape[1:]) for _ in range(2))]

    def step(t: int, state: Any) -> Any:
        raw = (entering[t] + F.linear(state[0], w_hh)).chunk(4, 1)
        i, f, g, o = (
            _at(gate, z * _slope("tanh" if k == 2 else "sigmoid", gate))
            for k, (gate, z) in enumerate(zip(gates[t].chunk(4, 1), raw, strict=True))
        )
        cell = _at(cells[t], f * _at(before[t], state[1]) + i * g)
        return [o * cell.tanh(), cell], torch.cat([i, f, g, o], 1)

    return _back_through_time(step, gates, leaves, 1, lengths, reverse, (gy, gh, gc, ggates, gcells))


def _gru_train_grad(gates: Any, before: Any, w_hh: Any, lengths: Any, gy: Any, gh: Any, ggates: Any, reverse: bool) -> Any:
    inner = (*before.shape[:2], w_hh.shape[0])
    entering, hidden, _ = leaves = [_leaf(gates, *inner), _leaf(gates, *inner), _leaf(gates, 1, *before.shape[1:])]

    def step(t: int, state: Any) -> Any:
        h = _at(before[t], state[0])
        (zr, zu, zn), (hr, hu, hn) = entering[t].chunk(3, 1), (hidden[t] + F.linear(h, w_hh)).chunk(3, 1)
        r, u, n, contribution = gates[t].chunk(4, 1)
        r, u = (_at(gate, z * _slope("sigmoid", gate)) for gate, z in ((r, zr + hr), (u, zu + hu)))
        contribution = _at(contribution, hn)
        n = _at(n, (zn + r * contribution) * _slope("tanh", n))
        return [(1 - u) * n + u * h], torch.cat([r, u, n, contribution], 1)

    return _back_through_time(step, gates, leaves, 2, lengths, reverse, (gy, gh, ggates))


def _rnn_train_grad(y: Any, w_hh: Any, lengths: Any, gy: Any, gh: Any, nonlinearity: str, reverse: bool) -> Any:
    entering, _ = leaves = [_leaf(y, *y.shape), _leaf(y, 1, *y.shape[1:])]

    def step(t: int, state: Any) -> Any:
        return [_at(y[t], (entering[t] + F.linear(state[0], w_hh)) * _slope(nonlinearity, y[t]))], None

    return _back_through_time(step, y, leaves, 1, lengths, reverse, (gy, gh))


def _cross_entropy_grad(g: Any, x: Any, target: Any, weight: Any, **options: Any) -> Any:
    return _gradient(lambda x: F.cross_entropy(x, target, weight, **options), x, g)


TORCH.update(
    {
        "power": torch.pow,
        "trunc_divide": lambda a, b: torch.div(a, b, rounding_mode="trunc"),
        "spread_root": _spread_root,
        "round_half_even": torch.round,
        "copy": torch.clone,
        "in_rows": lambda x: x.clone(memory_format=torch.contiguous_format),
        "sign": lambda x: torch.where(torch.isnan(x), x, torch.sign(x)),  # 0 in PyTorch; NaN in NumPy and ONNX, and here
        "cast": lambda x, dtype: x.to(_dtype(dtype)),
        "clamp_numbers": torch.clamp,
        "relu_grad": lambda g, y: torch.ops.aten.threshold_backward(g, y, 0),
        **{name: getattr(F, name) for name in ("softplus", "gelu", "silu", "mish", "leaky_relu", "elu", "celu", "hardtanh")},
        **{name: getattr(F, name) for name in ("hardsigmoid", "hardswish", "softsign", "hardshrink", "softshrink", "tanhshrink")},
        "gelu_grad": lambda g, x, approximate: _gradient(lambda x: F.gelu(x, approximate=approximate), x, g),
        "silu_grad": lambda g, x: _gradient(F.silu, x, g),
        "log_sigmoid": F.logsigmoid,
        "log_odds": torch.logit,
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
        "pieces": lambda x, dim, shapes: torch.split(x, [shape[dim] for shape in shapes], dim),
        "cat": lambda *tensors, dim: torch.cat(tensors, dim),
        "pad_constant": lambda x, pads, value: F.pad(x, [n for pair in reversed(pads) for n in pair], value=value),
        "gather_values": lambda x, index, dim: torch.gather(x, dim, index),
        "scatter_values": lambda x, index, src, dim: torch.scatter(x, dim, index, src),
        "scatter_add_values": lambda x, index, src, dim: torch.scatter_add(x, dim, index, src),
        "scatter_max_values": lambda x, index, src, dim: torch.scatter_reduce(x, dim, index, src, "amax"),
        "index": lambda x, *indices: x[tuple(slice(None) if i is None else i for i in indices)],
        "index_put_values": lambda x, values, *indices, accumulate: torch.ops.aten.index_put(x, indices, values, accumulate),
        "nonzero_positions": torch.nonzero,
        "asserted": lambda x, holds, message: x.clone(),
        "embedding": F.embedding,
        "one_hot": F.one_hot,
        "linear": F.linear,
        "fourier": lambda x, dim, back: torch.view_as_real(
            torch.fft.ifft(torch.view_as_complex(x), dim=dim, norm="forward")
            if back
            else torch.fft.fft(torch.view_as_complex(x), dim=dim)
        ),
        "fourier_half": lambda x, dim: torch.view_as_real(torch.fft.rfft(x, dim=dim)),
        "fourier_from_half": lambda x, dim, n: torch.fft.irfft(torch.view_as_complex(x), n, dim=dim, norm="forward"),
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
        "max_pool_places": _max_pool_places,
        "max_pool_grad": _max_pool_grad,
        "avg_pool": _avg_pool,
        "avg_pool_grad": _avg_pool_grad,
        "resize": _resize,
        "resize_grad": _resize_grad,
        "depth_to_space": _depth_to_space,
        "pad_edges": _pad_edges,
        "softmax_grad": lambda g, y, dim: torch.ops.aten._softmax_backward_data(g, y, dim, y.dtype),
        "batch_norm": lambda x, mean, var, weight, bias, eps: F.batch_norm(
            x,
            mean.detach(),
            var.detach(),
            weight,
            bias,
            eps=eps,  # PyTorch has no gradient of the statistics
        ),
        "batch_norm_train": _batch_norm_train,
        "batch_norm_train_grad": _batch_norm_train_grad,
        "layer_norm": lambda x, weight, bias, normalized_shape, eps: F.layer_norm(x, normalized_shape, weight, bias, eps),
        "layer_norm_grad": _layer_norm_grad,
        "rms_norm": lambda x, weight, normalized_shape, eps: F.rms_norm(x, normalized_shape, weight, eps),
        "group_norm": lambda x, weight, bias, num_groups, eps: F.group_norm(x, num_groups, weight, bias, eps),
        "group_norm_grad": _group_norm_grad,
        "scaled_dot_product_attention": _attention,
        "scaled_dot_product_attention_grad": _attention_grad,
        "lstm": _recurrent("LSTM", 2),
        "gru": _recurrent("GRU", 1),
        "rnn": _recurrent("RNN", 1),
        "lstm_train": _lstm_train,
        "gru_train": _gru_train,
        "rnn_train": _rnn_train,
        "lstm_train_grad": _exactly(_lstm_train_grad),
        "gru_train_grad": _exactly(_gru_train_grad),
        "rnn_train_grad": _exactly(_rnn_train_grad),
        "nll_loss": F.nll_loss,
        "probability_loss": lambda p, t: F.binary_cross_entropy(*torch.broadcast_tensors(p, t), reduction="none"),
        "cross_entropy": F.cross_entropy,
        "class_cross_entropy_grad": _cross_entropy_grad,
        "soft_cross_entropy_grad": _cross_entropy_grad,
        # In any order, as a file counts them; all are before NaN.
        "edges_before": lambda edges, points, right: (
            ~((torch.gt if right else torch.ge)(edges[..., None, :], points[..., None]))
        ).sum(-1),
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
    return TORCH.get(name) or getattr(torch, name, None) or getattr(torch.special, name)
