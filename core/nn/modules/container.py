"""Modules and parameters in lists and dicts."""

from __future__ import annotations

import operator
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeVar, overload

from ...errors import ArgumentError
from ...tensor import Tensor
from ..module import Module, module_repr
from ..parameter import Parameter

S = TypeVar("S", bound="_IndexedModules")


def _position(index: Any, size: int) -> int:
    """`index` as a non-negative position in a list of `size` members."""
    position = operator.index(index)
    if not -size <= position < size:
        raise IndexError(f"index {index} is out of range")
    return position % size


class _IndexedModules(Module):
    """Child modules named "0", "1", ..., as a list."""

    _modules: dict[str, Module]  # type: ignore[assignment]  # no child is None here

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[Module]:
        return iter(self._modules.values())

    def __contains__(self, module: object) -> bool:
        return any(module is own for own in self._modules.values())

    def _key(self, index: Any) -> str:
        return list(self._modules)[_position(index, len(self))]

    def _set_all(self, modules: Iterable[Module]) -> None:
        """Replace the children and number them afresh."""
        modules = list(modules)
        self._modules.clear()
        for i, module in enumerate(modules):
            self.add_module(str(i), module)

    @overload
    def __getitem__(self, index: int) -> Module: ...
    @overload
    def __getitem__(self: S, index: slice) -> S: ...
    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return self._part(OrderedDict(list(self._modules.items())[index]))
        return self._modules[self._key(index)]

    def _part(self, modules: OrderedDict[str, Module]) -> Module:
        return type(self)(modules.values())  # type: ignore[call-arg]

    def __setitem__(self, index: int, module: Module) -> None:
        setattr(self, self._key(index), module)

    def __delitem__(self, index: int | slice) -> None:
        members = list(self._modules.values())
        del members[index if isinstance(index, slice) else _position(index, len(self))]
        self._set_all(members)

    def append(self: S, module: Module) -> S:
        """Add `module` at the end."""
        self.add_module(str(len(self)), module)
        return self

    def insert(self: S, index: int, module: Module) -> S:
        """Add `module` before position `index`."""
        if not isinstance(module, Module):
            raise AssertionError(f"module should be of type: {Module}")
        members = list(self._modules.values())
        members.insert(index, module)
        self._set_all(members)
        return self

    def extend(self: S, modules: Iterable[Module]) -> S:
        """Add several modules at the end."""
        if not isinstance(modules, Iterable):
            raise TypeError(f"{type(self).__name__}.extend should be called with an iterable, but got {type(modules).__name__}")
        for module in list(modules):
            self.append(module)
        return self

    def pop(self, index: int = -1) -> Module:
        """Take one module out and return it."""
        module = self[index]
        del self[index]
        return module

    def __iadd__(self: S, other: Iterable[Module]) -> S:
        return self.extend(other)


class Sequential(_IndexedModules):
    """Modules called one after the other. Give them one by one, or named in an OrderedDict.

    >>> import frazil as fz
    >>> model = fz.nn.Sequential(fz.nn.Linear(4, 3), fz.nn.ReLU(), fz.nn.Linear(3, 2))
    >>> model(fz.ones(5, 4)).shape
    frazil.Size([5, 2])
    >>> model[1:]
    Sequential(
      (1): ReLU()
      (2): Linear(in_features=3, out_features=2, bias=True)
    )
    """

    def __init__(self, *args: Any) -> None:
        super().__init__()
        if len(args) == 1 and isinstance(args[0], OrderedDict):
            for name, module in args[0].items():
                self.add_module(name, module)
        else:
            for i, module in enumerate(args):
                self.add_module(str(i), module)

    def _part(self, modules: OrderedDict[str, Module]) -> Module:
        return type(self)(modules)

    def __add__(self, other: Sequential) -> Sequential:
        if not isinstance(other, Sequential):
            raise ArgumentError(f"add operator supports only objects of Sequential class, but {type(other)} is given.")
        return Sequential(*self, *other)

    def __mul__(self, times: int) -> Sequential:
        if not isinstance(times, int):
            raise TypeError(f"unsupported operand type(s) for *: {type(self)} and {type(times)}")
        if times <= 0:
            raise ArgumentError(f"Non-positive multiplication factor {times} for {type(self)}")
        return Sequential(*(list(self) * times))

    __rmul__ = __mul__

    def forward(self, input: Any) -> Any:
        for module in self._modules.values():
            input = module(input)
        return input


