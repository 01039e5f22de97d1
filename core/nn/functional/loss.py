"""Loss functions.

`reduction` is "mean", "sum" or "none"; PyTorch's older `size_average` and `reduce` are understood too.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

from ... import dtypes
from ...creation import arange, as_tensor, full
from ...errors import ArgumentError, DTypeError, ShapeError
from ...ops import elementwise
from ...ops import loss as table
from ...ops.activation import log_sigmoid, softplus
from ...ops.common import at_hand, broadcast, has_numbers, require_float, specs
from ...ops.loss import NEVER, ctc_total
from ...ops.shape import cat, pad, stack
from ...sizes import same, surely
from ...tensor import Tensor
from .linear import linear, pairwise_distance

where: Callable[..., Any] = elementwise.where


def legacy_reduction(size_average: bool | None, reduce: bool | None, reduction: str, tell: bool = True) -> str:
    """The reduction meant by PyTorch's deprecated arguments, or `reduction` when they are not given."""
    if size_average is None and reduce is None:
        return reduction
    if tell:
        warnings.warn("size_average and reduce args will be deprecated, please use reduction instead", stacklevel=3)
    if reduce is False:
        return "none"
    return "sum" if size_average is False else "mean"


def _reduced(losses: Any, reduction: str) -> Any:
    if reduction == "mean":
        return losses.mean()
    if reduction == "sum":
        return losses.sum()
    if reduction != "none":
        raise ArgumentError(f"{reduction} is not a valid value for reduction: it is 'mean', 'sum' or 'none'")
    return losses


def _weighted(losses: Any, reduction: str, weight: Tensor | None) -> Any:
    """The reduction of weighted losses; the mean divides by the sum of the weights."""
    if weight is None:
        return _reduced(losses, reduction)
    losses = losses * weight
    return losses.sum() / weight.expand(*losses.shape).sum() if reduction == "mean" else _reduced(losses, reduction)


def _operands(input: Tensor, target: Tensor) -> tuple[Any, Any]:
    """Warn where broadcasting is more likely a mistake than meant."""
    if tuple(input.shape) != tuple(target.shape):
        warnings.warn(
            f"Using a target size ({target.shape}) that is different to the input size ({input.shape}). This will likely lead "
            "to incorrect results due to broadcasting. Please ensure they have the same size.",
            stacklevel=4,
        )
    return input, target


def _numbers(input: Tensor, target: Tensor) -> tuple[Any, Any]:
    """`_operands`, where one of them is bool and the other not as numbers."""
    a, b = _operands(input, target)
    if (a.dtype is dtypes.bool_) != (b.dtype is dtypes.bool_):
        a, b = (a.to(b.dtype), b) if a.dtype is dtypes.bool_ else (a, b.to(a.dtype))
    return a, b


def _class_target(name: str, input: Tensor, target: Tensor, weight: Tensor | None) -> Any:
    """The target as the ops take it: bytes are class indices too; PyTorch's checks of what goes with it."""
    shape = input.shape
    if not shape or (classes := shape[min(len(shape) - 1, 1)]) == 0:  # a recording notes this
        raise ShapeError(f"{name}: expected scores [N, C, ...] or [C] of at least one class, given {list(shape)}")
    if weight is not None:
        if weight.dtype is not input.dtype:
            raise DTypeError(f"{name}: weight must be {input.dtype.name} as the input is, given {weight.dtype.name}")
        if weight.ndim != 1 or (not same(weight.shape[0], classes) and weight.shape[0] != classes):
            raise ShapeError(f"{name}: weight has one number for each of the {classes} classes, given {list(weight.shape)}")
    if target.dtype is dtypes.int64:
        return target
    if target.dtype is dtypes.uint8:
        return target.long()
    if target.dtype.kind in "bi":
        raise DTypeError(f"{name}: class indices must be int64 or uint8, given {target.dtype.name}; convert them with .long()")
    if target.dtype.kind == "f" and target.ndim == input.ndim - 1 and tuple(target.shape) == (*input.shape[:1], *input.shape[2:]):
        raise DTypeError(
            f"{name}: a target of shape {list(target.shape)} for an input of {list(input.shape)} holds class indices, which are "
            f"int64, not {target.dtype.name}; convert it with .long()"
        )
    return target


def cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    ignore_index: int = -100,
    reduce: bool | None = None,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """Cross entropy between the softmax of `input` [N, C, ...] (or [C]) and `target`: class indices [N, ...] or probabilities
    [N, C, ...].

    `weight` is per class; indices equal to `ignore_index` do not count.

    >>> import frazil as fz
    >>> fz.nn.functional.cross_entropy(fz.zeros(2, 4), fz.tensor([0, 3]))
    tensor(1.3863)
    """
    reduction = legacy_reduction(size_average, reduce, reduction)
    if not 0.0 <= label_smoothing <= 1.0:
        raise ArgumentError(f"cross_entropy: label_smoothing is between 0 and 1, given {label_smoothing}")
    target = _class_target("cross_entropy", input, target, weight)
    if target.dtype.kind == "f" and ignore_index >= 0:
        raise ArgumentError(
            f"cross_entropy: ignore_index is for a target of class indices, given {target.dtype.name} and {ignore_index}"
        )
    options = {"reduction": reduction, "ignore_index": ignore_index, "label_smoothing": label_smoothing}
    return table.cross_entropy(input, target, weight, **options)


def linear_cross_entropy(
    input: Tensor,
    linear_weight: Tensor,
    target: Tensor,
    *,
    linear_bias: Tensor | None = None,
    weight: Tensor | None = None,
    reduction: str = "mean",
    ignore_index: int | None = None,
    label_smoothing: float = 0.0,
    options: Any = None,
) -> Tensor:
    """`cross_entropy` of a linear layer: scores of `input` [N, features] by `linear_weight` [C, ..., features].

    `options`, about the chunks in which PyTorch computes, are accepted for its sake.

    >>> import frazil as fz
    >>> fz.nn.functional.linear_cross_entropy(fz.zeros(2, 3), fz.ones(4, 3), fz.tensor([0, 3]))
    tensor(1.3863)
    """
    features: Any = linear_weight.shape[-1]
    scores = linear(input, linear_weight.reshape(-1, features), None if linear_bias is None else linear_bias.reshape(-1))
    scores = scores.reshape(*input.shape[:-1], *linear_weight.shape[:-1])
    ignored = -100 if ignore_index is None else ignore_index
    return cross_entropy(scores, target, weight, None, ignored, None, reduction, label_smoothing)


