"""Sizes that remember where they came from.

While recording, `x.shape[0]` is a `SymInt`: a polynomial with integer coefficients over *atoms*. An atom is a `Symbol` (a size
that is only known when the program runs) or a function of other sizes: floor division, remainder, `max(0, x)` (from which minimum
and maximum of any two sizes are made), and the rounding of a float made of sizes. Equal sizes have one normal form and are one
object, so "are these two dimensions the same?" is `a is b`, and asking costs no guard.

A `SymInt` is not an `int`. Whatever needs a number from it (`range(n)`, `int(n)`) or a decision (`if n > 3`) first tries to
decide for all values of the symbols; when the answer depends on them, the active recording is told (`guard`), so nothing is ever
baked in silently.
"""

from __future__ import annotations

import functools
import itertools
import math
import operator
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn, Protocol, TypeAlias, Union, final, overload
from weakref import WeakValueDictionary

from . import dtypes
from .errors import DimError, RecordError, ShapeError

Size: TypeAlias = Union[int, "SymInt"]
Number: TypeAlias = Union[int, float, "SymInt", "SymFloat"]


class Recording(Protocol):
    """All that a size needs from the recording it belongs to."""

    def guard(self, condition: SymBool) -> bool | None:
        """Note that the program took the way `condition.hint` says; return that, None if only the data decide."""

    def known(self, condition: SymBool) -> bool | None:
        """The answer, if it is the same for all sizes that the program can have here."""

    def fail(self, message: str) -> NoReturn:
        """Raise an error with the user's source line."""

    #: How many data-dependent sizes it has met; kept by `unbacked`.
    unbacked_count: int

    #: What sizes broadcast to, where only the data decide whether they are equal; None where that may not be left open.
    joined: Joined | None


_active = threading.local()


def current() -> Recording | None:
    """The recording of this thread, or None."""
    return getattr(_active, "recording", None)


@contextmanager
def recording(active: Recording | None) -> Iterator[None]:
    """Make `active` the recording of this thread for the body of the `with`."""
    previous = current()
    _active.recording = active
    try:
        yield
    finally:
        _active.recording = previous


@contextmanager
def deciding(judge: Recording) -> Iterator[None]:
    """Let `judge` decide about sizes in the body of the `with`, where no recording is active: while a file is written."""
    previous = getattr(_active, "judge", None)
    _active.judge = judge
    try:
        yield
    finally:
        _active.judge = previous


class Joined:
    """Sizes that others broadcast to, where that is left open: one for the same sizes, which are told apart by their keys."""

    def __init__(self) -> None:
        self.sizes: dict[frozenset[str], SymInt] = {}

    def size(self, *sizes: SymInt) -> SymInt:
        """Of several sizes, joined ones among them."""
        parts = {part.key: part for size in sizes for part in (size.symbol and size.symbol.parts) or (size,)}
        found = self.sizes.get(frozenset(parts))
        if found is None:
            names = {"" if part.symbol is None else part.symbol.name for part in parts.values()}
            name = names.pop() if len(names) == 1 and "" not in names else str(unbacked("a broadcast"))
            low = min(bounds(part)[0] or 0 for part in parts.values())
            found = Symbol(name, text="what its sizes broadcast to", minimum=low, parts=tuple(parts.values())).size
            self.sizes[frozenset(parts)] = found
        return found


@contextmanager
def broadcasts_left_open() -> Iterator[None]:
    """Let broadcasting of different sizes give a size that only the running program knows, with no guard that says that they are
    equal; and axes of the same name have sizes of their own. What decides on such a size raises; rules that refuse a number (a
    maximum of no elements) see none.
    """
    with _joining(Joined()):
        yield


@contextmanager
def broadcasts_asserted() -> Iterator[None]:
    """Let broadcasting of different sizes say that they are equal again, inside of `broadcasts_left_open`."""
    with _joining(None):
        yield


@contextmanager
def _joining(sizes: Joined | None) -> Iterator[None]:
    previous = joined()
    _active.joined = sizes
    try:
        yield
    finally:
        _active.joined = previous


def joined() -> Joined | None:
    """Return what sizes broadcast to inside of `broadcasts_left_open`; None outside."""
    return getattr(_active, "joined", None)


def _judge() -> Recording | None:
    return current() or getattr(_active, "judge", None)


# --- atoms ----------------------------------------------------------------------------------------------------------------------

_serial = itertools.count()


@final
class Symbol:
    """A size that is known when the program runs: of an input's axis, of a data-dependent result, or an integer tensor's value.

    `name` is short (`x0`), `text` is how the program would write it (`x.shape[0]`), `hint` is its value in this recording
    (None when the recording cannot know), `minimum` and `maximum` bound it (`maximum=None`: no bound). `parts` are the sizes that
    it is the broadcast of, in `broadcasts_left_open`: unknown to the recording, but no matter of the numbers in a tensor.

    >>> n = Symbol("n", hint=4).size
    >>> n * 2 + n
    3*n
    """

    __slots__ = ("__weakref__", "hint", "key", "maximum", "minimum", "name", "parts", "serial", "text")

    def __init__(
        self,
        name: str,
        *,
        hint: int | None = None,
        text: str | None = None,
        minimum: int = 0,
        maximum: int | None = None,
        parts: tuple[SymInt, ...] = (),
    ) -> None:
        self.name = name
        self.text = text or name
        self.hint = hint
        self.minimum = minimum
        self.maximum = maximum
        self.parts = parts
        self.serial = next(_serial)  # of two symbols, the later one has the greater
        self.key = f"{name}#{self.serial}"

    @property
    def size(self) -> SymInt:
        """The symbol as a size to compute with."""
        return _intern({((self, 1),): 1})  # type: ignore[return-value]

    def __repr__(self) -> str:
        return f"Symbol({self.name})"


def unbacked(what: str) -> SymInt:
    """A new size that only the data decide, such as the number of rows of `nonzero`: `u0`, `u1`, ... in the active recording.

    The recorder notes which value it is the size of.

    >>> unbacked("nonzero") >= 0
    True
    """
    active = current()
    count = getattr(active, "unbacked_count", 0)
    if active is not None:
        active.unbacked_count = count + 1
    return Symbol(f"u{count}", text=f"the size of {what}").size


@final
class Call:
    """`floordiv(a, b)`, `mod(a, b)`, `positive_part(a)` = max(0, a) that do not simplify; `floor(a)`, `round(a)` of a float."""

    __slots__ = ("__weakref__", "args", "function", "key", "weight")

    def __init__(self, function: str, args: tuple[Any, ...]) -> None:
        self.function = function
        self.args = args
        self.weight = 1 + sum(_weight(a) for a in args)
        self.key = f"~{function}({','.join(_key(a) for a in args)})"


Atom: TypeAlias = Symbol | Call
Monomial: TypeAlias = tuple[tuple[Atom, int], ...]  # sorted by atom key; () is the constant term

_calls: WeakValueDictionary[str, Call] = WeakValueDictionary()
_sizes: WeakValueDictionary[frozenset[tuple[Monomial, int]], SymInt] = WeakValueDictionary()
#: Formulas come up again and again while one is decided on: the last ones stay, with what is known of them.
_recent: deque[SymInt] = deque(maxlen=4096)


def _key(number: Number) -> str:
    return number.key if isinstance(number, (SymInt, SymFloat)) else repr(number)


def _intern(terms: dict[Monomial, int]) -> Size:
    """The one object of a normal form: an int when it is constant."""
    terms = {m: c for m, c in terms.items() if c}
    if not terms:
        return 0
    if len(terms) == 1 and () in terms:
        return terms[()]
    identity = frozenset(terms.items())
    found = _sizes.get(identity)
    if found is None:
        found = _sizes.setdefault(identity, SymInt(terms))
        _recent.append(found)
    return found


def _place_of_term(term: tuple[Monomial, int]) -> tuple[int, list[tuple[str, int]]]:
    """The greatest power first, then by name."""
    monomial, _ = term
    return -sum(p for _, p in monomial), [(a.key, p) for a, p in monomial]


def _call(function: str, *args: Any) -> Size:
    made = Call(function, args)
    return _intern({((_calls.setdefault(made.key, made), 1),): 1})


# --- the size -------------------------------------------------------------------------------------------------------------------


def _pinning(function: Callable[[Any], float]) -> Any:
    """A method that gives the function of the number, after guards that pin the sizes in it."""
    return lambda number: function(float(number))


