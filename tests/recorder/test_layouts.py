"""Where a recording says how a tensor lies in memory, that is how the eager one lies."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import frazil as fz
from frazil.errors import FrazilError
from frazil.recorder import layout
from frazil.table import OPS

from ..ops.cases import KEPT, Case


def channels_last(a: np.ndarray) -> np.ndarray:
    """The second dimension is the fastest in memory."""
    return np.moveaxis(np.ascontiguousarray(np.moveaxis(a, 1, -1)), -1, 1) if a.ndim > 2 else np.asfortranarray(a)


ORDERS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "reversed": np.asfortranarray,
    "channels last": channels_last,
}


def believed(t: Any) -> tuple[int, ...] | None:
    """The strides of a tensor being recorded, for the sizes of the example; None where the recording does not claim to know."""
    known = layout.lying(t._a) if t._dev.recording else None
    return None if known is None else tuple(known[1])


def differences(case: Case, order: Callable[[np.ndarray], np.ndarray]) -> tuple[int, list[str]]:
    """How many results were compared, and what differs."""
    tensors = case.tensors(layout=order)
    eager = case.call(*tensors)
    claims: list[Any] = []

    def program(*given: Any) -> Any:
        rest = iter(given)
        results = case.call(*(None if t is None else next(rest) for t in tensors))
        claims[:] = map(believed, results)
        return results

    try:
        fz.jit.trace(program, tuple(t for t in tensors if t is not None))
    except FrazilError:  # the samples tell elsewhere what cannot be recorded
        return 0, []
    seen = list(zip(eager, claims, strict=True))[: KEPT.get(case.op.name)]
    known = [(t, strides) for t, strides in seen if strides is not None and 0 not in t.shape]
    return len(known), [
        f"{case.op.name}, {case.sample}: {t.stride()}, recorded as {strides}"
        for t, strides in known
        if any(n > 1 and a != b for n, a, b in zip(t.shape, strides, t.stride(), strict=True))
    ]


@pytest.mark.parametrize("order", ORDERS)
def test_results_of_every_op_lie_as_the_recording_says(order: str) -> None:
    compared, wrong = 0, []
    for op in OPS.values():
        whole = [s for s in op.samples if any(a is not None and len(a.shape) > 1 for a in s.args)]
        for sample in whole[:2]:
            count, found = differences(Case(op, sample, "float32"), ORDERS[order])
            compared += count
            wrong += found
    assert compared > 300 and not wrong, "\n".join(wrong)


@pytest.mark.parametrize("name", ["silu", "gelu", "erf", "tanh", "softplus"])
def test_what_an_elementwise_op_makes_of_a_repeated_dimension_lies_as_the_recording_says(name: str) -> None:
    def program(x: Any) -> Any:
        y = OPS[name].call(x.permute(1, 0).expand(2, 4, 3))
        strides.append(believed(y) or y.stride())
        return y

    strides: list[Any] = []
    x = fz.ones(3, 4)
    program(x)
    fz.jit.trace(program, (x,))
    assert strides[0] == strides[1] == (12, 1, 4)


#: What is made of x, which lies as it is said, and the strides of it, as in PyTorch 2.13 (tests/parity/test_layouts.py asks it).
LIES = {
    "x * 2": ((2, 0, 1), (3, 1, 12)),
    "x + fz.ones(4, 3, 5)": ((2, 0, 1), (3, 1, 12)),
    "fz.ones(4, 3, 5) + x": ((2, 0, 1), (15, 5, 1)),
    "x + fz.ones(3, 1)": ((2, 0, 1), (3, 1, 12)),
    "fz.where(x > 0, fz.ones(4, 3, 5), x)": ((2, 0, 1), (3, 1, 12)),
    "fz.lerp(x, fz.ones(4, 3, 5), 0.5)": ((2, 0, 1), (3, 1, 12)),
    "x.clone()": ((2, 1, 0), (1, 4, 12)),
    "x[:, ::2].clone()": ((2, 1, 0), (1, 4, 8)),
    "x.contiguous()": ((2, 1, 0), (15, 5, 1)),
    "fz.zeros_like(x)": ((2, 1, 0), (1, 4, 12)),
    "x.flip(0)": ((2, 1, 0), (1, 4, 12)),
    "x.sort(1).values": ((2, 1, 0), (1, 4, 12)),
    "x.masked_fill(x > 0, 1.0)": ((2, 1, 0), (15, 5, 1)),
    "x.index_add(0, fz.tensor([1]), x[:1])": ((2, 1, 0), (15, 5, 1)),
    "x.sum(2)": ((2, 1, 0), (3, 1)),
    "x.softmax(1)": ((2, 1, 0), (15, 5, 1)),
    "x.repeat_interleave(2, 0)": ((2, 1, 0), (15, 5, 1)),
    "x.unfold(0, 2, 1).clone()": ((0, 1, 2), (30, 5, 1, 15)),
    "fz.nn.functional.logsigmoid(x)": ((2, 1, 0), (15, 5, 1)),
    "fz.nn.functional.rms_norm(x, (5,))": ((2, 1, 0), (15, 5, 1)),
    "fz.nn.functional.instance_norm(x)": ((2, 1, 0), (15, 5, 1)),
    "fz.nn.functional.avg_pool1d(x, 2)": ((0, 2, 1), (6, 1, 3)),
    "fz.nn.functional.adaptive_max_pool1d(x, 2)": ((0, 2, 1), (6, 1, 3)),
    "fz.nn.functional.max_pool1d(x, 2)": ((0, 2, 1), (6, 2, 1)),
    "fz.nn.functional.conv1d(x, fz.ones(2, 3, 2))": ((0, 2, 1), (8, 4, 1)),
    "fz.nn.functional.conv2d(x, fz.ones(4, 3, 2, 2))": ((0, 2, 3, 1), (48, 1, 16, 4)),
    "fz.nn.functional.max_pool2d(x, 2)": ((0, 2, 3, 1), (12, 1, 6, 3)),
    "fz.nn.functional.avg_pool2d(x, 2)": ((0, 1, 3, 2), (12, 4, 2, 1)),
    "fz.nn.functional.interpolate(x, scale_factor=2)": ((0, 2, 3, 1), (240, 1, 30, 3)),
    "fz.nn.functional.pad(x, (1, 1))": ((0, 2, 3, 1), (84, 1, 21, 3)),
    "fz.nn.functional.batch_norm(x, fz.zeros(3), fz.ones(3))": ((1, 0, 2, 3), (60, 20, 5, 1)),
    "fz.nn.functional.group_norm(x, 1)": ((0, 2, 3, 1), (60, 1, 15, 3)),
    "fz.cat([x, x], 1)": ((0, 2, 3, 1), (120, 1, 30, 6)),
    "fz.nonzero(x)": ((0, 1, 2), (1, 60)),
}  # fmt: skip


#: The same of what has one element in a dimension: its order in memory, its shape, the strides of the result.
LIES_OF_ONES = {
    "fz.nn.functional.adaptive_avg_pool1d(x, 2)": ((0, 2, 1), (2, 4, 1), (8, 1, 4)),
    "fz.nn.functional.avg_pool1d(x, 2, 1, 1)": ((0, 1, 2), (2, 4, 1), (8, 2, 1)),
    "fz.nn.functional.conv1d(x, fz.ones(4, 4, 3), padding=2)": ((0, 2, 1), (2, 4, 1), (12, 1, 4)),
    "fz.nn.functional.conv1d(x, fz.ones(4, 1, 3))": ((0, 2, 1), (2, 1, 6), (16, 1, 4)),
    "fz.nn.functional.interpolate(x, scale_factor=2)": ((0, 2, 3, 1), (2, 4, 1, 1), (16, 1, 8, 4)),
    "fz.nn.functional.pixel_shuffle(x, 2)": ((0, 2, 3, 1), (2, 4, 1, 1), (4, 1, 2, 1)),
    "fz.nn.functional.avg_pool2d(x * 1, 2)": ((0, 2, 3, 1), (1, 3, 4, 4), (12, 1, 6, 3)),
    "fz.nn.functional.avg_pool1d(x.clone(), 2)": ((2, 1, 0), (1, 4, 6), (12, 3, 1)),
    "fz.cat([x, x], 1)": ((0, 2, 3, 1), (2, 1, 3, 4), (24, 1, 8, 2)),
    "x[:, fz.tensor([1, 0])]": ((2, 1, 0), (1, 4, 6), (12, 6, 1)),
}


@pytest.mark.parametrize("text", LIES_OF_ONES)
def test_results_of_what_has_one_element_in_a_dimension_lie_as_in_pytorch(text: str) -> None:
    order, shape, strides = LIES_OF_ONES[text]
    x = fz.arange(1.0, np.prod(shape) + 1).reshape([shape[d] for d in order]).permute(*np.argsort(order).tolist())
    claims: list[Any] = []

    def program(x: Any) -> Any:
        y = eval(text, {"x": x, "fz": fz})
        claims.append(believed(y) if y._dev.recording else y.stride())
        return y

    fixed = lambda: program(x)
    shape = program(x).shape
    fz.jit.trace(fixed, ())
    for claim in filter(None, claims):
        assert [s for n, s in zip(shape, claim, strict=True) if n > 1] == [
            s for n, s in zip(shape, strides, strict=True) if n > 1
        ]


def test_whether_lines_have_one_position_is_asked_where_their_channels_lie_last_and_a_write_depends_on_it() -> None:
    w = fz.ones(4, 4, 3)

    def program(x: Any, *, write: bool) -> Any:
        y = fz.nn.functional.relu(fz.nn.functional.conv1d(x.mT, w, padding=2))
        flat = y.flatten()  # of one position a copy, as in PyTorch
        if write:
            flat += 1
        return y * 1

    for length in (6, 1):
        example = (fz.rand(2, length, 4),)
        for write in (False, True):
            recorded = fz.jit.trace(lambda x, write=write: program(x, write=write), example)
            for t in (6, 5, 1):
                x = fz.rand(3, t, 4)
                if write and (t == 1) != (length == 1):
                    with pytest.raises(FrazilError, match="shape.1. .= 1"):
                        recorded(x)
                else:
                    fz.testing.assert_close(recorded(x), program(x, write=write))


def test_whether_a_batch_has_one_sample_is_asked_where_that_decides_how_a_product_lies_and_a_write_depends_on_it() -> None:
    def written(x, w):
        y = fz.einsum("btc,cd->bdt", x, w)
        z = y.contiguous()
        z[0] = 0.5
        return y * 1

    w = fz.ones(4, 3)
    programs = {n: fz.jit.trace(written, (fz.ones(n, 5, 4), w), dynamic_shapes={"x": {0: "n"}}) for n in (1, 2)}
    for recorded, program in programs.items():
        for n in (1, 2, 3):
            if (n == 1) == (recorded == 1):
                np.testing.assert_array_equal(program(fz.ones(n, 5, 4), w).numpy(), written(fz.ones(n, 5, 4), w).numpy())
            else:
                with pytest.raises(FrazilError, match=r"x.shape\[0\] != 1|x.shape\[0\] == 1"):
                    program(fz.ones(n, 5, 4), w)
    assert written(fz.ones(1, 5, 4), w)[0, 0, 0] == 0.5  # in order: no copy
    assert written(fz.ones(2, 5, 4), w)[0, 0, 0] == 4
    unwritten = fz.jit.trace(lambda x: fz.einsum("btc,cd->bdt", x, w).contiguous(), (fz.ones(2, 5, 4),))
    assert unwritten(fz.ones(1, 3, 4)).shape == (1, 3, 3)


def test_products_by_random_equations_lie_as_the_recording_says() -> None:
    rng = np.random.default_rng(0)
    known = 0
    for _ in range(60):
        terms = ["".join(rng.permutation(list("abcd"))[: rng.integers(1, 4)]) for _ in range(rng.integers(1, 4))]
        output = "".join(rng.permutation([c for c in sorted({*"".join(terms)}) if rng.random() < 0.7]).tolist())
        sizes = {c: int(rng.integers(2, 4)) for c in "abcd"}
        given = [fz.tensor(rng.uniform(-1, 1, [sizes[c] for c in term])) for term in terms]
        claims: list[Any] = []

        def program(*tensors: Any) -> Any:
            y = fz.einsum(f"{','.join(terms)}->{output}", *tensors)  # noqa: B023
            claims[:] = [believed(y)]  # noqa: B023
            return y

        expected = program(*given)
        found = fz.jit.trace(program, tuple(given))
        np.testing.assert_allclose(found(*given).numpy(), expected.numpy(), atol=1e-12)
        if claims[0] is not None:
            known += 1
            assert all(n < 2 or a == b for n, a, b in zip(expected.shape, claims[0], expected.stride(), strict=True)), terms
    assert known > 30


def test_open_questions_about_one_convolution_stay_one_question() -> None:
    def program(x: Any) -> Any:
        y = fz.nn.functional.conv1d(x.mT, w, padding=1)
        for _ in range(12):
            y = fz.where(y > 3, y, y) + 0.5 * y
        for _ in range(6):
            y = fz.nn.functional.conv1d(y, w, padding=1) * 0.1
        return y

    w, x = fz.ones(4, 4, 3), fz.rand(2, 6, 4)
    fz.testing.assert_close(fz.jit.trace(program, (x,))(x), program(x))


@pytest.mark.parametrize("text", LIES)
def test_results_lie_in_memory_as_in_pytorch(text: str) -> None:
    order, strides = LIES[text]
    shape = (4, 3, 5) if len(order) == 3 else (2, 3, 4, 5)
    whole = np.arange(1.0, np.prod(shape) + 1, dtype="float32").reshape([shape[d] for d in order])
    x = fz.tensor(whole).permute(*np.argsort(order).tolist())
    claims: list[Any] = []

    def program(x: Any) -> Any:
        y = eval(text, {"x": x, "fz": fz})
        claims.append(believed(y) if y._dev.recording else y.stride())
        return y

    program(x)
    fz.jit.trace(program, (x,))
    assert claims[0] == strides and claims[1] in (strides, None)


def test_operands_disagree_before_and_after_an_array_was_turned() -> None:
    code = (
        "import frazil as fz; x = fz.from_numpy(__import__('numpy').ones((2, 3), order='F')); print((x + fz.ones(2, 3)).stride())"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "(1, 2)"


@pytest.mark.parametrize(
    "turn", ["mT", "mT.contiguous()", "permute(2, 0, 1)", "mT.contiguous().clone()", "mT.cumsum(0)", "flip(0)"]
)
def test_the_numbers_of_a_pair_stay_neighbours_in_what_is_replayed(turn: str) -> None:
    """Passes that drop a copy may not change how what is seen as complex numbers lies."""
    turned: Callable[[Any], Any] = eval(f"lambda x: x.{turn}")
    programs: list[Callable[[Any], Any]] = [
        lambda x: fz.view_as_real(fz.complex(turned(x), turned(x) + 1).transpose(0, -1)),
        lambda x: fz.polar(turned(x), turned(x)).abs(),
        lambda x: fz.view_as_complex(fz.stack([turned(x), turned(x)], -1).contiguous()).angle(),
    ]
    for program in programs:
        recorded = fz.jit.trace(program, (fz.rand(3, 4, 2),))
        compiled = fz.compile(program, engine="numpy")
        for sizes in ((3, 4, 2), (2, 6, 3)):
            x = fz.rand(*sizes)
            assert fz.allclose(recorded(x), program(x)) and fz.allclose(compiled(x), program(x))


def test_complex_numbers_are_made_of_what_lies_as_only_the_data_tell() -> None:
    @fz.jit.script
    def program(x, n):
        y = x * 1
        if n.sum() > 0:
            y = x.mT * 2
        return fz.view_as_real(fz.complex(y, y + 1))

    x = fz.rand(3, 4, 4)
    recorded = fz.jit.trace(program, (x, fz.ones(1)))
    for n in (fz.ones(1), -fz.ones(1)):
        assert fz.equal(recorded(x, n), program(x, n))
