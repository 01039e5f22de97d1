"""PyTorch's own samples of its operators: what frazil has does what PyTorch's does, but for lists with reasons.

`python -m tests.parity.torch_samples NAME` shows every difference of a name, without names those of all, and the figures.
"""

from __future__ import annotations

import pytest

from .compiled_samples import compiled_problems
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


#: Names that are refused by recordings in some sample, and why.
REFUSED = {
    "factors and solutions are found on the host, but of small matrices": """
        cholesky cholesky_inverse cholesky_solve geqrf linalg.cholesky linalg.cholesky_ex linalg.cond linalg.det
        linalg.eig linalg.eigh linalg.eigvals linalg.eigvalsh linalg.inv linalg.inv_ex linalg.ldl_factor
        linalg.ldl_factor_ex linalg.ldl_solve linalg.lstsq linalg.lu linalg.lu_factor linalg.lu_factor_ex
        linalg.lu_solve linalg.matrix_norm linalg.matrix_power linalg.matrix_rank linalg.norm linalg.pinv linalg.qr
        linalg.slogdet linalg.solve linalg.solve_ex linalg.solve_triangular linalg.svd linalg.svdvals linalg.tensorinv
        linalg.tensorsolve logdet lu lu_solve lu_unpack norm pca_lowrank pinverse qr svd svd_lowrank triangular_solve
    """,
    "the degree is a number of Python": """
        special.chebyshev_polynomial_t special.chebyshev_polynomial_u special.chebyshev_polynomial_v
        special.chebyshev_polynomial_w special.hermite_polynomial_h special.hermite_polynomial_he
        special.laguerre_polynomial_l special.legendre_polynomial_p special.shifted_chebyshev_polynomial_t
        special.shifted_chebyshev_polynomial_u special.shifted_chebyshev_polynomial_v
        special.shifted_chebyshev_polynomial_w
    """,
    "computed on the host": "igamma igammac",
    "a recording has no memory to be seen as other numbers": "hash_tensor",
    "a constant that is sparse is no value of a recording": "to_sparse",
    "a recording does not know that an index of bytes is empty": "gather",
}


@pytest.mark.parametrize("name", THERE)
def test_compiled(name):
    found = [problem for info in infos(name) for problem in compiled_problems(info)]
    refused = [problem for problem in found if problem.startswith("refused")]
    assert found == refused, "\n".join(found[:10])
    assert bool(refused) is any(name in names.split() for names in REFUSED.values()), refused[:3] or f"{name} is compiled now"


def test_figures():
    count = len(public_names())
    assert len(THERE) / count >= 0.98
    assert 1 - len(VALUES) / count >= 0.98
    assert 1 - len(GRADIENTS) / count >= 0.98
    assert {*VALUES, *GRADIENTS} <= set(THERE)
