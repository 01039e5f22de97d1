"""One example of every kind of fault that 0.1 had, as a user would meet it, in the order of the report; see README.md."""

from __future__ import annotations

import io
import math
import threading
import time
import tracemalloc
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import frazil as fz
from frazil.errors import ArgumentError, FrazilError, SerializationError, ShapeError
from frazil.exporters.onnx import VerificationError

from ..hostile.crafted import HEAD, OLD, tensor, torch_file
from .table import part, row

F = fz.nn.functional
nan, inf = math.nan, math.inf


def scripted(program: Callable[..., Any], *example: Any, **options: Any) -> Any:
    """The program as a file, and as its recording."""
    return fz.onnx.export(fz.jit.script(program), example, **options)


part("Silently wrong")


@row(
    "The algebra of sizes: a quotient of a multiple forgets its bounds",
    "quotients, remainders, products of quotients, `min`, `max`, positions in `recorder/sizes.py`, loop counters",
    "recorder/test_sizes_fuzz.py::test_many_decisions_on_random_sizes_are_true_at_every_value",
    "recorder/test_sizes.py::test_random_expressions_agree_with_python_and_stay_in_their_bounds",
    "onnx/test_sizes.py::test_random_expressions_have_the_value_of_python",
)
def test_a_multiple_of_four_may_be_minus_four() -> None:
    """Right by Python: -4 % 4 is 0, and -4 == -4."""

    def program(t):
        k = int(t)
        y = 0
        if k % 4 == 0:
            y = 1 if k == -4 else 2
        return t * 0 + y

    def other(t):
        k = int(t)
        y = 0
        if k % 3 == 0:
            y = 1 if k // 3 < -1 else 2
        return t * 0 + y

    for fn in (program, other):
        file = scripted(fn, fz.tensor(8))
        for k in (-8, -6, -4, -3, -1, 0, 3, 4, 5, 9):
            assert file.run(fz.tensor(k))[0] == fn(fz.tensor(k)).item(), (fn.__name__, k)