class ModuleList(_IndexedModules):
    """Modules in a list; it is indexed and iterated, not called.

    >>> import frazil as fz
    >>> fz.nn.ModuleList([fz.nn.Linear(1, 1), fz.nn.Linear(1, 1), fz.nn.ReLU()])
    ModuleList(
      (0-1): 2 x Linear(in_features=1, out_features=1, bias=True)
      (2): ReLU()
    )
    """

    def __init__(self, modules: Iterable[Module] | None = None) -> None:
        super().__init__()
        self.extend(modules if modules is not None else ())

    def __add__(self, other: Iterable[Module]) -> ModuleList:
        return ModuleList([*self, *other])

    def __repr__(self) -> str:
        runs: list[tuple[int, int, str]] = []  # first, last, text of equal neighbours
        for i, module in enumerate(self):
            text = repr(module)
            if runs and runs[-1][2] == text:
                runs[-1] = (runs[-1][0], i, text)
            else:
                runs.append((i, i, text))
        lines = [f"({a}): {text}" if a == b else f"({a}-{b}): {b - a + 1} x {text}" for a, b, text in runs]
        return module_repr(self._get_name(), [], [line.replace("\n", "\n  ") for line in lines])


class ModuleDict(Module):
    """Modules in a dict, in the order they were added.

    >>> import frazil as fz
    >>> heads = fz.nn.ModuleDict({"small": fz.nn.Linear(2, 1), "big": fz.nn.Linear(2, 9)})
    >>> heads["big"](fz.ones(1, 2)).shape
    frazil.Size([1, 9])
    """

    _modules: dict[str, Module]  # type: ignore[assignment]  # no child is None here

    def __init__(self, modules: Mapping[str, Module] | None = None) -> None:
        super().__init__()
        if modules is not None:
            self.update(modules)

    def __getitem__(self, key: str) -> Module:
        return self._modules[key]

    def __setitem__(self, key: str, module: Module) -> None:
        self.add_module(key, module)

    def __delitem__(self, key: str) -> None:
        del self._modules[key]

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[str]:
        return iter(self._modules)

    def __contains__(self, key: object) -> bool:
        return key in self._modules

    def clear(self) -> None:
        """Take all modules out."""
        self._modules.clear()

    def pop(self, key: str) -> Module:
        """Take one module out and return it."""
        return self._modules.pop(key)

    def keys(self) -> Iterable[str]:
        """The names."""
        return self._modules.keys()

    def values(self) -> Iterable[Module]:
        """The modules."""
        return self._modules.values()

    def items(self) -> Iterable[tuple[str, Module]]:
        """Pairs of name and module."""
        return self._modules.items()

    def update(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]]) -> None:
        """Add or replace modules from a mapping or from pairs."""
        if not isinstance(modules, (Mapping, ModuleDict, Iterable)):
            raise TypeError(
                f"ModuleDict.update should be called with an iterable of key/value pairs, but got {type(modules).__name__}"
            )
        for name, module in modules.items() if isinstance(modules, (Mapping, ModuleDict)) else modules:
            self[name] = module


def _as_parameter(value: Any) -> Any:
    """Tensors become parameters, everything else stays."""
    return Parameter(value) if isinstance(value, Tensor) and not isinstance(value, Parameter) else value


def _member_text(value: Any, type_of: Callable[[Tensor], Any]) -> str:
    if not isinstance(value, Tensor):
        return f"Object of type: {type(value).__name__}"
    kind = "Parameter" if isinstance(value, Parameter) else type(value).__name__
    return f"{kind} containing: [{type_of(value)} of size {'x'.join(str(n) for n in value.shape)}]"


class ParameterList(Module):
    """Parameters in a list; tensors put into it become parameters, other objects are kept as they are.

    >>> import frazil as fz
    >>> weights = fz.nn.ParameterList([fz.zeros(2), fz.zeros(3)])
    >>> len(list(weights.parameters())), list(weights.state_dict())
    (2, ['0', '1'])
    """

    def __init__(self, values: Iterable[Any] | None = None) -> None:
        super().__init__()
        self._size = 0
        self.extend(values if values is not None else ())

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))

    @overload
    def __getitem__(self, index: int) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> ParameterList: ...
    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return type(self)([self[i] for i in range(*index.indices(len(self)))])
        return getattr(self, str(_position(index, len(self))))

    def __setitem__(self, index: int, value: Any) -> None:
        setattr(self, str(_position(index, len(self))), _as_parameter(value))

    def append(self, value: Any) -> ParameterList:
        """Add `value` at the end."""
        self._size += 1
        self[-1] = value
        return self

    def extend(self, values: Iterable[Any]) -> ParameterList:
        """Add several values at the end."""
        if not isinstance(values, Iterable) or isinstance(values, Tensor):
            raise TypeError(f"ParameterList.extend should be called with an iterable, but got {type(values).__name__}")
        for value in list(values):
            self.append(value)
        return self

    def __iadd__(self, values: Iterable[Any]) -> ParameterList:
        return self.extend(values)

    def pop(self, index: int = -1) -> Any:
        """Take one value out and return it."""
        members = list(self)
        value = members.pop(index)
        for i in range(len(self)):
            delattr(self, str(i))
        self._size = 0
        self.extend(members)
        return value

    def extra_repr(self) -> str:
        return "\n".join(f"  ({i}): {_member_text(value, lambda t: t.dtype)}" for i, value in enumerate(self))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        raise RuntimeError("ParameterList should not be called.")


