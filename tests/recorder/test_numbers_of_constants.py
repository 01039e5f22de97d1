"""Numbers of tensors that a program makes from numbers, and from nothing else, are known while it is recorded."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import frazil as fz
from frazil.errors import RecordError


def _written() -> Any:
    k = fz.zeros(2)
    k[0] = 3
    return int(k.sum())


def _in_a_loop() -> Any:
    sizes, total = fz.as_tensor([(2, 2), (1, 3)], dtype=fz.int64), 0
    for height, width in sizes:
        total += int(height * width)
    return total


def _starts() -> Any:
    sizes = fz.as_tensor([(2, 2), (1, 1)])
    return fz.cat((sizes.new_zeros((1,)), sizes.prod(1).cumsum(0)[:-1]))[1].item()


def _groups() -> Any:
    return fz.cumsum(fz.unique_consecutive(fz.tensor([8, 8, 4]), return_counts=True)[1], 0).tolist()[-1]


def _sliced() -> Any:
    return len([1, 2, 3, 4][fz.tensor([0, 2]).max() : fz.tensor(4)])


KNOWN: dict[str, Callable[[], Any]] = {
    "int of an element": lambda: int(fz.tensor([3, 4])[1]),
    "rates": lambda: sum(rate.item() for rate in fz.linspace(0, 0.3, 4)),
    "bool": lambda: 2 if fz.arange(4).sum() > 3 else 1,
    "any": lambda: 2 if (fz.ones(2, 2) * 2).eq(2).any() else 1,
    "float": lambda: float(fz.as_tensor([[1.0, 2.0]]).mean()),
    "loop": lambda: sum(i for i in fz.arange(3)).item(),
    "sorted": lambda: fz.tensor([2, 9, 4]).sort().values[1].item(),
    "range": lambda: len(range(fz.tensor(2) * 3)),
    "filled": lambda: fz.empty((), dtype=fz.int64).fill_(16 // 4).item(),
    "written": _written,
    "sizes of levels": _in_a_loop,
    "starts of levels": _starts,
    "groups of crops": _groups,
    "counts": lambda: fz.tensor([1, 2, 1]).unique(return_counts=True)[1].max().item(),
    "distinct ones": lambda: (fz.tensor([3, 1, 3]) * 2).sort().values.unique().tolist()[-1],
    "slice of a list": _sliced,
}


@pytest.mark.parametrize("name", KNOWN)
def test_they_are_known(name: str) -> None:
    expected = KNOWN[name]()
    program = fz.jit.trace(lambda x: x * KNOWN[name](), fz.ones(2, 3))
    assert not program.graph.guards
    fz.testing.assert_close(program(fz.ones(4, 5)), fz.full((4, 5), float(expected)))


class _Counts(fz.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("n", fz.zeros(()))
        self.plain = fz.tensor(1)
        self.weight = fz.nn.Parameter(fz.ones(2))


def _plain_counter(m: Any, x: Any) -> Any:
    m.plain += 1
    return int(m.plain)


UNKNOWN: dict[str, Callable[[Any, Any], Any]] = {
    "an input": lambda m, x: int((x * 0).sum().bool()),
    "random": lambda m, x: int(fz.rand(2).sum()),
    "a parameter": lambda m, x: int((m.weight * 2).sum()),
    "a buffer": lambda m, x: 2 if m.n.add_(1) > 2 else 1,
    "with a constant": lambda m, x: int((fz.tensor([1.0, 2.0]) + x[0, :2]).sum()),
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_others_are_refused(name: str) -> None:
    model = _Counts()
    with pytest.raises(RecordError, match="needs the numbers of a tensor"):
        fz.jit.trace(lambda x: x * UNKNOWN[name](model, x), fz.ones(2, 3))


def test_integers_of_others_are_sizes_that_the_running_program_knows() -> None:
    model = _Counts()
    program = fz.jit.trace(lambda x: x * int(fz.full((3,), x.shape[0]).sum()) + _plain_counter(model, x), fz.ones(2, 3))
    before = model.plain.item()
    for rounds, rows in enumerate((2, 4, 1), 1):
        fz.testing.assert_close(program(fz.ones(rows, 3)), fz.full((rows, 3), 3.0 * rows + before + rounds))
    assert model.plain.item() == before + 3


def test_a_loop_body_knows_them_too_and_not_what_it_carries() -> None:
    @fz.jit.script
    def summed(x: Any) -> Any:
        total = fz.tensor(0.0)
        for i in range(x.shape[0]):
            total = total + x[i] * KNOWN["int of an element"]()
        return total

    program = fz.jit.trace(summed, fz.ones(3))
    fz.testing.assert_close(program(fz.ones(5)), fz.tensor(20.0))


@pytest.mark.parametrize("dtype", [fz.bfloat16, fz.float16, fz.float64, fz.int8, fz.bool, fz.complex64])
def test_numbers_of_every_dtype_are_known(dtype: Any) -> None:
    def program(x: Any) -> Any:
        made = fz.tensor([1, 0], dtype=dtype)
        return x * made[0].item() + made.tolist()[1]

    x = fz.ones(2)
    assert fz.equal(fz.jit.trace(program, x)(x), program(x))