def nll_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    ignore_index: int = -100,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Negative log-likelihood: -input at the target class, `input` [N, C, ...] being log-probabilities."""
    reduction = legacy_reduction(size_average, reduce, reduction)
    target = _class_target("nll_loss", input, target, weight)
    if target.dtype.kind != "i":
        raise DTypeError(
            f"nll_loss: the target must be class indices (int64), given {target.dtype.name}; convert it with .long()"
        )
    return table.nll_loss(input, target, weight, reduction=reduction, ignore_index=ignore_index)


def mse_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    weight: Tensor | None = None,
) -> Tensor:
    """(input - target) squared.

    >>> import frazil as fz
    >>> fz.nn.functional.mse_loss(fz.tensor([1.0, 2.0]), fz.tensor([1.0, 4.0]))
    tensor(2.)
    """
    a, b = _numbers(input, target)
    difference = a - b
    require_float("mse_loss", *specs(difference))
    return _weighted(difference * difference, legacy_reduction(size_average, reduce, reduction), weight)


def l1_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    weight: Tensor | None = None,
) -> Tensor:
    """|input - target|."""
    a, b = _operands(input, target)
    return _weighted((a - b).abs(), legacy_reduction(size_average, reduce, reduction), weight)


def smooth_l1_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    beta: float = 1.0,
) -> Tensor:
    """The square, divided by 2 `beta`, where |input - target| < beta; |input - target| - beta / 2 elsewhere."""
    if surely(beta < 0):
        raise ArgumentError(f"smooth_l1_loss: beta must not be negative, given {beta}")
    a, b = _numbers(input, target)
    require_float("smooth_l1_loss", *specs(a - b))
    distance = (a - b).abs()
    if not same(beta, 0):
        near = distance.clamp(max=beta)  # what lies beyond is linear; no square of it, which could be infinite
        distance = near * near * (0.5 / beta) + (distance - near)
    return _reduced(distance, legacy_reduction(size_average, reduce, reduction))


def huber_loss(
    input: Tensor, target: Tensor, reduction: str = "mean", delta: float = 1.0, weight: Tensor | None = None
) -> Tensor:
    """Half the square where |input - target| < delta, delta (|input - target| - delta / 2) elsewhere; `weight` multiplies."""
    if surely(delta <= 0):
        raise ArgumentError(f"huber_loss: delta must be positive, given {delta}")
    require_float("huber_loss", *specs(input))
    a, b = _numbers(input, target)
    distance = (a - b).abs()
    near = distance.clamp(max=delta)
    losses = near * near * 0.5 + (distance - near) * delta
    return _reduced(losses if weight is None else losses * weight, reduction)


def _check_weight(name: str, input: Tensor, weight: Tensor | None) -> None:
    """Refuse weights that would make the losses more than there are elements."""
    if weight is not None and tuple(broadcast(name, input.shape, weight.shape)) != tuple(input.shape):
        raise ShapeError(f"{name}: a weight of shape {list(weight.shape)} does not broadcast to the input, {list(input.shape)}")


def _same_size(name: str, input: Tensor, target: Tensor) -> tuple[Any, Any]:
    if tuple(input.shape) != tuple(target.shape):
        raise ShapeError(f"{name}: target size ({target.shape}) must be the same as input size ({input.shape})")
    return input, target


def binary_cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """-(target log(input) + (1 - target) log(1 - input)) for probabilities; logarithms count as at least -100."""
    p, t = _same_size("binary_cross_entropy", input, target)
    if target.dtype is not input.dtype or input.dtype.kind != "f":
        raise DTypeError(
            f"binary_cross_entropy: input and target must be of one floating dtype, given {input.dtype.name} and "
            f"{target.dtype.name}; convert one with .to(dtype)"
        )
    for what, x in (("input", input), ("target", target)):
        values = at_hand(x)
        if values is not None and not ((values >= 0) & (values <= 1)).all():
            raise ArgumentError(
                f"binary_cross_entropy: all elements of {what} lie between 0 and 1, found {values.min()} to {values.max()}"
                + ("; binary_cross_entropy_with_logits takes scores of any size" if what == "input" else "")
            )
    _check_weight("binary_cross_entropy", input, weight)
    losses = table.probability_loss(p, t)
    if weight is not None:
        losses = losses * weight
    return _reduced(losses, legacy_reduction(size_average, reduce, reduction))


def binary_cross_entropy_with_logits(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    pos_weight: Tensor | None = None,
) -> Tensor:
    """`binary_cross_entropy` of sigmoid(input), without overflow; `pos_weight` multiplies the part of positive targets.

    >>> import frazil as fz
    >>> fz.nn.functional.binary_cross_entropy_with_logits(fz.tensor([1e4, 0.0]), fz.tensor([1.0, 1.0]))
    tensor(0.3466)
    """
    x, t = _same_size("binary_cross_entropy_with_logits", input, target)
    if target.dtype.kind != "f":
        raise DTypeError(
            f"binary_cross_entropy_with_logits: the target must be floating, given {target.dtype.name}; convert it with .float()"
        )
    if pos_weight is None:
        losses = (1.0 - t) * x - log_sigmoid(x)
    else:
        losses = (1.0 - t) * x - log_sigmoid(x) * (1.0 + (pos_weight - 1.0) * t)
    if weight is not None:
        losses = losses * weight
    return _reduced(losses, legacy_reduction(size_average, reduce, reduction))


def kl_div(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    log_target: bool = False,
) -> Tensor:
    """target (log(target) - input), for log-probabilities `input` and probabilities `target` (or their logarithms, with
    `log_target`).

    The divergence itself is `reduction="batchmean"`: the sum divided by the size of the batch.
    """
    reduction = legacy_reduction(size_average, reduce, reduction)
    x: Any = input
    t: Any = target
    require_float("kl_div", *specs(x, t))
    losses = t.exp() * (t - x) if log_target else elementwise.xlogy(t, t) - t * x
    if reduction == "batchmean":
        return losses.sum() / input.shape[0] if input.ndim else losses.sum()
    if reduction == "mean":
        warnings.warn(
            "reduction: 'mean' divides the total loss by both the batch size and the support size. 'batchmean' divides only by "
            "the batch size, and aligns with the KL div math definition.",
            stacklevel=2,
        )
    return _reduced(losses, reduction)


def poisson_nll_loss(
    input: Tensor,
    target: Tensor,
    log_input: bool = True,
    full: bool = False,
    size_average: bool | None = None,
    eps: float = 1e-8,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Negative log-likelihood of counts `target` under Poisson rates `input` (or their logarithms); `full` adds Stirling's
    term."""
    x: Any = input
    t: Any = target
    losses = x.exp() - t * x if log_input else x - t * (x + eps).log()
    if full:
        above = where(t > 1, t, 1.0)  # the term is 0 up to a target of 1, and its logarithm must stay finite there
        stirling = above * above.log() - above + 0.5 * (above * (2.0 * math.pi)).log()
        losses = losses + where(t > 1, stirling, 0.0)
    return _reduced(losses, legacy_reduction(size_average, reduce, reduction))


