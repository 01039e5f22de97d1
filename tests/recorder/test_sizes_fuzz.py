"""Sizes against brute force: what is decided about random sizes is true at every value tried, and formulas have Python's values.

Export trusts `decide`: an answer that some values contradict would be a branch missing from a file. Programs are random, but the
same in every run; one that fails is printed as a program that can be pasted.
"""

from __future__ import annotations

import itertools
import math
import random
from dataclasses import dataclass
from typing import Any

import pytest

from frazil.sizes import Symbol, SymBool, bounds, decide, evaluate, holds, size_max, size_min

#: Limits of a symbol: a size, one that is not empty, an index from the end, a number of the data, ...
LIMITS = [(0, None), (0, None), (1, None), (-3, None), (-5, 4), (0, 6), (2, 8), (-8, -1), (-(2**63), None)]
ON_SIZES = {"min": size_min, "max": size_max, "floor": math.floor, "ceil": math.ceil}
ON_NUMBERS = {"min": min, "max": max, "floor": math.floor, "ceil": math.ceil}


@dataclass
class Question:
    """A condition, and what is known about the symbols in it, as texts."""

    limits: dict[str, tuple[int, int | None]]
    facts: list[str]
    left: str
    op: str
    right: str

    def __str__(self) -> str:
        """A program that asks it."""
        made = [f"{name} = Symbol({name!r}, minimum={low}, maximum={high}).size" for name, (low, high) in self.limits.items()]
        condition = f"SymBool({self.op!r}, {self.left}, {self.right})"
        return "\n".join([
            "from math import ceil, floor",
            "from frazil.sizes import Symbol, SymBool, decide, size_max as max, size_min as min",
            *made,
            f"print(decide({condition}, facts=[{', '.join(self.facts)}]))",
        ])  # fmt: skip


def expression(rng: random.Random, names: list[str], depth: int) -> str:
    """A random size."""
    if depth == 0:
        return rng.choice([*names, *names, str(rng.randint(-3, 5))])
    left, right = (expression(rng, names, rng.randrange(depth)) for _ in range(2))
    divisor = rng.choice([2, 2, 3, 4, 6, -2, -3, 1])
    forms = [
        f"({left} + {right})",
        f"({left} - {right})",
        f"({left} * {rng.randint(-3, 4)})",
        f"({left} * {right})",
        f"({left} // ({divisor}))",
        f"({left} % ({divisor}))",
        f"min({left}, {right})",
        f"max({left}, {right})",
        f"abs({left})",
        f"({left} // {rng.choice(names)})",
        f"({left} % {rng.choice(names)})",
        f"floor({left} * {rng.choice([0.5, 0.6, 1.7])})",
        f"ceil({left} / {rng.choice([2, 3])})",
    ]
    return rng.choice(forms)


def fact(rng: random.Random, names: list[str]) -> str:
    """What a program may have found out before: of a multiple, of an order, of a loop, of anything."""
    a, b = (rng.choice(names) for _ in range(2))
    k = rng.choice([2, 3, 4])
    forms = [
        f"{a} % {k} == 0",
        f"({a} + {rng.randint(-2, 2)}) % {k} == {rng.randrange(k)}",
        f"{a} <= {b}",
        f"{a} < {b} - {rng.randint(0, 2)}",
        f"{a} >= {rng.randint(-3, 4)}",
        f"{a} != {rng.randint(-1, 3)}",
        f"{a} == {k} * {b}",
        f"{a} + {b} == {rng.randint(0, 9)}",
        f"{expression(rng, names, 2)} {rng.choice(['<=', '==', '!='])} {expression(rng, names, 1)}",
    ]
    return rng.choice(forms)


def question(rng: random.Random) -> Question:
    names = list("abc"[: rng.choice([1, 2, 2, 3])])
    limits = {name: rng.choice(LIMITS) for name in names}
    facts = [fact(rng, names) for _ in range(rng.choice([0, 1, 1, 2, 3]))]
    left, right = expression(rng, names, rng.randint(1, 3)), expression(rng, names, rng.randint(0, 2))
    return Question(limits, facts, left, rng.choice(["==", "!=", "<", "<=", ">", ">="]), right)


