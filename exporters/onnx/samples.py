"""What a file is tried on: sizes for every dynamic dimension, and fresh inputs of those sizes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np

from frazil.recorder.graph import Graph
from frazil.recorder.passes import solve_guards
from frazil.sizes import Symbol, SymBool, evaluate, holds, substitute, symbols_of


@dataclass(frozen=True)
class Case:
    """One choice of sizes and of a class of numbers. `allowed` says whether all guards hold, so that the file must give the
    program's result; else it must refuse."""

    label: str
    sizes: Mapping[Symbol, int]
    allowed: bool = True
    #: The class of the numbers where they are not like the example's.
    values: str = ""
    #: Whether the inputs were given, not made up.
    given: bool = False

    def __str__(self) -> str:
        sizes = ", ".join(f"{symbol.text} = {n}" for symbol, n in self.sizes.items())
        return f"{self.label} ({sizes})" if sizes else self.label


def input_symbols(graph: Graph) -> list[Symbol]:
    """The symbols that are sizes of inputs, in order."""
    inputs = set(graph.inputs)
    return [symbol for symbol, (value, axis) in graph.symbols.items() if value in inputs and axis is not None]


def size_cases(graph: Graph) -> list[Case]:
    """The example's sizes, primes (where guards refuse those, the next sizes that they allow as well), each dimension 1 and 0 in
    turn, and those that broadcast together (no guard says that they are equal), and both sides of every guard on one dimension.
    Dimensions of one name, which the file may leave to its operators to compare, have one size."""
    symbols = input_symbols(graph)
    demanded = solve_guards(graph.guards)
    solved, first = dict(demanded), {symbol.name: symbol for symbol in reversed(symbols)}
    for symbol in symbols:
        if first[symbol.name] is not symbol:
            solved.setdefault(symbol, solved.get(first[symbol.name], first[symbol.name].size))
    free = [symbol for symbol in symbols if symbol not in solved]
    hints = {symbol: symbol.hint or 0 for symbol in free}
    primes = dict(zip(free, _primes_above([hints[s] for s in free]), strict=True))
    others = _allowed(graph, solved, hints, primes)
    choices: list[tuple[str, dict[Symbol, int]]] = [("the example's sizes", hints), ("primes", primes), ("other sizes", others)]
    for symbol in free:
        choices += [(f"{symbol.text} = {n}", {**others, symbol: n}) for n in (1, 0)]
    broadcast = [s for s in symbols_of([symbol.parts for symbol in graph.symbols]) if s in hints]
    if broadcast:
        choices += [(f"all that broadcasts = {n}", {**others, **dict.fromkeys(broadcast, n)}) for n in (1, 0)]
    for label, symbol, n in _boundaries(graph, solved, hints):
        choices.append((label, {**hints, symbol: n}))
    tied = [symbol for symbol, size in demanded.items() if symbol in symbols and not isinstance(size, int)]
    cases: dict[tuple[int, ...], Case] = {}
    for label, choice in choices:
        sizes = _complete(symbols, solved, choice)
        if sizes is None or not all(_within(symbol, n) for symbol, n in sizes.items()):
            continue
        case = Case(label, sizes, all(holds(guard.holds, sizes) for guard in graph.guards if _known(guard.condition, sizes)))
        cases.setdefault(tuple(sizes.values()), case)
    for symbol in tied:  # another size than the guard demands must be refused
        sizes = _complete(symbols, solved, hints)
        if sizes is not None:
            case = Case(f"another {symbol.text}", {**sizes, symbol: sizes[symbol] + 1}, allowed=False)
            cases.setdefault(tuple(case.sizes.values()), case)
    return list(cases.values())


def _allowed(
    graph: Graph, solved: Mapping[Symbol, Any], hints: Mapping[Symbol, int], primes: Mapping[Symbol, int]
) -> dict[Symbol, int]:
    """For each symbol its prime, or the next number above, else below the example's, that guards allow with those before it.
    Where there is none (`height * width == 1024` with a prime height), all that the guards tie together stays as it is."""
    conditions = [c for guard in graph.guards if isinstance(c := substitute(guard.holds, solved), SymBool)]
    found: dict[Symbol, int] = {}
    for symbol, prime in primes.items():
        if symbol in found:
            continue
        decided = [c for c in conditions if symbol in symbols_of(c) and {*symbols_of(c)} <= {*found, symbol}]
        numbers = chain(range(prime, prime + _reach(hints[symbol])), range(hints[symbol] - 1, 1, -1))
        fits = (n for n in numbers if _within(symbol, n) and all(holds(c, {**found, symbol: n}) for c in decided))
        fit = next(fits, None)
        found.update({symbol: fit} if fit is not None else {tied: hints[tied] for tied in _tied(symbol, conditions, hints)})
    return found


