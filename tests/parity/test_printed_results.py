"""Results with names print as PyTorch's do: `torch.return_types.max(...)`, under frazil's name."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import pytest

import frazil as fz

torch = pytest.importorskip("torch", reason="PyTorch is not installed: nothing to compare with")
pytestmark = pytest.mark.parity

#: What PyTorch calls the result -> what gives it, of the library and a matrix.
CALLS: dict[str, Callable[[Any, Any], Any]] = {
    "max": lambda t, x: x.max(1),
    "min": lambda t, x: t.min(x, 0),
    "sort": lambda t, x: x.sort(),
    "topk": lambda t, x: x.topk(1),
    "kthvalue": lambda t, x: x.kthvalue(1),
    "median": lambda t, x: x.median(0),
    "nanmedian": lambda t, x: x.nanmedian(0),
    "mode": lambda t, x: x.mode(),
    "cummax": lambda t, x: x.cummax(0),
    "cummin": lambda t, x: t.cummin(x, 0),
    "aminmax": lambda t, x: x.aminmax(),
    "frexp": lambda t, x: t.frexp(x),
    "histogram": lambda t, x: t.histogram(x, 2),
    "histogramdd": lambda t, x: t.histogramdd(x, [2, 2]),
    "slogdet": lambda t, x: t.slogdet(x),
    "linalg_slogdet": lambda t, x: t.linalg.slogdet(x),
    "lu_unpack": lambda t, x: t.lu_unpack(*t.linalg.lu_factor(x)),
    "linalg_lu": lambda t, x: t.linalg.lu(x),
    "linalg_lu_factor": lambda t, x: t.linalg.lu_factor(x),
    "linalg_lu_factor_ex": lambda t, x: t.linalg.lu_factor_ex(x),
    "linalg_inv_ex": lambda t, x: t.linalg.inv_ex(x),
    "linalg_cholesky_ex": lambda t, x: t.linalg.cholesky_ex(x @ x.T),
    "linalg_solve_ex": lambda t, x: t.linalg.solve_ex(t.eye(2), x),
    "linalg_ldl_factor": lambda t, x: t.linalg.ldl_factor(x @ x.T),
    "linalg_ldl_factor_ex": lambda t, x: t.linalg.ldl_factor_ex(x @ x.T),
    "triangular_solve": lambda t, x: t.triangular_solve(x, x),
    "geqrf": lambda t, x: t.geqrf(t.eye(2)),
    "qr": lambda t, x: t.eye(2).qr(),
    "linalg_qr": lambda t, x: t.linalg.qr(t.eye(2)),
    "svd": lambda t, x: t.svd(t.eye(2)),
    "linalg_svd": lambda t, x: t.linalg.svd(t.eye(2)),
    "linalg_eig": lambda t, x: t.linalg.eig(t.eye(2)),
    "linalg_eigh": lambda t, x: t.linalg.eigh(t.eye(2)),
    "linalg_lstsq": lambda t, x: t.linalg.lstsq(t.eye(2), t.eye(2)),
}


@pytest.mark.parametrize("name", CALLS)
def test_they_look_as_pytorchs(name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs, ours = (repr(CALLS[name](t, t.tensor([[1.0, 2.0], [5.0, 3.0]]))) for t in (torch, fz))
    assert ours == theirs.replace("torch.", "frazil.")
    assert ours.startswith(f"frazil.return_types.{name}(\n")


def test_every_kind_of_pytorchs_is_there() -> None:
    names = {kind.__name__ for kind in torch.return_types.all_return_types}
    assert {name for name in names if not name.startswith("_") and not name.endswith("_out")} == CALLS.keys()
