"""What a program reads of Python: variables, attributes, lists, dicts. A recording is only right while those are what they were.

`Reach` finds them by walking from the function: its closure, the globals that its code names, the modules, optimisers and objects
in them, and the functions of the user that those lead to. Of an object only the attributes count that some of this code names.
Looking whether all is as it was compares identities, which costs some ten nanoseconds for each.
"""

from __future__ import annotations

import functools
import inspect
import sys
from collections import deque
from collections.abc import Callable, Collection, Iterator
from itertools import chain
from operator import attrgetter, call, getitem, is_, itemgetter
from random import Random
from types import CellType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any, final

import numpy as np

from ..nn.module import Module
from ..optim.lr_scheduler import LRScheduler
from ..optim.optimizer import Optimizer
from ..random import Generator
from ..recorder.hooks import Kind
from ..recorder.world import SizedDict
from ..tensor import Tensor

#: More things than this are not looked at in every call, and a program that reads a larger array is not recorded.
MOST_PLACES = 20_000
LARGEST_ARRAY = 65_536

#: How deep containers, objects and functions are followed.
_DEEPEST = 12

_LEAVES = (int, float, complex, str, bytes, type(None), np.generic, np.dtype)


class TooMuch(Exception):
    """The program reads more than can be looked at in every call."""


@final
class Place:
    """One dict, list, set or variable that the program reads: all of it, or some keys."""

    __slots__ = ("before", "keys", "kind", "labels", "name", "owner", "wanted")

    def __init__(self, name: str, kind: str, owner: Any, wanted: Callable[[Any], bool] | None = None) -> None:
        self.name, self.kind, self.owner, self.wanted = name, kind, owner, wanted
        self.note()

    def note(self) -> None:
        """Take it as it is now for what it shall be."""
        self.keys = [k for k in self.owner if self.wanted is None or self.wanted(k)] if self.kind == "dict" else []
        self.before = list(self.values())

    def values(self) -> Any:
        """Return what it holds now."""
        kind = self.kind
        if kind == "dict":
            return self.owner.values() if self.wanted is None else [self.owner[key] for key in self.keys]
        if kind == "cell":
            return (_content(self.owner),)
        return self.owner

    def change(self, ignored: Collection[tuple[int, Any]] = ()) -> str | None:
        """Say what is different from before, without the keys that are `ignored`: (id of the dict, key)."""
        if self.kind == "dict":
            now = {k: self.owner[k] for k in list(self.owner) if self.wanted is None or self.wanted(k)}
            before = dict(_pairs(self.keys, self.before))
            for key in [*before, *(k for k in now if k not in before)]:
                if ignored and (id(self.owner), key) in ignored:
                    continue
                change = _difference(before.get(key, _GONE), now.get(key, _GONE))
                if change:
                    return f"{self.name}{_key(key)} {change}"
            return None
        if self.kind == "set":
            return None if set(self.before) == self.owner else f"{self.name} has other members"
        now_list = list(self.values())
        if len(now_list) != len(self.before):
            return f"the length of {self.name} went from {len(self.before)} to {len(now_list)}"
        for i, (a, b) in enumerate(zip(self.before, now_list, strict=True)):
            change = _difference(a, b)
            if change:
                return f"{self.name}{'' if self.kind == 'cell' else f'[{i}]'} {change}"
        return None

    def put_back(self) -> None:
        """Let it be as it was."""
        if self.kind == "dict":
            before = dict(_pairs(self.keys, self.before))
            for key in [k for k in self.owner if (self.wanted is None or self.wanted(k)) and k not in before]:
                _drop(self.owner, key)
            for key, value in before.items():
                if self.owner.get(key, _GONE) is not value:
                    _put(self.owner, key, value)
        elif self.kind == "cell":
            if self.before[0] is not _GONE:
                self.owner.cell_contents = self.before[0]
        elif self.kind == "set":
            self.owner.clear()
            self.owner.update(self.before)
        elif isinstance(self.owner, deque):
            self.owner.clear()
            self.owner.extend(self.before)
        else:
            self.owner[:] = self.before


_GONE = object()


def _pairs(keys: Any, values: Any) -> Iterator[tuple[Any, Any]]:
    return zip(keys, values, strict=True)