@final
class SymInt:
    """An integer that depends on the sizes of the inputs. Immutable; equal expressions are one object.

    `+ - * // %`, `divmod`, `**` by a small int and the comparisons work with ints and other sizes; results that no longer depend
    on any symbol are plain ints. `/` and mixing with floats give a `SymFloat`.

    >>> b, t = Symbol("b", hint=2).size, Symbol("t", hint=5).size
    >>> (b * t * 12) // b, (4 * t) % 4, (t + 2 - 3) // 1 + 1
    (12*t, 0, t)
    >>> (b >= 0) is True, (t + 1 == t) is False
    (True, True)
    """

    __slots__ = ("__weakref__", "_bounds", "_hint", "_key", "_symbols", "terms")

    def __init__(self, terms: dict[Monomial, int]) -> None:
        ordered = sorted(terms.items(), key=_place_of_term) if len(terms) > 1 else terms.items()
        self.terms: tuple[tuple[Monomial, int], ...] = tuple(ordered)
        self._key: str | None = None
        self._symbols: frozenset[Symbol] | None = None
        self._hint: Any = ...
        self._bounds: tuple[int | None, int | None] | None = None

    @property
    def key(self) -> str:
        """A text that only this size has."""
        if self._key is None:
            self._key = "+".join(f"{c}*" + "*".join(f"{a.key}^{p}" for a, p in m) for m, c in self.terms)
        return self._key

    @property
    def hint(self) -> int | None:
        """The value in this recording; None when a data-dependent size takes part, or a division by zero."""
        if self._hint is ...:
            self._hint = _attempt(lambda: _evaluate_terms(self, _hint_of))
        return self._hint

    @property
    def symbols(self) -> frozenset[Symbol]:
        """All symbols it depends on."""
        if self._symbols is None:
            self._symbols = frozenset(_walk_symbols(self))
        return self._symbols

    @property
    def symbol(self) -> Symbol | None:
        """The symbol, when the size is nothing but one."""
        if len(self.terms) == 1:
            monomial, coefficient = self.terms[0]
            if coefficient == 1 and len(monomial) == 1 and monomial[0][1] == 1 and isinstance(monomial[0][0], Symbol):
                return monomial[0][0]
        return None

    #: The dtype it takes part in promotion with, as a Python int would.
    number_dtype = dtypes.int64

    def __repr__(self) -> str:
        return _format(self, lambda symbol: symbol.name)

    def describe(self) -> str:
        """The expression in the program's own words: `2*x.shape[0]`."""
        return _format(self, lambda symbol: symbol.text)

    def __hash__(self) -> int:
        """While recording that of the number, which a guard pins: a set or a dict looks numbers up by it."""
        return id(self) >> 4 if current() is None else hash(self.__index__())

    def __format__(self, spec: str) -> str:
        return str(self)

    # arithmetic

    def __add__(self, other: Any) -> Any:
        if isinstance(other, (int, SymInt)):
            terms = dict(self.terms)
            for monomial, coefficient in _terms(other):
                terms[monomial] = terms.get(monomial, 0) + coefficient
            return _intern(terms)
        return _float_operation("+", self, other)

    def __radd__(self, other: Any) -> Any:
        return self + other if isinstance(other, int) else _float_operation("+", other, self)

    def __neg__(self) -> SymInt:
        return _intern({m: -c for m, c in self.terms})  # type: ignore[return-value]

    def __pos__(self) -> SymInt:
        return self

    def __abs__(self) -> Size:
        return size_max(self, -self)

    def __sub__(self, other: Any) -> Any:
        return self + (-other) if isinstance(other, (int, SymInt)) else _float_operation("-", self, other)

    def __rsub__(self, other: Any) -> Any:
        return -self + other if isinstance(other, int) else _float_operation("-", other, self)

    def __mul__(self, other: Any) -> Any:
        if isinstance(other, (int, SymInt)):
            terms: dict[Monomial, int] = {}
            for (m1, c1), (m2, c2) in itertools.product(self.terms, _terms(other)):
                monomial = _multiply(m1, m2)
                terms[monomial] = terms.get(monomial, 0) + c1 * c2
            return _intern(terms)
        return _float_operation("*", self, other)

    def __rmul__(self, other: Any) -> Any:
        return self * other if isinstance(other, int) else _float_operation("*", other, self)

    def __floordiv__(self, other: Any) -> Any:
        return _floordiv(self, other) if isinstance(other, (int, SymInt)) else _float_floordiv(self, other)

    def __rfloordiv__(self, other: Any) -> Any:
        return _floordiv(other, self) if isinstance(other, int) else _float_floordiv(other, self)

    def __mod__(self, other: Any) -> Any:
        return _mod(self, other) if isinstance(other, (int, SymInt)) else _float_mod(self, other)

    def __rmod__(self, other: Any) -> Any:
        return _mod(other, self) if isinstance(other, int) else _float_mod(other, self)

    def __divmod__(self, other: Any) -> Any:
        return self // other, self % other

    def __rdivmod__(self, other: Any) -> Any:
        return other // self, other % self

    def __truediv__(self, other: Any) -> Any:
        return _float_operation("/", self, other)

    def __rtruediv__(self, other: Any) -> Any:
        return _float_operation("/", other, self)

    def __pow__(self, exponent: Any) -> Any:
        if isinstance(exponent, int) and exponent >= 0:
            return prod([self] * exponent)
        return _float_operation("**", self, exponent)

    def __rpow__(self, base: Any) -> Any:
        return base ** int(self) if isinstance(base, int) else _float_operation("**", base, self)

    # bits: shifts and masks of the lowest are arithmetic, others need the number

    def __rshift__(self, places: Any) -> Any:
        return self // (1 << places) if isinstance(places, (int, SymInt)) else NotImplemented

    def __rrshift__(self, other: Any) -> Any:
        return _bits(operator.rshift, other, self)

    def __lshift__(self, places: Any) -> Any:
        return self * (1 << places) if isinstance(places, (int, SymInt)) else NotImplemented

    def __rlshift__(self, other: Any) -> Any:
        return _bits(operator.lshift, other, self)

    def __and__(self, other: Any) -> Any:
        lowest = isinstance(other, int) and other >= 0 and other & (other + 1) == 0
        return self % (other + 1) if lowest else _bits(operator.and_, self, other)

    def __or__(self, other: Any) -> Any:
        return _bits(operator.or_, self, other)

    def __xor__(self, other: Any) -> Any:
        return _bits(operator.xor, self, other)

    __rand__, __ror__, __rxor__ = __and__, __or__, __xor__

    def __invert__(self) -> Size:
        return -self - 1

    def bit_length(self) -> int:
        """As of an int, after a guard that pins the size."""
        return int(self).bit_length()

    # what an int has for being a number

    imag, denominator = 0, 1

    @property
    def real(self) -> SymInt:
        """The size itself."""
        return self

    numerator = real

    def conjugate(self) -> SymInt:
        """The size itself."""
        return self

    # comparison: a bool when it holds for all sizes, else a SymBool

    def __eq__(self, other: object) -> Any:
        return compare("==", self, other) if isinstance(other, (int, float, SymInt, SymFloat)) else NotImplemented

    def __ne__(self, other: object) -> Any:
        return compare("!=", self, other) if isinstance(other, (int, float, SymInt, SymFloat)) else NotImplemented

    def __lt__(self, other: Any) -> Any:
        return compare("<", self, other) if isinstance(other, (int, float, SymInt, SymFloat)) else NotImplemented

    def __le__(self, other: Any) -> Any:
        return compare("<=", self, other) if isinstance(other, (int, float, SymInt, SymFloat)) else NotImplemented

    def __gt__(self, other: Any) -> Any:
        return compare(">", self, other) if isinstance(other, (int, float, SymInt, SymFloat)) else NotImplemented

    def __ge__(self, other: Any) -> Any:
        return compare(">=", self, other) if isinstance(other, (int, float, SymInt, SymFloat)) else NotImplemented

    # specialisation: only these turn a size into a number, and the recording is told

    def __bool__(self) -> bool:
        return bool(self != 0)

    def __index__(self) -> int:
        """The number in this recording, after a guard that pins the size to it."""
        if self.hint is None:
            _fail(
                f"the size {self.describe()} depends on the data and is not known while recording, but a number is needed here. "
                f"Keep it a size: shapes, arange, slices and arithmetic accept it. {_elsewhere('a loop over it')}"
            )
        bool(compare("==", self, self.hint))
        return self.hint

    __int__ = __index__

    def __float__(self) -> float:
        return float(self.__index__())

    # integers that are their own rounding

    def __floor__(self) -> SymInt:
        return self

    __ceil__ = __trunc__ = __floor__

    def __round__(self, digits: int | None = None) -> SymInt:
        return self

    # what NumPy's functions ask an object for

    def sqrt(self) -> Any:
        """The root."""
        return self**0.5

    log, log2, log10 = map(_pinning, (math.log, math.log2, math.log10))


def _fail(message: str) -> NoReturn:
    active = _judge()
    if active is None:
        raise RecordError(f"{message} (outside of the recording this size belongs to)")
    active.fail(message)


def _elsewhere(what: str) -> str:
    """What to do where the recording cannot go on."""
    if not getattr(current(), "scripted", False):
        return f"Decorate the function with @fz.jit.script for {what}."
    return (
        "The function is scripted, but here an operation, or code that cannot be rewritten (of a library, of a generator), needs "
        "the number itself: pass it in as an argument that is no tensor, or take a size that an input has."
    )


def _terms(size: Size) -> tuple[tuple[Monomial, int], ...]:
    return size.terms if isinstance(size, SymInt) else (((), int(size)),)


def _constant(size: SymInt) -> int:
    return next((c for m, c in size.terms if not m), 0)


def _multiply(a: Monomial, b: Monomial) -> Monomial:
    powers = dict(a)
    for atom, power in b:
        powers[atom] = powers.get(atom, 0) + power
    return tuple(sorted(powers.items(), key=lambda item: item[0].key))


def _divide_monomial(a: Monomial, b: Monomial) -> Monomial | None:
    """a / b, or None when b does not divide a."""
    powers = dict(a)
    for atom, power in b:
        rest = powers.get(atom, 0) - power
        if rest < 0:
            return None
        powers[atom] = rest
    return tuple((atom, power) for atom, power in powers.items() if power)