@row(
    "Verification that never leaves the example: no integers beyond its own, no ends of a dtype, no NaN",
    "`onnx/samples.py`: integers, floats, bools, strings of comparisons",
    "onnx/test_verified_values.py::test_a_wrong_lowering_is_caught",
    "onnx/test_verified_values.py::test_ranges_hold_for_every_class",
)
def test_verification_tries_numbers_beyond_the_example() -> None:
    """A file that is wrong for negative integers only, or loses NaN only, is refused, although the example has none."""

    def truncating(e: Any, call: Any, x: Any, y: Any) -> Any:
        return e.op("Div", x, y)

    def without_nan(e: Any, call: Any, x: Any) -> Any:
        return e.op("Where", e.op("IsNaN", x), e.like(0, x), e.op("Relu", x))

    with pytest.raises(VerificationError, match="integers"):
        fz.onnx.export(lambda x: x // 3, fz.tensor([4, 5, 60]), lowerings={"floor_divide": truncating})
    with pytest.raises(VerificationError, match="NaN"):
        fz.onnx.export(F.relu, fz.ones(3), lowerings={"relu": without_nan})


@row(
    "An assert that dies with the input it hangs on",
    "asserts on shapes of inputs whose values nothing reads: guards, divisions, empty axes, `onnx/guards.py`",
    "onnx/test_unread_inputs.py::test_the_assert_holds",
    "onnx/test_refusals.py::test_a_file_refuses_the_sizes_that_the_program_refuses",
)
def test_an_assert_holds_whose_input_is_not_read() -> None:
    """The program doubles where `y` has more than 3 rows; the file was recorded so, and must refuse the others."""
    file = fz.onnx.export(
        lambda x, y: x * 2 if y.shape[0] > 3 else x, (fz.ones(2), fz.ones(5)), dynamic_shapes={"y": {0: "n"}}, verify=False
    )
    assert file.run(np.ones(2, np.float32), np.ones(4, np.float32))[0].tolist() == [2, 2]
    with pytest.raises(Exception, match="y.shape|Assert|shape"):
        file.run(np.ones(2, np.float32), np.ones(3, np.float32))


@row(
    "A fast path that counts before negatives are normalised",
    "`index`, `gather`, `index_add`, `scatter_add`, `embedding` and their gradients, on NumPy",
    "numerics/test_singular_points.py::test_negative_and_repeated_indices_count_as_often_as_they_come",
)
def test_negative_indices_count_in_gradients() -> None:
    """Right by counting: row 0 is taken twice, by 0 and by -3."""
    for index in ([0, -3, 1], fz.tensor([0, -3, 1])):
        x = fz.ones(3, 2, requires_grad=True)
        x[index].sum().backward()
        assert x.grad.tolist() == [[2, 2], [1, 1], [0, 0]]
    x = fz.ones(3, 2, requires_grad=True)
    x[:, fz.tensor([1, -1, 0])].sum().backward()
    assert x.grad.tolist() == [[1, 2]] * 3
    x = fz.zeros(3)
    x.index_put_((fz.tensor([0, -3]),), fz.ones(2), accumulate=True)
    assert x.tolist() == [2, 0, 0]


@row(
    "Cancellation in tails: right within 1e-9 and wrong in every digit",
    "`sigmoid`, `log_sigmoid`, `silu`, `erfc`, `mish`, `gelu`, `tanhshrink`, `logit`, `sinc`; kernels, bodies, files",
    "numerics/test_accuracy.py::test_values_are_within_their_budget",
    "numerics/test_accuracy.py::test_slopes_are_within_their_budget",
    "opencl/test_numerics.py::test_values_are_within_their_budget",
    "onnx/test_accuracy.py::test_files_are_within_the_budget",
)
def test_tails_keep_their_digits() -> None:
    """Right by mpmath."""
    x = fz.tensor([-17.0, -20.0, -80.0])
    close(fz.sigmoid(x), [4.139937418e-8, 2.0611536e-9, 1.8048514e-35])
    close(F.logsigmoid(x), [-17.00000004139937, -20.000000002, -80.0])
    close(fz.log(fz.sigmoid(x)), [-17.0, -20.0, -80.0])
    close(F.silu(x), [-7.03789361e-7, -4.1223072e-8, -1.4438811e-33])
    close(fz.erfc(fz.tensor([5.0, 9.0])), [1.5374597944280349e-12, 4.1370317465138102e-37])
    close(F.softplus(fz.tensor([-30.0])), [9.357622968839299e-14])
    close(F.gelu(fz.tensor([-6.0])), [-5.9193e-9], 1e-4)
    close(fz.expm1(fz.tensor([1e-10])), [1e-10])
    close(fz.log1p(fz.tensor([1e-10])), [1e-10])


def close(found: fz.Tensor, right: list[float], relative: float = 2e-6) -> None:
    """Compare relatively."""
    np.testing.assert_allclose(found.numpy().astype(np.float64), right, rtol=relative)


@row(
    "Half precision that accumulates, or counts, in half",
    "`mean`, `var`, `std`, `norm`, `cosine_similarity`, losses, `cumsum`, normalisations; bodies, lowerings, OpenCL",
    "numerics/test_accumulation.py::test_float16_is_float32_rounded_once",
    "opencl/test_numerics.py::test_float16_is_float32_rounded_once",
    "onnx/test_extremes.py::test_sums_and_counts_of_float16_do_not_overflow",
)
def test_halves_are_added_up_in_float32() -> None:
    """Right by arithmetic: the mean of ones is 1, their variance 0."""
    ones = fz.ones(70_000, dtype=fz.float16)
    assert ones.mean().item() == 1 and ones.var().item() == 0 and ones.std().item() == 0
    assert fz.full((300, 300), 3.0, dtype=fz.float16).norm().item() == 900
    assert F.cosine_similarity(ones * 9, ones * 9, dim=0).item() == 1
    assert F.mse_loss(ones * 3, ones).item() == 4 and F.layer_norm(ones, (70_000,)).abs().max().item() == 0
    assert fz.linalg.vector_norm(ones * 4).item() == pytest.approx(4 * 70_000**0.5, rel=1e-3)
    file = fz.onnx.export(lambda x: (x.mean(), x.norm(), x.var()), fz.ones(70_000, dtype=fz.float16) * 2)
    assert [y.item() for y in file.run(ones.numpy() * 2)] == [2, 529, 0]


@row(
    "Schedules that step once more when they are resumed",
    "every schedule that goes on from the rate before: `CosineAnnealingLR`, `ExponentialLR`, `StepLR`, `LinearLR`, ...",
    "optim/test_resuming.py::test_by_the_last_epoch",
    "optim/test_resuming.py::test_by_its_state",
)
def test_a_resumed_schedule_sets_the_rates_of_the_unbroken_run() -> None:
    """Right by the run that was not interrupted."""
    for make in (
        lambda o, last: fz.optim.lr_scheduler.CosineAnnealingLR(o, 10, last_epoch=last),
        lambda o, last: fz.optim.lr_scheduler.ExponentialLR(o, 0.7, last_epoch=last),
        lambda o, last: fz.optim.lr_scheduler.LinearLR(o, 0.3, total_iters=8, last_epoch=last),
    ):
        weight = fz.nn.Parameter(fz.ones(1))
        whole = fz.optim.SGD([weight], 0.1)
        schedule = make(whole, -1)
        rates = []
        for _ in range(9):
            rates.append(whole.param_groups[0]["lr"])
            whole.step()
            schedule.step()
        again = fz.optim.SGD([{"params": [weight], "initial_lr": 0.1}], rates[5])
        schedule = make(again, 5 - 1)
        for right in rates[5:]:
            assert again.param_groups[0]["lr"] == pytest.approx(right, rel=1e-9)
            again.step()
            schedule.step()


@row(
    "Integer formulas that overflow at the ends of a dtype",
    "`//`, `%`, `**`, `abs`, `sum`, `prod`, `clamp`, `arange` of integers in files",
    "onnx/test_extremes.py::test_integers_at_their_ends",
    "onnx/test_extremes.py::test_integer_division_by_a_number",
    "onnx/test_extremes.py::test_integers_to_a_power_are_exact",
)
def test_integers_are_exact_to_their_ends() -> None:
    """Right by Python's integers: -128 // 3 is -43."""
    ends = fz.tensor([-128, -127, -1, 0, 1, 127], dtype=fz.int8)
    file = fz.onnx.export(lambda a: (a // 3, a % 3, a // -3, fz.div(a, 3, rounding_mode="trunc")), ends)
    got = [y.tolist() for y in file.run(ends.numpy())]
    assert got == [
        [k // 3 for k in ends.tolist()],
        [k % 3 for k in ends.tolist()],
        [k // -3 for k in ends.tolist()],
        [int(k / 3) for k in ends.tolist()],
    ]
    big = fz.tensor([2**63 - 1, -(2**63), 2**53 + 1])
    file = fz.onnx.export(lambda a: (a // 10, a % 10, a.clamp(-5)), big)
    got = [y.tolist() for y in file.run(big.numpy())]
    assert got == [[k // 10 for k in big.tolist()], [k % 10 for k in big.tolist()], [max(k, -5) for k in big.tolist()]]


@row(
    "NaN that is lost on the way",
    "`max`, `min`, `amax`, `argmax`, `max_pool`, `topk`, `sort`, `clamp`, `relu` and `scatter_reduce` in files; eager `median`",
    "onnx/test_extremes.py::test_floats_at_extremes",
    "onnx/test_extremes.py::test_pools_and_choices_carry_nan_in_every_opset",
)
def test_nan_is_carried() -> None:
    """Right by PyTorch: a maximum of what has a NaN in it is NaN, and its place the NaN's."""
    rows = fz.tensor([[1.0, nan, 3.0], [4.0, 5.0, 6.0]])

    def program(x):
        values, places = x.max(1)
        pooled = F.max_pool1d(x[None], 3)
        return values, places, x.argmax(1), x.argmin(1), pooled, x.amin(1), x.clamp(2, 5), F.relu(x), x.min(0)[0]

    file = fz.onnx.export(program, rows)
    for results in (program(rows), [fz.tensor(y) for y in file.run(rows.numpy())]):
        values, places, most, least, pooled, amin, clamped, positive, columns = results
        assert math.isnan(values[0]) and values[1] == 6 and places.tolist() == [1, 2]
        assert most.tolist() == [1, 2] and least.tolist() == [1, 0]
        assert math.isnan(pooled[0, 0, 0]) and pooled[0, 1, 0] == 6 and math.isnan(amin[0])
        assert math.isnan(clamped[0, 1]) and math.isnan(positive[0, 1]) and math.isnan(columns[1])
    assert math.isnan(rows.median()) and math.isnan(rows.median(1)[0][0]) and rows.nanmedian() == 4


@row(
    "A body weaker than the kernel it stands for",
    "`logaddexp`, `hypot`, `logsumexp`, `softplus`, `atan2`, `pow`, `remainder`; files, OpenCL, CUDA texts",
    "numerics/test_extremes.py::test_kernels_are_their_bodies_at_extremes",
    "opencl/test_numerics.py::test_kernels_are_their_bodies_at_extremes",
)
def test_bodies_hold_at_extremes() -> None:
    """Right by mathematics: log(0 + 0) is -inf, the hypotenuse of 1e30 and 0 is 1e30."""

    def program(a, b):
        return fz.logaddexp(a, b), fz.hypot(a, b), fz.logsumexp(fz.stack([a, b]), 0), fz.logaddexp2(a, b)

    a, b = fz.tensor([-inf, inf, 1e30, -3e38]), fz.tensor([-inf, inf, 0.0, -3e38])
    right = [[-inf, inf, 1e30, -3e38], [inf, inf, 1e30, inf], [-inf, inf, 1e30, -3e38], [-inf, inf, 1e30, -3e38]]
    file = fz.onnx.export(program, (a, b))
    for results in (program(a, b), file.run(a.numpy(), b.numpy())):
        for found, expected in zip(results, right, strict=True):
            np.testing.assert_allclose(np.asarray(found), np.array(expected, np.float32), rtol=1e-6)
    assert fz.hypot(fz.tensor(1e30), fz.tensor(1e30)).item() == pytest.approx(2**0.5 * 1e30)


@row(
    "Division by way of the remainder",
    "`div(rounding_mode=)`, `floor_divide`, `//` of floats; kernels, OpenCL, files",
    "onnx/test_extremes.py::test_floats_are_divided_as_the_program_divides_them",
)
def test_division_divides() -> None:
    """Right by PyTorch, which divides first: 1 / 0.1 rounds to 10."""
    assert fz.div(fz.tensor(1.0), 0.1, rounding_mode="trunc").item() == 10
    assert fz.div(fz.tensor([1.0, -1.0]), 0.0, rounding_mode="trunc").tolist() == [inf, -inf]
    assert fz.div(fz.tensor(-7.0), 2.0, rounding_mode="trunc").item() == -3
    assert fz.div(fz.tensor(1.0), 0.1, rounding_mode="floor").item() == 9  # here PyTorch takes the remainder: 1 - 9 * 0.1 is left
    assert fz.div(fz.tensor(inf), 2.0, rounding_mode="trunc").item() == inf
    file = fz.onnx.export(lambda a, b: fz.div(a, b, rounding_mode="trunc"), (fz.tensor([1.0, 1.0]), fz.tensor([0.1, 2.0])))
    assert file.run(np.array([1, 1], np.float32), np.array([0.1, 0], np.float32))[0].tolist() == [10, inf]


@row(
    "Naive accumulation of many terms",
    "`cumsum`, `cumprod`, `index_add`, `scatter_add`, `bincount`, gradients of embeddings and of broadcasting",
    "numerics/test_accumulation.py::test_sums_of_many_terms",
    "numerics/test_accumulation.py::test_running_sums_go_on_behind_infinity",
    "opencl/test_numerics.py::test_sums_of_many_terms",
)
def test_running_sums_keep_their_digits() -> None:
    """Right by float64."""
    x = np.random.default_rng(0).uniform(0.9, 1.1, 480_000).astype(np.float32)
    right = np.cumsum(x.astype(np.float64))
    assert abs(fz.tensor(x).cumsum(0).numpy() / right - 1).max() < 1e-6
    assert abs(fz.tensor(x).sum().item() / right[-1] - 1) < 1e-6
    total = fz.zeros(1).index_add_(0, fz.zeros(len(x), dtype=fz.int64), fz.tensor(x))
    assert abs(total.item() / right[-1] - 1) < 1e-6
    total = fz.zeros(1).scatter_add_(0, fz.zeros(len(x), dtype=fz.int64), fz.tensor(x))
    assert abs(total.item() / right[-1] - 1) < 1e-6
    weight = fz.ones(1, 1, requires_grad=True)
    (F.embedding(fz.zeros(len(x), dtype=fz.int64), weight)[:, 0] * fz.tensor(x)).sum().backward()
    assert abs(weight.grad.item() / right[-1] - 1) < 1e-6


@row(
    "A mask that is taken for indices",
    "`x[mask]`, `x[mask] = v`, `masked_fill`, `where`, `masked_select` with uint8",
    "ops/test_checks.py::test_a_mask_of_bytes_warns",
)
def test_bytes_are_a_mask() -> None:
    """Right by PyTorch's legacy rule."""
    x, mask = fz.tensor([10.0, 20.0, 30.0]), fz.tensor([0, 1, 1], dtype=fz.uint8)
    with pytest.warns(UserWarning, match="uint8"):
        assert x[mask].tolist() == [20, 30]
    with pytest.warns(UserWarning, match="uint8"):
        x[mask] = 0
    assert x.tolist() == [10, 0, 0]


@row(
    "0 * NaN where a factor of 0 means that an operand is not read",
    "`addmm`, `addmv`, `addbmm`, `baddbmm`, `addr`, with `beta=0` and `alpha=0`; files",
    "numerics/test_singular_points.py::test_beta_0_does_not_read_the_input",
    "numerics/test_singular_points.py::test_alpha_0_does_not_read_the_factors",
)
def test_beta_0_ignores_the_input() -> None:
    """Right by PyTorch's documentation: NaN in the input is not carried."""
    a, b, v = fz.ones(2, 3), fz.ones(3, 2), fz.ones(3)
    bad = fz.full((2, 2), nan)
    assert fz.addmm(bad, a, b, beta=0).tolist() == [[3, 3], [3, 3]]
    assert fz.addmv(bad[0], a, v, beta=0).tolist() == [3, 3]
    assert fz.addr(bad, v[:2], v[:2], beta=0).tolist() == [[1, 1], [1, 1]]
    assert fz.baddbmm(bad[None], a[None], b[None], beta=0).tolist() == [[[3, 3], [3, 3]]]
    assert fz.addbmm(bad, a[None], b[None], beta=0).tolist() == [[3, 3], [3, 3]]
    assert bad.clone().addmm_(a, b, beta=0).tolist() == [[3, 3], [3, 3]]
    file = fz.onnx.export(lambda x, a, b: fz.addmm(x, a, b, beta=0), (fz.ones(2, 2), a, b))
    assert file.run(bad.numpy(), a.numpy(), b.numpy())[0].tolist() == [[3, 3], [3, 3]]


@row(
    "0 * inf in a gradient at a singular point",
    "`BCELoss`, `std`, `norm`, `atan2`, `sqrt`, `pow`, `xlogy`, `cdist`, `renorm`, `cosine_similarity`, `prod`, `gelu`, ...",
    "numerics/test_singular_points.py::test_singular_points",
    "numerics/test_singular_points.py::test_the_table_is_what_pytorch_gives",
)
def test_gradients_at_singular_points_are_finite() -> None:
    """Right by PyTorch, which masks them."""

    def gradient(function: Callable[..., fz.Tensor], *values: Any) -> list[Any]:
        tensors = [fz.tensor(v, requires_grad=True) for v in values]
        function(*tensors).sum().backward()
        return [t.grad.tolist() for t in tensors]

    (g,) = gradient(lambda x: F.binary_cross_entropy(fz.sigmoid(x), fz.tensor([0.0, 1.0])), [-200.0, 200.0])
    assert g == [0, 0]
    assert gradient(lambda x: x.std(), [2.0, 2.0, 2.0]) == [[0, 0, 0]]
    assert gradient(lambda x: x.norm(0.5), [0.0, 0.0]) == [[0, 0]]
    assert gradient(lambda x: x.norm(), [0.0, 0.0]) == [[0, 0]]
    assert gradient(fz.atan2, [0.0], [0.0]) == [[0], [0]]
    assert gradient(lambda x: x.prod(), [0.0, 2.0, 3.0]) == [[6, 0, 0]]
    assert gradient(lambda x, y: fz.cdist(x, y), [[1.0, 2.0]], [[1.0, 2.0]]) == [[[0, 0]], [[0, 0]]]
    assert gradient(lambda x: x**0, [0.0]) == [[0]]
    weight = fz.nn.Linear(1, 1)
    fz.nn.init.constant_(weight.weight, 1e4)
    F.binary_cross_entropy(fz.sigmoid(weight(fz.ones(3, 1))), fz.ones(3, 1)).backward()
    assert fz.isfinite(weight.weight.grad).all()


@row(
    "A check that PyTorch makes and frazil did not",
    "indices of `embedding`, `one_hot`, `index_select`, `gather`; targets of losses; shapes of `grad`, `data`; dtypes of masks",
    "ops/test_checks.py::test_refused",
    "ops/test_checks.py::test_refused_by_pytorch_too",
    "parity/test_edges.py::test_edges",
)
def test_what_makes_no_sense_is_refused() -> None:
    """Right by PyTorch, which raises."""
    minus = fz.tensor([-1])
    weight = fz.nn.Parameter(fz.ones(3, 2))
    for wrong in (
        lambda: F.embedding(minus, weight),
        lambda: F.one_hot(minus, 3),
        lambda: fz.index_select(weight, 0, minus),
        lambda: fz.gather(weight, 0, fz.tensor([[-1, 0]])),
        lambda: F.binary_cross_entropy(fz.tensor([0.5]), fz.tensor([1.5])).item(),
        lambda: F.binary_cross_entropy(fz.tensor([1.5]), fz.tensor([1.0])).item(),
        lambda: F.cross_entropy(fz.ones(1, 3), fz.tensor([3])),
        lambda: F.nll_loss(fz.ones(1, 3), fz.tensor([-1])),
        lambda: setattr(weight, "grad", fz.ones(2, 3)),
        lambda: setattr(weight, "grad", fz.ones(3, 2, dtype=fz.float64)),
    ):
        with pytest.raises((FrazilError, IndexError, ValueError, RuntimeError)):
            wrong()


@row(
    "Two formulas of one thing",
    "optimiser steps on devices without float64: bias corrections of Adam, AdamW, NAdam, RAdam, Adamax",
    "opencl/test_numerics.py::test_bias_corrections_keep_their_digits_without_float64",
    "optim/test_optimizer.py::test_a_fused_kernel_computes_the_functional_form",
    "parity/test_optim_db.py::test_an_optimiser_does_what_pytorchs_does",
)
def test_first_steps_of_adam_keep_their_digits() -> None:
    """Right by hand: the first step of Adam is the rate, whatever the gradient."""
    for make in (fz.optim.Adam, fz.optim.AdamW, fz.optim.NAdam):
        weight = fz.nn.Parameter(fz.tensor([1.0, 2.0]))
        optimiser = make([weight], lr=0.01, betas=(0.9, 0.9999), eps=1e-12, weight_decay=0)
        weight.grad = fz.tensor([1e-3, -5.0])
        optimiser.step()
        moved = [1.0 - weight[0].item(), weight[1].item() - 2.0]
        rate = 0.01 if make is not fz.optim.NAdam else moved[0]
        assert moved == pytest.approx([rate, rate], rel=5e-5)


@row(
    "Memory of a module that all threads share",
    "optimiser steps, scratch of pools and convolutions, modes, settings, caches of kernels and of scripts' sources",
    "tensor/test_threads.py::test_training",
    "tensor/test_threads.py::test_modes_and_settings_are_those_of_the_thread",
    "random_programs/test_random_programs.py::test_programs_in_four_threads_compute_what_they_compute_alone",
)
def test_threads_that_train_side_by_side_train_as_alone() -> None:
    """Right by each run alone."""

    def train(seed: int) -> list[np.ndarray]:
        rng = np.random.default_rng(seed)
        net = fz.nn.Sequential(fz.nn.Linear(8, 64), fz.nn.Tanh(), fz.nn.Linear(64, 1))
        with fz.no_grad():
            for p in net.parameters():
                p.copy_(fz.tensor(rng.uniform(-0.3, 0.3, tuple(p.shape)).astype(np.float32)))
        optimiser = fz.optim.Adam(net.parameters(), lr=0.01)
        for _ in range(30):
            optimiser.zero_grad()
            net(fz.tensor(rng.normal(size=(16, 8)).astype(np.float32))).square().mean().backward()
            optimiser.step()
        return [p.detach().numpy().copy() for p in net.parameters()]

    alone = [train(seed) for seed in range(4)]
    together: list[Any] = [None] * 4
    threads = [threading.Thread(target=lambda s=s: together.__setitem__(s, train(s))) for s in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for right, found in zip(alone, together, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(right, found, strict=True))


@row(
    "Names that stand for one tensor around a branch or loop",
    "what a branch made, views of it, `if` without `else`, loops that bind anew, swapped names, results that are one tensor",
    "recorder/test_aliasing.py::test_writes_in_branches_and_loops_are_kept",
    "recorder/test_one_memory.py::test_many_writes_through_several_names_are_seen_or_refused",
)
def test_a_write_to_what_a_branch_made_is_kept() -> None:
    """Right by the eager program."""

    def branch(x):
        if x.sum() > 0:
            b = x * 2
            b[0] = 1.5
        else:
            b = x
        return b

    def view(x):
        b = x * 1
        if x.sum() > 0:
            b[1:] = 7
            v = b[:2]
            v += 1
        return b

    for program in (branch, view):
        recorded = fz.jit.trace(fz.jit.script(program), (fz.ones(3),))
        for x in (fz.ones(3), -fz.ones(3), fz.tensor([1.0, 2.0])):
            assert recorded(x.clone()).tolist() == program(x.clone()).tolist()


@row(
    "View or copy, decided otherwise than eagerly",
    "`reshape`, `flatten`, `contiguous`, `to`, `expand`, `clone` of what is turned or has one element in a dimension",
    "recorder/test_aliasing.py::test_a_reshape_is_a_view_where_it_is_one_eagerly",
    "recorder/test_layouts.py::test_results_of_every_op_lie_as_the_recording_says",
    "parity/test_layouts.py::test_results_share_memory_where_pytorch_s_do",
)
def test_a_reshape_is_a_copy_where_it_is_one_eagerly() -> None:
    """Right by PyTorch: the reshape of a turned matrix is a copy, which later writes do not reach."""

    def turned(x):
        y = x.t().reshape(-1)
        x[0] = 5
        return y

    def whole(x):
        y = x.reshape(-1)
        x[0] = 5
        return y

    def contiguous(x):
        y = x.mT.contiguous()
        x.zero_()
        return y

    for program in (turned, whole, contiguous):
        recorded = fz.jit.trace(program, (fz.arange(6.0).reshape(2, 3),))
        for rows in (2, 4):
            x = fz.arange(rows * 3.0).reshape(rows, 3)
            assert recorded(x.clone()).tolist() == program(x.clone()).tolist()


@row(
    "Writes through views while gradients are recorded",
    "`flatten`, `view`, `t`, `[0]`, `diagonal`, `detach`, `expand` and every write, in recordings",
    "recorder/test_aliasing.py::test_gradients_through_written_views_are_those_of_the_eager_program",
    "alias/test_views.py::test_gradients_through_a_written_view",
    "parity/test_aliasing.py::test_random_programs",
)
def test_a_view_that_is_zeroed_has_no_gradient() -> None:
    """Right by calculus: what was overwritten has the gradient 0."""

    def step(x):
        y = x * 0.5
        v = y.flatten()
        v.zero_()
        return fz.autograd.grad(y.sum(), x)[0]

    x = fz.ones(2, 3, requires_grad=True)
    assert fz.jit.trace(step, (x,))(x).tolist() == [[0, 0, 0], [0, 0, 0]]

    def half(x):
        y = x * 0.5
        y.t()[0].mul_(4)
        return fz.autograd.grad((y * y).sum(), x)[0]

    assert fz.allclose(fz.jit.trace(half, (x,))(x), half(x)) and half(x)[0].tolist() == [8, 0.5, 0.5]


row(
    "Gradients of recorded programs, hardly tried",
    "views, in-place writes, control flow, modules with state, threads",
    "random_programs/test_random_programs.py::test_more_of_them",
    "random_programs/test_random_programs.py::test_more_wide_ones",
    "recorder/test_control.py::test_gradients",
    example="random_programs/test_random_programs.py::test_gradients_are_recorded_and_exported",
)


part("Crashes, hangs, refusals")


@row(
    "Formulas of sizes tried at size 0 that divide by it",
    "`reshape(-1)`, `grid_sample`, `enable_gqa`, windows, splits, `chunk`, means over sizes; guards and bounds",
    "onnx/test_unread_inputs.py::test_formulas_that_divide_by_sizes_are_exported_and_tried_at_zero",
    "recorder/test_sizes.py::test_divisions_by_sizes_agree_with_python",
    "onnx/test_every_op.py::test_every_op_passes_the_verification_of_an_export",
)
def test_a_formula_that_divides_by_a_size_is_exported() -> None:
    """Right by the eager program."""

    def halves(x):
        return x.reshape(x.shape[0], -1, x.shape[2] // 2, 2)

    def windows(x):
        b, h, w, c = x.shape
        x = x.view(b, h // 2, 2, w // 2, 2, c).permute(0, 1, 3, 2, 4, 5).reshape(-1, 2, 2, c)
        n = x.shape[0] // (h * w // 2 // 2)
        return x.view(n, h // 2, w // 2, 2, 2, -1).permute(0, 1, 3, 2, 4, 5).reshape(n, h, w, -1)

    def grouped(q, k):
        return F.scaled_dot_product_attention(q, k, k, enable_gqa=True)

    def sampled(x, grid):
        return F.grid_sample(x, grid, align_corners=False)

    for program, shapes, others in (
        (halves, [(2, 3, 4)], [[(1, 5, 6)], [(3, 2, 2)]]),
        (windows, [(2, 4, 6, 3)], [[(1, 2, 2, 3)], [(3, 6, 4, 3)]]),
        (grouped, [(2, 4, 5, 8), (2, 2, 5, 8)], [[(1, 4, 3, 8), (1, 2, 3, 8)]]),
        (sampled, [(2, 1, 4, 5), (2, 3, 3, 2)], [[(1, 1, 2, 2), (1, 4, 1, 2)]]),
    ):
        file = fz.onnx.export(program, tuple(fz.rand(*s) for s in shapes))
        for sizes in others:
            given = [fz.rand(*s) for s in sizes]
            np.testing.assert_allclose(file.run(*given)[0], program(*given).numpy(), rtol=2e-5, atol=1e-6)


@row(
    "Verification that runs a program for ever",
    "`while` on data, loops of Python, recursion, solvers at made-up tolerances",
    "onnx/test_verified_values.py::test_every_loop_of_python_ends",
    "onnx/test_verified_values.py::test_an_endless_loop_is_told_with_the_numbers_it_started_from",
    "onnx/test_verified_values.py::test_memory_is_limited_too",
)
def test_a_loop_that_may_have_no_end_is_exported_in_time() -> None:
    """Right by arithmetic; what has no end at some input is told with that input."""

    def doubles(x):
        while x.sum() < 50:
            x = x * 2
        return x

    start = time.process_time()
    file = scripted(doubles, fz.ones(3))
    assert time.process_time() - start < 60
    assert file.run(fz.tensor([1.0, 2.0]))[0].tolist() == [32, 64]
    assert "ranges=" in str(file) or "end" in str(file)


@row(
    "A recording that outlives itself in what a module keeps",
    "tables, masks, lengths in attributes, dicts, lists, `lru_cache`s of modules",
    "recorder/test_world.py::test_a_module_that_caches_by_size_exports_for_all_sizes_and_still_runs",
    "recorder/test_world.py::test_what_python_values_a_program_keeps_stays",
)
def test_a_module_that_caches_by_size_exports_cold_and_runs_afterwards() -> None:
    """Right by the module that was never exported."""

    class Rotary(fz.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.tables: dict[Any, fz.Tensor] = {}
            self.longest = 0

        def forward(self, x):
            n = x.shape[1]
            if n not in self.tables:
                angles = fz.arange(n)[:, None] * 0.5 ** fz.arange(x.shape[2] // 2)[None]
                self.tables[n] = fz.cat([angles, angles], -1).cos()
            return x * self.tables[n]

    net, fresh = Rotary(), Rotary()
    file = fz.onnx.export(net, fz.rand(2, 3, 4))
    for n in (3, 5, 1):
        x = fz.rand(1, n, 4)
        right = fresh(x)
        assert fz.allclose(net(x), right)
        np.testing.assert_allclose(file.run(x)[0], right.numpy(), rtol=1e-5, atol=1e-6)


@row(
    "A lowering that reads a size as a number",
    "`tril`, `triu`, `diag_embed`, `diagonal`, `roll`, `narrow`, `pad`, `unfold`, pools, `one_hot`, `topk`, ... every attribute",
    "onnx/test_sizes_as_attributes.py::test_every_attribute_takes_a_size",
)
def test_attributes_may_be_sizes() -> None:
    """Right by the eager program."""

    def program(x):
        m, n = x.shape
        return x.tril(diagonal=m - n), fz.triu(x, 1 + m - n), x.roll(m // 2, 0), F.pad(x, (0, m)), x.topk(n // 2)[0]

    file = fz.onnx.export(program, fz.rand(4, 6))
    for shape in ((4, 6), (3, 4), (5, 2)):
        x = fz.rand(*shape)
        for found, right in zip(file.run(x), program(x), strict=True):
            assert np.array_equal(found, right.numpy())
    file = fz.onnx.export(lambda v: fz.diag_embed(v, offset=v.shape[0]), fz.rand(3))
    assert np.array_equal(file.run(fz.ones(2))[0], fz.diag_embed(fz.ones(2), offset=2).numpy())


@row(
    "Loop variables without bounds, and messages that speak of formulas",
    "slices, positions, ranges by counters that rise, fall or are nested",
    "recorder/test_counters.py::test_a_slice_by_a_counter_has_a_known_length",
    "recorder/test_sizes_fuzz.py::test_decisions_on_random_sizes_are_true_at_every_value",
)
def test_a_slice_by_a_counter_is_one_long() -> None:
    """Right by the eager program."""

    def program(p):
        h = fz.zeros(1, 2)
        for i in range(p.shape[0] - 1):
            h = fz.tanh(h + p[i : i + 1] - p[i + 1 : i + 2])
        for i in range(p.shape[0] - 1, 0, -1):
            h = h + p[i - 1 : i]
        return h

    file = scripted(program, fz.rand(4, 2))
    for n in (1, 2, 6):
        p = fz.rand(n, 2)
        np.testing.assert_allclose(file.run(p)[0], program(p).numpy(), rtol=1e-5)


@row(
    "Numbers of tensors where sizes are expected",
    "`x[i:]`, `x[a:b]`, `repeat_interleave`, `arange`, `zeros`, `narrow`, `split` by tensors",
    "onnx/test_sizes_as_attributes.py::test_functions_follow_a_size_and_a_number_of_a_tensor",
    "onnx/test_sizes_as_attributes.py::test_repeat_interleave_by_a_tensor",
)
def test_lengths_may_be_numbers_of_tensors() -> None:
    """Right by the eager program."""

    def program(x, i, times):
        return x[i:], x[: i + 1], x[i : i + 2], x.repeat_interleave(times, 0), fz.arange(i + 2), fz.zeros(i + 1, 2)

    file = scripted(program, fz.rand(4, 2), fz.tensor(1), fz.tensor([1, 0, 2, 1]))
    for i, times in ((0, [1, 1, 1, 1]), (2, [0, 0, 3, 1]), (3, [2, 0, 0, 0])):
        given = (fz.rand(4, 2), fz.tensor(i), fz.tensor(times))
        for found, right in zip(file.run(*given), program(*given), strict=True):
            assert np.array_equal(found, right.numpy())


@row(
    "Libraries that hash sizes, and so fix them",
    "einops: `rearrange`, `reduce`, `repeat`, layers, `parse_shape`",
    "recorder/test_einops.py::test_a_call_is_that_of_numpy_and_keeps_sizes_free",
    "recorder/test_einops.py::test_layers_are_modules",
)
def test_einops_keeps_sizes_free() -> None:
    """Right by the eager program."""
    einops = pytest.importorskip("einops", reason="einops is a package of its own")

    def program(x):
        y = einops.rearrange(x, "b (h w) c -> b c h w", w=2)
        return einops.reduce(y, "b c h w -> b c", "mean"), einops.repeat(x, "b n c -> b (n k) c", k=3)

    file = fz.onnx.export(program, fz.rand(2, 6, 3))
    for shape in ((1, 4, 3), (3, 10, 2)):
        x = fz.rand(*shape)
        for found, right in zip(file.run(x), program(x), strict=True):
            np.testing.assert_allclose(found, right.numpy(), rtol=1e-5)


@row(
    "State that changes its shape",
    "masks and tables that are made anew when the length changes",
    "recorder/test_world.py::test_a_mask_made_anew_when_the_length_changes",
    "recorder/test_world.py::test_a_warm_mask_of_another_length",
)
def test_a_mask_made_anew_is_exported() -> None:
    """Right by the eager module, as models of word language have it."""

    class Model(fz.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.mask = None

        def forward(self, x):
            if self.mask is None or self.mask.size(0) != x.shape[1]:
                self.mask = fz.full((x.shape[1], x.shape[1]), -math.inf).triu(1)
            return ((x @ x.transpose(1, 2)) + self.mask).softmax(-1) @ x

    for warm in (False, True):
        net = Model().eval()
        if warm:
            net(fz.rand(1, 9, 4))
        file = fz.onnx.export(net, fz.rand(2, 5, 4))
        for n in (5, 3, 7):
            x = fz.rand(1, n, 4)
            np.testing.assert_allclose(file.run(x)[0], Model()(x).numpy(), rtol=2e-5)


@row(
    "Memory that grows with the product of two sizes",
    "`repeat_interleave`, `searchsorted`, `isin`, `histc`, `cdist`, `multinomial`, `embedding_bag`, `bincount`, `unique`",
    "ops/test_memory.py::test_memory_is_in_proportion",
)
def test_memory_is_in_proportion() -> None:
    """Right by counting; 100,000 elements must not need 100,000 * 100,000 of anything."""
    n = 100_000
    values = fz.arange(n).float()
    tracemalloc.start()
    try:
        assert values.repeat_interleave(fz.ones(n, dtype=fz.int64)).shape == (n,)
        assert fz.searchsorted(values, values).tolist()[-1] == n - 1
        assert fz.isin(values, values).all() and fz.histc(values, 1000).sum() == n
        assert fz.bucketize(values, values).shape == (n,) and fz.unique(values).shape == (n,)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 200 * n


@row(
    "Numbers that are made by way of all that are possible",
    "`randint`, `randperm`, `multinomial`, `arange`, seeds",
    "random/test_generator.py::test_integers_cover_their_range",
)
def test_one_number_of_a_wide_range_is_drawn() -> None:
    """Right by PyTorch: a number below 10**10."""
    fz.manual_seed(0)
    assert 0 <= fz.randint(0, 10**10, (1,)).item() < 10**10
    assert -(2**61) <= fz.randint(-(2**61), 2**61, ()).item() < 2**61
    assert fz.empty(3, dtype=fz.int64).random_(0, 2**50).max() < 2**50
    assert 0 <= fz.initial_seed() < 2**64


@row(
    "NumPy scalars, empty lists, leading ones, Python protocols, -1 in reshapes, reductions of nothing",
    "0-d inputs, indices, writes, comparisons with None, clamps of integers, layers at batch 0, `var` of nothing, 0-d `index_*`",
    "tensor/test_protocols.py::test_layers_take_batches_and_images_of_nothing",
    "tensor/test_protocols.py::test_reductions_of_nothing",
    "ops/test_checks.py::test_computed",
    "parity/test_edges.py::test_edges",
)
def test_edges_are_as_in_pytorch() -> None:
    """Right by PyTorch."""
    file = fz.onnx.export(lambda x, flag: fz.where(flag, x, -x), (fz.ones(2), fz.tensor(True)))
    assert file.run(fz.ones(2), fz.tensor(False))[0].tolist() == [-1, -1]
    boxes = fz.rand(5, 4)
    assert boxes[[]].shape == (0, 4) and boxes[[], 1].shape == (0,)
    buffer = fz.zeros(3, 4)
    buffer[0] = fz.ones(1, 4)
    assert buffer[0].tolist() == [1, 1, 1, 1]
    assert (boxes == None) is False and (boxes != None) is True  # noqa: E711
    clamped = fz.tensor([1, 2, 3]).clamp(min=2.5)
    assert clamped.tolist() == [2.5, 2.5, 3] and clamped.dtype is fz.float32
    nothing = fz.zeros(0, 4, 6, 6)
    assert F.group_norm(nothing, 2).shape == F.instance_norm(nothing).shape == (0, 4, 6, 6)
    assert F.unfold(nothing, 3).shape == (0, 36, 16) and F.grid_sample(nothing, fz.zeros(0, 3, 3, 2)).shape == (0, 4, 3, 3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert math.isnan(fz.zeros(0).var()) and math.isnan(fz.zeros(0).mean()) and fz.zeros(0).sum() == 0
    scalar, place = fz.tensor(1.0), fz.tensor([0])
    assert scalar.index_fill(0, place, 5.0) == 5 and scalar.index_add(0, place, fz.tensor([2.0])) == 3
    assert scalar.index_copy(0, place, fz.tensor([7.0])) == 7


row(
    "Lazy attributes that are no modules",
    "`frazil.onnx`, `frazil.jit`, `frazil.drawing`, `frazil.nn.functional`, `frazil.optim.lr_scheduler`, ...",
    "parity/test_places.py::test_they_are_attributes_as_well_and_leave_what_has_their_name",
    "packaging/test_install.py::test_every_module_can_be_imported_where_it_is_installed",
    example="tensor/test_protocols.py::test_what_is_shown_as_a_module_is_imported_as_one",
)


@row(
    "A factor that is no whole number fixes a size",
    "`interpolate(scale_factor=)`, `Upsample`, `int(n * f)`, `round`, `math.ceil`",
    "onnx/test_unread_inputs.py::test_resizing_by_any_factor_keeps_sizes_free",
    "onnx/test_sizes.py::test_floats_of_sizes_are_computed_as_python_does",
    "onnx/test_pytorch_calls.py::test_an_axis_that_the_program_fixes_although_it_was_asked_free_is_told",
)
def test_images_are_resized_by_a_fraction_at_every_size() -> None:
    """Right by the eager program."""

    def program(x):
        return F.interpolate(x, scale_factor=0.6), F.interpolate(x, scale_factor=(1.5, 0.4), mode="bilinear")

    file = fz.onnx.export(program, fz.rand(1, 2, 10, 8), dynamic_shapes={"x": {2: "h", 3: "w"}})
    for h, w in ((10, 8), (7, 5), (13, 21)):
        x = fz.rand(1, 2, h, w)
        for found, right in zip(file.run(x), program(x), strict=True):
            np.testing.assert_allclose(found, right.numpy(), rtol=1e-5, atol=1e-6)


@row(
    "Advice for modules, given to functions",
    "train mode of functions: `dropout`, `rrelu`, `alpha_dropout`, `feature_dropout`, attention's `dropout_p`",
    "onnx/test_sizes_as_attributes.py::test_a_function_with_dropout_is_told_what_a_function_can_do",
    "onnx/test_refusals.py::test_train_mode_names_modules_and_lines",
)
def test_a_function_that_drops_is_told_what_a_function_can_do() -> None:
    """A function has no eval(): the advice is `training=False`."""
    for program in (lambda x: F.dropout(x), lambda x: F.rrelu(x, training=True), lambda x: F.alpha_dropout(x, training=True)):
        with pytest.raises(FrazilError, match="training=False|training=self.training") as caught:
            fz.onnx.export(program, fz.ones(3))
        assert "model.eval()" not in str(caught.value)


@row(
    "Arguments that a recording changes",
    "in-place writes to arguments, to views of them, in branches and loops; files",
    "recorder/test_aliasing.py::test_an_argument_changed_in_place_changes_for_the_caller",
    "compile/test_compile.py::test_arguments_that_are_written_to_are_changed",
    "onnx/test_files.py::test_an_argument_changed_in_place_comes_out",
)
def test_a_program_that_writes_to_its_argument_is_called_again_and_again() -> None:
    """Right by the eager program."""

    def program(x, y):
        x.add_(1)
        y[0] = x.sum()
        return x * 2

    recorded = fz.jit.trace(program, (fz.zeros(2), fz.zeros(3)))
    x, y = fz.zeros(4), fz.zeros(3)
    for k in (1, 2, 3):
        assert recorded(x, y).tolist() == [2 * k] * 4 and x.tolist() == [k] * 4 and y.tolist() == [4 * k, 0, 0]


row(
    "Lowerings at size 0, where runtimes end the process or refuse to load",
    "`instance_norm`, `group_norm`, recurrent layers, `%` and `//` by a size, `topk`, `cumsum`, products of nothing",
    "onnx/test_every_op.py::test_every_op_passes_the_verification_of_an_export",
    "onnx/test_unread_inputs.py::test_a_remainder_by_an_empty_axis_of_nothing_is_nothing",
    example="onnx/test_empty.py::test_nothing_in_nothing_out",
)


@row(
    "A lowering that needs to know a size of its weight",
    'convolutions with weights that are cut, computed or given: `padding="same"`, transposed, grouped',
    "onnx/test_every_op.py::test_every_op_passes_the_verification_of_an_export",
    "onnx/test_sizes_as_attributes.py::test_a_file_of_windows_made_of_sizes_computes_or_refuses_as_the_program",
)
def test_a_kernel_that_is_cut_from_an_input_is_exported_or_refused_in_a_sentence() -> None:
    """Right by the eager program."""

    def program(x, w):
        return F.conv2d(x, w[:, :, :3, :3], padding="same")

    file = fz.onnx.export(program, (fz.rand(1, 2, 6, 6), fz.rand(3, 2, 5, 5)))
    x, w = fz.rand(2, 2, 5, 7), fz.rand(3, 2, 4, 4)
    np.testing.assert_allclose(file.run(x, w)[0], program(x, w).numpy(), rtol=1e-4, atol=1e-5)

    def whole(x, w):
        return F.conv1d(x, w, padding="same")

    x, w = fz.rand(1, 2, 6), fz.rand(3, 2, 3)
    try:
        file = fz.onnx.export(whole, (x, w))
    except FrazilError as error:
        assert "conv" in str(error) and "test_examples.py" in str(error)
    else:
        for n in (3, 5):
            w = fz.rand(3, 2, n)
            try:
                found = file.run(x, w)[0]
            except Exception as error:  # an assert that the window is as long as it was
                assert "w" in str(error)
            else:
                np.testing.assert_allclose(found, whole(x, w).numpy(), rtol=1e-4, atol=1e-5)


@row(
    "What PyTorch computes and frazil refused, and layouts that were not PyTorch's",
    "`linear` with a vector, writes after `sort` and `topk`, `index` and `cat` of permuted tensors, `unfold` as a view",
    "parity/test_layouts.py::test_results_of_functions",
    "alias/test_views.py::test_results_lie_in_memory_as_in_pytorch",
    "alias/test_layout.py::test_a_method_that_writes_leaves_its_tensor_lying_as_it_was",
    "autograd/test_engine.py::test_sorted_values_may_be_written_to",
)
def test_layouts_and_writes_are_those_of_pytorch() -> None:
    """Right by PyTorch."""
    linear = fz.jit.trace(F.linear, (fz.rand(2, 3), fz.ones(3)))
    assert fz.allclose(linear(fz.ones(4, 3), fz.ones(3)), fz.full((4,), 3.0))
    x = fz.tensor([3.0, 1.0, 2.0], requires_grad=True)
    values, _ = x.sort()
    values[0] = 0
    values.sum().backward()
    assert x.grad.tolist() == [1, 0, 1]
    turned = fz.rand(2, 3, 4).permute(0, 2, 1)
    assert turned[fz.tensor([0, 1])].stride() == (12, 1, 4) and fz.cat([turned, turned]).view(-1).shape == (48,)
    windows = fz.arange(6.0).unfold(0, 2, 2)
    windows[0, 0] = 9
    assert windows.tolist() == [[9, 1], [2, 3], [4, 5]]
    line = fz.arange(6.0)
    line.unfold(0, 2, 2)[1, 1] = 7
    assert line.tolist() == [0, 1, 2, 7, 4, 5]


row(
    "Chains whose cost grows with the square of their length",
    "views of views, slices of slices in exports, graphs of many nodes, lists that grow",
    "recorder/test_dynamic_shapes.py::test_slices_of_slices_end_in_decisions_instead_of_endless_formulas",
    "hostile/test_models.py::test_many_operations_take_no_more_than_their_share",
    example="alias/test_views.py::test_a_long_chain_of_views_costs_as_much_per_link_as_a_short_one",
)


part("Hostile files, plugins, faults of the machine")


@row(
    "A pickle that sets state of what it did not make",
    "BUILD, SETITEM, APPEND, REDUCE and INST on dtypes, classes, functions of the process",
    "hostile/test_files.py::test_a_trap_is_refused_and_changes_nothing",
    "hostile/test_fuzz.py::test_many_damaged_files_are_read_or_refused",
)
def test_a_file_of_200_bytes_renames_nothing() -> None:
    """Right: refused, and the process is as it was."""
    for pickled in (b"ctorch\nfloat32\n}X\x04\0\0\0nameX\x04\0\0\0evilsb.", b"ctorch\nSize\n}X\x05\0\0\0numelK\x07sb."):
        with pytest.raises(SerializationError, match="changes the state of"):
            fz.load(io.BytesIO(torch_file(HEAD + pickled)))
    assert fz.float32.name == "float32" and fz.Size([2, 3]).numel() == 6


@row(
    "Files that ask for more than they hold",
    "memo indices, stride-0 tensors, deflated archives, nested tuples, long headers, dimensions, long texts",
    "hostile/test_files.py::test_a_trap_is_refused_and_changes_nothing",
    "hostile/test_files.py::test_limits_can_be_raised",
    "hostile/test_fuzz.py::test_traps_with_faults_are_refused_or_read",
)
def test_a_file_of_130_bytes_takes_no_gigabytes() -> None:
    """Right: refused by a limit that the message names."""
    expanded = torch_file(HEAD + tensor(b"J\0\0\0\x40\x85", b"K\0\x85") + b".", numbers=bytes(16))
    tracemalloc.start()
    try:
        for content in (OLD + HEAD + b"Nr\xff\xff\xff\x7f.", expanded, torch_file(HEAD + b")" + b"\x85" * 300_000 + b".")):
            with pytest.raises(SerializationError):
                fz.load(io.BytesIO(content))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 64 * 2**20


row(
    "Saving that replaces what it should write to",
    "devices, pipes, links, permissions; `fz.save`, `fz.onnx.export`, drawings, checkpoints",
    "hostile/test_files.py::test_a_device_is_written_to_and_stays",
    "hostile/test_files.py::test_what_a_link_points_to_is_written",
    "hostile/test_files.py::test_folders_are_refused_in_words",
    example="hostile/test_files.py::test_a_pipe_is_written_to_and_stays",
)
row(
    "Exceptions that are none, texts that cannot be told, results that are junk",
    "imports of plugins and backends, their classes, hooks, `kernels()`, `capabilities()`",
    "plugins/test_manager.py::test_whatever_a_backend_raises_it_is_broken",
    "plugins/test_manager.py::test_a_hook_that_returns_junk_is_broken",
    "plugins/test_manager.py::test_ctrl_c_while_a_plugin_is_imported_is_ctrl_c",
    example="plugins/test_manager.py::test_whatever_an_import_raises_the_plugin_is_broken",
)
row(
    "Drawings of what has no end, is too large, or is no text",
    "cycles, functions that double, 30,000 nodes, weights too short, names that are no UTF-8, escapes in names",
    "hostile/test_models.py::test_it_is_drawn_and_nothing_in_it_runs",
    "hostile/test_models.py::test_many_operations_take_no_more_than_their_share",
    "hostile/test_fuzz.py::test_many_damaged_files_are_read_or_refused",
    example="hostile/test_models.py::test_it_is_refused_in_a_sentence",
)
row(
    "Configuration that is no configuration",
    "files, variables, every key and type, device names, cache folders, full disks",
    "config/test_faults.py::test_a_wrong_type_of_every_key",
    "config/test_faults.py::test_an_odd_text_in_every_variable",
    "config/test_faults.py::test_what_is_no_number_of_a_device",
    "config/test_faults.py::test_a_cache_that_cannot_be",
    "hostile/test_files.py::test_export_to_a_full_disk_leaves_nothing",
    example="config/test_faults.py::test_a_file",
)
row(
    "What killed programs leave",
    "temporary files and folders of saves, exports, checkpoints, caches",
    "hostile/test_files.py::test_what_another_program_is_writing_stays",
    "serialization/test_save_load.py::test_a_crash_while_writing_leaves_the_old_file",
    example="hostile/test_files.py::test_what_a_killed_save_left_is_gone_after_the_next",
)


@row(
    "Shapes that no array can have",
    "more than 64 dimensions, 0 x 2**62 elements: files of both formats, functions that make tensors",
    "hostile/test_files.py::test_a_trap_is_refused_and_changes_nothing",
)
def test_shapes_that_no_array_can_have_are_refused_in_a_sentence() -> None:
    """Right: an error of frazil's that names the limit."""
    for wrong in (
        lambda: fz.zeros(*[1] * 65),
        lambda: fz.zeros(0, 2**62, 4),
        lambda: fz.empty(2**62, 2**62),
        lambda: fz.ones(1).reshape([1] * 70),
        lambda: fz.ones(1).expand(*[1] * 66),
        lambda: fz.ones(1).expand(2**62, 2**20),
    ):
        with pytest.raises((FrazilError, MemoryError)) as caught:
            wrong()
        assert isinstance(caught.value, FrazilError) and len(str(caught.value)) > 20, type(caught.value)


part("Stumbles of someone who does real work")

row(
    "Names, signatures and results that a type checker does not know",
    "everything public: functions of the table, layers, optimisers, methods",
    "packaging/test_types.py::test_a_planted_mistake_is_found_in_every_folder",
    "packaging/test_types.py::test_the_stubs_are_current",
    example="packaging/test_types.py::test_a_users_mistakes_are_found_and_nothing_else",
)
row(
    "Verification at made-up numbers at which a program has no end",
    "adaptive solvers, searches, tolerances as inputs",
    "onnx/test_verified_values.py::test_a_range_leaves_only_what_makes_sense",
    "onnx/test_verified_values.py::test_only_samples",
    "onnx/test_verified_values.py::test_tries_run_without_gradients_unless_the_program_asks",
    example="onnx/test_verified_values.py::test_an_adaptive_solver_is_exported_and_told_where_it_has_no_end",
)


@row(
    "Masks that grow in a generation loop",
    "`tril`, `triu`, `arange`, comparisons of positions, caches, by sizes that a loop changes",
    "onnx/test_sizes_as_attributes.py::test_every_attribute_takes_a_size",
    "demo/test_text_generation.py::test_onnxruntime_writes_the_same_text",
)
def test_a_mask_grows_in_a_generation_loop() -> None:
    """Right by the eager loop."""

    def generate(x, steps):
        for _ in range(steps.shape[0]):
            recent = x[-4:]
            t, s = recent.shape[0], x.shape[0]
            seen = fz.ones(t, s, dtype=fz.bool).tril(s - t)
            scores = (recent @ x.T).masked_fill(~seen, -math.inf)
            x = fz.cat([x, (scores.softmax(-1) @ x)[-1:]])
        return x

    file = scripted(generate, fz.rand(2, 3), fz.zeros(3))
    for rows, steps in ((2, 3), (1, 5), (5, 1), (3, 0)):
        x = fz.rand(rows, 3)
        right = generate(x, fz.zeros(steps)).numpy()
        np.testing.assert_allclose(file.run(x, fz.zeros(steps))[0], right, rtol=1e-4, atol=1e-6)


row(
    "Options that silently do nothing",
    "`autocast`, `compile(mode=)`, `DataParallel`, `set_num_threads`, precision settings, `pin_memory`, ...",
    "tensor/test_stumbles.py::test_what_asks_for_nothing_is_silent",
    "tensor/test_autocast.py::test_products_are_fast_losses_exact_and_the_rest_as_given",
    "parity/test_autocast.py::test_results_have_the_dtypes_of_pytorch",
    example="tensor/test_stumbles.py::test_what_does_nothing_says_so_once",
)
row(
    "A setting that is refused only where it is used",
    "`backend`, `device`, keys of the configuration: calls, scopes, files, variables",
    "config/test_layers.py::test_mistakes_in_calls_change_nothing",
    "config/test_layers.py::test_mistakes_in_variables",
    example="tensor/test_stumbles.py::test_a_backend_that_nobody_knows_is_refused_at_once",
)
row(
    "A recording that costs more than the program",
    "calls of a traced `Program`, of compiled functions, small operations",
    "compile/test_prepared.py::test_a_prepared_kernel_gives_what_the_usual_one_gives",
    example="recorder/test_plan.py::test_a_plan_runs_without_the_dispatcher_and_with_gradients",
)


@row(
    "Names of PyTorch's format that hold another",
    "`.pt`, `.pth`: tensors, containers, modules, checkpoints with NumPy numbers and options",
    "parity/test_pytorch_files.py::test_what_we_save_pytorch_reads",
    "parity/test_pytorch_files.py::test_options_and_arrays_of_numpy_travel_both_ways",
    "serialization/test_modules.py::test_a_whole_module_under_a_name_of_pytorchs_is_in_frazils_own_format_and_says_so",
)
def test_a_file_called_pt_is_pytorchs(tmp_path: Path) -> None:
    """Right by its bytes: the archive that PyTorch's load opens."""
    import zipfile

    saved = {"w": fz.ones(2, 3), "step": 4, "nested": [{"b": fz.arange(3)}]}
    for name in ("x.pt", "x.pth"):
        fz.save(saved, tmp_path / name)
        with zipfile.ZipFile(tmp_path / name) as archive:
            names = [entry.partition("/")[2] for entry in archive.namelist()]
            assert "data.pkl" in names and "byteorder" in names and "data/0" in names
        again = fz.load(tmp_path / name)
        assert again["step"] == 4 and again["w"].tolist() == saved["w"].tolist() and again["nested"][0]["b"].tolist() == [0, 1, 2]


row(
    "A file of another kind, called damaged",
    "ONNX models, NumPy arrays, archives, web pages, JSON, pickles, HDF5, git-lfs pointers",
    "hostile/test_fuzz.py::test_a_damaged_file_is_read_or_refused",
    example="hostile/test_files.py::test_files_of_other_kinds_are_named",
)
row(
    "State in eval mode that has no word of its own",
    "caches in buffers, counters, running positions",
    "onnx/test_verified_values.py::test_state_allows_no_training",
    "onnx/test_refusals.py::test_train_mode_names_modules_and_lines",
    example="onnx/test_verified_values.py::test_state_in_eval_mode_has_its_own_word",
)


@row(
    "Python protocols that PyTorch's tensors have",
    "`tensor + ndarray`, `out=`, state dicts of arrays, buffers, DLPack, notebooks; what is no tensor where one is asked for",
    "tensor/test_protocols.py::test_arrays_are_operands",
    "tensor/test_out.py::test_a_result_is_written_to_out",
    "tensor/test_stumbles.py::test_state_dicts_may_hold_arrays",
    "ops/test_names.py::test_what_is_no_tensor_is_told",
)
def test_tensors_meet_numpy_and_python() -> None:
    """Right by PyTorch."""
    assert (fz.ones(2) + np.ones(2, np.float32)).tolist() == [2, 2]
    out = fz.empty(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert fz.add(fz.ones(2), fz.ones(2), out=out) is out and out.tolist() == [2, 2]
    layer = fz.nn.Linear(2, 1)
    layer.load_state_dict({"weight": np.ones((1, 2), np.float32), "bias": np.zeros(1, np.float32)})
    assert layer.weight.tolist() == [[1, 1]]
    assert fz.frombuffer(bytearray(b"\x01\x02"), dtype=fz.uint8).tolist() == [1, 2]
    assert np.from_dlpack(fz.ones(2)).tolist() == fz.from_dlpack(np.ones(2)).tolist() == [1, 1]
    assert "<table" in fz.ones(2, 2)._repr_html_()


row(
    "A library that does not know frazil's tensors",
    "einops (before or after frazil is imported), its layers; tensorboard; libraries that import PyTorch",
    "recorder/test_einops.py::test_layers_are_modules",
    "packaging/test_porting.py::test_libraries_find_the_version_and_the_inside_of_pytorch",
    example="packaging/test_einops.py::test_whichever_is_imported_first",
)


@row(
    "Messages without the shape given, a cure, the nearest name, the module's path",
    "layers on images in the wrong order, float labels, misspelt keywords, methods and functions",
    "tensor/test_stumbles.py::test_convolutions_tell_the_shape_that_was_given",
    "tensor/test_stumbles.py::test_errors_tell_the_path_of_the_module",
    "tensor/test_stumbles.py::test_a_misspelt_name_is_told_the_nearest",
    "ops/test_names.py::test_what_is_said_of_a_wrong_name",
)
def test_mistakes_are_told_with_their_cure() -> None:
    """Right: what was given, and what to write."""
    with pytest.raises(ShapeError, match=r"\[8, 8, 3\].*permute\(2, 0, 1\)"):
        fz.nn.Conv2d(3, 4, 3)(fz.rand(8, 8, 3))
    with pytest.raises(FrazilError, match=r"\.long\(\)"):
        F.cross_entropy(fz.rand(2, 3), fz.tensor([0.0, 1.0]))
    with pytest.raises((TypeError, ArgumentError), match="keepdim"):
        fz.ones(2).sum(0, keepdims_=True)
    with pytest.raises(AttributeError, match="softmax"):
        getattr(fz, "sofmax")  # noqa: B009
    net = fz.nn.Sequential(fz.nn.Sequential(fz.nn.Linear(2, 3), fz.nn.Linear(4, 1)))
    with pytest.raises(FrazilError, match=r"0\.1"):
        net(fz.rand(5, 2))


@row(
    "A report that reads like a fault",
    "differences without their magnitude, sizes that the program itself refuses",
    "onnx/test_verified_values.py::test_a_difference_has_its_size_beside_it",
    "onnx/test_verification.py::test_sizes_at_which_the_program_itself_fails_are_noted",
)
def test_a_size_that_the_program_refuses_is_told_as_such() -> None:
    """Right: the refusal is the program's own."""

    def program(x):
        if x.shape[0] > 100:
            raise ValueError("too long")
        return x[:2] * 1e6

    text = str(fz.onnx.export(program, fz.rand(3, 2)))
    assert "refuses" in text or "asserted" in text
    assert "program failed" not in text


row(
    "A command that is silent for minutes",
    "`frazil conformance` into files and pipes",
    "plugins/test_command.py::test_a_pipe_gets_plain_text_and_a_terminal_a_table",
    example="plugins/test_command.py::test_conformance_of_the_best_backend_and_of_a_device",
)
