"""Parameters as one vector, and back."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

from ... import ops
from ...errors import ShapeError
from ...tensor import Tensor


def parameters_to_vector(parameters: Iterable[Tensor]) -> Tensor:
    """All parameters one after the other, flattened.

    >>> import frazil as fz
    >>> fz.nn.utils.parameters_to_vector(fz.nn.Linear(3, 2).parameters()).shape
    frazil.Size([8])
    """
    return cast(Tensor, ops.cat([parameter.reshape(-1) for parameter in parameters]))


def vector_to_parameters(vec: Tensor, parameters: Iterable[Tensor]) -> None:
    """Set the parameters to consecutive parts of `vec`."""
    if not isinstance(vec, Tensor):
        raise TypeError(f"vector_to_parameters: expected a Tensor, given: {type(vec)}")
    parameters = list(parameters)
    needed = sum(parameter.numel() for parameter in parameters)
    if vec.numel() != needed:
        raise ShapeError(f"vector_to_parameters: the vector has {vec.numel()} elements, the parameters need {needed}")
    start = 0
    for parameter in parameters:
        size = parameter.numel()
        parameter.data = vec[start : start + size].reshape(parameter.shape).data
        start += size