def gaussian_nll_loss(
    input: Tensor, target: Tensor, var: Any, full: bool = False, eps: float = 1e-6, reduction: str = "mean"
) -> Tensor:
    """Negative log-likelihood of `target` under normal distributions with mean `input` and variance `var` (at least `eps`).

    `var` has the shape of `input`, with 1 in one dimension or without the last.
    """
    x: Any = input
    if not isinstance(var, Tensor):
        var = elementwise.zeros_like(input) + var
    if tuple(var.shape) != tuple(input.shape):
        if tuple(var.shape) == tuple(input.shape[:-1]):
            var = var.unsqueeze(-1)
        elif var.ndim != input.ndim or [m for m, n in zip(var.shape, input.shape, strict=True) if not same(m, n)] != [1]:
            raise ArgumentError(f"var is of incorrect size: {tuple(var.shape)} for an input of {tuple(input.shape)}")
    require_float("gaussian_nll_loss", *specs(var))
    if has_numbers(var) and bool((var < 0).any()):
        raise ArgumentError("var has negative entry/entries")
    floored = var + (var.clamp(min=eps) - var).detach()  # the floor has no gradient of its own
    losses = 0.5 * (floored.log() + (x - target) ** 2 / floored)
    if full:
        losses = losses + 0.5 * math.log(2.0 * math.pi)
    return _reduced(losses, reduction)


