"""What a recording leaves behind in Python: nothing of its own.

A program may keep things for later: a rotary table per length in a dict, a mask in an attribute, the last length it saw. While it
is recorded those are stand-ins, of no use afterwards. The containers and objects that the program can be seen to reach are
remembered before; those into which the recording put tensors or sizes of its own are put back.

A dict that is looked up by a size would fix the size, because dicts look numbers up by their hash. For the time of the recording
such dicts are replaced by ones that compare: a size that equals no key is a new key.
"""

from __future__ import annotations

import functools
import sys
from collections import OrderedDict, defaultdict, deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from operator import is_
from types import CellType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any, final

from ..sizes import SymBool, SymFloat, SymInt
from ..tensor import Tensor
from .hooks import keep_sizes_in, plain_again

_MAPPINGS = (dict, OrderedDict, defaultdict)
_CONTAINERS = (*_MAPPINGS, list, set, deque)

#: More containers than this are not looked at.
LIMIT = 100_000

#: A container of more items among a module's globals, such as its data, is looked at if the module's code mentions it.
LARGE = 1_000

#: What holds nothing.
_ATOMS = frozenset({int, float, bool, complex, str, bytes, type(None)})


def _has_size(key: Any) -> bool:
    return isinstance(key, (SymInt, SymFloat)) or (type(key) is tuple and any(map(_has_size, key)))


def _form(key: Any) -> Any:
    """Equal for keys that are one for all sizes."""
    if type(key) is tuple:
        return tuple(map(_form, key))
    if isinstance(key, SymInt):
        return ("size", key.key)
    return ("size", str(key)) if isinstance(key, SymFloat) else key


def _equal(a: Any, b: Any) -> bool:
    """Whether two keys are one; where sizes decide, the program is only recorded for this answer."""
    if type(a) is tuple and type(b) is tuple:
        return len(a) == len(b) and all(map(_equal, a, b))
    return bool(a == b)


@final
class SizedDict(dict[Any, Any]):
    """A dict that also takes sizes as keys, without fixing them."""

    stands_for = dict

    def __init__(self, original: dict[Any, Any]) -> None:
        super().__init__(original)
        self.original = original
        self.sized: dict[Any, tuple[Any, Any]] = {}

    def _find(self, key: Any) -> Any:
        """(the value,), or None."""
        form = _form(key)
        if form in self.sized:
            return self.sized[form][1:]
        for known in dict.keys(self):
            if type(known) in (int, float, tuple) and not isinstance(key, bool) and _equal(key, known):
                return (super().__getitem__(known),)
        return None

    def __contains__(self, key: Any) -> bool:
        return self._find(key) is not None if _has_size(key) else super().__contains__(key)

    def __getitem__(self, key: Any) -> Any:
        if not _has_size(key):
            if type(self.original) is defaultdict and not super().__contains__(key):
                return self.__missing__(key)
            return super().__getitem__(key)
        found = self._find(key)
        return self.__missing__(key) if found is None else found[0]

    def __missing__(self, key: Any) -> Any:
        make = getattr(self.original, "default_factory", None)
        if make is None:
            raise KeyError(key)
        self[key] = made = make()
        return made

    def __setitem__(self, key: Any, value: Any) -> None:
        if _has_size(key):
            self.sized[_form(key)] = (key, value)
        else:
            super().__setitem__(key, value)

    def __delitem__(self, key: Any) -> None:
        if not _has_size(key):
            super().__delitem__(key)
        elif self.sized.pop(_form(key), None) is None:
            raise KeyError(key)

    def get(self, key: Any, default: Any = None) -> Any:
        return self[key] if key in self else default

    def setdefault(self, key: Any, default: Any = None) -> Any:
        if key not in self:
            self[key] = default
        return self[key]

    def pop(self, key: Any, *default: Any) -> Any:
        if key not in self and default:
            return default[0]
        value = self[key]
        del self[key]
        return value

    def __iter__(self) -> Iterator[Any]:
        yield from super().__iter__()
        yield from (key for key, _ in self.sized.values())

    def keys(self) -> Any:
        return list(self)

    def values(self) -> Any:
        return [*super().values(), *(value for _, value in self.sized.values())]

    def items(self) -> Any:
        return list(zip(self, self.values(), strict=True))

    def copy(self) -> SizedDict:
        made = SizedDict(self.original)
        made.clear()
        made.update(self)
        return made

    def update(self, *others: Any, **named: Any) -> None:
        for other in (*others, named):
            for key, value in other.items() if isinstance(other, dict) else other:
                self[key] = value

    def clear(self) -> None:
        super().clear()
        self.sized.clear()

    def __len__(self) -> int:
        return super().__len__() + len(self.sized)

    def __bool__(self) -> bool:
        return len(self) > 0


