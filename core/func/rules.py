"""How each kind of op runs on all samples of a `vmap` at once: op name -> rule.

A rule gets the level, the op, its arrays (of which one at least is batched) and its attributes in canonical form, and returns the
tensor inside of the result, whose first dimension are the samples; `NotImplemented` where it does not fit. A composite without a
rule runs its body on the samples, a primitive without one runs on one sample after another, with a warning.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..creation import arange
from ..errors import ArgumentError
from ..ops.shape import stack
from ..sizes import prod
from ..table import OPS
from ..tensor import Tensor
from ..warn import warn

Rule = Callable[..., Any]
RULES: dict[str, Rule] = {}


def rule(*names: str) -> Callable[[Rule], Rule]:
    """Register a rule for several ops."""

    def decorate(function: Rule) -> Rule:
        RULES.update(dict.fromkeys(names, function))
        return function

    return decorate


def _spread(array: Any, ndim: int) -> Any:
    """The tensor inside, so that it broadcasts with others of `ndim` dimensions per sample."""
    if array is None or not array.batched or len(array.shape) == ndim:
        return None if array is None else array.value
    n = array.value._a.shape[0]
    return array.value.reshape(n, *[1] * (ndim - len(array.shape)), *array.shape)


def _all(level: Any, arrays: Any) -> list[Any]:
    return [None if a is None else level.each(a) for a in arrays]


def _only_first(arrays: Any) -> bool:
    return arrays[0].batched and not any(a is not None and a.batched for a in arrays[1:])


#: Composites that compute every element by itself; of primitives the table says so (`promote`), or they stand here.
ELEMENTWISE = (
    "acos acosh asin asinh atan atanh cosh ge gt le logical_and logical_or logical_xor minimum ne remainder sinh tan "
    "abs bitwise_not cast ceil copy floor logical_not neg round_half_even sign trunc where detach addcdiv addcmul celu "
    "clamp_numbers elu erfc exp2 frac gelu gelu_grad hardshrink hardsigmoid hardswish hardtanh hypot isfinite isinf isnan "
    "leaky_relu lerp log10 log2 log_odds log_sigmoid logaddexp mish nan_to_num reciprocal relu relu_grad rsqrt selu "
    "conj_physical sigmoid silu silu_grad softplus softshrink softsign square tanhshrink threshold trunc_divide xlogy"
).split()


@rule(
    *ELEMENTWISE,
    *(name for name, op in OPS.items() if op.kind == "primitive" and op.promote in ("common", "float") and not op.packed),
)
def _elementwise(level: Any, op: Any, arrays: Any, attrs: Any) -> Any:
    if op.body is not None:  # its rule may say that the result is like one of them
        arrays = [a if a is None or a.batched else type(a)(level.each(a), True) for a in arrays]
    ndim = max(len(a.shape) for a in arrays if a is not None)
    return op.call(*(_spread(a, ndim) for a in arrays), **attrs)


@rule("sum", "prod", "amax", "amin", "all", "any", "mean", "variance", "logsumexp", "vector_norm")
def _reduce(level: Any, op: Any, arrays: Any, attrs: Any) -> Any:
    (x,) = arrays
    if not x.shape:
        return op.call(x.value.unsqueeze(1), **{**attrs, "dim": (1,), "keepdim": False})
    dim = attrs["dim"]
    dims = range(len(x.shape)) if dim is None else (dim,) if isinstance(dim, int) else dim
    if dim is not None and not dims:
        dims = range(len(x.shape)) if op.name in ("mean", "variance", "logsumexp", "vector_norm") else ()
        if not dims:
            return NotImplemented
    return op.call(x.value, **{**attrs, "dim": tuple(d + 1 for d in dims)})


@rule("argmax", "argmin")
def _arg(level: Any, op: Any, arrays: Any, attrs: Any) -> Any:
    (x,) = arrays
    if attrs["dim"] is not None and x.shape:
        return op.call(x.value, dim=attrs["dim"] + 1, keepdim=attrs["keepdim"])
    found = op.call(x.value.reshape(x.value._a.shape[0], prod(x.shape)), dim=1, keepdim=False)
    return found.reshape(-1, *[1] * len(x.shape)) if attrs["keepdim"] else found


@rule(
    "cumsum",
    "cumprod",
    "fourier",
    "fourier_half",
    "fourier_from_half",
    "softmax",
    "log_softmax",
    "sort_values",
    "topk_values",
    "softmax_grad",
)
def _along(level: Any, op: Any, arrays: Any, attrs: Any) -> Any:
    values = _all(level, arrays)
    if arrays[0].shape:
        return op.call(*values, **{**attrs, "dim": attrs["dim"] + 1})
    found = op.call(*(v.unsqueeze(1) for v in values), **{**attrs, "dim": 1})
    return tuple(y.squeeze(1) for y in found) if op.outputs > 1 else found.squeeze(1)


@rule("view_as_real", "view_as_complex")
def _pairs(level: Any, op: Any, arrays: Any, attrs: Any) -> Any:
    return op.call(arrays[0].value)


@rule("flip")
def _flip(level: Any, op: Any, arrays: Any, attrs: Any) -> Any:
    return op.call(arrays[0].value, dims=tuple(d + 1 for d in attrs["dims"]))


@rule("reshape")
def _reshape(level: Any, op: Any, arrays: Any, attrs: Any) -> Any:
    return op.call(arrays[0].value, shape=(level.size, *attrs["shape"]))


@rule("expand")
def _expand(level: Any, op: Any, arrays: Any, attrs: Any) -> Any:
    return op.call(_spread(arrays[0], len(attrs["shape"])), shape=(level.size, *attrs["shape"]))


@rule("permute")
def _permute(level: Any, op: Any, arrays: Any, attrs: Any) -> Any:
    return op.call(arrays[0].value, dims=(0, *(d + 1 for d in attrs["dims"])))


@rule("slice", "slice_scatter")
def _slice(level: Any, op: Any, arrays: Any, attrs: Any) -> Any:
    values = _all(level, arrays)
    return op.call(*values, starts=(0, *attrs["starts"]), stops=(level.size, *attrs["stops"]), steps=(1, *attrs["steps"]))


@rule("diagonal", "diagonal_scatter")
def _diagonal(level: Any, op: Any, arrays: Any, attrs: Any) -> Any:
    dims = {name: attrs[name] + 1 for name in ("dim1", "dim2")}
    return op.call(*_all(level, arrays), offset=attrs["offset"], **dims)


@rule("pad_constant")
def _pad(level: Any, op: Any, arrays: Any, attrs: Any) -> Any:
    return op.call(arrays[0].value, pads=((0, 0), *attrs["pads"]), value=attrs["value"])


@rule("cat")
def _cat(level: Any, op: Any, arrays: Any, attrs: Any) -> Any:
    return op.call(_all(level, arrays), dim=attrs["dim"] + 1)


@rule("tril", "triu")
def _triangle(level: Any, op: Any, arrays: Any, attrs: Any) -> Any:
    return op.call(arrays[0].value, **attrs)


@rule("select", "pieces")
def _select(level: Any, op: Any, arrays: Any, attrs: Any) -> Any:
    if op.name == "pieces":
        return NotImplemented
    return op.call(arrays[0].value, **{**attrs, "dim": attrs["dim"] + 1})


@rule("matmul")
def _matmul(level: Any, op: Any, arrays: Any, attrs: Any) -> Any:
    a, b = arrays
    if _only_first(arrays) and (len(b.shape) == 1 or (len(b.shape) == 2 and a.shape)):
        return op.call(a.value, b.value)
    vector_a, vector_b = len(a.shape) == 1, len(b.shape) == 1
    x = a.value.unsqueeze(-2) if vector_a else a.value
    y = b.value.unsqueeze(-1) if vector_b else b.value
    ndim = max(len(a.shape) + vector_a, len(b.shape) + vector_b)
    if a.batched:
        x = x.reshape(x._a.shape[0], *[1] * (ndim + 1 - x.ndim), *x._a.shape[1:])
    if b.batched:
        y = y.reshape(y._a.shape[0], *[1] * (ndim + 1 - y.ndim), *y._a.shape[1:])
    found = op.call(x, y)
    if vector_a:
        found = found.squeeze(-1 if vector_b else -2)
    return found.squeeze(-1) if vector_b else found


@rule("linear", "embedding", "layer_norm", "rms_norm", "one_hot")
def _first_only(level: Any, op: Any, arrays: Any, attrs: Any) -> Any:
    if not _only_first(arrays) or (op.name == "one_hot" and attrs["num_classes"] < 0):
        return NotImplemented
    return op.call(*(None if a is None else a.value for a in arrays), **attrs)


@rule("scaled_dot_product_attention")
def _attention(level: Any, op: Any, arrays: Any, attrs: Any) -> Any:
    q, k, v, mask, keep = arrays
    if mask is not None or keep is not None or not len(q.shape) == len(k.shape) == len(v.shape):
        return NotImplemented
    return op.call(*_all(level, (q, k, v)), None, None, **attrs)


# ------------------------------------------------------------------------------------------------------------ windows


def _into_batch(value: Tensor) -> Tensor:
    """[samples, N, ...] as [samples * N, ...]."""
    samples, n = value._a.shape[:2]
    return value.reshape(samples * n, *value._a.shape[2:])


def _into_channels(value: Tensor) -> Tensor:
    """[samples, N, C, ...] as [N, samples * C, ...]."""
    samples, n, c = value._a.shape[:3]
    return value.transpose(0, 1).reshape(n, samples * c, *value._a.shape[3:])


def _out_of_channels(value: Tensor, samples: Any) -> Tensor:
    n, c = value._a.shape[:2]
    return value.reshape(n, samples, c // samples, *value._a.shape[2:]).transpose(0, 1)


@rule("avg_pool", "avg_pool_grad", "max_pool", "max_pool_grad", "max_pool_indices")
def _pool(level: Any, op: Any, arrays: Any, attrs: Any) -> Any:
    found = op.call(*map(_into_batch, _all(level, arrays)), **attrs)
    return found.reshape(level.size, -1 if level.size else 0, *found._a.shape[1:]) if level.size else NotImplemented


@rule("conv", "conv_input_grad")
def _conv(level: Any, op: Any, arrays: Any, attrs: Any) -> Any:
    x, w, *bias = arrays
    if not level.size:
        return NotImplemented
    if not w.batched and not any(b is not None and b.batched for b in bias):
        found = op.call(_into_batch(x.value), w.value, *(None if b is None else b.value for b in bias), **attrs)
        return found.reshape(level.size, -1, *found._a.shape[1:]) if found.numel() else NotImplemented
    found = op.call(
        _into_channels(level.each(x)),
        _into_batch(level.each(w)),
        *(None if b is None else level.each(b).reshape(-1) for b in bias),
        **{**attrs, "groups": attrs["groups"] * level.size},
    )
    return _out_of_channels(found, level.size)


@rule("conv_weight_grad")
def _conv_weight_grad(level: Any, op: Any, arrays: Any, attrs: Any) -> Any:
    if not level.size:
        return NotImplemented
    dy, x = _all(level, arrays)
    found = op.call(_into_channels(dy), _into_channels(x), **{**attrs, "groups": attrs["groups"] * level.size})
    return found.reshape(level.size, -1, *found._a.shape[1:]) if found.numel() else NotImplemented


# ------------------------------------------------------------------------------------------------------------ indices


@rule("gather_values", "scatter_values", "scatter_add_values", "scatter_max_values")
def _gather(level: Any, op: Any, arrays: Any, attrs: Any) -> Any:
    return op.call(*_all(level, arrays), dim=attrs["dim"] + 1)


def _beside(level: Any, indices: Any) -> list[Any]:
    """Index tensors of all samples, the samples themselves first."""
    ndim = max(len(i.shape) for i in indices if i is not None)
    some = next(i.value for i in indices if i is not None)
    own = arange(level.size, dtype=some.dtype, device=some.device)
    return [own.reshape(-1, *[1] * ndim), *(_spread(i, ndim) for i in indices)]


@rule("index")
def _index(level: Any, op: Any, arrays: Any, attrs: Any) -> Any:
    x, *indices = arrays
    batched = any(i is not None and i.batched for i in indices)
    places = [at for at, i in enumerate(indices) if i is not None]
    together = places == list(range(places[0], places[-1] + 1))
    if not batched and together:
        return op.call(x.value, [None, *(None if i is None else i.value for i in indices)])
    if not together or places[0] != 0:  # the indexed dimensions first, where their result stands, or is moved from
        order = [*places, *(d for d in range(len(x.shape)) if d not in places)]
        front = x.value.permute([0, *(d + 1 for d in order)] if x.batched else order)
        found = _index(level, op, [type(x)(front, x.batched), *(indices[at] for at in places)], attrs)
        ndim = max(len(indices[at].shape) for at in places)
        if not together or not places[0]:
            return found
        before = list(range(ndim + 1, ndim + 1 + places[0]))
        return found.permute([0, *before, *range(1, ndim + 1), *range(ndim + 1 + places[0], found.ndim)])
    if not x.batched:
        ndim = max(len(i.shape) for i in indices)
        return op.call(x.value, [_spread(i, ndim) for i in indices])
    return op.call(x.value, _beside(level, indices))


@rule("index_put_values")
def _index_put(level: Any, op: Any, arrays: Any, attrs: Any) -> Any:
    x, values, *indices = arrays
    places = [at for at, i in enumerate(indices) if i is not None]
    rest = [d for d in range(len(x.shape)) if d not in places]
    ndim = max(len(indices[at].shape) for at in places)
    given = _spread(values, ndim + len(rest))
    first = places[0] if places == list(range(places[0], places[-1] + 1)) else 0  # where the indexed dimensions stand in `values`
    if first:
        given = given.reshape(*[1] * (ndim + len(rest) + values.batched - given.ndim), *given._a.shape)
        order = [*range(first, first + ndim), *range(first), *range(first + ndim, ndim + len(rest))]
        given = given.permute([0, *(d + 1 for d in order)] if values.batched else order)
    order = [*places, *rest]
    front = level.each(x).permute([0, *(d + 1 for d in order)])
    found = op.call(front, given, _beside(level, [indices[at] for at in places]), accumulate=attrs["accumulate"])
    return found.permute([0, *(order.index(d) + 1 for d in range(len(order)))])


@rule("nonzero_positions")
def _nonzero(level: Any, op: Any, arrays: Any, attrs: Any) -> Any:
    raise ArgumentError(
        "vmap: how many elements nonzero(), a mask as an index or masked_select give differs between the samples. "
        "Use fz.where(mask, a, b), or multiply by the mask"
    )


# --------------------------------------------------------------------------------------------------------- one by one

_warned: set[str] = set()


@rule("one by one")
def _one_by_one(level: Any, op: Any, arrays: Any, attrs: Any) -> Any:
    if op.name not in _warned:
        _warned.add(op.name)
        warn(f"vmap: {op.name} has no rule for all samples at once, so it runs on one after another")
    if not level.size:
        raise ArgumentError(f"vmap: {op.name} has no rule for all samples at once, and there is no sample")
    rows = [
        op.call(*(None if a is None else a.value[i] if a.batched else a.value for a in arrays), **attrs)
        for i in range(level.size)
    ]
    return tuple(stack(list(parts)) for parts in zip(*rows, strict=True)) if op.outputs > 1 else stack(rows)
