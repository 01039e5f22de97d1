"""Decisions on sizes, as asserts in the file: where one went another way, onnxruntime stops with the user's line."""

from __future__ import annotations

import functools
import math
from collections import ChainMap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import onnx_ir as ir

from frazil.recorder.graph import Graph, Guard, Origin, Value
from frazil.sizes import Size, Symbol, SymBool, SymInt, bounds, rounds_floats, substitute, symbols_of

from . import sizes
from .emit import INT64, Emitter
from .subgraphs import all_inputs, without_dead

#: What the symbols of a condition are called when conditions on different axes are compared.
_PLACES = [Symbol(f"place{i}") for i in range(4)]


def emit_asserts(e: Emitter, guards: Sequence[Guard], graph: Graph) -> list[ir.Value]:
    """Let the inputs that the guards speak of pass only when all guards hold.

    The guards of a line are a `Gather` from one zero, at positions that are 0 where they hold and out of range where they do not;
    the node is named after them. An input is made to depend on the zeros that come through: it is reshaped to (0, 0, ...), which
    in ONNX means "as it is". So the asserts run before anything else can fail, and no tool removes them as unused.

    That a size is equal to another is said in less: the input is a `Split` into one piece of that size.

    Gives what came through, for `keep_asserts`.
    """
    passed: list[ir.Value] = []
    vectors: dict[Any, ChainMap[Any, ir.Value]] = {}
    split: set[Symbol] = set()
    others = [guard for guard in guards if not _split(e, guard, graph, passed, split)]
    for line in _lines(others, graph):
        value = _origins(line[0][0], graph)[0].value
        rank, count = len(value.spec.shape), len(line[0])
        amounts = []
        for group in line:
            with _without_equations(e), _on_all_axes(e, group, graph, vectors):
                amounts.append(_violation(e, group[0].holds))
        position = _positions(e, amounts, rank if count == 1 else count)
        message = e.unique(assert_message([guard for group in line for guard in group]))
        zeros = e.op("Gather", e.ints(0), position, name=message)
        passed.append(zeros)
        if 1 < count < rank:
            zeros = e.op("Concat", zeros, e.ints(*[0] * (rank - count)), axis=0)
        before = e.values[value]
        e.values[value] = e.op("Reshape", before, zeros)
        e.values[value].shape = before.shape  # operators are written by what is known of their inputs
    return passed


def _split(e: Emitter, guard: Guard, graph: Graph, passed: list[ir.Value], done: set[Symbol]) -> bool:
    """Write the guard as Splits, if it is one of the equations that were solved: of each size that follows from others."""
    op, number = guard.holds.zero or ("", 0)
    rest = substitute(number, e.fixed)
    if op != "==" or isinstance(rest, SymInt) or rest != 0:
        return False
    following = {symbol: e.fixed[symbol] for symbol in _symbols(guard) if isinstance(e.fixed.get(symbol), SymInt)}
    if any(graph.symbols[symbol].axis is None or e.fixed.keys() & symbols_of(size) for symbol, size in following.items()):
        return False
    for symbol, wanted in following.items():
        value, axis = graph.symbols[symbol]
        if symbol not in done:
            with _without_equations(e):
                size = sizes.size(e, wanted)
            before = e.values[value]
            e.values[value] = e.op("Split", before, size, axis=axis, name=e.unique(assert_message([guard])))
            e.values[value].shape = before.shape
            passed.append(e.values[value])
            done.add(symbol)
    return True


def keep_asserts(e: Emitter, passed: Sequence[ir.Value], results: Sequence[Value]) -> None:
    """Let a result depend on the asserts that no result depends on, because nothing reads the input that they are about."""
    live = {
        id(value)
        for node in without_dead(e.nodes, [e.values[result] for result in results])
        for value in (*all_inputs(node), *node.outputs)
    }
    unread = [_zeros(e, value) for value in passed if id(value) not in live]
    if not unread or not results:
        return
    zero = e.op("ReduceMax", e.op("Concat", *unread, axis=0), e.ints(0), keepdims=0)
    # the first and only element along a new axis (onnxruntime removes reshapes there and back again)
    e.values[results[0]] = e.op("Gather", e.op("Unsqueeze", e.values[results[0]], e.ints(0)), zero, axis=0)


