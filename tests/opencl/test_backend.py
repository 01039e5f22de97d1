"""The OpenCL backend on a real device: what the conformance kit does not ask."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import frazil as fz
from frazil.backends.opencl import OpenCLBackend, _first
from frazil.exporters.onnx.oracle import run_graph
from frazil.nn import functional as F

from ..recorder.test_layouts import LIES


def there(array: Any) -> fz.Tensor:
    return fz.tensor(array, device="opencl")


@pytest.fixture
def runtime() -> Any:
    return fz.device("opencl").backend._devices()[0]  # type: ignore[attr-defined]


def test_views_share_memory() -> None:
    x = there(np.arange(12.0, dtype=np.float32).reshape(3, 4))
    x.t()[1:3, ::2].zero_()
    assert x.tolist() == [[0, 0, 0, 3], [4, 5, 6, 7], [8, 0, 0, 11]]


def test_results_lie_in_memory_as_on_the_cpu() -> None:
    for text, (order, strides) in LIES.items():
        shape = (4, 3, 5) if len(order) == 3 else (2, 3, 4, 5)
        whole = np.arange(1.0, np.prod(shape) + 1, dtype=np.float32).reshape([shape[d] for d in order])
        back = np.argsort(order).tolist()
        with fz.device("opencl"):
            y = eval(text, {"x": fz.tensor(whole).permute(*back), "fz": fz})
        assert y.stride() == strides, text
        expected = eval(text, {"x": fz.tensor(whole).permute(*back), "fz": fz})
        np.testing.assert_allclose(y.cpu().numpy(), expected.numpy(), rtol=1e-5, atol=1e-5, err_msg=text)


def test_a_view_as_another_shape_copies_only_where_strides_do_not_reach() -> None:
    x = there(np.arange(24.0).reshape(2, 3, 4))
    shares = x._dev.kernels["shares_memory"]
    assert shares(x[:, 1:].reshape(2, 8)._a, x._a)
    assert shares(x.permute(2, 0, 1).reshape(4, 6)._a, x._a)
    assert not shares(x.permute(1, 0, 2).reshape(6, 4)._a, x._a)
    assert x.permute(1, 0, 2).reshape(6, 4).tolist() == x.cpu().permute(1, 0, 2).reshape(6, 4).tolist()


def test_an_index_out_of_range_is_found_when_a_value_is_asked_for() -> None:
    y = there([1.0, 2.0])[there(np.array([0, 5]))]
    with pytest.raises(IndexError, match=r"out of range for a dimension of size 2 \(found 5\)"):
        y.tolist()
    assert there([1.0, 2.0])[there(np.array([0, 1]))].tolist() == [1, 2]


def test_repeated_indices_the_last_write_wins_and_sums_repeat() -> None:
    index = there(np.random.default_rng(0).integers(0, 7, 5000))
    source = there(np.random.default_rng(1).standard_normal(5000).astype(np.float32))
    sums = [fz.zeros(7, device="opencl").index_add(0, index, source).tolist() for _ in range(3)]
    assert sums[0] == sums[1] == sums[2]
    last = fz.zeros(7, device="opencl").scatter(0, index, source).tolist()
    assert last == fz.zeros(7).scatter(0, index.cpu(), source.cpu()).tolist()


def test_random_numbers_are_those_of_every_backend() -> None:
    for draw in (
        lambda g: fz.rand(1001, generator=g, device=g.device),
        lambda g: fz.randint(0, 1000, (77,), generator=g, device=g.device),
        lambda g: fz.randperm(100, generator=g, device=g.device),
    ):
        assert draw(fz.Generator("opencl").manual_seed(5)).tolist() == draw(fz.Generator("cpu").manual_seed(5)).tolist()


def test_freed_memory_is_used_again(runtime: Any) -> None:
    x = fz.ones(1 << 20, device="opencl")
    x = x + 1
    before = runtime.pool.managed_bytes
    for _ in range(50):
        x = x * 1.5
    assert runtime.pool.managed_bytes - before <= 3 * 5 * (1 << 20)


def test_threads_share_a_device() -> None:
    found: list[float] = []

    def work(seed: int) -> None:
        x = there(np.full((64, 64), seed, np.float32))
        for _ in range(30):
            x = (x @ fz.eye(64, device="opencl")) * 1.0 + 0.0
        found.append(x.sum().item() / 64**2 - seed)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert found == [0.0] * 8


def _python(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, env={**os.environ, **environment}
    )


def test_without_a_driver_the_error_says_what_to_install() -> None:
    done = _python("import frazil as fz; fz.ones(2, device='opencl')", OCL_ICD_VENDORS="/there/is/none")
    assert done.stderr.splitlines()[-1].endswith(
        "device 'opencl' does not exist: there is no OpenCL driver. For a CPU: pip install intel-opencl-rt intel-cmplr-lib-rt "
        "(or apt-get install pocl-opencl-icd); for a GPU: that of its maker"
    )


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_after_a_fork_an_error_says_to_spawn() -> None:
    done = _python(
        "import os, frazil as fz\n"
        "x = fz.ones(3, device='opencl') + 1\nx.tolist()\n"
        "if os.fork() == 0:\n"
        "    for work in (lambda: x + 1, lambda: x.mul_(2.0), lambda: x.tolist(), lambda: fz.tensor([1.0], device='opencl')):\n"
        "        try: work()\n"
        "        except fz.errors.DeviceError as error: print('spawn' in str(error), flush=True)\n"
        "    os._exit(0)\n"
        "os.wait()"
    )
    assert done.stdout.split() == ["True"] * 4, done.stdout + done.stderr


def test_binaries_are_kept_between_processes(tmp_path: Path) -> None:
    code = "import frazil as fz; print((fz.ones(3, device='opencl') + 41).tolist())"
    first = _python(code, XDG_CACHE_HOME=str(tmp_path))
    files = {p: p.stat().st_mtime_ns for p in (tmp_path / "frazil").rglob("*") if p.is_file()}
    second = _python(code, XDG_CACHE_HOME=str(tmp_path))
    assert first.stdout == second.stdout == "[42.0, 42.0, 42.0]\n", first.stderr + second.stderr
    assert files and files == {p: p.stat().st_mtime_ns for p in (tmp_path / "frazil").rglob("*") if p.is_file()}


class _Device:
    def __init__(self, name: str) -> None:
        self.device = self
        self.platform = self
        self.name = name


def test_the_device_is_chosen_by_number_or_name() -> None:
    listed: Any = [_Device("Big GPU"), _Device("Small GPU"), _Device("Some CPU")]
    assert [d.name for d in _first(listed, "small")] == ["Small GPU", "Big GPU", "Some CPU"]
    assert [d.name for d in _first(listed, 2)] == ["Some CPU", "Big GPU", "Small GPU"]
    with pytest.raises(fz.errors.DeviceError, match="'opencl.device' is 'amd'.*\n.*0: Big GPU"):
        _first(listed, "amd")


def test_a_device_without_float64_says_so(runtime: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "has_double", False)
    with pytest.raises(fz.errors.DTypeError, match=r"has no float64.*float32"):
        there(np.ones(3))
    assert "float64" not in fz.device("opencl").backend.capabilities().dtypes


def test_indices_on_the_cpu_follow_the_tensor() -> None:
    a = np.arange(12, dtype=np.float32).reshape(4, 3)
    x, mask = there(a), a > 4
    np.testing.assert_array_equal(x[[0, -1]].cpu().numpy(), a[[0, -1]])
    np.testing.assert_array_equal(x[:, fz.tensor([2, 0])].cpu().numpy(), a[:, [2, 0]])
    np.testing.assert_array_equal(x[fz.tensor(mask)].cpu().numpy(), a[mask])
    x[[1, 2]], a[[1, 2]] = 7.0, 7.0
    np.testing.assert_array_equal(x.cpu().numpy(), a)


def test_nothing_runs_on_the_cpu() -> None:
    missing = [n for n, op in fz.table.OPS.items() if op.kind == "primitive" and n not in OpenCLBackend().kernels()]
    assert missing == []


# ------------------------------------------------------------------------------------------------------- the schedule for GPUs


@pytest.fixture
def gpu_kernels(runtime: Any) -> Iterator[tuple[Any, Any]]:
    """A second runtime of the same device, with kernels as a GPU gets them."""
    from frazil.backends.opencl import linalg
    from frazil.backends.opencl.runtime import Runtime
    from frazil.backends.render.kernels import library

    other = Runtime(runtime.device)
    other.schedule = "gpu"
    yield other, library(other, linalg.kernels(other))


@pytest.mark.parametrize("shape", [(5, 37), (3, 1), (1, 1000), (70, 130)])
def test_the_gpu_schedule_computes_the_same(gpu_kernels: Any, shape: tuple[int, int]) -> None:
    runtime, kernels = gpu_kernels
    x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    there = runtime.upload(x)

    def check(found: Any, expected: Any) -> None:
        np.testing.assert_allclose(runtime.download(found), expected, rtol=2e-5, atol=1e-5)

    e = np.exp(x - x.max(1, keepdims=True))
    check(kernels["tanh"](there), np.tanh(x))
    check(kernels["add"](there, runtime.upload(x[:1])), x + x[:1])
    for dim in (0, 1):
        check(kernels["sum"](there, dim=(dim,)), x.sum(dim))
        check(kernels["amax"](there, dim=(dim,)), x.max(dim))
    check(kernels["softmax"](there, dim=1), e / e.sum(1, keepdims=True))
    check(kernels["matmul"](there, runtime.upload(np.ascontiguousarray(x.T))), x @ x.T)
    check(kernels["linear"](there, there, runtime.upload(x[:, 0].copy())), x @ x.T + x[:, 0])


def test_long_reductions_are_cut_into_parts_on_both_schedules(gpu_kernels: Any, runtime: Any) -> None:
    x = np.random.default_rng(0).standard_normal((3, 100_003)).astype(np.float32)
    other, kernels = gpu_kernels
    ours = fz.device("opencl").kernels
    for device, table in ((other, kernels), (runtime, ours)):
        there = device.upload(x)
        np.testing.assert_allclose(device.download(table["sum"](there, dim=(1,))), x.sum(1), rtol=1e-4, atol=1e-2)
        np.testing.assert_allclose(device.download(table["mean"](there)), x.mean(), rtol=1e-4, atol=1e-5)
        flipped = device.upload(np.ascontiguousarray(x.T))
        np.testing.assert_allclose(device.download(table["sum"](flipped, dim=(0,))), x.sum(1), rtol=1e-4, atol=1e-2)


# ------------------------------------------------------------------------------------------------------------- frozen graphs


def test_a_chain_is_one_kernel() -> None:
    def gelu(x: Any) -> Any:
        return x * 0.5 * (fz.tanh((x + x * x * x * 0.044715) * 0.7978845608) + 1.0)

    x = fz.randn(1000)
    frozen = fz.device("opencl").backend.compile(fz.jit.trace(gelu, x).graph)  # type: ignore[attr-defined]
    assert len(frozen.program.steps) == 1
    for _ in range(3):  # the first run is written down, the others repeat it
        x = fz.randn(1000)
        (y,) = frozen(x.to("opencl")._a)
        np.testing.assert_allclose(fz.device("opencl").to_host(y), gelu(x).numpy(), rtol=1e-5, atol=1e-6)


def test_a_frozen_model_follows_its_parameters_and_its_sizes() -> None:
    model = fz.nn.Sequential(fz.nn.Linear(8, 16), fz.nn.GELU(), fz.nn.Linear(16, 4), fz.nn.Softmax(-1)).to("opencl")
    backend: Any = fz.device("opencl").backend
    frozen = backend.compile(fz.jit.trace(model, fz.randn(5, 8, device="opencl")).graph)
    for batch in (5, 5, 9, 5, 1):
        x = fz.randn(batch, 8, device="opencl")
        np.testing.assert_allclose(backend.to_host(frozen(x._a)[0]), model(x).detach().cpu().numpy(), rtol=1e-5, atol=1e-6)
        with fz.no_grad():
            model[0].weight.mul_(1.1)


def test_results_of_a_frozen_graph_are_not_overwritten_by_the_next_run() -> None:
    backend: Any = fz.device("opencl").backend
    frozen = backend.compile(fz.jit.trace(lambda x: F.relu(x @ x).sum(0) * 2, fz.ones(4, 4)).graph)
    xs = [fz.full((4, 4), float(i), device="opencl") for i in range(4)]
    results = [frozen(x._a)[0] for x in xs]
    assert [backend.to_host(r)[0] for r in results] == [float(32 * i * i) for i in range(4)]


def test_what_a_kernel_uploads_is_kept_for_the_next_runs() -> None:
    backend: Any = fz.device("opencl").backend
    x = fz.ones(64, device="opencl")
    frozen = backend.compile(fz.jit.trace(lambda x: x * fz.arange(64, device="opencl") + x.sum(), (x,)).graph)
    frozen(x._a)
    others = [fz.arange(64, device="opencl") - 3.0 for _ in range(50)]  # which would take the memory of 0, 1, 2, ...
    (found,) = frozen(x._a)
    np.testing.assert_allclose(backend.to_host(found), np.arange(64) + 64)
    assert all(other[0].item() == -3 for other in others)


def test_a_recording_has_one_device(tmp_path: Path) -> None:
    model = fz.nn.Linear(3, 2).to("opencl")
    with pytest.raises(fz.errors.RecordError, match="recorded on cpu, but uses the param 'weight' .*on opencl. Move everything"):
        fz.onnx.export(model, fz.ones(2, 3), tmp_path / "f.onnx")
    assert not (tmp_path / "f.onnx").exists()
    half = fz.tensor(0.5)  # a number on the CPU follows the others
    report = fz.onnx.export(lambda x: model(x) * half, fz.ones(2, 3, device="opencl"), tmp_path / "f.onnx")
    assert report.operators["Gemm"] == 1


def test_what_is_computed_once_more_for_a_comparison_is_computed_where_the_weights_are() -> None:
    norm = fz.nn.BatchNorm2d(3).to("opencl").eval()
    images = fz.full((2, 3, 4, 4), 0.5).to("opencl")
    graph = fz.jit.trace(norm, images).graph
    found = run_graph(graph, [images.cpu().numpy()])
    np.testing.assert_allclose(found[graph.outputs[0]], 0.5, rtol=1e-4)


def test_layers_that_few_programs_have_compute_what_the_cpu_does() -> None:
    for layer, inputs in (
        (fz.nn.FractionalMaxPool2d(2, output_ratio=0.6, _random_samples=fz.rand(2, 3, 2)), [fz.randn(2, 3, 7, 6)]),
        (fz.nn.AdaptiveLogSoftmaxWithLoss(8, 20, [5, 10]), [fz.randn(4, 8), fz.tensor([1, 7, 19, 4])]),
        (fz.nn.LSTM(4, 5, 2, proj_size=3), [fz.randn(3, 2, 4)]),
        (fz.nn.Embedding(5, 3, sparse=True), [fz.tensor([[0, 4], [2, 2]])]),
    ):
        expected = layer(*inputs)  # type: ignore[operator]
        result = layer.to("opencl")(*[t.to("opencl") for t in inputs])
        for a, b in zip(*[[r] if isinstance(r, fz.Tensor) else r[:1] for r in (result, expected)], strict=True):
            fz.testing.assert_close(a.cpu(), b)
    table = fz.nn.Embedding(5, 2, sparse=True).to("opencl")
    before = table.weight.detach().cpu().clone()
    optimizer = fz.optim.SparseAdam(table.parameters(), lr=0.1)
    table(there([0, 3])).sum().backward()
    optimizer.step()
    assert (table.weight.cpu() != before).all(dim=1).tolist() == [True, False, False, True, False]


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_negative_floats_become_unsigned_by_wrapping_round(dtype: str) -> None:
    numbers = np.array([-1.5, -3.0, -0.5, -40000.0, 0.0, 7.9, 60000.0] * 5, dtype)  # more than a vector, and a rest
    if dtype not in fz.device("opencl").capabilities().dtypes:
        pytest.skip(f"the device has no {dtype}")
    for target in (fz.uint8, fz.uint32, fz.uint64):
        found = fz.tensor(numbers, device="opencl").to(target)
        assert found.tolist() == fz.tensor(numbers).to(target).tolist() and found[0].item() == 2 ** (8 * target.itemsize) - 1
