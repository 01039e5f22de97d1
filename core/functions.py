"""Functions of `fz` that are also those of `fz.nn.functional`, with the signatures that they have here in PyTorch, and in-place
functions.

All of them are made of others; `fz` loads this file when one of them is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .creation import arange
from .errors import ArgumentError, ShapeError
from .late import IN_PLACE
from .linalg import matrix_norm
from .nn import functional as F
from .ops import recurrent
from .ops.conv import conv1d, conv2d, conv3d, conv_transpose1d, conv_transpose2d, conv_transpose3d
from .ops.elementwise import clone, rsqrt
from .ops.indexing import searchsorted
from .ops.reduction import var_mean, vector_norm
from .ops.shape import cat, pad, reshape, split, transpose
from .spelling import tell_keywords
from .tensor import Tensor

_REDUCTIONS = ("none", "mean", "sum")


def _how(reduction: Any) -> Any:
    """A reduction by its number, as PyTorch's own functions have it, or by its name."""
    return _REDUCTIONS[reduction] if isinstance(reduction, int) and not isinstance(reduction, bool) else reduction


# ---------------------------------------------------------------------------------------------------------------------- losses


def ctc_loss(
    log_probs: Tensor,
    targets: Tensor,
    input_lengths: Any,
    target_lengths: Any,
    blank: int = 0,
    reduction: Any = 0,
    zero_infinity: bool = False,
) -> Tensor:
    """As `fz.nn.functional.ctc_loss`; the reduction is 0 (none, the default), 1 (mean) or 2 (sum)."""
    return F.ctc_loss(log_probs, targets, input_lengths, target_lengths, blank, _how(reduction), zero_infinity)


def kl_div(input: Tensor, target: Tensor, reduction: Any = 0, *, log_target: bool = False) -> Tensor:
    """As `fz.nn.functional.kl_div`; the reduction is 0 (none, the default), 1 (mean) or 2 (sum)."""
    found = F.kl_div(input, target, reduction="none", log_target=log_target)
    return found if _how(reduction) == "none" else found.mean() if _how(reduction) == "mean" else found.sum()


def cosine_embedding_loss(input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0.0, reduction: Any = 0) -> Tensor:
    """As `fz.nn.functional.cosine_embedding_loss`; the reduction is 0 (none, the default), 1 (mean) or 2 (sum)."""
    return F.cosine_embedding_loss(input1, input2, target, margin, reduction=_how(reduction))


def hinge_embedding_loss(input: Tensor, target: Tensor, margin: float = 1.0, reduction: Any = 0) -> Tensor:
    """As `fz.nn.functional.hinge_embedding_loss`; the reduction is 0 (none, the default), 1 (mean) or 2 (sum)."""
    return F.hinge_embedding_loss(input, target, margin, reduction=_how(reduction))


def margin_ranking_loss(input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0.0, reduction: Any = 0) -> Tensor:
    """As `fz.nn.functional.margin_ranking_loss`; the reduction is 0 (none, the default), 1 (mean) or 2 (sum)."""
    return F.margin_ranking_loss(input1, input2, target, margin, reduction=_how(reduction))


def triplet_margin_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    margin: float = 1.0,
    p: float = 2.0,
    eps: float = 1e-6,
    swap: bool = False,
    reduction: Any = 0,
) -> Tensor:
    """As `fz.nn.functional.triplet_margin_loss`; the reduction is 0 (none, the default), 1 (mean) or 2 (sum)."""
    return F.triplet_margin_loss(anchor, positive, negative, margin, p, eps, swap, reduction=_how(reduction))


def poisson_nll_loss(input: Tensor, target: Tensor, log_input: bool, full: bool, eps: float, reduction: Any) -> Tensor:
    """As `fz.nn.functional.poisson_nll_loss`; the reduction is 0 (none), 1 (mean) or 2 (sum)."""
    return F.poisson_nll_loss(input, target, log_input, full, eps=eps, reduction=_how(reduction))


