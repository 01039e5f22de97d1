"""Names that stand for one tensor, before, in and after a branch or loop: a write through one of them is a write to all, as in
Python, or the recording refuses; never a number that the eager program does not give."""

from __future__ import annotations

import itertools
import linecache
import random
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import frazil as fz
from frazil.errors import AutogradError, RecordError

#: How `b` begins, when `a` is x * 1.
BEGINNINGS = ("b = x * 3", "b = a", "b = a[:]", "b = a.detach()")
STATEMENTS = (
    "a += 1", "b += 1", "a = a * 2", "b = b * 2", "a = b", "b = a", "a, b = b, a", "a = b = x * 5", "b = a[:]", "a = a0",
    "s = s + b.sum()", "a = a + 1 if a.sum() > 9 else a0",
)  # fmt: skip
AROUND = ("for i in range(n.shape[0]):", "while i < n.sum():", "if n.sum() > 1:", "for row in n:")
AFTER = ("pass", "a.add_(10)", "b.add_(10)", "a0.add_(10)")

#: Programs with what no round may have changed: as many rounds as numbers, whose sum is how many there are.
NUMBERS = [np.ones(k, np.float32) for k in (2, 0, 1, 3)]

Parts = tuple[str, tuple[str, ...], str, str]


def source_of(parts: Parts) -> str:
    begins, body, around, after = parts
    counted = [*body, "i = i + 1"] if around.startswith("while") else body
    lines = [
        "def program(x, n):", "    a = x * 1", f"    {begins}", "    a0, b0, s = a, b, x.sum()", "    i = n.sum() * 0",
        f"    {around}", *(f"        {line}" for line in counted), f"    {after}", "    return a, b, a0, b0, s",
    ]  # fmt: skip
    return "\n".join(lines)


def function_of(source: str) -> Callable[..., Any]:
    name = f"<one memory {hash(source)}>"
    linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
    space: dict[str, Any] = {"fz": fz}
    exec(compile(source, name, "exec"), space)
    return space["program"]


def check(parts: Parts) -> str:
    """`agrees` or `refused`; raises where a recording computes something else than the eager program."""
    source = source_of(parts)
    program = function_of(source)
    x = np.array([[1.0, 2.0], [3.0, 4.0]], np.float32)
    try:
        recorded = fz.jit.trace(fz.jit.script(program), (fz.tensor(x), fz.tensor(NUMBERS[0])))
    except RecordError:
        return "refused"
    for n in NUMBERS:
        right = [t.tolist() for t in program(fz.tensor(x), fz.tensor(n))]
        try:
            found = [t.tolist() for t in recorded(fz.tensor(x), fz.tensor(n))]
        except RecordError:
            continue
        assert found == right, f"{len(n)} rounds: {found}, eagerly {right}, of\n{source}"
    return "agrees"


def some(count: int, length: int, seed: int) -> Counter[str]:
    """What comes of so many programs of so many statements."""
    dice = random.Random(seed)
    choices = (BEGINNINGS, STATEMENTS, AROUND, AFTER)
    drawn = ([dice.choices(of, k=length if of is STATEMENTS else 1) for of in choices] for _ in range(count))
    return Counter(check((begins, tuple(body), around, after)) for (begins,), body, (around,), (after,) in drawn)


def test_a_write_through_any_of_several_names_is_seen_or_refused() -> None:
    counts = some(150, 3, 7)
    assert counts["agrees"] > 50, counts


@pytest.mark.slow
def test_each_statement_in_each_place_is_seen_or_refused() -> None:
    counts = Counter(map(check, itertools.product(BEGINNINGS, ((line,) for line in STATEMENTS), AROUND, AFTER)))
    assert counts["agrees"] > 0.5 * counts.total(), counts


@pytest.mark.slow
@pytest.mark.parametrize("length", [2, 4])
def test_many_writes_through_several_names_are_seen_or_refused(length: int) -> None:
    counts = some(1500, length, 11)
    assert counts["agrees"] > 500, counts


def view_from_before(x, n):
    a = x * 1
    b = a[0]
    for _i in range(n.shape[0]):
        a += 1
        a = a * 3
    return a, b


def rows_added_up(x, n):
    a = x[0] * 1
    b = a
    for row in x:
        a += row
        a = a * n.sum()
    return a, b


def in_another_loop(x, n):
    a = x * 1
    b = a
    for _i in range(n.shape[0]):
        for _j in range(2):
            a += 1
            a = a * 2
        a -= 1
    return a, b


def gradient_of_both(x, n):
    x = x.detach().requires_grad_()
    a = x * 1
    b = a
    for _i in range(n.shape[0]):
        a += 1
        a = a.sin()
    return fz.autograd.grad((a * b.cos()).sum(), x)


@pytest.mark.parametrize("program", [view_from_before, rows_added_up, in_another_loop, gradient_of_both])
def test_what_a_loop_began_with_holds_what_the_first_round_wrote(program: Callable[..., Any]) -> None:
    x = fz.tensor([[1.0, 2.0], [3.0, 4.0]])
    recorded = fz.jit.trace(fz.jit.script(program), (x, fz.ones(2)))
    report = fz.onnx.export(fz.jit.script(program), (x, fz.ones(2)))
    for n in (fz.ones(k) for k in (2, 0, 1, 5)):
        right = program(x, n)
        for found in (recorded(x, n), report.run(x, n)):
            assert all(np.allclose(a, b) for a, b in zip(found, right, strict=True))


def test_two_results_of_a_branch_are_one_tensor_where_it_made_one() -> None:
    def program(x, p):
        a, b = x * 1, x[0]
        if p > 0:
            a = x * 5
            b = a[0]
        b.add_(10)
        return a, b

    x = fz.tensor([[1.0, 2.0], [3.0, 4.0]])
    recorded = fz.jit.trace(fz.jit.script(program), (x.clone(), fz.tensor(1.0)))
    for p in (1.0, -1.0):
        found, right = recorded(x.clone(), fz.tensor(p)), program(x.clone(), fz.tensor(p))
        assert all(map(fz.equal, found, right))


def test_gradients_count_on_a_round_where_a_loop_without_any_would_write_to_what_they_need() -> None:
    def program(x, n):
        x = x.detach().requires_grad_()
        a = x * 1
        b = a.sin()
        for _i in range(n.shape[0]):
            a = a * 2
        a.add_(1)
        return fz.autograd.grad((a * b).sum(), x)

    x = fz.tensor([1.0, 2.0])
    recorded = fz.jit.trace(fz.jit.script(program), (x, fz.ones(2)))
    for n in (fz.ones(1), fz.ones(3)):
        assert fz.allclose(recorded(x, n)[0], program(x, n)[0])
    for refused in (recorded, program):
        with pytest.raises((RecordError, AutogradError)):
            refused(x, fz.ones(0))
