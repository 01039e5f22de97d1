"""PyTorch's own samples of its operators: what frazil has does what PyTorch's does, but for lists with reasons.

`python -m tests.parity.torch_samples NAME` shows every difference of a name, without names those of all, and the figures.
"""

from __future__ import annotations

import pytest

from .torch_samples import find, infos, problems, public_names

pytestmark = [pytest.mark.parity, pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

THERE = [name for name in public_names() if find(name) is not None]

#: Names whose results differ in some sample, and why.
VALUES = {
    "chalf": "no backend computes in complex32",
    "complex": "float16 has no complex dtype",
    "logcumsumexp": "complex logarithms that differ by a whole turn",
    "view_as_complex": "float16 has no complex dtype",
}
#: Names whose gradients differ in some sample, and why.
GRADIENTS = {
    "as_strided": "the samples' tensors are leaves in a larger memory, which is not brought along",
    "as_strided_scatter": "PyTorch's goes to the elements that were written over, and not to the others",
    "chalf": VALUES["chalf"],
    "index_fill": "of a value written several times",
    "istft": "of the window, which in PyTorch has none in some samples",
    "logcumsumexp": "complex, of infinities",
    "nn.functional.multi_head_attention_forward": "dropout is drawn from another stream",
}


def check(name: str, *, gradients: bool, gaps: dict[str, str]) -> None:
    found = [problem for info in infos(name) for problem in problems(info, gradients=gradients)]
    if name in gaps:
        assert found, f"{name} is right now: take it off the list ({gaps[name]})"
    else:
        assert not found, "\n".join(found[:10])


@pytest.mark.parametrize("name", THERE)
def test_values_shapes_and_dtypes(name):
    check(name, gradients=False, gaps=VALUES)


@pytest.mark.parametrize("name", THERE)
def test_gradients(name):
    check(name, gradients=True, gaps=GRADIENTS)


def test_figures():
    count = len(public_names())
    assert len(THERE) / count >= 0.98
    assert 1 - len(VALUES) / count >= 0.98
    assert 1 - len(GRADIENTS) / count >= 0.98
    assert {*VALUES, *GRADIENTS} <= set(THERE)
