"""What the comparisons with PyTorch share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import frazil as fz


class Parity:
    """Values in both libraries, and their comparison."""

    def __init__(self) -> None:
        self.torch = pytest.importorskip("torch", reason="PyTorch is not installed: nothing to compare with")
        self.rng = np.random.default_rng(0)

    def pair(self, array: Any, requires_grad: bool = False) -> tuple[Any, Any]:
        """(frazil tensor, PyTorch tensor) with the same values."""
        ours, theirs = fz.tensor(np.array(array)), self.torch.tensor(np.array(array))
        if requires_grad:
            ours.requires_grad_()
            theirs.requires_grad_()
        return ours, theirs

    def floats(self, *shape: int, dtype: str = "float32", low: float = -2.0, high: float = 2.0) -> np.ndarray:
        return self.rng.uniform(low, high, shape).astype(dtype)

    def same(self, ours: Any, theirs: Any, *, rtol: float = 1e-5, atol: float = 1e-6, what: str = "") -> None:
        """Equal in structure, dtype, shape, and nearly in value."""
        if isinstance(theirs, (tuple, list)):
            assert len(ours) == len(theirs), what
            for i, (a, b) in enumerate(zip(ours, theirs, strict=True)):
                self.same(a, b, rtol=rtol, atol=atol, what=f"{what}[{i}]")
            return
        if theirs is None:
            assert ours is None, what
            return
        assert str(ours.dtype).replace("frazil.", "torch.") == str(theirs.dtype), what
        assert tuple(ours.shape) == tuple(theirs.shape), what
        np.testing.assert_allclose(
            ours.detach().numpy(), theirs.detach().numpy(), rtol=rtol, atol=atol, equal_nan=True, err_msg=what
        )

    def copy_state(self, ours: Any, theirs: Any) -> None:
        """Give the frazil module the state of the PyTorch module, through its own `load_state_dict`."""
        ours.load_state_dict({name: fz.tensor(value.detach().numpy().copy()) for name, value in theirs.state_dict().items()})

    def backward(self, ours: Any, theirs: Any) -> None:
        """Backward from the same random direction."""
        direction = self.rng.standard_normal(tuple(theirs.shape)).astype(str(theirs.dtype).removeprefix("torch."))
        a, b = self.pair(direction)
        ours.backward(a)
        theirs.backward(b)

    def text(self, module: Any) -> str:
        """The `repr` of a module, without the name of the library."""
        return repr(module).replace("frazil.", "").replace("torch.", "")


@pytest.fixture
def parity() -> Parity:
    return Parity()


@pytest.fixture
def both(parity: Parity) -> Callable[[str], tuple[Any, Any]]:
    """`both("nn.Linear")`: the object of that name in frazil and in PyTorch."""

    def find(name: str) -> tuple[Any, Any]:
        found: list[Any] = [fz, parity.torch]
        for part in name.split("."):
            found = [getattr(holder, part) for holder in found]
        return found[0], found[1]

    return find
