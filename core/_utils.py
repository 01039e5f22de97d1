"""Helpers that libraries import from PyTorch's `torch._utils`: many tensors as one long one, and back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from .device import as_device
from .errors import ShapeError
from .ops.shape import cat
from .spelling import tell_names as _tell_names
from .tensor import Tensor


def _flatten_dense_tensors(tensors: Iterable[Tensor]) -> Tensor:
    """Return all elements of the tensors, one after another, in one dimension.

    >>> import frazil as fz
    >>> fz._utils._flatten_dense_tensors([fz.ones(2), fz.zeros(1, 2)])
    tensor([1., 1., 0., 0.])
    """
    return cat([tensor.reshape(-1) for tensor in tensors])


def _unflatten_dense_tensors(flat: Tensor, tensors: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """Return views of `flat` with the shapes of `tensors`, one after another.

    >>> import frazil as fz
    >>> a, b = fz._utils._unflatten_dense_tensors(fz.arange(4.0), [fz.ones(2), fz.zeros(1, 2)])
    >>> a, b
    (tensor([0., 1.]), tensor([[2., 3.]]))
    """
    sizes = [tensor.numel() for tensor in tensors]
    if sum(sizes) > flat.numel():
        raise ShapeError(f"_unflatten_dense_tensors: {flat.numel()} elements for tensors of {sum(sizes)}")
    found, start = [], 0
    for tensor, size in zip(tensors, sizes, strict=True):
        found.append(flat.narrow(0, start, size).view(tensor.shape))
        start += size
    return tuple(found)


def _take_tensors(tensors: Iterable[Tensor], size_limit: int) -> Iterator[list[Tensor]]:
    """Yield groups of tensors of one dtype of at most `size_limit` bytes each (a larger tensor is a group of its own).

    >>> import frazil as fz
    >>> [len(group) for group in fz._utils._take_tensors([fz.ones(2), fz.ones(2), fz.ones(2)], 16)]
    [2, 1]
    """
    open_: dict[Any, tuple[list[Tensor], int]] = {}
    for tensor in tensors:
        size = tensor.numel() * tensor.element_size()
        group, held = open_.get(tensor.dtype, ([], 0))
        if held + size > size_limit and held > 0:
            yield group
            group, held = [], 0
        group.append(tensor)
        open_[tensor.dtype] = group, held + size
    for group, _ in open_.values():
        if group:
            yield group


def _get_device_index(device: Any, optional: bool = False, allow_cpu: bool = False) -> int:
    """Return the number of a device among those of its kind: of "cuda:1" it is 1, of the CPU -1 where that is allowed.

    >>> import frazil as fz
    >>> fz._utils._get_device_index(1), fz._utils._get_device_index("cpu", allow_cpu=True)
    (1, -1)
    """
    if isinstance(device, int):
        return device
    if device is None and optional:
        return 0
    if isinstance(device, str) and device.partition(":")[0] == "cuda":
        return int(device.partition(":")[2] or 0)
    found = as_device(device)
    if found.type == "cpu":
        if allow_cpu:
            return -1
        raise ValueError(f"Expected a non cpu device, but got: {device}")
    return int(found.index or 0)


def _element_size(dtype: Any) -> int:
    """Return how many bytes an element has.

    >>> import frazil as fz
    >>> fz._utils._element_size(fz.float64)
    8
    """
    return int(dtype.itemsize)


_tell_names(__name__)
