"""Complex numbers in files: pairs of real ones at the edges, two values each inside, verified against the eager program."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest

import frazil as fz
from frazil import fft
from frazil.autograd import grad
from frazil.exporters.onnx import UnsupportedOps
from frazil.table import OPS, S

from .harness import op_program

RNG = np.random.default_rng(0)


def numbers(*shape: int) -> Any:
    return fz.tensor((RNG.standard_normal(shape) + 1j * RNG.standard_normal(shape)).astype("complex64"))


def complex_case(name: str, sample: S) -> tuple[Callable[..., Any], list[Any]]:
    """The sample with complex numbers in the place of floats."""
    program, tensors = op_program(OPS[name], sample)
    shift = [fz.tensor(1j * RNG.uniform(-2, 2, tuple(t.shape)), dtype=fz.complex64) for t in tensors]
    return program, [t + more if t.is_floating_point() else t for t, more in zip(tensors, shift, strict=True)]


#: Ops that NumPy's kernels compute for complex numbers by an order that those do not have: files refuse it.
ORDERED = {"relu_grad", "first_above"}


def names(part: int) -> list[str]:
    """A part of the ops with samples of floats; recurrent layers take long."""
    found = [n for n, op in OPS.items() if op.fn.__module__.rpartition(".")[2] not in ("recurrent", "optim")]
    return found[part::4]


@pytest.mark.slow
@pytest.mark.parametrize("part", range(4))
def test_every_op_that_takes_complex_numbers(part: int) -> None:
    wrong, tried = [], 0
    for name in names(part):
        for position, sample in enumerate(OPS[name].samples[:2]):
            if not any(a is not None and a.kind == "f" for a in sample.args):
                continue
            program, tensors = complex_case(name, sample)
            try:
                with np.errstate(all="ignore"):
                    program(*tensors)
            except fz.errors.FrazilError:
                continue  # no numbers of it in any program
            tried += 1
            try:
                fz.onnx.export(program, tuple(tensors), verify="samples")
            except UnsupportedOps as error:
                if name not in ORDERED or "not defined for complex" not in str(error):
                    wrong.append(f"{name} {position}: {error}")
            except Exception as error:
                wrong.append(f"{name} {position}: {type(error).__name__} {error}")
    assert tried > 20 and not wrong, "\n".join(wrong)


def rope(x: Any, freqs: Any) -> Any:
    z = fz.view_as_complex(x.float().reshape(*x.shape[:-1], x.shape[-1] // 2, 2))
    return fz.view_as_real(z * freqs.reshape(1, z.shape[1], 1, z.shape[-1])).flatten(3).type_as(x)


def rotary(x: Any) -> Any:
    """Rotary embeddings as language models have them."""
    n, d = x.shape[1], x.shape[-1]
    turns = fz.outer(fz.arange(n).float(), 1.0 / (10000.0 ** (fz.arange(0, d, 2).float() / d)))
    return rope(x, fz.polar(fz.ones_like(turns), turns))


def test_rotary_embeddings_have_a_free_length() -> None:
    report = fz.onnx.export(rotary, (fz.randn(2, 5, 3, 8),), input_names=["x"], dynamic_shapes={"x": [0, 1]})
    assert report.inputs == ["x: float32[x0, x1, 3, 8]"] and report.outputs == ["output: float32[x0, x1, 3, 8]"]
    assert not report.pairs and not report.embedded
    assert report.operators["Mul"] <= 7 and report.operators["Gather"] == 2


def test_tables_of_roots_are_stored_as_their_parts() -> None:
    table = fz.polar(fz.ones(16, 4), fz.randn(16, 4))
    report = fz.onnx.export(lambda x: rope(x, table[: x.shape[1]]), (fz.randn(2, 5, 3, 8),), dynamic_shapes={"x": [0, 1]})
    stored = {v.name: tuple(v.shape) for v in report.model.graph.initializers.values() if len(v.shape) == 2}
    assert set(stored.values()) == {(16, 4)} and len(stored) == 2


def test_what_goes_in_and_out_is_pairs_and_the_report_says_so(tmp_path: Any) -> None:
    path, z = tmp_path / "z.onnx", numbers(2, 3)
    report = fz.onnx.export(lambda z: (z * 2j, z.abs()), z, path, input_names=["z"], output_names=["turned", "size"])
    assert report.inputs == ["z: float32[z0, z1, 2]"] and report.outputs[0] == "turned: float32[z0, z1, 2]"
    assert report.pairs == ["z", "turned"]
    assert "complex numbers, as pairs of real and imaginary parts: z, turned" in str(report)
    turned, size = report.run(z)
    np.testing.assert_allclose(turned[..., 0] + 1j * turned[..., 1], (z * 2j).numpy(), rtol=1e-6)
    assert fz.onnx.verify(path, lambda z: (z * 2j, z.abs()), z).checks and size.shape == (2, 3)
    assert not {t.elem_type for t in _types(path)} & {onnx.TensorProto.COMPLEX64, onnx.TensorProto.COMPLEX128}


def _types(path: Any) -> list[Any]:
    graph = onnx.load(path).graph
    return [value.type.tensor_type for value in (*graph.input, *graph.output)]


def test_a_wrong_file_is_found() -> None:
    def wrong(e: Any, call: Any, a: Any, b: Any) -> Any:
        return e.op("Add", a, b)

    with pytest.raises(fz.exporters.onnx.VerificationError, match="does not compute what the program computes"):
        fz.onnx.export(lambda z: z * (1 + 2j), numbers(3), lowerings={"mul": wrong})


@fz.jit.script
def spiral(z: Any, n: Any) -> Any:
    """Rounds of a loop and a branch that carry complex numbers."""
    for _ in range(int(n)):
        z = z * (0.6 + 0.8j)
    if z.real.sum() > 0:
        z = z.conj()
    return z


PROGRAMS: dict[str, Callable[[Any], Any]] = {
    "views": lambda z: fz.cat([z[1:, ::2], z[:1, ::2]]).reshape(-1, 2).transpose(0, 1).flip(0)[None].expand(2, -1, -1),
    "writes": lambda z: z.clone().index_fill(0, fz.tensor([1]), 2j) + fz.full((3, 1), 1 + 1j) * z.real,
    "in place": lambda z: _filled(z.clone()),
    "einsum": lambda z: fz.einsum("ij,kj->ik", z, z.conj()).abs(),
    "powers": lambda z: z**2 + z**0.5 + 2**z,
    "norms": lambda z: z.norm() + z.std() + z.var(0).sum(),
    "angles": lambda z: (z.angle(), z.sgn(), fz.polar(z.abs(), z.angle())),
    "casts": lambda z: (z.real.to(fz.complex64) * z, z.to(fz.complex128).abs(), z.bool()),
    "mask": lambda z: z.masked_fill(z.real > 0, 1j),
    "choice": lambda z: z[z.abs() > 1].sum(),
    "fft": lambda z: fft.ifft(fft.fft(z) * 2, dim=0),
    "fftn": lambda z: fft.fftshift(fft.fftn(z, norm="ortho")),
    "rfft": lambda z: fft.irfft(fft.rfft(z.real)),
    "cut": lambda z: (fft.fft(z, n=3), fft.rfft(z.real, n=9), fft.irfft(z, n=5)),
    "hfft": lambda z: fft.hfft(fft.ihfft(z.real)),
}


def _filled(z: Any) -> Any:
    z.real[0] = 5.0
    z[1] *= 2j
    return z


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs(name: str) -> None:
    report = fz.onnx.export(PROGRAMS[name], numbers(3, 4), verify="samples", samples=[numbers(3, 8)], input_names=["z"],
                            dynamic_shapes={"z": [1]})  # fmt: skip
    assert report.checks is not None


def test_branches_and_loops() -> None:
    report = fz.onnx.export(spiral, (numbers(4), fz.tensor(3)), verify="samples", samples=[(numbers(7), fz.tensor(0))])
    assert report.operators["Loop"] == 1 and report.operators["If"] == 1


def test_short_transforms_go_there_and_back() -> None:
    window = fz.hann_window(8)

    def program(x: Any) -> Any:
        pieces = fz.stft(x, 8, 4, window=window, return_complex=True)
        return pieces.abs(), fz.istft(pieces, 8, 4, window=window)

    x = fz.randn(2, 40)
    report = fz.onnx.export(program, x, verify="samples", samples=[fz.randn(3, 64)], input_names=["x"])
    assert report.operators["DFT"] == 1  # of 8 points; the way back is a product of matrices


def test_onnxruntime_transforms_powers_of_two_only() -> None:
    for n, operators in ((64, {"DFT"}), (60, {"MatMul"})):
        report = fz.onnx.export(fft.rfft, fz.randn(2, n), verify="samples", dynamic_shapes=None)
        assert {"DFT", "MatMul"} & set(report.operators) == operators


def test_gradients() -> None:
    w = numbers(4, 3)

    def loss(z: Any, x: Any) -> Any:
        return ((z @ w).abs() ** 2).sum() + (fft.rfft(x) * z[0]).abs().sum() + (z * z.conj()).real.mean()

    args = (numbers(2, 4), fz.randn(6))
    report = fz.onnx.export_grad(loss, args, dynamic_shapes=None, verify="samples")
    assert report.outputs[1] == "grad.z: float32[2, 4, 2]" and report.pairs == ["z", "grad.z"]
    z = args[0].clone().requires_grad_()
    (expected,) = grad(loss(z, args[1]), z)
    found = report.run(*args)[1]
    np.testing.assert_allclose(found[..., 0] + 1j * found[..., 1], expected.numpy(), rtol=1e-4, atol=1e-5)


def test_training_steps() -> None:
    """A complex weight is state: pairs in, pairs out."""

    class Turn(fz.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.w = fz.nn.Parameter(numbers(3))

        def forward(self, x: Any) -> Any:
            return (x * self.w).abs().sum()

    model = Turn()
    optimizer = fz.optim.SGD(model.parameters(), lr=0.1)

    def step(x: Any) -> Any:
        loss = model(x)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    report = fz.onnx.export_step(step, (fz.randn(2, 3),), verify="samples")
    assert any("w: float32[3, 2]" in text for text in report.inputs)