@final
class World:
    """The containers and objects that a program can be seen to reach, as they are before it is recorded."""

    def __init__(self, fn: Any, modules: list[Any]) -> None:
        self._before: dict[int, tuple[Any, Any]] = {}  # id -> (container, a copy of what it holds)
        self._caches: dict[int, tuple[Any, int]] = {}  # functions with lru_cache -> how often they missed
        self._replaced: dict[int, SizedDict] = {}
        self._places: list[tuple[Any, Any, Any]] = []  # (dict, list or cell, key, the dict that stood there)
        self._spaces: list[tuple[dict[str, Any], dict[str, Any]]] = []  # globals of the program's functions, and a copy
        self._named: dict[int, dict[str, Any]] = {}  # by identity: these globals, and those of the user's functions in them
        functions = [fn]
        for module in modules:
            for submodule in module.modules():
                self._remember(submodule.__dict__, depth=0)
                functions += [getattr(type(submodule), "forward", None)]
                for cls in type(submodule).__mro__:
                    if not cls.__module__.startswith("frazil"):
                        for name, value in list(vars(cls).items()):
                            if not name.startswith("__"):
                                self._remember_value(value, 0)
        seen: set[int] = set()
        for function in functions:
            self._remember_function(function, seen)

    def _remember_function(self, function: Any, seen: set[int]) -> None:
        function = function.__func__ if isinstance(function, MethodType) else function
        while hasattr(function, "__wrapped__"):
            self._remember_value(function, 0)
            function = function.__wrapped__
        if not isinstance(function, FunctionType) or _of_frazil(function):
            return
        for cell in function.__closure__ or ():
            try:
                value = cell.cell_contents
            except ValueError:
                continue
            self._remember_value(value, 0)
            self._replace(cell, "cell_contents", value)
        for default in (*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()):
            self._remember_value(default, 0)
        space = function.__globals__
        if id(space) in seen:
            return
        seen.add(id(space))
        self._spaces.append((space, dict(space)))
        self._named |= {id(found): found for found in _near(space)}
        large = {key for key, value in space.items() if type(value) in _CONTAINERS and len(value) > LARGE}
        unread = large - _mentioned(space) if large else large
        for key, value in list(space.items()):
            if not key.startswith("__") and not isinstance(value, ModuleType) and key not in unread:
                self._remember_value(value, 0)
                self._replace(space, key, value)

    def _remember_value(self, value: Any, depth: int) -> None:
        if type(value) in _CONTAINERS:
            self._remember(value, depth)
        elif isinstance(value, tuple) and depth < 8:
            for item in value:
                self._remember_value(item, depth + 1)
        elif isinstance(value, functools._lru_cache_wrapper):
            self._caches[id(value)] = (value, value.cache_info().misses)
        elif _plain_object(value) and depth < 8:
            self._remember(value.__dict__, depth)

    def _remember(self, container: Any, depth: int) -> None:
        if id(container) in self._before or len(self._before) > LIMIT:
            return
        self._before[id(container)] = (container, container.copy())
        if depth > 8 or _ATOMS.issuperset(map(type, container.values() if isinstance(container, dict) else container)):
            return
        for key, value in list(container.items() if isinstance(container, dict) else enumerate(container)):
            self._remember_value(value, depth + 1)
            if not (isinstance(key, str) and key in _REGISTRIES):
                self._replace(container, key, value)

    def _replace(self, container: Any, key: Any, value: Any) -> None:
        """Note where a dict stands that may be looked up by sizes."""
        if type(value) not in (dict, defaultdict) or not isinstance(container, (dict, list, CellType)):
            return
        if all(type(known) in (int, float, tuple) for known in value):
            self._places.append((container, key, value))

    def enter(self) -> None:
        """Put the replacements in place."""
        keep_sizes_in(self._named.values())
        for container, key, value in self._places:
            if id(value) not in self._replaced:
                self._replaced[id(value)] = SizedDict(value)
            _set(container, key, self._replaced[id(value)])

    def leave(self) -> None:
        """Put everything back that holds something of the recording."""
        plain_again(self._named.values())
        for container, key, value in self._places:
            if _get(container, key) is self._replaced[id(value)]:
                _set(container, key, value)
        search = _Search()
        for sized in self._replaced.values():
            if not sized.sized and not any(map(search.finds, sized.values())):
                _put(sized.original, dict(sized))
        for container, before in self._before.values():
            if not _holds_the_same(container, before) and any(map(search.finds, _items(container))):
                _put(container, before)
        for space, before in self._spaces:
            for key in [k for k, value in list(space.items()) if value is not before.get(k) and search.finds(value)]:
                _restore_key(space, key, before)
        for function, misses in self._caches.values():
            if function.cache_info().misses != misses:
                function.cache_clear()  # what it keeps cannot be seen

    def put_back(self) -> None:
        """Put everything back that is not as it was, after a run of the program that nobody shall notice."""
        for container, before in self._before.values():
            if not _holds_the_same(container, before):
                _put(container, before)


