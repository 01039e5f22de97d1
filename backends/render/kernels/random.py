"""Random numbers by Philox4x64-10, a counter: the same bits on every device, and as NumPy's own."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np

from ..dialect import C_TYPES, is_float
from ..texts import Text, kernel, read, register, write
from .iterate import at, contiguous, new, require_countable, run_text
from .runtime import Array, Kernel, Runtime, Sizes

_INT64 = np.dtype(np.int64)


# -------------------------------------------------------------------------------------------------------------------- texts


_PHILOX = """DEVICE void philox(u64 seed, u64 block, u64* w) {
  u64 a = block + 1, b = 0, c = 0, d = 0, k0 = seed, k1 = 0;
  if (block + 1 == 0) b = 1;
  for (int round = 0; round < 10; ++round) {
    u64 low0 = a * (u64)0xD2E7470EE14C6C93UL, high0 = MUL_HI64(a, (u64)0xD2E7470EE14C6C93UL);
    u64 low1 = c * (u64)0xCA5A826395121157UL, high1 = MUL_HI64(c, (u64)0xCA5A826395121157UL);
    a = high1 ^ b ^ k0; b = low1; c = high0 ^ d ^ k1; d = low0;
    k0 += (u64)0x9E3779B97F4A7C15UL; k1 += (u64)0xBB67AE8584CAA73BUL;
  }
  w[0] = a; w[1] = b; w[2] = c; w[3] = d;
}"""


@cache
def random_numbers(what: str, dtype: str, precise: str) -> Text:
    """A block of the stream per item: "bits" (int64), "int63", "uniform" or "normal" numbers; normal ones by way of `precise`."""
    t = C_TYPES[dtype]
    word = "(u32)(w[i / 2] >> (i % 2 * 32))"
    count = 8
    pair = what == "normal"
    if what == "bits":
        value = f"(i64){word}"
    elif what == "int63":
        count, value = 4, "(i64)(w[i] & (u64)0x7FFFFFFFFFFFFFFFUL)"
    elif what == "uniform" and dtype == "float64":
        count, value = 4, "(f64)(i64)(w[i] >> 11) * 1.1102230246251565e-16"
    elif what == "uniform":
        bits = {"bfloat16": 8, "float16": 11, "float32": 24}[dtype]
        value = f"(f32)({word} >> {32 - bits}) * {2.0**-bits!r}f"
    elif dtype == "float64":
        count, value = 4, ""
    if not pair:
        store = write(dtype, "y", "at", value)
        body = f"  for (int i = 0; i < {count}; ++i) {{\n    int at = item * {count} + i;\n    if (at < n) {{ {store}; }}\n  }}"
    else:
        f = C_TYPES[precise]
        near, far, unit = (
            ("(i64)(w[i] >> 12)", "(i64)(w[i + 1] >> 12)", 2.0**-52)
            if dtype == "float64"
            else ("(u32)w[i / 2]", "(u32)(w[i / 2] >> 32)", 2.0**-32)
        )
        half, suffix = ("0.5", "") if precise == "float64" else ("0.5f", "f")
        body = f"""  for (int i = 0; i < {count}; i += 2) {{
    {f} near = (({f})({near}) + {half}) * {unit!r}{suffix}, far = (({f})({far}) + {half}) * {unit!r}{suffix};
    {f} radius = sqrt(log(near) * -2.0{suffix});
    int at = item * {count} + i;
    if (at < n) {{ {write(dtype, "y", "at", f"sin((0.25{suffix} - far) * 6.283185307179586{suffix}) * radius")}; }}
    if (at + 1 < n) {{ {write(dtype, "y", "(at + 1)", f"sin(far * 6.283185307179586{suffix}) * radius")}; }}
  }}"""
    return kernel(
        f"int n, const i64* state, int offset, {t}* y",
        f"  u64 w[4];\n  philox((u64)state[offset], (u64)state[offset + 1] + (u64)item, w);\n{body}",
        _PHILOX,
    )


def numbers_per_block(what: str, dtype: str) -> int:
    """Return how many numbers a block of 8 words of 32 bits makes."""
    return 4 if what == "int63" or (dtype == "float64" and what != "bits") else 8


@cache
def first_above(dtype: str) -> Text:
    """Return how many of the ascending edges of its row are not above a point."""
    t, r = C_TYPES[dtype], register(dtype)
    return kernel(
        f"int edges, int points, const {t}* e, int eo, const {t}* p, int po, i64* y",
        f"""  int low = 0, high = edges, base = eo + item / points * edges;
  {r} point = {read(dtype, "p", "po + item")};
  while (low < high) {{
    int middle = (low + high) / 2;
    if ({read(dtype, "e", "base + middle")} <= point) low = middle + 1; else high = middle;
  }}
  y[item] = low;""",
    )


# ------------------------------------------------------------------------------------------------------------------ kernels


def kernels(runtime: Runtime, sort_values: Callable[..., tuple[Array, Array]]) -> dict[str, Kernel]:
    """Kernels of random numbers, and of the place of numbers among edges. A permutation sorts random keys."""
    precise = "float64" if runtime.has_double else "float32"

    def random(what: str, state: Array, shape: Sizes, dtype: str) -> Array:
        runtime.require(np.dtype(dtype))
        if state.dtype != _INT64 or state.shape != (2,):
            raise ValueError(f"the state of a generator is int64[2], not {state.dtype}{list(state.shape)}")
        y, text = new(runtime, shape, dtype), random_numbers(what, dtype, precise)
        require_countable(y.size)
        blocks = -(-y.size // numbers_per_block(what, dtype))
        run_text(runtime, text, blocks, y.size, *at(runtime, contiguous(runtime, state)), runtime.address(y))
        return y

    def random_permutation(state: Array, *, n: int) -> Array:
        return sort_values(random("int63", state, (n,), "int64"), dim=0)[1]

    def first_above_(edges: Array, points: Array) -> Array:
        if edges.shape[:-1] != points.shape[:-1] or not edges.shape or edges.dtype != points.dtype or not is_float(edges.dtype):
            raise ValueError(f"edges {edges.shape} and points {points.shape} must agree in dtype and all dimensions but the last")
        y = new(runtime, points.shape, _INT64)
        given = [*at(runtime, contiguous(runtime, edges)), *at(runtime, contiguous(runtime, points)), runtime.address(y)]
        run_text(runtime, first_above(edges.dtype.name), y.size, edges.shape[-1], points.shape[-1], *given)
        return y

    return {
        "random_bits": lambda state, *, n: random("bits", state, (n,), "int64"),
        "random_uniform": lambda state, *, shape, dtype: random("uniform", state, shape, dtype.name),
        "random_normal": lambda state, *, shape, dtype: random("normal", state, shape, dtype.name),
        "random_int63": lambda state, *, shape: random("int63", state, shape, "int64"),
        "random_permutation": random_permutation,
        "first_above": first_above_,
    }
