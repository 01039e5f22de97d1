"""From a list of samples to a batch."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ... import creation, ops
from ...device import device, get_default_device
from ...dtypes import float64
from ...tensor import Tensor

#: Letters of NumPy's dtypes that make no tensor.
np_str_obj_array_pattern = re.compile(r"[SaUO]")


def _like(example: Any, values: list[Any]) -> Any:
    """`values` in a sequence of the kind of `example`."""
    if isinstance(example, tuple) and hasattr(example, "_fields"):
        return type(example)(*values)
    try:
        return type(example)(values)
    except TypeError:
        return values


def _like_mapping(example: Mapping[Any, Any], items: dict[Any, Any]) -> Any:
    try:
        return type(example)(items)  # type: ignore[call-arg]
    except TypeError:
        return items


def default_convert(data: Any) -> Any:
    """NumPy arrays and numbers inside nested lists, tuples and dicts become tensors; everything else stays."""
    return _mapped(lambda leaf: creation.as_tensor(leaf) if _is_numeric_array(leaf) else leaf, data)


def from_worker(data: Any) -> Any:
    """Return what a worker loaded, on the CPU, with its tensors on the default device."""
    cpu, target = device("cpu"), get_default_device()
    if target is cpu:
        return data
    return _mapped(lambda leaf: leaf.to(target) if isinstance(leaf, Tensor) and leaf.device is cpu else leaf, data)


def _is_numeric_array(value: Any) -> bool:
    return isinstance(value, (np.ndarray, np.generic)) and value.dtype.kind not in "SUOMm"


def _mapped(function: Callable[[Any], Any], data: Any) -> Any:
    """`function` of every leaf of nested lists, tuples and dicts."""
    if isinstance(data, Mapping):
        return _like_mapping(data, {key: _mapped(function, value) for key, value in data.items()})
    if isinstance(data, Sequence) and not isinstance(data, (str, bytes)):
        return _like(data, [_mapped(function, value) for value in data])
    return function(data)


def default_collate(batch: Sequence[Any]) -> Any:
    """Stack samples: tensors, arrays and numbers get a new first dimension; nested tuples, lists and dicts keep their structure.

    Tensors stay on their device; what becomes one goes to the default device.

    >>> import frazil as fz
    >>> fz.utils.data.default_collate([(fz.ones(2), 0, "a"), (fz.zeros(2), 1, "b")])
    [tensor([[1., 1.],
            [0., 0.]]), tensor([0, 1]), ('a', 'b')]
    """
    return collate(batch)


def collate_tensor_fn(batch: Sequence[Tensor], *, collate_fn_map: Any = None) -> Tensor:
    """Stack tensors, as `default_collate` does.

    >>> import frazil as fz
    >>> fz.utils.data.collate.collate_tensor_fn([fz.zeros(1), fz.ones(1)])
    tensor([[0.],
            [1.]])
    """
    return _stacked(batch, "")


#: Types -> how samples of them become a batch: `function(batch, collate_fn_map=...)`. Programs add their own.
default_collate_fn_map: dict[Any, Callable[..., Any]] = {Tensor: collate_tensor_fn}


def collate(batch: Sequence[Any], *, collate_fn_map: dict[Any, Callable[..., Any]] | None = None, path: str = "") -> Any:
    """`default_collate`, by a map of types, and knowing where in the sample it is."""
    first = batch[0]
    functions = default_collate_fn_map if collate_fn_map is None else collate_fn_map
    function = functions.get(type(first)) or next((f for kind, f in functions.items() if isinstance(first, kind)), None)
    if function not in (None, collate_tensor_fn):
        return function(batch, collate_fn_map=functions)
    if isinstance(first, Tensor):
        return _stacked(batch, path)
    if _is_numeric_array(first):  # stacked where they are, so that they travel at once
        return _stacked([creation.as_tensor(sample, device="cpu") for sample in batch], path).to(get_default_device())
    if isinstance(first, float):
        return creation.tensor(batch, dtype=float64)
    if isinstance(first, int):
        return creation.tensor(batch)
    if isinstance(first, (str, bytes)):
        return batch
    if isinstance(first, Mapping):
        return _like_mapping(
            first,
            {key: collate([sample[key] for sample in batch], collate_fn_map=functions, path=f"{path}[{key!r}]") for key in first},
        )
    if isinstance(first, Sequence):
        sizes = sorted({len(sample) for sample in batch})
        if len(sizes) > 1:
            raise RuntimeError(
                f"each element in list of batch should be of equal size: the lengths at sample{path} are {sizes}; give a "
                "collate_fn"
            )
        columns = [
            collate(column, collate_fn_map=functions, path=f"{path}[{i}]") for i, column in enumerate(zip(*batch, strict=True))
        ]
        return columns if type(first) is tuple else _like(first, columns)
    raise TypeError(
        f"default_collate: batch must contain tensors, numpy arrays, numbers, dicts or lists; found {type(first)} at "
        f"sample{path}; give a collate_fn"
    )


def _stacked(tensors: Sequence[Tensor], path: str) -> Tensor:
    shapes = sorted({tuple(tensor.shape) for tensor in tensors})
    if len(shapes) > 1:
        raise RuntimeError(
            f"default_collate: the tensors at sample{path} differ in shape: {', '.join(map(str, shapes))}; pad them, or "
            "give a collate_fn"
        )
    stacked: Tensor = ops.stack(list(tensors))
    return stacked
