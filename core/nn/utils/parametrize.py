"""Parameters computed from others by modules, as `torch.nn.utils.parametrize`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

from ...autograd.modes import no_grad
from ...errors import ArgumentError
from ...spelling import tell_names as _tell_names
from ...state import count
from ...tensor import Tensor
from ..module import Module
from ..modules.container import ModuleDict, ModuleList
from ..parameter import Parameter

M = TypeVar("M", bound=Module)

#: While `cached()`: (id of the module, name) -> value, and how many such blocks there are.
_cache: dict[tuple[int, str], Tensor] = {}
_cached = [0]


@contextmanager
def cached() -> Iterator[None]:
    """Compute every parametrised tensor once only, as long as the block lasts.

    >>> import frazil as fz
    >>> with fz.nn.utils.parametrize.cached(): pass
    """
    count(_cached, 1)
    try:
        yield
    finally:
        if not count(_cached, -1):
            _cache.clear()


class ParametrizationList(ModuleList):
    """The modules that compute one tensor, one after another, and what they compute it from: `original`, or several
    (`original0`, `original1`, ...)."""

    def __init__(self, modules: Sequence[Module], original: Tensor | Parameter, unsafe: bool = False) -> None:
        super().__init__(modules)
        self.unsafe = unsafe
        new: Any = original
        with no_grad():
            for module in reversed(list(self)):
                if hasattr(module, "right_inverse"):
                    with suppress(NotImplementedError):  # not every weight can be had: the module computes from this one
                        new = module.right_inverse(new)
        self.is_tensor = isinstance(new, Tensor)
        self.ntensors = 1 if self.is_tensor else len(new)
        for name, value in zip(self._names(), [new] if self.is_tensor else new, strict=True):
            if not isinstance(value, Tensor):
                raise ArgumentError(f"register_parametrization: right_inverse must return tensors, it returned {type(value)}")
            if isinstance(original, Parameter):
                kept = original if value is original else Parameter(value.detach(), requires_grad=original.requires_grad)
                self.register_parameter(name, kept)
            else:
                self.register_buffer(name, value)
        with no_grad():
            made = self()
        if not isinstance(made, Tensor):
            raise ArgumentError(f"register_parametrization: the module must return a tensor, not a {type(made).__name__}")
        if not unsafe and (made.dtype is not original.dtype or made.shape != original.shape):
            raise ArgumentError(
                f"register_parametrization: the tensor is {original.dtype.name}{list(original.shape)}, and the module makes "
                f"{made.dtype.name}{list(made.shape)} of it; with unsafe=True it may"
            )

    def _names(self) -> list[str]:
        return ["original"] if self.is_tensor else [f"original{i}" for i in range(self.ntensors)]

    def right_inverse(self, value: Tensor) -> None:
        """Let the tensor have this value, by the `right_inverse` of each module."""
        new: Any = value
        with no_grad():
            for module in reversed(list(self)):
                if not hasattr(module, "right_inverse"):
                    raise ArgumentError(f"{type(module).__name__} has no right_inverse, so its result cannot be set")
                new = module.right_inverse(new)
            for name, part in zip(self._names(), [new] if self.is_tensor else new, strict=True):
                getattr(self, name).copy_(part)

    def forward(self) -> Tensor:
        first, *others = list(self)
        value = first(*(getattr(self, name) for name in self._names()))
        for module in others:
            value = module(value)
        return value


def is_parametrized(module: Module, tensor_name: str | None = None) -> bool:
    """Return whether a tensor of the module, or any, is parametrised.

    >>> import frazil as fz
    >>> fz.nn.utils.parametrize.is_parametrized(fz.nn.Linear(1, 1))
    False
    """
    found = module._modules.get("parametrizations")
    if not isinstance(found, ModuleDict):
        return False
    return len(found) > 0 if tensor_name is None else tensor_name in found


def type_before_parametrizations(module: Module) -> type[Module]:
    """The class of the module without parametrisations.

    >>> import frazil as fz
    >>> fz.nn.utils.parametrize.type_before_parametrizations(fz.nn.ReLU()).__name__
    'ReLU'
    """
    cls = type(module)
    return cls.__bases__[0] if is_parametrized(module) else cls


def _property(name: str) -> property:
    def get(self: Module) -> Tensor:
        lists: Any = self.parametrizations
        if not _cached[0]:
            return lists[name]()
        key = (id(self), name)
        if key not in _cache:
            _cache[key] = lists[name]()
        return _cache[key]

    def put(self: Module, value: Tensor) -> None:
        lists: Any = self.parametrizations
        lists[name].right_inverse(value)

    return property(get, put)


def register_parametrization(module: M, tensor_name: str, parametrization: Module, *, unsafe: bool = False) -> M:
    """Let `module.<tensor_name>` be `parametrization(original)` from now on, at every use.

    The original is `module.parametrizations.<tensor_name>.original`, and is what is trained. A further parametrisation is applied
    to the result. A method `right_inverse` of the parametrisation makes an original of a value: of the one that the tensor has
    now, and of what is assigned.

    Args:
        unsafe: let it change shape or dtype.

    >>> import frazil as fz
    >>> class Symmetric(fz.nn.Module):
    ...     def forward(self, x): return x.triu() + x.triu(1).T
    >>> layer = fz.nn.utils.parametrize.register_parametrization(fz.nn.Linear(3, 3), "weight", Symmetric())
    >>> bool((layer.weight == layer.weight.T).all()), sorted(layer.state_dict())
    (True, ['bias', 'parametrizations.weight.original'])
    """
    parametrization.train(module.training)
    if is_parametrized(module, tensor_name):
        lists: Any = module.parametrizations
        before = lists[tensor_name]
        if hasattr(parametrization, "right_inverse"):
            with no_grad():
                value = parametrization.right_inverse(getattr(module, tensor_name))
            if len(before) and all(hasattr(own, "right_inverse") for own in before):
                before.right_inverse(value)
        before.append(parametrization)
        return module
    registered = module._parameters.get(tensor_name)
    original = module._buffers.get(tensor_name) if registered is None else registered
    if original is None:
        raise ArgumentError(f"Module {type(module).__name__} does not have a parameter or a buffer with name {tensor_name!r}")
    made = ParametrizationList([parametrization], original, unsafe)
    delattr(module, tensor_name)
    cls = type(module)
    if is_parametrized(module):
        setattr(cls, tensor_name, _property(tensor_name))
    else:
        members = {tensor_name: _property(tensor_name), "__module__": cls.__module__}
        module.__class__ = type(f"Parametrized{cls.__name__}", (cls,), members)
        module.parametrizations = ModuleDict()
    lists = module.parametrizations
    lists[tensor_name] = made
    return module


def remove_parametrizations(module: M, tensor_name: str, leave_parametrized: bool = True) -> M:
    """Make `tensor_name` a plain parameter or buffer again: with the value that it has now, or (`leave_parametrized=False`) the
    original.

    >>> import frazil as fz
    >>> P = fz.nn.utils.parametrize
    >>> layer = P.register_parametrization(fz.nn.Linear(1, 1, bias=False), "weight", fz.nn.ReLU())
    >>> P.remove_parametrizations(layer, "weight")
    Linear(in_features=1, out_features=1, bias=False)
    """
    if not is_parametrized(module, tensor_name):
        raise ArgumentError(f"Module {type(module).__name__} does not have a parametrization on {tensor_name}")
    lists: Any = module.parametrizations
    own = lists[tensor_name]
    trained = [p for p in own._parameters.values() if p is not None]
    if own.is_tensor:
        kept = own.original
        if leave_parametrized:
            with no_grad():
                kept.data = own().detach()
    elif leave_parametrized:
        with no_grad():
            kept = Parameter(own().detach()) if trained else own().detach()
    else:
        raise ArgumentError("remove_parametrizations: leave_parametrized=False needs a parametrisation with one original")
    del lists[tensor_name]
    delattr(type(module), tensor_name)
    if not len(lists):
        module.__class__ = type(module).__bases__[0]
        del module.parametrizations
    if isinstance(kept, Parameter):
        module.register_parameter(tensor_name, kept)
    else:
        module.register_buffer(tensor_name, kept)
    return module


def transfer_parametrizations_and_params(from_module: Module, to_module: Module, tensor_name: str | None = None) -> Module:
    """Parametrise `to_module` as `from_module` is (one tensor or all), with copies of its originals.

    >>> import frazil as fz
    >>> P = fz.nn.utils.parametrize
    >>> layer = P.register_parametrization(fz.nn.Linear(1, 1), "weight", fz.nn.ReLU())
    >>> P.is_parametrized(P.transfer_parametrizations_and_params(layer, fz.nn.Linear(1, 1)), "weight")
    True
    """
    if is_parametrized(from_module):
        lists: Any = from_module.parametrizations
        for name in list(lists) if tensor_name is None else [tensor_name]:
            for parametrization in lists[name]:
                register_parametrization(to_module, name, parametrization)
            theirs: Any = to_module.parametrizations
            with no_grad():
                for key in lists[name]._names():
                    getattr(theirs[name], key).copy_(getattr(lists[name], key))
    return to_module


_tell_names(__name__)