def _drop(owner: Any, key: Any) -> None:
    if isinstance(owner, _Attributes):
        delattr(owner.of, key)
    else:
        del owner[key]


def _put(owner: Any, key: Any, value: Any) -> None:
    if isinstance(owner, _Attributes):
        setattr(owner.of, key, value)
    else:
        owner[key] = value


class _Attributes(dict[str, Any]):
    """The attributes of a class or of an object with slots, as if they were a dict."""

    def __init__(self, of: Any, slots: tuple[str, ...] | None) -> None:
        super().__init__()
        self.of, self.slots = of, slots

    def _now(self) -> dict[str, Any]:
        if self.slots is None:
            return dict(vars(self.of))
        return {name: getattr(self.of, name) for name in self.slots if hasattr(self.of, name)}

    def __iter__(self) -> Iterator[str]:
        return iter(self._now())

    def __getitem__(self, key: str) -> Any:
        return self._now()[key]

    def get(self, key: str, default: Any = None) -> Any:
        return self._now().get(key, default)

    def values(self) -> Any:
        return self._now().values()

    def getter(self, keys: list[str]) -> Callable[[], Any]:
        """What gives the attributes of these names, in a tuple or list."""
        if len(keys) == 1:
            return lambda: [self[keys[0]]]
        if self.slots is None:
            return functools.partial(itemgetter(*keys), vars(self.of))  # which follows the class
        return functools.partial(attrgetter(*keys), self.of)