def points(rng: random.Random, limits: dict[str, tuple[int, int | None]]) -> list[tuple[int, ...]]:
    """Values of the symbols: all small ones if there are not too many, and a few great ones."""
    ranges = [range(max(low, -9), min(9 if high is None else high, 9) + 1) for low, high in limits.values()]
    found = list(itertools.product(*ranges))
    found = found if len(found) <= 100 else rng.sample(found, 100)
    rng.shuffle(found)
    if all(high is None for _, high in limits.values()):
        found += [tuple(rng.randint(10, 10**6) for _ in limits) for _ in range(5)]
    return found


def is_true(code: Any, values: dict[str, int]) -> Any:
    """What Python makes of the text for these values; None where it divides by zero."""
    try:
        return eval(code, ON_NUMBERS, values)
    except ZeroDivisionError:
        return None


def check(asked: Question, rng: random.Random) -> tuple[bool, bool]:
    """Ask it and try it. Whether it was decided, and whether it could have been: it is the same at all values tried."""
    symbols = {name: Symbol(name, minimum=low, maximum=high) for name, (low, high) in asked.limits.items()}
    scope = {name: symbol.size for name, symbol in symbols.items()}
    try:
        left, right = (eval(text, {**ON_SIZES}, scope) for text in (asked.left, asked.right))
        facts = [eval(text, {**ON_SIZES}, scope) for text in asked.facts]
    except ZeroDivisionError:  # by a size that is zero
        return False, False
    condition = SymBool(asked.op, left, right)
    answer = decide(condition, [known for known in facts if isinstance(known, SymBool)])
    codes = [compile(text, text, "eval") for text in (asked.left, asked.right, *asked.facts)]
    truth = compile(f"{asked.left} {asked.op} {asked.right}", "condition", "eval")
    seen = set()
    for place, numbers in enumerate(points(rng, asked.limits)):
        values = dict(zip(asked.limits, numbers, strict=True))
        bindings = {symbols[name]: number for name, number in values.items()}
        plain = [is_true(code, values) for code in codes]
        for size, number in zip((left, right), plain[:2], strict=True):
            if number is not None and place % 8 == 0:
                assert evaluate(size, bindings) == number, f"{asked}\nis {number} in Python and {size} for {values}"
                low, high = bounds(size)
                assert (low is None or low <= number) and (high is None or number <= high), (
                    f"{asked}\n{size} is {number} for {values}, and bounded by {low} and {high}"
                )
        for known, said in zip(facts, plain[2:], strict=True):
            if said is not None and place % 8 == 0:
                assert (holds(known, bindings) if isinstance(known, SymBool) else known) == said, (
                    f"{asked}\nthe fact {known} is {said} for {values}"
                )
        if all(known is True for known in plain[2:]) and None not in plain:
            seen.add(is_true(truth, values))
    if answer is not None:
        assert seen <= {answer}, f"{asked}\nsays {answer}, and it is {not answer} for some values"
    return answer is not None, len(seen) == 1


def run(number: int, seed: int) -> str:
    """Ask so many questions; how many were decided, as a text."""
    rng = random.Random(seed)
    results = [check(question(rng), rng) for _ in range(number)]
    decided, could = sum(d for d, _ in results), sum(c for _, c in results)
    both = sum(d and c for d, c in results)
    return f"{number} questions: {decided} decided; of {could} that are the same at all values tried {both} ({both / could:.1%})"


def test_decisions_on_random_sizes_are_true_at_every_value() -> None:
    print(run(2000, seed=0))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 11))
def test_many_decisions_on_random_sizes_are_true_at_every_value(seed: int) -> None:
    print(run(11_000, seed))


def test_a_broken_decision_would_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The question that was once answered wrongly: a multiple of four may be negative."""
    asked = Question({"a": (-5, 4)}, ["a % 4 == 0"], "a", "==", "-4")
    assert check(asked, random.Random(0)) == (False, False)
    monkeypatch.setitem(globals(), "decide", lambda condition, facts: False)
    with pytest.raises(AssertionError, match=r"says False, and it is True"):
        check(asked, random.Random(0))