class ParameterDict(Module):
    """Parameters in a dict; tensors put into it become parameters, other objects are kept as they are.

    >>> import frazil as fz
    >>> weights = fz.nn.ParameterDict({"left": fz.zeros(2), "right": fz.zeros(3)})
    >>> weights["left"].requires_grad, list(weights.state_dict())
    (True, ['left', 'right'])
    """

    def __init__(self, parameters: Any = None) -> None:
        super().__init__()
        self._keys: dict[str, None] = {}
        if parameters is not None:
            self.update(parameters)

    def __getitem__(self, key: str) -> Any:
        if key not in self._keys:
            raise KeyError(key)
        return getattr(self, str(key))

    def __setitem__(self, key: str, value: Any) -> None:
        if not isinstance(key, str):
            raise TypeError(f"Index given to ParameterDict cannot be used as a key as it is not a string (type is '{type(key)}')")
        if key not in self._keys and hasattr(self, key):
            raise KeyError(f"attribute '{key}' already exists")
        self._keys[key] = None
        setattr(self, key, _as_parameter(value))

    def __delitem__(self, key: str) -> None:
        del self._keys[key]
        delattr(self, key)

    def __len__(self) -> int:
        return len(self._keys)

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys)

    def __contains__(self, key: object) -> bool:
        return key in self._keys

    def keys(self) -> Iterable[str]:
        """The names."""
        return self._keys.keys()

    def values(self) -> Iterable[Any]:
        """The values."""
        return [self[key] for key in self._keys]

    def items(self) -> Iterable[tuple[str, Any]]:
        """Pairs of name and value."""
        return [(key, self[key]) for key in self._keys]

    def get(self, key: str, default: Any = None) -> Any:
        """The value called `key`, or `default`."""
        return self[key] if key in self else default

    def setdefault(self, key: str, default: Any = None) -> Any:
        """The value called `key`, after putting `default` there if there was none."""
        if key not in self:
            self[key] = default
        return self[key]

    def pop(self, key: str) -> Any:
        """Take one value out and return it."""
        value = self[key]
        del self[key]
        return value

    def clear(self) -> None:
        """Take all values out."""
        for key in list(self._keys):
            del self[key]

    def update(self, parameters: Any) -> None:
        """Add or replace values from a mapping (a plain dict in the order of its sorted keys) or from pairs."""
        if not isinstance(parameters, (Mapping, ParameterDict, Iterable)):
            raise TypeError(
                f"ParameterDict.update should be called with an iterable of key/value pairs, but got {type(parameters).__name__}"
            )
        pairs = parameters.items() if isinstance(parameters, (Mapping, ParameterDict)) else parameters
        # A plain dict is sorted, as in PyTorch: optimisers number parameters by this order.
        in_order = isinstance(parameters, (OrderedDict, ParameterDict)) or not isinstance(parameters, Mapping)
        for key, value in pairs if in_order else sorted(pairs, key=operator.itemgetter(0)):
            self[key] = value

    def copy(self) -> ParameterDict:
        """Return a new dict with the same parameters."""
        return ParameterDict(self)

    def fromkeys(self, keys: Iterable[str], default: Any = None) -> ParameterDict:
        """Return a new dict in which every key has the value `default`."""
        return ParameterDict((key, default) for key in keys)

    def popitem(self) -> tuple[str, Any]:
        """Take out the pair that came last, and return it."""
        key = next(reversed(self._keys))
        return key, self.pop(key)

    def __reversed__(self) -> Iterator[str]:
        return reversed(self._keys)

    def __or__(self, other: ParameterDict) -> ParameterDict:
        both = self.copy()
        both.update(other)
        return both

    def __ror__(self, other: ParameterDict) -> ParameterDict:
        both = ParameterDict(other)
        both.update(self)
        return both

    def __ior__(self, other: ParameterDict) -> ParameterDict:
        self.update(other)
        return self

    def extra_repr(self) -> str:
        return "\n".join(f"  ({key}): {_member_text(value, Tensor.type)}" for key, value in self.items())

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        raise RuntimeError("ParameterDict should not be called.")