def binary_cross_entropy_with_logits(
    input: Tensor, target: Tensor, weight: Tensor | None = None, pos_weight: Tensor | None = None, reduction: Any = 0
) -> Tensor:
    """As `fz.nn.functional.binary_cross_entropy_with_logits`; the reduction is 0 (none, the default), 1 (mean) or 2 (sum)."""
    return F.binary_cross_entropy_with_logits(input, target, weight, pos_weight=pos_weight, reduction=_how(reduction))


# --------------------------------------------------------------------------------------------------------------- normalisation


def batch_norm(
    input: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    training: bool,
    momentum: float,
    eps: float,
    cudnn_enabled: bool = False,
) -> Tensor:
    """As `fz.nn.functional.batch_norm`, with its arguments in the order of PyTorch's own function."""
    return F.batch_norm(input, running_mean, running_var, weight, bias, training, momentum, eps)


def instance_norm(
    input: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    use_input_stats: bool,
    momentum: float,
    eps: float,
    cudnn_enabled: bool = False,
) -> Tensor:
    """As `fz.nn.functional.instance_norm`, with its arguments in the order of PyTorch's own function."""
    return F.instance_norm(input, running_mean, running_var, weight, bias, use_input_stats, momentum, eps)


def native_batch_norm(
    input: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    training: bool,
    momentum: float,
    eps: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """`batch_norm`, with the mean of every channel and 1 / its deviation (empty unless `training`)."""
    y = F.batch_norm(input, running_mean, running_var, weight, bias, training, momentum, eps)
    if not training:
        return y, input.new_zeros(0), input.new_zeros(0)
    var, mean = var_mean(input.detach(), tuple(d for d in range(input.ndim) if d != 1), correction=0)
    return y, mean, rsqrt(var + eps)


def native_layer_norm(
    input: Tensor, normalized_shape: Sequence[int], weight: Tensor | None, bias: Tensor | None, eps: float
) -> tuple[Tensor, Tensor, Tensor]:
    """`layer_norm`, with the means and 1 / the deviations that it divides by."""
    dims = tuple(range(input.ndim - len(normalized_shape), input.ndim))
    var, mean = var_mean(input.detach(), dims, correction=0, keepdim=True)
    return F.layer_norm(input, normalized_shape, weight, bias, eps), mean, rsqrt(var + eps)


def native_group_norm(
    input: Tensor, weight: Tensor | None, bias: Tensor | None, N: int, C: int, HxW: int, group: int, eps: float
) -> tuple[Tensor, Tensor, Tensor]:
    """`group_norm`, with the means and 1 / the deviations of every sample and group."""
    var, mean = var_mean(reshape(input, shape=(N, group, C // group * HxW)), 2, correction=0)
    return F.group_norm(input, group, weight, bias, eps), mean, rsqrt(var + eps)


# ---------------------------------------------------------------------------------------------------------------------- layers


def embedding(
    weight: Tensor, indices: Tensor, padding_idx: int = -1, scale_grad_by_freq: bool = False, sparse: bool = False
) -> Tensor:
    """As `fz.nn.functional.embedding`, the weight first; a padding_idx of -1 means none.

    >>> import frazil as fz
    >>> fz.embedding(fz.tensor([[1.0], [2.0]]), fz.tensor([1]))
    tensor([[2.]])
    """
    none = padding_idx if padding_idx >= 0 else None
    return F.embedding(indices, weight, none, scale_grad_by_freq=scale_grad_by_freq, sparse=sparse)


def embedding_bag(
    weight: Tensor,
    indices: Tensor,
    offsets: Tensor,
    scale_grad_by_freq: bool = False,
    mode: int = 0,
    sparse: bool = False,
    per_sample_weights: Tensor | None = None,
    include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """As `fz.nn.functional.embedding_bag` (mode 0: sum, 1: mean, 2: max), with the bag of every index, the sizes of the bags, and
    an empty tensor where PyTorch has places that only its own backward reads."""
    y = F.embedding_bag(
        indices, weight, offsets, scale_grad_by_freq=scale_grad_by_freq, mode=("sum", "mean", "max")[mode], sparse=sparse,
        per_sample_weights=per_sample_weights, include_last_offset=include_last_offset, padding_idx=padding_idx,
    )  # fmt: skip
    ends = offsets if include_last_offset else cat([offsets, offsets.new_full((1,), indices.numel())], dim=0)
    sizes = ends[1:] - ends[:-1]
    bags = searchsorted(ends, arange(indices.numel(), device=indices.device), right=True) - 1
    return y, bags, sizes, indices.new_zeros(0)


def constant_pad_nd(input: Tensor, pad: Sequence[int], value: Any = 0) -> Tensor:
    """`input` with elements of `value` around it, as `fz.nn.functional.pad`.

    >>> import frazil as fz
    >>> fz.constant_pad_nd(fz.ones(1), (1, 1))
    tensor([0., 1., 0.])
    """
    return clone(_pad(input, tuple(pad), value=value))


_pad = pad


def threshold(input: Tensor, threshold: Any, value: Any) -> Tensor:
    """`input` where it is above `threshold`, else `value`."""
    return F.threshold(input, threshold, value)


def hardshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """`input` where it is farther from 0 than `lambd`, else 0."""
    return F.hardshrink(input, lambd)


def rrelu(input: Tensor, lower: float = 1 / 8, upper: float = 1 / 3, training: bool = False, generator: Any = None) -> Tensor:
    """As `fz.nn.functional.rrelu`."""
    return F.rrelu(input, lower, upper, training)


def rrelu_(input: Tensor, lower: float = 1 / 8, upper: float = 1 / 3, training: bool = False, generator: Any = None) -> Tensor:
    """In-place form of `rrelu`."""
    return F.rrelu_(input, lower, upper, training)


celu_, selu_, threshold_ = F.celu_, F.selu_, F.threshold_


def grid_sampler(input: Tensor, grid: Tensor, interpolation_mode: int, padding_mode: int, align_corners: bool) -> Tensor:
    """As `fz.nn.functional.grid_sample`, with the modes by their numbers."""
    modes, paddings = ("bilinear", "nearest", "bicubic"), ("zeros", "border", "reflection")
    return F.grid_sample(input, grid, modes[interpolation_mode], paddings[padding_mode], align_corners)


grid_sampler_2d = grid_sampler_3d = grid_sampler


def affine_grid_generator(theta: Tensor, size: Sequence[int], align_corners: bool) -> Tensor:
    """As `fz.nn.functional.affine_grid`."""
    return F.affine_grid(theta, size, align_corners)


def max_pool1d_with_indices(
    input: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1, ceil_mode: bool = False
) -> Any:
    """`max_pool1d` and where the values were."""
    return F.max_pool1d(input, kernel_size, stride or None, padding, dilation, ceil_mode, True)


def adaptive_max_pool1d(input: Tensor, output_size: Any) -> Any:
    """`fz.nn.functional.adaptive_max_pool1d` and where the values were."""
    return F.adaptive_max_pool1d(input, output_size, True)


def convolution(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Any,
    padding: Any,
    dilation: Any,
    transposed: bool,
    output_padding: Any,
    groups: int,
) -> Tensor:
    """The convolution, or the transposed one, of as many dimensions as the weight has."""
    n = weight.ndim - 2
    if not 1 <= n <= 3:
        raise ShapeError(f"convolution: expected a weight of 3 to 5 dimensions, given {list(weight.shape)}")
    if transposed:
        turned = (conv_transpose1d, conv_transpose2d, conv_transpose3d)[n - 1]
        return turned(input, weight, bias, stride, padding, output_padding, groups, dilation)
    return (conv1d, conv2d, conv3d)[n - 1](input, weight, bias, stride, padding, dilation, groups)


def conv_tbc(input: Tensor, weight: Tensor, bias: Tensor, pad: int = 0) -> Tensor:
    """A convolution over time of [time, batch, channels] with a weight of [kernel, channels, out].

    >>> import frazil as fz
    >>> fz.conv_tbc(fz.ones(3, 1, 2), fz.ones(2, 2, 1), fz.zeros(1)).shape
    frazil.Size([2, 1, 1])
    """
    return conv1d(input.permute(1, 2, 0), weight.permute(2, 1, 0), bias, padding=pad).permute(2, 0, 1)


def pixel_shuffle(input: Tensor, upscale_factor: int) -> Tensor:
    """As `fz.nn.functional.pixel_shuffle`."""
    return F.pixel_shuffle(input, upscale_factor)


def pixel_unshuffle(input: Tensor, downscale_factor: int) -> Tensor:
    """As `fz.nn.functional.pixel_unshuffle`."""
    return F.pixel_unshuffle(input, downscale_factor)


def channel_shuffle(input: Tensor, groups: int) -> Tensor:
    """As `fz.nn.functional.channel_shuffle`."""
    return F.channel_shuffle(input, groups)


native_channel_shuffle = channel_shuffle


def rms_norm(input: Tensor, normalized_shape: Sequence[int], weight: Tensor | None = None, eps: float | None = None) -> Tensor:
    """As `fz.nn.functional.rms_norm`."""
    return F.rms_norm(input, normalized_shape, weight, eps)


# --------------------------------------------------------------------------------------------------------------------- dropout


def _dropout_of(name: str, inplace: bool) -> Callable[..., Tensor]:
    def call(input: Tensor, p: float, train: bool) -> Tensor:
        if name == "feature_dropout":  # whole channels, of any number of dimensions behind them
            shape = tuple(input._a.shape)
            flat = reshape(input, shape=(*shape[:2], -1))
            found = reshape(F.dropout1d(flat, p, train), shape=shape)
            return input.copy_(found) if inplace else found
        return getattr(F, name)(input, p, train, inplace)

    call.__name__ = call.__qualname__ = name + "_" * inplace
    call.__doc__ = f"`fz.nn.functional.{name}`{', in place' * inplace}; `p` and `train` are always given."
    return call


alpha_dropout, alpha_dropout_ = (_dropout_of("alpha_dropout", inplace) for inplace in (False, True))
feature_alpha_dropout, feature_alpha_dropout_ = (_dropout_of("feature_alpha_dropout", inplace) for inplace in (False, True))
feature_dropout, feature_dropout_ = (_dropout_of("feature_dropout", inplace) for inplace in (False, True))
dropout_ = _dropout_of("dropout", True)


def native_dropout(input: Tensor, p: float, train: bool | None) -> tuple[Tensor, Tensor]:
    """`dropout`, and which elements were kept."""
    kept = F.dropout(input.detach() * 0 + 1, p, train is not False)
    return input * kept, kept != 0


# ------------------------------------------------------------------------------------------------------------------ recurrent


def _layers(
    op: Callable[..., Any],
    x: Tensor,
    states: Sequence[Tensor],
    params: Sequence[Tensor],
    has_biases: bool,
    num_layers: int,
    dropout: float,
    train: bool,
    bidirectional: bool,
    batch_first: bool,
) -> tuple[Tensor, ...]:
    """The layers of a recurrent network: the results of the last, and the last states of all."""
    each, directions = 4 if has_biases else 2, 2 if bidirectional else 1
    if len(params) != each * directions * num_layers:
        raise ArgumentError(f"expected {each * directions * num_layers} weights for {num_layers} layers, given {len(params)}")
    x = transpose(x, 0, 1) if batch_first else x
    last: list[Sequence[Tensor]] = []
    for layer in range(num_layers):
        if layer and dropout:
            x = F.dropout(x, dropout, train)
        at = layer * directions
        there, *back = [
            [*params[each * d : each * (d + 1)], *(() if has_biases else (None, None))] for d in range(at, at + directions)
        ]
        x, *ends = op(x, *there, *(s[at : at + directions] for s in states), None, *(back[0] if back else ()))
        last.append(ends)
    y = transpose(x, 0, 1) if batch_first else x
    return y, *(cat(column, dim=0) for column in zip(*last, strict=True))


def lstm(
    input: Tensor,
    hx: Sequence[Tensor],
    params: Sequence[Tensor],
    has_biases: bool,
    num_layers: int,
    dropout: float,
    train: bool,
    bidirectional: bool,
    batch_first: bool,
) -> tuple[Tensor, ...]:
    """The layers of `fz.nn.LSTM` with these weights: the results, the last h and the last c."""
    return _layers(recurrent.lstm, input, hx, params, has_biases, num_layers, dropout, train, bidirectional, batch_first)


def _of_one_state(op: Callable[..., Any], name: str) -> Callable[..., Any]:
    def call(
        input: Tensor,
        hx: Tensor,
        params: Sequence[Tensor],
        has_biases: bool,
        num_layers: int,
        dropout: float,
        train: bool,
        bidirectional: bool,
        batch_first: bool,
    ) -> tuple[Tensor, ...]:
        return _layers(op, input, (hx,), params, has_biases, num_layers, dropout, train, bidirectional, batch_first)

    call.__name__ = call.__qualname__ = name
    call.__doc__ = f"The layers of `fz.nn.{name.partition('_')[0].upper()}` with these weights: the results and the last h."
    return call


def _rnn(nonlinearity: str) -> Callable[..., Any]:
    return lambda *args: recurrent.rnn(*args, nonlinearity=nonlinearity)


gru = _of_one_state(recurrent.gru, "gru")
rnn_tanh, rnn_relu = (_of_one_state(_rnn(kind), f"rnn_{kind}") for kind in ("tanh", "relu"))


def _cell(op: Callable[..., Any], name: str) -> Callable[..., Any]:
    def call(input: Tensor, hx: Any, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor | None = None, b_hh: Tensor | None = None) -> Any:
        states = (hx,) if isinstance(hx, Tensor) else tuple(hx)
        if input.ndim != 2:
            raise ShapeError(f"{name}: expected input of [batch, features], given {list(input.shape)}")
        _, *ends = op(input.unsqueeze(0), w_ih, w_hh, b_ih, b_hh, *(s.unsqueeze(0) for s in states))
        found = tuple(end.squeeze(0) for end in ends)
        return found if len(found) > 1 else found[0]

    call.__name__ = call.__qualname__ = name
    call.__doc__ = f"One step of `{name.removesuffix('_cell')}`: the next state of a batch."
    return call


lstm_cell, gru_cell = _cell(recurrent.lstm, "lstm_cell"), _cell(recurrent.gru, "gru_cell")
rnn_tanh_cell, rnn_relu_cell = (_cell(_rnn(kind), f"rnn_{kind}_cell") for kind in ("tanh", "relu"))

# ------------------------------------------------------------------------------------------------------------------------ norms


def frobenius_norm(input: Tensor, dim: Any, keepdim: bool = False) -> Tensor:
    """The square root of the sum of squares over `dim` (all, if empty)."""
    dims = (dim,) if isinstance(dim, int) else tuple(dim)
    return vector_norm(input, p=2, dim=dims or None, keepdim=keepdim)


def nuclear_norm(input: Tensor, dim: Any = (-2, -1), keepdim: bool = False) -> Tensor:
    """The sum of the singular values of matrices."""
    if isinstance(dim, bool):
        dim, keepdim = (-2, -1), dim
    return matrix_norm(input, "nuc", dim, keepdim)


def norm_except_dim(v: Tensor, pow: int = 2, dim: int = 0) -> Tensor:
    """The `pow`-norms over all dimensions but `dim` (over all, if -1), with sizes of 1 in their places."""
    if dim == -1:
        return vector_norm(v, p=pow)
    return vector_norm(v, p=pow, dim=tuple(d for d in range(v.ndim) if d != dim % v.ndim), keepdim=True)


# ------------------------------------------------------------------------------------------------------------------- in general


def fill(input: Tensor, value: Any) -> Tensor:
    """A tensor of the shape and dtype of `input`, every element `value`, a number or a tensor of one.

    >>> import frazil as fz
    >>> fz.fill(fz.zeros(2), 3)
    tensor([3., 3.])
    """
    return clone(input).fill_(value)


def detach(input: Tensor) -> Tensor:
    """The same memory, cut off the graph."""
    return input.detach()


def unsafe_split(input: Tensor, split_size: Any, dim: int = 0) -> tuple[Tensor, ...]:
    """As `split`; whether what it gives is written to is the program's affair."""
    return tuple(map(clone, split(input, split_size, dim)))


def unsafe_split_with_sizes(input: Tensor, split_sizes: Sequence[int], dim: int = 0) -> tuple[Tensor, ...]:
    """As `split_with_sizes`; whether what it gives is written to is the program's affair."""
    return tuple(map(clone, split(input, list(split_sizes), dim)))


def unsafe_chunk(input: Tensor, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
    """As `chunk`; whether what it gives is written to is the program's affair."""
    return tuple(map(clone, input.chunk(chunks, dim)))


def embedding_renorm_(input: Tensor, indices: Tensor, max_norm: float, norm_type: float) -> Tensor:
    """Shorten, in place, the rows of `input` that are asked for and longer than `max_norm`.

    >>> import frazil as fz
    >>> fz.embedding_renorm_(fz.tensor([[3.0, 4.0], [3.0, 4.0]]), fz.tensor([1]), 1.0, 2.0)
    tensor([[3.0000, 4.0000],
            [0.6000, 0.8000]])
    """
    F.embedding(indices, input, max_norm=max_norm, norm_type=norm_type)
    return input


def get_device(input: Tensor) -> int:
    """The number of the device; -1 for the CPU."""
    return input.get_device()


def is_signed(input: Tensor) -> bool:
    """Return whether the dtype has negative values."""
    return input.is_signed()


def is_conj(input: Tensor) -> bool:
    """Return whether a conjugation is still to be done; never."""
    return input.is_conj()


def is_neg(input: Tensor) -> bool:
    """Return whether a change of sign is still to be done; never."""
    return input.is_neg()


def is_inference(input: Tensor) -> bool:
    """Return whether it was made in `inference_mode`, so that autograd cannot save it."""
    return input.is_inference()


def is_distributed(input: Tensor) -> bool:
    """Return whether it is a part of one on several machines; never."""
    return False


def typename(obj: Any) -> str:
    """The name of a tensor's type, or of the class of anything else, with its module.

    >>> import frazil as fz
    >>> fz.typename(fz.ones(1)), fz.typename(3)
    ('frazil.FloatTensor', 'int')
    """
    if isinstance(obj, Tensor):
        return str(obj.type())
    kind = obj if getattr(obj, "__module__", None) and hasattr(obj, "__qualname__") else type(obj)
    module = kind.__module__
    return kind.__qualname__ if module in ("builtins", "__builtin__", None) else f"{module}.{kind.__qualname__}"


def __getattr__(name: str) -> Any:
    if name not in IN_PLACE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    method = getattr(Tensor, name)

    def call(input: Tensor, *args: Any, **options: Any) -> Tensor:
        return method(input, *args, **options)

    call.__name__ = call.__qualname__ = name
    call.__doc__ = method.__doc__
    globals()[name] = told = tell_keywords(call, name)
    return told
