"""`Parameter`: a tensor that a module trains."""

from __future__ import annotations

from typing import Any, final

from ..creation import empty
from ..tensor import Tensor, not_sparse, strided, wrap


@final
class Parameter(Tensor):
    """A tensor that becomes one of a module's parameters when it is assigned as an attribute. It shares the memory of `data`.

    >>> import frazil as fz
    >>> fz.nn.Parameter(fz.ones(2))
    Parameter containing:
    tensor([1., 1.], requires_grad=True)
    """

    def __new__(cls, data: Any = None, requires_grad: bool = True) -> Parameter:
        if data is None:
            data = empty(0)
        if not isinstance(data, Tensor):
            raise TypeError(f"Parameter: expected a Tensor, given a {type(data).__name__}; make one with fz.tensor(...)")
        if data.layout is not strided:
            raise not_sparse("Parameter")
        detached = data.detach()
        parameter = wrap(detached._a, detached._dev, cls)
        parameter._aliased = True
        parameter.requires_grad_(requires_grad)
        return parameter  # type: ignore[return-value]

    def __init__(self, data: Any = None, requires_grad: bool = True) -> None:
        pass

    def __repr__(self) -> str:
        return "Parameter containing:\n" + super().__repr__()