def hinge_embedding_loss(
    input: Tensor,
    target: Tensor,
    margin: float = 1.0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """`input` where the target is 1, max(0, margin - input) where it is -1."""
    x: Any = input
    t: Any = target
    require_float("hinge_embedding_loss", *specs(x))
    losses = where(t != -1, x, 0.0) + where(t != 1, (margin - x).clamp(min=0.0), 0.0)
    return _reduced(losses, legacy_reduction(size_average, reduce, reduction))


def margin_ranking_loss(
    input1: Tensor,
    input2: Tensor,
    target: Tensor,
    margin: float = 0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """max(0, -target (input1 - input2) + margin): the first should be larger where the target is 1, the second where it is -1."""
    if not input1.ndim == input2.ndim == target.ndim:
        raise ShapeError(
            f"margin_ranking_loss: all tensors must have as many dimensions, given {list(input1.shape)}, {list(input2.shape)}, "
            f"{list(target.shape)}"
        )
    t: Any = target
    losses = (-t * (input1 - input2) + margin).clamp(min=0.0)
    return _reduced(losses, legacy_reduction(size_average, reduce, reduction))


def cosine_embedding_loss(
    input1: Tensor,
    input2: Tensor,
    target: Tensor,
    margin: float = 0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """1 - cos(input1, input2) where the target is 1, max(0, cos - margin) where it is -1."""
    a: Any = input1
    b: Any = input2
    t: Any = target
    if input1.ndim - 1 != target.ndim or input2.ndim != input1.ndim:
        raise ShapeError(
            f"cosine_embedding_loss: a target of shape {tuple(target.shape)} does not fit inputs of {tuple(input1.shape)}"
        )
    tiny = 1e-12  # as PyTorch has it, so that zero vectors give the same
    cosine = (a * b).sum(dim=-1) / (((a * a).sum(dim=-1) + tiny) * ((b * b).sum(dim=-1) + tiny)).sqrt()
    losses = where(t == 1, 1.0 - cosine, 0.0) + where(t == -1, (cosine - margin).clamp(min=0.0), 0.0)
    return _reduced(losses, legacy_reduction(size_average, reduce, reduction))


def triplet_margin_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    margin: float = 1.0,
    p: float = 2,
    eps: float = 1e-6,
    swap: bool = False,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """max(0, distance(anchor, positive) - distance(anchor, negative) + margin); `swap` uses the nearer of anchor and positive
    for the second."""
    reduction = legacy_reduction(size_average, reduce, reduction)
    return triplet_margin_with_distance_loss(
        anchor,
        positive,
        negative,
        distance_function=lambda a, b: pairwise_distance(a, b, p, eps),
        margin=margin,
        swap=swap,
        reduction=reduction,
    )


def triplet_margin_with_distance_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    *,
    distance_function: Callable[[Tensor, Tensor], Tensor] | None = None,
    margin: float = 1.0,
    swap: bool = False,
    reduction: str = "mean",
) -> Tensor:
    """`triplet_margin_loss` with any distance."""
    if not anchor.ndim == positive.ndim == negative.ndim:
        raise ShapeError(
            f"triplet_margin_loss: all tensors must have as many dimensions, given {list(anchor.shape)}, {list(positive.shape)}, "
            f"{list(negative.shape)}"
        )
    if margin <= 0:
        raise ArgumentError(f"margin must be greater than 0, got {margin}")
    distance: Callable[..., Any] = pairwise_distance if distance_function is None else distance_function
    near, far = distance(anchor, positive), distance(anchor, negative)
    if swap:
        far = elementwise.minimum(far, distance(positive, negative))
    return _reduced((near - far + margin).clamp(min=0.0), reduction)


def soft_margin_loss(
    input: Tensor, target: Tensor, size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean"
) -> Tensor:
    """log(1 + exp(-target input)), for targets 1 and -1."""
    require_float("soft_margin_loss", *specs(input))
    losses = softplus(-(input * target))
    return _reduced(losses, legacy_reduction(size_average, reduce, reduction))


def multilabel_soft_margin_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """The mean over classes of the binary cross entropy of sigmoid(input), per sample."""
    x: Any = input
    t: Any = target
    if not input.ndim:
        raise ShapeError("multilabel_soft_margin_loss: a single number has no classes")
    losses = -(t * log_sigmoid(x) + (1.0 - t) * log_sigmoid(-x))
    if weight is not None:
        losses = losses * weight
    return _reduced(losses.mean(dim=-1), legacy_reduction(size_average, reduce, reduction))


def _classwise(input: Tensor) -> tuple[Any, bool]:
    """The input as [N, C], and whether it was."""
    if input.ndim not in (1, 2):
        raise ShapeError(f"expected an input [N, C] or [C], given shape {tuple(input.shape)}")
    return (input, True) if input.ndim == 2 else (input.unsqueeze(0), False)


def multi_margin_loss(
    input: Tensor,
    target: Tensor,
    p: int = 1,
    margin: float = 1.0,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """The mean over the other classes of max(0, margin - input[target] + input[other]) ** p."""
    if p not in (1, 2):
        raise ArgumentError("only p == 1 and p == 2 supported")
    require_float("multi_margin_loss", *specs(input))
    input = input if input.ndim else input.reshape(1)  # a number is one class
    x, batched = _classwise(input)
    if tuple(target.shape) != tuple(input.shape[:-1]) and not (not batched and target.numel() == 1):
        raise ShapeError(f"multi_margin_loss: one target per sample, given {list(target.shape)} for {list(input.shape)}")
    t: Any = target.reshape(-1, 1)
    terms = (margin - x.gather(1, t) + x).clamp(min=0.0) ** p
    if weight is not None:
        terms = terms * weight[t]
    classes = elementwise.zeros_like(x).scatter(1, t, 1.0)
    losses = (terms * (1.0 - classes)).sum(dim=1) / x.shape[1]
    return _reduced(losses if batched else losses.squeeze(0), legacy_reduction(size_average, reduce, reduction))


def multilabel_margin_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """The hinge between every target class and every other, of [N, C] or [C]; a row of `target` lists classes up to the first -1.

    >>> import frazil as fz
    >>> fz.nn.functional.multilabel_margin_loss(fz.tensor([0.1, 0.2, 0.4, 0.8]), fz.tensor([3, 0, -1, 1]))
    tensor(0.8500)
    """
    if input.ndim > 2 or tuple(input.shape) != tuple(target.shape):
        raise ShapeError(
            f"multilabel_margin_loss: expected input and target of one shape, [N, C], [C] or [], given {list(input.shape)} and "
            f"{list(target.shape)}"
        )
    require_float("multilabel_margin_loss", *specs(input))
    if input.ndim == 0:
        input, target = input.reshape(1), target.reshape(1)
    listed = (target >= 0).to(dtypes.int64).cumprod(-1)
    classes = target.clamp(min=0)
    wanted = (input * 0).detach().scatter_add(-1, classes, listed.to(input.dtype)) > 0
    margins = 1 - input.gather(-1, classes).unsqueeze(-1) + input.unsqueeze(-2)
    counted = listed.unsqueeze(-1).to(dtypes.bool_) & wanted.logical_not().unsqueeze(-2)
    losses = where(counted, margins.clamp(min=0), 0.0).sum((-2, -1)) / input.shape[-1]
    return _reduced(losses, legacy_reduction(size_average, reduce, reduction))


def ctc_loss(
    log_probs: Tensor,
    targets: Tensor,
    input_lengths: Any,
    target_lengths: Any,
    blank: int = 0,
    reduction: str = "mean",
    zero_infinity: bool = False,
) -> Tensor:
    """Minus the logarithm of the probability that outputs, once repetitions and blanks are taken out, are the targets.

    Args:
        log_probs: [T, N, C] or [T, C], logarithms of probabilities (of `log_softmax`).
        targets: classes other than `blank`: [N, S], or those of all samples one after another.
        input_lengths: how many of the T steps each sample has.
        target_lengths: how many targets each sample has.
        reduction: "mean" divides every loss by its number of targets first.
        zero_infinity: 0 in the place of infinite losses, of targets that do not fit, and of their gradients.

    As in PyTorch, the gradient is that of outputs which `log_softmax` gave. Source: Graves et al., "Connectionist temporal
    classification", 2006.

    >>> import frazil as fz
    >>> steps = fz.full((4, 1, 3), 1 / 3).log()
    >>> fz.nn.functional.ctc_loss(steps, fz.tensor([[1, 2]]), fz.tensor([4]), fz.tensor([2]))
    tensor(0.8432)
    """
    single = log_probs.ndim == 2
    if log_probs.ndim not in (2, 3):
        raise ShapeError(f"ctc_loss: expected log_probs of [T, N, C] or [T, C], given {list(log_probs.shape)}")
    require_float("ctc_loss", *specs(log_probs))
    p: Any = log_probs.unsqueeze(1) if single else log_probs
    steps, samples, classes = p.shape
    if not 0 <= blank < classes:
        raise ArgumentError(f"ctc_loss: blank is one of the {classes} classes, given {blank}")
    inputs = as_tensor(input_lengths, device=p.device).reshape(-1).to(dtypes.int64)
    lengths = as_tensor(target_lengths, device=p.device).reshape(-1).to(dtypes.int64)
    rows = targets.unsqueeze(0) if single and targets.ndim == 1 else targets
    if rows.ndim == 1:  # one after another
        places = lengths.cumsum(0) - lengths
        longest = int(lengths.max()) if lengths.numel() else 0
        at = places.unsqueeze(1) + arange(longest, device=p.device)
        rows = rows[at.clamp(max=max(rows.shape[0] - 1, 0))] if rows.shape[0] else rows.reshape(1, 0).expand(samples, 0)
    if inputs.shape[0] != samples or lengths.shape[0] != samples or rows.shape[0] != samples:
        raise ShapeError(
            f"ctc_loss: expected targets and lengths of {samples} samples, given {list(targets.shape)}, {list(inputs.shape)} and "
            f"{list(lengths.shape)}"
        )
    held = at_hand(inputs)
    if held is not None and (held > steps).any():
        raise ArgumentError(f"ctc_loss: input_lengths are at most the {steps} steps there are, given {held.tolist()}")
    rows = rows.to(dtypes.int64).clamp(0, classes - 1)
    size = 2 * rows.shape[1] + 1
    # Blanks around the targets; a state may be reached from the one before it, and past a blank between different classes.
    states = stack([(rows * 0 + blank), rows], -1).reshape(samples, size - 1)
    states = cat([states, full((samples, 1), blank, dtype=dtypes.int64, device=p.device)], 1)
    apart = pad(states[:, 2:] != states[:, :-2], (2, 0)) if size > 2 else states != states
    leaps = apart & (states != blank)
    scores = p.clamp(min=NEVER / 1e5).gather(2, states.unsqueeze(0).expand(steps, *states.shape))
    found: Any = ctc_total(scores, leaps, inputs, lengths)
    fits = ~(found <= NEVER / 2) | ((inputs == 0) & (lengths == 0))  # NaN is not taken for a path that cannot be
    inside = (arange(steps, device=p.device).unsqueeze(1) < inputs).unsqueeze(2)
    total = where(inside, p, -math.inf).exp().sum((0, 2))
    losses = where((inputs == 0) & (lengths == 0), 0.0, -found) + (total - total.detach())
    losses = where(fits, losses, 0.0 if zero_infinity else math.inf)
    if reduction == "mean":
        losses = losses / lengths.clamp(min=1).to(losses.dtype)
    reduced = _reduced(losses, reduction)
    return reduced.squeeze(0) if single and reduction == "none" else reduced
