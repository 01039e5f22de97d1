"""What PyTorch refuses is refused, by errors that PyTorch programs catch; what it computes at the edges is computed."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

import frazil as fz
from frazil.errors import FrazilError

from .snippets import COMPUTED, REFUSED


def lines(table: str) -> list[str]:
    return [line for line in table.strip().splitlines() if not line.startswith("#")]


def evaluate(line: str, library: Any) -> Any:
    names = {"T": library, "t": library.tensor, "F": library.nn.functional, "nn": library.nn, "np": np, "optim": library.optim}
    library.manual_seed(0)
    *statements, expression = line.split(";;")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for statement in statements:
            exec(statement.strip(), names)
        return eval(expression.strip(), names)


def host(result: Any) -> Any:
    if isinstance(result, (tuple, list)):
        return [host(r) for r in result]
    return result.detach().numpy() if hasattr(result, "detach") else result


@pytest.mark.parametrize("line", lines(REFUSED))
def test_refused(line: str) -> None:
    with pytest.raises(FrazilError) as caught:
        evaluate(line, fz)
    assert isinstance(caught.value, (RuntimeError, ValueError)) and str(caught.value)


@pytest.mark.parametrize("line", lines(COMPUTED))
def test_computed(line: str) -> None:
    evaluate(line, fz)


@pytest.mark.parity
@pytest.mark.parametrize("line", lines(REFUSED))
def test_refused_by_pytorch_too(line: str) -> None:
    import torch

    with pytest.raises(Exception) as caught:
        evaluate(line, torch)
    with pytest.raises(FrazilError) as own:
        evaluate(line, fz)
    caught_as = (RuntimeError, IndexError, ValueError, TypeError)
    kinds = [kind for kind in caught_as if isinstance(caught.value, kind)]
    assert not kinds or isinstance(own.value, (*kinds, ValueError)), (caught.value, own.value)


@pytest.mark.parity
@pytest.mark.parametrize("line", lines(COMPUTED))
def test_computed_as_by_pytorch(line: str) -> None:
    import torch

    def compare(found: Any, expected: Any) -> None:
        if isinstance(expected, list):
            assert len(found) == len(expected)
            for a, b in zip(found, expected, strict=True):
                compare(a, b)
        elif isinstance(expected, np.ndarray):
            assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
            np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
        else:
            assert found == expected or (found != found and expected != expected)

    compare(host(evaluate(line, fz)), host(evaluate(line, torch)))


def test_a_mask_of_bytes_warns() -> None:
    x = fz.arange(3.0)
    with pytest.warns(UserWarning, match="taken as a mask"):
        assert x[fz.tensor([1, 0, 1], dtype=fz.uint8)].tolist() == [0.0, 2.0]
    with pytest.warns(UserWarning, match="taken as a mask"):
        x[fz.tensor([0, 0, 1], dtype=fz.uint8)] = 7.0
    assert x.tolist() == [0.0, 1.0, 7.0]


def test_a_view_of_a_number_shares_its_memory() -> None:
    for number in (fz.tensor(1.0), fz.ones(3).mean()):
        number[...] = 2.0
        number.view(1)[0] += 1.0
        number.unsqueeze(0).mul_(2.0)
        assert number.item() == 6.0
