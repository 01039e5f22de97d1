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
from ...ops.pool import avg_pool1d, avg_pool2d, avg_pool3d, even_windows, max_pool1d, max_pool2d, max_pool3d
from ...ops.shape import cat
from ...random import rand
from ...sizes import same
from ...tensor import Tensor, tracked
from ...views import lie

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
    if not return_indices and not all(isinstance(m, int) for m in input.shape[-n:]):
        for place in range(input.ndim - 1, input.ndim - n - 1, -1):  # from the last, so that the first of equals has the gradient
            o = wanted[place - input.ndim]
            if o is not None and not same(x.shape[place], o):
                parts = even_windows(x, place, int(o))
                x = cat([part.max(place, True).values if tracked(x) else part.amax(place, True) for part in parts], place)
        return lie("lines", x, input)
    sizes = [int(m) for m in input.shape[-n:]]
    steps = [m // o if o else 1 for m, o in zip(sizes, wanted, strict=True)]
    if all(m == step * (o or m) for m, o, step in zip(sizes, wanted, steps, strict=True)):  # windows side by side
        found = (max_pool1d, max_pool2d, max_pool3d)[n - 1](input, steps, return_indices=return_indices)
        return tuple(lie("lines", t, input) for t in found) if return_indices else lie("lines", found, input)
    rows: list[list[list[int]]] = []
    x = x.detach() if return_indices or tracked(x) else x  # the gradient goes to where the maxima are, not through the windows
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
    if not return_indices and not tracked(input):
        return lie("lines", x.amax(dim=-1), input)
    chosen = x.max(dim=-1).indices.unsqueeze(-1)
    places = _plane_positions(rows, sizes, input.device).expand(*x.shape).gather(-1, chosen).squeeze(-1)
    values = input.flatten(-n).gather(-1, places.flatten(-n)).unflatten(-1, places.shape[-n:])
    return (values, places) if return_indices else lie("lines", values, input)


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


def _fractional_starts(samples: Any, free: int, windows: int) -> Any:
    """[N, C, windows]: where windows begin among `free` + 1 places, in uneven steps that `samples` [N, C] decide."""
    if windows == 1:
        return zeros(*samples.shape, 1, dtype=int64, device=samples.device) + free
    step = free / (windows - 1)
    first = samples.unsqueeze(-1)
    steps = make_tensor([float(i) for i in range(windows - 1)], dtype=samples.dtype, device=samples.device)
    starts = ((first + steps) * step).long() - (first * step).long()
    return cat([starts, zeros(*samples.shape, 1, dtype=int64, device=samples.device) + free], dim=-1)


def _fractional_max_pool(
    name: str, n: int, input: Tensor, kernel_size: Any, output_size: Any, output_ratio: Any, samples: Any
) -> tuple[Tensor, Tensor]:
    if input.ndim not in (n + 1, n + 2):
        raise ShapeError(f"{name}: expected {n + 2} dimensions (N, C, ...) or {n + 1} (C, ...), given {list(input.shape)}")
    if output_size is None and output_ratio is None:
        raise ArgumentError(f"{name}: requires specifying either an output_size or an output_ratio")
    require_float(name, *specs(input))
    x: Any = input if input.ndim == n + 2 else input.unsqueeze(0)
    kernel, ratios = ((v if isinstance(v, (tuple, list)) else (v,) * n) for v in (kernel_size, output_ratio))
    sizes = [int(m) for m in x.shape[2:]]
    wanted = [int(m * r) for m, r in zip(sizes, ratios, strict=True)] if output_size is None else output_size
    wanted = wanted if isinstance(wanted, (tuple, list)) else (wanted,) * n
    if not len(kernel) == len(wanted) == n:
        raise ArgumentError(f"{name}: sizes are a number or {n}, given kernel_size={kernel_size} and output_size={output_size}")
    if any(o < 1 or o + k - 1 > m for o, k, m in zip(wanted, kernel, sizes, strict=True)):
        raise ShapeError(f"{name}: {tuple(wanted)} windows of {tuple(kernel)} do not fit an input of {tuple(sizes)}")
    batch, channels = x.shape[:2]
    draws: Any = rand(batch, channels, n, dtype=input.dtype, device=input.device) if samples is None else samples
    if samples is not None and not same(draws.shape[0], batch):
        draws = draws[:batch]
    if tuple(draws.shape) != (batch, channels, n):
        raise ShapeError(f"{name}: _random_samples are [N, C, {n}], given {list(draws.shape)} for {list(input.shape)}")
    places: Any = 0
    for axis, (m, k, o) in enumerate(zip(sizes, kernel, wanted, strict=True)):
        # PyTorch's samples of a plane are for its columns first, those of a volume in the order of its dimensions
        starts = _fractional_starts(draws[..., 1 - axis if n == 2 else axis], m - k, o)
        taps = starts.unsqueeze(-1) + make_tensor(list(range(k)), dtype=int64, device=input.device)
        shape = [batch, channels, *[1] * (2 * n)]
        shape[2 + axis], shape[2 + n + axis] = o, k
        places = places * m + taps.reshape(shape)
    places = places.flatten(2 + n)
    seen = x.flatten(2).gather(2, places.flatten(2)).reshape(places.shape)
    values, chosen = seen.max(dim=-1)
    indices = places.gather(-1, chosen.unsqueeze(-1)).squeeze(-1)
    return (values, indices) if input.ndim == n + 2 else (values.squeeze(0), indices.squeeze(0))


def max_pool1d_with_indices(
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> tuple[Tensor, Tensor]:
    """As `max_pool1d` with `return_indices`, whatever is asked for."""
    return max_pool1d(input, kernel_size, stride, padding, dilation, ceil_mode, True)


def adaptive_max_pool1d_with_indices(input: Tensor, output_size: Any, return_indices: bool = False) -> tuple[Tensor, Tensor]:
    """As `adaptive_max_pool1d` with `return_indices`, whatever is asked for."""
    return adaptive_max_pool1d(input, output_size, True)


def max_pool2d_with_indices(
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> tuple[Tensor, Tensor]:
    """As `max_pool2d` with `return_indices`, whatever is asked for."""
    return max_pool2d(input, kernel_size, stride, padding, dilation, ceil_mode, True)


def adaptive_max_pool2d_with_indices(input: Tensor, output_size: Any, return_indices: bool = False) -> tuple[Tensor, Tensor]:
    """As `adaptive_max_pool2d` with `return_indices`, whatever is asked for."""
    return adaptive_max_pool2d(input, output_size, True)


def max_pool3d_with_indices(
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> tuple[Tensor, Tensor]:
    """As `max_pool3d` with `return_indices`, whatever is asked for."""
    return max_pool3d(input, kernel_size, stride, padding, dilation, ceil_mode, True)


def adaptive_max_pool3d_with_indices(input: Tensor, output_size: Any, return_indices: bool = False) -> tuple[Tensor, Tensor]:
    """As `adaptive_max_pool3d` with `return_indices`, whatever is asked for."""
    return adaptive_max_pool3d(input, output_size, True)


def fractional_max_pool2d_with_indices(
    input: Tensor,
    kernel_size: Sizes,
    output_size: Any = None,
    output_ratio: Any = None,
    return_indices: bool = False,
    _random_samples: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """`fractional_max_pool2d`, and where in the plane the maxima are."""
    options = (input, kernel_size, output_size, output_ratio, _random_samples)
    return _fractional_max_pool("fractional_max_pool2d", 2, *options)


def fractional_max_pool2d(
    input: Tensor,
    kernel_size: Sizes,
    output_size: Any = None,
    output_ratio: Any = None,
    return_indices: bool = False,
    _random_samples: Tensor | None = None,
) -> Any:
    """Maxima over windows of [N, C, H, W] that begin in random steps, so that the result may have any size.

    The result has `output_size`, or `output_ratio` (between 0 and 1) times the input's. `_random_samples` [N, C, 2], between 0
    and 1, take the place of random numbers. Source: Graham, https://arxiv.org/abs/1412.6071.

    >>> import frazil as fz
    >>> samples = fz.tensor([[[0.5, 0.5]]])
    >>> fz.nn.functional.fractional_max_pool2d(fz.arange(16.0).reshape(1, 1, 4, 4), 2, 3, _random_samples=samples)
    tensor([[[[ 5.,  6.,  7.],
              [ 9., 10., 11.],
              [13., 14., 15.]]]])
    """
    found = fractional_max_pool2d_with_indices(input, kernel_size, output_size, output_ratio, True, _random_samples)
    return found if return_indices else found[0]


def fractional_max_pool3d_with_indices(
    input: Tensor,
    kernel_size: Sizes,
    output_size: Any = None,
    output_ratio: Any = None,
    return_indices: bool = False,
    _random_samples: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """`fractional_max_pool3d`, and where in the volume the maxima are."""
    options = (input, kernel_size, output_size, output_ratio, _random_samples)
    return _fractional_max_pool("fractional_max_pool3d", 3, *options)


def fractional_max_pool3d(
    input: Tensor,
    kernel_size: Sizes,
    output_size: Any = None,
    output_ratio: Any = None,
    return_indices: bool = False,
    _random_samples: Tensor | None = None,
) -> Any:
    """Maxima over windows of [N, C, D, H, W] that begin in random steps; see `fractional_max_pool2d`."""
    found = fractional_max_pool3d_with_indices(input, kernel_size, output_size, output_ratio, True, _random_samples)
    return found if return_indices else found[0]


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
    y = flat.scatter(-1, indices.reshape(*lead, -1), input.reshape(*lead, -1)).reshape(*lead, *wanted)
    return lie("lines", y, input) if n == 2 else y


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
