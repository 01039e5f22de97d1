"""A reader of pickles that only knows data: no opcode looks anything up, calls anything or sets anything but what is listed here.

Python's own unpickler cannot be held back enough: it sets attributes of whatever object it is told to, and makes its memo as
large as one index says.
"""

from __future__ import annotations

import math
import struct
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, final

import numpy as np

from .errors import SerializationError
from .outside import DEPTH, DIMENSIONS, Budget, plain

#: A key of a dict or a member of a set is made of at most this many values: hashing has no other limit.
_KEY_VALUES = 1000


class Known(NamedTuple):
    """A function that a file may name; `call` gets what the file passes and checks it."""

    call: Callable[..., Any]


@final
class NumPyType:
    """The dtype of a NumPy number, while a file tells about it. A file never gets hold of the dtype itself."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.order: Any = "<"


class Unsound(Exception):
    """Raised where a pickle makes no sense."""


@final
class Machine:
    """Runs one pickle in `data`, from `at` on; afterwards `at` is where it ends."""

    def __init__(
        self, data: bytes, at: int, known: Mapping[tuple[str, str], Any], persistent: Callable[[Any], Any], budget: Budget
    ) -> None:
        self.at = at
        self._data = data
        self._known = known
        self._persistent = persistent
        self._budget = budget
        self._stack: list[Any] = []
        self._marked: list[list[Any]] = []
        self._memo: dict[int, Any] = {}

    def run(self) -> Any:
        """The value."""
        data, budget, opcodes = self._data, self._budget, _OPCODES
        while True:
            code = data[self.at]
            self.at += 1
            if code == 0x2E:  # STOP
                (value,) = self._stack
                return value
            handle = opcodes.get(code)
            if handle is None:
                raise Unsound(f"byte {self.at - 1} is {bytes([code])!r}, which asks for more than data")
            budget.spend("values")
            handle(self)

    def take(self, count: int) -> bytes:
        """The next bytes."""
        found = self._data[self.at : self.at + count]
        if len(found) != count:
            raise Unsound("it ends too early")
        self.at += count
        return found

    def number(self, form: str) -> Any:
        """The next number."""
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]

    def _line(self) -> str:
        end = self._data.index(b"\n", self.at)
        return self.take(end + 1 - self.at)[:-1].decode()

    def _push(self, value: Any) -> None:
        self._stack.append(value)

    def _mark(self) -> None:
        self._marked.append(self._stack)
        self._stack = []

    def _since_mark(self) -> list[Any]:
        items, self._stack = self._stack, self._marked.pop()
        return items

    def _tuple(self, count: int) -> None:
        if len(self._stack) < count:
            raise Unsound("it takes more than there is")
        items = self._stack[len(self._stack) - count :]
        del self._stack[len(self._stack) - count :]
        self._push(tuple(items))

    def _put(self, index: int) -> None:
        if index > len(self._data):
            raise Unsound(f"it counts its values from {index:,} on, and has {len(self._data):,} bytes")
        self._memo[index] = self._stack[-1]

    def _append(self, items: list[Any]) -> None:
        if type(self._stack[-1]) is not list:
            raise Unsound("it appends to what is no list")
        self._stack[-1].extend(items)

    def _set_items(self, items: list[Any]) -> None:
        target = self._stack[-1]
        if not isinstance(target, dict):
            raise Unsound("it sets items of what is no dict")
        fill(target, zip(items[::2], items[1::2], strict=True))

    def _add_items(self) -> None:
        items = self._since_mark()
        if type(self._stack[-1]) is not set:
            raise Unsound("it adds to what is no set")
        self._stack[-1].update(map(key, items))

    def _global(self, module: str, name: str) -> None:
        # Python 2, whose names protocol 2 writes to this day
        module = "builtins" if module == "__builtin__" else module
        if (module, name) not in self._known:
            raise SerializationError(
                f"load: {self._budget.name} contains a {plain(module)}.{plain(name)}; of PyTorch's files only tensors, numbers, "
                "texts and containers are read, so that no file can run code. Save model.state_dict() instead of the model"
            )
        self._push(self._known[module, name])

    def _stack_global(self) -> None:
        name, module = self._stack.pop(), self._stack.pop()
        if type(module) is not str or type(name) is not str:
            raise Unsound("it names what is no text")
        self._global(module, name)

    def _reduce(self) -> None:
        arguments, function = self._stack.pop(), self._stack.pop()
        if type(function) is not Known or type(arguments) is not tuple:
            raise Unsound("it calls what is no function")
        self._push(function.call(*arguments))

    def _build(self) -> None:
        """Set the state of an object, which the file itself must have made: none of the known ones is of these types."""
        state, target = self._stack.pop(), self._stack[-1]
        if type(target) is OrderedDict and type(state) is dict:
            for name, value in state.items():
                if type(name) is not str or name.startswith("__") or hasattr(OrderedDict, name):
                    raise Unsound(f"it replaces {plain(name)[:80]!r} of a dict")
                setattr(target, name, value)
        elif is_namespace(target) and type(state) is dict:
            for name, value in state.items():
                if type(name) is not str or name.startswith("__"):
                    raise Unsound(f"it replaces {plain(name)[:80]!r} of a namespace")
                vars(target)[name] = value
        elif type(target) is np.ndarray:
            _set_array(target, state, self._budget)
        elif type(target) is NumPyType and type(state) is tuple and state[1:2] in (("<",), (">",), ("|",), ("=",)):
            target.order = state[1]
        else:
            kind = "a known object" if type(target) in (Known, type) else f"a {type(target).__name__}"
            raise Unsound(f"it changes the state of {kind}")

    def _persid(self) -> None:
        self._push(self._persistent(self._stack.pop()))


def is_namespace(value: Any) -> bool:
    """Return whether a value is what `argparse` makes of a command line; asked without importing it."""
    return type(value).__module__ == "argparse" and type(value).__name__ == "Namespace"


def _set_array(target: np.ndarray, state: Any, budget: Budget) -> None:
    """Give an array of NumPy's that the file made its shape and its numbers; `state` is what NumPy pickles of an array."""
    if type(state) is not tuple or len(state) != 5:
        raise Unsound("a NumPy array is not described as one")
    version, shape, kind, of_fortran, content = state
    if version != 1 or type(of_fortran) is not bool or type(content) is not bytes or type(kind) is not NumPyType:
        raise Unsound("a NumPy array is not described as one")
    if type(shape) is not tuple or len(shape) > DIMENSIONS or not all(type(n) is int and 0 <= n < 2**63 for n in shape):
        raise Unsound("the shape of a NumPy array is not made of numbers")
    dtype = np.dtype(kind.text)
    if math.prod(n for n in shape if n) * dtype.itemsize >= 2**63 or math.prod(shape) * dtype.itemsize != len(content):
        raise Unsound("a NumPy array has more or fewer numbers than its shape says")
    budget.spend("bytes", len(content))
    target.__setstate__((1, shape, dtype if dtype.itemsize == 1 else dtype.newbyteorder(kind.order), of_fortran, content))  # type: ignore[arg-type]


