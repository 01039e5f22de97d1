"""Losses that need a form of their own: cross entropy and negative log likelihood."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..creation import arange, zeros_of
from ..define import op
from ..errors import ArgumentError, DTypeError, ShapeError
from ..table import E, S, Spec, floats, ints, values
from ..tensor import Tensor
from .common import halves_in_float32, require_float, same
from .elementwise import (
    cast,
    clamp_numbers,
    eq,
    exp,
    le,
    log,
    log1p,
    logaddexp,
    logical_and,
    logical_not,
    logical_or,
    lt,
    mul,
    ne,
    where,
)
from .indexing import gather_values, index, scatter_values
from .norm import log_softmax
from .reduction import logsumexp, sum_
from .shape import expand, flip, narrow, pad_constant, reshape, select, stack, unsqueeze

REDUCTIONS = ("mean", "sum", "none")


def _loss_rule(name: str) -> Any:
    """The checks of a loss over classes, and the spec of its result."""

    def rule(x: Spec, target: Spec, weight: Spec | None = None, *, reduction: str, **_: Any) -> Spec:
        if reduction not in REDUCTIONS:
            raise ArgumentError(f"{name}: reduction is one of {REDUCTIONS}, given {reduction!r}")
        require_float(name, x)
        if not x.shape:
            raise ShapeError(f"{name}: x must be [batch, classes, ...] or [classes], given a 0-d tensor")
        per_sample = x.shape[:1] + x.shape[2:] if len(x.shape) > 1 else ()
        if target.dtype.kind == "i":
            if not _same_shape(target.shape, per_sample):
                raise ShapeError(
                    f"{name}: the target of class indices must have shape {list(per_sample)} for x {list(x.shape)}, given "
                    f"{list(target.shape)}"
                )
        elif target.dtype.kind == "f":
            if not _same_shape(target.shape, x.shape):
                raise ShapeError(
                    f"{name}: a target of probabilities must have the shape of x, {list(x.shape)}, given {list(target.shape)}"
                )
        else:
            raise DTypeError(f"{name}: the target must be class indices or probabilities, given {target}")
        classes = x.shape[1] if len(x.shape) > 1 else x.shape[0]
        if weight is not None and not _same_shape(weight.shape, (classes,)):
            raise ShapeError(f"{name}: weight must have one element per class, [{classes}], given {list(weight.shape)}")
        return Spec(per_sample if reduction == "none" else (), x.dtype)

    return rule


def _same_shape(a: tuple[Any, ...], b: tuple[Any, ...]) -> bool:
    return len(a) == len(b) and all(same(m, n) or m == n for m, n in zip(a, b, strict=True))


def _check(name: str, x: Tensor, target: Tensor, weight: Tensor | None, reduction: str) -> None:
    specs = [None if t is None else Spec(tuple(t._a.shape), t.dtype) for t in (x, target, weight)]
    _loss_rule(name)(*specs, reduction=reduction)


def _class_dim(x: Tensor) -> int:
    return 1 if len(x._a.shape) > 1 else 0


def _per_class(weight: Tensor, x: Tensor) -> Tensor:
    n = len(x._a.shape)
    return reshape(weight, shape=tuple(weight._a.shape[0] if i == _class_dim(x) else 1 for i in range(n)))


def _sample_weights(target: Tensor, weight: Tensor | None, ignore_index: int, dtype: Any) -> Tensor:
    """The weight of every sample: of its class, 0 where it is ignored."""
    kept = cast(ne(target, ignore_index), dtype=dtype)
    if weight is None:
        return kept
    safe = where(eq(target, ignore_index), 0, target)
    return mul(index(weight, [safe]), kept)


@op(
    layout="rows",
    vjp=(
        lambda g, x_shape, target, weight, reduction, ignore_index: _nll_vjp(g, x_shape, target, weight, reduction, ignore_index),
        None,
        None,
    ),
    samples=lambda: [
        S((4, 3), ints(4, low=0, high=2)),
        S((4, 3), ints(4, low=0, high=2), floats(3, low=0.1), reduction="sum"),
        S((4, 3, 2), ints(4, 2, low=0, high=2), reduction="none"),
        S((4, 3), values([0, -100, 2, -100])),
        S((4, 3), values([0, 1, 2, 1]), floats(3, low=0.1), ignore_index=1),
        S((3,), values(1)),
    ],
    errors=lambda: [E(S((4, 3), ints(5, low=0, high=2)), "nll_loss: the target of class indices must have shape")],
    rule=_loss_rule("nll_loss"),
    methods=[],
    public=False,
)
@halves_in_float32
def nll_loss(x, target, weight=None, /, *, reduction: str = "mean", ignore_index: int = -100):
    """-x at the target class, weighted per class; x holds log-probabilities [batch, classes, ...]."""
    _check("nll_loss", x, target, weight, reduction)
    d = _class_dim(x)
    safe = where(eq(target, ignore_index), 0, target)
    picked = reshape(gather_values(x, unsqueeze(safe, d), dim=d), shape=tuple(target._a.shape))
    weights = _sample_weights(target, weight, ignore_index, x.dtype)
    # where, not a product: an ignored -inf must not become NaN
    losses = where(eq(target, ignore_index), 0.0, -picked * weights)
    if reduction == "none":
        return losses
    total = sum_(losses)
    return total if reduction == "sum" else total / sum_(weights)


def _nll_vjp(g: Tensor, x_shape: Any, target: Tensor, weight: Tensor | None, reduction: str, ignore_index: int) -> Tensor:
    weights = _sample_weights(target, weight, ignore_index, g.dtype)
    scale = -weights * g if reduction != "mean" else -weights * (g / sum_(weights))
    d = 1 if len(x_shape) > 1 else 0
    safe = where(eq(target, ignore_index), 0, target)
    return scatter_values(zeros_of(g, tuple(x_shape)), unsqueeze(safe, d), unsqueeze(scale, d), dim=d)


def _log_or_floor(x: Tensor) -> Tensor:
    return clamp_numbers(x, min=-100.0, max=None)


@op(
    layout="elementwise",
    vjp=(
        lambda g, p, target: g * (p - target) / clamp_numbers((1 - p) * p, min=1e-12, max=None),
        lambda g, p: g * (_log_or_floor(log1p(-p)) - _log_or_floor(log(p))),
    ),
    promote="float",
    samples=lambda: [
        S(floats(3, 4, low=0.1, high=0.9), floats(3, 4, low=0, high=1)),
        S(floats(3, 4, low=0.1, high=0.9), floats(4, low=0, high=1)),
        S.of([0.0, 1.0, 0.0, 1.0, 0.5, 1e-30], [0.0, 1.0, 1.0, 0.0, 0.5, 1.0]),
    ],
    methods=[],
    public=False,
)
def probability_loss(p, target, /):
    """-(target log(p) + (1 - target) log(1 - p)) for probabilities; logarithms count as at least -100, slopes as at most 1e12."""
    return (target - 1) * _log_or_floor(log1p(-p)) - target * _log_or_floor(log(p))


_CE: dict[str, Any] = {"reduction": "mean", "ignore_index": -100, "label_smoothing": 0.0}


@op(
    vjp=(
        lambda g, x, target, weight, reduction, ignore_index, label_smoothing: (
            class_cross_entropy_grad if target.dtype.kind == "i" else soft_cross_entropy_grad
        )(g, x, target, weight, reduction=reduction, ignore_index=ignore_index, label_smoothing=label_smoothing),
        lambda g, x, target, weight, reduction, label_smoothing: _target_grad(g, x, weight, reduction, label_smoothing),
        None,
    ),
    samples=lambda: [
        S((4, 3), ints(4, low=0, high=2)),
        S((4, 3), ints(4, low=0, high=2), floats(3, low=0.1), reduction="sum"),
        S((4, 3, 2), ints(4, 2, low=0, high=2), reduction="none"),
        S((4, 3), values([0, -100, 2, -100]), label_smoothing=0.1),
        S((4, 3), ints(4, low=0, high=2), floats(3, low=0.1), label_smoothing=0.2),
        S((4, 3), floats(4, 3, low=0.1, high=1)),
        S((4, 3), floats(4, 3, low=0.1, high=1), floats(3, low=0.1), label_smoothing=0.1),
        S((3,), values(1)),
        S.of([[1e4, -1e4, 0.0]], [1]),
    ],
    errors=lambda: [
        E(S((4, 3), ints(5, low=0, high=2)), "cross_entropy: the target of class indices must have shape"),
        E(S((4, 3), ints(4, low=0, high=2), reduction="avg"), "cross_entropy: reduction is one of"),
        E(S((4, 3), floats(4, 2)), "cross_entropy: a target of probabilities must have the shape"),
    ],
    rule=_loss_rule("cross_entropy"),
    methods=[],
    public=False,
)
@halves_in_float32
def cross_entropy(x, target, weight=None, /, *, reduction: str = "mean", ignore_index: int = -100, label_smoothing: float = 0.0):
    """Cross entropy between softmax(x), x [batch, classes, ...], and class indices or probabilities."""
    _check("cross_entropy", x, target, weight, reduction)
    d = _class_dim(x)
    logp = log_softmax(x, dim=d)
    if target.dtype.kind == "f":
        soft = _smoothed(target, label_smoothing, x._a.shape[d])
        terms = logp * soft if weight is None else logp * soft * _per_class(weight, x)
        losses = -sum_(terms, dim=(d,))
        if reduction == "none":
            return losses
        total = sum_(losses)
        return total if reduction == "sum" else total / (losses.numel() if losses._a.shape else 1)
    nll = nll_loss(logp, target, weight, reduction=reduction, ignore_index=ignore_index)
    if not label_smoothing:
        return nll
    weighted = logp if weight is None else logp * _per_class(weight, x)
    smooth = where(eq(target, ignore_index), 0.0, -sum_(weighted, dim=(d,)))
    if reduction != "none":
        smooth = sum_(smooth)
    if reduction == "mean":
        smooth = smooth / sum_(_sample_weights(target, weight, ignore_index, x.dtype))
    return nll * (1 - label_smoothing) + smooth * (label_smoothing / x._a.shape[d])


def _smoothed(target: Tensor, label_smoothing: float, classes: Any) -> Tensor:
    return target * (1 - label_smoothing) + label_smoothing / classes if not same(label_smoothing, 0) else target


def _target_grad(g: Tensor, x: Tensor, weight: Tensor | None, reduction: str, label_smoothing: float) -> Tensor:
    """With respect to a target of probabilities."""
    d = _class_dim(x)
    logp = log_softmax(x, dim=d)
    if weight is not None:
        logp = logp * _per_class(weight, x)
    samples = x.numel() // x._a.shape[d]
    g = unsqueeze(g, d) if reduction == "none" else g / samples if reduction == "mean" else g
    return -logp * g * (1 - label_smoothing)


@op(
    samples=lambda: [S((4,), (4, 3), floats(4, 3, low=0, high=1), reduction="none", ignore_index=-100, label_smoothing=0.1)],
    rule=lambda g, x, target, weight=None, **_: Spec(x.shape, x.dtype),
    methods=[],
    public=False,
)
@halves_in_float32
def soft_cross_entropy_grad(g, x, target, weight=None, /, *, reduction: str, ignore_index: int, label_smoothing: float):
    """The gradient of `cross_entropy` with respect to x, for a target of probabilities."""
    d = _class_dim(x)
    classes = x._a.shape[d]
    goal = _smoothed(target, label_smoothing, classes)
    scale: Any = unsqueeze(g, d) if reduction == "none" else g
    if reduction == "mean":
        scale = g / (x.numel() // classes)
    if weight is not None:
        goal = goal * _per_class(weight, x)
    return (exp(log_softmax(x, dim=d)) * sum_(goal, dim=(d,), keepdim=True) - goal) * scale


@op(
    samples=lambda: [
        S((), (4, 3), ints(4, low=0, high=2), **_CE),
        S((), (4, 3), values([0, -100, 2, 1]), floats(3, low=0.1), reduction="mean", ignore_index=-100, label_smoothing=0.1),
        S((2, 4), (2, 3, 4), ints(2, 4, low=0, high=2), reduction="none", ignore_index=1, label_smoothing=0.0),
    ],
    rule=lambda g, x, target, weight=None, **_: Spec(x.shape, x.dtype),
    methods=[],
    public=False,
)
@halves_in_float32
def class_cross_entropy_grad(g, x, target, weight=None, /, *, reduction: str, ignore_index: int, label_smoothing: float):
    """The gradient of `cross_entropy` with respect to x, for class indices: weight * (softmax(x) * mass - target) * g."""
    d = _class_dim(x)
    classes = x._a.shape[d]
    hit = eq(unsqueeze(target, d), _per_class(arange(classes, device=x.device), x))
    goal = cast(hit, dtype=x.dtype)
    if weight is not None:
        goal = goal * _per_class(weight, x)
    if not same(label_smoothing, 0):
        even = label_smoothing / classes
        spread = expand(_per_class(weight, x), shape=tuple(x._a.shape)) * even if weight is not None else even
        goal = goal * (1 - label_smoothing) + spread
    kept = unsqueeze(ne(target, ignore_index), d)
    scale: Any = unsqueeze(g, d) if reduction == "none" else g
    if reduction == "mean":
        scale = g / sum_(_sample_weights(target, weight, ignore_index, x.dtype))
    probabilities = exp(log_softmax(x, dim=d))
    return where(kept, (probabilities * sum_(goal, dim=(d,), keepdim=True) - goal) * scale, 0.0)


# ------------------------------------------------------------------------------- connectionist temporal classification

#: The logarithm of what cannot be: far from overflow, and less than any sum of logarithms.
NEVER = -1e30

_LEAPS = np.array([[False, False, False, True, False], [False, False, False, False, False]])
_LIVE = np.array([[True, False], [True, True], [True, True], [False, True]])


def _unless(chosen: Tensor, x: Tensor) -> Tensor:
    """0 where it is chosen, `NEVER` elsewhere, in the dtype of x."""
    return cast(logical_not(chosen), dtype=x.dtype) * NEVER


def _behind(x: Tensor, places: int) -> Tensor:
    """The states that many places before, of [N, S]."""
    return narrow(pad_constant(x, pads=((0, 0), (places, 0)), value=NEVER), 1, 0, x._a.shape[1])


def _ctc_paths_rule(scores: Spec, leaps: Spec, live: Spec, start: Spec) -> Spec:
    require_float("ctc_paths", scores)
    expected = scores.shape[1:], scores.shape[:2], scores.shape[1:]
    if len(scores.shape) != 3 or not all(map(_same_shape, (leaps.shape, live.shape, start.shape), expected)):
        raise ShapeError(
            "ctc_paths: expected scores [T, N, S], leaps [N, S], live [T, N] and start [N, S], given "
            f"{list(scores.shape)}, {list(leaps.shape)}, {list(live.shape)} and {list(start.shape)}"
        )
    return Spec(scores.shape, scores.dtype)


@op(
    rule=_ctc_paths_rule,
    promote="same",
    promoted=(0, 3),
    samples=lambda: [
        S((4, 2, 5), values(_LEAPS), values(_LIVE), (2, 5)),
        S((1, 2, 5), values(_LEAPS), values(_LIVE[:1]), (2, 5)),
    ],
    errors=lambda: [
        E(S((4, 2, 5), values(_LEAPS), values(_LIVE[:3]), (2, 5)), r"ctc_paths: expected scores \[T, N, S\]"),
        E(S((4, 2, 5), values(_LEAPS), values(_LIVE), (2, 4)), r"ctc_paths: expected scores \[T, N, S\]"),
    ],
    methods=[],
    public=False,
)
@halves_in_float32
def ctc_paths(scores, leaps, live, start, /):
    """[T, N, S]: the logarithm of the weight of all paths that end in each state at each step.

    A path begins with `start` [N, S] at the first step that is `live` [T, N]; at every further one it stays, goes on by a state,
    or by two to a state that `leaps` [N, S] allows. `scores` are added at every live step; at others nothing changes.
    """
    closed = _unless(leaps, scores)
    alpha, found, before = start, [], None
    for t in range(int(scores._a.shape[0])):
        go = unsqueeze(select(live, dim=0, index=t), 1)
        further = logaddexp(logaddexp(alpha, _behind(alpha, 1)), _behind(alpha, 2) + closed)
        moved = where(go if before is None else logical_and(go, logical_not(before)), alpha, further)
        moved = clamp_numbers(moved + select(scores, dim=0, index=t), min=NEVER, max=None)
        alpha, before = where(go, moved, alpha), go
        found.append(alpha)
    return stack(found)


def _ctc_ends(scores: Tensor, inputs: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Which steps are live, where a path begins, and where it ends: as `ctc_paths` wants it."""
    live = lt(unsqueeze(arange(scores._a.shape[0], device=scores.device), 1), inputs)
    places, last = arange(scores._a.shape[2], device=scores.device), unsqueeze(lengths * 2, 1)
    begins = le(places, unsqueeze(clamp_numbers(inputs, min=None, max=1), 1))  # of no step at all nothing but the first blank
    return live, _unless(begins, scores), _unless(logical_or(eq(places, last), eq(places, last - 1)), scores)