def _zeros(e: Emitter, passed: ir.Value) -> ir.Value:
    """Zeros that depend on what came through an assert: itself, or what a Split gave."""
    node = passed.producer()
    assert node is not None
    if node.op_type != "Split":
        return passed
    size = e.op("Shape", passed, start=0, end=1)
    zeros: ir.Value = e.op("Sub", size, size)
    return zeros


def assert_message(guards: Sequence[Guard]) -> str:
    """Return what onnxruntime will print when one of the guards, all of one line, fails."""
    conditions = " and ".join(guard.holds.describe() for guard in guards)
    return f"frazil.assert: {conditions}" + (f" ({guards[0].source})" if guards[0].source else "")


def _origins(guard: Guard, graph: Graph) -> list[Origin]:
    return [graph.symbols[symbol] for symbol in _symbols(guard)]


def _symbols(guard: Guard) -> list[Symbol]:
    return sorted(symbols_of(guard.condition), key=lambda symbol: symbol.serial)


def _lines(guards: Sequence[Guard], graph: Graph) -> list[list[list[Guard]]]:
    """The guards by lines of the program: groups about equally many neighbouring axes, and single ones, which suit all."""
    lines: dict[Any, dict[int, list[list[Guard]]]] = {}
    for group in _neighbours(guards, graph):
        lines.setdefault(group[0].source, {}).setdefault(len(group), []).append(group)
    found = []
    for by_count in lines.values():
        single = by_count.pop(1, [])
        wide = list(by_count.values())
        found += [wide[0] + single, *wide[1:]] if wide else [single]
    return found


def _neighbours(guards: Sequence[Guard], graph: Graph) -> Iterator[list[Guard]]:
    """Guards of one line that say the same about neighbouring axes are one assert, on vectors."""
    group: list[Guard] = []
    for guard in guards:
        if group and not _continues(group[-1], guard, graph):
            yield group
            group = []
        group.append(guard)
    if group:
        yield group


def _continues(last: Guard, guard: Guard, graph: Graph) -> bool:
    before, after = _origins(last, graph), _origins(guard, graph)
    next_to = [(o.value, None if o.axis is None else o.axis + 1) for o in before]
    return (
        last.source == guard.source
        and None not in (o.axis for o in before)
        and next_to == [tuple(o) for o in after]
        and _general(last) is not None
        and _general(last) == _general(guard)
    )


def _general(guard: Guard) -> Any:
    """The condition without saying of which axes."""
    symbols = _symbols(guard)
    if len(symbols) > len(_PLACES):
        return None
    condition = substitute(guard.holds, {symbol: place.size for symbol, place in zip(symbols, _PLACES, strict=False)})
    form = condition.zero if isinstance(condition, SymBool) else None
    if form is None or not isinstance(form[1], SymInt) or rounds_floats(form[1]):
        return None
    return form[0], form[1].key


@contextmanager
def _without_equations(e: Emitter) -> Iterator[None]:
    """Without replacing sizes by what the guards say they are equal to: that is what is to be found out."""
    fixed = dict(e.fixed)
    e.fixed.clear()
    e.fixed.update({symbol: size for symbol, size in fixed.items() if isinstance(size, int)})
    try:
        yield
    finally:
        e.fixed.update(fixed)