def _tied(symbol: Symbol, conditions: Sequence[SymBool], among: Iterable[Symbol]) -> set[Symbol]:
    """The symbol, and those that conditions tie to it, directly or by others."""
    groups = [group for condition in conditions if (group := {*symbols_of(condition)}).issubset(among)]
    found: set[Symbol] = set()
    joined = {symbol}
    while joined != found:
        found, joined = joined, joined.union(*(group for group in groups if group & joined))
    return found


def _reach(hint: int) -> int:
    """How far from the example guards are followed."""
    return 2 * hint + 66


def _within(symbol: Symbol, n: int) -> bool:
    return symbol.minimum <= n and (symbol.maximum is None or n <= symbol.maximum)


def _known(condition: SymBool, sizes: Mapping[Symbol, int]) -> bool:
    return all(symbol in sizes for symbol in condition.symbols)


def _complete(symbols: Sequence[Symbol], solved: Mapping[Symbol, Any], choice: Mapping[Symbol, int]) -> dict[Symbol, int] | None:
    """Sizes for all symbols, those that guards tie to others included."""
    sizes: dict[Symbol, int] = {}
    for symbol in symbols:
        try:
            size = choice[symbol] if symbol in choice else evaluate(solved[symbol], choice)
        except (ZeroDivisionError, KeyError):
            return None
        if size < 0:
            return None
        sizes[symbol] = size
    return sizes


#: A condition that changes its answer again and again (`n % 4 == 0`) is tried at this many of its first changes, and at as many
#: next to the example.
_CHANGES = 4


def _boundaries(graph: Graph, solved: Mapping[Symbol, Any], hints: Mapping[Symbol, int]) -> Iterator[tuple[str, Symbol, int]]:
    """Both neighbours wherever a guard on a single dimension changes its answer."""
    for guard in graph.guards:
        condition = substitute(guard.holds, solved)
        symbols = symbols_of(condition) if isinstance(condition, SymBool) else []
        if len(symbols) == 1 and symbols[0] in hints:
            (symbol,) = symbols
            answers = [holds(condition, {symbol: n}) for n in range(_reach(hints[symbol]))]
            changes = [n for n in range(1, len(answers)) if answers[n] != answers[n - 1]]
            near = sorted(changes, key=lambda n: abs(n - hints[symbol]))[:_CHANGES]
            for n in sorted({*changes[:_CHANGES], *near}):
                for m in (n - 1, n):
                    yield f"at the boundary of {guard}", symbol, m


def _primes_above(numbers: Sequence[int]) -> list[int]:
    """For each number a prime above it, all different."""
    found: list[int] = []
    for number in numbers:
        candidate = max(number, 2) + 1
        while candidate in found or any(candidate % d == 0 for d in range(2, int(candidate**0.5) + 1)):
            candidate += 1
        found.append(candidate)
    return found


def sample(
    example: np.ndarray, shape: Sequence[int], rng: np.random.Generator, within: tuple[float, float] | None = None
) -> np.ndarray:
    """A random array like the example: of its dtype, and within its range (integers both ends included, floats where it has a
    spread; of a single number, of its sign and size). `within` is another range."""
    dtype = example.dtype
    if dtype.kind == "b":
        return rng.random(shape) < 0.5
    values = example[np.isfinite(example)] if dtype.kind == "f" else example
    low, high = within if within is not None else (values.min(), values.max()) if values.size else (0, 1)
    if dtype.kind in "iu":
        return rng.integers(int(np.ceil(low)), int(np.floor(high)), shape, dtype=dtype, endpoint=True)
    if within is not None and low > 0 and high > 100 * low:  # a range of orders of magnitude
        return np.asarray(np.exp(rng.uniform(np.log(low), np.log(high), shape))).astype(dtype)
    if low < high or within is not None:
        return np.asarray(rng.uniform(low, high, shape)).astype(dtype)
    if example.size == 1 and low != 0:
        return np.asarray(low * rng.uniform(0.5, 2, shape)).astype(dtype)
    return np.asarray(low + rng.standard_normal(shape)).astype(dtype)