def _ctc_vjp(g: Tensor, scores: Tensor, leaps: Tensor, inputs: Tensor, lengths: Tensor, y: Tensor) -> Tensor:
    """The share that each state at each step has in all paths: those that come to it, and, from the end, those that go on."""
    live, start, end = _ctc_ends(scores, inputs, lengths)
    come = ctc_paths(scores, leaps, live, start)
    back = (
        flip(pad_constant(narrow(leaps, 1, 2, leaps._a.shape[1] - 2), pads=((0, 0), (0, 2)), value=False), (1,))
        if leaps._a.shape[1] > 2
        else leaps
    )
    go = flip(ctc_paths(flip(scores, (0, 2)), back, flip(live, (0,)), flip(end, (1,))), (0, 2))
    possible = logical_and(unsqueeze(live, 2), unsqueeze(logical_not(le(y, NEVER / 2)), 1))
    return exp(where(possible, come + go - scores - unsqueeze(y, 1), NEVER)) * unsqueeze(g, 1)


_STEPS, _TARGETS = np.array([4, 3]), np.array([2, 1])


@op(
    rule=lambda scores, leaps, inputs, lengths: Spec((scores.shape[1],), scores.dtype),
    vjp=(_ctc_vjp, None, None, None),
    samples=lambda: [S((4, 2, 5), values(_LEAPS), values(_STEPS), values(_TARGETS))],
    methods=[],
    public=False,
)
@halves_in_float32
def ctc_total(scores, leaps, inputs, lengths, /):
    """[N]: the logarithm of the weight of all paths through the first `inputs` steps that end with the `lengths` targets."""
    live, start, end = _ctc_ends(scores, inputs, lengths)
    last = select(ctc_paths(scores, leaps, live, start), dim=0, index=-1) if scores._a.shape[0] else start
    return logsumexp(last + end, dim=(1,))