@contextmanager
def _on_all_axes(e: Emitter, group: Sequence[Guard], graph: Graph, vectors: dict[Any, Any]) -> Iterator[None]:
    """The symbols of the first guard stand for vectors: the sizes along the axes of all guards."""
    if len(group) == 1:
        yield
        return
    symbols = _symbols(group[0])
    key = (*symbols, len(group))
    if key not in vectors:
        starts = [graph.symbols[symbol] for symbol in symbols]
        vectors[key] = ChainMap(
            {
                symbol.size: e.op("Shape", e.values[value], start=axis, end=axis + len(group))
                for symbol, (value, axis) in zip(symbols, starts, strict=True)
                if axis is not None
            }
        )
    outer, e.sizes = e.sizes, vectors[key]
    try:
        yield
    finally:
        e.sizes = outer


def _violation(e: Emitter, holds: SymBool) -> tuple[str, ir.Value]:
    """What is wrong when the condition does not hold: a number that must be 0 ("=="), or one that must not be positive (">=")."""
    holds = substitute(holds, e.fixed)
    if holds.zero is None:
        return ">=", e.op("Unsqueeze", e.cast(e.op("Not", sizes.condition(e, holds)), INT64), e.ints(0))
    op, number = holds.zero
    rest = by_remainder(number) if op == "==" else None
    if rest is not None:
        return ">=", sizes.size(e, rest)
    if op == "!=":
        return ">=", e.op("Sub", e.ints(1), e.op("Abs", sizes.size(e, number)))
    low = bounds(number)[0]
    if op == "==" and low is not None and low >= 0:
        return ">=", sizes.size(e, number)
    return op, sizes.size(e, number if op == "==" else -number)


def _positions(e: Emitter, amounts: Sequence[tuple[str, ir.Value]], width: int) -> ir.Value:
    """`width` numbers that are all 0 when nothing is wrong; else one is neither 0 nor -1."""
    excess = [value for op, value in amounts if op == ">="]
    differences = [value for op, value in amounts if op == "=="]
    if differences:
        either = functools.reduce(lambda a, b: e.op("BitwiseOr", a, b), differences)
        if not excess:
            return e.op("Mul", either, e.ints(*[2] * width))
        excess.append(e.op("Abs", either))
    return e.op("Max", *excess, e.ints(*[0] * width))


#: Periods that are looked at, number by number.
_LONGEST = 64


def by_remainder(number: Size) -> Size | None:
    """Return what is never negative, and 0 where the number is, if that takes fewer operators: of a number made of several
    roundings of one size that repeats itself. So `(n + 1) // 2 == 2 * ((n + 3) // 4)` is `(n + 1) % 4 // 2 == 0`.
    """
    period, symbols = _period(number), symbols_of(number)
    several = isinstance(number, SymInt) and len(number.terms) > 1
    if period is None or not 1 < period <= _LONGEST or len(symbols) != 1 or not several:
        return None
    (symbol,) = symbols
    values = [substitute(number, {symbol: n}) for n in range(2 * period)]
    if values[:period] != values[period:]:  # it grows with the size
        return None
    zeros = [value == 0 for value in values[:period]]
    short = next(p for p in range(1, period + 1) if period % p == 0 and zeros == zeros[:p] * (period // p))
    begins = [n for n in range(short) if zeros[n] and not zeros[n - 1]]
    if len(begins) != 1:  # always, never, or in several places
        return None
    length = zeros[:short].count(True)
    found: Size = (symbol.size + (short - begins[0]) % short) % short // length
    return found


def _period(number: Size) -> int | None:
    """After how much more of its symbols a size differs by the same everywhere: of sums of sizes, rounded by fixed numbers."""
    found = 1
    for monomial, _ in number.terms if isinstance(number, SymInt) else ():
        if len(monomial) > 1 or any(power > 1 for _, power in monomial):
            return None
        for atom, _ in monomial:
            if isinstance(atom, Symbol):
                continue
            fixed = atom.function in ("floordiv", "mod") and isinstance(atom.args[1], int) and atom.args[1] > 0
            inner = _period(atom.args[0]) if fixed else None
            if inner is None:
                return None
            found = math.lcm(found, inner * atom.args[1])
    return found