@final
class Reached:
    """The variables that a function shares with those around it, and the containers and objects that are in them, as they are
    now: what a branch or body reads, which is to be run once more when the program has gone on. Through frazil's own functions
    it leads on, but what those share is not a program's to hold: other threads count in it."""

    def __init__(self, *functions: Any) -> None:
        self._seen: dict[int, CellType] = {}
        self._cells: list[tuple[CellType, Any]] = []
        self._before: dict[int, tuple[Any, Any]] = {}
        for function in functions:
            self._look(function, 0)

    def _look(self, value: Any, depth: int) -> None:
        if isinstance(value, MethodType):
            self._look(value.__self__, depth)
            value = value.__func__
        if isinstance(value, FunctionType):
            of_frazil = _of_frazil(value)
            for cell in value.__closure__ or ():
                if id(cell) not in self._seen:
                    self._seen[id(cell)] = cell
                    content = _content(cell)
                    if not of_frazil:
                        self._cells.append((cell, content))
                    if not of_frazil or type(content) not in _CONTAINERS:
                        self._look(content, depth)
        elif isinstance(value, functools.partial):
            for item in (value.func, *value.args, *value.keywords.values()):
                self._look(item, depth)
        elif depth < _NEAR:
            if isinstance(value, tuple):
                for item in value:
                    self._look(item, depth + 1)
            elif type(value) in _CONTAINERS:
                self._hold(value, depth)
            elif _plain_object(value):
                self._hold(value.__dict__, depth)

    def _hold(self, container: Any, depth: int) -> None:
        if id(container) not in self._before and len(self._before) < LIMIT:
            self._before[id(container)] = (container, container.copy())
            for item in container.values() if isinstance(container, dict) else container:
                self._look(item, depth + 1)

    @contextmanager
    def again(self) -> Iterator[None]:
        """Let them be as they were; then as they are now."""
        cells = [(cell, _content(cell)) for cell, _ in self._cells]
        containers = [(container, container.copy()) for container, _ in self._before.values()]
        _let_hold(self._cells, self._before.values())
        try:
            yield
        finally:
            _let_hold(cells, containers)


#: Containers in containers in variables are looked at, but not without an end.
_NEAR = 4

_EMPTY = object()


