"""`Parameter`: a tensor that a module trains."""

from __future__ import annotations

from typing import Any, final

from ..creation import empty
from ..tensor import Tensor, _overrides, not_sparse, strided, wrap


def persistence(tensor: Tensor) -> bool | None:
    """Return whether a `Buffer` becomes a part of state dicts; None for other tensors."""
    return tensor._persistent


class _Kind(type):
    """The type of a class whose instances are the tensors that are made by it."""

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, Tensor) and persistence(instance) is not None


class Buffer(metaclass=_Kind):
    """A tensor that becomes a buffer of a module when it is assigned as an attribute; it shares the memory of `data`.

    >>> import frazil as fz
    >>> layer = fz.nn.Module()
    >>> layer.scale = fz.nn.Buffer(fz.ones(2))
    >>> layer.state_dict()["scale"]
    tensor([1., 1.])
    """

    def __new__(cls, data: Any = None, *, persistent: bool = True) -> Any:
        made: Any = (empty(0) if data is None else data).detach()
        made.requires_grad_(data is not None and data.requires_grad)
        made._persistent = persistent
        return made


class Parameter(Tensor):
    """A tensor that becomes one of a module's parameters when it is assigned as an attribute. It shares the memory of `data`.

    >>> import frazil as fz
    >>> fz.nn.Parameter(fz.ones(2))
    Parameter containing:
    tensor([1., 1.], requires_grad=True)
    """

    _copied_with_gradient = False  # as in PyTorch: the copy of a model has not been trained on anything

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """The call as it is: what is made of parameters are tensors."""
        if _overrides().of_pytorch(func):
            return NotImplemented
        return func(*args, **(kwargs or {}))

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
        if detached.is_inference():
            parameter._ver = detached._ver
        parameter.requires_grad_(requires_grad)
        return parameter  # type: ignore[return-value]

    def __repr__(self) -> str:
        return "Parameter containing:\n" + super().__repr__()


def is_lazy(t: Any) -> bool:
    """Return whether a parameter or buffer has no shape yet.

    >>> import frazil as fz
    >>> from frazil.nn.parameter import is_lazy
    >>> layer = fz.nn.LazyLinear(2)
    >>> is_lazy(layer.weight), layer(fz.ones(1, 3)).shape, is_lazy(layer.weight)
    (True, frazil.Size([1, 2]), False)
    """
    return isinstance(t, (UninitializedParameter, UninitializedBuffer))


def _given_shape(t: Tensor, kind: type[Tensor], shape: Any, device: Any, dtype: Any) -> None:
    """Let a tensor without a shape have one: it stays the same object, which an optimiser may hold."""
    size = tuple(shape) if isinstance(shape, (tuple, list)) else (shape,)
    t.data = empty(*size, device=device or t.device, dtype=dtype or t.dtype)
    t.__class__ = kind


class _Shapeless:
    """What a tensor without a shape does not answer: a count of parameters, for one, would leave it out in silence."""

    @property
    def shape(self) -> Any:
        raise RuntimeError(
            f"this {type(self).__name__} has no shape yet: call the model once, which gives its lazy layers theirs"
        )

    def size(self, dim: int | None = None) -> Any:
        """Refuse."""
        return self.shape

    def numel(self) -> Any:
        """Refuse."""
        return self.shape


@final
class UninitializedParameter(_Shapeless, Parameter):
    """A parameter without a shape, which a module gives it once it knows: `materialize` makes it a `Parameter`.

    >>> import frazil as fz
    >>> weight = fz.nn.UninitializedParameter()
    >>> weight.materialize((2, 3))
    >>> weight.shape, type(weight) is fz.nn.Parameter
    (frazil.Size([2, 3]), True)
    """

    cls_to_become = Parameter

    def __new__(cls, requires_grad: bool = True, device: Any = None, dtype: Any = None) -> UninitializedParameter:
        made = Parameter(empty(0, device=device, dtype=dtype), requires_grad)
        made.__class__ = cls
        return made  # type: ignore[return-value]

    def __init__(self, requires_grad: bool = True, device: Any = None, dtype: Any = None) -> None:
        pass

    def materialize(self, shape: Any, device: Any = None, dtype: Any = None) -> None:
        """Become a parameter of this shape, whose numbers are not set."""
        _given_shape(self, self.cls_to_become, shape, device, dtype)


@final
class UninitializedBuffer(_Shapeless, Tensor):
    """A buffer without a shape: `materialize` makes it a tensor.

    >>> import frazil as fz
    >>> mean = fz.nn.UninitializedBuffer()
    >>> mean.materialize((2,))
    >>> mean.shape, type(mean) is fz.Tensor
    (frazil.Size([2]), True)
    """

    cls_to_become = Tensor

    def __new__(cls, requires_grad: bool = False, device: Any = None, dtype: Any = None) -> UninitializedBuffer:
        made = empty(0, device=device, dtype=dtype, requires_grad=requires_grad)
        return wrap(made._a, made._dev, cls).requires_grad_(requires_grad)  # type: ignore[return-value]

    def __init__(self, requires_grad: bool = False, device: Any = None, dtype: Any = None) -> None:
        pass

    def materialize(self, shape: Any, device: Any = None, dtype: Any = None) -> None:
        """Become a tensor of this shape, whose numbers are not set."""
        _given_shape(self, self.cls_to_become, shape, device, dtype)