def key(value: Any) -> Any:
    """`value`, if it can be the key of a dict: hashing it takes no long time, no deep recursion, and no made-up collisions."""
    if type(value) is str:
        return value
    left, count = [value], 0
    while left:
        part = left.pop()
        count += 1
        if type(part) is tuple and count + len(left) + len(part) <= _KEY_VALUES:
            left += part
        elif type(part) is int and abs(part) < 2**64:
            continue
        elif part is not None and type(part) not in (bool, float, complex, str, bytes):
            raise Unsound("a key of a dict or a member of a set is not a number, a text or a few of them")
    return value


def fill(target: dict[Any, Any], pairs: Any) -> None:
    """Put pairs into a dict."""
    for name, value in pairs:
        target[key(name)] = value


def measured(value: Any, kinds: tuple[type, ...], budget: Budget) -> Any:
    """`value`, if it is a tree of these types and of containers, neither too large nor too deep.

    What is in it twice counts twice: otherwise a short file could hold more than anyone can walk through.
    """
    found: dict[int, tuple[int, int]] = {}  # id -> how many values, how deep

    def measure(item: Any, depth: int) -> tuple[int, int]:
        if not isinstance(item, (dict, list, tuple, set, frozenset)):
            if not is_namespace(item):
                if not isinstance(item, kinds):
                    raise Unsound("it holds a function or a type")
                return 1, 0
        if id(item) not in found:
            if depth > DEPTH:
                raise Unsound(f"a container contains itself, or {DEPTH} others around each other")
            parts = _parts(item)
            measures = [measure(part, depth + 1) for part in parts]
            found[id(item)] = 1 + sum(m[0] for m in measures), 1 + max((m[1] for m in measures), default=0)
        count, height = found[id(item)]
        if depth + height > DEPTH + 1:
            raise Unsound(f"a container contains {DEPTH} others around each other")
        return count, height

    Budget(budget.name, 0).spend("values", measure(value, 0)[0])  # by itself: these were opcodes before
    return value