def _content(cell: CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:
        return _EMPTY


def _let_hold(cells: Iterable[tuple[CellType, Any]], containers: Iterable[tuple[Any, Any]]) -> None:
    for cell, value in cells:
        if value is _EMPTY:
            with suppress(ValueError):
                del cell.cell_contents
        else:
            cell.cell_contents = value
    for container, before in containers:
        _put(container, before)


_REGISTRIES = ("_parameters", "_buffers", "_modules", "_hooks", "_state_hooks")


def _mentioned(space: dict[str, Any]) -> set[str]:
    """The names in the code of a module's functions and methods."""
    found: set[str] = set()
    left: list[Any] = [value for value in space.values() if getattr(value, "__module__", None) == space.get("__name__")]
    while left:
        value = left.pop()
        if isinstance(value, type):
            left += vars(value).values()
        elif isinstance(value, property):
            left += (value.fget, value.fset, value.fdel)
        elif isinstance(value, CodeType):
            found.update(value.co_names)
            left += (inner for inner in value.co_consts if isinstance(inner, CodeType))
        else:
            inside = (getattr(value, name, None) for name in ("__wrapped__", "__func__", "__code__"))
            left += (inner for inner in inside if inner is not None)
    return found


def _of_frazil(function: FunctionType) -> bool:
    return function.__globals__.get("__name__", "").partition(".")[0] == "frazil"


def _plain_object(value: Any) -> bool:
    """An object of a class of the user's, which is no module."""
    if not hasattr(value, "__dict__") or isinstance(value, (type, ModuleType, FunctionType, MethodType, Tensor)):
        return False
    return _users(type(value).__module__)


def _users(module: str) -> bool:
    """Whether a module of this name is neither frazil's nor NumPy's nor Python's."""
    root = module.partition(".")[0]
    return root == "__main__" or (root not in ("frazil", "numpy") and root not in sys.stdlib_module_names)


def _near(space: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """These globals of a function, and those of the user's functions that it can call by a name, wherever they were written."""
    yield space
    for value in list(space.values()):
        if type(value) is FunctionType and value.__globals__ is not space and _users(value.__globals__.get("__name__", "")):
            yield value.__globals__


def _holds_the_same(container: Any, before: Any) -> bool:
    """Whether a container holds the very objects that its copy holds."""
    if len(container) != len(before):
        return False
    if isinstance(container, dict) and not all(map(is_, container.values(), before.values())):
        return False
    return all(map(is_, container, before))  # of a dict: its keys


def _items(container: Any) -> Iterator[Any]:
    if isinstance(container, dict):
        yield from container.keys()
        yield from container.values()
    else:
        yield from container


@final
class _Search:
    """Looks for tensors and sizes of a recording in what objects hold, at each object once from every depth: objects of a library
    that all know each other have more ways through them than there is time for."""

    def __init__(self) -> None:
        self._seen: dict[int, tuple[Any, int, bool]] = {}  # id -> (the object, from which depth, what was found)

    def finds(self, value: Any, depth: int = 0) -> bool:
        """Whether it is, or holds, a tensor or size of a recording."""
        if isinstance(value, Tensor):
            return value._dev.recording
        if isinstance(value, (SymInt, SymFloat, SymBool, SizedDict)):
            return True
        if depth >= 8:
            return False
        if type(value) in _CONTAINERS or isinstance(value, tuple):
            items = _items(value)
        elif _plain_object(value):
            items = iter(list(value.__dict__.values()))
        else:
            return False
        _, before, found = self._seen.get(id(value), (None, 9, False))
        if depth < before and not found:
            self._seen[id(value)] = (value, depth, False)
            found = any(self.finds(item, depth + 1) for item in items)
            self._seen[id(value)] = (value, depth, found)
        return found


def _get(container: Any, key: Any) -> Any:
    if isinstance(container, CellType):
        return container.cell_contents
    return container.get(key) if isinstance(container, dict) else container[key] if key < len(container) else None


def _set(container: Any, key: Any, value: Any) -> None:
    if isinstance(container, CellType):
        container.cell_contents = value
    else:
        container[key] = value


def _restore_key(container: dict[Any, Any], key: Any, before: dict[Any, Any]) -> None:
    if key in before:
        container[key] = before[key]
    else:
        container.pop(key, None)


def _put(container: Any, before: Any) -> None:
    """Let a container hold what its copy holds."""
    if isinstance(container, list):
        container[:] = before
    elif isinstance(container, OrderedDict) or not isinstance(container, dict):
        container.clear()
        (container.extend if isinstance(container, deque) else container.update)(before)
    else:  # key by key: other threads may be looking at the attributes of a module
        for key in [*container]:
            if key not in before or container[key] is not before[key]:
                _restore_key(container, key, before)
        for key in before:
            if key not in container:
                container[key] = before[key]
