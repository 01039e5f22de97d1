"""PyTorch's own samples of its operators: what frazil has does what PyTorch's does, but for lists with reasons.

`python -m tests.parity.torch_samples NAME` shows every difference of a name, without names those of all.
"""

from __future__ import annotations

import pytest

from .torch_samples import find, infos, problems, public_names

pytestmark = [pytest.mark.parity, pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

THERE = [name for name in public_names() if find(name) is not None]

#: Names whose results differ in some sample, and why.
VALUES = {
    "all": "bool also of uint8, where PyTorch gives uint8",
    "any": "bool also of uint8, where PyTorch gives uint8",
    "arange": "fractions are counted before they are made integers, in PyTorch after",
    "as_strided": "the samples' tensors are parts of a larger memory, which is not brought along",
    "complex": "float16 has no complex dtype",
    "full_like": "a negative number is no uint8, where PyTorch wraps it round",
    "gather": "an empty uint8 index is refused as others of uint8 are",
    "linspace": "integers are rounded from the exact points, PyTorch's from a step in their own dtype",
    "grid_sampler_2d": "the nearest element, of positions that are rounded to float16 in PyTorch",
    "matrix_exp": "float16 does not overflow on the way",
    "nn.functional.batch_norm": "an input of one dimension and no elements is refused",
    "nn.functional.embedding_bag": "per_sample_weights of one dimension with offsets",
    "nn.functional.grid_sample": "bicubic is planned",
    "nn.functional.hardtanh": "integers are not clamped to fractions",
    "nn.functional.interpolate": "antialias is planned",
    "nn.functional.margin_ranking_loss": "uint8 does not wrap round",
    "nn.functional.multi_margin_loss": "a single number is no list of classes",
    "nn.functional.soft_margin_loss": "float16 does not overflow on the way",
    "nn.functional.triplet_margin_with_distance_loss": "the samples bring a module of PyTorch",
    "scalar_tensor": "a negative number is no uint8, where PyTorch wraps it round",
    "square": "of bool: int8 from NumPy",
    "view_as_complex": "float16 has no complex dtype",
}
#: Names whose gradients differ in some sample, and why.
GRADIENTS = {
    "as_strided": VALUES["as_strided"],
    "as_strided_scatter": "PyTorch's goes to the elements that were written over, and not to the others",
    "cholesky_inverse": "the triangle that is not read has no gradient",
    "cholesky_solve": "the triangle that is not read has no gradient",
    "gather": VALUES["gather"],
    "index_fill": "of a value written several times",
    "native_group_norm": "the statistics carry no gradient",
    "linalg.pinv": "hermitian: the gradient goes to the triangle that is read",
    "nn.functional.batch_norm": VALUES["nn.functional.batch_norm"],
    "nn.functional.embedding_bag": VALUES["nn.functional.embedding_bag"],
    "nn.functional.grid_sample": VALUES["nn.functional.grid_sample"],
    "nn.functional.multi_head_attention_forward": "dropout is drawn from another stream",
    "nn.functional.multi_margin_loss": VALUES["nn.functional.multi_margin_loss"],
    "nn.functional.triplet_margin_with_distance_loss": VALUES["nn.functional.triplet_margin_with_distance_loss"],
    "zero_": "the samples write into leaves, which PyTorch's helper clones first",
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


def test_names_that_are_there():
    assert len(THERE) / len(public_names()) >= 0.98
    assert {*VALUES, *GRADIENTS} <= set(THERE)