def _content(cell: CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:
        return _GONE


def _key(key: Any) -> str:
    if isinstance(key, str) and key.isidentifier():
        return f".{key}"
    return f"[{'a tensor' if isinstance(key, Tensor) else repr(key)}]"


def _difference(a: Any, b: Any) -> str | None:
    """How `b` differs from `a`; None where a program cannot tell them apart."""
    if a is b or _same(a, b):
        return None
    if isinstance(b, SizedDict):
        same = (
            a is b.original and not b.sized and len(a) == dict.__len__(b) and all(a.get(k, _GONE) is v for k, v in dict.items(b))
        )
        return None if same else "got new entries"
    if a is _GONE and isinstance(b, Kind):
        return None  # `int` or `float` while the program is recorded
    if a is _GONE or b is _GONE:
        return "is new" if a is _GONE else "is gone"
    shown = [_shown(a), _shown(b)]
    return f"went from {shown[0]} to {shown[1]}" if shown[0] != shown[1] else "is another object"


def _shown(value: Any) -> str:
    if isinstance(value, Tensor):
        return "a tensor"
    text = repr(value) if isinstance(value, (*_LEAVES, tuple)) else f"a {type(value).__name__}"
    return text if len(text) < 60 else text[:57] + "..."


def _same(a: Any, b: Any) -> bool:
    if type(a) is not type(b):
        return False
    if isinstance(a, tuple):
        return len(a) == len(b) and all(x is y or _same(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(a, MethodType):
        return a.__func__ is b.__func__ and a.__self__ is b.__self__
    if isinstance(a, _LEAVES):
        return bool(a == b) or (a != a and b != b)
    return False


@final
class Reach:
    """Everything of Python that a program can be seen to read, as it is now.

    `arguments` are those that are no tensors. `holds()` says whether all is as it was, `why` what is not.
    """

    def __init__(self, fn: Any, arguments: Any = ()) -> None:
        self.why = ""
        names: set[str] = set()
        while True:
            walk = _Walk(names)
            walk.look("", fn, 0)
            for argument in arguments:
                walk.look("an argument", argument, 0)
            if walk.names <= names:
                break
            names = set(walk.names)
        self.places, self.arrays = walk.places, walk.arrays
        self.modules, self.optimizers, self.schedulers = walk.modules, walk.optimizers, walk.schedulers
        self.sources = walk.sources
        if sum(len(place.before) for place in self.places) > MOST_PLACES:
            largest = max(self.places, key=lambda place: len(place.before))
            raise TooMuch(
                f"it reads {largest.name or 'a container'} with {len(largest.before)} entries, which would have to be compared "
                "in every call: pass what it needs as an argument"
            )
        self._watch()

    def _watch(self) -> None:
        """Make the lists that `holds` goes through in C: what is empty, lengths, and what gives the things to compare."""
        self._empty: list[Any] = []
        self._sized: list[Any] = []
        self._getters: list[Callable[[], Any]] = []
        self._cells: list[Any] = []
        owners, keys, flat, single, contents = [], [], list[Any](), list[Any](), list[Any]()
        for place in self.places:
            owner, before = place.owner, place.before
            if place.kind == "cell" and before[0] is not _GONE:
                self._cells.append(owner)
                contents += before
            elif place.kind == "cell":
                self._getters.append(place.values)
                flat += before
            elif isinstance(owner, _Attributes):
                if before:
                    self._getters.append(owner.getter(place.keys))
                    flat += before
            elif not owner:
                self._empty.append(owner)
            else:
                self._sized.append(owner)
                if place.wanted is not None and len(place.keys) == 1:
                    owners.append(owner)
                    keys.append(place.keys[0])
                    single += before
                elif before:
                    wanted = functools.partial(itemgetter(*place.keys), owner) if place.wanted is not None else None
                    self._getters.append(wanted or (owner.values if place.kind == "dict" else owner.__iter__))
                    flat += before
        self._lengths = list(map(len, self._sized))
        self._owners, self._keys, self._flat = owners, keys, [*flat, *single, *contents]

    def holds(self, *, at_first_sight: bool = False) -> bool:
        """Return whether all is as it was. At first sight, a number that was made anew is another one."""
        try:
            if not any(self._empty) and list(map(len, self._sized)) == self._lengths and not self.arrays:
                now = chain(
                    chain.from_iterable(map(call, self._getters)),
                    map(getitem, self._owners, self._keys),
                    [cell.cell_contents for cell in self._cells],
                )
                if all(map(is_, now, self._flat)):
                    return True
        except (KeyError, AttributeError, ValueError):
            pass
        if at_first_sight:
            return False
        change = self.change()
        if change is None:
            for place in self.places:
                place.note()
            self._watch()
            return True
        self.why = change
        return False

    def change(self, ignored: Collection[tuple[int, Any]] = ()) -> str | None:
        """Say what is different first."""
        for place in self.places:
            change = place.change(ignored)
            if change:
                return change
        for name, array, before in self.arrays:
            if array.shape != before.shape or not np.array_equal(array, before, equal_nan=array.dtype.kind == "f"):
                return f"the array {name} has other numbers"
        return None

    def forget(self, owner: Any, key: Any) -> None:
        """Leave out one attribute from now on: the program only writes it."""
        for place in self.places:
            if place.owner is owner and place.kind == "dict":
                place.wanted = _without(key, place.wanted)
                place.note()
        self._watch()

    def put_back(self) -> None:
        """Let everything be as it was."""
        for place in self.places:
            if place.change():
                place.put_back()
        for _, array, before in self.arrays:
            array[...] = before


def _without(key: Any, wanted: Callable[[Any], bool] | None) -> Callable[[Any], bool]:
    return lambda k: k != key and (wanted is None or wanted(k))


class _Walk:
    """One walk from a function, with the names that its code is known to use."""

    def __init__(self, names: set[str]) -> None:
        self.known = names
        self.names = set(names)
        self.all_names = bool(names & {"getattr", "vars", "__dict__", "setattr", "locals", "globals", "eval", "exec"})
        self.places: list[Place] = []
        self.arrays: list[tuple[str, np.ndarray, np.ndarray]] = []
        self.modules: list[Module] = []
        self.optimizers: list[Optimizer] = []
        self.schedulers: list[LRScheduler] = []
        self.sources: list[Any] = []  # random number generators of Python and NumPy
        self._seen: dict[int, Any] = {}

    def wanted(self, key: Any) -> bool:
        """Return whether the program may read the attribute."""
        return self.all_names or key in self.known

    def wanted_of_module(self, key: Any) -> bool:
        """The same of a module, where Python keeps things of its own beside: the builtins, which lines have warned."""
        return key in self.known or (self.all_names and not key.startswith("__"))

    def look(self, name: str, value: Any, depth: int) -> None:
        """Note what `value` holds, and go on from there."""
        if isinstance(value, (*_LEAVES, Tensor)) or depth > _DEEPEST or id(value) in self._seen:
            return
        self._seen[id(value)] = value
        if isinstance(value, Module):
            self._module(name, value, depth)
        elif isinstance(value, Optimizer):
            self._optimizer(name or "optimizer", value, depth)
        elif isinstance(value, LRScheduler):
            self.schedulers.append(value)
            self.look(f"{name}.optimizer", value.optimizer, depth + 1)
        elif isinstance(value, Generator):
            pass  # its state is a tensor that is written in place
        elif isinstance(value, np.ndarray):
            self._array(name, value)
        elif isinstance(value, (Random, np.random.Generator, np.random.RandomState)):
            self.sources.append(value)
        elif isinstance(value, (tuple, list, deque, set, frozenset, dict)):
            self._container(name, value, depth)
        elif isinstance(value, functools.partial):
            for item in (value.func, value.args, value.keywords):
                self.look(name, item, depth + 1)
        elif isinstance(value, MethodType):
            self.look(name, value.__self__, depth + 1)
            self.look(name, value.__func__, depth + 1)
        elif isinstance(value, FunctionType) or _wraps(value):
            self._function(value, depth)
        elif isinstance(value, ModuleType):
            if not _of_library(value.__name__):
                self._keys(value.__name__, vars(value), depth, self.wanted_of_module)
        elif isinstance(value, type):
            if not _of_library(value.__module__):
                self._class(value, depth, made=True)
        elif not _of_library(type(value).__module__):
            self._object(name, value, depth)

    def _container(self, name: str, value: Any, depth: int) -> None:
        if isinstance(value, dict):
            self.places.append(Place(name, "dict", value))
        elif isinstance(value, (list, deque)):
            self.places.append(Place(name, "list", value))
        elif isinstance(value, set):
            self.places.append(Place(name, "set", value))
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, item in list(items):
            self.look(f"{name}[{key!r}]" if isinstance(key, (int, str)) else name, item, depth + 1)

    def _keys(self, name: str, space: Any, depth: int, wanted: Callable[[Any], bool] | None = None) -> None:
        """The wanted entries of a dict of attributes or globals."""
        wanted = wanted or self.wanted
        place = Place(name, "dict", space, wanted)
        self.places.append(place)
        for key, item in zip(place.keys, place.before, strict=True):
            self.look(f"{name}.{key}" if name else str(key), item, depth + 1)

    def _object(self, name: str, value: Any, depth: int) -> None:
        label = name or f"a {type(value).__name__}"
        if hasattr(value, "__dict__"):
            self._keys(label, vars(value), depth)
        slots = tuple(s for cls in type(value).__mro__ for s in _slots(cls))
        if slots:
            self._keys(label, _Attributes(value, slots), depth)
        if hasattr(type(value), "recordings") and hasattr(value, "fn"):  # compiled itself
            self.look(name, value.fn, depth + 1)
        self._class(type(value), depth)

    def _class(self, cls: type, depth: int, *, made: bool = False) -> None:
        """`made`: whether the program may make objects of it."""
        for base in cls.__mro__:
            if id(base) in self._seen and base is not cls:
                continue
            if _of_library(base.__module__):
                continue
            self._seen[id(base)] = base

            def is_read(key: Any) -> bool:
                return key in _CALLED or (self.wanted(key) and not key.startswith("__")) or (made and key == "__init__")

            self._keys(base.__name__, _Attributes(base, None), depth, is_read)

    def _module(self, name: str, module: Module, depth: int) -> None:
        self.modules.append(module)
        label = name or type(module).__name__
        for sub in module.modules():
            self._seen[id(sub)] = sub
            state = vars(sub)
            library = _of_library(type(sub).__module__)
            own = {"training", "_parameters", "_buffers", "_modules", "_hooks", "forward"}
            wanted = None if library else (lambda key, own=own: key in own or self.wanted(key))
            place = Place(label if sub is module else f"{label}: {type(sub).__name__}", "dict", state, wanted)
            self.places.append(place)
            for registry in ("_parameters", "_buffers", "_modules", "_hooks"):
                self.places.append(Place(f"{type(sub).__name__}.{registry}", "dict", state[registry]))
            for hook in state["_hooks"].values():
                self.look("", hook.call, depth + 1)
            for key, item in zip(place.keys, place.before, strict=True):
                if not isinstance(key, str) or key not in ("_parameters", "_buffers", "_modules", "_hooks", "_state_hooks"):
                    self.look(f"{label}.{key}", item, depth + 1)
            if not library:
                self._class(type(sub), depth)

    def _optimizer(self, name: str, optimizer: Optimizer, depth: int) -> None:
        self.optimizers.append(optimizer)
        kept = ("state", "param_groups", "_hooks")
        self.places.append(Place(name, "dict", vars(optimizer), lambda key: key in kept))
        self.places.append(Place(f"{name}.param_groups", "list", optimizer.param_groups))
        for i, group in enumerate(optimizer.param_groups):
            self.places.append(Place(f"{name}.param_groups[{i}]", "dict", group, _not_the_rate))
            self.places.append(Place(f"{name}.param_groups[{i}].params", "list", group["params"]))
        self.places.append(Place(f"{name}.state", "dict", optimizer.state))
        for slots in optimizer.state.values():
            self.places.append(Place(f"{name}.state[a parameter]", "dict", slots))
        for hook in optimizer._hooks.values():
            self.look("", hook.call, depth + 1)
        if not _of_library(type(optimizer).__module__):
            self._keys(name, vars(optimizer), depth, lambda key: self.wanted(key) and key not in kept)
            self._class(type(optimizer), depth)

    def _array(self, name: str, array: np.ndarray) -> None:
        if array.size > LARGEST_ARRAY:
            raise TooMuch(
                f"it reads the NumPy array {name} of {array.size} elements, whose numbers may change: pass it as an argument, or "
                "make a tensor of it before"
            )
        self.arrays.append((name, array, array.copy()))

    def _function(self, function: Any, depth: int) -> None:
        while hasattr(function, "__wrapped__") and not isinstance(function, FunctionType):
            function = function.__wrapped__
        if hasattr(function, "__wrapped__"):
            self.look("", function.__wrapped__, depth + 1)
        if not isinstance(function, FunctionType) or _is_library(function):
            return
        code = function.__code__
        own = set(_names(code))
        self.names |= own | set(code.co_freevars)
        for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
            self.places.append(Place(name, "cell", cell))
            self.look(name, _content(cell), depth + 1)
        space = function.__globals__
        if own & space.keys():
            self._keys("", space, depth, own.__contains__)
        for item in (function.__defaults__ or (), *(function.__kwdefaults__ or {}).values()):
            self.look("a default", item, depth + 1)


#: Methods that Python calls by itself.
_CALLED = {
    "__call__", "__getitem__", "__setitem__", "__len__", "__iter__", "__contains__", "__enter__", "__exit__", "__getattr__",
    "__bool__", "__add__", "__mul__", "__sub__", "__matmul__", "__eq__", "__lt__", "__gt__", "__le__", "__ge__", "__post_init__",
    "forward",
}  # fmt: skip


def _not_the_rate(key: Any) -> bool:
    """The rate of a group goes in as a number, so any other one will do."""
    return key not in ("lr", "initial_lr")


def _slots(cls: type) -> tuple[str, ...]:
    slots = vars(cls).get("__slots__", ())
    found = (slots,) if isinstance(slots, str) else tuple(slots)
    return tuple(s for s in found if s not in ("__dict__", "__weakref__"))


def _wraps(value: Any) -> bool:
    """Whether it stands for a function. What makes its attributes when asked (a library that is loaded late) is not asked."""
    return inspect.getattr_static(value, "__wrapped__", None) is not None


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


def _of_library(module: str | None) -> bool:
    root = (module or "").partition(".")[0]
    return root != "__main__" and (root in ("frazil", "torch", "builtins") or root in sys.stdlib_module_names or _installed(root))


@functools.cache
def _installed(root: str) -> bool:
    """Whether a package lies where pip puts packages: not the user's own code."""
    file = getattr(sys.modules.get(root), "__file__", None) or ""
    return "site-packages" in file or "dist-packages" in file


def _is_library(function: FunctionType) -> bool:
    """Whether its code is in a file of a library, whatever module it says to be of: functions of ops come from the dispatcher,
    and what a doctest defines carries the name of the module."""
    space = function.__globals__
    return _of_library(space.get("__name__")) and space.get("__file__") in (None, function.__code__.co_filename)
