"""Random programs over all constructs: plain Python, rewritten, recorded and onnxruntime give the same."""

from __future__ import annotations

import linecache
import types
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

import frazil as fz

from .harness import differences

#: Variables: tensors of one number, and Python ints that may become numbers of the program.
FLOATS, INTS = ("a", "b", "c"), ("m", "n")


@st.composite
def number(draw: Any) -> str:
    """A 0-d float tensor of small size."""
    kind = draw(st.integers(0, 6))
    a, b = draw(st.sampled_from(FLOATS)), draw(st.sampled_from(FLOATS))
    constant = draw(st.sampled_from(["0.5", "1.5", "-1.0", "2.0"]))
    i = draw(st.sampled_from(["0", "-1", "x.shape[0] - 1", "m % x.shape[0]", "n % x.shape[0]"]))
    return [
        f"{a} * 0.5 + {b}",
        f"{a} - {constant}",
        f"(-{a}).clamp(-3.0, 3.0)",
        f"x[{i}] * {constant}",
        f"({a} if {draw(condition())} else {b} * 0.25)",
        f"helper({a}, {b})",
        f"fz.tanh({a}) + {draw(st.sampled_from(INTS))} * 0.125",
    ][kind]


@st.composite
def whole(draw: Any) -> str:
    """A small int."""
    m, n = draw(st.sampled_from(INTS)), draw(st.sampled_from(INTS))
    kinds = [f"({m} + 1) % 5", f"({m} * 2 + {n}) % 7", f"{n}", "x.shape[0]", "2", f"abs({m} - {n})", f"max({m}, {n}) % 6"]
    return draw(st.sampled_from(kinds))


@st.composite
def comparison(draw: Any) -> str:
    a, b = draw(st.sampled_from(FLOATS)), draw(st.sampled_from(FLOATS))
    m = draw(st.sampled_from(INTS))
    return draw(
        st.sampled_from(
            [
                f"{a} > {b}",
                f"{a} < 0.25",
                f"-1 < {a} <= {b} + 1",
                f"{m} > 2",
                f"{m} == x.shape[0]",
                "x.shape[0] > 3",
                f"x[0] > {a}",
                f"0 <= {m} < 3",
                "flag",
                f"{m} in (1, 2, 5)",
            ]
        )
    )


@st.composite
def condition(draw: Any) -> str:
    first = draw(comparison())
    kind = draw(st.integers(0, 5))
    if kind == 0:
        return f"not {first}" if " " not in first else f"not ({first})"
    if kind in (1, 2):
        return f"({first}) {'and' if kind == 1 else 'or'} ({draw(comparison())})"
    return first