def _parts(item: Any) -> list[Any]:
    """What is inside of a container, attributes that a file gave it too."""
    inside = [*item, *item.values()] if isinstance(item, dict) else [] if is_namespace(item) else list(item)
    return [*inside, *getattr(item, "__dict__", {}).values()]


def _long(count_form: str) -> Callable[[Machine], None]:
    return lambda m: m._push(int.from_bytes(m.take(m.number(count_form)), "little", signed=True))


def _text(count_form: str) -> Callable[[Machine], None]:
    return lambda m: m._push(m.take(m.number(count_form)).decode("utf-8", "surrogatepass"))


def _bytes(count_form: str) -> Callable[[Machine], None]:
    return lambda m: m._push(m.take(m.number(count_form)))


def _pairs(m: Machine) -> None:
    items = m._since_mark()
    m._push({})
    m._set_items(items)


def _empty_set(m: Machine) -> None:
    m._budget.spend("values", 3)  # as large as four others
    m._push(set())


#: What is not here has no use in data (INST, OBJ, NEWOBJ_EX, EXT1...) or is of protocol 0.
_OPCODES: dict[int, Callable[[Machine], Any]] = {
    ord(code): handle
    for code, handle in {
        "\x80": lambda m: m.take(1),  # PROTO
        "\x95": lambda m: m.take(8),  # FRAME
        "N": lambda m: m._push(None),
        "\x88": lambda m: m._push(True),
        "\x89": lambda m: m._push(False),
        "J": lambda m: m._push(m.number("<i")),
        "K": lambda m: m._push(m.number("<B")),
        "M": lambda m: m._push(m.number("<H")),
        "\x8a": _long("<B"),
        "\x8b": _long("<I"),
        "G": lambda m: m._push(m.number(">d")),
        "X": _text("<I"),
        "\x8c": _text("<B"),
        "\x8d": _text("<Q"),
        "T": _text("<I"),  # Python 2's strings
        "U": _text("<B"),
        "B": _bytes("<I"),
        "C": _bytes("<B"),
        "\x8e": _bytes("<Q"),
        "(": Machine._mark,
        "0": lambda m: m._stack.pop() if m._stack else m._since_mark(),
        "1": Machine._since_mark,
        "2": lambda m: m._push(m._stack[-1]),
        "]": lambda m: m._push([]),
        "}": lambda m: m._push({}),
        ")": lambda m: m._push(()),
        "\x8f": _empty_set,
        "\x91": lambda m: m._push(frozenset(map(key, m._since_mark()))),
        "l": lambda m: m._push(m._since_mark()),
        "d": _pairs,
        "t": lambda m: m._push(tuple(m._since_mark())),
        "\x85": lambda m: m._tuple(1),
        "\x86": lambda m: m._tuple(2),
        "\x87": lambda m: m._tuple(3),
        "a": lambda m: m._append([m._stack.pop()]),
        "e": lambda m: m._append(m._since_mark()),
        "s": lambda m: m._set_items([m._stack.pop(-2), m._stack.pop()]),
        "u": lambda m: m._set_items(m._since_mark()),
        "\x90": Machine._add_items,
        "q": lambda m: m._put(m.number("<B")),
        "r": lambda m: m._put(m.number("<I")),
        "\x94": lambda m: m._put(len(m._memo)),
        "h": lambda m: m._push(m._memo[m.number("<B")]),
        "j": lambda m: m._push(m._memo[m.number("<I")]),
        "c": lambda m: m._global(m._line(), m._line()),
        "\x93": Machine._stack_global,
        "R": Machine._reduce,
        "\x81": Machine._reduce,  # NEWOBJ
        "b": Machine._build,
        "Q": Machine._persid,
    }.items()
}
