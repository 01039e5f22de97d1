"""Programs that show one failure: what the conformance kit prints below it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import numpy as np

from ..dtypes import dtype
from .cases import Case

if TYPE_CHECKING:
    from ..device import device
    from .cases import Case

#: Arrays with more elements are taken from the table instead of being written out.
_WRITTEN_OUT = 64


def of_check(d: device, function: str, arguments: tuple[Any, ...]) -> str:
    """The check itself, as a call."""
    given = ", ".join([f'fz.device("{d}")', *map(literal, arguments)])
    return f"import frazil as fz\nfrom frazil.testing import cases, tiers\n\ntiers.{function}({given})\n"


def of_values(d: device, c: Case, layout: str = "plain", fast: bool = True) -> str:
    """A call of an op, with the numbers that go in and those that must come out."""
    out = len(c.specs)
    small = sum(a.size for a in [*c.arrays, *c.expected] if a is not None) <= _WRITTEN_OUT
    lines = [
        "import numpy as np",
        "",
        "import frazil as fz",
        "from frazil.table import OPS",
        "from frazil.testing import assert_close, cases",
        "",
        "inf, nan = np.inf, np.nan",
        f'device = fz.device("{d}")',
    ]
    if not small:
        lines.append(f"case = {literal(c)}")
    names = []
    for i, a in enumerate(c.arrays):
        names.append("None" if a is None else f"x{i}")
        if a is not None:
            lines.append(f"x{i} = cases.{layout}({array(a) if small else f'case.arrays[{i}]'}, device)")
    if c.op.packed:
        head = len(c.op.tensors) - 1
        names = [*names[:head], f"[{', '.join(names[head:])}]"]
    call = ", ".join([*names, *(f"{k}={literal(v)}" for k, v in c.sample.attrs.items())])
    results = f"({', '.join(f'y{i}' for i in range(out))})" if out > 1 else "y0"
    op = f'OPS["{c.name}"].call({call})'
    if not c.op.tensors:
        op = f"case.call(device)[0]  # {c.name}({call})"
        if small:
            lines.append(f"case = {literal(c)}")
    if fast:
        lines.append(f"{results} = {op}")
    else:
        lines += ["with cases.without_fast_kernels(device):", f"    {results} = {op}"]
    exact = ", rtol=0, atol=0" if c.op.exact else ", rtol=0.01, atol=0.02" if c.floats and c.dtype == "float16" else ""
    for i, y in enumerate(c.expected):
        lines.append(f"assert y{i}.dtype is {literal(c.specs[i].dtype)}, y{i}.dtype")
        expected = array(y) if small else f"case.expected[{i}]"
        lines.append(f"assert_close(y{i}.cpu().numpy(), {expected}, equal_nan=True{exact})")
    for i, a in enumerate(c.arrays):
        if a is not None:
            before = array(a) if small else f"case.arrays[{i}]"
            lines.append(f'assert_close(x{i}.cpu().numpy(), {before}, rtol=0, atol=0, equal_nan=True, msg="input {i}")')
    return "\n".join(lines) + "\n"


def literal(value: Any) -> str:
    """The Python text of an argument or attribute."""
    if isinstance(value, Case):
        return f'cases.case("{value.name}", {value.position}, "{value.dtype}")'
    if isinstance(value, dtype):
        return f"fz.{value.name}"
    if isinstance(value, (tuple, list)):
        return f"({''.join(literal(v) + ', ' for v in value)})"
    if isinstance(value, float) and value != value:
        return "nan"
    return repr(value)


def array(a: np.ndarray) -> str:
    """The Python text of an array."""
    if not a.size:
        return f"np.zeros({a.shape}, np.{a.dtype})"
    text = np.array2string(a, separator=", ", threshold=sys.maxsize, max_line_width=100_000, floatmode="unique")
    return f"np.array({text}, np.{a.dtype})".replace("\n", "")
