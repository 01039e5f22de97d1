"""The renderer: programs, and what the texts of both dialects have in common."""

from __future__ import annotations

import itertools
import shutil
import subprocess
from pathlib import Path

import pytest

from frazil.backends.render import CUDA, OPENCL, Layout, Program, render
from frazil.backends.render.kernels.iterate import argument_types


def softmax() -> Program:
    p = Program()
    x = p.load("float32")
    e = p.keep(p.op("exp", x - p.reduce("max", x)))
    p.store(e / p.reduce("sum", e))
    return p


def test_equal_operations_are_one_value() -> None:
    p = Program()
    x, y = p.load("float32"), p.load("float32")
    assert (x + y).index == (x + y).index
    assert (x + y).index != (y + x).index
    assert p.const(1, "float32").index == p.const(1.0, "float32").index


def test_levels_say_how_many_reductions_come_before() -> None:
    level, of_row = softmax().levels()
    assert max(level) == 2
    assert [i.op for i, row in zip(softmax().instructions, of_row, strict=True) if row] == ["reduce", "reduce"]


def test_a_program_is_cut_between_partial_results_and_the_rest() -> None:
    p = Program()
    p.store(p.reduce("sum", p.load("float16")) / p.number("float32"), "float16")
    first, second = p.halves()
    assert first.stores == [(1, "float32")] and first.loads == ["float16"]
    assert second.loads == ["float32"] and [dtype for _, dtype in second.stores] == ["float16"]
    assert [i.op for i in second.instructions] == ["load", "reduce", "number", "div"]


def test_a_loop_per_level_of_reductions() -> None:
    text = render(softmax(), Layout("gpu", "R", kept=1, loads="c", stores="c"), CUDA)
    assert text.count("for (int t = thread") == 3
    assert text.count("exp(") == 1, "a value that is kept is not computed again"


def test_bool_arithmetic_is_logic() -> None:
    p = Program()
    a, b = p.load("bool"), p.load("bool")
    assert [p.instructions[p.op(n, a, b).index].op for n in ("add", "mul", "ne", "maximum")] == ["or", "and", "xor", "or"]
    with pytest.raises(TypeError, match="sub is not defined for bool"):
        a - b


def test_texts_of_cuda_have_no_vectors_and_those_of_opencl_no_cuda() -> None:
    for layout in (Layout("gpu", loads="c"), Layout("cpu", loads="c"), Layout("gpu", kept=2, loads="g", offsets=True)):
        p = Program()
        p.store(p.op("tanh", p.load("float32")))
        cuda, opencl = render(p, layout, CUDA), render(p, layout, OPENCL)
        assert "vload" not in cuda and "float16" not in cuda
        assert "threadIdx" not in opencl


SHIM = """#include <math.h>
#include <stdio.h>
#define __global__
#define __device__
#define __forceinline__ inline
#define __launch_bounds__(n)
struct three { unsigned x, y, z; };
static three threadIdx, blockIdx, blockDim;
typedef _Float16 __half;
static float __half2float(__half h) { return (float)h; }
static __half __float2half_rn(float x) { return (__half)x; }
static __half __double2half(double x) { return (__half)x; }
static float __int_as_float(int x) { float y; __builtin_memcpy(&y, &x, 4); return y; }
static int __float_as_int(float x) { int y; __builtin_memcpy(&y, &x, 4); return y; }
static int min(int a, int b) { return a < b ? a : b; }
"""


@pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++")
def test_a_cuda_text_computes_on_the_cpu(tmp_path: Path) -> None:
    """GELU as CUDA C, thread by thread through g++."""
    p = Program()
    x = p.load("float32")
    p.store(x * 0.5 * (p.op("tanh", (x + x * x * x * 0.044715) * 0.7978845608) + 1.0))
    prelude = "\n".join(
        line for line in CUDA.prelude.splitlines() if "include" not in line and "INFINITY" not in line and "NAN" not in line
    )
    main = """int main() {
  float x[1000], y[1000], worst = 0;
  for (int i = 0; i < 1000; ++i) x[i] = (i - 500) * 0.01f;
  blockDim.x = 256;
  for (blockIdx.x = 0; blockIdx.x < 4; ++blockIdx.x)
    for (threadIdx.x = 0; threadIdx.x < 256; ++threadIdx.x) kernel_(1000, x, y);
  for (int i = 0; i < 1000; ++i) {
    double v = x[i], e = fabs(y[i] - v * 0.5 * (tanh((v + v * v * v * 0.044715) * 0.7978845608) + 1.0));
    if (e > worst) worst = e;
  }
  printf("%d", worst < 2e-6);
}"""
    source = tmp_path / "kernel.cpp"
    source.write_text(f"{SHIM}{prelude}\n{render(p, Layout('gpu', loads='c'), CUDA)}\n{main}")
    subprocess.run(["g++", "-w", "-o", tmp_path / "run", source], check=True)
    assert subprocess.run([tmp_path / "run"], capture_output=True, text=True, check=True).stdout == "1"


def test_arguments_are_those_the_launch_gives() -> None:
    for schedule, lanes, kept, reduced, letter, offsets in itertools.product(
        ("cpu", "gpu"), "KR", (0, 2), (0, 1), "csg", (False, True)
    ):
        p = Program()
        x = p.load("float32")
        p.store(p.reduce("sum", x * p.number("float32")))
        layout = Layout(schedule, lanes, kept, reduced, letter, "=", offsets)
        head = render(p, layout, OPENCL).split("kernel_(")[1].split(")")[0]
        assert len(head.split(",")) == len(argument_types(p, layout))