@st.composite
def block(draw: Any, depth: int, loops: int, indent: str) -> list[str]:
    """Statements; inside of `loops` loops."""
    lines: list[str] = []
    for _ in range(draw(st.integers(1, 3))):
        kinds = ["float", "int", "augment", "float", "append", "store", "swap"]
        kinds += ["if", "if", "for", "while", "rows", "unrolled"] if depth else []
        kinds += ["leave"] * (2 if loops else 0) + ["return"]
        kind = draw(st.sampled_from(kinds))
        inner = indent + "    "
        if kind == "float":
            lines.append(f"{indent}{draw(st.sampled_from(FLOATS))} = {draw(number())}")
        elif kind == "int":
            lines.append(f"{indent}{draw(st.sampled_from(INTS))} = {draw(whole())}")
        elif kind == "augment":
            lines.append(f"{indent}{draw(st.sampled_from(FLOATS))} = ({draw(st.sampled_from(FLOATS))} * 0.5).clone()")
            lines.append(f"{indent}{draw(st.sampled_from(INTS))} += 1")
        elif kind == "append":
            lines.append(f"{indent}outs.append({draw(st.sampled_from(FLOATS))})")
        elif kind == "store":
            lines.append(f"{indent}y[{draw(st.sampled_from(['0', '-1', 'm % x.shape[0]']))}] = {draw(st.sampled_from(FLOATS))}")
        elif kind == "swap":
            lines.append(f"{indent}a, b = b, a")
        elif kind == "if":
            lines += [f"{indent}if {draw(condition())}:", *draw(block(depth - 1, loops, inner))]
            if draw(st.booleans()):
                lines += [f"{indent}elif {draw(condition())}:", *draw(block(depth - 1, loops, inner))]
            if draw(st.booleans()):
                lines += [f"{indent}else:", *draw(block(depth - 1, loops, inner))]
        elif kind in ("for", "rows", "unrolled"):
            i = f"i{depth}"
            head = {
                "for": draw(st.sampled_from([f"{i} in range(x.shape[0])", f"{i} in range(m)", f"{i} in range(1, x.shape[0])"])),
                "rows": draw(st.sampled_from([f"{i} in x", f"_, {i} in enumerate(x)", f"{i}, _ in zip(x, y)"])),
                "unrolled": draw(st.sampled_from([f"{i} in range(3)", f"{i} in (1, 2)"])),
            }[kind]
            lines += [f"{indent}for {head}:", f"{inner}c = c * 0.5 + {i}", *draw(block(depth - 1, loops + 1, inner))]
            if draw(st.integers(0, 3)) == 0:
                lines += [f"{indent}else:", *draw(block(0, 0, inner))]
        elif kind == "while":
            k = f"k{depth}"
            lines += [f"{indent}{k} = 0", f"{indent}while {k} < 4 and ({draw(condition())}):", f"{inner}{k} += 1"]
            lines += draw(block(depth - 1, loops + 1, inner))
        elif kind == "leave":
            lines += [f"{indent}if {draw(condition())}:", f"{inner}{draw(st.sampled_from(['break', 'continue']))}"]
        elif kind == "return":
            lines += [f"{indent}if {draw(condition())}:", f"{inner}return a, m, y, fz.stack(outs)"]
    return lines


PROGRAM = """
def helper(u, v):
    if u > v:
        return u - v
    for _ in range(3):
        u = u + 0.25
        if u > 1:
            break
    return u

def program(x, k):
    a, b, c = x[0], x.mean(), x.max()
    m, n = x.shape[0] % 4, 1
    flag = x.sum() > 0
    outs = [a]
    y = x * 1
{body}
    return a + b + c, m + n, y, fz.stack(outs)
"""


def made(body: list[str], count: list[int] = [0]) -> Any:  # noqa: B006
    """The function of a program text, with a source that can be found."""
    text = PROGRAM.format(body="\n".join(body))
    count[0] += 1
    name = f"<random program {count[0]}>"
    linecache.cache[name] = (len(text), None, text.splitlines(True), name)
    module = types.ModuleType("random_program")
    module.__dict__["fz"] = fz
    exec(compile(text, name, "exec"), module.__dict__)
    return module.__dict__["program"]


def inputs() -> list[tuple[Any, ...]]:
    rng = np.random.default_rng(0)
    rows = [rng.standard_normal(size).astype(np.float32) * scale for size, scale in ((3, 1), (1, 2), (4, 3), (6, 0.3), (2, 1))]
    return [(fz.tensor(row), fz.tensor([1])) for row in rows]


def agree(body: list[str]) -> None:
    note(PROGRAM.format(body="\n".join(body)))
    assert not differences(fz.jit.script(made(body)), inputs())


ALWAYS_THE_SAME: dict[str, Any] = {
    "deadline": None,
    "suppress_health_check": list(HealthCheck),
    "derandomize": True,
    "print_blob": False,
}


@settings(max_examples=15, **ALWAYS_THE_SAME)
@given(block(2, 0, "    "))
def test_random_programs_agree(body):
    agree(body)


@pytest.mark.slow
@settings(max_examples=200, **ALWAYS_THE_SAME)
@given(block(2, 0, "    "))
def test_many_random_programs_agree(body):
    agree(body)
