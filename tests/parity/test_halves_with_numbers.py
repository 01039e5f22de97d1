"""Floats of 16 bits with numbers that are none: 70000 is no float16, nor is 0.1. PyTorch rounds some of them first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnxruntime
import pytest

import frazil as fz

torch = pytest.importorskip("torch", reason="compares with PyTorch")
pytestmark = pytest.mark.parity

VALUES = [0.4366, 1.5, -2.25, 0.0, 65504.0, 3.1e-5, float("inf")]
NUMBERS = [70000, 0.1, 1e-9, -70000.5, 1 / 3, 2049, 1e30]

#: `lib` is the library, `h` a tensor of 16 bits, `s` the number.
CALLS: dict[str, Callable[[Any, Any, Any], Any]] = {
    "add": lambda lib, h, s: h + s,
    "sub": lambda lib, h, s: h - s,
    "rsub": lambda lib, h, s: s - h,
    "mul": lambda lib, h, s: h * s,
    "rmul": lambda lib, h, s: s * h,
    "div": lambda lib, h, s: h / s,
    "add alpha": lambda lib, h, s: lib.add(h, h, alpha=s),
    "add alpha of a number": lambda lib, h, s: lib.add(h, 2.1, alpha=s),
    "sub alpha": lambda lib, h, s: lib.sub(h, h, alpha=s),
    "floor": lambda lib, h, s: h // s,
    "remainder": lambda lib, h, s: h % s,
    "rremainder": lambda lib, h, s: s % h,
    "fmod": lambda lib, h, s: lib.fmod(h, s),
    "trunc": lambda lib, h, s: lib.div(h, s, rounding_mode="trunc"),
    "div floor": lambda lib, h, s: lib.div(h, s, rounding_mode="floor"),
    "pow": lambda lib, h, s: h**s,
    "rpow": lambda lib, h, s: lib.pow(abs(s), h),
    "lt": lambda lib, h, s: h < s,
    "ge": lambda lib, h, s: h >= s,
    "eq": lambda lib, h, s: h == s,
    "clamp min": lambda lib, h, s: h.clamp(min=s),
    "clamp max": lambda lib, h, s: h.clamp(max=s),
    "where": lambda lib, h, s: lib.where(h > 1, h, s),
    "masked_fill": lambda lib, h, s: h.masked_fill(h > 1, s),
    "lerp": lambda lib, h, s: lib.lerp(h, h * 0.5, s),
    "addcmul": lambda lib, h, s: lib.addcmul(h, h, h, value=s),
    "addcdiv": lambda lib, h, s: lib.addcdiv(h, h, h + 1, value=s),
    "mul by a 0-d tensor": lambda lib, h, s: h * lib.tensor(s),
    "mul of a 0-d tensor": lambda lib, h, s: lib.tensor(s, dtype=lib.float64) * h,
    "div by a 0-d tensor": lambda lib, h, s: h / lib.tensor(s),
    "div of a 0-d tensor": lambda lib, h, s: lib.tensor(s) / h,
    "add a 0-d tensor": lambda lib, h, s: h + lib.tensor(s),
    "lt a 0-d tensor": lambda lib, h, s: h < lib.tensor(s),
    "leaky_relu": lambda lib, h, s: lib.nn.functional.leaky_relu(h, s),
    "elu": lambda lib, h, s: lib.nn.functional.elu(h, s),
    "celu": lambda lib, h, s: lib.nn.functional.celu(h, abs(s)),
    "softplus": lambda lib, h, s: lib.nn.functional.softplus(h, abs(s)),
    "mul_": lambda lib, h, s: h.clone().mul_(s),
    "add_": lambda lib, h, s: h.clone().add_(s),
    "div_": lambda lib, h, s: h.clone().div_(s),
    "add_ alpha": lambda lib, h, s: h.clone().add_(h, alpha=s),
    "addcmul_": lambda lib, h, s: h.clone().addcmul_(h, h, value=s),
    "lerp_": lambda lib, h, s: h.clone().lerp_(h * 0.5, s),
    "_foreach_mul": lambda lib, h, s: lib._foreach_mul([h], s)[0],
}


def _given(library: Any, dtype: str) -> Any:
    return library.tensor(VALUES, dtype=getattr(library, dtype))


def _numbers(y: Any) -> np.ndarray:
    return np.array(y.double().tolist())


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("name", CALLS)
def test_numbers_are_rounded_where_pytorch_rounds_them(name: str, dtype: str) -> None:
    for s in NUMBERS:
        try:
            theirs = CALLS[name](torch, _given(torch, dtype), s)
        except RuntimeError as error:
            assert "without overflow" in str(error)  # a number that float16 has not: it is infinite here
            continue
        ours = CALLS[name](fz, _given(fz, dtype), s)
        assert str(ours.dtype).partition(".")[2] == str(theirs.dtype).partition(".")[2]
        np.testing.assert_array_equal(_numbers(ours), _numbers(theirs), err_msg=f"{name} {s}")


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("name", CALLS)
def test_recordings_compute_what_the_program_does(name: str, dtype: str) -> None:
    h = _given(fz, dtype)
    for s in NUMBERS[:3]:
        recorded = fz.jit.trace(lambda h, s=s: CALLS[name](fz, h, s), h)
        np.testing.assert_array_equal(_numbers(recorded(h)), _numbers(CALLS[name](fz, h, s)))


@pytest.mark.parametrize("name", ["mul", "div", "floor", "lerp", "addcmul", "elu", "mul by a 0-d tensor"])
def test_files_compute_what_pytorch_does(name: str, tmp_path: Any) -> None:
    h = _given(fz, "float16")
    fz.onnx.export(lambda h: CALLS[name](fz, h, 0.1), h, tmp_path / "h.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "h.onnx")
    (found,) = session.run(None, {session.get_inputs()[0].name: h.numpy()})
    np.testing.assert_array_equal(found, CALLS[name](torch, _given(torch, "float16"), 0.1).numpy())


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("name", ["mul", "div", "leaky_relu", "lerp", "addcmul", "mul by a 0-d tensor"])
def test_gradients_are_those_of_pytorch(name: str, dtype: str) -> None:
    gradients = []
    for library in (fz, torch):
        h = library.tensor(VALUES[:3], dtype=getattr(library, dtype), requires_grad=True)
        CALLS[name](library, h, 0.1).sum().backward()
        assert h.grad.dtype is h.dtype
        gradients.append(_numbers(h.grad))
    np.testing.assert_allclose(*gradients, rtol=2 * fz.finfo(getattr(fz, dtype)).eps)


def test_numbers_beyond_float16_are_infinite_without_warnings() -> None:
    h = _given(fz, "float16")
    for y in (h.clamp(min=70000), fz.nn.functional.pad(h, (1, 0), value=70000)[:1], fz.full((2,), 70000, dtype=fz.float16)):
        assert y.isinf().all()
    assert h.clamp(max=70000).tolist() == h.tolist() and h.clamp(max=-1e9).isneginf().all()