def _divide_exactly(a: Size, b: SymInt) -> Size | None:
    """The polynomial q with q * b == a, or None: long division by leading terms."""
    quotient: Size = 0
    lead, coefficient = _lead(b)
    while isinstance(a, SymInt):
        monomial, c = _lead(a)
        rest = _divide_monomial(monomial, lead)
        if rest is None or c % coefficient:
            return None
        step = _intern({rest: c // coefficient})
        quotient = quotient + step
        a = a - step * b
    return quotient if a == 0 else None


def _lead(size: SymInt) -> tuple[Monomial, int]:
    """The greatest term in an order that multiplication keeps (lexicographic in the atoms)."""
    atoms = sorted({atom for monomial, _ in size.terms for atom, _ in monomial}, key=lambda atom: atom.key)
    return max(size.terms, key=lambda term: [dict(term[0]).get(atom, 0) for atom in atoms])


def _common_factor(a: SymInt, b: SymInt) -> tuple[Monomial, int]:
    """The greatest monomial of atoms that are never negative, and the greatest number, that divide all terms of both."""
    terms = (*a.terms, *b.terms)
    powers = {
        atom: min(dict(m).get(atom, 0) for m, _ in terms) for atom, _ in terms[0][0] if _positive(_intern({((atom, 1),): 1}))
    }
    return tuple((atom, power) for atom, power in powers.items() if power), math.gcd(*(c for _, c in terms))


def _divide_term(size: SymInt, monomial: Monomial, factor: int) -> Size:
    return _intern({_divide_monomial(m, monomial): c // factor for m, c in size.terms})  # type: ignore[misc]


def _split_multiples(a: SymInt, b: Size) -> tuple[Size, Size]:
    """(q, r) with a == q * b + r, taking into q every term of a that contains b."""
    quotient: Size = 0
    for monomial, coefficient in a.terms:
        if isinstance(b, int):
            quotient += _intern({monomial: coefficient // b})
        elif len(b.terms) == 1:
            rest = _divide_monomial(monomial, b.terms[0][0])
            if rest is not None:
                quotient += _intern({rest: coefficient // b.terms[0][1]})
    return quotient, a - quotient * b


def _floordiv(a: Size, b: Size) -> Size:
    if isinstance(b, int):
        if b == 0:
            raise ZeroDivisionError("division of a size by zero")
        if isinstance(a, int):
            return a // b
        if b < 0:
            a, b = -a, -b
    elif isinstance(a, SymInt):
        exact = _divide_exactly(a, b)
        if exact is not None:
            return exact
        shared, factor = _common_factor(a, b)
        if shared or factor > 1:  # sizes are not negative, and dividing by zero raises
            return _floordiv(*(_divide_term(size, shared, factor) for size in (a, b)))
    quotient, rest = _split_multiples(a, b) if isinstance(a, SymInt) else (0, a)
    return quotient + _floordiv_rest(rest, b)


def _floordiv_rest(a: Size, b: Size) -> Size:
    if isinstance(b, int):
        low, high = bounds(a)
        if low is not None and high is not None and low // b == high // b:
            return low // b
        assert isinstance(a, SymInt)
        common = math.gcd(b, *(c for m, c in a.terms if m))
        if common > 1:
            constant = _constant(a)
            return _floordiv(_scale(a - constant, common) + constant // common, b // common)
        inner = _only_call(a - _constant(a), "floordiv")
        if inner is not None and isinstance(inner[1], int):
            return _floordiv(inner[0] + _constant(a) * inner[1], b * inner[1])
    elif same(a, 0):
        return 0
    return _call("floordiv", a, b)


def _mod(a: Size, b: Size) -> Size:
    if isinstance(b, int):
        if b == 0:
            raise ZeroDivisionError("remainder of a size by zero")
        if isinstance(a, int):
            return a % b
        if b < 0:
            return -_mod(-a, -b)
    elif not isinstance(a, SymInt):
        if a == 0:
            return 0
    elif _divide_exactly(a, b) is not None:
        return 0
    rest = _split_multiples(a, b)[1] if isinstance(a, SymInt) else a
    if isinstance(b, int) and isinstance(rest, SymInt):  # a remainder of a multiple of b differs by multiples of b
        inner = {atom: dividend for m, _ in rest.terms for atom, _ in m if (dividend := _before_remainder(atom, b)) is not None}
        if inner:
            return _mod(_replace_atoms(rest, inner), b)
    if isinstance(b, int):
        low, high = bounds(rest)
        if low is not None and high is not None and low // b == high // b:
            return rest - low // b * b
        assert isinstance(rest, SymInt)
        common = math.gcd(b, *(c for _, c in rest.terms))
        if common > 1:
            return common * _mod(_scale(rest, common), b // common)
    elif same(rest, 0):
        return 0
    return _call("mod", rest, b)


def _before_remainder(atom: Atom, divisor: int) -> Size | None:
    """What the atom is the remainder of, when it is one by a multiple of `divisor`."""
    if not isinstance(atom, Call) or atom.function != "mod" or not isinstance(atom.args[1], int) or atom.args[1] % divisor:
        return None
    return atom.args[0]


def _replace_atoms(size: SymInt, by: Mapping[Any, Size]) -> Size:
    return sum(c * prod(by.get(a, _intern({((a, 1),): 1})) ** p for a, p in m) for m, c in size.terms)


def _scale(size: Size, divisor: int) -> Size:
    return _intern({m: c // divisor for m, c in _terms(size)})


def _only_call(size: Size, function: str) -> tuple[Size, ...] | None:
    """The arguments, when the size is nothing but one call of `function`."""
    if isinstance(size, SymInt) and len(size.terms) == 1:
        monomial, coefficient = size.terms[0]
        if coefficient == 1 and len(monomial) == 1 and monomial[0][1] == 1:
            atom = monomial[0][0]
            if isinstance(atom, Call) and atom.function == function:
                return atom.args
    return None


def _weight(size: Number) -> int:
    """How many functions are written in it, those inside of others included."""
    if isinstance(size, SymFloat):
        return 1 + sum(map(_weight, size.args))
    atoms = (atom for monomial, _ in size.terms for atom, _ in monomial) if isinstance(size, SymInt) else ()
    return sum(atom.weight for atom in atoms if isinstance(atom, Call))


#: Formulas of more functions than this are not what anybody means: `max(0, ...)` becomes a decision then.
_HEAVIEST = 100


def _positive_part(a: Size) -> Size:
    """max(0, a). Of `a` and `-a` only one becomes an atom: max(0, a) == a + max(0, -a).

    Every slice with bounds that may be out of range nests two of them. Formulas that grow from slice to slice would soon be too
    big to work with; then the recording decides, with a guard, as the program would have with an `if`.
    """
    if isinstance(a, int):
        return max(0, a)
    low, high = bounds(a)
    if (low is not None and low >= 0) or _known(">=", a):
        return a
    if (high is not None and high <= 0) or _known("<=", a):
        return 0
    if _weight(a) > _HEAVIEST and a.hint is not None and current() is not None:
        return a if a >= 0 else 0
    return a + _call("positive_part", -a) if a.terms[0][1] < 0 else _call("positive_part", a)


def _known(op: str, size: SymInt) -> bool:
    """Whether `size op 0` is known where the program is: in a loop `for i in range(n)`, i is less than n."""
    known_inside = getattr(current(), "known_inside", None)
    return known_inside is not None and known_inside(SymBool(op, size, 0)) is True


def size_max(*sizes: Size) -> Size:
    """The greatest of the sizes; a plain int or one of them when that can be decided.

    >>> n = Symbol("n").size
    >>> size_max(n, 0), size_max(n - 1, 0), size_max(2, 3)
    (n, max(0, n - 1), 3)
    """
    result = sizes[0]
    for size in sizes[1:]:
        result = result + _positive_part(size - result)
    return result


def size_min(*sizes: Size) -> Size:
    """The smallest of the sizes.

    >>> n = Symbol("n").size
    >>> size_min(n, 5), size_min(n, n + 1)
    (min(n, 5), n)
    """
    result = sizes[0]
    for size in sizes[1:]:
        result = result - _positive_part(result - size)
    return result


@overload
def window_positions(n: int, k: int, stride: int, padding: int, dilation: int, ceil_mode: bool = False) -> int: ...
@overload
def window_positions(n: Size, k: Size, stride: Size, padding: Size, dilation: Size, ceil_mode: bool = False) -> Size: ...
def window_positions(n: Size, k: Size, stride: Size, padding: Size, dilation: Size, ceil_mode: bool = False) -> Size:
    """Return how many positions a window of size `k` takes on an axis of size `n`; less than 1 where it does not fit.

    >>> window_positions(7, 3, 2, 1, 1), window_positions(6, 3, 2, 0, 1, ceil_mode=True), window_positions(2, 3, 1, 0, 1)
    (4, 3, 0)
    """
    free = n + 2 * padding - dilation * (k - 1) - 1
    if not ceil_mode:
        return free // stride + 1
    # The last window must start inside the input or its left padding: one window less when it would not.
    return size_min((free + stride - 1) // stride + 1, (n + padding - 1) // stride + 1)


def prod(sizes: Iterable[Size]) -> Size:
    """The product; 1 for no sizes."""
    result: Size = 1
    for size in sizes:
        result = result * size
    return result


def wrapped(position: Size, n: Size) -> Size:
    """A position along an axis of size n, counted from the front; a negative one counts from the end.

    >>> n, k = Symbol("n").size, Symbol("k", minimum=1).size
    >>> wrapped(-1, n), wrapped(n // 2, n), wrapped(-k, n)
    (n - 1, n//2, -k + n)
    """
    low, high = bounds(position)
    if (low is not None and low >= 0) or same(position, n - 1):  # of n == 0 there is no position at all
        return position
    if isinstance(position, SymInt) and _known(">=", position):
        return position
    is_negative = 1 if high is not None and high < 0 else size_min(_positive_part(-position), 1)
    return position + n * is_negative


def same(a: Any, b: Any) -> bool:
    """Return whether two sizes, or two shapes, are equal for all values of the symbols. Never adds a guard.

    >>> n = Symbol("n").size
    >>> same((n, 3), (n, 3)), same(n, 3)
    (True, False)
    """
    if isinstance(a, (tuple, list)) or isinstance(b, (tuple, list)):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, (SymInt, SymFloat)) or isinstance(b, (SymInt, SymFloat)):
        return a is b
    return a == b


def is_open(condition: Any) -> bool:
    """Return whether only the data decide on a condition.

    >>> is_open(3 < 1), is_open(Symbol("n").size > 3)
    (False, True)
    """
    if not isinstance(condition, SymBool) or condition.hint is not None:
        return False
    active = current()
    return active is None or active.known(condition) is None


def proven(condition: Any) -> bool:
    """Return whether a condition holds for all sizes that the program can have, with what it asserts. Decides nothing.

    >>> proven(3 > 0), proven(Symbol("n").size > 0), proven(Symbol("n", minimum=1).size > 0)
    (True, False, True)
    """
    if not isinstance(condition, SymBool):
        return bool(condition)
    judge = _judge()
    return (decide(condition) if judge is None else judge.known(condition)) is True


def surely(condition: Any) -> bool:
    """Return whether a condition holds; one that only the data decide counts as not holding. For checks of arguments.

    >>> surely(3 < 1), surely(Symbol("n").size > 3)
    (False, False)
    """
    return not is_open(condition) and bool(condition)


def unmatched(before: Sequence[Size], after: Sequence[Size]) -> tuple[list[Size], list[Size]]:
    """Two shapes of equally many elements without the neighbouring dimensions that hold equally many for sure.

    >>> n, m = Symbol("n").size, Symbol("m").size
    >>> unmatched((n, m, 6, n), (n * m, 2, 3, 4, n // 4))
    ([n], [4, n//4])
    """
    left, right = list(before), list(after)
    for _ in range(2):  # from the front, then from the back
        while left and right:
            pair = _first_match(left, right)
            if pair is None:
                break
            left, right = left[pair[0] :], right[pair[1] :]
        left.reverse()
        right.reverse()
    return left, right


def _first_match(left: Sequence[Size], right: Sequence[Size]) -> tuple[int, int] | None:
    """How many of the first dimensions of each hold equally many elements."""
    for i, j in [(1, j) for j in range(1, len(right) + 1)] + [(i, 1) for i in range(2, len(left) + 1)]:
        if compare("==", prod(left[:i]), prod(right[:j])) is True:
            return i, j
    return None


def rounds_floats(size: Size) -> bool:
    """Return whether a rounded float takes part, which is one number and never a vector of them."""
    calls = [atom for monomial, _ in _terms(size) for atom, _ in monomial if isinstance(atom, Call)]
    return any(call.function in _ROUNDINGS or any(map(rounds_floats, call.args)) for call in calls)


def is_static(value: Any) -> bool:
    """Return whether no symbol takes part in a size, a shape, or any nesting of tuples and lists."""
    if isinstance(value, (tuple, list)):
        return all(map(is_static, value))
    return not isinstance(value, (SymInt, SymFloat, SymBool))


# --- numbers that are not whole -------------------------------------------------------------------------------------------------


@final
class SymFloat:
    """A float computed from sizes: `1 / x.shape[0]`. `+ - * / **`, `//` and `%` of exact fractions, and what an op
    does with it (it becomes a 0-d tensor).

    `math.floor`, `math.ceil`, `math.trunc` and `round` of it are sizes again. `float()` pins the sizes to this recording's.

    >>> n = Symbol("n", hint=4).size
    >>> import math
    >>> 1 / n, math.ceil(n / 2), math.floor(n / 2), math.floor(n * 0.6)
    (1/n, n - n//2, n//2, floor(n*0.6))
    """

    __slots__ = ("args", "op")

    def __init__(self, op: str, args: tuple[Number, ...]) -> None:
        self.op = op
        self.args = args

    @property
    def hint(self) -> float | None:
        """The value in this recording, or None."""
        hints = [a.hint if isinstance(a, (SymInt, SymFloat)) else a for a in self.args]
        return None if None in hints else _attempt(lambda: _FLOAT_OPERATORS[self.op](*hints))

    @property
    def key(self) -> str:
        """Equal for equal expressions."""
        return f"({_key(self.args[0])}{self.op}{_key(self.args[1])})"

    @property
    def symbols(self) -> frozenset[Symbol]:
        """All symbols it depends on."""
        return frozenset(_walk_symbols(self))

    @property
    def number_dtype(self) -> dtypes.dtype:
        """The dtype it takes part in promotion with, as a Python float would."""
        return dtypes.get_default_dtype()

    def __repr__(self) -> str:
        return _format(self, lambda symbol: symbol.name)

    def describe(self) -> str:
        """The expression in the program's own words."""
        return _format(self, lambda symbol: symbol.text)

    def __add__(self, other: Any) -> Any:
        return _float_operation("+", self, other)

    def __radd__(self, other: Any) -> Any:
        return _float_operation("+", other, self)

    def __sub__(self, other: Any) -> Any:
        return _float_operation("-", self, other)

    def __rsub__(self, other: Any) -> Any:
        return _float_operation("-", other, self)

    def __mul__(self, other: Any) -> Any:
        return _float_operation("*", self, other)

    def __rmul__(self, other: Any) -> Any:
        return _float_operation("*", other, self)

    def __truediv__(self, other: Any) -> Any:
        return _float_operation("/", self, other)

    def __rtruediv__(self, other: Any) -> Any:
        return _float_operation("/", other, self)

    def __pow__(self, other: Any) -> Any:
        return _float_operation("**", self, other)

    def __rpow__(self, other: Any) -> Any:
        return _float_operation("**", other, self)

    def __floordiv__(self, other: Any) -> Any:
        return _float_floordiv(self, other)

    def __rfloordiv__(self, other: Any) -> Any:
        return _float_floordiv(other, self)

    def __mod__(self, other: Any) -> Any:
        return _float_mod(self, other)

    def __rmod__(self, other: Any) -> Any:
        return _float_mod(other, self)

    def __divmod__(self, other: Any) -> Any:
        return self // other, self % other

    def __rdivmod__(self, other: Any) -> Any:
        return other // self, other % self

    def __neg__(self) -> Any:
        return _float_operation("*", -1.0, self)

    def __pos__(self) -> Any:
        return self

    def __abs__(self) -> Any:
        exact = _exact(self)
        return abs(float(self)) if exact is None else abs(exact[0]) / exact[1]

    def is_integer(self) -> bool:
        """Return whether it is a whole number."""
        exact = _exact(self)
        return float(self).is_integer() if exact is None else bool(exact[0] % exact[1] == 0)

    def __eq__(self, other: object) -> Any:
        return compare("==", self, other) if isinstance(other, (int, float, SymInt, SymFloat)) else NotImplemented

    def __ne__(self, other: object) -> Any:
        return compare("!=", self, other) if isinstance(other, (int, float, SymInt, SymFloat)) else NotImplemented

    def __lt__(self, other: Any) -> Any:
        return compare("<", self, other)

    def __le__(self, other: Any) -> Any:
        return compare("<=", self, other)

    def __gt__(self, other: Any) -> Any:
        return compare(">", self, other)

    def __ge__(self, other: Any) -> Any:
        return compare(">=", self, other)

    def __hash__(self) -> int:
        return id(self) >> 4 if current() is None else hash(float(self))

    def __format__(self, spec: str) -> str:
        return str(self)

    def __bool__(self) -> bool:
        return bool(self != 0)

    def __float__(self) -> float:
        """The number in this recording, after guards that pin the sizes in it."""
        return float(_FLOAT_OPERATORS[self.op](*(float(a) if isinstance(a, SymFloat) else _pin(a) for a in self.args)))

    def __int__(self) -> int:
        return int(float(self))

    # what NumPy's functions ask an object for

    def sqrt(self) -> Any:
        """The root."""
        return self**0.5

    log, log2, log10 = map(_pinning, (math.log, math.log2, math.log10))

    def __floor__(self) -> Size:
        quotient = _quotient(self)
        return quotient[0] // quotient[1] if quotient else _rounded("floor", self)

    def __ceil__(self) -> Size:
        quotient = _quotient(self)
        return -(-quotient[0] // quotient[1]) if quotient else -_rounded("floor", -self)

    def __trunc__(self) -> Size:
        return _positive_part(math.floor(self)) - _positive_part(-math.ceil(self))

    def __round__(self, digits: int | None = None) -> Any:
        """To the nearest whole number; of two that are as near, to the even one, as Python does."""
        quotient = _quotient(self)
        if digits is not None:
            return round(float(self), digits)
        if quotient is None:
            return _rounded("round", self)
        a, b = quotient
        up, rest = (2 * a + b) // (2 * b), (2 * a + b) % (2 * b)
        return up - (1 - size_min(rest, 1)) * (up % 2)


def _rounded(function: str, number: SymFloat) -> Size:
    """The rounded number, for what no division of sizes computes exactly: the file rounds the same float."""
    low, high = (_ROUNDINGS[function](end) if math.isfinite(end) else None for end in _float_bounds(number))
    return low if low is not None and low == high else _call(function, number)


_ROUNDINGS: dict[str, Any] = {"floor": math.floor, "round": round}


def _quotient(number: SymFloat) -> tuple[Size, Size] | None:
    """Two sizes of which the float is the quotient, when floats compute it without an error that rounding could show."""
    exact = _exact(number)
    if exact is not None or number.op != "/":
        return exact
    a, b = map(_exact, number.args)
    return None if a is None or b is None else (a[0] * b[1], a[1] * b[0])


def _exact(number: Number) -> tuple[Size, int] | None:
    """(n, d) with number == n / d, for what floats represent exactly: d is a small power of two."""
    if isinstance(number, SymFloat):
        if number.op not in "+-*/":
            return None
        a, b = map(_exact, number.args)
        if a is None or b is None:
            return None
        if number.op == "/":
            halved = isinstance(b[0], int) and b[0] > 0 and b[0] & (b[0] - 1) == 0
            return (a[0] * b[1], a[1] * b[0]) if halved else None
        if number.op == "*":
            return a[0] * b[0], a[1] * b[1]
        return _FLOAT_OPERATORS[number.op](a[0] * b[1], b[0] * a[1]), a[1] * b[1]
    if not isinstance(number, float):
        return number, 1
    n, d = number.as_integer_ratio() if math.isfinite(number) else (0, 1 << 30)
    return (n, d) if d <= 1 << 10 and abs(n) < 1 << 20 else None


_FLOAT_OPERATORS: dict[str, Any] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "**": operator.pow,
}


def _float_operation(op: str, a: Any, b: Any) -> Any:
    if isinstance(a, (int, float, SymInt, SymFloat)) and isinstance(b, (int, float, SymInt, SymFloat)):
        return SymFloat(op, (a, b))
    return NotImplemented


def _float_floordiv(a: Any, b: Any) -> Any:
    """Symbolic where both are fractions that floats compute without an error; else of this recording's numbers."""
    if not isinstance(a, (int, float, SymInt, SymFloat)) or not isinstance(b, (int, float, SymInt, SymFloat)):
        return NotImplemented
    parts = _over_one(a, b)
    return float(a) // float(b) if parts is None else parts[0] // parts[1] * 1.0


def _float_mod(a: Any, b: Any) -> Any:
    if not isinstance(a, (int, float, SymInt, SymFloat)) or not isinstance(b, (int, float, SymInt, SymFloat)):
        return NotImplemented
    parts = _over_one(a, b)
    return float(a) % float(b) if parts is None else parts[0] % parts[1] / parts[2]


def _over_one(a: Number, b: Number) -> tuple[Size, Size, int] | None:
    """Two fractions as two sizes over one number, the third; None where floats may round them."""
    first, second = _exact(a), _exact(b)
    return None if first is None or second is None else (first[0] * second[1], second[0] * first[1], first[1] * second[1])


def _bits(operation: Any, a: Any, b: Any) -> Any:
    """An operation on bits, of this recording's numbers."""
    return operation(int(a), int(b)) if isinstance(a, (int, SymInt)) and isinstance(b, (int, SymInt)) else NotImplemented


def _pin(number: Any) -> Any:
    return int(number) if isinstance(number, SymInt) else number


# --- decisions ------------------------------------------------------------------------------------------------------------------

_COMPARISONS: dict[str, Any] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_OPPOSITE = {"==": "!=", "!=": "==", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}


@final
class SymBool:
    """A comparison whose answer depends on sizes. `bool()` of it asks the recording for a guard.

    `op` is one of `== != < <= > >=`; `lhs` and `rhs` are numbers or sizes, as the program wrote them.
    """

    __slots__ = ("_zero", "lhs", "op", "rhs")

    def __init__(self, op: str, lhs: Number, rhs: Number) -> None:
        self.op = op
        self.lhs = lhs
        self.rhs = rhs
        self._zero: Any = ...

    #: The dtype it takes part in promotion with, as a Python bool would.
    number_dtype = dtypes.bool_

    @property
    def hint(self) -> bool | None:
        """The answer in this recording, or None when a data-dependent size takes part."""
        lhs = self.lhs.hint if isinstance(self.lhs, (SymInt, SymFloat)) else self.lhs
        rhs = self.rhs.hint if isinstance(self.rhs, (SymInt, SymFloat)) else self.rhs
        return None if lhs is None or rhs is None else _COMPARISONS[self.op](lhs, rhs)

    @property
    def symbols(self) -> frozenset[Symbol]:
        """All symbols it depends on."""
        sides = [side.symbols if isinstance(side, SymInt) else _walk_symbols(side) for side in (self.lhs, self.rhs)]
        return frozenset(itertools.chain(*sides))

    @property
    def zero(self) -> tuple[str, Size] | None:
        """The same condition as `(op, size)`, to be read `size op 0` with op `==`, `!=` or `>=`; None for floats."""
        if self._zero is ...:
            self._zero = self._compared_with_zero()
        return self._zero

    def _compared_with_zero(self) -> tuple[str, Size] | None:
        if not isinstance(self.lhs, (int, SymInt)) or not isinstance(self.rhs, (int, SymInt)):
            return None
        op, difference = self.op, self.lhs - self.rhs
        if op in ("==", "!="):
            return op, difference
        if op in ("<=", "<"):
            difference = -difference
        return ">=", difference - 1 if op in (">", "<") else difference

    def __invert__(self) -> SymBool:
        """The opposite condition."""
        return SymBool(_OPPOSITE[self.op], self.lhs, self.rhs)

    def __int__(self) -> int:
        return int(bool(self))

    __index__ = __int__

    def __float__(self) -> float:
        return float(bool(self))

    # arithmetic: that of the answer

    def __add__(self, other: Any) -> Any:
        return bool(self) + other

    def __sub__(self, other: Any) -> Any:
        return bool(self) - other

    def __rsub__(self, other: Any) -> Any:
        return other - bool(self)

    def __mul__(self, other: Any) -> Any:
        return bool(self) * other

    def __and__(self, other: Any) -> Any:
        return bool(self) & other

    def __or__(self, other: Any) -> Any:
        return bool(self) | other

    def __xor__(self, other: Any) -> Any:
        return bool(self) ^ other

    __radd__, __rmul__, __rand__, __ror__, __rxor__ = __add__, __mul__, __and__, __or__, __xor__

    def __repr__(self) -> str:
        return f"{_format(self.lhs, lambda s: s.name)} {self.op} {_format(self.rhs, lambda s: s.name)}"

    def describe(self) -> str:
        """The condition in the program's own words: `x.shape[0] > 3`."""
        return f"{_format(self.lhs, lambda s: s.text)} {self.op} {_format(self.rhs, lambda s: s.text)}"

    def in_words(self) -> str:
        """The condition for a message: no formula of maxima and minima that the program did not write."""
        return f"{_in_words(self.lhs)} {self.op} {_in_words(self.rhs)}"

    def __bool__(self) -> bool:
        active = _judge()
        if active is None:
            _fail(f"the sizes of a recording are compared outside of it: {self.describe()}")
        answer = active.guard(self)
        if answer is None:
            _fail(
                f"the program decides on {self.in_words()}, which depends on the data and is not known while recording. "
                f"{_elsewhere('both ways to be recorded')}"
            )
        return answer


def compare(op: str, a: Any, b: Any) -> bool | SymBool:
    """`a op b` for numbers and sizes: a bool when it is the same for all sizes, else a `SymBool`.

    >>> n = Symbol("n").size
    >>> compare(">=", n, 0), compare("==", n, -1), compare(">", n, 3)
    (True, False, n > 3)
    """
    if isinstance(b, float) and isinstance(a, SymInt):  # a whole number compares with a fraction as with its neighbour
        if math.isnan(b) or math.isinf(b):
            return _COMPARISONS[op](0, b)
        if not b.is_integer() and op in ("==", "!="):
            return op == "!="
        b = math.ceil(b) if op in ("<", ">=") else math.floor(b)
    if not (isinstance(a, (SymInt, SymFloat)) or isinstance(b, (SymInt, SymFloat))):
        return _COMPARISONS[op](a, b)
    condition = SymBool(op, a, b)
    decided = decide(condition)
    if decided is not None:
        return decided
    return _plainly(condition) if op in ("==", "!=") else condition


def _plainly(condition: SymBool) -> SymBool | bool:
    """An equation as a reader would write it: `2*n - 2*m == 0` as `n == m`, `n == 4*(n//4)` as `n % 4 == 0`, and `n == min(n, m)`
    as `n <= m`."""
    op, difference = condition.zero or ("", 0)
    if isinstance(difference, int):
        return condition
    factor = math.gcd(*(c for _, c in difference.terms))
    if factor > 1:
        return compare(op, _scale(difference, factor), 0)
    if isinstance(condition.rhs, int) and condition.rhs == 0:
        positive = _intern({m: c for m, c in difference.terms if c > 0})
        condition = SymBool(op, positive, positive - difference) if isinstance(positive, SymInt) else condition
    for monomial, coefficient in _terms(difference):
        atom = monomial[0][0] if len(monomial) == 1 and monomial[0][1] == 1 else None
        if not isinstance(atom, Call):
            continue
        rest = difference - _intern({monomial: coefficient})
        argument, divisor = atom.args[0], atom.args[-1]
        if atom.function == "floordiv" and isinstance(divisor, int) and coefficient % divisor == 0:
            if same(rest, -(coefficient // divisor) * argument):
                return compare(op, argument % divisor, 0)
        elif atom.function == "positive_part" and (same(rest, 0) or same(rest, -coefficient * argument)):
            return _ordered(argument, "<=" if same(rest, 0) else ">=", op)  # max(0, a) is 0, or is a
    return condition


def _ordered(size: Size, order: str, op: str) -> SymBool | bool:
    """`size <= 0` (or >=) with the negative terms on the other side; the opposite when `op` is "!="."""
    left = _intern({m: c for m, c in _terms(size) if c > 0})
    return compare(order if op == "==" else _OPPOSITE[order], left, left - size)


def decide(condition: SymBool, facts: Iterable[SymBool] = ()) -> bool | None:
    """The answer for all sizes that satisfy `facts`, or None when they leave it open.

    >>> n = Symbol("n").size
    >>> decide(SymBool(">", n, 1), facts=[SymBool(">", n, 3)])
    True
    """
    solved, facts = _settled(tuple(facts))
    if solved:
        reduced = _substituted_if_possible(condition, solved)
        if not isinstance(reduced, SymBool):
            return reduced
        condition = reduced
    form = condition.zero
    if form is None:
        return next((fact.op == condition.op for fact in facts if _same_sides(fact, condition)), None)
    op, size = form
    if isinstance(size, int):
        return bool(_COMPARISONS[op](size, 0))
    asked = (op, id(size), id(facts))
    found = _decided.get(asked)
    if found is None:
        if len(_decided) > 4096:
            _decided.clear()
        found = _decided[asked] = (_decide(op, size, facts), size, facts)
    return found[0]


#: What was decided of the same size by the same facts (which are kept, so that no others get their identities).
_decided: dict[tuple[str, int, int], tuple[bool | None, SymInt, Sequence[SymBool]]] = {}


def _decide(op: str, size: SymInt, facts: Sequence[SymBool]) -> bool | None:
    """The answer to `size op 0`, by examples and by proofs."""
    facts = _about(size, facts)
    holds = [size] if op == ">=" else [size, -size]
    fails = [[-size - 1]] if op == ">=" else [[size - 1], [-size - 1]]
    seen = _answers(op if op == ">=" else "==", size, facts)
    answer: bool | None = None
    if False not in seen and all(_impossible(rows, facts) for rows in fails):
        answer = True
    elif True not in seen and _impossible(holds, facts):
        answer = False
    return answer if answer is None or op != "!=" else not answer


@functools.lru_cache(maxsize=64)
def _settled(facts: tuple[SymBool, ...]) -> tuple[dict[Symbol, Size], tuple[SymBool, ...]]:
    """What the equations of the facts give, and the facts when that is put in. A recording asks again and again with the same."""
    solved = solve(facts)
    if not solved:
        return solved, facts
    limits = [limit for symbol, size in solved.items() if isinstance(size, SymInt) for limit in _limits(symbol, size)]
    known = [_substituted_if_possible(fact, solved) for fact in facts]
    return solved, tuple(fact for fact in (*known, *limits) if isinstance(fact, SymBool))


def _same_sides(fact: SymBool, condition: SymBool) -> bool:
    """Whether the fact is the condition, or its opposite, about numbers that are not whole."""
    sides = ((fact.lhs, condition.lhs), (fact.rhs, condition.rhs))
    return fact.op in (condition.op, _OPPOSITE[condition.op]) and all(_same_number(a, b) for a, b in sides)


def _same_number(a: Any, b: Any) -> bool:
    if isinstance(a, SymFloat) and isinstance(b, SymFloat):
        return a.op == b.op and all(map(_same_number, a.args, b.args))
    return not isinstance(a, SymFloat) and not isinstance(b, SymFloat) and type(a) is type(b) and same(a, b)


def _limits(symbol: Symbol, size: SymInt) -> list[bool | SymBool]:
    """What the limits of a symbol say about the size that it is equal to."""
    upper = [] if symbol.maximum is None else [compare("<=", size, symbol.maximum)]
    return [compare(">=", size, symbol.minimum), *upper]


def solve(facts: Iterable[SymBool]) -> dict[Symbol, Size]:
    """Return what follows from the facts that are equations: symbols that are a number, or an expression of other symbols.

    All of it can be substituted at once: no symbol is replaced by an expression of another replaced one.

    >>> n, m = Symbol("n"), Symbol("m")
    >>> solve([SymBool("==", m.size, n.size + 1), SymBool("==", 2 * n.size, 8)])
    {Symbol(m): 5, Symbol(n): 4}
    """
    solved: dict[Symbol, Size] = {}
    for fact in facts:
        if not isinstance(fact, SymBool) or fact.op != "==":
            continue
        condition = _substituted_if_possible(fact, solved)
        form = condition.zero if isinstance(condition, SymBool) else None
        if form is None or form[0] != "==" or isinstance(form[1], int):
            continue
        for symbol in sorted(symbols_of(form[1]), key=lambda s: -s.serial):  # express later inputs by earlier ones
            value = _isolated(form[1], symbol)
            if value is None:
                continue
            others = _substituted_if_possible(list(solved.values()), {symbol: value})
            if others is not None:
                solved = {**dict(zip(solved, others, strict=True)), symbol: value}
                break
    return solved


def _isolated(size: SymInt, symbol: Symbol) -> Size | None:
    """The value of `symbol` that makes the size zero, when the size is linear in it."""
    slope = dict(size.terms).get(((symbol, 1),), 0)
    if slope == 0:
        return None
    rest = size - slope * symbol.size
    if isinstance(rest, SymInt) and symbol in rest.symbols:
        return None
    value: Size = -rest // slope
    return value if same(value * slope, -rest) else None


def _about(size: SymInt, facts: Iterable[SymBool]) -> list[SymBool]:
    """The facts that can say something about the size: those that share a symbol with it, or with another such fact."""
    rest = [(fact, set(fact.symbols)) for fact in facts if (form := fact.zero) is not None and _weight(form[1]) <= _LIGHT]
    if not rest or _weight(size) > _LIGHT:
        return []
    reached, found = set(size.symbols), []
    while near := [pair for pair in rest if reached & pair[1]]:
        rest = [pair for pair in rest if pair not in near]
        found += [fact for fact, _ in near]
        reached.update(*(symbols for _, symbols in near))
    return found[:_MOST_FACTS]


def _answers(op: str, size: SymInt, facts: Sequence[SymBool]) -> set[bool]:
    """What `size op 0` is at a few values of the symbols that satisfy the facts: quicker than a proof that does not succeed."""
    if _weight(size) > _LIGHT:
        return set()
    symbols = symbols_of([size, *((fact.lhs, fact.rhs) for fact in facts)])
    forms = [fact.zero for fact in facts]
    found = set()
    for choose in _TRIES:
        values = {s: _within(choose(s, i), s) for i, s in enumerate(symbols)}

        def holds(op: str, size: Size, values: Mapping[Symbol, int] = values) -> bool | None:
            number = _attempt(lambda: _evaluate(size, values.__getitem__))
            return None if number is None else _COMPARISONS[op](number, 0)

        if all(form is None or holds(*form) for form in forms):
            found.add(holds(op, size))
    return {answer for answer in found if answer is not None}


#: Values to try for the i-th symbol.
_TRIES: tuple[Callable[[Symbol, int], int], ...] = (
    lambda s, i: s.hint if s.hint is not None else 4 - i,
    lambda s, i: (s.hint or 0) + 1 + i,
    lambda s, i: 0,
    lambda s, i: 1,
    lambda s, i: 60 + 12 * i,
    lambda s, i: 97 - 8 * i,
    lambda s, i: 2 - 5 * i,
    lambda s, i: -7,
)


def _within(value: int, symbol: Symbol) -> int:
    value = value if value > symbol.minimum else symbol.minimum
    return value if symbol.maximum is None or value < symbol.maximum else symbol.maximum


# --- proofs ---------------------------------------------------------------------------------------------------------------------

#: What a proof may cost: facts looked at, monomials, inequalities at a time, and functions of which both ways are tried.
_MOST_FACTS, _MOST_MONOMIALS, _MOST_ROWS, _MOST_SPLITS = 24, 40, 120, 4

#: Formulas of more functions than this are only bounded, and not taken apart.
_LIGHT = 20

#: A polynomial that is >= 0.
_Row: TypeAlias = dict[Monomial, int]


def _impossible(sizes: Sequence[SymInt], facts: Sequence[SymBool]) -> bool:
    """Whether no values of the symbols that satisfy the facts make all of the sizes >= 0."""
    forms = [form for fact in facts if (form := fact.zero) is not None]
    known = [size for op, size in forms if op != "!="] + [-size for op, size in forms if op == "=="]
    for size in sizes:
        if any((high := bounds(size + fact)[1]) is not None and high < 0 for fact in (0, *known)):
            return True
    if any(_weight(size) > _LIGHT for size in sizes):
        return False
    rows = [dict(_terms(size)) for size in (*sizes, *known)]
    splits = [([dict(_terms(size - 1))], [dict(_terms(-size - 1))]) for op, size in forms if op == "!="]
    meaning = _meaning(rows)
    return meaning is not None and _refuted(rows + meaning[0], (splits + meaning[1])[:_MOST_SPLITS])


_Split: TypeAlias = tuple[list[_Row], list[_Row]]


def _meaning(rows: Sequence[_Row]) -> tuple[list[_Row], list[_Split]] | None:
    """What is true of the monomials in the rows: inequalities, and pairs of which one or the other holds. None if too many."""
    found: list[_Row] = []
    splits: list[_Split] = []
    seen: set[Monomial] = {()}
    pending = list(rows)
    while pending:
        for monomial in pending.pop().keys() - seen:
            seen.add(monomial)
            if len(seen) > _MOST_MONOMIALS:
                return None
            size = _intern({monomial: 1})
            assert isinstance(size, SymInt)
            low, high = bounds(size)
            truths = [] if low is None else [size - low]
            truths += [] if high is None else [high - size]
            atom = monomial[0][0]
            if len(monomial) > 1 or monomial[0][1] > 1:
                truths += _of_product(atom, monomial)
            elif isinstance(atom, Call):
                truths += _of_call(size, atom)
                if atom.function == "positive_part":
                    ways = [-size, -atom.args[0]], [atom.args[0] - size, atom.args[0]]
                    splits.append(tuple([dict(_terms(t)) for t in way] for way in ways))  # type: ignore[arg-type]
            new = [dict(_terms(truth)) for truth in truths]
            found += new
            pending += new
    return found, splits


def _of_call(size: SymInt, call: Call) -> list[Size]:
    """Sizes that are >= 0 because of what the function is; `size` is the call."""
    if call.function == "positive_part":
        return [size - call.args[0]]
    if call.function in _ROUNDINGS:
        return []
    dividend, divisor = call.args
    if isinstance(divisor, int):
        rest = size if call.function == "mod" else dividend - divisor * size
        quotient = size if call.function == "floordiv" else _call("floordiv", dividend, divisor)
        exact = dividend - divisor * quotient - rest
        return [rest, divisor - 1 - rest, exact, -exact]
    if not _positive(divisor):
        return []
    return [divisor - 1 - size] if call.function == "mod" else []


def _of_product(atom: Atom, monomial: Monomial) -> list[Size]:
    """Products of two differences that are both >= 0: from their limits to the factors."""
    a, b = _intern({((atom, 1),): 1}), _intern({_divide_monomial(monomial, ((atom, 1),)): 1})  # type: ignore[dict-item]
    sides = [
        [s for s in (x - low if low is not None else None, high - x if high is not None else None) if s is not None]
        for x, (low, high) in ((a, bounds(a)), (b, bounds(b)))
    ]
    return [left * right for left in sides[0] for right in sides[1]]


def _refuted(rows: list[_Row], splits: Sequence[_Split]) -> bool:
    if _contradictory(rows):
        return True
    return bool(splits) and all(_refuted(rows + way, splits[1:]) for way in splits[0])


def _contradictory(rows: Iterable[_Row]) -> bool:
    """Whether the rows, each >= 0, contradict each other: monomials are eliminated one by one (Fourier and Motzkin), and as all
    numbers are whole, 2x >= 1 becomes x >= 1."""
    tight: dict[_Slopes, int] = {}
    pending = list(rows)
    while True:
        for row in pending:
            slopes = {m: c for m, c in row.items() if m and c}
            constant = row.get((), 0)
            if not slopes:
                if constant < 0:
                    return True
                continue
            common = math.gcd(*slopes.values())
            key = frozenset((m, c // common) for m, c in slopes.items())
            tight[key] = sorted((tight.get(key, constant // common), constant // common))[0]
        if not tight or len(tight) > _MOST_ROWS:
            return False
        chosen, equation = _next_to_go(tight)
        above: list[tuple[_Row, int, _Slopes]] = []
        below: list[tuple[_Row, int, _Slopes]] = []
        for key in list(tight):
            slope = dict(key).get(chosen, 0)
            if slope:
                (above if slope > 0 else below).append((dict(key) | {(): tight.pop(key)}, abs(slope), key))
        if equation is not None:  # exact in whole numbers, and no row has to meet any other
            opposite = _opposite(equation)
            pairs = [
                (up, down) for up in above for down in below if up[2] in (equation, opposite) or down[2] in (equation, opposite)
            ]
        else:
            pairs = [(up, down) for up in above for down in below]
        pending = [_cancelled(up[:2], down[:2]) for up, down in pairs]


_Slopes: TypeAlias = frozenset[tuple[Monomial, int]]


def _opposite(key: _Slopes) -> _Slopes:
    return frozenset((monomial, -slope) for monomial, slope in key)


def _next_to_go(tight: Mapping[_Slopes, int]) -> tuple[Monomial, _Slopes | None]:
    """The monomial to eliminate: one that an equation gives (and that equation), else the one that makes the fewest rows."""
    counts: dict[Monomial, list[int]] = {}
    for key, constant in tight.items():
        for monomial, slope in key:
            counts.setdefault(monomial, [0, 0])[slope > 0] += 1
            if abs(slope) == 1 and tight.get(_opposite(key)) == -constant:
                return monomial, key
    return sorted(counts, key=lambda m: counts[m][0] * counts[m][1])[0], None


def _cancelled(a: tuple[_Row, int], b: tuple[_Row, int]) -> _Row:
    """The sum of multiples of two rows in which a monomial cancels that has these slopes, once positive and once negative."""
    (up, rise), (down, fall) = a, b
    row = {monomial: fall * slope for monomial, slope in up.items()}
    for monomial, slope in down.items():
        row[monomial] = row.get(monomial, 0) + rise * slope
    return row


def bounds(size: Size) -> tuple[int | None, int | None]:
    """The least and the greatest value the size can have (None: no bound found). Sound, not always tight.

    >>> n = Symbol("n", maximum=9).size
    >>> bounds(n - n // 2), bounds(n % 4)
    ((0, 5), (0, 3))
    """
    if isinstance(size, int):
        return size, size
    if size._bounds is None:
        known: dict[Any, int | None] = {}
        depth = 4 if _weight(size) <= _HEAVIEST else 1
        low = _lower(dict(size.terms), depth, known)
        high = _lower({m: -c for m, c in size.terms}, depth, known)
        size._bounds = low, None if high is None else -high
    return size._bounds


_Polynomial: TypeAlias = dict[Monomial, int]


def _lower(polynomial: _Polynomial, depth: int, known: dict[Any, int | None]) -> int | None:
    """A lower bound: by intervals, or after replacing a function by the linear bounds it has. `known`: those found before."""
    asked = (frozenset(polynomial.items()), depth)
    if asked not in known:
        known[asked] = _find_lower(polynomial, depth, known)
    return known[asked]


def _find_lower(polynomial: _Polynomial, depth: int, known: dict[Any, int | None]) -> int | None:
    best = _interval_lower(polynomial)
    for monomial, coefficient in polynomial.items() if depth else ():
        if len(monomial) != 1 or monomial[0][1] != 1 or not isinstance(monomial[0][0], Call):
            continue
        call = monomial[0][0]
        scale = 1
        if call.function == "positive_part":  # is 0 or its argument, and not less than either
            cases = [_substituted(polynomial, monomial, replacement) for replacement in (0, call.args[0])]
        elif call.function == "floordiv" and isinstance(call.args[1], int):
            # (a - divisor + 1) / divisor <= a // divisor <= a / divisor; all of it times the divisor, to stay whole
            scale = call.args[1]
            shifted = call.args[0] - (scale - 1) if coefficient > 0 else call.args[0]
            cases = [_substituted(polynomial, monomial, shifted, scale)]
        else:
            continue
        lows = [_lower(case, depth - 1, known) for case in cases]
        found = [low for low in lows if low is not None]
        if found and (coefficient > 0 or len(found) == len(lows)):
            bound = -(-(max(found) if coefficient > 0 else min(found)) // scale)
            best = bound if best is None else max(best, bound)
    return best


def _substituted(polynomial: _Polynomial, monomial: Monomial, by: Size, scale: int = 1) -> _Polynomial:
    """`scale` times the polynomial, in which `scale` times the monomial is `by`."""
    result = {m: c * scale for m, c in polynomial.items() if m != monomial}
    for m, c in _terms(by):
        result[m] = result.get(m, 0) + polynomial[monomial] * c
    return {m: c for m, c in result.items() if c}


def _interval_lower(polynomial: _Polynomial) -> int | None:
    low = _sum_of_ends(polynomial)
    return None if low == -math.inf else int(low)


def _sum_of_ends(polynomial: _Polynomial) -> float:
    total: float = 0
    for monomial, coefficient in polynomial.items():
        low, high = _monomial_ends(monomial)
        end = _times(coefficient, low if coefficient > 0 else high)
        if end == -math.inf:
            return end
        total += end
    return total


#: The least and the greatest value: whole numbers, or infinite.
_Ends: TypeAlias = tuple[float, float]


def _monomial_ends(monomial: Monomial) -> _Ends:
    ends: _Ends = (1, 1)
    for atom, power in monomial:
        ends = _product_ends(ends, _power_ends(_atom_ends(atom), power))
    return ends


def _times(a: float, b: float) -> float:
    """The product of two ends; nothing times without end is nothing. (Python cannot multiply a very great int by infinity.)"""
    if a == 0 or b == 0:
        return 0
    if math.inf in (a, b) or -math.inf in (a, b):
        return math.inf if (a > 0) == (b > 0) else -math.inf
    return a * b


def _product_ends(a: _Ends, b: _Ends) -> _Ends:
    products = [_times(x, y) for x in a for y in b]
    return min(products), max(products)


def _power_ends(ends: _Ends, power: int) -> _Ends:
    low, high = (functools.reduce(_times, [end] * power, 1.0 if isinstance(end, float) else 1) for end in ends)
    if power % 2:
        return low, high
    return 0 if ends[0] < 0 < ends[1] else min(low, high), max(low, high)


def _ends(size: Size) -> _Ends:
    low, high = bounds(size)
    return -math.inf if low is None else low, math.inf if high is None else high


def _atom_ends(atom: Atom) -> _Ends:
    if isinstance(atom, Symbol):
        return atom.minimum, math.inf if atom.maximum is None else atom.maximum
    if atom.function in _ROUNDINGS:
        low, high = _float_bounds(atom.args[0])
        return tuple(_ROUNDINGS[atom.function](end) if math.isfinite(end) else end for end in (low, high))  # type: ignore[return-value]
    low, high = _ends(atom.args[0])
    if atom.function == "positive_part":
        return max(0, low), max(0, high)
    least, most = _ends(atom.args[1])
    if least < 0 < most:
        return -math.inf, math.inf
    negative = least < 0
    if negative:  # of both with the other sign the quotient is the same, and the remainder has the other sign
        low, high, least, most = -high, -low, -most, -least
    least = max(1, least)  # zero would have raised
    if atom.function == "floordiv":
        quotients = [_quotient_end(a, b) for a in (low, high) for b in (least, most)]
        return min(quotients), max(quotients)
    low, high = 0 if low < 0 or high >= least else low, most - 1 if low < 0 else min(most - 1, high)
    return (-high, -low) if negative else (low, high)


def _quotient_end(a: float, b: float) -> float:
    """a // b for b >= 1."""
    if math.isinf(b):
        return -1 if a < 0 else 0
    return a if math.isinf(a) else a // b


def _float_bounds(number: Number) -> tuple[float, float]:
    """Between which floats it is. Rounding keeps the order, so computing with the ends gives the ends."""
    if isinstance(number, SymInt):
        low, high = _ends(number)
        return _as_float(low), _as_float(high)
    if not isinstance(number, SymFloat):
        return (_as_float(number), _as_float(number)) if number == number else (-math.inf, math.inf)
    a, b = map(_float_bounds, number.args)
    if number.op == "-":
        b = -b[1], -b[0]
    if number.op in "+-":
        return a[0] + b[0], a[1] + b[1]
    if number.op == "*":
        return _product_ends(a, b)
    if number.op == "/" and b[0] >= 0:  # zero would have raised
        least = b[0] if b[0] > 0 else 1 if isinstance(number.args[1], SymInt) else 0.0
        if least:
            quotients = [_float_quotient(x, y) for x in a for y in (least, b[1])]
            return min(quotients), max(quotients)
    return -math.inf, math.inf


def _as_float(end: float) -> float:
    return float(end) if abs(end) < 2**1000 else math.copysign(math.inf, end)


def _float_quotient(a: float, b: float) -> float:
    return 0.0 if math.isinf(b) else a / b


def _positive(divisor: Size) -> bool:
    low = bounds(divisor)[0]
    return low is not None and low >= 0  # zero would have raised


# --- values, substitution, printing ---------------------------------------------------------------------------------------------


def _walk_symbols(value: Any) -> Iterator[Symbol]:
    if isinstance(value, SymInt):
        for monomial, _ in value.terms:
            for atom, _ in monomial:
                if isinstance(atom, Symbol):
                    yield atom
                else:
                    yield from _walk_symbols(atom.args)
    elif isinstance(value, SymFloat):
        for number in value.args:
            yield from _walk_symbols(number)
    elif isinstance(value, SymBool):
        yield from value.symbols
    elif isinstance(value, (tuple, list)):
        for item in value:
            yield from _walk_symbols(item)


def symbols_of(value: Any) -> list[Symbol]:
    """The symbols in a size, a condition, a shape, or any nesting of tuples and lists; each once, in order of appearance."""
    return list(dict.fromkeys(_walk_symbols(value)))


def _evaluate_terms(size: SymInt, value_of: Any) -> Any:
    total: Any = 0
    for monomial, coefficient in size.terms:
        product: Any = coefficient
        for atom, power in monomial:
            value = value_of(atom) if isinstance(atom, Symbol) else _evaluate_call(atom, value_of)
            if value is None:
                return None
            product = product * value**power
        total = total + product
    return total


def _hint_of(symbol: Symbol) -> int | None:
    return symbol.hint


def _evaluate(number: Any, value_of: Any) -> Any:
    if isinstance(number, SymInt):  # the hints of the parts are kept
        return number.hint if value_of is _hint_of else _evaluate_terms(number, value_of)
    if not isinstance(number, SymFloat):
        return number
    args = [_evaluate(arg, value_of) for arg in number.args]
    return None if any(arg is None for arg in args) else _FLOAT_OPERATORS[number.op](*args)


def _evaluate_call(call: Call, value_of: Any) -> Any:
    args = [_evaluate(arg, value_of) for arg in call.args]
    if any(arg is None for arg in args):
        return None
    return FUNCTIONS[call.function](*args)


#: What an atom that is no symbol is made by.
FUNCTIONS: dict[str, Any] = {"floordiv": operator.floordiv, "mod": operator.mod, "positive_part": _positive_part, **_ROUNDINGS}


def _attempt(compute: Callable[[], Any]) -> Any:
    """What it gives, None where no program gets: divided by zero, or rounded what is infinite or not a number."""
    try:
        return compute()
    except (ArithmeticError, ValueError):
        return None


def substitute(value: Any, mapping: Mapping[Symbol, Size]) -> Any:
    """Sizes, conditions, and tuples and lists of them, with symbols replaced by other sizes or numbers.

    >>> n, m = Symbol("n"), Symbol("m")
    >>> substitute((n.size + 1, m.size // 2), {n: 3, m: n.size * 4})
    (4, 2*n)
    """
    if isinstance(value, SymInt):
        if value.symbols.isdisjoint(mapping):
            return value
        return _evaluate_terms(value, lambda symbol: mapping[symbol] if symbol in mapping else symbol.size)
    if isinstance(value, SymFloat):
        args = tuple(substitute(a, mapping) for a in value.args)
        return SymFloat(value.op, args) if not is_static(args) else _FLOAT_OPERATORS[value.op](*args)
    if isinstance(value, SymBool):
        return compare(value.op, substitute(value.lhs, mapping), substitute(value.rhs, mapping))
    if isinstance(value, tuple):
        return tuple(substitute(item, mapping) for item in value)
    if isinstance(value, list):
        return [substitute(item, mapping) for item in value]
    return value


def _substituted_if_possible(value: Any, mapping: Mapping[Symbol, Size]) -> Any:
    """None where it would divide by zero."""
    return _attempt(lambda: substitute(value, mapping))


def evaluate(value: Any, bindings: Mapping[Symbol, int]) -> Any:
    """The numbers that sizes, conditions, and tuples and lists of them have for the given values of the symbols.

    Raises KeyError with the symbol when one is missing, and ZeroDivisionError as Python does (`holds` does not).

    >>> n = Symbol("n")
    >>> evaluate((n.size // 2, 7, 1 / n.size), {n: 4})
    (2, 7, 0.25)
    """
    if isinstance(value, SymBool):
        return compare(value.op, evaluate(value.lhs, bindings), evaluate(value.rhs, bindings))
    if isinstance(value, (tuple, list)):
        return type(value)(evaluate(item, bindings) for item in value)
    return _evaluate(value, bindings.__getitem__)


def holds(condition: SymBool, bindings: Mapping[Symbol, int]) -> bool:
    """Return whether the condition holds for these values of the symbols; one that divides by zero does not.

    >>> n, m = Symbol("n"), Symbol("m")
    >>> holds(n.size // m.size >= 2, {n: 4, m: 2}), holds(n.size // m.size >= 2, {n: 4, m: 0})
    (True, False)
    """
    return bool(_attempt(lambda: evaluate(condition, bindings)))


def _format(value: Any, name: Any) -> str:
    if isinstance(value, SymFloat):
        a, b = (_format(arg, name) for arg in value.args)
        spaced = f" {value.op} " if value.op in "+-" else value.op
        return f"{_parenthesised(a)}{spaced}{_parenthesised(b)}"
    if not isinstance(value, SymInt):
        return repr(value)
    short = _weight(value) <= 16  # the nicer form writes `r` twice
    for monomial, coefficient in value.terms if short else ():  # r + max(0, x) == max(r, r + x), r - max(0, x) == min(r, r - x)
        argument = _only_call(_intern({monomial: 1}), "positive_part")
        if argument is not None and abs(coefficient) == 1:
            rest = value - _intern({monomial: coefficient})
            other = rest + coefficient * argument[0]
            return f"{'max' if coefficient > 0 else 'min'}({_format(rest, name)}, {_format(other, name)})"
    text = ""
    for monomial, coefficient in value.terms:
        factors = [_format_atom(atom, name) + (f"**{power}" if power > 1 else "") for atom, power in monomial]
        if abs(coefficient) != 1 or not factors:
            factors.insert(0, str(abs(coefficient)))
        sign = ("-" if coefficient < 0 else "") if not text else (" - " if coefficient < 0 else " + ")
        text += sign + "*".join(factors if len(factors) == 1 else map(_parenthesised, factors))
    return text


def _in_words(value: Number) -> str:
    if isinstance(value, SymInt) and "~positive_part" in value.key:
        return f"(a size made of {' and '.join(sorted({symbol.text for symbol in value.symbols}))})"
    return _format(value, lambda symbol: symbol.text)


def _format_atom(atom: Atom, name: Any) -> str:
    if isinstance(atom, Symbol):
        return name(atom)
    args = [_format(a, name) for a in atom.args]
    if atom.function == "positive_part":
        return f"max(0, {args[0]})"
    if atom.function in _ROUNDINGS:
        return f"{atom.function}({args[0]})"
    return f"{_parenthesised(args[0])}{'//' if atom.function == 'floordiv' else ' % '}{_parenthesised(args[1])}"


def _parenthesised(text: str) -> str:
    """Brackets around a text with an operator outside of brackets."""
    depth = 0
    for position, character in enumerate(text):
        depth += (character in "([") - (character in ")]")
        if depth == 0 and position and character in "+-*/% ":
            return f"({text})"
    return text


# --- shapes ---------------------------------------------------------------------------------------------------------------------


def broadcast_shapes(*shapes: Sequence[Size]) -> tuple[Size, ...]:
    """The shape that all `shapes` broadcast to.

    A dimension of exactly 1 stretches. Two different symbolic sizes are taken to be equal (a guard), or one of them to be 1 if it
    was 1 in this recording (a guard as well). Raises ShapeError when sizes do not match.

    >>> broadcast_shapes((3, 1), (4,)), broadcast_shapes()
    ((3, 4), ())
    >>> n = Symbol("n", hint=2).size
    >>> broadcast_shapes((n, 3), (1, 1))
    (n, 3)
    """
    if not shapes:
        return ()
    result = tuple(shapes[0])
    for shape in shapes[1:]:
        if len(shape) > len(result):
            result, shape = tuple(shape), result
        offset = len(result) - len(shape)
        merged = list(result)
        for axis, size in enumerate(shape, offset):
            if merged[axis] is not size:
                merged[axis] = _broadcast(merged[axis], size, axis)
        result = tuple(merged)
    return result


def _broadcast(a: Size, b: Size, axis: int) -> Size:
    if isinstance(a, int) and isinstance(b, int):
        if a == b or b == 1:
            return a
        if a == 1:
            return b
    else:
        if isinstance(a, int) and a == 1:
            return b
        if (isinstance(b, int) and b == 1) or same(a, b):
            return a
        together = joined()
        if together is not None:  # with a number it is that, where there is a result at all
            return a if isinstance(a, int) else b if isinstance(b, int) else together.size(a, b)
        hint_a = a.hint if isinstance(a, SymInt) else a
        hint_b = b.hint if isinstance(b, SymInt) else b
        active = current()
        if active is not None and active.joined is not None and is_open(a == b):  # the running program broadcasts or refuses
            return a if isinstance(a, int) else b if isinstance(b, int) else active.joined.size(a, b)
        if hint_a is None or hint_b is None or hint_a == hint_b:
            if bool(a == b):
                return a if isinstance(a, int) else b if isinstance(b, int) else a
        elif hint_a == 1 and bool(a == 1):
            return b
        elif hint_b == 1 and bool(b == 1):
            return a
    raise ShapeError(
        f"The size of tensor a ({_sized(a)}) must match the size of tensor b ({_sized(b)}) at non-singleton dimension {axis}"
    )


def stretches(size: Size, wide: Size) -> bool:
    """Return whether broadcasting repeats a dimension of `size` to get `wide`; if not, they are equal. Symbolic sizes are
    guarded as in `broadcast_shapes`.

    >>> stretches(1, 4), stretches(4, 4), stretches(1, Symbol("n").size)
    (True, False, True)
    """
    if same(size, wide):
        return False
    if isinstance(size, int):
        return size == 1
    if joined() is not None or (isinstance(wide, SymInt) and wide.symbol is not None and wide.symbol.parts):
        _fail(f"whether {size.describe()} is repeated, which a gradient needs to know, only the running program knows")
    hints = [s.hint if isinstance(s, SymInt) else s for s in (size, wide)]
    return hints[0] == 1 != hints[1] and bool(size == 1)


def _sized(size: Size) -> str:
    return f"{size.describe()} = {size.hint}" if isinstance(size, SymInt) else str(size)


def checked_dim(name: str, dim: Any, ndim: int) -> int:
    """`dim` counted from the front; for 0-d tensors 0 and -1 are allowed, as in PyTorch."""
    limit = max(ndim, 1)
    if not isinstance(dim, int):
        try:
            dim = dim.__index__()
        except AttributeError:
            raise DimError(f"{name}: a dimension is an integer, given {dim!r}") from None
    if not -limit <= dim < limit:
        raise DimError(f"{name}: dimension {dim} is out of range for a {ndim}-d tensor (expected {-limit} to {limit - 1})")
    return dim + limit if dim < 0 else dim
