"""Pooling that the op table does not have: power-average and adaptive maximum."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from ...creation import tensor as make_tensor
from ...creation import zeros
from ...dtypes import int64
from ...errors import ArgumentError, ShapeError
from ...ops.activation import relu
from ...ops.common import at_hand, require_elements, require_float, specs
from ...ops.elementwise import sign
from ...ops.pool import avg_pool1d, avg_pool2d, avg_pool3d
from ...sizes import same
from ...tensor import Tensor, tracked

Sizes = int | Sequence[int]


def _lp_pool(
    pool: Callable[..., Tensor], n: int, input: Tensor, norm_type: float, kernel_size: Sizes, stride: Any, ceil_mode: bool
) -> Tensor:
    kernel: Any = tuple(kernel_size) if isinstance(kernel_size, (tuple, list)) else (kernel_size,) * n
    volume = 1
    for size in kernel:
        volume *= size
    mean: Any = pool(input**norm_type, kernel, stride, 0, ceil_mode)
    return (sign(mean) * relu(mean.abs()) * volume) ** (1.0 / norm_type)


def lp_pool1d(input: Tensor, norm_type: float, kernel_size: Sizes, stride: Any = None, ceil_mode: bool = False) -> Tensor:
    """The p-norm (p = `norm_type`) of every window of [N, C, L].

    >>> import frazil as fz
    >>> fz.nn.functional.lp_pool1d(fz.tensor([[3.0, 4.0]]), 2, 2)
    tensor([[5.]])
    """
    return _lp_pool(avg_pool1d, 1, input, norm_type, kernel_size, stride, ceil_mode)


def lp_pool2d(input: Tensor, norm_type: float, kernel_size: Sizes, stride: Any = None, ceil_mode: bool = False) -> Tensor:
    """The p-norm (p = `norm_type`) of every window of [N, C, H, W]."""
    return _lp_pool(avg_pool2d, 2, input, norm_type, kernel_size, stride, ceil_mode)


def lp_pool3d(input: Tensor, norm_type: float, kernel_size: Sizes, stride: Any = None, ceil_mode: bool = False) -> Tensor:
    """The p-norm (p = `norm_type`) of every window of [N, C, D, H, W]."""
    return _lp_pool(avg_pool3d, 3, input, norm_type, kernel_size, stride, ceil_mode)


def _adaptive_max_pool(name: str, n: int, input: Tensor, output_size: Any, return_indices: bool) -> Any:
    """Maxima over windows as even as it goes: cell i of o covers floor(i m / o) .. ceil((i + 1) m / o).

    Every window is padded to the longest one by repeating its last element, so that all windows are one rectangular gather.
    """
    if input.ndim not in (n + 1, n + 2):
        raise ShapeError(f"{name}: expected {n + 2} dimensions (N, C, ...) or {n + 1} (C, ...), given {tuple(input.shape)}")
    wanted = tuple(output_size) if isinstance(output_size, (tuple, list)) else (output_size,) * n
    require_float(name, *specs(input))
    require_elements(name, input, input.ndim - n - 1)
    if len(wanted) != n:
        raise ArgumentError(f"{name}: output_size must be {n} numbers or None (keep), given {output_size!r}")
    x: Any = input
    if any(same(o, 0) for o in wanted):  # no windows
        shape = (*input.shape[:-n], *(m if o is None else o for m, o in zip(input.shape[-n:], wanted, strict=True)))
        nothing = x.sum(dim=tuple(range(-n, 0)), keepdim=True).expand(*shape)
        return (nothing, nothing.long()) if return_indices else nothing
    if not return_indices and all(isinstance(o, int) and o == 1 for o in wanted):  # asks nothing of the size
        if not tracked(x):
            return x.amax(dim=tuple(range(-n, 0)), keepdim=True)
        return x.flatten(-n).max(dim=-1).values.unflatten(-1, (x.shape[-n - 1], *[1] * n))  # the first of equals has the gradient
    sizes = [int(m) for m in input.shape[-n:]]
    rows: list[list[list[int]]] = []
    for axis, (m, o) in enumerate(zip(sizes, wanted, strict=True)):
        o = m if o is None else o
        windows = [list(range(i * m // o, -(-(i + 1) * m // o))) for i in range(o)]
        longest = max(map(len, windows))
        rows.append([window + [window[-1]] * (longest - len(window)) for window in windows])
        # [..., m, rest] -> [..., o, longest, rest]; the window dimensions gather behind the cells
        place = input.ndim - n + 2 * axis
        flat = make_tensor([i for window in rows[-1] for i in window], dtype=int64, device=input.device)
        x = x.index_select(place, flat).unflatten(place, (o, longest))
    lead = input.ndim - n
    x = x.permute(*range(lead), *range(lead, x.ndim, 2), *range(lead + 1, x.ndim, 2)).flatten(lead + n)
    if not return_indices:
        return x.max(dim=-1).values if tracked(x) else x.amax(dim=-1)
    values, chosen = x.max(dim=-1)
    return values, _plane_positions(rows, sizes, input.device).expand(*x.shape).gather(-1, chosen.unsqueeze(-1)).squeeze(-1)


def _plane_positions(rows: list[list[list[int]]], sizes: list[int], device: Any) -> Any:
    """For every cell and every element of its window, the element's place in the flattened plane: [cells..., window]."""
    n = len(rows)
    total: Any = 0
    stride = 1
    for axis in reversed(range(n)):
        places = make_tensor(rows[axis], dtype=int64, device=device)  # [cells, window]
        shape = [1] * (2 * n)
        shape[axis], shape[n + axis] = places.shape
        total = total + (places * stride).reshape(shape)
        stride *= sizes[axis]
    return total.flatten(n)


def adaptive_max_pool1d(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
    """Maxima over `output_size` windows that cover [N, C, L] as evenly as possible.

    >>> import frazil as fz
    >>> fz.nn.functional.adaptive_max_pool1d(fz.tensor([[1.0, 2.0, 3.0, 4.0, 5.0]]), 2)
    tensor([[3., 5.]])
    """
    return _adaptive_max_pool("adaptive_max_pool1d", 1, input, output_size, return_indices)


def adaptive_max_pool2d(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
    """Maxima over a grid of `output_size` windows of [N, C, H, W]; `return_indices` also gives their places in the plane."""
    return _adaptive_max_pool("adaptive_max_pool2d", 2, input, output_size, return_indices)


def adaptive_max_pool3d(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
    """Maxima over a grid of `output_size` windows of [N, C, D, H, W]."""
    return _adaptive_max_pool("adaptive_max_pool3d", 3, input, output_size, return_indices)


def _max_unpool(name: str, n: int, input: Tensor, indices: Tensor, windows: Any, output_size: Any) -> Tensor:
    if input.ndim not in (n + 1, n + 2) or tuple(input.shape) != tuple(indices.shape):
        raise ShapeError(
            f"{name}: expected input and indices of one shape with {n + 1} or {n + 2} dimensions, given {list(input.shape)} and "
            f"{list(indices.shape)}"
        )
    kernel, stride, padding = windows
    given = (kernel, kernel if stride in (None, ()) else stride, padding)
    sizes = [tuple(v) if isinstance(v, (tuple, list)) else (v,) * n for v in given]
    spatial = tuple(input.shape[-n:])
    usual = tuple((m - 1) * s - 2 * p + k for m, k, s, p in zip(spatial, *sizes, strict=True))
    wanted = usual if output_size is None else tuple(output_size)[-n:]
    if len(wanted) != n or any(not abs(w - u) < s for w, u, s in zip(wanted, usual, sizes[1], strict=True)):
        raise ShapeError(f"{name}: output_size {tuple(wanted)} is not within the strides {sizes[1]} of {usual}")
    volume = math.prod(wanted)
    values = at_hand(indices)
    if values is not None and values.size and not 0 <= values.min() <= values.max() < volume:
        raise ArgumentError(f"{name}: indices are 0 to {volume - 1} for an output of {wanted}, found others")
    lead = tuple(input.shape[:-n])
    flat = zeros(*lead, volume, dtype=input.dtype, device=input.device)
    return flat.scatter(-1, indices.reshape(*lead, -1), input.reshape(*lead, -1)).reshape(*lead, *wanted)


def max_unpool1d(
    input: Tensor, indices: Tensor, kernel_size: Sizes, stride: Any = None, padding: Sizes = 0, output_size: Any = None
) -> Tensor:
    """The inverse of `max_pool1d(..., return_indices=True)`: maxima at their places, zeros elsewhere.

    >>> import frazil as fz
    >>> y, places = fz.nn.functional.max_pool1d(fz.tensor([[1.0, 3.0, 2.0, 0.0]]), 2, return_indices=True)
    >>> fz.nn.functional.max_unpool1d(y, places, 2)
    tensor([[0., 3., 2., 0.]])
    """
    return _max_unpool("max_unpool1d", 1, input, indices, (kernel_size, stride, padding), output_size)


def max_unpool2d(
    input: Tensor, indices: Tensor, kernel_size: Sizes, stride: Any = None, padding: Sizes = 0, output_size: Any = None
) -> Tensor:
    """The inverse of `max_pool2d(..., return_indices=True)`; see `max_unpool1d`."""
    return _max_unpool("max_unpool2d", 2, input, indices, (kernel_size, stride, padding), output_size)


def max_unpool3d(
    input: Tensor, indices: Tensor, kernel_size: Sizes, stride: Any = None, padding: Sizes = 0, output_size: Any = None
) -> Tensor:
    """The inverse of `max_pool3d(..., return_indices=True)`; see `max_unpool1d`."""
    return _max_unpool("max_unpool3d", 3, input, indices, (kernel_size, stride, padding), output_size)
